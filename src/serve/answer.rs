//! Answers, and the `Status` objects that say why there is none.

use serde_json::{Map, Value, json};

use crate::api::{ApiError, Cause, Reason};

use super::resources::ApiResource;

/// An answer that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code of HTTP.
    pub code: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// Seconds after which to try again, for the header `Retry-After`.
    pub retry_after: Option<u32>,
    /// What the API server warns of, for headers `Warning`.
    pub warnings: Vec<String>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A document as JSON.
    pub(super) fn json(code: u16, document: &Value) -> Self {
        let body = document.to_string().into_bytes();
        Self { code, content_type: "application/json", retry_after: None, warnings: Vec::new(), body }
    }

    pub(super) fn text(code: u16, text: &str) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8",
            body: text.as_bytes().to_vec(),
            ..Self::json(code, &Value::Null)
        }
    }

    /// A `Status` that is about nothing in particular.
    pub(super) fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self::json(code, &status(code, reason, &message.into(), &Value::Object(Map::new())))
    }

    /// There is nothing at this path.
    pub(super) fn nowhere() -> Self {
        Self::failure(404, "NotFound", "the server could not find the requested resource")
    }

    pub(super) fn not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::failure(405, "MethodNotAllowed", message)
    }

    /// What needs a container that really runs, and other things that are left out.
    pub(super) fn not_simulated(message: &str) -> Self {
        Self::failure(501, "NotImplemented", message)
    }

    /// A refusal by the API server.
    pub(super) fn refusal(error: &ApiError, about: Option<(&ApiResource, &str)>) -> Self {
        let mut details = Map::new();
        if let Some((resource, name)) = about {
            details.insert("name".to_owned(), name.into());
            details.insert("group".to_owned(), resource.group.as_str().into());
            // Upstream `NewInvalid` names the kind here, all others the resource.
            let kind = if error.reason == Reason::Invalid { &resource.kind } else { &resource.plural };
            details.insert("kind".to_owned(), kind.as_str().into());
        }
        let cause = |cause: &Cause| {
            let message = cause.text.strip_prefix(&format!("{}: ", cause.field)).unwrap_or(&cause.text);
            json!({"reason": cause.kind, "message": message, "field": cause.field})
        };
        if !error.causes.is_empty() {
            details.insert("causes".to_owned(), error.causes.iter().map(cause).collect());
        }
        if let Some(seconds) = error.retry_after {
            details.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        let reason = format!("{:?}", error.reason);
        let document = status(error.code(), &reason, &error.message, &Value::Object(details));
        Self { retry_after: error.retry_after, ..Self::json(error.code(), &document) }
    }

    /// Done, and there is no object to show.
    pub(super) fn success(code: u16, details: &Value) -> Self {
        let document = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details, "code": code,
        });
        Self::json(code, &document)
    }
}

/// A `Status` of a failure.
pub(super) fn status(code: u16, reason: &str, message: &str, details: &Value) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "details": details, "code": code,
    })
}
