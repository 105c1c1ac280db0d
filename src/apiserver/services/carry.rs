//! What an update that does not mention allocated values means (`patchAllocatedValues`, `normalizeClusterIPs`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::objects::wire::{Wire, WireMut};

/// Completes the spec of an update by the allocated values that it leaves out.
pub(super) fn carry_over(spec: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(spec) {
        if spec.text("clusterIP").is_empty() && !old.text("clusterIP").is_empty() {
            spec.set("clusterIP", old.text("clusterIP"));
        }
        if spec.list("clusterIPs").is_empty() && !old.list("clusterIPs").is_empty() {
            spec.set("clusterIPs", old.at("clusterIPs").clone());
        }
    }
    if needs_node_port(old) && needs_node_port(spec) {
        carry_node_ports(spec, old);
    }
    if needs_health_check(old) && needs_health_check(spec) && spec.int("healthCheckNodePort") == 0 {
        spec.set("healthCheckNodePort", old.at("healthCheckNodePort").clone());
    }
}

/// By the name of the port, unless the number is one that another port keeps.
fn carry_node_ports(spec: &mut Value, old: &Value) {
    let used = |spec: &Value| -> BTreeSet<i64> {
        spec.list("ports").iter().map(|port| port.int("nodePort")).filter(|port| *port != 0).collect()
    };
    let (before, now) = (used(old), used(spec));
    let known: BTreeMap<&str, i64> =
        old.list("ports").iter().map(|port| (port.text("name"), port.int("nodePort"))).collect();
    for port in spec.list_mut("ports").iter_mut().filter(|port| port.int("nodePort") == 0) {
        let held = known.get(port.text("name")).copied().unwrap_or(0);
        if held != 0 && !(before.contains(&held) && now.contains(&held)) {
            port.set("nodePort", held);
        }
    }
}

/// Brings the single address and the list of addresses in line.
pub(super) fn normalize(spec: &mut Value, old: Option<&Value>) {
    let single = spec.text("clusterIP").to_owned();
    let Some(old) = old else {
        if !single.is_empty() && spec.list("clusterIPs").is_empty() {
            spec.set("clusterIPs", vec![single]);
        }
        return;
    };
    let before = old.text("clusterIP");
    if single == before {
        if !old.list("clusterIPs").is_empty() && spec.list("clusterIPs").is_empty() {
            spec.set("clusterIPs", old.at("clusterIPs").clone());
        }
    } else if spec.texts("clusterIPs") == old.texts("clusterIPs") {
        if single.is_empty() {
            spec.take_field("clusterIPs");
        } else {
            spec.set("clusterIPs", vec![single]);
        }
    }
}

pub(super) fn needs_cluster_ip(spec: &Value) -> bool {
    spec.text("type") != "ExternalName"
}

/// Whether ports of the nodes are given unasked (`needsNodePort`, `shouldAllocateNodePorts`).
pub(super) fn needs_node_port(spec: &Value) -> bool {
    match spec.text("type") {
        "NodePort" => true,
        "LoadBalancer" => spec.flag_some("allocateLoadBalancerNodePorts").unwrap_or(true),
        _ => false,
    }
}

pub(super) fn needs_health_check(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer" && spec.text("externalTrafficPolicy") == "Local"
}
