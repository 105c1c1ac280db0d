//! What network policies let through (upstream `networking/v1`; enforced as network plugins do).
//!
//! A pod is isolated for a direction if a policy of its namespace selects it with that direction; then only what one of these
//! policies allows passes. A connection needs the leave of both of its ends; answers need none. Addresses are those of pods, after
//! the Service's address was replaced.
//!
//! ```
//! use seatrial::api::View;
//! use seatrial::network::policy::{self, Connection, Peer};
//!
//! let from = Peer::Address("203.0.113.9".parse().expect("an address"));
//! let to = Peer::Address("192.0.2.1".parse().expect("an address"));
//! let connection = Connection { from, to, port: 443, protocol: "TCP" };
//! assert!(policy::verdict(&View::default(), &connection).is_allowed()); // neither end is a pod
//! ```

mod filter;
mod free;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use crate::api::View;
use crate::objects::{
    IntOrPercent, Key, Labels, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod, PolicyType, Resource as _,
};

use super::Cidr;

pub(super) use filter::{End, Filter, Port, Protocol};

/// Stands for all addresses outside of the cluster (of the range that is set aside for documentation).
pub(super) const OUTSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Peer<'a> {
    /// A pod. One that shares its node's network counts as the node.
    Pod(&'a Pod),
    /// A process in a node's network, such as the kubelet: the node's name and, if it is known, its address.
    Node(&'a str, Option<IpAddr>),
    /// Anything else.
    Address(IpAddr),
}

/// A connection to be.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Who opens it.
    pub from: Peer<'a>,
    /// Whom it goes to.
    pub to: Peer<'a>,
    /// Port that it goes to.
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'a str,
}

/// Whether a connection passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The way out of where it begins.
    pub egress: Gate,
    /// The way in to where it goes.
    pub ingress: Gate,
}

/// Whether an end of a connection lets it pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// No policy is about this end in that direction.
    NotIsolated,
    /// The policy that allows it, the first by name of several.
    Allowed(Key),
    /// The policies that are about this end in that direction, by name; none of them allows it.
    Denied(Vec<Key>),
}

impl Gate {
    /// Whether the connection passes here.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self, Self::Denied(_))
    }
}

impl Verdict {
    /// Whether the connection passes both ends.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.egress.is_open() && self.ingress.is_open()
    }

    /// The direction that denies it and the policies that could have allowed it.
    #[must_use]
    pub fn denial(&self) -> Option<(PolicyType, &[Key])> {
        match (&self.egress, &self.ingress) {
            (Gate::Denied(policies), _) => Some((PolicyType::Egress, policies)),
            (_, Gate::Denied(policies)) => Some((PolicyType::Ingress, policies)),
            _ => None,
        }
    }
}

/// Whether network policies let a connection pass. A pod always reaches itself, and what shares its node's network reaches and
/// is reached by the pods of that node.
#[must_use]
pub fn verdict(view: &View, connection: &Connection<'_>) -> Verdict {
    let Connection { from, to, .. } = connection;
    if view.network_policies.is_empty() || are_one(from, to) || share_node(from, to) {
        return Verdict { egress: Gate::NotIsolated, ingress: Gate::NotIsolated };
    }
    let gate = |direction| gate(view, connection, direction);
    Verdict { egress: gate(PolicyType::Egress), ingress: gate(PolicyType::Ingress) }
}

/// The label of the pods of cluster DNS, and their namespace.
pub(super) const DNS_LABEL: (&str, &str) = ("k8s-app", "kube-dns");
pub(super) const DNS_NAMESPACE: &str = "kube-system";

/// A pod of cluster DNS where none is simulated: as kubeadm has them.
pub(super) fn dns_stand_in() -> Pod {
    let mut pod = Pod::default();
    (pod.meta.namespace, pod.meta.name) = (DNS_NAMESPACE.into(), "coredns".into());
    pod.meta.labels = [DNS_LABEL].into_iter().collect();
    pod
}

/// What the policies say at one end of a connection, if they are asked at all. Of the view only policies and namespaces count.
pub(super) fn gate(view: &View, connection: &Connection<'_>, direction: PolicyType) -> Gate {
    Ends { view, connection }.gate(direction)
}

/// The policies that are about a pod in a direction, by name.
pub fn about<'v>(view: &'v View, pod: &Pod, direction: PolicyType) -> Vec<&'v Arc<NetworkPolicy>> {
    let is_about = |policy: &&Arc<NetworkPolicy>| {
        isolates(policy, direction) && policy.spec.pod_selector.compiled.matches(&pod.meta.labels)
    };
    let mut policies: Vec<_> = view.network_policies.in_namespace(&pod.meta.namespace).filter(is_about).collect();
    policies.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
    policies
}

/// Whether a policy isolates its pods; directions that nobody has filled in are those of the default.
fn isolates(policy: &NetworkPolicy, direction: PolicyType) -> bool {
    if policy.spec.policy_types.is_empty() {
        return direction == PolicyType::Ingress || !policy.spec.egress.is_empty();
    }
    policy.isolates(direction)
}

struct Ends<'a> {
    view: &'a View,
    connection: &'a Connection<'a>,
}

impl Ends<'_> {
    fn gate(&self, direction: PolicyType) -> Gate {
        let (near, far) = match direction {
            PolicyType::Egress => (self.connection.from, self.connection.to),
            PolicyType::Ingress => (self.connection.to, self.connection.from),
        };
        let Peer::Pod(pod) = near else { return Gate::NotIsolated };
        if pod.spec.host_network {
            return Gate::NotIsolated;
        }
        let policies = about(self.view, pod, direction);
        if policies.is_empty() {
            return Gate::NotIsolated;
        }
        let allows = policies.iter().find(|policy| self.allows(policy, direction, &far));
        match allows {
            Some(policy) => Gate::Allowed(policy.key()),
            None => Gate::Denied(policies.iter().map(|policy| policy.key()).collect()),
        }
    }

    fn allows(&self, policy: &NetworkPolicy, direction: PolicyType, far: &Peer<'_>) -> bool {
        let fits = |peers: &[NetworkPolicyPeer], ports: &[NetworkPolicyPort]| {
            (peers.is_empty() || peers.iter().any(|peer| self.is_peer(peer, &policy.meta.namespace, far)))
                && (ports.is_empty() || ports.iter().any(|port| self.is_port(port)))
        };
        match direction {
            PolicyType::Ingress => policy.spec.ingress.iter().any(|rule| fits(&rule.from, &rule.ports)),
            PolicyType::Egress => policy.spec.egress.iter().any(|rule| fits(&rule.to, &rule.ports)),
        }
    }

    fn is_peer(&self, peer: &NetworkPolicyPeer, namespace: &str, far: &Peer<'_>) -> bool {
        if let Some(block) = &peer.ip_block {
            let holds = |range: &str, ip: IpAddr| Cidr::parse(range).is_some_and(|range| range.contains(ip));
            return address_of(far)
                .is_some_and(|ip| holds(&block.cidr, ip) && !block.except.iter().any(|except| holds(except, ip)));
        }
        let Peer::Pod(pod) = far else { return false };
        let in_namespace = match &peer.namespace_selector {
            None => *pod.meta.namespace == *namespace,
            Some(selector) => selector.compiled.matches(&self.labels_of_namespace(&pod.meta.namespace)),
        };
        let is_chosen = peer.pod_selector.as_ref().is_none_or(|selector| selector.compiled.matches(&pod.meta.labels));
        !pod.spec.host_network && in_namespace && is_chosen
    }

    fn labels_of_namespace(&self, name: &str) -> Labels {
        let namespace = self.view.namespaces.get(&Key::new("", name));
        namespace.map(|namespace| namespace.meta.labels.clone()).unwrap_or_default()
    }

    fn is_port(&self, port: &NetworkPolicyPort) -> bool {
        let Connection { to, port: number, protocol, .. } = self.connection;
        if port.protocol.as_deref().unwrap_or("TCP") != *protocol {
            return false;
        }
        let number = i32::from(*number);
        match &port.port {
            None => true,
            Some(IntOrPercent::Int(first)) => (*first..=port.end_port.unwrap_or(*first)).contains(&number),
            // A name stands for the port of that name of the pod that the connection goes to.
            Some(IntOrPercent::Percent(name)) => {
                let Peer::Pod(pod) = to else { return false };
                named_port(pod, name, protocol) == Some(number)
            }
        }
    }
}

/// The number of a pod's port of that name and protocol: of its containers in order, then of its sidecars (upstream
/// `FindPort` of the endpoint slices).
#[must_use]
pub fn named_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar());
    let ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    let is_protocol = |own: &str| own == protocol || own.is_empty() && protocol == "TCP";
    ports.into_iter().find(|port| *port.name == *name && is_protocol(&port.protocol)).map(|port| port.container_port)
}

fn address_of(peer: &Peer<'_>) -> Option<IpAddr> {
    match peer {
        Peer::Pod(pod) => pod.status.pod_ip,
        Peer::Node(_, ip) => *ip,
        Peer::Address(ip) => Some(*ip),
    }
}

fn are_one(from: &Peer<'_>, to: &Peer<'_>) -> bool {
    matches!((from, to), (Peer::Pod(from), Peer::Pod(to))
        if from.meta.name == to.meta.name && from.meta.namespace == to.meta.namespace)
}

/// Whether one end is the own node of the other.
fn share_node(from: &Peer<'_>, to: &Peer<'_>) -> bool {
    let shares = |pod: &Peer<'_>, other| matches!(pod, Peer::Pod(pod) if shares_node(pod, other));
    shares(from, to) || shares(to, from)
}

/// Whether the other end is the pod's own node.
fn shares_node(pod: &Pod, other: &Peer<'_>) -> bool {
    match other {
        Peer::Node(node, _) => pod.is_bound() && *pod.node_name == **node,
        Peer::Pod(other) => other.spec.host_network && pod.is_bound() && pod.node_name == other.node_name,
        Peer::Address(_) => false,
    }
}
