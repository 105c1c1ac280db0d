//! What the registry strategies of the kinds do to typed objects (`pkg/registry/*/strategy.go`).

mod cluster;
mod workloads;

use std::sync::Arc;

use super::{ApiServer, priority};
use crate::api::{ApiError, View};
use crate::objects::{Key, Kind, Object, ObjectMeta, OpaqueObject, PodTemplate, WallTime};

/// An object as the store holds it, and the strategy of its kind.
pub(super) trait Stored: Clone + PartialEq {
    /// The kind.
    const KIND: Kind;
    /// Metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// As any object.
    fn wrap(object: Arc<Self>) -> Object;
    /// The stored object.
    fn find<'a>(view: &'a View, key: &Key) -> Option<&'a Arc<Self>>;
    /// Where the object is stored.
    fn store_key(&self) -> Key {
        Key { namespace: self.meta().namespace.clone(), name: self.meta().name.clone() }
    }
    /// Whether only a subresource writes the status.
    const HAS_STATUS: bool = false;
    /// Leaves no status.
    fn clear_status(&mut self) {}
    /// Takes the status of `from`.
    fn take_status(&mut self, _from: &Self) {}
    /// This object with the status of `request`; `None` if the kind has no status subresource.
    fn with_status(&self, request: &Self) -> Option<Self> {
        Self::HAS_STATUS.then(|| {
            let mut object = self.clone();
            object.take_status(request);
            object
        })
    }
    /// Whether `metadata.generation` counts the changes of what is asked for.
    fn has_generations(&self) -> bool {
        false
    }
    /// Whether something else is asked for than by `old`.
    fn is_new_generation(&self, _old: &Self) -> bool {
        false
    }
    /// Sets what else a client cannot set on creation.
    fn complete_new(&mut self, _now: WallTime) {}
    /// Keeps what else an update of the main resource cannot change.
    fn complete_changed(&mut self, _old: &Self) {}
    /// Sets what a client cannot set on creation (`PrepareForCreate`).
    fn prepare_for_create(&mut self, now: WallTime) {
        self.meta_mut().generation = i64::from(self.has_generations());
        self.clear_status();
        self.complete_new(now);
    }
    /// Keeps what an update of the main resource cannot change and counts the generation (`PrepareForUpdate`). The
    /// generation is that of `old` at this point.
    fn prepare_for_update(&mut self, old: &Self) {
        self.take_status(old);
        self.complete_changed(old);
        if self.has_generations() && self.is_new_generation(old) {
            let meta = self.meta_mut();
            meta.generation = meta.generation.saturating_add(1);
        }
    }
    /// Shares with `old` what is equal to it.
    fn share_with(&mut self, _old: &Self) {}
    /// This object with other replicas; `None` if the kind cannot be scaled.
    fn scaled(&self, _replicas: i32) -> Option<Self> {
        None
    }
    /// This object with the finalizers of the content of `request`; `None` if the kind has no such subresource.
    fn finalized(&self, _request: &Self) -> Option<Self> {
        None
    }
    /// Whether something besides the finalizers of the metadata holds the removal.
    fn is_held(&self) -> bool {
        false
    }
    /// Seconds of grace for a deletion that asks for `requested`; `None` if the kind is not deleted gracefully.
    fn grace(&self, _requested: Option<i64>) -> Option<i64> {
        None
    }
    /// Admission of a new object.
    fn admit(&mut self, _server: &mut ApiServer) -> Result<(), ApiError> {
        Ok(())
    }
    /// Admission of a changed object.
    fn admit_update(&mut self, _old: &Self, _server: &mut ApiServer) -> Result<(), ApiError> {
        Ok(())
    }
    /// Follows a write in what the server keeps beside the store.
    fn on_write(_server: &mut ApiServer, _old: Option<&Self>, _new: Option<&Self>) {}
    /// Whether deletion without a policy leaves the dependents alone.
    fn orphans_by_default(&self) -> bool {
        false
    }
}

/// Implements [`Stored`] for a kind of the view: what it has in common with others by a list of [`stored_part`]s, the rest by
/// items of its own.
macro_rules! stored {
    ($kind:ident, [$($part:ident),*] $(, { $($own:item)* })?) => {
        impl $crate::apiserver::strategy::Stored for $kind {
            const KIND: $crate::objects::Kind = $crate::objects::Kind::$kind;
            fn meta(&self) -> &$crate::objects::ObjectMeta {
                &self.meta
            }
            fn meta_mut(&mut self) -> &mut $crate::objects::ObjectMeta {
                &mut self.meta
            }
            fn wrap(object: std::sync::Arc<Self>) -> $crate::objects::Object {
                $crate::objects::Typed::wrap(object)
            }
            fn find<'a>(view: &'a $crate::api::View, key: &$crate::objects::Key) -> Option<&'a std::sync::Arc<Self>> {
                <Self as $crate::api::Tabled>::table(view).get(key)
            }
            $($crate::apiserver::strategy::stored_part!($part);)*
            $($($own)*)?
        }
    };
}

macro_rules! stored_part {
    // A status that only its subresource writes.
    (status) => {
        const HAS_STATUS: bool = true;
        fn clear_status(&mut self) {
            self.status = Default::default();
        }
        fn take_status(&mut self, from: &Self) {
            self.status = from.status.clone();
        }
    };
    // A generation that counts the changes of something.
    (generation) => {
        fn has_generations(&self) -> bool {
            true
        }
    };
    // A generation that counts the changes of the spec.
    (generation_of_spec) => {
        $crate::apiserver::strategy::stored_part!(generation);
        fn is_new_generation(&self, old: &Self) -> bool {
            self.spec != old.spec
        }
    };
    // A spec behind one pointer.
    (shared_spec) => {
        fn share_with(&mut self, old: &Self) {
            $crate::apiserver::strategy::share(&mut self.spec, &old.spec);
        }
    };
    // A selector and the template of pods.
    (template) => {
        fn share_with(&mut self, old: &Self) {
            $crate::apiserver::strategy::share_template(&mut self.spec.template, &old.spec.template);
            $crate::apiserver::strategy::share(&mut self.spec.selector, &old.spec.selector);
        }
    };
    // Replicas that `/scale` sets.
    (replicas) => {
        fn scaled(&self, replicas: i32) -> Option<Self> {
            let mut scaled = self.clone();
            scaled.spec.replicas = replicas;
            Some(scaled)
        }
    };
}

/// Runs the code with the snapshot inside of an object.
macro_rules! by_object {
    ($object:expr, $typed:ident => $body:expr) => {
        $crate::objects::with_kinds!(crate::apiserver::strategy::object_arms, ($object) $typed ($body))
    };
}

macro_rules! object_arms {
    ([($object:expr) $typed:ident ($body:expr)] $($kind:ident, $table:ident, $v:literal, $p:literal, $n:literal, $a:tt;)*) => {
        match $object {
            $($crate::objects::Object::$kind($typed) => $body,)*
            $crate::objects::Object::Opaque($typed) => $body,
        }
    };
}

/// Runs the code with the type of a kind.
macro_rules! by_kind {
    ($kind:expr, $T:ident => $body:expr) => {
        $crate::objects::with_kinds!(crate::apiserver::strategy::kind_arms, ($kind) $T ($body))
    };
}

macro_rules! kind_arms {
    ([($value:expr) $T:ident ($body:expr)] $($kind:ident, $table:ident, $v:literal, $p:literal, $n:literal, $a:tt;)*) => {
        match $value {
            $($crate::objects::Kind::$kind => {
                type $T = $crate::objects::$kind;
                $body
            })*
            $crate::objects::Kind::Opaque => {
                type $T = $crate::objects::OpaqueObject;
                $body
            }
        }
    };
}
pub(super) use {by_kind, by_object, kind_arms, object_arms, stored, stored_part};

pub(super) fn share<T: PartialEq>(new: &mut Arc<T>, old: &Arc<T>) {
    if !Arc::ptr_eq(new, old) && *new == *old {
        *new = old.clone();
    }
}

/// A template with other labels still shares its spec, and so its pods do.
pub(super) fn share_template(new: &mut Arc<PodTemplate>, old: &Arc<PodTemplate>) {
    share(new, old);
    if !Arc::ptr_eq(new, old) && !Arc::ptr_eq(&new.spec, &old.spec) && new.spec == old.spec {
        Arc::make_mut(new).spec = old.spec.clone();
    }
}

impl Stored for OpaqueObject {
    const KIND: Kind = Kind::Opaque;
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
    fn wrap(object: Arc<Self>) -> Object {
        Object::Opaque(object)
    }
    fn find<'a>(view: &'a View, key: &Key) -> Option<&'a Arc<Self>> {
        view.opaque.get(key)
    }
    fn store_key(&self) -> Key {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        let dot = if group.is_empty() { "" } else { "." };
        Key::new(self.meta.namespace.clone(), format!("{}{dot}{group}/{}", self.kind, self.meta.name))
    }
    const HAS_STATUS: bool = true;
    fn take_status(&mut self, from: &Self) {
        match from.rest.get("status") {
            Some(status) => drop(self.rest.insert("status".into(), status.clone())),
            None => drop(self.rest.remove("status")),
        }
    }
    fn has_generations(&self) -> bool {
        self.rest.contains_key("spec")
    }
    fn is_new_generation(&self, old: &Self) -> bool {
        self.rest.get("spec") != old.rest.get("spec")
    }
    fn on_write(server: &mut ApiServer, old: Option<&Self>, new: Option<&Self>) {
        server.pod_presets.follow(old, new);
        if old.or(new).is_some_and(priority::is_class) {
            server.forget_admitted();
        }
    }
}

/// The API takes a negative number of seconds for one second.
pub(super) const fn at_least_one_if_negative(seconds: i64) -> i64 {
    if seconds < 0 { 1 } else { seconds }
}
