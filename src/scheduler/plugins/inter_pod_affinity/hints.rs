//! Which changes may let a pod in that affinity between pods kept out (upstream `plugin.go`).

use crate::objects::{Labels, Node, Pod};
use crate::scheduler::event::{ClusterEvent, Subject};
use crate::scheduler::framework::Hint;

use super::{affinity, all_are_about, anti_affinity, required};

pub(super) fn hint(pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
    let queue = match event.subject {
        Subject::Pod(old, new) => after_pod(pod, old.map(|pod| &**pod), new.map(|pod| &**pod)),
        Subject::Node(old, Some(node)) => after_node(pod, old.map(|node| &**node), node),
        _ => true,
    };
    if queue { Hint::Queue } else { Hint::Skip }
}

fn has_place(pod: &Pod) -> bool {
    pod.is_bound() || !pod.status.nominated_node_name.is_empty()
}

/// Namespaces that terms name by labels are not looked up here: the labels count as absent.
fn after_pod(pod: &Pod, old: Option<&Pod>, new: Option<&Pod>) -> bool {
    let none = Labels::new();
    let own = &pod.meta.namespace;
    if old.is_some() && new.is_some_and(|new| new.meta.uid == pod.meta.uid) {
        return true;
    }
    if [old, new].into_iter().flatten().any(|other| !has_place(other)) {
        return false;
    }
    let wants = |other: &Pod| all_are_about(required(affinity(pod)), own, other, &none);
    let shuns = |other: &Pod| all_are_about(required(anti_affinity(pod)), own, other, &none);
    match (old, new) {
        (Some(old), Some(new)) => !wants(old) && wants(new) || shuns(old) && !shuns(new),
        (None, Some(new)) => wants(new),
        (Some(gone), None) => {
            shuns(gone) || all_are_about(required(anti_affinity(gone)), &gone.meta.namespace, pod, &none)
        }
        (None, None) => true,
    }
}

fn after_node(pod: &Pod, old: Option<&Node>, new: &Node) -> bool {
    let value = |node: &Node, key: &str| node.meta.labels.get(key).map(str::to_owned);
    let gained = required(affinity(pod)).iter().any(|term| {
        let after = value(new, &term.topology_key);
        after.is_some() && old.is_none_or(|old| value(old, &term.topology_key) != after)
    });
    let freed = required(anti_affinity(pod)).iter().any(|term| match old {
        None => true,
        Some(old) => {
            let before = value(old, &term.topology_key);
            before.is_some() && before != value(new, &term.topology_key)
        }
    });
    gained || freed
}
