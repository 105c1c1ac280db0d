//! GatewayClasses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::pending_condition;
use crate::objects::object::serde_resource;
use crate::objects::{ConditionList, ObjectMeta, Text, skip};

/// A GatewayClass: who takes care of the Gateways that name it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GatewayClass {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<GatewayClassSpec>,
    /// Observed state.
    pub status: GatewayClassStatus,
}

/// Desired state of a GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClassSpec {
    /// The controller, such as `example.com/gateway-controller`; it cannot be changed.
    pub controller_name: Text,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// What is valid and not simulated (parametersRef).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Observed state of a GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClassStatus {
    /// `Accepted`.
    #[serde(skip_serializing_if = "skip::none")]
    pub conditions: ConditionList,
    /// What is valid and not simulated (supportedFeatures).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

serde_resource!(GatewayClass);

impl GatewayClassStatus {
    /// What the definition gives a class that no controller has seen.
    #[must_use]
    pub fn pending() -> Self {
        Self { conditions: [pending_condition("Accepted")].into_iter().collect(), ..Self::default() }
    }
}
