//! What a kubelet remembers of a pod.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::kernel::SimDuration;
use crate::objects::environment::ConfigError;
use crate::objects::{
    ConditionList, Container, Key, Pod, PodSpec, RestartPolicy, RestartRule, Text, Timestamp, Uid, WallTime,
};

use super::behaviour::Behaviours;
use super::usage::Left;

/// Something that a kubelet wants to be told of later. It says what is due and for which state of which pod; one that comes
/// too late, for a state that has passed, does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTimer {
    pub(super) uid: Uid,
    /// The worker that wants it.
    pub(super) generation: u32,
    /// The container's life, or the plan for the pod's end, that it belongs to.
    pub(super) life: u32,
    pub(super) container: u16,
    pub(super) due: Due,
}

impl PodTimer {
    /// The pod that it is about.
    #[must_use]
    pub const fn pod(&self) -> &Uid {
        &self.uid
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A container starts: the first time, again, or after its image could not be had.
    Start,
    /// The postStart hook has returned.
    PostStarted,
    /// A failed pull is shown as backing off.
    PullBackOff,
    /// The image is pulled.
    Pulled,
    /// The application answers.
    Answer,
    /// The application answers its liveness probe.
    Alive,
    /// The process ends by itself.
    Exit,
    /// The process crashes.
    Crash,
    /// The process stops answering.
    Deadlock,
    /// The preStop hook fails.
    PreStopFailed,
    /// A probe's tick.
    Probe(ProbeKind),
    /// A container that was told to stop, to be restarted, has stopped.
    Stopped,
    /// The pod has been active for as long as it may.
    Deadline,
    /// The volumes of the pod are mounted.
    Mounted,
    /// The last container of a pod that ends has stopped.
    End,
    /// A container may use more memory than it may.
    OutOfMemory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

impl ProbeKind {
    /// Its field of a container.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Startup => "startupProbe",
            Self::Readiness => "readinessProbe",
            Self::Liveness => "livenessProbe",
        }
    }
}

/// A pod on its node. Small: there may be a hundred thousand.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) key: Key,
    pub(super) spec: Arc<PodSpec>,
    /// As last reported: keeps the times of transition.
    pub(super) conditions: ConditionList,
    /// When the pod was first synced; the period of startup and liveness probes counts from here.
    pub(super) synced_at: WallTime,
    /// `status.startTime`.
    pub(super) start_time: Timestamp,
    pub(super) generation: u32,
    pub(super) stage: Stage,
    pub(super) address: Option<IpAddr>,
    /// How far its volumes are.
    pub(super) mounts: Mounts,
    /// Whether the sandbox is up.
    pub(super) sandboxed: bool,
    /// Whether a regular container was started in this sandbox.
    pub(super) initialized: bool,
    /// Ran for longer than `activeDeadlineSeconds`.
    pub(super) expired: bool,
    /// The whole pod is about to begin anew.
    pub(super) restarts_all: bool,
    /// Something changed that the status shows.
    pub(super) dirty: bool,
    /// Failed attempts to mount the volumes in a row.
    pub(super) failed_mounts: u8,
    /// Why containers cannot be configured, by their place; few pods have any.
    #[expect(clippy::box_collection, reason = "a pointer is a third of a list")]
    pub(super) config_errors: Option<Box<Vec<(usize, ConfigError)>>>,
    /// What is told of few pods.
    pub(super) extra: Option<Box<Extra>>,
    /// Init containers, then regular ones, then ephemeral ones, each in the order of the spec.
    pub(super) containers: SmallVec<[ContainerWorker; 1]>,
}

/// What is told of few pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Extra {
    /// Why the kubelet ends it, if it does.
    pub(super) verdict: Option<Verdict>,
    /// What is in volumes from earlier lives, where use is modelled.
    pub(super) left: Left,
    /// What the kubelet has from a file.
    pub(super) static_pod: Option<Arc<Pod>>,
}

/// Why a kubelet ends a pod that then counts as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `status.reason`.
    pub(super) reason: Text,
    /// `status.message`.
    pub(super) message: Text,
    /// Message of the condition `DisruptionTarget`, if there is to be one.
    pub(super) disruption: Option<Text>,
}

/// Whether a pod is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Active,
    /// Every container was told to stop.
    Ending {
        /// When the last has stopped.
        ends_at: WallTime,
        /// Number of the plan, which a later one replaces.
        plan: u32,
        /// Whether the API object is to be removed then.
        delete: bool,
        /// Whether the terminal phase is to be reported then.
        report: bool,
    },
}

/// How far the volumes of a pod are. The number is the pod's place in the order of binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mounts {
    /// They are to be bound and attached.
    Waiting {
        ordinal: u64,
        /// What keeps them was told.
        told: bool,
    },
    /// They are being mounted.
    Mounting { ordinal: u64 },
    /// They are there, or there are none.
    Ready,
}

/// A container of a pod on its node.
#[derive(Clone, Debug, Default)]
pub(super) struct ContainerWorker {
    pub(super) behaviour: u32,
    /// Counts changes of `state`; timers of an earlier one are stale.
    pub(super) life: u32,
    pub(super) restarts: u32,
    pub(super) state: State,
    /// Steps of back-off: 0 = the next restart is immediate.
    pub(super) back_off: u8,
    /// Failed pulls in a row.
    pub(super) failed_pulls: u8,
    /// The startup probe has succeeded, or there is none.
    pub(super) started: bool,
    pub(super) ready: bool,
    /// The application has come up.
    pub(super) answering: bool,
    /// It answers its liveness probe.
    pub(super) alive: bool,
    /// The application does not answer any more.
    pub(super) hung: bool,
    /// A Service that it depends on has no ready endpoint.
    pub(super) lacking: bool,
    /// Its image was pulled for the start to come.
    pub(super) pulled: bool,
    /// It will have to be killed: it does not stop within the grace.
    pub(super) killed: bool,
    pub(super) startup: ProbeRun,
    pub(super) readiness: ProbeRun,
    pub(super) liveness: ProbeRun,
    /// Services with a lower id existed when it was last started.
    pub(super) services_before: u32,
    pub(super) running_since: WallTime,
    /// The period of the readiness probe counts from here.
    pub(super) readiness_since: WallTime,
    /// The last end, shown as the state of a container that does not run.
    pub(super) ended: Option<Ended>,
    /// The end before it.
    pub(super) ended_before: Option<Ended>,
}

/// Results of a probe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProbeRun {
    /// Equal results in a row: successes positive, failures negative.
    pub(super) streak: i16,
    /// A tick is due.
    pub(super) ticking: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Its turn has not come.
    #[default]
    Created,
    /// On its way up.
    Starting,
    /// The image could not be had.
    ErrImagePull,
    /// Waits before the next pull.
    ImagePullBackOff,
    /// The image is not there and may not be pulled.
    NeverPull,
    /// Something that its environment needs is missing.
    ConfigError,
    /// Waits for the postStart hook of one before it.
    Queued,
    /// Its process runs, its postStart hook too.
    PostStart,
    /// Its postStart hook has failed, and it is being stopped.
    HookFailed,
    /// Stopped after a hook that failed, about to be restarted.
    HookError,
    Running,
    /// Running, told to stop so that it can be restarted.
    Stopping,
    Exited,
    /// Waits before the next restart.
    CrashLoopBackOff,
}

/// How a life of a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) exit_code: i32,
    pub(super) cause: Cause,
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The process returned or was stopped.
    Exit,
    /// The machine stopped.
    Reboot,
    /// The kernel killed it for the memory it used.
    OutOfMemory,
    /// A rule made the whole pod begin anew.
    RestartAll,
    /// It never ran, or nothing is known of it.
    Lost,
}

impl ContainerWorker {
    pub(super) const fn is_running(&self) -> bool {
        matches!(self.state, State::PostStart | State::HookFailed | State::Running | State::Stopping)
    }

    /// Whether it is shown as running: once its postStart hook has returned.
    pub(super) const fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Stopping)
    }

    /// Whether the postStart hook of a life other than the first is running, which nothing shows yet.
    pub(super) const fn is_restarting(&self) -> bool {
        self.is_hooking() && self.ended.is_some()
    }

    /// Whether its postStart hook runs, or what a failed one leaves is cleared away.
    pub(super) const fn is_hooking(&self) -> bool {
        matches!(self.state, State::PostStart | State::HookFailed)
    }

    pub(super) fn set_state(&mut self, state: State) {
        self.state = state;
        self.life = self.life.wrapping_add(1);
        for probe in [&mut self.startup, &mut self.readiness, &mut self.liveness] {
            *probe = ProbeRun::default();
        }
    }

    pub(super) fn end(&mut self, exit_code: i32, cause: Cause, now: WallTime) {
        let started_at = if matches!(cause, Cause::Lost | Cause::RestartAll) {
            Timestamp::default()
        } else {
            self.running_since.timestamp()
        };
        self.ended_before = self.ended;
        self.ended = Some(Ended { exit_code, cause, started_at, finished_at: now.timestamp() });
        self.set_state(State::Exited);
        (self.started, self.ready, self.answering, self.hung) = (false, false, false, false);
        (self.alive, self.lacking) = (false, false);
    }

    pub(super) const fn probe(&mut self, kind: ProbeKind) -> &mut ProbeRun {
        match kind {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Liveness => &mut self.liveness,
        }
    }
}

impl Worker {
    pub(super) fn new(pod: &Pod, generation: u32, behaviours: &Behaviours, now: WallTime) -> Self {
        let spec = &pod.spec;
        let containers = spec.init_containers.iter().chain(&spec.containers).chain(&spec.ephemeral_containers);
        let container = |spec: &Container| ContainerWorker {
            behaviour: behaviours.index(&spec.image),
            ..ContainerWorker::default()
        };
        Self {
            key: Key::new(pod.meta.namespace.clone(), pod.meta.name.clone()),
            spec: pod.spec.clone(),
            conditions: pod.status.conditions.clone(),
            synced_at: now,
            start_time: pod.status.start_time.unwrap_or_else(|| now.timestamp()),
            generation,
            stage: Stage::Active,
            address: None,
            mounts: Mounts::Ready,
            sandboxed: false,
            initialized: false,
            expired: false,
            restarts_all: false,
            dirty: true,
            failed_mounts: 0,
            config_errors: None,
            extra: None,
            containers: containers.map(container).collect(),
        }
    }

    /// Whether the kubelet has the pod from elsewhere than the API server.
    pub(super) fn is_static(&self) -> bool {
        self.static_pod().is_some()
    }

    /// Whether the pod's object brings a spec other than the one that is worked on, and one that can be taken over.
    pub(super) fn is_changed_by(&self, pod: &Pod) -> bool {
        let (old, new) = (&self.spec, &pod.spec);
        !Arc::ptr_eq(old, new)
            && old.init_containers.len() == new.init_containers.len()
            && old.containers.len() == new.containers.len()
            && old.ephemeral_containers.len() <= new.ephemeral_containers.len()
    }

    /// Why the kubelet ends the pod, if it does.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.extra.as_ref()?.verdict.as_ref()
    }

    /// A number that changes when a container starts or ends.
    pub(super) fn lives(&self) -> u32 {
        self.containers.iter().fold(0, |sum, container| sum.wrapping_add(container.life))
    }

    pub(super) fn is_ending(&self) -> bool {
        self.stage != Stage::Active
    }

    /// How many of the containers are init containers.
    pub(super) fn init_count(&self) -> usize {
        self.spec.init_containers.len()
    }

    /// The spec of a container by its place.
    pub(super) fn container_spec(&self, at: usize) -> &Container {
        let (init, main) = (&self.spec.init_containers, &self.spec.containers);
        match at.checked_sub(init.len()) {
            None => &init[at],
            Some(at) if at < main.len() => &main[at],
            Some(at) => &self.spec.ephemeral_containers[at - main.len()],
        }
    }

    pub(super) fn role(&self, at: usize) -> Role {
        match self.spec.init_containers.get(at) {
            None if at >= self.init_count() + self.spec.containers.len() => Role::Ephemeral,
            None => Role::Main,
            Some(init) if init.is_sidecar() => Role::Sidecar,
            Some(_) => Role::Init,
        }
    }

    pub(super) fn places(&self, role: Role) -> impl Iterator<Item = usize> + '_ {
        (0..self.containers.len()).filter(move |at| self.role(*at) == role)
    }

    /// The rule of a container for an exit code.
    pub(super) fn rule_for(&self, at: usize, exit_code: i32) -> Option<&RestartRule> {
        self.container_spec(at).restart_policy_rules.iter().find(|rule| rule.matches(exit_code))
    }

    /// Whether a container's end may make the whole pod begin anew.
    pub(super) fn may_restart_all(&self) -> bool {
        let containers = self.spec.init_containers.iter().chain(&self.spec.containers);
        containers.flat_map(|container| &container.restart_policy_rules).any(RestartRule::restarts_all)
    }

    /// Whether a container that ended so is started again (upstream `podutil.ContainerShouldRestart`).
    pub(super) fn restarts_after(&self, at: usize, exit_code: i32) -> bool {
        if self.rule_for(at, exit_code).is_some() {
            return true;
        }
        let policy = match self.container_spec(at).restart_policy.as_deref() {
            Some("Always") => RestartPolicy::Always,
            Some("OnFailure") => RestartPolicy::OnFailure,
            Some("Never") => RestartPolicy::Never,
            _ => self.spec.restart_policy,
        };
        match (self.role(at), policy) {
            (Role::Ephemeral, _) | (_, RestartPolicy::Never) => false,
            (Role::Sidecar, _) | (Role::Main, RestartPolicy::Always) => true,
            _ => exit_code != 0,
        }
    }

    /// Whether a container has ended and stays so.
    pub(super) fn is_over(&self, at: usize) -> bool {
        let container = &self.containers[at];
        container.state == State::Exited
            && container.ended.is_some_and(|ended| !self.restarts_after(at, ended.exit_code))
    }
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Runs to its end before the next one.
    Init,
    /// Starts in its turn and runs beside the regular ones.
    Sidecar,
    /// A regular container.
    Main,
    /// Added to look into the pod; nothing waits for it.
    Ephemeral,
}

/// From `now` until `then`; zero if that has passed.
pub(super) fn until(now: WallTime, then: WallTime) -> SimDuration {
    SimDuration::from_nanos(u64::try_from(then.nanos_since(now)).unwrap_or(0))
}

/// `now` plus a duration, saturating.
pub(super) fn after(now: WallTime, delay: SimDuration) -> WallTime {
    now.plus_nanos(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX))
}
