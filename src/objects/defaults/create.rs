//! `PrepareForCreate` of the registry strategies.

use serde_json::{Map, Value, json};

use super::{COUNTING_SPEC_CHANGES, WITH_STATUS, custom, label_with_own_name, shape};
use crate::objects::TEMPLATE_GENERATION;
use crate::objects::pod_resources::qos_class;
use crate::objects::schema;
use crate::objects::wire::{Wire, WireMut};

/// What the API server knows about a create request that the object does not say.
#[derive(Debug, Clone, Copy)]
pub struct Creation<'a> {
    /// The time of the request in RFC 3339.
    pub now: &'a str,
    /// The uid given to the object.
    pub uid: &'a str,
    /// Whether the client gave the object labels. Those that a Job takes from its template change with the template's.
    pub has_labels: bool,
}

/// Changes a defaulted object as the registry strategy of its kind does before validating and storing it.
///
/// The uid is set too: the names and labels of some objects are made of it, and validation compares them. Name,
/// namespace and creation time are the API server's business.
pub fn prepare_for_create(kind: &str, object: &mut Value, creation: &Creation<'_>) {
    if let Some(metadata) = object.ensure_object("metadata") {
        metadata.set("uid", creation.uid);
    }
    if (COUNTING_SPEC_CHANGES.contains(&kind) || matches!(kind, "EndpointSlice" | "PriorityClass"))
        && let Some(metadata) = object.ensure_object("metadata")
    {
        metadata.set("generation", 1);
    }
    if WITH_STATUS.contains(&kind) {
        object.set("status", Map::new());
    }
    if super::is_custom(kind, object) {
        custom::prepare_for_create(object);
    }
    match kind {
        "Pod" => prepare_pod(object, creation),
        "Deployment" | "ReplicaSet" | "ReplicationController" => drop_disabled_in_template(object.object_mut("spec")),
        "StatefulSet" => prepare_stateful_set(object),
        "DaemonSet" => prepare_daemon_set(object),
        "Job" => prepare_job(object, creation),
        "CronJob" => drop_disabled_in_template(
            object
                .object_mut("spec")
                .and_then(|spec| spec.object_mut("jobTemplate"))
                .and_then(|job| job.object_mut("spec")),
        ),
        "Namespace" => prepare_namespace(object),
        "Node" => drop_node_config(object),
        "PersistentVolume" => {
            object.set("status", json!({"phase": "Pending", "lastPhaseTransitionTime": creation.now}))
        }
        "PersistentVolumeClaim" => prepare_claim(object),
        "EndpointSlice" => drop_deprecated_topology(object),
        "LimitRange" => name_after_uid(object, creation),
        _ => {}
    }
    tidy(kind, object);
}

/// Brings back the form that [`super::apply`] gives every object.
pub(super) fn tidy(kind: &str, object: &mut Value) {
    let Some(ty) = schema::lookup(object.text("apiVersion"), kind) else { return };
    if ty.is_custom() {
        return custom::complete(ty, object);
    }
    shape::canonicalize(ty, object);
    super::drop_empty_status(object);
}

fn prepare_pod(pod: &mut Value, creation: &Creation<'_>) {
    let mut status = json!({"phase": "Pending", "qosClass": qos_class(pod.at("spec")).as_str()});
    if !pod.at("spec").list("schedulingGates").is_empty() {
        status.set(
            "conditions",
            json!([{
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastTransitionTime": creation.now,
            }]),
        );
    }
    pod.set("status", status);
    let labels = pod.at("metadata").at("labels").clone();
    let annotations = pod.at("metadata").at("annotations").clone();
    let Some(spec) = pod.object_mut("spec") else { return };
    drop_disabled_in_spec(spec);
    apply_label_keys(spec, &labels);
    adopt_app_armor_annotations(spec, &annotations);
}

fn drop_disabled_in_template(owner: Option<&mut Value>) {
    let spec = owner.and_then(|owner| owner.object_mut("template")).and_then(|template| template.object_mut("spec"));
    spec.map(drop_disabled_in_spec);
}

/// Fields behind features that are off by default in 1.36 (`DropDisabledPodFields`).
pub(super) fn drop_disabled_in_spec(spec: &mut Value) {
    spec.take_field("schedulingGroup");
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.list_mut(list) {
            container.object_mut("lifecycle").and_then(|lifecycle| lifecycle.take_field("stopSignal"));
        }
    }
    for projected in spec.list_mut("volumes").iter_mut().filter_map(|volume| volume.object_mut("projected")) {
        for source in projected.list_mut("sources") {
            source.take_field("clusterTrustBundle");
            source.take_field("podCertificate");
        }
    }
}

/// `matchLabelKeys` and `mismatchLabelKeys` become part of the selectors they belong to, with the pod's own values.
fn apply_label_keys(spec: &mut Value, labels: &Value) {
    if let Some(affinity) = spec.object_mut("affinity") {
        for side in ["podAffinity", "podAntiAffinity"] {
            let Some(side) = affinity.object_mut(side) else { continue };
            for weighted in side.list_mut("preferredDuringSchedulingIgnoredDuringExecution") {
                if let Some(term) = weighted.object_mut("podAffinityTerm") {
                    apply_keys_to_selector(term, labels)
                }
            }
            for term in side.list_mut("requiredDuringSchedulingIgnoredDuringExecution") {
                apply_keys_to_selector(term, labels);
            }
        }
    }
    for constraint in spec.list_mut("topologySpreadConstraints") {
        apply_keys_to_selector(constraint, labels);
    }
}

fn apply_keys_to_selector(term: &mut Value, labels: &Value) {
    let mut added = Vec::new();
    for (list, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in term.texts(list) {
            if let Some(value) = labels.text_some(key) {
                added.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    let Some(selector) = term.object_mut("labelSelector").filter(|_| !added.is_empty()) else { return };
    let mut expressions = selector.list("matchExpressions").to_vec();
    expressions.extend(added);
    selector.set("matchExpressions", expressions);
}

/// `applyAppArmorVersionSkew`: annotations of old become the field that replaced them.
fn adopt_app_armor_annotations(spec: &mut Value, annotations: &Value) {
    if spec.at("os").text("name") == "windows" {
        return;
    }
    let pod_profile = spec.at("securityContext").at("appArmorProfile").clone();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.list_mut(list) {
            let key = format!("container.apparmor.security.beta.kubernetes.io/{}", container.text("name"));
            let Some(profile) = annotations.text_some(&key).and_then(app_armor_profile) else { continue };
            if container.at("securityContext").has("appArmorProfile") || profile == pod_profile {
                continue;
            }
            if let Some(context) = container.ensure_object("securityContext") {
                context.set("appArmorProfile", profile);
            }
        }
    }
}

fn app_armor_profile(annotation: &str) -> Option<Value> {
    match annotation {
        "unconfined" => Some(json!({"type": "Unconfined"})),
        "runtime/default" => Some(json!({"type": "RuntimeDefault"})),
        _ => {
            let profile = annotation.strip_prefix("localhost/").filter(|profile| !profile.trim().is_empty())?;
            let fits = profile.len() <= 4095 && profile == profile.trim();
            fits.then(|| json!({"type": "Localhost", "localhostProfile": profile}))
        }
    }
}

fn prepare_stateful_set(set: &mut Value) {
    drop_max_unavailable(set);
    drop_disabled_in_template(set.object_mut("spec"));
}

/// Feature `MaxUnavailableStatefulSet` is off by default.
pub(super) fn drop_max_unavailable(set: &mut Value) {
    let strategy = set.object_mut("spec").and_then(|spec| spec.object_mut("updateStrategy"));
    strategy
        .and_then(|strategy| strategy.object_mut("rollingUpdate"))
        .and_then(|rolling| rolling.take_field("maxUnavailable"));
}

fn prepare_daemon_set(set: &mut Value) {
    if let Some(annotations) = set.object_mut("metadata").and_then(|metadata| metadata.ensure_object("annotations")) {
        let generation = annotations.text(TEMPLATE_GENERATION).parse::<i64>().unwrap_or(0);
        annotations.set(TEMPLATE_GENERATION, generation.max(1).to_string());
    }
    drop_disabled_in_template(set.object_mut("spec"));
}

/// `generateSelectorIfNeeded`: a Job's selector is its own uid, unless the user manages it.
fn prepare_job(job: &mut Value, creation: &Creation<'_>) {
    let name = job.at("metadata").text("name").to_owned();
    let Some(spec) = job.object_mut("spec") else { return };
    if !spec.flag("manualSelector") {
        let metadata = spec.ensure_object("template").and_then(|template| template.ensure_object("metadata"));
        if let Some(labels) = metadata.and_then(|metadata| metadata.ensure_object("labels")) {
            labels.default_to("job-name", name.as_str());
            labels.default_to("batch.kubernetes.io/job-name", name.as_str());
            labels.default_to("controller-uid", creation.uid);
            labels.default_to("batch.kubernetes.io/controller-uid", creation.uid);
        }
        if let Some(matched) = spec.ensure_object("selector").and_then(|selector| selector.ensure_object("matchLabels"))
        {
            matched.default_to("batch.kubernetes.io/controller-uid", creation.uid);
        }
    }
    drop_disabled_in_template(Some(spec));
    let labels = super::workloads::template_labels(job.at("spec"));
    if let (Some(labels), Some(metadata)) = (labels, job.object_mut("metadata"))
        && !creation.has_labels
        && metadata.has("labels")
    {
        // Upstream it is one map.
        metadata.set("labels", labels);
    }
}

fn prepare_namespace(namespace: &mut Value) {
    namespace.set("status", json!({"phase": "Active"}));
    label_with_own_name(namespace);
    let Some(spec) = namespace.ensure_object("spec") else { return };
    if !spec.texts("finalizers").contains(&"kubernetes") {
        let mut finalizers = spec.list("finalizers").to_vec();
        finalizers.push(Value::from("kubernetes"));
        spec.set("finalizers", finalizers);
    }
}

/// The kubelet's configuration through the node object was removed long ago.
fn drop_node_config(node: &mut Value) {
    node.object_mut("spec").and_then(|spec| spec.take_field("configSource"));
    node.object_mut("status").and_then(|status| status.take_field("config"));
}

fn prepare_claim(claim: &mut Value) {
    if let Some(spec) = claim.object_mut("spec") {
        normalize_data_sources(spec);
    }
}

/// The two ways to name a claim's data source are kept equal; what is not a source of data is dropped.
pub(super) fn normalize_data_sources(spec: &mut Value) {
    drop_unsupported_data_source(spec);
    let source = spec.at("dataSource").clone();
    let reference = spec.at("dataSourceRef").clone();
    if source.is_object() && reference.is_null() {
        spec.set("dataSourceRef", source);
    } else if source.is_null() && reference.is_object() && reference.text("namespace").is_empty() {
        let mut source = reference;
        source.take_field("namespace");
        spec.set("dataSource", source);
    }
}

/// `EnforceDataSourceBackwardsCompatibility`: `dataSource` only names claims and snapshots. A reference to another
/// namespace is behind a feature that is off.
fn drop_unsupported_data_source(spec: &mut Value) {
    let source = spec.at("dataSource");
    let known = match source.text("apiGroup") {
        "" => source.text("kind") == "PersistentVolumeClaim",
        "snapshot.storage.k8s.io" => source.text("kind") == "VolumeSnapshot",
        _ => false,
    };
    if source.is_object() && !known && !spec.has("dataSourceRef") {
        spec.take_field("dataSource");
    }
    if !spec.at("dataSourceRef").text("namespace").is_empty() {
        spec.take_field("dataSourceRef");
    }
}

/// `discovery.k8s.io/v1` replaced the topology map by fields.
pub(super) fn drop_deprecated_topology(slice: &mut Value) {
    for endpoint in slice.list_mut("endpoints") {
        endpoint.take_field("deprecatedTopology");
    }
}

fn name_after_uid(range: &mut Value, creation: &Creation<'_>) {
    if let Some(metadata) = range.ensure_object("metadata") {
        metadata.default_text("name", creation.uid);
    }
}
