//! Services, endpoints and what else belongs to the network.

use serde_json::Value;

use crate::objects::wire::{Wire, WireMut};

/// Three hours.
const DEFAULT_AFFINITY_TIMEOUT_SECONDS: i64 = 10_800;

/// `SetDefaults_Service`.
pub(super) fn default_service(service: &mut Value) {
    if let Some(spec) = service.ensure_object("spec") {
        default_service_spec(spec);
    }
    if service.at("spec").text("type") == "LoadBalancer" {
        default_ingress_mode(service);
    }
}

fn default_service_spec(spec: &mut Value) {
    default_session_affinity(spec);
    spec.default_text("type", "ClusterIP");
    for port in spec.list_mut("ports") {
        port.default_text("protocol", "TCP");
        let target = port.at("targetPort");
        if target.is_null() || target.as_i64() == Some(0) || target.as_str() == Some("") {
            let number = port.int("port");
            port.set("targetPort", number);
        }
    }
    if is_externally_accessible(spec) {
        spec.default_text("externalTrafficPolicy", "Cluster");
    }
    if matches!(spec.text("type"), "NodePort" | "LoadBalancer" | "ClusterIP") {
        spec.default_to("internalTrafficPolicy", "Cluster");
    }
    if spec.text("type") == "LoadBalancer" {
        spec.default_to("allocateLoadBalancerNodePorts", true);
    }
}

fn default_session_affinity(spec: &mut Value) {
    spec.default_text("sessionAffinity", "None");
    match spec.text("sessionAffinity") {
        "None" => {
            spec.take_field("sessionAffinityConfig");
        }
        "ClientIP" if !spec.at("sessionAffinityConfig").at("clientIP").has("timeoutSeconds") => {
            let config = serde_json::json!({"clientIP": {"timeoutSeconds": DEFAULT_AFFINITY_TIMEOUT_SECONDS}});
            spec.set("sessionAffinityConfig", config);
        }
        _ => {}
    }
}

/// Whether traffic from outside the cluster can reach the service of this spec.
pub(in crate::objects) fn is_externally_accessible(spec: &Value) -> bool {
    match spec.text("type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !spec.list("externalIPs").is_empty(),
        _ => false,
    }
}

fn default_ingress_mode(service: &mut Value) {
    let Some(balancer) = service.object_mut("status").and_then(|status| status.object_mut("loadBalancer")) else {
        return;
    };
    for ingress in balancer.list_mut("ingress") {
        if !ingress.text("ip").is_empty() {
            ingress.default_to("ipMode", "VIP");
        }
    }
}

/// `SetDefaults_Endpoints`.
pub(super) fn default_endpoints(endpoints: &mut Value) {
    for port in endpoints.list_mut("subsets").iter_mut().flat_map(|subset| subset.list_mut("ports")) {
        port.default_text("protocol", "TCP");
    }
}

/// `SetDefaults_EndpointPort`.
pub(super) fn default_endpoint_slice(slice: &mut Value) {
    for port in slice.list_mut("ports") {
        port.default_to("name", "");
        port.default_to("protocol", "TCP");
    }
}

/// `SetDefaults_IngressClass`.
pub(super) fn default_ingress_class(class: &mut Value) {
    if let Some(parameters) = class.object_mut("spec").and_then(|spec| spec.object_mut("parameters")) {
        parameters.default_to("scope", "Cluster");
    }
}

/// `SetDefaults_NetworkPolicy`, `SetDefaults_NetworkPolicyPort`.
pub(super) fn default_network_policy(policy: &mut Value) {
    let Some(spec) = policy.ensure_object("spec") else { return };
    if spec.list("policyTypes").is_empty() {
        let types = if spec.list("egress").is_empty() { vec!["Ingress"] } else { vec!["Ingress", "Egress"] };
        spec.set("policyTypes", types);
    }
    for direction in ["ingress", "egress"] {
        for port in spec.list_mut(direction).iter_mut().flat_map(|rule| rule.list_mut("ports")) {
            port.default_to("protocol", "TCP");
        }
    }
}
