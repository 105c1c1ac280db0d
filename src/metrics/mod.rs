//! What the metrics APIs answer: the use of pods and nodes as metrics-server has it, and figures of pods, objects and the
//! world outside as an adapter would give them.
//!
//! | file | what is in it |
//! |---|---|
//! | `storage` | the last two measurements of everything, and the rates between them |
//! | `series` | figures that a scenario gives over time |
//! | `answers` | the lists of the metrics APIs, in wire form |
//!
//! Nothing here measures: whoever runs it says what was counted, and when.

mod answers;
mod series;
mod storage;

use std::sync::Arc;

use crate::kernel::SimDuration;

pub use series::{Series, SeriesAbout, Source, ValueAt};
pub use storage::{ContainerPoint, ContainerUsage, MetricsServer, NodePoint, NodeUsage, PodPoint, PodUsage};

/// How and what metrics are measured.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsConfig {
    /// Whether there is a metrics-server: without one nothing is known of CPU and memory.
    pub resource_metrics: bool,
    /// Time between two measurements (metrics-server's `--metric-resolution`). They are taken at its multiples.
    pub resolution: SimDuration,
    /// From a measurement to its being known: a kubelet looks at its containers every ten seconds, so that what
    /// metrics-server reads is five seconds old on average.
    pub lag: SimDuration,
    /// Whether all pods and nodes are measured, or only the pods that some autoscaler asks about.
    pub everything: bool,
    /// Names of the figure "requests that a pod gets, per second" in the custom metrics API.
    pub request_rates: Vec<Arc<str>>,
    /// Figures of objects and from outside.
    pub series: Vec<Series>,
}

impl MetricsConfig {
    /// Usual name of the figure "requests that a pod gets, per second".
    pub const REQUEST_RATE: &'static str = "http_requests_per_second";
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            resource_metrics: true,
            resolution: SimDuration::from_secs(15),
            lag: SimDuration::from_secs(5),
            everything: false,
            request_rates: vec![Self::REQUEST_RATE.into()],
            series: Vec::new(),
        }
    }
}
