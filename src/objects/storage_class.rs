//! StorageClasses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take};
use super::storage::ReclaimPolicy;
use super::text::Text;
use super::{Labels, SharedList};

/// A StorageClass: how volumes are made for claims that name it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageClass {
    /// Metadata.
    pub meta: ObjectMeta,
    /// The fields beside the metadata.
    pub body: Arc<StorageClassBody>,
}

/// The fields of a StorageClass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageClassBody {
    /// Who makes the volumes; `kubernetes.io/no-provisioner` = nobody.
    pub provisioner: Text,
    /// What its volumes are reclaimed by; absent = `Delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// When claims are bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_binding_mode: Option<VolumeBindingMode>,
    /// Whether its volumes can grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_volume_expansion: Option<bool>,
    /// Where volumes can be made; empty = everywhere.
    #[serde(skip_serializing_if = "no_terms")]
    pub allowed_topologies: SharedList<TopologyTerm>,
    /// What is valid and not simulated (parameters, mount options).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

fn no_terms(terms: &SharedList<TopologyTerm>) -> bool {
    terms.is_empty()
}

/// When claims of a class are bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VolumeBindingMode {
    /// As soon as they are there.
    #[default]
    Immediate,
    /// When a pod that uses them has been given a node.
    WaitForFirstConsumer,
}

impl VolumeBindingMode {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "Immediate",
            Self::WaitForFirstConsumer => "WaitForFirstConsumer",
        }
    }
}

/// Labels that a node must have for volumes to be made there, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopologyTerm {
    /// Labels and their allowed values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_label_expressions: Vec<TopologyRequirement>,
}

/// A label and its allowed values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopologyRequirement {
    /// Label key.
    pub key: Text,
    /// Values.
    pub values: Vec<Text>,
}

/// Annotation of the default class, and its form from before it was stable.
const DEFAULT_ANNOTATIONS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

impl StorageClass {
    /// Whether claims without a class get this one.
    #[must_use]
    pub fn is_default(&self) -> bool {
        DEFAULT_ANNOTATIONS.iter().any(|annotation| self.meta.annotations.get(annotation) == Some("true"))
    }

    /// The class that claims without one get: the newest that is marked, of equally new ones the first by name.
    pub fn default_of<'a>(classes: impl Iterator<Item = &'a Arc<Self>>) -> Option<&'a Arc<Self>> {
        let rank = |class: &&Arc<Self>| (std::cmp::Reverse(class.meta.creation_timestamp), class.meta.name.clone());
        classes.filter(|class| class.is_default()).min_by_key(rank)
    }

    /// Whether claims wait for a pod.
    #[must_use]
    pub fn waits_for_consumer(&self) -> bool {
        self.body.volume_binding_mode == Some(VolumeBindingMode::WaitForFirstConsumer)
    }

    /// What its volumes are reclaimed by.
    #[must_use]
    pub fn reclaim_policy(&self) -> ReclaimPolicy {
        self.body.reclaim_policy.unwrap_or(ReclaimPolicy::Delete)
    }

    /// Whether volumes can be made for a node with these labels (upstream `MatchTopologySelectorTerms`).
    #[must_use]
    pub fn allows(&self, labels: &Labels) -> bool {
        let listed = |requirement: &TopologyRequirement| {
            labels.get(&requirement.key).is_some_and(|value| requirement.values.iter().any(|v| **v == *value))
        };
        let terms = &self.body.allowed_topologies;
        terms.is_empty()
            || terms
                .iter()
                .any(|term| !term.match_label_expressions.is_empty() && term.match_label_expressions.iter().all(listed))
    }
}

impl Resource for StorageClass {
    const KIND: Kind = Kind::StorageClass;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        if let Some(fields) = wire.as_object_mut() {
            ["apiVersion", "kind", "metadata"].iter().for_each(|key| drop(fields.remove(*key)));
        }
        let body = serde_json::from_value(wire).map_err(|error| WireError::new("", error))?;
        Ok(Self { meta, body: Arc::new(body) })
    }

    fn fill_wire(&self, wire: &mut Map<String, Value>) {
        if let Ok(Value::Object(body)) = serde_json::to_value(&*self.body) {
            wire.extend(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn class() -> Value {
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "disk.example.com",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
            "parameters": {"type": "ssd"},
            "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}],
        })
    }

    #[test]
    fn what_goes_in_comes_out() {
        let read = StorageClass::from_wire(class()).unwrap();
        assert_eq!(read.to_wire(), class());
        assert!(read.is_default() && read.waits_for_consumer());
    }

    #[test]
    fn topologies_allow_nodes_by_their_labels() {
        let class = StorageClass::from_wire(class()).unwrap();
        assert!(class.allows(&[("zone", "b")].into_iter().collect()));
        assert!(!class.allows(&[("zone", "c")].into_iter().collect()));
        assert!(!class.allows(&Labels::new()));
        assert!(StorageClass::default().allows(&Labels::new()));
    }
}
