//! How long a Job waits before it replaces pods that failed (upstream `backoff_utils.go`).

use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::objects::{ConditionStatus, Conditions, ContainerState, ContainerStatus, Pod, Timestamp, WallTime};

use super::indexed::failures_of_index;

/// Wait after the first failure; doubles with each (upstream `DefaultJobPodFailureBackOff`).
const BACK_OFF_BASE: SimDuration = SimDuration::from_secs(10);
/// Longest wait (upstream `MaxJobPodFailureBackOff`).
const BACK_OFF_MAX: SimDuration = SimDuration::from_secs(600);

/// Failures of a Job's pods in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackoffRecord {
    /// Since the last success.
    pub failures: u32,
    /// End of the last of them.
    pub last_failure: Option<Timestamp>,
}

impl BackoffRecord {
    /// The record after more pods ended. A success starts the count anew: only failures strictly after the last count.
    #[must_use]
    pub fn after(self, succeeded: &[Arc<Pod>], failed: &[Arc<Pod>]) -> Self {
        let last_success = succeeded.iter().map(|pod| finish_time(pod)).max();
        let start = if last_success.is_some() { Self::default() } else { self };
        let ends = failed.iter().map(|pod| finish_time(pod));
        let later = ends.filter(|end| last_success.is_none_or(|success| *end > success));
        let (count, last) = later.fold((0u32, None), |(count, last), end| (count + 1, last.max(Some(end))));
        if count == 0 {
            return start;
        }
        Self { failures: start.failures.saturating_add(count), last_failure: last }
    }

    /// How long no pod is created yet.
    #[must_use]
    pub fn remaining(self, now: WallTime) -> SimDuration {
        self.last_failure.map_or(SimDuration::ZERO, |last| remaining(self.failures, last, now))
    }
}

/// How long the index of a pod, the last that failed there, gets no new one yet.
#[must_use]
pub fn remaining_of_index(last_failed: &Pod, now: WallTime) -> SimDuration {
    remaining(failures_of_index(last_failed).saturating_add(1), finish_time(last_failed), now)
}

fn remaining(failures: u32, last: Timestamp, now: WallTime) -> SimDuration {
    let Some(doublings) = failures.checked_sub(1) else { return SimDuration::ZERO };
    let wait = (BACK_OFF_BASE * (1 << u64::from(doublings.min(10)))).min(BACK_OFF_MAX);
    let left = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX).saturating_sub(now.nanos_since(last.wall()));
    SimDuration::from_nanos(u64::try_from(left).unwrap_or(0))
}

/// When a pod ended: the end of its last container, else when it was last not ready, else when its deletion began, else when
/// it was created.
#[must_use]
pub fn finish_time(pod: &Pod) -> Timestamp {
    let not_ready = || {
        let ready = pod.status.conditions.find("Ready")?;
        ready.last_transition_time.filter(|_| ready.status == ConditionStatus::False)
    };
    let deleted = || {
        let end = pod.meta.deletion_timestamp?;
        Some(end.plus_secs(-pod.meta.deletion_grace_period_seconds.unwrap_or(0)))
    };
    let found = end_of_containers(pod).or_else(not_ready).or_else(deleted);
    found.or(pod.meta.creation_timestamp).unwrap_or_default()
}

/// Sidecars end after the regular containers.
fn end_of_containers(pod: &Pod) -> Option<Timestamp> {
    let is_sidecar = |name: &str| pod.spec.init_containers.iter().any(|init| *init.name == *name && init.is_sidecar());
    let regular = last_end(None, pod.status.container_statuses.iter());
    let sidecars = pod.status.init_container_statuses.iter().filter(|status| is_sidecar(&status.name));
    last_end(regular, sidecars)
}

/// The last end, or nothing if one of the containers has none.
fn last_end<'a>(before: Option<Timestamp>, statuses: impl Iterator<Item = &'a ContainerStatus>) -> Option<Timestamp> {
    let mut last = before;
    for status in statuses {
        let ContainerState::Terminated(end) = &status.state else { return None };
        last = last.max(Some(end.finished_at?));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let last = Timestamp::from_unix_secs(1000);
        let after = |failures, secs: i64| remaining(failures, last, last.plus_secs(secs).wall()).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 40].map(|failures| after(failures, 0)), [10, 20, 40, 320, 600, 600]);
        assert_eq!([after(0, 0), after(1, 4), after(1, 10), after(1, 11)], [0, 6, 0, 0]);
    }
}
