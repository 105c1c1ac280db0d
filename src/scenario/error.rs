//! What is wrong with a scenario, and where.

use std::fmt;
use std::sync::Arc;

use crate::objects::reader::Span;
use crate::sim::SimError;

/// One thing that is wrong, with its place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub source: Arc<str>,
    /// The text of that file, to show the line.
    pub text: Arc<str>,
    /// The place, if it is known.
    pub span: Option<Span>,
    /// Field path.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// A second place that belongs to it.
    pub also: Option<(Span, String)>,
}

/// What is wrong with a part of a scenario, before its place is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The field, such as `scale.replicas`.
    pub(super) path: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same of a field of `parent`.
    pub(super) fn under(self, parent: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{parent}{dot}{}", self.path), ..self }
    }
}

impl Problem {
    /// What is wrong with which field, in one line without the place.
    #[must_use]
    pub fn title(&self) -> String {
        if self.path.is_empty() || self.message.starts_with(&self.path) {
            return self.message.clone();
        }
        format!("{}: {}", self.path, self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(span) = self.span {
            write!(f, ":{}:{}", span.start.line, span.start.column)?;
        }
        write!(f, ": {}", self.title())
    }
}

/// Why a scenario cannot be run.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file, or a manifest of it, is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Input(Vec<Problem>),
    /// A file cannot be read.
    #[error("{path}: {message}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        message: String,
    },
    /// The simulation cannot go on.
    #[error(transparent)]
    Simulation(#[from] SimError),
}
