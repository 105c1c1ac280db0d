//! The CEL rules of the filters of HTTPRoutes.

use serde_json::Value;

use super::super::{Errors, Path};
use super::broken;
use crate::objects::wire::Wire;

/// The kinds of filters and the field of each.
const FILTERS: [(&str, &str); 7] = [
    ("CORS", "cors"),
    ("RequestHeaderModifier", "requestHeaderModifier"),
    ("ResponseHeaderModifier", "responseHeaderModifier"),
    ("RequestMirror", "requestMirror"),
    ("RequestRedirect", "requestRedirect"),
    ("URLRewrite", "urlRewrite"),
    ("ExtensionRef", "extensionRef"),
];

/// Filters that a list has at most once.
const SINGLE: [&str; 5] = ["CORS", "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"];

pub(super) fn validate_filters(filters: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let count = |kind: &str| filters.iter().filter(|filter| filter.text("type") == kind).count();
    if count("RequestRedirect") > 0 && count("URLRewrite") > 0 {
        let message =
            "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both";
        errors.push(broken(path, message));
    }
    for kind in SINGLE {
        if count(kind) > 1 {
            errors.push(broken(path, format!("{kind} filter cannot be repeated")));
        }
    }
    for (index, filter) in filters.iter().enumerate() {
        validate_filter(filter, &path.index(index), errors);
    }
}

fn validate_filter(filter: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (kind, field) in FILTERS {
        match (filter.has(field), filter.text("type") == kind) {
            (true, false) => {
                errors.push(broken(path, format!("filter.{field} must be nil if the filter.type is not {kind}")));
            }
            (false, true) => {
                errors.push(broken(path, format!("filter.{field} must be specified for {kind} filter.type")));
            }
            _ => {}
        }
    }
    for (field, name) in [("allowHeaders", "methods"), ("allowMethods", "methods"), ("allowOrigins", "origins")] {
        let values = filter.at("cors").texts(field);
        if values.len() > 1 && values.contains(&"*") {
            let (first, rest) = field.split_at(1);
            let message = format!("{}{rest} cannot contain '*' alongside other {name}", first.to_uppercase());
            errors.push(broken(&path.child("cors").child(field), message));
        }
    }
    validate_mirror(filter.at("requestMirror"), &path.child("requestMirror"), errors);
    for field in ["requestRedirect", "urlRewrite"] {
        if let Some(modifier) = filter.at(field).get_some("path") {
            validate_path_modifier(modifier, &path.child(field).child("path"), errors);
        }
    }
}

fn validate_mirror(mirror: &Value, path: &Path<'_>, errors: &mut Errors) {
    if mirror.has("percent") && mirror.has("fraction") {
        errors.push(broken(path, "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter"));
    }
    if let Some(backend) = mirror.get_some("backendRef") {
        needs_port(backend, &path.child("backendRef"), errors);
    }
    let fraction = mirror.at("fraction");
    if fraction.int("numerator") > fraction.int_some("denominator").unwrap_or(i64::MAX) {
        errors.push(broken(&path.child("fraction"), "numerator must be less than or equal to denominator"));
    }
}

fn validate_path_modifier(modifier: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (kind, field) in [("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")] {
        match (modifier.has(field), modifier.text("type") == kind) {
            (false, true) => {
                errors.push(broken(path, format!("{field} must be specified when type is set to '{kind}'")));
            }
            (true, false) => errors.push(broken(path, format!("type must be '{kind}' when {field} is set"))),
            _ => {}
        }
    }
}

/// A reference to a Service names a port.
pub(super) fn needs_port(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    if reference.text("group").is_empty() && reference.text("kind") == "Service" && !reference.has("port") {
        errors.push(broken(path, "Must have port for Service reference"));
    }
}
