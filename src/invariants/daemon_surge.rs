//! An update of a DaemonSet never has more than `maxSurge` nodes with two pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::Key;
use crate::sim::Simulation;

use super::daemon_state::{DaemonState, NodeState, name};
use super::violation::names;
use super::window::Window;
use super::{Invariant, Violation};

/// The DaemonSet controller puts a new pod beside an available old one on at most `maxSurge` nodes at a time
/// (percentages rounded up). Where the old pod is not available it need not count.
#[derive(Debug)]
pub struct DaemonMaxSurge {
    set: Key,
    window: SimDuration,
    bounds: Window<i64>,
    /// When each node was last seen without an available pod.
    down: BTreeMap<Arc<str>, SimTime>,
    /// Nodes that got a second pod when the first one was not available.
    excused: BTreeSet<Arc<str>>,
    before: Option<DaemonState>,
}

impl DaemonMaxSurge {
    /// The bound of any spec that was current in the last `window`: zero, or longer for control planes with delays.
    #[must_use]
    pub fn within(set: Key, window: SimDuration) -> Self {
        let (down, excused) = (BTreeMap::new(), BTreeSet::new());
        Self { set, window, bounds: Window::new(window), down, excused, before: None }
    }
}

/// Whether a second pod is on its way.
fn is_surging(node: &NodeState) -> bool {
    node.live.len() > 1 && node.live.last().is_some_and(|newest| !newest.available)
}

impl Invariant for DaemonMaxSurge {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(set) = sim.view().daemon_sets.get(&self.set).filter(|set| !set.meta.is_deleting()) else {
            self.before = None;
            return Ok(());
        };
        let now = sim.now();
        let state = DaemonState::of(sim, set);
        let bound = set.spec.update_strategy.resolve(state.desired()).map_or(0, |(surge, _)| surge.into());
        self.bounds.push(now, bound);
        let start = now.checked_sub(self.window).unwrap_or(SimTime::ZERO);
        let before = self.before.take().unwrap_or_default();
        let mut came = Vec::new();
        for (node, is) in &state.nodes {
            let was = before.nodes.get(node);
            if !was.is_some_and(NodeState::is_available) {
                self.down.insert(Arc::clone(node), now);
            }
            if is.live.len() < 2 {
                self.excused.remove(node);
            } else if was.is_none_or(|was| was.live.len() < 2) {
                if self.down.get(node).is_some_and(|at| *at >= start) {
                    self.excused.insert(Arc::clone(node));
                } else {
                    came.push(Arc::clone(node));
                }
            }
        }
        self.down.retain(|_, at| *at >= start);
        let surging = state.nodes.iter().filter(|(node, is)| is_surging(is) && !self.excused.contains(*node));
        let surging: Vec<Arc<str>> = surging.map(|(node, _)| Arc::clone(node)).collect();
        self.before = Some(state);
        let most = self.bounds.iter().copied().max().unwrap_or(0);
        if !came.is_empty() && surging.len() as i64 > most {
            let story = format!(
                "promised at most {most} nodes with a second pod on its way (maxSurge), {} more got one and \
                 {} have one: {} after {}",
                came.len(),
                surging.len(),
                names(&came),
                names(surging.iter().filter(|node| !came.contains(node))),
            );
            return Err(Violation { invariant: name("maxSurge", &self.set), at: now, story });
        }
        Ok(())
    }
}
