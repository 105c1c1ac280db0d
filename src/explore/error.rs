//! What can go wrong with an exploration.

use std::io;
use std::path::{Path, PathBuf};

use crate::scenario::ScenarioError;

/// Why an exploration cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// The scenario is wrong, with the values of some case.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A shard or a variation is not written as it should be.
    #[error("{0}")]
    Argument(String),
    /// The folder holds the results of something else.
    #[error("{}: {message}", path.display())]
    Mismatch {
        /// The folder or file.
        path: PathBuf,
        /// What differs.
        message: String,
    },
}

impl ExploreError {
    pub(super) fn file(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |error| Self::File { path: path.to_owned(), error }
    }

    pub(super) fn mismatch(path: &Path, message: impl Into<String>) -> Self {
        Self::Mismatch { path: path.to_owned(), message: message.into() }
    }
}
