//! The binder's choice of a volume (upstream `persistentvolume/index.go`).

use std::sync::Arc;

use crate::objects::volume_matching::{Asker, find_match};
use crate::objects::{PersistentVolume, PersistentVolumeClaim};

/// The best volume for a claim. Volumes are grouped by their access modes, and the groups that have all modes of the claim
/// are tried from the one with the fewest modes on: a volume with just the modes that are asked for is preferred to a
/// smaller one that can do more.
pub(super) fn best_match<'a>(
    claim: &PersistentVolumeClaim,
    waits: bool,
    volumes: &[&'a Arc<PersistentVolume>],
) -> Option<&'a Arc<PersistentVolume>> {
    let modes = |volume: &PersistentVolume| (volume.spec.access_modes.count(), volume.spec.access_modes.set());
    let suitable = volumes.iter().filter(|volume| volume.spec.access_modes.contain_all(&claim.spec.access_modes));
    let mut groups: Vec<_> = suitable.map(|volume| modes(volume)).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().find_map(|group| {
        let members = volumes.iter().copied().filter(|volume| modes(volume) == group);
        find_match(claim, members, Asker::Binder { waits })
    })
}

/// Why a volume that a claim names cannot be bound to it (upstream `checkVolumeSatisfyClaim`).
pub(super) fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<String> {
    let attributes = |class: &Option<crate::objects::Text>| class.clone().unwrap_or_default();
    let differ =
        attributes(&claim.spec.volume_attributes_class_name) != attributes(&volume.spec.volume_attributes_class_name);
    if volume.meta.is_deleting() {
        return Some(format!("the volume is marked for deletion {:?}", volume.meta.name));
    }
    let why = if volume.size() < claim.request() {
        "requested PV is too small"
    } else if volume.class() != claim.class() {
        "storageClassName does not match"
    } else if differ {
        "volumeAttributesClassName does not match"
    } else if volume.spec.volume_mode != claim.spec.volume_mode {
        "incompatible volumeMode"
    } else if !volume.spec.access_modes.contain_all(&claim.spec.access_modes) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(why.to_owned())
}
