//! The CEL rules of HTTPRoutes (`gateway-api` `apis/v1/{shared,httproute}_types.go`).

use serde_json::Value;

use super::super::{Errors, Path};
use super::filters::{needs_port, validate_filters};
use super::{are_distinct, broken, is_set};
use crate::kernel::SimDuration;
use crate::objects::wire::Wire;

/// Matches of all rules together.
const MATCHES_MAX: usize = 128;

pub(super) fn validate_route(route: &Value, _old: Option<&Value>, errors: &mut Errors) {
    let (path, spec) = (Path::root("spec"), route.at("spec"));
    validate_parents(spec.list("parentRefs"), &path.child("parentRefs"), errors);
    let (path, rules) = (path.child("rules"), spec.list("rules"));
    if rules.iter().map(|rule| rule.list("matches").len()).sum::<usize>() > MATCHES_MAX {
        let message = "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128";
        errors.push(broken(&path, message));
    }
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, &path.index(index), errors);
    }
}

fn validate_parents(parents: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let parent = |one: &Value| ["group", "kind", "name", "namespace"].map(|field| one.text(field).to_owned());
    let mixes = |one: &Value| {
        parents
            .iter()
            .any(|other| parent(one) == parent(other) && is_set(one, "sectionName") != is_set(other, "sectionName"))
    };
    if parents.iter().any(mixes) {
        let message = "sectionName must be specified when parentRefs includes 2 or more references to the same parent";
        errors.push(broken(path, message));
    }
    if !are_distinct(parents.iter().map(|one| Some((parent(one), one.text("sectionName"))))) {
        let message = "sectionName must be unique when parentRefs includes 2 or more references to the same parent";
        errors.push(broken(path, message));
    }
}

fn validate_rule(rule: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (filters, backends) = (rule.list("filters"), rule.list("backendRefs"));
    if !backends.is_empty() && filters.iter().any(|filter| filter.has("requestRedirect")) {
        errors.push(broken(path, "RequestRedirect filter must not be used together with backendRefs"));
    }
    let matches = rule.list("matches");
    let has_one_prefix = matches.len() == 1 && matches[0].at("path").text("type") == "PathPrefix";
    let replaces = |filters: &[Value], field: &str| {
        let of = |filter: &&Value| {
            let path = filter.at(field).at("path");
            path.text("type") == "ReplacePrefixMatch" && path.has("replacePrefixMatch")
        };
        filters.iter().filter(of).count() == 1
    };
    for (field, name) in [("requestRedirect", "RequestRedirect"), ("urlRewrite", "URLRewrite")] {
        if replaces(filters, field) && !has_one_prefix {
            let message = format!(
                "When using {name} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
            );
            errors.push(broken(path, message));
        }
    }
    for (field, words) in [("requestRedirect", "when using RequestRedirect"), ("urlRewrite", "When using URLRewrite")] {
        let using = backends.iter().filter(|backend| replaces(backend.list("filters"), field)).count();
        if using == 1 && !has_one_prefix {
            let message = format!(
                "Within backendRefs, {words} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
            );
            errors.push(broken(path, message));
        }
    }
    let backends_path = path.child("backendRefs");
    for (index, backend) in backends.iter().enumerate() {
        let path = backends_path.index(index);
        needs_port(backend, &path, errors);
        validate_filters(backend.list("filters"), &path.child("filters"), errors);
    }
    validate_filters(filters, &path.child("filters"), errors);
    let matches_path = path.child("matches");
    for (index, one) in matches.iter().enumerate() {
        if let Some(value) = one.get_some("path") {
            validate_path(value, &matches_path.index(index).child("path"), errors);
        }
    }
    validate_timeouts(rule.at("timeouts"), &path.child("timeouts"), errors);
}

fn validate_path(one: &Value, path: &Path<'_>, errors: &mut Errors) {
    const PLAIN: &str = "type one of ['Exact', 'PathPrefix']";
    if !matches!(one.text("type"), "Exact" | "PathPrefix") {
        return;
    }
    let value = one.text("value");
    if !value.starts_with('/') {
        errors.push(broken(path, format!("value must be an absolute path and start with '/' when {PLAIN}")));
    }
    for part in ["//", "/./", "/../", "%2f", "%2F", "#"] {
        if value.contains(part) {
            errors.push(broken(path, format!("must not contain '{part}' when {PLAIN}")));
        }
    }
    for end in ["/..", "/."] {
        if value.ends_with(end) {
            errors.push(broken(path, format!("must not end with '{end}' when {PLAIN}")));
        }
    }
    if !has_only_valid_characters(value) {
        let message = "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) for types ['Exact', 'PathPrefix']";
        errors.push(broken(path, message));
    }
}

fn has_only_valid_characters(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (other, after) if other.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(other) => after,
            _ => return false,
        };
    }
    !path.is_empty()
}

fn validate_timeouts(timeouts: &Value, path: &Path<'_>, errors: &mut Errors) {
    let read = |field: &str| timeouts.text_some(field).and_then(|text| text.parse::<SimDuration>().ok());
    if let (Some(request), Some(backend)) = (read("request"), read("backendRequest"))
        && request != SimDuration::ZERO
        && backend > request
    {
        errors.push(broken(path, "backendRequest timeout cannot be longer than request timeout"));
    }
}
