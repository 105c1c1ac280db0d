//! Host names of listeners and routes. A wildcard stands for one or more labels, unlike in an Ingress.

/// Whether a host is one of those that a name or wildcard stands for; an empty name stands for all. Both are in lower case.
#[must_use]
pub fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern.is_empty() || pattern == host,
    }
}

/// The name or wildcard of the hosts that two of them have in common; nothing = they have none.
#[must_use]
pub fn intersection<'h>(one: &'h str, other: &'h str) -> Option<&'h str> {
    // A wildcard covers a narrower wildcard as it covers a host, by the end.
    if covers(one, other) || one == other { Some(other) } else { covers(other, one).then_some(one) }
}

/// By what the most specific of several that cover a host is told: hosts before wildcards, then the longer.
#[must_use]
pub fn specificity(pattern: &str) -> (bool, usize) {
    (!pattern.is_empty() && !pattern.starts_with('*'), pattern.len())
}
