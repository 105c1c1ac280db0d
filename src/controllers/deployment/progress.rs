//! What a Deployment reports, and whether its rollout gets on (upstream `progress.go` and `calculateStatus`).

use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Conditions, Deployment, DeploymentStatus, ReplicaSet, Timestamp, WallTime,
};

use super::sync::DeploymentSync;
use super::util::conditions::{
    self, AVAILABLE, MINIMUM_REPLICAS_AVAILABLE, MINIMUM_REPLICAS_UNAVAILABLE, NEW_REPLICA_SET_AVAILABLE,
    PROGRESS_DEADLINE_EXCEEDED, PROGRESSING, REPLICA_FAILURE, REPLICA_SET_UPDATED, condition, progress_deadline,
};
use super::util::fenceposts::Fenceposts;
use super::util::sets::ReplicaSets;
use crate::controllers::script::Flow;

/// Shortest wait of a key that failed; upstream queues a Deployment that is about to time out so.
const SOON: SimDuration = SimDuration::from_millis(5);
const SECOND: SimDuration = SimDuration::from_secs(1);

impl DeploymentSync<'_> {
    /// Reports on a rollout whose ReplicaSets were `sets` before this sync scaled them. If there is nothing new, gives the time after which the
    /// deadline will have passed (upstream `syncRolloutStatus`).
    pub(super) fn sync_rollout_status(&mut self, sets: &ReplicaSets) -> Flow<Option<SimDuration>> {
        let now = self.script.now();
        let status = rollout_status(&self.deployment, sets, now);
        if self.report(status) {
            return Ok(None);
        }
        Ok(next_progress_check(&self.deployment, now))
    }
}

/// The status of a rollout.
fn rollout_status(deployment: &Deployment, sets: &ReplicaSets, now: WallTime) -> DeploymentStatus {
    let mut status = calculate_status(deployment, sets, now.timestamp());
    let reason = conditions::progressing(deployment).map_or("", |condition| &condition.reason);
    if progress_deadline(deployment).is_none() {
        conditions::remove(&mut status.conditions, PROGRESSING);
    } else if status.replicas != status.updated_replicas || reason != NEW_REPLICA_SET_AVAILABLE {
        estimate_progress(deployment, sets, &mut status, now);
    }
    match replica_failure(sets) {
        Some(failure) => conditions::set(&mut status.conditions, as_deployment_condition(failure)),
        None => conditions::remove(&mut status.conditions, REPLICA_FAILURE),
    }
    status
}

/// Writes into the `Progressing` condition whether the rollout is complete, gets on, or has timed out.
fn estimate_progress(deployment: &Deployment, sets: &ReplicaSets, status: &mut DeploymentStatus, now: WallTime) {
    let at = now.timestamp();
    let say = |what: &str| match sets.new_set() {
        Some(set) => format!("ReplicaSet {:?} {what}", &*set.meta.name),
        None => format!("Deployment {:?} {what}", &*deployment.meta.name),
    };
    let current = conditions::progressing(deployment);
    if is_complete(deployment, status) {
        let message = say("has successfully progressed.");
        let done = condition(PROGRESSING, ConditionStatus::True, at, NEW_REPLICA_SET_AVAILABLE, message);
        conditions::set(&mut status.conditions, done);
    } else if has_progressed(&deployment.status, status) {
        let mut progress =
            condition(PROGRESSING, ConditionStatus::True, at, REPLICA_SET_UPDATED, say("is progressing."));
        // The time of the last update moves with each progress, also where status and reason stay.
        if let Some(current) = current.filter(|current| current.status == ConditionStatus::True) {
            progress.last_transition_time = current.last_transition_time;
        }
        conditions::replace(&mut status.conditions, progress);
    } else if has_timed_out(deployment, now) {
        let message = say("has timed out progressing.");
        let late = condition(PROGRESSING, ConditionStatus::False, at, PROGRESS_DEADLINE_EXCEEDED, message);
        conditions::set(&mut status.conditions, late);
    }
}

/// The numbers of a status, and whether enough pods are available.
pub(super) fn calculate_status(deployment: &Deployment, sets: &ReplicaSets, at: Timestamp) -> DeploymentStatus {
    let spec = &deployment.spec;
    let available = sets.sum(|set| set.status.available_replicas);
    let mut status = DeploymentStatus {
        observed_generation: deployment.meta.generation,
        replicas: sets.sum(|set| set.status.replicas),
        updated_replicas: sets.new_set().map_or(0, |set| set.status.replicas),
        ready_replicas: sets.sum(|set| set.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: sets.desired().wrapping_sub(available).max(0),
        terminating_replicas: terminating(sets),
        collision_count: deployment.status.collision_count,
        conditions: deployment.status.conditions.clone(),
    };
    let enough = available >= spec.replicas.wrapping_sub(Fenceposts::of(spec).unavailable);
    let (holds, reason, message) = if enough {
        (ConditionStatus::True, MINIMUM_REPLICAS_AVAILABLE, "Deployment has minimum availability.")
    } else {
        (ConditionStatus::False, MINIMUM_REPLICAS_UNAVAILABLE, "Deployment does not have minimum availability.")
    };
    conditions::set(&mut status.conditions, condition(AVAILABLE, holds, at, reason, message));
    status
}

/// Sum of the pods being deleted; unknown if a ReplicaSet that was seen to does not tell.
fn terminating(sets: &ReplicaSets) -> Option<i32> {
    let told = |set: &ReplicaSet| match set.status.terminating_replicas {
        None if set.status.observed_generation == 0 => Some(0),
        told => told,
    };
    sets.all().iter().try_fold(0i32, |sum, set| told(set).map(|told| sum.wrapping_add(told)))
}

/// Whether all desired pods are of the new template and available, and no old one is left (upstream
/// `DeploymentComplete`).
#[must_use]
pub fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let replicas = deployment.spec.replicas;
    status.updated_replicas == replicas
        && status.replicas == replicas
        && status.available_replicas == replicas
        && status.observed_generation >= deployment.meta.generation
}

/// Whether pods were added, became ready or available, or old ones went (upstream `DeploymentProgressing`).
fn has_progressed(before: &DeploymentStatus, after: &DeploymentStatus) -> bool {
    let old = |status: &DeploymentStatus| status.replicas.wrapping_sub(status.updated_replicas);
    after.updated_replicas > before.updated_replicas
        || old(after) < old(before)
        || after.ready_replicas > before.ready_replicas
        || after.available_replicas > before.available_replicas
}

/// Whether the last sign of progress is older than the deadline allows (upstream `DeploymentTimedOut`).
fn has_timed_out(deployment: &Deployment, now: WallTime) -> bool {
    let Some(condition) = conditions::progressing(deployment) else { return false };
    match &*condition.reason {
        NEW_REPLICA_SET_AVAILABLE => false,
        PROGRESS_DEADLINE_EXCEEDED => true,
        _ => deadline(deployment, condition).is_some_and(|deadline| deadline < now),
    }
}

fn deadline(deployment: &Deployment, progressing: &Condition) -> Option<WallTime> {
    let seconds = progress_deadline(deployment)?;
    Some(progressing.last_update_time.unwrap_or_default().plus_secs(i64::from(seconds)).wall())
}

/// When to look whether a rollout that stands still has timed out (upstream `requeueStuckDeployment`). Within the last
/// second upstream looks again and again; once, just after the deadline, finds the same. It also does so, ten times a second,
/// while pods of a finished rollout are unavailable, although such a Deployment cannot time out: here nobody looks.
fn next_progress_check(deployment: &Deployment, now: WallTime) -> Option<SimDuration> {
    let condition = conditions::progressing(deployment)?;
    let deadline = deadline(deployment, condition)?;
    let decided = condition.reason == PROGRESS_DEADLINE_EXCEEDED || condition.reason == NEW_REPLICA_SET_AVAILABLE;
    if decided || is_complete(deployment, &deployment.status) {
        return None;
    }
    let left = SimDuration::from_nanos(deadline.nanos_since(now).max(0).unsigned_abs());
    Some(if left < SECOND { left + SOON } else { left + SECOND })
}

/// The failure that ReplicaSets tell of; the new one's before others'.
fn replica_failure(sets: &ReplicaSets) -> Option<&Condition> {
    let all = sets.new_set().into_iter().chain(sets.all());
    all.filter_map(|set| set.status.conditions.find(REPLICA_FAILURE)).next()
}

fn as_deployment_condition(failure: &Condition) -> Condition {
    Condition { last_update_time: failure.last_transition_time, ..failure.clone() }
}
