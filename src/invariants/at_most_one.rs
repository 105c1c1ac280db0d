//! A StatefulSet never runs the same pod on two nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::SimTime;
use crate::objects::{Key, Kind, Uid};
use crate::sim::Simulation;

use super::{Invariant, Violation};

/// No ordinal of a StatefulSet has containers that run on two nodes at once. What counts is what the kubelets really run,
/// whatever the API server knows: it may have forgotten a pod on a node that nobody reaches, by `kubectl delete --force` or
/// because the Node was deleted, and let another one start in its place. That is not the cluster's mistake, but it may cost
/// data, and so it is told.
#[derive(Debug)]
pub struct AtMostOne {
    set: Key,
    /// Pods that run although the API server has none of them any more, and when that was first seen.
    forgotten: BTreeMap<Uid, SimTime>,
}

/// A pod that runs.
struct Running {
    node: Arc<str>,
    pod: Key,
    uid: Uid,
}

impl AtMostOne {
    /// At every instant.
    #[must_use]
    pub const fn of(set: Key) -> Self {
        Self { set, forgotten: BTreeMap::new() }
    }

    fn running(&self, sim: &Simulation) -> Vec<Running> {
        let Some(set) = sim.view().stateful_sets.get(&self.set) else { return Vec::new() };
        let is_own = |pod: &Key| pod.namespace == self.set.namespace && set.ordinal_of(&pod.name).is_some();
        let mut running: Vec<Running> = sim
            .running_pods()
            .filter(|(_, pod, _)| is_own(pod))
            .map(|(node, pod, uid)| Running { node: node.clone(), pod: pod.clone(), uid: uid.clone() })
            .collect();
        running.sort_by(|a, b| (&a.pod, &a.node, &a.uid).cmp(&(&b.pod, &b.node, &b.uid)));
        running
    }

    fn tell(&self, sim: &Simulation, twins: &[Running]) -> String {
        let name = &twins[0].pod.name;
        let places = twins.iter().map(|twin| {
            let node = &twin.node;
            match self.forgotten.get(&twin.uid) {
                Some(at) => format!("on {node}, of which the API server knows nothing since {at}"),
                None if sim.machine_is_up(node) => format!("on {node}"),
                None => format!("on {node}, which is down"),
            }
        });
        format!("pod {name} runs twice: {}", places.collect::<Vec<_>>().join(", and "))
    }
}

impl Invariant for AtMostOne {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let running = self.running(sim);
        let is_known = |twin: &Running| sim.view().pods.get(&twin.pod).is_some_and(|pod| pod.meta.uid == twin.uid);
        self.forgotten.retain(|uid, _| running.iter().any(|twin| twin.uid == *uid));
        for twin in running.iter().filter(|twin| !is_known(twin)) {
            self.forgotten.entry(twin.uid.clone()).or_insert_with(|| sim.now());
        }
        let mut places = running.chunk_by(|one, other| one.pod == other.pod);
        let Some(twins) = places.find(|places| places.iter().any(|place| place.node != places[0].node)) else {
            return Ok(());
        };
        let invariant = Violation::name("atMostOne", Kind::StatefulSet, &self.set);
        Err(Violation { invariant, at: sim.now(), story: self.tell(sim, twins) })
    }
}
