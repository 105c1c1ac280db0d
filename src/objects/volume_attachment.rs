//! VolumeAttachments.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::text::{self, Text};

/// A VolumeAttachment: that a volume is, or is to be, attached to a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VolumeAttachment {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<VolumeAttachmentSpec>,
    /// Observed state.
    pub status: VolumeAttachmentStatus,
}

/// Desired state of a VolumeAttachment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeAttachmentSpec {
    /// The driver that attaches.
    pub attacher: Text,
    /// What is attached.
    pub source: AttachedSource,
    /// Where to.
    pub node_name: Text,
    /// What is valid and not simulated.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What is attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttachedSource {
    /// Name of the PersistentVolume.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub persistent_volume_name: Text,
    /// What is valid and not simulated (a volume written into the pod).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Observed state of a VolumeAttachment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeAttachmentStatus {
    /// Whether the driver has attached it.
    pub attached: bool,
    /// What is valid and not simulated (errors, metadata of the driver).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

serde_resource!(VolumeAttachment);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    #[test]
    fn what_goes_in_comes_out() {
        let wire = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttachment",
            "metadata": {"name": "csi-0"},
            "spec": {"attacher": "disk.example.com", "nodeName": "node-1", "source": {"persistentVolumeName": "disk"}},
            "status": {"attached": true, "attachmentMetadata": {"path": "/dev/sdb"}},
        });
        assert_eq!(VolumeAttachment::from_wire(wire.clone()).unwrap().to_wire(), wire);
    }
}
