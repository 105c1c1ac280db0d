//! Patches of metadata: what controllers do to adopt, release and finalize.

use std::sync::Arc;

use crate::api::{ApiError, MetaPatch, Response};
use crate::objects::{Key, Labels, ObjectMeta, OwnerReference, SharedList, Uid};

use super::strategy::Stored;
use super::{ApiServer, errors};

impl ApiServer {
    pub(super) fn patch_meta<T: Stored>(&mut self, key: &Key, uid: &Uid, patch: &MetaPatch) -> Response {
        let Some(old) = T::find(self.view(), key).cloned() else {
            return Err(errors::not_found(T::KIND, key));
        };
        if !uid.is_none() && *uid != old.meta().uid {
            return Err(errors::uid_is_immutable(T::KIND, key, uid));
        }
        let mut new = T::clone(&old);
        change(new.meta_mut(), patch);
        check_owners::<T>(key, &new.meta().owner_references)?;
        new.prepare_for_update(&old);
        self.settle(key, old, new)
    }
}

fn change(meta: &mut ObjectMeta, patch: &MetaPatch) {
    if patch.add_owner.is_some() || !patch.remove_owners.is_empty() || !patch.unblock_owners.is_empty() {
        meta.owner_references = changed_owners(&meta.owner_references, patch);
    }
    if !patch.add_finalizers.is_empty() || !patch.remove_finalizers.is_empty() {
        meta.finalizers = changed_finalizers(&meta.finalizers, patch);
    }
    set(&mut meta.labels, &patch.labels);
    set(&mut meta.annotations, &patch.annotations);
}

fn changed_owners(owners: &[OwnerReference], patch: &MetaPatch) -> SharedList<OwnerReference> {
    let mut changed: Vec<OwnerReference> = Vec::with_capacity(owners.len() + 1);
    for owner in owners.iter().filter(|owner| !patch.remove_owners.contains(&owner.uid)) {
        let mut owner = owner.clone();
        if patch.unblock_owners.contains(&owner.uid) {
            owner.block_owner_deletion = Some(false);
        }
        changed.push(owner);
    }
    if let Some(added) = &patch.add_owner {
        match changed.iter_mut().find(|owner| owner.uid == added.uid) {
            Some(owner) => *owner = added.clone(),
            None => changed.push(added.clone()),
        }
    }
    changed.into()
}

fn changed_finalizers(finalizers: &[Arc<str>], patch: &MetaPatch) -> SharedList<Arc<str>> {
    let mut changed: Vec<Arc<str>> =
        finalizers.iter().filter(|finalizer| !patch.remove_finalizers.contains(finalizer)).cloned().collect();
    for added in &patch.add_finalizers {
        if !changed.contains(added) {
            changed.push(added.clone());
        }
    }
    changed.into()
}

fn set(map: &mut Labels, changes: &[(Arc<str>, Option<Arc<str>>)]) {
    for (key, value) in changes {
        *map = match value {
            Some(value) => map.with(key, value),
            None => map.without(key),
        };
    }
}

/// Only one owner manages an object.
fn check_owners<T: Stored>(key: &Key, owners: &[OwnerReference]) -> Result<(), ApiError> {
    let mut managing = owners.iter().filter(|owner| owner.controller == Some(true));
    let (Some(first), Some(second)) = (managing.next(), managing.next()) else { return Ok(()) };
    let list = serde_json::to_string(owners).unwrap_or_default();
    let detail = format!(
        "Invalid value: {list}: Only one reference can have Controller set to true. Found \"true\" in references for \
         {}/{} and {}/{}",
        first.kind, first.name, second.kind, second.name
    );
    Err(errors::invalid(T::KIND, key, "metadata.ownerReferences", "FieldValueInvalid", detail))
}
