//! Pods and the pod specs in templates.

use serde_json::{Map, Value};

use super::image::default_pull_policy;
use super::{resources, volumes};
use crate::objects::wire::{Wire, WireMut};

const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Annotations of long ago that would shadow the fields.
const DROPPED_ANNOTATIONS: [&str; 4] = [
    "pod.beta.kubernetes.io/init-containers",
    "pod.alpha.kubernetes.io/init-containers",
    "pod.beta.kubernetes.io/init-container-statuses",
    "pod.alpha.kubernetes.io/init-container-statuses",
];

/// `SetObjectDefaults_Pod` and the conversion of pods.
pub(super) fn default_pod(pod: &mut Value) {
    drop_legacy_annotations(pod);
    if let Some(status) = pod.object_mut("status") {
        default_status(status);
    }
    let Some(spec) = pod.ensure_object("spec") else { return };
    default_beyond_template(spec);
    default_pod_spec(spec);
}

/// What the API server completes in pods, but not in the templates they are made from: a pod that a controller makes
/// gets it too (`SetDefaults_Pod`). Twice is as once.
pub(crate) fn complete_spec_from_template(spec: &mut Map<String, Value>) {
    let mut value = Value::Object(std::mem::take(spec));
    default_beyond_template(&mut value);
    if let Value::Object(completed) = value {
        *spec = completed;
    }
}

fn default_beyond_template(spec: &mut Value) {
    for list in ["containers", "initContainers"] {
        spec.list_mut(list).iter_mut().for_each(request_what_is_limited);
    }
    resources::default_pod_level(spec);
    spec.default_to("enableServiceLinks", true);
    if spec.flag("hostNetwork") {
        expose_container_ports_on_host(spec);
    }
    if spec.int("terminationGracePeriodSeconds") < 0 {
        spec.set("terminationGracePeriodSeconds", 1);
    }
}

fn drop_legacy_annotations(pod: &mut Value) {
    let Some(annotations) = pod.object_mut("metadata").and_then(|metadata| metadata.object_mut("annotations")) else {
        return;
    };
    for key in DROPPED_ANNOTATIONS {
        annotations.take_field(key);
    }
}

/// A limit without a request is also a request.
fn request_what_is_limited(container: &mut Value) {
    let Some(resources) = container.object_mut("resources") else { return };
    let Some(limits) = resources.at("limits").as_object().filter(|limits| !limits.is_empty()).cloned() else { return };
    let Some(requests) = resources.ensure_object("requests") else { return };
    for (name, limit) in limits {
        requests.default_to(&name, limit);
    }
}

fn expose_container_ports_on_host(spec: &mut Value) {
    for list in ["containers", "initContainers"] {
        for port in spec.list_mut(list).iter_mut().flat_map(|container| container.list_mut("ports")) {
            let number = port.int("containerPort");
            port.default_int("hostPort", number);
        }
    }
}

/// `SetDefaults_PodSpec` with everything below it, and the conversion of the service account's two names.
pub(super) fn default_pod_spec(spec: &mut Value) {
    default_service_account(spec);
    spec.default_text("dnsPolicy", "ClusterFirst");
    spec.default_text("restartPolicy", "Always");
    spec.ensure_object("securityContext");
    spec.default_to("terminationGracePeriodSeconds", 30);
    spec.default_text("schedulerName", "default-scheduler");
    for volume in spec.list_mut("volumes") {
        volumes::default_volume(volume);
    }
    for list in CONTAINER_LISTS {
        spec.list_mut(list).iter_mut().for_each(default_container);
    }
    resources::round_up(spec, "overhead");
    if let Some(pod_level) = spec.object_mut("resources") {
        resources::round_up_requirements(pod_level);
    }
}

/// `serviceAccount` is an old name of `serviceAccountName`; both are written.
fn default_service_account(spec: &mut Value) {
    let old = spec.text("serviceAccount").to_owned();
    spec.default_text("serviceAccountName", &old);
    let name = spec.text("serviceAccountName").to_owned();
    spec.set("serviceAccount", name);
}

/// `SetDefaults_Container` with everything below it.
fn default_container(container: &mut Value) {
    let pull_policy = default_pull_policy(container.text("image"));
    container.default_text("imagePullPolicy", pull_policy);
    container.default_text("terminationMessagePath", "/dev/termination-log");
    container.default_text("terminationMessagePolicy", "File");
    for port in container.list_mut("ports") {
        port.default_text("protocol", "TCP");
    }
    for variable in container.list_mut("env") {
        default_variable(variable);
    }
    if let Some(requirements) = container.object_mut("resources") {
        resources::round_up_requirements(requirements);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.object_mut(name) {
            default_probe(probe);
        }
    }
    if let Some(lifecycle) = container.object_mut("lifecycle") {
        for name in ["postStart", "preStop"] {
            lifecycle.object_mut(name).and_then(|hook| hook.object_mut("httpGet")).map(default_http_get);
        }
    }
}

fn default_variable(variable: &mut Value) {
    let Some(source) = variable.object_mut("valueFrom") else { return };
    if let Some(field) = source.object_mut("fieldRef") {
        field.default_text("apiVersion", "v1");
    }
    if let Some(key) = source.object_mut("fileKeyRef") {
        key.default_to("optional", false);
    }
}

/// `SetDefaults_Probe`.
fn default_probe(probe: &mut Value) {
    probe.default_int("timeoutSeconds", 1);
    probe.default_int("periodSeconds", 10);
    probe.default_int("successThreshold", 1);
    probe.default_int("failureThreshold", 3);
    probe.object_mut("httpGet").map(default_http_get);
    if let Some(grpc) = probe.object_mut("grpc") {
        grpc.default_to("service", "");
    }
}

fn default_http_get(action: &mut Value) {
    action.default_text("path", "/");
    action.default_text("scheme", "HTTP");
}

/// Rounding of quantities, and the two forms of the pod's address (`Convert_v1_PodStatus_To_core_PodStatus`).
fn default_status(status: &mut Value) {
    for list in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
        for container in status.list_mut(list) {
            resources::round_up(container, "allocatedResources");
            container.object_mut("resources").map(resources::round_up_requirements);
        }
    }
    resources::round_up(status, "allocatedResources");
    status.object_mut("resources").map(resources::round_up_requirements);
    let single = status.text("podIP").to_owned();
    let first = status.list("podIPs").first().map(|address| address.text("ip").to_owned());
    match first {
        None if single.is_empty() => {}
        Some(first) if single.is_empty() => status.set("podIP", first),
        Some(first) if first == single => {}
        _ => status.set("podIPs", serde_json::json!([{"ip": single}])),
    }
}
