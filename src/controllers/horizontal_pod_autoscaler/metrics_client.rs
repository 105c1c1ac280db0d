//! What the metrics APIs answer, by pod (upstream `metrics/client.go`, `metrics/utilization.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::Response;
use crate::kernel::SimDuration;
use crate::objects::wire::Wire;
use crate::objects::{Object, Quantity, Timestamp, WallTime};

/// Window of a custom metric that does not say its own.
const DEFAULT_WINDOW: SimDuration = SimDuration::from_secs(60);

/// A figure of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PodMetric {
    pub(super) at: WallTime,
    /// The time that the figure is an average of; it ends at `at`.
    pub(super) window: SimDuration,
    /// In thousandths.
    pub(super) value: i64,
}

/// Figures by name of the pod.
pub(super) type PodMetrics = BTreeMap<Arc<str>, PodMetric>;

/// What the pods, or one container of each, use of a resource.
pub(super) fn resource_metric(answer: &Response, resource: &str, container: &str) -> Result<PodMetrics, String> {
    let items = items(answer, "resource")?;
    let of_container = |item: &Value| {
        let found = item.list("containers").iter().find(|found| found.text("name") == container)?;
        milli(found.at("usage").at(resource))
    };
    let of_pod = |item: &Value| {
        let used = item.list("containers").iter().map(|container| milli(container.at("usage").at(resource)));
        let used: Option<Vec<i64>> = used.collect();
        used.filter(|used| !used.is_empty()).map(|used| used.into_iter().fold(0, i64::wrapping_add))
    };
    let metrics = items.iter().filter_map(|item| {
        let value = if container.is_empty() { of_pod(item) } else { of_container(item) }?;
        let window = item.text("window").parse().unwrap_or_default();
        Some((item.at("metadata").text("name").into(), PodMetric { at: timestamp(item), window, value }))
    });
    Ok(metrics.collect())
}

/// A figure of each pod.
pub(super) fn pods_metric(answer: &Response) -> Result<PodMetrics, String> {
    let metrics = items(answer, "custom")?.iter().map(|item| {
        let window = item.int_some("windowSeconds").and_then(|seconds| u64::try_from(seconds).ok());
        let window = window.map_or(DEFAULT_WINDOW, SimDuration::from_secs);
        let metric = PodMetric { at: timestamp(item), window, value: milli(item.at("value")).unwrap_or_default() };
        (item.at("describedObject").text("name").into(), metric)
    });
    Ok(metrics.collect())
}

/// A figure about an object, in thousandths.
pub(super) fn object_metric(answer: &Response) -> Result<i64, String> {
    let first = items(answer, "custom")?.first();
    Ok(first.and_then(|item| milli(item.at("value"))).unwrap_or_default())
}

/// All series of a figure from outside, in thousandths.
pub(super) fn external_metric(answer: &Response) -> Result<Vec<i64>, String> {
    let items = items(answer, "external")?;
    Ok(items.iter().map(|item| milli(item.at("value")).unwrap_or_default()).collect())
}

fn items<'a>(answer: &'a Response, api: &str) -> Result<&'a [Value], String> {
    let object = answer.as_ref().map_err(|error| format!("unable to fetch metrics from {api} metrics API: {error}"))?;
    let items = match object {
        Object::Opaque(list) => list.rest.get("items").and_then(Value::as_array),
        _ => None,
    };
    let items = items.filter(|items| !items.is_empty());
    items.map(Vec::as_slice).ok_or_else(|| format!("no metrics returned from {api} metrics API"))
}

fn milli(quantity: &Value) -> Option<i64> {
    quantity.as_str()?.parse().ok().map(Quantity::milli_value)
}

fn timestamp(item: &Value) -> WallTime {
    item.text("timestamp").parse().map(Timestamp::wall).unwrap_or_default()
}

/// Use as a share of what is requested: the ratio to the target, the share in per cent, and the average use
/// (`GetResourceUtilizationRatio`). Pods without a request are not looked at.
pub(super) fn utilization_ratio(
    metrics: &PodMetrics,
    requests: &BTreeMap<Arc<str>, i64>,
    target: i32,
) -> Result<(f64, i32, i64), String> {
    let (mut used, mut requested, mut pods) = (0_i64, 0_i64, 0_i64);
    for (pod, metric) in metrics {
        if let Some(request) = requests.get(pod) {
            used = used.wrapping_add(metric.value);
            requested = requested.wrapping_add(*request);
            pods += 1;
        }
    }
    if requested == 0 {
        return Err("no metrics returned matched known pods".to_owned());
    }
    let percentage = used.wrapping_mul(100).wrapping_div(requested) as i32;
    Ok((f64::from(percentage) / f64::from(target), percentage, used / pods))
}

/// The average of a figure, and its ratio to the target (`GetMetricUsageRatio`).
pub(super) fn usage_ratio(metrics: &PodMetrics, target: i64) -> (f64, i64) {
    let total = metrics.values().fold(0, |total: i64, metric| total.wrapping_add(metric.value));
    let average = total / i64::try_from(metrics.len()).unwrap_or(i64::MAX).max(1);
    (average as f64 / target as f64, average)
}
