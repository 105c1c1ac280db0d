//! A consistent picture of the cluster with its indexes: the store's own, or the lagging one of a component.

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::objects::{
    Deployment, EndpointSlice, Event, Key, Kind, Labels, Lease, Namespace, Node, Object, OpaqueObject, Pod, ReplicaSet,
    Resource, SERVICE_NAME_LABEL, Selector, Service, Uid,
};

use super::{IdSet, Table};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeType {
    /// It is new.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl ChangeType {
    /// As the watch protocol writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One accepted write, as a watch shows it.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happened.
    pub change_type: ChangeType,
    /// The object now; of a deleted one, its last state.
    pub object: Object,
    /// The object before, unless it is new.
    pub old: Option<Object>,
    /// Store-wide revision of the write.
    pub resource_version: u64,
}

impl Change {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.object.kind()
    }

    /// The object before and now, if it is of that kind.
    #[must_use]
    pub fn of<T: Resource>(&self) -> Option<(Option<&Arc<T>>, &Arc<T>)> {
        Some((self.old.as_ref().and_then(T::unwrap), T::unwrap(&self.object)?))
    }
}

/// All objects, with the indexes that components look things up by.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Revision of the newest change that is in here.
    pub resource_version: u64,
    /// Namespaces.
    pub namespaces: Table<Namespace>,
    /// Nodes.
    pub nodes: Table<Node>,
    /// Pods.
    pub pods: Table<Pod>,
    /// ReplicaSets.
    pub replica_sets: Table<ReplicaSet>,
    /// Deployments.
    pub deployments: Table<Deployment>,
    /// Services.
    pub services: Table<Service>,
    /// EndpointSlices.
    pub endpoint_slices: Table<EndpointSlice>,
    /// Leases.
    pub leases: Table<Lease>,
    /// Events.
    pub events: Table<Event>,
    /// Objects of kinds that are not simulated.
    pub opaque: IndexMap<Key, Arc<OpaqueObject>, FxBuildHasher>,
    pods_by_controller: FxHashMap<Uid, IdSet>,
    pods_by_node: FxHashMap<Arc<str>, IdSet>,
    pods_by_labels: FxHashMap<Arc<str>, IndexMap<Labels, IdSet, FxBuildHasher>>,
    orphan_pods: FxHashMap<Arc<str>, IdSet>,
    replica_sets_by_controller: FxHashMap<Uid, IdSet>,
    replica_sets_by_namespace: FxHashMap<Arc<str>, IdSet>,
    orphan_replica_sets: FxHashMap<Arc<str>, IdSet>,
    slices_by_service: FxHashMap<Key, IdSet>,
}

impl View {
    /// Brings a change in.
    pub fn apply(&mut self, change: &Change) {
        self.resource_version = self.resource_version.max(change.resource_version);
        if change.change_type == ChangeType::Deleted {
            self.remove(&change.object);
        } else {
            self.insert(&change.object);
        }
    }

    /// Any object by kind and key.
    #[must_use]
    pub fn object(&self, kind: Kind, key: &Key) -> Option<Object> {
        match kind {
            Kind::Namespace => self.namespaces.get(key).cloned().map(Object::from),
            Kind::Node => self.nodes.get(key).cloned().map(Object::from),
            Kind::Pod => self.pods.get(key).cloned().map(Object::from),
            Kind::ReplicaSet => self.replica_sets.get(key).cloned().map(Object::from),
            Kind::Deployment => self.deployments.get(key).cloned().map(Object::from),
            Kind::Service => self.services.get(key).cloned().map(Object::from),
            Kind::EndpointSlice => self.endpoint_slices.get(key).cloned().map(Object::from),
            Kind::Lease => self.leases.get(key).cloned().map(Object::from),
            Kind::Event => self.events.get(key).cloned().map(Object::from),
            Kind::Opaque => self.opaque.get(key).cloned().map(Object::Opaque),
        }
    }

    /// All objects of a kind, by namespace and name: the order in which the API server lists.
    #[must_use]
    pub fn list(&self, kind: Kind) -> Vec<Object> {
        fn all<T: Resource>(table: &Table<T>) -> Vec<Object> {
            table.iter().map(|object| object.clone().wrap()).collect()
        }
        let mut objects = match kind {
            Kind::Namespace => all(&self.namespaces),
            Kind::Node => all(&self.nodes),
            Kind::Pod => all(&self.pods),
            Kind::ReplicaSet => all(&self.replica_sets),
            Kind::Deployment => all(&self.deployments),
            Kind::Service => all(&self.services),
            Kind::EndpointSlice => all(&self.endpoint_slices),
            Kind::Lease => all(&self.leases),
            Kind::Event => all(&self.events),
            Kind::Opaque => self.opaque.values().cloned().map(Object::Opaque).collect(),
        };
        objects.sort_by_cached_key(Object::key);
        objects
    }

    /// Pods whose controller has that uid, in the order of creation.
    pub fn pods_of(&self, controller: &Uid) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods_in(self.pods_by_controller.get(controller))
    }

    /// Pods bound to a node, in the order of creation.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods_in(self.pods_by_node.get(node))
    }

    /// Pods of a namespace that no controller owns, in the order of creation.
    pub fn orphan_pods(&self, namespace: &str) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods_in(self.orphan_pods.get(namespace))
    }

    /// Pods of a namespace that match, grouped by equal labels, each group in the order of creation.
    pub fn pods_matching<'a>(&'a self, namespace: &str, selector: &'a Selector) -> impl Iterator<Item = &'a Arc<Pod>> {
        let groups = self.pods_by_labels.get(namespace).into_iter().flatten();
        groups.filter(|(labels, _)| selector.matches(labels)).flat_map(|(_, ids)| self.pods_in(Some(ids)))
    }

    /// ReplicaSets whose controller has that uid, in the order of creation.
    pub fn replica_sets_of(&self, controller: &Uid) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.replica_sets_in(self.replica_sets_by_controller.get(controller))
    }

    /// ReplicaSets of a namespace, in the order of creation.
    pub fn replica_sets_of_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.replica_sets_in(self.replica_sets_by_namespace.get(namespace))
    }

    /// ReplicaSets of a namespace that no controller owns, in the order of creation.
    pub fn orphan_replica_sets(&self, namespace: &str) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.replica_sets_in(self.orphan_replica_sets.get(namespace))
    }

    /// EndpointSlices of a service, in the order of creation.
    pub fn slices_of(&self, service: &Key) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        let ids = self.slices_by_service.get(service).into_iter().flat_map(IdSet::iter);
        ids.filter_map(|id| self.endpoint_slices.by_id(id))
    }

    fn pods_in<'a>(&'a self, ids: Option<&'a IdSet>) -> impl Iterator<Item = &'a Arc<Pod>> {
        ids.into_iter().flat_map(IdSet::iter).filter_map(|id| self.pods.by_id(id))
    }

    fn replica_sets_in<'a>(&'a self, ids: Option<&'a IdSet>) -> impl Iterator<Item = &'a Arc<ReplicaSet>> {
        ids.into_iter().flat_map(IdSet::iter).filter_map(|id| self.replica_sets.by_id(id))
    }

    fn insert(&mut self, object: &Object) {
        match object {
            Object::Namespace(o) => drop(self.namespaces.insert(o.clone())),
            Object::Node(o) => drop(self.nodes.insert(o.clone())),
            Object::Pod(o) => self.insert_pod(o),
            Object::ReplicaSet(o) => self.insert_replica_set(o),
            Object::Deployment(o) => drop(self.deployments.insert(o.clone())),
            Object::Service(o) => drop(self.services.insert(o.clone())),
            Object::EndpointSlice(o) => self.insert_slice(o),
            Object::Lease(o) => drop(self.leases.insert(o.clone())),
            Object::Event(o) => drop(self.events.insert(o.clone())),
            Object::Opaque(o) => drop(self.opaque.insert(object.key(), o.clone())),
        }
    }

    fn remove(&mut self, object: &Object) {
        let key = object.key();
        match object.kind() {
            Kind::Namespace => drop(self.namespaces.remove(&key)),
            Kind::Node => drop(self.nodes.remove(&key)),
            Kind::Pod => {
                if let Some((id, pod)) = self.pods.remove(&key) {
                    self.unindex_pod(id, &pod, PodIndexes::ALL);
                }
            }
            Kind::ReplicaSet => {
                if let Some((id, set)) = self.replica_sets.remove(&key) {
                    self.unindex_replica_set(id, &set);
                }
            }
            Kind::Deployment => drop(self.deployments.remove(&key)),
            Kind::Service => drop(self.services.remove(&key)),
            Kind::EndpointSlice => {
                if let Some((id, slice)) = self.endpoint_slices.remove(&key) {
                    drop_from(&mut self.slices_by_service, service_of(&slice), id);
                }
            }
            Kind::Lease => drop(self.leases.remove(&key)),
            Kind::Event => drop(self.events.remove(&key)),
            Kind::Opaque => drop(self.opaque.shift_remove(&key)),
        }
    }

    fn insert_pod(&mut self, pod: &Arc<Pod>) {
        let (id, old) = self.pods.insert(pod.clone());
        let changed = PodIndexes::changed(old.as_deref(), pod);
        if let Some(old) = old {
            self.unindex_pod(id, &old, changed);
        }
        self.index_pod(id, pod, changed);
    }

    fn index_pod(&mut self, id: u32, pod: &Pod, which: PodIndexes) {
        let meta = &pod.meta;
        if which.owner {
            match meta.controller() {
                Some(owner) => self.pods_by_controller.entry(owner.uid.clone()).or_default().insert(id),
                None => self.orphan_pods.entry(meta.namespace.clone()).or_default().insert(id),
            }
        }
        if which.node && pod.is_bound() {
            self.pods_by_node.entry(pod.node_name.clone()).or_default().insert(id);
        }
        if which.labels {
            let groups = self.pods_by_labels.entry(meta.namespace.clone()).or_default();
            groups.entry(meta.labels.clone()).or_default().insert(id);
        }
    }

    fn unindex_pod(&mut self, id: u32, pod: &Pod, which: PodIndexes) {
        let meta = &pod.meta;
        if which.owner {
            match meta.controller() {
                Some(owner) => drop_from(&mut self.pods_by_controller, Some(owner.uid.clone()), id),
                None => drop_from(&mut self.orphan_pods, Some(meta.namespace.clone()), id),
            }
        }
        if which.node && pod.is_bound() {
            drop_from(&mut self.pods_by_node, Some(pod.node_name.clone()), id);
        }
        if which.labels
            && let Some(groups) = self.pods_by_labels.get_mut(&meta.namespace)
            && let Some(ids) = groups.get_mut(&meta.labels)
        {
            ids.remove(id);
            if ids.is_empty() {
                groups.shift_remove(&meta.labels);
            }
        }
    }

    fn insert_replica_set(&mut self, set: &Arc<ReplicaSet>) {
        let (id, old) = self.replica_sets.insert(set.clone());
        if let Some(old) = old {
            if old.meta.owner_references == set.meta.owner_references {
                return;
            }
            self.unindex_replica_set(id, &old);
        }
        match set.meta.controller() {
            Some(owner) => self.replica_sets_by_controller.entry(owner.uid.clone()).or_default().insert(id),
            None => self.orphan_replica_sets.entry(set.meta.namespace.clone()).or_default().insert(id),
        }
        self.replica_sets_by_namespace.entry(set.meta.namespace.clone()).or_default().insert(id);
    }

    fn unindex_replica_set(&mut self, id: u32, set: &ReplicaSet) {
        match set.meta.controller() {
            Some(owner) => drop_from(&mut self.replica_sets_by_controller, Some(owner.uid.clone()), id),
            None => drop_from(&mut self.orphan_replica_sets, Some(set.meta.namespace.clone()), id),
        }
        drop_from(&mut self.replica_sets_by_namespace, Some(set.meta.namespace.clone()), id);
    }

    fn insert_slice(&mut self, slice: &Arc<EndpointSlice>) {
        let (id, old) = self.endpoint_slices.insert(slice.clone());
        if let Some(old) = old {
            if old.service() == slice.service() {
                return;
            }
            drop_from(&mut self.slices_by_service, service_of(&old), id);
        }
        if let Some(service) = service_of(slice) {
            self.slices_by_service.entry(service).or_default().insert(id);
        }
    }
}

/// Indexes of pods, by what they follow.
#[derive(Clone, Copy, Debug)]
struct PodIndexes {
    owner: bool,
    node: bool,
    labels: bool,
}

impl PodIndexes {
    const ALL: Self = Self { owner: true, node: true, labels: true };

    fn changed(old: Option<&Pod>, new: &Pod) -> Self {
        let Some(old) = old else { return Self::ALL };
        Self {
            owner: old.meta.owner_references != new.meta.owner_references,
            node: old.node_name != new.node_name,
            labels: old.meta.labels != new.meta.labels,
        }
    }
}

fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let name = slice.meta.labels.get(SERVICE_NAME_LABEL)?;
    Some(Key::new(slice.meta.namespace.clone(), name))
}

fn drop_from<K: std::hash::Hash + Eq>(index: &mut FxHashMap<K, IdSet>, key: Option<K>, id: u32) {
    let Some(key) = key else { return };
    if let Some(ids) = index.get_mut(&key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(&key);
        }
    }
}
