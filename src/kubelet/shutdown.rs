//! Graceful node shutdown (upstream `pkg/kubelet/nodeshutdown`): a kubelet that is told that its machine is about to go ends its
//! pods, those of the lowest priority first, and lets the machine go when all are through or their time is up.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::api::EventKind;
use crate::kernel::SimDuration;
use crate::objects::{Uid, WallTime};

use super::admission::Rejection;
use super::driver::{Kubelet, KubeletContext};
use super::worker::{Verdict, after};

/// From this priority on the system needs a pod (upstream `scheduling.SystemCriticalPriority`).
const SYSTEM_CRITICAL_PRIORITY: i32 = 2_000_000_000;
/// Priority of pods that name no class where there is no default one.
const DEFAULT_PRIORITY: i32 = 0;

/// How long the pods of a group have to end when their machine is shut down, by the names of upstream's
/// `shutdownGracePeriodByPodPriority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShutdownGracePeriod {
    /// The least priority of the group; the lowest group has all pods below it, too.
    pub priority: i32,
    /// Seconds that the group has, and the most that each of its pods gets.
    pub shutdown_grace_period_seconds: u32,
}

/// The groups that a kubelet's settings make, the lowest priority first; none, if its node is not shut down gracefully (upstream
/// `migrateConfig` and `ValidateKubeletConfiguration`).
///
/// # Errors
/// If the settings contradict each other.
pub(super) fn grace_periods(
    total: SimDuration,
    critical: SimDuration,
    mut by_priority: Vec<ShutdownGracePeriod>,
) -> Result<Vec<ShutdownGracePeriod>, String> {
    if critical > total {
        return Err(format!("shutdownGracePeriodCriticalPods: {critical} is more than shutdownGracePeriod, {total}"));
    }
    for (name, period) in [("shutdownGracePeriod", total), ("shutdownGracePeriodCriticalPods", critical)] {
        if !period.is_zero() && period < SimDuration::from_secs(1) {
            return Err(format!("{name}: {period} is neither zero nor at least 1s"));
        }
    }
    if !by_priority.is_empty() {
        if !total.is_zero() {
            return Err("shutdownGracePeriodByPodPriority: cannot be set together with shutdownGracePeriod".to_owned());
        }
        by_priority.sort_by_key(|group| group.priority);
        return Ok(by_priority);
    }
    if total.is_zero() {
        return Ok(Vec::new());
    }
    let seconds = |period: SimDuration| {
        u32::try_from(period.as_secs()).map_err(|_| format!("shutdownGracePeriod: {total} is too long"))
    };
    let group = |priority, period| {
        Ok::<_, String>(ShutdownGracePeriod { priority, shutdown_grace_period_seconds: seconds(period)? })
    };
    let others = SimDuration::from_nanos(total.as_nanos() - critical.as_nanos());
    Ok(vec![group(DEFAULT_PRIORITY, others)?, group(SYSTEM_CRITICAL_PRIORITY, critical)?])
}

/// The place of the group that a priority falls into (upstream `groupByPriority`): the last that begins at or below it, or the
/// first.
fn group_of(groups: &[ShutdownGracePeriod], priority: i32) -> usize {
    let first_at_or_above = groups.partition_point(|group| group.priority < priority);
    match groups.get(first_at_or_above) {
        Some(group) if group.priority == priority => first_at_or_above,
        _ => first_at_or_above.saturating_sub(1),
    }
}

/// A shutdown that goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Shutdown {
    /// The pods of each group that was not told to end yet; the next one last.
    to_come: Vec<(SimDuration, Vec<Uid>)>,
    /// Pods of the current group that have not ended.
    ending: SmallVec<[Uid; 4]>,
    /// When the current group's time is up.
    deadline: Option<WallTime>,
}

impl Kubelet {
    /// Whether the kubelet holds a shutdown of its machine up until its pods have ended.
    #[must_use]
    pub fn delays_shutdown(&self) -> bool {
        !self.setup.config.shutdown_grace_periods.is_empty()
    }

    /// Whether the machine is being shut down and its pods are ending.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.admitted.shutdown.is_some()
    }

    /// The machine is about to go: pods end group by group. When all are through, [`Effects::shut_down`] is set: at once if there
    /// are none, or if the kubelet does not hold shutdowns up.
    ///
    /// [`Effects::shut_down`]: super::Effects::shut_down
    pub fn begin_shutdown(&mut self, cx: &mut KubeletContext<'_>) {
        if !self.running || self.is_shutting_down() {
            return;
        }
        if !self.delays_shutdown() {
            cx.effects.shut_down = true;
            return;
        }
        self.node_event(cx, EventKind::Normal, "NodeShutdown", "Shutdown manager detected shutdown event".to_owned());
        let setup = self.setup.clone();
        let periods = &setup.config.shutdown_grace_periods;
        let seconds = |group: &ShutdownGracePeriod| SimDuration::from_secs(group.shutdown_grace_period_seconds.into());
        let mut groups: Vec<_> = periods.iter().map(|group| (seconds(group), Vec::new())).collect();
        let mut pods: Vec<_> = self
            .workers
            .iter()
            .map(|(uid, worker)| (worker.generation, worker.spec.priority.unwrap_or(DEFAULT_PRIORITY), uid))
            .collect();
        pods.sort_unstable_by_key(|(generation, ..)| *generation);
        for (_, priority, uid) in pods {
            groups[group_of(periods, priority)].1.push(uid.clone());
        }
        groups.reverse();
        self.admitted.shutdown = Some(Box::new(Shutdown { to_come: groups, ..Shutdown::default() }));
        self.end_next_group(cx);
    }

    /// Why a pod is not taken while the node is shut down.
    pub(super) fn refuses_in_shutdown(&self) -> Option<Rejection> {
        let message = "Pod was rejected as the node is shutting down.";
        self.is_shutting_down().then(|| Rejection::new("NodeShutdown", message))
    }

    /// A pod is gone: its group may be through.
    pub(super) fn pod_ends_in_shutdown(&mut self, cx: &mut KubeletContext<'_>, uid: &Uid) {
        let Some(shutdown) = &mut self.admitted.shutdown else { return };
        let Some(at) = shutdown.ending.iter().position(|ending| ending == uid) else { return };
        shutdown.ending.swap_remove(at);
        if shutdown.ending.is_empty() {
            self.end_next_group(cx);
        }
    }

    /// The time of a group is up: what of it still runs is left to itself.
    pub(super) fn shutdown_timer(&mut self, cx: &mut KubeletContext<'_>, at: WallTime) {
        if self.admitted.shutdown.as_ref().is_some_and(|shutdown| shutdown.deadline == Some(at)) {
            self.end_next_group(cx);
        }
    }

    /// Tells the pods of the next group that has any to end, or lets the machine go.
    fn end_next_group(&mut self, cx: &mut KubeletContext<'_>) {
        let Some(shutdown) = &mut self.admitted.shutdown else { return };
        let (period, pods) = loop {
            let Some((period, mut pods)) = shutdown.to_come.pop() else {
                (shutdown.deadline, cx.effects.shut_down) = (None, true);
                return;
            };
            pods.retain(|uid| self.workers.contains_key(uid));
            if !pods.is_empty() {
                break (period, pods);
            }
        };
        let deadline = after(cx.now, period);
        shutdown.deadline = Some(deadline);
        shutdown.ending = pods.iter().cloned().collect();
        for uid in &pods {
            self.sync(cx, uid, |pod| {
                let grace = pod.own_grace().min(period.max(LEAST_GRACE));
                pod.end_with(grace, verdict());
            });
        }
        self.schedule_shutdown(cx, period, deadline);
    }
}

/// A pod has a second at least (upstream `calculateEffectiveGracePeriod`).
const LEAST_GRACE: SimDuration = SimDuration::from_secs(1);

fn verdict() -> Verdict {
    const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";
    Verdict { reason: "Terminated".into(), message: MESSAGE.into(), disruption: Some(MESSAGE.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::KubeletConfig;

    fn periods(settings: &str) -> Result<Vec<(i32, u32)>, String> {
        let config: KubeletConfig = serde_yaml::from_str(settings).map_err(|error| error.to_string())?;
        let pair = |group: &ShutdownGracePeriod| (group.priority, group.shutdown_grace_period_seconds);
        Ok(config.shutdown_grace_periods.iter().map(pair).collect())
    }

    #[test]
    fn settings_make_groups_from_the_lowest_priority_up() {
        for (settings, expected) in [
            ("{}", vec![]),
            ("{shutdownGracePeriod: 0s}", vec![]),
            (
                "{shutdownGracePeriod: 300s, shutdownGracePeriodCriticalPods: 120s}",
                vec![(0, 180), (2_000_000_000, 120)],
            ),
            ("{shutdownGracePeriod: 30s}", vec![(0, 30), (2_000_000_000, 0)]),
            ("{shutdownGracePeriod: 10s, shutdownGracePeriodCriticalPods: 10s}", vec![(0, 0), (2_000_000_000, 10)]),
            (
                "{shutdownGracePeriodByPodPriority: [{priority: 100, shutdownGracePeriodSeconds: 5},
                  {priority: -1, shutdownGracePeriodSeconds: 60}]}",
                vec![(-1, 60), (100, 5)],
            ),
        ] {
            assert_eq!(periods(settings), Ok(expected), "{settings}");
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        for (settings, complaint) in [
            ("{shutdownGracePeriod: 10s, shutdownGracePeriodCriticalPods: 11s}", "is more than shutdownGracePeriod"),
            ("{shutdownGracePeriod: 999ms}", "neither zero nor at least 1s"),
            ("{shutdownGracePeriod: 2s, shutdownGracePeriodCriticalPods: 1ms}", "neither zero nor at least 1s"),
            (
                "{shutdownGracePeriod: 2s, shutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: 1}]}",
                "cannot be set together",
            ),
            ("{shutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: -1}]}", "expected u32"),
            ("{shutdownGracePeriodByPodPriority: [{priority: 0}]}", "missing field"),
            ("{shutdownGracePeriodByPodPriority: [{priority: 0, seconds: 1}]}", "unknown field"),
        ] {
            let error = periods(settings).expect_err(settings);
            assert!(error.contains(complaint), "{settings}: {error}");
        }
    }

    /// Upstream `Test_groupByPriority`.
    #[test]
    fn pods_fall_into_the_group_that_begins_at_or_below_their_priority() {
        let config = |settings: &str| -> Vec<ShutdownGracePeriod> {
            serde_yaml::from_str::<KubeletConfig>(settings).expect("settings").shutdown_grace_periods
        };
        let migrated = config("{shutdownGracePeriod: 300s, shutdownGracePeriodCriticalPods: 120s}");
        let table = config(
            "{shutdownGracePeriodByPodPriority: [{priority: 1, shutdownGracePeriodSeconds: 10},
              {priority: 2, shutdownGracePeriodSeconds: 20}, {priority: 3, shutdownGracePeriodSeconds: 30},
              {priority: 4, shutdownGracePeriodSeconds: 40}]}",
        );
        for (groups, priority, seconds) in [
            (&migrated, 0, 180),
            (&migrated, 1_000_000_000, 180),
            (&migrated, 2_000_000_000, 120),
            (&migrated, 2_000_001_000, 120),
            (&migrated, -5, 180),
            (&table, 0, 10),
            (&table, 1, 10),
            (&table, 2, 20),
            (&table, 3, 30),
            (&table, 4, 40),
            (&table, 5, 40),
        ] {
            let group = groups[group_of(groups, priority)];
            assert_eq!(group.shutdown_grace_period_seconds, seconds, "{priority}");
        }
    }
}
