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
        let name = &twins[0].pod;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::DeleteOptions;
    use crate::invariants::Always;
    use crate::kernel::SimDuration;
    use crate::sim::{Cut, Delays, Disturbance, Place, Target};

    /// The node of `db-0`, once nobody reaches it any more and the pod is being deleted.
    fn cut_off() -> (Simulation, Always, Arc<str>) {
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(3).build().unwrap();
        let spec = json!({"containers": [{"name": "c", "image": "db"}]});
        let template = json!({"metadata": {"labels": {"app": "db"}}, "spec": spec});
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "db"}}, "template": template},
        });
        sim.apply(&manifest.to_string()).unwrap();
        let mut promises = Always::new().and(AtMostOne::of(Key::new("default", "db")));
        promises.run(&mut sim, SimTime::from_secs(60)).unwrap();
        let node = sim.view().pods.iter().next().unwrap().node_name.clone();
        sim.disturb(Disturbance::Partition { node: node.clone(), cut: Cut::Both }, None).unwrap();
        promises.run(&mut sim, SimTime::from_mins(10)).unwrap();
        assert!(
            sim.view().pods.iter().next().unwrap().meta.is_deleting(),
            "the cluster gave it up, but keeps its name"
        );
        (sim, promises, node)
    }

    #[test]
    fn a_partition_alone_makes_no_twin() {
        let (mut sim, mut promises, node) = cut_off();
        sim.restore(&Place::Node(node)).unwrap();
        promises.run(&mut sim, SimTime::from_mins(20)).unwrap();
        assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
    }

    #[test]
    fn a_pod_deleted_by_force_behind_a_partition_runs_twice_which_is_told() {
        let (mut sim, mut promises, node) = cut_off();
        let pod: Target = "pod/db-0".parse().unwrap();
        sim.delete(&pod, DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }).unwrap();
        let end = sim.now() + SimDuration::from_mins(1);
        let told = promises.run(&mut sim, end).unwrap_err();
        let other = sim.view().pods.iter().next().unwrap().node_name.clone();
        assert_ne!(other, node);
        let mut places = [
            (node.clone(), format!("on {node}, of which the API server knows nothing since 10m0s")),
            (other.clone(), format!("on {other}")),
        ];
        places.sort();
        let [(_, one), (_, two)] = places;
        assert_eq!(told.story, format!("pod default/db-0 runs twice: {one}, and {two}"));
    }
}
