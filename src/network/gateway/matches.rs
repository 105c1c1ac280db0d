//! What a request must be like for a rule, and which of several rules wins.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::api::gateway::{covers, specificity};
use crate::objects::gateway::{HttpPathMatch, HttpRouteMatch, HttpValueMatch, PathMatchType, ValueMatchType};

use super::GatewayRequest;

/// Memory of a compiled pattern at most, bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A match of a rule for one host.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    hostname: String,
    path: HttpPathMatch,
    pattern: Option<Regex>,
    method: String,
    headers: Vec<ValueMatch>,
    query: Vec<ValueMatch>,
}

#[derive(Clone, Debug)]
struct ValueMatch {
    name: String,
    value: String,
    pattern: Option<Regex>,
}

impl RouteMatch {
    /// Compiles a match.
    ///
    /// # Errors
    /// The pattern that is none.
    pub(super) fn new(hostname: &str, one: &HttpRouteMatch) -> Result<Self, String> {
        let path = one.path.clone().unwrap_or_default();
        let is_pattern = path.kind == PathMatchType::RegularExpression;
        Ok(Self {
            hostname: hostname.to_owned(),
            pattern: is_pattern.then(|| pattern(&path.value)).transpose()?,
            path,
            method: one.method.as_deref().unwrap_or_default().to_owned(),
            headers: values(&one.headers, true)?,
            query: values(&one.query_params, false)?,
        })
    }

    /// What is greater wins; of equal ones the older route, then the first by name, then the earlier rule. Upstream leaves the place of
    /// patterns open; they are between exact paths and prefixes, as with most implementations.
    pub(super) fn precedence(&self) -> impl Ord + use<> {
        let kind = match self.path.kind {
            PathMatchType::Exact => 2,
            PathMatchType::RegularExpression => 1,
            PathMatchType::PathPrefix => 0,
        };
        let path = (kind, self.path.value.len());
        (specificity(&self.hostname), path, !self.method.is_empty(), self.headers.len(), self.query.len())
    }

    /// Whether it is for a host, which is in lower case.
    pub(super) fn fits_host(&self, host: &str) -> bool {
        covers(&self.hostname, host)
    }

    pub(super) fn fits(&self, host: &str, request: &GatewayRequest<'_>) -> bool {
        let fits_path = match (self.path.kind, &self.pattern) {
            (PathMatchType::RegularExpression, pattern) => {
                pattern.as_ref().is_some_and(|one| one.is_match(request.path))
            }
            (PathMatchType::Exact, _) => *self.path.value == *request.path,
            (PathMatchType::PathPrefix, _) => is_below(request.path, &self.path.value),
        };
        self.fits_host(host)
            && fits_path
            && (self.method.is_empty() || self.method == request.method)
            && self.headers.iter().all(|one| one.fits(request.headers, str::eq_ignore_ascii_case))
            && self.query.iter().all(|one| one.fits(request.query, |own, name| own == name))
    }

    /// The prefix that a rewrite replaces.
    pub(super) fn prefix(&self) -> &str {
        if self.path.kind == PathMatchType::PathPrefix { &self.path.value } else { "" }
    }
}

/// As explanations name it: `PathPrefix /cart, header x-canary`.
impl fmt::Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.kind.as_str(), self.path.value)?;
        if !self.method.is_empty() {
            write!(f, ", method {}", self.method)?;
        }
        for header in &self.headers {
            write!(f, ", header {}: {}", header.name, header.value)?;
        }
        for parameter in &self.query {
            write!(f, ", query {}={}", parameter.name, parameter.value)?;
        }
        Ok(())
    }
}

impl ValueMatch {
    fn fits(&self, pairs: &[(&str, &str)], same: impl Fn(&str, &str) -> bool) -> bool {
        let has_value = |value: &str| self.pattern.as_ref().map_or(self.value == value, |one| one.is_match(value));
        pairs.iter().any(|(name, value)| same(name, &self.name) && has_value(value))
    }
}

/// Of several for one name the first counts.
fn values(given: &[HttpValueMatch], any_case: bool) -> Result<Vec<ValueMatch>, String> {
    let mut all: Vec<ValueMatch> = Vec::new();
    for one in given {
        let is_known = |known: &ValueMatch| {
            if any_case { known.name.eq_ignore_ascii_case(&one.name) } else { *known.name == *one.name }
        };
        if all.iter().any(is_known) {
            continue;
        }
        let is_pattern = one.kind == ValueMatchType::RegularExpression;
        let pattern = is_pattern.then(|| pattern(&one.value)).transpose()?;
        all.push(ValueMatch { name: one.name.to_string(), value: one.value.to_string(), pattern });
    }
    Ok(all)
}

/// A pattern for whole values.
fn pattern(text: &str) -> Result<Regex, String> {
    let whole = format!("^(?:{text})$");
    RegexBuilder::new(&whole)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|_| format!("{text:?} is no pattern that can be used"))
}

/// Whether a path is another one or below it, element by element.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
