//! The in-memory API server: `(state, now, request)` to `(state, response)`.
//!
//! Requests of components ([`ApiServer::execute`]) carry typed snapshots made from parts that were defaulted and validated
//! when a user brought them in; they take a short way that never leaves the typed form. What users send
//! ([`ApiServer::create_document`], [`ApiServer::apply_document`], [`ApiServer::patch`]) is a document in wire form and takes
//! the whole way: defaulting, admission, the strategy of its kind, validation.
//!
//! Every accepted write gets the next revision of the one store-wide counter and is told as a [`Change`].
//!
//! ```
//! use seatrial::api::Request;
//! use seatrial::apiserver::ApiServer;
//! use seatrial::kernel::Streams;
//! use seatrial::objects::{Namespace, WallTime};
//!
//! let mut server = ApiServer::new(&Streams::new(42));
//! let mut shop = Namespace::default();
//! shop.meta.name = "shop".into();
//! let stored = server.execute(WallTime::default(), &Request::Create(shop.into()))?;
//! assert_eq!(stored.meta().labels.get("kubernetes.io/metadata.name"), Some("shop"));
//! # Ok::<(), seatrial::api::ApiError>(())
//! ```

mod bind;
mod create;
mod delete;
mod documents;
mod errors;
mod events;
mod eviction;
mod identity;
mod label_keys;
mod limit_ranger;
mod list;
mod meta_patch;
mod namespaces;
mod network;
mod pod_admission;
mod pod_presets;
mod priority;
mod resource_quota;
mod runtime_class;
mod services;
mod store;
mod strategy;
mod update;
mod volumes;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::vec::Drain;

use crate::api::{Change, EventSpec, Request, Response, View};
use crate::kernel::{Purpose, Streams};
use crate::objects::validation::FeatureGates;
use crate::objects::{Key, Kind, Namespace, WallTime};

use bind::TopologyLabels;
use documents::Repeated;
use identity::Identity;
use pod_admission::AdmittedSpecs;
use pod_presets::PodPresets;
use services::ServiceAllocations;
use store::Store;
use strategy::{by_kind, by_object};

pub use documents::{Applied, LAST_APPLIED};
pub use events::EventRecorder;

/// Draws of uids.
pub const UIDS: Purpose = Purpose::new(0x6170_6901);
/// Draws of the suffixes of generated names.
pub const NAME_SUFFIXES: Purpose = Purpose::new(0x6170_6902);

/// Namespaces that every cluster has.
const FIRST_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The API server with its store. A clone is a fork: both go on from here.
#[derive(Clone, Debug)]
pub struct ApiServer {
    store: Store,
    identity: Identity,
    admitted_specs: AdmittedSpecs,
    label_keys: label_keys::LabelKeys,
    pod_presets: PodPresets,
    feature_gates: FeatureGates,
    repeated: Repeated,
    topology_labels: TopologyLabels,
    /// Events that admission has to tell of.
    due_events: Vec<EventSpec>,
    services: ServiceAllocations,
    /// When Events end, by the revision of their last write.
    event_leases: VecDeque<(WallTime, Key, u64)>,
}

impl ApiServer {
    /// A server whose store has the first namespaces, created at the Unix epoch.
    #[must_use]
    pub fn new(streams: &Streams) -> Self {
        Self::starting_at(streams, WallTime::default())
    }

    /// A server whose store has the first namespaces, created at `now`.
    #[must_use]
    pub fn starting_at(streams: &Streams, now: WallTime) -> Self {
        let mut server = Self {
            store: Store::default(),
            identity: Identity::new(streams),
            admitted_specs: AdmittedSpecs::default(),
            label_keys: label_keys::LabelKeys::default(),
            pod_presets: PodPresets::default(),
            feature_gates: FeatureGates::default(),
            repeated: Repeated::default(),
            topology_labels: TopologyLabels::default(),
            due_events: Vec::new(),
            services: ServiceAllocations::new(streams),
            event_leases: VecDeque::new(),
        };
        for name in FIRST_NAMESPACES {
            let mut namespace = Namespace::default();
            namespace.meta.name = name.into();
            let created = server.execute(now, &Request::Create(namespace.into()));
            debug_assert!(created.is_ok(), "the first namespaces are valid");
        }
        server
    }

    /// Whether objects of kind `PodPreset` (`settings.k8s.io/v1alpha1`) are injected into new pods, as the admission plugin
    /// did that Kubernetes 1.20 removed. Default: no.
    pub const fn set_pod_presets(&mut self, enabled: bool) {
        self.pod_presets.enabled = enabled;
    }

    /// The feature gates that are not as Kubernetes has them by default.
    pub const fn set_feature_gates(&mut self, gates: FeatureGates) {
        self.feature_gates = gates;
    }

    /// The store, always current.
    #[must_use]
    pub const fn view(&self) -> &View {
        self.store.view()
    }

    /// The object under a key.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, kind: Kind, key: &Key) -> Response {
        self.view().object(kind, key).ok_or_else(|| errors::not_found(kind, key))
    }

    /// Accepted writes since the last call, in order.
    pub fn drain_changes(&mut self) -> Drain<'_, Change> {
        self.store.drain_changes()
    }

    /// Whether there are accepted writes that [`ApiServer::drain_changes`] has not given yet.
    #[must_use]
    pub const fn has_changes(&self) -> bool {
        self.store.has_changes()
    }

    /// Answers a request of a component. Events are recorded by an [`EventRecorder`], not here.
    ///
    /// # Errors
    /// What the API server of a cluster refuses, in its words.
    pub fn execute(&mut self, now: WallTime, request: &Request) -> Response {
        match request {
            Request::Create(object) => by_object!(object, typed => self.create(now, typed)),
            Request::Update(object, part) => by_object!(object, typed => self.update(typed, *part)),
            Request::PatchMeta { kind, key, uid, patch } => {
                by_kind!(*kind, T => self.patch_meta::<T>(key, uid, patch))
            }
            Request::Delete { kind, key, options } => self.delete(now, *kind, key, options),
            Request::Evict { pod, options } => self.evict(now, pod, options),
            Request::Bind { pod, uid, node } => self.bind(now, pod, uid, node),
            Request::ReportPod { pod, uid, status } => self.report_pod(pod, uid, status),
            Request::Patch { kind, key, patch_type, document, part } => {
                self.patch(now, *kind, key, *patch_type, document, *part)
            }
            Request::Scale { kind, key, replicas } => self.scale(now, *kind, key, *replicas),
            Request::Metrics(_) => Err(errors::no_such_resource()),
            Request::Event(_) => Err(errors::bad_request("Events are recorded, not requested")),
        }
    }
}
