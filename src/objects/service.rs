//! Services.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::text::{self, Text};
use super::{ConditionList, IntOrPercent, Labels, SharedList, skip};

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<ServiceSpec>,
    /// Observed state.
    pub status: ServiceStatus,
}

/// Desired state of a Service: the wire form, and beside it what the simulation decides on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    #[serde(skip)]
    wire: Map<String, Value>,
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type")]
    pub kind: Text,
    /// Which pods; `None` = endpoints are managed by hand.
    pub selector: Option<Labels>,
    /// Virtual address, `None` for headless services, empty if not allocated.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Text,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// Whether pods that are not ready get traffic too.
    pub publish_not_ready_addresses: bool,
    /// IP families, `IPv4` and `IPv6`.
    pub ip_families: Vec<Text>,
    /// All virtual addresses, one of each family; `None` alone for headless services.
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Vec<Text>,
    /// Host name that a Service of type `ExternalName` stands for.
    pub external_name: Text,
    /// Further addresses that nodes take traffic at.
    #[serde(rename = "externalIPs")]
    pub external_ips: Vec<Text>,
    /// `None` or `ClientIP`.
    pub session_affinity: Text,
    /// How long `ClientIP` affinity lasts, s.
    #[serde(rename = "sessionAffinityConfig", deserialize_with = "affinity_seconds")]
    pub session_affinity_seconds: Option<i32>,
    /// Where traffic from inside the cluster may go: `Cluster`, `Local`, or absent.
    pub internal_traffic_policy: Option<Text>,
    /// Where traffic from outside may go: `Cluster`, `Local`, or empty.
    pub external_traffic_policy: Text,
    /// Which endpoints are preferred: `PreferSameZone` (or `PreferClose`), `PreferSameNode`, or absent.
    pub traffic_distribution: Option<Text>,
    /// Port on every node that tells a load balancer whether the node has endpoints, 0 = none.
    pub health_check_node_port: i32,
    /// Which load balancer takes care of the Service; absent = that of the cloud provider.
    pub load_balancer_class: Option<Text>,
    /// Address that is wanted of the load balancer.
    #[serde(rename = "loadBalancerIP")]
    pub load_balancer_ip: Text,
    /// Clients that the load balancer lets through; none = all.
    pub load_balancer_source_ranges: Vec<Text>,
}

/// Reads the timeout out of `sessionAffinityConfig`.
fn affinity_seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        #[serde(rename = "clientIP")]
        client_ip: Option<ClientIp>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ClientIp {
        timeout_seconds: Option<i32>,
    }
    let config = Option::<Config>::deserialize(deserializer)?;
    Ok(config.and_then(|config| config.client_ip).and_then(|client| client.timeout_seconds))
}

/// Observed state of a Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// Where the load balancer is reached.
    pub load_balancer: LoadBalancerStatus,
    /// Conditions.
    #[serde(skip_serializing_if = "skip::none")]
    pub conditions: ConditionList,
}

/// Where a load balancer is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadBalancerStatus {
    /// Addresses; none = it is not there yet.
    #[serde(skip_serializing_if = "skip::none")]
    pub ingress: SharedList<LoadBalancerIngress>,
}

/// One address of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerIngress {
    /// IP address, or empty.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub ip: Text,
    /// Host name, or empty.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub hostname: Text,
    /// Whether nodes see the address as the destination (`VIP`) or not (`Proxy`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_mode: Option<Text>,
    /// What is valid and not simulated (ports).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Name; empty only if it is the only port.
    pub name: Text,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Text,
    /// Application protocol hint.
    pub app_protocol: Option<Text>,
    /// Port of the virtual address.
    pub port: i32,
    /// Port of the pods, by number or name; absent = same as `port`.
    pub target_port: Option<IntOrPercent>,
    /// Port on every node, 0 = none.
    pub node_port: i32,
}

impl ServiceSpec {
    /// Whether a load balancer gets a node port for every port.
    #[must_use]
    pub fn allocates_node_ports(&self) -> bool {
        self.wire.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false))
    }

    /// Compiles a defaulted, validated spec in wire form.
    ///
    /// # Errors
    /// If a field that the simulation reads has another type than the API's.
    pub fn from_wire(wire: Map<String, Value>) -> Result<Self, WireError> {
        let value = Value::Object(wire);
        let mut spec = Self::deserialize(&value).map_err(|e| WireError::new("spec", e))?;
        if let Value::Object(wire) = value {
            spec.wire = wire;
        }
        Ok(spec)
    }

    /// The spec in wire form.
    #[must_use]
    pub const fn wire(&self) -> &Map<String, Value> {
        &self.wire
    }

    /// Whether traffic from outside the cluster can reach the service.
    #[must_use]
    pub fn is_externally_accessible(&self) -> bool {
        match &*self.kind {
            "LoadBalancer" | "NodePort" => true,
            "ClusterIP" => !self.external_ips.is_empty(),
            _ => false,
        }
    }

    /// Whether a load balancer must know which nodes have endpoints (upstream `NeedsHealthCheck`).
    #[must_use]
    pub fn needs_health_check(&self) -> bool {
        self.kind == *"LoadBalancer" && self.external_traffic_policy == *"Local"
    }

    /// Whether the service has no virtual address by intent.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.cluster_ip == *"None"
    }
}

impl Resource for Service {
    const KIND: Kind = Kind::Service;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let spec = Arc::new(ServiceSpec::from_wire(wire_object(&mut wire, "spec"))?);
        Ok(Self { meta, spec, status: take(&mut wire, "status")? })
    }

    fn spec_wire(&self) -> Option<Value> {
        Some(Value::Object(self.spec.wire().clone()))
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}
