//! The condition `DisruptionTarget`: why a pod goes for others' sake (upstream `staging/src/k8s.io/api/core/v1/types.go`,
//! `PodReasonPreemptionByScheduler` and its like).

use super::{Condition, ConditionStatus, Conditions, Pod, Text, Timestamp};

/// Type of the condition.
pub const DISRUPTION_TARGET: &str = "DisruptionTarget";

/// Who wants a pod to go: the reasons that the condition may have.
///
/// ```
/// use seatrial::objects::disruption_reason::EVICTION_BY_EVICTION_API;
/// assert_eq!(EVICTION_BY_EVICTION_API, "EvictionByEvictionAPI");
/// ```
pub mod disruption_reason {
    /// The scheduler, to make room for a pod of higher priority.
    pub const PREEMPTION_BY_SCHEDULER: &str = "PreemptionByScheduler";
    /// The taint manager, for a taint `NoExecute` that the pod does not tolerate (any longer).
    pub const DELETION_BY_TAINT_MANAGER: &str = "DeletionByTaintManager";
    /// Somebody who asked for an eviction, such as `kubectl drain`.
    pub const EVICTION_BY_EVICTION_API: &str = "EvictionByEvictionAPI";
    /// The pod garbage collector, since the node is no more.
    pub const DELETION_BY_POD_GC: &str = "DeletionByPodGC";
    /// The kubelet: pressure on the node, its shutdown, or room for a critical pod.
    pub const TERMINATION_BY_KUBELET: &str = "TerminationByKubelet";
}

/// The condition that says why a pod goes; `None` if it says so already (upstream `UpdatePodCondition`).
///
/// ```
/// use seatrial::objects::{Pod, Timestamp, disruption_reason, disruption_target};
/// let now = Timestamp::from_unix_secs(0);
/// let why = disruption_target(&Pod::default(), disruption_reason::DELETION_BY_POD_GC, "PodGC: node no longer exists", now);
/// assert_eq!(&*why.unwrap().reason, "DeletionByPodGC");
/// ```
#[must_use]
pub fn disruption_target(
    pod: &Pod,
    reason: &'static str,
    message: impl Into<Text>,
    now: Timestamp,
) -> Option<Condition> {
    let before = pod.status.conditions.find(DISRUPTION_TARGET);
    let before = before.filter(|before| before.status == ConditionStatus::True);
    let condition = Condition {
        observed_generation: Some(pod.meta.generation).filter(|generation| *generation > 0),
        last_transition_time: before.map_or(Some(now), |before| before.last_transition_time),
        ..Condition::new(DISRUPTION_TARGET, ConditionStatus::True, now).because(reason, message)
    };
    let said = before.is_some_and(|before| before.reason == condition.reason && before.message == condition.message);
    (!said).then_some(condition)
}
