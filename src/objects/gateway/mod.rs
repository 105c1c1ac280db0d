//! The kinds of the Gateway API, which custom resource definitions define (`gateway-api` `apis/v1`): a file per kind.

mod class;
mod filter;
mod grant;
mod http_route;
mod listener;
mod reference;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition::{Condition, ConditionList, ConditionStatus};
use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::text::Text;
use super::wire::{Wire, WireMut};
use super::{SharedList, Timestamp, skip};

pub use class::{GatewayClass, GatewayClassSpec, GatewayClassStatus};
pub use filter::{
    HttpHeader, HttpHeaderFilter, HttpPathModifier, HttpRequestRedirect, HttpRouteFilter, HttpUrlRewrite,
    PathModifierType,
};
pub use grant::{ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo};
pub use http_route::{
    HTTPRoute, HttpPathMatch, HttpRouteMatch, HttpRouteRule, HttpRouteSpec, HttpRouteStatus, HttpValueMatch,
    PathMatchType, RouteParentStatus, ValueMatchType,
};
pub use listener::{
    AllowedRoutes, FromNamespaces, Listener, ListenerStatus, ListenerTls, RouteGroupKind, RouteNamespaces,
};
pub use reference::{HttpBackendRef, ParentReference, SecretObjectReference};

/// API group of the kinds.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Label of the pods of a Gateway's data plane, with its name (upstream's GEP 1762).
pub const GATEWAY_NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// The other version that the definitions serve, with the same schema.
/// Group and version of before.
pub(crate) const BETA: &str = "gateway.networking.k8s.io/v1beta1";

/// Makes a document of `v1beta1` one of `v1`; nothing else differs (conversion strategy `None`).
pub(crate) fn convert(document: &mut Value) {
    if document.text("apiVersion") == BETA {
        document.set("apiVersion", "gateway.networking.k8s.io/v1");
    }
}

/// A Gateway: where traffic comes in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gateway {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<GatewaySpec>,
    /// Observed state.
    pub status: GatewayStatus,
}

/// Desired state of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySpec {
    /// Name of the GatewayClass.
    pub gateway_class_name: Text,
    /// What it listens on.
    pub listeners: SharedList<Listener>,
    /// What is valid and not simulated (addresses, infrastructure, allowedListeners, tls).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Observed state of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayStatus {
    /// Where it is reached.
    #[serde(skip_serializing_if = "skip::none")]
    pub addresses: SharedList<GatewayStatusAddress>,
    /// `Accepted`, `Programmed`.
    #[serde(skip_serializing_if = "skip::none")]
    pub conditions: ConditionList,
    /// By listener.
    #[serde(skip_serializing_if = "skip::none")]
    pub listeners: SharedList<ListenerStatus>,
}

/// An address of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayStatusAddress {
    /// `IPAddress` or `Hostname`.
    #[serde(rename = "type")]
    pub kind: Text,
    /// The address.
    pub value: Text,
}

serde_resource!(Gateway);

impl GatewayStatus {
    /// What the definition gives a Gateway that no controller has seen.
    #[must_use]
    pub fn pending() -> Self {
        Self { conditions: ["Accepted", "Programmed"].map(pending_condition).into_iter().collect(), ..Self::default() }
    }
}

/// A condition that waits for a controller, as the defaults of the definitions have it.
fn pending_condition(kind: &'static str) -> Condition {
    Condition::new(kind, ConditionStatus::Unknown, Timestamp::from_unix_secs(0))
        .because("Pending", "Waiting for controller")
}
