//! Who owns whom (upstream `graph_builder.go`).

use petgraph::Direction;
use petgraph::stable_graph::{EdgeIndex, NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use rustc_hash::FxHashMap;

use crate::api::{Enqueue, View};
use crate::objects::{Key, Kind, Object, OwnerReference, SharedList, Uid};

use super::FOREGROUND;
use super::owners::{Owner, find};

/// Objects, with an edge from each dependent to each of its owners. An owner that was named but not seen yet is a
/// virtual node; it lasts as long as something names it.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    nodes: StableDiGraph<Item, Blocks>,
    by_uid: FxHashMap<Uid, NodeIndex>,
}

/// Whether the dependent holds up the foreground deletion of the owner.
type Blocks = bool;

/// An object, or what is known of one that was only named. Small: there is one for each object of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) uid: Uid,
    pub(super) key: Key,
    owners: SharedList<OwnerReference>,
    /// How many dependents block the deletion.
    blocking: u32,
    pub(super) kind: Kind,
    /// Whether it is in foreground deletion.
    pub(super) deleting_dependents: bool,
    /// Whether it was named but not seen: only the uid and `blocking` mean anything.
    is_virtual: bool,
}

impl Item {
    fn named(uid: Uid) -> Self {
        Self {
            uid,
            key: Key::default(),
            owners: SharedList::new(),
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

fn blocks(owners: &[OwnerReference], uid: &Uid) -> Blocks {
    owners.iter().any(|owner| owner.uid == *uid && owner.block_owner_deletion == Some(true))
}

impl Graph {
    /// An object, if it was seen.
    pub(super) fn get(&self, uid: &Uid) -> Option<&Item> {
        self.seen(*self.by_uid.get(uid)?)
    }

    fn seen(&self, at: NodeIndex) -> Option<&Item> {
        Some(&self.nodes[at]).filter(|item| !item.is_virtual)
    }

    /// Dependents, the newest first.
    pub(super) fn dependents(&self, uid: &Uid) -> impl Iterator<Item = &Item> {
        let node = self.by_uid.get(uid).copied();
        let dependents = node.into_iter().flat_map(|at| self.nodes.neighbors_directed(at, Direction::Incoming));
        dependents.filter_map(|at| self.seen(at))
    }

    /// Whether there are dependents.
    pub(super) fn has_dependents(&self, uid: &Uid) -> bool {
        self.dependents(uid).next().is_some()
    }

    /// How many dependents hold up the foreground deletion.
    pub(super) fn blocking(&self, uid: &Uid) -> u32 {
        self.by_uid.get(uid).map_or(0, |at| self.nodes[*at].blocking)
    }

    /// How many nodes and edges there are.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        assert_eq!(self.by_uid.len(), self.nodes.node_count());
        (self.nodes.node_count(), self.nodes.edge_count())
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
        let before = self.nodes[at].observe(object);
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
        let mut owners = self.nodes.neighbors_directed(at, Direction::Outgoing).detach();
        while let Some(edge) = owners.next_edge(&self.nodes) {
            self.unlink(edge, queue);
        }
        self.nodes.remove_node(at);
    }

    fn node(&mut self, uid: &Uid) -> NodeIndex {
        match self.by_uid.get(uid) {
            Some(at) => *at,
            None => {
                let at = self.nodes.add_node(Item::named(uid.clone()));
                self.by_uid.insert(uid.clone(), at);
                at
            }
        }
    }

    fn edge(&self, dependent: NodeIndex, owner: &Uid) -> Option<EdgeIndex> {
        let owner = *self.by_uid.get(owner)?;
        // An object has few owners, and an owner may have many dependents.
        self.nodes.edges(dependent).find(|edge| edge.target() == owner).map(|edge| edge.id())
    }

    fn link(&mut self, dependent: NodeIndex, owner: &Uid, blocks: Blocks, queue: &mut Enqueue) {
        let owner_at = self.node(owner);
        match self.edge(dependent, owner) {
            Some(edge) => {
                let before = std::mem::replace(&mut self.nodes[edge], blocks);
                self.count(owner_at, before, blocks, queue);
            }
            None => {
                self.nodes.add_edge(dependent, owner_at, blocks);
                self.count(owner_at, false, blocks, queue);
            }
        }
    }

    fn unlink(&mut self, edge: EdgeIndex, queue: &mut Enqueue) {
        let Some((_, owner)) = self.nodes.edge_endpoints(edge) else { return };
        let blocked = self.nodes.remove_edge(edge).unwrap_or_default();
        self.count(owner, blocked, false, queue);
        if self.nodes[owner].is_virtual
            && self.nodes.neighbors_directed(owner, Direction::Incoming).next().is_none()
            && let Some(item) = self.nodes.remove_node(owner)
        {
            self.by_uid.remove(&item.uid);
        }
    }

    /// Counts blocking dependents. An owner that waited for the last of them is queued.
    fn count(&mut self, owner: NodeIndex, before: Blocks, now: Blocks, queue: &mut Enqueue) {
        let item = &mut self.nodes[owner];
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
