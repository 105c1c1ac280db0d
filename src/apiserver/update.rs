//! Updates of objects and of their status.

use std::sync::Arc;

use crate::api::{ApiError, Part, Response};
use crate::objects::{Key, Kind, Object, ObjectMeta, Pod, PodStatus, Uid};

use super::strategy::Stored;
use super::{ApiServer, errors};

impl ApiServer {
    pub(super) fn update<T: Stored>(&mut self, request: &Arc<T>, part: Part) -> Response {
        let key = request.store_key();
        let Some(old) = T::find(self.view(), &key).cloned() else {
            return Err(errors::not_found(T::KIND, &key));
        };
        check_version(&key, &*old, request.meta())?;
        if part == Part::EphemeralContainers && T::KIND != Kind::Pod {
            return Err(errors::no_such_resource());
        }
        let mut new = match part {
            Part::Main | Part::EphemeralContainers => {
                let mut new = T::clone(request);
                keep_system_metadata(new.meta_mut(), old.meta());
                new.share_with(&old);
                new.prepare_for_update(&old);
                new
            }
            Part::Status => old.with_status(request).ok_or_else(errors::no_such_resource)?,
            Part::Finalize => old.finalized(request).ok_or_else(errors::no_such_resource)?,
        };
        if part == Part::Main {
            new.admit_update(&old, self)?;
            self.charge_growth(&old, &new)?;
        }
        self.settle(&key, old, new)
    }

    /// Takes what a kubelet reports of its pod into the status (`PatchPodStatus`). What changed meanwhile is no conflict.
    pub(super) fn report_pod(&mut self, key: &Key, uid: &Uid, report: &PodStatus) -> Response {
        let Some(old) = self.view().pods.get(key).cloned() else {
            return Err(errors::not_found(Kind::Pod, key));
        };
        if *uid != old.meta.uid {
            return Err(errors::uid_is_immutable(Kind::Pod, key, uid));
        }
        let new = Pod { status: old.status.with_report(report), ..Pod::clone(&old) };
        self.settle(key, old, new)
    }

    /// Ends every kind of update: checks what holds for all kinds, removes an object whose last finalizer went, and
    /// writes only what differs.
    pub(super) fn settle<T: Stored>(&mut self, key: &Key, old: Arc<T>, new: T) -> Response {
        check_finalizers::<T>(key, old.meta(), new.meta())?;
        if is_gone_with(&*old, &new) {
            self.remove(old);
            return Ok(T::wrap(Arc::new(new)));
        }
        if new == *old {
            return Ok(T::wrap(old));
        }
        Ok(self.replace(old, new))
    }

    /// Stores a new state.
    pub(super) fn replace<T: Stored>(&mut self, old: Arc<T>, new: T) -> Object {
        let new = self.store.replace(old.clone(), new);
        T::on_write(self, Some(&old), Some(&new));
        T::wrap(new)
    }

    /// Removes an object for good.
    pub(super) fn remove<T: Stored>(&mut self, old: Arc<T>) -> Object {
        let last = self.store.remove(old);
        T::on_write(self, Some(&last), None);
        T::wrap(last)
    }
}

/// The uid and the version of the request, where given, must be the stored ones.
pub(super) fn check_version<T: Stored>(key: &Key, old: &T, request: &ObjectMeta) -> Result<(), ApiError> {
    let stored = old.meta();
    if !request.uid.is_none() && request.uid != stored.uid {
        return Err(errors::uid_conflict(T::KIND, key, &request.uid, &stored.uid));
    }
    if request.resource_version != 0 && request.resource_version != stored.resource_version {
        return Err(errors::conflict(T::KIND, key, errors::MODIFIED));
    }
    Ok(())
}

/// What no client can change (`rest.BeforeUpdate`).
fn keep_system_metadata(new: &mut ObjectMeta, old: &ObjectMeta) {
    new.uid = old.uid.clone();
    new.resource_version = old.resource_version;
    new.generation = old.generation;
    new.creation_timestamp = old.creation_timestamp;
    new.deletion_timestamp = old.deletion_timestamp;
    new.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
}

/// An object that is being deleted gets no new finalizers.
fn check_finalizers<T: Stored>(key: &Key, old: &ObjectMeta, new: &ObjectMeta) -> Result<(), ApiError> {
    if !old.is_deleting() || new.finalizers.ptr_eq(&old.finalizers) {
        return Ok(());
    }
    let mut added: Vec<&str> = new.finalizers.iter().map(|f| &**f).filter(|f| !old.has_finalizer(f)).collect();
    if added.is_empty() {
        return Ok(());
    }
    added.sort_unstable();
    added.dedup();
    let list: Vec<String> = added.iter().map(|finalizer| format!("{finalizer:?}")).collect();
    let detail = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        list.join(", ")
    );
    Err(errors::invalid(T::KIND, key, "metadata.finalizers", "FieldValueForbidden", detail))
}

/// Whether the update ends a deletion that only finalizers held back (`ShouldDeleteDuringUpdate`).
fn is_gone_with<T: Stored>(old: &T, new: &T) -> bool {
    let meta = old.meta();
    meta.is_deleting()
        && new.meta().finalizers.is_empty()
        && !new.is_held()
        && matches!(meta.deletion_grace_period_seconds, None | Some(0))
}
