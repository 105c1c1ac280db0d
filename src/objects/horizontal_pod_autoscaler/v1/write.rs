//! From the present version to the first one.

use serde::Serialize;
use serde_json::Value;

use super::{BEHAVIOR, CARRIERS, CONDITIONS, CURRENT_METRICS, METRICS};
use crate::objects::horizontal_pod_autoscaler::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HpaScalingPolicy, HpaScalingRules, MetricIdentifier,
    MetricSource, MetricSpec, MetricStatus,
};
use crate::objects::wire::WireMut;
use crate::objects::{Condition, Labels, Quantity, Resource};

/// An autoscaler as `autoscaling/v1` has it.
pub(crate) fn wire(autoscaler: &HorizontalPodAutoscaler) -> Value {
    let HorizontalPodAutoscaler { meta, spec, status } = autoscaler;
    let mut wire = autoscaler.to_wire();
    wire.set("apiVersion", super::API_VERSION);
    if let Some(wire) = wire.object_mut("spec") {
        wire.take_field("metrics");
        wire.take_field("behavior");
        if let Some(percentage) = spec.metrics.iter().find_map(cpu_percentage) {
            wire.set("targetCPUUtilizationPercentage", percentage);
        }
    }
    if let Some(wire) = wire.object_mut("status") {
        wire.take_field("currentMetrics");
        wire.take_field("conditions");
        let is_cpu = |status: &&MetricStatus| status.source.as_ref().is_some_and(is_cpu);
        let mut current =
            status.current_metrics.iter().filter(is_cpu).filter_map(|cpu| cpu.current.average_utilization);
        if let Some(percentage) = current.next_back() {
            wire.set("currentCPUUtilizationPercentage", percentage);
        }
    }
    let others: Vec<String> =
        spec.metrics.iter().filter(|metric| cpu_percentage(metric).is_none()).map(metric).collect();
    let current: Vec<String> = status.current_metrics.iter().map(metric_status).collect();
    let conditions: Vec<String> = status.conditions.iter().map(condition).collect();
    let carried = [
        (METRICS, list(&others)),
        (CURRENT_METRICS, list(&current)),
        (BEHAVIOR, spec.behavior.as_ref().map(behavior)),
        (CONDITIONS, list(&conditions)),
    ];
    let own = meta.annotations.iter().filter(|(key, _)| !CARRIERS.contains(key));
    let carried = carried.iter().filter_map(|(key, text)| Some((*key, text.as_deref()?)));
    let annotations: Labels = own.chain(carried).collect();
    if let Some(metadata) = wire.object_mut("metadata").filter(|_| !annotations.is_empty()) {
        metadata.set("annotations", serde_json::to_value(&annotations).unwrap_or_default());
    }
    wire
}

fn is_cpu(source: &MetricSource) -> bool {
    matches!(source, MetricSource::Resource { name } if **name == *"cpu")
}

/// The target of what `autoscaling/v1` has a field for.
fn cpu_percentage(metric: &MetricSpec) -> Option<i32> {
    metric.target.average_utilization.filter(|_| is_cpu(&metric.source))
}

// The texts of annotations have their fields in the order of Go's.

fn metric(MetricSpec { source, target }: &MetricSpec) -> String {
    let (percentage, average) = (target.average_utilization.map(json), target.average_value.map(json));
    let fields = match source {
        MetricSource::Object { described_object, metric } => vec![
            ("target", Some(json(described_object))),
            ("metricName", Some(json(&metric.name))),
            ("targetValue", Some(or_zero(target.value))),
            ("selector", selector(metric)),
            ("averageValue", average),
        ],
        MetricSource::Pods { metric } => vec![
            ("metricName", Some(json(&metric.name))),
            ("targetAverageValue", Some(or_zero(target.average_value))),
            ("selector", selector(metric)),
        ],
        MetricSource::Resource { name } => {
            vec![("name", Some(json(name))), ("targetAverageUtilization", percentage), ("targetAverageValue", average)]
        }
        MetricSource::ContainerResource { name, container } => vec![
            ("name", Some(json(name))),
            ("targetAverageUtilization", percentage),
            ("targetAverageValue", average),
            ("container", Some(json(container))),
        ],
        MetricSource::External { metric } => vec![
            ("metricName", Some(json(&metric.name))),
            ("metricSelector", selector(metric)),
            ("targetValue", target.value.map(json)),
            ("targetAverageValue", average),
        ],
    };
    sourced(source, &fields)
}

fn metric_status(MetricStatus { source, current }: &MetricStatus) -> String {
    let Some(source) = source else { return object(&[("type", Some(json("")))]) };
    let (percentage, average) = (current.average_utilization.map(json), Some(or_zero(current.average_value)));
    let fields = match source {
        MetricSource::Object { described_object, metric } => vec![
            ("target", Some(json(described_object))),
            ("metricName", Some(json(&metric.name))),
            ("currentValue", Some(or_zero(current.value))),
            ("selector", selector(metric)),
            ("averageValue", current.average_value.map(json)),
        ],
        MetricSource::Pods { metric } => vec![
            ("metricName", Some(json(&metric.name))),
            ("currentAverageValue", average),
            ("selector", selector(metric)),
        ],
        MetricSource::Resource { name } => vec![
            ("name", Some(json(name))),
            ("currentAverageUtilization", percentage),
            ("currentAverageValue", average),
        ],
        MetricSource::ContainerResource { name, container } => vec![
            ("name", Some(json(name))),
            ("currentAverageUtilization", percentage),
            ("currentAverageValue", average),
            ("container", Some(json(container))),
        ],
        MetricSource::External { metric } => vec![
            ("metricName", Some(json(&metric.name))),
            ("metricSelector", selector(metric)),
            ("currentValue", Some(or_zero(current.value))),
            ("currentAverageValue", current.average_value.map(json)),
        ],
    };
    sourced(source, &fields)
}

fn sourced(source: &MetricSource, fields: &[(&str, Option<String>)]) -> String {
    object(&[("type", Some(json(source.kind()))), (&source.field(), Some(object(fields)))])
}

fn condition(condition: &Condition) -> String {
    object(&[
        ("type", Some(json(&condition.kind))),
        ("status", Some(json(condition.status))),
        ("lastTransitionTime", Some(json(condition.last_transition_time))),
        ("reason", given(&condition.reason)),
        ("message", given(&condition.message)),
    ])
}

/// The internal form, whose fields have the names of Go's and are there even where nothing is said.
fn behavior(behavior: &HorizontalPodAutoscalerBehavior) -> String {
    let rules = |rules: &Option<HpaScalingRules>| Some(rules.as_ref().map_or_else(|| json(()), scaling_rules));
    object(&[("ScaleUp", rules(&behavior.scale_up)), ("ScaleDown", rules(&behavior.scale_down))])
}

fn scaling_rules(rules: &HpaScalingRules) -> String {
    let policy = |policy: &HpaScalingPolicy| {
        object(&[
            ("Type", Some(json(&policy.kind))),
            ("Value", Some(json(policy.value))),
            ("PeriodSeconds", Some(json(policy.period_seconds))),
        ])
    };
    let policies = rules.policies.as_ref().map(|policies| policies.iter().map(policy).collect::<Vec<_>>());
    object(&[
        ("StabilizationWindowSeconds", Some(json(rules.stabilization_window_seconds))),
        ("SelectPolicy", Some(json(rules.select_policy))),
        ("Policies", Some(policies.map_or_else(|| json(()), |policies| format!("[{}]", policies.join(","))))),
        ("Tolerance", Some(json(rules.tolerance))),
    ])
}

fn selector(metric: &MetricIdentifier) -> Option<String> {
    metric.selector.as_ref().map(json)
}

fn or_zero(amount: Option<Quantity>) -> String {
    json(amount.unwrap_or_default())
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| json(text))
}

fn json(value: impl Serialize) -> String {
    let text = serde_json::to_string(&value).unwrap_or_default();
    // Go writes what could be HTML so.
    text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

fn object(fields: &[(&str, Option<String>)]) -> String {
    let fields = fields.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value.as_deref()?)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn list(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| format!("[{}]", items.join(",")))
}
