//! The first version of the API, `autoscaling/v1`, which knows the use of CPU only and carries all else in annotations. It is
//! converted to the present one when it comes in (upstream `pkg/apis/autoscaling/v1/conversion.go`).

use serde_json::{Map, Value, json};

use crate::objects::wire::{Wire, WireMut};

/// Annotation with the metrics other than the use of CPU.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
/// Annotation with the behavior.
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// Annotations that only carry fields of the other version.
const CARRIERS: [&str; 4] = [
    METRICS,
    BEHAVIOR,
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
];

/// Whether a document is one of `autoscaling/v1`.
pub(crate) fn is_v1(document: &Value) -> bool {
    document.text("kind") == "HorizontalPodAutoscaler" && document.text("apiVersion") == "autoscaling/v1"
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
    if let Some(annotations) = document.object_mut("metadata").and_then(|metadata| metadata.object_mut("annotations")) {
        CARRIERS.iter().for_each(|key| drop(annotations.take_field(key)));
    }
    if let Some(status) = document.as_object_mut().and_then(|document| document.get_mut("status")) {
        status.take_field("currentCPUUtilizationPercentage");
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

/// A metric as the annotation has it, in the present form.
fn metric(old: &Value) -> Value {
    let mut new = Map::new();
    new.insert("type".into(), old.at("type").clone());
    for (field, make) in [
        ("resource", resource as fn(&Value) -> Value),
        ("containerResource", container_resource),
        ("pods", pods),
        ("object", object),
        ("external", external),
    ] {
        if old.has(field) {
            new.insert(field.into(), make(old.at(field)));
        }
    }
    Value::Object(new)
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
}
