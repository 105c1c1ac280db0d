//! Patch documents.

use serde_json::Value;

use crate::api::{ApiError, Part, PatchType, Reason, Response};
use crate::objects::patch::{self, PatchError};
use crate::objects::{Key, Kind, WallTime, schema, versions};

use super::Header;
use crate::apiserver::{ApiServer, errors};

/// A strategic merge patch for a custom resource.
const UNKNOWN_FORMAT: &str = "the body of the request was in an unknown format - accepted media types include: \
                              application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

impl ApiServer {
    /// Applies a patch document to an object, or to its status.
    ///
    /// # Errors
    /// If there is no such object, the patch does not apply, or what it makes of the object is malformed or invalid.
    pub fn patch(
        &mut self,
        _now: WallTime,
        kind: Kind,
        key: &Key,
        patch_type: PatchType,
        document: &Value,
        part: Part,
    ) -> Response {
        let old = self.get(kind, key)?.to_wire();
        let header = Header::read(&old)?;
        let new = patched(&header, old.clone(), patch_type, document)?;
        self.update_wire(&header, key, &old, new, part)
    }

    /// What a patch document makes of an object in a version that is served, before anything is checked or completed.
    ///
    /// # Errors
    /// If there is no such object, or the patch does not apply.
    pub fn patched_document(
        &self,
        kind: Kind,
        key: &Key,
        api_version: &str,
        patch_type: PatchType,
        document: &Value,
    ) -> Result<Value, ApiError> {
        let old = versions::wire_in(&self.get(kind, key)?, api_version);
        let header = Header::read(&old)?;
        patched(&header, old, patch_type, document)
    }
}

fn patched(header: &Header, old: Value, patch_type: PatchType, document: &Value) -> Result<Value, ApiError> {
    let result = match patch_type {
        PatchType::Strategic => {
            let schema = schema::lookup(&header.api_version, &header.kind_name).filter(|ty| !ty.is_custom());
            let schema = schema.ok_or_else(|| errors::bad_request(UNKNOWN_FORMAT))?;
            patch::strategic_merge(old, document.clone(), schema)
        }
        PatchType::Merge => patch::json_merge(old, document.clone()),
        PatchType::Json => patch::json_patch(old, document),
    };
    let new = result.map_err(|error| refusal(&error))?;
    for (field, before) in [("apiVersion", &header.api_version), ("kind", &header.kind_name)] {
        if new.get(field).and_then(Value::as_str) != Some(before) {
            return Err(errors::bad_request(format!("a patch cannot change {field} of an object")));
        }
    }
    Ok(new)
}

/// An operation that does not apply is a fault of the request's content, anything else one of its form.
pub(super) fn refusal(error: &PatchError) -> ApiError {
    let reason = match error {
        PatchError::Operation { .. } | PatchError::CopyTooLarge { .. } => Reason::Invalid,
        _ => Reason::BadRequest,
    };
    ApiError::new(reason, error.to_string())
}
