//! What is wrong with an input, and where.

use std::fmt;
use std::sync::Arc;

use super::limits::{Limit, ReaderLimits};
use super::span::{Place, Span};

/// The kind of a [`ReadError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The text is neither YAML nor JSON.
    Syntax,
    /// The text goes over a budget.
    Limit(Limit),
    /// A key occurs twice in a mapping.
    DuplicateField,
    /// The kind has no such field.
    UnknownField,
    /// A value of another JSON type than the field's.
    WrongType,
    /// A value of the right type that its type cannot hold: a malformed time, base64 text, `.inf`.
    InvalidValue,
    /// A field that every manifest has is missing.
    MissingField,
    /// A mapping key that JSON cannot carry.
    InvalidKey,
    /// An alias without an anchor, or inside its own anchor.
    Alias,
    /// The document is not an object.
    NotAnObject,
    /// The value does not fit the Rust type asked for ([`from_spanned`](super::from_spanned)).
    Schema,
}

/// One error of an input with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadError {
    /// The file, as the caller named it.
    pub source: Arc<str>,
    /// Line of [`ReadError::span`], from 1.
    pub line: u32,
    /// Column of [`ReadError::span`] in characters, from 1.
    pub column: u32,
    /// The range to underline.
    pub span: Span,
    /// The field, such as `spec.containers[0].image`; items of lists start with `items[n]`. Empty for the document.
    pub path: String,
    /// What is wrong, for programs.
    pub kind: ReadErrorKind,
    /// What is wrong, for people: one line without the place.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// A second place that belongs to the error, such as the first of two equal keys.
    pub also: Option<(Span, String)>,
    /// The API server's (strict) decoding error for the same fault, where its text is known. Its paths are relative to
    /// the object, not to a list around it.
    pub upstream: Option<String>,
}

impl ReadError {
    pub(super) fn new(source: &Arc<str>, span: Span, kind: ReadErrorKind, message: String) -> Box<Self> {
        let Place { line, column } = span.start;
        let source = Arc::clone(source);
        Box::new(ReadError {
            source,
            line,
            column,
            span,
            path: String::new(),
            kind,
            message,
            help: None,
            also: None,
            upstream: None,
        })
    }

    pub(super) fn with_path(mut self: Box<Self>, path: String) -> Box<Self> {
        self.path = path;
        self
    }

    pub(super) fn with_help(mut self: Box<Self>, help: impl Into<Option<String>>) -> Box<Self> {
        self.help = help.into();
        self
    }

    pub(super) fn with_upstream(mut self: Box<Self>, text: impl Into<Option<String>>) -> Box<Self> {
        self.upstream = text.into();
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.source, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

/// The errors of one input, up to a bound.
#[derive(Debug)]
pub(super) struct Sink<'t> {
    pub(super) source: Arc<str>,
    pub(super) text: &'t str,
    pub(super) limits: ReaderLimits,
    errors: Vec<ReadError>,
}

impl<'t> Sink<'t> {
    pub(super) fn new(source: &str, text: &'t str, limits: &ReaderLimits) -> Self {
        Sink { source: Arc::from(source), text, limits: limits.clone(), errors: Vec::new() }
    }

    pub(super) fn error(&self, span: Span, kind: ReadErrorKind, message: impl Into<String>) -> Box<ReadError> {
        ReadError::new(&self.source, span, kind, message.into())
    }

    pub(super) fn over(&self, limit: Limit, span: Span) -> Box<ReadError> {
        self.error(span, ReadErrorKind::Limit(limit), limit.message(&self.limits))
    }

    pub(super) fn push(&mut self, error: ReadError) {
        if !self.is_full() {
            self.errors.push(error);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= self.limits.max_errors.max(1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    pub(super) fn has_syntax_error(&self) -> bool {
        self.errors.iter().any(|error| error.kind == ReadErrorKind::Syntax)
    }

    /// The furthest place of an error.
    pub(super) fn last_place(&self) -> Option<Place> {
        self.errors.iter().map(|error| error.span.start).max()
    }

    /// The errors in the order of their places.
    pub(super) fn into_sorted(mut self) -> Vec<ReadError> {
        self.errors.sort_by_key(|error| error.span.start);
        self.errors
    }
}
