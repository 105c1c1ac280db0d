//! StatefulSets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::condition::ConditionList;
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::pod_spec::PodTemplate;
use super::workload::{ObjectSelector, integer};
use super::{IntOrPercent, SharedList};

/// A StatefulSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatefulSet {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: StatefulSetSpec,
    /// Observed state.
    pub status: StatefulSetStatus,
}

/// Desired state of a StatefulSet.
#[derive(Clone, Debug, PartialEq)]
pub struct StatefulSetSpec {
    /// How many pods.
    pub replicas: i32,
    /// Ordinal of the first pod, if `ordinals` is given; else it is 0.
    pub start: Option<i32>,
    /// Seconds that a pod must be ready to count as available.
    pub min_ready_seconds: i32,
    /// How many revisions that nothing lives on are kept; negative = all.
    pub revision_history_limit: i32,
    /// Name of the headless service, the subdomain of the pods.
    pub service_name: Arc<str>,
    /// Whether pods wait for each other.
    pub pod_management_policy: PodManagementPolicy,
    /// How pods of an old revision are replaced.
    pub update_strategy: StatefulSetUpdateStrategy,
    /// What becomes of the claims.
    pub claim_retention: Option<ClaimRetention>,
    /// Claims that each pod gets.
    pub volume_claim_templates: SharedList<ClaimTemplate>,
    /// Which pods.
    pub selector: Arc<ObjectSelector>,
    /// What new pods look like.
    pub template: Arc<PodTemplate>,
}

impl Default for StatefulSetSpec {
    fn default() -> Self {
        Self {
            replicas: 1,
            start: None,
            min_ready_seconds: 0,
            revision_history_limit: 10,
            service_name: Arc::default(),
            pod_management_policy: PodManagementPolicy::default(),
            update_strategy: StatefulSetUpdateStrategy::default(),
            claim_retention: None,
            volume_claim_templates: SharedList::new(),
            selector: Arc::default(),
            template: Arc::default(),
        }
    }
}

/// Whether the pods of a StatefulSet wait for each other when they start and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodManagementPolicy {
    /// One after the other: up by ordinal, down the other way round.
    #[default]
    OrderedReady,
    /// All at once. Updates are ordered all the same.
    Parallel,
}

/// How a StatefulSet replaces the pods of an old revision.
#[derive(Clone, Debug, PartialEq)]
pub enum StatefulSetUpdateStrategy {
    /// Not at all: whoever deletes a pod gets one of the new revision.
    OnDelete,
    /// From the highest ordinal down. Absent bounds: the type was given without them.
    RollingUpdate(Option<RollingStatefulSetUpdate>),
}

/// Bounds of a rolling update of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollingStatefulSetUpdate {
    /// How many pods, counted from the first ordinal, keep the old revision.
    pub partition: i32,
    /// How many pods may be unavailable. The API server drops it: feature `MaxUnavailableStatefulSet` is off by default.
    pub max_unavailable: Option<IntOrPercent>,
}

impl Default for StatefulSetUpdateStrategy {
    fn default() -> Self {
        Self::RollingUpdate(Some(RollingStatefulSetUpdate::default()))
    }
}

/// What becomes of claims that are not needed any more; not set = they stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimRetention {
    /// Whether they go with the StatefulSet.
    pub delete_when_deleted: bool,
    /// Whether they go when the number of pods falls.
    pub delete_when_scaled: bool,
}

/// A claim that each pod of a StatefulSet gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimTemplate {
    /// Name of the template and of the pod's volume.
    pub name: Arc<str>,
    /// The claim in wire form.
    pub wire: Value,
}

/// Observed state of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetStatus {
    /// Generation that this status is about.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub observed_generation: i64,
    /// Pods that exist, those being deleted too.
    pub replicas: i32,
    /// Running pods that are ready, those being deleted too.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub ready_replicas: i32,
    /// Pods of the current revision.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub current_replicas: i32,
    /// Pods of the newest revision.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub updated_replicas: i32,
    /// Revision of the pods that an update has not reached.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub current_revision: Arc<str>,
    /// Revision of the template.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub update_revision: Arc<str>,
    /// How often the name of a new revision was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// Conditions: none that the controller sets.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
    /// Ready pods that are available.
    pub available_replicas: i32,
}

impl StatefulSetSpec {
    /// Ordinal of the first pod.
    #[must_use]
    pub fn first_ordinal(&self) -> i32 {
        self.start.unwrap_or(0)
    }

    /// Whether the pod with that ordinal is asked for.
    #[must_use]
    pub fn has_ordinal(&self, ordinal: i32) -> bool {
        let index = i64::from(ordinal) - i64::from(self.first_ordinal());
        (0..i64::from(self.replicas)).contains(&index)
    }
}

/// The name of the StatefulSet in a pod's name, and the ordinal if it is one (upstream `getParentNameAndOrdinal`).
///
/// ```
/// use seatrial::objects::parent_and_ordinal;
/// assert_eq!(parent_and_ordinal("web-0"), Some(("web", Some(0))));
/// assert_eq!(parent_and_ordinal("my-db-12"), Some(("my-db", Some(12))));
/// assert_eq!(parent_and_ordinal("web-99999999999"), Some(("web", None)));
/// assert_eq!(parent_and_ordinal("web-x"), None);
/// ```
#[must_use]
pub fn parent_and_ordinal(pod: &str) -> Option<(&str, Option<i32>)> {
    let (parent, digits) = pod.rsplit_once('-')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (parent, digits.parse().ok()))
}

impl StatefulSet {
    /// Whether a name is that of one of its pods.
    #[must_use]
    pub fn names(&self, pod: &str) -> bool {
        parent_and_ordinal(pod).is_some_and(|(parent, _)| *parent == *self.meta.name)
    }

    /// The ordinal in the name of one of its pods.
    #[must_use]
    pub fn ordinal_of(&self, pod: &str) -> Option<i32> {
        parent_and_ordinal(pod).filter(|(parent, _)| **parent == *self.meta.name)?.1
    }
}

impl PodManagementPolicy {
    fn from_wire(spec: &Map<String, Value>) -> Self {
        let parallel = spec.get("podManagementPolicy").is_some_and(|policy| policy == "Parallel");
        if parallel { Self::Parallel } else { Self::OrderedReady }
    }

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderedReady => "OrderedReady",
            Self::Parallel => "Parallel",
        }
    }
}

impl StatefulSetUpdateStrategy {
    /// Bounds of a rolling update, if there are any.
    #[must_use]
    pub const fn rolling(&self) -> Option<&RollingStatefulSetUpdate> {
        match self {
            Self::OnDelete => None,
            Self::RollingUpdate(rolling) => rolling.as_ref(),
        }
    }

    fn from_wire(strategy: Option<&Value>) -> Result<Self, WireError> {
        let strategy = strategy.and_then(Value::as_object);
        if strategy.and_then(|strategy| strategy.get("type")).is_some_and(|kind| kind == "OnDelete") {
            return Ok(Self::OnDelete);
        }
        let Some(rolling) = strategy.and_then(|strategy| strategy.get("rollingUpdate")?.as_object()) else {
            return Ok(Self::RollingUpdate(None));
        };
        let bound = rolling.get("maxUnavailable").filter(|bound| !bound.is_null());
        let max_unavailable = bound.map(IntOrPercent::deserialize).transpose();
        let max_unavailable = max_unavailable.map_err(|error| WireError::new("maxUnavailable", error))?;
        let partition = integer(rolling, "partition").unwrap_or(0);
        Ok(Self::RollingUpdate(Some(RollingStatefulSetUpdate { partition, max_unavailable })))
    }

    fn to_wire(&self) -> Value {
        let Self::RollingUpdate(rolling) = self else { return json!({"type": "OnDelete"}) };
        let Some(rolling) = rolling else { return json!({"type": "RollingUpdate"}) };
        let mut wire = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": rolling.partition}});
        if let Some(bound) = &rolling.max_unavailable {
            wire["rollingUpdate"]["maxUnavailable"] = serde_json::to_value(bound).unwrap_or_default();
        }
        wire
    }
}

impl ClaimRetention {
    fn from_wire(policy: &Value) -> Option<Self> {
        let deletes = |when: &str| policy[when] == "Delete";
        policy
            .is_object()
            .then(|| Self { delete_when_deleted: deletes("whenDeleted"), delete_when_scaled: deletes("whenScaled") })
    }

    fn to_wire(self) -> Value {
        let policy = |delete: bool| if delete { "Delete" } else { "Retain" };
        json!({"whenDeleted": policy(self.delete_when_deleted), "whenScaled": policy(self.delete_when_scaled)})
    }
}

impl ClaimTemplate {
    fn from_wire(wire: &Value) -> Self {
        Self { name: wire["metadata"]["name"].as_str().unwrap_or_default().into(), wire: wire.clone() }
    }
}

impl Resource for StatefulSet {
    const KIND: Kind = Kind::StatefulSet;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let mut spec = wire_object(&mut wire, "spec");
        let ordinals = spec.get("ordinals").and_then(Value::as_object);
        let claims = spec.get("volumeClaimTemplates").and_then(Value::as_array);
        let spec = StatefulSetSpec {
            replicas: integer(&spec, "replicas").unwrap_or(1),
            start: ordinals.map(|ordinals| integer(ordinals, "start").unwrap_or(0)),
            min_ready_seconds: integer(&spec, "minReadySeconds").unwrap_or(0),
            revision_history_limit: integer(&spec, "revisionHistoryLimit").unwrap_or(10),
            service_name: spec.get("serviceName").and_then(Value::as_str).unwrap_or_default().into(),
            pod_management_policy: PodManagementPolicy::from_wire(&spec),
            update_strategy: StatefulSetUpdateStrategy::from_wire(spec.get("updateStrategy"))?,
            claim_retention: spec.get("persistentVolumeClaimRetentionPolicy").and_then(ClaimRetention::from_wire),
            volume_claim_templates: claims.into_iter().flatten().map(ClaimTemplate::from_wire).collect(),
            template: Arc::new(PodTemplate::from_wire(spec.get("template"))?),
            selector: Arc::new(ObjectSelector::from_wire(&mut spec)?),
        };
        Ok(Self { meta, spec, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        let spec = &self.spec;
        let mut wire = Map::new();
        let mut set = |key: &str, value: Value| drop(wire.insert(key.into(), value));
        set("replicas", spec.replicas.into());
        set("selector", spec.selector.to_wire());
        set("template", spec.template.to_wire());
        set("serviceName", Value::String(spec.service_name.to_string()));
        set("podManagementPolicy", spec.pod_management_policy.as_str().into());
        set("updateStrategy", spec.update_strategy.to_wire());
        set("revisionHistoryLimit", spec.revision_history_limit.into());
        if !spec.volume_claim_templates.is_empty() {
            set("volumeClaimTemplates", spec.volume_claim_templates.iter().map(|claim| claim.wire.clone()).collect());
        }
        if spec.min_ready_seconds != 0 {
            set("minReadySeconds", spec.min_ready_seconds.into());
        }
        if let Some(policy) = spec.claim_retention {
            set("persistentVolumeClaimRetentionPolicy", policy.to_wire());
        }
        if let Some(start) = spec.start {
            set("ordinals", json!({"start": start}));
        }
        Some(Value::Object(wire))
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}
