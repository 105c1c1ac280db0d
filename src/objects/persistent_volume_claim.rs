//! PersistentVolumeClaims.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::storage::{self, AccessModes, ResourceList, VolumeMode, claim_phase};
use super::text::{self, Text};
use super::{LabelSelector, Quantity};

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersistentVolumeClaim {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<PersistentVolumeClaimSpec>,
    /// Observed state.
    pub status: PersistentVolumeClaimStatus,
}

/// Desired state of a PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeClaimSpec {
    /// How the volume must be mountable.
    #[serde(skip_serializing_if = "storage::no_modes")]
    pub access_modes: AccessModes,
    /// Labels that the volume must have; absent = any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// The size that is asked for.
    pub resources: ClaimResources,
    /// The volume that it is bound to or wants; empty = any.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub volume_name: Text,
    /// Storage class: absent = the default class, empty = none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<Text>,
    /// Directory or device.
    pub volume_mode: VolumeMode,
    /// Class of changeable attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_attributes_class_name: Option<Text>,
    /// What is valid and not simulated (data sources).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The size that a claim asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimResources {
    /// At least that much.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub requests: ResourceList,
    /// Limits, not used by anything.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Observed state of a PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeClaimStatus {
    /// One of [`claim_phase`].
    #[serde(skip_serializing_if = "text::is_empty")]
    pub phase: Text,
    /// Modes of the volume.
    #[serde(skip_serializing_if = "storage::no_modes")]
    pub access_modes: AccessModes,
    /// Size of the volume.
    #[serde(skip_serializing_if = "ResourceList::is_empty")]
    pub capacity: ResourceList,
    /// What is valid and not simulated (conditions of resizing, …).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl PersistentVolumeClaim {
    /// The size that is asked for.
    #[must_use]
    pub fn request(&self) -> Quantity {
        storage::storage_of(&self.spec.resources.requests)
    }

    /// The size of the volume that it is bound to, zero if it is not.
    #[must_use]
    pub fn capacity(&self) -> Quantity {
        storage::storage_of(&self.status.capacity)
    }

    /// The storage class, if the claim has one at all: `Some("")` says "none", `None` "the default one".
    #[must_use]
    pub fn class_given(&self) -> Option<&str> {
        storage::class_of(&self.meta, self.spec.storage_class_name.as_deref())
    }

    /// The storage class; empty = none (upstream `GetPersistentVolumeClaimClass`).
    #[must_use]
    pub fn class(&self) -> &str {
        self.class_given().unwrap_or_default()
    }

    /// Phase, `Pending` if none was written yet.
    #[must_use]
    pub fn phase(&self) -> &str {
        storage::phase_or_pending(&self.status.phase)
    }

    /// Whether it is in phase `Bound`.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.phase() == claim_phase::BOUND
    }
}

serde_resource!(PersistentVolumeClaim);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    #[test]
    fn what_goes_in_comes_out() {
        let wire = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "default"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "selector": {"matchLabels": {"disk": "fast"}},
                "resources": {"requests": {"storage": "1Gi"}, "limits": {"storage": "2Gi"}},
                "storageClassName": "",
                "volumeMode": "Block",
                "dataSource": {"kind": "PersistentVolumeClaim", "name": "other"},
            },
            "status": {"phase": "Pending"},
        });
        let claim = PersistentVolumeClaim::from_wire(wire.clone()).unwrap();
        assert_eq!(claim.to_wire(), wire);
        assert_eq!((claim.request().to_string(), claim.class_given()), ("1Gi".to_owned(), Some("")));
    }
}
