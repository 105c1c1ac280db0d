//! The cloud node lifecycle controller: it asks the cloud about nodes that are not ready, deletes those whose machine is gone
//! and taints those whose machine is shut down (upstream `cloud-provider/controllers/nodelifecycle`).

use std::sync::Arc;

use crate::api::{ApiError, DeleteOptions, EventKind, EventSpec, Part, Request, View};
use crate::kernel::SimDuration;
use crate::objects::{ConditionStatus, Kind, Node, ObjectReference, Resource, SharedList, Taint};

/// How often it looks (`--node-monitor-period`).
pub const MONITOR_PERIOD: SimDuration = SimDuration::from_secs(5);
/// The component that its Events name.
pub const COMPONENT: &str = "cloud-node-lifecycle-controller";
/// Key of the taint on nodes whose machine is shut down; its effect is `NoSchedule`.
pub const SHUTDOWN_TAINT: &str = "node.cloudprovider.kubernetes.io/shutdown";

const NO_SCHEDULE: &str = "NoSchedule";

/// What the cloud says of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instance {
    /// It exists, whatever its system does.
    #[default]
    Running,
    /// It exists and is shut down.
    Stopped,
    /// It does not exist.
    Gone,
}

/// One look at all nodes: what there is to write. `instance` answers for the cloud, by the name of a node.
///
/// ```
/// use seatrial::api::View;
/// use seatrial::controllers::cloud_node_lifecycle::{Instance, monitor};
///
/// assert!(monitor(&View::default(), |_| Instance::Gone).is_empty(), "there are no nodes");
/// ```
pub fn monitor(view: &View, instance: impl Fn(&str) -> Instance) -> Vec<Request> {
    let mut requests = Vec::new();
    for node in view.nodes.iter() {
        let ready = node.status.conditions.iter().find(|condition| condition.kind == "Ready");
        let is_ready = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
        match instance(&node.meta.name) {
            _ if is_ready => requests.extend(has_taint(node).then(|| with_taint(node, false))),
            Instance::Running => {}
            Instance::Stopped => requests.extend((!has_taint(node)).then(|| with_taint(node, true))),
            Instance::Gone => requests.extend(delete(node)),
        }
    }
    requests
}

/// Whether there is something to find for it, now or once the node is known as not ready.
#[must_use]
pub fn concerns(node: &Node, instance: Instance) -> bool {
    match instance {
        Instance::Running => has_taint(node),
        Instance::Stopped => !has_taint(node),
        Instance::Gone => true,
    }
}

/// What it says when a node cannot be deleted.
#[must_use]
pub fn deletion_failed(node: &Node, error: &ApiError) -> EventSpec {
    let message = format!("Failed deleting node {}: {error}", node.meta.name);
    EventSpec {
        about: about(node),
        kind: EventKind::Warning,
        reason: "DeletingNodeFailed".into(),
        message: message.into(),
    }
}

fn delete(node: &Arc<Node>) -> [Request; 2] {
    let message = format!("Deleting node {} because it does not exist in the cloud provider", node.meta.name);
    let event = EventSpec {
        about: about(node),
        kind: EventKind::Normal,
        reason: "DeletingNode".into(),
        message: message.into(),
    };
    let delete = Request::Delete { kind: Kind::Node, key: node.key(), options: DeleteOptions::default() };
    [Request::Event(event), delete]
}

fn about(node: &Node) -> ObjectReference {
    ObjectReference {
        api_version: "v1".into(),
        kind: "Node".into(),
        name: node.meta.name.clone().into(),
        uid: node.meta.uid.clone(),
        ..ObjectReference::default()
    }
}

fn is_shutdown(taint: &Taint) -> bool {
    *taint.key == *SHUTDOWN_TAINT && taint.effect == *NO_SCHEDULE
}

fn has_taint(node: &Node) -> bool {
    node.spec.taints.iter().any(is_shutdown)
}

fn with_taint(node: &Node, on: bool) -> Request {
    let mut node = node.clone();
    let shutdown = Taint { key: SHUTDOWN_TAINT.into(), effect: NO_SCHEDULE.into(), ..Taint::default() };
    let others = node.spec.taints.iter().filter(|taint| !is_shutdown(taint)).cloned();
    let taints: Vec<Taint> = others.chain(on.then_some(shutdown)).collect();
    node.spec.taints = SharedList::from(taints);
    Request::Update(node.into(), Part::Main)
}

#[cfg(test)]
mod tests;
