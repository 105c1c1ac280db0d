//! Endpoints: the older form of EndpointSlices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::endpoint_slice::{EndpointPort, TargetRef};
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take};
use super::text::Text;
use super::{SharedList, skip};

/// Endpoints of the Service of the same name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoints {
    /// Metadata.
    pub meta: ObjectMeta,
    /// The endpoints, by their ports.
    pub subsets: SharedList<EndpointSubset>,
}

/// Endpoints with the same ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSubset {
    /// Addresses that get traffic.
    #[serde(skip_serializing_if = "skip::none")]
    pub addresses: SharedList<EndpointAddress>,
    /// Addresses that get none, since they are not ready.
    #[serde(skip_serializing_if = "skip::none")]
    pub not_ready_addresses: SharedList<EndpointAddress>,
    /// Ports of all the addresses.
    #[serde(skip_serializing_if = "skip::none")]
    pub ports: SharedList<EndpointPort>,
}

/// One address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointAddress {
    /// IP address.
    pub ip: Text,
    /// DNS name; empty = none.
    #[serde(skip_serializing_if = "super::text::is_empty")]
    pub hostname: Text,
    /// Node of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<Arc<str>>,
    /// The pod behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetRef>,
}

impl Resource for Endpoints {
    const KIND: Kind = Kind::Endpoints;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        Ok(Self { meta: take(&mut wire, "metadata")?, subsets: take(&mut wire, "subsets")? })
    }

    fn fill_wire(&self, wire: &mut Map<String, Value>) {
        if !self.subsets.is_empty() {
            wire.insert("subsets".into(), serde_json::to_value(&self.subsets).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_goes_in_comes_out() {
        let wire = json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "default"},
            "subsets": [{
                "addresses": [{"ip": "192.0.2.1", "hostname": "db-0", "nodeName": "node-1",
                               "targetRef": {"kind": "Pod", "name": "db-0", "namespace": "default", "uid": "u"}}],
                "notReadyAddresses": [{"ip": "192.0.2.2"}],
                "ports": [{"name": "pg", "port": 5432, "protocol": "TCP"}],
            }],
        });
        assert_eq!(Endpoints::from_wire(wire.clone()).unwrap().to_wire(), wire);
    }
}
