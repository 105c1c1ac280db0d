//! What the invariants of a rollout look at: the pods of a Deployment, counted once a check.

use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::objects::{Deployment, DeploymentStrategy, Key, Kind, MAX_REPLICAS, Rounding, Uid};
use crate::sim::Simulation;

use super::Violation;

/// Bounds that a Deployment promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Pods that it may have at most.
    pub(super) most: i64,
    /// Available pods that it keeps while it replaces others.
    pub(super) least_available: i64,
}

impl Bounds {
    /// The bounds as the controller resolves them (upstream `deployment/util.ResolveFenceposts`).
    pub(super) fn of(deployment: &Deployment) -> Self {
        let replicas = deployment.spec.replicas;
        let (surge, unavailable) = match &deployment.spec.strategy {
            DeploymentStrategy::Recreate => (0, replicas),
            DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } => {
                let resolve = |bound: &Option<crate::objects::IntOrPercent>, rounding| {
                    bound.as_ref().and_then(|bound| bound.scaled_value(replicas, rounding).ok()).unwrap_or(0)
                };
                let surge = resolve(max_surge, Rounding::Up);
                let unavailable = resolve(max_unavailable, Rounding::Down);
                (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable.min(replicas) })
            }
        };
        let replicas = i64::from(replicas);
        Self { most: replicas + i64::from(surge), least_available: (replicas - i64::from(unavailable)).max(0) }
    }
}

/// Pods of one ReplicaSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetState {
    pub(super) uid: Uid,
    pub(super) name: Arc<str>,
    pub(super) wanted: i64,
    /// Most pods that the Deployment could have when this ReplicaSet was last scaled; 0 if that is not noted.
    pub(super) most: i64,
    pub(super) active: i64,
    /// Active pods that are ready, but not for long enough to be available, or not long enough for the controllers to know.
    pub(super) ripening: i64,
    /// The active pods that are available, ascending by uid, with their names.
    pub(super) available: Vec<(Uid, Arc<str>)>,
}

/// Pods of a Deployment, by ReplicaSet in the order of creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) sets: Vec<SetState>,
}

impl State {
    /// `slack`: how long controllers may still act on what was true before.
    pub(super) fn of(sim: &Simulation, deployment: &Deployment, slack: SimDuration) -> Self {
        let (view, now) = (sim.view(), sim.wall());
        let before = now.plus_nanos(-1).plus_nanos(-i64::try_from(slack.as_nanos()).unwrap_or(i64::MAX));
        let min_ready = deployment.spec.min_ready_seconds;
        let sets = view.replica_sets.controlled_by(&deployment.meta.uid).map(|set| {
            let mut state = SetState {
                uid: set.meta.uid.clone(),
                name: set.meta.name.clone(),
                wanted: i64::from(set.spec.replicas),
                most: set.meta.annotations.get(MAX_REPLICAS).and_then(|noted| noted.parse().ok()).unwrap_or(0),
                active: 0,
                ripening: 0,
                available: Vec::new(),
            };
            for pod in view.pods.controlled_by(&set.meta.uid).filter(|pod| pod.is_active()) {
                state.active += 1;
                if pod.is_available(min_ready, now) {
                    state.available.push((pod.meta.uid.clone(), pod.meta.name.clone()));
                }
                state.ripening += i64::from(pod.is_ready() && !pod.is_available(min_ready, before));
            }
            state.available.sort_unstable();
            state
        });
        Self { sets: sets.collect() }
    }

    pub(super) fn active(&self) -> i64 {
        self.sets.iter().map(|set| set.active).sum()
    }

    pub(super) fn wanted(&self) -> i64 {
        self.sets.iter().map(|set| set.wanted).sum()
    }

    pub(super) fn available(&self) -> i64 {
        self.sets.iter().map(|set| set.available.len() as i64).sum()
    }

    /// Most pods for which any of the ReplicaSets was last scaled.
    pub(super) fn most(&self) -> i64 {
        self.sets.iter().map(|set| set.most).max().unwrap_or(0)
    }

    /// `web-8fb66844 asks for 3 and has 4 pods, of which 2 are available`, for each ReplicaSet that is not empty.
    pub(super) fn tell(&self) -> String {
        let is_there = |set: &&SetState| set.wanted > 0 || set.active > 0;
        let told = self.sets.iter().filter(is_there).map(|set| {
            let SetState { name, wanted, active, available, .. } = set;
            format!("{name} asks for {wanted} and has {active}, {} of them available", available.len())
        });
        told.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn set(&self, uid: &Uid) -> Option<&SetState> {
        self.sets.iter().find(|set| set.uid == *uid)
    }
}

pub(super) fn name(invariant: &str, key: &Key) -> String {
    Violation::name(invariant, Kind::Deployment, key)
}
