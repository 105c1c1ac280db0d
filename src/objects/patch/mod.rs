//! Patches on wire-form documents: strategic merge patch, JSON merge patch, JSON patch, and the patches that
//! `kubectl apply` computes. Results, the order of lists and error messages are Kubernetes' own, its oddities included.
//!
//! ```
//! use seatrial::objects::{patch, schema};
//! use serde_json::json;
//!
//! let pod = schema::lookup("v1", "Pod").unwrap();
//! let live = json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}});
//! let change = json!({"spec": {"containers": [{"name": "b", "image": "b:2"}]}});
//! let patched = patch::strategic_merge(live.clone(), change, pod).unwrap();
//! assert_eq!(patched["spec"]["containers"][1]["image"], "b:2");
//! assert_eq!(patched["spec"]["containers"][0]["image"], "a:1");
//!
//! let operations = json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "a:2"}]);
//! assert_eq!(patch::json_patch(live, &operations).unwrap()["spec"]["containers"][0]["image"], "a:2");
//! ```

mod diff;
mod error;
mod go;
mod json_merge;
mod json_patch;
mod meta;
mod order;
mod strategic;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

pub use error::PatchError;

use super::schema::TypeRef;
use meta::Schema;
use strategic::{Mode, Object};

/// How deep a document may nest, in levels of objects and lists.
pub const MAX_DEPTH: usize = 100;

const DIRECTIVE: &str = "$patch";
const DELETE: &str = "delete";
const REPLACE: &str = "replace";
const MERGE: &str = "merge";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
const SET_ORDER: &str = "$setElementOrder";

/// Applies a strategic merge patch to an object of type `ty`. Null documents count as empty.
///
/// Upstream: `strategicpatch.StrategicMergeMapPatch`.
///
/// # Errors
/// When a document is no object or too deep, or the patch does not fit the type or the document.
pub fn strategic_merge(document: Value, patch: Value, ty: TypeRef) -> Result<Value, PatchError> {
    let (document, patch) = (into_object(document)?, into_object(patch)?);
    strategic::merge_object(document, patch, Schema::Struct(ty), Mode::Apply).map(Value::Object)
}

/// Computes the strategic merge patch that turns `original` into `modified`.
///
/// Upstream: `strategicpatch.CreateTwoWayMergePatch`.
///
/// # Errors
/// When a document is no object or too deep, or does not fit the type.
pub fn strategic_diff(original: &Value, modified: &Value, ty: TypeRef) -> Result<Value, PatchError> {
    let (original, modified) = (object(original)?, object(modified)?);
    diff::two_way(&original, &modified, Schema::Struct(ty)).map(Value::Object)
}

/// Computes the strategic merge patch that `kubectl apply` sends: what `modified` changes or adds over `current`, and
/// what it no longer has of `last_applied`. Null documents count as empty.
///
/// Upstream: `strategicpatch.CreateThreeWayMergePatch` with `overwrite`.
///
/// # Errors
/// When a document is no object or too deep, or does not fit the type.
pub fn three_way_merge(
    last_applied: &Value,
    modified: &Value,
    current: &Value,
    ty: TypeRef,
) -> Result<Value, PatchError> {
    let (original, modified, current) = (object(last_applied)?, object(modified)?, object(current)?);
    diff::three_way(&original, &modified, &current, Schema::Struct(ty)).map(Value::Object)
}

/// Applies a JSON merge patch (RFC 7386).
///
/// Upstream: `MergePatch` of evanphx/json-patch v4.
///
/// # Errors
/// When a document is null or too deep, or the patch is a scalar.
pub fn json_merge(document: Value, patch: Value) -> Result<Value, PatchError> {
    check_depth(&document)?;
    check_depth(&patch)?;
    json_merge::merge(document, patch)
}

/// Computes the JSON merge patch that turns `original` into `modified`.
///
/// # Errors
/// When a document is no object or too deep.
pub fn json_merge_diff(original: &Value, modified: &Value) -> Result<Value, PatchError> {
    let (original, modified) = (object(original)?, object(modified)?);
    Ok(Value::Object(json_merge::diff(&original, &modified)))
}

/// Computes the JSON merge patch that `kubectl apply` sends for a kind without a schema.
///
/// Upstream: `jsonmergepatch.CreateThreeWayJSONMergePatch` with kubectl's preconditions.
///
/// # Errors
/// When a document is no object or too deep, or apiVersion, kind or name would change.
pub fn three_way_json_merge(last_applied: &Value, modified: &Value, current: &Value) -> Result<Value, PatchError> {
    let (original, modified, current) = (object(last_applied)?, object(modified)?, object(current)?);
    json_merge::three_way(&original, &modified, &current).map(Value::Object)
}

/// Applies a JSON patch (RFC 6902): a list of operations, all or nothing.
///
/// Upstream: `Patch.Apply` of evanphx/json-patch v4 with the API server's limits.
///
/// # Errors
/// When the patch is not a list of operations, exceeds a limit, or one of its operations does not apply.
pub fn json_patch(document: Value, patch: &Value) -> Result<Value, PatchError> {
    check_depth(&document)?;
    check_depth(patch)?;
    json_patch::apply(document, patch)
}

fn into_object(document: Value) -> Result<Object, PatchError> {
    check_depth(&document)?;
    match document {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Object::new()),
        _ => Err(PatchError::NotAnObject),
    }
}

fn object(document: &Value) -> Result<Cow<'_, Object>, PatchError> {
    check_depth(document)?;
    match document {
        Value::Object(map) => Ok(Cow::Borrowed(map)),
        Value::Null => Ok(Cow::Owned(Object::new())),
        _ => Err(PatchError::NotAnObject),
    }
}

fn check_depth(document: &Value) -> Result<(), PatchError> {
    if fits_depth(document, MAX_DEPTH) { Ok(()) } else { Err(PatchError::TooDeep) }
}

/// Whether objects and lists nest at most `levels` deep.
fn fits_depth(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(map) => levels > 0 && map.values().all(|value| fits_depth(value, levels - 1)),
        Value::Array(list) => levels > 0 && list.iter().all(|value| fits_depth(value, levels - 1)),
        _ => true,
    }
}
