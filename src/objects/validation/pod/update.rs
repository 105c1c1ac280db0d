//! What may change about a pod.

use std::collections::BTreeMap;

use serde_json::Value;

use super::containers::validate_image_is_trimmed;
use super::scheduling::validate_tolerations;
use super::{MIRROR, PodOptions, validate_metadata_and_spec, validate_pod_annotations};
use crate::objects::names;
use crate::objects::validation::meta::validate_meta_update;
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::{Wire, WireMut};

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const UPDATABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// The options of an update of a pod.
pub(super) fn update_options(old: &Value) -> PodOptions {
    PodOptions { is_pod: true, ..PodOptions::from_old(old.at("metadata"), old.at("spec")) }
}

/// `ValidatePodUpdate`.
pub(in crate::objects::validation) fn validate_pod_update(new: &Value, old: &Value, errors: &mut Errors) {
    let options = update_options(old);
    validate_meta_update(new, old, errors);
    validate_metadata_and_spec(new, &options, errors);
    validate_annotation_update(new, old, &options, errors);
    let path = Path::root("spec");
    let (new, old) = (new.at("spec"), old.at("spec"));
    for list in ["containers", "initContainers"] {
        if !validate_images(new.list(list), old.list(list), &path.child(list), errors) {
            return;
        }
    }
    if !validate_deadline(new, old, &path.child("activeDeadlineSeconds"), errors) {
        return;
    }
    validate_added_tolerations(new, old, &options, &path.child("tolerations"), errors);
    validate_deleted_gates(new, old, &path.child("schedulingGates"), errors);
    if new != old {
        let munged = munge(new, old, &path, errors);
        if munged != *old {
            errors.push(path.forbidden(UPDATABLE));
        }
    }
}

/// `ValidatePodSpecificAnnotationUpdates`.
pub(super) fn validate_annotation_update(new: &Value, old: &Value, options: &PodOptions, errors: &mut Errors) {
    let metadata_path = Path::root("metadata");
    let path = metadata_path.child("annotations");
    let annotations = new.at("metadata").at("annotations");
    let old_annotations = old.at("metadata").at("annotations");
    let mut check = |key: &str, app_armor: &'static str, mirror: &'static str| {
        if key.starts_with(APP_ARMOR) {
            errors.push(path.key(key).forbidden(app_armor));
        }
        if key == MIRROR {
            errors.push(path.key(key).forbidden(mirror));
        }
    };
    for (key, value) in old_annotations.as_object().into_iter().flatten() {
        if annotations.at(key) != value {
            check(
                key,
                "may not remove or update AppArmor annotations",
                "may not remove or update mirror pod annotation",
            );
        }
    }
    for key in annotations.as_object().into_iter().flat_map(|members| members.keys()) {
        if !old_annotations.has(key) {
            check(key, "may not add AppArmor annotations", "may not add mirror pod annotation");
        }
    }
    validate_pod_annotations(annotations, new.at("spec"), options, &path, errors);
}

/// `ValidateContainerUpdates`; false if the rest cannot be compared.
fn validate_images(new: &[Value], old: &[Value], path: &Path<'_>, errors: &mut Errors) -> bool {
    if new.len() != old.len() {
        errors.push(path.forbidden("pod updates may not add or remove containers"));
        return false;
    }
    for (index, container) in new.iter().enumerate() {
        if container.text("image").is_empty() {
            let at = path.index(index);
            errors.push(at.child("image").required(""));
        }
        validate_image_is_trimmed(container, &path.index(index), errors);
    }
    true
}

fn validate_deadline(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) -> bool {
    let field = "activeDeadlineSeconds";
    match (new.int_some(field), old.int_some(field)) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            errors.push(path.invalid(new, "must be between 0 and 2147483647, inclusive"));
            false
        }
        (Some(new), Some(old)) if old < new => {
            errors.push(path.invalid(new, "must be less than or equal to previous value"));
            false
        }
        (None, Some(_)) => {
            errors.push(path.invalid(Value::Null, "must not update from a positive integer to nil value"));
            true
        }
        _ => true,
    }
}

fn validate_added_tolerations(new: &Value, old: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let but_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        toleration.take_field("tolerationSeconds");
        toleration
    };
    let kept: Vec<Value> = new.list("tolerations").iter().map(but_seconds).collect();
    if old.list("tolerations").iter().any(|toleration| !kept.contains(&but_seconds(toleration))) {
        errors.push(path.forbidden("existing toleration can not be modified except its tolerationSeconds"));
        return;
    }
    validate_tolerations(new.list("tolerations"), options, path, errors);
}

fn validate_deleted_gates(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut added: BTreeMap<&str, usize> = BTreeMap::new();
    added.extend(new.list("schedulingGates").iter().enumerate().map(|(index, gate)| (gate.text("name"), index)));
    for gate in old.list("schedulingGates") {
        added.remove(gate.text("name"));
    }
    for (gate, index) in added {
        let at = path.index(index);
        let detail = format!("only deletion is allowed, but found new scheduling gate '{gate}'");
        errors.push(at.child("name").forbidden(detail));
    }
}

/// The new spec with all that may change set back to the old. Scheduling constraints of gated pods may be tightened.
fn munge(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) -> Value {
    let mut munged = new.clone();
    for list in ["containers", "initContainers"] {
        for (container, old) in munged.list_mut(list).iter_mut().zip(old.list(list)) {
            restore(container, old, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        restore(&mut munged, old, field);
    }
    let grace = "terminationGracePeriodSeconds";
    if old.int(grace) < 0 && munged.int_some(grace) == Some(1) {
        restore(&mut munged, old, grace);
    }
    if old.list("schedulingGates").is_empty() {
        return munged;
    }
    if munged.at("nodeSelector") != old.at("nodeSelector") {
        validate_narrowed_selector(
            munged.at("nodeSelector"),
            old.at("nodeSelector"),
            &path.child("nodeSelector"),
            errors,
        );
        restore(&mut munged, old, "nodeSelector");
    }
    munge_node_affinity(&mut munged, old, &path.child("affinity.nodeAffinity"), errors);
    munged
}

fn restore(value: &mut Value, old: &Value, field: &str) {
    match old.get_some(field) {
        Some(old) => value.set(field, old.clone()),
        None => {
            value.take_field(field);
        }
    }
}

fn validate_narrowed_selector(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    if old.as_object().into_iter().flatten().any(|(key, value)| new.at(key) != value) {
        errors.push(path.invalid(new, "only additions to spec.nodeSelector are allowed (no mutations or deletions)"));
    }
}

fn munge_node_affinity(munged: &mut Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let new_affinity = munged.at("affinity").at("nodeAffinity");
    let old_affinity = old.at("affinity").at("nodeAffinity");
    if new_affinity == old_affinity {
        return;
    }
    validate_narrowed_affinity(new_affinity, old_affinity, path, errors);
    let only_node_affinity =
        munged.at("affinity").as_object().is_none_or(|sides| sides.keys().all(|side| side == "nodeAffinity"));
    if only_node_affinity && !old.has("affinity") {
        munged.take_field("affinity");
    } else if let Some(affinity) = munged.ensure_object("affinity") {
        restore(affinity, old.at("affinity"), "nodeAffinity");
    }
}

/// `validateNodeAffinityMutation`.
fn validate_narrowed_affinity(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let old_terms = old.at(REQUIRED).list("nodeSelectorTerms");
    let new_terms = new.at(REQUIRED).list("nodeSelectorTerms");
    let required = path.child(REQUIRED);
    let terms = required.child("nodeSelectorTerms");
    if !old_terms.is_empty() && old_terms.len() != new_terms.len() {
        let shown = new.at(REQUIRED).at("nodeSelectorTerms");
        errors.push(terms.invalid(shown, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"));
        return;
    }
    for (index, (new, old)) in new_terms.iter().zip(old_terms).enumerate() {
        if !only_adds(new, old) {
            errors.push(terms.index(index).invalid(new, "only additions are allowed (no mutations or deletions)"));
        }
    }
}

fn only_adds(new: &Value, old: &Value) -> bool {
    let lists = ["matchExpressions", "matchFields"];
    if lists.iter().all(|list| old.list(list).is_empty()) && lists.iter().any(|list| !new.list(list).is_empty()) {
        return false;
    }
    lists.iter().all(|list| new.list(list).starts_with(old.list(list)))
}

/// `ValidatePodEphemeralContainersUpdate`.
pub(in crate::objects::validation) fn validate_ephemeral_containers_update(
    new: &Value,
    old: &Value,
    errors: &mut Errors,
) {
    let options = update_options(old);
    if old.at("metadata").at("annotations").has(MIRROR) {
        errors.push(Path::root("").forbidden("static pods do not support ephemeral containers"));
        return;
    }
    validate_meta_update(new, old, errors);
    validate_metadata_and_spec(new, &options, errors);
    validate_annotation_update(new, old, &options, errors);
    let path = Path::root("spec.ephemeralContainers");
    for container in old.at("spec").list("ephemeralContainers") {
        let name = container.text("name");
        let kept = new.at("spec").list("ephemeralContainers").iter().rfind(|other| other.text("name") == name);
        let quoted = names::quoted(name);
        match kept {
            None => {
                errors.push(path.forbidden(format!("existing ephemeral containers {quoted} may not be removed\n")));
            }
            Some(kept) if kept != container => {
                errors.push(path.forbidden(format!("existing ephemeral containers {quoted} may not be changed\n")));
            }
            Some(_) => {}
        }
    }
}
