//! Which objects a user asks for, as kubectl reads it: `pods`, `deploy,rs`, `pod web-1 web-2`, `deploy/web pod/db`.

mod resource_type;

use crate::api::{Change, ChangeType, View};
use crate::objects::{FieldSelector, Kind, Object, Selector, is_selectable_by, is_selected};

pub use resource_type::{KeptKind, ResourceType};

/// Why nothing can be looked up, in kubectl's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There are no such objects in this cluster at all.
    #[error("the server doesn't have a resource type {0:?}")]
    UnknownType(String),
    /// The arguments do not go together.
    #[error("{0}")]
    Arguments(String),
    /// Objects of the kind cannot be selected by the field.
    #[error(
        "Error from server (BadRequest): Unable to find {kind:?} that match label selector {selector:?}, field selector \
         {fields:?}: field label not supported: {field}"
    )]
    Field {
        /// The field.
        field: String,
        /// Kind.
        kind: String,
        /// The label selector, as given.
        selector: String,
        /// The field selector, as given.
        fields: String,
    },
}

/// A kind, and a name or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The kind.
    pub resource: ResourceType,
    /// Only the object of that name.
    pub name: Option<String>,
}

/// Which objects are wanted.
///
/// ```
/// use seatrial::report::Query;
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build()?;
/// let query = Query::parse(sim.view(), &["no,pods"]).expect("kinds that there are");
/// let found = query.select(sim.view()).expect("a selector that fits");
/// assert_eq!(found.groups.len(), 1, "nodes and no pods");
/// assert_eq!(found.groups[0].1.len(), 2);
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Query {
    /// Kinds and names, in the order of the arguments.
    pub wanted: Vec<Wanted>,
    /// Namespace; `None` = all. Default: `default`, from [`Query::parse`].
    pub namespace: Option<String>,
    /// Only objects with such labels.
    pub selector: Selector,
    /// Only objects with such fields.
    pub fields: FieldSelector,
}

/// What a query found.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// Objects by kind; objects of one kind that follow each other are together. No group is empty.
    pub groups: Vec<(ResourceType, Vec<Object>)>,
    /// Objects that were named and are not there, as kubectl says it.
    pub not_found: Vec<String>,
}

impl Default for Query {
    /// Nothing of all namespaces; no selector takes anything away.
    fn default() -> Self {
        Self {
            wanted: Vec::new(),
            namespace: None,
            selector: Selector::everything(),
            fields: FieldSelector::everything(),
        }
    }
}

impl Query {
    /// Reads what kubectl takes as arguments; kinds that are only kept as data are looked up in the cluster.
    ///
    /// # Errors
    /// If there is no such kind, or the arguments do not go together.
    pub fn parse<T: AsRef<str>>(view: &View, arguments: &[T]) -> Result<Self, QueryError> {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let wanted = match arguments.split_first() {
            None => return Err(wrong("you must specify the type of resource to get")),
            Some((first, _)) if first.contains('/') => slashed(view, &arguments)?,
            Some((_, names)) if names.iter().any(|name| name.contains('/')) => {
                return Err(wrong(
                    "there is no need to specify a resource type as a separate argument when passing arguments in \
                     resource/name form (e.g. 'get resource/<resource_name>' instead of 'get resource \
                     resource/<resource_name>')",
                ));
            }
            Some((types, names)) => listed(view, types, names)?,
        };
        Ok(Self { wanted, namespace: Some("default".to_owned()), ..Self::default() })
    }

    /// All objects of a kind in all namespaces.
    #[must_use]
    pub fn all(kind: Kind) -> Self {
        let wanted = Wanted { resource: ResourceType::Simulated(kind), name: None };
        Self { wanted: vec![wanted], ..Self::default() }
    }

    /// Whether one object is asked for by its name.
    #[must_use]
    pub fn is_single(&self) -> bool {
        matches!(&self.wanted[..], [Wanted { name: Some(_), .. }])
    }

    /// Whether what goes together can be found at all.
    ///
    /// # Errors
    /// If a name comes with a selector, or a field is asked for that the kind cannot be selected by.
    pub fn check(&self) -> Result<(), QueryError> {
        let has_selector = !self.selector.is_empty() || !self.fields.is_empty();
        if has_selector && self.wanted.iter().any(|wanted| wanted.name.is_some()) {
            return Err(wrong("name cannot be provided when a selector is specified"));
        }
        if self.namespace.is_none()
            && self.wanted.iter().any(|wanted| wanted.name.is_some() && wanted.resource.is_namespaced())
        {
            return Err(wrong("a resource cannot be retrieved by name across all namespaces"));
        }
        for Wanted { resource, .. } in &self.wanted {
            let kind = resource.kind();
            if let Some((field, ..)) = self.fields.terms().find(|(field, ..)| !is_selectable_by(kind, field)) {
                return Err(QueryError::Field {
                    field: field.to_owned(),
                    kind: resource.qualified_plural(),
                    selector: self.selector.to_string(),
                    fields: self.fields.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Finds the objects, those of a kind by namespace and name.
    ///
    /// # Errors
    /// As [`Query::check`].
    pub fn select(&self, view: &View) -> Result<Selected, QueryError> {
        self.check()?;
        let mut selected = Selected::default();
        for wanted in &self.wanted {
            let mut objects = view.list(wanted.resource.kind());
            objects.retain(|object| self.wants(wanted, object));
            match (&wanted.name, objects.is_empty()) {
                (Some(name), true) => {
                    let plural = wanted.resource.qualified_plural();
                    selected.not_found.push(format!("Error from server (NotFound): {plural} {name:?} not found"));
                }
                (_, true) => {}
                (_, false) => match selected.groups.last_mut() {
                    Some((resource, group)) if *resource == wanted.resource => group.extend(objects),
                    _ => selected.groups.push((wanted.resource.clone(), objects)),
                },
            }
        }
        Ok(selected)
    }

    /// Whether an object, looked at for itself, is one of those that are wanted.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        self.wanted.iter().any(|wanted| wanted.resource.kind() == object.kind() && self.wants(wanted, object))
    }

    /// What a watch tells of a change: objects come and go as they begin and cease to be wanted.
    #[must_use]
    pub fn told(&self, change: &Change) -> Option<(&Wanted, ChangeType)> {
        let is_old = change.old.as_ref().is_some_and(|old| self.matches(old));
        let is_new = change.change_type != ChangeType::Deleted && self.matches(&change.object);
        let told = match (is_old, is_new) {
            (false, false) => return None,
            (false, true) => ChangeType::Added,
            (true, true) => ChangeType::Modified,
            (true, false) => ChangeType::Deleted,
        };
        let wanted = self.wanted.iter().find(|wanted| wanted.resource.is_of(&change.object))?;
        Some((wanted, told))
    }

    fn wants(&self, wanted: &Wanted, object: &Object) -> bool {
        let meta = object.meta();
        let here =
            meta.namespace.is_empty() || self.namespace.as_ref().is_none_or(|namespace| *meta.namespace == **namespace);
        here && wanted.name.as_ref().is_none_or(|name| *meta.name == **name)
            && wanted.resource.is_of(object)
            && self.selector.matches(&meta.labels)
            && is_selected(object, &self.fields)
    }
}

fn wrong(message: &str) -> QueryError {
    QueryError::Arguments(message.to_owned())
}

/// `deploy/web pod/db`.
fn slashed(view: &View, arguments: &[&str]) -> Result<Vec<Wanted>, QueryError> {
    let one = |argument: &&str| match argument.split('/').collect::<Vec<_>>()[..] {
        [kind, name] if !kind.is_empty() && !name.is_empty() => {
            Ok(Wanted { resource: ResourceType::parse(view, kind)?, name: Some(name.to_owned()) })
        }
        [_] => Err(wrong(
            "there is no need to specify a resource type as a separate argument when passing arguments in resource/name \
             form",
        )),
        [_, _] => Err(QueryError::Arguments(format!("expected TYPE/NAME, found {argument:?}"))),
        _ => Err(wrong("arguments in resource/name form may not have more than one slash")),
    };
    arguments.iter().map(one).collect()
}

/// `deploy,pods` and names.
fn listed(view: &View, types: &str, names: &[&str]) -> Result<Vec<Wanted>, QueryError> {
    let types = types.split(',').filter(|kind| !kind.is_empty());
    let mut wanted = Vec::new();
    for kind in types {
        for resource in ResourceType::parse_category(view, kind)? {
            if names.is_empty() {
                wanted.push(Wanted { resource, name: None });
            } else {
                let named = |name: &&str| Wanted { resource: resource.clone(), name: Some((*name).to_owned()) };
                wanted.extend(names.iter().map(named));
            }
        }
    }
    if wanted.is_empty() {
        return Err(wrong("you must specify the type of resource to get"));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests;
