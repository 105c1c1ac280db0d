//! What a container sees of the cluster: environment variables, and the files of volumes made of the API's own data
//! (upstream `pkg/kubelet/kubelet_pods.go`, `pkg/volume/{downwardapi,configmap,secret,projected}`).
//!
//! All of it is a pure function of the pod, its node, the ConfigMaps and Secrets that it names, and the services that
//! existed when the container was started.

mod env;
mod expand;
mod fields;
mod files;
mod links;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::pod_resources::ResourceAmounts;
use super::{OpaqueObject, Pod, Service};

pub use env::{EnvVar, container_env};
pub use expand::expand;
pub use fields::{ResourceUse, field_value, resource_value, resource_value_of};
pub use files::{VolumeFile, volume_files};
pub use links::service_links;

/// What is around a pod.
pub trait Surroundings {
    /// A ConfigMap by namespace and name.
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<OpaqueObject>>;
    /// A Secret by namespace and name.
    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<OpaqueObject>>;
    /// The services of a namespace that existed when the container was started, in the order of creation.
    fn services(&self, namespace: &str) -> Vec<Arc<Service>>;
    /// What the node has for pods, which stands in for limits that are not set.
    fn allocatable(&self, pod: &Pod) -> ResourceAmounts;
}

/// Why a container cannot be configured, in the kubelet's words. The container waits with reason
/// `CreateContainerConfigError`; a volume keeps its pod from starting (`FailedMount`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);
