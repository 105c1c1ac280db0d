//! Somebody who deletes pods.

use serde_json::json;

use crate::api::{DeleteOptions, Request};
use crate::kernel::{Purpose, Sampler, SimDuration, Stream, Streams};
use crate::objects::{Key, Kind, PodPhase, Resource, Selector};
use crate::sim::simulation::Simulation;

use super::FaultPlan;

/// Somebody who deletes a pod now and then, as `kubectl delete pod` does, with the pod's own grace period.
#[derive(Clone, Debug, PartialEq)]
pub struct PodKiller {
    /// From the start to the first time, and from each time to the next. Times shorter than a millisecond count as a
    /// millisecond.
    pub every: Sampler,
    /// Which pods may be chosen, of those that run and are not being deleted; each is equally likely.
    pub selector: Selector,
    /// Their namespace.
    pub namespace: String,
}

impl From<PodKiller> for FaultPlan {
    fn from(plan: PodKiller) -> Self {
        Self::PodKiller(plan)
    }
}

#[derive(Clone)]
pub(in crate::sim) struct Kills {
    plan: PodKiller,
    /// Two streams, so that the number of pods does not shift the times.
    times: Stream,
    choices: Stream,
}

impl Kills {
    pub(super) fn new(plan: PodKiller, purpose: Purpose, streams: Streams) -> Self {
        Self { plan, times: streams.stream(purpose, "times"), choices: streams.stream(purpose, "choices") }
    }

    /// The time to the next deletion.
    pub(super) fn next(&mut self) -> SimDuration {
        self.plan.every.sample(&mut self.times)
    }

    /// Deletes a pod. Returns the time to the next.
    pub(super) fn strike(&mut self, sim: &mut Simulation) -> SimDuration {
        let delay = self.next();
        let matching = sim.view().pods_matching(&self.plan.namespace, &self.plan.selector);
        let running = matching.filter(|pod| pod.status.phase == PodPhase::Running && !pod.meta.is_deleting());
        let mut keys: Vec<Key> = running.map(|pod| pod.key()).collect();
        keys.sort_unstable();
        let Some(key) = self.choices.pick(&keys).cloned() else { return delay };
        let target = match &*key.namespace {
            "default" => format!("pod/{}", key.name),
            namespace => format!("{namespace}/pod/{}", key.name),
        };
        let step = json!({"delete": {"target": target}});
        let args = json!({"kind": "PodKiller", "namespace": key.namespace, "pod": key.name, "as": step});
        let options = DeleteOptions::default();
        let result = match sim.execute(&Request::Delete { kind: Kind::Pod, key, options }) {
            Ok(_) => json!(200),
            Err(error) => json!({"code": error.code(), "message": error.message}),
        };
        sim.record_fault(args, result);
        delay
    }
}
