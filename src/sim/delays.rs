//! How long things take in the control plane: the latency profiles.

use serde::{Deserialize, Serialize};

use crate::kernel::{Sampler, SimDuration};

/// Delays of the control plane. Containers have delays of their own.
///
/// | delay | `ideal` | `realistic` | source of the realistic figure |
/// |---|---|---|---|
/// | `watch` | 0 | 2 ms | from an accepted write to the informer's handler; read off recordings of a 1.36 control plane, where a controller answers a watch event 3-5 ms later, its own write included |
/// | `write` | 0 | lognormal, median 4 ms, p99 20 ms | one API write against etcd in the same recordings; the API server's service-level objective is 1 s for the 99th percentile |
/// | `scheduling` | 0 | 1 ms | one scheduling cycle; 30 pods were bound within 90 ms |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Delays {
    /// From an accepted write to the components that watch.
    pub watch: SimDuration,
    /// From sending a request, or a batch of them, to its effect and answer.
    pub write: Sampler,
    /// One scheduling cycle.
    pub scheduling: SimDuration,
}

impl Delays {
    /// Everything at once: for property tests of logic.
    #[must_use]
    pub fn ideal() -> Self {
        Self { watch: SimDuration::ZERO, write: Sampler::constant(SimDuration::ZERO), scheduling: SimDuration::ZERO }
    }

    /// A healthy cluster.
    #[must_use]
    pub fn realistic() -> Self {
        let (median, p99) = (SimDuration::from_millis(4), SimDuration::from_millis(20));
        Self {
            watch: SimDuration::from_millis(2),
            write: Sampler::log_normal(median, p99).unwrap_or_else(|_| Sampler::constant(median)),
            scheduling: SimDuration::from_millis(1),
        }
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self::realistic()
    }
}
