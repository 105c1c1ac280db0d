//! Volumes of pods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::PodOptions;
use super::env::{ENV_FIELDS_OF_VOLUMES, validate_field_ref, validate_resource_field_ref};
use super::projected::validate_projected;
use crate::objects::names;
use crate::objects::validation::checks::{self, Report, dns_label, required_texts, supported};
use crate::objects::validation::claims;
use crate::objects::validation::sources;
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

pub(in crate::objects::validation) const BAD_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
pub(in crate::objects::validation) const ONE_SOURCE: &str = "may not specify more than 1 volume type";
pub(in crate::objects::validation) const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

/// The valid volumes of a pod by name.
pub(super) type Volumes<'a> = BTreeMap<&'a str, &'a Value>;

type SourceCheck = fn(&Value, &Path<'_>, &PodOptions, &mut Errors);

/// A kind of volume: its field, the names its errors use, and its check. Upstream's order and spellings.
struct Source {
    field: &'static str,
    /// The field that "more than one" errors name.
    extra: &'static str,
    /// The field below which its own errors are.
    path: &'static str,
    check: SourceCheck,
}

const fn source(field: &'static str, check: SourceCheck) -> Source {
    Source { field, extra: field, path: field, check }
}

const SOURCES: [Source; 30] = [
    source("emptyDir", |source, path, _, errors| validate_empty_dir(source, path, errors)),
    source("hostPath", |source, path, _, errors| sources::host_path(source, path, errors)),
    source("gitRepo", |source, path, _, errors| validate_git_repo(source, path, errors)),
    Source {
        path: "persistentDisk",
        ..source("gcePersistentDisk", |source, path, _, errors| sources::gce_disk(source, path, errors))
    },
    source("awsElasticBlockStore", |source, path, _, errors| sources::aws_disk(source, path, errors)),
    source("secret", |source, path, _, errors| validate_files_of(source, "secretName", path, errors)),
    source("nfs", |source, path, _, errors| sources::nfs(source, path, errors)),
    source("iscsi", |source, path, _, errors| {
        sources::iscsi(source, "must be valid format starting with iqn, eui, or naa", path, errors)
    }),
    source("glusterfs", |source, path, _, errors| required_texts(source, &["endpoints", "path"], path, errors)),
    source("flocker", |source, path, _, errors| sources::flocker(source, path, errors)),
    source("persistentVolumeClaim", |source, path, _, errors| required_texts(source, &["claimName"], path, errors)),
    source("rbd", |source, path, _, errors| sources::rbd(source, path, errors)),
    source("cinder", |source, path, _, errors| sources::cinder(source, &["name"], path, errors)),
    Source { extra: "cephFS", ..source("cephfs", |source, path, _, errors| sources::ceph_fs(source, path, errors)) },
    source("quobyte", |source, path, _, errors| sources::quobyte(source, path, errors)),
    Source {
        extra: "downwarAPI",
        ..source("downwardAPI", |source, path, _, errors| validate_downward_api(source, path, errors))
    },
    source("fc", |source, path, _, errors| sources::fibre_channel(source, path, errors)),
    source("flexVolume", |source, path, _, errors| sources::flex_volume(source, path, errors)),
    source("configMap", |source, path, _, errors| validate_files_of(source, "name", path, errors)),
    source("azureFile", |source, path, _, errors| required_texts(source, &["secretName", "shareName"], path, errors)),
    source("vsphereVolume", |source, path, _, errors| required_texts(source, &["volumePath"], path, errors)),
    source("photonPersistentDisk", |source, path, _, errors| required_texts(source, &["pdID"], path, errors)),
    source("portworxVolume", |source, path, _, errors| required_texts(source, &["volumeID"], path, errors)),
    source("azureDisk", |source, path, _, errors| sources::azure_disk(source, path, errors)),
    source("storageos", |source, path, _, errors| sources::storage_os(source, &["name"], path, errors)),
    source("projected", validate_projected),
    source("scaleIO", |source, path, _, errors| {
        required_texts(source, &["gateway", "system", "volumeName"], path, errors)
    }),
    source("csi", |source, path, _, errors| validate_csi(source, path, errors)),
    source("ephemeral", |source, path, _, errors| validate_ephemeral(source, path, errors)),
    source("image", validate_image),
];

/// `ValidateVolumes`. Volumes with faults cannot be mounted. `pod_name` is empty for templates.
pub(super) fn validate_volumes<'a>(
    volumes: &'a [Value],
    pod_name: &str,
    options: &PodOptions,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Volumes<'a> {
    let ephemeral = volumes.iter().filter(|volume| !pod_name.is_empty() && volume.has("ephemeral"));
    let created: BTreeSet<String> = ephemeral.map(|volume| format!("{pod_name}-{}", volume.text("name"))).collect();
    let mut valid = Volumes::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let before = errors.len();
        validate_volume(volume, pod_name, options, &path, errors);
        let name = volume.text("name");
        if valid.contains_key(name) {
            errors.push(path.child("name").duplicate(name));
        }
        if errors.len() == before {
            valid.insert(name, volume);
        }
        let claim = volume.at("persistentVolumeClaim").text("claimName");
        if created.contains(claim) {
            let path = path.child("persistentVolumeClaim.claimName");
            errors.push(path.invalid(claim, "must not reference a PVC that gets created for an ephemeral volume"));
        }
    }
    valid
}

fn validate_volume(volume: &Value, pod_name: &str, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let name = volume.text("name");
    let mut given = 0;
    for source in &SOURCES {
        let Some(value) = volume.get_some(source.field) else { continue };
        if given > 0 {
            errors.push(path.child(source.extra).forbidden(ONE_SOURCE));
        } else {
            (source.check)(value, &path.child(source.path), options, errors);
            if source.field == "ephemeral" {
                validate_ephemeral_claim_name(name, pod_name, path, errors);
            }
        }
        given += 1;
        if source.field == "iscsi" {
            sources::iscsi_names_fit(value, name, &path.child("name"), name, errors);
        }
    }
    if given == 0 {
        errors.push(path.required("must specify a volume type"));
    }
    let path = path.child("name");
    if name.is_empty() {
        errors.push(path.required(""));
    } else {
        dns_label(name, &path, errors);
    }
}

fn validate_ephemeral_claim_name(name: &str, pod_name: &str, path: &Path<'_>, errors: &mut Errors) {
    if pod_name.is_empty() || name.is_empty() {
        return;
    }
    let claim = format!("{pod_name}-{name}");
    for complaint in names::name_is_dns_subdomain(&claim, false) {
        errors.push(path.child("name").invalid(name, format!("PVC name {}: {complaint}", names::quoted(&claim))));
    }
}

fn validate_empty_dir(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    if checks::quantity(source.at("sizeLimit")).is_some_and(|limit| limit < crate::objects::Quantity::default()) {
        errors.push(path.child("sizeLimit").forbidden("SizeLimit field must be a valid resource quantity"));
    }
}

fn validate_git_repo(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["repository"], path, errors);
    checks::local_descending_path(source.text("directory"), &path.child("directory"), errors);
}

/// A Secret or ConfigMap, and which of its keys become files.
fn validate_files_of(source: &Value, name: &str, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &[name], path, errors);
    validate_mode(source, "defaultMode", path, errors);
    let items = path.child("items");
    for (index, item) in source.list("items").iter().enumerate() {
        validate_key_to_path(item, &items.index(index), errors);
    }
}

pub(super) fn validate_mode(source: &Value, field: &str, path: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = source.int_some(field).filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(path.child(field).invalid(mode, BAD_MODE));
    }
}

pub(super) fn validate_key_to_path(item: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(item, &["key", "path"], path, errors);
    checks::local_non_reserved_path(item.text("path"), &path.child("path"), errors);
    validate_mode(item, "mode", path, errors);
}

fn validate_downward_api(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_mode(source, "defaultMode", path, errors);
    for file in source.list("items") {
        validate_downward_file(file, path, errors);
    }
}

pub(super) fn validate_downward_file(file: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(file, &["path"], path, errors);
    checks::local_non_reserved_path(file.text("path"), &path.child("path"), errors);
    match (file.get_some("fieldRef"), file.get_some("resourceFieldRef")) {
        (Some(field), resource) => {
            validate_field_ref(field, &ENV_FIELDS_OF_VOLUMES, &path.child("fieldRef"), errors);
            if resource.is_some() {
                errors.push(
                    path.invalid("resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
                );
            }
        }
        (None, Some(resource)) => validate_resource_field_ref(resource, true, &path.child("resourceFieldRef"), errors),
        (None, None) => errors.push(path.required("one of fieldRef and resourceFieldRef is required")),
    }
    validate_mode(file, "mode", path, errors);
}

fn validate_csi(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    sources::csi_driver_name(source.text("driver"), &path.child("driver"), errors);
    let Some(secret) = source.get_some("nodePublishSecretRef") else { return };
    let name = secret.text("name");
    if name.is_empty() {
        errors.push(path.child("nodePublishSecretRef.name").required(""));
    } else {
        errors.complain(&path.child("name"), name, names::name_is_dns_subdomain(name, false));
    }
}

/// Only labels and annotations of the claim's metadata are the user's to set.
const SETTABLE_METADATA: [&str; 2] = ["annotations", "labels"];

fn validate_ephemeral(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let template_path = path.child("volumeClaimTemplate");
    let Some(template) = source.get_some("volumeClaimTemplate") else {
        errors.push(template_path.required(""));
        return;
    };
    let metadata = template.at("metadata");
    let metadata_path = template_path.child("metadata");
    crate::objects::validation::meta::validate_annotations(
        metadata.at("annotations"),
        &metadata_path.child("annotations"),
        errors,
    );
    crate::objects::validation::labels::validate_labels(metadata.at("labels"), &metadata_path.child("labels"), errors);
    for field in metadata.as_object().into_iter().flat_map(|members| members.keys()) {
        if !SETTABLE_METADATA.contains(&field.as_str()) {
            errors.push(metadata_path.child(field).forbidden("cannot be set"));
        }
    }
    claims::validate_claim_spec(
        template.at("spec"),
        &template_path.child("spec"),
        claims::ClaimOptions::default(),
        errors,
    );
}

fn validate_image(source: &Value, path: &Path<'_>, options: &PodOptions, errors: &mut Errors) {
    if options.is_pod {
        required_texts(source, &["reference"], path, errors);
    }
    validate_pull_policy(source.text("pullPolicy"), &path.child("pullPolicy"), errors);
}

pub(super) fn validate_pull_policy(policy: &str, path: &Path<'_>, errors: &mut Errors) {
    if policy.is_empty() {
        errors.push(path.required(""));
    } else {
        supported(policy, &PULL_POLICIES, path, errors);
    }
}
