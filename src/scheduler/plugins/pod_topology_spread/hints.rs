//! Which changes may let a pod in that its hard constraints kept out (upstream `plugin.go`).

use std::sync::Arc;

use crate::objects::{Labels, Node, Pod, TopologySpreadConstraint};
use crate::scheduler::event::{ClusterEvent, Subject};
use crate::scheduler::framework::Hint;

use super::selector;

pub(super) fn hint(pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
    let queue = match event.subject {
        Subject::Pod(old, new) => after_pod(pod, old, new),
        Subject::Node(old, new) => after_node(pod, old, new),
        Subject::Claim(..) | Subject::Volume(..) | Subject::Class(..) | Subject::None => true,
    };
    if queue { Hint::Queue } else { Hint::Skip }
}

fn hard(pod: &Pod) -> impl Iterator<Item = &TopologySpreadConstraint> {
    pod.spec.topology_spread_constraints.iter().filter(|constraint| constraint.is_hard)
}

/// Whether what happens to another pod can matter to the pod's constraints.
fn is_involved(other: &Pod, pod: &Pod) -> bool {
    let has_place = other.is_bound() || !other.status.nominated_node_name.is_empty();
    other.meta.uid == pod.meta.uid || has_place && other.meta.namespace == pod.meta.namespace
}

fn after_pod(pod: &Pod, old: Option<&Arc<Pod>>, new: Option<&Arc<Pod>>) -> bool {
    if [old, new].into_iter().flatten().any(|other| !is_involved(other, pod)) {
        return false;
    }
    let finds =
        |constraint: &TopologySpreadConstraint, labels: &Labels| selector(constraint, &pod.meta.labels).matches(labels);
    match (old, new) {
        (Some(old), Some(new)) => {
            let is_own = pod.meta.uid == new.meta.uid;
            if is_own && old.spec.tolerations != new.spec.tolerations && hard(pod).any(|c| c.honors_taints) {
                return true;
            }
            hard(pod).any(|c| finds(c, &old.meta.labels) != finds(c, &new.meta.labels))
        }
        (Some(other), None) | (None, Some(other)) => hard(pod).any(|c| finds(c, &other.meta.labels)),
        (None, None) => true,
    }
}

fn after_node(pod: &Pod, old: Option<&Arc<Node>>, new: Option<&Arc<Node>>) -> bool {
    let counts = |node: &Arc<Node>| hard(pod).all(|c| node.meta.labels.contains_key(&c.topology_key));
    match (old, new) {
        (Some(old), Some(new)) => {
            let moved = |c: &TopologySpreadConstraint| {
                old.meta.labels.get(&c.topology_key) != new.meta.labels.get(&c.topology_key)
            };
            counts(old) != counts(new) || counts(new) && (hard(pod).any(moved) || old.spec.taints != new.spec.taints)
        }
        (Some(node), None) | (None, Some(node)) => counts(node),
        (None, None) => true,
    }
}
