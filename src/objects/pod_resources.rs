//! What pods ask for: sums over their containers, pod-level resources, overhead, QoS class (upstream
//! `k8s.io/component-helpers/resource` and `pkg/apis/core/v1/helper/qos`).
//!
//! All of it reads the wire form, whose quantities keep their format: `1Gi` and `512Mi` make `1536Mi`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pod_spec::QosClass;
use super::quantity::Quantity;
use super::wire::Wire;

/// Amounts by resource name.
pub type ResourceAmounts = BTreeMap<String, Quantity>;

/// How the resources of a pod are added up.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceOptions<'a> {
    /// The pod's status in wire form: what an in-place resize has allocated or put into effect counts too.
    pub status: Option<&'a Value>,
    /// Leave `spec.overhead` out.
    pub without_overhead: bool,
    /// Leave `spec.resources` out.
    pub without_pod_level: bool,
    /// What a container counts that does not name a resource.
    pub unnamed: Option<&'a ResourceAmounts>,
}

/// The amounts of the list in a field.
pub(super) fn amounts(owner: &impl Wire, list: &str) -> ResourceAmounts {
    listed(owner.at(list))
}

/// The amounts of a list; what is not a quantity is left out.
#[must_use]
pub fn listed(list: &Value) -> ResourceAmounts {
    let entries = list.as_object().into_iter().flatten();
    entries.filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.parse().ok()?))).collect()
}

/// What a pod's spec requests, pod-level resources and overhead included (`PodRequests`).
#[must_use]
pub fn pod_requests(spec: &impl Wire, options: ResourceOptions<'_>) -> ResourceAmounts {
    let mut total = aggregate(spec, List::Requests, options);
    if !options.without_pod_level {
        take_pod_level(&mut total, spec, List::Requests);
    }
    if !options.without_overhead {
        add(&mut total, &amounts(spec, "overhead"));
    }
    total
}

/// What a pod's spec is limited to, pod-level resources included, and overhead where there is a limit other than zero
/// (`PodLimits`).
#[must_use]
pub fn pod_limits(spec: &impl Wire, options: ResourceOptions<'_>) -> ResourceAmounts {
    let mut total = aggregate(spec, List::Limits, options);
    if !options.without_pod_level {
        take_pod_level(&mut total, spec, List::Limits);
    }
    if !options.without_overhead {
        for (name, overhead) in amounts(spec, "overhead") {
            if let Some(limit) = total.get_mut(&name).filter(|limit| !limit.is_zero()) {
                *limit += overhead;
            }
        }
    }
    total
}

/// What the containers of a pod's spec request: the larger of what runs together and what its init containers need one
/// after the other, without pod-level resources and overhead (`AggregateContainerRequests`).
#[must_use]
pub fn container_requests(spec: &impl Wire) -> ResourceAmounts {
    aggregate(spec, List::Requests, ResourceOptions::default())
}

/// The same for limits (`AggregateContainerLimits`).
#[must_use]
pub fn container_limits(spec: &impl Wire) -> ResourceAmounts {
    aggregate(spec, List::Limits, ResourceOptions::default())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Requests,
    Limits,
}

impl List {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

fn aggregate(spec: &impl Wire, list: List, options: ResourceOptions<'_>) -> ResourceAmounts {
    let needed = |container: &Value, resizable: bool| {
        let mut needed = amounts(container.at("resources"), list.as_str());
        if let Some(status) = options.status.filter(|_| resizable) {
            needed = effective(needed, container.text("name"), status, list);
        }
        for (name, amount) in options.unnamed.into_iter().flatten() {
            needed.entry(name.clone()).or_insert(*amount);
        }
        needed
    };
    let mut total = ResourceAmounts::new();
    for container in spec.list("containers") {
        add(&mut total, &needed(container, true));
    }
    let mut sidecars = ResourceAmounts::new();
    let mut starting = ResourceAmounts::new();
    for container in spec.list("initContainers") {
        let is_sidecar = container.text("restartPolicy") == "Always";
        let mut needed = needed(container, is_sidecar);
        if is_sidecar {
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

/// What counts for a container while it is resized (`determineEffectiveRequests`, `determineEffectiveLimits`): the most of
/// what is asked for, allocated and in effect; what is asked for does not count if the node cannot have it.
fn effective(asked: ResourceAmounts, name: &str, status: &Value, list: List) -> ResourceAmounts {
    // A name is used once in a pod; of two entries the later would be found.
    let statuses = status.list("initContainerStatuses").iter().chain(status.list("containerStatuses"));
    let found = statuses.rev().find(|status| status.text("name") == name);
    let Some(resources) = found.and_then(|found| found.get_some("resources")) else { return asked };
    let pending = status.list("conditions").iter().find(|condition| condition.text("type") == "PodResizePending");
    let is_infeasible = pending.is_some_and(|condition| condition.text("reason") == "Infeasible");
    let mut most = if is_infeasible { ResourceAmounts::new() } else { asked };
    raise(&mut most, &amounts(resources, list.as_str()));
    if let Some(found) = found.filter(|_| list == List::Requests) {
        raise(&mut most, &amounts(found, "allocatedResources"));
    }
    most
}

/// Pod-level amounts stand in for those of the containers.
fn take_pod_level(total: &mut ResourceAmounts, spec: &impl Wire, list: List) {
    let pod_level = amounts(spec.at("resources"), list.as_str());
    total.extend(pod_level.into_iter().filter(|(name, _)| is_pod_level_resource(name)));
}

fn add(total: &mut ResourceAmounts, more: &ResourceAmounts) {
    for (name, amount) in more {
        total.entry(name.clone()).and_modify(|sum| *sum += *amount).or_insert(*amount);
    }
}

fn raise(total: &mut ResourceAmounts, other: &ResourceAmounts) {
    for (name, amount) in other {
        match total.get(name) {
            Some(highest) if *highest >= *amount => {}
            _ => drop(total.insert(name.clone(), *amount)),
        }
    }
}

/// Whether a resource can be given for a whole pod.
pub(super) fn is_pod_level_resource(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// The QoS class of a pod's spec (`ComputePodQOS`): of pod-level resources if there are any, else of all containers but the
/// ephemeral ones.
#[must_use]
pub fn qos_class(spec: &Value) -> QosClass {
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
        return QosClass::BestEffort;
    }
    let equal =
        requests.len() == limits.len() && requests.iter().all(|(name, amount)| limits.get(name) == Some(amount));
    if all_limited && equal { QosClass::Guaranteed } else { QosClass::Burstable }
}

/// The amounts of cpu and memory that are above zero.
fn qos_amounts(resources: &Value, list: &str) -> ResourceAmounts {
    let mut amounts = amounts(resources, list);
    amounts.retain(|name, amount| matches!(&**name, "cpu" | "memory") && *amount > Quantity::default());
    amounts
}
