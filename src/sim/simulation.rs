//! The simulation: its state and its loop.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{EventSpec, Part, Request, Response, View};
use crate::apiserver::{ApiServer, EventRecorder};
use crate::kernel::{EventQueue, Purpose, SimDuration, SimTime, Stream, Streams};
use crate::kubelet::{self, Behaviours, Disks, Effects, Kubelet, KubeletContext, PodCidr, PodTimer};
use crate::objects::{Conditions, Key, Kind, Node, Object, Pod, Resource, Uid, WallTime};
use crate::scheduler::Scheduler;

use super::builder::NodeTemplate;
use super::controller::{ControllerHost, Now, Progress};
use super::delays::Delays;
use super::drain::Drain;
use super::error::SimError;
use super::event::{Event, ProcessId, rank};
use super::recorder::{Record, Recording, StepRecord};
use super::scheduling::SchedulerProcess;
use super::watch::{Informer, WatchLog};

const WRITE_DELAYS: Purpose = Purpose::new(0x5ea_0001);
const POD_LUCK: Purpose = Purpose::new(0x5ea_0002);
const HEARTBEAT_PHASE: Purpose = Purpose::new(0x5ea_0003);

/// A simulated cluster. Cloning it forks the run: both go on from the same instant, and share what they have in
/// common.
#[derive(Clone)]
pub struct Simulation {
    pub(super) queue: EventQueue<Event>,
    /// Pending events that alone do not keep a cluster busy: heartbeats, and timers of controllers, of which their queues know
    /// whether a key still waits for them.
    background: usize,
    pub(super) server: ApiServer,
    log: WatchLog,
    managers: Vec<Manager>,
    pub(super) scheduler: SchedulerProcess,
    pub(super) kubelets: Kubelets,
    pub(super) recording: Recording,
    pub(super) recorders: Recorders,
    /// Drains by number; those that ended leave a gap.
    pub(super) drains: Vec<Option<Drain>>,
    pub(super) delays: Delays,
    pub(super) streams: Streams,
    epoch: WallTime,
    last_change: SimTime,
    changes: u64,
    /// Those of them that an event made.
    changes_by_events: u64,
    timers: Vec<(Key, SimTime)>,
    /// The instant of the last events, and how many there were in it.
    instant: (SimTime, u64),
    livelock: Option<SimTime>,
    events: u64,
    event_limit: u64,
    pod_limit: usize,
}

/// Events at one instant after which time is held to stand still, plus so many for every object.
const LIVELOCK_EVENTS: u64 = 100_000;
const LIVELOCK_EVENTS_PER_OBJECT: u64 = 200;

/// A controller manager: controllers that share one informer cache.
struct Manager {
    informer: Informer,
    controllers: Vec<Box<dyn ControllerHost>>,
    /// Which controllers have a pending look at their queue.
    awake: Vec<bool>,
    writes: Stream,
    /// Counts restarts, so that what an earlier life sent is known as stale.
    epoch: u32,
}

impl Clone for Manager {
    fn clone(&self) -> Self {
        Self {
            informer: self.informer.clone(),
            controllers: self.controllers.iter().map(|host| host.clone_box()).collect(),
            awake: self.awake.clone(),
            writes: self.writes.clone(),
            epoch: self.epoch,
        }
    }
}

#[derive(Clone)]
pub(super) struct Kubelets {
    informer: Informer,
    pub(super) nodes: Vec<NodeProcess>,
    pub(super) by_name: FxHashMap<Arc<str>, u32>,
    pub(super) behaviours: Arc<Behaviours>,
    disks: Disks,
    bound: u64,
    effects: Effects,
    writes: Stream,
}

#[derive(Clone)]
pub(super) struct NodeProcess {
    pub(super) kubelet: Kubelet,
    pub(super) epoch: u32,
    /// When the last of its reports arrives. They arrive in the order in which they were sent.
    reported: SimTime,
}

/// Who records Events: one recorder a process, as each has its own memory of what it said before.
#[derive(Clone, Default)]
pub(super) struct Recorders {
    pub(super) enabled: bool,
    by_component: FxHashMap<(&'static str, u32), EventRecorder>,
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
        let manager = |(at, controllers): (usize, Vec<Box<dyn ControllerHost>>)| Manager {
            informer: Informer::new(lags),
            awake: vec![false; controllers.len()],
            controllers,
            writes: writes(at as u64 + 2),
            epoch: 0,
        };
        let mut sim = Self {
            queue: EventQueue::new(),
            background: 0,
            server: ApiServer::starting_at(&streams, parts.epoch),
            log: WatchLog::default(),
            managers: parts.managers.into_iter().enumerate().map(manager).collect(),
            scheduler: SchedulerProcess::new(parts.scheduler, Informer::new(lags), writes(0)),
            kubelets: Kubelets {
                informer: Informer::new(lags),
                nodes: Vec::new(),
                by_name: FxHashMap::default(),
                behaviours: Arc::new(parts.behaviours),
                disks: Disks::default(),
                bound: 0,
                effects: Effects::default(),
                writes: writes(1),
            },
            recording: parts.recording,
            recorders: Recorders { enabled: parts.record_events, ..Recorders::default() },
            drains: Vec::new(),
            delays: parts.delays,
            streams,
            epoch: parts.epoch,
            last_change: SimTime::ZERO,
            changes: 0,
            changes_by_events: 0,
            timers: Vec::new(),
            instant: (SimTime::ZERO, 0),
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

    /// How many writes were accepted, heartbeats and Events left out.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// How many of these [`changes`](Self::changes) the user made, and not the cluster itself.
    #[must_use]
    pub const fn changes_by_user(&self) -> u64 {
        self.changes - self.changes_by_events
    }

    /// Whether nothing will happen any more until the user does something: no controller has work, no pod is on its
    /// way, no timer runs except those of heartbeats.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.queue.len() == self.background && !self.a_key_waits() && self.every_outage_is_known()
    }

    fn a_key_waits(&self) -> bool {
        let mut hosts = self.managers.iter().flat_map(|manager| &manager.controllers);
        hosts.any(|host| !host.is_background() && host.is_waiting())
    }

    /// Whether the cluster knows of every machine that stopped: until then its monitor has something to find.
    fn every_outage_is_known(&self) -> bool {
        self.kubelets.nodes.iter().filter(|process| !process.kubelet.is_running()).all(|process| {
            let node = self.view().nodes.get(&Key::new("", process.kubelet.node_name().clone()));
            node.is_none_or(|node| !node.status.conditions.is_true("Ready"))
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
        if self.livelock.is_none() && !self.is_exhausted() {
            self.queue.advance_to(end);
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
        if self.livelock.is_some() || self.is_exhausted() {
            return false;
        }
        let Some((at, event)) = self.queue.pop_until(limit) else { return false };
        self.events += 1;
        self.count_instant(at);
        let before = self.changes;
        self.handle(event);
        self.changes_by_events += self.changes - before;
        true
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver(process) => self.deliver(process),
            Event::Work { process, controller } => self.work(process, controller),
            Event::Execute { process, controller, flight, epoch, requests } => {
                self.execute_sync(process, controller, flight, epoch, requests);
            }
            Event::Due { process, controller, epoch, key } => {
                self.background -= 1;
                self.due(process, controller, epoch, &key);
            }
            Event::Schedule => self.schedule(),
            Event::WakeScheduler(at) => self.wake_scheduler(at),
            Event::Bind(binding) => self.bind(*binding),
            Event::Pod { node, timer } => self.pod_timer(node, timer),
            Event::Report { requests } => self.report(requests),
            Event::Heartbeat { node, epoch } => self.heartbeat(node, epoch),
            Event::Drain(number) => self.go_on_draining(number),
        }
    }

    /// The instant at which time stands still because events there never end, such as two controllers that fight over
    /// an object without any delay between them. The simulation does not go on from there.
    #[must_use]
    pub const fn livelock(&self) -> Option<SimTime> {
        self.livelock
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
        self.events >= self.event_limit || self.view().pods.len() > self.pod_limit
    }

    fn count_instant(&mut self, at: SimTime) {
        if self.instant.0 != at {
            self.instant = (at, 0);
        }
        self.instant.1 += 1;
        if self.instant.1 > LIVELOCK_EVENTS {
            let objects = (self.view().pods.len() + self.view().nodes.len()) as u64;
            if self.instant.1 > LIVELOCK_EVENTS + LIVELOCK_EVENTS_PER_OBJECT * objects {
                self.livelock = Some(at);
            }
        }
    }

    pub(super) fn clock(&self) -> Now {
        Now { sim: self.now(), wall: self.wall() }
    }

    // ---- writes and watches ----

    /// Executes a request at once.
    pub(super) fn execute(&mut self, request: &Request) -> Response {
        let response = self.server.execute(self.wall(), request);
        self.publish();
        response
    }

    /// Hands accepted writes to the recorder and to everybody who watches.
    pub(super) fn publish(&mut self) {
        if !self.server.has_changes() {
            return;
        }
        let due_events = self.server.drain_due_events();
        let now = self.queue.now();
        for change in self.server.drain_changes() {
            if !matches!(change.kind(), Kind::Lease | Kind::Event) {
                self.last_change = now;
                self.changes += 1;
            }
            if !self.recording.is_off() {
                self.recording.push(Record::Change(now, change.clone()));
            }
            self.log.push(now, change);
        }
        let at = now + self.delays.watch;
        for process in 0..self.managers.len() {
            if !std::mem::replace(&mut self.managers[process].informer.delivery_scheduled, true) {
                self.queue.push(at, rank::WATCH, Event::Deliver(ProcessId::Controllers(process as u16)));
            }
        }
        if !std::mem::replace(&mut self.scheduler.informer.delivery_scheduled, true) {
            self.queue.push(at, rank::WATCH, Event::Deliver(ProcessId::Scheduler));
        }
        if !std::mem::replace(&mut self.kubelets.informer.delivery_scheduled, true) {
            self.queue.push(at, rank::WATCH, Event::Deliver(ProcessId::Kubelets));
        }
        due_events.iter().for_each(|spec| self.record_event("kube-apiserver", 0, "", spec));
    }

    /// Notes something that the user did in the recording.
    pub fn record_step(&mut self, step: StepRecord) {
        if !self.recording.is_off() {
            let now = self.now();
            self.recording.push(Record::Step(now, step));
        }
    }

    fn deliver(&mut self, process: ProcessId) {
        let next = self.informer(process).next;
        let due = |at: SimTime, sim: &Self| at + sim.delays.watch <= sim.now();
        let mut number = next;
        while let Some((at, change)) = self.log.get(number) {
            if !due(*at, self) {
                break;
            }
            let change = change.clone();
            number += 1;
            match process {
                ProcessId::Controllers(manager) => self.tell_controllers(manager, &change),
                ProcessId::Scheduler => self.tell_scheduler(&change),
                ProcessId::Kubelets => self.tell_kubelets(&change),
            }
        }
        let again = self.log.get(number).map(|(at, _)| *at + self.delays.watch);
        self.informer(process).delivery_scheduled = again.is_some();
        if let Some(at) = again {
            self.queue.push(at, rank::WATCH, Event::Deliver(process));
        }
        self.trim_log();
        match process {
            ProcessId::Controllers(manager) => self.wake_workers(manager),
            ProcessId::Scheduler => self.wake_cycle(),
            ProcessId::Kubelets => {}
        }
    }

    fn informer(&mut self, process: ProcessId) -> &mut Informer {
        match process {
            ProcessId::Controllers(manager) => &mut self.managers[manager as usize].informer,
            ProcessId::Scheduler => &mut self.scheduler.informer,
            ProcessId::Kubelets => &mut self.kubelets.informer,
        }
    }

    fn trim_log(&mut self) {
        let managers = self.managers.iter().map(|manager| manager.informer.next);
        let others = [self.scheduler.informer.next, self.kubelets.informer.next];
        if let Some(seen) = managers.chain(others).min() {
            self.log.trim(seen);
        }
    }

    // ---- controllers ----

    fn tell_controllers(&mut self, process: u16, change: &crate::api::Change) {
        let now = self.clock();
        let manager = &mut self.managers[process as usize];
        manager.informer.apply(change);
        let view = manager.informer.view(self.server.view());
        let epoch = manager.epoch;
        for (at, host) in manager.controllers.iter_mut().enumerate() {
            host.on_change(view, change, now, &mut self.timers);
            self.background += self.timers.len();
            for (key, due) in self.timers.drain(..) {
                let event = Event::Due { process, controller: at as u16, epoch, key };
                self.queue.push(due, rank::CONTROLLERS, event);
            }
        }
    }

    fn wake_workers(&mut self, process: u16) {
        for controller in 0..self.managers[process as usize].controllers.len() {
            self.wake_worker(process, controller as u16);
        }
    }

    fn wake_worker(&mut self, process: u16, controller: u16) {
        let manager = &mut self.managers[process as usize];
        let at = controller as usize;
        if manager.controllers[at].can_start() && !std::mem::replace(&mut manager.awake[at], true) {
            self.queue.push(self.queue.now(), rank::CONTROLLERS, Event::Work { process, controller });
        }
    }

    fn work(&mut self, process: u16, controller: u16) {
        let now = self.clock();
        self.managers[process as usize].awake[controller as usize] = false;
        while self.managers[process as usize].controllers[controller as usize].can_start() {
            self.count_instant(self.now());
            if self.livelock.is_some() {
                return;
            }
            let manager = &mut self.managers[process as usize];
            let view = manager.informer.view(self.server.view());
            let progress = manager.controllers[controller as usize].start(view, now, &mut self.timers);
            self.proceed(process, controller, progress);
        }
    }

    /// Sends a sync's requests: at once where writes take no time, else after their delay.
    fn proceed(&mut self, process: u16, controller: u16, mut progress: Progress) {
        loop {
            self.start_timers(process, controller);
            let Progress::Requests(flight, requests) = progress else { return };
            let manager = &mut self.managers[process as usize];
            let delay = self.delays.write.sample(&mut manager.writes);
            if delay.is_zero() || requests.is_empty() {
                progress = self.perform(process, controller, flight, requests);
            } else {
                let epoch = manager.epoch;
                let event = Event::Execute { process, controller, flight, epoch, requests };
                self.queue.push(self.queue.now() + delay, rank::CONTROLLERS, event);
                return;
            }
        }
    }

    fn perform(&mut self, process: u16, controller: u16, flight: u32, requests: Vec<Request>) -> Progress {
        let name = self.managers[process as usize].controllers[controller as usize].name();
        let mut responses = Vec::with_capacity(requests.len());
        for request in &requests {
            match request {
                Request::Event(spec) => self.record_event(name, 0, "", spec),
                request => responses.push(self.execute(request)),
            }
        }
        let now = self.clock();
        let manager = &mut self.managers[process as usize];
        let view = manager.informer.view(self.server.view());
        manager.controllers[controller as usize].resume(flight, view, now, responses, &mut self.timers)
    }

    fn execute_sync(&mut self, process: u16, controller: u16, flight: u32, epoch: u32, requests: Vec<Request>) {
        if self.managers[process as usize].epoch != epoch {
            return;
        }
        let progress = self.perform(process, controller, flight, requests);
        self.proceed(process, controller, progress);
        self.wake_worker(process, controller);
    }

    fn start_timers(&mut self, process: u16, controller: u16) {
        let epoch = self.managers[process as usize].epoch;
        self.background += self.timers.len();
        for (key, due) in self.timers.drain(..) {
            self.queue.push(due, rank::CONTROLLERS, Event::Due { process, controller, epoch, key });
        }
    }

    fn due(&mut self, process: u16, controller: u16, epoch: u32, key: &Key) {
        let now = self.now();
        let manager = &mut self.managers[process as usize];
        if manager.epoch == epoch {
            manager.controllers[controller as usize].on_timer(key, now);
            self.wake_worker(process, controller);
        }
    }

    /// Records an Event in the name of a component, unless Events are off.
    pub(super) fn record_event(&mut self, component: &'static str, instance: u32, host: &str, spec: &EventSpec) {
        if !self.recorders.enabled {
            return;
        }
        let now = self.wall();
        let recorder = self.recorders.by_component.entry((component, instance)).or_default();
        recorder.record(&mut self.server, now, component, host, spec);
        self.publish();
    }

    // ---- kubelets ----

    fn tell_kubelets(&mut self, change: &crate::api::Change) {
        self.kubelets.informer.apply(change);
        self.kubelets.disks.follow(change);
        self.tell_of_volumes(change);
        if let Some((old, pod)) = change.of::<Pod>()
            && pod.is_bound()
            && let Some(&node) = self.kubelets.by_name.get(&pod.node_name)
        {
            use crate::api::ChangeType::Deleted;
            let newly_bound = old.is_none_or(|old| !old.is_bound());
            match change.change_type {
                Deleted => self.with_kubelet(node, pod, 1, |kubelet, cx| kubelet.on_pod_deleted(cx, pod)),
                _ if newly_bound => {
                    let ordinal = self.kubelets.bound;
                    self.kubelets.bound += 1;
                    self.with_kubelet(node, pod, 2, |kubelet, cx| kubelet.on_pod_bound(cx, pod, ordinal));
                }
                _ if old.is_some_and(|old| is_news(old, pod)) => {
                    self.with_kubelet(node, pod, 3, |kubelet, cx| kubelet.on_pod_updated(cx, pod));
                }
                _ => {}
            }
        }
    }

    /// Tells the kubelets whose pods may have waited for a volume.
    fn tell_of_volumes(&mut self, change: &crate::api::Change) {
        let view = self.kubelets.informer.view(self.server.view());
        let volume = |name: &str| view.persistent_volumes.get(&Key::new("", name)).and_then(|volume| volume.claim());
        let claim = match &change.object {
            Object::PersistentVolumeClaim(claim) => Some(claim.key()),
            Object::PersistentVolume(volume) => volume.claim(),
            Object::VolumeAttachment(attachment) => volume(&attachment.spec.source.persistent_volume_name),
            _ => None,
        };
        let Some(claim) = claim else { return };
        let pods: Vec<Arc<Pod>> = view.pods_using(&claim).filter(|pod| pod.is_bound()).cloned().collect();
        for pod in pods {
            if let Some(&node) = self.kubelets.by_name.get(&pod.node_name) {
                self.with_kubelet(node, &pod, 4, |kubelet, cx| kubelet.on_volumes_changed(cx, &pod));
            }
        }
    }

    /// What is on volumes.
    #[must_use]
    pub const fn disks(&self) -> &Disks {
        &self.kubelets.disks
    }

    fn pod_timer(&mut self, node: u32, timer: PodTimer) {
        let luck = uid_entity(timer.pod());
        self.call_kubelet(node, luck, |kubelet, cx| kubelet.on_timer(cx, timer));
    }

    fn with_kubelet(
        &mut self,
        node: u32,
        pod: &Pod,
        call: u64,
        act: impl FnOnce(&mut Kubelet, &mut KubeletContext<'_>),
    ) {
        let luck = pod_entity(pod).wrapping_add(call);
        self.call_kubelet(node, luck, act);
    }

    /// Lets a kubelet act. Its luck depends on the pod and the instant alone, so that another pod cannot shift it.
    pub(super) fn call_kubelet(
        &mut self,
        node: u32,
        luck: u64,
        act: impl FnOnce(&mut Kubelet, &mut KubeletContext<'_>),
    ) {
        let now = self.wall();
        let entity = luck ^ self.now().as_nanos().rotate_left(17);
        let mut luck = self.streams.lazy(POD_LUCK, entity);
        let mut effects = std::mem::take(&mut self.kubelets.effects);
        let mut cx = KubeletContext {
            view: self.kubelets.informer.view(self.server.view()),
            now,
            behaviours: &self.kubelets.behaviours,
            mounting_takes: self.delays.volumes.mount,
            disks: &mut self.kubelets.disks,
            luck: &mut luck,
            effects: &mut effects,
        };
        act(&mut self.kubelets.nodes[node as usize].kubelet, &mut cx);
        let at = self.queue.now();
        for (delay, timer) in effects.timers.drain(..) {
            self.queue.push(at + delay, rank::KUBELET, Event::Pod { node, timer });
        }
        if !effects.requests.is_empty() {
            let requests = std::mem::take(&mut effects.requests);
            let arrival = at + self.delays.write.sample(&mut self.kubelets.writes);
            let reported = &mut self.kubelets.nodes[node as usize].reported;
            *reported = arrival.max(*reported);
            if *reported == at {
                self.report(requests);
            } else {
                self.queue.push(*reported, rank::KUBELET, Event::Report { requests });
            }
        }
        self.kubelets.effects = effects;
    }

    fn report(&mut self, requests: Vec<Request>) {
        for request in &requests {
            match request {
                Request::Event(spec) => self.record_kubelet_event(spec),
                request => drop(self.execute(request)),
            }
        }
    }

    fn record_kubelet_event(&mut self, spec: &EventSpec) {
        if !self.recorders.enabled {
            return;
        }
        let key = Key::new(&*spec.about.namespace, &*spec.about.name);
        let node = self.view().pods.get(&key).map_or_else(|| "".into(), |pod| pod.node_name.clone());
        let instance = self.kubelets.by_name.get(&node).map_or(0, |node| node + 1);
        self.record_event("kubelet", instance, &node, spec);
    }

    pub(super) fn start_heartbeat(&mut self, node: u32) {
        let epoch = self.kubelets.nodes[node as usize].epoch;
        let mut phase = self.streams.stream(HEARTBEAT_PHASE, node);
        let delay = SimDuration::from_nanos(phase.below(kubelet::LEASE_RENEW_INTERVAL.as_nanos()));
        self.background += 1;
        self.queue.push(self.now() + delay, rank::BACKGROUND, Event::Heartbeat { node, epoch });
    }

    /// A kubelet that comes back says so at once.
    pub(super) fn resume_heartbeat(&mut self, node: u32) {
        self.show_life(node);
        self.start_heartbeat(node);
    }

    fn show_life(&mut self, node: u32) {
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        for request in self.signs_of_life(&name) {
            drop(self.execute(&request));
        }
    }

    fn heartbeat(&mut self, node: u32, epoch: u32) {
        self.background -= 1;
        let process = &self.kubelets.nodes[node as usize];
        if process.epoch != epoch || !process.kubelet.is_running() {
            return;
        }
        self.show_life(node);
        self.background += 1;
        let at = self.now() + kubelet::LEASE_RENEW_INTERVAL;
        self.queue.push(at, rank::BACKGROUND, Event::Heartbeat { node, epoch });
    }

    /// What a kubelet writes to show that it lives: its lease, and now and then the node's status.
    fn signs_of_life(&self, name: &Arc<str>) -> Vec<Request> {
        let (view, now) = (self.view(), self.wall());
        let Some(node) = view.nodes.get(&Key::new("", name.clone())) else { return Vec::new() };
        let lease = view.leases.get(&Key::new(kubelet::NODE_LEASE_NAMESPACE, name.clone()));
        let renewal = match lease {
            Some(lease) => Request::Update(kubelet::renew_lease(lease, now).into(), Part::Main),
            None => Request::Create(kubelet::lease(node, now).into()),
        };
        let reported = node.status.conditions.first().and_then(|condition| condition.last_heartbeat_time);
        let interval = i64::try_from(kubelet::NODE_STATUS_REPORT_INTERVAL.as_nanos()).unwrap_or(i64::MAX);
        // A node that was given up says at once that it is back.
        let report_is_due = reported.is_none_or(|at| now.nanos_since(at.wall()) >= interval)
            || !node.status.conditions.is_true("Ready");
        let report = report_is_due.then(|| Request::Update(kubelet::heartbeat(node, now).into(), Part::Status));
        [renewal].into_iter().chain(report).collect()
    }

    /// Registers a machine: its Node object, and the kubelet that runs its pods.
    pub(super) fn join(&mut self, template: &NodeTemplate) -> Result<(), SimError> {
        let name: Arc<str> = template.name.as_str().into();
        let place = self.kubelets.by_name.get(&name).copied();
        let number = place.unwrap_or(self.kubelets.nodes.len() as u32);
        let node = machine(template, &name, number, self.wall())?;
        self.execute(&Request::Create(node.into()))?;
        let kubelet = Kubelet::new(name.clone(), node_address(number), pod_addresses(number));
        match place {
            Some(place) => {
                let process = &mut self.kubelets.nodes[place as usize];
                process.kubelet = kubelet;
                process.epoch += 1;
            }
            None => {
                self.kubelets.by_name.insert(name, number);
                self.kubelets.nodes.push(NodeProcess { kubelet, epoch: 0, reported: SimTime::ZERO });
            }
        }
        // Pods may be bound to it already: those that an earlier machine of that name left behind.
        self.call_kubelet(number, u64::from(number), |kubelet, cx| {
            kubelet.stop();
            kubelet.start(cx);
        });
        self.start_heartbeat(number);
        Ok(())
    }
}

fn machine(template: &NodeTemplate, name: &Arc<str>, number: u32, now: WallTime) -> Result<Node, SimError> {
    let NodeTemplate { capacity, labels, taints, .. } = template;
    kubelet::register_node(name, node_address(number), capacity.clone(), labels, taints.clone(), now)
        .map_err(|error| SimError::Cluster(format!("node {name}: {error}")))
}

/// Machines live in 172.16.0.0/12.
fn node_address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xac10_0002 + number).into()
}

/// Each machine has a /24 of 10.128.0.0/9 for its pods.
fn pod_addresses(number: u32) -> PodCidr {
    PodCidr::new(Ipv4Addr::from_bits(0x0a80_0000 + (number << 8)).into(), 24)
}

/// Whether a change of a bound pod concerns its kubelet. Of the status that is what others may have written: `Ready`, and
/// conditions that a readiness gate waits for.
fn is_news(old: &Pod, new: &Pod) -> bool {
    let (before, after) = (&old.status.conditions, &new.status.conditions);
    let status_may_be = || !new.spec.readiness_gates.is_empty() || before.is_true("Ready") != after.is_true("Ready");
    old.meta.generation != new.meta.generation
        || old.meta.deletion_timestamp != new.meta.deletion_timestamp
        || old.meta.deletion_grace_period_seconds != new.meta.deletion_grace_period_seconds
        || (!before.ptr_eq(after) && status_may_be())
}

/// A number that stands for a pod. Its uid derives from its name, so that other pods cannot shift it.
fn pod_entity(pod: &Pod) -> u64 {
    uid_entity(&pod.meta.uid)
}

fn uid_entity(uid: &Uid) -> u64 {
    match uid {
        Uid::Uuid { high, low } => high ^ low,
        Uid::None | Uid::Text(_) => 0,
    }
}
