//! Creating and updating objects without storage, as the manifest datasets do.

use seatrial::objects::defaults::{self, Creation, Subresource};
use seatrial::objects::validation::{self, FieldError};
use serde_json::{Map, Value, json};

/// Times, uids and random suffixes of the datasets.
const CREATION: Creation<'static> =
    Creation { now: "2026-01-01T00:00:00Z", uid: "11111111-1111-1111-1111-111111111111", has_labels: false };
const SUFFIX: &str = "xxxxx";

/// Kind and API version of a manifest.
pub(crate) fn kind_of(manifest: &Value) -> (&str, &str) {
    (manifest["kind"].as_str().unwrap_or_default(), manifest["apiVersion"].as_str().unwrap_or_default())
}

/// `Deployment.apps`
pub(crate) fn group_kind(manifest: &Value) -> String {
    let (kind, api_version) = kind_of(manifest);
    match api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}"),
        None => kind.to_owned(),
    }
}

/// The object as the registry would store it, but without its uid, and what is wrong with it.
pub(crate) fn create(manifest: &Value) -> (Value, Vec<FieldError>) {
    let (kind, api_version) = kind_of(manifest);
    let mut object = manifest.clone();
    complete_metadata(kind, &mut object);
    defaults::apply(kind, api_version, &mut object);
    let has_labels = manifest["metadata"]["labels"].as_object().is_some_and(|labels| !labels.is_empty());
    defaults::prepare_for_create(kind, &mut object, &Creation { has_labels, ..CREATION });
    let errors = validation::validate_create(kind, &object);
    if let Value::Object(metadata) = &mut object["metadata"] {
        metadata.remove("uid");
    }
    (object, errors)
}

/// The API server's part: the namespace of the request, and a generated name.
fn complete_metadata(kind: &str, object: &mut Value) {
    if let Value::Object(members) = object {
        members.entry("metadata").or_insert_with(|| Map::new().into());
    }
    let metadata = &mut object["metadata"];
    if validation::is_namespaced(kind) && metadata["namespace"].is_null() {
        metadata["namespace"] = "default".into();
    }
    let missing = metadata["name"].as_str().unwrap_or_default().is_empty();
    if let Some(prefix) = metadata["generateName"].as_str().filter(|_| missing).map(str::to_owned) {
        metadata["name"] = format!("{prefix}{SUFFIX}").into();
    }
    if let Value::Object(members) = metadata {
        members.retain(|_, value| !value.is_null());
    }
}

/// What is wrong with an update of a stored object.
pub(crate) fn update(new: &Value, old: &Value, subresource: Subresource) -> Vec<FieldError> {
    let (kind, api_version) = kind_of(old);
    let mut new = new.clone();
    complete_metadata(kind, &mut new);
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    defaults::apply(kind, api_version, &mut new);
    defaults::prepare_for_update(kind, &mut new, old, subresource);
    validation::validate_update(kind, &new, old, subresource)
}

/// A created object as it stands in storage, with the status that a controller wrote.
pub(crate) fn stored(created: Value, status: &Value) -> Value {
    let mut stored = created;
    stored["metadata"]["uid"] = CREATION.uid.into();
    stored["metadata"]["resourceVersion"] = "1".into();
    stored["metadata"]["creationTimestamp"] = CREATION.now.into();
    for (field, value) in status.as_object().into_iter().flatten() {
        stored["status"][field] = value.clone();
    }
    stored
}

/// The errors as the dataset has them.
pub(crate) fn causes(errors: &[FieldError]) -> Value {
    let cause =
        |error: &FieldError| json!({"type": error.kind.cause_type(), "field": error.field, "text": error.to_string()});
    errors.iter().map(cause).collect()
}
