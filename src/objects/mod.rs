//! API objects: what a manifest says, typed and shared.
//!
//! An object exists in two forms. The **wire form** is a JSON document, complete, as manifests, patches and the
//! event log have it. The **snapshot** is a typed struct that holds what the simulation decides on, with the rest of
//! the wire form kept beside it, so that what went in comes out whole. Snapshots are immutable behind `Arc`; a pod
//! shares its spec and labels with the template it was made from.

mod affinity;
mod cluster;
mod condition;
mod controller_revision;
pub mod cron;
mod cron_job;
mod daemon_set;
pub mod defaults;
mod derived_specs;
mod disruption;
mod endpoint_slice;
mod endpoints;
pub mod environment;
pub mod gateway;
pub(crate) mod horizontal_pod_autoscaler;
mod host_port;
mod indexes;
mod ingress;
mod int_or_percent;
mod job;
mod labels;
mod limit_range;
mod memory_qos;
mod meta;
pub mod names;
mod network_policy;
mod object;
mod oom_score;
pub mod patch;
mod persistent_volume;
mod persistent_volume_claim;
mod pin;
mod pod;
mod pod_affinity;
mod pod_disruption_budget;
pub mod pod_resources;
mod pod_spec;
mod quantity;
pub mod quota;
pub mod reader;
mod replication_controller;
mod resources;
mod runtime_class;
pub mod schema;
mod selectable;
mod selector;
mod service;
mod skip;
mod stateful_set;
pub mod storage;
mod storage_class;
mod text;
mod time;
pub mod validation;
pub(crate) mod versions;
mod volume_attachment;
pub mod volume_matching;
#[cfg(test)]
mod whole_tests;
pub mod wire;
mod workload;
mod yaml;

pub use affinity::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PreferredSchedulingTerm,
};
pub use cluster::{Event, Lease, Namespace, Node, NodeSpec, NodeStatus, ObjectReference, Taint};
pub use condition::{Condition, ConditionList, ConditionStatus, Conditions};
pub use controller_revision::ControllerRevision;
pub use cron_job::{
    CRON_JOB_SCHEDULED_ANNOTATION, ConcurrencyPolicy, CronJob, CronJobSpec, CronJobStatus, JobTemplate, Timing,
};
pub use daemon_set::{DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy, TEMPLATE_GENERATION};
pub(crate) use derived_specs::DerivedSpecs;
pub use disruption::{DISRUPTION_TARGET, disruption_reason, disruption_target};
pub use endpoint_slice::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice, SERVICE_NAME_LABEL, TargetRef};
pub use endpoints::{EndpointAddress, EndpointSubset, Endpoints};
pub use gateway::{Gateway, GatewayClass, HTTPRoute, ReferenceGrant};
pub use horizontal_pod_autoscaler::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus, HpaScalingPolicy, HpaScalingRules, MetricIdentifier, MetricSource, MetricSpec,
    MetricStatus, MetricTarget, MetricValueStatus, ScalingPolicySelect,
};
pub use host_port::HostPort;
pub use indexes::Indexes;
pub use ingress::{
    HttpIngressPath, HttpIngressRule, INGRESS_CLASS_ANNOTATION, Ingress, IngressAddress, IngressBackend, IngressClass,
    IngressClassParameters, IngressClassSpec, IngressLoadBalancer, IngressRule, IngressServiceBackend, IngressSpec,
    IngressStatus, IngressTls, PathType, ServiceBackendPort, TypedLocalReference,
};
pub use int_or_percent::{IntOrPercent, IntOrPercentError, Rounding};
pub use job::{
    COMPLETION_INDEX, CompletionMode, JOB_CONTROLLER_NAME, JOB_CONTROLLER_UID_LABEL, JOB_NAME_LABEL,
    JOB_TRACKING_FINALIZER, Job, JobSpec, JobStatus, OnExitCodes, OnPodCondition, PodFailureAction, PodFailurePolicy,
    PodFailurePolicyRule, PodReplacementPolicy, SuccessPolicy, SuccessPolicyRule, UncountedTerminatedPods,
};
pub use labels::{Annotations, Labels, SharedList};
pub use limit_range::{LimitRange, LimitRangeItem, LimitRangeSpec};
pub use memory_qos::{MemoryQos, MemoryReservationPolicy, memory_qos};
pub use meta::{ObjectMeta, OwnerReference, Uid};
pub use network_policy::{
    IpBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec, PolicyType,
};
pub(crate) use object::with_kinds;
pub use object::{Key, Kind, Object, OpaqueObject, Resource, Typed, WireError};
pub use oom_score::oom_score_adj;
pub use persistent_volume::{PersistentVolume, PersistentVolumeSpec, PersistentVolumeStatus, VolumeNodeAffinity};
pub use persistent_volume_claim::{
    ClaimResources, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus,
};
pub use pod::{ContainerState, ContainerStatus, KUBELET_CONDITIONS, Pod, PodPhase, PodStatus, Terminated};
pub use pod_affinity::{
    PodAffinity, PodAffinityTerm, TopologySpreadConstraint, WeightedPodAffinityTerm, merge_label_keys,
};
pub use pod_disruption_budget::{PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus};
pub use pod_spec::{
    ClaimSource, Container, ContainerPort, ExitCodes, Lifecycle, POD_TEMPLATE_HASH, PodSpec, PodTemplate, Probe,
    QosClass, ReadinessGate, ResourceRequirements, RestartPolicy, RestartRule, SchedulingGate, Toleration, Volume,
    VolumeMount,
};
pub use quantity::{Format, Quantity, QuantityError};
pub use quota::{ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus};
pub use replication_controller::ReplicationController;
pub use resources::Resources;
pub use runtime_class::RuntimeClass;
pub use selectable::{is_selectable_by, is_selected};
pub use selector::{
    FieldSelector, FieldSelectorError, LabelSelector, LabelSelectorRequirement, Operator, Requirement, Selector,
    SelectorError,
};
pub use service::{LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus};
pub use stateful_set::{
    ClaimRetention, ClaimTemplate, PodManagementPolicy, RollingStatefulSetUpdate, StatefulSet, StatefulSetSpec,
    StatefulSetStatus, StatefulSetUpdateStrategy, parent_and_ordinal,
};
pub use storage_class::{StorageClass, StorageClassBody, TopologyRequirement, TopologyTerm, VolumeBindingMode};
pub use text::Text;
pub use time::{Timestamp, TimestampError, WallTime};
pub use volume_attachment::{AttachedSource, VolumeAttachment, VolumeAttachmentSpec, VolumeAttachmentStatus};
pub use workload::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, MAX_REPLICAS, ObjectSelector, ReplicaSet,
    ReplicaSetSpec, ReplicaSetStatus, Replicated,
};
pub use yaml::to_yaml;
