//! EndpointSlices.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take};
use super::text::Text;
use super::{SharedList, Uid};

/// A slice of the endpoints of a Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSlice {
    /// Metadata; label `kubernetes.io/service-name` names the service.
    pub meta: ObjectMeta,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: Text,
    /// Endpoints.
    pub endpoints: SharedList<Endpoint>,
    /// Ports of every endpoint in the slice.
    pub ports: SharedList<EndpointPort>,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// Addresses, one.
    pub addresses: Vec<Text>,
    /// State.
    pub conditions: EndpointConditions,
    /// DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Arc<str>>,
    /// The pod behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetRef>,
    /// Node of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<Arc<str>>,
    /// Zone of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
    /// What is not typed: `hints`, which proxies go by, and `deprecatedTopology`, which nobody does.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// State of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// Gets new connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Passes its readiness probe, being deleted or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// Is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<bool>,
}

/// The object behind an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetRef {
    /// Kind, `Pod`.
    pub kind: Text,
    /// Namespace.
    #[serde(skip_serializing_if = "super::text::is_empty")]
    pub namespace: Text,
    /// Name.
    pub name: Text,
    /// Uid.
    #[serde(skip_serializing_if = "Uid::is_none")]
    pub uid: Uid,
}

/// A port of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointPort {
    /// Name, that of the service's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Port of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Text>,
    /// Application protocol hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<Text>,
}

/// Label of an EndpointSlice that names its service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

impl EndpointSlice {
    /// Name of the service.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.meta.labels.get(SERVICE_NAME_LABEL)
    }
}

impl Endpoint {
    /// The first address as an IP.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.addresses.first().and_then(|address| address.parse().ok())
    }
}

impl Resource for EndpointSlice {
    const KIND: Kind = Kind::EndpointSlice;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        Ok(Self {
            meta: take(&mut wire, "metadata")?,
            address_type: take(&mut wire, "addressType")?,
            endpoints: take(&mut wire, "endpoints")?,
            ports: take(&mut wire, "ports")?,
        })
    }

    fn fill_wire(&self, wire: &mut Map<String, Value>) {
        wire.insert("addressType".into(), Value::String(self.address_type.to_string()));
        wire.insert("endpoints".into(), serde_json::to_value(&self.endpoints).unwrap_or_default());
        wire.insert("ports".into(), serde_json::to_value(&self.ports).unwrap_or_default());
    }
}
