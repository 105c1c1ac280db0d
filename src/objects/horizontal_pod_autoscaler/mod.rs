//! HorizontalPodAutoscalers.

mod behavior;
mod metric;
pub(crate) mod v1;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use behavior::{HorizontalPodAutoscalerBehavior, HpaScalingPolicy, HpaScalingRules, ScalingPolicySelect};
pub use metric::{MetricIdentifier, MetricSource, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::{ConditionList, SharedList, Timestamp};

/// Decides from what is measured how many replicas a workload has (`autoscaling/v2`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HorizontalPodAutoscaler {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<HorizontalPodAutoscalerSpec>,
    /// Observed state.
    pub status: HorizontalPodAutoscalerStatus,
}

serde_resource!(HorizontalPodAutoscaler);

/// Desired state of a HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HorizontalPodAutoscalerSpec {
    /// What is scaled.
    pub scale_target_ref: CrossVersionObjectReference,
    /// The fewest replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,
    /// The most replicas.
    pub max_replicas: i32,
    /// What is measured, and what it is to be; the metric that asks for the most replicas wins.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub metrics: SharedList<MetricSpec>,
    /// How fast it may scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
}

/// An object by kind and name, in the namespace of whoever refers to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CrossVersionObjectReference {
    /// Kind.
    pub kind: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Group and version.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub api_version: Arc<str>,
}

/// Observed state of a HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HorizontalPodAutoscalerStatus {
    /// Generation that this status is about; upstream's controller does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When it last scaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Timestamp>,
    /// Replicas that the target asked for when the autoscaler looked.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub current_replicas: i32,
    /// Replicas that the autoscaler wanted then.
    pub desired_replicas: i32,
    /// What was measured, in the order of the spec's metrics.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub current_metrics: SharedList<MetricStatus>,
    /// Conditions.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
}

impl HorizontalPodAutoscaler {
    /// Type of the condition that says whether the autoscaler can read and write the scale of its target.
    pub const ABLE_TO_SCALE: &'static str = "AbleToScale";
    /// Type of the condition that says whether it can work out how many replicas there should be.
    pub const SCALING_ACTIVE: &'static str = "ScalingActive";
    /// Type of the condition that says whether it wants more or fewer replicas than it may have.
    pub const SCALING_LIMITED: &'static str = "ScalingLimited";

    /// The fewest replicas; 1 unless the spec says something else.
    #[must_use]
    pub fn min_replicas(&self) -> i32 {
        self.spec.min_replicas.unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Resource;

    #[test]
    fn what_goes_in_comes_out() {
        let wire = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 2, "maxReplicas": 10,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
                    {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "c",
                        "target": {"type": "AverageValue", "averageValue": "100Mi"}}},
                    {"type": "Pods", "pods": {"metric": {"name": "qps", "selector": {"matchLabels": {"a": "b"}}},
                        "target": {"type": "AverageValue", "averageValue": "10"}}},
                    {"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "s", "apiVersion": "v1"},
                        "metric": {"name": "len"}, "target": {"type": "Value", "value": "1500m"}}},
                    {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}},
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Min", "tolerance": "50m",
                    "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}},
            },
            "status": {"currentReplicas": 2, "desiredReplicas": 3, "lastScaleTime": "2026-01-01T00:00:00Z",
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "current": {"averageUtilization": 70, "averageValue": "700m"}}}, {"type": ""}],
                "conditions": [{"type": "AbleToScale", "status": "True", "reason": "r", "message": "m"}]},
        });
        let autoscaler = HorizontalPodAutoscaler::from_wire(wire.clone()).unwrap();
        assert_eq!(autoscaler.to_wire()["spec"], wire["spec"]);
        assert_eq!(autoscaler.to_wire()["status"], wire["status"]);
    }
}
