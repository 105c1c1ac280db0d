//! The statuses that the controller writes.

use crate::objects::{Condition, ConditionStatus, Conditions, Node, Pod, SharedList, Timestamp};

/// Conditions that nobody but the kubelet knows.
const KUBELET_CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The node with all that its silent kubelet said turned to `Unknown`; `None` if `Ready` already is.
pub(super) fn silent(node: &Node, now: Timestamp) -> Option<Node> {
    if node.status.conditions.find("Ready").is_some_and(|ready| ready.status == ConditionStatus::Unknown) {
        return None;
    }
    let mut conditions = node.status.conditions.to_vec();
    for kind in KUBELET_CONDITIONS {
        match conditions.iter_mut().find(|condition| condition.kind == *kind) {
            Some(condition) if condition.status == ConditionStatus::Unknown => {}
            Some(condition) => {
                condition.status = ConditionStatus::Unknown;
                condition.last_transition_time = Some(now);
                condition.reason = "NodeStatusUnknown".into();
                condition.message = "Kubelet stopped posting node status.".into();
            }
            None => {
                let unknown = Condition::new(kind, ConditionStatus::Unknown, now);
                let unknown = unknown.because("NodeStatusNeverUpdated", "Kubelet never posted node status.");
                let heartbeat = node.meta.creation_timestamp;
                conditions.push(Condition { last_heartbeat_time: heartbeat, ..unknown });
            }
        }
    }
    let mut node = node.clone();
    node.status.conditions = conditions.into();
    Some(node)
}

/// The pod without readiness; `None` if it has none or nobody ever spoke of it.
pub(super) fn not_ready(pod: &Pod, now: Timestamp) -> Option<Pod> {
    pod.status.conditions.find("Ready").filter(|ready| ready.status != ConditionStatus::False)?;
    let mut pod = pod.clone();
    let conditions = pod.status.conditions.iter().map(|condition| {
        let mut condition = condition.clone();
        if condition.kind == *"Ready" {
            condition.status = ConditionStatus::False;
            condition.last_transition_time = Some(now);
        }
        condition
    });
    pod.status.conditions = conditions.collect::<SharedList<_>>();
    Some(pod)
}
