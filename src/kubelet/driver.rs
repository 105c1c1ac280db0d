//! The kubelet's entry points: what it is told, and what it answers.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{DeleteOptions, Request, View};
use crate::kernel::{LazyStream, SimDuration};
use crate::objects::{Key, Kind, Pod, Uid, WallTime};

use super::address::{AddressPool, PodCidr};
use super::admission::Admitted;
use super::behaviour::Behaviours;
use super::disks::Disks;
use super::eviction::KubeletConfig;
use super::images::Images;
use super::load::Load;
use super::mounts::InUse;
use super::pressure::{Machine, NodePressure, NodeTimer};
use super::processes::ProcessNotice;
use super::status::Latest;
use super::surroundings::KnownServices;
use super::worker::{ContainerWorker, Due, PodTimer, Worker};

/// The kubelet of one node.
#[derive(Clone, Debug)]
pub struct Kubelet {
    pub(super) node: NodeIdentity,
    pub(super) setup: Arc<Setup>,
    pub(super) running: bool,
    /// Given to the next worker, so that timers of earlier ones are known as stale.
    next_generation: u32,
    addresses: AddressPool,
    latest: Box<Latest>,
    in_use: InUse,
    /// Images that had to be pulled.
    images: Option<Box<Images>>,
    pub(super) admitted: Box<Admitted>,
    pub(super) workers: FxHashMap<Uid, Box<Worker>>,
    /// What its machine is short of; most are not.
    pub(super) pressure: Option<Box<NodePressure>>,
}

/// What the kubelet runs on, and its settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    pub(super) machine: Machine,
    pub(super) config: Arc<KubeletConfig>,
    /// What it has from files.
    pub(super) static_pods: Vec<Arc<Pod>>,
}

/// Who and where the node is.
#[derive(Clone, Debug)]
pub(super) struct NodeIdentity {
    pub(super) name: Arc<str>,
    pub(super) address: IpAddr,
}

/// What a kubelet knows at an event, and where its answers go.
#[derive(Debug)]
pub struct KubeletContext<'a> {
    /// The objects as this kubelet sees them.
    pub view: &'a View,
    /// Now.
    pub now: WallTime,
    /// How images behave.
    pub behaviours: &'a Behaviours,
    /// From the attachment of a pod's last disk to its containers' start. What needs no attaching is there at once.
    pub mounting_takes: SimDuration,
    /// What is on volumes.
    pub disks: &'a mut Disks,
    /// Luck of the pod that the event is about; of the node for [`Kubelet::start`].
    pub luck: &'a mut LazyStream,
    /// The same, for what goes wrong.
    pub bad_luck: &'a mut LazyStream,
    /// How long things take on this machine, in hundredths of what they take on others: 100 or more.
    pub slowness_percent: u32,
    /// How busy processes are; `None` if nobody sends requests.
    pub load: Option<&'a dyn Load>,
    /// Where the answers go.
    pub effects: &'a mut Effects,
}

impl KubeletContext<'_> {
    /// How long something takes on this machine.
    pub(super) fn slowed(&self, time: SimDuration) -> SimDuration {
        slowed(time, self.slowness_percent)
    }
}

/// So many hundredths of a time; saturates.
#[must_use]
pub fn slowed(time: SimDuration, percent: u32) -> SimDuration {
    match percent {
        100 => time,
        percent => {
            let nanos = u128::from(time.as_nanos()) * u128::from(percent) / 100;
            SimDuration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        }
    }
}

/// What a kubelet wants: requests at once, in this order, and timers.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Requests to the API server.
    pub requests: Vec<Request>,
    /// What happens to processes, if somebody wants to know: `None` = nobody does, and nothing is noted.
    pub processes: Option<Vec<ProcessNotice>>,
    /// Timers to be handed to [`Kubelet::on_timer`] after their delays. Those of equal delay come in this order.
    pub timers: Vec<(SimDuration, PodTimer)>,
    /// Timers to be handed to [`Kubelet::on_node_timer`].
    pub node_timers: Vec<(SimDuration, NodeTimer)>,
    /// The kubelet does not hold the shutdown of its machine up any longer.
    pub shut_down: bool,
}

/// One pod in the hands of its kubelet at one event.
pub(super) struct PodSync<'a, 'c> {
    pub(super) node: &'a NodeIdentity,
    pub(super) addresses: &'a mut AddressPool,
    pub(super) latest: &'a mut Latest,
    pub(super) in_use: &'a mut InUse,
    pub(super) images: &'a mut Option<Box<Images>>,
    pub(super) cx: &'a mut KubeletContext<'c>,
    pub(super) uid: &'a Uid,
    pub(super) worker: &'a mut Worker,
    /// The kubelet is done with the pod.
    pub(super) done: bool,
}

impl Kubelet {
    /// The kubelet of a node that runs and has no pods.
    #[must_use]
    pub fn new(node_name: Arc<str>, node_ip: IpAddr, pod_cidr: PodCidr) -> Self {
        Self {
            node: NodeIdentity { name: node_name, address: node_ip },
            setup: Arc::default(),
            running: true,
            next_generation: 0,
            addresses: AddressPool::new(pod_cidr),
            latest: Box::default(),
            in_use: InUse::default(),
            images: None,
            admitted: Box::default(),
            workers: FxHashMap::default(),
            pressure: None,
        }
    }

    /// On a machine that has that much, with these settings, and with pods from files.
    #[must_use]
    pub fn on_machine(mut self, machine: Machine, config: Arc<KubeletConfig>, static_pods: Vec<Arc<Pod>>) -> Self {
        self.setup = Arc::new(Setup { machine, config, static_pods });
        self
    }

    /// Which services a container of a pod was told of, if the kubelet works on the pod and has started the container.
    #[must_use]
    pub fn services_known_to(&self, pod: &Uid, container: &str) -> Option<KnownServices> {
        let worker = self.workers.get(pod)?;
        let at = (0..worker.containers.len()).find(|at| *worker.container_spec(*at).name == *container)?;
        let container = worker.containers.get(at)?;
        let was_started = container.is_running() || container.ended.is_some();
        was_started.then_some(KnownServices::Before(container.services_before))
    }

    /// Name of the node.
    #[must_use]
    pub const fn node_name(&self) -> &Arc<str> {
        &self.node.name
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Arc<KubeletConfig> {
        &self.setup.config
    }

    /// What its machine has.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.setup.machine
    }

    /// Whether the machine runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// How many pods the kubelet works on: bound, not ended for good, not gone.
    #[must_use]
    pub fn pod_count(&self) -> usize {
        self.workers.len()
    }

    /// Pods of which at least one container runs, whatever the API server knows of them; in no order that means anything.
    pub fn running_pods(&self) -> impl Iterator<Item = (&Key, &Uid)> {
        let runs = |worker: &Worker| worker.containers.iter().any(ContainerWorker::is_running);
        self.workers.iter().filter(move |(_, worker)| runs(worker)).map(|(uid, worker)| (&worker.key, uid))
    }

    /// A pod was bound to the node, as the `ordinal`-th of the run, counted from 0.
    pub fn on_pod_bound(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>, ordinal: u64) {
        let uid = &pod.meta.uid;
        if self.running && pod.is_mirror() {
            return self.on_mirror(cx, pod);
        }
        if !self.running || pod.is_terminal() || self.workers.contains_key(uid) {
            return;
        }
        if self.admits(cx, pod, ordinal) {
            self.take(cx, pod, ordinal);
        }
    }

    /// Begins to work on a pod.
    pub(super) fn take(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>, ordinal: u64) {
        if pod.is_static() {
            self.insert_static(cx, pod);
        } else {
            self.insert_worker(cx, pod);
        }
        self.sync(cx, &pod.meta.uid, |pod| pod.begin(ordinal));
        if pod.meta.is_deleting() {
            self.on_pod_updated(cx, pod);
        }
    }

    /// A pod of the node changed.
    pub fn on_pod_updated(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>) {
        if !self.running {
            return;
        }
        if pod.is_mirror() {
            return self.on_mirror(cx, pod);
        }
        if let Some(worker) = self.workers.get(&pod.meta.uid) {
            if worker.is_changed_by(pod) {
                self.admitted.remove(&worker.spec.requests);
                self.admitted.add(&pod.spec.requests);
            }
            self.sync(cx, &pod.meta.uid, |sync| sync.update(pod));
        } else if pod.meta.is_deleting() && (!pod.is_terminal() || self.admitted.ended.remove(&pod.meta.uid)) {
            // It was deleted before its end was seen, or before the deletion was. Of one that ended because of it the removal was
            // asked for in the same breath.
            confirm_deletion(cx, pod);
        }
    }

    /// Something happened to the volumes or claims of a pod of the node.
    pub fn on_volumes_changed(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>) {
        self.sync(cx, &pod.meta.uid, |sync| sync.look_for_volumes());
    }

    /// The object of a pod is gone: whatever is left of the pod is killed.
    pub fn on_pod_deleted(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>) {
        if pod.is_mirror() {
            return self.make_mirrors(cx);
        }
        self.sync(cx, &pod.meta.uid, |sync| sync.abandon());
        self.admitted.ended.remove(&pod.meta.uid);
    }

    /// A timer of an earlier answer is due.
    pub fn on_timer(&mut self, cx: &mut KubeletContext<'_>, timer: PodTimer) {
        self.sync(cx, &timer.uid, |pod| pod.timer(&timer));
    }

    /// The application in a container stops answering its probes, or answers again, from outside causes such as overload.
    /// Nothing happens if the container does not run.
    pub fn on_app_health(&mut self, cx: &mut KubeletContext<'_>, pod: &Uid, container: &str, answers: bool) {
        self.sync(cx, pod, |sync| sync.set_app_health(container, answers));
    }

    /// A Service that a pod depends on has got its first ready endpoint or lost its last one.
    pub fn on_dependency(&mut self, cx: &mut KubeletContext<'_>, pod: &Uid) {
        self.sync(cx, pod, |sync| sync.look_at_dependencies());
    }

    /// The machine has become slower or faster: probes may time out now, or no longer.
    pub fn on_pace(&mut self, cx: &mut KubeletContext<'_>) {
        let mut pods: Vec<(u32, Uid)> =
            self.workers.iter().map(|(uid, worker)| (worker.generation, uid.clone())).collect();
        pods.sort_unstable_by_key(|(generation, _)| *generation);
        for (_, pod) in pods {
            self.sync(cx, &pod, |sync| sync.look_at_all_probes());
        }
    }

    /// The machine stops: the processes are gone and nobody says so.
    pub fn stop(&mut self) {
        self.running = false;
        self.workers = FxHashMap::default();
        self.addresses.clear();
        self.in_use.clear();
        if let Some(images) = &mut self.images {
            images.interrupt();
        }
        self.admitted.clear();
        self.forget_pressure();
    }

    /// The machine comes back. Pods that were to be deleted are confirmed gone; the others' containers start again.
    pub fn start(&mut self, cx: &mut KubeletContext<'_>) {
        if self.running {
            return;
        }
        self.running = true;
        self.start_rounds(cx);
        let view = cx.view;
        let node = view.nodes.get(&Key::new("", self.node.name.clone()));
        if node.is_some_and(|node| node.status.rest.contains_key("volumesInUse")) {
            // Nothing is mounted yet.
            cx.effects.requests.push(self.in_use.report(&self.node.name));
        }
        self.start_static_pods(cx);
        for pod in view.pods_on(&self.node.name.clone()) {
            if pod.is_mirror() {
                self.on_mirror(cx, pod);
            } else if pod.meta.is_deleting() && pod.is_terminal() {
                confirm_deletion(cx, pod);
            } else if !pod.is_terminal() && self.admits(cx, pod, 0) {
                self.insert_worker(cx, pod);
                self.sync(cx, &pod.meta.uid, |sync| sync.resume(pod));
            }
        }
    }

    pub(super) fn insert_worker(&mut self, cx: &KubeletContext<'_>, pod: &Arc<Pod>) {
        let worker = Worker::new(pod, self.next_generation, cx.behaviours, cx.now);
        self.next_generation = self.next_generation.wrapping_add(1);
        self.admitted.add(&worker.spec.requests);
        self.workers.insert(pod.meta.uid.clone(), Box::new(worker));
    }

    /// Works on one pod, reports its status if it changed, and lets go of the pod if that was its end.
    pub(super) fn sync(&mut self, cx: &mut KubeletContext<'_>, uid: &Uid, act: impl FnOnce(&mut PodSync<'_, '_>)) {
        let Some(worker) = self.workers.get_mut(uid) else { return };
        let (node, addresses) = (&self.node, &mut self.addresses);
        let (latest, in_use, images) = (&mut self.latest, &mut self.in_use, &mut self.images);
        let said_before = cx.effects.requests.len();
        let lives = worker.lives();
        let counts = cx.behaviours.model_use() || self.pressure.is_some();
        let mut sync = PodSync { node, addresses, latest, in_use, images, cx, uid, worker, done: false };
        let before = sync.processes();
        act(&mut sync);
        sync.tell_of_processes(&before);
        if sync.done {
            let address = sync.worker.address;
            let said = sync.cx.effects.requests.get(said_before..).unwrap_or_default();
            if !said.iter().any(|request| matches!(request, Request::Delete { .. })) {
                self.admitted.ended.insert(uid.clone());
            }
            if let Some(images) = sync.images {
                images.forget(uid);
            }
            if sync.in_use.release(uid) {
                // Volumes are unmounted before the pod's object goes.
                let report = sync.in_use.report(&sync.node.name);
                sync.cx.effects.requests.insert(said_before, report);
            }
            if let Some(worker) = self.workers.remove(uid) {
                self.admitted.remove(&worker.spec.requests);
            }
            address.into_iter().for_each(|address| self.addresses.give_back(address));
            if counts {
                self.pod_is_cleaned_up(cx.now, uid);
                self.plan_pressure(cx);
            }
            self.let_in_after(cx, uid);
            self.pod_ends_in_shutdown(cx, uid);
        } else {
            sync.report_changes();
            if counts && self.workers.get(uid).is_some_and(|worker| worker.lives() != lives) {
                self.plan_pressure(cx);
            }
        }
    }
}

/// Removes the object of a pod of which nothing is left, unless that was done and finalizers hold it.
pub(super) fn confirm_deletion(cx: &mut KubeletContext<'_>, pod: &Pod) {
    if pod.meta.deletion_grace_period_seconds != Some(0) {
        let key = Key::new(pod.meta.namespace.clone(), pod.meta.name.clone());
        cx.effects.requests.push(removal(key, pod.meta.uid.clone()));
    }
}

/// The request that removes a pod's object.
pub(super) fn removal(key: Key, uid: Uid) -> Request {
    let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::of_uid(uid) };
    Request::Delete { kind: Kind::Pod, key, options }
}

impl PodSync<'_, '_> {
    fn timer(&mut self, timer: &PodTimer) {
        let at = usize::from(timer.container);
        let (worker, life) = (&self.worker, timer.life);
        if worker.generation != timer.generation {
            return;
        }
        match timer.due {
            Due::End => self.end_is_due(life),
            Due::Deadline => self.deadline_is_due(),
            Due::Mounted => self.volumes_are_mounted(),
            Due::OutOfMemory => self.memory_is_out(),
            _ if worker.containers.get(at).is_none_or(|container| container.life != life) => {}
            Due::Start => self.start_container(at),
            Due::PostStarted => self.post_started(at),
            Due::PullBackOff => self.back_off_pulling(at),
            Due::Pulled => self.image_is_pulled(at),
            Due::Answer => self.app_answers(at),
            Due::Alive => self.worker.containers[at].alive = true,
            Due::Exit => self.process_exits(at),
            Due::Crash => self.process_crashes(at),
            Due::Deadlock => self.set_hung(at, true),
            Due::PreStopFailed => self.say_pre_stop_failed(at),
            Due::Probe(kind) => self.probe_is_due(at, kind),
            Due::Stopped => self.container_stopped(at),
        }
    }

    /// Asks for a timer that is about a container as it is now.
    pub(super) fn schedule(&mut self, delay: SimDuration, at: usize, due: Due) {
        let life = self.worker.containers[at].life;
        self.schedule_for(delay, at, life, due);
    }

    pub(super) fn schedule_for(&mut self, delay: SimDuration, at: usize, life: u32, due: Due) {
        let container = u16::try_from(at).unwrap_or(u16::MAX);
        let timer = PodTimer { uid: self.uid.clone(), generation: self.worker.generation, life, container, due };
        self.cx.effects.timers.push((delay, timer));
    }
}
