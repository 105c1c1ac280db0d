//! Views made of manifests, for tests.

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::api::{Change, ChangeType, View};
use crate::objects::{Kind, Object};

/// A view that holds these documents, in order, the n-th one created at second n; kinds with a namespace are in `default` if
/// they do not say.
pub(super) fn view(manifests: &str) -> View {
    let mut view = View::default();
    for (number, document) in serde_yaml::Deserializer::from_str(manifests).enumerate() {
        let mut wire = Value::deserialize(document).expect("YAML");
        let text = |key: &str| wire[key].as_str().unwrap_or("").to_owned();
        let is_namespaced = Kind::of(&text("apiVersion"), &text("kind")).is_none_or(Kind::is_namespaced);
        let metadata = wire["metadata"].as_object_mut().expect("metadata");
        if is_namespaced {
            metadata.entry("namespace").or_insert(json!("default"));
        }
        let created = format!("2026-01-01T00:{:02}:{:02}Z", number / 60, number % 60);
        metadata.entry("creationTimestamp").or_insert(json!(created));
        let object = Object::from_wire(wire).expect("a valid object");
        view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: number as u64 + 1 });
    }
    view
}
