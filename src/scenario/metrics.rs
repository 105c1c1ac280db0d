//! What a scenario says of metrics and of the HorizontalPodAutoscaler controller.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use crate::controllers::horizontal_pod_autoscaler::HorizontalPodAutoscalerConfig;
use crate::kernel::SimDuration;
use crate::objects::{CrossVersionObjectReference, Labels, Quantity};
use crate::sim::{MetricsConfig, Series, SeriesAbout, Source, ValueAt};

use super::error::Fault;

/// Most values of all series.
const MOST_VALUES: usize = 100_000;

/// How and what metrics are measured; what is left out is usual.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RawMetrics {
    resource_metrics: Option<bool>,
    resolution: Option<SimDuration>,
    lag: Option<SimDuration>,
    everything: bool,
    request_rates: Option<Vec<Arc<str>>>,
    objects: Vec<RawSeries>,
    external: Vec<RawSeries>,
}

/// A figure over time, about an object (`of`) or from outside.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawSeries {
    name: Arc<str>,
    namespace: Option<Arc<str>>,
    /// `Kind/name`, of objects.
    of: Option<String>,
    /// Of those from outside.
    #[serde(default)]
    labels: Labels,
    values: Option<Vec<RawValue>>,
    /// Name of a client.
    requests_of: Option<Arc<str>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawValue {
    at: SimDuration,
    value: Quantity,
}

impl RawMetrics {
    /// The settings; `clients`: names of those that send requests.
    pub(super) fn config(self, clients: &BTreeSet<String>) -> Result<MetricsConfig, Fault> {
        let usual = MetricsConfig::default();
        let resolution = self.resolution.unwrap_or(usual.resolution);
        let lag = self.lag.unwrap_or(usual.lag.min(resolution));
        if resolution < SimDuration::from_secs(1) {
            return Err(Fault::new("resolution", "must be at least 1s"));
        }
        if lag > resolution {
            return Err(Fault::new("lag", format!("must not be more than the resolution, {resolution}")));
        }
        let count =
            |list: &[RawSeries]| list.iter().map(|series| series.values.as_ref().map_or(1, Vec::len)).sum::<usize>();
        if count(&self.objects).saturating_add(count(&self.external)) > MOST_VALUES {
            return Err(Fault::new("", format!("more than {MOST_VALUES} values")));
        }
        let mut series = Vec::new();
        for (list, all) in [("objects", self.objects), ("external", self.external)] {
            for (at, raw) in all.into_iter().enumerate() {
                let is_object = list == "objects";
                series.push(raw.series(is_object, clients).map_err(|fault| fault.under(&format!("{list}[{at}]")))?);
            }
        }
        Ok(MetricsConfig {
            resource_metrics: self.resource_metrics.unwrap_or(true),
            resolution,
            lag,
            everything: self.everything,
            request_rates: self.request_rates.unwrap_or(usual.request_rates),
            series,
        })
    }
}

impl RawSeries {
    fn series(self, is_object: bool, clients: &BTreeSet<String>) -> Result<Series, Fault> {
        let about = match (is_object, self.of.as_deref().map(|of| of.split_once('/'))) {
            (true, Some(Some((kind, name)))) if !kind.is_empty() && !name.is_empty() => {
                let (kind, name) = (kind.into(), name.into());
                SeriesAbout::Object(CrossVersionObjectReference {
                    kind,
                    name,
                    ..CrossVersionObjectReference::default()
                })
            }
            (true, _) => return Err(Fault::new("of", "expected Kind/name, such as Ingress/main")),
            (false, Some(_)) => return Err(Fault::new("of", "what comes from outside is of no object")),
            (false, None) => SeriesAbout::Outside(self.labels),
        };
        let source = match (self.values, self.requests_of) {
            (Some(values), None) => {
                if !values.is_sorted_by(|a, b| a.at < b.at) {
                    return Err(Fault::new("values", "the times must rise from each entry to the next"));
                }
                let value = |value: RawValue| ValueAt { at: value.at, value: Some(value.value) };
                Source::Given(values.into_iter().map(value).collect())
            }
            (None, Some(client)) if clients.contains(&*client) => Source::RequestsOf(client),
            (None, Some(client)) => return Err(Fault::new("requestsOf", format!("there is no client {client:?}"))),
            _ => {
                let fault = Fault::new("", "expected one of `values` and `requestsOf`");
                return Err(fault.help("values: [{at: 0s, value: 10}, {at: 5m, value: 200}]"));
            }
        };
        Ok(Series { name: self.name, namespace: self.namespace, about, source })
    }
}

/// Flags of the HorizontalPodAutoscaler controller, and the feature gate HPAScaleToZero; what is left out is upstream's default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RawHorizontalPodAutoscaler {
    sync_period: Option<SimDuration>,
    downscale_stabilization: Option<SimDuration>,
    tolerance: Option<f64>,
    cpu_initialization_period: Option<SimDuration>,
    initial_readiness_delay: Option<SimDuration>,
    scale_to_zero: bool,
}

impl RawHorizontalPodAutoscaler {
    pub(super) fn config(self) -> Result<HorizontalPodAutoscalerConfig, Fault> {
        let usual = HorizontalPodAutoscalerConfig::default();
        let config = HorizontalPodAutoscalerConfig {
            sync_period: self.sync_period.unwrap_or(usual.sync_period),
            downscale_stabilization: self.downscale_stabilization.unwrap_or(usual.downscale_stabilization),
            tolerance: self.tolerance.unwrap_or(usual.tolerance),
            cpu_initialization_period: self.cpu_initialization_period.unwrap_or(usual.cpu_initialization_period),
            initial_readiness_delay: self.initial_readiness_delay.unwrap_or(usual.initial_readiness_delay),
            scale_to_zero: self.scale_to_zero,
        };
        if config.sync_period < SimDuration::from_secs(1) {
            return Err(Fault::new("syncPeriod", "must be at least 1s"));
        }
        if !(0.0..=1000.0).contains(&config.tolerance) {
            return Err(Fault::new("tolerance", "expected a number from 0 to 1000"));
        }
        Ok(config)
    }
}
