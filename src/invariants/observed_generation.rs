//! Controllers have seen the newest spec.

use crate::objects::{Key, Resource};
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster `status.observedGeneration` of every Deployment, ReplicaSet, ReplicationController,
/// StatefulSet and DaemonSet is its generation.
#[must_use]
pub fn observed_generation(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let deployments =
        view.deployments.iter().map(|d| ("Deployment", d.key(), d.meta.generation, d.status.observed_generation));
    let sets =
        view.replica_sets.iter().map(|s| ("ReplicaSet", s.key(), s.meta.generation, s.status.observed_generation));
    let controllers = view.replication_controllers.iter();
    let controllers =
        controllers.map(|rc| ("ReplicationController", rc.key(), rc.meta.generation, rc.status.observed_generation));
    let stateful =
        view.stateful_sets.iter().map(|s| ("StatefulSet", s.key(), s.meta.generation, s.status.observed_generation));
    let daemons =
        view.daemon_sets.iter().map(|s| ("DaemonSet", s.key(), s.meta.generation, s.status.observed_generation));
    let behind = |(_, _, generation, observed): &(&str, Key, i64, i64)| generation != observed;
    deployments
        .chain(sets)
        .chain(controllers)
        .chain(stateful)
        .chain(daemons)
        .filter(behind)
        .map(|(kind, key, generation, observed)| Violation {
            invariant: "observedGeneration()".into(),
            at: sim.now(),
            story: format!("{kind} {key} is at generation {generation}, its controller has only seen {observed}"),
        })
        .collect()
}
