//! The end of containers and pods: hooks, grace, order, and the confirmation to the API server.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::EventKind;
use crate::kernel::SimDuration;
use crate::objects::{Pod, RestartPolicy};

use super::driver::{PodSync, removal};
use super::processes::ProcessEvent;
use super::worker::{Cause, Due, Role, Stage, State, after};

/// Ended by SIGTERM (128 + 15).
const EXIT_CODE_STOPPED: i32 = 143;
/// Ended by SIGKILL (128 + 9).
pub(super) const EXIT_CODE_KILLED: i32 = 137;
/// What is left to a container whose hook or turn took all of the grace.
const LEAST_GRACE: SimDuration = SimDuration::from_secs(2);
/// Grace of a spec that names none.
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// When a container that is told to stop at 0, and signalled at `turn`, stops, and whether it must be killed.
fn stop_time(turn: SimDuration, takes: SimDuration, grace: SimDuration) -> (SimDuration, bool) {
    let limit = if turn >= grace { grace + LEAST_GRACE } else { grace };
    let turn = turn.min(grace);
    ((turn + takes).min(limit), turn + takes > limit)
}

impl PodSync<'_, '_> {
    /// The pod is being deleted: its end is planned, or brought forward if the grace was lowered.
    pub(super) fn delete(&mut self, pod: &Arc<Pod>) {
        let grace = seconds(pod.meta.deletion_grace_period_seconds.unwrap_or(self.spec_grace()));
        let Stage::Ending { report, .. } = self.worker.stage else {
            let report = self.worker.spec.restart_policy != RestartPolicy::Always;
            return self.plan_end(grace, true, report);
        };
        self.hasten(grace, true, report);
    }

    /// Brings the planned end forward if the grace says so.
    pub(super) fn hasten(&mut self, grace: SimDuration, delete: bool, report: bool) {
        let Stage::Ending { ends_at, plan, .. } = self.worker.stage else { return };
        let latest = after(self.cx.now, grace);
        if latest >= ends_at {
            self.worker.stage = Stage::Ending { ends_at, plan, delete, report };
            return;
        }
        for at in 0..self.worker.containers.len() {
            self.worker.containers[at].killed = true;
            if self.worker.containers[at].is_running() {
                self.tell_of(at, ProcessEvent::Stopping { sigterm: None, stops: grace });
            }
        }
        self.worker.stage = Stage::Ending { ends_at: latest, plan: plan + 1, delete, report };
        self.schedule_for(grace, 0, plan + 1, Due::End);
    }

    /// The grace that the pod asks for.
    pub(super) fn own_grace(&self) -> SimDuration {
        seconds(self.spec_grace())
    }

    fn spec_grace(&self) -> i64 {
        self.worker.spec.termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECONDS)
    }

    /// Tells all containers to stop and works out when the last has. Regular containers stop side by side; then the sidecars,
    /// the last one first. A deleted pod that never ran takes as long: its sandbox goes too.
    pub(super) fn plan_end(&mut self, grace: SimDuration, delete: bool, report: bool) {
        let mut regular_end = SimDuration::ZERO;
        let mut sidecars: SmallVec<[(usize, SimDuration, SimDuration); 4]> = SmallVec::new();
        for at in 0..self.worker.containers.len() {
            let running = self.worker.containers[at].is_running();
            if running {
                let name = &self.worker.container_spec(at).name;
                self.container_event(at, EventKind::Normal, "Killing", format!("Stopping container {name}"));
            } else if !delete {
                continue;
            }
            let hook = if running { self.pre_stop_time(at) } else { SimDuration::ZERO };
            if running {
                self.fail_pre_stop(at, hook, grace);
            }
            let takes = self.stopping_takes(at);
            if running && self.worker.role(at) == Role::Sidecar {
                sidecars.push((at, hook, takes));
                continue;
            }
            let (end, killed) = stop_time(hook, takes, grace);
            self.worker.containers[at].killed = killed;
            if running {
                self.tell_of(at, ProcessEvent::Stopping { sigterm: Some(hook.min(grace)), stops: end });
            }
            regular_end = regular_end.max(end);
        }
        let mut end = regular_end;
        for (at, hook, takes) in sidecars.into_iter().rev() {
            let turn = hook.max(end);
            let (sidecar_end, killed) = stop_time(turn, takes, grace);
            self.worker.containers[at].killed = killed;
            self.tell_of(at, ProcessEvent::Stopping { sigterm: Some(turn.min(grace)), stops: sidecar_end });
            end = end.max(sidecar_end);
        }
        self.worker.stage = Stage::Ending { ends_at: after(self.cx.now, end), plan: 0, delete, report };
        self.schedule_for(end, 0, 0, Due::End);
    }

    /// The regular containers have ended for good: the sidecars may go.
    pub(super) fn end_sidecars(&mut self) {
        let grace = seconds(self.spec_grace());
        self.plan_end(grace, false, true);
    }

    /// `activeDeadlineSeconds` are over.
    pub(super) fn deadline_is_due(&mut self) {
        if self.worker.is_ending() {
            return;
        }
        self.worker.expired = true;
        let grace = seconds(self.spec_grace());
        self.plan_end(grace, false, true);
    }

    pub(super) fn end_is_due(&mut self, plan: u32) {
        match self.worker.stage {
            Stage::Ending { plan: current, .. } if current == plan => self.finish(),
            Stage::Ending { .. } | Stage::Active => {}
        }
    }

    /// A process ended by itself while its pod ends; if it was the last, nothing is left to wait for.
    pub(super) fn ended_while_ending(&mut self) {
        if self.worker.containers.iter().all(|container| !container.is_running()) {
            self.finish();
        }
    }

    /// Nothing of the pod runs: it ends now.
    pub(super) fn end_now(&mut self, delete: bool) {
        let report = !delete || self.worker.spec.restart_policy != RestartPolicy::Always;
        self.worker.stage = Stage::Ending { ends_at: self.cx.now, plan: 0, delete, report };
        self.finish();
    }

    /// All containers have stopped: the terminal phase is reported, then the object of a deleted pod removed. A deleted pod
    /// that would restart its containers for ever is removed as it is.
    fn finish(&mut self) {
        let Stage::Ending { delete, report, .. } = self.worker.stage else { return };
        let now = self.cx.now;
        let failed = self.worker.expired || self.worker.verdict().is_some();
        for container in &mut self.worker.containers {
            if container.is_running() {
                let exit_code = if container.killed { EXIT_CODE_KILLED } else { EXIT_CODE_STOPPED };
                container.end(exit_code, Cause::Exit, now);
            } else if container.ended.is_none() && (delete || failed) {
                container.end(EXIT_CODE_KILLED, Cause::Lost, now);
            }
        }
        if report {
            self.report(true);
        }
        if delete {
            let request = removal(self.worker.key.clone(), self.uid.clone());
            self.cx.effects.requests.push(request);
        }
        self.done = true;
    }

    /// The object is gone without the kubelet's word: whatever runs is killed.
    pub(super) fn abandon(&mut self) {
        for at in 0..self.worker.containers.len() {
            if self.worker.containers[at].is_running() && !self.worker.is_ending() {
                let name = &self.worker.container_spec(at).name;
                self.container_event(at, EventKind::Normal, "Killing", format!("Stopping container {name}"));
            }
        }
        self.done = true;
    }

    /// Tells one container to stop, so that it can be started again. A probe may bring its own grace.
    pub(super) fn stop_for_restart(&mut self, at: usize, probe_grace: Option<i64>, why: String) {
        self.container_event(at, EventKind::Normal, "Killing", why);
        let grace = seconds(probe_grace.unwrap_or_else(|| self.spec_grace()));
        let hook = self.pre_stop_time(at);
        let takes = self.stopping_takes(at);
        let (end, killed) = stop_time(hook, takes, grace);
        self.tell_of(at, ProcessEvent::Stopping { sigterm: Some(hook.min(grace)), stops: end });
        let container = &mut self.worker.containers[at];
        container.killed = killed;
        let state = if container.is_hooking() { State::HookFailed } else { State::Stopping };
        container.set_state(state);
        self.fail_pre_stop(at, hook, grace);
        self.schedule(end, at, Due::Stopped);
    }

    /// From SIGTERM to the end.
    fn stopping_takes(&mut self, at: usize) -> SimDuration {
        let takes = self.behaviour(at).terminate.sample(self.cx.luck);
        takes.map_or(SimDuration::MAX, |takes| self.cx.slowed(takes))
    }

    pub(super) fn container_stopped(&mut self, at: usize) {
        let container = &self.worker.containers[at];
        let exit_code = if container.killed { EXIT_CODE_KILLED } else { EXIT_CODE_STOPPED };
        let was_hooking = container.is_hooking();
        self.container_ended(at, exit_code, Cause::Exit);
        if was_hooking && !self.worker.is_ending() {
            self.start_queued();
        }
    }
}

/// A grace period; never less than a second.
fn seconds(grace: i64) -> SimDuration {
    SimDuration::from_secs(u64::try_from(grace).unwrap_or(0).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_stops_within_its_grace() {
        let stop = |turn, takes, grace| {
            let (end, killed) =
                stop_time(SimDuration::from_secs(turn), SimDuration::from_secs(takes), SimDuration::from_secs(grace));
            (end.as_secs(), killed)
        };
        assert_eq!(stop(0, 1, 30), (1, false));
        assert_eq!(stop(0, 40, 30), (30, true));
        assert_eq!(stop(10, 5, 30), (15, false));
        assert_eq!(stop(40, 1, 30), (31, false));
        assert_eq!(stop(40, 9, 30), (32, true));
        assert_eq!(stop(0, 2, 1), (1, true));
    }
}
