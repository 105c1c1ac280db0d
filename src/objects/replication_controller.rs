//! ReplicationControllers, the elder siblings of ReplicaSets.

use serde::Deserialize;
use serde_json::Value;

use super::labels::Labels;
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::workload::{ObjectSelector, ReplicaSetSpec, ReplicaSetStatus, Replicated};
use super::{LabelSelector, Selector};

/// A ReplicationController: a ReplicaSet whose selector is a plain list of labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicationController {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state. The selector has `match_labels` only.
    pub spec: ReplicaSetSpec,
    /// Observed state, without `terminating_replicas`.
    pub status: ReplicaSetStatus,
}

/// Labels as a selector; none select nothing.
fn selector(wire: Option<Value>) -> Result<ObjectSelector, WireError> {
    let labels = match wire {
        None | Some(Value::Null) => Labels::default(),
        Some(labels) => Labels::deserialize(&labels).map_err(|e| WireError::new("spec.selector", e))?,
    };
    if labels.is_empty() {
        return Ok(ObjectSelector { wire: LabelSelector::default(), compiled: Selector::nothing() });
    }
    ObjectSelector::new(LabelSelector { match_labels: labels, ..LabelSelector::default() })
}

impl Resource for ReplicationController {
    const KIND: Kind = Kind::ReplicationController;
    const ADOPTABLE: bool = true;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = ReplicaSetStatus { terminating_replicas: None, ..take(&mut wire, "status")? };
        let mut spec = wire_object(&mut wire, "spec");
        let selector = selector(spec.remove("selector"))?;
        Ok(Self { meta, spec: ReplicaSetSpec::from_wire(&spec, selector)?, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        let labels = &self.spec.selector.wire.match_labels;
        let selector = (!labels.is_empty()).then(|| serde_json::to_value(labels).unwrap_or_default());
        Some(self.spec.to_wire(selector))
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}

impl Replicated for ReplicationController {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_comes_out_as_it_went_in() {
        let manifest = json!({
            "apiVersion": "v1", "kind": "ReplicationController",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 2, "minReadySeconds": 5, "selector": {"app": "web"},
                "template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "web:v1"}]}}},
            "status": {"replicas": 2, "readyReplicas": 1, "observedGeneration": 3},
        });
        let controller = ReplicationController::from_wire(manifest.clone()).expect("well-formed");
        assert!(controller.spec.selector.compiled.matches(&controller.spec.template.labels));
        assert_eq!(controller.to_wire(), manifest);
    }

    #[test]
    fn no_selector_selects_nothing() {
        let controller = ReplicationController::from_wire(json!({"spec": {"selector": {}}})).expect("well-formed");
        assert!(!controller.spec.selector.compiled.matches(&Labels::default()));
    }
}
