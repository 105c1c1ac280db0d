//! PersistentVolumeClaims.

use serde_json::Value;

use super::checks::{self, POSITIVE, Report, dns_subdomain, required_texts};
use super::error::Verbatim;
use super::labels::validate_selector;
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::resources::resource_quantity;
use super::{Errors, Path};
use crate::objects::Quantity;
use crate::objects::names;
use crate::objects::wire::{Wire, WireMut};

pub(super) const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
pub(super) const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// What a stored claim may keep although today's rules refuse it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClaimOptions {
    allow_invalid_selector_values: bool,
    allow_invalid_source_group: bool,
}

impl ClaimOptions {
    fn from_old(spec: &Value) -> Self {
        let mut faults = Errors::new();
        validate_selector(spec.at("selector"), false, &Path::root(""), &mut faults);
        let grouped = ["dataSource", "dataSourceRef"].iter().any(|source| spec.at(source).has("apiGroup"));
        Self { allow_invalid_selector_values: !faults.is_empty(), allow_invalid_source_group: grouped }
    }
}

/// `ValidatePersistentVolumeClaim`.
pub(super) fn validate_claim(claim: &Value, options: ClaimOptions, errors: &mut Errors) {
    validate_meta(claim, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    validate_claim_spec(claim.at("spec"), &Path::root("spec"), options, errors);
}

/// Access modes, which volumes and claims have alike.
pub(super) fn validate_access_modes(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let modes = spec.texts("accessModes");
    for mode in &modes {
        checks::supported(mode, &ACCESS_MODES, path, errors);
    }
    let others = modes.iter().any(|mode| *mode != "ReadWriteOncePod" && ACCESS_MODES.contains(mode));
    if others && modes.contains(&"ReadWriteOncePod") {
        errors.push(path.forbidden("may not use ReadWriteOncePod with other access modes"));
    }
}

/// `ValidatePersistentVolumeClaimSpec`.
pub(super) fn validate_claim_spec(spec: &Value, path: &Path<'_>, options: ClaimOptions, errors: &mut Errors) {
    let modes_path = path.child("accessModes");
    if spec.list("accessModes").is_empty() {
        errors.push(modes_path.required("at least 1 access mode is required"));
    }
    validate_selector(spec.at("selector"), options.allow_invalid_selector_values, &path.child("selector"), errors);
    validate_access_modes(spec, &modes_path, errors);
    validate_size(spec, path, errors);
    if let Some(class) = spec.text_some("storageClassName").filter(|class| !class.is_empty()) {
        dns_subdomain(class, &path.child("storageClassName"), errors);
    }
    checks::supported_if_given(spec, "volumeMode", &VOLUME_MODES, path, errors);
    validate_data_sources(spec, path, options, errors);
    if let Some(class) = spec.text_some("volumeAttributesClassName").filter(|class| !class.is_empty()) {
        dns_subdomain(class, &path.child("volumeAttributesClassName"), errors);
    }
}

fn validate_size(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let resources = path.child("resources");
    let path = resources.key("storage");
    match storage(spec) {
        None => errors.push(path.required("")),
        Some(size) if size <= Quantity::default() => errors.push(path.invalid(size, POSITIVE)),
        Some(size) => resource_quantity("storage", size, &path, errors),
    }
}

fn storage(spec: &Value) -> Option<Quantity> {
    checks::quantity(spec.at("resources").at("requests").at("storage"))
}

fn validate_data_sources(spec: &Value, path: &Path<'_>, options: ClaimOptions, errors: &mut Errors) {
    let (source, reference) = (spec.at("dataSource"), spec.at("dataSourceRef"));
    if source.is_object() {
        validate_data_source(source, &path.child("dataSource"), options, errors);
    }
    if reference.is_object() {
        let path = path.child("dataSourceRef");
        validate_data_source(reference, &path, options, errors);
        let namespace = reference.text("namespace");
        if !namespace.is_empty() {
            errors.complain(&path.child("namespace"), namespace, names::name_is_dns_label(namespace, false));
        }
    }
    if !source.is_object() || !reference.is_object() {
        return;
    }
    let same = ["apiGroup", "kind", "name"].iter().all(|field| source.at(field) == reference.at(field));
    let shown = || Verbatim("{}".to_owned());
    if !reference.text("namespace").is_empty() {
        errors.push(path.invalid(shown(), "may not be specified when dataSourceRef.namespace is specified"));
    } else if !same {
        errors.push(path.invalid(shown(), "must match dataSourceRef"));
    }
}

fn validate_data_source(source: &Value, path: &Path<'_>, options: ClaimOptions, errors: &mut Errors) {
    required_texts(source, &["name", "kind"], path, errors);
    let (group, kind) = (source.text("apiGroup"), source.text("kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        errors.push(path.invalid(kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
    }
    if !group.is_empty() && !options.allow_invalid_source_group {
        dns_subdomain(group, &path.child("apiGroup"), errors);
    }
}

/// `ValidatePersistentVolumeClaimUpdate`.
pub(super) fn validate_claim_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    validate_claim(new, ClaimOptions::from_old(old.at("spec")), errors);
    let path = Path::root("spec");
    if spec_differs(new, old, errors) {
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(path.forbidden(detail));
    }
    let (new_spec, old_spec) = (new.at("spec"), old.at("spec"));
    let size = storage(new_spec).unwrap_or_default();
    let granted = checks::quantity(old.at("status").at("capacity").at("storage")).unwrap_or_default();
    if size < storage(old_spec).unwrap_or_default() && size <= granted {
        errors.push(path.child("resources.requests.storage").forbidden("field can not be less than status.capacity"));
    }
    checks::immutable(new_spec.at("volumeMode"), old_spec.at("volumeMode"), &Path::root("volumeMode"), errors);
    validate_attributes_class(new_spec, old, &path.child("volumeAttributesClassName"), errors);
}

/// Whether the specs differ in what may not change. Says, as upstream, if the storage class annotation changed.
fn spec_differs(new: &Value, old: &Value, errors: &mut Errors) -> bool {
    let annotation =
        |claim: &Value| claim.at("metadata").at("annotations").text_some(CLASS_ANNOTATION).map(str::to_owned);
    let (new_annotation, old_annotation) = (annotation(new), annotation(old));
    let (mut new_spec, mut old_spec) = (new.at("spec").clone(), old.at("spec").clone());
    if old_spec.text("volumeName").is_empty() {
        old_spec.set("volumeName", new_spec.at("volumeName").clone());
    }
    let class = new_spec.text_some("storageClassName").map(str::to_owned);
    let newly_classed = class.is_some() && !old_spec.has("storageClassName");
    let from_annotation = newly_classed
        && class == old_annotation
        && new_annotation.as_ref().is_none_or(|kept| Some(kept) == old_annotation.as_ref());
    if !from_annotation && new_annotation.clone().unwrap_or_default() != old_annotation.clone().unwrap_or_default() {
        let path = Path::root("metadata.annotations");
        errors.push(path.child(CLASS_ANNOTATION).invalid(new_annotation.unwrap_or_default(), checks::IMMUTABLE));
    }
    if newly_classed && (old_annotation.is_none() || class == old_annotation) {
        new_spec.take_field("storageClassName");
    }
    if new.at("status").text("phase") == "Bound" {
        let size = old_spec.at("resources").at("requests").at("storage").clone();
        if let Some(requests) = new_spec.object_mut("resources").and_then(|resources| resources.object_mut("requests"))
        {
            requests.set("storage", size);
        }
        new_spec.set("volumeAttributesClassName", old_spec.at("volumeAttributesClassName").clone());
    }
    let given = |spec: &Value| {
        let mut spec = spec.clone();
        if let Value::Object(members) = &mut spec {
            members.retain(|_, value| !value.is_null());
        }
        spec
    };
    given(&new_spec) != given(&old_spec)
}

fn validate_attributes_class(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let class = new.text_some("volumeAttributesClassName");
    let unchanged = class == old.at("spec").text_some("volumeAttributesClassName");
    if unchanged || !old.at("status").has("currentVolumeAttributesClassName") {
        return;
    }
    match class {
        None => errors
            .push(path.forbidden("update to nil is forbidden when status.currentVolumeAttributesClassName is not nil")),
        Some("") => {
            errors.push(path.forbidden(
                "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil",
            ))
        }
        Some(_) => {}
    }
}
