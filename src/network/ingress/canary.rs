//! Which requests a canary takes (ingress-nginx `rootfs/etc/nginx/lua/balancer.lua`).

use regex::{Regex, RegexBuilder};

use crate::kernel::Stream;

use super::route::Request;

/// Largest compiled pattern, bytes.
pub(super) const REGEX_BYTES: usize = 1 << 20;

/// By what a canary takes requests: by a header, else by a cookie, else by weight.
#[derive(Clone, Debug)]
pub struct Shaping {
    /// Parts of [`Shaping::weight_total`] that it takes.
    pub weight: u64,
    /// What the weight is a part of; less than 100 counts as 100.
    pub weight_total: u64,
    /// Header that decides: `always`, `never`, anything else = it does not.
    pub header: Option<String>,
    /// The value of the header, instead of `always` and `never`.
    pub header_value: Option<String>,
    /// Pattern for the value of the header, if no value is given.
    pub header_pattern: Option<Regex>,
    /// Cookie that decides: `always`, `never`, anything else = it does not.
    pub cookie: Option<String>,
}

impl Default for Shaping {
    fn default() -> Self {
        Self { weight: 0, weight_total: 100, header: None, header_value: None, header_pattern: None, cookie: None }
    }
}

impl PartialEq for Shaping {
    fn eq(&self, other: &Self) -> bool {
        let pattern = |shaping: &Self| shaping.header_pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        (self.weight, self.weight_total, &self.header, &self.header_value, &self.cookie)
            == (other.weight, other.weight_total, &other.header, &other.header_value, &other.cookie)
            && pattern(self) == pattern(other)
    }
}

/// Where a request goes between a backend and its canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To the backend itself.
    Main,
    /// To the canary.
    Canary,
    /// To the canary by `weight` of `total` chances.
    Drawn {
        /// Chances of the canary.
        weight: u64,
        /// All chances.
        total: u64,
    },
}

impl Side {
    /// Draws, where there is something to draw: whether it is the canary.
    pub fn is_canary(self, stream: &mut Stream) -> bool {
        match self {
            Self::Main => false,
            Self::Canary => true,
            Self::Drawn { weight, total } => stream.ratio(weight, total),
        }
    }
}

impl Shaping {
    /// Which side takes a request, and by which rule.
    #[must_use]
    pub fn side(&self, request: &Request<'_>) -> (Side, &'static str) {
        let wanted = self.header.as_deref().and_then(|name| request.header(name));
        match (wanted, &self.header_value, &self.header_pattern) {
            (Some(value), Some(expected), _) if value == expected => return (Side::Canary, "header value"),
            (Some(value), None, Some(pattern)) if pattern.is_match(value) => return (Side::Canary, "header pattern"),
            (Some("always"), None, None) => return (Side::Canary, "header"),
            (Some("never"), None, None) => return (Side::Main, "header"),
            _ => {}
        }
        match self.cookie.as_deref().and_then(|name| request.cookie(name)) {
            Some("always") => return (Side::Canary, "cookie"),
            Some("never") => return (Side::Main, "cookie"),
            _ => {}
        }
        let total = self.weight_total.max(100);
        let side = match self.weight {
            0 => Side::Main,
            weight if weight >= total => Side::Canary,
            weight => Side::Drawn { weight, total },
        };
        (side, "weight")
    }

    pub(super) fn set_pattern(&mut self, pattern: &str) -> bool {
        self.header_pattern = RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build().ok();
        self.header_pattern.is_some()
    }
}
