//! DaemonSets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition::ConditionList;
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::pod_spec::PodTemplate;
use super::workload::{ObjectSelector, integer};
use super::{IntOrPercent, Rounding};

/// Annotation of a DaemonSet that counts the versions of its template. The API server keeps it; `apps/v1` always shows it.
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// A DaemonSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DaemonSet {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: DaemonSetSpec,
    /// Observed state.
    pub status: DaemonSetStatus,
}

/// Desired state of a DaemonSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DaemonSetSpec {
    /// Which pods.
    pub selector: Arc<ObjectSelector>,
    /// What new pods look like, and by its node selector, affinity and tolerations which nodes get one.
    pub template: Arc<PodTemplate>,
    /// How old pods are replaced.
    pub update_strategy: DaemonSetUpdateStrategy,
    /// Seconds that a pod must be ready to count as available.
    pub min_ready_seconds: i32,
    /// How many old ControllerRevisions are kept; absent = 10, by default.
    pub revision_history_limit: Option<i32>,
}

/// How a DaemonSet replaces old pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DaemonSetUpdateStrategy {
    /// Whether old pods stay until somebody deletes them.
    pub on_delete: bool,
    /// Nodes that may be without an available pod during an update, percent of the eligible nodes rounded up.
    pub max_unavailable: Option<IntOrPercent>,
    /// Nodes that may have an old and a new pod during an update, percent of the eligible nodes rounded up.
    pub max_surge: Option<IntOrPercent>,
}

/// Observed state of a DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetStatus {
    /// Eligible nodes with a pod.
    pub current_number_scheduled: i32,
    /// Other nodes with a pod.
    pub number_misscheduled: i32,
    /// Eligible nodes.
    pub desired_number_scheduled: i32,
    /// Eligible nodes whose pod is ready.
    pub number_ready: i32,
    /// Generation that this status is about.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub observed_generation: i64,
    /// Eligible nodes whose pod is of the newest template.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub updated_number_scheduled: i32,
    /// Eligible nodes whose pod has been ready for `minReadySeconds`.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub number_available: i32,
    /// Eligible nodes without such a pod.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub number_unavailable: i32,
    /// How often the name of a new revision was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// Conditions; the controller sets none.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
}

impl DaemonSetUpdateStrategy {
    fn from_wire(strategy: Option<&Value>) -> Result<Self, WireError> {
        let on_delete = match strategy.and_then(|strategy| strategy.get("type")).and_then(Value::as_str) {
            Some("OnDelete") => true,
            None | Some("RollingUpdate") => false,
            Some(other) => return Err(WireError::new("updateStrategy.type", format_args!("{other} is no strategy"))),
        };
        let rolling = strategy.and_then(|strategy| strategy.get("rollingUpdate"));
        let bound = |key: &str| match rolling.and_then(|rolling| rolling.get(key)) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => IntOrPercent::deserialize(value).map(Some).map_err(|e| WireError::new(key, e)),
        };
        Ok(Self { on_delete, max_unavailable: bound("maxUnavailable")?, max_surge: bound("maxSurge")? })
    }

    fn to_wire(&self) -> Value {
        let mut strategy = Map::new();
        strategy.insert("type".into(), if self.on_delete { "OnDelete" } else { "RollingUpdate" }.into());
        let mut rolling = Map::new();
        for (key, bound) in [("maxSurge", &self.max_surge), ("maxUnavailable", &self.max_unavailable)] {
            if let Some(bound) = bound {
                rolling.insert(key.into(), serde_json::to_value(bound).unwrap_or_default());
            }
        }
        if !rolling.is_empty() {
            strategy.insert("rollingUpdate".into(), Value::Object(rolling));
        }
        Value::Object(strategy)
    }

    /// `(maxSurge, maxUnavailable)` of that many eligible nodes, as the controller resolves them (upstream
    /// `updatedDesiredNodeCounts`): percentages are rounded up, and if nothing else is left, one node may be unavailable.
    ///
    /// # Errors
    /// If a bound is no percentage; validation refuses that.
    pub fn resolve(&self, eligible: i32) -> Result<(i32, i32), String> {
        let (mut surge, mut unavailable) = (0, 0);
        if !self.on_delete {
            let count = |bound: &Option<IntOrPercent>, name: &str| match bound {
                None => Ok(0),
                Some(bound) => bound
                    .scaled_value(eligible, Rounding::Up)
                    .map_err(|error| format!("couldn't get unavailable numbers: invalid value for {name}: {error}")),
            };
            unavailable = count(&self.max_unavailable, "MaxUnavailable")?;
            surge = count(&self.max_surge, "MaxSurge")?;
        }
        if eligible > 0 && surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Ok((surge, unavailable))
    }

    /// Whether a node may have two pods at all (upstream `AllowsSurge`).
    #[must_use]
    pub fn allows_surge(&self) -> bool {
        let one = |bound: &IntOrPercent| bound.scaled_value(1, Rounding::Up).is_ok_and(|count| count > 0);
        !self.on_delete && self.max_surge.as_ref().is_some_and(one)
    }
}

impl DaemonSet {
    /// The version of the template, as the annotation has it; nothing if that is no number.
    #[must_use]
    pub fn template_generation(&self) -> Option<i64> {
        self.meta.annotations.get(TEMPLATE_GENERATION)?.parse().ok()
    }

    /// Notes the version of the template.
    pub fn set_template_generation(&mut self, generation: i64) {
        self.meta.annotations = self.meta.annotations.with(TEMPLATE_GENERATION, &generation.to_string());
    }
}

impl Resource for DaemonSet {
    const KIND: Kind = Kind::DaemonSet;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let mut spec = wire_object(&mut wire, "spec");
        let spec = DaemonSetSpec {
            selector: Arc::new(ObjectSelector::from_wire(&mut spec)?),
            template: Arc::new(PodTemplate::from_wire(spec.get("template"))?),
            update_strategy: DaemonSetUpdateStrategy::from_wire(spec.get("updateStrategy"))?,
            min_ready_seconds: integer(&spec, "minReadySeconds").unwrap_or(0),
            revision_history_limit: integer(&spec, "revisionHistoryLimit"),
        };
        Ok(Self { meta, spec, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        let mut spec = Map::new();
        spec.insert("selector".into(), self.spec.selector.to_wire());
        spec.insert("template".into(), self.spec.template.to_wire());
        spec.insert("updateStrategy".into(), self.spec.update_strategy.to_wire());
        if self.spec.min_ready_seconds != 0 {
            spec.insert("minReadySeconds".into(), self.spec.min_ready_seconds.into());
        }
        if let Some(limit) = self.spec.revision_history_limit {
            spec.insert("revisionHistoryLimit".into(), limit.into());
        }
        Some(Value::Object(spec))
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn strategy(rolling: Value) -> DaemonSetUpdateStrategy {
        DaemonSetUpdateStrategy::from_wire(Some(&json!({"type": "RollingUpdate", "rollingUpdate": rolling}))).unwrap()
    }

    #[test]
    fn percentages_are_rounded_up_and_one_node_may_always_be_unavailable() {
        let resolve = |rolling, eligible| strategy(rolling).resolve(eligible);
        assert_eq!(resolve(json!({"maxUnavailable": "50%", "maxSurge": 0}), 3), Ok((0, 2)));
        assert_eq!(resolve(json!({"maxUnavailable": 0, "maxSurge": "50%"}), 3), Ok((2, 0)));
        assert_eq!(resolve(json!({"maxUnavailable": 0, "maxSurge": 0}), 3), Ok((0, 1)));
        assert_eq!(resolve(json!({"maxUnavailable": 0, "maxSurge": 0}), 0), Ok((0, 0)));
        assert!(resolve(json!({"maxUnavailable": "x"}), 3).is_err());
    }

    #[test]
    fn surge_is_allowed_where_one_node_could_have_it() {
        assert!(strategy(json!({"maxUnavailable": 0, "maxSurge": "1%"})).allows_surge());
        assert!(!strategy(json!({"maxUnavailable": 1, "maxSurge": 0})).allows_surge());
        let on_delete = DaemonSetUpdateStrategy { on_delete: true, ..strategy(json!({"maxSurge": 1})) };
        assert!(!on_delete.allows_surge());
    }

    #[test]
    fn the_wire_form_comes_back_whole() {
        let wire = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "agent", "namespace": "default"},
            "spec": {
                "selector": {"matchLabels": {"app": "agent"}},
                "template": {
                    "metadata": {"labels": {"app": "agent"}},
                    "spec": {"containers": [{"name": "c", "image": "agent:v1"}], "nodeName": "n1"},
                },
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}},
                "minReadySeconds": 3,
                "revisionHistoryLimit": 4,
            },
            "status": {
                "currentNumberScheduled": 1, "desiredNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": 1,
                "numberUnavailable": 1, "collisionCount": 1,
            },
        });
        assert_eq!(DaemonSet::from_wire(wire.clone()).unwrap().to_wire(), wire);
    }
}
