//! Quantities: rounding, pod-level resources, QoS class, limit ranges and quotas.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::objects::Quantity;
use crate::objects::wire::{Wire, WireMut};

/// Amounts by resource name.
pub type ResourceAmounts = BTreeMap<String, Quantity>;

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

/// The list of quantities in a field; what is not a quantity is left out.
pub(in crate::objects) fn amounts(owner: &Value, list: &str) -> ResourceAmounts {
    let parse = |(name, value): (&str, &Value)| Some((name.to_owned(), value.as_str()?.parse().ok()?));
    owner.entries(list).into_iter().filter_map(parse).collect()
}

/// The sum of what the containers of a pod spec request: the larger of what runs together and what its init containers
/// need one after the other, without pod-level resources and overhead.
pub fn pod_requests(spec: &Value) -> ResourceAmounts {
    aggregate(spec, "requests")
}

/// The same for limits.
pub fn pod_limits(spec: &Value) -> ResourceAmounts {
    aggregate(spec, "limits")
}

fn aggregate(spec: &Value, list: &str) -> ResourceAmounts {
    let mut total = ResourceAmounts::new();
    for container in spec.list("containers") {
        add(&mut total, &amounts(container.at("resources"), list));
    }
    let mut sidecars = ResourceAmounts::new();
    let mut starting = ResourceAmounts::new();
    for container in spec.list("initContainers") {
        let mut needed = amounts(container.at("resources"), list);
        if container.text("restartPolicy") == "Always" {
            add(&mut total, &needed);
            add(&mut sidecars, &needed);
            needed.clone_from(&sidecars);
        } else {
            add(&mut needed, &sidecars);
        }
        raise(&mut starting, &needed);
    }
    raise(&mut total, &starting);
    total
}

fn add(total: &mut ResourceAmounts, more: &ResourceAmounts) {
    for (name, amount) in more {
        total.entry(name.clone()).and_modify(|sum| *sum += *amount).or_insert(*amount);
    }
}

fn raise(total: &mut ResourceAmounts, other: &ResourceAmounts) {
    for (name, amount) in other {
        total.entry(name.clone()).and_modify(|highest| *highest = (*highest).max(*amount)).or_insert(*amount);
    }
}

/// Whether a resource can be given for a whole pod.
pub(in crate::objects) fn is_pod_level_resource(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
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
    for (name, amount) in pod_requests(spec) {
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
    for (name, amount) in pod_limits(spec) {
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

/// The QoS class of a pod spec: `Guaranteed`, `Burstable` or `BestEffort` (`ComputePodQOS`).
pub fn qos_class(spec: &Value) -> &'static str {
    let mut requests = ResourceAmounts::new();
    let mut limits = ResourceAmounts::new();
    let mut all_limited = true;
    let containers =
        spec.list("containers").iter().chain(spec.list("initContainers")).map(|container| container.at("resources"));
    let pod_level = spec.get_some("resources");
    let requirements: Vec<&Value> = pod_level.map_or_else(|| containers.collect(), |resources| vec![resources]);
    for resources in requirements {
        add(&mut requests, &qos_amounts(resources, "requests"));
        let limited = qos_amounts(resources, "limits");
        let ignored = pod_level.is_some() && resources.entries("limits").is_empty();
        all_limited &= limited.len() == 2 || ignored;
        add(&mut limits, &limited);
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let equal =
        requests.len() == limits.len() && requests.iter().all(|(name, amount)| limits.get(name) == Some(amount));
    if all_limited && equal { "Guaranteed" } else { "Burstable" }
}

/// The amounts of cpu and memory that are above zero.
fn qos_amounts(resources: &Value, list: &str) -> ResourceAmounts {
    let mut amounts = amounts(resources, list);
    amounts.retain(|name, amount| matches!(&**name, "cpu" | "memory") && *amount > Quantity::default());
    amounts
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
