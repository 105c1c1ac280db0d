//! Objects of one kind by dense id and by key.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Key, ObjectMeta, Resource, Uid};

/// Snapshots of one kind. Every object has a dense id for as long as it lives; ids rise with creation and are not
/// used again, so that ascending ids are the order of creation.
#[derive(Clone, Debug)]
pub struct Table<T> {
    slots: Vec<Option<Arc<T>>>,
    /// Slots that hold an object: in a long run most are empty.
    live: IdSet,
    ids: FxHashMap<Key, u32>,
    /// By namespace; cluster-scoped objects under the empty name.
    by_namespace: FxHashMap<Arc<str>, IdSet>,
    /// Of adoptable kinds, by the uid of the controller.
    by_controller: FxHashMap<Uid, IdSet>,
    /// Of adoptable kinds, by namespace, what no controller owns.
    orphans: FxHashMap<Arc<str>, IdSet>,
    /// How often an object was put in or taken out.
    writes: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            live: IdSet::default(),
            ids: FxHashMap::default(),
            by_namespace: FxHashMap::default(),
            by_controller: FxHashMap::default(),
            orphans: FxHashMap::default(),
            writes: 0,
        }
    }
}

impl<T: Resource> Table<T> {
    /// The object under a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Arc<T>> {
        self.by_id(self.id(key)?)
    }

    /// The dense id of the object under a key.
    #[must_use]
    pub fn id(&self, key: &Key) -> Option<u32> {
        self.ids.get(key).copied()
    }

    /// The object with a dense id.
    #[must_use]
    pub fn by_id(&self, id: u32) -> Option<&Arc<T>> {
        self.slots.get(id as usize)?.as_ref()
    }

    /// All objects with their dense ids, in the order of creation.
    pub fn entries(&self) -> impl Iterator<Item = (u32, &Arc<T>)> {
        self.live.iter().filter_map(|id| Some((id, self.by_id(id)?)))
    }

    /// The objects with these ids, in the order of creation.
    pub fn by_ids<'a>(&'a self, ids: Option<&'a IdSet>) -> impl Iterator<Item = &'a Arc<T>> {
        ids.into_iter().flat_map(IdSet::iter).filter_map(|id| self.by_id(id))
    }

    /// All objects in the order of creation.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_ids(Some(&self.live))
    }

    /// All objects of a namespace in the order of creation.
    pub fn in_namespace<'a>(&'a self, namespace: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.by_ids(self.by_namespace.get(namespace))
    }

    /// Objects of an adoptable kind whose controller has that uid, in the order of creation.
    pub fn controlled_by<'a>(&'a self, controller: &Uid) -> impl Iterator<Item = &'a Arc<T>> {
        self.by_ids(self.by_controller.get(controller))
    }

    /// Objects of an adoptable kind in a namespace that no controller owns, in the order of creation.
    pub fn orphans<'a>(&'a self, namespace: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.by_ids(self.orphans.get(namespace))
    }

    /// The objects with an id of at least `first`, which then becomes the next id: what is new since the last call.
    pub fn created_since(&self, first: &mut u32) -> impl Iterator<Item = &Arc<T>> {
        let from = std::mem::replace(first, self.slots.len() as u32);
        self.slots.get(from as usize..).into_iter().flatten().flatten()
    }

    /// The id that the next new object gets.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        self.slots.len() as u32
    }

    /// How many objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How often an object was put in, replaced or taken out: while this stays the same, so do all objects.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    pub(super) fn insert(&mut self, object: Arc<T>) -> (u32, Option<Arc<T>>) {
        self.writes += 1;
        let key = object.key();
        if let Some(&id) = self.ids.get(&key) {
            let old = self.slots[id as usize].replace(object.clone());
            if T::ADOPTABLE
                && old.as_ref().is_none_or(|old| old.meta().owner_references != object.meta().owner_references)
            {
                if let Some(old) = &old {
                    self.leave_owner(id, old.meta());
                }
                self.join_owner(id, object.meta());
            }
            return (id, old);
        }
        let id = u32::try_from(self.slots.len()).expect("fewer than 2^32 objects");
        self.by_namespace.entry(key.namespace.clone()).or_default().insert(id);
        if T::ADOPTABLE {
            self.join_owner(id, object.meta());
        }
        self.slots.push(Some(object));
        self.live.insert(id);
        self.ids.insert(key, id);
        (id, None)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<(u32, Arc<T>)> {
        self.writes += 1;
        let id = self.ids.remove(key)?;
        let object = self.slots[id as usize].take()?;
        self.live.remove(id);
        drop_from(&mut self.by_namespace, &key.namespace, id);
        if T::ADOPTABLE {
            self.leave_owner(id, object.meta());
        }
        Some((id, object))
    }

    fn join_owner(&mut self, id: u32, meta: &ObjectMeta) {
        match meta.controller() {
            Some(owner) => self.by_controller.entry(owner.uid.clone()).or_default().insert(id),
            None => self.orphans.entry(meta.namespace.clone()).or_default().insert(id),
        }
    }

    fn leave_owner(&mut self, id: u32, meta: &ObjectMeta) {
        match meta.controller() {
            Some(owner) => drop_from(&mut self.by_controller, &owner.uid, id),
            None => drop_from(&mut self.orphans, &meta.namespace, id),
        }
    }
}

/// Takes an id out of an index, and an empty set with it.
pub(super) fn drop_from<K: Hash + Eq>(index: &mut FxHashMap<K, IdSet>, key: &K, id: u32) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

/// A set of dense ids in ascending order. The newest come and the oldest go at the ends, where that is cheap.
#[derive(Clone, Debug, Default)]
pub struct IdSet(VecDeque<u32>);

impl IdSet {
    /// Ids, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, id: u32) {
        if self.0.back().is_none_or(|last| *last < id) {
            self.0.push_back(id);
        } else if let Err(at) = self.0.binary_search(&id) {
            self.0.insert(at, id);
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Ok(at) = self.0.binary_search(&id) {
            self.0.remove(at);
        }
    }
}
