//! From bound to running and through restarts: the order of containers, image pulls, exits and back-off.

use std::sync::Arc;

use crate::api::EventKind;
use crate::kernel::SimDuration;
use crate::objects::{ConditionStatus, ContainerState, ContainerStatus, Pod, RestartRule, WallTime};

use super::behaviour::Exit;
use super::driver::PodSync;
use super::worker::{Cause, Due, Mounts, Role, State, after, until};

/// First wait of restarts and pulls; doubles (upstream `--container-restart` and image back-off).
const BACK_OFF_BASE: SimDuration = SimDuration::from_secs(10);
/// Longest wait of restarts and pulls. After a life of twice this, a container is restarted at once again.
const BACK_OFF_MAX: SimDuration = SimDuration::from_secs(300);
/// Upstream's requeue of a pod whose sync failed.
const SANDBOX_RETRY: SimDuration = SimDuration::from_secs(10);
/// What the runtime says of processes that ended with the machine.
const EXIT_CODE_REBOOT: i32 = 255;

/// The wait of the `step`-th back-off, counted from 1.
pub(super) fn back_off(step: u8) -> SimDuration {
    let doubled = BACK_OFF_BASE * (1 << u64::from(step.saturating_sub(1).min(10)));
    doubled.min(BACK_OFF_MAX)
}

impl<'c> PodSync<'_, 'c> {
    /// A new pod.
    pub(super) fn begin(&mut self, ordinal: u64) {
        if self.worker.spec.host_network {
            self.worker.address = Some(self.node.address);
        }
        self.watch_deadline();
        self.launch_ephemeral();
        self.set_up_volumes(ordinal);
    }

    /// A pod that the machine had before it stopped: its processes are gone.
    pub(super) fn resume(&mut self, pod: &Arc<Pod>) {
        let status = &pod.status;
        let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
        let statuses = statuses.chain(&status.ephemeral_container_statuses);
        for known in statuses {
            let place = (0..self.worker.containers.len()).find(|at| self.worker.container_spec(*at).name == known.name);
            place.into_iter().for_each(|at| self.resume_container(at, known));
        }
        self.worker.expired = false;
        if pod.meta.is_deleting() {
            return self.end_now(true);
        }
        self.begin(0);
        if self.all_over() {
            self.end_now(false);
        }
    }

    /// What ran is found ended; what had ended well stays so, init containers excepted: those run again in the new sandbox.
    fn resume_container(&mut self, at: usize, known: &ContainerStatus) {
        let (now, role) = (self.cx.now, self.worker.role(at));
        let container = &mut self.worker.containers[at];
        container.restarts = u32::try_from(known.restart_count).unwrap_or(0);
        match (&known.state, &known.last_state) {
            (ContainerState::Running { started_at }, _) => {
                container.running_since = started_at.wall();
                container.end(EXIT_CODE_REBOOT, Cause::Reboot, now);
            }
            (ContainerState::Terminated(end), _) | (_, ContainerState::Terminated(end)) => {
                container.running_since = end.started_at.unwrap_or_default().wall();
                container.end(end.exit_code, Cause::Exit, end.finished_at.unwrap_or_default().wall());
            }
            _ => return,
        }
        let exit_code = self.worker.containers[at].ended.map_or(0, |ended| ended.exit_code);
        if role == Role::Init || self.worker.restarts_after(at, exit_code) {
            self.worker.containers[at].set_state(State::Created);
        }
    }

    /// The pod's object changed.
    pub(super) fn update(&mut self, pod: &Arc<Pod>) {
        self.take_spec(pod);
        if pod.meta.is_deleting() {
            self.delete(pod);
        } else {
            self.worker.dirty |= self.overruled(pod) || self.gates_moved(pod);
        }
    }

    /// Whether somebody else (the node lifecycle controller) has changed what the kubelet says of readiness.
    pub(super) fn overruled(&self, pod: &Pod) -> bool {
        let ready = |conditions: &[crate::objects::Condition]| {
            let ready = conditions.iter().find(|condition| condition.kind == "Ready");
            ready.map(|condition| (condition.status == ConditionStatus::True, condition.last_transition_time))
        };
        match (ready(&self.worker.conditions), ready(&pod.status.conditions)) {
            (Some((mine, since)), Some((theirs, changed))) => mine != theirs && changed >= since,
            _ => false,
        }
    }

    /// Sets the containers going whose turn it is: init containers one after the other, a sidecar until it is started, then
    /// all regular ones. `ordinal` is given for a pod's first ones.
    pub(super) fn advance(&mut self, ordinal: Option<u64>) {
        if self.worker.mounts != Mounts::Ready {
            return;
        }
        for at in 0..self.worker.containers.len() {
            if self.worker.role(at) == Role::Ephemeral {
                return;
            }
            let container = &self.worker.containers[at];
            if container.state == State::Created {
                self.launch(at, ordinal);
            }
            let container = &self.worker.containers[at];
            let holds_the_rest = match self.worker.role(at) {
                Role::Main | Role::Ephemeral => false,
                Role::Sidecar => !container.started && !self.worker.initialized,
                Role::Init => {
                    container.state != State::Exited || container.ended.is_some_and(|ended| ended.exit_code != 0)
                }
            };
            if holds_the_rest {
                return;
            }
        }
    }

    pub(super) fn launch(&mut self, at: usize, ordinal: Option<u64>) {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let stagger = behaviour.start_stagger.zip(ordinal).map(|(stagger, ordinal)| stagger.delay(ordinal));
        let start = behaviour.start.sample_lazily(self.cx.luck);
        let delay = self.cx.slowed(start) + stagger.unwrap_or_default();
        let container = &mut self.worker.containers[at];
        container.set_state(State::Starting);
        self.schedule(delay, at, Due::Start);
    }

    /// The container starts now, unless the pod ends or something is missing: a volume, an address, its image, or what its
    /// environment is made of.
    pub(super) fn start_container(&mut self, at: usize) {
        if self.worker.is_ending() || self.waits_for_a_hook(at) || !self.ensure_volumes(at) || !self.ensure_address(at)
        {
            return;
        }
        if !self.ensure_image(at) || !self.ensure_environment(at) {
            return;
        }
        let (now, role) = (self.cx.now, self.worker.role(at));
        let services_before = self.cx.view.services.next_id();
        let container = &mut self.worker.containers[at];
        if container.ended.is_some() {
            container.restarts = container.restarts.saturating_add(1);
        }
        (container.running_since, container.failed_pulls) = (now, 0);
        container.services_before = services_before;
        self.worker.initialized |= role == Role::Main;
        self.say_started(at);
        match self.post_start_time(at) {
            hook if hook.is_zero() && !self.post_start_fails(at) => self.container_runs(at),
            hook => {
                self.worker.containers[at].set_state(State::PostStart);
                self.schedule(hook, at, Due::PostStarted);
            }
        }
    }

    /// The container is up, its postStart hook done.
    pub(super) fn container_runs(&mut self, at: usize) {
        let role = self.worker.role(at);
        let has_startup_probe = role != Role::Init && self.worker.container_spec(at).startup_probe.is_some();
        let container = &mut self.worker.containers[at];
        container.set_state(State::Running);
        container.started = !has_startup_probe;
        self.worker.dirty = true;
        self.open_data(at);
        self.draw_life(at, role);
        self.begin_probes(at);
        self.watch_memory();
        if role == Role::Sidecar {
            self.advance(None);
        }
    }

    /// Draws how long the application takes to answer and when the process ends.
    fn draw_life(&mut self, at: usize, role: Role) {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let answer = behaviour.ready.sample(self.cx.luck).map(|answer| self.cx.slowed(answer));
        let exit_after = self.exit_of(at).map(|exit| exit.after.sample_lazily(self.cx.luck));
        let exit_after = exit_after.map(|exit| self.cx.slowed(exit));
        // An init container of which nothing is said does its work and ends well.
        let exit_after = if role == Role::Init { exit_after.or(answer) } else { exit_after };
        if let Some(delay) = exit_after {
            self.schedule(delay, at, Due::Exit);
        }
        match answer {
            _ if role == Role::Init => {}
            Some(delay) if delay.is_zero() => self.worker.containers[at].answering = true,
            Some(delay) => self.schedule(delay, at, Due::Answer),
            None => {}
        }
        self.draw_troubles(at);
    }

    /// Sees to it that the pod's sandbox has an address.
    fn ensure_address(&mut self, at: usize) -> bool {
        self.worker.address = self.worker.address.or_else(|| self.addresses.take());
        self.worker.sandboxed = self.worker.address.is_some();
        if self.worker.sandboxed {
            return true;
        }
        let (first, last) = self.addresses.bounds();
        let message = format!(
            "Failed to create pod sandbox: failed to allocate for range 0: no IP addresses available in range set: {first}-{last}"
        );
        self.pod_event(EventKind::Warning, "FailedCreatePodSandBox", message);
        self.schedule(SANDBOX_RETRY, at, Due::Start);
        false
    }

    /// The process has ended by itself.
    pub(super) fn process_exits(&mut self, at: usize) {
        let exit_code = self.exit_of(at).map_or(0, |exit| i32::from(exit.code));
        self.container_ended(at, exit_code, Cause::Exit);
    }

    /// How the present life of a container ends by itself.
    fn exit_of(&self, at: usize) -> Option<&'c Exit> {
        let container = &self.worker.containers[at];
        let exit = self.cx.behaviours.get(container.behaviour).exit.as_ref();
        exit.filter(|exit| container.restarts == 0 || !exit.once)
    }

    pub(super) fn container_ended(&mut self, at: usize, exit_code: i32, cause: Cause) {
        let now = self.cx.now;
        let by_hook = self.worker.containers[at].state == State::HookFailed;
        self.worker.leave_volumes(at, self.cx.behaviours, now);
        self.worker.containers[at].end(exit_code, cause, now);
        if self.worker.is_ending() {
            return self.ended_while_ending();
        }
        self.worker.dirty = true;
        if self.worker.rule_for(at, exit_code).is_some_and(RestartRule::restarts_all) {
            self.restart_all();
        } else if self.worker.restarts_after(at, exit_code) {
            self.restart(at, by_hook);
        } else if self.all_over() {
            self.end_now(false);
        } else if self.nothing_left_but_sidecars() {
            self.report(false);
            self.end_sidecars();
        } else if self.worker.role(at) == Role::Init {
            self.advance(None);
        }
    }

    /// Starts an ended container again: at once the first time, then after ever longer waits.
    fn restart(&mut self, at: usize, by_hook: bool) {
        let now = self.cx.now;
        let container = &mut self.worker.containers[at];
        let calm = after(container.running_since, BACK_OFF_MAX * 2);
        if now > calm {
            container.back_off = 0;
        }
        let step = container.back_off;
        container.back_off = step.saturating_add(1);
        if step == 0 {
            if by_hook {
                container.set_state(State::HookError);
            }
            return self.schedule(SimDuration::ZERO, at, Due::Start);
        }
        container.set_state(State::CrashLoopBackOff);
        self.say_restart_backs_off(at);
        self.schedule(back_off(step), at, Due::Start);
    }

    /// The wait that a container in `CrashLoopBackOff` is in.
    pub(super) fn restart_wait(&self, at: usize) -> SimDuration {
        back_off(self.worker.containers[at].back_off.saturating_sub(1))
    }

    /// Whether the regular containers, or an init container on the way to them, have ended for good and nothing else runs.
    pub(super) fn all_over(&self) -> bool {
        self.work_is_over() && self.worker.containers.iter().all(|container| !container.is_running())
    }

    fn nothing_left_but_sidecars(&self) -> bool {
        let worker = &self.worker;
        self.work_is_over()
            && worker.places(Role::Main).chain(worker.places(Role::Init)).all(|at| !worker.containers[at].is_running())
    }

    fn work_is_over(&self) -> bool {
        let worker = &self.worker;
        let failed =
            |at: usize| worker.is_over(at) && worker.containers[at].ended.is_some_and(|ended| ended.exit_code != 0);
        worker.places(Role::Init).any(failed) || worker.places(Role::Main).all(|at| worker.is_over(at))
    }

    fn watch_deadline(&mut self) {
        let Some(seconds) = self.worker.spec.active_deadline_seconds else { return };
        let deadline: WallTime = self.worker.start_time.plus_secs(seconds).wall();
        self.schedule_for(until(self.cx.now, deadline), 0, 0, Due::Deadline);
    }
}
