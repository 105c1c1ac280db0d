//! A rollout never takes available pods away below `replicas - maxUnavailable`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Deployment, Key, Uid};
use crate::sim::Simulation;

use super::deployment_state::{Bounds, SetState, State, name};
use super::violation::names;
use super::window::Window;
use super::{Invariant, Violation};

/// When a Deployment scales a ReplicaSet in, at least `replicas - maxUnavailable` (rounded down) pods stay available.
///
/// Pods that fail, or that somebody else deletes, are not the rollout's doing: they count as available for as long as
/// the control plane may not know yet. Nor does the rollout choose the pods: it asks for fewer, and the ReplicaSet cannot tell pods
/// that are ready from those that have been so for `minReadySeconds`. A ready pod that was spared counts in the place of an
/// available one that was taken.
///
/// Scaling a Deployment in the middle of a rollout is not covered where it may have fewer pods in all (`replicas + maxSurge`)
/// than before, nor is pausing it: upstream then scales all ReplicaSets in proportion, without a look at how many of their
/// pods are available. An old ReplicaSet can so lose available pods even when `replicas` rises, if `maxSurge` was lowered.
#[derive(Debug)]
pub struct MaxUnavailable {
    deployment: Key,
    window: SimDuration,
    bounds: Window<i64>,
    replicas: Window<i32>,
    paused: Window<bool>,
    /// Most pods for which any ReplicaSet was scaled.
    most: Window<i64>,
    /// Available pods that were lost to something else, by instant.
    lost: VecDeque<(SimTime, i64)>,
    before: Option<State>,
}

impl MaxUnavailable {
    /// The bound of the Deployment's current spec, or of one that was current at the same instant.
    #[must_use]
    pub fn of(deployment: Key) -> Self {
        Self::within(deployment, SimDuration::ZERO)
    }

    /// The bound of any spec that was current in the last `window`: for control planes with delays.
    #[must_use]
    pub fn within(deployment: Key, window: SimDuration) -> Self {
        let (bounds, replicas) = (Window::new(window), Window::new(window));
        let (paused, most) = (Window::new(window), Window::new(window));
        Self { deployment, window, bounds, replicas, paused, most, lost: VecDeque::new(), before: None }
    }

    /// Splits the pods that ceased to be available since the last check: taken by a scale-in, taken in the place of a
    /// ready pod that was spared, or lost.
    fn taken_spared_lost(before: &State, now: &State) -> (i64, i64, i64) {
        let (mut taken, mut spared, mut lost) = (0, 0, 0);
        for old in &before.sets {
            let set = now.set(&old.uid);
            let still = |(uid, _): &(Uid, Arc<str>)| {
                set.is_some_and(|set| set.available.binary_search_by(|(other, _)| other.cmp(uid)).is_ok())
            };
            let gone = old.available.iter().filter(|pod| !still(pod)).count() as i64;
            // A scale-in removes active pods down to what is wanted; anything else that is gone was lost, as the pods of a
            // ReplicaSet that somebody deleted or orphaned.
            let scaled_in =
                set.filter(|set| old.active > set.wanted).map_or(0, |set| old.active - set.active.max(set.wanted));
            let scaled_in = scaled_in.max(0);
            let taken_here = gone.min(scaled_in);
            taken += taken_here;
            spared += taken_here.min(set.map_or(0, |set| set.ripening));
            lost += gone - gone.min(scaled_in);
        }
        (taken, spared, lost)
    }

    /// Whether ReplicaSets may shrink in proportion to what the Deployment may have in all.
    fn shrinks_in_proportion(&self, deployment: &Deployment, before: &State) -> bool {
        let scaled = self.replicas.iter().any(|replicas| *replicas != deployment.spec.replicas);
        let most = Bounds::of(deployment).most;
        let fewer = before.active() > most || self.most.iter().any(|before| *before > most);
        (scaled && fewer) || self.paused.iter().any(|paused| *paused)
    }

    fn lost_lately(&mut self, now: SimTime) -> i64 {
        let start = now.checked_sub(self.window).unwrap_or(SimTime::ZERO);
        while self.lost.front().is_some_and(|(at, _)| *at < start) {
            self.lost.pop_front();
        }
        self.lost.iter().map(|(_, count)| count).sum()
    }
}

/// Names of the pods that ceased to be available.
fn gone<'a>(before: &'a State, now: &'a State) -> impl Iterator<Item = &'a Arc<str>> {
    let still = |set: &SetState, pod| now.set(&set.uid).is_some_and(|set| set.available.contains(pod));
    before
        .sets
        .iter()
        .flat_map(move |set| set.available.iter().filter(move |pod| !still(set, pod)).map(|(_, name)| name))
}

impl Invariant for MaxUnavailable {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(deployment) = sim.view().deployments.get(&self.deployment) else {
            self.before = None;
            return Ok(());
        };
        let now = sim.now();
        let state = State::of(sim, deployment, self.window);
        self.bounds.push(now, Bounds::of(deployment).least_available);
        self.replicas.push(now, deployment.spec.replicas);
        self.paused.push(now, deployment.spec.paused);
        self.most.push(now, state.most());
        let Some(before) = self.before.replace(state.clone()) else { return Ok(()) };
        let (taken, spared, lost) = Self::taken_spared_lost(&before, &state);
        if lost > 0 {
            self.lost.push_back((now, lost));
        }
        let least = self.bounds.iter().copied().min().unwrap_or(0);
        let available = state.available();
        let in_proportion = self.shrinks_in_proportion(deployment, &before);
        if taken > spared && !in_proportion && available + spared + self.lost_lately(now) < least {
            let story = format!(
                "promised at least {least} available pods (replicas {} - maxUnavailable), but {taken} available pods \
                 were scaled in and {available} are left, after {}. Gone: {}. Now {}",
                deployment.spec.replicas,
                before.available(),
                names(gone(&before, &state)),
                state.tell(),
            );
            return Err(Violation { invariant: name("maxUnavailable", &self.deployment), at: now, story });
        }
        Ok(())
    }
}
