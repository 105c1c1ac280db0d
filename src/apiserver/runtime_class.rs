//! RuntimeClasses: strategy, and what they do to pods (admission plugin `RuntimeClass`).

use serde_json::{Map, Value};

use super::ApiServer;
use super::strategy::stored;
use crate::api::View;
use crate::objects::pod_resources::listed;
use crate::objects::wire::Wire;
use crate::objects::{Key, RuntimeClass};

stored!(RuntimeClass, [], {
    fn on_write(server: &mut ApiServer, _old: Option<&Self>, _new: Option<&Self>) {
        server.forget_admitted();
    }
});

/// Gives a pod the overhead, node selector and tolerations of its RuntimeClass.
///
/// # Errors
/// Why the pod is forbidden: there is no such class, or the pod says otherwise.
pub(super) fn admit(view: &View, spec: &mut Map<String, Value>) -> Result<(), String> {
    let Some(name) = spec.get("runtimeClassName").and_then(Value::as_str) else {
        return forbid_overhead(spec);
    };
    let class = view.runtime_classes.get(&Key::new("", name));
    let class = class.ok_or_else(|| format!("pod rejected: RuntimeClass {name:?} not found"))?;
    match class.pod_fixed() {
        None => forbid_overhead(spec)?,
        Some(overhead) => set_overhead(spec, overhead)?,
    }
    if class.scheduling.is_object() {
        merge_node_selector(spec, &class.scheduling)?;
        merge_tolerations(spec, class.scheduling.list("tolerations"));
    }
    Ok(())
}

fn forbid_overhead(spec: &Map<String, Value>) -> Result<(), String> {
    if spec.get("overhead").is_some_and(Value::is_object) {
        return Err("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead".to_owned());
    }
    Ok(())
}

fn set_overhead(spec: &mut Map<String, Value>, overhead: Map<String, Value>) -> Result<(), String> {
    let wanted = Value::Object(overhead);
    let given = spec.get("overhead").filter(|given| given.as_object().is_some_and(|given| !given.is_empty()));
    if given.is_some_and(|given| listed(given) != listed(&wanted)) {
        return Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned());
    }
    if given.is_none() {
        spec.insert("overhead".into(), wanted);
    }
    Ok(())
}

fn merge_node_selector(spec: &mut Map<String, Value>, scheduling: &Value) -> Result<(), String> {
    let wanted = scheduling.text_entries("nodeSelector");
    if wanted.is_empty() {
        return Ok(());
    }
    let mut merged = spec.get("nodeSelector").and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in wanted {
        if let Some(given) = merged.get(key).and_then(Value::as_str).filter(|given| *given != value) {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {given}"
            ));
        }
        merged.insert(key.to_owned(), value.into());
    }
    spec.insert("nodeSelector".into(), Value::Object(merged));
    Ok(())
}

/// Both lists in order, without those that another one covers (`MergeTolerations`).
fn merge_tolerations(spec: &mut Map<String, Value>, more: &[Value]) {
    let mut all = spec.get("tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    all.extend(more.iter().cloned());
    let mut merged: Vec<Value> = Vec::with_capacity(all.len());
    for (place, toleration) in all.iter().enumerate() {
        let later = &all[place + 1..];
        // Of equal ones the first stays.
        let covered = merged.iter().any(|other| covers(other, toleration))
            || later.iter().any(|other| other != toleration && covers(other, toleration));
        if !covered {
            merged.push(toleration.clone());
        }
    }
    if !merged.is_empty() {
        spec.insert("tolerations".into(), Value::Array(merged));
    }
}

/// Whether what `one` tolerates contains what `other` does (`isSuperset`).
fn covers(one: &Value, other: &Value) -> bool {
    if one == other {
        return true;
    }
    let differ = |field: &str| one.text(field) != other.text(field);
    let any_key = one.text("key").is_empty() && one.text("operator") == "Exists";
    if differ("key") && !any_key || differ("effect") && !one.text("effect").is_empty() {
        return false;
    }
    if one.text("effect") == "NoExecute"
        && let Some(seconds) = one.int_some("tolerationSeconds")
        && other.int_some("tolerationSeconds").is_none_or(|longer| longer > seconds)
    {
        return false;
    }
    match one.text("operator") {
        "Equal" | "" => other.text("operator") == "Equal" && !differ("value"),
        operator => operator == "Exists",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tolerations_are_merged_without_the_covered() {
        let merge = |first: Value, second: Value| {
            let mut spec = Map::new();
            spec.insert("tolerations".into(), first);
            merge_tolerations(&mut spec, second.as_array().expect("a list"));
            spec["tolerations"].clone()
        };
        let equal = json!({"key": "gpu", "operator": "Equal", "value": "a", "effect": "NoSchedule"});
        let exists = json!({"key": "gpu", "operator": "Exists"});
        assert_eq!(merge(json!([equal]), json!([equal])), json!([equal]));
        assert_eq!(merge(json!([equal]), json!([exists])), json!([exists]));
        assert_eq!(merge(json!([exists]), json!([equal])), json!([exists]));
        let all = json!({"operator": "Exists"});
        assert_eq!(merge(json!([equal, exists]), json!([all])), json!([all]));
        let short = json!({"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30});
        let long = json!({"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
        assert_eq!(merge(json!([short]), json!([long])), json!([long]));
        assert_eq!(merge(json!([long]), json!([short])), json!([long]));
        // Without an operator it means Equal, but does not count as equal to one that says so.
        let silent = json!({"key": "gpu", "value": "a", "effect": "NoSchedule"});
        assert_eq!(merge(json!([equal]), json!([silent])), json!([silent]));
    }
}
