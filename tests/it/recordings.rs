//! The judge of recordings agrees with what it should and sees what it must see.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

#[path = "../conformance/recordings/judge/mod.rs"]
mod judge;

fn recording(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/recordings");
    let text = fs::read(folder.join(format!("{name}.json"))).expect("a recording");
    serde_json::from_slice(&text).expect("a recording is JSON")
}

fn trace(recording: &mut Value) -> &mut Vec<Value> {
    recording["trace"].as_array_mut().expect("a trace")
}

fn place(trace: &[Value], wanted: impl Fn(&Value) -> bool) -> usize {
    trace.iter().position(wanted).expect("such an entry")
}

/// The checks that fail when `change` is done to a copy of a recording.
fn failed(name: &str, change: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
    let original = recording(name);
    let mut copy = original.clone();
    change(trace(&mut copy));
    let verdict = judge::judge(&original, &judge::of_recording(&copy));
    assert_eq!(verdict.failed(), verdict.checks.iter().filter(|check| check.to_string().starts_with("DIFF")).count());
    verdict.checks.into_iter().filter(|check| check.difference.is_some()).map(|check| check.name).collect()
}

#[test]
fn every_recording_agrees_with_itself() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/recordings");
    let mut judged = 0;
    for entry in fs::read_dir(folder).expect("recordings").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let recording = recording(&name);
        let verdict = judge::judge(&recording, &judge::of_recording(&recording));
        assert_eq!(verdict.failed(), 0, "{name}: {}", verdict.total());
        judged += 1;
    }
    assert!(judged > 30, "only {judged} recordings");
}

#[test]
fn a_missing_replica_step_is_seen() {
    let failed = failed("dep-roll-surge1-unavail0", |trace| {
        let roll = place(trace, |entry| entry["kind"] == "ReplicaSet" && entry["replicas"] == 2);
        let (name, replicas) = (trace[roll]["name"].clone(), trace[roll]["replicas"].clone());
        trace.retain(|entry| entry["name"] != name || entry["replicas"] != replicas);
    });
    assert!(failed.contains(&"replica steps of Deployment/web".to_owned()), "{failed:?}");
}

#[test]
fn a_late_step_is_seen_and_one_within_the_slack_is_not() {
    let shifted = |by: f64| {
        failed("dep-create", |trace| {
            for entry in trace {
                entry["t"] = json!(entry["t"].as_f64().expect("a time") + by);
            }
        })
    };
    assert_eq!(shifted(0.05), [""; 0]);
    assert!(shifted(1.0).contains(&"replica steps of Deployment/web".to_owned()));
}

#[test]
fn another_reason_of_a_condition_is_seen_unless_it_is_a_race_upstream() {
    let with_reason = |of: &str, instead: &str| {
        failed("dep-stuck-deadline-undo", |trace| {
            for condition in trace.iter_mut().filter_map(|entry| entry["conditions"].get_mut("Progressing")) {
                if condition[1] == of {
                    condition[1] = instead.into();
                }
            }
        })
    };
    assert_eq!(with_reason("ReplicaSetUpdated", "FoundNewReplicaSet"), [""; 0]);
    let failed = with_reason("NewReplicaSetAvailable", "FoundNewReplicaSet");
    assert!(failed.iter().any(|name| name.starts_with("state at ")), "{failed:?}");
}

#[test]
fn a_missing_and_an_extra_event_are_seen_but_not_those_of_the_kubelet() {
    let is_event = |entry: &Value| entry["kind"] == "Event" && entry["from"] != "kubelet";
    let missing = failed("dep-create", |trace| {
        let event = place(trace, |entry| is_event(entry) && entry["reason"] == "ScalingReplicaSet");
        trace.remove(event);
    });
    assert!(missing.iter().any(|name| name.ends_with(" kinds of Event")), "{missing:?}");
    let with_extra = |from: &str| {
        failed("dep-create", |trace| {
            let event = place(trace, |entry| is_event(entry) && entry["reason"] == "ScalingReplicaSet");
            let mut extra = trace[event].clone();
            extra["reason"] = "Extra".into();
            extra["from"] = from.into();
            trace.insert(event, extra);
        })
    };
    assert_eq!(with_extra("deployment-controller").len(), 1);
    assert_eq!(with_extra("kubelet"), [""; 0]);
}

#[test]
fn another_answer_to_a_step_is_seen() {
    let failed = failed("dep-create", |trace| {
        let apply = place(trace, |entry| entry["kind"] == "Step");
        trace[apply]["result"][0][1] = 409.into();
    });
    assert_eq!(failed, ["answers to steps"]);
}

#[test]
fn random_suffixes_do_not_count() {
    let original = recording("dep-roll-surge1-unavail0");
    let text = original.to_string().replace("web-6dc4ff998b", "web-5b7d9c8f4x").replace("-7", "-8");
    let renamed: Value = serde_json::from_str(&text).expect("still JSON");
    let verdict = judge::judge(&original, &judge::of_recording(&renamed));
    assert_eq!(verdict.failed(), 0, "{}", verdict.total());
}

#[test]
fn a_watch_event_log_is_projected_like_a_recording() {
    let recorded = json!({"scenario": {"name": "node-x"}, "end": 30.0, "trace": [
        {"t": 0.0, "type": "STEP", "kind": "Step", "name": "apply", "result": [["Pod/p", 201]]},
        {"t": 0.0, "type": "ADDED", "kind": "Pod", "name": "p", "owner": null, "deleting": false, "images": ["a:1"],
         "phase": "Running", "ready": true, "node": "n1"},
        {"t": 1.0, "type": "MODIFIED", "kind": "Node", "name": "n1", "taints": [["k", null, "NoExecute"]],
         "unschedulable": false, "ready": ["True", "KubeletReady"]},
    ]});
    let log = |phase: &str, taint: &str| {
        judge::of_log([
            json!({"t": 0, "type": "STEP", "name": "apply", "args": {}, "result": [["Pod/p", 201]]}),
            json!({"t": 0, "type": "ADDED", "object": {"kind": "Pod", "metadata": {"name": "p"},
                "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "a:1"}]},
                "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]}}}),
            json!({"t": 0, "type": "ADDED", "object": {"kind": "Lease", "metadata": {"name": "n1"}}}),
            json!({"t": 1, "type": "MODIFIED", "object": {"kind": "Node", "metadata": {"name": "n1"},
                "spec": {"taints": [{"key": taint, "effect": "NoExecute"}]},
                "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}}}),
        ])
    };
    let failed = |phase, taint| judge::judge(&recorded, &log(phase, taint)).failed();
    assert_eq!(failed("Running", "k"), 0);
    assert_eq!(failed("Pending", "k"), 1);
    assert_eq!(failed("Running", "other"), 1);
}

#[test]
fn values_read_as_python_writes_them() {
    let repr = |value: Value| judge::python::repr(&value);
    assert_eq!(
        repr(json!([null, true, 1, 1.5, 2.0, "it's", "a\n'\""])),
        r#"[None, True, 1, 1.5, 2.0, "it's", 'a\n\'"']"#
    );
    assert_eq!(repr(json!(1e-5)), "1e-05");
    assert_eq!(judge::python::tuple(&["1".to_owned()]), "(1,)");
    assert_eq!(judge::python::dumps(&json!({"b": "é", "a": []})), r#"{"a": [], "b": "\u00e9"}"#);
}
