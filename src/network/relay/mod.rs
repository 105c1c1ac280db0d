//! Reverse proxies at work: the pods of ingress controllers and Gateways, what each of them has synced, and which endpoint a request
//! gets there.
//!
//! A [`Program`] is what the pods of one controller have in common. Each pod acts on changes after a lag of its own
//! ([`SyncLag`](super::ingress::SyncLag)): a sync takes in what the store holds, and counts when workers have taken it over. What a
//! client's requests meet is worked out once for a configuration: a [`Plan`]; backends have dense numbers that stay.

mod discovery;
mod intern;
mod peers;
mod plan;
mod pod;
mod sessions;
mod store;

use std::sync::Arc;

use crate::api::Change;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Labels, Pod};

use super::accounting::RouteReport;
use super::clients::HttpRequest;
use super::dns::{ClusterDns, NodeDns, ResolvConf};
use super::ids::{NodeId, ServerId};
use super::ingress::{Controller, SyncLag, SyncTimes};
use super::proxy::{NetworkConfig, Pool, ProxyTable};
use super::servers::PodUp;

pub(super) use discovery::FrontDoor;
pub(super) use intern::{Interned, Policy, PolicyId, WayId};
pub(super) use peers::{Peer, Peers};
pub(super) use plan::{Choice, Goal, Plan};
pub(super) use pod::{RelayPod, State};
pub(super) use sessions::{Sessions, Visit};

use peers::{PeerCache, Resolver};
use plan::Table;
use store::Store;

/// What passes requests on by rules, and is itself pods.
#[derive(Clone, Debug, PartialEq)]
pub enum ReverseProxy {
    /// An ingress controller, without its pods and Services.
    Ingress(Box<Controller>),
    /// The data plane of a Gateway.
    Gateway(Key),
}

/// No reverse proxy.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// What the pods of a reverse proxy have in common.
#[derive(Clone, Debug)]
struct Program {
    what: ReverseProxy,
    /// Namespace and labels of its pods, by which Services lead to it.
    namespace: Arc<str>,
    labels: Labels,
    /// How they look names up, as the newest of them does.
    resolv_conf: Option<ResolvConf>,
    table: Option<Arc<Table>>,
    /// Machines on whose own ports its pods listen.
    machines: Pool,
    doors: Vec<Door>,
}

/// A pod that listens on ports of its machine.
#[derive(Clone, Debug)]
struct Door {
    node: NodeId,
    server: ServerId,
    /// Ports of the machine, and those of the pod behind them; none = it shares the machine's network and names none.
    ports: Vec<(u16, u16)>,
}

impl Door {
    /// The pod's port behind a port of the machine.
    fn behind(&self, port: u16) -> Option<u16> {
        if self.ports.is_empty() {
            return Some(port);
        }
        self.ports.iter().find(|(own, _)| *own == port).map(|(_, inner)| *inner)
    }
}

/// All reverse proxies.
#[derive(Clone, Debug)]
pub(super) struct Relays {
    store: Store,
    programs: Vec<Program>,
    pods: Vec<Option<RelayPod>>,
    free: Vec<u32>,
    interned: Interned,
    cache: PeerCache,
    pub(super) sessions: Sessions,
    /// What each client asks for; nothing = it goes to a Service.
    requests: Vec<Option<Arc<HttpRequest>>>,
    dns: ClusterDns,
    node_dns: NodeDns,
    /// How long it takes until doors of machines are known.
    doors_delay: u64,
    poll: SimDuration,
    reload: SimDuration,
    interval: Option<SimDuration>,
    /// Rises when requests may come in elsewhere.
    generation: u64,
}

impl Relays {
    /// No reverse proxies. `watch`: from an accepted write to them.
    pub(super) fn new(config: &NetworkConfig, watch: SimDuration, requests: Vec<Option<Arc<HttpRequest>>>) -> Self {
        Self {
            store: Store::new(watch),
            programs: Vec::new(),
            pods: Vec::new(),
            free: Vec::new(),
            interned: Interned::default(),
            cache: PeerCache::default(),
            sessions: Sessions::default(),
            doors_delay: config.load_balancer.slowest_finding().as_nanos(),
            poll: config.ingress_poll,
            reload: config.ingress_reload,
            interval: config.ingress_sync,
            generation: 0,
            requests,
            dns: config.dns.cluster_dns(),
            node_dns: config.dns.node_dns(),
        }
    }

    /// How a pod would look names up, if anybody sends through reverse proxies.
    pub(super) fn resolv_conf(&self, pod: &Pod) -> Option<ResolvConf> {
        self.is_used().then(|| ResolvConf::of(pod, &self.dns, &self.node_dns))
    }

    /// Whether anybody sends through them.
    pub(super) fn is_used(&self) -> bool {
        self.requests.iter().any(Option::is_some)
    }

    /// Rises when requests may come in elsewhere.
    pub(super) const fn generation(&self) -> u64 {
        self.generation + self.store.configurations()
    }

    /// A change that was accepted at `now`, ns. Returns the pods that sync because of it, and when.
    pub(super) fn follow(&mut self, change: &Change, now: u64) -> Vec<(u32, u64)> {
        if !self.is_used() || !Store::wants(change) {
            return Vec::new();
        }
        let arrives = self.store.push(change.clone(), now);
        let mut syncs = Vec::new();
        for (slot, pod) in self.pods.iter_mut().enumerate() {
            let Some(pod) = pod.as_mut().filter(|pod| pod.runs && !pod.is_sync_planned) else { continue };
            pod.is_sync_planned = true;
            syncs.push((slot as u32, pod.lag.sync(SimTime::from_nanos(arrives)).as_nanos()));
        }
        syncs
    }

    /// A pod of a reverse proxy has come up: the container, and the number of the pod. Returns its slot.
    pub(super) fn add(&mut self, what: &ReverseProxy, pod: &PodUp, at: (ServerId, u64)) -> u32 {
        let known = self.programs.iter().position(|program| program.what == *what);
        let program = known.unwrap_or_else(|| {
            self.generation += 1;
            self.programs.push(Program {
                what: what.clone(),
                namespace: pod.key.namespace.clone(),
                labels: pod.labels.clone(),
                resolv_conf: None,
                table: None,
                machines: Pool::default(),
                doors: Vec::new(),
            });
            self.programs.len() - 1
        });
        // ingress-nginx looks external names up; data planes of Gateways need not, and do not here.
        let conf = pod.resolv_conf.as_ref().filter(|_| matches!(what, ReverseProxy::Ingress(_)));
        if self.programs[program].resolv_conf.as_ref() != conf {
            self.programs[program].resolv_conf = conf.cloned();
            self.cache.forget_names();
        }
        let slot = self.free.pop().unwrap_or(self.pods.len() as u32);
        let reloads = matches!(what, ReverseProxy::Ingress(_));
        let pod = RelayPod::new(program as u32, at, self.lag(program, slot), reloads);
        match self.pods.get_mut(slot as usize) {
            Some(place) => *place = Some(pod),
            None => self.pods.push(Some(pod)),
        }
        slot
    }

    /// The syncs of a new pod: workers look for changes at a phase of their own.
    fn lag(&self, program: usize, slot: u32) -> SyncLag {
        let (interval, poll, reload) = match &self.programs[program].what {
            ReverseProxy::Ingress(controller) => (controller.sync_interval, self.poll, self.reload),
            // Its configuration is pushed as it changes, without a reload.
            ReverseProxy::Gateway(_) => (SimDuration::ZERO, SimDuration::ZERO, SimDuration::ZERO),
        };
        let times = SyncTimes { interval: self.interval.unwrap_or(interval), poll, reload, ..SyncTimes::default() };
        // Golden-ratio steps spread any number of pods evenly.
        let share = u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let phase = ((u128::from(share) * u128::from(poll.as_nanos())) >> 64) as u64;
        SyncLag::new(times, SimDuration::from_nanos(phase))
    }

    /// A pod is gone.
    pub(super) fn remove(&mut self, slot: u32, now: u64) {
        let Some(pod) = self.pods[slot as usize].take() else { return };
        self.free.push(slot);
        let program = &mut self.programs[pod.program as usize];
        program.doors.retain(|door| door.server != pod.server);
        program.note_machines(now.saturating_add(self.doors_delay));
    }

    /// The pod listens on ports of its machine, which lead to its own; none = on whichever it likes.
    pub(super) fn open_door(&mut self, slot: u32, node: NodeId, ports: Vec<(u16, u16)>, now: u64) {
        let Some(pod) = &self.pods[slot as usize] else { return };
        let program = &mut self.programs[pod.program as usize];
        program.doors.push(Door { node, server: pod.server, ports });
        program.note_machines(now.saturating_add(self.doors_delay));
        self.generation += 1;
    }

    /// The process of a pod listens: it is ready when it has its first configuration.
    pub(super) fn begin(&mut self, slot: u32, now: u64, proxies: &mut ProxyTable) {
        self.store.take_in(now);
        let state = self.state_for(slot, proxies);
        let Some(pod) = &mut self.pods[slot as usize] else { return };
        pod.lag.sync(SimTime::from_nanos(now));
        pod.adopt_now(state);
    }

    /// The process of a pod has ended.
    pub(super) fn end(&mut self, slot: u32) {
        if let Some(pod) = &mut self.pods[slot as usize] {
            pod.end();
        }
    }

    /// A pod syncs; returns when its workers take over what it has found, if that is not at once.
    pub(super) fn sync(&mut self, slot: u32, life: u32, now: u64, proxies: &mut ProxyTable) -> Option<u64> {
        let is_same = |pod: &&RelayPod| pod.life == life && pod.runs;
        self.pods[slot as usize].as_ref().filter(is_same)?;
        self.store.take_in(now);
        let state = self.state_for(slot, proxies);
        let at = self.pods[slot as usize].as_mut()?.plan(state, now);
        (at > now).then_some(at)
    }

    /// Workers of a pod take over what a sync has found.
    pub(super) fn adopt(&mut self, slot: u32, life: u32, now: u64) {
        if let Some(pod) = self.pods[slot as usize].as_mut().filter(|pod| pod.life == life) {
            pod.adopt_until(now);
        }
    }

    /// What a pod would work with now: the tables of the store.
    fn state_for(&mut self, slot: u32, proxies: &mut ProxyTable) -> State {
        let program = self.pods[slot as usize].as_ref().map_or(0, |pod| pod.program);
        let table = self.table(program);
        let Self { cache, interned, store, programs, dns, .. } = self;
        let resolver = Resolver { dns, conf: programs[program as usize].resolv_conf.as_ref() };
        let peers = interned.backends().map(|one| {
            if one.1.program == program { cache.peers(one, store, resolver, proxies) } else { Peers::default() }
        });
        State { peers: peers.collect(), configuration: store.configurations(), table }
    }

    /// The compiled tables of a program; once for all of its pods.
    fn table(&mut self, number: u32) -> Arc<Table> {
        let model = self.store.models();
        let program = &mut self.programs[number as usize];
        if let Some(table) = program.table.as_ref().filter(|table| table.model == model) {
            return table.clone();
        }
        let mut plans = plan::Planner { program: number, interned: &mut self.interned };
        let plans = plans.all(&program.what, self.store.view(), &self.requests);
        let table = Arc::new(Table::new(model, plans));
        program.table = Some(table.clone());
        table
    }

    /// The life of the process of a pod: what was planned in another one does not count.
    pub(super) fn life(&self, slot: u32) -> u32 {
        self.pods[slot as usize].as_ref().map_or(0, |pod| pod.life)
    }

    /// How long workers may end what they have begun when others have taken their place, ns.
    pub(super) fn shutdown(&self, slot: u32) -> u64 {
        self.pods[slot as usize].as_ref().map_or(0, |pod| pod.lag.shutdown().as_nanos())
    }

    /// The container that a pod is, in that life of its process.
    pub(super) fn server_of(&self, slot: u32, life: u32) -> Option<ServerId> {
        self.pods[slot as usize].as_ref().filter(|pod| pod.life == life).map(|pod| pod.server)
    }

    /// How a policy of forwarding is.
    #[inline]
    pub(super) fn policy(&self, id: PolicyId) -> &Policy {
        self.interned.policy(id)
    }

    /// The ways through reverse proxies, without counts.
    pub(super) fn ways(&self) -> &[RouteReport] {
        self.interned.ways()
    }

    /// What is needed to choose an endpoint: pods by slot, what has numbers, the cookies of clients.
    #[inline]
    pub(super) fn split(&mut self) -> (&mut [Option<RelayPod>], &Interned, &mut Sessions) {
        (&mut self.pods, &self.interned, &mut self.sessions)
    }

    /// The pod behind a port of a machine, and the port of the pod.
    pub(super) fn door(&self, program: u32, (node, port): (NodeId, u16)) -> Option<(ServerId, u16)> {
        let doors = self.programs[program as usize].doors.iter().rev().filter(|door| door.node == node);
        doors.filter_map(|door| Some((door.server, door.behind(port)?))).next()
    }

    /// Which workers of a pod take connections now: rises with every reload.
    #[inline]
    pub(super) fn workers(&self, slot: u32) -> u32 {
        self.pods[slot as usize].as_ref().map_or(0, |pod| pod.workers)
    }

    /// Machines with doors, as outside knows them.
    pub(super) fn machines(&mut self, program: u32, now: u64) -> &[NodeId] {
        self.programs[program as usize].machines.at(now)
    }
}

impl Program {
    fn note_machines(&mut self, from: u64) {
        let mut nodes: Vec<NodeId> = self.doors.iter().map(|door| door.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        self.machines.set(nodes, from);
    }
}
