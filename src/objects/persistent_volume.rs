//! PersistentVolumes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::affinity::NodeSelector;
use super::cluster::ObjectReference;
use super::meta::ObjectMeta;
use super::object::{Key, serde_resource};
use super::persistent_volume_claim::PersistentVolumeClaim;
use super::storage::{self, AccessModes, ReclaimPolicy, ResourceList, VolumeMode, volume_phase};
use super::text::{self, Text};
use super::{Labels, Quantity, Timestamp};

/// A PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersistentVolume {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<PersistentVolumeSpec>,
    /// Observed state.
    pub status: PersistentVolumeStatus,
}

/// Desired state of a PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeSpec {
    /// Size.
    pub capacity: ResourceList,
    /// How it may be mounted.
    #[serde(skip_serializing_if = "storage::no_modes")]
    pub access_modes: AccessModes,
    /// The claim that it is bound to or kept for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_ref: Option<ObjectReference>,
    /// What happens when the claim is gone.
    pub persistent_volume_reclaim_policy: ReclaimPolicy,
    /// Storage class; empty = none.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub storage_class_name: Text,
    /// Directory or device.
    pub volume_mode: VolumeMode,
    /// Nodes that can reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_affinity: Option<VolumeNodeAffinity>,
    /// Class of changeable attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_attributes_class_name: Option<Text>,
    /// The source (`csi`, `nfs`, `hostPath`, …) and what is not simulated (mount options).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Nodes that can reach a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeNodeAffinity {
    /// Terms of which the node must match one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<NodeSelector>,
}

/// Observed state of a PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeStatus {
    /// One of [`volume_phase`].
    #[serde(skip_serializing_if = "text::is_empty")]
    pub phase: Text,
    /// Why, for people.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub message: Text,
    /// Why, one word.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub reason: Text,
    /// Last change of the phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_phase_transition_time: Option<Timestamp>,
}

/// The sources of volumes, as the fields are called.
const SOURCES: [&str; 22] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

impl PersistentVolumeSpec {
    /// The field of the source and its value.
    #[must_use]
    pub fn source(&self) -> Option<(&'static str, &Value)> {
        let given = |source| self.rest.get(source).filter(|value| !value.is_null());
        SOURCES.into_iter().find_map(|source| Some((source, given(source)?)))
    }
}

impl PersistentVolume {
    /// Its size.
    #[must_use]
    pub fn size(&self) -> Quantity {
        storage::storage_of(&self.spec.capacity)
    }

    /// Its storage class; empty = none (upstream `GetPersistentVolumeClass`).
    #[must_use]
    pub fn class(&self) -> &str {
        storage::class_of(&self.meta, Some(&self.spec.storage_class_name)).unwrap_or_default()
    }

    /// The claim that it is bound to or kept for.
    #[must_use]
    pub fn claim(&self) -> Option<Key> {
        let claim = self.spec.claim_ref.as_ref()?;
        Some(Key::new(&*claim.namespace, &*claim.name))
    }

    /// Whether it is bound to that claim or kept for it (upstream `IsVolumeBoundToClaim`).
    #[must_use]
    pub fn is_for(&self, claim: &PersistentVolumeClaim) -> bool {
        self.spec.claim_ref.as_ref().is_some_and(|reference| {
            *reference.name == *claim.meta.name
                && *reference.namespace == *claim.meta.namespace
                && (reference.uid.is_none() || reference.uid == claim.meta.uid)
        })
    }

    /// Phase, `Pending` if none was written yet.
    #[must_use]
    pub fn phase(&self) -> &str {
        storage::phase_or_pending(&self.status.phase)
    }

    /// Whether it is in phase `Bound`.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.phase() == volume_phase::BOUND
    }

    /// Whether a node with these labels can reach it. Upstream does not look at the node's name (`CheckNodeAffinity`).
    #[must_use]
    pub fn is_reachable_from(&self, labels: &Labels) -> bool {
        let required = self.spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
        required.is_none_or(|terms| terms.matches("", labels))
    }
}

serde_resource!(PersistentVolume);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    fn volume() -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "disk"},
            "spec": {
                "capacity": {"storage": "5Gi"},
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "data"},
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "slow",
                "volumeMode": "Filesystem",
                "mountOptions": ["hard"],
                "nodeAffinity": {"required": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
                ]}},
                "nfs": {"server": "10.0.0.1", "path": "/"},
            },
            "status": {"phase": "Bound"},
        })
    }

    #[test]
    fn what_goes_in_comes_out() {
        assert_eq!(PersistentVolume::from_wire(volume()).unwrap().to_wire(), volume());
    }

    #[test]
    fn the_parts_that_are_decided_on_are_read() {
        let volume = PersistentVolume::from_wire(volume()).unwrap();
        assert_eq!((volume.size().to_string(), volume.class(), volume.phase()), ("5Gi".to_owned(), "slow", "Bound"));
        assert_eq!(volume.spec.source().map(|(source, _)| source), Some("nfs"));
        assert_eq!(volume.spec.access_modes.to_string(), "RWO,ROX");
        assert!(volume.is_reachable_from(&[("zone", "a")].into_iter().collect()));
        assert!(!volume.is_reachable_from(&[("zone", "b")].into_iter().collect()));
    }
}
