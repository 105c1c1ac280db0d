//! Known differences: what is not meant to agree with upstream, each with its reason.
//!
//! They are told apart by what a case says, not by its number, so that a like case in another collection is known too.

use seatrial::objects::reader::{ReaderLimits, parse_spanned};
use serde_json::Value;

use crate::source::Kind;

/// A difference that is meant.
struct Known {
    file: Subject,
    /// Whether this case (of a dataset) or recording shows it.
    shows: fn(&Value) -> bool,
    reason: &'static str,
}

/// Where a difference may show.
enum Subject {
    Dataset(&'static str),
    AnyRecording,
}

const KNOWN: &[Known] = &[
    Known {
        file: Subject::Dataset("manifest-validation"),
        shows: has_no_type,
        reason: "kubectl needs apiVersion and kind, a POST to a collection does not; manifests are read as kubectl does",
    },
    Known {
        file: Subject::Dataset("manifest-validation"),
        shows: is_of_unregistered_type,
        reason: "kinds that are not simulated are kept as they are, with a notice, instead of refused",
    },
    Known {
        file: Subject::Dataset("manifest-validation"),
        shows: is_empty_text,
        reason: "a text without any object is nothing to apply; posting it is an error",
    },
    Known {
        file: Subject::AnyRecording,
        shows: recorder_wiped_labels,
        reason: "the recorder's step to annotate a pod also took its labels away, which the scenario does not say",
    },
];

/// Why a case or recording may differ, if it may. It counts neither as passed nor as failed then.
pub(crate) fn reason(kind: Kind, file: &str, content: &Value) -> Option<&'static str> {
    let is_subject = |known: &&Known| match known.file {
        Subject::Dataset(name) => kind == Kind::Dataset && name == file,
        Subject::AnyRecording => kind == Kind::Recording,
    };
    KNOWN.iter().filter(is_subject).find(|known| (known.shows)(content)).map(|known| known.reason)
}

fn decoded_text(case: &Value) -> Option<&str> {
    if case["in"]["op"] == "decode" { case["in"]["text"].as_str() } else { None }
}

/// What was said of a decoded text as it stands, or after kubectl's own reader.
fn decode_error_contains(case: &Value, words: &str) -> bool {
    let out = &case["out"];
    let errors = [&out["decodeError"], &out["viaKubectl"]["decodeError"]];
    errors.into_iter().filter_map(Value::as_str).any(|error| error.contains(words))
}

fn has_no_type(case: &Value) -> bool {
    let Some(Ok(file)) = decoded_text(case).map(|text| parse_spanned("", text, &ReaderLimits::default())) else {
        return false;
    };
    let object = file.roots().next().map_or(Value::Null, |root| root.to_json());
    object.is_object() && (object["kind"].is_null() || object["apiVersion"].is_null())
}

fn is_of_unregistered_type(case: &Value) -> bool {
    decoded_text(case).is_some() && decode_error_contains(case, " is registered for version ")
}

fn is_empty_text(case: &Value) -> bool {
    decoded_text(case).is_some() && decode_error_contains(case, "unexpected end of JSON input")
}

/// A pod whose labels are gone at once with a step that gives annotations and no labels.
fn recorder_wiped_labels(recording: &Value) -> bool {
    let trace = recording["trace"].as_array().map_or(&[][..], Vec::as_slice);
    let annotated = |step: &&Value| {
        step["type"] == "STEP" && step["args"]["annotations"].is_object() && !step["args"]["labels"].is_object()
    };
    let of_step = |step: &Value, entry: &Value| {
        entry["kind"] == "Pod"
            && entry["name"] == step["result"][0]
            && entry["labels"].as_object().is_some_and(serde_json::Map::is_empty)
    };
    trace.iter().filter(annotated).any(|step| trace.iter().any(|entry| of_step(step, entry)))
}
