//! Disruption budgets, priorities, quotas, limit ranges, storage and runtime classes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::checks::{
    self, NOT_NEGATIVE, fields_not_negative, immutable, qualified_name, quantities, required_enum, supported,
    supported_if_given,
};
use super::error::Verbatim;
use super::labels::validate_selector;
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::pod::{PodOptions, validate_tolerations};
use super::resources::{self, RequirementOptions};
use super::workloads::{at_most_all, has_invalid_values, int_or_percent};
use super::{Errors, Path};
use crate::objects::Quantity;
use crate::objects::names;
use crate::objects::wire::Wire;

const HIGHEST_USER_PRIORITY: i64 = 1_000_000_000;

/// (name, value) of the priority classes that exist from the start.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

/// `ValidatePodDisruptionBudget`.
pub(super) fn validate_budget(budget: &Value, old: Option<&Value>, errors: &mut Errors) {
    let path = Path::root("spec");
    let spec = budget.at("spec");
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        errors.push(path.invalid(shown_budget(spec), "minAvailable and maxUnavailable cannot be both set"));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        if let Some(value) = spec.get_some(field) {
            int_or_percent(value, &path.child(field), errors);
            at_most_all(value, &path.child(field), errors);
        }
    }
    let lenient = old.is_some_and(|old| has_invalid_values(old.at("spec").at("selector")));
    validate_selector(spec.at("selector"), lenient, &path.child("selector"), errors);
    supported_if_given(spec, "unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"], &path, errors);
}

fn shown_budget(spec: &Value) -> Verbatim {
    use super::error::Shown;
    let [min, selector, max, policy] = ["minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy"]
        .map(|field| spec.at(field).shown());
    Verbatim(format!(
        r#"{{"MinAvailable":{min},"Selector":{selector},"MaxUnavailable":{max},"UnhealthyPodEvictionPolicy":{policy}}}"#
    ))
}

/// `ValidatePodDisruptionBudgetStatusUpdate`, as far as its numbers go.
pub(super) fn validate_budget_status(new: &Value, errors: &mut Errors) {
    let numbers = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    fields_not_negative(new.at("status"), &numbers, &Path::root("status"), errors);
}

/// `ValidatePriorityClass`.
pub(super) fn validate_priority_class(class: &Value, errors: &mut Errors) {
    validate_meta(class, NameRules::cluster(names::name_is_dns_subdomain), errors);
    let (name, value) = (class.at("metadata").text("name"), class.int("value"));
    if name.starts_with("system-") {
        if let Some(fault) = system_class_fault(name, value, class.flag("globalDefault")) {
            let detail =
                format!("priority class names with 'system-' prefix are reserved for system use only. error: {fault}");
            errors.push(Path::root("metadata.name").forbidden(detail));
        }
    } else if value > HIGHEST_USER_PRIORITY {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}");
        errors.push(Path::root("value").forbidden(detail));
    }
    if let Some(policy) = class.text_some("preemptionPolicy") {
        required_enum(policy, &["PreemptLowerPriority", "Never"], &Path::root("preemptionPolicy"), errors);
    }
}

fn system_class_fault(name: &str, value: i64, global_default: bool) -> Option<String> {
    let Some((_, expected)) = SYSTEM_CLASSES.iter().find(|(known, _)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if value != *expected {
        Some(format!("value of {name} PriorityClass must be {expected}"))
    } else if global_default {
        Some(format!("globalDefault of {name} PriorityClass must be false"))
    } else {
        None
    }
}

/// `ValidatePriorityClassUpdate`.
pub(super) fn validate_priority_class_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    if new.int("value") != old.int("value") {
        errors.push(Path::root("value").forbidden("may not be changed in an update."));
    }
    immutable(new.at("preemptionPolicy"), old.at("preemptionPolicy"), &Path::root("preemptionPolicy"), errors);
}

/// `ValidateStorageClass`.
pub(super) fn validate_storage_class(class: &Value, errors: &mut Errors) {
    validate_meta(class, NameRules::cluster(names::name_is_dns_subdomain), errors);
    let provisioner = class.text("provisioner");
    let path = Path::root("provisioner");
    if provisioner.is_empty() {
        errors.push(path.required(""));
    } else {
        qualified_name(&provisioner.to_lowercase(), &path, errors);
    }
    validate_parameters(class, errors);
    if let Some(policy) = class.text_some("reclaimPolicy").filter(|policy| !policy.is_empty()) {
        supported(policy, &["Delete", "Retain"], &Path::root("reclaimPolicy"), errors);
    }
    let path = Path::root("volumeBindingMode");
    match class.text_some("volumeBindingMode") {
        None => errors.push(path.required("")),
        Some(mode) => supported(mode, &["Immediate", "WaitForFirstConsumer"], &path, errors),
    }
    validate_topologies(class.list("allowedTopologies"), &Path::root("allowedTopologies"), errors);
}

const PARAMETERS_MAX: usize = 512;
const PARAMETERS_SIZE_MAX: usize = 256 * 1024;

fn validate_parameters(class: &Value, errors: &mut Errors) {
    let path = Path::root("parameters");
    let parameters = class.text_entries("parameters");
    if parameters.len() > PARAMETERS_MAX {
        errors.push(path.too_long(PARAMETERS_MAX));
        return;
    }
    if let Some((key, _)) = parameters.iter().find(|(key, _)| key.is_empty()) {
        errors.push(path.invalid(key, "field can not be empty."));
    }
    let size: usize = parameters.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > PARAMETERS_SIZE_MAX {
        errors.push(path.too_long(PARAMETERS_SIZE_MAX));
    }
}

fn validate_topologies(terms: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut seen: Vec<BTreeMap<&str, BTreeSet<&str>>> = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let at = path.index(index);
        let expressions = at.child("matchLabelExpressions");
        let mut by_key: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (index, expression) in term.list("matchLabelExpressions").iter().enumerate() {
            let path = expressions.index(index);
            let values_path = path.child("values");
            let values = expression.texts("values");
            if values.is_empty() {
                errors.push(values_path.required(""));
            }
            let mut unique = BTreeSet::new();
            for (index, value) in values.into_iter().enumerate() {
                if !unique.insert(value) {
                    errors.push(values_path.index(index).duplicate(value));
                }
            }
            let key = expression.text("key");
            qualified_name(key, &path.child("key"), errors);
            if by_key.insert(key, unique).is_some() {
                errors.push(path.child("key").duplicate(key));
            }
        }
        if seen.contains(&by_key) {
            errors.push(expressions.duplicate(""));
        }
        seen.push(by_key);
    }
}

/// `ValidateStorageClass` and `ValidateStorageClassUpdate`, as the strategy calls them.
pub(super) fn validate_storage_class_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_storage_class(new, errors);
    validate_meta_update(new, old, errors);
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        immutable(new.at(field), old.at(field), &Path::root(field), errors);
    }
}

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];
const OPPOSITES: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

fn is_scope_valid_for(scope: &str, resource: &str) -> bool {
    let compute = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ if SCOPES.contains(&scope) => resource == "pods" || compute.contains(&resource),
        _ => true,
    }
}

/// `ValidateResourceQuota`.
pub(super) fn validate_quota(quota: &Value, errors: &mut Errors) {
    validate_meta(quota, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    validate_quota_spec(quota.at("spec"), &Path::root("spec"), errors);
    validate_quota_status(quota, errors);
}

pub(super) fn validate_quota_status(quota: &Value, errors: &mut Errors) {
    for list in ["hard", "used"] {
        validate_quota_amounts(quota.at("status"), list, &Path::root("status"), errors);
    }
}

fn validate_quota_amounts(owner: &Value, list: &str, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child(list);
    for (name, amount) in quantities(owner, list) {
        resources::quota_resource_name(name, &path.key(name), errors);
        resources::resource_quantity(name, amount, &path.key(name), errors);
    }
}

fn validate_quota_spec(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_quota_amounts(spec, "hard", path, errors);
    let limited: Vec<&str> = spec.entries("hard").into_iter().map(|(name, _)| name).collect();
    let misapplied = |scope: &str| {
        let standard = limited.iter().filter(|name| resources::is_standard_quota_resource(name));
        standard.filter(|name| !is_scope_valid_for(scope, name)).count()
    };
    let scopes = spec.texts("scopes");
    let scopes_path = path.child("scopes");
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errors.push(scopes_path.invalid(&scopes, "unsupported scope"));
        }
        let detail = "unsupported scope applied to resource";
        errors.extend((0..misapplied(scope)).map(|_| scopes_path.invalid(&scopes, detail)));
    }
    conflicting(&scopes, &scopes, &scopes_path, errors);
    let Some(selector) = spec.get_some("scopeSelector") else { return };
    let path = path.child("scopeSelector.matchExpressions");
    let mut selected = Vec::new();
    for requirement in selector.list("matchExpressions") {
        let scope = requirement.text("scopeName");
        validate_scope_requirement(requirement, &path, errors, misapplied(scope), selector);
        selected.push(scope);
    }
    conflicting(&selected, &scopes, &path, errors);
}

fn conflicting(scopes: &[&str], shown: &Vec<&str>, path: &Path<'_>, errors: &mut Errors) {
    for pair in OPPOSITES {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.push(path.invalid(shown, "conflicting scopes"));
        }
    }
}

fn validate_scope_requirement(
    requirement: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
    misapplied: usize,
    selector: &Value,
) {
    let (scope, operator) = (requirement.text("scopeName"), requirement.text("operator"));
    if !SCOPES.contains(&scope) {
        errors.push(path.child("scopeName").invalid(scope, "unsupported scope"));
    }
    errors.extend((0..misapplied).map(|_| path.invalid(selector, "unsupported scope applied to resource")));
    let by_existence = SCOPES.contains(&scope) && !matches!(scope, "PriorityClass" | "VolumeAttributesClass");
    if by_existence && operator != "Exists" {
        let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, \
                      ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.push(path.child("operator").invalid(operator, detail));
    }
    let values = requirement.texts("values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.push(path.child("values").required(detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.push(path.child("values").invalid(values, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.push(path.child("operator").invalid(operator, "not a valid selector operator")),
    }
}

/// `ValidateResourceQuotaUpdate`.
pub(super) fn validate_quota_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    validate_quota_spec(new.at("spec"), &Path::root("spec"), errors);
    let set = |quota: &'_ Value| -> BTreeSet<String> {
        quota.at("spec").texts("scopes").into_iter().map(str::to_owned).collect()
    };
    if set(new) != set(old) {
        errors.push(Path::root("spec.scopes").invalid(new.at("spec").texts("scopes"), checks::IMMUTABLE));
    }
}

/// `ValidateLimitRange`.
pub(super) fn validate_limit_range(range: &Value, errors: &mut Errors) {
    validate_meta(range, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let path = Path::root("spec.limits");
    let mut types = BTreeSet::new();
    for (index, limit) in range.at("spec").list("limits").iter().enumerate() {
        let path = path.index(index);
        let kind = limit.text("type");
        validate_limit_type(kind, &path.child("type"), errors);
        if !types.insert(kind) {
            errors.push(path.child("type").duplicate(kind));
        }
        validate_limit(limit, kind, &path, errors);
    }
}

fn validate_limit_type(kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let before = errors.len();
    qualified_name(kind, path, errors);
    let known = matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim");
    if errors.len() == before && !kind.contains('/') && !known {
        errors.push(path.invalid(kind, "must be a standard limit type or fully qualified"));
    }
}

type Amounts<'a> = BTreeMap<&'a str, Quantity>;

fn validate_limit(limit: &Value, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let read = |list: &str, errors: &mut Errors| {
        let list_path = path.child(list);
        for (name, _) in limit.entries(list) {
            if matches!(kind, "Pod" | "Container") {
                resources::container_resource_name(name, &list_path.key(name), errors);
            } else {
                resources::resource_name(name, &list_path.key(name), errors);
            }
        }
    };
    let amounts = |list: &str| -> Amounts<'_> { quantities(limit, list).into_iter().collect() };
    read("max", errors);
    read("min", errors);
    let (max, min) = (amounts("max"), amounts("min"));
    let (mut default, mut request) = (Amounts::new(), Amounts::new());
    if kind == "Pod" {
        for list in ["default", "defaultRequest"] {
            if !limit.entries(list).is_empty() {
                errors.push(path.child(list).forbidden("may not be specified when `type` is 'Pod'"));
            }
        }
    } else {
        read("default", errors);
        read("defaultRequest", errors);
        (default, request) = (amounts("default"), amounts("defaultRequest"));
    }
    if kind == "PersistentVolumeClaim" && !min.contains_key("storage") && !max.contains_key("storage") {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(path.child("limits").required(detail));
    }
    read("maxLimitRequestRatio", errors);
    let ratio = amounts("maxLimitRequestRatio");
    let names: BTreeSet<&str> =
        [&max, &min, &default, &request, &ratio].into_iter().flat_map(|list| list.keys().copied()).collect();
    for name in names {
        let of = |list: &Amounts<'_>| list.get(name).copied();
        let bounds =
            Bounds { min: of(&min), max: of(&max), default: of(&default), request: of(&request), ratio: of(&ratio) };
        validate_bounds(name, bounds, path, errors);
    }
}

/// What a limit range says about one resource.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    min: Option<Quantity>,
    max: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

fn validate_bounds(name: &str, bounds: Bounds, path: &Path<'_>, errors: &mut Errors) {
    let Bounds { min, max, default, request, ratio } = bounds;
    let list = |list: &'static str| path.child(list);
    let mut ordered =
        |low: Option<Quantity>, high: Option<Quantity>, at: &'static str, shown: Option<Quantity>, words: [&str; 2]| {
            if let (Some(low), Some(high), Some(shown)) = (low, high, shown)
                && low > high
            {
                let [low_words, high_words] = words;
                let detail = format!("{low_words} value {low} is greater than {high_words} value {high}");
                errors.push(list(at).key(name).invalid(shown, detail));
            }
        };
    ordered(min, max, "min", min, ["min", "max"]);
    ordered(min, request, "defaultRequest", request, ["min", "default request"]);
    ordered(request, max, "defaultRequest", request, ["default request", "max"]);
    ordered(request, default, "defaultRequest", request, ["default request", "default limit"]);
    ordered(min, default, "default", min, ["min", "default"]);
    ordered(default, max, "default", max, ["default", "max"]);
    if let Some(ratio) = ratio {
        validate_ratio(ratio, min, max, &list("maxLimitRequestRatio").key(name), errors);
    }
    if let (Some(default), Some(request)) = (default, request)
        && default != request
        && !resources::is_overcommit_allowed(name)
    {
        let detail = format!("default value {default} must equal to defaultRequest value {request} in {name}");
        errors.push(list("defaultRequest").key(name).invalid(request, detail));
    }
}

fn validate_ratio(ratio: Quantity, min: Option<Quantity>, max: Option<Quantity>, path: &Path<'_>, errors: &mut Errors) {
    if ratio.milli_value() < 1000 {
        errors.push(path.invalid(ratio, format!("ratio {ratio} is less than 1")));
    }
    let (Some(min), Some(max)) = (min, max) else { return };
    let small = [ratio, min, max].iter().all(|amount| amount.value() < i64::MAX / 1000);
    let (most, low, high) = if small {
        (ratio.milli_value() as f64 / 1000.0, min.milli_value(), max.milli_value())
    } else {
        (ratio.value() as f64, min.value(), max.value())
    };
    let limit = high as f64 / low as f64;
    if most > limit {
        errors.push(path.invalid(ratio, format!("ratio {ratio} is greater than max/min = {limit:.6}")));
    }
}

/// `ValidateRuntimeClass`.
pub(super) fn validate_runtime_class(class: &Value, errors: &mut Errors) {
    validate_meta(class, NameRules::cluster(names::name_is_dns_subdomain), errors);
    let handler = class.text("handler");
    let path = Path::root("handler");
    if handler.is_empty() {
        errors.push(path.required(""));
    } else {
        checks::dns_label(handler, &path, errors);
    }
    if let Some(overhead) = class.get_some("overhead") {
        let limits = serde_json::json!({"limits": overhead.at("podFixed")});
        let none = BTreeSet::new();
        let options = RequirementOptions { pod_level: false, allow_broken_pages: false, claims: &none };
        resources::validate_requirements(&limits, options, &Path::root("overhead"), errors);
    }
    let Some(scheduling) = class.get_some("scheduling") else { return };
    super::labels::validate_labels(scheduling.at("nodeSelector"), &Path::root("scheduling.nodeSelector"), errors);
    let path = Path::root("scheduling.tolerations");
    let tolerations = scheduling.list("tolerations");
    validate_tolerations(tolerations, &PodOptions::default(), &path, errors);
    let key =
        |toleration: &Value| ["key", "operator", "value", "effect"].map(|field| toleration.text(field).to_owned());
    for (index, toleration) in tolerations.iter().enumerate() {
        if tolerations[..index].iter().any(|other| key(other) == key(toleration)) {
            errors.push(path.index(index).duplicate(toleration));
        }
    }
}

/// `ValidateRuntimeClass` and `ValidateRuntimeClassUpdate`, as the strategy calls them.
pub(super) fn validate_runtime_class_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_runtime_class(new, errors);
    validate_meta_update(new, old, errors);
    immutable(new.at("handler"), old.at("handler"), &Path::root("handler"), errors);
}

/// An amount that may be zero but not less.
pub(super) fn quantity_not_negative(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(amount) = checks::quantity(value).filter(|amount| *amount < Quantity::default()) {
        errors.push(path.invalid(amount, NOT_NEGATIVE));
    }
}
