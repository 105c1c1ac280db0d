//! The ports of Services: what was written of each so far, and which of that a node has programmed.

use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::objects::{Key, LoadBalancerIngress, Service, ServicePort};

use super::super::endpoint_set::{Candidate, EndpointSet, Policies, ZoneId};
use super::ProxyTable;
use super::slices::CompiledSlice;
use crate::network::clients::PortRef;
use crate::network::ids::{NodeId, PortId};
use crate::network::outcome::Cause;
use crate::network::policy::Protocol;

/// Seconds of `sessionAffinity: ClientIP` if the Service does not say.
const DEFAULT_AFFINITY_SECONDS: u64 = 10_800;

/// What of a Service decides about its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Rules {
    pub(in crate::network) policies: Policies,
    /// How long a client keeps its endpoint, ns.
    pub(in crate::network) affinity: Option<u64>,
    pub(in crate::network) headless: bool,
    /// It has a load balancer that is there.
    pub(in crate::network) balanced: bool,
    /// Its load balancer sends to the port of a node, and not to its own address there.
    pub(in crate::network) balanced_by_port: bool,
    pub(in crate::network) node_port: bool,
    /// It has addresses of its own that somebody leads to the nodes.
    pub(in crate::network) has_external_ips: bool,
    pub(in crate::network) protocol: Protocol,
}

/// A port of a Service at a number of changes.
#[derive(Clone, Debug)]
pub(in crate::network::proxy) struct Version {
    /// It counts where at least this many changes are programmed.
    pub(in crate::network::proxy) since: u32,
    /// `None` = the port, or the Service, is not there.
    pub(in crate::network::proxy) rules: Option<Rules>,
    pub(in crate::network::proxy) slices: Arc<[Arc<CompiledSlice>]>,
    set: Option<Arc<EndpointSet>>,
}

/// A port of a Service, known by its name and protocol.
#[derive(Clone, Debug)]
pub(in crate::network::proxy) struct Port {
    pub(super) name: Arc<str>,
    pub(super) protocol: Arc<str>,
    /// The newest is the last.
    pub(in crate::network::proxy) versions: Vec<Version>,
    /// All nodes have programmed the newest version.
    pub(in crate::network::proxy) is_settled: bool,
    /// When it is looked next whether that is so, ns.
    pub(in crate::network::proxy) look_at: u64,
}

impl ProxyTable {
    /// Notes a new version of every port of a service.
    pub(super) fn programme(&mut self, key: &Key, now: u64) {
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
            let rules = entry.service.as_ref().and_then(|service| {
                let declared = service.spec.ports.iter().find(|declared| port.is(declared))?;
                Some(rules(service, declared))
            });
            port.versions.push(Version { since, rules, slices: slices.clone(), set: None });
            (port.is_settled, port.look_at) = (false, 0);
            let obsolete = port.versions.iter().skip(1).take_while(|next| next.since <= keep_until).count();
            port.versions.drain(..obsolete);
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
    pub(in crate::network::proxy) fn ports_of(&self, service: &Key) -> &[PortId] {
        self.services.get(service).map_or(&[], |entry| &entry.ports)
    }

    /// What a port is now, whatever the nodes have programmed.
    #[inline(always)]
    pub(in crate::network) fn newest_rules(&self, port: PortId) -> Option<&Rules> {
        self.ports[port.at()].versions.last()?.rules.as_ref()
    }

    /// The rules and endpoints of a port as a node has programmed them, and the node's zone if endpoints are meant for some.
    #[inline(always)]
    pub(in crate::network) fn programmed(
        &mut self,
        port: PortId,
        node: NodeId,
        now: u64,
    ) -> Option<(&Rules, &EndpointSet, Option<ZoneId>)> {
        let known = &self.ports[port.at()];
        let at = match &known.versions[..] {
            [before @ .., Version { set: Some(_), .. }] if known.is_settled => before.len(),
            _ => self.look_up(port, node, now)?,
        };
        let version = self.ports[port.at()].versions.get(at)?;
        let set = version.set.as_deref()?;
        let zone = if set.has_hints() { self.nodes[node.at()].zone } else { None };
        Some((version.rules.as_ref()?, set, zone))
    }

    /// The place of the version that a node has programmed, compiled.
    fn look_up(&mut self, port: PortId, node: NodeId, now: u64) -> Option<usize> {
        let at = match &self.ports[port.at()] {
            Port { is_settled: true, versions, .. } => versions.len().checked_sub(1)?,
            _ => self.find_version(port, node, now)?,
        };
        self.ensure_compiled(port, at);
        Some(at)
    }

    /// The newest rules and endpoints of a port, as DNS has them.
    pub(in crate::network) fn newest(&mut self, port: PortId) -> Option<(&Rules, &EndpointSet)> {
        let at = self.ports[port.at()].versions.len().checked_sub(1)?;
        self.ensure_compiled(port, at);
        let version = &self.ports[port.at()].versions[at];
        Some((version.rules.as_ref()?, version.set.as_deref()?))
    }

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
}

impl Port {
    fn new(port: &ServicePort) -> Self {
        Self {
            name: port.name.to_string().into(),
            protocol: protocol(port).into(),
            versions: Vec::new(),
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

fn rules(service: &Service, port: &ServicePort) -> Rules {
    let spec = &service.spec;
    let affinity = (spec.session_affinity == *"ClientIP").then(|| {
        let seconds = spec.session_affinity_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        SimDuration::from_secs(seconds.unwrap_or(DEFAULT_AFFINITY_SECONDS)).as_nanos()
    });
    let points = &service.status.load_balancer.ingress;
    let is_balanced = spec.kind == *"LoadBalancer" && !points.is_empty();
    // `ipMode`; one that is known by a name only, such as AWS', has no address to leave on a packet.
    let keeps_address = |point: &LoadBalancerIngress| !point.ip.is_empty() && point.ip_mode.as_deref() != Some("Proxy");
    Rules {
        policies: Policies {
            internal_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
            external_local: spec.external_traffic_policy == *"Local",
            externally_accessible: spec.is_externally_accessible(),
        },
        affinity,
        headless: spec.is_headless(),
        balanced: is_balanced,
        balanced_by_port: is_balanced && port.node_port != 0 && !points.iter().any(keeps_address),
        node_port: port.node_port != 0,
        has_external_ips: !spec.external_ips.is_empty(),
        protocol: Protocol::parse(&port.protocol),
    }
}
