//! Strict field validation: fields that a kind does not have, and fields that stand there twice.

use crate::objects::reader::{ReadErrorKind, ReaderLimits, read_manifests};

use super::answer::Answer;
use super::request::HttpRequest;

/// Refuses a body with unknown fields or keys that are there twice, if the client asks for that (`fieldValidation=Strict`).
pub(super) fn check(request: &HttpRequest, document: &[u8]) -> Result<(), Answer> {
    if request.value("fieldValidation") != Some("Strict") {
        return Ok(());
    }
    let Ok(text) = std::str::from_utf8(document) else {
        return Err(Answer::failure(400, "BadRequest", "the body of the request is not UTF-8"));
    };
    let Err(errors) = read_manifests("body", text, &ReaderLimits::default()) else { return Ok(()) };
    let is_strict = |kind| matches!(kind, ReadErrorKind::UnknownField | ReadErrorKind::DuplicateField);
    let told: Vec<&str> =
        errors.iter().filter(|error| is_strict(error.kind)).filter_map(|error| error.upstream.as_deref()).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Answer::failure(400, "BadRequest", format!("strict decoding error: {}", told.join(", "))))
}
