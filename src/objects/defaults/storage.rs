//! Volumes, claims, storage classes, secrets.

use serde_json::Value;

use super::base64::encode;
use super::{resources, volumes};
use crate::objects::wire::WireMut;

/// `SetObjectDefaults_PersistentVolume`.
pub(super) fn default_volume(volume: &mut Value) {
    if let Some(status) = volume.ensure_object("status") {
        status.default_text("phase", "Pending");
    }
    let Some(spec) = volume.ensure_object("spec") else { return };
    spec.default_text("persistentVolumeReclaimPolicy", "Retain");
    spec.default_to("volumeMode", "Filesystem");
    resources::round_up(spec, "capacity");
    volumes::default_shared_sources(spec);
}

/// `SetObjectDefaults_PersistentVolumeClaim`.
pub(super) fn default_claim(claim: &mut Value) {
    if let Some(status) = claim.ensure_object("status") {
        status.default_text("phase", "Pending");
        resources::round_up(status, "capacity");
        resources::round_up(status, "allocatedResources");
    }
    if let Some(spec) = claim.ensure_object("spec") {
        volumes::default_claim_spec(spec);
    }
}

/// `SetDefaults_StorageClass`.
pub(super) fn default_storage_class(class: &mut Value) {
    class.default_to("reclaimPolicy", "Delete");
    class.default_to("volumeBindingMode", "Immediate");
}

/// `SetDefaults_Secret`, and `stringData` merged into `data`.
pub(super) fn default_secret(secret: &mut Value) {
    secret.default_text("type", "Opaque");
    let Some(plain) = secret.take_field("stringData") else { return };
    let Some(data) = secret.ensure_object("data") else { return };
    for (key, value) in plain.as_object().into_iter().flatten() {
        data.set(key, encode(value.as_str().unwrap_or_default().as_bytes()));
    }
}
