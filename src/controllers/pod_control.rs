//! Making and deleting pods on behalf of a workload, with its Events (upstream `RealPodControl`).

use std::sync::Arc;

use crate::api::{ApiError, DeleteOptions, EventKind, EventSpec, Request};
use crate::objects::{Key, Kind, ObjectMeta, ObjectReference, OwnerReference, Pod, PodTemplate, Resource, SharedList};

/// Most pods that one sync of a ReplicaSet creates or deletes (upstream `BurstReplicas`).
pub const BURST_REPLICAS: usize = 500;

/// Size of the first batch of creations; each following one is twice as large as long as all goes well (upstream
/// `slowStartBatch`).
pub const SLOW_START_INITIAL_BATCH_SIZE: usize = 1;

/// A slow start: how large this batch is and how much is left after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many now.
    pub size: usize,
    /// How many after them.
    pub left: usize,
}

impl Batch {
    /// The first batch, if anything is to be done.
    #[must_use]
    pub fn first(count: usize) -> Option<Self> {
        Self::of(SLOW_START_INITIAL_BATCH_SIZE, count)
    }

    /// The batch after one that went well.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::of(self.size.saturating_mul(2), self.left)
    }

    fn of(size: usize, remaining: usize) -> Option<Self> {
        let size = size.min(remaining);
        (size > 0).then_some(Self { size, left: remaining - size })
    }
}

/// Makes equal pods for one owner.
#[derive(Clone, Debug)]
pub struct PodFactory {
    pod: Pod,
}

impl PodFactory {
    /// A factory of pods of that template (upstream `GetPodFromTemplate`). They get their names from the API server.
    #[must_use]
    pub fn new(template: &PodTemplate, owner: &ObjectMeta, reference: OwnerReference) -> Self {
        let meta = ObjectMeta {
            generate_name: format!("{}-", owner.name).into(),
            namespace: Arc::clone(&owner.namespace),
            labels: template.labels.clone(),
            annotations: template.annotations.clone(),
            finalizers: template.finalizers.clone(),
            owner_references: SharedList::from(vec![reference]),
            ..ObjectMeta::default()
        };
        let (spec, node_name) = (Arc::clone(&template.spec), Arc::clone(&template.node_name));
        Self { pod: Pod { meta, spec, node_name, ..Pod::default() } }
    }

    /// The same factory, of pods that also differ so from the template.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Pod)) -> Self {
        change(&mut self.pod);
        self
    }

    /// The request that creates one.
    #[must_use]
    pub fn create(&self) -> Request {
        Request::Create(self.pod.clone().into())
    }

    /// The request that creates one for that node alone, whatever node affinity the template requires (upstream
    /// `ReplaceDaemonSetPodNodeNameNodeAffinity`).
    #[must_use]
    pub fn create_for(&self, node: &Arc<str>) -> Request {
        Request::Create(Pod { pinned_to: Arc::clone(node), ..self.pod.clone() }.into())
    }

    /// The request that creates one that differs from the others.
    #[must_use]
    pub fn create_with(&self, change: impl FnOnce(&mut Pod)) -> Request {
        self.clone().with(change).create()
    }
}

/// Tells on the owner what happened to its pods.
#[derive(Clone, Debug)]
pub struct PodEvents {
    owner: ObjectReference,
}

impl PodEvents {
    /// Events about `owner`.
    #[must_use]
    pub fn about(kind: Kind, owner: &ObjectMeta) -> Self {
        Self { owner: ObjectReference::to(kind, owner) }
    }

    /// A pod was created.
    #[must_use]
    pub fn created(&self, pod: &str) -> Request {
        self.event(EventKind::Normal, "SuccessfulCreate", format!("Created pod: {pod}"))
    }

    /// A pod could not be created.
    #[must_use]
    pub fn create_failed(&self, error: &ApiError) -> Request {
        self.event(EventKind::Warning, "FailedCreate", format!("Error creating: {error}"))
    }

    /// A pod was deleted.
    #[must_use]
    pub fn deleted(&self, pod: &str) -> Request {
        self.event(EventKind::Normal, "SuccessfulDelete", format!("Deleted pod: {pod}"))
    }

    /// A pod could not be deleted.
    #[must_use]
    pub fn delete_failed(&self, error: &ApiError) -> Request {
        self.event(EventKind::Warning, "FailedDelete", format!("Error deleting: {error}"))
    }

    fn event(&self, kind: EventKind, reason: &'static str, message: String) -> Request {
        let about = self.owner.clone();
        Request::Event(EventSpec { about, kind, reason: reason.into(), message: message.into() })
    }
}

/// The request that deletes a pod with its own grace.
#[must_use]
pub fn delete_pod(pod: &Pod) -> Request {
    let key: Key = pod.key();
    Request::Delete { kind: Kind::Pod, key, options: DeleteOptions::default() }
}
