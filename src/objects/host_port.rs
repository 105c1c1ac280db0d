//! Ports of nodes.

use std::sync::Arc;

use super::PodSpec;

/// A port that a pod takes on its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Address on the node; `0.0.0.0` = all.
    pub ip: Arc<str>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Arc<str>,
    /// Port number.
    pub port: i32,
}

const ALL_ADDRESSES: &str = "0.0.0.0";

impl HostPort {
    /// The ports that a pod takes on its node: those of regular containers and sidecars.
    pub fn of(spec: &PodSpec) -> impl Iterator<Item = Self> + '_ {
        let sidecars = spec.init_containers.iter().filter(|container| container.is_sidecar());
        let ports = spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
        ports.filter(|port| port.host_port > 0).map(|port| Self {
            ip: if port.host_ip.is_empty() { ALL_ADDRESSES.into() } else { port.host_ip.clone() },
            protocol: if port.protocol.is_empty() { "TCP".into() } else { port.protocol.clone() },
            port: port.host_port,
        })
    }

    /// Whether two pods on one node cannot have these ports both.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || &*self.ip == ALL_ADDRESSES || &*other.ip == ALL_ADDRESSES)
    }
}
