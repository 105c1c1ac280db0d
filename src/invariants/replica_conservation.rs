//! Every ReplicaSet and ReplicationController has the pods it wants, and says so.

use crate::objects::{Replicated, Resource};
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster every ReplicaSet and ReplicationController has exactly `spec.replicas` active pods, its status says so, and the
/// ReplicaSets of a Deployment that is not paused add up to its replicas. A rollout that got stuck is left out: one
/// with new pods that are not available keeps the old ones, up to `maxSurge` more than its replicas.
#[must_use]
pub fn replica_conservation(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let broken = |story: String| Violation { invariant: "replicaConservation".into(), at: sim.now(), story };
    let mut violations = Vec::new();
    violations.extend(view.replica_sets.iter().filter_map(|set| miscounted(sim, &**set)).map(broken));
    violations.extend(view.replication_controllers.iter().filter_map(|set| miscounted(sim, &**set)).map(broken));
    for deployment in view.deployments.iter().filter(|d| !d.meta.is_deleting() && !d.spec.paused) {
        let total: i64 =
            view.replica_sets.controlled_by(&deployment.meta.uid).map(|set| i64::from(set.spec.replicas)).sum();
        let wanted = i64::from(deployment.spec.replicas);
        let status = &deployment.status;
        let complete =
            status.updated_replicas == deployment.spec.replicas && status.available_replicas == status.replicas;
        if complete && total != wanted {
            let key = deployment.key();
            violations.push(broken(format!("Deployment {key} wants {wanted} pods, its ReplicaSets ask for {total}")));
        }
    }
    violations
}

/// What is wrong with the number of pods of a set, if anything is.
fn miscounted<S: Replicated>(sim: &Simulation, set: &S) -> Option<String> {
    let pods = sim.view().pods.controlled_by(&set.meta().uid);
    let active = pods.filter(|pod| pod.is_active()).count() as i64;
    let (wanted, reported) = (i64::from(set.spec().replicas), i64::from(set.status().replicas));
    let wrong = !set.meta().is_deleting() && (active != wanted || reported != active);
    wrong.then(|| format!("{} {} wants {wanted} pods, has {active} and reports {reported}", S::KIND, set.key()))
}
