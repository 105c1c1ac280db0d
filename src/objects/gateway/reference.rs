//! References between objects of the Gateway API.

use serde::{Deserialize, Serialize};

use super::{GATEWAY_GROUP, HttpRouteFilter};
use crate::objects::{SharedList, Text, skip};

/// What a route is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentReference {
    /// API group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Namespace; absent = that of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// Name.
    pub name: Text,
    /// The one listener; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<Text>,
    /// Listeners of that port; absent = any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

impl Default for ParentReference {
    fn default() -> Self {
        Self {
            group: GATEWAY_GROUP.into(),
            kind: "Gateway".into(),
            namespace: None,
            name: Text::default(),
            section_name: None,
            port: None,
        }
    }
}

/// Where the requests of a rule go, and in which share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpBackendRef {
    /// API group; empty = the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Name.
    pub name: Text,
    /// Namespace; absent = that of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// Port of a Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Part of the sum of the weights of a rule; 0 = nothing.
    pub weight: i32,
    /// What is done to requests for it only.
    #[serde(skip_serializing_if = "skip::none")]
    pub filters: SharedList<HttpRouteFilter>,
}

impl Default for HttpBackendRef {
    fn default() -> Self {
        Self {
            group: Text::default(),
            kind: "Service".into(),
            name: Text::default(),
            namespace: None,
            port: None,
            weight: 1,
            filters: SharedList::new(),
        }
    }
}

/// A Secret, or what an implementation takes in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretObjectReference {
    /// API group; empty = the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Name.
    pub name: Text,
    /// Namespace; absent = that of the Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
}

impl Default for SecretObjectReference {
    fn default() -> Self {
        Self { group: Text::default(), kind: "Secret".into(), name: Text::default(), namespace: None }
    }
}
