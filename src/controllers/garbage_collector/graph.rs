//! Who owns whom (upstream `graph_builder.go`).

use rustc_hash::FxHashMap;

use crate::api::{Enqueue, View};
use crate::objects::{Key, Kind, Object, OwnerReference, SharedList, Uid};

use super::FOREGROUND;
use super::links::{Edges, Heads, Slots};
use super::owners::{Owner, find};

/// Objects, with an edge from each dependent to each of its owners. An owner that was named but not seen yet is a
/// virtual node; it lasts as long as something names it.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    items: Slots<Item>,
    edges: Edges,
    by_uid: FxHashMap<Uid, u32>,
}

/// An object, or what is known of one that was only named. Small: there is one for each object of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) uid: Uid,
    pub(super) key: Key,
    owners: SharedList<OwnerReference>,
    heads: Heads,
    /// How many dependents block the deletion.
    blocking: u32,
    pub(super) kind: Kind,
    /// Whether it is in foreground deletion.
    pub(super) deleting_dependents: bool,
    /// Whether it was named but not seen: only the uid and `blocking` mean anything.
    is_virtual: bool,
}

impl AsMut<Heads> for Item {
    fn as_mut(&mut self) -> &mut Heads {
        &mut self.heads
    }
}

impl Item {
    fn named(uid: Uid) -> Self {
        Self {
            uid,
            key: Key::default(),
            owners: SharedList::new(),
            heads: Heads::EMPTY,
            blocking: 0,
            kind: Kind::Opaque,
            deleting_dependents: false,
            is_virtual: true,
        }
    }

    /// Takes over what an object says, and gives the owners that it had before.
    fn observe(&mut self, object: &Object) -> SharedList<OwnerReference> {
        let meta = object.meta();
        self.kind = object.kind();
        self.key = object.key();
        self.deleting_dependents = meta.is_deleting() && meta.has_finalizer(FOREGROUND);
        self.is_virtual = false;
        std::mem::replace(&mut self.owners, meta.owner_references.clone())
    }

    /// The key of its syncs: kind, name and uid.
    fn work(&self) -> Key {
        let (kind, uid) = (self.kind, &self.uid);
        // The names of opaque objects begin with their kind.
        let name = match kind {
            Kind::Opaque => format!("{}/{uid}", self.key.name),
            _ => format!("{kind}/{}/{uid}", self.key.name),
        };
        Key { namespace: self.key.namespace.clone(), name: name.into() }
    }
}

/// The uid in the key of a sync.
pub(super) fn uid_of(key: &Key) -> Uid {
    Uid::parse(key.name.splitn(3, '/').nth(2).unwrap_or_default())
}

fn blocks(owners: &[OwnerReference], uid: &Uid) -> bool {
    owners.iter().any(|owner| owner.uid == *uid && owner.block_owner_deletion == Some(true))
}

impl Graph {
    /// An object, if it was seen.
    pub(super) fn get(&self, uid: &Uid) -> Option<&Item> {
        self.seen(*self.by_uid.get(uid)?)
    }

    fn seen(&self, at: u32) -> Option<&Item> {
        Some(&self.items[at]).filter(|item| !item.is_virtual)
    }

    /// Dependents, the newest first.
    pub(super) fn dependents(&self, uid: &Uid) -> impl Iterator<Item = &Item> {
        let item = self.by_uid.get(uid).map(|at| &self.items[*at]);
        let edges = item.into_iter().flat_map(|item| self.edges.to_dependents(item.heads));
        edges.filter_map(|(_, edge)| self.seen(edge.dependent))
    }

    /// Whether there are dependents.
    pub(super) fn has_dependents(&self, uid: &Uid) -> bool {
        self.dependents(uid).next().is_some()
    }

    /// How many dependents hold up the foreground deletion.
    pub(super) fn blocking(&self, uid: &Uid) -> u32 {
        self.by_uid.get(uid).map_or(0, |at| self.items[*at].blocking)
    }

    /// How many nodes and edges there are.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        assert_eq!(self.by_uid.len(), self.items.len());
        (self.items.len(), self.edges.len())
    }

    /// Queues an object.
    pub(super) fn enqueue(&self, uid: &Uid, queue: &mut Enqueue) {
        if let Some(item) = self.get(uid) {
            queue.add(item.work());
        }
    }

    /// Queues the dependents of an object, the oldest first, and then the object.
    pub(super) fn enqueue_with_dependents(&self, uid: &Uid, queue: &mut Enqueue) {
        let mut keys: Vec<Key> = self.dependents(uid).map(Item::work).collect();
        keys.drain(..).rev().for_each(|key| queue.add(key));
        self.enqueue(uid, queue);
    }

    /// Takes in a new or changed object. One whose owner does not exist, or goes with its dependents, is queued.
    pub(super) fn observe(&mut self, object: &Object, view: &View, queue: &mut Enqueue) {
        let meta = object.meta();
        let at = self.node(&meta.uid);
        let before = self.items[at].observe(object);
        let owners = &meta.owner_references;
        if before == *owners {
            return;
        }
        for owner in before.iter().filter(|owner| !owners.iter().any(|now| now.uid == owner.uid)) {
            if let Some(edge) = self.edge(at, &owner.uid) {
                self.unlink(edge, queue);
            }
        }
        let mut doubtful = false;
        for owner in owners.iter().filter(|owner| !before.contains(owner)) {
            self.link(at, &owner.uid, blocks(owners, &owner.uid), queue);
            doubtful |= self.is_doubtful(view, owner, object);
        }
        if doubtful {
            self.enqueue(&meta.uid, queue);
        }
    }

    /// Takes out an object that is gone, and queues what depended on it.
    pub(super) fn forget(&mut self, uid: &Uid, queue: &mut Enqueue) {
        if self.get(uid).is_none() {
            return;
        }
        let mut orphans: Vec<Key> = self.dependents(uid).map(Item::work).collect();
        orphans.drain(..).rev().for_each(|key| queue.add(key));
        let Some(at) = self.by_uid.remove(uid) else { return };
        while let Some(edge) = self.items[at].heads.newest_owner() {
            self.unlink(edge, queue);
        }
        while let Some(edge) = self.items[at].heads.newest_dependent() {
            self.edges.remove(&mut self.items, edge);
        }
        self.items.remove(at, Item::named(Uid::None));
    }

    fn node(&mut self, uid: &Uid) -> u32 {
        match self.by_uid.get(uid) {
            Some(at) => *at,
            None => {
                let at = self.items.insert(Item::named(uid.clone()));
                self.by_uid.insert(uid.clone(), at);
                at
            }
        }
    }

    fn edge(&self, dependent: u32, owner: &Uid) -> Option<u32> {
        let owner = *self.by_uid.get(owner)?;
        let mut edges = self.edges.to_owners(self.items[dependent].heads);
        edges.find(|(_, edge)| edge.owner == owner).map(|(at, _)| at)
    }

    fn link(&mut self, dependent: u32, owner: &Uid, blocks: bool, queue: &mut Enqueue) {
        let owner_at = self.node(owner);
        let before = match self.edge(dependent, owner) {
            Some(edge) => std::mem::replace(&mut self.edges.get_mut(edge).blocks, blocks),
            None => {
                self.edges.add(&mut self.items, dependent, owner_at, blocks);
                false
            }
        };
        self.count(owner_at, before, blocks, queue);
    }

    fn unlink(&mut self, edge: u32, queue: &mut Enqueue) {
        let edge = self.edges.remove(&mut self.items, edge);
        self.count(edge.owner, edge.blocks, false, queue);
        let owner = &self.items[edge.owner];
        if owner.is_virtual && owner.heads.newest_dependent().is_none() {
            let owner = self.items.remove(edge.owner, Item::named(Uid::None));
            self.by_uid.remove(&owner.uid);
        }
    }

    /// Counts blocking dependents. An owner that waited for the last of them is queued.
    fn count(&mut self, owner: u32, before: bool, now: bool, queue: &mut Enqueue) {
        let item = &mut self.items[owner];
        item.blocking = item.blocking + u32::from(now) - u32::from(before);
        if before && item.blocking == 0 && !item.is_virtual && item.deleting_dependents {
            queue.add(item.work());
        }
    }

    /// Whether a dependent with this reference needs a look.
    fn is_doubtful(&self, view: &View, reference: &OwnerReference, dependent: &Object) -> bool {
        let known = self.get(&reference.uid).is_some_and(|owner| {
            let here = owner.key.namespace.is_empty() || owner.key.namespace == dependent.meta().namespace;
            let same_kind = Kind::of(&reference.api_version, &reference.kind) == Some(owner.kind);
            !owner.deleting_dependents && here && same_kind && owner.key.name == reference.name
        });
        !known
            && !matches!(find(view, reference, &dependent.meta().namespace), Owner::Exists(owner)
            if !(owner.meta().is_deleting() && owner.meta().has_finalizer(FOREGROUND)))
    }
}
