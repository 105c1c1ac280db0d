//! Listeners of Gateways.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{GATEWAY_GROUP, SecretObjectReference};
use crate::objects::{ConditionList, ObjectSelector, SharedList, Text, skip};

/// What a Gateway listens on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listener {
    /// Name, unique in its Gateway.
    pub name: Text,
    /// The only hosts that it serves, by name or wildcard; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Text>,
    /// Port of the Gateway.
    pub port: i32,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP`, or one of an implementation.
    pub protocol: Text,
    /// Certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Which routes may attach to it.
    pub allowed_routes: AllowedRoutes,
}

impl Listener {
    /// Whether requests come in by TLS that ends here.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.protocol == "HTTPS"
    }
}

/// TLS of a listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerTls {
    /// `Terminate` or `Passthrough`.
    pub mode: Text,
    /// Secrets with certificates.
    #[serde(skip_serializing_if = "skip::none")]
    pub certificate_refs: SharedList<SecretObjectReference>,
    /// What is valid and not simulated (options).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for ListenerTls {
    fn default() -> Self {
        Self { mode: "Terminate".into(), certificate_refs: SharedList::new(), rest: Map::new() }
    }
}

/// Which routes may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// Of which namespaces.
    pub namespaces: RouteNamespaces,
    /// Of which kinds; none = those that fit the protocol.
    #[serde(skip_serializing_if = "skip::none")]
    pub kinds: SharedList<RouteGroupKind>,
}

/// Namespaces whose routes may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// How they are told.
    pub from: FromNamespaces,
    /// Labels of the namespaces, for [`FromNamespaces::Selector`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<ObjectSelector>,
}

/// How namespaces are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FromNamespaces {
    /// All of them.
    All,
    /// By labels.
    Selector,
    /// That of the Gateway.
    #[default]
    Same,
}

/// A kind of routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteGroupKind {
    /// API group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
}

impl Default for RouteGroupKind {
    fn default() -> Self {
        Self { group: GATEWAY_GROUP.into(), kind: Text::default() }
    }
}

/// Observed state of a listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerStatus {
    /// Name of the listener.
    pub name: Text,
    /// The kinds of routes that may attach to it.
    #[serde(skip_serializing_if = "skip::none")]
    pub supported_kinds: SharedList<RouteGroupKind>,
    /// Routes that are attached.
    pub attached_routes: i32,
    /// `Accepted`, `Programmed`, `ResolvedRefs`, `Conflicted`.
    pub conditions: ConditionList,
}
