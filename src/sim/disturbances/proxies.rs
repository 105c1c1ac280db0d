//! What the agents of a node that carry its traffic, kube-proxy and the network plugin's, see of disturbances: they watch the API
//! server as kubelets do. While they hear nothing, a node keeps the rules that it has.

use std::sync::Arc;

use crate::kernel::{Purpose, SimDuration, SimTime};
use crate::network::Silence;
use crate::sim::simulation::Simulation;

use super::outage::attempt_after;
use super::partition::NOTICED_AFTER;

/// When agents of nodes try again to watch.
const LUCK: Purpose = Purpose::new(0x5ea_0011);

impl Simulation {
    pub(super) fn cut_off_proxy(&mut self, node: &Arc<str>) {
        let now = self.now();
        if let Some(network) = &mut self.network {
            network.fall_silent(Some(node), Silence::Partition, now);
        }
    }

    /// A short cut is bridged by TCP; after a longer one the agents have to make their connections again.
    pub(super) fn reconnect_proxy(&mut self, node: &Arc<str>, since: SimTime) {
        let (now, ideal) = (self.now(), self.delays.watch.is_zero());
        let is_noticed = now.since(since) > NOTICED_AFTER && !ideal;
        let wait = if is_noticed { self.proxy_tries_after(node, since + NOTICED_AFTER) } else { SimDuration::ZERO };
        if let Some(network) = &mut self.network {
            network.hear_again(Some(node), Silence::Partition, now, wait);
        }
    }

    pub(super) fn begin_outage_of_proxies(&mut self) {
        let now = self.now();
        if let Some(network) = &mut self.network {
            network.fall_silent(None, Silence::Outage, now);
        }
    }

    /// Every node's agents come back in their own time.
    pub(super) fn end_outage_of_proxies(&mut self, since: SimTime) {
        let (now, ideal) = (self.now(), self.delays.watch.is_zero());
        if self.network.is_none() {
            return;
        }
        for node in 0..self.kubelets.nodes.len() {
            let name = self.kubelets.nodes[node].kubelet.node_name().clone();
            let wait = if ideal { SimDuration::ZERO } else { self.proxy_tries_after(&name, since) };
            if let Some(network) = &mut self.network {
                network.hear_again(Some(&name), Silence::Outage, now, wait);
            }
        }
    }

    /// The proxy of a node, or all of them, hear of changes late (`None` = not at all).
    pub(super) fn begin_slow_proxies(&mut self, node: Option<&Arc<str>>, delay: Option<SimDuration>) {
        let now = self.now();
        let Some(network) = &mut self.network else { return };
        match delay {
            Some(_) => network.delay_proxies(node, delay, now),
            None => network.fall_silent(node, stall(node), now),
        }
    }

    pub(super) fn end_slow_proxies(&mut self, node: Option<&Arc<str>>, delay: Option<SimDuration>) {
        let now = self.now();
        let Some(network) = &mut self.network else { return };
        match delay {
            Some(_) => network.delay_proxies(node, None, now),
            None => network.hear_again(node, stall(node), now, SimDuration::ZERO),
        }
    }

    /// From now until the agents of a node, which lost their connections at `lost`, try again.
    fn proxy_tries_after(&self, node: &str, lost: SimTime) -> SimDuration {
        let mut luck = self.streams.stream(LUCK, format!("{node}/{}", lost.as_nanos()).as_str());
        attempt_after(lost, self.now(), &mut luck)
    }
}

const fn stall(node: Option<&Arc<str>>) -> Silence {
    match node {
        Some(_) => Silence::Stall,
        None => Silence::StallOfAll,
    }
}
