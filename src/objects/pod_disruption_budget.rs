//! PodDisruptionBudgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::text::Text;
use super::workload::ObjectSelector;
use super::{Condition, ConditionList, ConditionStatus, Conditions, IntOrPercent, Pod, Timestamp, condition};

/// How many pods voluntary disruptions must leave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodDisruptionBudget {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<PodDisruptionBudgetSpec>,
    /// Observed state.
    pub status: PodDisruptionBudgetStatus,
}

/// Desired state of a PodDisruptionBudget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodDisruptionBudgetSpec {
    /// At least so many healthy pods; a percentage is one of the expected pods, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_available: Option<IntOrPercent>,
    /// At most so many unhealthy pods; a percentage is one of the expected pods, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrPercent>,
    /// Which pods; absent = none, empty = all of the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Arc<ObjectSelector>>,
    /// What of pods that are not ready: `IfHealthyBudget` (the default) or `AlwaysAllow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_pod_eviction_policy: Option<Text>,
    /// What is valid and not simulated.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Observed state of a PodDisruptionBudget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodDisruptionBudgetStatus {
    /// Generation that this status is about.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub observed_generation: i64,
    /// Pods whose eviction was granted and that were not seen leaving yet, with the time of the grant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disrupted_pods: BTreeMap<Arc<str>, Timestamp>,
    /// How many pods may be evicted now.
    pub disruptions_allowed: i32,
    /// Healthy pods.
    pub current_healthy: i32,
    /// Healthy pods that there must be.
    pub desired_healthy: i32,
    /// Pods that the budget counts with.
    pub expected_pods: i32,
    /// Conditions.
    #[serde(skip_serializing_if = "super::skip::none", serialize_with = "condition::with_reasons")]
    pub conditions: ConditionList,
}

impl PodDisruptionBudgetStatus {
    /// Type of the condition that says whether pods may be evicted.
    pub const DISRUPTION_ALLOWED: &'static str = "DisruptionAllowed";
    /// Reason of the condition after a sync that failed.
    pub const SYNC_FAILED: &'static str = "SyncFailed";

    /// Brings the condition in line with the number of allowed disruptions (upstream
    /// `component-helpers/apps/poddisruptionbudget.UpdateDisruptionAllowedCondition`).
    pub fn update_condition(&mut self, at: Timestamp) {
        let allowed = self.disruptions_allowed > 0;
        let reason = if allowed { "SufficientPods" } else { "InsufficientPods" };
        let mut condition = Condition::new(Self::DISRUPTION_ALLOWED, ConditionStatus::of(allowed), at);
        condition.reason = reason.into();
        condition.observed_generation = Some(self.observed_generation).filter(|generation| *generation != 0);
        self.conditions = self.conditions.with(condition);
    }

    /// Whether the condition says what the number of allowed disruptions does.
    #[must_use]
    pub fn condition_is_current(&self) -> bool {
        let allowed = self.disruptions_allowed > 0;
        let reason = if allowed { "SufficientPods" } else { "InsufficientPods" };
        let condition = self.conditions.find(Self::DISRUPTION_ALLOWED);
        condition.is_some_and(|is| is.status == ConditionStatus::of(allowed) && is.reason == *reason)
    }
}

impl PodDisruptionBudget {
    /// Whether the budget is about a pod.
    #[must_use]
    pub fn covers(&self, pod: &Pod) -> bool {
        self.meta.namespace == pod.meta.namespace
            && self.spec.selector.as_ref().is_some_and(|selector| selector.compiled.matches(&pod.meta.labels))
    }

    /// Whether pods that are not ready may always be evicted.
    #[must_use]
    pub fn always_allows_unhealthy(&self) -> bool {
        self.spec.unhealthy_pod_eviction_policy.as_ref().is_some_and(|policy| *policy == *"AlwaysAllow")
    }
}

serde_resource!(PodDisruptionBudget);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::{Value, json};

    fn budget(spec: Value) -> PodDisruptionBudget {
        let wire = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
        });
        PodDisruptionBudget::from_wire(wire).unwrap()
    }

    fn pod(namespace: &str) -> Pod {
        let mut pod = Pod::default();
        pod.meta.namespace = namespace.into();
        pod.meta.labels = [("app", "web")].into_iter().collect();
        pod
    }

    #[test]
    fn an_absent_selector_covers_nothing_and_an_empty_one_the_namespace() {
        let none = budget(json!({"minAvailable": 1}));
        assert!(!none.covers(&pod("shop")));
        let all = budget(json!({"minAvailable": 1, "selector": {}}));
        assert!(all.covers(&pod("shop")) && !all.covers(&pod("other")));
        let other = budget(json!({"selector": {"matchLabels": {"app": "db"}}}));
        assert!(!other.covers(&pod("shop")));
    }

    #[test]
    fn what_goes_in_comes_out() {
        let spec = json!({"maxUnavailable": "30%", "selector": {"matchLabels": {"app": "web"}}, "unhealthyPodEvictionPolicy": "AlwaysAllow"});
        let budget = budget(spec.clone());
        assert!(budget.always_allows_unhealthy());
        let wire = budget.to_wire();
        assert_eq!(wire["spec"], spec);
        let status = json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0});
        assert_eq!(wire["status"], status);
    }
}
