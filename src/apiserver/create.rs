//! Creation.

use std::sync::Arc;

use crate::api::{ApiError, Response};
use crate::objects::{Object, WallTime};

use super::strategy::Stored;
use super::{ApiServer, errors};

/// How many generated names are tried (`maxNameGenerationCreateAttempts`).
const NAME_ATTEMPTS: usize = 8;

impl ApiServer {
    pub(super) fn create<T: Stored>(&mut self, now: WallTime, request: &Arc<T>) -> Response {
        let mut object = T::clone(request);
        self.admit_into_namespace(T::KIND, object.meta())?;
        self.choose_name(&mut object)?;
        object.admit(self)?;
        let uid = self.identity.uid(T::KIND, object.meta());
        let meta = object.meta_mut();
        meta.uid = uid;
        meta.creation_timestamp = Some(now.timestamp());
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        meta.generation = 0;
        object.prepare_for_create(now);
        Ok(self.add(object))
    }

    /// Stores a new object.
    pub(super) fn add<T: Stored>(&mut self, object: T) -> Object {
        let object = self.store.add(object);
        T::on_write(self, None, Some(&object));
        T::wrap(object)
    }

    /// Makes a name from `generateName` if there is none, and checks that it is free.
    pub(super) fn choose_name<T: Stored>(&mut self, object: &mut T) -> Result<(), ApiError> {
        if !object.meta().name.is_empty() {
            return self.name_is_free(object);
        }
        let (base, namespace) = (object.meta().generate_name.clone(), object.meta().namespace.clone());
        if base.is_empty() {
            let detail = "Required value: name or generateName is required";
            return Err(errors::invalid(T::KIND, &object.store_key(), "metadata.name", "FieldValueRequired", detail));
        }
        let mut outcome = Ok(());
        for _ in 0..NAME_ATTEMPTS {
            object.meta_mut().name = self.identity.name(T::KIND, &namespace, &base);
            outcome = self.name_is_free(object);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn name_is_free<T: Stored>(&self, object: &T) -> Result<(), ApiError> {
        let key = object.store_key();
        match T::find(self.view(), &key) {
            None => Ok(()),
            Some(taken) if object.meta().generate_name.is_empty() => {
                Err(errors::already_exists(T::KIND, &key, taken.meta()))
            }
            Some(taken) => Err(errors::name_generation_failed(T::KIND, &key, taken.meta())),
        }
    }
}
