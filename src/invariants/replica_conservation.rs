//! Every ReplicaSet, ReplicationController and StatefulSet has the pods it wants, and says so.

use crate::objects::{Pod, PodManagementPolicy, Replicated, Resource, StatefulSet};
use crate::sim::Simulation;

use super::Violation;
use super::violation::names;

/// In a settled cluster every ReplicaSet and ReplicationController has exactly `spec.replicas` active pods, its status says so, and the
/// ReplicaSets of a Deployment that is not paused add up to its replicas. A rollout that got stuck is left out: one
/// with new pods that are not available keeps the old ones, up to `maxSurge` more than its replicas. A StatefulSet has the
/// pods of exactly its ordinals, unless it waits for one of its pods.
#[must_use]
pub fn replica_conservation(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let broken = |story: String| Violation::new("replicaConservation()", sim, story);
    let mut violations = Vec::new();
    violations.extend(view.replica_sets.iter().filter_map(|set| miscounted(sim, &**set)).map(broken));
    violations.extend(view.replication_controllers.iter().filter_map(|set| miscounted(sim, &**set)).map(broken));
    violations.extend(view.stateful_sets.iter().filter_map(|set| misplaced(sim, set)).map(broken));
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
    let pods: Vec<_> = sim.view().pods.controlled_by(&set.meta().uid).filter(|pod| pod.is_active()).collect();
    let active = pods.len() as i64;
    let (wanted, reported) = (i64::from(set.spec().replicas), i64::from(set.status().replicas));
    let wrong = !set.meta().is_deleting() && (active != wanted || reported != active);
    wrong.then(|| {
        let pods =
            if active == 0 { String::new() } else { format!(": {}", names(pods.iter().map(|pod| &pod.meta.name))) };
        format!("{} {} wants {wanted} pods, has {active} and reports {reported}{pods}", S::KIND, set.key())
    })
}

/// What is wrong with the pods of a StatefulSet, if anything is.
fn misplaced(sim: &Simulation, set: &StatefulSet) -> Option<String> {
    if set.meta.is_deleting() {
        return None;
    }
    let (key, now, pods) = (set.key(), sim.wall(), || sim.view().pods.controlled_by(&set.meta.uid));
    let count = pods().count() as i64;
    if count != i64::from(set.status.replicas) {
        return Some(format!("StatefulSet {key} has {count} pods and reports {}", set.status.replicas));
    }
    let mut ordinals = pods().filter_map(|pod| set.ordinal_of(&pod.meta.name));
    let all_wanted = ordinals.all(|ordinal| set.spec.has_ordinal(ordinal));
    if all_wanted && count == i64::from(set.spec.replicas) {
        return None;
    }
    let available = |pod: &Pod| !pod.meta.is_deleting() && pod.is_available(set.spec.min_ready_seconds, now);
    let waits =
        set.spec.pod_management_policy == PodManagementPolicy::OrderedReady && !pods().all(|pod| available(pod));
    let first = set.spec.first_ordinal();
    (!waits).then(|| {
        let wanted = set.spec.replicas;
        format!(
            "StatefulSet {key} wants {wanted} pods from ordinal {first} and has {}",
            names(pods().map(|pod| &pod.meta.name))
        )
    })
}
