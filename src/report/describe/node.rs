//! `describe node` (upstream `describeNode`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::events_about;
use super::parts::{events, instant, labels_and_annotations, list, or_none, or_unset, rfc1123};
use super::tabs::TabWriter;
use crate::objects::pod_resources::{ResourceAmounts, ResourceOptions, listed, pod_limits, pod_requests};
use crate::objects::wire::Wire;
use crate::objects::{Key, Node, Pod, Quantity, Resource};
use crate::report::printers::node_roles;
use crate::report::table::age;
use crate::sim::Simulation;

/// Namespace of the leases by which nodes show that they live.
const NODE_LEASES: &str = "kube-node-lease";

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, node: &Node) {
    let (meta, wire) = (&node.meta, node.to_wire());
    let (spec, status) = (wire.at("spec"), wire.at("status"));
    out.field(0, "Name", &meta.name);
    out.field(0, "Roles", or_none(&node_roles(node).join(",")));
    labels_and_annotations(out, meta);
    out.field(0, "CreationTimestamp", meta.creation_timestamp.map_or_else(String::new, rfc1123));
    taints(out, spec.list("taints"));
    out.field(0, "Unschedulable", node.spec.unschedulable);
    lease(out, sim, &meta.name);
    conditions(out, status.list("conditions"));
    out.line(0, "Addresses:");
    for address in status.list("addresses") {
        out.field(1, address.text("type"), address.text("address"));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let amounts = listed(status.at(field));
        if !amounts.is_empty() {
            out.line(0, format_args!("{title}:"));
        }
        amounts.iter().for_each(|(name, amount)| out.field(1, name, amount));
    }
    system_info(out, status.at("nodeInfo"));
    let ranges = spec.texts("podCIDRs").join(",");
    for (title, text) in
        [("PodCIDR", spec.text("podCIDR")), ("PodCIDRs", &*ranges), ("ProviderID", spec.text("providerID"))]
    {
        if !text.is_empty() {
            out.field(0, title, text);
        }
    }
    pods(out, sim, node, status);
    events(out, events_about(sim, meta), sim.wall());
}

/// Upstream `printNodeTaintsMultiline`: by effect and key.
fn taints(out: &mut TabWriter, taints: &[Value]) {
    let mut sorted: Vec<&Value> = taints.iter().collect();
    sorted.sort_by_key(|taint| (taint.text("effect"), taint.text("key")));
    list(out, "Taints", sorted.into_iter().map(taint));
}

/// Upstream `Taint.ToString`.
fn taint(taint: &Value) -> String {
    let [key, value, effect] = ["key", "value", "effect"].map(|name| taint.text(name));
    match (value, effect) {
        ("", "") => key.to_owned(),
        ("", effect) => format!("{key}:{effect}"),
        (value, "") => format!("{key}={value}:"),
        (value, effect) => format!("{key}={value}:{effect}"),
    }
}

fn lease(out: &mut TabWriter, sim: &Simulation, node: &Arc<str>) {
    let Some(lease) = sim.view().leases.get(&Key::new(NODE_LEASES, Arc::clone(node))) else {
        return out.field(
            0,
            "Lease",
            format_args!("Failed to get lease: leases.coordination.k8s.io {node:?} not found"),
        );
    };
    let wire = lease.to_wire();
    let spec = wire.at("spec");
    let moment = |name: &str| or_unset(spec.get_some(name).map(instant));
    out.line(0, "Lease:");
    out.field(1, "HolderIdentity", or_unset(spec.text_some("holderIdentity")));
    out.field(1, "AcquireTime", moment("acquireTime"));
    out.field(1, "RenewTime", moment("renewTime"));
}

fn conditions(out: &mut TabWriter, conditions: &[Value]) {
    if conditions.is_empty() {
        return;
    }
    out.line(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
    out.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for condition in conditions {
        let [kind, status, reason, message] = ["type", "status", "reason", "message"].map(|name| condition.text(name));
        let [heartbeat, since] = ["lastHeartbeatTime", "lastTransitionTime"].map(|name| instant(condition.at(name)));
        out.line(1, format_args!("{kind} \t{status} \t{heartbeat} \t{since} \t{reason} \t{message}"));
    }
}

fn system_info(out: &mut TabWriter, info: &Value) {
    out.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        out.field(1, title, info.text(field));
    }
}

/// What is on the node and how much of it that takes (upstream `describeNodeResource`).
fn pods(out: &mut TabWriter, sim: &Simulation, node: &Node, status: &Value) {
    let mut pods: Vec<&Arc<Pod>> = sim.view().pods_on(&node.meta.name).filter(|pod| !pod.is_terminal()).collect();
    pods.sort_by_key(|pod| (&pod.meta.namespace, &pod.meta.name));
    let own = listed(status.at("allocatable"));
    let allocatable = if own.is_empty() { listed(status.at("capacity")) } else { own };
    out.field(0, "Non-terminated Pods", format_args!("({} in total)", pods.len()));
    out.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    out.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    let (mut all_requests, mut all_limits) = (ResourceAmounts::new(), ResourceAmounts::new());
    for pod in pods {
        let wire = pod.to_wire();
        let (spec, options) = (wire.at("spec"), ResourceOptions::default());
        let shown = ResourceOptions { status: wire.get_some("status"), ..options };
        let (requests, limits) = (pod_requests(spec, shown), pod_limits(spec, shown));
        let share = |of: &ResourceAmounts, name: &str| with_share(amount(of, name), name, &allocatable);
        let cells = [
            share(&requests, "cpu"),
            share(&limits, "cpu"),
            share(&requests, "memory"),
            share(&limits, "memory"),
            age(pod.meta.creation_timestamp, sim.wall()),
        ];
        out.line(1, format_args!("{}\t{}\t\t{}", pod.meta.namespace, pod.meta.name, cells.join("\t")));
        add(&mut all_requests, pod_requests(spec, options));
        add(&mut all_limits, pod_limits(spec, options));
    }
    out.line(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)");
    out.line(1, "Resource\tRequests\tLimits");
    out.line(1, "--------\t--------\t------");
    let huge = allocatable.keys().filter(|name| name.starts_with("hugepages-"));
    for name in ["cpu", "memory", "ephemeral-storage"].into_iter().chain(huge.map(|name| &**name)) {
        let [requests, limits] =
            [&all_requests, &all_limits].map(|all| with_share(amount(all, name), name, &allocatable));
        out.line(1, format_args!("{name}\t{requests}\t{limits}"));
    }
    for name in allocatable.keys().filter(|name| is_extended(name)) {
        out.line(1, format_args!("{name}\t{}\t{}", amount(&all_requests, name), amount(&all_limits, name)));
    }
}

fn is_extended(name: &str) -> bool {
    !name.starts_with("hugepages-") && !["cpu", "memory", "ephemeral-storage", "pods"].contains(&name)
}

fn amount(of: &ResourceAmounts, name: &str) -> Quantity {
    of.get(name).copied().unwrap_or_default()
}

fn add(total: &mut BTreeMap<String, Quantity>, more: ResourceAmounts) {
    for (name, amount) in more {
        match total.get_mut(&name) {
            Some(sum) => *sum += amount,
            None => drop(total.insert(name, amount)),
        }
    }
}

/// An amount and its percentage of what the node has, cut to whole ones as kubectl does it.
fn with_share(amount: Quantity, name: &str, allocatable: &ResourceAmounts) -> String {
    let size = |amount: Quantity| if name == "cpu" { amount.milli_value() } else { amount.value() };
    let whole = allocatable.get(name).copied().map_or(0, size);
    let percent = if whole == 0 { 0.0 } else { size(amount) as f64 / whole as f64 * 100.0 };
    format!("{amount} ({}%)", percent as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_percents_of_the_node() {
        let amounts = |cpu: &str| [("cpu".to_owned(), cpu.parse::<Quantity>().expect("a quantity"))].into();
        let share = |cpu: &str, of: &str| with_share(amount(&amounts(cpu), "cpu"), "cpu", &amounts(of));
        assert_eq!(share("250m", "2"), "250m (12%)");
        assert_eq!(share("29m", "100m"), "29m (28%)", "as Go's floating point has it");
        assert_eq!(with_share("1Gi".parse().expect("a quantity"), "memory", &amounts("1")), "1Gi (0%)");
    }

    #[test]
    fn taints_read_as_in_kubectl() {
        let text = |wire: Value| taint(&wire);
        assert_eq!(text(serde_json::json!({"key": "a", "value": "b", "effect": "NoExecute"})), "a=b:NoExecute");
        assert_eq!(text(serde_json::json!({"key": "a", "effect": "NoSchedule"})), "a:NoSchedule");
        assert_eq!(text(serde_json::json!({"key": "a"})), "a");
    }
}
