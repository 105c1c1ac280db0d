//! Deletion: grace, finalizers, preconditions (`rest.BeforeDelete`, `registry.Store.Delete`).

use std::sync::Arc;

use crate::api::{ApiError, DeleteOptions, Propagation, Response};
use crate::objects::{Key, Kind, ObjectMeta, SharedList, Timestamp, WallTime};

use super::strategy::{Stored, at_least_one_if_negative, by_kind};
use super::{ApiServer, errors};

/// Finalizer that keeps an object until its dependents have lost their reference to it.
pub(super) const ORPHAN: &str = "orphan";
/// Finalizer that keeps an object until its dependents are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";

/// How a deletion goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grace {
    /// The kind has no grace, or it is over.
    None,
    /// It runs already, and the request does not shorten it.
    Running,
    /// It ends then, after that many seconds.
    Until(Timestamp, i64),
}

impl ApiServer {
    pub(super) fn delete(&mut self, now: WallTime, kind: Kind, key: &Key, options: &DeleteOptions) -> Response {
        match kind {
            Kind::Namespace => self.delete_namespace(now, key, options),
            _ => by_kind!(kind, T => self.delete_stored::<T>(now, key, options)),
        }
    }

    pub(super) fn delete_stored<T: Stored>(&mut self, now: WallTime, key: &Key, options: &DeleteOptions) -> Response {
        let Some(old) = T::find(self.view(), key).cloned() else {
            return Err(errors::not_found(T::KIND, key));
        };
        check_preconditions(T::KIND, key, old.meta(), options)?;
        let grace = grace(&*old, now, options.grace_period_seconds);
        if grace == Grace::Running {
            return Ok(T::wrap(old));
        }
        let finalizers = finalizers_after(&*old, options.propagation);
        if grace == Grace::None && finalizers.is_empty() {
            return Ok(self.remove(old));
        }
        let mut new = T::clone(&old);
        let meta = new.meta_mut();
        meta.finalizers = finalizers;
        match grace {
            Grace::Until(at, seconds) => mark(meta, at, seconds),
            Grace::None | Grace::Running => mark_without_grace(meta, now),
        }
        self.store_deletion(old, new, matches!(grace, Grace::Until(_, 0)))
    }

    /// Writes the marks of a deletion. A pod without grace is seen with them once more before it is removed.
    fn store_deletion<T: Stored>(&mut self, old: Arc<T>, new: T, at_once: bool) -> Response {
        let at_once = at_once && new.meta().finalizers.is_empty();
        let key = new.store_key();
        let marked = if new == *old { T::wrap(old) } else { self.replace(old, new) };
        match T::find(self.view(), &key).cloned() {
            Some(stored) if at_once => Ok(self.remove(stored)),
            _ => Ok(marked),
        }
    }
}

/// Preconditions of the request.
pub(super) fn check_preconditions(
    kind: Kind,
    key: &Key,
    stored: &ObjectMeta,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let wanted = &options.preconditions;
    if !wanted.uid.is_none() && wanted.uid != stored.uid {
        return Err(errors::delete_conflict(kind, key, "UID", &wanted.uid, &stored.uid));
    }
    if wanted.resource_version != 0 && wanted.resource_version != stored.resource_version {
        let (wanted, found) = (wanted.resource_version, stored.resource_version);
        return Err(errors::delete_conflict(kind, key, "ResourceVersion", wanted, found));
    }
    Ok(())
}

fn grace<T: Stored>(object: &T, now: WallTime, requested: Option<i64>) -> Grace {
    let requested = requested.map(at_least_one_if_negative);
    let meta = object.meta();
    let Some(seconds) = object.grace(requested) else { return Grace::None };
    let Some(end) = meta.deletion_timestamp else {
        return Grace::Until(now.timestamp().plus_secs(seconds), seconds);
    };
    let running = meta.deletion_grace_period_seconds.map_or(0, at_least_one_if_negative);
    match requested {
        _ if running == 0 => Grace::None,
        Some(shorter) if shorter < running => shortened(end.plus_secs(shorter - running), shorter, now),
        _ => Grace::Running,
    }
}

/// A grace that would be over by now ends now; it counts as one second, so that the kubelet still has its part.
fn shortened(end: Timestamp, seconds: i64, now: WallTime) -> Grace {
    if end.wall() < now { Grace::Until(now.timestamp(), seconds.min(1)) } else { Grace::Until(end, seconds) }
}

fn mark(meta: &mut ObjectMeta, end: Timestamp, seconds: i64) {
    if !meta.is_deleting() && meta.generation > 0 {
        meta.generation = meta.generation.saturating_add(1);
    }
    meta.deletion_timestamp = Some(end);
    meta.deletion_grace_period_seconds = Some(seconds);
}

/// `markAsDeleting`: never later than now.
fn mark_without_grace(meta: &mut ObjectMeta, now: WallTime) {
    let end = match meta.deletion_timestamp {
        Some(end) if end.wall() <= now => end,
        _ => now.timestamp(),
    };
    mark(meta, end, 0);
}

/// The finalizers that the garbage collector is to see: the request's policy wins over those present, and these over the
/// default of the kind (`deletionFinalizersForGarbageCollection`).
fn finalizers_after<T: Stored>(object: &T, policy: Option<Propagation>) -> SharedList<Arc<str>> {
    let meta = object.meta();
    let present = meta.finalizers.iter().find(|finalizer| [ORPHAN, FOREGROUND].contains(&&***finalizer));
    let wanted = match (policy, present) {
        (Some(Propagation::Orphan), _) => Some(ORPHAN),
        (Some(Propagation::Foreground), _) => Some(FOREGROUND),
        (Some(Propagation::Background), _) => None,
        (None, Some(present)) => Some(&**present),
        (None, None) => object.orphans_by_default().then_some(ORPHAN),
    };
    let has = |finalizer: &str| meta.has_finalizer(finalizer);
    if [ORPHAN, FOREGROUND].into_iter().all(|finalizer| has(finalizer) == (wanted == Some(finalizer))) {
        return meta.finalizers.clone();
    }
    let others = meta.finalizers.iter().filter(|finalizer| ![ORPHAN, FOREGROUND].contains(&&***finalizer)).cloned();
    others.chain(wanted.map(Arc::from)).collect()
}
