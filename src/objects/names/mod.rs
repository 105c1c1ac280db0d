//! The shapes that names, labels, ports and addresses must have, with upstream's words for what is wrong.
//!
//! A checker takes a text and returns its [`Complaints`]: none if the text is fine. The rules and wordings are those
//! of `k8s.io/apimachinery/pkg/util/validation` and `pkg/api/validate/content`, which validation errors quote.

mod net;
mod shape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use net::{cidr, cidr_strict, interface_address, ip, ip_strict};
use shape::{is_dns1035_label, is_dns1123_label, is_dns1123_subdomain, is_label_name, is_words};

/// What is wrong with a text, in upstream's words and order; empty if nothing is.
pub type Complaints = Vec<Cow<'static, str>>;

/// Longest DNS label, in bytes.
pub const LABEL_MAX: usize = 63;
/// Longest DNS subdomain, in bytes.
pub const SUBDOMAIN_MAX: usize = 253;

macro_rules! dns1123_label_re {
    () => {
        "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    };
}
macro_rules! dns1123_subdomain_re {
    () => {
        concat!(dns1123_label_re!(), "(\\.", dns1123_label_re!(), ")*")
    };
}
macro_rules! underscored_label_re {
    () => {
        "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
    };
}
macro_rules! label_name_re {
    () => {
        "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
    };
}
macro_rules! label_name_message {
    () => {
        concat!(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric ",
            "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '",
            label_name_re!(),
            "')"
        )
    };
}
macro_rules! subdomain_message {
    () => {
        concat!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must ",
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '",
            dns1123_subdomain_re!(),
            "')"
        )
    };
}

const LABEL_TOO_LONG: &str = "must be no more than 63 characters";
const SUBDOMAIN_TOO_LONG: &str = "must be no more than 253 characters";

fn complain_unless(fine: bool, message: &'static str, into: &mut Complaints) {
    if !fine {
        into.push(message.into());
    }
}

fn one_complaint_unless(fine: bool, message: &'static str) -> Complaints {
    if fine { Complaints::new() } else { vec![message.into()] }
}

/// A DNS label of RFC 1123: the names of most namespaces, pods' hostnames, containers and volumes.
///
/// ```
/// use seatrial::objects::names;
/// assert!(names::dns1123_label("web-0").is_empty());
/// assert_eq!(names::dns1123_label("web.0"), ["must not contain dots"]);
/// ```
#[must_use]
pub fn dns1123_label(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= LABEL_MAX, LABEL_TOO_LONG, &mut complaints);
    if is_dns1123_label(value) {
        return complaints;
    }
    let message = if is_dns1123_subdomain(value) {
        "must not contain dots"
    } else {
        concat!(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and ",
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '",
            dns1123_label_re!(),
            "')"
        )
    };
    complaints.push(message.into());
    complaints
}

/// A DNS subdomain of RFC 1123: the names of most objects.
#[must_use]
pub fn dns1123_subdomain(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= SUBDOMAIN_MAX, SUBDOMAIN_TOO_LONG, &mut complaints);
    complain_unless(is_dns1123_subdomain(value), subdomain_message!(), &mut complaints);
    complaints
}

/// A DNS subdomain whose labels may hold underscores.
#[must_use]
pub fn dns1123_subdomain_with_underscore(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= SUBDOMAIN_MAX, SUBDOMAIN_TOO_LONG, &mut complaints);
    let message = concat!(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must ",
        "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '",
        underscored_label_re!(),
        "(\\.",
        underscored_label_re!(),
        ")*')"
    );
    complain_unless(value.split('.').all(shape::is_underscored_label), message, &mut complaints);
    complaints
}

/// A subdomain under a wildcard, `*.example.com`: hosts of ingresses.
#[must_use]
pub fn wildcard_dns1123_subdomain(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= SUBDOMAIN_MAX, SUBDOMAIN_TOO_LONG, &mut complaints);
    let message = concat!(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of ",
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character ",
        "(e.g. '*.example.com', regex used for validation is '\\*\\.",
        dns1123_subdomain_re!(),
        "')"
    );
    complain_unless(value.strip_prefix("*.").is_some_and(is_dns1123_subdomain), message, &mut complaints);
    complaints
}

/// A DNS label of RFC 1035, which begins with a letter.
#[must_use]
pub fn dns1035_label(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= LABEL_MAX, LABEL_TOO_LONG, &mut complaints);
    let message = concat!(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic ",
        "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation ",
        "is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    );
    complain_unless(is_dns1035_label(value), message, &mut complaints);
    complaints
}

/// A label key, also known as a qualified name: an optional DNS subdomain and `/`, then a name.
#[must_use]
pub fn label_key(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, name)) if name.contains('/') => {
            let message = concat!(
                "a valid label key ",
                label_name_message!(),
                " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            );
            return vec![message.into()];
        }
        Some((prefix, name)) => {
            label_key_prefix(prefix, &mut complaints);
            name
        }
    };
    if name.is_empty() {
        complaints.push("name part must be non-empty".into());
    } else {
        complain_unless(name.len() <= LABEL_MAX, "name part must be no more than 63 bytes", &mut complaints);
    }
    complain_unless(is_label_name(name), concat!("name part ", label_name_message!()), &mut complaints);
    complaints
}

fn label_key_prefix(prefix: &str, complaints: &mut Complaints) {
    if prefix.is_empty() {
        complaints.push("prefix part must be non-empty".into());
        return;
    }
    complain_unless(prefix.len() <= SUBDOMAIN_MAX, "prefix part must be no more than 253 bytes", complaints);
    complain_unless(is_dns1123_subdomain(prefix), concat!("prefix part ", subdomain_message!()), complaints);
}

/// A label value: empty, or like the name of a label key.
#[must_use]
pub fn label_value(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= LABEL_MAX, "must be no more than 63 bytes", &mut complaints);
    let message = concat!(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start ",
        "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for ",
        "validation is '(",
        label_name_re!(),
        ")?')"
    );
    complain_unless(value.is_empty() || is_label_name(value), message, &mut complaints);
    complaints
}

/// An identifier of the C language.
#[must_use]
pub fn c_identifier(value: &str) -> Complaints {
    one_complaint_unless(
        !value.starts_with(|c: char| c.is_ascii_digit()) && is_words(value, b"_"),
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric \
         characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is \
         '[A-Za-z_][A-Za-z0-9_]*')",
    )
}

/// A port's number.
#[must_use]
pub fn port_number(port: i64) -> Complaints {
    in_range(port, 1, 65535)
}

/// A number within inclusive bounds.
#[must_use]
pub fn in_range(value: i64, min: i64, max: i64) -> Complaints {
    if (min..=max).contains(&value) {
        return Complaints::new();
    }
    vec![format!("must be between {min} and {max}, inclusive").into()]
}

/// A user's or group's id.
#[must_use]
pub fn user_id(id: i64) -> Complaints {
    in_range(id, 0, i32::MAX.into())
}

/// A port's name.
#[must_use]
pub fn port_name(value: &str) -> Complaints {
    let charset = |byte: u8| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= 15, "must be no more than 15 characters", &mut complaints);
    let fits = !value.is_empty() && value.bytes().all(charset);
    complain_unless(fits, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)", &mut complaints);
    let letter = value.bytes().any(|byte| byte.is_ascii_lowercase());
    complain_unless(letter, "must contain at least one letter (a-z)", &mut complaints);
    complain_unless(!value.contains("--"), "must not contain consecutive hyphens", &mut complaints);
    let dashed = value.starts_with('-') || value.ends_with('-');
    complain_unless(!dashed, "must not begin or end with a hyphen", &mut complaints);
    complaints
}

/// A percentage, `25%`.
#[must_use]
pub fn percent(value: &str) -> Complaints {
    let digits = value.strip_suffix('%').unwrap_or("");
    one_complaint_unless(
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used \
         for validation is '[0-9]+%')",
    )
}

/// The name of an HTTP header.
#[must_use]
pub fn http_header_name(value: &str) -> Complaints {
    one_complaint_unless(
        is_words(value, b"-"),
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for \
         validation is '[-A-Za-z0-9]+')",
    )
}

/// An environment variable's name where the old, strict rule still holds (`envFrom`'s prefixes).
#[must_use]
pub fn env_var_name(value: &str) -> Complaints {
    let mut complaints = one_complaint_unless(
        !value.starts_with(|c: char| c.is_ascii_digit()) && is_words(value, b"-._"),
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must \
         not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation \
         is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
    );
    parent_directory(value, &mut complaints);
    complaints
}

/// An environment variable's name: any printable ASCII but `=`.
#[must_use]
pub fn relaxed_env_var_name(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(!value.is_empty(), "environment variable name must be non-empty", &mut complaints);
    complain_unless(
        value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'='),
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
        &mut complaints,
    );
    complaints
}

/// A key of a ConfigMap or Secret.
#[must_use]
pub fn config_map_key(value: &str) -> Complaints {
    let mut complaints = Complaints::new();
    complain_unless(value.len() <= SUBDOMAIN_MAX, SUBDOMAIN_TOO_LONG, &mut complaints);
    complain_unless(
        is_words(value, b"-._"),
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  \
         or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        &mut complaints,
    );
    parent_directory(value, &mut complaints);
    complaints
}

fn parent_directory(value: &str, complaints: &mut Complaints) {
    match value {
        "." => complaints.push("must not be '.'".into()),
        ".." => complaints.push("must not be '..'".into()),
        _ => complain_unless(!value.starts_with(".."), "must not start with '..'", complaints),
    }
}

/// A name that can stand in a URL's path; with `prefix`, the beginning of one.
#[must_use]
pub fn path_segment_name(name: &str, prefix: bool) -> Complaints {
    match name {
        "." if !prefix => vec!["may not be '.'".into()],
        ".." if !prefix => vec!["may not be '..'".into()],
        _ => {
            let mut complaints = Complaints::new();
            complain_unless(!name.contains('/'), "may not contain '/'", &mut complaints);
            complain_unless(!name.contains('%'), "may not contain '%'", &mut complaints);
            complaints
        }
    }
}

/// What a generated name is checked as before its suffix is known: a final dash counts as fine. As upstream, the
/// character before the dash is dropped with it.
#[must_use]
pub fn mask_trailing_dash(name: &str) -> Cow<'_, str> {
    let stem = name.strip_suffix('-').filter(|stem| !stem.is_empty());
    match stem {
        // Upstream cuts bytes; a name that is not ASCII is invalid either way.
        Some(stem) => {
            let kept = stem.char_indices().next_back().map_or(0, |(at, _)| at);
            format!("{}a", &stem[..kept]).into()
        }
        None => name.into(),
    }
}

/// An object's name that must be a DNS subdomain; with `prefix`, a `generateName`.
#[must_use]
pub fn name_is_dns_subdomain(name: &str, prefix: bool) -> Complaints {
    if prefix { dns1123_subdomain(&mask_trailing_dash(name)) } else { dns1123_subdomain(name) }
}

/// An object's name that must be a DNS label; with `prefix`, a `generateName`.
#[must_use]
pub fn name_is_dns_label(name: &str, prefix: bool) -> Complaints {
    if prefix { dns1123_label(&mask_trailing_dash(name)) } else { dns1123_label(name) }
}

/// An object's name that must be a DNS label of RFC 1035; with `prefix`, a `generateName`.
#[must_use]
pub fn name_is_dns1035_label(name: &str, prefix: bool) -> Complaints {
    if prefix { dns1035_label(&mask_trailing_dash(name)) } else { dns1035_label(name) }
}

/// A text in quotes as Go's `%q` writes it, which is how error messages show values.
///
/// ```
/// assert_eq!(seatrial::objects::names::quoted("a\"b\n"), r#""a\"b\n""#);
/// ```
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            '\0'..='\x7f' => escape(&mut out, "\\x", 2, c),
            _ if shape::is_printable(c) => out.push(c),
            '\u{80}'..='\u{ffff}' => escape(&mut out, "\\u", 4, c),
            _ => escape(&mut out, "\\U", 8, c),
        }
    }
    out.push('"');
    out
}

fn escape(out: &mut String, prefix: &str, width: usize, c: char) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{prefix}{:0width$x}", u32::from(c));
}
