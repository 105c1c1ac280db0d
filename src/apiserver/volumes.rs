//! Strategies and admission of volumes, claims, storage classes and attachments (`pkg/registry/core/persistentvolume*`,
//! `plugin/pkg/admission/storage`).

use std::sync::Arc;

use super::strategy::{Stored, stored};
use super::{ApiServer, errors, limit_ranger};
use crate::api::ApiError;
use crate::objects::storage::{CLAIM_PROTECTION, VOLUME_PROTECTION, claim_phase, volume_phase};
use crate::objects::{
    Key, Kind, ObjectMeta, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus,
    PersistentVolumeStatus, StorageClass, VolumeAttachment, WallTime,
};

/// Admission plugin `StorageObjectInUseProtection`.
fn protect(meta: &mut ObjectMeta, finalizer: &str) {
    if !meta.has_finalizer(finalizer) {
        meta.finalizers = meta.finalizers.iter().cloned().chain([finalizer.into()]).collect();
    }
}

stored!(PersistentVolume, [status], {
    fn complete_new(&mut self, now: WallTime) {
        self.status = PersistentVolumeStatus {
            phase: volume_phase::PENDING.into(),
            last_phase_transition_time: Some(now.timestamp()),
            ..PersistentVolumeStatus::default()
        };
    }
    fn admit(&mut self, _server: &mut ApiServer) -> Result<(), ApiError> {
        protect(&mut self.meta, VOLUME_PROTECTION);
        Ok(())
    }
});

fn check_limits(claim: &PersistentVolumeClaim, server: &ApiServer) -> Result<(), ApiError> {
    let refuse = |why| errors::forbidden(Kind::PersistentVolumeClaim, &claim.store_key(), why);
    limit_ranger::check_claim(server.view(), claim).map_err(refuse)
}

stored!(PersistentVolumeClaim, [status], {
    fn complete_new(&mut self, _now: WallTime) {
        self.status = PersistentVolumeClaimStatus {
            phase: claim_phase::PENDING.into(),
            ..PersistentVolumeClaimStatus::default()
        };
    }
    /// `DefaultStorageClass`, then the protection.
    fn admit(&mut self, server: &mut ApiServer) -> Result<(), ApiError> {
        if self.class_given().is_none()
            && let Some(class) = StorageClass::default_of(server.view().storage_classes.iter())
        {
            Arc::make_mut(&mut self.spec).storage_class_name = Some(class.meta.name.clone().into());
        }
        // What a decoded document has to say of its status was dropped, the phase with it.
        self.status.phase = claim_phase::PENDING.into();
        protect(&mut self.meta, CLAIM_PROTECTION);
        check_limits(self, server)
    }
    /// `LimitRanger`, `PersistentVolumeClaimResize`.
    fn admit_update(&mut self, old: &Self, server: &mut ApiServer) -> Result<(), ApiError> {
        if !old.meta.is_deleting() {
            check_limits(self, server)?;
        }
        if self.request() <= old.request() {
            return Ok(());
        }
        let refuse = |why| Err(errors::forbidden(Kind::PersistentVolumeClaim, &self.store_key(), why));
        if !old.is_bound() {
            return refuse("Only bound persistent volume claims can be expanded");
        }
        let class = server.view().storage_classes.get(&Key::new("", self.class()));
        let grows = class.is_some_and(|class| class.body.allow_volume_expansion == Some(true));
        if !grows || self.class() != old.class() {
            return refuse(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
            );
        }
        Ok(())
    }
});

stored!(StorageClass, []);
stored!(VolumeAttachment, [status]);
