//! The sync of a claim (upstream `syncClaim` and `bind`).

use std::sync::Arc;

use crate::api::{Context, EventKind, EventSpec, Part, Request, View};
use crate::objects::storage::{
    AccessModes, BIND_COMPLETED, BOUND_BY_CONTROLLER, MIGRATED_TO, ResourceList, SELECTED_NODE, STORAGE_PROVISIONER,
    claim_phase, volume_phase,
};
use crate::objects::{
    Key, Kind, ObjectReference, PersistentVolume, PersistentVolumeClaim, Resource, StorageClass, Text, WallTime,
};

use super::matching::{best_match, mismatch};
use super::volume::with_phase;
use super::{Next, PersistentVolumeController};

/// Provisioners that were a part of Kubernetes, and the drivers that took over from them.
const MIGRATED: [(&str, &str); 7] = [
    ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    ("kubernetes.io/azure-file", "file.csi.azure.com"),
    ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
    ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
];

impl PersistentVolumeController {
    pub(super) fn sync_claim(&self, cx: Context<'_>, key: &Key) -> Next {
        let Some(claim) = self.written.claim(cx.view, key) else { return Next::DONE };
        let named = Key::new("", &*claim.spec.volume_name);
        let volume = self.written.volume(cx.view, &named);
        let was_bound = claim.meta.annotations.contains_key(BIND_COMPLETED);
        match (was_bound, claim.spec.volume_name.is_empty(), volume) {
            (true, true, _) => lose(
                claim,
                "ClaimLost",
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
            ),
            (true, false, None) => {
                lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
            }
            (true, false, Some(volume)) => sync_bound(claim, volume, cx.now),
            (false, true, _) => self.find_volume(cx, claim),
            (false, false, None) => pending(claim, None),
            (false, false, Some(volume)) => take_named(claim, volume, cx.now),
        }
    }

    /// Any volume will do.
    fn find_volume(&self, cx: Context<'_>, claim: &Arc<PersistentVolumeClaim>) -> Next {
        let view = cx.view;
        let class = class_of(view, claim);
        let waits = class.is_some_and(|class| class.waits_for_consumer());
        if let Some(volume) = best_match(claim, waits, &self.written.candidates(view, claim)) {
            return bind(volume, claim, cx.now);
        }
        if claim.class_given().is_none()
            && let Some(class) = StorageClass::default_of(view.storage_classes.iter())
        {
            let mut claim = PersistentVolumeClaim::clone(claim);
            Arc::make_mut(&mut claim.spec).storage_class_name = Some(class.meta.name.clone().into());
            return Next::Write(Request::Update(claim.into(), Part::Main), None);
        }
        if waits && !claim.meta.annotations.contains_key(SELECTED_NODE) {
            return pending(claim, Some(waiting(view, claim)));
        }
        if !claim.class().is_empty() {
            return provision(claim, class);
        }
        let why = "no persistent volumes available for this claim and no storage class is set";
        pending(claim, Some(normal(claim, "FailedBinding", why)))
    }
}

fn class_of<'a>(view: &'a View, claim: &PersistentVolumeClaim) -> Option<&'a Arc<StorageClass>> {
    view.storage_classes.get(&Key::new("", claim.class()))
}

fn normal(claim: &Arc<PersistentVolumeClaim>, reason: &'static str, message: impl Into<Text>) -> EventSpec {
    EventSpec::about(&claim.clone().into(), EventKind::Normal, reason, message)
}

fn warning(claim: &Arc<PersistentVolumeClaim>, reason: &'static str, message: impl Into<Text>) -> EventSpec {
    EventSpec::about(&claim.clone().into(), EventKind::Warning, reason, message)
}

/// A claim that was bound before.
fn sync_bound(claim: &Arc<PersistentVolumeClaim>, volume: &Arc<PersistentVolume>, now: WallTime) -> Next {
    match &volume.spec.claim_ref {
        Some(reference) if reference.uid != claim.meta.uid => {
            lose(claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
        }
        _ => bind(volume, claim, now),
    }
}

/// A claim that names its volume.
fn take_named(claim: &Arc<PersistentVolumeClaim>, volume: &Arc<PersistentVolume>, now: WallTime) -> Next {
    if volume.is_for(claim) {
        return bind(volume, claim, now);
    }
    if volume.spec.claim_ref.is_some() {
        let why = format!("volume {:?} already bound to a different claim.", volume.meta.name);
        return pending(claim, Some(warning(claim, "FailedBinding", why)));
    }
    match mismatch(volume, claim) {
        Some(why) => {
            let why = format!("Cannot bind to requested volume {:?}: {why}", volume.meta.name);
            pending(claim, Some(warning(claim, "VolumeMismatch", why)))
        }
        None => bind(volume, claim, now),
    }
}

/// Tells why the claim waits for a consumer.
fn waiting(view: &View, claim: &Arc<PersistentVolumeClaim>) -> EventSpec {
    let key = claim.key();
    let pods = view.pods_using(&key).filter(|pod| !pod.is_terminal() && !pod.is_bound());
    let names: Vec<&str> = pods.map(|pod| &*pod.meta.name).collect();
    match names.as_slice() {
        [] => normal(claim, "WaitForFirstConsumer", "waiting for first consumer to be created before binding"),
        [only] => normal(claim, "WaitForPodScheduled", format!("waiting for pod {only} to be scheduled")),
        several => {
            normal(claim, "WaitForPodScheduled", format!("waiting for pods {} to be scheduled", several.join(",")))
        }
    }
}

/// Asks the provisioner of the class for a volume (upstream `provisionClaim`).
fn provision(claim: &Arc<PersistentVolumeClaim>, class: Option<&Arc<StorageClass>>) -> Next {
    let Some(class) = class else {
        let why = format!("storageclass.storage.k8s.io {:?} not found", claim.class());
        return Next::say(warning(claim, "ProvisioningFailed", why));
    };
    let named = &*class.body.provisioner;
    let migrated = MIGRATED.iter().find(|(old, _)| *old == named).map(|(_, driver)| *driver);
    if migrated.is_none() && named.starts_with("kubernetes.io/") {
        let why = format!("no volume plugin matched name: {named}");
        return Next::say(warning(claim, "ProvisioningFailed", why));
    }
    let provisioner = migrated.unwrap_or(named);
    let told = normal(
        claim,
        "ExternalProvisioning",
        format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
             system administrator. If volume creation is delayed, please verify that the provisioner is running and \
             correctly registered."
        ),
    );
    if claim.meta.annotations.get(STORAGE_PROVISIONER[1]) == Some(provisioner) {
        return Next::say(told);
    }
    let mut claim = PersistentVolumeClaim::clone(claim);
    for annotation in STORAGE_PROVISIONER {
        claim.meta.annotations = claim.meta.annotations.with(annotation, provisioner);
    }
    if migrated.is_some() {
        claim.meta.annotations = claim.meta.annotations.with(MIGRATED_TO, provisioner);
    }
    Next::Write(Request::Update(claim.into(), Part::Main), Some(told))
}

/// Makes both ends point to each other, one write at a time, the volume first.
fn bind(volume: &Arc<PersistentVolume>, claim: &Arc<PersistentVolumeClaim>, now: WallTime) -> Next {
    if let Some(volume) = volume_for_claim(volume, claim) {
        return Next::Write(Request::Update(volume.into(), Part::Main), None);
    }
    if volume.phase() != volume_phase::BOUND {
        return Next::Write(with_phase(volume, volume_phase::BOUND, "", now), None);
    }
    if let Some(claim) = claim_for_volume(claim, volume) {
        return Next::Write(Request::Update(claim.into(), Part::Main), None);
    }
    match bound_status(claim, volume) {
        Some(claim) => Next::Write(Request::Update(claim.into(), Part::Status), None),
        None => Next::DONE,
    }
}

/// The volume with its reference to the claim (upstream `GetBindVolumeToClaim`); `None` if it has it.
fn volume_for_claim(volume: &PersistentVolume, claim: &Arc<PersistentVolumeClaim>) -> Option<PersistentVolume> {
    if volume.is_for(claim) && volume.spec.claim_ref.as_ref().is_some_and(|reference| !reference.uid.is_none()) {
        return None;
    }
    let mut volume = volume.clone();
    if !volume.is_for(claim) {
        volume.meta.annotations = volume.meta.annotations.with(BOUND_BY_CONTROLLER, "yes");
    }
    let reference = ObjectReference {
        resource_version: claim.meta.resource_version.to_string().into(),
        ..ObjectReference::to(Kind::PersistentVolumeClaim, &claim.meta)
    };
    Arc::make_mut(&mut volume.spec).claim_ref = Some(reference);
    Some(volume)
}

/// The claim with the name of its volume; `None` if it has it.
fn claim_for_volume(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Option<PersistentVolumeClaim> {
    let is_named = *claim.spec.volume_name == *volume.meta.name;
    if is_named && claim.meta.annotations.contains_key(BIND_COMPLETED) {
        return None;
    }
    let mut claim = claim.clone();
    if !is_named {
        Arc::make_mut(&mut claim.spec).volume_name = volume.meta.name.clone().into();
        claim.meta.annotations = claim.meta.annotations.with(BOUND_BY_CONTROLLER, "yes");
    }
    claim.meta.annotations = claim.meta.annotations.with(BIND_COMPLETED, "yes");
    Some(claim)
}

/// The claim in phase `Bound`, with what the volume gives; `None` if it says so already. The size is written when the phase
/// changes and not later: it may then differ on purpose.
fn bound_status(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Option<PersistentVolumeClaim> {
    let mut new = claim.clone();
    new.status.access_modes = volume.spec.access_modes.clone();
    if !claim.is_bound() {
        new.status.phase = claim_phase::BOUND.into();
        new.status.capacity = volume.spec.capacity.clone();
        if let Some(class) = &volume.spec.volume_attributes_class_name {
            new.status.rest.insert("currentVolumeAttributesClassName".into(), class.as_str().into());
        }
    }
    (new.status != claim.status).then_some(new)
}

/// The write that makes a claim `Lost`, for ever, and tells why; nothing if it is.
fn lose(claim: &Arc<PersistentVolumeClaim>, reason: &'static str, why: &'static str) -> Next {
    if claim.phase() == claim_phase::LOST {
        return Next::DONE;
    }
    Next::Write(status_without_volume(claim, claim_phase::LOST), Some(warning(claim, reason, why)))
}

/// The claim stays unbound: says why, and makes its phase `Pending` if it is not.
fn pending(claim: &Arc<PersistentVolumeClaim>, why: Option<EventSpec>) -> Next {
    let status = &claim.status;
    let is_empty = status.access_modes == AccessModes::default() && status.capacity.is_empty();
    if *claim.status.phase == *claim_phase::PENDING && is_empty {
        return Next::Over(why.into_iter().collect());
    }
    Next::Write(status_without_volume(claim, claim_phase::PENDING), why)
}

fn status_without_volume(claim: &PersistentVolumeClaim, phase: &'static str) -> Request {
    let mut claim = claim.clone();
    claim.status.phase = phase.into();
    claim.status.access_modes = AccessModes::default();
    claim.status.capacity = ResourceList::new();
    claim.status.rest.remove("currentVolumeAttributesClassName");
    Request::Update(claim.into(), Part::Status)
}
