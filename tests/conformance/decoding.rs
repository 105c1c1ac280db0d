//! Reading manifests, held against the API server's strict decoding of the same text.
//!
//! The reader reads as kubectl does (YAML becomes JSON) and then judges as the API server does. It is stricter where
//! kubectl's conversion loses something: a key that a YAML mapping repeats.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use seatrial::objects::reader::{self, ReadError, ReadErrorKind, ReaderLimits};
use serde_json::Value;

use crate::case::Outcome;

/// Judges what is read from a text. `output` has `decodeError` and `strictErrors` of the text as it stands, and in
/// `viaKubectl` the same after kubectl's own reader.
pub(crate) fn check(text: &str, output: &Value) -> Outcome {
    judge(&errors_of(text), output)
}

/// Judges what is read from a manifest that a case has as an object. What only kubectl asks for (a name) may be missing.
pub(crate) fn check_object(manifest: &Value, output: &Value) -> Outcome {
    let mut errors = errors_of(&manifest.to_string());
    errors.retain(|error| error.kind != ReadErrorKind::MissingField);
    judge(&errors, output)
}

fn errors_of(text: &str) -> Vec<ReadError> {
    reader::read_manifests("manifest", text, &ReaderLimits::default()).err().unwrap_or_default()
}

fn judge(errors: &[ReadError], output: &Value) -> Outcome {
    let via = if output["viaKubectl"].is_object() { &output["viaKubectl"] } else { output };
    let difference = match (output["strictErrors"].as_array(), via["readError"].as_str(), via["decodeError"].as_str()) {
        (Some(strict), _, _) => strict_difference(strict, errors),
        (None, Some(message), _) => {
            (!errors.iter().any(|error| is_about_syntax(error.kind))).then(|| message.to_owned())
        }
        (None, None, Some(message)) => {
            (!errors.iter().any(|error| is_decode_error(error, message))).then(|| message.to_owned())
        }
        (None, None, None) => (!errors.is_empty()).then(|| "no error".to_owned()),
    };
    match difference {
        None => Ok(()),
        Some(expected) => Err(format!("decodeError: expected {expected} got {}", told(errors)).into()),
    }
}

fn told(errors: &[ReadError]) -> String {
    let told = |error: &ReadError| match &error.upstream {
        Some(upstream) => format!("{error} ({upstream})"),
        None => error.to_string(),
    };
    if errors.is_empty() { "no error".to_owned() } else { errors.iter().map(told).collect::<Vec<_>>().join("; ") }
}

/// A fault of strict decoding in words that both sides can say.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// go-yaml names a repeated key by its line alone.
    RepeatedKey {
        line: u32,
    },
    Text(String),
}

/// Both sides have to name the same faults; what was expected if they do not.
fn strict_difference(expected: &[Value], errors: &[ReadError]) -> Option<String> {
    let by_line = expected.iter().filter_map(Value::as_str).any(|text| text.starts_with(YAML_ERRORS));
    let expected: BTreeSet<Fault> = expected.iter().filter_map(Value::as_str).flat_map(faults_of_text).collect();
    let got: BTreeSet<Fault> = errors.iter().map(|error| fault_of_error(error, by_line)).collect();
    (expected != got).then(|| format!("{expected:?}"))
}

const YAML_ERRORS: &str = "yaml: unmarshal errors:";

fn faults_of_text(text: &str) -> Vec<Fault> {
    static LINE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"line (\d+): key ").expect("a valid pattern"));
    if !text.starts_with(YAML_ERRORS) {
        return vec![Fault::Text(text.to_owned())];
    }
    let lines = LINE.captures_iter(text).filter_map(|found| found[1].parse().ok());
    lines.map(|line| Fault::RepeatedKey { line }).collect()
}

fn fault_of_error(error: &ReadError, by_line: bool) -> Fault {
    match (error.kind, &error.upstream) {
        (ReadErrorKind::DuplicateField, _) if by_line => Fault::RepeatedKey { line: error.line },
        (_, Some(upstream)) => Fault::Text(upstream.clone()),
        (_, None) => Fault::Text(error.to_string()),
    }
}

/// A text that is no YAML or JSON, or cannot be turned into JSON.
fn is_about_syntax(kind: ReadErrorKind) -> bool {
    matches!(
        kind,
        ReadErrorKind::Syntax
            | ReadErrorKind::Alias
            | ReadErrorKind::InvalidKey
            | ReadErrorKind::InvalidValue
            | ReadErrorKind::NotAnObject
    )
}

/// Whether an error is the one the API server stops at. Where the text is not known, kind and field have to do.
fn is_decode_error(error: &ReadError, message: &str) -> bool {
    static FIELD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"Go struct field [^. ]*\.?([^ ]*) of type").expect("a valid pattern"));
    if let Some(upstream) = &error.upstream {
        return message.ends_with(&**upstream);
    }
    let is_of_value = matches!(error.kind, ReadErrorKind::WrongType | ReadErrorKind::InvalidValue);
    match FIELD.captures(message) {
        Some(found) => is_of_value && without_indices(&error.path) == found[1],
        None if message.contains("is unrecognized") => is_about_syntax(error.kind),
        None if message.contains("parsing time") => error.kind == ReadErrorKind::InvalidValue,
        // A type that decodes itself does not say which field it stands in.
        None if message.contains("into Go value of type") => is_of_value,
        None => false,
    }
}

fn without_indices(path: &str) -> String {
    static INDEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[[^\]]*\]").expect("a valid pattern"));
    INDEX.replace_all(path, "").into_owned()
}
