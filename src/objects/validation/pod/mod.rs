//! Pods and pod templates (`pkg/apis/core/validation`).

mod containers;
mod env;
mod options;
mod probes;
mod projected;
mod resize;
mod scheduling;
mod security;
mod spec;
mod status;
mod update;
mod volumes;
mod windows;

use serde_json::Value;

pub(super) use options::PodOptions;
pub(super) use resize::validate_resize;
pub(super) use scheduling::{TAINT_EFFECTS, validate_node_selector, validate_tolerations};
pub(super) use status::validate_status_update;
pub(super) use update::{validate_ephemeral_containers_update, validate_pod_update};
pub(super) use volumes::ONE_SOURCE;

use super::checks::Report;
use super::meta::{NameRules, validate_annotations, validate_meta};
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::wire::Wire;

/// A pod with this annotation mirrors a static pod of a kubelet.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// All containers of a pod spec, with the list they are in and their place there, in upstream's order.
pub(super) fn all_containers(spec: &Value) -> impl Iterator<Item = (&'static str, usize, &Value)> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(move |list| {
        spec.list(list).iter().enumerate().map(move |(index, container)| (list, index, container))
    })
}

/// `ValidatePodCreate`.
pub(super) fn validate_pod_create(pod: &Value, errors: &mut Errors) {
    let options = PodOptions { is_pod: true, ..PodOptions::default() };
    validate_metadata_and_spec(pod, &options, errors);
    let path = Path::root("spec");
    let spec = pod.at("spec");
    if !spec.list("ephemeralContainers").is_empty() {
        errors.push(path.child("ephemeralContainers").forbidden("cannot be set on create"));
    }
    if !spec.text("nodeName").is_empty() && !spec.list("schedulingGates").is_empty() {
        errors.push(path.child("nodeName").forbidden("cannot be set until all schedulingGates have been cleared"));
    }
    security::validate_profiles_agree(pod.at("metadata").at("annotations"), spec, &path, errors);
}

/// `validatePodMetadataAndSpec`.
fn validate_metadata_and_spec(pod: &Value, options: &PodOptions, errors: &mut Errors) {
    validate_meta(pod, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let (metadata, spec) = (pod.at("metadata"), pod.at("spec"));
    let metadata_path = Path::root("metadata");
    validate_pod_annotations(metadata.at("annotations"), spec, options, &metadata_path.child("annotations"), errors);
    let path = Path::root("spec");
    spec::validate_spec(spec, Some(metadata), options, &path, errors);
    if spec.text("serviceAccountName").is_empty() {
        forbid_tokens(spec, &path.child("volumes"), errors);
    }
    for list in ["containers", "initContainers"] {
        let path = path.child(list);
        for (index, container) in spec.list(list).iter().enumerate() {
            containers::validate_image_is_trimmed(container, &path.index(index), errors);
        }
    }
}

fn forbid_tokens(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (index, volume) in spec.list("volumes").iter().enumerate() {
        let volume_path = path.index(index);
        let sources = volume_path.child("projected.sources");
        for (index, source) in volume.at("projected").list("sources").iter().enumerate() {
            if source.has("serviceAccountToken") {
                let source_path = sources.index(index);
                let detail = "must not be specified when serviceAccountName is not set";
                errors.push(source_path.child("serviceAccountToken").forbidden(detail));
            }
        }
    }
}

/// `ValidatePodSpecificAnnotations`.
fn validate_pod_annotations(
    annotations: &Value,
    spec: &Value,
    options: &PodOptions,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(mirror) = annotations.text_some(MIRROR).filter(|_| spec.text("nodeName").is_empty()) {
        errors.push(path.key(MIRROR).invalid(mirror, "must set spec.nodeName if mirror pod annotation is set"));
    }
    if let Some(cost) = annotations.text_some(DELETION_COST).filter(|_| !options.allow_invalid_deletion_cost)
        && !is_deletion_cost(cost)
    {
        errors.push(path.key(DELETION_COST).invalid(cost, "must be a 32bit integer"));
    }
    security::validate_profile_annotations(annotations, spec, path, errors);
}

/// A number of 32 bits without leading zeros or a plus sign.
fn is_deletion_cost(text: &str) -> bool {
    let first = text.bytes().next();
    let spelled = match first {
        Some(b'0') => text == "0",
        Some(b'-' | b'1'..=b'9') => true,
        _ => false,
    };
    spelled && text.parse::<i32>().is_ok()
}

/// `ValidatePodTemplateSpec`.
pub(super) fn validate_template(template: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    validate_template_metadata(template, options, path, errors);
    let (annotations, spec) = (template.at("metadata").at("annotations"), template.at("spec"));
    let spec_path = path.child("spec");
    spec::validate_spec(spec, None, options, &spec_path, errors);
    security::validate_profiles_agree(annotations, spec, &spec_path, errors);
    if !spec.list("ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(spec_path.child("ephemeralContainers").forbidden(detail));
    }
}

/// The labels and annotations of a template, whose paths leave `metadata` out.
pub(super) fn validate_template_metadata(template: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let metadata = template.at("metadata");
    super::labels::validate_labels(metadata.at("labels"), &path.child("labels"), errors);
    validate_annotations(metadata.at("annotations"), &path.child("annotations"), errors);
    validate_pod_annotations(
        metadata.at("annotations"),
        template.at("spec"),
        options,
        &path.child("annotations"),
        errors,
    );
}

/// A name that a pod's spec refers to.
fn validate_name(name: &str, check: fn(&str, bool) -> names::Complaints, path: &Path<'_>, errors: &mut Errors) {
    if !name.is_empty() {
        errors.complain(path, name, check(name, false));
    }
}
