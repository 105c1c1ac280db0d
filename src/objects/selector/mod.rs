//! Label and field selectors, as `k8s.io/apimachinery/pkg/labels`, `pkg/fields` and `meta/v1` have them.

mod field;
mod object;
mod parse;
mod requirement;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use field::{FieldSelector, FieldSelectorError};
pub use object::{LabelSelector, LabelSelectorRequirement};
pub use requirement::{Operator, Requirement};

use super::Labels;

/// Why a label selector is none, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub(super) String);

/// A compiled label selector: which sets of labels it selects. Cheap to clone.
///
/// ```
/// use seatrial::objects::{Labels, Selector};
/// let selector: Selector = "app in (web, db),!legacy".parse()?;
/// let labels: Labels = [("app", "web")].into_iter().collect();
/// assert!(selector.matches(&labels));
/// assert_eq!(selector.to_string(), "app in (db,web),!legacy");
/// # Ok::<(), seatrial::objects::SelectorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector(Repr);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Nothing,
    /// All requirements, sorted by key; none means everything.
    All(Arc<[Requirement]>),
    /// One `key=value`, by far the most frequent selector.
    One(Arc<[Requirement; 1]>),
}

impl Selector {
    /// Selects no object at all: what an absent selector of the API does.
    #[must_use]
    pub const fn nothing() -> Self {
        Self(Repr::Nothing)
    }

    /// Selects every object: what an empty selector does.
    #[must_use]
    pub fn everything() -> Self {
        Self(Repr::All(Arc::new([])))
    }

    /// Selects what fulfils all of the requirements.
    #[must_use]
    pub fn from_requirements(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key().cmp(b.key()));
        match <[Requirement; 1]>::try_from(requirements) {
            Ok(one) if one[0].is_equality() => Self(Repr::One(Arc::new(one))),
            Ok(one) => Self(Repr::All(Arc::new(one))),
            Err(requirements) => Self(Repr::All(requirements.into())),
        }
    }

    /// Selects what has all of these labels. They are not validated; no labels select everything.
    #[must_use]
    pub fn from_labels(labels: &Labels) -> Self {
        Self::from_requirements(
            labels
                .shared()
                .iter()
                .map(|(key, value)| Requirement::equality(Arc::clone(key), Arc::clone(value)))
                .collect(),
        )
    }

    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        match &self.0 {
            Repr::One(requirement) => requirement[0].matches_equality(labels),
            Repr::All(requirements) => requirements.iter().all(|requirement| requirement.matches(labels)),
            Repr::Nothing => false,
        }
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::All(requirements) if requirements.is_empty())
    }

    /// Whether it is the selector of nothing (a contradiction such as `a,!a` is not recognised).
    #[must_use]
    pub const fn matches_nothing(&self) -> bool {
        matches!(self.0, Repr::Nothing)
    }

    /// The requirements in order of their keys; none for the selectors of everything and nothing.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        match &self.0 {
            Repr::Nothing => &[],
            Repr::All(requirements) => requirements,
            Repr::One(requirement) => &**requirement,
        }
    }

    /// The only value that the label `key` can have in what is selected, if the first requirement on it says so.
    #[must_use]
    pub fn required_value(&self, key: &str) -> Option<&str> {
        let requirement = self.requirements().iter().find(|requirement| requirement.key() == key)?;
        match (requirement.operator(), requirement.values()) {
            (Operator::Equals | Operator::DoubleEquals | Operator::In, [value]) => Some(value),
            _ => None,
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;
    /// Reads a selector as `kubectl -l` takes it. An empty text selects everything.
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parse::parse(text).map(Self::from_requirements)
    }
}

impl Default for Selector {
    fn default() -> Self {
        Self::nothing()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements().iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}
