//! Which changes wake a DaemonSet, and which nodes of its ledger they concern.

use std::sync::Arc;

use crate::api::{ChangeType, Enqueue, View};
use crate::controllers::controller_ref;
use crate::kernel::SimDuration;
use crate::objects::{ControllerRevision, DaemonSet, Key, Kind, Node, ObjectMeta, OwnerReference, Pod, Resource};

use super::DaemonSetController;

impl DaemonSetController {
    pub(super) fn pod_changed(
        &mut self,
        view: &View,
        change: ChangeType,
        old: Option<&Arc<Pod>>,
        pod: &Arc<Pod>,
        queue: &mut Enqueue,
    ) {
        let owner = pod.meta.controller();
        let old_owner = old.and_then(|old| old.meta.controller());
        let moved = old_owner.filter(|old| owner.is_none_or(|owner| owner.uid != old.uid));
        for owner in owner.into_iter().chain(moved).filter(|owner| is_daemon_set(owner)) {
            let Some(ledger) = self.ledger(&owner.uid) else { continue };
            if change == ChangeType::Deleted { ledger.remove_pod(&pod.meta.uid) } else { ledger.set_pod(pod) }
        }
        let gone = change == ChangeType::Deleted || pod.meta.is_deleting();
        let namespace = &pod.meta.namespace;
        if old_owner != owner && !gone {
            wake_owner(view, namespace, old_owner, queue);
        }
        if owner.is_some() {
            let Some(set) = wake_owner(view, namespace, owner, queue) else { return };
            let became_ready = !gone && pod.is_ready() && old.is_some_and(|old| !old.is_ready());
            let min_ready = u64::try_from(set.spec.min_ready_seconds).unwrap_or(0);
            if became_ready && min_ready > 0 {
                // Upstream adds a second against clocks that differ.
                queue.add_after(set.key(), SimDuration::from_secs(min_ready + 1));
            }
        } else if !gone && old.is_none_or(|old| old.meta.labels != pod.meta.labels || old_owner.is_some()) {
            wake_adopters(view, &pod.meta, queue);
        }
    }

    /// Only labels and taints of a node matter. That a node is gone wakes nobody: its pods, when they go, do.
    pub(super) fn node_changed(
        &mut self,
        view: &View,
        change: ChangeType,
        old: Option<&Arc<Node>>,
        node: &Arc<Node>,
        queue: &mut Enqueue,
    ) {
        let same = |old: &Arc<Node>| old.meta.labels == node.meta.labels && old.spec.taints == node.spec.taints;
        if change == ChangeType::Modified && old.is_some_and(same) {
            return;
        }
        for set in view.daemon_sets.iter() {
            let Some(ledger) = self.ledger(&set.meta.uid) else { continue };
            if change == ChangeType::Deleted {
                ledger.remove_node(&node.meta.name);
                continue;
            }
            ledger.set_node(node);
            let eligible = ledger.eligibility(node);
            let pods = ledger.entry_of(&node.meta.name).map_or(&[][..], |entry| &entry.pods);
            let is_there = pods.iter().any(|pod| pod.is_bound());
            if (eligible.should_run && !is_there)
                || (is_there && (!eligible.should_continue || set.status.number_misscheduled > 0))
            {
                queue.add(set.key());
            }
        }
    }
}

/// Revisions wake the DaemonSet that owned or owns them, or those that may want to adopt them. Upstream leaves out those
/// that their owner made; here it may have put a sync off until it sees them.
pub(super) fn revision_changed(
    view: &View,
    change: ChangeType,
    old: Option<&Arc<ControllerRevision>>,
    revision: &ControllerRevision,
    queue: &mut Enqueue,
) {
    let namespace = &revision.meta.namespace;
    let owner = revision.meta.controller();
    let old_owner = old.and_then(|old| old.meta.controller());
    let gone = change == ChangeType::Deleted || (change == ChangeType::Added && revision.meta.is_deleting());
    if gone {
        wake_owner(view, namespace, owner, queue);
        return;
    }
    if old_owner != owner {
        wake_owner(view, namespace, old_owner, queue);
    }
    if owner.is_some() {
        wake_owner(view, namespace, owner, queue);
    } else if old.is_none_or(|old| old.meta.labels != revision.meta.labels || old_owner.is_some()) {
        wake_adopters(view, &revision.meta, queue);
    }
}

fn is_daemon_set(owner: &OwnerReference) -> bool {
    *owner.kind == *Kind::DaemonSet.as_str()
}

/// Wakes the DaemonSet that a reference names, if it is the very one.
fn wake_owner<'a>(
    view: &'a View,
    namespace: &Arc<str>,
    owner: Option<&OwnerReference>,
    queue: &mut Enqueue,
) -> Option<&'a Arc<DaemonSet>> {
    let owner = owner.filter(|owner| is_daemon_set(owner))?;
    let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&owner.name) };
    let set = view.daemon_sets.get(&key).filter(|set| set.meta.uid == owner.uid)?;
    queue.add(key);
    Some(set)
}

/// Wakes the DaemonSets that may want to adopt an orphan.
fn wake_adopters(view: &View, orphan: &ObjectMeta, queue: &mut Enqueue) {
    for set in view.daemon_sets.in_namespace(&orphan.namespace) {
        if controller_ref::wakes(&set.spec.selector.compiled, orphan) {
            queue.add(set.key());
        }
    }
}
