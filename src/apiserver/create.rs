//! Creation.

use std::sync::Arc;

use crate::api::{ApiError, Response};
use crate::objects::{Key, Kind, Object, ObjectMeta, WallTime, names};

use super::strategy::Stored;
use super::{ApiServer, errors};

/// How many generated names are tried (`maxNameGenerationCreateAttempts`).
const NAME_ATTEMPTS: usize = 8;

impl ApiServer {
    pub(super) fn create<T: Stored>(&mut self, now: WallTime, request: &Arc<T>) -> Response {
        self.create_owned(now, T::clone(request))
    }

    pub(super) fn create_owned<T: Stored>(&mut self, now: WallTime, mut object: T) -> Response {
        self.admit_into_namespace(T::KIND, object.meta(), || key_for_people(&object))?;
        self.choose_name(&mut object)?;
        check_name_fits(&object)?;
        object.admit(self)?;
        self.charge_new(now, &object)?;
        let uid = self.identity.uid(T::KIND, &object.meta().namespace, &object.meta().name);
        let meta = object.meta_mut();
        meta.uid = uid;
        meta.creation_timestamp = Some(now.timestamp());
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
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
    fn choose_name<T: Stored>(&mut self, object: &mut T) -> Result<(), ApiError> {
        let ObjectMeta { name, generate_name: base, namespace, .. } = object.meta();
        let (name, base, namespace) = (name.clone(), base.clone(), namespace.clone());
        if name.is_empty() && base.is_empty() {
            let detail = "Required value: name or generateName is required";
            return Err(errors::invalid(T::KIND, &object.store_key(), "metadata.name", "FieldValueRequired", detail));
        }
        let chosen = self.free_name(T::KIND, &namespace, &name, &base, |server, candidate| {
            object.meta_mut().name = candidate.clone();
            let key = object.store_key();
            let taken = T::find(server.view(), &key).map(|taken| taken.meta().clone());
            (key, taken)
        });
        chosen.map(drop).map_err(|taken| errors::name_is_taken(T::KIND, &taken.0, &taken.1, &base))
    }

    /// The given name, or one made from `base`, if it is free; else its key and what is there.
    pub(super) fn free_name(
        &mut self,
        kind: Kind,
        namespace: &str,
        given: &Arc<str>,
        base: &str,
        mut look_up: impl FnMut(&Self, &Arc<str>) -> (Key, Option<ObjectMeta>),
    ) -> Result<Arc<str>, Box<(Key, ObjectMeta)>> {
        let mut attempts = if given.is_empty() { NAME_ATTEMPTS } else { 1 };
        loop {
            let name = if given.is_empty() { self.identity.name(kind, namespace, base) } else { given.clone() };
            attempts -= 1;
            match look_up(self, &name) {
                (_, None) => return Ok(name),
                (key, Some(taken)) if attempts == 0 => return Err(Box::new((key, taken))),
                _ => {}
            }
        }
    }
}

/// The key that messages have: without a name yet, the prefix of the one to come.
fn key_for_people<T: Stored>(object: &T) -> Key {
    let mut object = object.clone();
    if object.meta().name.is_empty() {
        object.meta_mut().name = object.meta().generate_name.clone();
    }
    object.store_key()
}

/// Names that components make of others may be too long, as that of the ReplicaSet of a Deployment with a long one.
fn check_name_fits<T: Stored>(object: &T) -> Result<(), ApiError> {
    let name = &object.meta().name;
    // Recorders find another name for an Event; what is kept as it is follows rules of its own.
    if name.len() <= names::SUBDOMAIN_MAX || matches!(T::KIND, Kind::Event | Kind::Opaque) {
        return Ok(());
    }
    let why = names::dns1123_subdomain(name).into_iter().next().unwrap_or_default();
    let detail = format!("Invalid value: {name:?}: {why}");
    Err(errors::invalid(T::KIND, &object.store_key(), "metadata.name", "FieldValueInvalid", detail))
}
