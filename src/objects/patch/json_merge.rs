//! JSON merge patch (RFC 7386) as the API server's library does it.

use serde_json::{Map, Value};

use super::PatchError;
use super::strategic::Object;

/// Merges `patch` into `document`.
pub(super) fn merge(document: Value, patch: Value) -> Result<Value, PatchError> {
    match (document, patch) {
        (Value::Null, _) => Err(PatchError::BadMergeDocument),
        (Value::Object(mut document), Value::Object(patch)) => {
            merge_objects(&mut document, patch);
            Ok(Value::Object(document))
        }
        // One side is no object: the patch is the result.
        (_, mut patch @ (Value::Object(_) | Value::Array(_))) => {
            prune_nulls(&mut patch);
            Ok(patch)
        }
        _ => Err(PatchError::BadMergePatch),
    }
}

fn merge_objects(document: &mut Object, patch: Object) {
    for (key, mut value) in patch {
        if value.is_null() {
            document.remove(&key);
            continue;
        }
        match (document.get_mut(&key), &mut value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => {
                merge_objects(ours, std::mem::take(theirs));
                continue;
            }
            // In place of an object the library takes a list as it is, nulls of its objects included.
            (Some(Value::Object(_)), _) => {}
            _ => prune_nulls(&mut value),
        }
        document.insert(key, value);
    }
}

/// Drops the null fields of all objects in the value.
fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}

/// The merge patch that turns `old` into `new`.
pub(super) fn diff(old: &Object, new: &Object) -> Object {
    let mut patch = Map::new();
    for (key, new) in new {
        match (old.get(key), new) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = diff(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(old), new) if old == new => {}
            _ => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// The changes from `current` to `modified`, and the deletions from `original` to `modified`.
pub(super) fn three_way(original: &Object, modified: &Object, current: &Object) -> Result<Object, PatchError> {
    let changes = without_nulls(diff(current, modified));
    let mut patch = only_nulls(diff(original, modified));
    merge_objects(&mut patch, changes);
    let names_itself = |value: Option<&Value>| value.and_then(|metadata| metadata.get("name")).is_some();
    if patch.contains_key("apiVersion") || patch.contains_key("kind") || names_itself(patch.get("metadata")) {
        return Err(PatchError::IdentityChanged);
    }
    Ok(patch)
}

/// The deletions of a patch.
fn only_nulls(patch: Object) -> Object {
    let filtered = patch.into_iter().filter_map(|(key, value)| match value {
        Value::Null => Some((key, Value::Null)),
        Value::Object(inner) => {
            let inner = only_nulls(inner);
            (!inner.is_empty()).then_some((key, Value::Object(inner)))
        }
        _ => None,
    });
    filtered.collect()
}

/// The additions and changes of a patch. An object that was empty is a value and stays.
fn without_nulls(patch: Object) -> Object {
    let filtered = patch.into_iter().filter_map(|(key, value)| match value {
        Value::Null => None,
        Value::Object(inner) if !inner.is_empty() => {
            let inner = without_nulls(inner);
            (!inner.is_empty()).then_some((key, Value::Object(inner)))
        }
        other => Some((key, other)),
    });
    filtered.collect()
}
