//! What nodes have programmed of a service port, for people who ask: nothing is changed by looking.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::Key;

use super::super::clients::PortRef;
use super::super::ids::{NodeId, PortId, TargetId};
use super::endpoint_set::{Candidate, EndpointSet};
use super::table::{ProxyTable, Version};

/// An endpoint as a node has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::network) struct Seen {
    pub(in crate::network) ip: IpAddr,
    pub(in crate::network) port: u16,
    pub(in crate::network) pod: Option<Key>,
    pub(in crate::network) node: Option<Arc<str>>,
}

/// Which endpoints somebody is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) enum Wanted {
    /// All that the node may use.
    Cluster,
    /// Those on the node itself.
    Local,
    /// Those on the node itself, or else what `Cluster` would have: ipvs, from inside.
    LocalOrCluster,
    /// Ready ones on any node: those of the nodes that a load balancer takes for healthy.
    Ready,
}

impl ProxyTable {
    /// The endpoints to which a node sends; `None` = it has no rules for the port.
    pub(in crate::network) fn seen_on(
        &self,
        port: PortId,
        node: NodeId,
        wanted: Wanted,
        now: u64,
    ) -> Option<Vec<Seen>> {
        let machine = &self.nodes[node.at()];
        self.seen_in(port, self.version_on(port, node, now)?, (node, machine.zone), wanted)
    }

    /// Whether a node has not programmed the newest that there is of a service.
    pub(in crate::network) fn is_behind(&self, service: &Key, node: NodeId, now: u64) -> bool {
        let newest = |port: &PortId| self.ports[port.at()].versions.last().map(|version| version.since);
        let own = |port: &PortId| self.version_on(*port, node, now).map(|version| version.since);
        self.ports_of(service).iter().any(|port| own(port) != newest(port))
    }

    /// Each list of endpoints that some nodes have, with how many nodes that are; without regard to zones.
    pub(in crate::network) fn seen_anywhere(
        &self,
        port: PortId,
        wanted: Wanted,
        now: u64,
    ) -> Vec<(Option<Vec<Seen>>, usize)> {
        let mut versions: Vec<(Option<&Version>, usize)> = Vec::new();
        for node in self.all_nodes().filter(|node| self.nodes[node.at()].registered) {
            let version = self.version_on(port, node, now);
            let since = version.map(|version| version.since);
            match versions.iter_mut().find(|(known, _)| known.map(|known| known.since) == since) {
                Some((_, nodes)) => *nodes += 1,
                None => versions.push((version, 1)),
            }
        }
        let seen = |version: &Version| self.seen_in(port, version, (NodeId::NONE, None), wanted);
        versions.into_iter().map(|(version, nodes)| (version.and_then(seen), nodes)).collect()
    }

    /// The port of a service.
    pub(in crate::network) fn port_of(&self, service: &Key, name: &str) -> Option<PortId> {
        self.find_port(service, &PortRef::Name(name.into())).ok()
    }

    fn version_on(&self, port: PortId, node: NodeId, now: u64) -> Option<&Version> {
        let mut runner = self.nodes[node.at()].runner;
        let changes = runner.programmed(now, &self.log, &self.timing);
        self.ports[port.at()].versions.iter().rev().find(|version| version.since <= changes)
    }

    fn seen_in(
        &self,
        port: PortId,
        version: &Version,
        (node, zone): (NodeId, Option<u32>),
        wanted: Wanted,
    ) -> Option<Vec<Seen>> {
        let policies = version.rules?.policies;
        let (mut seen, mut candidates) = (Vec::new(), Vec::new());
        let mut known: FxHashMap<(IpAddr, u16), TargetId> = FxHashMap::default();
        for slice in version.slices.iter() {
            let Some(number) = slice.number_of(&self.ports[port.at()]) else { continue };
            for (endpoint, candidate) in slice.each() {
                let ip = endpoint.ip()?;
                let next = TargetId(seen.len() as u32);
                let target = *known.entry((ip, number)).or_insert(next);
                if target == next {
                    let pod = endpoint.target_ref.as_ref().filter(|target| *target.kind == *"Pod");
                    let pod = pod.map(|target| Key::new(&*target.namespace, &*target.name));
                    seen.push(Seen { ip, port: number, pod, node: endpoint.node_name.clone() });
                }
                candidates.push(Candidate { target, ..candidate.clone() });
            }
        }
        let set = EndpointSet::new(candidates, policies);
        let chosen = match wanted {
            Wanted::Cluster => set.cluster(node, zone),
            Wanted::Local => set.local(node),
            Wanted::LocalOrCluster if set.local(node).is_empty() => set.cluster(node, zone),
            Wanted::LocalOrCluster => set.local(node),
            Wanted::Ready => set.ready(),
        };
        Some(chosen.iter().map(|target| seen[target.at()].clone()).collect())
    }
}
