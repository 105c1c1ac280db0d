//! Finalizers that protect what is in use (upstream `pkg/controller/volume/protectionutil`).

use crate::api::{MetaPatch, Request};
use crate::objects::{Key, Kind, ObjectMeta};

/// Whether the object is to go and has the finalizer, or is to stay and has lost it.
pub(super) fn needs_work(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.is_deleting() == meta.has_finalizer(finalizer)
}

/// Takes the finalizer off an object that is to go and is not used, or puts it back on one that is to stay.
pub(super) fn change(kind: Kind, meta: &ObjectMeta, finalizer: &str, is_used: bool) -> Option<Request> {
    if !needs_work(meta, finalizer) || (meta.is_deleting() && is_used) {
        return None;
    }
    let patch = match meta.is_deleting() {
        true => MetaPatch { remove_finalizers: vec![finalizer.into()], ..MetaPatch::default() },
        false => MetaPatch { add_finalizers: vec![finalizer.into()], ..MetaPatch::default() },
    };
    let key = Key::new(meta.namespace.clone(), meta.name.clone());
    Some(Request::PatchMeta { kind, key, uid: meta.uid.clone(), patch })
}
