//! `BeforeUpdate` and `PrepareForUpdate` of the registry strategies.

use serde_json::{Map, Value};

use super::create::{
    drop_deprecated_topology, drop_disabled_in_spec, drop_max_unavailable, normalize_data_sources, tidy,
};
use super::{COUNTING_SPEC_CHANGES, WITH_STATUS, custom};
use crate::objects::TEMPLATE_GENERATION;
use crate::objects::wire::{Wire, WireMut};

/// Which part of an object an update is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Subresource {
    /// The object itself.
    #[default]
    None,
    /// Its status.
    Status,
    /// The ephemeral containers of a pod.
    EphemeralContainers,
    /// The resources of a pod's containers.
    Resize,
}

/// Changes a defaulted object as the registry does before validating it as an update of `old`: what a client cannot
/// change is taken from `old`, and the generation counts on if the spec differs.
pub fn prepare_for_update(kind: &str, new: &mut Value, old: &Value, subresource: Subresource) {
    keep_metadata(new, old, &["generation"]);
    match subresource {
        Subresource::None => prepare_main(kind, new, old),
        Subresource::Status => prepare_status(kind, new, old),
        Subresource::EphemeralContainers => prepare_ephemeral_containers(new, old),
        Subresource::Resize => prepare_resize(new, old),
    }
    if subresource != Subresource::Status {
        count_generation(kind, new, old);
    }
    keep_system_metadata(new, old);
    tidy(kind, new);
}

fn prepare_main(kind: &str, new: &mut Value, old: &Value) {
    // Nodes bring theirs when they join.
    if WITH_STATUS.contains(&kind) || kind == "Node" {
        keep(new, old, "status");
    }
    if super::is_custom(kind, new) {
        custom::prepare_for_update(new, old);
    }
    match kind {
        "Pod" => new.object_mut("spec").map_or((), drop_disabled_in_spec),
        "StatefulSet" if !uses_max_unavailable(old) => drop_max_unavailable(new),
        "DaemonSet" => count_template_generation(new, old),
        "Namespace" => prepare_namespace(new, old),
        "Node" if !old.at("spec").has("configSource") => {
            new.object_mut("spec").and_then(|spec| spec.take_field("configSource"));
        }
        "Service" => drop_type_dependent_fields(new, old),
        "PersistentVolumeClaim" => new.object_mut("spec").map_or((), normalize_data_sources),
        "EndpointSlice" if new.at("endpoints") != old.at("endpoints") => drop_deprecated_topology(new),
        _ => {}
    }
}

fn uses_max_unavailable(set: &Value) -> bool {
    set.at("spec").at("updateStrategy").at("rollingUpdate").has("maxUnavailable")
}

fn prepare_namespace(new: &mut Value, old: &Value) {
    let finalizers = old.at("spec").at("finalizers").clone();
    if let Some(spec) = new.ensure_object("spec") {
        spec.set("finalizers", finalizers);
    }
    super::label_with_own_name(new);
}

/// A status update keeps everything else, and what of the metadata the kind's status strategy keeps.
fn prepare_status(kind: &str, new: &mut Value, old: &Value) {
    keep(new, old, "spec");
    match kind {
        "Pod" => {
            keep_metadata(new, old, &["ownerReferences"]);
            let class = old.at("status").text("qosClass").to_owned();
            if let Some(status) = new.ensure_object("status") {
                status.default_text("qosClass", &class);
            }
        }
        "Deployment" => keep_metadata(new, old, &["labels"]),
        _ => {}
    }
}

fn prepare_ephemeral_containers(new: &mut Value, old: &Value) {
    let containers = new.at("spec").at("ephemeralContainers").clone();
    keep_all_but_subresource(new, old);
    if let Some(spec) = new.ensure_object("spec") {
        spec.set("ephemeralContainers", containers);
        drop_disabled_in_spec(spec);
    }
}

/// Only resources and resize policies are taken from the request, unless it adds, removes or renames containers.
fn prepare_resize(new: &mut Value, old: &Value) {
    let lists = ["containers", "initContainers"];
    if lists.iter().any(|list| new.at("spec").list(list).len() != old.at("spec").list(list).len()) {
        return;
    }
    let pod_level = new.at("spec").at("resources").clone();
    let merged = lists.map(|list| merge_resources(new.at("spec").list(list), old.at("spec").list(list)));
    keep_all_but_subresource(new, old);
    let Some(spec) = new.ensure_object("spec") else { return };
    spec.set("resources", pod_level);
    for (list, containers) in lists.into_iter().zip(merged) {
        spec.set(list, containers);
    }
    drop_disabled_in_spec(spec);
}

fn merge_resources(new: &[Value], old: &[Value]) -> Vec<Value> {
    if new.iter().zip(old).any(|(new, old)| new.text("name") != old.text("name")) {
        return new.to_vec();
    }
    let merge = |(new, old): (&Value, &Value)| {
        let mut container = old.clone();
        for field in ["resources", "resizePolicy"] {
            container.set(field, new.at(field).clone());
        }
        container
    };
    new.iter().zip(old).map(merge).collect()
}

fn keep_all_but_subresource(new: &mut Value, old: &Value) {
    keep(new, old, "spec");
    keep(new, old, "status");
    keep_metadata(new, old, &["deletionTimestamp", "labels", "annotations", "finalizers", "ownerReferences"]);
}

fn count_generation(kind: &str, new: &mut Value, old: &Value) {
    let differs = |part: &str| new.at(part) != old.at(part);
    let metadata_differs = |part: &str| new.at("metadata").at(part) != old.at("metadata").at(part);
    let changed = match kind {
        "Deployment" => differs("spec") || metadata_differs("annotations"),
        "DaemonSet" => differs("spec") || template_generation(new) != template_generation(old),
        "EndpointSlice" => {
            differs("endpoints") || differs("ports") || differs("addressType") || metadata_differs("labels")
        }
        _ => COUNTING_SPEC_CHANGES.contains(&kind) && differs("spec"),
    };
    if changed {
        let next = old.at("metadata").int("generation").saturating_add(1);
        if let Some(metadata) = new.ensure_object("metadata") {
            metadata.set("generation", next);
        }
    }
}

fn template_generation(set: &Value) -> i64 {
    set.at("metadata").at("annotations").text(TEMPLATE_GENERATION).parse().unwrap_or(0)
}

fn count_template_generation(new: &mut Value, old: &Value) {
    let changed = new.at("spec").at("template") != old.at("spec").at("template");
    let generation = template_generation(old).saturating_add(i64::from(changed));
    let annotations = new.ensure_object("metadata").and_then(|metadata| metadata.ensure_object("annotations"));
    if let Some(annotations) = annotations {
        annotations.set(TEMPLATE_GENERATION, generation.to_string());
    }
}

/// What only the API server sets is kept (`rest.BeforeUpdate`).
fn keep_system_metadata(new: &mut Value, old: &Value) {
    let old = old.at("metadata");
    let Some(metadata) = new.ensure_object("metadata") else { return };
    metadata.default_text("uid", old.text("uid"));
    for field in ["creationTimestamp", "deletionTimestamp"] {
        if let Some(value) = old.get_some(field) {
            metadata.set(field, value.clone());
        }
    }
    if let Some(seconds) = old.get_some("deletionGracePeriodSeconds") {
        metadata.default_to("deletionGracePeriodSeconds", seconds.clone());
    }
}

fn keep(new: &mut Value, old: &Value, field: &str) {
    new.set(field, old.get_some(field).cloned().unwrap_or_else(|| Map::new().into()));
}

fn keep_metadata(new: &mut Value, old: &Value, fields: &[&str]) {
    let Some(metadata) = new.ensure_object("metadata") else { return };
    for field in fields {
        match old.at("metadata").get_some(field) {
            Some(value) => metadata.set(field, value.clone()),
            None => remove(metadata, &[field]),
        }
    }
}

/// `dropTypeDependentFields`: fields that only the old type of a service has go with it, if the client left them alone.
fn drop_type_dependent_fields(new: &mut Value, old: &Value) {
    let old = old.at("spec");
    let Some(spec) = new.object_mut("spec") else { return };
    let loses = |has: fn(&Value) -> bool, spec: &Value| has(old) && !has(spec);
    if loses(needs_cluster_ip, spec) {
        if same(spec, old, "clusterIP") && same(spec, old, "clusterIPs") {
            remove(spec, &["clusterIP", "clusterIPs"]);
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if same(spec, old, field) {
                remove(spec, &[field]);
            }
        }
    }
    if loses(needs_node_port, spec) && node_ports(spec).iter().all(|port| node_ports(old).contains(port)) {
        for port in spec.list_mut("ports") {
            port.take_field("nodePort");
        }
    }
    if loses(needs_health_check, spec) && same(spec, old, "healthCheckNodePort") {
        remove(spec, &["healthCheckNodePort"]);
    }
    for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if loses(is_load_balancer, spec) && same(spec, old, field) {
            remove(spec, &[field]);
        }
    }
    if loses(super::service::is_externally_accessible, spec) && same(spec, old, "externalTrafficPolicy") {
        remove(spec, &["externalTrafficPolicy"]);
    }
    if !is_load_balancer(spec) {
        new.set("status", serde_json::json!({"loadBalancer": {}}));
    }
}

fn needs_cluster_ip(spec: &Value) -> bool {
    spec.text("type") != "ExternalName"
}

fn needs_node_port(spec: &Value) -> bool {
    matches!(spec.text("type"), "NodePort" | "LoadBalancer")
}

fn is_load_balancer(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer"
}

fn needs_health_check(spec: &Value) -> bool {
    is_load_balancer(spec) && spec.text("externalTrafficPolicy") == "Local"
}

fn node_ports(spec: &Value) -> Vec<i64> {
    spec.list("ports").iter().map(|port| port.int("nodePort")).filter(|port| *port != 0).collect()
}

fn same(new: &Value, old: &Value, field: &str) -> bool {
    new.at(field) == old.at(field)
}

fn remove(spec: &mut Value, fields: &[&str]) {
    for field in fields {
        spec.take_field(field);
    }
}
