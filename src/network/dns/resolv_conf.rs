//! The resolver's settings of a pod (upstream `pkg/kubelet/network/dns`).

use std::net::IpAddr;

use serde_json::Value;

use crate::objects::Pod;

use super::ClusterDns;

/// Nameservers that a resolver asks at most.
pub const MAX_NAMESERVERS: usize = 3;
/// Search domains of a pod at most.
pub const MAX_SEARCH_DOMAINS: usize = 32;
/// Characters of the search line at most, without its keyword.
pub const MAX_SEARCH_CHARS: usize = 2048;
/// Longest search domain; glibc does worse than ignore longer ones.
const MAX_SEARCH_DOMAIN_CHARS: usize = 253;
/// `ndots` of pods that use cluster DNS.
const CLUSTER_NDOTS: u32 = 5;
/// `ndots` where nothing is said, and the most that glibc takes.
const DEFAULT_NDOTS: u32 = 1;
const MAX_NDOTS: u32 = 15;

/// Whom a resolver asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nameserver {
    /// Cluster DNS.
    Cluster,
    /// The node's own nameserver, which does not know the cluster domain.
    Node,
    /// The one that the pod's `dnsConfig` names.
    Other(IpAddr),
}

/// What a node's `resolv.conf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeDns {
    /// Search domains.
    pub search: Vec<String>,
    /// Whether the kubelet was told of cluster DNS (`clusterDNS` in its configuration).
    pub without_cluster_dns: bool,
}

/// A pod's `/etc/resolv.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Whom to ask; the next one only if one does not answer.
    pub nameservers: Vec<Nameserver>,
    /// Search domains, in order.
    pub search: Vec<String>,
    /// A name with that many dots is tried as it is before the search domains are.
    pub ndots: u32,
    /// Other options, `name` or `name:value`.
    pub options: Vec<String>,
    /// What the kubelet would tell in an event, with its reason.
    pub warnings: Vec<(&'static str, String)>,
}

impl ResolvConf {
    /// The settings that a pod gets: by `dnsPolicy` (`ClusterFirst` unless it shares its node's network and unless it says
    /// otherwise), then `dnsConfig`, then the limits.
    #[must_use]
    pub fn of(pod: &Pod, dns: &ClusterDns, node: &NodeDns) -> Self {
        let policy = pod.spec.wire().get("dnsPolicy").and_then(Value::as_str).unwrap_or("ClusterFirst");
        let wants_cluster = match policy {
            "ClusterFirst" => !pod.spec.host_network,
            "ClusterFirstWithHostNet" => true,
            _ => false,
        };
        let mut conf = if policy == "None" {
            Self::bare(Vec::new(), Vec::new(), DEFAULT_NDOTS)
        } else if wants_cluster && !node.without_cluster_dns {
            let namespace = &pod.meta.namespace;
            let domain = &dns.domain;
            let own = [format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
            Self::bare(vec![Nameserver::Cluster], own.into_iter().chain(node.search.clone()).collect(), CLUSTER_NDOTS)
        } else {
            Self::bare(vec![Nameserver::Node], node.search.clone(), DEFAULT_NDOTS)
        };
        if wants_cluster && node.without_cluster_dns {
            let message = format!(
                "kubelet does not have ClusterDNS IP configured and cannot create Pod using {policy:?} policy. Falling back \
                 to \"Default\" policy."
            );
            conf.warnings.push(("MissingClusterDNS", message));
        }
        if let Some(config) = pod.spec.wire().get("dnsConfig") {
            conf.take(config);
        }
        drop_repeated(&mut conf.search);
        conf.fit_limits();
        conf
    }

    /// The settings of a process on a node, outside of any pod.
    #[must_use]
    pub fn of_node(node: &NodeDns) -> Self {
        Self::bare(vec![Nameserver::Node], node.search.clone(), DEFAULT_NDOTS)
    }

    fn bare(nameservers: Vec<Nameserver>, search: Vec<String>, ndots: u32) -> Self {
        Self { nameservers, search, ndots, options: Vec::new(), warnings: Vec::new() }
    }

    fn take(&mut self, config: &Value) {
        let list = |name: &str| config.get(name).and_then(Value::as_array).into_iter().flatten();
        for ip in list("nameservers").filter_map(|ip| ip.as_str()?.parse().ok()) {
            if !self.nameservers.contains(&Nameserver::Other(ip)) {
                self.nameservers.push(Nameserver::Other(ip));
            }
        }
        let searches = list("searches").filter_map(Value::as_str);
        self.search.extend(searches.map(|domain| domain.strip_suffix('.').unwrap_or(domain).to_owned()));
        for option in list("options") {
            let Some(name) = option.get("name").and_then(Value::as_str) else { continue };
            let value = option.get("value").and_then(Value::as_str).unwrap_or("");
            if name == "ndots" {
                self.ndots = value.parse().unwrap_or(DEFAULT_NDOTS).min(MAX_NDOTS);
            } else {
                let is_same = |known: &String| known.split(':').next() == Some(name);
                self.options.retain(|known| !is_same(known));
                self.options.push(if value.is_empty() { name.to_owned() } else { format!("{name}:{value}") });
            }
        }
    }

    fn fit_limits(&mut self) {
        let given = self.search.len();
        self.search.truncate(MAX_SEARCH_DOMAINS);
        self.search.retain(|domain| domain.len() <= MAX_SEARCH_DOMAIN_CHARS);
        while self.search.iter().map(|domain| domain.len() + 1).sum::<usize>() > MAX_SEARCH_CHARS + 1 {
            self.search.pop();
        }
        if self.search.len() < given {
            let line = self.search.join(" ");
            let message = format!(
                "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {line}"
            );
            self.warnings.push(("DNSConfigForming", message));
        }
        if self.nameservers.len() > MAX_NAMESERVERS {
            self.nameservers.truncate(MAX_NAMESERVERS);
            let text = |server: &Nameserver| match server {
                Nameserver::Cluster => "cluster DNS".to_owned(),
                Nameserver::Node => "the node's".to_owned(),
                Nameserver::Other(ip) => ip.to_string(),
            };
            let line = self.nameservers.iter().map(text).collect::<Vec<_>>().join(" ");
            let message = format!(
                "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: {line}"
            );
            self.warnings.push(("DNSConfigForming", message));
        }
    }
}

fn drop_repeated(names: &mut Vec<String>) {
    let mut seen: Vec<String> = Vec::new();
    names.retain(|name| {
        let is_new = !seen.contains(name);
        if is_new {
            seen.push(name.clone());
        }
        is_new
    });
}
