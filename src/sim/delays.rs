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
/// | `status` | 0 | 0 | nothing holds the reports of a healthy kubelet up |
/// | `volumes` | 0 | see [`VolumeDelays`] | |
/// | `loadBalancers` | 0 | see [`LoadBalancerDelays`] | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Delays {
    /// From an accepted write to the components that watch.
    pub watch: SimDuration,
    /// From sending a request, or a batch of them, to its effect and answer.
    pub write: Sampler,
    /// One scheduling cycle.
    pub scheduling: SimDuration,
    /// How much later than other writes the reports of kubelets about their pods arrive. They keep their order.
    pub status: Sampler,
    /// Storage.
    pub volumes: VolumeDelays,
    /// The cloud's load balancers.
    pub load_balancers: LoadBalancerDelays,
}

/// How long a cloud takes for load balancers, each of which waits for the one before. The realistic figures are assumptions: the
/// order of magnitude that large clouds show.
///
/// | delay | `ideal` | `realistic` |
/// |---|---|---|
/// | `provision` | 0 | 30 s |
/// | `update` | 0 | 5 s |
/// | `delete` | 0 | 30 s |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LoadBalancerDelays {
    /// A load balancer is made.
    pub provision: SimDuration,
    /// A load balancer follows a change of its Service, or gets other nodes.
    pub update: SimDuration,
    /// A load balancer is deleted.
    pub delete: SimDuration,
}

impl LoadBalancerDelays {
    /// Everything at once.
    pub const IDEAL: Self = Self { provision: SimDuration::ZERO, update: SimDuration::ZERO, delete: SimDuration::ZERO };
    /// A large cloud.
    pub const REALISTIC: Self = Self {
        provision: SimDuration::from_secs(30),
        update: SimDuration::from_secs(5),
        delete: SimDuration::from_secs(30),
    };
}

impl Default for LoadBalancerDelays {
    fn default() -> Self {
        Self::REALISTIC
    }
}

/// How long storage takes. The realistic figures are assumptions: the order of magnitude that disks of the large clouds
/// show. Who knows the own driver's figures writes them into the scenario's profile.
///
/// | delay | `ideal` | `realistic` |
/// |---|---|---|
/// | `provision` | 0 | 3 s |
/// | `delete` | 0 | 3 s |
/// | `attach` | 0 | 5 s |
/// | `detach` | 0 | 5 s |
/// | `mount` | 0 | 1 s |
/// | `recycle` | 0 | 10 s |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VolumeDelays {
    /// A driver makes a volume.
    pub provision: SimDuration,
    /// A driver deletes a volume.
    pub delete: SimDuration,
    /// A driver attaches a volume to a node.
    pub attach: SimDuration,
    /// A driver detaches a volume from a node.
    pub detach: SimDuration,
    /// A kubelet mounts the disks of a pod, once they are attached. Directories of the node and of file servers take no time.
    pub mount: SimDuration,
    /// A volume with the policy `Recycle` is emptied.
    pub recycle: SimDuration,
}

impl VolumeDelays {
    /// Everything at once.
    pub const IDEAL: Self = Self {
        provision: SimDuration::ZERO,
        delete: SimDuration::ZERO,
        attach: SimDuration::ZERO,
        detach: SimDuration::ZERO,
        mount: SimDuration::ZERO,
        recycle: SimDuration::ZERO,
    };
    /// Disks of a cloud.
    pub const REALISTIC: Self = Self {
        provision: SimDuration::from_secs(3),
        delete: SimDuration::from_secs(3),
        attach: SimDuration::from_secs(5),
        detach: SimDuration::from_secs(5),
        mount: SimDuration::from_secs(1),
        recycle: SimDuration::from_secs(10),
    };
}

impl Default for VolumeDelays {
    fn default() -> Self {
        Self::REALISTIC
    }
}

impl Delays {
    /// Everything at once: for property tests of logic.
    #[must_use]
    pub fn ideal() -> Self {
        Self {
            watch: SimDuration::ZERO,
            write: Sampler::constant(SimDuration::ZERO),
            scheduling: SimDuration::ZERO,
            status: Sampler::constant(SimDuration::ZERO),
            volumes: VolumeDelays::IDEAL,
            load_balancers: LoadBalancerDelays::IDEAL,
        }
    }

    /// Whether everything happens at once.
    #[must_use]
    pub fn is_ideal(&self) -> bool {
        *self == Self::ideal()
    }

    /// A healthy cluster.
    #[must_use]
    pub fn realistic() -> Self {
        let (median, p99) = (SimDuration::from_millis(4), SimDuration::from_millis(20));
        Self {
            watch: SimDuration::from_millis(2),
            write: Sampler::log_normal(median, p99).unwrap_or_else(|_| Sampler::constant(median)),
            scheduling: SimDuration::from_millis(1),
            status: Sampler::constant(SimDuration::ZERO),
            volumes: VolumeDelays::REALISTIC,
            load_balancers: LoadBalancerDelays::REALISTIC,
        }
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self::realistic()
    }
}
