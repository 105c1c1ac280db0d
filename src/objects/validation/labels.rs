//! Labels and selectors.

use serde_json::Value;

use super::checks::{Report, qualified_name};
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::wire::Wire;

/// `ValidateLabels`: every error is reported at the map itself.
pub(super) fn validate_labels(labels: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        qualified_name(key, path, errors);
        if let Some(value) = value.as_str() {
            errors.complain(path, value, names::label_value(value));
        }
    }
}

/// `ValidateLabelSelector`.
pub(super) fn validate_selector(selector: &Value, allow_invalid_values: bool, path: &Path<'_>, errors: &mut Errors) {
    validate_labels(selector.at("matchLabels"), &path.child("matchLabels"), errors);
    let expressions = path.child("matchExpressions");
    for (index, expression) in selector.list("matchExpressions").iter().enumerate() {
        validate_requirement(expression, allow_invalid_values, &expressions.index(index), errors);
    }
}

fn validate_requirement(requirement: &Value, allow_invalid_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let values = path.child("values");
    let operator = requirement.text("operator");
    let none = requirement.list("values").is_empty();
    match operator {
        "In" | "NotIn" if none => {
            errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if !none => {
            errors.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.push(path.child("operator").invalid(operator, "not a valid selector operator")),
    }
    qualified_name(requirement.text("key"), &path.child("key"), errors);
    if !allow_invalid_values {
        for (index, value) in requirement.texts("values").into_iter().enumerate() {
            errors.complain(&values.index(index), value, names::label_value(value));
        }
    }
}

/// Whether a selector has no requirement at all.
pub(super) fn is_empty(selector: &Value) -> bool {
    selector.entries("matchLabels").is_empty() && selector.list("matchExpressions").is_empty()
}

/// How a label selector of an object treats a set of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    /// It cannot be used at all (`LabelSelectorAsSelector` fails).
    Unusable,
    /// It has no requirement.
    Everything,
    /// It matches.
    Yes,
    /// It does not. A selector that is not given matches nothing.
    No,
}

/// Matches a `metav1.LabelSelector` with a label map.
pub(super) fn matching(selector: &Value, labels: &Value) -> Matching {
    if !selector.is_object() {
        return Matching::No;
    }
    let mut faults = Errors::new();
    validate_selector(selector, false, &Path::root(""), &mut faults);
    if !faults.is_empty() {
        return Matching::Unusable;
    }
    if is_empty(selector) {
        return Matching::Everything;
    }
    let labelled =
        selector.text_entries("matchLabels").into_iter().all(|(key, value)| labels.text_some(key) == Some(value));
    let fits = labelled && selector.list("matchExpressions").iter().all(|expression| fulfils(labels, expression));
    if fits { Matching::Yes } else { Matching::No }
}

fn fulfils(labels: &Value, expression: &Value) -> bool {
    let value = labels.text_some(expression.text("key"));
    let listed = value.is_some_and(|value| expression.texts("values").contains(&value));
    match expression.text("operator") {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        _ => value.is_none(),
    }
}

/// Whether a plain map of labels selects labels.
pub(super) fn map_matches(selector: &Value, labels: &Value) -> bool {
    selector.as_object().into_iter().flatten().all(|(key, value)| labels.at(key) == value)
}
