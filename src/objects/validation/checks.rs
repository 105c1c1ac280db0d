//! Checks that many kinds share.

use serde_json::Value;

use super::{Errors, Path};
use crate::objects::Quantity;
use crate::objects::names::{self, Complaints};
use crate::objects::wire::Wire;

pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
pub(super) const POSITIVE: &str = "must be greater than zero";
pub(super) const IMMUTABLE: &str = "field is immutable";
pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Adding to a list of errors.
pub(super) trait Report {
    /// One error for each complaint about a text.
    fn complain(&mut self, path: &Path<'_>, value: &str, complaints: Complaints);
}

impl Report for Errors {
    fn complain(&mut self, path: &Path<'_>, value: &str, complaints: Complaints) {
        self.extend(complaints.into_iter().map(|complaint| path.invalid(value, complaint)));
    }
}

pub(super) fn not_negative(value: i64, path: &Path<'_>, errors: &mut Errors) {
    if value < 0 {
        errors.push(path.invalid(value, NOT_NEGATIVE));
    }
}

/// The named fields of `object` that are given are not negative.
pub(super) fn fields_not_negative(object: &Value, fields: &[&str], path: &Path<'_>, errors: &mut Errors) {
    for field in fields {
        not_negative(object.int(field), &path.child(field), errors);
    }
}

pub(super) fn positive(value: i64, path: &Path<'_>, errors: &mut Errors) {
    if value <= 0 {
        errors.push(path.invalid(value, POSITIVE));
    }
}

/// A value of an enumeration whose absence has its own error.
pub(super) fn required_enum(value: &str, allowed: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(path.required(""));
    } else {
        supported(value, allowed, path, errors);
    }
}

pub(super) fn supported(value: &str, allowed: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if !allowed.contains(&value) {
        errors.push(path.not_supported(value, allowed));
    }
}

/// An optional value of an enumeration, if it is given.
pub(super) fn supported_if_given(object: &Value, field: &str, allowed: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if let Some(value) = object.text_some(field) {
        supported(value, allowed, &path.child(field), errors);
    }
}

/// The named texts of `object` are given.
pub(super) fn required_texts(object: &Value, fields: &[&str], path: &Path<'_>, errors: &mut Errors) {
    for field in fields {
        if object.text(field).is_empty() {
            errors.push(path.child(field).required(""));
        }
    }
}

pub(super) fn dns_label(value: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.complain(path, value, names::dns1123_label(value));
}

pub(super) fn dns_subdomain(value: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.complain(path, value, names::dns1123_subdomain(value));
}

pub(super) fn qualified_name(value: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.complain(path, value, names::label_key(value));
}

/// `ValidateImmutableField`.
pub(super) fn immutable(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    if new != old {
        errors.push(path.invalid(new, IMMUTABLE));
    }
}

/// The quantity in an entry, if it is one.
pub(super) fn quantity(value: &Value) -> Option<Quantity> {
    value.as_str()?.parse().ok()
}

/// The quantities of a list, in byte order of their names; what is no quantity is left out.
pub(super) fn quantities<'a>(owner: &'a Value, list: &str) -> Vec<(&'a str, Quantity)> {
    owner.entries(list).into_iter().filter_map(|(name, value)| Some((name, quantity(value)?))).collect()
}

/// A port by number or by name (`ValidatePortNumOrName`).
pub(super) fn port_number_or_name(port: &Value, path: &Path<'_>, errors: &mut Errors) {
    match port {
        Value::String(name) => errors.complain(path, name, names::port_name(name)),
        number => {
            let number = number.as_i64().unwrap_or(0);
            errors.extend(names::port_number(number).into_iter().map(|complaint| path.invalid(number, complaint)));
        }
    }
}

pub(super) fn port_number(number: i64, path: &Path<'_>, errors: &mut Errors) {
    errors.extend(names::port_number(number).into_iter().map(|complaint| path.invalid(number, complaint)));
}

/// An IP address of a field that also took odd spellings in the past; those already stored stay valid.
pub(super) fn legacy_ip(value: &str, old: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if !old.contains(&value) {
        errors.complain(path, value, names::ip(value));
    }
}

/// The same for an address range.
pub(super) fn legacy_cidr(value: &str, old: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if !old.contains(&value) {
        errors.complain(path, value, names::cidr(value));
    }
}

/// `path.IsAbs`.
pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// `validateLocalDescendingPath`.
pub(super) fn local_descending_path(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if is_absolute(value) {
        errors.push(path.invalid(value, "must be a relative path"));
    }
    no_backsteps(value, path, errors);
}

/// `validatePathNoBacksteps`.
pub(super) fn no_backsteps(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.split('/').any(|part| part == "..") {
        errors.push(path.invalid(value, "must not contain '..'"));
    }
}

/// `ValidateLocalNonReservedPath`.
pub(super) fn local_non_reserved_path(value: &str, path: &Path<'_>, errors: &mut Errors) {
    local_descending_path(value, path, errors);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(path.invalid(value, "must not start with '..'"));
    }
}

/// `names` joined as Go's `strings.Join` does.
pub(super) fn joined(complaints: &Complaints, separator: &str) -> String {
    let texts: Vec<&str> = complaints.iter().map(AsRef::as_ref).collect();
    texts.join(separator)
}
