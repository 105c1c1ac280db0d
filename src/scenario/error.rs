//! What is wrong with a scenario, and where.

use std::fmt;
use std::sync::Arc;

use crate::objects::reader::{ReadError, Span};
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

impl Problem {
    /// A problem of the reader.
    #[must_use]
    pub fn of_read_error(error: ReadError, text: &Arc<str>) -> Self {
        Self {
            source: error.source,
            text: text.clone(),
            span: Some(error.span),
            path: error.path,
            message: error.message,
            help: error.help,
            also: error.also,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(span) = self.span {
            write!(f, ":{}:{}", span.start.line, span.start.column)?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
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
