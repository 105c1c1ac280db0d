//! Field validation: fields that a kind does not have, and fields that stand there twice.

use crate::objects::reader::{ReadErrorKind, ReaderLimits, read_manifests};

use super::answer::Answer;
use super::protobuf;
use super::request::HttpRequest;

/// What becomes of such fields (`fieldValidation`): upstream only warns of them unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    Ignore,
    Warn,
    Strict,
}

impl Directive {
    fn of(request: &HttpRequest) -> Result<Self, Answer> {
        match request.value("fieldValidation") {
            None | Some("" | "Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => {
                let values = r#"supported values: "", "Ignore", "Strict", "Warn""#;
                Err(Answer::failure(422, "Invalid", format!("fieldValidation: Unsupported value: {other:?}: {values}")))
            }
        }
    }
}

/// Checks the body of a request, and returns what is to be warned of. In protobuf there is no room for unknown fields.
pub(super) fn check_body(request: &HttpRequest) -> Result<Vec<String>, Answer> {
    if request.media_type() == protobuf::MEDIA_TYPE {
        return Ok(Vec::new());
    }
    match std::str::from_utf8(&request.body) {
        Ok(text) => check(request, || Ok(text.to_owned())),
        Err(_) => Err(Answer::failure(400, "BadRequest", "the body of the request is not UTF-8")),
    }
}

/// Refuses a document with unknown fields or keys that are there twice, or warns of them, as the client asks for it.
pub(super) fn check(
    request: &HttpRequest,
    document: impl FnOnce() -> Result<String, Answer>,
) -> Result<Vec<String>, Answer> {
    let directive = Directive::of(request)?;
    if directive == Directive::Ignore {
        return Ok(Vec::new());
    }
    let Err(errors) = read_manifests("body", &document()?, &ReaderLimits::default()) else { return Ok(Vec::new()) };
    let is_strict = |kind| matches!(kind, ReadErrorKind::UnknownField | ReadErrorKind::DuplicateField);
    let told: Vec<String> =
        errors.into_iter().filter(|error| is_strict(error.kind)).filter_map(|error| error.upstream).collect();
    if directive == Directive::Strict && !told.is_empty() {
        return Err(Answer::failure(400, "BadRequest", format!("strict decoding error: {}", told.join(", "))));
    }
    Ok(told)
}
