//! LimitRanges.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::storage::ResourceList;
use super::{SharedList, Text};

/// What single pods, containers and claims of a namespace may ask for, and what containers get that ask for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitRange {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<LimitRangeSpec>,
}

/// Desired state of a LimitRange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitRangeSpec {
    /// A list by type of what is limited.
    pub limits: SharedList<LimitRangeItem>,
    /// What is valid and not simulated.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The limits of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRangeItem {
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    #[serde(rename = "type")]
    pub kind: Text,
    /// At least.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub min: ResourceList,
    /// At most.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub max: ResourceList,
    /// Limit of a container that has none.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub default: ResourceList,
    /// Request of a container that has none.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub default_request: ResourceList,
    /// How many times the request a limit may be.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub max_limit_request_ratio: ResourceList,
}

serde_resource!(LimitRange, without_status);
