//! Columns of volumes and what belongs to them (upstream `pkg/printers/internalversion`).

use crate::objects::{PersistentVolume, PersistentVolumeClaim, StorageClass, Text, VolumeAttachment};

use super::{Column, column_list};

pub(super) const VOLUME_COLUMNS: [Column; 11] = column_list!("name", "capacity", "access modes", "reclaim policy", "status", "claim", "storageclass", "volumeattributesclass", "reason", "age"; "volumemode");
pub(super) const CLAIM_COLUMNS: [Column; 9] = column_list!("name", "status", "volume", "capacity", "access modes", "storageclass", "volumeattributesclass", "age"; "volumemode");
pub(super) const CLASS_COLUMNS: [Column; 6] =
    column_list!("name", "provisioner", "reclaimpolicy", "volumebindingmode", "allowvolumeexpansion", "age"; );
pub(super) const ATTACHMENT_COLUMNS: [Column; 6] = column_list!("name", "attacher", "pv", "node", "attached", "age"; );

fn or_unset(class: Option<&Text>) -> String {
    class.map_or_else(|| "<unset>".to_owned(), ToString::to_string)
}

pub(super) fn volume_cells(volume: &PersistentVolume, age: String) -> Vec<String> {
    let claim = volume.spec.claim_ref.as_ref().map(|claim| format!("{}/{}", claim.namespace, claim.name));
    let phase = if volume.meta.is_deleting() { "Terminating" } else { &*volume.status.phase };
    vec![
        volume.meta.name.to_string(),
        volume.size().to_string(),
        volume.spec.access_modes.to_string(),
        volume.spec.persistent_volume_reclaim_policy.as_str().to_owned(),
        phase.to_owned(),
        claim.unwrap_or_default(),
        volume.class().to_owned(),
        or_unset(volume.spec.volume_attributes_class_name.as_ref()),
        volume.status.reason.to_string(),
        age,
        volume.spec.volume_mode.as_str().to_owned(),
    ]
}

pub(super) fn claim_cells(claim: &PersistentVolumeClaim, age: String) -> Vec<String> {
    let phase = if claim.meta.is_deleting() { "Terminating" } else { &*claim.status.phase };
    let (capacity, modes) = match claim.spec.volume_name.is_empty() {
        true => (String::new(), String::new()),
        false => (claim.capacity().to_string(), claim.status.access_modes.to_string()),
    };
    vec![
        claim.meta.name.to_string(),
        phase.to_owned(),
        claim.spec.volume_name.to_string(),
        capacity,
        modes,
        claim.class().to_owned(),
        or_unset(claim.spec.volume_attributes_class_name.as_ref()),
        age,
        claim.spec.volume_mode.as_str().to_owned(),
    ]
}

pub(super) fn class_cells(class: &StorageClass, age: String) -> Vec<String> {
    let mark = if class.is_default() { " (default)" } else { "" };
    vec![
        format!("{}{mark}", class.meta.name),
        class.body.provisioner.to_string(),
        class.reclaim_policy().as_str().to_owned(),
        class.body.volume_binding_mode.unwrap_or_default().as_str().to_owned(),
        class.body.allow_volume_expansion.unwrap_or(false).to_string(),
        age,
    ]
}

pub(super) fn attachment_cells(attachment: &VolumeAttachment, age: String) -> Vec<String> {
    vec![
        attachment.meta.name.to_string(),
        attachment.spec.attacher.to_string(),
        attachment.spec.source.persistent_volume_name.to_string(),
        attachment.spec.node_name.to_string(),
        attachment.status.attached.to_string(),
        age,
    ]
}
