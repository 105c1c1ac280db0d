//! How cluster DNS of a simulation is set up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::kernel::SimDuration;

use super::{ClusterDns, NodeDns};

/// Cluster DNS as the network of a simulation has it.
///
/// | figure | default | source |
/// |---|---|---|
/// | `ttl` | 30 s | kubeadm's Corefile; the kubernetes plugin's own default is 5 s |
/// | `cache` | 0: off | kubeadm's Corefile keeps nothing of the cluster domain (`disable success cluster.local`) |
/// | `query` | 500 us | assumption: round trip to CoreDNS, which answers from memory |
/// | `forward` | 10 ms | assumption: what a name outside takes more |
/// | `timeout`, `attempts` | 5 s, 2 | `resolv.conf` |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Lifetime of the records of the cluster domain.
    pub ttl: SimDuration,
    /// How long CoreDNS' `cache` plugin keeps answers about the cluster domain at most; zero = not at all. Names outside are kept for
    /// 30 seconds at most whatever this says.
    pub cache: SimDuration,
    /// From an accepted write until CoreDNS knows of it; absent = as long as the watches of proxies take.
    pub lag: Option<SimDuration>,
    /// What a query takes that CoreDNS answers itself.
    pub query: SimDuration,
    /// What a query takes more that it passes on.
    pub forward: SimDuration,
    /// How long a resolver waits for a name server that does not answer.
    pub timeout: SimDuration,
    /// How often a resolver asks before it gives up; at least once.
    pub attempts: u32,
    /// What names outside of the cluster stand for.
    pub outside: BTreeMap<String, Vec<IpAddr>>,
    /// Search domains of the nodes, which pods have behind those of the cluster.
    pub search: Vec<String>,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            ttl: SimDuration::from_secs(30),
            cache: SimDuration::ZERO,
            lag: None,
            query: SimDuration::from_micros(500),
            forward: SimDuration::from_millis(10),
            timeout: SimDuration::from_secs(5),
            attempts: 2,
            outside: BTreeMap::new(),
            search: Vec::new(),
        }
    }
}

impl DnsConfig {
    /// Lookups take no time, and CoreDNS knows of everything at once.
    #[must_use]
    pub fn ideal() -> Self {
        let zero = SimDuration::ZERO;
        Self { lag: Some(zero), query: zero, forward: zero, ..Self::default() }
    }

    /// CoreDNS as these settings have it.
    #[must_use]
    pub fn cluster_dns(&self) -> ClusterDns {
        let name = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let outside = self.outside.iter().map(|(host, ips)| (name(host), ips.clone()));
        ClusterDns { ttl: self.ttl, outside: outside.collect(), ..ClusterDns::default() }
    }

    /// The nodes' own `resolv.conf`.
    #[must_use]
    pub fn node_dns(&self) -> NodeDns {
        NodeDns { search: self.search.clone(), without_cluster_dns: false }
    }
}
