//! Under which address a client is seen, and where that decides whether it is let in.

use std::net::IpAddr;

use crate::objects::{Key, Service};

use super::super::policy::Peer;
use super::super::{Cause, Cidr, Source};
use super::{Walk, Walked};

impl Walk<'_> {
    /// The client's own address, if it is in the cluster.
    pub(super) fn own_address(&self) -> Option<IpAddr> {
        match self.source {
            Source::Pod(key) => self.world.view.pods.get(key)?.status.pod_ip,
            Source::Node(name) => self.address_of(name),
            Source::External => None,
        }
    }

    /// The addresses that connections get in place of the client's where `externalTrafficPolicy: Cluster` replaces them: of the node
    /// where they come in, which is any one if none is named (`pkg/proxy/iptables`, `KUBE-MARK-MASQ`).
    pub(super) fn entry_addresses(&self) -> Vec<IpAddr> {
        match self.entry_node() {
            Some(node) => self.address_of(&node).into_iter().collect(),
            None => self.world.view.nodes.iter().filter_map(|node| node.internal_ip()).collect(),
        }
    }

    /// A node, with its address.
    pub(super) fn host<'n>(&self, node: &'n str) -> Peer<'n> {
        Peer::Node(node, self.address_of(node))
    }

    fn address_of(&self, node: &str) -> Option<IpAddr> {
        self.world.view.nodes.get(&Key::new("", node))?.internal_ip()
    }

    /// Whether the load balancer's address of a Service takes connections of the client; node ports and cluster addresses do not ask
    /// (`pkg/proxy/iptables`, `KUBE-FW`).
    pub(super) fn pass_source_ranges(&mut self, service: &Service) -> Walked<()> {
        let written = &service.spec.load_balancer_source_ranges;
        let ranges: Vec<Cidr> = written.iter().filter_map(|range| Cidr::parse(range.trim())).collect();
        if written.is_empty() || ranges.iter().any(Cidr::is_everything) {
            return Ok(());
        }
        let listed = written.iter().map(|range| range.trim()).collect::<Vec<_>>().join(", ");
        match self.own_address() {
            None => {
                let text = format!(
                    "only clients in {listed} are let in (loadBalancerSourceRanges): packets of others are dropped"
                );
                self.shaky("Balancer", text);
            }
            Some(address) if ranges.iter().any(|range| range.contains(address)) => {}
            Some(address) => {
                let text = format!("{address} is outside of loadBalancerSourceRanges ({listed}): packets are dropped");
                return self.broken("Balancer", Cause::SourceRange, text, Vec::new());
            }
        }
        Ok(())
    }
}
