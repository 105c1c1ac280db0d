//! Quantities: rounding, pod-level resources, limit ranges and quotas.

use serde_json::{Map, Value};

use crate::objects::Quantity;
use crate::objects::pod_resources::{container_limits, container_requests, is_pod_level_resource};
use crate::objects::wire::{Wire, WireMut};

/// Quantities finer than a thousandth are rounded up (`SetDefaults_ResourceList`).
pub(super) fn round_up(owner: &mut Value, list: &str) {
    let Some(Value::Object(amounts)) = owner.object_mut(list) else { return };
    for amount in amounts.values_mut() {
        let Some(mut quantity) = amount.as_str().and_then(|text| text.parse::<Quantity>().ok()) else { continue };
        quantity.round_up(-3);
        *amount = Value::String(quantity.to_string());
    }
}

pub(super) fn round_up_requirements(requirements: &mut Value) {
    round_up(requirements, "limits");
    round_up(requirements, "requests");
}

/// `defaultHugePagePodLimits` and `defaultPodRequests`: what a pod-level limit implies.
pub(super) fn default_pod_level(spec: &mut Value) {
    if !spec.at("resources").is_object() {
        return;
    }
    default_pod_level_limits(spec);
    if spec.at("resources").entries("limits").is_empty() {
        return;
    }
    let mut requests = spec.at("resources").at("requests").as_object().cloned().unwrap_or_default();
    for (name, amount) in container_requests(spec) {
        if matches!(&*name, "cpu" | "memory") && !requests.contains_key(&name) {
            requests.insert(name, Value::String(amount.to_string()));
        }
    }
    for (name, limit) in spec.at("resources").entries("limits") {
        if is_pod_level_resource(name) && !requests.contains_key(name) {
            requests.insert(name.to_owned(), limit.clone());
        }
    }
    set_unless_empty(spec, "requests", requests);
}

fn default_pod_level_limits(spec: &mut Value) {
    let resources = spec.at("resources");
    if resources.entries("limits").is_empty() && resources.entries("requests").is_empty() {
        return;
    }
    let mut limits = resources.at("limits").as_object().cloned().unwrap_or_default();
    for (name, amount) in container_limits(spec) {
        let implied = name.starts_with("hugepages-") && !resources.at("requests").has(&name);
        if implied && !limits.contains_key(&name) {
            limits.insert(name, Value::String(amount.to_string()));
        }
    }
    set_unless_empty(spec, "limits", limits);
}

fn set_unless_empty(spec: &mut Value, list: &str, amounts: Map<String, Value>) {
    if let Some(resources) = spec.object_mut("resources").filter(|_| !amounts.is_empty()) {
        resources.set(list, amounts);
    }
}

/// `SetDefaults_LimitRangeItem`.
pub(super) fn default_limit_range(range: &mut Value) {
    let Some(spec) = range.ensure_object("spec") else { return };
    for item in spec.list_mut("limits") {
        if item.text("type") == "Container" {
            fill_from(item, "max", "default");
            fill_from(item, "default", "defaultRequest");
            fill_from(item, "min", "defaultRequest");
        }
        for list in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            round_up(item, list);
        }
    }
}

fn fill_from(item: &mut Value, source: &str, target: &str) {
    let Some(amounts) = item.at(source).as_object().cloned() else { return };
    let Some(target) = item.ensure_object(target) else { return };
    for (name, amount) in amounts {
        target.default_to(&name, amount);
    }
}

pub(super) fn default_resource_quota(quota: &mut Value) {
    for (part, lists) in [("spec", &["hard"][..]), ("status", &["hard", "used"])] {
        let Some(part) = quota.object_mut(part) else { continue };
        lists.iter().for_each(|list| round_up(part, list));
    }
}
