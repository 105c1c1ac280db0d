//! Services, endpoints and nodes as the proxies of all nodes know them: one list of versions, and for each node how far it is.

mod nodes;
mod ports;
mod slices;
#[cfg(test)]
mod tests;
mod ways_in;

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType};
use crate::kernel::{SimDuration, Streams};
use crate::objects::{Key, Object, Service};

use super::super::health::HealthCheck;
use super::super::ids::{NodeId, PoolId, PortId, TargetId};
use super::NetworkConfig;
use super::endpoint_set::ZoneId;
use super::pools::{HealthPool, Pool};
use super::runner::{ChangeLog, SyncTiming};
use super::watch::Apart;

use nodes::ProxyNode;
use ports::Port;
pub(super) use ports::Version;
use slices::CompiledSlice;

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

/// A Service that was heard of, or whose slices were.
#[derive(Clone, Debug, Default)]
struct ServiceEntry {
    service: Option<Arc<Service>>,
    ports: Vec<PortId>,
    slices: Vec<Arc<CompiledSlice>>,
    /// Its load balancer's.
    pool: Option<PoolId>,
}

/// All that the proxies know.
#[derive(Clone, Debug)]
pub(in crate::network) struct ProxyTable {
    pub(super) timing: SyncTiming,
    check: HealthCheck,
    pools: Vec<HealthPool>,
    /// From an accepted write to the proxies, ns.
    pub(super) watch: u64,
    /// From the start of a machine to that of its proxy, ns.
    proxy_start: u64,
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
            proxy_start: config.proxy_start.as_nanos(),
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

    fn entry(&mut self, key: &Key) -> &mut ServiceEntry {
        if !self.services.contains_key(key) {
            self.order.push(key.clone());
        }
        self.services.entry(key.clone()).or_default()
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

    /// Rises when a name or a port may mean something else than before.
    pub(in crate::network) const fn generation(&self) -> u64 {
        self.generation
    }
}
