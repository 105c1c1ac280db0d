//! Lists, collections and the scale subresource.

use crate::api::{ApiError, DeleteOptions, Reason, Response};
use crate::objects::{FieldSelector, Key, Kind, Object, Selector, WallTime, is_selectable_by, is_selected};

use super::strategy::{Stored, by_kind};
use super::{ApiServer, errors};

impl ApiServer {
    /// Objects of a kind by namespace and name, the order in which the API server lists. An empty `namespace` means all.
    /// Fields that the kind cannot be selected by select nothing, see [`ApiServer::check_fields`].
    #[must_use]
    pub fn list(&self, kind: Kind, namespace: &str, labels: &Selector, fields: &FieldSelector) -> Vec<Object> {
        let mut objects = self.view().list(kind);
        objects.retain(|object| {
            let meta = object.meta();
            (namespace.is_empty() || *meta.namespace == *namespace)
                && labels.matches(&meta.labels)
                && is_selected(object, fields)
        });
        objects
    }

    /// Whether objects of a kind can be selected by these fields.
    ///
    /// # Errors
    /// If one of the fields is not supported.
    pub fn check_fields(kind: Kind, fields: &FieldSelector) -> Result<(), ApiError> {
        for (field, ..) in fields.terms() {
            if !is_selectable_by(kind, field) {
                let message = format!("field label not supported: {field}");
                return Err(ApiError::new(Reason::BadRequest, message));
            }
        }
        Ok(())
    }

    /// Deletes all that [`ApiServer::list`] gives, one after the other.
    ///
    /// # Errors
    /// If a field is not supported, or the first refusal of a deletion.
    pub fn delete_collection(
        &mut self,
        now: WallTime,
        kind: Kind,
        namespace: &str,
        labels: &Selector,
        fields: &FieldSelector,
        options: &DeleteOptions,
    ) -> Result<Vec<Object>, ApiError> {
        Self::check_fields(kind, fields)?;
        let mut deleted = Vec::new();
        for object in self.list(kind, namespace, labels, fields) {
            match self.delete(now, kind, &object.key(), options) {
                Err(error) if error.is_not_found() => {}
                response => deleted.push(response?),
            }
        }
        Ok(deleted)
    }

    /// Sets how many replicas a workload is to have (`/scale`).
    ///
    /// # Errors
    /// If there is no such object, its kind cannot be scaled, or the number is negative.
    pub fn scale(&mut self, _now: WallTime, kind: Kind, key: &Key, replicas: i32) -> Response {
        by_kind!(kind, T => self.scale_stored::<T>(key, replicas))
    }

    fn scale_stored<T: Stored>(&mut self, key: &Key, replicas: i32) -> Response {
        let Some(old) = T::find(self.view(), key).cloned() else {
            return Err(errors::not_found(T::KIND, key));
        };
        let Some(mut new) = old.scaled(replicas) else { return Err(errors::no_such_resource()) };
        if replicas < 0 {
            return Err(errors::invalid_scale(key, replicas));
        }
        new.prepare_for_update(&old);
        self.settle(key, old, new)
    }
}
