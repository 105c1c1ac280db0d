//! ResourceQuotas: what the objects of a namespace may use together, and how use is measured (upstream
//! `pkg/quota/v1` and `apiserver/pkg/quota/v1`).

mod scopes;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::{Object, serde_resource};
use super::storage::ResourceList;
use super::{SharedList, Text};

pub use scopes::ScopeRequirement;
pub use usage::{UsageError, grace_ends, missing_requests, tracked, usage};

/// A ResourceQuota.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceQuota {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<ResourceQuotaSpec>,
    /// Observed state.
    pub status: ResourceQuotaStatus,
}

/// Desired state of a ResourceQuota.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceQuotaSpec {
    /// The most of each resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hard: ResourceList,
    /// Only objects in all of these scopes count.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub scopes: SharedList<Text>,
    /// Further scopes, with operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_selector: Option<ScopeSelector>,
    /// What is valid and not simulated.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Scopes with operators.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScopeSelector {
    /// All must hold.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub match_expressions: SharedList<ScopeRequirement>,
}

/// Observed state of a ResourceQuota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceQuotaStatus {
    /// What is enforced.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hard: ResourceList,
    /// What is in use.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub used: ResourceList,
}

impl ResourceQuota {
    /// Whether the quota is about an object: it tracks something of its kind, and the object is in all of its scopes.
    #[must_use]
    pub fn covers(&self, object: &Object) -> bool {
        self.status.hard.keys().any(|name| tracked(object.kind(), name)) && self.scopes_match(object)
    }

    /// Whether an object is in all scopes of the quota.
    #[must_use]
    pub fn scopes_match(&self, object: &Object) -> bool {
        let named = self.spec.scopes.iter().cloned().map(ScopeRequirement::exists);
        let selected = self.spec.scope_selector.iter().flat_map(|selector| selector.match_expressions.iter().cloned());
        named.chain(selected).all(|requirement| requirement.matches(object))
    }
}

serde_resource!(ResourceQuota);
