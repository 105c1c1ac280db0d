//! Required node affinity that names one node by `metadata.name`, as DaemonSets give it to their pods.

use std::sync::Arc;

use serde_json::{Map, Value, json};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Takes the pin out of a pod's spec, and what is empty without it. Nothing happens to required affinity of any other form.
pub(super) fn take(spec: &mut Map<String, Value>) -> Option<Arc<str>> {
    let required = spec.get("affinity")?.get("nodeAffinity")?.get(REQUIRED)?;
    let name: Arc<str> = named(required)?.into();
    remove(spec);
    Some(name)
}

/// Pins a spec to a node, whatever node affinity it required before.
pub(super) fn set(spec: &mut Map<String, Value>, node: &str) {
    let object = |value: &mut Value| {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
    };
    let affinity = spec.entry("affinity").or_insert(Value::Null);
    object(affinity);
    let node_affinity = &mut affinity["nodeAffinity"];
    object(node_affinity);
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    node_affinity[REQUIRED] = json!({"nodeSelectorTerms": [{"matchFields": [field]}]});
}

/// Drops all required node affinity, and what is empty without it.
pub(super) fn remove(spec: &mut Map<String, Value>) {
    let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) else { return };
    if let Some(node_affinity) = affinity.get_mut("nodeAffinity").and_then(Value::as_object_mut) {
        node_affinity.remove(REQUIRED);
        if node_affinity.is_empty() {
            affinity.remove("nodeAffinity");
        }
    }
    if affinity.is_empty() {
        spec.remove("affinity");
    }
}

/// The name, if this is one term with one field and nothing else.
fn named(required: &Value) -> Option<&str> {
    let only = |value: &Value, len: usize| value.as_object().is_some_and(|fields| fields.len() == len);
    let one = |list: &Value| list.as_array().filter(|list| list.len() == 1).is_some();
    let terms = &required["nodeSelectorTerms"];
    let fields = &terms[0]["matchFields"];
    let (field, values) = (&fields[0], &fields[0]["values"]);
    let is_pin = only(required, 1)
        && one(terms)
        && only(&terms[0], 1)
        && one(fields)
        && only(field, 3)
        && field["key"] == "metadata.name"
        && field["operator"] == "In"
        && one(values);
    values[0].as_str().filter(|name| is_pin && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn pin(node: &str) -> Value {
        json!({"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]})
    }

    #[test]
    fn a_pin_is_taken_out_and_put_back() {
        let others = json!([{"weight": 1, "preference": {}}]);
        for affinity in [
            json!({"nodeAffinity": {REQUIRED: pin("n1")}}),
            json!({"nodeAffinity": {REQUIRED: pin("n1"), "preferred": others}, "podAffinity": {}}),
        ] {
            let whole = map(json!({"containers": [], "affinity": affinity}));
            let mut spec = whole.clone();
            assert_eq!(take(&mut spec).as_deref(), Some("n1"));
            assert_ne!(spec, whole);
            set(&mut spec, "n1");
            assert_eq!(spec, whole);
        }
    }

    #[test]
    fn any_other_affinity_stays_in_the_spec() {
        let two = json!({"nodeSelectorTerms": [pin("a")["nodeSelectorTerms"][0], pin("b")["nodeSelectorTerms"][0]]});
        let mut more = pin("a");
        more["nodeSelectorTerms"][0]["matchExpressions"] = json!([{"key": "x", "operator": "Exists"}]);
        let mut not = pin("a");
        not["nodeSelectorTerms"][0]["matchFields"][0]["operator"] = "NotIn".into();
        for required in [two, more, not, json!(null), json!([1]), json!({"nodeSelectorTerms": "x"})] {
            let whole = map(json!({"affinity": {"nodeAffinity": {REQUIRED: required}}}));
            let mut spec = whole.clone();
            assert_eq!(take(&mut spec), None);
            assert_eq!(spec, whole);
        }
    }

    #[test]
    fn a_pin_takes_the_place_of_what_was_required() {
        let mut spec = map(json!({"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}}));
        set(&mut spec, "n1");
        assert_eq!(spec["affinity"]["nodeAffinity"][REQUIRED], pin("n1"));
        let mut odd = map(json!({"affinity": null}));
        set(&mut odd, "n1");
        assert_eq!(take(&mut odd).as_deref(), Some("n1"));
        assert!(odd.is_empty());
    }
}
