//! What the API server does to an object before it is validated and stored.
//!
//! [`apply`] is decoding with defaulting (`pkg/apis/*/defaults.go` and the conversions to the internal version and back);
//! [`prepare_for_create`] and [`prepare_for_update`] are what the registry strategies of the kinds then change
//! (`pkg/registry/*/strategy.go`). All of them work on the wire form, never fail, and leave values of a wrong type alone.

mod base64;
mod batch;
mod create;
mod custom;
mod image;
mod pod;
mod resources;
mod service;
mod shape;
mod storage;
mod update;
mod volumes;
mod workloads;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(in crate::objects) use base64::decode as decode_base64;
#[cfg(feature = "serve")]
pub(crate) use base64::encode as encode_base64;
pub use create::{Creation, prepare_for_create};
pub(crate) use pod::complete_spec_from_template;
pub(in crate::objects) use service::is_externally_accessible;
pub use update::{Subresource, prepare_for_update};

use crate::objects::schema;
use crate::objects::wire::{Wire, WireMut};

/// Kinds whose status only its subresource writes.
const WITH_STATUS: [&str; 16] = [
    "Pod",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "Service",
    "Ingress",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "HorizontalPodAutoscaler",
];

/// Kinds whose generation counts the changes of their spec.
const COUNTING_SPEC_CHANGES: [&str; 13] = [
    "Pod",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "Ingress",
    "IngressClass",
    "NetworkPolicy",
    "PodTemplate",
];

/// Completes an object as decoding with defaulting does: what the API server hands to admission.
///
/// Kinds without a schema are left as they are. Applying it twice changes nothing.
///
/// ```
/// use seatrial::objects::defaults;
/// use serde_json::json;
///
/// let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
///                          "spec": {"ports": [{"port": 80}]}});
/// defaults::apply("Service", "v1", &mut service);
/// assert_eq!(service["spec"]["ports"][0]["targetPort"], 80);
/// assert_eq!(service["spec"]["type"], "ClusterIP");
/// ```
pub fn apply(kind: &str, api_version: &str, object: &mut Value) {
    let Some(ty) = schema::lookup(api_version, kind) else { return };
    if ty.is_custom() {
        return custom::complete(ty, object);
    }
    shape::canonicalize(ty, object);
    apply_kind(kind, api_version, object);
    shape::canonicalize(ty, object);
    drop_empty_status(object);
}

fn apply_kind(kind: &str, api_version: &str, object: &mut Value) {
    match kind {
        "Pod" => pod::default_pod(object),
        "PodTemplate" => workloads::default_template(object),
        "Deployment" => workloads::default_deployment(object),
        "ReplicaSet" => workloads::default_replica_set(object),
        "ReplicationController" => workloads::default_replication_controller(object),
        "StatefulSet" => workloads::default_stateful_set(object),
        "DaemonSet" => workloads::default_daemon_set(object),
        "Job" => batch::default_job(object),
        "CronJob" => batch::default_cron_job(object),
        "HorizontalPodAutoscaler" => workloads::default_autoscaler(api_version, object),
        "PriorityClass" => object.default_to("preemptionPolicy", "PreemptLowerPriority"),
        "Service" => service::default_service(object),
        "Endpoints" => service::default_endpoints(object),
        "EndpointSlice" => service::default_endpoint_slice(object),
        "IngressClass" => service::default_ingress_class(object),
        "NetworkPolicy" => service::default_network_policy(object),
        "Namespace" => default_namespace(object),
        "Node" => default_node(object),
        "PersistentVolume" => storage::default_volume(object),
        "PersistentVolumeClaim" => storage::default_claim(object),
        "StorageClass" => storage::default_storage_class(object),
        "Secret" => storage::default_secret(object),
        "LimitRange" => resources::default_limit_range(object),
        "ResourceQuota" => resources::default_resource_quota(object),
        _ => {}
    }
}

/// `SetDefaults_Namespace`, `SetDefaults_NamespaceStatus`.
fn default_namespace(namespace: &mut Value) {
    label_with_own_name(namespace);
    if let Some(status) = namespace.ensure_object("status") {
        status.default_text("phase", "Active");
    }
}

/// Every namespace carries its name as a label, for selectors.
fn label_with_own_name(namespace: &mut Value) {
    let name = namespace.at("metadata").text("name").to_owned();
    if name.is_empty() {
        return;
    }
    if let Some(labels) = namespace.object_mut("metadata").and_then(|metadata| metadata.ensure_object("labels")) {
        labels.set("kubernetes.io/metadata.name", name);
    }
}

/// `SetDefaults_NodeStatus` and the conversion between `podCIDR` and `podCIDRs`.
fn default_node(node: &mut Value) {
    if let Some(status) = node.object_mut("status") {
        if let Some(capacity) = status.get_some("capacity").cloned() {
            status.default_to("allocatable", capacity);
        }
        resources::round_up(status, "capacity");
        resources::round_up(status, "allocatable");
    }
    let Some(spec) = node.object_mut("spec") else { return };
    let single = spec.text("podCIDR").to_owned();
    let first = spec.texts("podCIDRs").first().map(|cidr| (*cidr).to_owned());
    match first {
        None if single.is_empty() => {}
        Some(first) if single.is_empty() => spec.set("podCIDR", first),
        Some(first) if first == single => {}
        _ => spec.set("podCIDRs", vec![single]),
    }
}

/// Whether a custom resource definition defines the kind of an object.
fn is_custom(kind: &str, object: &Value) -> bool {
    schema::lookup(object.text("apiVersion"), kind).is_some_and(schema::TypeRef::is_custom)
}

/// An empty status is not sent back.
fn drop_empty_status(object: &mut Value) {
    if object.at("status").as_object().is_some_and(serde_json::Map::is_empty) {
        object.take_field("status");
    }
}
