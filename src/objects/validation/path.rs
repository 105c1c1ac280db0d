//! Where in an object an error is.

use std::fmt;

use super::error::{ErrorKind, FieldError, Shown};

#[derive(Debug, Clone, Copy)]
enum Segment<'a> {
    Name(&'a str),
    Index(usize),
    Key(&'a str),
}

/// The path to a field. A path borrows its parent, so that walking an object allocates nothing; the text is made only
/// when there is something to report.
///
/// ```
/// use seatrial::objects::validation::Path;
///
/// let spec = Path::root("spec");
/// let ports = spec.child("ports");
/// assert_eq!(ports.index(2).child("name").to_string(), "spec.ports[2].name");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

impl<'a> Path<'a> {
    /// A field of the object itself.
    pub fn root(name: &'a str) -> Self {
        Self { parent: None, segment: Segment::Name(name) }
    }

    /// A field below this one; the name may itself be dotted.
    pub fn child<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Name(name) }
    }

    /// An element of the list at this path.
    pub fn index<'b>(&'b self, index: usize) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Index(index) }
    }

    /// An entry of the map at this path.
    pub fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Key(key) }
    }

    fn error(&self, kind: ErrorKind, value: Option<String>, detail: impl Into<super::Detail>) -> FieldError {
        FieldError { kind, field: self.to_string(), value, detail: detail.into() }
    }

    /// The value is malformed or out of bounds.
    pub(crate) fn invalid(&self, value: impl Shown, detail: impl Into<super::Detail>) -> FieldError {
        self.error(ErrorKind::Invalid, Some(value.shown()), detail)
    }

    /// The value is missing.
    pub(crate) fn required(&self, detail: impl Into<super::Detail>) -> FieldError {
        self.error(ErrorKind::Required, None, detail)
    }

    /// The value is not one of those that an enumeration allows.
    pub(crate) fn not_supported(&self, value: impl Shown, allowed: &[&str]) -> FieldError {
        let quoted: Vec<String> = allowed.iter().map(|value| value.shown()).collect();
        self.error(ErrorKind::NotSupported, Some(value.shown()), format!("supported values: {}", quoted.join(", ")))
    }

    /// The field may not be set, or not to this value, under the circumstances.
    pub(crate) fn forbidden(&self, detail: impl Into<super::Detail>) -> FieldError {
        self.error(ErrorKind::Forbidden, None, detail)
    }

    /// The value was already used where it must be unique.
    pub(crate) fn duplicate(&self, value: impl Shown) -> FieldError {
        self.error(ErrorKind::Duplicate, Some(value.shown()), "")
    }

    /// The value refers to something that does not exist.
    pub(crate) fn not_found(&self, value: impl Shown) -> FieldError {
        self.error(ErrorKind::NotFound, Some(value.shown()), "")
    }

    /// The value is longer than `max` bytes.
    pub(crate) fn too_long(&self, max: usize) -> FieldError {
        self.error(ErrorKind::TooLong, None, format!("may not be more than {max} bytes"))
    }

    /// The list has more than `max` elements.
    pub(crate) fn too_many(&self, actual: usize, max: usize) -> FieldError {
        let items = if max == 1 { "item" } else { "items" };
        self.error(ErrorKind::TooMany, Some(actual.to_string()), format!("must have at most {max} {items}"))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.segment {
            Segment::Name(name) if self.parent.is_some() => write!(f, ".{name}"),
            Segment::Name(name) => f.write_str(name),
            Segment::Index(index) => write!(f, "[{index}]"),
            Segment::Key(key) => write!(f, "[{key}]"),
        }
    }
}
