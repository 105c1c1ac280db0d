//! Rows of autoscalers.

use crate::objects::{
    HorizontalPodAutoscaler, MetricSource, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus, Quantity,
};

use super::Cells;

/// Metrics that a row shows; of others it says how many there are.
const SHOWN: usize = 2;

/// Upstream `printers/internalversion.printHorizontalPodAutoscaler`.
pub(super) fn autoscaler_cells(autoscaler: &HorizontalPodAutoscaler, age: String) -> Cells {
    let spec = &autoscaler.spec;
    vec![
        autoscaler.meta.name.to_string(),
        format!("{}/{}", spec.scale_target_ref.kind, spec.scale_target_ref.name),
        targets(&spec.metrics, &autoscaler.status.current_metrics),
        spec.min_replicas.map_or_else(|| "<unset>".to_owned(), |min| min.to_string()),
        spec.max_replicas.to_string(),
        autoscaler.status.current_replicas.to_string(),
        age,
    ]
}

/// Upstream `formatHPAMetrics`.
fn targets(metrics: &[MetricSpec], statuses: &[MetricStatus]) -> String {
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let shown = metrics.iter().enumerate().take(SHOWN).map(|(at, metric)| target(metric, statuses.get(at)));
    let list = shown.collect::<Vec<_>>().join(", ");
    match metrics.len() {
        ..=SHOWN => list,
        all => format!("{list} + {} more...", all - SHOWN),
    }
}

fn target(metric: &MetricSpec, status: Option<&MetricStatus>) -> String {
    let current = status.and_then(|status| status.figures_of(metric));
    let target = &metric.target;
    match &metric.source {
        MetricSource::External { .. } | MetricSource::Object { .. } => averaged(target, current),
        MetricSource::Pods { .. } => ratio(current.and_then(|current| current.average_value), target.average_value),
        MetricSource::Resource { name } | MetricSource::ContainerResource { name, .. } => {
            utilization(name, target, current)
        }
    }
}

fn averaged(target: &MetricTarget, current: Option<&MetricValueStatus>) -> String {
    match target.average_value {
        Some(_) => format!("{} (avg)", ratio(current.and_then(|current| current.average_value), target.average_value)),
        None => ratio(current.and_then(|current| current.value), target.value),
    }
}

fn utilization(name: &str, target: &MetricTarget, current: Option<&MetricValueStatus>) -> String {
    if target.average_value.is_some() {
        return format!("{name}: {}", ratio(current.and_then(|current| current.average_value), target.average_value));
    }
    let percent = |percentage: Option<i32>| percentage.map(|percentage| format!("{percentage}%"));
    let current = percent(current.and_then(|current| current.average_utilization));
    let target = percent(target.average_utilization).unwrap_or_else(|| "<auto>".to_owned());
    format!("{name}: {}/{target}", current.unwrap_or_else(|| "<unknown>".to_owned()))
}

fn ratio(current: Option<Quantity>, target: Option<Quantity>) -> String {
    let current = current.map_or_else(|| "<unknown>".to_owned(), |current| current.to_string());
    format!("{current}/{}", target.unwrap_or_default())
}
