//! The pod garbage collector: removes pods that nobody else will (upstream `pkg/controller/podgc`).
//!
//! Upstream goes through all pods every 20 s. Here the same instants are used, but only those at which there may be
//! something to remove.

#[cfg(test)]
mod tests;
mod victims;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, KindSet, Reconciler, Request, Response, Step, Then, View,
};
use crate::kernel::SimDuration;
use crate::objects::{Conditions, Key, Kind, Node, Pod, Resource, Uid, WallTime};

use super::grid::{Grid, plus, until};
use victims::{Victim, Victims};

/// Taint of a node that is known to be shut down; its pods need not be waited for.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Namespace part of the collector's key, which no object can have.
const COLLECTOR: &str = "<pod-gc>";

/// Settings of the collector; the default is that of Kubernetes 1.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodGcConfig {
    /// Most pods that may have ended and still be there (`--terminated-pod-gc-threshold`, 12,500). 0 or less = any number.
    pub terminated_pod_threshold: i32,
    /// Time between two rounds (20 s).
    pub period: SimDuration,
    /// How long a node must be unknown until its pods are removed (40 s).
    pub quarantine: SimDuration,
}

impl Default for PodGcConfig {
    fn default() -> Self {
        Self {
            terminated_pod_threshold: 12_500,
            period: SimDuration::from_secs(20),
            quarantine: SimDuration::from_secs(40),
        }
    }
}

/// Removes pods that ended and are too many, pods of nodes that are gone or out of service, and pods that are deleted
/// but were never put on a node.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::PodGcController;
/// assert_eq!(PodGcController::default().name(), "pod-garbage-collector-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct PodGcController {
    config: PodGcConfig,
    /// Phase of the rounds, once the first change came.
    grid: Option<Grid>,
    /// The last round.
    last_round: Option<WallTime>,
    /// The next round.
    next_round: Option<WallTime>,
    /// Names of all nodes.
    nodes: FxHashSet<Arc<str>>,
    /// Nodes that are not ready and out of service.
    out_of_service: BTreeSet<Arc<str>>,
    /// Nodes that pods are bound to and that do not exist.
    missing: BTreeSet<Arc<str>>,
    /// When a missing node is believed to be gone.
    quarantine: BTreeMap<Arc<str>, WallTime>,
    /// Pods that are being deleted.
    terminating: BTreeSet<Key>,
    /// Pods that have ended.
    terminated: FxHashSet<Uid>,
    /// Pods that were removed as far as this is possible: finalizers hold them.
    held: FxHashSet<Uid>,
}

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub struct SyncState(Stage);

#[derive(Clone, Debug)]
enum Stage {
    /// Pods are being marked as failed.
    Mark {
        /// These.
        running: Vec<Victim>,
        /// Others that need no mark.
        ended: Vec<Victim>,
    },
    /// Pods are being deleted.
    Delete(Vec<Victim>),
}

impl PodGcController {
    /// A collector with other settings than the default ones. A period below a millisecond counts as one.
    #[must_use]
    pub fn new(mut config: PodGcConfig) -> Self {
        config.period = config.period.max(SimDuration::from_millis(1));
        Self { config, ..Self::default() }
    }

    /// The first round at or after an instant.
    fn round_at(&self, instant: WallTime) -> WallTime {
        self.grid.unwrap_or(Grid::starting_at(instant)).at_or_after(instant, self.config.period)
    }

    /// The next round that sees what happens now.
    fn round(&self, now: WallTime) -> WallTime {
        let round = self.round_at(now);
        if self.last_round.is_some_and(|last| last >= round) { plus(round, self.config.period) } else { round }
    }

    /// Asks for a round at `at`, unless there is an earlier one.
    fn arm(&mut self, at: WallTime) {
        self.next_round = Some(self.next_round.map_or(at, |earlier| earlier.min(at)));
    }

    /// How many pods that have ended are too many.
    fn surplus(&self) -> usize {
        match usize::try_from(self.config.terminated_pod_threshold) {
            Ok(most) if most > 0 => self.terminated.len().saturating_sub(most),
            _ => 0,
        }
    }

    fn pod_changed(&mut self, view: &View, change: ChangeType, pod: &Pod, now: WallTime) {
        let gone = change == ChangeType::Deleted;
        let has_ended = !gone && pod.is_terminal();
        if has_ended {
            self.terminated.insert(pod.meta.uid.clone());
        } else {
            self.terminated.remove(&pod.meta.uid);
        }
        self.held.remove(&pod.meta.uid);
        if gone {
            self.terminating.remove(&pod.key());
            if view.pods_on(&pod.node_name).next().is_none() {
                self.missing.remove(&pod.node_name);
            }
            return;
        }
        let is_too_many = has_ended && self.surplus() > 0;
        let is_lost = pod.is_bound() && !self.nodes.contains(&pod.node_name);
        if is_lost {
            self.missing.insert(Arc::clone(&pod.node_name));
        }
        let mut is_stuck = false;
        if pod.meta.is_deleting() {
            self.terminating.insert(pod.key());
            is_stuck = !pod.is_bound() || self.out_of_service.contains(&pod.node_name);
        }
        if is_too_many || is_stuck || (is_lost && !self.quarantine.contains_key(&pod.node_name)) {
            self.arm(self.round(now));
        }
    }

    fn node_changed(&mut self, view: &View, change: ChangeType, node: &Node, now: WallTime) {
        let name = &node.meta.name;
        if change == ChangeType::Deleted {
            self.nodes.remove(name);
            self.out_of_service.remove(name);
            if view.pods_on(name).next().is_some() {
                self.missing.insert(Arc::clone(name));
                self.arm(self.round(now));
            }
            return;
        }
        self.nodes.insert(Arc::clone(name));
        self.missing.remove(name);
        let tainted = node.spec.taints.iter().any(|taint| *taint.key == *OUT_OF_SERVICE);
        if !tainted || node.status.conditions.is_true("Ready") {
            self.out_of_service.remove(name);
        } else if self.out_of_service.insert(Arc::clone(name)) {
            self.arm(self.round(now));
        }
    }

    /// Nodes that have been missing for long enough in this round. Those that are missing now enter the quarantine.
    fn nodes_gone(&mut self, round: WallTime) -> Vec<Arc<str>> {
        let due = |ends: &WallTime| self.round_at(*ends) <= round;
        let due: Vec<Arc<str>> =
            self.quarantine.iter().filter(|(_, ends)| due(ends)).map(|(name, _)| Arc::clone(name)).collect();
        let mut gone = Vec::new();
        for name in due {
            // A node whose quarantine ended in a round that was left out, since it had no pods then, is let go.
            let ended = self.quarantine.remove(&name).map(|ends| self.round_at(ends));
            if ended == Some(round) && !self.nodes.contains(&name) {
                gone.push(name);
            }
        }
        let end = plus(round, self.config.quarantine);
        for name in &self.missing {
            self.quarantine.entry(Arc::clone(name)).or_insert(end);
        }
        gone
    }

    /// Asks for the round in which the next quarantine ends of a node with pods that can be removed.
    fn arm_for_quarantine(&mut self, view: &View) {
        let has_pods = |name: &str| view.pods_on(name).any(|pod| !self.held.contains(&pod.meta.uid));
        let ends = self.missing.iter().filter(|name| has_pods(name)).filter_map(|name| self.quarantine.get(name));
        if let Some(end) = ends.copied().min() {
            self.arm(self.round_at(end));
        }
    }

    /// Ends a round, or a wake-up that was none.
    fn rest(&self, now: WallTime) -> Step<SyncState> {
        let requeue_after = self.next_round.map(|round| until(round, now));
        Step { requests: Vec::new(), then: Then::Done { requeue_after } }
    }
}

impl Reconciler for PodGcController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "pod-garbage-collector-controller"
    }

    /// The first change of a run, which sets the phase, is that of a namespace.
    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Pod, Kind::Node, Kind::Namespace])
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        self.grid.get_or_insert(Grid::starting_at(now));
        let before = self.next_round;
        if let Some((_, pod)) = change.of::<Pod>() {
            self.pod_changed(view, change.change_type, pod, now);
        } else if let Some((_, node)) = change.of::<Node>() {
            self.node_changed(view, change.change_type, node, now);
        }
        if let Some(round) = self.next_round.filter(|_| self.next_round != before) {
            queue.add_after(Key::new(COLLECTOR, ""), until(round, now));
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, _: &Key) -> Step<SyncState> {
        let Some(round) = self.next_round.take_if(|round| *round <= cx.now) else { return self.rest(cx.now) };
        let nodes_gone = self.nodes_gone(round);
        self.last_round = Some(round);
        let mut victims = Victims::new(cx.view, &self.held);
        victims.terminated(self.surplus());
        victims.out_of_service(&self.terminating, &self.out_of_service);
        victims.of_nodes(&nodes_gone);
        victims.unscheduled(&self.terminating);
        let found = victims.found;
        self.arm_for_quarantine(cx.view);
        let (ended, running): (Vec<Victim>, Vec<Victim>) =
            found.into_iter().partition(|victim| victim.pod.is_terminal());
        match (ended.is_empty(), running.is_empty()) {
            (true, true) => self.rest(cx.now),
            (false, true) => delete(ended),
            (_, false) => {
                let marks = running.iter().map(|victim| victim.mark(cx.now)).collect();
                Step::call(marks, SyncState(Stage::Mark { running, ended }))
            }
        }
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        match state.0 {
            Stage::Mark { running, mut ended } => {
                for (victim, response) in running.into_iter().zip(responses) {
                    match response {
                        Ok(_) => ended.push(victim),
                        Err(error) if error.is_not_found() => {}
                        Err(_) => self.arm(self.round(cx.now)),
                    }
                }
                if ended.is_empty() { self.rest(cx.now) } else { delete(ended) }
            }
            Stage::Delete(victims) => {
                for (victim, response) in victims.iter().zip(responses) {
                    match response {
                        Ok(pod) if !pod.meta().finalizers.is_empty() => {
                            self.held.insert(victim.pod.meta.uid.clone());
                        }
                        Ok(_) => {}
                        Err(error) if error.is_not_found() => {}
                        Err(_) => self.arm(self.round(cx.now)),
                    }
                }
                self.rest(cx.now)
            }
        }
    }
}

fn delete(victims: Vec<Victim>) -> Step<SyncState> {
    let request = |victim: &Victim| Request::Delete {
        kind: Kind::Pod,
        key: victim.pod.key(),
        options: DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() },
    };
    Step::call(victims.iter().map(request).collect(), SyncState(Stage::Delete(victims)))
}
