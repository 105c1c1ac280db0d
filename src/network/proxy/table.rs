//! Services, endpoints and nodes as the proxies of all nodes know them: one list of versions, and for each node how far it is.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::{Change, ChangeType};
use crate::kernel::{Purpose, SimDuration, Streams};
use crate::objects::{Endpoint, EndpointSlice, Key, Labels, Node, Object, SERVICE_NAME_LABEL, Service, ServicePort};

use super::super::cidr::Cidr;
use super::super::clients::PortRef;
use super::super::health::{HealthCheck, NodeAnswer};
use super::super::ids::{NodeId, PoolId, PortId, TargetId};
use super::super::outcome::Cause;
use super::super::policy::Protocol;
use super::NetworkConfig;
use super::endpoint_set::{Candidate, EndpointSet, Policies, ZoneId};
use super::pools::{HealthPool, Pool};
use super::runner::{ChangeLog, Runner, SyncTiming};
use super::watch::{Apart, Hearing};

const NODE_JITTER: Purpose = Purpose::new(0x5ea_0201);
const HEALTH_PHASE: Purpose = Purpose::new(0x5ea_0206);
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const DELETION_TAINT: &str = "ToBeDeletedByClusterAutoscaler";
/// Seconds of `sessionAffinity: ClientIP` if the Service does not say.
const DEFAULT_AFFINITY_SECONDS: u64 = 10_800;

/// By which address of a Service a connection comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) enum Entrance {
    /// The cluster address, from inside.
    ClusterIp,
    /// A node port, from outside.
    NodePort,
    /// A load balancer.
    LoadBalancer,
    /// The addresses of the endpoints, as DNS has them.
    Headless,
}

/// What of a Service decides about its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Rules {
    pub(in crate::network) policies: Policies,
    /// How long a client keeps its endpoint, ns.
    pub(in crate::network) affinity: Option<u64>,
    pub(in crate::network) headless: bool,
    /// It has a load balancer that is there.
    pub(in crate::network) balanced: bool,
    pub(in crate::network) node_port: bool,
    pub(in crate::network) protocol: Protocol,
}

/// An endpoint of a slice, with numbers for names.
#[derive(Clone, Debug)]
struct CompiledEndpoint {
    address: IpAddr,
    candidate: Candidate,
}

#[derive(Clone, Debug)]
pub(super) struct CompiledSlice {
    key: Key,
    object: Arc<EndpointSlice>,
    /// Name, protocol, number.
    ports: Vec<(Arc<str>, Arc<str>, u16)>,
    endpoints: Vec<CompiledEndpoint>,
}

#[derive(Clone, Debug, Default)]
struct ServiceEntry {
    service: Option<Arc<Service>>,
    ports: Vec<PortId>,
    slices: Vec<Arc<CompiledSlice>>,
    /// Its load balancer's.
    pool: Option<PoolId>,
}

/// A port of a Service at a number of changes.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// It counts where at least this many changes are programmed.
    pub(super) since: u32,
    /// `None` = the port, or the Service, is not there.
    pub(super) rules: Option<Rules>,
    pub(super) slices: Arc<[Arc<CompiledSlice>]>,
    set: Option<Arc<EndpointSet>>,
}

#[derive(Clone, Debug)]
pub(super) struct Port {
    name: Arc<str>,
    protocol: Arc<str>,
    number: u16,
    /// The newest is the last.
    pub(super) versions: VecDeque<Version>,
    /// All nodes have programmed the newest version.
    pub(super) is_settled: bool,
    /// When it is looked next whether that is so, ns.
    pub(super) look_at: u64,
}

#[derive(Clone, Debug)]
pub(super) struct ProxyNode {
    name: Arc<str>,
    pub(super) zone: Option<ZoneId>,
    address: Option<IpAddr>,
    pub(super) runner: Runner,
    pub(super) hearing: Hearing,
    /// The machine runs.
    up: bool,
    /// The Node object exists.
    pub(super) registered: bool,
    /// Load balancers leave it out.
    excluded: bool,
}

/// All that the proxies know.
#[derive(Clone, Debug)]
pub(in crate::network) struct ProxyTable {
    pub(super) timing: SyncTiming,
    check: HealthCheck,
    pools: Vec<HealthPool>,
    /// From an accepted write to the proxies, ns.
    pub(super) watch: u64,
    streams: Streams,
    pub(super) nodes: Vec<ProxyNode>,
    pub(super) apart: Apart,
    nodes_by_name: FxHashMap<Arc<str>, NodeId>,
    zones: FxHashMap<Arc<str>, ZoneId>,
    services: FxHashMap<Key, ServiceEntry>,
    /// Keys of services in the order in which they were first seen.
    order: Vec<Key>,
    pub(super) ports: Vec<Port>,
    targets: FxHashMap<(IpAddr, u16), TargetId>,
    /// Address and port of each target.
    places: Vec<(IpAddr, u16)>,
    /// Endpoints in all slices.
    endpoints: usize,
    pub(super) log: ChangeLog,
    /// Nodes that outside clients know of, for services without a load balancer.
    all_nodes: Pool,
    /// Counts changes after which a name or a port may mean something else.
    generation: u64,
}

impl ProxyTable {
    pub(in crate::network) fn new(config: &NetworkConfig, watch: SimDuration, streams: Streams) -> Self {
        Self {
            timing: config.timing(),
            check: config.load_balancer,
            pools: Vec::new(),
            watch: watch.as_nanos(),
            streams,
            nodes: Vec::new(),
            apart: Apart::default(),
            nodes_by_name: FxHashMap::default(),
            zones: FxHashMap::default(),
            services: FxHashMap::default(),
            order: Vec::new(),
            ports: Vec::new(),
            targets: FxHashMap::default(),
            places: Vec::new(),
            endpoints: 0,
            log: ChangeLog::default(),
            all_nodes: Pool::default(),
            generation: 0,
        }
    }

    /// A change that was accepted at `now`, ns.
    pub(in crate::network) fn follow(&mut self, change: &Change, now: u64) {
        let deleted = change.change_type == ChangeType::Deleted;
        match &change.object {
            Object::Service(service) => self.follow_service(service, deleted, now),
            Object::EndpointSlice(slice) => self.follow_slice(slice, deleted, now),
            Object::Node(node) => self.follow_node(node, deleted, now),
            _ => {}
        }
    }

    fn follow_service(&mut self, service: &Arc<Service>, deleted: bool, now: u64) {
        let key = Key::new(service.meta.namespace.clone(), service.meta.name.clone());
        let entry = self.entry(&key);
        let same = !deleted
            && entry.service.as_ref().is_some_and(|old| {
                old.spec == service.spec && old.status.load_balancer == service.status.load_balancer
            });
        if same {
            return;
        }
        entry.service = (!deleted).then(|| service.clone());
        self.generation += 1;
        self.programme(&key, now);
    }

    fn follow_slice(&mut self, slice: &Arc<EndpointSlice>, deleted: bool, now: u64) {
        let Some(name) = slice.meta.labels.get(SERVICE_NAME_LABEL) else { return };
        let owner = Key::new(slice.meta.namespace.clone(), name);
        let key = Key::new(slice.meta.namespace.clone(), slice.meta.name.clone());
        let compiled = if deleted { None } else { Some(Arc::new(self.compile(key.clone(), slice))) };
        let slices = &mut self.entry(&owner).slices;
        let place = slices.iter().position(|known| known.key == key);
        let gone = place.map_or(0, |at| slices[at].endpoints.len());
        let come = compiled.as_ref().map_or(0, |slice| slice.endpoints.len());
        match (place, compiled) {
            (Some(at), Some(compiled)) => slices[at] = compiled,
            (Some(at), None) => drop(slices.remove(at)),
            (None, Some(compiled)) => slices.push(compiled),
            (None, None) => return,
        }
        self.endpoints = self.endpoints + come - gone;
        self.programme(&owner, now);
    }

    fn follow_node(&mut self, object: &Node, deleted: bool, now: u64) {
        let number = self.node(&object.meta.name);
        let zone = object.meta.labels.get(ZONE_LABEL).map(|zone| self.zone(zone));
        let excluded = is_excluded(&object.meta.labels)
            || object.meta.deletion_timestamp.is_some()
            || object.spec.taints.iter().any(|taint| *taint.key == *DELETION_TAINT);
        let node = &mut self.nodes[number.at()];
        node.address = internal_ip(object).or(node.address);
        let before = (node.zone, node.registered, node.excluded);
        (node.zone, node.registered, node.excluded) = (zone, !deleted, excluded);
        if before != (zone, !deleted, excluded) {
            self.refresh_pools(now);
        }
    }

    /// A machine runs, or not any more.
    pub(in crate::network) fn set_up(&mut self, name: &Arc<str>, up: bool, now: u64) -> NodeId {
        let number = self.node(name);
        if self.nodes[number.at()].up != up {
            self.nodes[number.at()].up = up;
            if up {
                self.start_proxy(number);
            }
            self.refresh_pools(now);
        }
        number
    }

    /// The number of a node.
    pub(in crate::network) fn node(&mut self, name: &Arc<str>) -> NodeId {
        if let Some(&number) = self.nodes_by_name.get(name) {
            return number;
        }
        let number = NodeId(self.nodes.len() as u32);
        let jitter = self.timing.jitter.as_nanos();
        let lag = if jitter == 0 { 0 } else { self.streams.stream(NODE_JITTER, &**name).below(jitter) };
        self.nodes.push(ProxyNode {
            name: name.clone(),
            zone: None,
            address: None,
            runner: Runner::new(SimDuration::from_nanos(lag)),
            hearing: Hearing::default(),
            up: true,
            registered: false,
            excluded: false,
        });
        self.nodes_by_name.insert(name.clone(), number);
        self.start_proxy(number);
        number
    }

    fn zone(&mut self, name: &str) -> ZoneId {
        let next = self.zones.len() as ZoneId;
        *self.zones.entry(name.into()).or_insert(next)
    }

    fn entry(&mut self, key: &Key) -> &mut ServiceEntry {
        if !self.services.contains_key(key) {
            self.order.push(key.clone());
        }
        self.services.entry(key.clone()).or_default()
    }

    fn compile(&mut self, key: Key, slice: &Arc<EndpointSlice>) -> CompiledSlice {
        let text = |text: Option<&str>| Arc::from(text.unwrap_or(""));
        let ports = slice.ports.iter().filter_map(|port| {
            let number = u16::try_from(port.port?).ok()?;
            Some((text(port.name.as_deref()), text(Some(port.protocol.as_deref().unwrap_or("TCP"))), number))
        });
        let ports = ports.collect();
        let endpoints = slice.endpoints.iter().filter_map(|endpoint| {
            Some(CompiledEndpoint { address: endpoint.ip()?, candidate: self.candidate(endpoint) })
        });
        CompiledSlice { key, object: slice.clone(), ports, endpoints: endpoints.collect() }
    }

    fn candidate(&mut self, endpoint: &Endpoint) -> Candidate {
        let conditions = endpoint.conditions;
        let hints = |list: &str| -> Vec<Arc<str>> {
            let hints = endpoint.rest.get("hints").and_then(|hints| hints.get(list)).and_then(|list| list.as_array());
            hints.into_iter().flatten().filter_map(|hint| hint.get("name")?.as_str().map(Arc::from)).collect()
        };
        let (zones, nodes) = (hints("forZones"), hints("forNodes"));
        Candidate {
            target: TargetId::NONE,
            node: endpoint.node_name.as_ref().map_or(NodeId::NONE, |name| self.node(name)),
            ready: conditions.ready != Some(false),
            serving: conditions.serving != Some(false),
            terminating: conditions.terminating == Some(true),
            zone_hints: zones.iter().map(|zone| self.zone(zone)).collect(),
            node_hints: nodes.iter().map(|node| self.node(node)).collect(),
        }
    }

    /// Notes a new version of every port of a service.
    fn programme(&mut self, key: &Key, now: u64) {
        let since = self.log.push(now.saturating_add(self.watch), self.endpoints) + 1;
        let keep_until = self.settled_before(now);
        let entry = self.services.entry(key.clone()).or_default();
        if let Some(service) = &entry.service {
            for port in &service.spec.ports {
                let known = |id: &&PortId| self.ports[id.at()].is(port);
                if !entry.ports.iter().any(|id| known(&id)) {
                    entry.ports.push(PortId(self.ports.len() as u32));
                    self.ports.push(Port::new(port));
                }
            }
        }
        let slices: Arc<[Arc<CompiledSlice>]> = entry.slices.as_slice().into();
        for id in &entry.ports {
            let port = &mut self.ports[id.at()];
            let declared = entry.service.as_ref().and_then(|service| {
                let declared = service.spec.ports.iter().find(|declared| port.is(declared))?;
                Some((rules(service, declared), declared.port))
            });
            port.number = declared.map_or(port.number, |(_, number)| u16::try_from(number).unwrap_or(0));
            let rules = declared.map(|(rules, _)| rules);
            port.versions.push_back(Version { since, rules, slices: slices.clone(), set: None });
            (port.is_settled, port.look_at) = (false, 0);
            while port.versions.get(1).is_some_and(|next| next.since <= keep_until) {
                port.versions.pop_front();
            }
        }
        self.refresh_pool(&key.clone(), now);
    }

    /// Where a connection to a service port comes in and what decides about it there: the port's number, unless there is none.
    pub(in crate::network) fn find_port(&self, key: &Key, wanted: &PortRef) -> Result<PortId, Cause> {
        let entry = self.services.get(key).filter(|entry| entry.service.is_some()).ok_or(Cause::NoSuchName)?;
        let service = entry.service.as_ref().ok_or(Cause::NoSuchName)?;
        let mut declared = service.spec.ports.iter();
        let found = match wanted {
            PortRef::Only => declared.next().filter(|_| service.spec.ports.len() == 1),
            PortRef::Number(number) => declared.find(|port| port.port == i32::from(*number)),
            PortRef::Name(name) => declared.find(|port| *port.name == **name),
        };
        let found = found.ok_or(Cause::NoSuchPort)?;
        entry.ports.iter().find(|id| self.ports[id.at()].is(found)).copied().ok_or(Cause::NoSuchPort)
    }

    /// The ports that a service has, or had.
    pub(super) fn ports_of(&self, service: &Key) -> &[PortId] {
        self.services.get(service).map_or(&[], |entry| &entry.ports)
    }

    /// What a port is now, whatever the nodes have programmed.
    #[inline(always)]
    pub(in crate::network) fn newest_rules(&self, port: PortId) -> Option<&Rules> {
        self.ports[port.at()].versions.back()?.rules.as_ref()
    }

    /// The rules and endpoints of a port as a node has programmed them.
    #[inline(always)]
    pub(in crate::network) fn programmed(
        &mut self,
        port: PortId,
        node: NodeId,
        now: u64,
    ) -> Option<(&Rules, &EndpointSet, Option<ZoneId>)> {
        let at = match &self.ports[port.at()] {
            Port { is_settled: true, versions, .. } => versions.len().checked_sub(1)?,
            _ => self.find_version(port, node, now)?,
        };
        self.ensure_compiled(port, at);
        let version = &self.ports[port.at()].versions[at];
        Some((version.rules.as_ref()?, version.set.as_deref()?, self.nodes[node.at()].zone))
    }

    /// The newest rules and endpoints of a port, as DNS has them.
    pub(in crate::network) fn newest(&mut self, port: PortId) -> Option<(&Rules, &EndpointSet)> {
        let at = self.ports[port.at()].versions.len().checked_sub(1)?;
        self.ensure_compiled(port, at);
        let version = &self.ports[port.at()].versions[at];
        Some((version.rules.as_ref()?, version.set.as_deref()?))
    }

    #[inline(always)]
    fn ensure_compiled(&mut self, port: PortId, at: usize) {
        if self.ports[port.at()].versions[at].set.is_none() {
            self.compile_set(port, at);
        }
    }

    #[cold]
    fn compile_set(&mut self, port: PortId, at: usize) {
        let known = &self.ports[port.at()];
        let version = &known.versions[at];
        let policies = version.rules.map(|rules| rules.policies).unwrap_or_default();
        let slices = version.slices.clone();
        let mut candidates = Vec::new();
        for slice in slices.iter() {
            let Some(number) = slice.number_of(&self.ports[port.at()]) else { continue };
            for endpoint in &slice.endpoints {
                let target = self.target(endpoint.address, number);
                candidates.push(Candidate { target, ..endpoint.candidate.clone() });
            }
        }
        let set = EndpointSet::new(candidates, policies);
        self.ports[port.at()].versions[at].set = Some(Arc::new(set));
    }

    /// The number of an address and port.
    pub(in crate::network) fn target(&mut self, address: IpAddr, port: u16) -> TargetId {
        let next = TargetId(self.places.len() as u32);
        let target = *self.targets.entry((address, port)).or_insert(next);
        if target == next {
            self.places.push((address, port));
        }
        target
    }

    /// Address and port of every target, in the order of their numbers.
    pub(in crate::network) fn places(&self) -> &[(IpAddr, u16)] {
        &self.places
    }

    /// Nodes by which traffic from outside comes to a service.
    #[inline(always)]
    pub(in crate::network) fn ways_in(&mut self, pool: Option<PoolId>, now: u64) -> &[NodeId] {
        match pool {
            Some(pool) => self.pools[pool.at()].at(now),
            None => self.all_nodes.at(now),
        }
    }

    /// The load balancer of a Service.
    pub(in crate::network) fn balancer_of(&self, key: &Key) -> Option<PoolId> {
        self.services.get(key)?.pool
    }

    /// Whether a Service's load balancer takes requests from a range of addresses; `None` = from anywhere.
    pub(in crate::network) fn lets_in(&self, key: &Key, from: Option<&Cidr>) -> bool {
        let Some(service) = self.services.get(key).and_then(|entry| entry.service.as_ref()) else { return true };
        let ranges = &service.spec.load_balancer_source_ranges;
        let covers = |range: Cidr| match from {
            Some(from) => range.covers(from),
            None => range.is_everything(),
        };
        ranges.is_empty() || ranges.iter().filter_map(|range| Cidr::parse(range.trim())).any(covers)
    }

    /// Whether a Service takes connections from an address inside by one of its addresses: ranges are about those of its load balancer
    /// (`pkg/proxy/iptables`, `KUBE-FW`).
    pub(in crate::network) fn lets_in_by(&self, key: &Key, by: IpAddr, from: Option<IpAddr>) -> bool {
        let Some(service) = self.services.get(key).and_then(|entry| entry.service.as_ref()) else { return true };
        let ranges = &service.spec.load_balancer_source_ranges;
        let is_balanced = || {
            let addresses = service.status.load_balancer.ingress.iter().map(|ingress| ingress.ip.parse());
            addresses.into_iter().any(|address: Result<IpAddr, _>| address == Ok(by))
        };
        let covers = |range: Cidr| from.map_or(range.is_everything(), |from| range.contains(from));
        ranges.is_empty() || !is_balanced() || ranges.iter().filter_map(|range| Cidr::parse(range.trim())).any(covers)
    }

    fn refresh_pools(&mut self, now: u64) {
        let registered = |node: &&ProxyNode| node.registered;
        let numbers = |chosen: &dyn Fn(&&ProxyNode) -> bool| -> Vec<NodeId> {
            let all = self.nodes.iter().enumerate();
            all.filter(|(_, node)| chosen(node)).map(|(at, _)| NodeId(at as u32)).collect()
        };
        let all = numbers(&registered);
        self.all_nodes.set(all, now);
        for at in 0..self.order.len() {
            let key = self.order[at].clone();
            self.refresh_pool(&key, now);
        }
    }

    /// Works out which nodes a load balancer of a service finds healthy.
    fn refresh_pool(&mut self, key: &Key, now: u64) {
        let Some(entry) = self.services.get(key) else { return };
        let Some(service) = entry.service.as_ref().filter(|service| service.spec.kind == *"LoadBalancer") else {
            return;
        };
        let mut with_endpoints = FxHashSet::default();
        let asks_for_endpoints = service.spec.needs_health_check();
        if asks_for_endpoints {
            let endpoints = entry.slices.iter().flat_map(|slice| &slice.endpoints);
            with_endpoints.extend(endpoints.filter(|e| e.candidate.ready).map(|e| e.candidate.node));
        }
        let known = self.nodes.iter().enumerate().filter(|(_, node)| node.registered && !node.excluded);
        let answers = known.map(|(at, node)| {
            let node_id = NodeId(at as u32);
            let answer = match (node.up, !asks_for_endpoints || with_endpoints.contains(&node_id)) {
                (false, _) => NodeAnswer::Silent,
                (true, true) => NodeAnswer::Healthy,
                (true, false) => NodeAnswer::Unhealthy,
            };
            (node_id, answer)
        });
        let interval = self.check.interval.as_nanos().max(1);
        let phase = |node: NodeId| {
            let name = format!("{key}/{}", self.nodes[node.at()].name);
            SimDuration::from_nanos(self.streams.stream(HEALTH_PHASE, name.as_str()).below(interval))
        };
        let pool = entry.pool.unwrap_or(PoolId(self.pools.len() as u32));
        if pool.at() == self.pools.len() {
            self.pools.push(HealthPool::default());
        }
        self.pools[pool.at()].set(answers, self.check, now, phase);
        if let Some(entry) = self.services.get_mut(key) {
            entry.pool = Some(pool);
        }
    }

    /// How many machines were heard of.
    pub(in crate::network) const fn machines(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the machine runs.
    #[inline]
    pub(in crate::network) fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.at()].up
    }

    /// Address of a node, if its object has one.
    pub(in crate::network) fn address(&self, node: NodeId) -> Option<IpAddr> {
        self.nodes[node.at()].address
    }

    /// Name of a node.
    pub(in crate::network) fn name(&self, node: usize) -> &Arc<str> {
        &self.nodes[node].name
    }

    /// Number of a node that has been heard of.
    pub(in crate::network) fn find_node(&self, name: &str) -> Option<NodeId> {
        self.nodes_by_name.get(name).copied()
    }

    /// Rises when a name or a port may mean something else than before.
    pub(in crate::network) const fn generation(&self) -> u64 {
        self.generation
    }
}

impl CompiledSlice {
    /// The number that a port of the Service has here.
    pub(super) fn number_of(&self, port: &Port) -> Option<u16> {
        let mut ports = self.ports.iter();
        ports.find(|(name, protocol, _)| *name == port.name && *protocol == port.protocol).map(|(.., number)| *number)
    }

    /// The endpoints that have an address, as they are written and as they count.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Endpoint, &Candidate)> {
        let written = self.object.endpoints.iter().filter(|endpoint| endpoint.ip().is_some());
        written.zip(self.endpoints.iter().map(|endpoint| &endpoint.candidate))
    }
}

impl Port {
    fn new(port: &ServicePort) -> Self {
        Self {
            name: port.name.to_string().into(),
            protocol: protocol(port).into(),
            number: 0,
            versions: VecDeque::new(),
            is_settled: false,
            look_at: 0,
        }
    }

    fn is(&self, port: &ServicePort) -> bool {
        *self.name == *port.name && *self.protocol == *protocol(port)
    }
}

fn protocol(port: &ServicePort) -> &str {
    if port.protocol.is_empty() { "TCP" } else { &port.protocol }
}

fn internal_ip(node: &Node) -> Option<IpAddr> {
    let addresses = node.status.rest.get("addresses")?.as_array()?;
    let internal = addresses.iter().find(|address| address.get("type").is_some_and(|kind| kind == "InternalIP"));
    internal?.get("address")?.as_str()?.parse().ok()
}

fn is_excluded(labels: &Labels) -> bool {
    labels.get(EXCLUDE_LABEL).is_some()
}

fn rules(service: &Service, port: &ServicePort) -> Rules {
    let spec = &service.spec;
    let affinity = (spec.session_affinity == *"ClientIP").then(|| {
        let seconds = spec.session_affinity_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        SimDuration::from_secs(seconds.unwrap_or(DEFAULT_AFFINITY_SECONDS)).as_nanos()
    });
    let is_balanced = spec.kind == *"LoadBalancer" && !service.status.load_balancer.ingress.is_empty();
    Rules {
        policies: Policies {
            internal_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
            external_local: spec.external_traffic_policy == *"Local",
            externally_accessible: spec.is_externally_accessible(),
        },
        affinity,
        headless: spec.is_headless(),
        balanced: is_balanced,
        node_port: port.node_port != 0,
        protocol: Protocol::parse(&port.protocol),
    }
}
