//! What explanations of ways ask the data plane: where this node would send a connection at this instant.

use std::net::IpAddr;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::Key;

use super::super::outcome::Cause;
use super::super::proxy::{Seen, Wanted};
use super::Network;

/// What a node has programmed of a service port.
#[derive(Clone, Debug)]
pub(in crate::network) struct Rules {
    /// Where it sends connections; `None` = it has no rules.
    pub(in crate::network) now: Option<Vec<Seen>>,
}

impl Network {
    /// What a node has programmed of a port of a service for its own clients (`is_local`: by a traffic policy `Local`); nothing if
    /// the port or the node was never heard of.
    pub(in crate::network) fn rules_on(
        &self,
        (service, port): (&Key, &str),
        node: &str,
        (is_local, is_inside): (bool, bool),
        now: SimTime,
    ) -> Option<Rules> {
        let (port, node) = (self.proxies.port_of(service, port)?, self.proxies.find_node(node)?);
        let wanted = match (is_local, is_inside && self.balancer.is_ipvs()) {
            (false, _) => Wanted::Cluster,
            (true, true) => Wanted::LocalOrCluster,
            (true, false) => Wanted::Local,
        };
        Some(Rules { now: self.proxies.seen_on(port, node, wanted, now.as_nanos()) })
    }

    /// Whether a node is cut off from the control plane.
    pub(in crate::network) fn is_cut_off(&self, node: &str) -> bool {
        self.proxies.find_node(node).is_some_and(|node| self.proxies.is_cut_off(node))
    }

    /// Whether a node has not programmed the newest that there is of a service.
    pub(in crate::network) fn is_behind(&self, service: &Key, node: &str, now: SimTime) -> bool {
        let Some(node) = self.proxies.find_node(node) else { return false };
        self.proxies.is_behind(service, node, now.as_nanos())
    }

    /// Why a new connection to a port of an address gets no answer now, as far as the process there decides it.
    pub(in crate::network) fn obstacle_at(&self, (address, port): (IpAddr, u16), now: SimTime) -> Option<Cause> {
        self.fleet.obstacle(address, port, now.as_nanos())
    }

    /// How long a request that comes to a port of an address now waits for its turn there.
    pub(in crate::network) fn wait_for((network, now): (&Self, SimTime), address: IpAddr, port: u16) -> SimDuration {
        SimDuration::from_nanos(network.fleet.wait_at(address, port, now.as_nanos()))
    }

    /// The nodes to which the load balancer of a Service sends now; nothing if it has none.
    pub(in crate::network) fn balanced_to(&self, service: &Key, now: SimTime) -> Option<Vec<Arc<str>>> {
        self.proxies.balanced_to(service, now.as_nanos())
    }

    /// Each list of endpoints that some nodes have for a port of a service, with how many nodes that are (`None` = no rules).
    /// `only_ready`: those on nodes that a load balancer takes for healthy.
    pub(in crate::network) fn rules_anywhere(
        &self,
        (service, port): (&Key, &str),
        only_ready: bool,
        now: SimTime,
    ) -> Vec<(Option<Vec<Seen>>, usize)> {
        let Some(port) = self.proxies.port_of(service, port) else { return Vec::new() };
        let wanted = if only_ready { Wanted::Ready } else { Wanted::Cluster };
        self.proxies.seen_anywhere(port, wanted, now.as_nanos())
    }
}
