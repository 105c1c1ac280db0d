//! Whether owners exist.

use crate::api::View;
use crate::objects::{Key, Kind, Object, OwnerReference, Uid, schema, validation};

use super::FOREGROUND;

/// The owners of an object.
#[derive(Debug)]
pub(super) enum Owners {
    /// What they are.
    Classes(Classes),
    /// A cluster-scoped object names an owner in a namespace: it is never collected.
    Invalid,
    /// An owner is of a kind that the API server does not know: to be tried again.
    Unknown(String),
}

/// Owners by what they mean for the dependent (`classifyReferences`).
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// Whether one exists and does not wait for its dependents to go.
    pub(super) solid: bool,
    /// Owners that do not exist.
    pub(super) dangling: Vec<Uid>,
    /// Owners that wait for their dependents to go.
    pub(super) waiting: Vec<Uid>,
}

/// What a reference leads to.
#[derive(Debug)]
pub(super) enum Owner {
    Exists(Object),
    Absent,
    Invalid,
    Unknown,
}

pub(super) fn classify(view: &View, object: &Object) -> Owners {
    let meta = object.meta();
    let mut classes = Classes::default();
    for reference in &meta.owner_references {
        match find(view, reference, &meta.namespace) {
            Owner::Exists(owner) if owner.meta().is_deleting() && owner.meta().has_finalizer(FOREGROUND) => {
                classes.waiting.push(reference.uid.clone());
            }
            Owner::Exists(_) => classes.solid = true,
            Owner::Absent => classes.dangling.push(reference.uid.clone()),
            Owner::Invalid => return Owners::Invalid,
            Owner::Unknown => {
                let (kind, version) = (&reference.kind, &reference.api_version);
                return Owners::Unknown(format!("unable to get REST mapping for {version}/{kind}."));
            }
        }
    }
    Owners::Classes(classes)
}

/// Looks an owner up by kind and name, in the namespace of the dependent or cluster-wide. One with another uid is
/// another object.
pub(super) fn find(view: &View, reference: &OwnerReference, namespace: &std::sync::Arc<str>) -> Owner {
    let is_it = |object: Object| Some(object).filter(|object| object.meta().uid == reference.uid);
    if let Some(kind) = Kind::of(&reference.api_version, &reference.kind) {
        if kind.is_namespaced() && namespace.is_empty() {
            return Owner::Invalid;
        }
        let namespace = if kind.is_namespaced() { namespace.clone() } else { Default::default() };
        let owner = view.object(kind, &Key { namespace, name: reference.name.clone() });
        return owner.and_then(is_it).map_or(Owner::Absent, Owner::Exists);
    }
    let key = opaque_key(reference, namespace);
    if let Some(owner) = view.object(Kind::Opaque, &key).and_then(is_it) {
        return Owner::Exists(owner);
    }
    let cluster_wide = Key { namespace: Default::default(), name: key.name };
    if let Some(owner) = view.object(Kind::Opaque, &cluster_wide).and_then(is_it) {
        return Owner::Exists(owner);
    }
    match scope(reference) {
        Scope::Unknown => Owner::Unknown,
        Scope::Namespaced if namespace.is_empty() => Owner::Invalid,
        Scope::Namespaced | Scope::Any => Owner::Absent,
    }
}

enum Scope {
    Namespaced,
    /// Cluster-scoped, or a kind of someone's own.
    Any,
    /// A group of Kubernetes does not have that kind or version.
    Unknown,
}

fn scope(reference: &OwnerReference) -> Scope {
    let (version, kind) = (&*reference.api_version, &*reference.kind);
    if schema::lookup(version, kind).is_some() {
        return if validation::is_namespaced(kind) { Scope::Namespaced } else { Scope::Any };
    }
    let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
    let own = group(version);
    if schema::known_kinds().iter().any(|known| group(known.api_version) == own) { Scope::Unknown } else { Scope::Any }
}

fn opaque_key(reference: &OwnerReference, namespace: &std::sync::Arc<str>) -> Key {
    let (kind, name) = (&reference.kind, &reference.name);
    let name = match reference.api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    };
    Key { namespace: namespace.clone(), name: name.into() }
}
