//! Requests that components send to the API server, as data.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::objects::{
    CrossVersionObjectReference, Key, Kind, MetricIdentifier, Object, ObjectReference, OwnerReference, Pod, PodStatus,
    Resource, Selector, Text, Uid,
};

use super::ApiError;

/// What the server answers: the object as stored (for a deletion, as it was last).
pub type Response = Result<Object, ApiError>;

/// A request to the API server.
#[derive(Clone, Debug)]
pub enum Request {
    /// Creates an object, made by a component from defaulted parts.
    Create(Object),
    /// Replaces an object. A `resourceVersion` other than 0 must be the stored one.
    Update(Object, Part),
    /// Changes some metadata, whatever else changed meanwhile.
    PatchMeta {
        /// Kind.
        kind: Kind,
        /// Which object.
        key: Key,
        /// The uid that the object must have; [`Uid::None`] = any.
        uid: Uid,
        /// What changes.
        patch: MetaPatch,
    },
    /// Applies a patch document.
    Patch {
        /// Kind.
        kind: Kind,
        /// Which object.
        key: Key,
        /// Which rules the document follows.
        patch_type: PatchType,
        /// The document.
        document: Arc<Value>,
        /// Which part of the object it may change.
        part: Part,
    },
    /// Deletes an object.
    Delete {
        /// Kind.
        kind: Kind,
        /// Which object.
        key: Key,
        /// Grace, propagation, preconditions.
        options: DeleteOptions,
    },
    /// Evicts a pod (`pods/eviction`): a deletion that its disruption budget must allow.
    Evict {
        /// The pod.
        pod: Key,
        /// Grace and preconditions.
        options: DeleteOptions,
    },
    /// Binds a pod to a node (`pods/binding`).
    Bind {
        /// The pod.
        pod: Key,
        /// Uid that the pod must have.
        uid: Uid,
        /// The node.
        node: Arc<str>,
    },
    /// Says what a kubelet knows of its pod. Conditions that others own stay (upstream `mergePodStatus`).
    ReportPod {
        /// The pod.
        pod: Key,
        /// Uid that the pod must have.
        uid: Uid,
        /// All that kubelets own of the status.
        status: Arc<PodStatus>,
    },
    /// Sets how many replicas a workload is to have (`/scale`).
    Scale {
        /// Kind.
        kind: Kind,
        /// Which object.
        key: Key,
        /// How many.
        replicas: i32,
    },
    /// Asks what was measured. The answer is an object of the metrics APIs, in wire form.
    Metrics(MetricsQuery),
    /// Records an Event. It goes its own way and is never waited for.
    Event(EventSpec),
}

/// A question to the metrics APIs, which stand beside the API server.
#[derive(Clone, Debug)]
pub enum MetricsQuery {
    /// What pods use (`metrics.k8s.io`); the answer is a `PodMetricsList`.
    PodUsage {
        /// Namespace.
        namespace: Arc<str>,
        /// Which pods.
        selector: Selector,
    },
    /// A figure of each pod (`custom.metrics.k8s.io`); the answer is a `MetricValueList`.
    Pods {
        /// Namespace.
        namespace: Arc<str>,
        /// Which pods.
        selector: Selector,
        /// Which figure.
        metric: MetricIdentifier,
    },
    /// A figure about an object (`custom.metrics.k8s.io`); the answer is a `MetricValueList` of one.
    Object {
        /// Namespace.
        namespace: Arc<str>,
        /// The object.
        object: CrossVersionObjectReference,
        /// Which figure.
        metric: MetricIdentifier,
    },
    /// A figure from outside (`external.metrics.k8s.io`); the answer is an `ExternalMetricValueList` of all series that fit.
    External {
        /// Namespace.
        namespace: Arc<str>,
        /// Which figure.
        metric: MetricIdentifier,
    },
}

impl Request {
    /// Changes parts of the status of a pod, whatever else changed meanwhile; the pod must be the same one.
    #[must_use]
    pub fn patch_pod_status(pod: &Pod, status: Value) -> Self {
        Self::Patch {
            kind: Kind::Pod,
            key: pod.key(),
            patch_type: PatchType::Strategic,
            document: Arc::new(json!({"metadata": {"uid": pod.meta.uid}, "status": status})),
            part: Part::Status,
        }
    }
}

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    #[default]
    Main,
    /// The status (`/status`).
    Status,
    /// Namespaces: the finalizers of the content (`/finalize`).
    Finalize,
    /// Pods: the ephemeral containers (`/ephemeralcontainers`), which can only be added.
    EphemeralContainers,
}

/// Rules of a patch document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// Strategic merge patch.
    Strategic,
    /// JSON merge patch, RFC 7386.
    Merge,
    /// JSON patch, RFC 6902.
    Json,
}

/// A change of metadata that needs no version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaPatch {
    /// Owner to add, or to replace by uid.
    pub add_owner: Option<OwnerReference>,
    /// Uids of owners to remove.
    pub remove_owners: Vec<Uid>,
    /// Owners, by uid, whose `blockOwnerDeletion` is to be cleared.
    pub unblock_owners: Vec<Uid>,
    /// Finalizers to add.
    pub add_finalizers: Vec<Arc<str>>,
    /// Finalizers to remove.
    pub remove_finalizers: Vec<Arc<str>>,
    /// Labels to set, or to remove if `None`.
    pub labels: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// Annotations to set, or to remove if `None`.
    pub annotations: Vec<(Arc<str>, Option<Arc<str>>)>,
}

/// What happens to dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay and lose the reference.
    Orphan,
}

/// What must hold for a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Uid; [`Uid::None`] = any.
    pub uid: Uid,
    /// Version; 0 = any.
    pub resource_version: u64,
}

/// Options of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds of grace, pods only; absent = the pod's own.
    pub grace_period_seconds: Option<i64>,
    /// Dependents; absent = the kind's default.
    pub propagation: Option<Propagation>,
    /// Preconditions.
    pub preconditions: Preconditions,
}

impl DeleteOptions {
    /// Only the object with that uid.
    #[must_use]
    pub fn of_uid(uid: Uid) -> Self {
        Self { preconditions: Preconditions { uid, resource_version: 0 }, ..Self::default() }
    }
}

/// `Normal` or `Warning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Nothing to worry about.
    Normal,
    /// Something is wrong.
    Warning,
}

impl EventKind {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// An Event to record. Who speaks is known to the recorder of the process.
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// The object that it is about.
    pub about: ObjectReference,
    /// Normal or warning.
    pub kind: EventKind,
    /// Why, one word.
    pub reason: Text,
    /// For people.
    pub message: Text,
}

impl EventSpec {
    /// An event about an object.
    #[must_use]
    pub fn about(object: &Object, kind: EventKind, reason: impl Into<Text>, message: impl Into<Text>) -> Self {
        let about = match object {
            Object::Opaque(opaque) => ObjectReference {
                kind: opaque.kind.clone().into(),
                api_version: opaque.api_version.clone().into(),
                ..ObjectReference::to(object.kind(), object.meta())
            },
            typed => ObjectReference::to(typed.kind(), typed.meta()),
        };
        Self { about, kind, reason: reason.into(), message: message.into() }
    }
}
