//! A rollout never makes more pods than `replicas + maxSurge`.

use std::collections::BTreeMap;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Uid};
use crate::sim::Simulation;

use super::deployment_state::{Bounds, State, name};
use super::window::Window;
use super::{Invariant, Violation};

/// A Deployment never asks for, nor gets, more pods than `replicas + maxSurge` (rounded up). Pods being deleted do not
/// count. A count above the bound is allowed to come down (after a scale-in), never to go up.
#[derive(Debug)]
pub struct MaxSurge {
    deployment: Key,
    bounds: Window<i64>,
    /// What each ReplicaSet asked for: one may grow before another has shrunk.
    wanted: BTreeMap<Uid, Window<i64>>,
    window: SimDuration,
    before: Option<(i64, i64)>,
}

impl MaxSurge {
    /// The bound of the Deployment's current spec, or of one that was current at the same instant.
    #[must_use]
    pub fn of(deployment: Key) -> Self {
        Self::within(deployment, SimDuration::ZERO)
    }

    /// The bound of any spec that was current in the last `window`: for control planes with delays.
    #[must_use]
    pub fn within(deployment: Key, window: SimDuration) -> Self {
        Self { deployment, bounds: Window::new(window), wanted: BTreeMap::new(), window, before: None }
    }

    /// Most pods that the ReplicaSets may still act on: the sum of what each asked for of late.
    fn asked_of_late(&mut self, now: SimTime, state: &State) -> i64 {
        self.wanted.retain(|uid, _| state.set(uid).is_some());
        for set in &state.sets {
            self.wanted.entry(set.uid.clone()).or_insert_with(|| Window::new(self.window)).push(now, set.wanted);
        }
        self.wanted.values().map(|window| window.iter().copied().max().unwrap_or(0)).sum()
    }
}

impl Invariant for MaxSurge {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(deployment) = sim.view().deployments.get(&self.deployment) else {
            self.before = None;
            return Ok(());
        };
        let state = State::of(sim, deployment, self.window);
        let (wanted, active) = (state.wanted(), state.active());
        self.bounds.push(sim.now(), Bounds::of(deployment).most);
        let most = self.bounds.iter().copied().max().unwrap_or(0);
        let asked = self.asked_of_late(sim.now(), &state);
        let (wanted_before, active_before) = self.before.replace((wanted, active)).unwrap_or((wanted, active));
        let promised = || format!("promised at most {most} pods (replicas {} + maxSurge)", deployment.spec.replicas);
        let broken =
            |story: String| Err(Violation { invariant: name("maxSurge", &self.deployment), at: sim.now(), story });
        if wanted > wanted_before && wanted > most {
            return broken(format!(
                "{}, but its ReplicaSets ask for {wanted}, after {wanted_before}: {}",
                promised(),
                state.tell()
            ));
        }
        if active > active_before && active > most.max(asked) {
            return broken(format!("{}, but there are {active}, after {active_before}: {}", promised(), state.tell()));
        }
        Ok(())
    }
}
