//! What goes wrong in a container that runs: crashes, deadlocks, services that are missing, machines that are too slow.

use crate::api::View;
use crate::kernel::SimDuration;
use crate::objects::Key;

use super::behaviour::{Behaviour, Dependency, ProbeName};
use super::driver::PodSync;
use super::load::Delayed;
use super::worker::{Cause, Due, ProbeKind, Role, State};

/// Whether a Service has a ready endpoint.
#[must_use]
pub fn has_ready_endpoint(view: &View, service: &Key) -> bool {
    view.slices_of(service).any(|slice| slice.endpoints.iter().any(|endpoint| endpoint.conditions.ready != Some(false)))
}

/// The Service that a dependency of a pod in a namespace is about.
#[must_use]
pub fn service_of(dependency: &Dependency, pod_namespace: &str) -> Key {
    Key::new(dependency.namespace.as_deref().unwrap_or(pod_namespace), dependency.service.clone())
}

impl<'c> PodSync<'_, 'c> {
    pub(super) fn behaviour(&self, at: usize) -> &'c Behaviour {
        self.cx.behaviours.get(self.worker.containers[at].behaviour)
    }

    /// A container runs: draws when it answers its liveness probe, crashes and stops answering. What none of it happens to
    /// draws nothing.
    pub(super) fn draw_troubles(&mut self, at: usize) {
        let behaviour = self.behaviour(at);
        match behaviour.alive.sample(self.cx.bad_luck).map(|alive| self.cx.slowed(alive)) {
            Some(alive) if alive.is_zero() => self.worker.containers[at].alive = true,
            Some(alive) => self.schedule(alive, at, Due::Alive),
            None => {}
        }
        if let Some(crash) = &behaviour.crash {
            let runs = crash.mtbf.sample_lazily(self.cx.bad_luck);
            self.schedule(runs, at, Due::Crash);
        }
        if let Some(deadlock) = &behaviour.deadlock
            && (!deadlock.once || self.worker.containers[at].restarts == 0)
        {
            let works = deadlock.after.sample_lazily(self.cx.bad_luck);
            self.schedule(works, at, Due::Deadlock);
        }
        if let Some(dependency) = &behaviour.depends_on {
            self.worker.containers[at].lacking = self.lacks(dependency);
        }
    }

    pub(super) fn process_crashes(&mut self, at: usize) {
        let code = self.behaviour(at).crash.as_ref().map_or(0, |crash| crash.code);
        self.container_ended(at, i32::from(code), Cause::Exit);
    }

    fn lacks(&self, dependency: &Dependency) -> bool {
        !has_ready_endpoint(self.cx.view, &service_of(dependency, &self.worker.key.namespace))
    }

    /// See [`super::Kubelet::on_dependency`].
    pub(super) fn look_at_dependencies(&mut self) {
        for at in 0..self.worker.containers.len() {
            let Some(dependency) = &self.behaviour(at).depends_on else { continue };
            let lacking = self.lacks(dependency);
            let container = &mut self.worker.containers[at];
            if container.state == State::Running && std::mem::replace(&mut container.lacking, lacking) != lacking {
                self.look_at_probes(at);
            }
        }
    }

    pub(super) fn look_at_all_probes(&mut self) {
        (0..self.worker.containers.len()).for_each(|at| self.look_at_probes(at));
    }

    /// Whether an attempt would succeed now.
    pub(super) fn would_succeed(&self, at: usize, kind: ProbeKind) -> bool {
        let container = &self.worker.containers[at];
        let is_up = match kind {
            // A slow start is what startup probes are for; liveness fails only if the model says so.
            ProbeKind::Liveness => container.alive,
            ProbeKind::Startup | ProbeKind::Readiness => container.answering,
        };
        is_up
            && !container.hung
            && !self.is_held_up(at, kind)
            && self.delayed(at, kind) != Delayed::TurnedAway
            && !self.times_out(at, kind)
    }

    /// Whether a probe fails because of a Service that is missing.
    pub(super) fn is_held_up(&self, at: usize, kind: ProbeKind) -> bool {
        let name = match kind {
            ProbeKind::Startup => ProbeName::Startup,
            ProbeKind::Readiness => ProbeName::Readiness,
            ProbeKind::Liveness => ProbeName::Liveness,
        };
        let dependency = self.behaviour(at).depends_on.as_ref();
        self.worker.containers[at].lacking && dependency.is_some_and(|dependency| dependency.probes.contains(&name))
    }

    /// Whether the answer to a probe comes too late.
    pub(super) fn times_out(&self, at: usize, kind: ProbeKind) -> bool {
        let takes = self.cx.slowed(self.behaviour(at).probe);
        let takes = match self.delayed(at, kind) {
            Delayed::By(wait) => takes + wait,
            Delayed::TurnedAway => takes,
        };
        let timeout = |seconds: i32| SimDuration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1));
        !takes.is_zero() && self.probe_spec(at, kind).is_some_and(|probe| takes > timeout(probe.timeout_seconds))
    }

    /// Something that probes see has changed.
    fn look_at_probes(&mut self, at: usize) {
        let is_probed = !matches!(self.worker.role(at), Role::Init | Role::Ephemeral);
        let container = &self.worker.containers[at];
        if is_probed && container.state == State::Running && container.started {
            self.ask_for_tick(at, ProbeKind::Readiness);
            self.ask_for_tick(at, ProbeKind::Liveness);
        }
    }

    /// The process stops answering, or answers again.
    pub(super) fn set_hung(&mut self, at: usize, hung: bool) {
        if self.worker.containers[at].state != State::Running || self.worker.containers[at].hung == hung {
            return;
        }
        self.worker.containers[at].hung = hung;
        self.look_at_probes(at);
    }
}
