//! What was done, in a line: `scale deployment/web replicas=3`.

use std::fmt::Write as _;

use serde_json::Value;

use super::difference::differences;
use super::fields::shown;
use super::object_name;
use crate::sim::{Record, StepRecord};

/// Most fields of a patch, and most characters of a value.
const MOST_FIELDS: usize = 4;
const MOST_CHARS: usize = 40;

/// Records, each with the one before it.
pub(super) fn with_previous(records: &[Record]) -> impl Iterator<Item = (Option<&Record>, &Record)> {
    std::iter::once(None).chain(records.iter().map(Some)).zip(records)
}

/// What the user did, or a fault, and what was refused of it.
/// `before`: the record before it, which is what it changed, if that is one object.
pub(super) fn step_line(step: &StepRecord, before: Option<&Record>) -> String {
    let (refusals, accepted) = answers(&step.result);
    let what = match (step.name.as_str(), step.args.get("patch")) {
        _ if !accepted.is_empty() => accepted.join(", "),
        ("patch", Some(patch)) => {
            let target = step.args.get("target").and_then(Value::as_str).unwrap_or_default();
            format!("{target}: {}", changed(target, before).unwrap_or_else(|| patched(patch)))
        }
        _ => arguments(&step.args),
    };
    let mut text = format!("{} {what}", step.name).trim_end().to_owned();
    for refusal in refusals {
        let _ = write!(text, " - refused: {refusal}");
    }
    text
}

/// What a step changed of its target: `spec.replicas 3 → 5`.
fn changed(target: &str, before: Option<&Record>) -> Option<String> {
    let Some(Record::Change(_, change)) = before else { return None };
    let found = differences(change.old.as_ref()?, &change.object);
    (object_name(&change.object) == target && !found.is_empty()).then(|| listed(found))
}

/// What a patch asks for: `spec.replicas=5`; of a JSON patch the operations.
fn patched(patch: &Value) -> String {
    let mut found = Vec::new();
    match patch {
        Value::Array(operations) => {
            let text = |operation: &Value, key: &str| operation[key].as_str().unwrap_or_default().to_owned();
            found.extend(operations.iter().map(|operation| {
                let value = operation.get("value").map(|value| format!("={}", shown(value, MOST_CHARS)));
                format!("{} {}{}", text(operation, "op"), text(operation, "path"), value.unwrap_or_default())
            }));
        }
        patch => leaves("", patch, &mut found),
    }
    listed(found)
}

fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            fields.iter().for_each(|(name, value)| leaves(&format!("{path}{dot}{name}"), value, found));
        }
        value => found.push(format!("{path}={}", shown(value, MOST_CHARS))),
    }
}

fn listed(mut found: Vec<String>) -> String {
    let more = found.len().saturating_sub(MOST_FIELDS);
    if more > 0 {
        found.truncate(MOST_FIELDS);
        found.push(format!("{more} more"));
    }
    found.join(", ")
}

/// As `kubectl taint` has them: `dedicated=gpu:NoSchedule, busy:NoExecute`.
fn taints(taints: &[Value]) -> String {
    if taints.is_empty() {
        return "with no taints".to_owned();
    }
    let text = |taint: &Value, key: &str| taint[key].as_str().unwrap_or_default().to_owned();
    let told = taints.iter().map(|taint| {
        let value = Some(text(taint, "value")).filter(|value| !value.is_empty());
        let value = value.map(|value| format!("={value}")).unwrap_or_default();
        format!("{}{value}:{}", text(taint, "key"), text(taint, "effect"))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The refusals of a step's answer, and what was accepted of an apply.
pub(super) fn answers(result: &Value) -> (Vec<String>, Vec<String>) {
    let (mut refusals, mut accepted) = (Vec::new(), Vec::new());
    if let Some(message) = result.get("message").and_then(Value::as_str) {
        refusals.push(message.to_owned());
    }
    for answer in result.as_array().into_iter().flatten() {
        let text = |at: usize| answer.get(at).and_then(Value::as_str);
        if let Some(message) = text(2) {
            refusals.push(message.to_owned());
        } else if let Some((kind, name)) = text(0).and_then(|name| name.split_once('/')) {
            accepted.push(format!("{}/{name}", kind.to_lowercase()));
        }
    }
    let more = accepted.len().saturating_sub(6);
    if more > 0 {
        accepted.truncate(6);
        accepted.push(format!("{more} more"));
    }
    (refusals, accepted)
}

/// `a, b, c`.
fn names(items: &[Value]) -> Option<String> {
    let names: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What a step is about first, then how.
fn arguments(args: &Value) -> String {
    let mut words = Vec::new();
    for key in ["target", "node", "kind"] {
        words.extend(args.get(key).and_then(Value::as_str).map(ToOwned::to_owned));
    }
    for (key, value) in args.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            // How to do the same by a step.
            Value::Object(_) if key == "as" => {}
            Value::String(_) if matches!(key.as_str(), "target" | "node" | "kind") => {}
            Value::String(text) if text == "*" && key == "container" => {}
            Value::String(text) => words.push(format!("{key}={text}")),
            Value::Array(items) if key == "nodes" => words.extend(names(items)),
            Value::Array(items) if key == "taints" => words.push(taints(items)),
            other => words.push(format!("{key}={other}")),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::api::{Change, ChangeType};
    use crate::kernel::SimTime;
    use crate::objects::{Deployment, Object, Resource};

    #[test]
    fn steps_tell_what_they_are_about_first() {
        let args = json!({"container": "*", "image": "web:v2", "target": "deployment/web"});
        assert_eq!(arguments(&args), "deployment/web image=web:v2");
        assert_eq!(arguments(&json!({"kind": "pod", "nth": 0, "selector": "app=web"})), "pod nth=0 selector=app=web");
    }

    #[test]
    fn refusals_of_an_apply_are_told() {
        let result = json!([["Pod/a", 201], ["Pod/b", 422, "Pod \"b\" is invalid"]]);
        assert_eq!(answers(&result), (vec!["Pod \"b\" is invalid".to_owned()], vec!["pod/a".to_owned()]));
    }

    fn line(name: &str, args: Value, result: Value, before: Option<&Record>) -> String {
        step_line(&StepRecord { name: name.to_owned(), args, result }, before)
    }

    #[test]
    fn a_patch_is_told_by_what_it_changed_or_by_what_it_asked_for() {
        let web = |replicas: i32| {
            let wire = json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": replicas}});
            Object::from(Arc::new(Deployment::from_wire(wire).expect("a Deployment")))
        };
        let (object, old) = (web(5), Some(web(3)));
        let change = Change { change_type: ChangeType::Modified, object, old, resource_version: 2 };
        let before = Record::Change(SimTime::ZERO, change);
        let args = |target: &str| json!({"target": target, "patch": {"spec": {"replicas": 5, "paused": null}}});
        let done = line("patch", args("deployment/web"), json!(200), Some(&before));
        assert_eq!(done, "patch deployment/web: spec.replicas 3 → 5");
        let refused = json!({"code": 404, "message": "not found"});
        assert_eq!(
            line("patch", args("deployment/api"), refused, Some(&before)),
            "patch deployment/api: spec.paused=null, spec.replicas=5 - refused: not found"
        );
        let operations =
            json!([{"op": "replace", "path": "/spec/replicas", "value": 5}, {"op": "remove", "path": "/spec/paused"}]);
        let args = json!({"target": "deployment/web", "patch": operations});
        let asked = line("patch", args, json!(200), None);
        assert_eq!(asked, "patch deployment/web: replace /spec/replicas=5, remove /spec/paused");
    }

    #[test]
    fn taints_are_told_as_kubectl_writes_them() {
        let taints = json!([{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}, {"key": "busy", "effect": "NoExecute"}]);
        let told = line("taint", json!({"node": "worker", "taints": taints}), json!(200), None);
        assert_eq!(told, "taint worker dedicated=gpu:NoSchedule, busy:NoExecute");
        let told = line("taint", json!({"node": "worker", "taints": []}), json!(200), None);
        assert_eq!(told, "taint worker with no taints");
    }
}
