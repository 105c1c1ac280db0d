//! Which volume suits a claim (upstream `component-helpers/storage/volume/pv_helpers.go`). The binder and the scheduler
//! both ask.

use std::sync::Arc;

use super::storage::volume_phase;
use super::{Labels, PersistentVolume, PersistentVolumeClaim, Selector};

/// Who asks for a volume.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// The binder.
    Binder {
        /// The claim waits for its consumer: only a volume that is kept for it will do.
        waits: bool,
    },
    /// The scheduler, for a node with these labels.
    Node(&'a Labels),
}

/// The volume that is kept for the claim, else the smallest that suits it; of equally small ones the first (upstream
/// `FindMatchingVolume`). To the binder, volumes with other access modes must not be shown.
pub fn find_match<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl IntoIterator<Item = &'a Arc<PersistentVolume>>,
    asker: Asker<'_>,
) -> Option<&'a Arc<PersistentVolume>> {
    // Validation has seen to it that the selector compiles.
    let selector =
        claim.spec.selector.as_ref().map(|selector| selector.compile().unwrap_or_else(|_| Selector::nothing()));
    let mut smallest: Option<&Arc<PersistentVolume>> = None;
    for volume in volumes {
        if !fits(volume, claim) {
            continue;
        }
        let reachable = match asker {
            Asker::Binder { .. } => true,
            Asker::Node(labels) => volume.is_reachable_from(labels),
        };
        if volume.is_for(claim) {
            return reachable.then_some(volume);
        }
        let chosen = match asker {
            Asker::Binder { waits } => !waits,
            Asker::Node(_) => reachable && volume.spec.access_modes.contain_all(&claim.spec.access_modes),
        };
        let suits = chosen
            && volume.phase() == volume_phase::AVAILABLE
            && volume.class() == claim.class()
            && selector.as_ref().is_none_or(|selector| selector.matches(&volume.meta.labels));
        if suits && smallest.is_none_or(|smallest| smallest.size() > volume.size()) {
            smallest = Some(volume);
        }
    }
    smallest
}

/// What must hold even of a volume that is kept for the claim.
fn fits(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let attributes = |class: &Option<super::Text>| class.clone().unwrap_or_default();
    (volume.spec.claim_ref.is_none() || volume.is_for(claim))
        && volume.size() >= claim.request()
        && volume.spec.volume_mode == claim.spec.volume_mode
        && attributes(&volume.spec.volume_attributes_class_name) == attributes(&claim.spec.volume_attributes_class_name)
        && !volume.meta.is_deleting()
}
