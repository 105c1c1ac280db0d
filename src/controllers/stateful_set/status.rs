//! What a StatefulSet reports.

use crate::kernel::SimDuration;
use crate::objects::{Pod, StatefulSet, StatefulSetStatus, StatefulSetUpdateStrategy, WallTime};

use super::identity::revision_of;
use super::revisions::Revisions;

/// Counts pods (upstream `computeReplicaStatus`). Those being deleted count as replicas and as ready, but not for a
/// revision.
pub(super) fn count<'a>(
    set: &StatefulSet,
    revisions: &Revisions,
    pods: impl IntoIterator<Item = &'a Pod>,
    now: WallTime,
) -> StatefulSetStatus {
    let mut status = StatefulSetStatus {
        observed_generation: set.meta.generation,
        current_revision: revisions.current.meta.name.clone(),
        update_revision: revisions.update.meta.name.clone(),
        collision_count: Some(revisions.collision_count),
        ..StatefulSetStatus::default()
    };
    for pod in pods {
        status.replicas += 1;
        if pod.is_running_and_ready() {
            status.ready_replicas += 1;
            status.available_replicas += i32::from(pod.is_available(set.spec.min_ready_seconds, now));
        }
        if !pod.meta.is_deleting() {
            let revision = revision_of(pod);
            status.current_replicas += i32::from(*revision == *status.current_revision);
            status.updated_replicas += i32::from(*revision == *status.update_revision);
        }
    }
    status
}

/// Ends a rolling update once all pods are of the new revision and ready (upstream `completeRollingUpdate`).
pub(super) fn complete_rolling_update(set: &StatefulSet, status: &mut StatefulSetStatus) {
    let all = |count: i32| count == set.spec.replicas;
    if matches!(set.spec.update_strategy, StatefulSetUpdateStrategy::RollingUpdate(_))
        && all(status.updated_replicas)
        && all(status.ready_replicas)
        && all(status.replicas)
    {
        status.current_replicas = status.updated_replicas;
        status.current_revision = status.update_revision.clone();
    }
}

/// Whether a status is worth a write (upstream `inconsistentStatus`).
pub(super) fn is_new(old: &StatefulSetStatus, new: &StatefulSetStatus) -> bool {
    let counts = |status: &StatefulSetStatus| {
        let StatefulSetStatus { replicas, ready_replicas, current_replicas, .. } = *status;
        (replicas, ready_replicas, current_replicas, status.updated_replicas, status.available_replicas)
    };
    new.observed_generation > old.observed_generation
        || counts(new) != counts(old)
        || new.current_revision != old.current_revision
        || new.update_revision != old.update_revision
}

/// When to look again because a pod will have become available.
pub(super) fn next_check<'a>(
    set: &StatefulSet,
    status: &StatefulSetStatus,
    pods: impl IntoIterator<Item = &'a Pod>,
    now: WallTime,
) -> Option<SimDuration> {
    let seconds = set.spec.min_ready_seconds;
    let fallback = SimDuration::from_secs(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?);
    if status.ready_replicas == status.available_replicas {
        return None;
    }
    pods.into_iter().filter_map(|pod| pod.available_in(seconds, now)).min().or(Some(fallback))
}

/// Whether a pod is not there for its users (upstream `isUnavailable`).
pub(super) fn is_unavailable(set: &StatefulSet, pod: &Pod, now: WallTime) -> bool {
    pod.meta.is_deleting() || !pod.is_available(set.spec.min_ready_seconds, now)
}
