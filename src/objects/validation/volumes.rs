//! PersistentVolumes and StorageClasses.

use std::collections::BTreeMap;

use serde_json::Value;

use super::checks::{self, POSITIVE, dns_subdomain, quantities, required_texts, supported};
use super::claims::{VOLUME_MODES, validate_access_modes};
use super::meta::{NameRules, validate_meta};
use super::pod::{ONE_SOURCE, validate_node_selector};
use super::{Errors, Path, sources};
use crate::objects::Quantity;
use crate::objects::names;
use crate::objects::wire::{Wire, WireMut};

const RECLAIM_POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

/// The sources that know mount options.
const MOUNTABLE: [&str; 13] = [
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
];

type SourceCheck = fn(&Value, &Path<'_>, &mut Errors);

/// (field, name in "more than one" errors, path of its own errors, check), in upstream's order.
const SOURCES: [(&str, &str, &str, SourceCheck); 22] = [
    ("hostPath", "hostPath", "hostPath", sources::host_path),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk", sources::gce_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", sources::aws_disk),
    ("glusterfs", "glusterfs", "glusterfs", validate_glusterfs),
    ("flocker", "flocker", "flocker", sources::flocker),
    ("nfs", "nfs", "nfs", sources::nfs),
    ("rbd", "rbd", "rbd", sources::rbd),
    ("quobyte", "quobyte", "quobyte", sources::quobyte),
    ("cephfs", "cephFS", "cephfs", sources::ceph_fs),
    ("iscsi", "iscsi", "iscsi", |source, path, errors| sources::iscsi(source, "must be valid format", path, errors)),
    ("cinder", "cinder", "cinder", |source, path, errors| {
        sources::cinder(source, &["name", "namespace"], path, errors)
    }),
    ("fc", "fc", "fc", sources::fibre_channel),
    ("flexVolume", "", "flexVolume", sources::flex_volume),
    ("azureFile", "azureFile", "azureFile", validate_azure_file),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", |source, path, errors| {
        required_texts(source, &["volumePath"], path, errors)
    }),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", |source, path, errors| {
        required_texts(source, &["pdID"], path, errors);
    }),
    ("portworxVolume", "portworxVolume", "portworxVolume", |source, path, errors| {
        required_texts(source, &["volumeID"], path, errors)
    }),
    ("azureDisk", "azureDisk", "azureDisk", sources::azure_disk),
    ("scaleIO", "scaleIO", "scaleIO", |source, path, errors| {
        required_texts(source, &["gateway", "system", "volumeName"], path, errors);
    }),
    ("local", "local", "local", |source, path, errors| match source.text("path") {
        "" => errors.push(path.child("path").required("")),
        directory => checks::no_backsteps(directory, &path.child("path"), errors),
    }),
    ("storageos", "storageos", "storageos", |source, path, errors| {
        sources::storage_os(source, &["name", "namespace"], path, errors);
    }),
    ("csi", "csi", "csi", validate_csi),
];

/// `ValidatePersistentVolume`.
pub(super) fn validate_volume(volume: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_meta(volume, NameRules::cluster(names::name_is_dns_subdomain), errors);
    let allow_invalid_values = old.is_some_and(|old| has_invalid_node_values(old.at("spec")));
    validate_spec(volume.at("spec"), volume.at("metadata").text("name"), allow_invalid_values, errors);
}

/// The check of mount options that `pkg/volume` adds.
pub(super) fn validate_mount_options(volume: &Value, errors: &mut Errors) {
    let mountable = MOUNTABLE.iter().any(|source| volume.at("spec").has(source));
    if !mountable && volume.at("metadata").at("annotations").has(MOUNT_OPTIONS) {
        let path = Path::root("metadata.annotations");
        errors.push(path.child(MOUNT_OPTIONS).forbidden("may not specify mount options for this volume type"));
    }
}

fn has_invalid_node_values(spec: &Value) -> bool {
    let terms = spec.at("nodeAffinity").at("required").list("nodeSelectorTerms");
    let mut expressions = terms.iter().flat_map(|term| term.list("matchExpressions"));
    expressions.any(|expression| expression.texts("values").iter().any(|value| !names::label_value(value).is_empty()))
}

fn validate_spec(spec: &Value, name: &str, allow_invalid_values: bool, errors: &mut Errors) {
    let path = Path::root("spec");
    if spec.list("accessModes").is_empty() {
        errors.push(path.child("accessModes").required(""));
    }
    validate_access_modes(spec, &path.child("accessModes"), errors);
    validate_capacity(spec, &path.child("capacity"), errors);
    let policy = spec.text("persistentVolumeReclaimPolicy");
    let policy_path = path.child("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        supported(policy, &RECLAIM_POLICIES, &policy_path, errors);
    }
    validate_node_affinity(spec, allow_invalid_values, &path.child("nodeAffinity"), errors);
    validate_sources(spec, name, &path, errors);
    if policy == "Recycle" && is_root(spec.at("hostPath").text("path")) {
        errors.push(policy_path.forbidden("may not be 'recycle' for a hostPath mount of '/'"));
    }
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        dns_subdomain(class, &path.child("storageClassName"), errors);
    }
    checks::supported_if_given(spec, "volumeMode", &VOLUME_MODES, &path, errors);
    if let Some(class) = spec.text_some("volumeAttributesClassName") {
        let at = path.child("volumeAttributesClassName");
        if class.is_empty() {
            errors.push(at.required("an empty string is disallowed"));
        } else {
            dns_subdomain(class, &at, errors);
        }
        if !spec.has("csi") {
            errors.push(path.child("csi").required("has to be specified when using volumeAttributesClassName"));
        }
    }
}

/// Whether a path is another way to write `/`.
fn is_root(path: &str) -> bool {
    let mut depth = 0_usize;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
    }
    path.starts_with('/') && depth == 0
}

fn validate_capacity(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let capacity = quantities(spec, "capacity");
    if capacity.is_empty() {
        errors.push(path.required(""));
    }
    if capacity.len() > 1 || !spec.at("capacity").has("storage") {
        errors.push(path.not_supported(spec.at("capacity"), &["storage"]));
    }
    for (name, amount) in capacity {
        let path = path.key(name);
        if amount.value() < 0 {
            errors.push(path.invalid(amount.value(), "must be a valid resource quantity"));
        }
        if amount <= Quantity::default() {
            errors.push(path.invalid(amount, POSITIVE));
        }
    }
}

fn validate_node_affinity(spec: &Value, allow_invalid_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let Some(affinity) = spec.get_some("nodeAffinity") else { return };
    match affinity.get_some("required") {
        Some(selector) => validate_node_selector(selector, allow_invalid_values, &path.child("required"), errors),
        None => errors.push(path.child("required").required("must specify required node constraints")),
    }
}

fn validate_sources(spec: &Value, name: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut given = 0;
    for (field, extra, at, check) in SOURCES {
        let Some(source) = spec.get_some(field) else { continue };
        if given > 0 && !extra.is_empty() {
            errors.push(path.child(extra).forbidden(ONE_SOURCE));
        } else {
            check(source, &path.child(at), errors);
            if field == "iscsi" {
                let portal = source.text("targetPortal");
                sources::iscsi_names_fit(source, name, &path.child("iscsi.targetportal"), portal, errors);
            }
            if field == "local" && !spec.has("nodeAffinity") {
                errors.push(path.child("nodeAffinity").required("Local volume requires node affinity"));
            }
        }
        given += 1;
    }
    if given == 0 {
        errors.push(path.required("must specify a volume type"));
    }
}

fn validate_glusterfs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["endpoints", "path"], path, errors);
    let Some(namespace) = source.text_some("endpointsNamespace") else { return };
    let path = path.child("endpointsNamespace");
    if namespace.is_empty() {
        errors.push(path.invalid(namespace, "if the endpointnamespace is set, it must be a valid namespace name"));
    } else {
        checks::dns_label(namespace, &path, errors);
    }
}

fn validate_azure_file(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["secretName", "shareName"], path, errors);
    if source.text_some("secretNamespace") == Some("") {
        errors.push(path.child("secretNamespace").required(""));
    }
}

fn validate_csi(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    sources::csi_driver_name(source.text("driver"), &path.child("driver"), errors);
    required_texts(source, &["volumeHandle"], path, errors);
    for field in
        ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"]
    {
        if let Some(secret) = source.get_some(field) {
            sources::full_secret_reference(secret, &path.child(field), errors);
        }
    }
}

/// `ValidatePersistentVolumeUpdate`, after `ValidatePersistentVolume` as the strategy calls them.
pub(super) fn validate_volume_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_volume(new, Some(old), errors);
    validate_mount_options(new, errors);
    validate_volume(new, Some(old), errors);
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    let path = Path::root("spec");
    if source_differs(spec, old_spec) {
        errors.push(
            path.child("persistentvolumesource").forbidden("spec.persistentvolumesource is immutable after creation"),
        );
    }
    checks::immutable(spec.at("volumeMode"), old_spec.at("volumeMode"), &Path::root("volumeMode"), errors);
    if old_spec.has("nodeAffinity") && !is_same_affinity(spec.at("nodeAffinity"), old_spec.at("nodeAffinity")) {
        let detail = "field is immutable, except for updating from beta label to GA";
        errors.push(Path::root("nodeAffinity").invalid(spec.at("nodeAffinity"), detail));
    }
    let class = "volumeAttributesClassName";
    if old_spec.has(class) && !spec.has(class) {
        errors.push(path.child(class).forbidden("update from non-nil value to nil is forbidden"));
    }
}

/// The secret for growing a CSI volume may be added later.
fn source_differs(new: &Value, old: &Value) -> bool {
    let sources = |spec: &Value| -> BTreeMap<&str, Value> {
        SOURCES.iter().filter_map(|(field, ..)| Some((*field, spec.get_some(field)?.clone()))).collect()
    };
    let (mut new, old) = (sources(new), sources(old));
    let expand = "controllerExpandSecretRef";
    if old.get("csi").is_some_and(|csi| !csi.has(expand)) {
        new.get_mut("csi").map(|csi| csi.take_field(expand));
    }
    new != old
}

/// Labels that were renamed when they left beta.
const RENAMED_LABELS: [(&str, &str); 5] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
];

fn is_same_affinity(new: &Value, old: &Value) -> bool {
    let (new_terms, old_terms) =
        (new.at("required").list("nodeSelectorTerms"), old.at("required").list("nodeSelectorTerms"));
    let same_requirement = |new: &Value, old: &Value| {
        let renamed = RENAMED_LABELS.contains(&(old.text("key"), new.text("key")));
        let rest = ["operator", "values"].iter().all(|field| new.at(field) == old.at(field));
        rest && (renamed || new.at("key") == old.at("key"))
    };
    let same_list = |new: &Value, old: &Value, list: &str| {
        let (new, old) = (new.list(list), old.list(list));
        new.len() == old.len() && new.iter().zip(old).all(|(new, old)| same_requirement(new, old))
    };
    let same_term =
        |(new, old): (&Value, &Value)| ["matchExpressions", "matchFields"].iter().all(|list| same_list(new, old, list));
    new_terms.len() == old_terms.len() && new_terms.iter().zip(old_terms).all(same_term)
}
