//! The first version of the API, `autoscaling/v1`, which knows the use of CPU only and carries all else in annotations. It is
//! converted to the present one when it comes in, and back for whoever asks for it (upstream
//! `pkg/apis/autoscaling/v1/conversion.go`).

mod write;

pub(crate) use write::wire;

use serde_json::{Map, Value, json};

use crate::objects::wire::{Wire, WireMut};

/// Annotation with the metrics other than the use of CPU.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
/// Annotation with the behavior.
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// Annotation with the conditions.
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
/// Annotation with what was measured.
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
/// Annotations that only carry fields of the other version.
const CARRIERS: [&str; 4] = [METRICS, BEHAVIOR, CONDITIONS, CURRENT_METRICS];

/// Group and version.
pub(crate) const API_VERSION: &str = "autoscaling/v1";

/// Whether a document is one of `autoscaling/v1`.
pub(crate) fn is_v1(document: &Value) -> bool {
    document.text("kind") == "HorizontalPodAutoscaler" && document.text("apiVersion") == API_VERSION
}

/// Makes an autoscaler of `autoscaling/v1` one of `autoscaling/v2`; other documents stay as they are. Defaults are for
/// whoever comes next: they are the same in both versions.
pub(crate) fn convert(document: &mut Value) {
    if !is_v1(document) {
        return;
    }
    document.set("apiVersion", "autoscaling/v2");
    let carried = |key: &str| {
        let text = document.at("metadata").at("annotations").text(key);
        serde_json::from_str::<Value>(text).ok()
    };
    let (metrics, behavior) = (carried(METRICS), carried(BEHAVIOR));
    let (current, conditions) = (carried(CURRENT_METRICS), carried(CONDITIONS));
    if let Some(annotations) = document.object_mut("metadata").and_then(|metadata| metadata.object_mut("annotations")) {
        CARRIERS.iter().for_each(|key| drop(annotations.take_field(key)));
    }
    if let Some(status) = document.object_mut("status") {
        let percentage = status.take_field("currentCPUUtilizationPercentage").filter(|value| !value.is_null());
        let of_cpu = percentage.map(|percentage| {
            json!([{"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": percentage}}}])
        });
        let carried =
            current.filter(Value::is_array).map(|all| all.as_array().into_iter().flatten().map(status_of).collect());
        for (field, value) in
            [("currentMetrics", carried.or(of_cpu)), ("conditions", conditions.filter(Value::is_array))]
        {
            if let Some(value) = value {
                status.set(field, value);
            }
        }
    }
    let Some(spec) = document.object_mut("spec") else { return };
    let mut all: Vec<Value> = match metrics {
        Some(Value::Array(metrics)) => metrics.iter().map(metric).collect(),
        _ => Vec::new(),
    };
    if let Some(percentage) = spec.take_field("targetCPUUtilizationPercentage").filter(|value| !value.is_null()) {
        let target = json!({"type": "Utilization", "averageUtilization": percentage});
        all.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    }
    if !all.is_empty() {
        spec.set("metrics", all);
    }
    if let Some(behavior) = behavior.filter(Value::is_object) {
        spec.set("behavior", uncapitalized(&behavior));
    }
}

/// Makes a source of a metric.
type Make = fn(&Value) -> Value;

/// A metric as the annotation has it, in the present form.
fn metric(old: &Value) -> Value {
    sourced(old, [resource, container_resource, pods, object, external])
}

/// What was measured of it.
fn status_of(old: &Value) -> Value {
    sourced(old, [resource_status, container_resource_status, pods_status, object_status, external_status])
}

fn sourced(old: &Value, make: [Make; 5]) -> Value {
    let mut new = Map::new();
    new.insert("type".into(), old.at("type").clone());
    for (field, make) in ["resource", "containerResource", "pods", "object", "external"].into_iter().zip(make) {
        if old.has(field) {
            new.insert(field.into(), make(old.at(field)));
        }
    }
    Value::Object(new)
}

fn resource_status(old: &Value) -> Value {
    json!({"name": old.text("name"), "current": resource_figures(old)})
}

fn container_resource_status(old: &Value) -> Value {
    json!({"name": old.text("name"), "container": old.text("container"), "current": resource_figures(old)})
}

fn resource_figures(old: &Value) -> Value {
    let figures = json!({"averageValue": amount(old, "currentAverageValue")});
    with(figures, old, &[("averageUtilization", "currentAverageUtilization")])
}

fn pods_status(old: &Value) -> Value {
    let current = json!({"averageValue": amount(old, "currentAverageValue")});
    json!({"metric": identifier(old, "selector"), "current": current})
}

fn object_status(old: &Value) -> Value {
    let current = json!({"value": amount(old, "currentValue")});
    let current = with(current, old, &[("averageValue", "averageValue")]);
    json!({"describedObject": old.at("target"), "metric": identifier(old, "selector"), "current": current})
}

fn external_status(old: &Value) -> Value {
    let current = json!({"value": amount(old, "currentValue")});
    let current = with(current, old, &[("averageValue", "currentAverageValue")]);
    json!({"metric": identifier(old, "metricSelector"), "current": current})
}

/// An amount that is always there.
fn amount(old: &Value, field: &str) -> Value {
    old.get_some(field).cloned().unwrap_or_else(|| "0".into())
}

fn resource(old: &Value) -> Value {
    json!({"name": old.text("name"), "target": resource_target(old)})
}

fn container_resource(old: &Value) -> Value {
    json!({"name": old.text("name"), "container": old.text("container"), "target": resource_target(old)})
}

fn resource_target(old: &Value) -> Value {
    let kind = if old.has("targetAverageUtilization") { "Utilization" } else { "AverageValue" };
    let target = json!({"type": kind});
    with(target, old, &[("averageUtilization", "targetAverageUtilization"), ("averageValue", "targetAverageValue")])
}

fn pods(old: &Value) -> Value {
    let target = with(json!({"type": "AverageValue"}), old, &[("averageValue", "targetAverageValue")]);
    json!({"metric": identifier(old, "selector"), "target": target})
}

fn object(old: &Value) -> Value {
    let is_average = old.has("averageValue");
    let target = json!({"type": if is_average { "AverageValue" } else { "Value" }});
    let is_zero = old.text_some("targetValue").is_none_or(|text| text == "0");
    let mut target = with(target, old, &[("averageValue", "averageValue")]);
    if !is_average || !is_zero {
        target = with(target, old, &[("value", "targetValue")]);
    }
    json!({"describedObject": old.at("target"), "metric": identifier(old, "selector"), "target": target})
}

fn external(old: &Value) -> Value {
    let kind = if old.has("targetValue") { "Value" } else { "AverageValue" };
    let target = with(json!({"type": kind}), old, &[("value", "targetValue"), ("averageValue", "targetAverageValue")]);
    json!({"metric": identifier(old, "metricSelector"), "target": target})
}

fn identifier(old: &Value, selector: &str) -> Value {
    with(json!({"name": old.text("metricName")}), old, &[("selector", selector)])
}

/// The fields of `old` that are there, under their new names.
fn with(mut new: Value, old: &Value, fields: &[(&str, &str)]) -> Value {
    for (field, name) in fields {
        if let Some(value) = old.get_some(name) {
            new.set(field, value.clone());
        }
    }
    new
}

/// The behavior is kept in the internal form of the API, with the names of Go's fields.
fn uncapitalized(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            let members = given.map(|(key, value)| {
                let mut letters = key.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                (first.into_iter().chain(letters).collect(), uncapitalized(value))
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(uncapitalized).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{HorizontalPodAutoscaler, Resource};

    fn converted(annotations: Value, spec: Value) -> Value {
        let mut document = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "h", "annotations": annotations}, "spec": spec});
        convert(&mut document);
        assert_eq!(document["apiVersion"], "autoscaling/v2");
        document
    }

    #[test]
    fn the_percentage_of_cpu_becomes_a_metric() {
        let document = converted(json!({"a": "b"}), json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 60}));
        let target = json!({"type": "Utilization", "averageUtilization": 60});
        let metrics = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
        assert_eq!(document["spec"], json!({"maxReplicas": 3, "metrics": metrics}));
        assert_eq!(document["metadata"]["annotations"], json!({"a": "b"}));
        assert_eq!(converted(json!({}), json!({"maxReplicas": 3}))["spec"], json!({"maxReplicas": 3}));
    }

    #[test]
    fn what_annotations_carry_comes_first() {
        let metrics = json!([
            {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
            {"type": "Pods", "pods": {"metricName": "qps", "targetAverageValue": "10"}},
            {"type": "External", "external": {"metricName": "queue", "targetValue": "5"}},
            {"type": "Object", "object": {"target": {"kind": "Service", "name": "s"}, "metricName": "o", "targetValue": "0",
                "averageValue": "2"}},
        ]);
        let behavior = json!({"ScaleUp": null, "ScaleDown": {"StabilizationWindowSeconds": 60, "SelectPolicy": "Max",
            "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 60}]}});
        let annotations = json!({METRICS: metrics.to_string(), BEHAVIOR: behavior.to_string()});
        let document = converted(annotations, json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 60}));
        let kinds: Vec<&str> = document["spec"].list("metrics").iter().map(|metric| metric.text("type")).collect();
        assert_eq!(kinds, ["Resource", "Pods", "External", "Object", "Resource"]);
        let spec = &document["spec"];
        assert_eq!(spec["metrics"][0]["resource"]["target"], json!({"type": "AverageValue", "averageValue": "1Gi"}));
        assert_eq!(spec["metrics"][2]["external"]["target"], json!({"type": "Value", "value": "5"}));
        assert_eq!(spec["metrics"][3]["object"]["target"], json!({"type": "AverageValue", "averageValue": "2"}));
        let down = json!({"stabilizationWindowSeconds": 60, "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]});
        assert_eq!(spec["behavior"], json!({"scaleDown": down}));
        assert_eq!(document["metadata"]["annotations"], json!({}));
    }

    /// An autoscaler of the present version with metrics of all kinds.
    fn present() -> Value {
        let selector = json!({"matchLabels": {"a": "b"}});
        let utilization = |percentage: i32| json!({"type": "Utilization", "averageUtilization": percentage});
        let object = json!({"kind": "Service", "name": "s", "apiVersion": "v1"});
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "h", "namespace": "default", "annotations": {"a": "b"}},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 4,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
                    {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": utilization(40)}},
                    {"type": "Pods", "pods": {"metric": {"name": "qps", "selector": selector},
                        "target": {"type": "AverageValue", "averageValue": "10"}}},
                    {"type": "Object", "object": {"describedObject": object, "metric": {"name": "<o>"},
                        "target": {"type": "Value", "value": "5"}}},
                    {"type": "External", "external": {"metric": {"name": "queue", "selector": selector},
                        "target": {"type": "AverageValue", "averageValue": "7"}}},
                    {"type": "Resource", "resource": {"name": "cpu", "target": utilization(60)}},
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max",
                    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}], "tolerance": "100m"}},
            },
            "status": {
                "currentReplicas": 2, "desiredReplicas": 3, "lastScaleTime": "2026-01-01T00:00:00Z",
                "currentMetrics": [
                    {"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "2Gi"}}},
                    {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c",
                        "current": {"averageUtilization": 30, "averageValue": "300m"}}},
                    {"type": "Pods", "pods": {"metric": {"name": "qps", "selector": selector}, "current": {"averageValue": "9"}}},
                    {"type": "Object", "object": {"describedObject": object, "metric": {"name": "<o>"}, "current": {"value": "4"}}},
                    {"type": "External", "external": {"metric": {"name": "queue", "selector": selector},
                        "current": {"value": "0", "averageValue": "6"}}},
                    {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 70, "averageValue": "700m"}}},
                    {"type": ""},
                ],
                "conditions": [{"type": "AbleToScale", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z",
                    "reason": "r", "message": "a & b"}],
            },
        })
    }

    fn written(present: &Value) -> Value {
        wire(&HorizontalPodAutoscaler::from_wire(present.clone()).expect("an autoscaler"))
    }

    #[test]
    fn the_first_version_knows_the_use_of_cpu_and_carries_the_rest_in_annotations() {
        let old = written(&present());
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        assert_eq!(old["apiVersion"], "autoscaling/v1");
        assert_eq!(
            old["spec"],
            json!({"scaleTargetRef": target, "maxReplicas": 4, "targetCPUUtilizationPercentage": 60})
        );
        let status = json!({"currentReplicas": 2, "desiredReplicas": 3, "lastScaleTime": "2026-01-01T00:00:00Z",
            "currentCPUUtilizationPercentage": 70});
        assert_eq!(old["status"], status);
        let annotation = |key: &str| old["metadata"]["annotations"].text(key).to_owned();
        assert_eq!(annotation("a"), "b");
        let metrics = concat!(
            r#"[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}},"#,
            r#"{"type":"ContainerResource","containerResource":{"name":"cpu","targetAverageUtilization":40,"container":"c"}},"#,
            r#"{"type":"Pods","pods":{"metricName":"qps","targetAverageValue":"10","selector":{"matchLabels":{"a":"b"}}}},"#,
            r#"{"type":"Object","object":{"target":{"kind":"Service","name":"s","apiVersion":"v1"},"#,
            r#""metricName":"\u003co\u003e","targetValue":"5"}},"#,
            r#"{"type":"External","external":{"metricName":"queue","metricSelector":{"matchLabels":{"a":"b"}},"#,
            r#""targetAverageValue":"7"}}]"#,
        );
        assert_eq!(annotation(METRICS), metrics);
        let behavior = concat!(
            r#"{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":60,"SelectPolicy":"Max","#,
            r#""Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":60}],"Tolerance":"100m"}}"#,
        );
        assert_eq!(annotation(BEHAVIOR), behavior);
        let conditions = concat!(
            r#"[{"type":"AbleToScale","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z","#,
            r#""reason":"r","message":"a \u0026 b"}]"#,
        );
        assert_eq!(annotation(CONDITIONS), conditions);
    }

    #[test]
    fn what_is_written_in_the_first_version_is_read_as_it_was() {
        let present = present();
        let mut document = written(&present);
        convert(&mut document);
        assert_eq!(document["spec"], present["spec"]);
        assert_eq!(document["status"], present["status"]);
        assert_eq!(document["metadata"]["annotations"], json!({"a": "b"}));
    }

    #[test]
    fn the_status_of_the_first_version_alone_tells_the_use_of_cpu() {
        let mut document = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
            "spec": {"maxReplicas": 3}, "status": {"currentCPUUtilizationPercentage": 55}});
        convert(&mut document);
        let current = json!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 55}}}]);
        assert_eq!(document["status"], json!({"currentMetrics": current}));
    }
}
