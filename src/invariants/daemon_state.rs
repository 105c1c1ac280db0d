//! What the invariants of DaemonSets look at: the pods of each node, once a check.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::controllers::daemon_set::{Placement, target};
use crate::objects::{Conditions, DISRUPTION_TARGET, DaemonSet, Key, Kind, Pod, Uid};
use crate::sim::Simulation;

use super::Violation;

/// A pod that neither ended nor is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LivePod {
    pub(super) uid: Uid,
    pub(super) key: Key,
    pub(super) available: bool,
}

/// A node, and the DaemonSet's live pods that are on it or meant for it, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeState {
    /// Whether the node exists and is to have a pod.
    pub(super) eligible: bool,
    /// Whether a pod may stay there.
    pub(super) tolerable: bool,
    pub(super) live: Vec<LivePod>,
    /// Whether there is a pod that is being deleted.
    pub(super) is_leaving: bool,
}

impl NodeState {
    pub(super) fn is_available(&self) -> bool {
        self.live.iter().any(|pod| pod.available)
    }
}

/// The nodes of a DaemonSet by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DaemonState {
    pub(super) nodes: BTreeMap<Arc<str>, NodeState>,
}

impl DaemonState {
    pub(super) fn of(sim: &Simulation, set: &DaemonSet) -> Self {
        let (view, now) = (sim.view(), sim.wall());
        let placement = Placement::new(&set.spec.template);
        let mut nodes: BTreeMap<Arc<str>, NodeState> = BTreeMap::new();
        for node in view.nodes.iter() {
            let on = placement.on(node);
            let state = nodes.entry(Arc::clone(&node.meta.name)).or_default();
            (state.eligible, state.tolerable) = (on.should_run, on.should_continue);
        }
        for pod in view.pods.controlled_by(&set.meta.uid) {
            let Some(name) = target(pod) else { continue };
            let node = nodes.entry(name).or_default();
            node.is_leaving |= pod.meta.is_deleting();
            if !pod.is_active() {
                continue;
            }
            let key = Key::new(Arc::clone(&pod.meta.namespace), Arc::clone(&pod.meta.name));
            let available = pod.is_available(set.spec.min_ready_seconds, now);
            node.live.push(LivePod { uid: pod.meta.uid.clone(), key, available });
        }
        Self { nodes }
    }

    pub(super) fn eligible(&self) -> impl Iterator<Item = (&Arc<str>, &NodeState)> {
        self.nodes.iter().filter(|(_, node)| node.eligible)
    }

    /// Eligible nodes.
    pub(super) fn desired(&self) -> i32 {
        i32::try_from(self.eligible().count()).unwrap_or(i32::MAX)
    }

    /// Eligible nodes without an available pod.
    pub(super) fn unavailable(&self) -> i64 {
        self.eligible().filter(|(_, node)| !node.is_available()).count() as i64
    }
}

/// Whether a pod that was live is being deleted or gone, and nobody noted on it that it had to make way (eviction,
/// preemption, taints).
pub(super) fn was_deleted(sim: &Simulation, pod: &LivePod) -> bool {
    let now = sim.view().pods.get(&pod.key).filter(|now| now.meta.uid == pod.uid);
    now.is_none_or(|now| now.meta.is_deleting() && !is_disrupted(now))
}

fn is_disrupted(pod: &Pod) -> bool {
    pod.status.conditions.is_true(DISRUPTION_TARGET)
}

/// The invariant of a DaemonSet by name, as expectations write it.
pub(super) fn name(invariant: &str, key: &Key) -> String {
    Violation::name(invariant, Kind::DaemonSet, key)
}
