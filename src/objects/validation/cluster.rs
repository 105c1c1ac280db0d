//! Nodes and namespaces.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::{self, joined, qualified_name, quantities, required_enum};
use super::error::Verbatim;
use super::meta::{NameRules, validate_finalizer_is_known, validate_meta, validate_meta_update};
use super::pod::TAINT_EFFECTS;
use super::resources::resource_quantity;
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::wire::Wire;

const FEATURE_NAME_MAX: usize = 253;
const POD_CIDR_FIXED: &str = "node updates may not change podCIDR except from \"\" to valid";

/// `ValidateNamespace`.
pub(super) fn validate_namespace(namespace: &Value, errors: &mut Errors) {
    validate_meta(namespace, NameRules::cluster(names::name_is_dns_label), errors);
    let path = Path::root("spec.finalizers");
    for finalizer in namespace.at("spec").texts("finalizers") {
        qualified_name(finalizer, &path, errors);
        validate_finalizer_is_known(finalizer, &path, errors);
    }
}

/// `ValidateNamespaceStatusUpdate`.
pub(super) fn validate_namespace_status_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    let path = Path::root("status.Phase");
    let phase = new.at("status").text("phase");
    let deleted = new.at("metadata").has("deletionTimestamp");
    match (deleted, phase) {
        (false, "Active") | (true, "Terminating") => {}
        (false, _) => errors.push(path.invalid(phase, "may only be 'Active' if `deletionTimestamp` is empty")),
        (true, _) => errors.push(path.invalid(phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")),
    }
}

/// `ValidateNode`.
pub(super) fn validate_node(node: &Value, errors: &mut Errors) {
    validate_meta(node, NameRules::cluster(names::name_is_dns_subdomain), errors);
    let spec = node.at("spec");
    validate_taints(spec.list("taints"), errors);
    validate_amounts(node, errors);
    if let Some(capacity) = node.at("status").at("nodeInfo").at("swap").int_some("capacity") {
        checks::positive(capacity, &Path::root("metadata.nodeSwapStatus.capacity"), errors);
    }
    validate_features(node, errors);
    validate_pod_ranges(spec, errors);
}

fn validate_pod_ranges(spec: &Value, errors: &mut Errors) {
    let path = Path::root("spec.podCIDRs");
    let ranges = spec.texts("podCIDRs");
    for (index, range) in ranges.iter().enumerate() {
        checks::legacy_cidr(range, &[], &path.index(index), errors);
    }
    let families: BTreeSet<bool> = ranges.iter().map(|range| range.contains(':')).collect();
    if ranges.len() > 2 || (ranges.len() == 2 && families.len() != 2) {
        errors.push(path.invalid(&ranges, "may specify no more than one CIDR for each IP family"));
    }
}

/// `validateNodeTaints`; upstream reports taints below `metadata`.
fn validate_taints(taints: &[Value], errors: &mut Errors) {
    let path = Path::root("metadata.taints");
    let mut seen = BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        let (key, value, effect) = (taint.text("key"), taint.text("value"), taint.text("effect"));
        qualified_name(key, &path.child("key"), errors);
        let complaints = names::label_value(value);
        if !complaints.is_empty() {
            errors.push(path.child("value").invalid(value, joined(&complaints, ";")));
        }
        required_enum(effect, &TAINT_EFFECTS, &path.child("effect"), errors);
        if !seen.insert((effect, key)) {
            let added = taint.text_some("timeAdded").map_or("null".to_owned(), names::quoted);
            let [key, value, effect] = [key, value, effect].map(names::quoted);
            let shown = format!(r#"{{"Key":{key},"Value":{value},"Effect":{effect},"TimeAdded":{added}}}"#);
            errors.push(path.duplicate(Verbatim(shown)).with_detail("taints must be unique by key and effect pair"));
        }
    }
}

/// `ValidateNodeResources`.
fn validate_amounts(node: &Value, errors: &mut Errors) {
    let status = Path::root("status");
    for list in ["capacity", "allocatable"] {
        let path = status.child(list);
        for (name, amount) in quantities(node.at("status"), list) {
            resource_quantity(name, amount, &path.child(name), errors);
        }
    }
}

fn validate_features(node: &Value, errors: &mut Errors) {
    let path = Path::root("status.declaredFeatures");
    let features = node.at("status").texts("declaredFeatures");
    for (index, feature) in features.iter().enumerate() {
        let quoted = names::quoted(feature);
        if feature.len() > FEATURE_NAME_MAX {
            let detail = format!("invalid feature name {quoted}: must be no more than 253 characters");
            errors.push(path.index(index).invalid(feature, detail));
        } else if !is_feature_name(feature) {
            let detail = format!(
                "invalid feature name {quoted}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' \
                 (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
            );
            errors.push(path.index(index).invalid(feature, detail));
        }
        let Some(next) = features.get(index + 1) else { continue };
        if feature == next {
            errors.push(path.index(index + 1).duplicate(next));
        } else if feature > next {
            errors.push(path.index(index + 1).invalid(next, "list must be sorted alphabetically"));
        }
    }
}

fn is_feature_name(name: &str) -> bool {
    let mut segments = name.split('/');
    let first = segments.next().is_some_and(|segment| segment.starts_with(|c: char| c.is_ascii_uppercase()));
    let named = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic())
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    first && name.split('/').all(named)
}

/// `ValidateNodeUpdate`, after `ValidateNode` as the strategy calls them.
pub(super) fn validate_node_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_node(new, errors);
    validate_meta_update(new, old, errors);
    validate_amounts(new, errors);
    validate_features(new, errors);
    validate_addresses(new, errors);
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    let path = Path::root("spec");
    let (ranges, old_ranges) = (spec.texts("podCIDRs"), old_spec.texts("podCIDRs"));
    if ranges.len() != old_ranges.len() && !old_ranges.is_empty() {
        errors.push(path.child("podCIDRs").forbidden(POD_CIDR_FIXED));
    } else {
        let changed = ranges.iter().zip(&old_ranges).filter(|(new, old)| new != old);
        errors.extend(changed.map(|_| path.child("podCIDRs").forbidden(POD_CIDR_FIXED)));
    }
    let provider = old_spec.text("providerID");
    if !provider.is_empty() && provider != spec.text("providerID") {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.push(path.child("providerID").forbidden(detail));
    }
    validate_taints(spec.list("taints"), errors);
    if spec.text("externalID") != old_spec.text("externalID") {
        errors.push(path.child("externalID").forbidden("may not be updated"));
    }
}

fn validate_addresses(node: &Value, errors: &mut Errors) {
    let path = Path::root("status.addresses");
    let addresses = node.at("status").list("addresses");
    for (index, address) in
        addresses.iter().enumerate().filter(|(index, address)| addresses[..*index].contains(address))
    {
        let [kind, value] = ["type", "address"].map(|field| names::quoted(address.text(field)));
        errors.push(path.index(index).duplicate(Verbatim(format!(r#"{{"Type":{kind},"Address":{value}}}"#))));
    }
}
