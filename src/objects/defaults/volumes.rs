//! Volumes of pods, and the sources they share with persistent volumes.

use serde_json::Value;

use super::image::default_pull_policy;
use super::resources;
use crate::objects::wire::{Wire, WireMut};

/// Permissions of projected files: 0644.
const DEFAULT_MODE: i64 = 0o644;

/// `SetDefaults_Volume` with everything below it.
pub(super) fn default_volume(volume: &mut Value) {
    let has_source = volume.as_object().is_none_or(|members| members.keys().any(|key| key != "name"));
    if !has_source {
        volume.ensure_object("emptyDir");
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.object_mut(source) {
            source.default_to("defaultMode", DEFAULT_MODE);
        }
    }
    if let Some(source) = volume.object_mut("image") {
        let pull_policy = default_pull_policy(source.text("reference"));
        source.default_text("pullPolicy", pull_policy);
    }
    volume.object_mut("downwardAPI").map(default_downward_files);
    volume.object_mut("projected").map(default_projected);
    volume
        .object_mut("ephemeral")
        .and_then(|source| source.object_mut("volumeClaimTemplate"))
        .map(default_claim_template);
    default_shared_sources(volume);
}

/// The sources that pods' volumes and persistent volumes have in common.
pub(super) fn default_shared_sources(volume: &mut Value) {
    if let Some(source) = volume.object_mut("hostPath") {
        source.default_to("type", "");
    }
    if let Some(source) = volume.object_mut("iscsi") {
        source.default_text("iscsiInterface", "default");
    }
    if let Some(source) = volume.object_mut("rbd") {
        source.default_text("pool", "rbd");
        source.default_text("user", "admin");
        source.default_text("keyring", "/etc/ceph/keyring");
    }
    if let Some(source) = volume.object_mut("azureDisk") {
        source.default_to("cachingMode", "ReadWrite");
        source.default_to("fsType", "ext4");
        source.default_to("readOnly", false);
        source.default_to("kind", "Shared");
    }
    if let Some(source) = volume.object_mut("scaleIO") {
        source.default_text("storageMode", "ThinProvisioned");
        source.default_text("fsType", "xfs");
    }
}

fn default_downward_files(source: &mut Value) {
    for file in source.list_mut("items") {
        if let Some(field) = file.object_mut("fieldRef") {
            field.default_text("apiVersion", "v1");
        }
    }
}

fn default_projected(source: &mut Value) {
    for projection in source.list_mut("sources") {
        projection.object_mut("downwardAPI").map(default_downward_files);
        if let Some(token) = projection.object_mut("serviceAccountToken") {
            token.default_to("expirationSeconds", 3600);
        }
    }
}

fn default_claim_template(template: &mut Value) {
    if let Some(spec) = template.ensure_object("spec") {
        default_claim_spec(spec);
    }
}

/// `SetDefaults_PersistentVolumeClaimSpec`.
pub(super) fn default_claim_spec(spec: &mut Value) {
    spec.default_to("volumeMode", "Filesystem");
    spec.object_mut("resources").map(resources::round_up_requirements);
}
