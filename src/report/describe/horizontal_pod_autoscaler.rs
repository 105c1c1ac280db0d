//! `describe hpa` (upstream `describeHorizontalPodAutoscalerV2`).

use super::events_about;
use super::parts::{annotations, events, labels, rfc1123};
use super::tabs::TabWriter;
use crate::objects::{
    HorizontalPodAutoscaler, HpaScalingRules, MetricSource, MetricSpec, MetricStatus, MetricValueStatus, Quantity,
};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, autoscaler: &HorizontalPodAutoscaler) {
    let HorizontalPodAutoscaler { meta, spec, status } = autoscaler;
    out.field(0, "Name", &meta.name);
    out.field(0, "Namespace", &meta.namespace);
    labels(out, "Labels", &meta.labels);
    annotations(out, "Annotations", &meta.annotations);
    out.field(0, "CreationTimestamp", meta.creation_timestamp.map(rfc1123).unwrap_or_default());
    let target = &spec.scale_target_ref;
    out.field(0, "Reference", format_args!("{}/{}", target.kind, target.name));
    out.line(0, "Metrics:\t( current / target )");
    for (at, spec) in spec.metrics.iter().enumerate() {
        out.line(1, metric(spec, status.current_metrics.get(at)));
    }
    let min = spec.min_replicas.map_or_else(|| "<unset>".to_owned(), |min| min.to_string());
    out.field(0, "Min replicas", min);
    out.field(0, "Max replicas", spec.max_replicas);
    if let Some(behavior) = &spec.behavior {
        out.line(0, "Behavior:");
        rules(out, "Scale Up", behavior.scale_up.as_ref());
        rules(out, "Scale Down", behavior.scale_down.as_ref());
    }
    let (current, desired) = (status.current_replicas, status.desired_replicas);
    out.line(0, format_args!("{} pods:\t{current} current / {desired} desired", target.kind));
    if !status.conditions.is_empty() {
        out.line(0, "Conditions:\n  Type\tStatus\tReason\tMessage\n  ----\t------\t------\t-------");
        for condition in &status.conditions {
            let (kind, holds) = (&condition.kind, condition.status.as_str());
            out.line(1, format_args!("{kind}\t{holds}\t{}\t{}", condition.reason, condition.message));
        }
    }
    events(out, events_about(sim, meta), sim.wall());
}

fn metric(spec: &MetricSpec, status: Option<&MetricStatus>) -> String {
    let current = status.and_then(|status| status.figures_of(spec));
    let target = &spec.target;
    let average = || ratio(current.and_then(|now| now.average_value), target.average_value);
    let whole_or_average = |head: String, is_average: bool| {
        if is_average {
            return format!("{head} (target average value):\t{}", average());
        }
        format!("{head} (target value):\t{}", ratio(current.and_then(|now| now.value), target.value))
    };
    let head = match &spec.source {
        MetricSource::External { metric } => {
            return whole_or_average(format!("{:?}", metric.name), target.average_value.is_some());
        }
        MetricSource::Pods { metric } => return format!("{:?} on pods:\t{}", metric.name, average()),
        MetricSource::Object { described_object: about, metric } => {
            let head = format!("\"{}\" on {}/{}", metric.name, about.kind, about.name);
            return whole_or_average(head, &*target.kind == "AverageValue");
        }
        MetricSource::Resource { name } => format!("resource {name} on pods"),
        MetricSource::ContainerResource { name, container } => {
            format!("resource {name} of container \"{container}\" on pods")
        }
    };
    if target.average_value.is_some() {
        return format!("{head}:\t{}", average());
    }
    let percent = target.average_utilization.map_or_else(|| "<auto>".to_owned(), |percent| format!("{percent}%"));
    format!("{head}  (as a percentage of request):\t{} / {percent}", utilization(current))
}

fn utilization(current: Option<&MetricValueStatus>) -> String {
    match current.and_then(|now| Some((now.average_utilization?, now.average_value?))) {
        Some((percent, average)) => format!("{percent}% ({average})"),
        None => "<unknown>".to_owned(),
    }
}

fn ratio(current: Option<Quantity>, target: Option<Quantity>) -> String {
    let current = current.map_or_else(|| "<unknown>".to_owned(), |current| current.to_string());
    format!("{current} / {}", target.unwrap_or_default())
}

fn rules(out: &mut TabWriter, direction: &str, rules: Option<&HpaScalingRules>) {
    let Some(rules) = rules else { return };
    out.line(1, format_args!("{direction}:"));
    if let Some(window) = rules.stabilization_window_seconds {
        out.line(2, format_args!("Stabilization Window: {window} seconds"));
    }
    if rules.policies().is_empty() {
        return;
    }
    out.line(2, format_args!("Select Policy: {}", rules.select_policy.unwrap_or_default().as_str()));
    out.line(2, "Policies:");
    for policy in rules.policies() {
        let (kind, value, period) = (&policy.kind, policy.value, policy.period_seconds);
        out.line(3, format_args!("- Type: {kind}\tValue: {value}\tPeriod: {period} seconds"));
    }
}
