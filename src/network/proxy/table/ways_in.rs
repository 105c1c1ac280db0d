//! How traffic from outside comes in: the nodes that load balancers send to, and whom they let in.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::kernel::{Purpose, SimDuration};
use crate::objects::Key;

use super::super::pools::HealthPool;
use super::ProxyTable;
use super::nodes::ProxyNode;
use crate::network::cidr::Cidr;
use crate::network::health::NodeAnswer;
use crate::network::ids::{NodeId, PoolId};

const HEALTH_PHASE: Purpose = Purpose::new(0x5ea_0206);

impl ProxyTable {
    /// Nodes by which traffic from outside comes to a service.
    #[inline(always)]
    pub(in crate::network) fn ways_in(&mut self, pool: Option<PoolId>, now: u64) -> &[NodeId] {
        match pool {
            Some(pool) => self.pools[pool.at()].at(now),
            None => self.all_nodes.at(now),
        }
    }

    /// The names of the nodes to which the load balancer of a Service sends; nothing if it has none.
    pub(in crate::network) fn balanced_to(&self, key: &Key, now: u64) -> Option<Vec<Arc<str>>> {
        let nodes = self.pools[self.balancer_of(key)?.at()].seen_at(now);
        Some(nodes.into_iter().map(|node| self.nodes[node.at()].name.clone()).collect())
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

    pub(in crate::network::proxy) fn refresh_pools(&mut self, now: u64) {
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
    pub(super) fn refresh_pool(&mut self, key: &Key, now: u64) {
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
            (node_id, answer, node.runner.has_rules_from(now, &self.log, &self.timing))
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
}
