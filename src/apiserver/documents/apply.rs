//! `kubectl apply`, the client-side way.

use serde_json::Value;

use crate::api::{ApiError, Part, PatchType};
use crate::objects::{Object, WallTime, patch, schema, versions};

use super::{Header, metadata, place, text_of};
use crate::apiserver::{ApiServer, errors};

/// Annotation with the document that was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What became of an applied document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The object is new.
    Created,
    /// The object was patched.
    Configured,
    /// The object is as the document says.
    Unchanged,
}

impl Applied {
    /// As kubectl prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

impl ApiServer {
    /// Applies a document as `kubectl apply` does: it creates the object or patches it, with what changed since the
    /// document that was applied last.
    ///
    /// # Errors
    /// If the document is malformed, or the API server refuses what it makes of the object.
    pub fn apply_document(&mut self, now: WallTime, mut document: Value) -> Result<(Object, Applied), ApiError> {
        versions::to_stored(&mut document);
        let header = Header::read(&document)?;
        place(&header, &mut document)?;
        if text_of(&document, "name").is_empty() {
            let base = text_of(&document, "generateName");
            return Err(errors::bad_request(format!("from {base}: cannot use generate name with apply")));
        }
        annotate(&mut document)?;
        let key = header.key(text_of(&document, "namespace"), text_of(&document, "name"));
        let Ok(live) = self.get(header.kind, &key) else {
            return self.create_document(now, document).map(|object| (object, Applied::Created));
        };
        let (patch_type, change) = change(&header, &live, &document)?;
        if change.as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok((live, Applied::Unchanged));
        }
        let patched = self.patch(now, header.kind, &key, patch_type, &change, Part::Main)?;
        Ok((patched, Applied::Configured))
    }
}

fn change(header: &Header, live: &Object, document: &Value) -> Result<(PatchType, Value), ApiError> {
    let last = live.meta().annotations.get(LAST_APPLIED).unwrap_or("null");
    let last: Value = serde_json::from_str(last)
        .map_err(|error| errors::bad_request(format!("retrieving original configuration: {error}")))?;
    let live = live.to_wire();
    let change = match schema::lookup(&header.api_version, &header.kind_name).filter(|ty| !ty.is_custom()) {
        Some(ty) => patch::three_way_merge(&last, document, &live, ty).map(|change| (PatchType::Strategic, change)),
        None => patch::three_way_json_merge(&last, document, &live).map(|change| (PatchType::Merge, change)),
    };
    change.map_err(|error| super::patch::refusal(&error))
}

/// Writes the document into its own annotation.
fn annotate(document: &mut Value) -> Result<(), ApiError> {
    let annotations = metadata(document)?.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = Value::Object(serde_json::Map::new());
    }
    let not_a_map = || errors::bad_request("metadata.annotations is not an object");
    annotations.as_object_mut().ok_or_else(not_a_map)?.remove(LAST_APPLIED);
    let text = go_json(document);
    let annotations = metadata(document)?.get_mut("annotations").and_then(Value::as_object_mut);
    annotations.ok_or_else(not_a_map)?.insert(LAST_APPLIED.into(), text.into());
    Ok(())
}

/// As Go's encoder writes it: keys sorted, some characters escaped for HTML, a line feed at the end.
fn go_json(document: &Value) -> String {
    let plain = document.to_string();
    let mut text = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => text.push(c),
        }
    }
    text.push('\n');
    text
}
