//! An update of a DaemonSet never takes available pods away beyond `maxUnavailable` nodes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::Key;
use crate::sim::Simulation;

use super::daemon_state::{DaemonState, LivePod, NodeState, name, was_deleted};
use super::violation::names;
use super::window::Window;
use super::{Invariant, Violation};

/// When the DaemonSet controller deletes an available pod for an update, at most `maxUnavailable` eligible nodes
/// (percentages rounded up) are without an available pod afterwards. With `maxSurge` none is: the new pod comes first.
///
/// What the user deletes, what fails, and nodes that have just become eligible are not the update's doing: they do not
/// count for as long as the control plane may not know yet.
#[derive(Debug)]
pub struct DaemonMaxUnavailable {
    set: Key,
    window: SimDuration,
    bounds: Window<i64>,
    generations: Window<i64>,
    /// Nodes that were lost to something else, by instant.
    lost: VecDeque<(SimTime, i64)>,
    /// When each node was last seen not to be eligible.
    ineligible: BTreeMap<Arc<str>, SimTime>,
    before: Option<DaemonState>,
    changes_by_user: u64,
}

impl DaemonMaxUnavailable {
    /// The bound of any spec that was current in the last `window`: zero, or longer for control planes with delays.
    #[must_use]
    pub fn within(set: Key, window: SimDuration) -> Self {
        Self {
            set,
            window,
            bounds: Window::new(window),
            generations: Window::new(window),
            lost: VecDeque::new(),
            ineligible: BTreeMap::new(),
            before: None,
            changes_by_user: 0,
        }
    }

    fn start(&self, now: SimTime) -> SimTime {
        now.checked_sub(self.window).unwrap_or(SimTime::ZERO)
    }

    fn lost_lately(&mut self, now: SimTime) -> i64 {
        let start = self.start(now);
        while self.lost.front().is_some_and(|(at, _)| *at < start) {
            self.lost.pop_front();
        }
        self.lost.iter().map(|(_, count)| count).sum()
    }

    /// Eligible nodes that ceased to be available since the last check: taken by the controller, or lost.
    fn taken_and_lost(&self, sim: &Simulation, before: &DaemonState, state: &DaemonState, surges: bool) -> (i64, i64) {
        let (mut taken, mut lost) = (0, 0);
        let start = self.start(sim.now());
        let by_user = self.changes_by_user != sim.changes_by_user();
        for (node, is) in state.eligible().filter(|(_, is)| !is.is_available()) {
            let was = before.nodes.get(node).filter(|was| was.eligible);
            let Some(was) = was else {
                lost += 1;
                continue;
            };
            if !was.is_available() {
                continue;
            }
            let lately_ineligible = self.ineligible.get(node).is_some_and(|at| *at >= start);
            let for_the_update = self.is_for_an_update(was, surges) && was.live.iter().all(|pod| is_gone(sim, pod, is));
            if by_user || lately_ineligible || !for_the_update { lost += 1 } else { taken += 1 }
        }
        (taken, lost)
    }

    /// Whether the loss of the available pod of a node could be an update: of several pods that are there by chance or
    /// by an update that was overtaken, the youngest go in any case.
    fn is_for_an_update(&self, was: &NodeState, surges: bool) -> bool {
        was.live.len() == 1 || (surges && self.generations.iter().count() == 1)
    }
}

fn is_gone(sim: &Simulation, pod: &LivePod, is: &NodeState) -> bool {
    !pod.available || (is.live.iter().all(|live| live.uid != pod.uid) && was_deleted(sim, pod))
}

impl Invariant for DaemonMaxUnavailable {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let set = sim.view().daemon_sets.get(&self.set).filter(|set| !set.meta.is_deleting());
        let Some(set) = set else {
            self.before = None;
            return Ok(());
        };
        let now = sim.now();
        let state = DaemonState::of(sim, set);
        let strategy = &set.spec.update_strategy;
        let bound =
            if strategy.on_delete { i64::MAX } else { strategy.resolve(state.desired()).map_or(0, |b| b.1.into()) };
        self.bounds.push(now, bound);
        self.generations.push(now, set.meta.generation);
        for (node, _) in state.nodes.iter().filter(|(_, node)| !node.eligible) {
            self.ineligible.insert(Arc::clone(node), now);
        }
        let start = self.start(now);
        self.ineligible.retain(|_, at| *at >= start);
        let counted =
            self.before.take().map(|before| self.taken_and_lost(sim, &before, &state, strategy.allows_surge()));
        self.changes_by_user = sim.changes_by_user();
        let unavailable = state.unavailable();
        let without = names(state.eligible().filter(|(_, is)| !is.is_available()).map(|(node, _)| node));
        self.before = Some(state);
        let Some((taken, lost)) = counted else { return Ok(()) };
        if lost > 0 {
            self.lost.push_back((now, lost));
        }
        let most = self.bounds.iter().copied().max().unwrap_or(0);
        let lost = self.lost_lately(now);
        if taken > 0 && unavailable - lost > most {
            let story = format!(
                "promised at most {most} nodes without an available pod (maxUnavailable), but the update took {taken} \
                 and {unavailable} are without one: {without}"
            );
            return Err(Violation { invariant: name("maxUnavailable", &self.set), at: now, story });
        }
        Ok(())
    }
}
