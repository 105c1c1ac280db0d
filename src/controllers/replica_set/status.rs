//! What a ReplicaSet reports (upstream `replica_set_utils.go`).

use crate::kernel::SimDuration;
use crate::objects::{Condition, ConditionStatus, Conditions, Pod, ReplicaSetSpec, ReplicaSetStatus, Text, WallTime};

use super::ReplicatedKind;

/// Type of the condition that says that pods could not be created or deleted.
pub const REPLICA_FAILURE: &str = "ReplicaFailure";

/// A ReplicaSet's pods, counted at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Active pods.
    pub active: i32,
    /// Active pods with all labels of the template.
    pub fully_labeled: i32,
    /// Ready pods.
    pub ready: i32,
    /// Pods ready for `minReadySeconds`.
    pub available: i32,
    /// Pods being deleted.
    pub terminating: i32,
    /// Time until the next ready pod becomes available.
    pub next_available: Option<SimDuration>,
}

impl Census {
    /// Counts an active pod.
    pub fn add_active(&mut self, pod: &Pod, spec: &ReplicaSetSpec, now: WallTime) {
        self.active += 1;
        self.fully_labeled += i32::from(pod.meta.labels.contains_all(&spec.template.labels));
        let Some(ready) = pod.status.conditions.find("Ready") else { return };
        if ready.status != ConditionStatus::True {
            return;
        }
        self.ready += 1;
        let wait = match ready.last_transition_time {
            _ if spec.min_ready_seconds == 0 => 0,
            Some(since) => since.plus_secs(i64::from(spec.min_ready_seconds)).wall().nanos_since(now),
            None => return,
        };
        if wait <= 0 {
            self.available += 1;
        } else {
            let wait = SimDuration::from_nanos(wait.unsigned_abs());
            self.next_available = Some(self.next_available.map_or(wait, |earlier| earlier.min(wait)));
        }
    }

    /// When to look again because a pod will have become available.
    #[must_use]
    pub fn next_check(&self, min_ready_seconds: i32) -> Option<SimDuration> {
        let fallback = SimDuration::from_secs(u64::try_from(min_ready_seconds).ok().filter(|secs| *secs > 0)?);
        (self.ready != self.available).then(|| self.next_available.unwrap_or(fallback))
    }
}

/// The status that follows, if there is anything new to write. `failure` says why pods could not be managed.
#[must_use]
pub fn next_status<S: ReplicatedKind>(
    set: &S,
    census: &Census,
    failure: Option<&str>,
    now: WallTime,
) -> Option<ReplicaSetStatus> {
    let old = set.status();
    let mut status = old.clone();
    status.replicas = census.active;
    status.fully_labeled_replicas = census.fully_labeled;
    status.ready_replicas = census.ready;
    status.available_replicas = census.available;
    status.terminating_replicas = S::REPORTS_TERMINATING.then_some(census.terminating);
    let known = old.conditions.find(REPLICA_FAILURE).is_some();
    match failure {
        Some(message) if !known => {
            let condition = failure_condition(set.spec().replicas, census.active, message, now);
            status.conditions = old.conditions.iter().cloned().chain([condition]).collect();
        }
        None if known => {
            let others = old.conditions.iter().filter(|condition| condition.kind != REPLICA_FAILURE);
            status.conditions = others.cloned().collect();
        }
        _ => {}
    }
    status.observed_generation = set.meta().generation;
    (status != *old).then_some(status)
}

fn failure_condition(desired: i32, active: i32, message: &str, now: WallTime) -> Condition {
    let reason = match active.cmp(&desired) {
        std::cmp::Ordering::Less => "FailedCreate",
        std::cmp::Ordering::Greater => "FailedDelete",
        std::cmp::Ordering::Equal => "",
    };
    let message = Text::from(message.to_owned());
    Condition::new(REPLICA_FAILURE, ConditionStatus::True, now.timestamp()).because(reason, message)
}
