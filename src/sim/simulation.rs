//! The simulation: its state and its loop.

use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{KindSet, Request, Response, View};
use crate::apiserver::{ApiServer, EventRecorder};
use crate::kernel::{EventQueue, Purpose, SimDuration, SimTime, Streams};
use crate::kubelet::{Behaviours, Disks, Effects};
use crate::metrics::MetricsConfig;
use crate::network::Network;
use crate::objects::{Conditions, Key, WallTime};
use crate::scheduler::Scheduler;

use super::autoscaler::AutoscalerProcess;
use super::controller::{ControllerHost, Now};
use super::delays::Delays;
use super::dependants::Dependants;
use super::disturbances::{ControlPlane, Disturbances};
use super::drain::Drain;
use super::event::Event;
use super::faults::Injector;
use super::kubelets::Kubelets;
use super::livelock::{Instant, Livelock};
use super::machines::Cloud;
use super::managers::Manager;
use super::metrics::MetricsProcess;
use super::recorder::{Record, Recording, StepRecord};
use super::scheduling::SchedulerProcess;
use super::watch::{BY_KUBELETS, BY_SCHEDULER, Informer, WatchLog};

const WRITE_DELAYS: Purpose = Purpose::new(0x5ea_0001);

/// A simulated cluster. Cloning it forks the run: both go on from the same instant, and share what they have in
/// common.
#[derive(Clone)]
pub struct Simulation {
    pub(super) queue: EventQueue<Event>,
    /// Pending events that alone do not keep a cluster busy: heartbeats, faults, timers of nodes, and timers of controllers, of which their queues know
    /// whether a key still waits for them.
    pub(super) background: usize,
    pub(super) server: ApiServer,
    pub(super) log: WatchLog,
    pub(super) managers: Vec<Manager>,
    pub(super) scheduler: SchedulerProcess,
    pub(super) kubelets: Kubelets,
    /// Traffic; `None` = there is no client.
    pub(super) network: Option<Box<Network>>,
    pub(super) recording: Recording,
    pub(super) recorders: Recorders,
    /// Drains by number; those that ended leave a gap.
    pub(super) drains: Vec<Option<Drain>>,
    pub(super) faults: Vec<Injector>,
    /// The cluster autoscaler, if there are node groups.
    pub(super) autoscaler: Option<Box<AutoscalerProcess>>,
    /// What is measured.
    pub(super) metrics: MetricsProcess,
    pub(super) disturbances: Disturbances,
    pub(super) control_plane: ControlPlane,
    pub(super) cloud: Cloud,
    pub(super) delays: Delays,
    pub(super) streams: Streams,
    pub(super) epoch: WallTime,
    pub(super) last_change: SimTime,
    pub(super) last_news: SimTime,
    pub(super) changes: u64,
    /// Those of them that an event made.
    pub(super) changes_by_events: u64,
    pub(super) timers: Vec<(Key, SimTime)>,
    pub(super) instant: Instant,
    pub(super) livelock: Option<Box<Livelock>>,
    pub(super) events: u64,
    pub(super) event_limit: u64,
    pub(super) pod_limit: usize,
}

/// Who records Events: one recorder a process, as each has its own memory of what it said before.
#[derive(Clone, Default)]
pub(super) struct Recorders {
    pub(super) enabled: bool,
    pub(super) by_component: FxHashMap<(&'static str, u32), EventRecorder>,
}

/// Parts of a new simulation, put together by the builder.
pub(super) struct Parts {
    pub(super) seed: u64,
    pub(super) epoch: WallTime,
    pub(super) delays: Delays,
    pub(super) behaviours: Behaviours,
    pub(super) recording: Recording,
    pub(super) record_events: bool,
    pub(super) managers: Vec<Vec<Box<dyn ControllerHost>>>,
    pub(super) scheduler: Scheduler,
    pub(super) control_plane: ControlPlane,
    pub(super) network: Option<Box<Network>>,
    pub(super) in_cloud: bool,
    pub(super) metrics: MetricsConfig,
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").field("now", &self.now()).field("pods", &self.view().pods.len()).finish()
    }
}

impl Simulation {
    pub(super) fn assemble(parts: Parts) -> Self {
        let streams = Streams::new(parts.seed);
        let lags = !parts.delays.watch.is_zero();
        let writes = |process: u64| streams.stream(WRITE_DELAYS, process);
        let manager = |(at, controllers): (usize, Vec<Box<dyn ControllerHost>>)| {
            Manager::new(controllers, Informer::new(lags, KindSet::ALL), writes(at as u64 + 2))
        };
        let mut sim = Self {
            queue: EventQueue::new(),
            background: 0,
            server: ApiServer::starting_at(&streams, parts.epoch),
            log: WatchLog::default(),
            managers: parts.managers.into_iter().enumerate().map(manager).collect(),
            scheduler: SchedulerProcess::new(parts.scheduler, Informer::new(lags, BY_SCHEDULER), writes(0)),
            kubelets: Kubelets {
                informer: Informer::new(lags, BY_KUBELETS),
                nodes: Vec::new(),
                apart: Vec::new(),
                by_name: FxHashMap::default(),
                dependants: Dependants::new(&parts.behaviours),
                behaviours: Arc::new(parts.behaviours),
                disks: Disks::default(),
                bound: 0,
                pressures: 0,
                effects: Effects { processes: parts.network.is_some().then(Vec::new), ..Effects::default() },
                writes: writes(1),
            },
            network: parts.network,
            recording: parts.recording,
            recorders: Recorders { enabled: parts.record_events, ..Recorders::default() },
            drains: Vec::new(),
            faults: Vec::new(),
            autoscaler: None,
            metrics: MetricsProcess::new(parts.metrics),
            disturbances: Disturbances::default(),
            control_plane: parts.control_plane,
            cloud: Cloud::new(parts.in_cloud),
            delays: parts.delays,
            streams,
            epoch: parts.epoch,
            last_change: SimTime::ZERO,
            last_news: SimTime::ZERO,
            changes: 0,
            changes_by_events: 0,
            timers: Vec::new(),
            instant: Instant::default(),
            livelock: None,
            events: 0,
            event_limit: u64::MAX,
            pod_limit: usize::MAX,
        };
        sim.publish();
        sim
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.queue.now()
    }

    /// The same instant as API objects have it.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        self.epoch.plus_nanos(i64::try_from(self.now().as_nanos()).unwrap_or(i64::MAX))
    }

    /// The cluster as the API server has it.
    #[must_use]
    pub fn view(&self) -> &View {
        self.server.view()
    }

    /// What was recorded so far.
    #[must_use]
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }

    /// When an object last changed; heartbeats and Events do not count.
    #[must_use]
    pub const fn last_change(&self) -> SimTime {
        self.last_change
    }

    /// The same, where the reports of nodes that say nothing new do not count either: each makes one every five minutes.
    #[must_use]
    pub const fn last_news(&self) -> SimTime {
        self.last_news
    }

    /// How many writes were accepted, heartbeats and Events left out.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// How many of these [`changes`](Self::changes) the user or a fault made, and not the cluster itself.
    #[must_use]
    pub const fn changes_by_user(&self) -> u64 {
        self.changes - self.changes_by_events
    }

    /// Whether nothing will happen any more until the user does something: no controller has work, no pod is on its
    /// way, no timer runs except those of heartbeats and faults.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.queue.len() == self.background
            && !self.a_key_waits()
            && !self.autoscaler_waits()
            && self.every_outage_is_known()
            && !self.is_any_node_short()
    }

    fn a_key_waits(&self) -> bool {
        self.waiting_controllers().next().is_some()
    }

    fn waiting_controllers(&self) -> impl Iterator<Item = &'static str> {
        let hosts = self.managers.iter().flat_map(|manager| &manager.controllers);
        hosts.filter(|host| !host.is_background() && host.is_waiting()).map(|host| host.name())
    }

    /// What is left to happen, for people; nothing if the cluster [is quiescent](Self::is_quiescent).
    #[must_use]
    pub fn left_to_happen(&self) -> Vec<String> {
        let mut left: Vec<String> =
            self.waiting_controllers().map(|name| format!("the {name} holds a timer or has work")).collect();
        let events = self.queue.len().saturating_sub(self.background);
        if events > 0 {
            left.push(format!("{events} events are due, such as pods on their way"));
        }
        if self.autoscaler_waits() {
            left.push("the cluster autoscaler waits for machines or to remove some".to_owned());
        }
        if !self.every_outage_is_known() {
            left.push("a node is lost, or back, and the cluster does not know yet".to_owned());
        }
        if self.is_any_node_short() {
            left.push("a node is under pressure".to_owned());
        }
        left
    }

    /// Whether the cluster knows of every machine that stopped or fell silent, and that the others are back: until then its
    /// monitor has something to find, or they something to say.
    fn every_outage_is_known(&self) -> bool {
        self.kubelets.nodes.iter().filter(|process| process.is_lost() || process.link.is_some()).all(|process| {
            let node = self.view().nodes.get(&Key::new("", process.kubelet.node_name().clone()));
            node.is_none_or(|node| node.status.conditions.is_true("Ready") != process.is_lost())
        })
    }

    /// Lets virtual time pass until `end`, and calls `observe` after every event that changed an object.
    ///
    /// Returns what `observe` broke off with, if it did; then time stands at that event.
    pub fn run_until_with<B>(
        &mut self,
        end: SimTime,
        mut observe: impl FnMut(&Self) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut seen = self.changes;
        while self.step(end) {
            if self.changes != seen {
                seen = self.changes;
                observe(self)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Lets virtual time pass until `end`.
    pub fn run_until(&mut self, end: SimTime) {
        while self.step(end) {}
        if !self.has_stopped() {
            self.queue.advance_to(end);
            self.run_traffic(end);
        }
    }

    /// Lets that much virtual time pass.
    pub fn run_for(&mut self, duration: SimDuration) {
        self.run_until(self.now() + duration);
    }

    /// Runs until nothing is left to happen, at most until `limit`. Returns whether it got there.
    pub fn run_until_quiescent(&mut self, limit: SimTime) -> bool {
        while !self.is_quiescent() {
            if !self.step(limit) {
                return false;
            }
        }
        true
    }

    /// Runs until the condition holds, at most until `limit`. Returns whether it held.
    pub fn run_until_condition(&mut self, limit: SimTime, mut condition: impl FnMut(&View) -> bool) -> bool {
        if condition(self.view()) {
            return true;
        }
        let found = self.run_until_with(limit, |sim| {
            if condition(sim.view()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found.is_break()
    }

    /// Handles the next event, if one comes until `limit`.
    pub fn step(&mut self, limit: SimTime) -> bool {
        if self.has_stopped() {
            return false;
        }
        let Some((at, event)) = self.queue.pop_until(limit) else { return false };
        self.run_traffic(at);
        self.events += 1;
        self.count_instant(at);
        let is_fault = matches!(event, Event::Fault { .. });
        let before = self.changes;
        self.handle(event);
        if !is_fault {
            self.changes_by_events += self.changes - before;
        }
        true
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver { process, news } => self.deliver(process, news),
            Event::Work { process, controller } => self.work(process, controller),
            Event::Execute { process, controller, flight, epoch, requests } => {
                self.execute_sync(process, controller, flight, epoch, requests);
            }
            Event::Due { process, controller, epoch, key } => {
                self.background -= 1;
                self.due(process, controller, epoch, &key);
            }
            Event::Schedule { epoch } => self.schedule(epoch),
            Event::WakeScheduler(at) => self.wake_scheduler(at),
            Event::Bind(binding) => self.bind(*binding),
            Event::Pod { node, timer } => self.pod_timer(node, timer),
            Event::Node { node, timer } => self.node_timer(node, timer),
            Event::Relief { node, number } => self.relieve(node, number),
            Event::Report { node, requests } => self.report(node, requests),
            Event::Heartbeat { node, epoch } => self.heartbeat(node, epoch),
            Event::Drain(number) => self.go_on_draining(number),
            Event::Machine(event) => self.machine_event(event),
            Event::Fault { injector, unit } => self.fault(injector, unit),
            Event::Autoscaler(task) => self.autoscale(task),
            Event::Metrics(task) => self.measure(task),
            Event::Recovery(recovery) => self.recover(recovery),
        }
    }

    /// How many events were handled since the start.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Lets at most that many events happen since the start, and that many pods be; then time stands still. Default: no
    /// limit.
    pub const fn set_limits(&mut self, events: u64, pods: usize) {
        self.event_limit = events;
        self.pod_limit = pods;
    }

    /// Whether a limit is reached.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.events >= self.event_limit
            || self.view().pods.len() > self.pod_limit
            || self.network.as_ref().is_some_and(|network| network.is_exhausted())
    }

    /// What was changed so far counts as the cluster's own doing.
    #[cfg(test)]
    pub(crate) const fn count_as_its_own(&mut self) {
        self.changes_by_events = self.changes;
    }

    pub(super) fn clock(&self) -> Now {
        Now { sim: self.now(), wall: self.wall() }
    }

    /// Executes a request at once, if the API server is there.
    pub(crate) fn execute(&mut self, request: &Request) -> Response {
        self.api_server_answers()?;
        if let Request::Metrics(query) = request {
            return self.answer_metrics(query);
        }
        let response = self.server.execute(self.wall(), request);
        self.publish();
        response
    }

    /// Notes something that the user did in the recording.
    pub fn record_step(&mut self, step: StepRecord) {
        if !self.recording.is_off() {
            let now = self.now();
            self.recording.push(Record::Step(now, step));
        }
    }
}
