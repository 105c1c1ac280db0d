//! A recording's scenario as a scenario file. This mapping is part of the contract with the recordings.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::judge::python::{dumps, items, str, truthy};

/// The scenario file of a recording, as JSON, which a reader of YAML takes.
pub(crate) fn of_recording(recording: &Value) -> Result<String, String> {
    let scenario = &recording["scenario"];
    let base = base(&scenario["kubelet"])?;
    let steps: Result<Vec<Value>, String> = items(&scenario["steps"]).iter().map(step).collect();
    let nodes: Vec<Value> = items(&scenario["nodes"]).iter().map(node).collect();
    let mut spec = object(json!({
        "duration": duration(&recording["end"])?,
        "profile": "realistic",
        "nodes": nodes,
        "containers": containers(scenario, &base)?,
        "objects": scenario["objects"].as_str().unwrap_or_default(),
        "steps": steps?,
    }));
    copy_if_true(recording, "epoch", &mut spec);
    let file = json!({
        "apiVersion": "seatrial.dev/v1",
        "kind": "Scenario",
        "metadata": {"name": scenario["name"]},
        "spec": spec,
    });
    serde_json::to_string_pretty(&file).map_err(|error| error.to_string())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn copy_if_true(from: &Value, field: &str, to: &mut Map<String, Value>) {
    if truthy(&from[field]) {
        to.insert(field.to_owned(), from[field].clone());
    }
}

/// A field, or a default where there is none.
fn or(of: &Value, field: &str, default: impl Into<Value>) -> Value {
    of.get(field).cloned().unwrap_or_else(|| default.into())
}

/// Seconds as whole milliseconds.
fn duration(seconds: &Value) -> Result<String, String> {
    let number = seconds.as_f64().or_else(|| seconds.as_str()?.parse().ok());
    let number = number.ok_or_else(|| format!("{seconds}: no number of seconds"))?;
    Ok(format!("{}ms", (number * 1000.0).round_ties_even() as i64))
}

fn node(node: &Value) -> Value {
    let mut capacity = object(json!({
        "cpu": str(&or(node, "cpu", "4")),
        "memory": or(node, "memory", "8Gi"),
        "pods": or(node, "pods", 110),
        "ephemeral-storage": "100Gi",
    }));
    capacity.extend(object(node["extra"].clone()));
    let mut mapped = object(json!({"name": node["name"], "capacity": capacity}));
    copy_if_true(node, "labels", &mut mapped);
    copy_if_true(node, "taints", &mut mapped);
    mapped.into()
}

/// How every container behaves if its image does not say otherwise.
fn base(kubelet: &Value) -> Result<Map<String, Value>, String> {
    let mut base = object(json!({
        "start": duration(&or(kubelet, "start", 1.0))?,
        "ready": duration(&or(kubelet, "ready", 0))?,
        "terminate": duration(&or(kubelet, "terminate", 1.0))?,
    }));
    if truthy(&kubelet["stagger"]) {
        let modulo = or(kubelet, "stagger_mod", 10);
        base.insert("startStagger".to_owned(), json!({"step": duration(&kubelet["stagger"])?, "modulo": modulo}));
    }
    Ok(base)
}

/// One entry per image whose tag says how it behaves, after the one for all.
fn containers(scenario: &Value, base: &Map<String, Value>) -> Result<Vec<Value>, String> {
    static IMAGE: LazyLock<Regex> = LazyLock::new(|| Regex::new("[a-z0-9]+:[a-z0-9.-]+").expect("a valid pattern"));
    let with = |image: &str, own: Map<String, Value>| {
        let mut entry = base.clone();
        entry.insert("image".to_owned(), image.into());
        entry.extend(own);
        Value::from(entry)
    };
    let text = dumps(scenario);
    let images: BTreeSet<&str> = IMAGE.find_iter(&text).map(|found| found.as_str()).collect();
    let mut containers = vec![with("*", Map::new())];
    for image in images {
        if let Some(own) = behaviour(image)? {
            containers.push(with(image, own));
        }
    }
    Ok(containers)
}

/// What an image's tag says.
fn behaviour(image: &str) -> Result<Option<Map<String, Value>>, String> {
    static EXIT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^.*:(exit0|exit1|flaky)-(\d+(?:\.\d+)?)s$").expect("a valid pattern"));
    if let Some(found) = EXIT.captures(image) {
        let code = i32::from(&found[1] != "exit0");
        let mut exit = object(json!({"code": code, "after": duration(&found[2].into())?}));
        if &found[1] == "flaky" {
            exit.insert("once".to_owned(), true.into());
        }
        return Ok(Some(object(json!({"exit": exit}))));
    }
    let own = if image.ends_with(":neverready") {
        json!({"ready": "never"})
    } else if image.ends_with(":pullerr") {
        json!({"pull": "error"})
    } else {
        return Ok(None);
    };
    Ok(Some(object(own)))
}

fn step(step: &Value) -> Result<Value, String> {
    let name = step["do"].as_str().unwrap_or_default();
    let (verb, arguments) = verb(name, step)?.ok_or_else(|| format!("no mapping for step {name}"))?;
    let mut mapped = object(json!({"at": duration(&step["at"])?}));
    mapped.insert(verb.to_owned(), arguments);
    Ok(mapped.into())
}

/// A step's verb in the words of a scenario file, with its arguments.
fn verb(name: &str, step: &Value) -> Result<Option<(&'static str, Value)>, String> {
    let on_node = || json!({"node": step["node"]});
    let mapped = match name {
        "set_image" => {
            let container = or(step, "container", "c");
            ("setImage", json!({"target": target(step), "container": container, "image": step["image"]}))
        }
        "scale" => ("scale", json!({"target": target(step), "replicas": step["replicas"]})),
        "patch" => ("patch", json!({"target": target(step), "type": "strategic", "patch": step["patch"]})),
        "delete" => ("delete", deletion(step, json!({"target": target(step)}))),
        // In the order of creation, then of names.
        "delete_first" => ("delete", deletion(step, json!({"kind": kind(step), "nth": 0}))),
        "delete_pod_of" => ("delete", nth_pod(step).into()),
        "label_pod_of" => on_pod(step),
        "undo" => ("rolloutUndo", undo(step)),
        "cordon" if truthy(&or(step, "on", true)) => ("cordon", on_node()),
        "cordon" => ("uncordon", on_node()),
        // The list is replaced.
        "taint" => ("taint", json!({"node": step["node"], "taints": step["taints"]})),
        // A null removes the label.
        "label_node" => ("label", json!({"target": format!("node/{}", str(&step["node"])), "labels": step["labels"]})),
        // The machine stops: no heartbeats, its pods' processes are gone.
        "node_down" => ("nodeDown", on_node()),
        "node_up" => ("nodeUp", on_node()),
        "add_node" => ("addNode", node(&step["node"])),
        // The machine stops and its Node object is deleted.
        "delete_node" => ("deleteNode", on_node()),
        "evict" => ("evict", eviction(step)),
        "drain" => ("drain", json!({"node": step["node"], "timeout": duration(&or(step, "timeout", 60))?})),
        "apply" => ("apply", json!({"objects": step["objects"]})),
        _ => return Ok(None),
    };
    Ok(Some(mapped))
}

fn kind(step: &Value) -> String {
    step["kind"].as_str().unwrap_or("Deployment").to_lowercase()
}

fn target(step: &Value) -> String {
    format!("{}/{}", kind(step), str(&step["name"]))
}

fn deletion(step: &Value, of: Value) -> Value {
    let mut deletion = object(of);
    if let Some(propagation) = step["propagation"].as_str() {
        deletion.insert("cascade".to_owned(), propagation.to_lowercase().into());
    }
    deletion.into()
}

fn nth_pod(step: &Value) -> Map<String, Value> {
    object(json!({"kind": "pod", "selector": step["selector"], "nth": or(step, "nth", 0)}))
}

fn on_pod(step: &Value) -> (&'static str, Value) {
    let (verb, field) = if truthy(&step["labels"]) { ("label", "labels") } else { ("annotate", "annotations") };
    let mut arguments = nth_pod(step);
    arguments.insert(field.to_owned(), step[field].clone());
    (verb, arguments.into())
}

fn undo(step: &Value) -> Value {
    let mut arguments = object(json!({"target": format!("deployment/{}", str(&step["name"]))}));
    if let Some(revision) = step.get("revision") {
        arguments.insert("toRevision".to_owned(), revision.clone());
    }
    arguments.into()
}

/// One request a pod, in the order of names.
fn eviction(step: &Value) -> Value {
    let given = ["selector", "node"].into_iter().filter_map(|field| Some((field.to_owned(), step.get(field)?.clone())));
    given.collect::<Map<String, Value>>().into()
}
