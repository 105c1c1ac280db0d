//! The status of a pod as the kubelet reports it.

use std::fmt::Write as _;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::Request;
use crate::objects::{
    Condition, ConditionStatus, Conditions, ContainerState, ContainerStatus, DISRUPTION_TARGET, KUBELET_CONDITIONS,
    Pod, PodPhase, PodStatus, SharedList, Terminated, Text, disruption_reason,
};

use super::driver::PodSync;
use super::events::pull_error;
use super::worker::{Cause, Ended, Role, State};

/// Whether a condition holds, why, and for people.
type Finding = (bool, Text, Text);

const HOLDS: Finding = (true, Text::Static(""), Text::Static(""));

/// Reason of a container that a rule of another one, or of its own, takes away.
const RESTARTING_ALL: &str = "RestartingAllContainers";
const REMOVED: &str = "The container is removed because RestartAllContainers in place";

fn unmet(reason: &'static str, message: impl Into<Text>) -> Finding {
    (false, reason.into(), message.into())
}

/// Lists of the latest reports. Pods that start together go through the same states: what is equal is kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest {
    conditions: Ring<Condition>,
    containers: Ring<ContainerStatus>,
}

/// As many lists as a pod usually reports on its way up.
#[derive(Clone, Debug)]
struct Ring<T> {
    lists: [SharedList<T>; 4],
    /// After the one that was reported last.
    next: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { lists: std::array::from_fn(|_| SharedList::new()), next: 0 }
    }
}

impl<T: PartialEq> Ring<T> {
    /// The list, shared with an earlier one that is equal.
    fn share(&mut self, list: impl AsRef<[T]> + Into<SharedList<T>>) -> SharedList<T> {
        // Where another pod was a moment ago, this one is likely to go on as that did.
        let (first, last) = self.lists.split_at(self.next);
        let equal = last.iter().chain(first).position(|known| **known == *list.as_ref());
        let at = (self.next + equal.unwrap_or(0)) % self.lists.len();
        self.next = (at + 1) % self.lists.len();
        if equal.is_none() {
            self.lists[at] = list.into();
        }
        self.lists[at].clone()
    }
}

impl PodSync<'_, '_> {
    /// Writes the status if something that it shows has changed. A pod that ends is shown as it was.
    pub(super) fn report_changes(&mut self) {
        if self.worker.dirty && !self.worker.is_ending() {
            self.report(false);
        }
    }

    /// Reports the status.
    pub(super) fn report(&mut self, terminal: bool) {
        self.worker.dirty = false;
        let Some(current) = self.object().cloned() else { return };
        let status = self.status(&current, terminal);
        self.worker.conditions = status.conditions.clone();
        self.cx.effects.requests.push(Request::ReportPod {
            pod: self.worker.key.clone(),
            uid: current.meta.uid.clone(),
            status: Arc::new(status),
        });
    }

    fn status(&mut self, current: &Pod, terminal: bool) -> PodStatus {
        let phase = if terminal { self.terminal_phase() } else { self.phase() };
        let generation = (current.meta.generation > 0).then_some(current.meta.generation);
        let conditions = self.conditions(current, phase, generation);
        let mut main: Vec<_> = self.worker.places(Role::Main).map(|at| self.container_status(at)).collect();
        main.sort_by(|a, b| a.name.cmp(&b.name));
        let init: SharedList<_> = (0..self.worker.init_count()).map(|at| self.container_status(at)).collect();
        let ephemeral = self.worker.places(Role::Ephemeral).map(|at| self.container_status(at)).collect();
        let worker = &self.worker;
        let (reason, message) = match worker.verdict() {
            Some(verdict) if terminal => (verdict.reason.clone(), verdict.message.clone()),
            _ if worker.expired && terminal => {
                ("DeadlineExceeded".into(), "Pod was active on the node longer than the specified deadline".into())
            }
            _ => (Text::default(), Text::default()),
        };
        PodStatus {
            observed_generation: generation,
            phase,
            conditions: self.latest.conditions.share(conditions),
            message,
            reason,
            nominated_node_name: Text::default(),
            host_ip: Some(self.node.address),
            pod_ip: worker.address,
            start_time: Some(worker.start_time),
            init_container_statuses: init,
            container_statuses: self.latest.containers.share(main),
            ephemeral_container_statuses: ephemeral,
            qos_class: current.status.qos_class.or(Some(worker.spec.qos_class)),
        }
    }

    /// The phase of a pod that is not over (upstream `getPhase`).
    fn phase(&self) -> PodPhase {
        let worker = &self.worker;
        let (mut running, mut stopped, mut waiting) = (false, false, false);
        for (at, container) in worker.containers.iter().enumerate() {
            let (role, failed) = (worker.role(at), container.ended.is_some_and(|ended| ended.exit_code != 0));
            let never_ran = !container.is_up() && container.ended.is_none();
            match role {
                // One that failed for good fails the pod, which is said once nothing runs any more.
                Role::Init if container.is_up() || never_ran || (failed && worker.is_over(at)) => {
                    return PodPhase::Pending;
                }
                Role::Init | Role::Ephemeral => {}
                Role::Sidecar if container.is_up() => {
                    waiting |= !container.started && !worker.initialized;
                    running = true;
                }
                Role::Sidecar => waiting |= never_ran,
                Role::Main if container.is_up() => running = true,
                Role::Main => {
                    stopped |= !never_ran;
                    waiting |= never_ran;
                }
            }
        }
        if waiting || !(running || stopped) { PodPhase::Pending } else { PodPhase::Running }
    }

    /// The phase of a pod that is over: `Succeeded` if every regular container ended well.
    fn terminal_phase(&self) -> PodPhase {
        let worker = &self.worker;
        let well = |at: usize| worker.containers[at].ended.is_some_and(|ended| ended.exit_code == 0);
        let ended_early = worker.expired || worker.verdict().is_some();
        if !ended_early && worker.places(Role::Main).all(well) { PodPhase::Succeeded } else { PodPhase::Failed }
    }

    fn conditions(&self, current: &Pod, phase: PodPhase, generation: Option<i64>) -> SmallVec<[Condition; 6]> {
        let sandbox = self.worker.sandboxed && !matches!(phase, PodPhase::Succeeded | PodPhase::Failed);
        let containers_ready = self.containers_ready(phase);
        let ready = if containers_ready.0 { self.gates_open(current) } else { containers_ready.clone() };
        let sandbox = if sandbox { HOLDS } else { unmet("", "") };
        let findings = [sandbox, self.initialized(phase), ready, containers_ready, HOLDS];
        let is_over = matches!(phase, PodPhase::Succeeded | PodPhase::Failed);
        let disruption = self.worker.verdict().filter(|_| is_over).and_then(|verdict| verdict.disruption.clone());
        let disruption = disruption
            .map(|message| (DISRUPTION_TARGET, (true, disruption_reason::TERMINATION_BY_KUBELET.into(), message)));
        let owned = disruption.into_iter().chain(KUBELET_CONDITIONS.into_iter().zip(findings));
        let mut list: SmallVec<_> = owned.map(|(kind, finding)| self.condition(kind, finding, generation)).collect();
        if self.worker.may_restart_all() {
            list.push(self.condition("AllContainersRestarting", self.restarting_all(phase), generation));
        }
        list
    }

    /// A condition, with the time of its last change of status.
    fn condition(&self, kind: &'static str, (holds, reason, message): Finding, generation: Option<i64>) -> Condition {
        let status = ConditionStatus::of(holds);
        let before = self.worker.conditions.find(kind).filter(|before| before.status == status);
        Condition {
            kind: kind.into(),
            status,
            observed_generation: generation,
            last_transition_time: before
                .map_or_else(|| Some(self.cx.now.timestamp()), |before| before.last_transition_time),
            reason,
            message,
            ..Condition::default()
        }
    }

    fn restarting_all(&self, phase: PodPhase) -> Finding {
        match phase {
            PodPhase::Succeeded => unmet("PodCompleted", ""),
            PodPhase::Failed => unmet("PodFailed", ""),
            _ if self.worker.restarts_all => {
                (true, "RestartAllContainersStarted".into(), "container exited with restart policy rule".into())
            }
            _ => unmet("", ""),
        }
    }

    fn containers_ready(&self, phase: PodPhase) -> Finding {
        match phase {
            PodPhase::Succeeded => return unmet("PodCompleted", ""),
            PodPhase::Failed => return unmet("PodFailed", ""),
            PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => {}
        }
        let unready = self.names(|at| {
            matches!(self.worker.role(at), Role::Main | Role::Sidecar) && !self.worker.containers[at].ready
        });
        match unready {
            Some(names) => unmet("ContainersNotReady", format!("containers with unready status: [{names}]")),
            None => HOLDS,
        }
    }

    fn gates_open(&self, current: &Pod) -> Finding {
        let mut closed = String::new();
        for gate in &self.worker.spec.readiness_gates {
            let kind = &gate.condition_type;
            let separator = if closed.is_empty() { "" } else { ", " };
            let written = match current.status.conditions.find(kind).map(|condition| condition.status) {
                Some(ConditionStatus::True) => Ok(()),
                Some(status) => write!(
                    closed,
                    "{separator}the status of pod readiness gate {kind:?} is not \"True\", but {}",
                    status.as_str()
                ),
                None => {
                    write!(closed, "{separator}corresponding condition of pod readiness gate {kind:?} does not exist.")
                }
            };
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        }
        if closed.is_empty() { HOLDS } else { unmet("ReadinessGatesNotReady", closed) }
    }

    /// Whether readiness gates make the `Ready` that was reported out of date.
    pub(super) fn gates_moved(&self, current: &Pod) -> bool {
        if self.worker.spec.readiness_gates.is_empty() || !self.worker.conditions.is_true("ContainersReady") {
            return false;
        }
        let (holds, _, message) = self.gates_open(current);
        let reported = self.worker.conditions.find("Ready");
        reported.is_none_or(|ready| ready.status != ConditionStatus::of(holds) || ready.message != message)
    }

    fn initialized(&self, phase: PodPhase) -> Finding {
        let worker = &self.worker;
        if phase == PodPhase::Succeeded {
            return (true, "PodCompleted".into(), Text::default());
        }
        let incomplete = |at: usize| match worker.role(at) {
            Role::Main | Role::Ephemeral => false,
            Role::Sidecar => !worker.containers[at].started,
            Role::Init => !self.is_done(at),
        };
        // Once initialized, always initialized.
        if worker.initialized || worker.conditions.is_true("Initialized") {
            return HOLDS;
        }
        match self.names(incomplete) {
            Some(names) => unmet("ContainersNotInitialized", format!("containers with incomplete status: [{names}]")),
            None => HOLDS,
        }
    }

    fn is_done(&self, at: usize) -> bool {
        let container = &self.worker.containers[at];
        container.state == State::Exited && container.ended.is_some_and(|ended| ended.exit_code == 0)
    }

    /// Names of the containers that have a property, separated by spaces; `None` if there are none.
    fn names(&self, chosen: impl Fn(usize) -> bool) -> Option<String> {
        let mut places = (0..self.worker.containers.len()).filter(|at| chosen(*at));
        let mut names = self.worker.container_spec(places.next()?).name.to_string();
        for at in places {
            names.push(' ');
            names.push_str(&self.worker.container_spec(at).name);
        }
        Some(names)
    }

    fn container_status(&self, at: usize) -> ContainerStatus {
        let container = &self.worker.containers[at];
        let spec = self.worker.container_spec(at);
        let (state, last) = match container.state {
            State::Running | State::Stopping => {
                (ContainerState::Running { started_at: container.running_since.timestamp() }, container.ended)
            }
            State::Exited => (terminated(container.ended), container.ended_before),
            _ => (self.waiting(at), container.ended),
        };
        ContainerStatus {
            name: spec.name.clone(),
            state,
            last_state: terminated(last),
            ready: container.ready || (self.worker.role(at) == Role::Init && self.is_done(at)),
            restart_count: i32::try_from(container.restarts.saturating_sub(u32::from(container.is_restarting())))
                .unwrap_or(i32::MAX),
            image: spec.image.clone(),
            started: Some(container.is_up() && container.started),
        }
    }

    fn waiting(&self, at: usize) -> ContainerState {
        let spec = self.worker.container_spec(at);
        let (reason, message) = match self.worker.containers[at].state {
            State::ErrImagePull => ("ErrImagePull", pull_error(&spec.image)),
            State::ImagePullBackOff => (
                "ImagePullBackOff",
                format!("Back-off pulling image \"{0}\": ErrImagePull: {1}", spec.image, pull_error(&spec.image)),
            ),
            State::CrashLoopBackOff => (
                "CrashLoopBackOff",
                format!(
                    "back-off {} restarting failed container={} pod={}",
                    self.restart_wait(at),
                    spec.name,
                    self.full_name()
                ),
            ),
            State::NeverPull => ("ErrImageNeverPull", self.not_present(at)),
            State::HookError => ("PostStartHookError", self.post_start_error(at)),
            State::ConfigError => ("CreateContainerConfigError", self.config_error(at)),
            _ if self.worker.containers[at].ended.is_some_and(|ended| ended.cause == Cause::RestartAll) => {
                (RESTARTING_ALL, REMOVED.to_owned())
            }
            _ if self.worker.init_count() > 0 && self.worker.role(at) != Role::Ephemeral => {
                ("PodInitializing", String::new())
            }
            _ => ("ContainerCreating", String::new()),
        };
        ContainerState::Waiting { reason: reason.into(), message: message.into() }
    }
}

fn terminated(ended: Option<Ended>) -> ContainerState {
    let Some(ended) = ended else { return ContainerState::None };
    let known = !matches!(ended.cause, Cause::Lost | Cause::RestartAll);
    let (reason, message) = match (ended.cause, ended.exit_code) {
        (Cause::Exit, 0) => ("Completed", ""),
        (Cause::Exit, _) => ("Error", ""),
        (Cause::Reboot, _) => ("Unknown", ""),
        (Cause::OutOfMemory, _) => ("OOMKilled", ""),
        (Cause::RestartAll, _) => (RESTARTING_ALL, REMOVED),
        (Cause::Lost, _) => {
            ("ContainerStatusUnknown", "The container could not be located when the pod was terminated")
        }
    };
    ContainerState::Terminated(Box::new(Terminated {
        exit_code: ended.exit_code,
        // Container runtimes report the exit code only.
        signal: 0,
        reason: reason.into(),
        message: message.into(),
        started_at: known.then_some(ended.started_at),
        finished_at: known.then_some(ended.finished_at),
    }))
}
