//! Object metadata.

use serde_json::Value;

use super::checks::{Report, immutable, not_negative, qualified_name};
use super::error::Shown;
use super::labels::validate_labels;
use super::{Errors, Path};
use crate::objects::names::{self, Complaints};
use crate::objects::wire::Wire;

/// Checks a name, or the beginning of one if the flag is set.
pub(super) type NameCheck = fn(&str, bool) -> Complaints;

/// Sum of all keys and values, in bytes.
const ANNOTATIONS_MAX: usize = 256 * 1024;
const SUBRESOURCE_NAME_MAX: usize = 256;
const FIELD_MANAGER_MAX: usize = 128;

/// How the names of a kind are checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameRules {
    pub(super) namespaced: bool,
    pub(super) check: NameCheck,
    /// Newer code checks only the name that results from `generateName`.
    pub(super) skip_generate_name: bool,
}

impl NameRules {
    pub(super) fn namespaced(check: NameCheck) -> Self {
        Self { namespaced: true, check, skip_generate_name: false }
    }

    pub(super) fn cluster(check: NameCheck) -> Self {
        Self { namespaced: false, check, skip_generate_name: false }
    }
}

/// `ValidateObjectMeta` of the kinds' own validation, with the finalizers' names.
pub(super) fn validate_meta(object: &Value, rules: NameRules, errors: &mut Errors) {
    let metadata = object.at("metadata");
    let path = Path::root("metadata");
    validate_common_meta(metadata, rules, &path, errors);
    validate_finalizers_are_known(metadata, &path, errors);
}

/// `ValidateObjectMetaUpdate` of the kinds' own validation, with the finalizers' names.
pub(super) fn validate_meta_update(new: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::root("metadata");
    validate_common_meta_update(new.at("metadata"), old.at("metadata"), &path, errors);
    validate_finalizers_are_known(new.at("metadata"), &path, errors);
}

/// `ValidateObjectMetaAccessor`.
pub(super) fn validate_common_meta(metadata: &Value, rules: NameRules, path: &Path<'_>, errors: &mut Errors) {
    let generate = metadata.text("generateName");
    if !generate.is_empty() && !rules.skip_generate_name {
        errors.complain(&path.child("generateName"), generate, (rules.check)(generate, true));
    }
    let name = metadata.text("name");
    if name.is_empty() {
        errors.push(path.child("name").required("name or generateName is required"));
    } else {
        errors.complain(&path.child("name"), name, (rules.check)(name, false));
    }
    validate_namespace(metadata.text("namespace"), rules.namespaced, &path.child("namespace"), errors);
    not_negative(metadata.int("generation"), &path.child("generation"), errors);
    validate_shared(metadata, path, errors);
}

fn validate_namespace(namespace: &str, namespaced: bool, path: &Path<'_>, errors: &mut Errors) {
    match (namespaced, namespace.is_empty()) {
        (true, true) => errors.push(path.required("")),
        (true, false) => errors.complain(path, namespace, names::name_is_dns_label(namespace, false)),
        (false, true) => {}
        (false, false) => errors.push(path.forbidden("not allowed on this type")),
    }
}

/// What is checked alike on create, with finalizers, and on update, without.
fn validate_shared(metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_labels(metadata.at("labels"), &path.child("labels"), errors);
    validate_annotations(metadata.at("annotations"), &path.child("annotations"), errors);
    validate_owner_references(metadata.at("ownerReferences"), &path.child("ownerReferences"), errors);
    validate_finalizers(metadata, &path.child("finalizers"), errors);
    validate_managed_fields(metadata.list("managedFields"), &path.child("managedFields"), errors);
}

/// `ValidateAnnotations`.
pub(super) fn validate_annotations(annotations: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        errors.complain(path, key, names::label_key(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_MAX {
        errors.push(path.too_long(ANNOTATIONS_MAX));
    }
}

fn validate_owner_references(references: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut controller: Option<String> = None;
    for reference in references.as_array().into_iter().flatten() {
        validate_owner_reference(reference, path, errors);
        if !reference.flag("controller") {
            continue;
        }
        let current = format!("{}/{}", reference.text("kind"), reference.text("name"));
        match &controller {
            Some(first) => errors.push(path.invalid(
                references,
                format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
                ),
            )),
            None => controller = Some(current),
        }
    }
}

fn validate_owner_reference(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    let api_version = reference.text("apiVersion");
    let version = api_version.rsplit_once('/').map_or(api_version, |(_, version)| version);
    if version.is_empty() || api_version.matches('/').count() > 1 {
        errors.push(path.child("apiVersion").invalid(api_version, "version must not be empty"));
    }
    for field in ["kind", "name", "uid"] {
        let value = reference.text(field);
        if value.is_empty() {
            errors.push(path.child(field).invalid(value, "must not be empty"));
        }
    }
    if api_version == "v1" && reference.text("kind") == "Event" {
        errors.push(path.invalid(reference, "/v1, Kind=Event is disallowed from being an owner"));
    }
}

fn validate_finalizers(metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    let finalizers = metadata.texts("finalizers");
    for finalizer in &finalizers {
        qualified_name(finalizer, path, errors);
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        errors.push(path.invalid(&finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
    }
}

fn validate_finalizers_are_known(metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("finalizers");
    for (index, finalizer) in metadata.texts("finalizers").into_iter().enumerate() {
        validate_finalizer_is_known(finalizer, &list.index(index), errors);
    }
}

/// `validateKubeFinalizerName`.
pub(super) fn validate_finalizer_is_known(finalizer: &str, path: &Path<'_>, errors: &mut Errors) {
    if !finalizer.contains('/') && !matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion") {
        errors.push(path.invalid(finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
    }
}

fn validate_managed_fields(entries: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        let operation = entry.text("operation");
        if !matches!(operation, "Apply" | "Update") {
            errors.push(path.child("operation").invalid(operation, "must be `Apply` or `Update`"));
        }
        let fields_type = entry.text("fieldsType");
        if !fields_type.is_empty() && fields_type != "FieldsV1" {
            errors.push(path.child("fieldsType").invalid(fields_type, "must be `FieldsV1`"));
        }
        if entry.text("manager").len() > FIELD_MANAGER_MAX {
            errors.push(path.child("manager").too_long(FIELD_MANAGER_MAX));
        }
        if entry.text("subresource").len() > SUBRESOURCE_NAME_MAX {
            errors.push(path.child("subresource").too_long(SUBRESOURCE_NAME_MAX));
        }
    }
}

/// `ValidateObjectMetaAccessorUpdate`.
pub(super) fn validate_common_meta_update(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    if old.has("deletionTimestamp") {
        validate_no_new_finalizers(new, old, &path.child("finalizers"), errors);
    }
    if new.text("resourceVersion").is_empty() {
        errors.push(path.child("resourceVersion").invalid("", "must be specified for an update"));
    }
    if new.int("generation") < old.int("generation") {
        errors.push(path.child("generation").invalid(new.int("generation"), "must not be decremented"));
    }
    for field in ["name", "namespace", "uid"] {
        if new.text(field) != old.text(field) {
            errors.push(path.child(field).invalid(new.text(field), super::checks::IMMUTABLE));
        }
    }
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        immutable(new.at(field), old.at(field), &path.child(field), errors);
    }
    validate_labels(new.at("labels"), &path.child("labels"), errors);
    validate_annotations(new.at("annotations"), &path.child("annotations"), errors);
    validate_owner_references(new.at("ownerReferences"), &path.child("ownerReferences"), errors);
    validate_managed_fields(new.list("managedFields"), &path.child("managedFields"), errors);
}

fn validate_no_new_finalizers(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kept = old.texts("finalizers");
    let mut added = new.texts("finalizers");
    added.retain(|finalizer| !kept.contains(finalizer));
    added.sort_unstable();
    added.dedup();
    if !added.is_empty() {
        let quoted: Vec<String> = added.iter().map(Shown::shown).collect();
        errors.push(path.forbidden(format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            quoted.join(", ")
        )));
    }
}
