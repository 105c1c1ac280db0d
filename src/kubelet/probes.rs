//! Probes: ticks, thresholds, and what their results do.
//!
//! A tick is asked for only where it can tell something new: while a result is not what the application's health says, and
//! while the application fails (each failure is an Event). A healthy pod costs no ticks, unless load may delay its answers (see
//! [`super::load`]).

use crate::kernel::SimDuration;
use crate::objects::{Probe, WallTime};

use super::driver::PodSync;
use super::worker::{Due, ProbeKind, Role, State, until};

impl PodSync<'_, '_> {
    /// A container was just started: which probes begin, and whether it is ready without.
    pub(super) fn begin_probes(&mut self, at: usize) {
        if matches!(self.worker.role(at), Role::Init | Role::Ephemeral) {
            return;
        }
        if self.worker.containers[at].started {
            self.begin_readiness(at);
        } else {
            self.ask_for_tick(at, ProbeKind::Startup);
        }
    }

    /// The container is started as its startup probe sees it. The kubelet then probes its readiness at once, and every period
    /// from there.
    fn begin_readiness(&mut self, at: usize) {
        let now = self.cx.now;
        let container = &mut self.worker.containers[at];
        container.readiness_since = now;
        if !self.would_succeed(at, ProbeKind::Liveness) || self.is_asked_again(at, ProbeKind::Liveness) {
            self.ask_for_tick(at, ProbeKind::Liveness);
        }
        let spec = self.worker.container_spec(at);
        let Some(probe) = &spec.readiness_probe else {
            let container = &mut self.worker.containers[at];
            container.ready = container.answering;
            return;
        };
        if first_probe(probe, self.worker.containers[at].running_since) <= now {
            self.probe(at, ProbeKind::Readiness);
        } else {
            self.ask_for_tick(at, ProbeKind::Readiness);
        }
    }

    /// The application has come up.
    pub(super) fn app_answers(&mut self, at: usize) {
        let no_probe = self.worker.container_spec(at).readiness_probe.is_none();
        let counts = self.worker.role(at) != Role::Ephemeral;
        let container = &mut self.worker.containers[at];
        if !container.is_running() {
            return;
        }
        container.answering = true;
        if no_probe && counts && container.started && !container.ready {
            container.ready = true;
            self.worker.dirty |= !self.worker.is_ending();
        }
    }

    /// See [`super::Kubelet::on_app_health`].
    pub(super) fn set_app_health(&mut self, name: &str, answers: bool) {
        let place = (0..self.worker.containers.len()).find(|at| *self.worker.container_spec(*at).name == *name);
        let Some(at) = place else { return };
        self.set_hung(at, !answers);
    }

    /// Asks for the next tick of a probe, unless there is no such probe or a tick is due anyway.
    pub(super) fn ask_for_tick(&mut self, at: usize, kind: ProbeKind) {
        let now = self.cx.now;
        let Some((period, first)) = self.probe_spec(at, kind).map(|probe| {
            let period = u64::try_from(probe.period_seconds).unwrap_or(0).max(1);
            (SimDuration::from_secs(period), first_probe(probe, self.worker.containers[at].running_since))
        }) else {
            return;
        };
        let container = &mut self.worker.containers[at];
        let base = match kind {
            ProbeKind::Readiness => container.readiness_since,
            ProbeKind::Startup | ProbeKind::Liveness => self.worker.synced_at,
        };
        let probe = container.probe(kind);
        if !std::mem::replace(&mut probe.ticking, true) {
            self.schedule(until(now, next_tick(base, period, now, first)), at, Due::Probe(kind));
        }
    }

    pub(super) fn probe_spec(&self, at: usize, kind: ProbeKind) -> Option<&Probe> {
        let spec = self.worker.container_spec(at);
        match kind {
            ProbeKind::Startup => spec.startup_probe.as_ref(),
            ProbeKind::Readiness => spec.readiness_probe.as_ref(),
            ProbeKind::Liveness => spec.liveness_probe.as_ref(),
        }
    }

    pub(super) fn probe_is_due(&mut self, at: usize, kind: ProbeKind) {
        let container = &mut self.worker.containers[at];
        container.probe(kind).ticking = false;
        // A pod that ends is shown as it was; its startup and liveness no longer matter.
        if container.state == State::Running && !self.worker.is_ending() {
            self.probe(at, kind);
        }
    }

    /// One attempt.
    fn probe(&mut self, at: usize, kind: ProbeKind) {
        let Some(probe) = self.probe_spec(at, kind) else { return };
        let (successes, failures) = (probe.success_threshold.max(1), probe.failure_threshold.max(1));
        let grace = probe.termination_grace_period_seconds;
        let success = self.would_succeed(at, kind);
        let run = self.worker.containers[at].probe(kind);
        run.streak = match success {
            true => run.streak.max(0).saturating_add(1),
            false => run.streak.min(0).saturating_sub(1),
        };
        let streak = i32::from(run.streak);
        if !success {
            self.say_unhealthy(at, kind);
        }
        if streak >= successes {
            self.probe_succeeded(at, kind);
        } else if -streak >= failures {
            self.probe_failed(at, kind, grace);
        } else {
            self.ask_for_tick(at, kind);
        }
    }

    fn probe_succeeded(&mut self, at: usize, kind: ProbeKind) {
        let container = &mut self.worker.containers[at];
        match kind {
            ProbeKind::Startup => {
                container.started = true;
                self.worker.dirty = true;
                self.begin_readiness(at);
                if self.worker.role(at) == Role::Sidecar {
                    self.advance(None);
                }
            }
            ProbeKind::Readiness if !container.ready => {
                container.ready = true;
                self.worker.dirty = true;
            }
            ProbeKind::Readiness | ProbeKind::Liveness => {}
        }
        if kind != ProbeKind::Startup && self.is_asked_again(at, kind) {
            self.ask_for_tick(at, kind);
        }
    }

    fn probe_failed(&mut self, at: usize, kind: ProbeKind, grace: Option<i64>) {
        let name = match kind {
            ProbeKind::Readiness => {
                let container = &mut self.worker.containers[at];
                self.worker.dirty |= std::mem::replace(&mut container.ready, false);
                return self.ask_for_tick(at, kind);
            }
            ProbeKind::Startup => "startup",
            ProbeKind::Liveness => "liveness",
        };
        let restarts = if self.worker.restarts_after(at, 1) { ", will be restarted" } else { "" };
        let container = &self.worker.container_spec(at).name;
        self.stop_for_restart(at, grace, format!("Container {container} failed {name} probe{restarts}"));
    }
}

/// The earliest time of an attempt: the initial delay counts from the start as the API shows it, in whole seconds.
fn first_probe(probe: &Probe, running_since: WallTime) -> WallTime {
    running_since.timestamp().plus_secs(i64::from(probe.initial_delay_seconds)).wall()
}

/// The next tick after `now` that is not before `first`.
fn next_tick(base: WallTime, period: SimDuration, now: WallTime, first: WallTime) -> WallTime {
    let period = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX);
    let past_now = now.nanos_since(base).div_euclid(period).saturating_add(1);
    let from_first = first.plus_nanos(-1).nanos_since(base).div_euclid(period).saturating_add(1);
    base.plus_nanos(period.saturating_mul(past_now.max(from_first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_their_phase() {
        let at = |secs: i64| WallTime::from_unix_nanos(secs * 1_000_000_000);
        let tick = |now, first| next_tick(at(3), SimDuration::from_secs(10), at(now), at(first));
        assert_eq!(tick(3, 0), at(13));
        assert_eq!(tick(12, 0), at(13));
        assert_eq!(tick(13, 0), at(23));
        assert_eq!(tick(3, 23), at(23));
        assert_eq!(tick(3, 24), at(33));
    }
}
