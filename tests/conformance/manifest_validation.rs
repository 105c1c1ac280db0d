//! Validation of manifests that are created or applied over stored objects.

use seatrial::objects::defaults::Subresource;
use seatrial::objects::validation::{self, FieldError};
use seatrial::objects::{patch, schema};
use serde_json::Value;

use crate::case::{Case, Miss, Outcome, compare};
use crate::decoding;
use crate::manifest::{causes, create, group_kind, kind_of, stored, update};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let subject = if case.input["op"] == "update" { &case.input["old"] } else { &case.input["manifest"] };
    let (kind, _) = kind_of(subject);
    match case.input["op"].as_str() {
        Some("decode") => {
            let text = case.input["text"].as_str().ok_or_else(|| "in.text: no text".to_owned())?;
            decoding::check(text, case.output)
        }
        Some("create") if case.output["decodeError"].is_string() => decoding::check_object(subject, case.output),
        Some("create" | "update") if !validation::is_known(kind) => {
            Err(Miss::Skipped(format!("kind {kind} not simulated yet")))
        }
        Some("create") => {
            decoding::check_object(subject, case.output)?;
            let (created, errors) = create(subject);
            judge(case.output, subject, &created, &errors)
        }
        Some("update") => {
            let old = stored(create(subject).0, &subject["status"]);
            let errors = errors_of_update(case.input, &old)?;
            judge(case.output, subject, &old, &errors)
        }
        op => Err(format!("in.op: unknown operation {op:?}").into()),
    }
}

/// `kubectl apply`, or a PUT of a subresource.
fn errors_of_update(input: &Value, old: &Value) -> Result<Vec<FieldError>, String> {
    let subresource = match input["subresource"].as_str() {
        None => Subresource::None,
        Some("ephemeralcontainers") => Subresource::EphemeralContainers,
        Some("resize") => Subresource::Resize,
        Some(other) => return Err(format!("in.subresource: unknown {other}")),
    };
    if subresource != Subresource::None {
        return Ok(update(&input["new"], old, subresource));
    }
    let (kind, api_version) = kind_of(old);
    let ty = schema::lookup(api_version, kind).ok_or("no schema")?;
    let patch = patch::three_way_merge(&input["old"], &input["new"], old, ty).map_err(|error| error.to_string())?;
    let new = patch::strategic_merge(old.clone(), patch, ty).map_err(|error| error.to_string())?;
    Ok(update(&new, old, subresource))
}

fn judge(expected: &Value, subject: &Value, object: &Value, errors: &[FieldError]) -> Outcome {
    compare(&without_internals(&expected["errors"]), &without_internals(&causes(errors)))?;
    let texts = expected["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let has_internals = texts.iter().any(|cause| cause["text"].as_str().is_some_and(|text| text.contains('\n')));
    if errors.is_empty() || has_internals {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = validation::invalid_message(&group_kind(subject), name, errors);
    compare(&expected["message"], &message.into())
}

/// A text ends where Go's rendering of a difference begins.
fn without_internals(causes: &Value) -> Value {
    let mut causes = causes.clone();
    for cause in causes.as_array_mut().into_iter().flatten() {
        if let Some((words, _)) = cause["text"].as_str().and_then(|text| text.split_once('\n')) {
            cause["text"] = words.to_owned().into();
        }
    }
    causes
}
