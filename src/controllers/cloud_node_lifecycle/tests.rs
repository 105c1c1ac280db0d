//! Upstream's `Test_NodesDeleted` and `Test_NodesShutdown`, restated.

use serde_json::{Value, json};

use super::*;
use crate::api::{Change, ChangeType};
use crate::objects::Node;

fn view(nodes: &[Value]) -> View {
    let mut view = View::default();
    for (version, node) in (1..).zip(nodes) {
        let node = Arc::new(Node::from_wire(node.clone()).expect("a node"));
        let (change_type, object) = (ChangeType::Added, node.into());
        view.apply(&Change { change_type, object, old: None, resource_version: version });
    }
    view
}

fn node(ready: Option<&str>, tainted: bool) -> Value {
    let conditions: Vec<Value> = ready.iter().map(|status| json!({"type": "Ready", "status": status})).collect();
    let taints = if tainted { json!([{"key": SHUTDOWN_TAINT, "effect": "NoSchedule"}]) } else { json!([]) };
    json!({"metadata": {"name": "node0"}, "spec": {"taints": taints}, "status": {"conditions": conditions}})
}

fn outcome(node: &Value, instance: Instance) -> String {
    let requests = monitor(&view(std::slice::from_ref(node)), |_| instance);
    let told: Vec<String> = requests
        .iter()
        .map(|request| match request {
            Request::Event(event) => format!("{} {}: {}", event.kind.as_str(), event.reason, event.message),
            Request::Delete { kind, key, .. } => format!("delete {kind} {}", key.name),
            Request::Update(object, Part::Main) => {
                let wire = object.to_wire();
                format!("taints {}", wire["spec"]["taints"].as_array().map_or(0, Vec::len))
            }
            other => panic!("unexpected: {other:?}"),
        })
        .collect();
    told.join("; ")
}

#[test]
fn nodes_whose_machine_is_gone_are_deleted_unless_they_are_ready() {
    let deleted =
        "Normal DeletingNode: Deleting node node0 because it does not exist in the cloud provider; delete Node node0";
    for (ready, instance, expected) in [
        (Some("False"), Instance::Gone, deleted),
        (Some("Unknown"), Instance::Gone, deleted),
        // A node that never said anything counts as unknown.
        (None, Instance::Gone, deleted),
        (Some("True"), Instance::Gone, ""),
        (Some("False"), Instance::Running, ""),
        (Some("Unknown"), Instance::Running, ""),
    ] {
        assert_eq!(outcome(&node(ready, false), instance), expected, "{ready:?} {instance:?}");
    }
    assert_eq!(outcome(&node(Some("False"), true), Instance::Gone), deleted, "its taints do not matter any more");
}

#[test]
fn nodes_whose_machine_is_shut_down_are_tainted_until_they_are_ready() {
    for (ready, tainted, instance, expected) in [
        (Some("False"), false, Instance::Stopped, "taints 1"),
        (Some("Unknown"), false, Instance::Stopped, "taints 1"),
        (None, false, Instance::Stopped, "taints 1"),
        (Some("False"), true, Instance::Stopped, ""),
        (Some("True"), true, Instance::Running, "taints 0"),
        (Some("True"), true, Instance::Stopped, "taints 0"),
        (Some("True"), false, Instance::Running, ""),
        (Some("False"), true, Instance::Running, ""),
    ] {
        assert_eq!(outcome(&node(ready, tainted), instance), expected, "{ready:?} {tainted} {instance:?}");
    }
}
