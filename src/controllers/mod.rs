//! The controllers of kube-controller-manager as pure reconcilers: data in, requests out.
//!
//! A folder per controller with upstream's names, a file per strategy. What several share lies beside them.

pub mod cloud_node_lifecycle;
pub mod controller_ref;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod endpoint;
pub mod endpoint_slice;
pub mod endpoint_slice_mirroring;
pub mod garbage_collector;
pub mod gateway;
mod grid;
pub mod history;
pub mod horizontal_pod_autoscaler;
pub mod job;
pub mod namespace;
pub mod node_lifecycle;
pub mod pod_control;
pub mod pod_gc;
pub mod pod_ranking;
pub mod replica_set;
pub mod replication;
pub mod resource_quota;
mod script;
pub mod service_lb;
pub mod stateful_set;
pub mod taint_eviction;
pub mod template_hash;
pub mod ttl_after_finished;
pub mod volume;

#[cfg(test)]
mod test_cluster;
#[cfg(test)]
mod test_nodes;
#[cfg(test)]
mod testing;

pub use cron_job::CronJobController;
pub use daemon_set::DaemonSetController;
pub use deployment::DeploymentController;
pub use disruption::{DisruptionController, StaleDisruptionController};
pub use endpoint::EndpointsController;
pub use endpoint_slice::EndpointSliceController;
pub use endpoint_slice_mirroring::EndpointSliceMirroringController;
pub use garbage_collector::GarbageCollector;
pub use gateway::GatewayController;
pub use horizontal_pod_autoscaler::HorizontalPodAutoscalerController;
pub use job::{JobController, JobOrphanPods};
pub use namespace::NamespaceController;
pub use node_lifecycle::{NodeLifecycleConfig, NodeLifecycleController};
pub use pod_gc::{PodGcConfig, PodGcController};
pub use replica_set::ReplicaSetController;
pub use replication::ReplicationManager;
pub use resource_quota::ResourceQuotaController;
pub use service_lb::ServiceLbController;
pub use stateful_set::StatefulSetController;
pub use taint_eviction::TaintEvictionController;
pub use ttl_after_finished::TtlAfterFinishedController;
