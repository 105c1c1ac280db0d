//! Objects of one kind by dense id and by key.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Key, Resource};

/// Snapshots of one kind. Every object has a dense id for as long as it lives; ids rise with creation and are not
/// used again, so that ascending ids are the order of creation.
#[derive(Clone, Debug)]
pub struct Table<T> {
    slots: Vec<Option<Arc<T>>>,
    ids: FxHashMap<Key, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), ids: FxHashMap::default() }
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

    /// All objects in the order of creation.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.slots.iter().flatten()
    }

    /// All objects of a namespace in the order of creation.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<T>> {
        self.iter().filter(move |object| &*object.meta().namespace == namespace)
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

    pub(super) fn insert(&mut self, object: Arc<T>) -> (u32, Option<Arc<T>>) {
        let key = object.key();
        if let Some(&id) = self.ids.get(&key) {
            return (id, self.slots[id as usize].replace(object));
        }
        let id = u32::try_from(self.slots.len()).expect("fewer than 2^32 objects");
        self.slots.push(Some(object));
        self.ids.insert(key, id);
        (id, None)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<(u32, Arc<T>)> {
        let id = self.ids.remove(key)?;
        self.slots[id as usize].take().map(|object| (id, object))
    }
}

/// A set of dense ids in ascending order.
#[derive(Clone, Debug, Default)]
pub struct IdSet(Vec<u32>);

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
        if self.0.last().is_none_or(|last| *last < id) {
            self.0.push(id);
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
