//! Validation of objects in wire form, as the API server does it, in its words and order.
//!
//! Objects are expected as [`super::defaults`] leaves them: decoded, defaulted and prepared by the strategy of their
//! kind. A value of a wrong type counts as absent; finding those is the decoder's business.

mod autoscaling;
mod batch;
mod checks;
mod claims;
mod cluster;
mod config;
mod custom;
mod endpoints;
mod error;
mod labels;
mod meta;
mod network;
mod path;
mod pod;
mod policy;
mod resources;
mod service;
mod sources;
mod volumes;
mod warnings;
mod workloads;

#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use error::{Detail, ErrorKind, FieldError, invalid_message};
pub use path::Path;

use super::defaults::Subresource;
use super::names;
use super::wire::Wire;
use meta::NameRules;

/// The faults of an object, in upstream's order.
pub type Errors = Vec<FieldError>;

/// Kinds outside of any namespace.
const CLUSTER_SCOPED: [&str; 8] = [
    "Namespace",
    "Node",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "RuntimeClass",
    "GatewayClass",
];

/// Whether objects of the kind live in a namespace.
pub fn is_namespaced(kind: &str) -> bool {
    !CLUSTER_SCOPED.contains(&kind)
}

/// Whether the rules of a kind are known. Objects of other kinds only have their metadata checked.
pub fn is_known(kind: &str) -> bool {
    create_rules(kind).is_some()
}

/// Feature gates of the API server that decide on what is valid. By default as Kubernetes has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureGates {
    /// `HPAScaleToZero` (alpha, off): whether `minReplicas` of HorizontalPodAutoscalers may be 0.
    pub hpa_scale_to_zero: bool,
}

type CreateRules = fn(&Value, &mut Errors);

fn create_rules(kind: &str) -> Option<CreateRules> {
    Some(match kind {
        "Pod" => pod::validate_pod_create,
        "PodTemplate" => |object, errors| {
            meta::validate_meta(object, NameRules::namespaced(names::name_is_dns_subdomain), errors);
            pod::validate_template(object.at("template"), &pod::PodOptions::default(), &Path::root("template"), errors);
        },
        "Deployment" => |object, errors| workloads::validate_deployment(object, None, errors),
        "ReplicaSet" => |object, errors| workloads::validate_replica_set(object, None, errors),
        "ReplicationController" => |object, errors| workloads::validate_replication_controller(object, None, errors),
        "StatefulSet" => workloads::validate_stateful_set,
        "DaemonSet" => |object, errors| workloads::validate_daemon_set(object, None, errors),
        "ControllerRevision" => |object, errors| workloads::validate_controller_revision(object, None, errors),
        "Service" => service::validate_service_create,
        "EndpointSlice" => |object, errors| endpoints::validate_endpoint_slice(object, None, errors),
        "Endpoints" => |object, errors| endpoints::validate_endpoints(object, None, errors),
        "Namespace" => cluster::validate_namespace,
        "Node" => cluster::validate_node,
        "PersistentVolume" => |object, errors| {
            volumes::validate_volume(object, None, errors);
            volumes::validate_mount_options(object, errors);
        },
        "PersistentVolumeClaim" => {
            |object, errors| claims::validate_claim(object, claims::ClaimOptions::default(), errors)
        }
        "Job" => |object, errors| batch::validate_job(object, None, errors),
        "CronJob" => |object, errors| batch::validate_cron_job(object, None, errors),
        "HorizontalPodAutoscaler" => {
            |object, errors| autoscaling::validate_autoscaler(object, None, FeatureGates::default(), errors)
        }
        "PodDisruptionBudget" => |object, errors| policy::validate_budget(object, None, errors),
        "PriorityClass" => policy::validate_priority_class,
        "StorageClass" => policy::validate_storage_class,
        "ResourceQuota" => policy::validate_quota,
        "LimitRange" => policy::validate_limit_range,
        "RuntimeClass" => policy::validate_runtime_class,
        "ConfigMap" => config::validate_config_map,
        "Secret" => config::validate_secret,
        "ServiceAccount" => config::validate_service_account,
        "Ingress" => |object, errors| network::validate_ingress(object, None, errors),
        "IngressClass" => |object, errors| network::validate_ingress_class(object, None, errors),
        "NetworkPolicy" => |object, errors| network::validate_network_policy(object, None, errors),
        "GatewayClass" => |object, errors| custom::validate("GatewayClass", object, None, errors),
        "Gateway" => |object, errors| custom::validate("Gateway", object, None, errors),
        "HTTPRoute" => |object, errors| custom::validate("HTTPRoute", object, None, errors),
        "ReferenceGrant" => |object, errors| custom::validate("ReferenceGrant", object, None, errors),
        _ => return None,
    })
}

/// What is wrong with an object that is to be created. Nothing if it is valid.
///
/// ```
/// use seatrial::objects::{defaults, validation};
/// use serde_json::json;
///
/// let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"}, "spec": {}});
/// defaults::apply("Pod", "v1", &mut pod);
/// let errors = validation::validate_create("Pod", &pod);
/// assert_eq!(validation::invalid_message("Pod", "web", &errors),
///            r#"Pod "web" is invalid: spec.containers: Required value"#);
/// ```
pub fn validate_create(kind: &str, object: &Value) -> Vec<FieldError> {
    validate_create_under(FeatureGates::default(), kind, object)
}

/// What is wrong with an object that is to be created, under feature gates.
pub fn validate_create_under(gates: FeatureGates, kind: &str, object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::new();
    match create_rules(kind) {
        Some(_) if kind == "HorizontalPodAutoscaler" => {
            autoscaling::validate_autoscaler(object, None, gates, &mut errors);
        }
        Some(rules) => rules(object, &mut errors),
        None => {}
    }
    if errors.is_empty() {
        meta::validate_common_meta(
            object.at("metadata"),
            common_rules(kind, object),
            &Path::root("metadata"),
            &mut errors,
        );
    }
    errors
}

/// Objects of kinds that are defined elsewhere, whose `kind` is empty here, are where they are.
fn common_rules(kind: &str, object: &Value) -> NameRules {
    let is_placed = || object.at("metadata").at("namespace").as_str().is_some_and(|namespace| !namespace.is_empty());
    let namespaced = if kind.is_empty() { is_placed() } else { is_namespaced(kind) };
    NameRules { namespaced, check: names::path_segment_name, skip_generate_name: false }
}

/// What the API server warns of in a new object that it takes. Of Pods only their names and addresses are looked at.
pub fn warnings(object: &Value) -> Vec<String> {
    warnings::of_new(object)
}

/// What it warns of in an object that an update has changed, or the status of which.
pub fn update_warnings(object: &Value, subresource: Subresource) -> Vec<String> {
    match subresource {
        Subresource::None => warnings::of_update(object),
        Subresource::Status => warnings::of_status(object),
        Subresource::EphemeralContainers | Subresource::Resize => Vec::new(),
    }
}

/// What is wrong with the addresses and IP families of a Service's spec (`ValidateServiceClusterIPsRelatedFields`).
pub(crate) fn cluster_ip_faults(spec: &Value, old: Option<&Value>) -> Errors {
    let mut errors = Errors::new();
    service::validate_cluster_ips(spec, old, &Path::root("spec"), &mut errors);
    errors
}

/// What is wrong with an update of `old` to `new`. Nothing if it is valid.
pub fn validate_update(kind: &str, new: &Value, old: &Value, subresource: Subresource) -> Vec<FieldError> {
    validate_update_under(FeatureGates::default(), kind, new, old, subresource)
}

/// What is wrong with an update of `old` to `new`, under feature gates.
pub fn validate_update_under(
    gates: FeatureGates,
    kind: &str,
    new: &Value,
    old: &Value,
    subresource: Subresource,
) -> Vec<FieldError> {
    let mut errors = Errors::new();
    let path = Path::root("metadata");
    meta::validate_common_meta(new.at("metadata"), common_rules(kind, new), &path, &mut errors);
    meta::validate_common_meta_update(new.at("metadata"), old.at("metadata"), &path, &mut errors);
    match subresource {
        Subresource::None => validate_main_update(gates, kind, new, old, &mut errors),
        Subresource::Status => validate_status_update(kind, new, old, &mut errors),
        // Their own rules count errors, so they start from none.
        Subresource::EphemeralContainers => {
            extend_with(&mut errors, new, old, pod::validate_ephemeral_containers_update)
        }
        Subresource::Resize => extend_with(&mut errors, new, old, pod::validate_resize),
    }
    errors
}

fn extend_with(errors: &mut Errors, new: &Value, old: &Value, rules: fn(&Value, &Value, &mut Errors)) {
    let mut own = Errors::new();
    rules(new, old, &mut own);
    errors.append(&mut own);
}

fn validate_main_update(gates: FeatureGates, kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    match kind {
        "Pod" => pod::validate_pod_update(new, old, errors),
        "PodTemplate" => {
            meta::validate_meta_update(new, old, errors);
            let options = pod::PodOptions::from_old_template(old.at("template"));
            pod::validate_template(new.at("template"), &options, &Path::root("template"), errors);
        }
        "Deployment" => workloads::validate_deployment(new, Some(old), errors),
        "ReplicaSet" => workloads::validate_replica_set(new, Some(old), errors),
        "ReplicationController" => workloads::validate_replication_controller(new, Some(old), errors),
        "StatefulSet" => workloads::validate_stateful_set_update(new, old, errors),
        "DaemonSet" => workloads::validate_daemon_set(new, Some(old), errors),
        "ControllerRevision" => workloads::validate_controller_revision(new, Some(old), errors),
        "Service" => service::validate_service_update(new, old, errors),
        "EndpointSlice" => endpoints::validate_endpoint_slice(new, Some(old), errors),
        "Endpoints" => endpoints::validate_endpoints(new, Some(old), errors),
        "Namespace" => {
            cluster::validate_namespace(new, errors);
            meta::validate_meta_update(new, old, errors);
        }
        "Node" => cluster::validate_node_update(new, old, errors),
        "PersistentVolume" => volumes::validate_volume_update(new, old, errors),
        "PersistentVolumeClaim" => claims::validate_claim_update(new, old, errors),
        "Job" => batch::validate_job_update(new, old, errors),
        "CronJob" => batch::validate_cron_job(new, Some(old), errors),
        "HorizontalPodAutoscaler" => autoscaling::validate_autoscaler(new, Some(old), gates, errors),
        "PodDisruptionBudget" => policy::validate_budget(new, Some(old), errors),
        "PriorityClass" => policy::validate_priority_class_update(new, old, errors),
        "StorageClass" => policy::validate_storage_class_update(new, old, errors),
        "ResourceQuota" => policy::validate_quota_update(new, old, errors),
        "LimitRange" => policy::validate_limit_range(new, errors),
        "RuntimeClass" => policy::validate_runtime_class_update(new, old, errors),
        "ConfigMap" => config::validate_config_map_update(new, old, errors),
        "Secret" => config::validate_secret_update(new, old, errors),
        "ServiceAccount" => {
            meta::validate_meta_update(new, old, errors);
            config::validate_service_account(new, errors);
        }
        "Ingress" => network::validate_ingress(new, Some(old), errors),
        "IngressClass" => network::validate_ingress_class(new, Some(old), errors),
        "NetworkPolicy" => network::validate_network_policy(new, Some(old), errors),
        "GatewayClass" | "Gateway" | "HTTPRoute" | "ReferenceGrant" => custom::validate(kind, new, Some(old), errors),
        _ => {}
    }
}

fn validate_status_update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    match kind {
        "Pod" => pod::validate_status_update(new, old, errors),
        "Service" => service::validate_service_status_update(new, old, errors),
        "Namespace" => cluster::validate_namespace_status_update(new, old, errors),
        "Node" => cluster::validate_node_update(new, old, errors),
        "Job" => batch::validate_job_status(new, old, errors),
        "PodDisruptionBudget" => policy::validate_budget_status(new, errors),
        "ResourceQuota" => {
            meta::validate_meta_update(new, old, errors);
            policy::validate_quota_status(new, errors);
        }
        _ => meta::validate_meta_update(new, old, errors),
    }
}
