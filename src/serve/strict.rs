//! Strict field validation: fields that a kind does not have, and fields that stand there twice.

use crate::objects::reader::{ReadErrorKind, ReaderLimits, read_manifests};

use super::answer::Answer;
use super::protobuf;
use super::request::HttpRequest;

/// Checks the body of a request. In protobuf there is no room for unknown fields.
pub(super) fn check_body(request: &HttpRequest) -> Result<(), Answer> {
    if request.media_type() == protobuf::MEDIA_TYPE {
        return Ok(());
    }
    match std::str::from_utf8(&request.body) {
        Ok(text) => check(request, text),
        Err(_) => Err(Answer::failure(400, "BadRequest", "the body of the request is not UTF-8")),
    }
}

/// Refuses a document with unknown fields or keys that are there twice, if the client asks for that (`fieldValidation=Strict`).
pub(super) fn check(request: &HttpRequest, text: &str) -> Result<(), Answer> {
    if request.value("fieldValidation") != Some("Strict") {
        return Ok(());
    }
    let Err(errors) = read_manifests("body", text, &ReaderLimits::default()) else { return Ok(()) };
    let is_strict = |kind| matches!(kind, ReadErrorKind::UnknownField | ReadErrorKind::DuplicateField);
    let told: Vec<&str> =
        errors.iter().filter(|error| is_strict(error.kind)).filter_map(|error| error.upstream.as_deref()).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Answer::failure(400, "BadRequest", format!("strict decoding error: {}", told.join(", "))))
}
