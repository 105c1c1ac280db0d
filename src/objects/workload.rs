//! ReplicaSets and Deployments.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::IntOrPercent;
use super::condition::ConditionList;
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::pod_spec::PodTemplate;
use super::{LabelSelector, Selector};

/// Annotation of a ReplicaSet: most pods that its Deployment could have when the ReplicaSet was last scaled.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// A label selector as an object has it, and compiled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectSelector {
    /// As written.
    pub wire: LabelSelector,
    /// For matching.
    pub compiled: Selector,
}

impl ObjectSelector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// If an operator or its values are invalid.
    pub fn new(wire: LabelSelector) -> Result<Self, WireError> {
        let compiled = wire.compile().map_err(|e| WireError::new("spec.selector", e))?;
        Ok(Self { wire, compiled })
    }

    /// The same selector that also demands a label (upstream `CloneSelectorAndAddLabel`).
    ///
    /// # Errors
    /// If the label is none.
    pub fn with_label(&self, key: &str, value: &str) -> Result<Self, WireError> {
        let mut wire = self.wire.clone();
        wire.match_labels = wire.match_labels.with(key, value);
        Self::new(wire)
    }

    /// Whether it was written as `{}`, which selects everything.
    #[must_use]
    pub fn selects_everything(&self) -> bool {
        self.compiled.is_empty()
    }

    pub(super) fn from_wire(spec: &mut Map<String, Value>) -> Result<Self, WireError> {
        match spec.remove("selector") {
            None | Some(Value::Null) => Ok(Self { wire: LabelSelector::default(), compiled: Selector::nothing() }),
            Some(value) => {
                Self::new(LabelSelector::deserialize(&value).map_err(|e| WireError::new("spec.selector", e))?)
            }
        }
    }

    pub(super) fn to_wire(&self) -> Value {
        serde_json::to_value(&self.wire).unwrap_or_default()
    }
}

impl ObjectSelector {
    /// Selects everything, as `{}` does.
    #[must_use]
    pub fn everything() -> Self {
        Self { wire: LabelSelector::default(), compiled: Selector::from_requirements(Vec::new()) }
    }
}

impl Serialize for ObjectSelector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ObjectSelector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = LabelSelector::deserialize(deserializer)?;
        let compiled = wire.compile().map_err(serde::de::Error::custom)?;
        Ok(Self { wire, compiled })
    }
}

/// An integer of a spec, if it is given and fits.
pub(super) fn integer<T: TryFrom<i64>>(spec: &Map<String, Value>, key: &str) -> Option<T> {
    spec.get(key).and_then(Value::as_i64).and_then(|n| T::try_from(n).ok())
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaSet {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: ReplicaSetSpec,
    /// Observed state.
    pub status: ReplicaSetStatus,
}

/// Desired state of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaSetSpec {
    /// How many pods.
    pub replicas: i32,
    /// Seconds that a pod must be ready to count as available.
    pub min_ready_seconds: i32,
    /// Which pods.
    pub selector: Arc<ObjectSelector>,
    /// What new pods look like.
    pub template: Arc<PodTemplate>,
}

/// Observed state of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetStatus {
    /// Active pods.
    pub replicas: i32,
    /// Active pods with all labels of the template.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub fully_labeled_replicas: i32,
    /// Active pods that are ready.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub ready_replicas: i32,
    /// Active pods that are ready for `minReadySeconds`.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub available_replicas: i32,
    /// Pods being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_replicas: Option<i32>,
    /// Generation that this status is about.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub observed_generation: i64,
    /// Conditions.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
}

impl Resource for ReplicaSet {
    const KIND: Kind = Kind::ReplicaSet;
    const ADOPTABLE: bool = true;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let mut spec = wire_object(&mut wire, "spec");
        let selector = ObjectSelector::from_wire(&mut spec)?;
        Ok(Self { meta, spec: ReplicaSetSpec::from_wire(&spec, selector)?, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        Some(self.spec.to_wire(Some(self.spec.selector.to_wire())))
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}

impl ReplicaSetSpec {
    /// Reads all but the selector, whose form is not the same for all kinds.
    pub(super) fn from_wire(spec: &Map<String, Value>, selector: ObjectSelector) -> Result<Self, WireError> {
        Ok(Self {
            replicas: integer(spec, "replicas").unwrap_or(1),
            min_ready_seconds: integer(spec, "minReadySeconds").unwrap_or(0),
            selector: Arc::new(selector),
            template: Arc::new(PodTemplate::from_wire(spec.get("template"))?),
        })
    }

    /// The spec in wire form, with its selector in that form.
    pub(super) fn to_wire(&self, selector: Option<Value>) -> Value {
        let seconds = self.min_ready_seconds;
        let fields = [
            ("replicas", Some(self.replicas.into())),
            ("minReadySeconds", (seconds != 0).then(|| seconds.into())),
            ("selector", selector),
            ("template", Some(self.template.to_wire())),
        ];
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// A kind whose objects each keep a number of equal pods: ReplicaSets and ReplicationControllers.
pub trait Replicated: Resource + std::fmt::Debug {
    /// Desired state.
    fn spec(&self) -> &ReplicaSetSpec;

    /// Observed state.
    fn status(&self) -> &ReplicaSetStatus;

    /// The same object with another status.
    #[must_use]
    fn with_status(&self, status: ReplicaSetStatus) -> Self;
}

impl Replicated for ReplicaSet {
    fn spec(&self) -> &ReplicaSetSpec {
        &self.spec
    }

    fn status(&self) -> &ReplicaSetStatus {
        &self.status
    }

    fn with_status(&self, status: ReplicaSetStatus) -> Self {
        Self { meta: self.meta.clone(), spec: self.spec.clone(), status }
    }
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployment {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: DeploymentSpec,
    /// Observed state.
    pub status: DeploymentStatus,
}

/// Desired state of a Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploymentSpec {
    /// How many pods.
    pub replicas: i32,
    /// Seconds that a pod must be ready to count as available.
    pub min_ready_seconds: i32,
    /// How many old ReplicaSets are kept; absent = all (not defaulted).
    pub revision_history_limit: Option<i32>,
    /// Whether rollouts stand still.
    pub paused: bool,
    /// Seconds without progress after which the rollout counts as stuck; absent = no deadline.
    pub progress_deadline_seconds: Option<i32>,
    /// How old pods are replaced.
    pub strategy: DeploymentStrategy,
    /// Which pods.
    pub selector: Arc<ObjectSelector>,
    /// What new pods look like.
    pub template: Arc<PodTemplate>,
}

/// How a Deployment replaces old pods.
#[derive(Clone, Debug, PartialEq)]
pub enum DeploymentStrategy {
    /// All old pods go before a new one comes.
    Recreate,
    /// Old and new are exchanged within bounds. Absent bounds count as 0.
    RollingUpdate {
        /// Pods above the desired number, percent rounded up.
        max_surge: Option<IntOrPercent>,
        /// Pods below the desired number, percent rounded down.
        max_unavailable: Option<IntOrPercent>,
    },
}

impl Default for DeploymentStrategy {
    fn default() -> Self {
        Self::RollingUpdate { max_surge: None, max_unavailable: None }
    }
}

impl DeploymentStrategy {
    fn from_wire(strategy: Option<&Value>) -> Result<Self, WireError> {
        match strategy.and_then(|s| s.get("type")).and_then(Value::as_str) {
            Some("Recreate") => return Ok(Self::Recreate),
            None | Some("RollingUpdate") => {}
            Some(other) => {
                return Err(WireError::new("strategy.type", format_args!("deployment type {other} isn't supported")));
            }
        }
        let rolling = strategy.and_then(|s| s.get("rollingUpdate"));
        let bound = |key: &str| match rolling.and_then(|r| r.get(key)) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => IntOrPercent::deserialize(value).map(Some).map_err(|e| WireError::new(key, e)),
        };
        Ok(Self::RollingUpdate { max_surge: bound("maxSurge")?, max_unavailable: bound("maxUnavailable")? })
    }

    fn to_wire(&self) -> Value {
        match self {
            Self::Recreate => json!({"type": "Recreate"}),
            Self::RollingUpdate { max_surge, max_unavailable } => {
                let mut rolling = Map::new();
                for (key, bound) in [("maxSurge", max_surge), ("maxUnavailable", max_unavailable)] {
                    if let Some(bound) = bound {
                        rolling.insert(key.into(), serde_json::to_value(bound).unwrap_or_default());
                    }
                }
                json!({"type": "RollingUpdate", "rollingUpdate": rolling})
            }
        }
    }
}

/// Observed state of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus {
    /// Generation that this status is about.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub observed_generation: i64,
    /// Active pods of all its ReplicaSets.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub replicas: i32,
    /// Active pods of the newest template.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub updated_replicas: i32,
    /// Ready pods.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub ready_replicas: i32,
    /// Pods ready for `minReadySeconds`.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub available_replicas: i32,
    /// Pods that are still to become available.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub unavailable_replicas: i32,
    /// Pods being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_replicas: Option<i32>,
    /// How often the name of a new ReplicaSet was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// Conditions.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
}

impl Resource for Deployment {
    const KIND: Kind = Kind::Deployment;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let mut spec = wire_object(&mut wire, "spec");
        let spec = DeploymentSpec {
            replicas: integer(&spec, "replicas").unwrap_or(1),
            min_ready_seconds: integer(&spec, "minReadySeconds").unwrap_or(0),
            revision_history_limit: integer(&spec, "revisionHistoryLimit"),
            paused: spec.get("paused").and_then(Value::as_bool).unwrap_or(false),
            progress_deadline_seconds: integer(&spec, "progressDeadlineSeconds"),
            strategy: DeploymentStrategy::from_wire(spec.get("strategy"))?,
            selector: Arc::new(ObjectSelector::from_wire(&mut spec)?),
            template: Arc::new(PodTemplate::from_wire(spec.get("template"))?),
        };
        Ok(Self { meta, spec, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        let mut spec = Map::new();
        spec.insert("replicas".into(), self.spec.replicas.into());
        spec.insert("selector".into(), self.spec.selector.to_wire());
        spec.insert("template".into(), self.spec.template.to_wire());
        spec.insert("strategy".into(), self.spec.strategy.to_wire());
        if self.spec.min_ready_seconds != 0 {
            spec.insert("minReadySeconds".into(), self.spec.min_ready_seconds.into());
        }
        if let Some(limit) = self.spec.revision_history_limit {
            spec.insert("revisionHistoryLimit".into(), limit.into());
        }
        if self.spec.paused {
            spec.insert("paused".into(), true.into());
        }
        if let Some(deadline) = self.spec.progress_deadline_seconds {
            spec.insert("progressDeadlineSeconds".into(), deadline.into());
        }
        Some(Value::Object(spec))
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}
