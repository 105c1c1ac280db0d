//! Refusals in the API server's words, beside those of [`ApiError`] itself.

use std::fmt::Display;

use crate::api::{ApiError, Cause, Reason};
use crate::objects::validation::{self, FieldError};
use crate::objects::{Key, Kind, ObjectMeta, Uid};

pub(super) use crate::api::MODIFIED;

pub(super) const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

/// Name of the resource of an object; of an opaque one, its kind stands in the key.
pub(super) fn resource(kind: Kind, key: &Key) -> (String, &str) {
    match (kind, key.name.split_once('/')) {
        (Kind::Opaque, Some((qualified, name))) => {
            let (kind, group) = qualified.split_once('.').map_or((qualified, ""), |(kind, group)| (kind, group));
            let plural = plural(kind);
            (if group.is_empty() { plural } else { format!("{plural}.{group}") }, name)
        }
        _ => (kind.resource(), &key.name),
    }
}

/// The kind with its group, as validation messages have it.
fn qualified_kind(kind: Kind, key: &Key) -> (String, &str) {
    match (kind, key.name.split_once('/')) {
        (Kind::Opaque, Some((qualified, name))) => (qualified.to_owned(), name),
        _ => (kind.qualified_kind(), &key.name),
    }
}

/// The plural by English rules, as for nearly every built-in kind.
fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    match kind.as_bytes() {
        _ if kind == "endpoints" => kind,
        [.., b's' | b'x'] => kind + "es",
        [.., before, b'y'] if !b"aeiou".contains(before) => format!("{}ies", &kind[..kind.len() - 1]),
        _ => kind + "s",
    }
}

pub(super) fn not_found(kind: Kind, key: &Key) -> ApiError {
    let (resource, name) = resource(kind, key);
    ApiError::new(Reason::NotFound, format!("{resource} {name:?} not found"))
}

/// The name is taken. It was made from `base`, unless that is empty.
pub(super) fn name_is_taken(kind: Kind, key: &Key, existing: &ObjectMeta, base: &str) -> ApiError {
    let (resource, name) = resource(kind, key);
    let prefix = if existing.is_deleting() { "object is being deleted: " } else { "" };
    let suffix =
        if base.is_empty() { "" } else { ", the server was not able to generate a unique name for the object" };
    ApiError::new(Reason::AlreadyExists, format!("{prefix}{resource} {name:?} already exists{suffix}"))
}

pub(super) fn conflict(kind: Kind, key: &Key, why: impl Display) -> ApiError {
    let (resource, name) = resource(kind, key);
    ApiError::new(Reason::Conflict, format!("Operation cannot be fulfilled on {resource} {name:?}: {why}"))
}

/// The deletion's precondition does not hold. The kind stands where the resource should, as upstream.
pub(super) fn delete_conflict(
    kind: Kind,
    key: &Key,
    what: &str,
    wanted: impl Display,
    found: impl Display,
) -> ApiError {
    let (kind, name) = qualified_kind(kind, key);
    let fate = if what == "UID" { "deleted and then recreated" } else { "modified" };
    ApiError::new(
        Reason::Conflict,
        format!(
            "Operation cannot be fulfilled on {kind} {name:?}: the {what} in the precondition ({wanted}) does not match \
             the {what} in record ({found}). The object might have been {fate}"
        ),
    )
}

/// The storage's precondition on the uid does not hold.
pub(super) fn uid_conflict(kind: Kind, key: &Key, wanted: &Uid, found: &Uid) -> ApiError {
    let (resource, name) = resource(kind, key);
    let plural = resource.split_once('.').map_or(&*resource, |(plural, _)| plural);
    let path = match (kind, &*key.namespace) {
        (Kind::Node, _) => format!("minions/{name}"),
        (Kind::Service, namespace) => format!("services/specs/{namespace}/{name}"),
        (_, "") => format!("{plural}/{name}"),
        (_, namespace) => format!("{plural}/{namespace}/{name}"),
    };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{path}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    );
    conflict(kind, key, why)
}

pub(super) fn forbidden(kind: Kind, key: &Key, why: impl Display) -> ApiError {
    let (resource, name) = resource(kind, key);
    ApiError::new(Reason::Forbidden, format!("{resource} {name:?} is forbidden: {why}"))
}

/// One field is invalid. `detail` is what stands after the field's path.
pub(super) fn invalid(kind: Kind, key: &Key, field: &str, cause: &str, detail: impl Display) -> ApiError {
    let (kind, name) = qualified_kind(kind, key);
    let text = format!("{field}: {detail}");
    let mut error = ApiError::new(Reason::Invalid, format!("{kind} {name:?} is invalid: {text}"));
    error.causes.push(Cause { field: field.to_owned(), kind: cause.to_owned(), text });
    error
}

/// The uid of a patch is not that of the object.
pub(super) fn uid_is_immutable(kind: Kind, key: &Key, wanted: &Uid) -> ApiError {
    let detail = format!("Invalid value: \"{wanted}\": field is immutable");
    invalid(kind, key, "metadata.uid", "FieldValueInvalid", detail)
}

pub(super) fn invalid_scale(key: &Key, replicas: i32) -> ApiError {
    let name = key.name.rsplit_once('/').map_or(&*key.name, |(_, name)| name);
    let field = "spec.replicas";
    let text = format!("{field}: Invalid value: {replicas}: must be greater than or equal to 0");
    let mut error = ApiError::new(Reason::Invalid, format!("Scale.autoscaling {name:?} is invalid: {text}"));
    error.causes.push(Cause { field: field.to_owned(), kind: "FieldValueInvalid".to_owned(), text });
    error
}

pub(super) fn no_such_resource() -> ApiError {
    ApiError::new(Reason::NotFound, "the server could not find the requested resource")
}

pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(Reason::BadRequest, message)
}

/// Validation found these faults; `kind` is qualified by its group.
pub(super) fn invalid_fields(kind: &str, name: &str, faults: Vec<FieldError>) -> ApiError {
    let message = validation::invalid_message(kind, name, &faults);
    let cause = |fault: FieldError| Cause {
        kind: fault.kind.cause_type().to_owned(),
        text: fault.to_string(),
        field: fault.field,
    };
    let mut refusal = ApiError::new(Reason::Invalid, message);
    refusal.causes = faults.into_iter().map(cause).collect();
    refusal
}
