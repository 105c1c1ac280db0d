//! Requests as they come, without the connection.

use serde_json::Value;

use super::answer::Answer;
use super::protobuf;

/// A request of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method, in capitals.
    pub method: String,
    /// Path, decoded, without the query.
    pub path: String,
    /// Query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The header `Accept`.
    pub accept: String,
    /// The header `Content-Type`.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A `GET`. What follows a question mark is the query, not encoded.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path, "")
    }

    /// A request with a JSON body. What follows a question mark in the path is the query, not encoded.
    #[must_use]
    pub fn new(method: &str, path: &str, body: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (pair.to_owned(), String::new()),
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
            accept: "application/json".to_owned(),
            content_type: "application/json".to_owned(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// A value of the query; the first one, if there are several.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| matches!(value, "" | "1" | "true" | "True"))
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.value("dryRun") == Some("All")
    }

    /// The media type of the body, without its parameters.
    pub(super) fn media_type(&self) -> &str {
        self.content_type.split(';').next().unwrap_or_default().trim()
    }

    /// The body as JSON; nothing, if it is empty.
    pub(super) fn json(&self) -> Result<Value, Answer> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let media = self.media_type();
        if media == protobuf::MEDIA_TYPE {
            let decoded = protobuf::decode(&self.body);
            return decoded.map_err(|error| Answer::failure(400, "BadRequest", error));
        }
        if !media.is_empty() && !media.ends_with("json") {
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: application/json, {} (given: {media})",
                protobuf::MEDIA_TYPE
            );
            return Err(Answer::failure(415, "UnsupportedMediaType", message));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            Answer::failure(400, "BadRequest", format!("the object provided is unrecognized: {error}"))
        })
    }
}
