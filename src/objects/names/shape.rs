//! The regular expressions of names, as plain functions.

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether every byte is accepted by `inner`, and the first and the last by `outer`.
fn framed(value: &str, outer: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = value.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => outer(first) && outer(last) && bytes.iter().all(|&byte| inner(byte)),
        _ => false,
    }
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
pub(super) fn is_dns1123_label(value: &str) -> bool {
    framed(value, lower_alphanumeric, |byte| byte == b'-' || lower_alphanumeric(byte))
}

/// Labels joined by dots.
pub(super) fn is_dns1123_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns1123_label)
}

/// `_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?`
pub(super) fn is_underscored_label(value: &str) -> bool {
    let inner = |byte| matches!(byte, b'-' | b'_') || lower_alphanumeric(byte);
    framed(value.strip_prefix('_').unwrap_or(value), lower_alphanumeric, inner)
}

/// `[a-z]([-a-z0-9]*[a-z0-9])?`
pub(super) fn is_dns1035_label(value: &str) -> bool {
    value.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && is_dns1123_label(value)
}

/// `([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]`
pub(super) fn is_label_name(value: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_alphanumeric();
    framed(value, alphanumeric, |byte| matches!(byte, b'-' | b'_' | b'.') || alphanumeric(byte))
}

/// One or more ASCII letters, digits and `others`.
pub(super) fn is_words(value: &str, others: &[u8]) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// Whether Go's `strconv.IsPrint` holds, for characters beyond ASCII.
pub(super) fn is_printable(c: char) -> bool {
    // Rust's debug form of a text leaves the same characters alone, combining marks included if not in front.
    let text = String::from_iter(['a', c]);
    text.escape_debug().eq(text.chars())
}
