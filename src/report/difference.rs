//! What a write changed of an object, in words: `status.readyReplicas 9 → 8`.

use serde_json::{Map, Value};

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

/// What differs between two states of an object, most telling first: what is decided before what is counted.
pub(super) fn differences(old: &Object, new: &Object) -> Vec<String> {
    let mut found = Vec::new();
    compare(&mut String::new(), &old.to_wire(), &new.to_wire(), &mut found);
    // Conditions tell more than the figures that come with them, and one of them most.
    found.sort_by_key(|(path, _)| match path.strip_prefix("conditions ") {
        Some("Ready" | "Available" | "Complete" | "Failed") => 0,
        Some(_) => 1,
        None => 2,
    });
    let short = |path: &str| path.trim_start_matches("status.").trim_start_matches("conditions ").to_owned();
    found.into_iter().map(|(path, text)| format!("{} {text}", short(&path)).trim().to_owned()).collect()
}

fn compare(path: &mut String, old: &Value, new: &Value, found: &mut Vec<(String, String)>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => fields(path, old, new, found),
        (Value::Object(old), Value::Null) => fields(path, old, &Map::new(), found),
        (Value::Null, Value::Object(new)) => fields(path, &Map::new(), new, found),
        (_, Value::String(_)) if path.ends_with("deletionTimestamp") => {
            if old.is_null() {
                found.push((String::new(), "is being deleted".to_owned()));
            }
        }
        (old, Value::Array(new)) if path.ends_with("status.conditions") => conditions(old, new, found),
        (Value::Array(old), Value::Array(new)) => items(path, old, new, found),
        (Value::Array(old), Value::Null) => items(path, old, &[], found),
        (Value::Null, Value::Array(new)) => items(path, &[], new, found),
        (old, new) => found.push((path.clone(), format!("{} → {}", shown(old), shown(new)))),
    }
}

fn fields(path: &mut String, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<(String, String)>) {
    let length = path.len();
    let mut names: Vec<&String> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
    names.sort_unstable();
    let is_told = |name: &str| !NOISE.contains(&name) && !name.starts_with("deployment.kubernetes.io/");
    for name in names.into_iter().filter(|name| is_told(name)) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        compare(path, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), found);
        path.truncate(length);
    }
}

/// Items of a list are told apart by what they are called, else by their places.
fn items(path: &mut String, old: &[Value], new: &[Value], found: &mut Vec<(String, String)>) {
    let length = path.len();
    let names: Vec<String> = old.iter().enumerate().map(|(at, item)| called(item, at)).collect();
    let mut step = |name: &str, old: &Value, new: &Value| {
        path.push_str(&format!("[{name}]"));
        match (old, new) {
            // Of an item that comes or goes, only its name.
            (Value::Object(_), Value::Null) => found.push((path.clone(), "gone".to_owned())),
            (Value::Null, Value::Object(_)) => found.push((path.clone(), "new".to_owned())),
            (old, new) => compare(path, old, new, found),
        }
        path.truncate(length);
    };
    let mut met = vec![false; old.len()];
    for (at, item) in new.iter().enumerate() {
        let name = called(item, at);
        let place = names.iter().position(|known| *known == name);
        if let Some(place) = place {
            met[place] = true;
        }
        step(&name, place.map_or(&Value::Null, |place| &old[place]), item);
    }
    for (at, _) in met.iter().enumerate().filter(|(_, met)| !**met) {
        step(&names[at], &old[at], &Value::Null);
    }
}

/// `Ready True → False (ContainersNotReady)`.
fn conditions(old: &Value, new: &[Value], found: &mut Vec<(String, String)>) {
    for condition in new {
        let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let (name, status, reason) = (text(condition, "type"), text(condition, "status"), text(condition, "reason"));
        let known = old.as_array().into_iter().flatten().find(|known| text(known, "type") == name);
        let (was, because) = known.map(|known| (text(known, "status"), text(known, "reason"))).unwrap_or_default();
        let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let told = match known {
            None => format!("is {status}{why}"),
            Some(_) if was != status => format!("{was} → {status}{why}"),
            Some(_) if because != reason => format!("is {status} now because of {reason}"),
            Some(_) => continue,
        };
        found.push((format!("conditions {name}"), told));
    }
}

fn called(item: &Value, at: usize) -> String {
    let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let first = item.get("addresses").and_then(|addresses| addresses.get(0)).and_then(Value::as_str);
    let target = item.get("targetRef").and_then(|target| target.get("name")).and_then(Value::as_str);
    let named = text("type").or_else(|| text("name")).or_else(|| text("key")).or_else(|| text("ip"));
    named.or_else(|| target.or(first).map(str::to_owned)).unwrap_or_else(|| at.to_string())
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= MOST_CHARS {
        return text;
    }
    text.chars().take(MOST_CHARS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(old: &Value, new: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare(&mut String::new(), old, new, &mut found);
        found.into_iter().map(|(path, text)| format!("{path} {text}")).collect()
    }

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
                " is being deleted",
                "spec.paused nothing → true",
                "spec.replicas 3 → 5",
                "conditions Fine is False",
                "conditions Old is True now because of B",
                "conditions Ready True → False (Lost)",
                "x[0] 1 → nothing",
            ]
        );
    }

    #[test]
    fn times_and_versions_are_no_change() {
        let at =
            |version: &str| json!({"metadata": {"resourceVersion": version}, "status": {"lastHeartbeatTime": version}});
        assert!(told(&at("1"), &at("2")).is_empty());
    }
}
