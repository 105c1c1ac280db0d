//! The store: a view, the revision counter, and the log of writes not yet told.

use std::sync::Arc;
use std::vec::Drain;

use crate::api::{Change, ChangeType, View};

use super::strategy::Stored;

/// All objects, and the writes since they were last told.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    view: View,
    changes: Vec<Change>,
}

impl Store {
    pub(super) const fn view(&self) -> &View {
        &self.view
    }

    pub(super) fn drain_changes(&mut self) -> Drain<'_, Change> {
        self.changes.drain(..)
    }

    pub(super) const fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Stores a new object under the next revision.
    pub(super) fn add<T: Stored>(&mut self, object: T) -> Arc<T> {
        self.write(ChangeType::Added, object, None)
    }

    /// Stores a new state of an object under the next revision.
    pub(super) fn replace<T: Stored>(&mut self, old: Arc<T>, new: T) -> Arc<T> {
        self.write(ChangeType::Modified, new, Some(old))
    }

    /// Removes an object. The change shows it as it was stored, with the revision of its removal.
    pub(super) fn remove<T: Stored>(&mut self, stored: Arc<T>) -> Arc<T> {
        let last = T::clone(&stored);
        self.write(ChangeType::Deleted, last, Some(stored))
    }

    fn write<T: Stored>(&mut self, change_type: ChangeType, mut object: T, old: Option<Arc<T>>) -> Arc<T> {
        let resource_version = self.view.resource_version + 1;
        object.meta_mut().resource_version = resource_version;
        let object = Arc::new(object);
        let change = Change { change_type, object: T::wrap(object.clone()), old: old.map(T::wrap), resource_version };
        self.view.apply(&change);
        self.changes.push(change);
        object
    }
}
