//! EndpointSlices with numbers for names.

use std::net::IpAddr;
use std::sync::Arc;

use crate::objects::{Endpoint, EndpointSlice, Key, SERVICE_NAME_LABEL};

use super::super::endpoint_set::Candidate;
use super::ProxyTable;
use super::ports::Port;
use crate::network::ids::{NodeId, TargetId};

/// An endpoint of a slice, with numbers for names.
#[derive(Clone, Debug)]
pub(super) struct CompiledEndpoint {
    pub(super) address: IpAddr,
    pub(super) candidate: Candidate,
}

/// An EndpointSlice, and its endpoints that have an address.
#[derive(Clone, Debug)]
pub(in crate::network::proxy) struct CompiledSlice {
    pub(super) key: Key,
    object: Arc<EndpointSlice>,
    /// Name, protocol, number.
    ports: Vec<(Arc<str>, Arc<str>, u16)>,
    pub(super) endpoints: Vec<CompiledEndpoint>,
}

impl ProxyTable {
    pub(super) fn follow_slice(&mut self, slice: &Arc<EndpointSlice>, deleted: bool, now: u64) {
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
}

impl CompiledSlice {
    /// The number that a port of the Service has here.
    pub(in crate::network::proxy) fn number_of(&self, port: &Port) -> Option<u16> {
        let mut ports = self.ports.iter();
        ports.find(|(name, protocol, _)| *name == port.name && *protocol == port.protocol).map(|(.., number)| *number)
    }

    /// The endpoints that have an address, as they are written and as they count.
    pub(in crate::network::proxy) fn each(&self) -> impl Iterator<Item = (&Endpoint, &Candidate)> {
        let written = self.object.endpoints.iter().filter(|endpoint| endpoint.ip().is_some());
        written.zip(self.endpoints.iter().map(|endpoint| &endpoint.candidate))
    }
}
