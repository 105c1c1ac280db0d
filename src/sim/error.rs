//! Why something that was asked of a simulation was refused.

use crate::api::ApiError;
use crate::objects::{Kind, WireError};

/// A request of the user that a simulation cannot carry out. The simulation itself goes on unharmed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The API server refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A manifest could not be read.
    #[error("{}", manifest_errors(.0))]
    Manifest(Vec<crate::objects::reader::ReadError>),
    /// A target is not of the form `kind/name`.
    #[error("{0:?} is not of the form kind/name, such as deployment/web")]
    Target(String),
    /// The kind is not simulated.
    #[error("the kind {0:?} is not simulated")]
    UnknownKind(String),
    /// The verb does not apply to that kind.
    #[error("{verb} does not apply to a {kind}")]
    Verb {
        /// The verb.
        verb: &'static str,
        /// The kind.
        kind: Kind,
    },
    /// No such node.
    #[error("nodes {0:?} not found")]
    NoNode(String),
    /// A node or another part of the cluster is described wrongly.
    #[error("{0}")]
    Cluster(String),
    /// A document does not have the shape of its kind.
    #[error(transparent)]
    Wire(#[from] WireError),
}

fn manifest_errors(errors: &[crate::objects::reader::ReadError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
