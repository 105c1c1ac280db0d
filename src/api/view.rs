//! A consistent picture of the cluster with its indexes: the store's own, or the lagging one of a component.

use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::objects::{
    EndpointSlice, Job, Key, Kind, Labels, Object, OpaqueObject, PersistentVolume, Pod, Resource, SERVICE_NAME_LABEL,
    Selector, Uid, VolumeAttachment, with_kinds,
};

use super::replicas::{PodCounts, Replicas};
use super::table::{IdSet, Table, drop_from};

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

macro_rules! view {
    ([] $($kind:ident, $table:ident, $v:literal, $p:literal, $n:literal, $a:tt;)*) => {
        /// All objects, with the indexes that components look things up by.
        #[derive(Clone, Debug, Default)]
        pub struct View {
            /// Revision of the newest change that is in here.
            pub resource_version: u64,
            $(#[doc = concat!("Objects of kind `", stringify!($kind), "`.")] pub $table: Table<crate::objects::$kind>,)*
            /// Objects of kinds that are not simulated.
            pub opaque: IndexMap<Key, Arc<OpaqueObject>, FxBuildHasher>,
            indexes: Indexes,
        }

        impl View {
            /// Any object by kind and key.
            #[must_use]
            pub fn object(&self, kind: Kind, key: &Key) -> Option<Object> {
                match kind {
                    $(Kind::$kind => self.$table.get(key).cloned().map(Object::from),)*
                    Kind::Opaque => self.opaque.get(key).cloned().map(Object::Opaque),
                }
            }

            /// All objects of a kind, by namespace and name: the order in which the API server lists.
            #[must_use]
            pub fn list(&self, kind: Kind) -> Vec<Object> {
                let mut objects: Vec<Object> = match kind {
                    $(Kind::$kind => self.$table.iter().cloned().map(Object::from).collect(),)*
                    Kind::Opaque => self.opaque.values().cloned().map(Object::Opaque).collect(),
                };
                objects.sort_by_cached_key(Object::key);
                objects
            }

            /// Shows all objects of a simulated kind with their dense ids, in the order of creation.
            pub fn for_each(&self, kind: Kind, show: &mut dyn FnMut(u32, &Object)) {
                match kind {
                    $(Kind::$kind => self.$table.entries().for_each(|(id, object)| show(id, &object.clone().into())),)*
                    Kind::Opaque => {}
                }
            }

            /// How often objects of a simulated kind were written: while this stays the same, so do all of them.
            #[must_use]
            pub fn writes(&self, kind: Kind) -> u64 {
                match kind {
                    $(Kind::$kind => self.$table.writes(),)*
                    Kind::Opaque => 0,
                }
            }

            /// All objects of a kind in a namespace, in the order of creation.
            #[must_use]
            pub fn list_in(&self, kind: Kind, namespace: &str) -> Vec<Object> {
                match kind {
                    $(Kind::$kind => self.$table.in_namespace(namespace).cloned().map(Object::from).collect(),)*
                    Kind::Opaque => {
                        let all = self.opaque.values().filter(|object| *object.meta.namespace == *namespace);
                        all.cloned().map(Object::Opaque).collect()
                    }
                }
            }

            /// Keys of the objects of a kind with an id of at least `first`, which then becomes the next id.
            #[must_use]
            pub fn created_since(&self, kind: Kind, first: &mut u32) -> Vec<Key> {
                match kind {
                    $(Kind::$kind => self.$table.created_since(first).map(|object| object.key()).collect(),)*
                    Kind::Opaque => Vec::new(),
                }
            }

            fn insert(&mut self, object: &Object) {
                match object {
                    $(Object::$kind(new) => {
                        let (id, old) = self.$table.insert(new.clone());
                        self.indexes.follow(id, old.map(Object::from).as_ref(), Some(object));
                    })*
                    Object::Opaque(new) => drop(self.opaque.insert(object.key(), new.clone())),
                }
            }

            fn remove(&mut self, object: &Object) {
                let key = object.key();
                match object.kind() {
                    $(Kind::$kind => {
                        if let Some((id, old)) = self.$table.remove(&key) {
                            self.indexes.follow(id, Some(&old.into()), None);
                        }
                    })*
                    Kind::Opaque => drop(self.opaque.shift_remove(&key)),
                }
            }
        }

        /// The table of a kind in a view.
        pub trait Tabled: Resource {
            /// The table.
            fn table(view: &View) -> &Table<Self>;
        }

        $(impl Tabled for crate::objects::$kind {
            fn table(view: &View) -> &Table<Self> {
                &view.$table
            }
        })*
    };
}

with_kinds!(view);

/// Indexes beside those that every table has.
#[derive(Clone, Debug, Default)]
struct Indexes {
    pods_by_node: FxHashMap<Arc<str>, IdSet>,
    unsettled_pods: FxHashMap<Uid, IdSet>,
    pods_by_labels: FxHashMap<Arc<str>, IndexMap<Labels, IdSet, FxBuildHasher>>,
    replicas: Replicas,
    slices_by_service: FxHashMap<Key, IdSet>,
    pods_by_claim: FxHashMap<Key, IdSet>,
    volumes_by_claim: FxHashMap<Key, IdSet>,
    free_volumes: FxHashMap<Arc<str>, IdSet>,
    jobs_by_controller_name: FxHashMap<Key, IdSet>,
    attachments_by_node: FxHashMap<Arc<str>, IdSet>,
    attachments_by_volume: FxHashMap<Arc<str>, IdSet>,
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

    /// Pods bound to a node, in the order of creation.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.by_ids(self.indexes.pods_by_node.get(node))
    }

    /// Pods whose controller has that uid and which have not ended, or have but are held by finalizers, in the order of
    /// creation.
    pub fn unsettled_pods(&self, controller: &Uid) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.by_ids(self.indexes.unsettled_pods.get(controller))
    }

    /// Counts of the pods whose controller is the ReplicaSet or ReplicationController of that uid, by equal labels.
    pub fn replicas_of(&self, set: &Uid) -> impl Iterator<Item = (&Labels, &PodCounts)> {
        self.indexes.replicas.of(set)
    }

    /// Pods of a namespace that match, grouped by equal labels, each group in the order of creation.
    pub fn pods_matching<'a>(&'a self, namespace: &str, selector: &'a Selector) -> impl Iterator<Item = &'a Arc<Pod>> {
        let groups = self.indexes.pods_by_labels.get(namespace).into_iter().flatten();
        groups.filter(|(labels, _)| selector.matches(labels)).flat_map(|(_, ids)| self.pods.by_ids(Some(ids)))
    }

    /// EndpointSlices of a service, in the order of creation.
    pub fn slices_of(&self, service: &Key) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        self.endpoint_slices.by_ids(self.indexes.slices_by_service.get(service))
    }

    /// Pods that use a claim, in the order of creation.
    pub fn pods_using(&self, claim: &Key) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.by_ids(self.indexes.pods_by_claim.get(claim))
    }

    /// Volumes that are bound to a claim of that name or kept for it, in the order of creation.
    pub fn volumes_for(&self, claim: &Key) -> impl Iterator<Item = &Arc<PersistentVolume>> {
        self.persistent_volumes.by_ids(self.indexes.volumes_by_claim.get(claim))
    }

    /// Attachments of volumes to a node, in the order of creation.
    pub fn attachments_on(&self, node: &str) -> impl Iterator<Item = &Arc<VolumeAttachment>> {
        self.volume_attachments.by_ids(self.indexes.attachments_by_node.get(node))
    }

    /// Attachments of a volume to nodes, in the order of creation.
    pub fn attachments_of(&self, volume: &str) -> impl Iterator<Item = &Arc<VolumeAttachment>> {
        self.volume_attachments.by_ids(self.indexes.attachments_by_volume.get(volume))
    }

    /// Volumes of a storage class (empty = of none) that are kept for no claim, in the order of creation.
    pub fn free_volumes(&self, class: &str) -> impl Iterator<Item = &Arc<PersistentVolume>> {
        self.persistent_volumes.by_ids(self.indexes.free_volumes.get(class))
    }

    /// Jobs of a namespace whose controller has that name, of whatever kind it is, in the order of creation.
    pub fn jobs_controlled_by(&self, controller: &Key) -> impl Iterator<Item = &Arc<Job>> {
        self.jobs.by_ids(self.indexes.jobs_by_controller_name.get(controller))
    }
}

impl Indexes {
    /// Follows what happened to the object with that id in its table.
    fn follow(&mut self, id: u32, old: Option<&Object>, new: Option<&Object>) {
        match new.or(old) {
            Some(Object::Pod(_)) => self.follow_pod(id, snapshot(old), snapshot(new)),
            Some(Object::EndpointSlice(_)) => self.follow_slice(id, snapshot(old), snapshot(new)),
            Some(Object::Job(_)) => self.follow_job(id, snapshot(old), snapshot(new)),
            Some(Object::VolumeAttachment(_)) if old.is_none() || new.is_none() => {
                self.follow_attachment(id, snapshot(old), snapshot(new));
            }
            Some(Object::PersistentVolume(_)) => self.follow_volume(id, snapshot(old), snapshot(new)),
            _ => {}
        }
    }

    fn follow_job(&mut self, id: u32, old: Option<&Job>, new: Option<&Job>) {
        let controller = |job: Option<&Job>| {
            let meta = &job?.meta;
            Some(Key { namespace: meta.namespace.clone(), name: meta.controller()?.name.clone() })
        };
        let same = |a: &Job, b: &Job| a.meta.owner_references == b.meta.owner_references;
        if !old.zip(new).is_some_and(|(old, new)| same(old, new)) {
            exchange(&mut self.jobs_by_controller_name, id, controller(old), controller(new));
        }
    }

    fn follow_pod(&mut self, id: u32, old: Option<&Pod>, new: Option<&Pod>) {
        let node = |pod: Option<&Pod>| pod.filter(|pod| pod.is_bound()).map(|pod| pod.node_name.clone());
        if old.map(|pod| &pod.node_name) != new.map(|pod| &pod.node_name) {
            exchange(&mut self.pods_by_node, id, node(old), node(new));
        }
        self.replicas.follow(old, new);
        fn unsettled(pod: Option<&Pod>) -> Option<&Uid> {
            let pod = pod.filter(|pod| !pod.is_terminal() || !pod.meta.finalizers.is_empty())?;
            pod.meta.controller().map(|owner| &owner.uid)
        }
        let (was, is) = (unsettled(old), unsettled(new));
        if was != is {
            exchange(&mut self.unsettled_pods, id, was.cloned(), is.cloned());
        }
        if old.is_none() || new.is_none() {
            // The claims of a pod cannot change.
            old.into_iter().flat_map(Pod::claims).for_each(|claim| drop_from(&mut self.pods_by_claim, &claim, id));
            for claim in new.into_iter().flat_map(Pod::claims) {
                self.pods_by_claim.entry(claim).or_default().insert(id);
            }
        }
        if let (Some(old), Some(new)) = (old, new)
            && old.meta.labels == new.meta.labels
        {
            return;
        }
        if let Some(old) = old
            && let Some(groups) = self.pods_by_labels.get_mut(&old.meta.namespace)
            && let Some(ids) = groups.get_mut(&old.meta.labels)
        {
            ids.remove(id);
            if ids.is_empty() {
                groups.shift_remove(&old.meta.labels);
            }
        }
        if let Some(new) = new {
            let groups = self.pods_by_labels.entry(new.meta.namespace.clone()).or_default();
            groups.entry(new.meta.labels.clone()).or_default().insert(id);
        }
    }

    fn follow_slice(&mut self, id: u32, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>) {
        let service = |slice: &EndpointSlice| {
            let name = slice.meta.labels.get(SERVICE_NAME_LABEL)?;
            Some(Key::new(slice.meta.namespace.clone(), name))
        };
        let (old, new) = (old.and_then(service), new.and_then(service));
        if old != new {
            exchange(&mut self.slices_by_service, id, old, new);
        }
    }
}

impl Indexes {
    /// What is attached where cannot change.
    fn follow_attachment(&mut self, id: u32, old: Option<&VolumeAttachment>, new: Option<&VolumeAttachment>) {
        let node = |attachment: &VolumeAttachment| Arc::from(&*attachment.spec.node_name);
        let volume = |attachment: &VolumeAttachment| Arc::from(&*attachment.spec.source.persistent_volume_name);
        exchange(&mut self.attachments_by_node, id, old.map(node), new.map(node));
        exchange(&mut self.attachments_by_volume, id, old.map(volume), new.map(volume));
    }

    fn follow_volume(&mut self, id: u32, old: Option<&PersistentVolume>, new: Option<&PersistentVolume>) {
        let claim = |volume: &PersistentVolume| volume.claim();
        let (old_claim, new_claim) = (old.and_then(claim), new.and_then(claim));
        let free = |volume: &PersistentVolume| volume.spec.claim_ref.is_none().then(|| Arc::from(volume.class()));
        let (old_class, new_class) = (old.and_then(free), new.and_then(free));
        if old_claim != new_claim {
            exchange(&mut self.volumes_by_claim, id, old_claim, new_claim);
        }
        if old_class != new_class {
            exchange(&mut self.free_volumes, id, old_class, new_class);
        }
    }
}

fn snapshot<T: Resource>(object: Option<&Object>) -> Option<&T> {
    T::unwrap(object?).map(|snapshot| &**snapshot)
}

/// Moves an id from one entry of an index to another.
fn exchange<K: Hash + Eq>(index: &mut FxHashMap<K, IdSet>, id: u32, old: Option<K>, new: Option<K>) {
    if let Some(old) = old {
        drop_from(index, &old, id);
    }
    if let Some(new) = new {
        index.entry(new).or_default().insert(id);
    }
}
