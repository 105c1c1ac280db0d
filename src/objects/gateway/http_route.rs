//! HTTPRoutes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{HttpBackendRef, HttpRouteFilter, ParentReference};
use crate::objects::object::serde_resource;
use crate::objects::{ConditionList, ObjectMeta, SharedList, Text, skip};

/// An HTTPRoute: which requests of which listeners go where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HTTPRoute {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<HttpRouteSpec>,
    /// Observed state; absent until a controller has seen the route.
    pub status: Option<HttpRouteStatus>,
}

/// Desired state of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteSpec {
    /// What it is attached to.
    #[serde(skip_serializing_if = "skip::none")]
    pub parent_refs: SharedList<ParentReference>,
    /// Its hosts, by name or wildcard; none = those of the listeners.
    #[serde(skip_serializing_if = "skip::none")]
    pub hostnames: SharedList<Text>,
    /// Its rules.
    #[serde(skip_serializing_if = "skip::none")]
    pub rules: SharedList<HttpRouteRule>,
}

/// A rule of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteRule {
    /// Name, for references.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The requests that it takes: those of any of the matches.
    #[serde(skip_serializing_if = "skip::none")]
    pub matches: SharedList<HttpRouteMatch>,
    /// What is done to requests and answers.
    #[serde(skip_serializing_if = "skip::none")]
    pub filters: SharedList<HttpRouteFilter>,
    /// Where requests go.
    #[serde(skip_serializing_if = "skip::none")]
    pub backend_refs: SharedList<HttpBackendRef>,
    /// What is not typed: `timeouts`, which count, and `name`, which is for people and policies.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What a request must be like: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteMatch {
    /// Path; absent = any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathMatch>,
    /// Headers; of equal names, which are compared without case, the first counts.
    #[serde(skip_serializing_if = "skip::none")]
    pub headers: SharedList<HttpValueMatch>,
    /// Query parameters.
    #[serde(skip_serializing_if = "skip::none")]
    pub query_params: SharedList<HttpValueMatch>,
    /// Method; absent = any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Text>,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpPathMatch {
    /// How it is compared.
    #[serde(rename = "type")]
    pub kind: PathMatchType,
    /// The path, prefix or pattern.
    pub value: Text,
}

impl Default for HttpPathMatch {
    fn default() -> Self {
        Self { kind: PathMatchType::PathPrefix, value: "/".into() }
    }
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathMatchType {
    /// Equal.
    Exact,
    /// Element by element between slashes.
    #[default]
    PathPrefix,
    /// By a pattern.
    RegularExpression,
}

impl PathMatchType {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "Exact",
            Self::PathPrefix => "PathPrefix",
            Self::RegularExpression => "RegularExpression",
        }
    }
}

/// A header or query parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpValueMatch {
    /// How the value is compared.
    #[serde(rename = "type")]
    pub kind: ValueMatchType,
    /// Name.
    pub name: Text,
    /// The value or pattern.
    pub value: Text,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValueMatchType {
    /// Equal.
    #[default]
    Exact,
    /// By a pattern.
    RegularExpression,
}

/// Observed state of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpRouteStatus {
    /// By parent.
    pub parents: SharedList<RouteParentStatus>,
}

/// What became of a route at a parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteParentStatus {
    /// The parent.
    pub parent_ref: ParentReference,
    /// Who says so.
    pub controller_name: Text,
    /// `Accepted`, `ResolvedRefs`.
    pub conditions: ConditionList,
}

serde_resource!(HTTPRoute);
