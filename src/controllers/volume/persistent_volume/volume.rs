//! The sync of a volume (upstream `syncVolume`).

use std::sync::Arc;

use crate::api::{Context, EventKind, EventSpec, Part, Request};
use crate::objects::storage::{BOUND_BY_CONTROLLER, PROVISIONED_BY, ReclaimPolicy, volume_phase};
use crate::objects::{Key, PersistentVolume, PersistentVolumeClaim, Text, Uid, WallTime};

use super::{Next, PersistentVolumeController};

impl PersistentVolumeController {
    pub(super) fn sync_volume(&mut self, cx: Context<'_>, key: &Key) -> Next {
        let Some(volume) = self.written.volume(cx.view, key).cloned() else { return Next::DONE };
        let Some(reference) = &volume.spec.claim_ref else { return enter(&volume, volume_phase::AVAILABLE, cx.now) };
        if reference.uid.is_none() {
            // Kept for a claim that has not come yet.
            return enter(&volume, volume_phase::AVAILABLE, cx.now);
        }
        let claim_key = Key::new(&*reference.namespace, &*reference.name);
        let claim = self.written.claim(cx.view, &claim_key).filter(|claim| claim.meta.uid == reference.uid).cloned();
        let Some(claim) = claim else { return self.release(cx, &volume) };
        if claim.spec.volume_name.is_empty() {
            return half_bound(&volume, &claim);
        }
        if *claim.spec.volume_name == *volume.meta.name {
            return enter(&volume, volume_phase::BOUND, cx.now);
        }
        // The claim is bound elsewhere.
        if volume.meta.annotations.contains_key(PROVISIONED_BY)
            && volume.spec.persistent_volume_reclaim_policy == ReclaimPolicy::Delete
        {
            return self.release(cx, &volume);
        }
        unbind(&volume, cx.now)
    }

    /// The claim is gone.
    fn release(&mut self, cx: Context<'_>, volume: &Arc<PersistentVolume>) -> Next {
        match volume.phase() {
            volume_phase::RELEASED | volume_phase::FAILED => self.reclaim(cx, volume),
            _ => Next::Write(with_phase(volume, volume_phase::RELEASED, "", cx.now), None),
        }
    }
}

/// The volume points to a claim that does not point back yet. The sync of the claim goes on with that, unless the two
/// never fit.
fn half_bound(volume: &Arc<PersistentVolume>, claim: &Arc<PersistentVolumeClaim>) -> Next {
    if volume.spec.volume_mode == claim.spec.volume_mode {
        return Next::DONE;
    }
    let (volume_name, claim_name) = (&volume.meta.name, &claim.meta.name);
    let say = |object: &crate::objects::Object, message: String| {
        EventSpec::about(object, EventKind::Warning, "VolumeMismatch", message)
    };
    Next::Over(vec![
        say(
            &volume.clone().into(),
            format!(
                "Cannot bind PersistentVolume to requested PersistentVolumeClaim {claim_name:?} due to incompatible \
                 volumeMode."
            ),
        ),
        say(
            &claim.clone().into(),
            format!(
                "Cannot bind PersistentVolume {volume_name:?} to requested PersistentVolumeClaim due to incompatible \
                 volumeMode."
            ),
        ),
    ])
}

/// Undoes a binding (upstream `unbindVolume`): one that the controller made is forgotten, one that a user made keeps the
/// name of the claim.
pub(super) fn unbind(volume: &Arc<PersistentVolume>, now: WallTime) -> Next {
    let mut new = PersistentVolume::clone(volume);
    let spec = Arc::make_mut(&mut new.spec);
    if volume.meta.annotations.contains_key(BOUND_BY_CONTROLLER) {
        spec.claim_ref = None;
        new.meta.annotations = new.meta.annotations.without(BOUND_BY_CONTROLLER);
    } else if let Some(reference) = &mut spec.claim_ref {
        reference.uid = Uid::None;
    }
    if new == **volume {
        enter(volume, volume_phase::AVAILABLE, now)
    } else {
        Next::Write(Request::Update(new.into(), Part::Main), None)
    }
}

/// Sees to it that the volume is in a phase.
fn enter(volume: &Arc<PersistentVolume>, phase: &'static str, now: WallTime) -> Next {
    if *volume.status.phase == *phase { Next::DONE } else { Next::Write(with_phase(volume, phase, "", now), None) }
}

/// The write that brings a volume into a phase.
pub(super) fn with_phase(
    volume: &PersistentVolume,
    phase: &'static str,
    message: impl Into<Text>,
    now: WallTime,
) -> Request {
    let mut volume = volume.clone();
    volume.status.phase = phase.into();
    volume.status.message = message.into();
    volume.status.last_phase_transition_time = Some(now.timestamp());
    Request::Update(volume.into(), Part::Status)
}
