//! The lists of the metrics APIs, in wire form.

use serde_json::{Value, json};

use super::storage::{MetricsServer, NodeUsage, PodUsage};
use super::{Series, SeriesAbout, Source, series};
use crate::api::{ApiError, MetricsQuery, Reason, Response};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{
    CrossVersionObjectReference, Format, MetricIdentifier, Object, OpaqueObject, Quantity, Selector, WallTime,
};

/// What an API server says of the metrics API while no metrics-server is there.
pub(crate) const NO_METRICS_SERVER: &str = "the server could not find the requested resource (get pods.metrics.k8s.io)";

impl MetricsServer {
    /// Answers a question, as the metrics APIs do.
    ///
    /// # Errors
    /// If there is no such metric, or no metrics-server.
    pub fn answer(&self, query: &MetricsQuery, at: SimTime, now: WallTime) -> Response {
        match query {
            MetricsQuery::PodUsage { .. } if !self.config.resource_metrics => {
                Err(ApiError::new(Reason::NotFound, NO_METRICS_SERVER))
            }
            MetricsQuery::PodUsage { namespace, selector } => {
                let pods = self.of_target(namespace, selector);
                list("metrics.k8s.io/v1beta1", "PodMetricsList", pods.map(PodUsage::to_wire).collect())
            }
            MetricsQuery::Pods { namespace, selector, metric } => {
                if !self.config.request_rates.contains(&metric.name) {
                    return Err(no_such_metric(&metric.name, "pods"));
                }
                let values = self.of_target(namespace, selector).map(|pod| {
                    let value = Quantity::from_milli(pod.milli_requests_per_second(), Format::DecimalSi);
                    let about = json!({"kind": "Pod", "namespace": pod.key.namespace, "name": pod.key.name, "apiVersion": "/v1"});
                    let mut wire = metric_value(about, metric, pod.at, value);
                    wire["windowSeconds"] = pod.window.as_secs().into();
                    wire
                });
                list(CUSTOM, "MetricValueList", values.collect())
            }
            MetricsQuery::Object { namespace, object, metric } => {
                let found = self.series(metric, namespace).find(|series| series.is_about(object));
                let value = found.and_then(|series| self.value(series, at));
                let of = format!("{} {}", object.kind, object.name);
                let value = value.ok_or_else(|| no_such_metric(&metric.name, &of))?;
                let about = json!({"kind": object.kind, "namespace": namespace, "name": object.name, "apiVersion": object.api_version});
                list(CUSTOM, "MetricValueList", vec![metric_value(about, metric, now, value)])
            }
            MetricsQuery::External { namespace, metric } => {
                if self.series(metric, namespace).all(|series| matches!(series.about, SeriesAbout::Object(_))) {
                    return Err(no_such_metric(&metric.name, "external"));
                }
                let selector = metric.selector.as_ref().map_or_else(
                    || Ok(Selector::everything()),
                    |selector| selector.compile().map_err(|error| ApiError::new(Reason::BadRequest, error.to_string())),
                )?;
                let values = self.series(metric, namespace).filter_map(|series| {
                    let SeriesAbout::Outside(labels) = &series.about else { return None };
                    let value = self.value(series, at).filter(|_| selector.matches(labels))?;
                    let (name, timestamp) = (&series.name, now.timestamp().to_string());
                    Some(json!({"metricName": name, "metricLabels": labels, "timestamp": timestamp, "value": value}))
                });
                list("external.metrics.k8s.io/v1beta1", "ExternalMetricValueList", values.collect())
            }
        }
    }

    fn of_target(&self, namespace: &str, selector: &Selector) -> impl Iterator<Item = &PodUsage> {
        let here = self.usage.iter().filter(move |pod| *pod.key.namespace == *namespace);
        here.filter(move |pod| selector.matches(&pod.labels))
    }

    fn series<'a>(&'a self, metric: &'a MetricIdentifier, namespace: &'a str) -> impl Iterator<Item = &'a Series> {
        let named = self.config.series.iter().filter(|series| series.name == metric.name);
        named.filter(move |series| series.namespace.as_ref().is_none_or(|known| **known == *namespace))
    }

    fn value(&self, series: &Series, at: SimTime) -> Option<Quantity> {
        match &series.source {
            Source::Given(values) => series::given(values, at),
            Source::RequestsOf(client) => {
                let rate = self.milli_requests_of(client)?;
                Some(Quantity::from_milli(rate, Format::DecimalSi))
            }
        }
    }
}

impl Series {
    fn is_about(&self, object: &CrossVersionObjectReference) -> bool {
        let SeriesAbout::Object(about) = &self.about else { return false };
        about.kind.eq_ignore_ascii_case(&object.kind) && about.name == object.name
    }
}

impl PodUsage {
    /// As `PodMetrics` of `metrics.k8s.io`.
    #[must_use]
    pub fn to_wire(&self) -> Value {
        let containers = self.containers.iter().map(|container| {
            let usage = usage(container.cpu_nanos, container.memory);
            json!({"name": container.name, "usage": usage})
        });
        let containers: Vec<Value> = containers.collect();
        let metadata = json!({"name": self.key.name, "namespace": self.key.namespace, "labels": self.labels});
        let timestamp = self.at.timestamp().to_string();
        json!({"metadata": metadata, "timestamp": timestamp, "window": seconds(self.window), "containers": containers})
    }
}

impl NodeUsage {
    /// As `NodeMetrics` of `metrics.k8s.io`.
    #[must_use]
    pub fn to_wire(&self) -> Value {
        let (timestamp, window) = (self.at.timestamp().to_string(), seconds(self.window));
        let usage = usage(self.cpu_nanos, self.memory);
        json!({"metadata": {"name": self.name}, "timestamp": timestamp, "window": window, "usage": usage})
    }
}

const CUSTOM: &str = "custom.metrics.k8s.io/v1beta2";

fn usage(cpu_nanos: u64, memory: i64) -> Value {
    let cpu = Quantity::from_scaled(i64::try_from(cpu_nanos).unwrap_or(i64::MAX), -9, Format::DecimalSi);
    json!({"cpu": cpu, "memory": Quantity::from_value(memory, Format::BinarySi)})
}

/// Seconds to the millisecond, as a Go duration.
fn seconds(window: SimDuration) -> String {
    let millis = window.as_nanos() / 1_000_000;
    match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        rest => format!("{}.{rest:03}s", millis / 1000),
    }
}

fn metric_value(about: Value, metric: &MetricIdentifier, at: WallTime, value: Quantity) -> Value {
    json!({"describedObject": about, "metric": metric, "timestamp": at.timestamp().to_string(), "value": value})
}

fn no_such_metric(name: &str, of: &str) -> ApiError {
    ApiError::new(Reason::NotFound, format!("the server could not find the metric {name} for {of}"))
}

fn list(api_version: &str, kind: &str, items: Vec<Value>) -> Response {
    let list = OpaqueObject::from_wire(json!({"apiVersion": api_version, "kind": kind, "items": items}));
    let list = list.map_err(|error| ApiError::new(Reason::InternalError, error.to_string()))?;
    Ok(Object::Opaque(list.into()))
}
