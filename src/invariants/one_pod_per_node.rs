//! A DaemonSet never has more than one pod on a node, or two during an update with surge.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::Key;
use crate::sim::Simulation;

use super::daemon_state::{DaemonState, name};
use super::violation::names;
use super::{Invariant, Violation};

/// No node has more than one pod of a DaemonSet that neither ended nor is being deleted; with `maxSurge` not more than
/// two. Pods that it has just adopted, or that a change of strategy has just made too many, have an instant to go, on
/// control planes with delays a little longer.
#[derive(Debug)]
pub struct OnePodPerNode {
    set: Key,
    window: SimDuration,
    /// Since when a node has had too many.
    since: BTreeMap<Arc<str>, SimTime>,
}

impl OnePodPerNode {
    /// Excess may last for `window`: zero, or longer for control planes with delays.
    #[must_use]
    pub const fn within(set: Key, window: SimDuration) -> Self {
        Self { set, window, since: BTreeMap::new() }
    }
}

impl Invariant for OnePodPerNode {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(set) = sim.view().daemon_sets.get(&self.set).filter(|set| !set.meta.is_deleting()) else {
            self.since.clear();
            return Ok(());
        };
        let (now, state) = (sim.now(), DaemonState::of(sim, set));
        let most = if set.spec.update_strategy.allows_surge() { 2 } else { 1 };
        self.since.retain(|node, _| state.nodes.get(node).is_some_and(|node| node.live.len() > most));
        for (node, is) in state.nodes.iter().filter(|(_, node)| node.live.len() > most) {
            let since = *self.since.entry(Arc::clone(node)).or_insert(now);
            if now > since + self.window {
                let story = format!(
                    "promised at most {most} on a node, but {node} has {} pods since {since}: {}",
                    is.live.len(),
                    names(is.live.iter().map(|pod| &pod.key.name))
                );
                return Err(Violation { invariant: name("onePodPerNode", &self.set), at: now, story });
            }
        }
        Ok(())
    }
}
