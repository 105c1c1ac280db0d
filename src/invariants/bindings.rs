//! Pods that the scheduler has just bound, for the promises that hold at that instant.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::kernel::SimTime;
use crate::objects::{Key, Kind, Pod, Resource};
use crate::sim::Simulation;

/// Follows pods from their creation to a node.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// First id that was not met yet.
    met: u32,
    /// Pods without a node.
    waiting: BTreeSet<Key>,
    /// Pods that had a node from the start, and when they were first seen: the scheduler may not know them yet.
    by_others: Vec<(SimTime, Key)>,
}

impl Bindings {
    /// Pods that were seen without a node at the last call and have one now.
    pub(super) fn new_ones(&mut self, sim: &Simulation) -> Vec<Arc<Pod>> {
        let view = sim.view();
        for key in view.created_since(Kind::Pod, &mut self.met) {
            match view.pods.get(&key) {
                Some(pod) if pod.is_bound() => self.by_others.push((sim.now(), key)),
                Some(_) => drop(self.waiting.insert(key)),
                None => {}
            }
        }
        let mut bound = Vec::new();
        self.waiting.retain(|key| match view.pods.get(key) {
            Some(pod) if pod.is_bound() => {
                bound.push(pod.clone());
                false
            }
            Some(_) => true,
            None => false,
        });
        bound
    }

    /// Whether the scheduler must know of a pod on a node: it is its own doing, or longer ago than that instant.
    pub(super) fn is_known(&mut self, pod: &Pod, since: SimTime) -> bool {
        self.by_others.retain(|(seen, _)| *seen > since);
        !self.by_others.iter().any(|(_, key)| *key == pod.key())
    }
}
