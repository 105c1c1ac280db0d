//! HorizontalPodAutoscalers (`pkg/apis/autoscaling/validation`).

use serde_json::{Value, json};

use super::checks::{POSITIVE, quantity, supported, supported_if_given};
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::network::path_segment;
use super::policy::quantity_not_negative;
use super::{Errors, FeatureGates, Path, resources};
use crate::objects::Quantity;
use crate::objects::names;
use crate::objects::wire::Wire;

const PERIOD_MAX: i64 = 1800;
const WINDOW_MAX: i64 = 3600;
const METRIC_TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];

/// How strictly the API version of a reference is taken.
#[derive(Debug, Clone, Copy)]
struct ReferenceOptions {
    allow_empty_group: bool,
    allow_invalid: bool,
}

/// `ValidateHorizontalPodAutoscaler`, `ValidateHorizontalPodAutoscalerUpdate`.
pub(super) fn validate_autoscaler(autoscaler: &Value, old: Option<&Value>, gates: FeatureGates, errors: &mut Errors) {
    match old {
        Some(old) => validate_meta_update(autoscaler, old, errors),
        None => validate_meta(autoscaler, NameRules::namespaced(names::name_is_dns_subdomain), errors),
    }
    let spec = autoscaler.at("spec");
    let old_spec = old.map(|old| old.at("spec"));
    let path = Path::root("spec");
    validate_replicas(spec, old_spec, gates, &path, errors);
    let target = spec.at("scaleTargetRef");
    let unchanged = old_spec.is_some_and(|old| {
        ["apiVersion", "kind"].iter().all(|field| old.at("scaleTargetRef").at(field) == target.at(field))
    });
    let options = ReferenceOptions {
        allow_invalid: unchanged,
        allow_empty_group: target.text("kind") == "ReplicationController",
    };
    validate_reference(target, options, &path.child("scaleTargetRef"), errors);
    validate_metrics(spec, old_spec, &path.child("metrics"), errors);
    let behavior = path.child("behavior");
    for direction in ["scaleUp", "scaleDown"] {
        if let Some(rules) = spec.at("behavior").get_some(direction) {
            validate_rules(rules, &behavior.child(direction), errors);
        }
    }
}

fn validate_replicas(spec: &Value, old: Option<&Value>, gates: FeatureGates, path: &Path<'_>, errors: &mut Errors) {
    // What reached zero before the gate was switched off may stay so.
    let may_be_zero = gates.hpa_scale_to_zero || old.is_some_and(|old| old.int_some("minReplicas") == Some(0));
    let least = i64::from(!may_be_zero);
    let (min, max) = (spec.int_some("minReplicas"), spec.int("maxReplicas"));
    if let Some(min) = min.filter(|min| *min < least) {
        errors.push(path.child("minReplicas").invalid(min, format!("must be greater than or equal to {least}")));
    }
    let path = path.child("maxReplicas");
    if max == 0 {
        errors.push(path.required("must be set and greater than 0"));
    } else if max < 0 {
        errors.push(path.invalid(max, "must be greater than or equal to 1"));
    }
    if min.is_some_and(|min| max < min) {
        errors.push(path.invalid(max, "must be greater than or equal to `minReplicas`"));
    }
}

/// `ValidateCrossVersionObjectReference`.
fn validate_reference(reference: &Value, options: ReferenceOptions, path: &Path<'_>, errors: &mut Errors) {
    for field in ["kind", "name"] {
        path_segment(reference.text(field), &path.child(field), errors);
    }
    let version = reference.text("apiVersion");
    if let Some(fault) = api_version_fault(version, options) {
        errors.push(path.child("apiVersion").invalid(version, fault));
    }
}

fn api_version_fault(version: &str, options: ReferenceOptions) -> Option<String> {
    if options.allow_invalid {
        None
    } else if version.matches('/').count() > 1 {
        Some(format!("unexpected GroupVersion string: {version}"))
    } else if !options.allow_empty_group && version.split_once('/').is_none_or(|(group, _)| group.is_empty()) {
        Some("apiVersion must specify API group".to_owned())
    } else {
        None
    }
}

fn validate_metrics(spec: &Value, old: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let strict = ReferenceOptions { allow_empty_group: true, allow_invalid: false };
    let old_invalid = old.is_some_and(|old| {
        let mut described =
            old.list("metrics").iter().map(|metric| metric.at("object").at("describedObject").text("apiVersion"));
        described.any(|version| api_version_fault(version, strict).is_some())
    });
    let options = ReferenceOptions { allow_invalid: old_invalid, ..strict };
    // The first version of the API only knows the use of CPU.
    let cpu = spec.int_some("targetCPUUtilizationPercentage").map(|percentage| {
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percentage}}}])
    });
    let metrics = cpu.as_ref().and_then(Value::as_array).map_or_else(|| spec.list("metrics"), Vec::as_slice);
    for (index, metric) in metrics.iter().enumerate() {
        validate_metric(metric, options, &path.index(index), errors);
    }
    let reaches_zero = metrics.iter().any(|metric| matches!(metric.text("type"), "Object" | "External"));
    if spec.int_some("minReplicas") == Some(0) && !reaches_zero {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(path.forbidden(detail));
    }
}

/// (type, field), in the order in which upstream looks at the fields.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

fn validate_metric(metric: &Value, options: ReferenceOptions, path: &Path<'_>, errors: &mut Errors) {
    let kind = metric.text("type");
    let type_path = path.child("type");
    if kind.is_empty() {
        errors.push(type_path.required("must specify a metric source type"));
    }
    supported(kind, &METRIC_TYPES, &type_path, errors);
    let given: Vec<&str> = SOURCES.iter().map(|(_, field)| *field).filter(|field| metric.has(field)).collect();
    if let Some(field) = given.first() {
        validate_source(field, metric.at(field), options, &path.child(field), errors);
    }
    let expected = SOURCES.iter().find(|(known, _)| *known == kind).map(|(_, field)| *field);
    match expected {
        Some(field) if !metric.has(field) => {
            errors.push(path.child(field).required("must populate information for the given metric source"));
        }
        Some(_) => {}
        None => supported(kind, &METRIC_TYPES, &type_path, errors),
    }
    if given.len() != 1 {
        for field in given.into_iter().filter(|field| Some(*field) != expected) {
            errors.push(path.child(field).forbidden("must populate the given metric source only"));
        }
    }
}

fn validate_source(field: &str, source: &Value, options: ReferenceOptions, path: &Path<'_>, errors: &mut Errors) {
    let target = source.at("target");
    let target_path = path.child("target");
    match field {
        "object" => validate_reference(source.at("describedObject"), options, &path.child("describedObject"), errors),
        "containerResource" => validate_container_source(source, path, errors),
        "resource" if source.text("name").is_empty() => {
            errors.push(path.child("name").required("must specify a resource name"));
        }
        _ => {}
    }
    if matches!(field, "object" | "external" | "pods") {
        validate_identifier(source.at("metric"), &path.child("metric.name"), errors);
    }
    validate_target(target, &target_path, errors);
    let (value, average, utilization) =
        (target.has("value"), target.has("averageValue"), target.has("averageUtilization"));
    let average_path = target_path.child("averageValue");
    match field {
        "object" if !value && !average => {
            errors.push(average_path.required("must set either a target value or averageValue"));
        }
        "external" if !value && !average => {
            errors.push(average_path.required("must set either a target value for metric or a per-pod target"));
        }
        "external" if value && average => {
            let detail = "may not set both a target value for metric and a per-pod target";
            errors.push(target_path.child("value").forbidden(detail));
        }
        "pods" if !average => errors.push(average_path.required("must specify a positive target averageValue")),
        "resource" | "containerResource" if !utilization && !average => {
            let detail = "must set either a target raw value or a target utilization";
            errors.push(target_path.child("averageUtilization").required(detail));
        }
        "resource" | "containerResource" if utilization && average => {
            errors.push(average_path.forbidden("may not set both a target raw value and a target utilization"));
        }
        _ => {}
    }
}

fn validate_container_source(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    match source.text("name") {
        "" => errors.push(path.child("name").required("must specify a resource name")),
        name => resources::container_resource_name(name, &path.child("name"), errors),
    }
    match source.text("container") {
        "" => errors.push(path.child("container").required("must specify a container")),
        name => super::checks::dns_label(name, &path.child("container"), errors),
    }
}

fn validate_identifier(metric: &Value, path: &Path<'_>, errors: &mut Errors) {
    match metric.text("name") {
        "" => errors.push(path.required("must specify a metric name")),
        name => path_segment(name, path, errors),
    }
}

fn validate_target(target: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = target.text("type");
    if kind.is_empty() {
        errors.push(path.child("type").required("must specify a metric target type"));
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        errors.push(path.child("type").invalid(kind, "must be either Utilization, Value, or AverageValue"));
    }
    for field in ["value", "averageValue"] {
        if let Some(amount) = quantity(target.at(field)).filter(|amount| *amount <= Quantity::default()) {
            errors.push(path.child(field).invalid(amount, "must be positive"));
        }
    }
    if let Some(percentage) = target.int_some("averageUtilization").filter(|percentage| *percentage < 1) {
        errors.push(path.child("averageUtilization").invalid(percentage, "must be greater than 0"));
    }
}

fn validate_rules(rules: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(window) = rules.int_some("stabilizationWindowSeconds") {
        let path = path.child("stabilizationWindowSeconds");
        if window < 0 {
            errors.push(path.invalid(window, "must be greater than or equal to zero"));
        }
        if window > WINDOW_MAX {
            errors.push(path.invalid(window, format!("must be less than or equal to {WINDOW_MAX}")));
        }
    }
    supported_if_given(rules, "selectPolicy", &["Disabled", "Max", "Min"], path, errors);
    let policies = path.child("policies");
    if rules.list("policies").is_empty() {
        errors.push(policies.required("must specify at least one Policy"));
    }
    for (index, policy) in rules.list("policies").iter().enumerate() {
        let path = policies.index(index);
        supported(policy.text("type"), &["Percent", "Pods"], &path.child("type"), errors);
        for field in ["value", "periodSeconds"] {
            if policy.int(field) <= 0 {
                errors.push(path.child(field).invalid(policy.int(field), POSITIVE));
            }
        }
        if policy.int("periodSeconds") > PERIOD_MAX {
            let detail = format!("must be less than or equal to {PERIOD_MAX}");
            errors.push(path.child("periodSeconds").invalid(policy.int("periodSeconds"), detail));
        }
    }
    quantity_not_negative(rules.at("tolerance"), &path.child("tolerance"), errors);
}
