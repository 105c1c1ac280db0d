//! Pods that wait for a node on which preemption makes room for them (upstream `backend/queue/nominator.go`).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Pod, Uid};

/// What becomes of the nomination of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::scheduler) enum Nominating {
    /// It stays as the pod's status has it.
    Keep,
    /// It is this node from now on; empty = none.
    To(Arc<str>),
}

/// Nominated pods by node, those nominated first in front.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct Nominations {
    by_node: FxHashMap<Arc<str>, Vec<Arc<Pod>>>,
    node_of: FxHashMap<Uid, Arc<str>>,
}

impl Nominations {
    pub(in crate::scheduler) fn is_empty(&self) -> bool {
        self.node_of.is_empty()
    }

    /// Pods nominated to a node.
    pub(in crate::scheduler) fn on(&self, node: &str) -> &[Arc<Pod>] {
        self.by_node.get(node).map_or(&[], Vec::as_slice)
    }

    /// All nominated pods, in no particular order.
    pub(super) fn pods(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.by_node.values().flatten()
    }

    pub(super) fn set(&mut self, pod: &Arc<Pod>, nominating: &Nominating) {
        self.remove(&pod.meta.uid);
        let node: Arc<str> = match nominating {
            Nominating::To(node) => node.clone(),
            Nominating::Keep => pod.status.nominated_node_name.as_str().into(),
        };
        if !node.is_empty() && !pod.is_bound() {
            self.node_of.insert(pod.meta.uid.clone(), node.clone());
            self.by_node.entry(node).or_default().push(pod.clone());
        }
    }

    /// A nominated pod changed. What was nominated a moment ago and has not reached the API server yet, stays.
    pub(super) fn update(&mut self, old: &Pod, new: &Arc<Pod>) {
        let unsaid = old.status.nominated_node_name.is_empty() && new.status.nominated_node_name.is_empty();
        let known = self.node_of.get(&old.meta.uid).filter(|_| unsaid).cloned();
        self.set(new, &known.map_or(Nominating::Keep, Nominating::To));
    }

    pub(super) fn remove(&mut self, uid: &Uid) {
        let Some(node) = self.node_of.remove(uid) else { return };
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.retain(|pod| pod.meta.uid != *uid);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
    }
}
