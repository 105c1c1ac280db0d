//! What the API server answers when it refuses.

use std::fmt;

use crate::objects::{Key, Kind};

/// Machine-readable reason of a refusal (`metav1.StatusReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// 404.
    NotFound,
    /// 409, the name is taken.
    AlreadyExists,
    /// 409, the object changed meanwhile or a precondition failed.
    Conflict,
    /// 422, validation failed.
    Invalid,
    /// 400.
    BadRequest,
    /// 403.
    Forbidden,
    /// 405.
    MethodNotAllowed,
    /// 429.
    TooManyRequests,
    /// 504.
    Timeout,
    /// 500.
    InternalError,
    /// 503.
    ServiceUnavailable,
}

impl Reason {
    /// HTTP status code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Invalid => 422,
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::MethodNotAllowed => 405,
            Self::TooManyRequests => 429,
            Self::Timeout => 504,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
        }
    }
}

/// One field that failed validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Path, such as `spec.replicas`.
    pub field: String,
    /// `metav1.CauseType`, such as `FieldValueInvalid`.
    pub kind: String,
    /// Whole text, the path in front.
    pub text: String,
}

/// A refusal by the API server, in its words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Reason; gives the status code.
    pub reason: Reason,
    /// Message as kubectl shows it.
    pub message: String,
    /// The fields, for [`Reason::Invalid`].
    pub causes: Vec<Cause>,
    /// Seconds after which the server asks to try again.
    pub retry_after: Option<u32>,
}

/// Why an update of an object is refused that is newer than what was sent.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

impl ApiError {
    /// An error without causes.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), causes: Vec::new(), retry_after: None }
    }

    /// HTTP status code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.reason.code()
    }

    /// `pods "x" not found`.
    #[must_use]
    pub fn not_found(kind: Kind, key: &Key) -> Self {
        Self::new(Reason::NotFound, format!("{} {:?} not found", kind.resource(), &*key.name))
    }

    /// `pods "x" already exists`.
    #[must_use]
    pub fn already_exists(kind: Kind, key: &Key) -> Self {
        Self::new(Reason::AlreadyExists, format!("{} {:?} already exists", kind.resource(), &*key.name))
    }

    /// The object changed since it was read.
    #[must_use]
    pub fn conflict(kind: Kind, key: &Key, why: impl fmt::Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {:?}: {why}", kind.resource(), &*key.name);
        Self::new(Reason::Conflict, message)
    }

    /// The object is newer than what was sent.
    #[must_use]
    pub fn modified(kind: Kind, key: &Key) -> Self {
        Self::conflict(kind, key, MODIFIED)
    }

    /// Whether the object does not exist.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self.reason, Reason::NotFound)
    }

    /// Whether the name is taken.
    #[must_use]
    pub const fn is_already_exists(&self) -> bool {
        matches!(self.reason, Reason::AlreadyExists)
    }

    /// Whether the object changed meanwhile.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self.reason, Reason::Conflict)
    }

    /// Whether the namespace is being deleted, which controllers pass over in silence.
    #[must_use]
    pub fn is_namespace_terminating(&self) -> bool {
        self.causes.iter().any(|cause| cause.kind == "NamespaceTerminating")
    }
}
