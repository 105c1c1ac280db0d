//! The garbage collector: deletes what has lost its owners, and sees deletions through that wait for dependents or
//! leave them behind (upstream `pkg/controller/garbagecollector`).
//!
//! Upstream asks the API server whether an owner exists. Here the view answers: it shows the cluster at one revision,
//! so that an owner that it does not show is gone, and one that went since is followed by its deletion.

mod graph;
mod links;
mod owners;

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, EventKind, EventSpec, MetaPatch, Preconditions, Propagation,
    Reconciler, Request, Response, Step, View,
};
use crate::objects::{Key, Kind, Object, ObjectMeta, Uid, WallTime};

use graph::{Graph, Item};
use owners::{Owners, classify};

/// Finalizer of an owner that waits until its dependents have lost their reference to it.
pub const ORPHAN: &str = "orphan";
/// Finalizer of an owner that waits until the dependents that block it are gone.
pub const FOREGROUND: &str = "foregroundDeletion";

/// The garbage collector.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::GarbageCollector;
/// assert_eq!(GarbageCollector::default().name(), "garbage-collector-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector {
    graph: Graph,
}

/// What a sync waits for.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The last requests.
    Last,
    /// The dependents of an owner lose their reference to it.
    Orphaning,
}

impl Reconciler for GarbageCollector {
    type State = Stage;

    fn name(&self) -> &'static str {
        "garbage-collector-controller"
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        let object = &change.object;
        if object.kind() == Kind::Event || !concerns_ownership(change) {
            return;
        }
        let meta = object.meta();
        if change.change_type == ChangeType::Deleted {
            self.graph.forget(&meta.uid, queue);
            return;
        }
        let old = change.old.as_ref().map(Object::meta);
        if let Some(replaced) = old.filter(|old| old.uid != meta.uid) {
            self.graph.forget(&replaced.uid, queue);
        }
        self.graph.observe(object, view, queue);
        if starts(old, meta, ORPHAN) {
            self.graph.enqueue(&meta.uid, queue);
        } else if starts(old, meta, FOREGROUND) {
            self.graph.enqueue_with_dependents(&meta.uid, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Stage> {
        let Some(item) = self.graph.get(&graph::uid_of(key)) else { return Step::done() };
        let Some(object) = cx.view.object(item.kind, &item.key).filter(|object| object.meta().uid == item.uid) else {
            return Step::done();
        };
        let meta = object.meta();
        match (meta.is_deleting(), meta.has_finalizer(FOREGROUND), meta.has_finalizer(ORPHAN)) {
            (false, ..) => self.attempt_to_delete(cx.view, item, &object),
            (true, true, _) if self.graph.blocking(&item.uid) > 0 => Step::done(),
            (true, true, _) => last(vec![without_finalizer(item, FOREGROUND)]),
            (true, false, true) => self.orphan(item),
            (true, false, false) => Step::done(),
        }
    }

    fn resume(&mut self, _cx: Context<'_>, key: &Key, stage: Stage, responses: Vec<Response>) -> Step<Stage> {
        if let Some(error) = responses.into_iter().filter_map(Result::err).find(|error| !error.is_not_found()) {
            return Step::retry(error.message);
        }
        match (stage, self.graph.get(&graph::uid_of(key))) {
            (Stage::Orphaning, Some(item)) => last(vec![without_finalizer(item, ORPHAN)]),
            _ => Step::done(),
        }
    }
}

impl GarbageCollector {
    /// Deletes an object that no owner holds, and frees one that some owner holds of the others
    /// (`attemptToDeleteItem`).
    fn attempt_to_delete(&self, view: &View, item: &Item, object: &Object) -> Step<Stage> {
        let meta = object.meta();
        if meta.owner_references.is_empty() {
            return Step::done();
        }
        let mut requests = self.complaints(item, object);
        let classes = match classify(view, object) {
            Owners::Classes(classes) => classes,
            Owners::Invalid => return Step::last(requests),
            Owners::Unknown(why) => return Step::retry(why),
        };
        if classes.solid {
            let gone = classes.dangling.into_iter().chain(classes.waiting).collect::<Vec<_>>();
            if !gone.is_empty() {
                requests.push(patch(item, MetaPatch { remove_owners: gone, ..MetaPatch::default() }));
            }
            return last(requests);
        }
        let (policy, unblock) = self.policy(item, meta, !classes.waiting.is_empty());
        if unblock {
            requests.push(patch(item, MetaPatch { unblock_owners: blocked(meta), ..MetaPatch::default() }));
        }
        // The version makes sure that nobody changed the owners meanwhile. It changes with the patch.
        let resource_version = if unblock { 0 } else { meta.resource_version };
        let preconditions = Preconditions { uid: item.uid.clone(), resource_version };
        let options = DeleteOptions { propagation: Some(policy), preconditions, ..DeleteOptions::default() };
        requests.push(Request::Delete { kind: item.kind, key: item.key.clone(), options });
        last(requests)
    }

    /// How an object without a solid owner goes; and whether it must stop blocking its owners, since they and one of
    /// its dependents, all in foreground deletion, may wait for each other.
    fn policy(&self, item: &Item, meta: &ObjectMeta, owner_waits: bool) -> (Propagation, bool) {
        if owner_waits && self.graph.has_dependents(&item.uid) {
            let circle = self.graph.dependents(&item.uid).any(|dependent| dependent.deleting_dependents);
            return (Propagation::Foreground, circle);
        }
        let policy = match (meta.has_finalizer(ORPHAN), meta.has_finalizer(FOREGROUND)) {
            (true, _) => Propagation::Orphan,
            (false, true) => Propagation::Foreground,
            (false, false) => Propagation::Background,
        };
        (policy, false)
    }

    /// Takes the owner out of the references of its dependents (`attemptToOrphanWorker`).
    fn orphan(&self, owner: &Item) -> Step<Stage> {
        let change = MetaPatch { remove_owners: vec![owner.uid.clone()], ..MetaPatch::default() };
        let mut requests: Vec<Request> =
            self.graph.dependents(&owner.uid).map(|dependent| patch(dependent, change.clone())).collect();
        if requests.is_empty() {
            return last(vec![without_finalizer(owner, ORPHAN)]);
        }
        requests.reverse();
        Step::call(requests, Stage::Orphaning)
    }

    /// Warnings about owners in other namespaces.
    fn complaints(&self, item: &Item, object: &Object) -> Vec<Request> {
        let namespace = &object.meta().namespace;
        let elsewhere = object.meta().owner_references.iter().filter(|owner| {
            let known = self.graph.get(&owner.uid);
            known.is_some_and(|known| !known.key.namespace.is_empty() && known.key.namespace != item.key.namespace)
        });
        let complain = |owner: &crate::objects::OwnerReference| {
            let (version, kind, name, uid) = (&owner.api_version, &owner.kind, &owner.name, &owner.uid);
            let reference = format!("[{version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}]");
            let message = format!("ownerRef {reference} does not exist in namespace {namespace:?}");
            Request::Event(EventSpec::about(object, EventKind::Warning, "OwnerRefInvalidNamespace", message))
        };
        elsewhere.map(complain).collect()
    }
}

/// Whether a change is about owners, finalizers or deletion: all others, nearly all, need no look at the graph.
fn concerns_ownership(change: &Change) -> bool {
    let (ChangeType::Modified, Some(old)) = (change.change_type, &change.old) else { return true };
    let (old, new) = (old.meta(), change.object.meta());
    old.owner_references != new.owner_references
        || old.finalizers != new.finalizers
        || old.is_deleting() != new.is_deleting()
        || old.uid != new.uid
}

/// Whether a deletion that waits for this finalizer begins with the change.
fn starts(old: Option<&ObjectMeta>, new: &ObjectMeta, finalizer: &str) -> bool {
    let waits = |meta: &ObjectMeta| meta.is_deleting() && meta.has_finalizer(finalizer);
    waits(new) && !old.is_some_and(waits)
}

fn blocked(meta: &ObjectMeta) -> Vec<Uid> {
    let blocking = meta.owner_references.iter().filter(|owner| owner.block_owner_deletion == Some(true));
    blocking.map(|owner| owner.uid.clone()).collect()
}

fn patch(item: &Item, patch: MetaPatch) -> Request {
    Request::PatchMeta { kind: item.kind, key: item.key.clone(), uid: item.uid.clone(), patch }
}

fn without_finalizer(item: &Item, finalizer: &'static str) -> Request {
    patch(item, MetaPatch { remove_finalizers: vec![Arc::from(finalizer)], ..MetaPatch::default() })
}

fn last(requests: Vec<Request>) -> Step<Stage> {
    if requests.is_empty() { Step::done() } else { Step::call(requests, Stage::Last) }
}
