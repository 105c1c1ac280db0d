//! Machines and their kubelets in the simulation.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType, EventSpec, Part, Request};
use crate::controllers::cloud_node_lifecycle::Instance;
use crate::kernel::{Purpose, SimDuration, SimTime, Stream};
use crate::kubelet::{self, Behaviours, Disks, Effects, Kubelet, KubeletContext, Load, PodCidr, PodTimer, slowed};
use crate::objects::{Conditions, Key, Node, Object, Pod, Resource, Uid, WallTime};

use super::builder::NodeTemplate;
use super::dependants::Dependants;
use super::disturbances::Link;
use super::error::SimError;
use super::event::{Event, rank};
use super::machines::Machine;
use super::simulation::Simulation;
use super::watch::Informer;

const POD_LUCK: Purpose = Purpose::new(0x5ea_0002);
const POD_BAD_LUCK: Purpose = Purpose::new(0x5ea_0004);
const HEARTBEAT_PHASE: Purpose = Purpose::new(0x5ea_0003);

#[derive(Clone)]
pub(super) struct Kubelets {
    pub(super) informer: Informer,
    pub(super) nodes: Vec<NodeProcess>,
    /// Those that see everything later than the others, each through a watch of its own.
    pub(super) apart: Vec<u32>,
    pub(super) by_name: FxHashMap<Arc<str>, u32>,
    pub(super) behaviours: Arc<Behaviours>,
    pub(super) dependants: Dependants,
    pub(super) disks: Disks,
    pub(super) bound: u64,
    /// How often something outside the pods began to use a machine.
    pub(super) pressures: u64,
    pub(super) effects: Effects,
    pub(super) writes: Stream,
}

#[derive(Clone)]
pub(super) struct NodeProcess {
    pub(super) kubelet: Kubelet,
    pub(super) epoch: u32,
    /// What is special about the machine.
    pub(super) machine: Option<Box<Machine>>,
    /// When the last of its reports arrives. They arrive in the order in which they were sent.
    pub(super) reported: SimTime,
    /// Its ways to and from the control plane, while they are not as everybody's.
    pub(super) link: Option<Box<Link>>,
}

impl NodeProcess {
    /// The machine stops; nothing that was under way on it goes on.
    pub(super) fn stop(&mut self) {
        self.epoch += 1;
        self.kubelet.stop();
        if let Some(link) = &mut self.link {
            link.machine_stopped();
        }
    }

    pub(super) fn own_informer(&mut self) -> Option<&mut Informer> {
        self.link.as_mut()?.informer.as_mut()
    }

    /// Whether the control plane hears nothing of it.
    pub(super) fn is_lost(&self) -> bool {
        !self.kubelet.is_running() || self.link.as_ref().is_some_and(|link| link.is_mute())
    }

    /// Whether it does not see what the others see.
    fn is_apart(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.informer.is_some())
    }
}

impl Simulation {
    pub(super) fn tell_kubelets(&mut self, change: &Change) {
        self.kubelets.disks.follow(change);
        self.tell_of_volumes(None, change);
        self.tell_of_dependencies(change);
        if let Some((None, node)) = change.of::<Node>()
            && let Some(&number) = self.kubelets.by_name.get(&node.meta.name)
        {
            self.call_kubelet(number, u64::from(number), |kubelet, cx| kubelet.make_mirrors(cx));
        }
        if let Some((_, pod)) = change.of::<Pod>()
            && pod.is_bound()
            && let Some(&node) = self.kubelets.by_name.get(&pod.node_name)
            && !self.kubelets.nodes[node as usize].is_apart()
        {
            self.tell_of_pod(node, change);
        }
    }

    /// Tells the kubelet of a node that watches on its own.
    pub(super) fn tell_kubelet(&mut self, node: u32, change: &Change) {
        self.tell_of_volumes(Some(node), change);
        if let Some((_, pod)) = change.of::<Pod>()
            && self.kubelets.by_name.get(&pod.node_name) == Some(&node)
        {
            self.tell_of_pod(node, change);
        }
    }

    /// Tells a kubelet what became of a pod of its node.
    fn tell_of_pod(&mut self, node: u32, change: &Change) {
        let Some((old, pod)) = change.of::<Pod>() else { return };
        match change.change_type {
            ChangeType::Deleted => self.with_kubelet(node, pod, 1, |kubelet, cx| kubelet.on_pod_deleted(cx, pod)),
            _ if old.is_none_or(|old| !old.is_bound()) => self.tell_of_bound_pod(node, pod),
            _ if old.is_some_and(|old| is_news(old, pod)) => {
                self.with_kubelet(node, pod, 3, |kubelet, cx| kubelet.on_pod_updated(cx, pod));
            }
            _ => {}
        }
    }

    pub(super) fn tell_of_bound_pod(&mut self, node: u32, pod: &Arc<Pod>) {
        let ordinal = self.kubelets.bound;
        self.kubelets.bound += 1;
        self.with_kubelet(node, pod, 2, |kubelet, cx| kubelet.on_pod_bound(cx, pod, ordinal));
    }

    /// Tells the kubelets whose pods may have waited for a volume: those that watch together, or a single one.
    fn tell_of_volumes(&mut self, only: Option<u32>, change: &Change) {
        let informer = only.and_then(|node| self.kubelets.nodes[node as usize].link.as_ref()?.informer.as_ref());
        let view = informer.unwrap_or(&self.kubelets.informer).view(self.server.view());
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
            let Some(&node) = self.kubelets.by_name.get(&pod.node_name) else { continue };
            if only.map_or(!self.kubelets.nodes[node as usize].is_apart(), |only| only == node) {
                self.with_kubelet(node, &pod, 4, |kubelet, cx| kubelet.on_volumes_changed(cx, &pod));
            }
        }
    }

    /// What is on volumes.
    #[must_use]
    pub const fn disks(&self) -> &Disks {
        &self.kubelets.disks
    }

    pub(super) fn pod_timer(&mut self, node: u32, timer: PodTimer) {
        let luck = uid_entity(timer.pod());
        self.call_kubelet(node, luck, |kubelet, cx| kubelet.on_timer(cx, timer));
    }

    pub(super) fn with_kubelet(
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
        let mut bad_luck = self.streams.lazy(POD_BAD_LUCK, entity);
        let slowness_percent = self.kubelets.nodes[node as usize].slowness_percent();
        let mut effects = std::mem::take(&mut self.kubelets.effects);
        let Kubelets { nodes, informer, behaviours, disks, .. } = &mut self.kubelets;
        let NodeProcess { kubelet, link, .. } = &mut nodes[node as usize];
        let own = link.as_ref().and_then(|link| link.informer.as_ref());
        let mut cx = KubeletContext {
            view: own.unwrap_or(informer).view(self.server.view()),
            now,
            behaviours,
            mounting_takes: slowed(self.delays.volumes.mount, slowness_percent),
            disks,
            luck: &mut luck,
            bad_luck: &mut bad_luck,
            slowness_percent,
            load: self.network.as_ref().map(|network| &**network as &dyn Load),
            effects: &mut effects,
        };
        act(kubelet, &mut cx);
        let at = self.queue.now();
        for (delay, timer) in effects.timers.drain(..) {
            self.queue.push(at + delay, rank::KUBELET, Event::Pod { node, timer });
        }
        for (delay, timer) in effects.node_timers.drain(..) {
            self.background += 1;
            self.queue.push(at + delay, rank::KUBELET, Event::Node { node, timer });
        }
        if std::mem::take(&mut effects.shut_down) {
            self.power_off_soon(node);
        }
        let requests = std::mem::take(&mut effects.requests);
        if let Some(mut notices) = effects.processes.take_if(|notices| !notices.is_empty()) {
            self.tell_network(&notices);
            notices.clear();
            effects.processes = Some(notices);
        }
        self.kubelets.effects = effects;
        if !requests.is_empty() {
            self.send_report(node, requests);
        }
    }

    /// Stops a machine: its processes are gone.
    pub(super) fn stop_machine(&mut self, node: u32) {
        self.kubelets.nodes[node as usize].stop();
        self.set_network_of(node, false);
    }

    /// Sends what a kubelet has to say, or keeps it while it cannot be sent.
    pub(super) fn send_report(&mut self, node: u32, requests: Vec<Request>) {
        let Some(requests) = self.pass_on(node, requests) else { return };
        let at = self.queue.now();
        let delay = self.delays.write.sample(&mut self.kubelets.writes) + self.status_delay(node);
        let arrival = at + delay;
        let reported = &mut self.kubelets.nodes[node as usize].reported;
        *reported = arrival.max(*reported);
        if *reported == at {
            self.report(node, requests);
        } else {
            self.queue.push(*reported, rank::KUBELET, Event::Report { node, requests });
        }
    }

    pub(super) fn report(&mut self, node: u32, requests: Vec<Request>) {
        let Some(requests) = self.accept_report(node, requests) else { return };
        for request in &requests {
            match request {
                Request::Event(spec) => self.record_kubelet_event(spec),
                request => drop(self.execute(request)),
            }
        }
    }

    pub(super) fn record_kubelet_event(&mut self, spec: &EventSpec) {
        if !self.recorders.enabled {
            return;
        }
        let key = Key::new(&*spec.about.namespace, &*spec.about.name);
        let node = match &*spec.about.kind {
            "Node" => key.name.clone(),
            _ => self.view().pods.get(&key).map_or_else(|| "".into(), |pod| pod.node_name.clone()),
        };
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

    /// Starts a machine that was stopped.
    pub(super) fn start_machine(&mut self, node: u32) {
        let process = &self.kubelets.nodes[node as usize];
        let may_start = !process.kubelet.is_running() && process.instance() != Instance::Gone;
        if may_start && !self.start_must_wait(node) {
            self.set_network_of(node, true);
            self.call_kubelet(node, u64::from(node), |kubelet, cx| kubelet.start(cx));
            self.resume_heartbeat(node);
        }
    }

    /// A kubelet that comes back says so at once.
    pub(super) fn resume_heartbeat(&mut self, node: u32) {
        self.show_life(node);
        self.start_heartbeat(node);
    }

    pub(super) fn show_life(&mut self, node: u32) {
        if self.is_mute(node) {
            return;
        }
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        let health = self.kubelets.nodes[node as usize].kubelet.health();
        let signs = self.signs_of_life(&name, health);
        for request in signs {
            match request {
                Request::Event(spec) => self.record_kubelet_event(&spec),
                request => drop(self.execute(&request)),
            }
        }
        if self.kubelets.nodes[node as usize].machine.is_some() {
            self.report_boot(node);
        }
    }

    pub(super) fn heartbeat(&mut self, node: u32, epoch: u32) {
        self.background -= 1;
        let process = &self.kubelets.nodes[node as usize];
        if process.epoch != epoch || !process.kubelet.is_running() {
            return;
        }
        self.show_life(node);
        self.background += 1;
        let interval = self.next_heartbeat(node);
        let at = self.now() + slowed(interval, self.kubelets.nodes[node as usize].slowness_percent());
        self.queue.push(at, rank::BACKGROUND, Event::Heartbeat { node, epoch });
    }

    /// What a kubelet writes to show that it lives: its lease, and now and then the node's status.
    fn signs_of_life(&self, name: &Arc<str>, health: kubelet::NodeHealth) -> Vec<Request> {
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
        let report_is_due =
            reported.is_none_or(|at| now.nanos_since(at.wall()) >= interval) || kubelet::is_news(node, health);
        if !report_is_due {
            return vec![renewal];
        }
        let report = Request::Update(kubelet::heartbeat(node, now, health).into(), Part::Status);
        let events = kubelet::health_events(node, health).map(Request::Event);
        [renewal, report].into_iter().chain(events).collect()
    }

    /// Registers a machine: its Node object, and the kubelet that runs its pods.
    pub(super) fn join(&mut self, template: &NodeTemplate) -> Result<(), SimError> {
        let name: Arc<str> = template.name.as_str().into();
        let place = self.kubelets.by_name.get(&name).copied();
        let number = place.unwrap_or(self.kubelets.nodes.len() as u32);
        let node = machine(template, &name, number, self.wall())?;
        let seen = self.wall().timestamp();
        let static_pods = template.static_pods(seen)?;
        let has = kubelet::Machine::new(&node.status.capacity, template.processes);
        self.execute(&Request::Create(node.into()))?;
        let kubelet = Kubelet::new(name.clone(), node_address(number), pod_addresses(number)).on_machine(
            has,
            template.kubelet.clone(),
            static_pods,
        );
        match place {
            Some(place) => {
                let process = &mut self.kubelets.nodes[place as usize];
                process.kubelet = kubelet;
                process.machine = Machine::of(template);
                process.epoch += 1;
                process.link = None;
            }
            None => {
                self.kubelets.by_name.insert(name, number);
                let machine = Machine::of(template);
                let process = NodeProcess { kubelet, epoch: 0, machine, reported: SimTime::ZERO, link: None };
                self.kubelets.nodes.push(process);
            }
        }
        self.set_network_of(number, true);
        // Pods may be bound to it already: those that an earlier machine of that name left behind.
        self.call_kubelet(number, u64::from(number), |kubelet, cx| {
            kubelet.stop();
            kubelet.start(cx);
        });
        self.start_heartbeat(number);
        self.expose_to_faults(number, &template.name, &template.all_labels());
        Ok(())
    }
}

fn machine(template: &NodeTemplate, name: &Arc<str>, number: u32, now: WallTime) -> Result<Node, SimError> {
    let NodeTemplate { capacity, labels, taints, .. } = template;
    kubelet::register_node(name, node_address(number), capacity.clone(), labels, taints.clone(), now)
        .map_err(|error| SimError::Cluster(format!("node {name}: {error}")))
}

/// The Node that a machine would have.
pub(super) fn template_node(template: &NodeTemplate, now: WallTime) -> Result<Node, SimError> {
    machine(template, &template.name.as_str().into(), 0, now)
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
pub(super) fn is_news(old: &Pod, new: &Pod) -> bool {
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
