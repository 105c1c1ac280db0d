//! kube-proxy on every node: what each has programmed, and which endpoint a new connection gets.

mod affinity;
mod balance;
mod endpoint_set;
mod look;
mod pools;
mod runner;
mod table;
mod watch;

use serde::{Deserialize, Serialize};

use crate::kernel::SimDuration;

use super::dns::DnsConfig;
use super::health::HealthCheck;

pub(super) use affinity::Affinity;
pub(super) use balance::{Balancer, Pick};
pub(super) use look::{Seen, Wanted};
pub(super) use pools::Pool;
pub use runner::SyncTiming;
pub(super) use table::{Entrance, ProxyTable};
pub use watch::Silence;

/// How the proxies of all nodes work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// Rules in the kernel's netfilter; a random endpoint for every connection. The default.
    #[default]
    Iptables,
    /// The same by nftables.
    Nftables,
    /// The kernel's virtual server, with a scheduler.
    Ipvs,
}

/// How ipvs chooses an endpoint (`--ipvs-scheduler`). All weights are 1, so that the weighted kinds are the plain ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsScheduler {
    /// One after the other.
    #[default]
    #[serde(rename = "rr", alias = "wrr")]
    RoundRobin,
    /// The one with the fewest connections through this node.
    #[serde(rename = "lc", alias = "wlc")]
    LeastConnections,
    /// By the address of the client.
    #[serde(rename = "sh")]
    SourceHash,
}

/// The network of a cluster: its proxies, and how long things take.
///
/// | figure | default | source |
/// |---|---|---|
/// | `minSyncPeriod` | 1 s (iptables, nftables), 0 (ipvs) | upstream's configuration |
/// | `syncBase` | 10 ms | assumption: a sync of a small cluster |
/// | `syncPerEndpoint` | 5 us | assumption: "seconds" at some 100,000 endpoints |
/// | `proxyStart` | 2 s | assumption: the kubelet of a machine that has started makes the pod of kube-proxy, which lists |
/// | `nodeJitter` | 10 ms | assumption: spread of watch events over the nodes |
/// | `hop` | 250 us | assumption: round trip between two machines of a site |
/// | `outside` | 5 ms | assumption: round trip between a client outside and the cluster |
/// | `policyDelay` | 500 ms | assumption: a network plugin programmes a NetworkPolicy, or what it says of a new pod |
/// | `loadBalancer` | every 5 s, two in a row | assumption: each cloud's own, see [`HealthCheck`] |
/// | `ingressPoll` | 1 s | ingress-nginx: workers look for new endpoints (`BACKENDS_SYNC_INTERVAL`) |
/// | `ingressReload` | 300 ms | assumption: nginx tests a configuration and starts new workers |
/// | `ingressSync` | 3.33 s | ingress-nginx: `--sync-rate-limit` of 0.3 a second |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// How proxies work.
    pub proxy_mode: ProxyMode,
    /// How ipvs chooses.
    pub ipvs_scheduler: IpvsScheduler,
    /// Least time between the end of a sync and the start of the next; absent = that of the mode.
    pub min_sync_period: Option<SimDuration>,
    /// What a sync takes whatever it writes.
    pub sync_base: SimDuration,
    /// What a sync takes more for every endpoint in the cluster.
    pub sync_per_endpoint: SimDuration,
    /// From the start of a machine until its proxy has listed everything and begins its first sync; the rules of before are gone.
    pub proxy_start: SimDuration,
    /// Nodes hear of changes up to this much after the first.
    pub node_jitter: SimDuration,
    /// Round trip between two nodes; added to the latency of a request that crosses from one to another.
    pub hop: SimDuration,
    /// Round trip between a client outside and the cluster.
    pub outside: SimDuration,
    /// From when a node's network plugin hears of a NetworkPolicy, or of a pod elsewhere, until that counts there.
    pub policy_delay: SimDuration,
    /// How load balancers learn which nodes to send to.
    pub load_balancer: HealthCheck,
    /// How often the workers of an ingress controller look for new endpoints.
    pub ingress_poll: SimDuration,
    /// How long an ingress controller takes to load new rules.
    pub ingress_reload: SimDuration,
    /// Least time between two syncs of an ingress controller; absent = as its arguments say.
    pub ingress_sync: Option<SimDuration>,
    /// Length of a window of the accounts.
    pub window: SimDuration,
    /// Cluster DNS.
    pub dns: DnsConfig,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            proxy_mode: ProxyMode::default(),
            ipvs_scheduler: IpvsScheduler::default(),
            min_sync_period: None,
            sync_base: SimDuration::from_millis(10),
            sync_per_endpoint: SimDuration::from_micros(5),
            proxy_start: SimDuration::from_secs(2),
            node_jitter: SimDuration::from_millis(10),
            hop: SimDuration::from_micros(250),
            outside: SimDuration::from_millis(5),
            policy_delay: SimDuration::from_millis(500),
            load_balancer: HealthCheck::default(),
            ingress_poll: SimDuration::from_secs(1),
            ingress_reload: SimDuration::from_millis(300),
            ingress_sync: None,
            window: SimDuration::from_secs(1),
            dns: DnsConfig::default(),
        }
    }
}

impl NetworkConfig {
    /// Shortest window of the accounts.
    pub const SHORTEST_WINDOW: SimDuration = SimDuration::from_millis(100);

    /// Every change is programmed everywhere at once, and no way takes any time.
    #[must_use]
    pub fn ideal() -> Self {
        let zero = SimDuration::ZERO;
        Self {
            min_sync_period: Some(zero),
            sync_base: zero,
            sync_per_endpoint: zero,
            proxy_start: zero,
            node_jitter: zero,
            hop: zero,
            outside: zero,
            policy_delay: zero,
            dns: DnsConfig::ideal(),
            load_balancer: HealthCheck::ideal(),
            ingress_poll: zero,
            ingress_reload: zero,
            ingress_sync: Some(zero),
            ..Self::default()
        }
    }

    /// The times of the proxies' syncs.
    #[must_use]
    pub fn timing(&self) -> SyncTiming {
        let of_the_mode = match self.proxy_mode {
            ProxyMode::Iptables | ProxyMode::Nftables => SimDuration::from_secs(1),
            ProxyMode::Ipvs => SimDuration::ZERO,
        };
        SyncTiming {
            min_period: self.min_sync_period.unwrap_or(of_the_mode),
            base: self.sync_base,
            per_endpoint: self.sync_per_endpoint,
            jitter: self.node_jitter,
        }
    }
}
