//! Controllers of pods, and the autoscaler.

use serde_json::{Value, json};

use super::pod::default_pod_spec;
use super::{storage, volumes};
use crate::objects::TEMPLATE_GENERATION;
use crate::objects::wire::{Wire, WireMut};

/// Defaults of the pod template of an object (or of its spec).
pub(super) fn default_template(owner: &mut Value) {
    if let Some(spec) = owner.object_mut("template").and_then(|template| template.ensure_object("spec")) {
        default_pod_spec(spec);
    }
}

/// `SetDefaults_Deployment`.
pub(super) fn default_deployment(deployment: &mut Value) {
    let Some(spec) = deployment.ensure_object("spec") else { return };
    spec.default_to("replicas", 1);
    if let Some(strategy) = spec.ensure_object("strategy") {
        strategy.default_text("type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = strategy.ensure_object("rollingUpdate")
        {
            rolling.default_to("maxUnavailable", "25%");
            rolling.default_to("maxSurge", "25%");
        }
    }
    spec.default_to("revisionHistoryLimit", 10);
    spec.default_to("progressDeadlineSeconds", 600);
    default_template(spec);
}

/// `SetDefaults_ReplicaSet`.
pub(super) fn default_replica_set(replica_set: &mut Value) {
    let Some(spec) = replica_set.ensure_object("spec") else { return };
    spec.default_to("replicas", 1);
    default_template(spec);
}

/// `SetDefaults_ReplicationController`: selector and labels come from the template.
pub(super) fn default_replication_controller(controller: &mut Value) {
    let labels = template_labels(controller.at("spec"));
    if let Some(labels) = &labels {
        default_map(controller.object_mut("spec"), "selector", labels);
        default_map(controller.object_mut("metadata"), "labels", labels);
    }
    let Some(spec) = controller.ensure_object("spec") else { return };
    spec.default_to("replicas", 1);
    default_template(spec);
}

/// The labels of the template of a spec, if it has any.
pub(super) fn template_labels(spec: &Value) -> Option<Value> {
    let labels = spec.at("template").at("metadata").get_some("labels")?;
    labels.is_object().then(|| labels.clone())
}

/// Sets a map that is absent or empty.
pub(super) fn default_map(owner: Option<&mut Value>, name: &str, value: &Value) {
    let Some(owner) = owner else { return };
    if owner.get_some(name).is_none_or(|map| map.as_object().is_some_and(serde_json::Map::is_empty)) {
        owner.set(name, value.clone());
    }
}

/// `SetDefaults_StatefulSet`.
pub(super) fn default_stateful_set(set: &mut Value) {
    let Some(spec) = set.ensure_object("spec") else { return };
    spec.default_text("podManagementPolicy", "OrderedReady");
    if let Some(strategy) = spec.ensure_object("updateStrategy") {
        if strategy.text("type").is_empty() {
            strategy.set("type", "RollingUpdate");
            strategy.ensure_object("rollingUpdate");
        }
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = strategy.object_mut("rollingUpdate")
        {
            rolling.default_to("partition", 0);
        }
    }
    if let Some(policy) = spec.ensure_object("persistentVolumeClaimRetentionPolicy") {
        policy.default_text("whenDeleted", "Retain");
        policy.default_text("whenScaled", "Retain");
    }
    spec.default_to("replicas", 1);
    spec.default_to("revisionHistoryLimit", 10);
    default_template(spec);
    for claim in spec.list_mut("volumeClaimTemplates") {
        claim.set("apiVersion", "v1");
        claim.set("kind", "PersistentVolumeClaim");
        storage::default_claim(claim);
        claim.object_mut("spec").map(volumes::default_claim_spec);
    }
}

/// `SetDefaults_DaemonSet`, and the template generation that `apps/v1` keeps in an annotation.
pub(super) fn default_daemon_set(set: &mut Value) {
    if let Some(annotations) = set.object_mut("metadata").and_then(|metadata| metadata.ensure_object("annotations")) {
        annotations.default_to(TEMPLATE_GENERATION, "0");
    }
    let Some(spec) = set.ensure_object("spec") else { return };
    if let Some(strategy) = spec.ensure_object("updateStrategy") {
        strategy.default_text("type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = strategy.ensure_object("rollingUpdate")
        {
            rolling.default_to("maxUnavailable", 1);
            rolling.default_to("maxSurge", 0);
        }
    }
    spec.default_to("revisionHistoryLimit", 10);
    default_template(spec);
}

/// `SetDefaults_HorizontalPodAutoscaler` of both versions.
pub(super) fn default_autoscaler(api_version: &str, autoscaler: &mut Value) {
    let Some(spec) = autoscaler.ensure_object("spec") else { return };
    spec.default_to("minReplicas", 1);
    if api_version == "autoscaling/v1" {
        if !autoscaler_v1_has_other_metrics(autoscaler)
            && let Some(spec) = autoscaler.object_mut("spec")
        {
            spec.default_to("targetCPUUtilizationPercentage", 80);
        }
        return;
    }
    if spec.list("metrics").is_empty() {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec.set("metrics", json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    }
    if let Some(behavior) = spec.object_mut("behavior") {
        let up = json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]);
        if let Some(rules) = behavior.ensure_object("scaleUp") {
            rules.default_to("stabilizationWindowSeconds", 0);
            default_scaling_rules(rules, &up);
        }
        if let Some(rules) = behavior.ensure_object("scaleDown") {
            default_scaling_rules(rules, &json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]));
        }
    }
}

fn default_scaling_rules(rules: &mut Value, policies: &Value) {
    rules.default_to("selectPolicy", "Max");
    rules.default_to("policies", policies.clone());
}

/// `autoscaling/v1` carries metrics other than CPU in an annotation; then CPU has no default.
fn autoscaler_v1_has_other_metrics(autoscaler: &Value) -> bool {
    !autoscaler.at("metadata").at("annotations").text("autoscaling.alpha.kubernetes.io/metrics").is_empty()
}
