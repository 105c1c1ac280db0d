//! What a write changed of an object, in words: `status.readyReplicas 9 → 8`.

use serde_json::Value;

use super::fields::{self, FieldChange, Rules, compare};
use crate::objects::Object;

/// Fields that change with every write, or only say when.
const NOISE: &[&str] = &[
    "resourceVersion",
    "generation",
    "observedGeneration",
    "managedFields",
    "lastTransitionTime",
    "lastHeartbeatTime",
    "lastUpdateTime",
    "lastProbeTime",
    "lastScaleTime",
    "startTime",
    "startedAt",
    "finishedAt",
    "renewTime",
    "containerID",
    "imageID",
    "message",
    "deletionGracePeriodSeconds",
    "endpoints.kubernetes.io/last-change-trigger-time",
];

/// Most characters of a value.
const MOST_CHARS: usize = 40;

struct Writes;

impl Rules for Writes {
    const OPENS: bool = true;

    fn is_left_out(&self, name: &str, both: bool) -> bool {
        // Of a deletion, only that it begins.
        let is_known = both && name == "deletionTimestamp";
        is_known || NOISE.contains(&name) || name.starts_with("deployment.kubernetes.io/")
    }
}

/// What differs between two states of an object, most telling first: what is decided before what is counted.
pub(super) fn differences(old: &Object, new: &Object) -> Vec<String> {
    told(&old.to_wire(), &new.to_wire())
}

fn told(old: &Value, new: &Value) -> Vec<String> {
    let mut found: Vec<(u8, String)> = Vec::new();
    for change in compare(old, new, &Writes) {
        let told = match condition_of(&change.path) {
            // Conditions tell more than the figures that come with them, and one of them most.
            Some(name) => {
                let rank = u8::from(!matches!(name, "Ready" | "Available" | "Complete" | "Failed"));
                (rank, format!("{name} {}", condition(name, old, new)))
            }
            None => (2, field(&change)),
        };
        // Status and reason of a condition are one thing.
        if !found.contains(&told) {
            found.push(told);
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, text)| text).collect()
}

/// `Ready` of `status.conditions[Ready].reason`.
fn condition_of(path: &str) -> Option<&str> {
    path.strip_prefix("status.conditions[")?.split(']').next()
}

/// `True → False (ContainersNotReady)`.
fn condition(name: &str, old: &Value, new: &Value) -> String {
    let find = |object: &Value| {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let mut named = conditions.filter(|condition| text(condition, "type") == name);
        named.next().map(|condition| (text(condition, "status"), text(condition, "reason")))
    };
    let Some((status, reason)) = find(new) else { return "is gone".to_owned() };
    let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    match find(old) {
        None => format!("is {status}{why}"),
        Some((was, _)) if was != status => format!("{was} → {status}{why}"),
        Some((_, because)) if because != reason => format!("is {status} now because of {reason}"),
        Some(_) => format!("is {status} still"),
    }
}

/// `replicas 9 → 8`.
fn field(change: &FieldChange) -> String {
    let path = change.path.strip_prefix("status.").unwrap_or(&change.path);
    match (&change.first, &change.second) {
        (None, Some(_)) if path == "metadata.deletionTimestamp" => "is being deleted".to_owned(),
        (Some(Value::Object(_)), None) => format!("{path} gone"),
        (None, Some(Value::Object(_))) => format!("{path} new"),
        (first, second) => format!("{path} {} → {}", shown(first.as_ref()), shown(second.as_ref())),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| fields::shown(value, MOST_CHARS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_items_and_what_comes_or_goes_are_told() {
        let old = json!({"spec": {"replicas": 3}, "x": [1], "status": {"conditions": [
            {"type": "Ready", "status": "True", "message": "a"}, {"type": "Old", "status": "True", "reason": "A"}]}});
        let new = json!({"spec": {"replicas": 5, "paused": true}, "metadata": {"deletionTimestamp": "2026"},
            "status": {"conditions": [{"type": "Fine", "status": "False"}, {"type": "Old", "status": "True", "reason": "B"},
            {"type": "Ready", "status": "False", "reason": "Lost", "message": "b"}]}});
        assert_eq!(
            told(&old, &new),
            [
                "Ready True → False (Lost)",
                "Fine is False",
                "Old is True now because of B",
                "is being deleted",
                "spec.paused nothing → true",
                "spec.replicas 3 → 5",
                "x[0] 1 → nothing",
            ]
        );
    }

    #[test]
    fn times_and_versions_are_no_change() {
        let at =
            |version: &str| json!({"metadata": {"resourceVersion": version}, "status": {"lastHeartbeatTime": version}});
        assert!(told(&at("1"), &at("2")).is_empty());
        let deleted = |at: &str| json!({"metadata": {"deletionTimestamp": at}});
        assert!(told(&deleted("1"), &deleted("2")).is_empty());
    }
}
