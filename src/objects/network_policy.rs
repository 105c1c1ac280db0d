//! NetworkPolicies.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::text::Text;
use super::workload::ObjectSelector;
use super::{IntOrPercent, SharedList, skip};

/// A NetworkPolicy: which connections to and from pods are allowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPolicy {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<NetworkPolicySpec>,
}

/// Desired state of a NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicySpec {
    /// The pods of its namespace that it is about; an empty selector = all.
    pub pod_selector: ObjectSelector,
    /// What may reach them.
    #[serde(skip_serializing_if = "skip::none")]
    pub ingress: SharedList<NetworkPolicyIngressRule>,
    /// What they may reach.
    #[serde(skip_serializing_if = "skip::none")]
    pub egress: SharedList<NetworkPolicyEgressRule>,
    /// The directions in which its pods are isolated; filled in by the API server if nothing is said.
    #[serde(skip_serializing_if = "skip::none")]
    pub policy_types: SharedList<PolicyType>,
    /// What is valid and not simulated.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for NetworkPolicySpec {
    /// About all pods, without rules and directions.
    fn default() -> Self {
        Self {
            pod_selector: ObjectSelector::everything(),
            ingress: SharedList::new(),
            egress: SharedList::new(),
            policy_types: SharedList::new(),
            rest: Map::new(),
        }
    }
}

/// A direction of connections, as a pod sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PolicyType {
    /// To the pod.
    Ingress,
    /// From the pod.
    Egress,
}

impl PolicyType {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Egress => "Egress",
        }
    }
}

/// Connections to the pods that are allowed: from any of the peers to any of the ports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkPolicyIngressRule {
    /// Ports of the pods; none = all.
    #[serde(skip_serializing_if = "skip::none")]
    pub ports: SharedList<NetworkPolicyPort>,
    /// Where the connections come from; none = everywhere.
    #[serde(skip_serializing_if = "skip::none")]
    pub from: SharedList<NetworkPolicyPeer>,
}

/// Connections from the pods that are allowed: to any of the ports of any of the peers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkPolicyEgressRule {
    /// Ports of the peers; none = all.
    #[serde(skip_serializing_if = "skip::none")]
    pub ports: SharedList<NetworkPolicyPort>,
    /// Where the connections go; none = everywhere.
    #[serde(skip_serializing_if = "skip::none")]
    pub to: SharedList<NetworkPolicyPeer>,
}

/// A port, or a range of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyPort {
    /// `TCP`, `UDP` or `SCTP`; absent = `TCP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Text>,
    /// Number, or name of a container's port; absent = all ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<IntOrPercent>,
    /// Last port of a range that begins with the number in `port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_port: Option<i32>,
}

/// The other end of connections: pods by their labels and those of their namespaces, or a range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyPeer {
    /// Pods; alone it is about those of the policy's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<ObjectSelector>,
    /// Namespaces of the pods; alone it is about all pods in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<ObjectSelector>,
    /// Addresses; never together with a selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// A range of addresses with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IpBlock {
    /// The range, `192.0.2.0/24`.
    pub cidr: Text,
    /// Ranges within that are left out.
    #[serde(skip_serializing_if = "skip::none")]
    pub except: SharedList<Text>,
}

impl NetworkPolicy {
    /// Whether it isolates its pods in that direction.
    #[must_use]
    pub fn isolates(&self, direction: PolicyType) -> bool {
        self.spec.policy_types.contains(&direction)
    }
}

serde_resource!(NetworkPolicy, without_status);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    #[test]
    fn what_goes_in_comes_out() {
        let wire = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "db", "namespace": "default"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "db"}},
                "ingress": [
                    {},
                    {
                        "from": [
                            {"podSelector": {}, "namespaceSelector": {"matchLabels": {"team": "a"}}},
                            {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}},
                        ],
                        "ports": [{"port": "pg", "protocol": "TCP"}, {"port": 8000, "endPort": 8010, "protocol": "UDP"}],
                    },
                ],
                "egress": [{"to": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}]}],
                "policyTypes": ["Ingress", "Egress"],
            },
        });
        let policy = NetworkPolicy::from_wire(wire.clone()).unwrap();
        assert_eq!(policy.to_wire(), wire);
        assert!(policy.isolates(PolicyType::Egress));
        let labels = [("app", "db")].into_iter().collect();
        assert!(policy.spec.pod_selector.compiled.matches(&labels));
        assert!(NetworkPolicySpec::default().pod_selector.compiled.matches(&labels));
    }
}
