//! A Deployment's conditions.

use std::sync::Arc;

use crate::objects::{Condition, ConditionList, ConditionStatus, Conditions, Deployment, Text, Timestamp};

/// Type: enough pods are available.
pub const AVAILABLE: &str = "Available";
/// Type: the rollout gets on.
pub const PROGRESSING: &str = "Progressing";
/// Type: pods could not be created or deleted.
pub const REPLICA_FAILURE: &str = "ReplicaFailure";

/// Reason: a ReplicaSet of the rollout changed.
pub const REPLICA_SET_UPDATED: &str = "ReplicaSetUpdated";
/// Reason: the new ReplicaSet could not be created.
pub const REPLICA_SET_CREATE_ERROR: &str = "ReplicaSetCreateError";
/// Reason: the new ReplicaSet was created.
pub const NEW_REPLICA_SET_CREATED: &str = "NewReplicaSetCreated";
/// Reason: an existing ReplicaSet is the new one.
pub const FOUND_NEW_REPLICA_SET: &str = "FoundNewReplicaSet";
/// Reason: the rollout is complete.
pub const NEW_REPLICA_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
/// Reason: no progress within the deadline.
pub const PROGRESS_DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";
/// Reason: paused.
pub const DEPLOYMENT_PAUSED: &str = "DeploymentPaused";
/// Reason: paused no more.
pub const DEPLOYMENT_RESUMED: &str = "DeploymentResumed";
/// Reason: enough pods are available.
pub const MINIMUM_REPLICAS_AVAILABLE: &str = "MinimumReplicasAvailable";
/// Reason: too few pods are available.
pub const MINIMUM_REPLICAS_UNAVAILABLE: &str = "MinimumReplicasUnavailable";

/// A condition that was written and changed at `at`.
#[must_use]
pub fn condition(
    kind: &'static str,
    status: ConditionStatus,
    at: Timestamp,
    reason: &'static str,
    message: impl Into<Text>,
) -> Condition {
    Condition { last_update_time: Some(at), ..Condition::new(kind, status, at).because(reason, message) }
}

/// Sets a condition. One with the same status and reason stays as it is; one with the same status keeps its time of
/// transition; a changed one moves to the end (upstream `SetDeploymentCondition`).
pub fn set(list: &mut ConditionList, mut condition: Condition) {
    if let Some(current) = list.find(&condition.kind)
        && current.status == condition.status
    {
        if current.reason == condition.reason {
            return;
        }
        condition.last_transition_time = current.last_transition_time;
    }
    replace(list, condition);
}

/// Puts a condition at the end, in place of the one of its type.
pub fn replace(list: &mut ConditionList, condition: Condition) {
    let others = list.iter().filter(|other| other.kind != condition.kind).cloned().collect::<Vec<_>>();
    *list = others.into_iter().chain([condition]).collect();
}

/// Removes the condition of a type.
pub fn remove(list: &mut ConditionList, kind: &str) {
    if list.find(kind).is_some() {
        *list = list.iter().filter(|other| other.kind != *kind).cloned().collect();
    }
}

/// The `Progressing` condition.
#[must_use]
pub fn progressing(deployment: &Deployment) -> Option<&Condition> {
    deployment.status.conditions.find(PROGRESSING)
}

/// Sets the `Progressing` condition of a Deployment.
pub fn set_progressing(
    deployment: &mut Arc<Deployment>,
    status: ConditionStatus,
    at: Timestamp,
    reason: &'static str,
    message: impl Into<Text>,
) {
    let condition = condition(PROGRESSING, status, at, reason, message);
    set(&mut Arc::make_mut(deployment).status.conditions, condition);
}

/// The seconds within which a rollout must progress, if any: the highest number stands for none (upstream
/// `HasProgressDeadline`).
#[must_use]
pub fn progress_deadline(deployment: &Deployment) -> Option<i32> {
    deployment.spec.progress_deadline_seconds.filter(|seconds| *seconds != i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn list() -> ConditionList {
        let of = |kind, reason| condition(kind, ConditionStatus::True, at(1), reason, "");
        vec![of(PROGRESSING, NEW_REPLICA_SET_CREATED), of(AVAILABLE, MINIMUM_REPLICAS_AVAILABLE)].into()
    }

    #[test]
    fn the_same_status_and_reason_change_nothing() {
        let mut changed = list();
        set(&mut changed, condition(PROGRESSING, ConditionStatus::True, at(9), NEW_REPLICA_SET_CREATED, "new"));
        assert_eq!(changed, list());
    }

    #[test]
    fn another_reason_keeps_the_time_of_transition_and_moves_the_condition_to_the_end() {
        let mut changed = list();
        set(&mut changed, condition(PROGRESSING, ConditionStatus::True, at(9), REPLICA_SET_UPDATED, ""));
        assert_eq!(changed[0].kind, AVAILABLE);
        assert_eq!((changed[1].last_transition_time, changed[1].last_update_time), (Some(at(1)), Some(at(9))));
        set(&mut changed, condition(PROGRESSING, ConditionStatus::False, at(12), PROGRESS_DEADLINE_EXCEEDED, ""));
        assert_eq!(changed[1].last_transition_time, Some(at(12)));
    }

    #[test]
    fn removing_leaves_the_others() {
        let mut changed = list();
        remove(&mut changed, PROGRESSING);
        assert!(changed.len() == 1 && changed[0].kind == AVAILABLE);
    }
}
