//! The compiled form of all Ingresses of a controller: which location takes which path of which host.

use std::fmt;
use std::sync::Arc;

use regex::Regex;
use rustc_hash::FxHashMap;

use crate::objects::{Key, PathType, Text};

use super::affinity::Affinity;
use super::canary::Shaping;
use super::settings::{LoadBalance, Settings};

/// A group of peers, by its place in the list of a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl GroupId {
    /// The controller's own default backend.
    pub const DEFAULT_BACKEND: Self = Self(0);
}

/// The peers of a port of a Service. The default is the controller itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// The Service; nothing = the controller itself, which answers 404.
    pub service: Option<Key>,
    /// Its port.
    pub port: BackendPort,
    /// Whether requests go to the Service's address.
    pub is_service_upstream: bool,
    /// How a peer is chosen.
    pub load_balance: LoadBalance,
    /// Whether a cookie decides.
    pub affinity: Option<Affinity>,
    /// What takes a part of its requests.
    pub canary: Option<(GroupId, Shaping)>,
    /// Whether it is only a canary of others.
    pub is_canary: bool,
}

/// The port of a backend by name or number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendPort {
    /// Name; empty = it is named by its number.
    pub name: Text,
    /// Number.
    pub number: i32,
}

impl fmt::Display for BackendPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { write!(f, "{}", self.number) } else { f.write_str(&self.name) }
    }
}

/// A path of a host, as nginx has it.
#[derive(Clone, Debug)]
pub struct Location {
    /// The path.
    pub path: Arc<str>,
    /// How a request's path is compared with it.
    pub kind: LocationMatch,
    /// The path as the Ingress has it.
    pub written: Arc<str>,
    /// Its type as the Ingress has it.
    pub path_type: PathType,
    /// Where requests go.
    pub group: GroupId,
    /// Where they go if there is nobody.
    pub fallback: Option<GroupId>,
    /// The Ingress; nothing = the default location of a host.
    pub ingress: Option<Key>,
    /// What that Ingress asks for.
    pub settings: Arc<Settings>,
    /// Whether nothing of an Ingress leads here but the host's default backend.
    pub is_default: bool,
}

/// How the path of a request is compared with that of a location.
#[derive(Clone, Debug)]
pub enum LocationMatch {
    /// Equal.
    Exact,
    /// The request's begins with it.
    Prefix,
    /// The request's begins with something that the pattern fits, in any case.
    Regex(Regex),
}

/// The certificate of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// That of a Secret.
    Secret(Key),
    /// The controller's own, which no client trusts, and why.
    Fake(String),
}

/// A host.
#[derive(Clone, Debug)]
pub struct Server {
    /// Name, possibly with `*` as its first label; `_` = every host that has no server of its own.
    pub host: Arc<str>,
    /// Locations, longest paths first.
    pub locations: Vec<Location>,
    /// Certificate; nothing = the host is not served over TLS by itself.
    pub certificate: Option<Certificate>,
    /// Whether all of its paths are regular expressions.
    pub uses_regex: bool,
}

/// Something about an Ingress that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The Ingress.
    pub ingress: Key,
    /// What.
    pub text: String,
}

/// All Ingresses of a controller, compiled. Made by [`Matcher::compile`].
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Hosts; the first one is `_`.
    pub servers: Vec<Server>,
    /// Groups; the first one is the default backend.
    pub groups: Vec<Group>,
    /// What is odd about the Ingresses.
    pub notices: Vec<Notice>,
    pub(super) hosts: FxHashMap<Arc<str>, u32>,
    /// By what follows the first label.
    pub(super) wildcards: FxHashMap<Arc<str>, u32>,
}

impl Matcher {
    /// A group.
    #[must_use]
    pub fn group(&self, id: GroupId) -> &Group {
        &self.groups[id.0 as usize]
    }

    /// The server of a `Host` header, with or without a port: an exact name, else a wildcard for exactly one label, else `_`.
    #[must_use]
    pub fn server(&self, host: &str) -> &Server {
        let host = bare_host(host);
        let wildcard = || {
            let (first, rest) = host.split_once('.')?;
            let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            (!first.is_empty() && first.chars().all(is_label)).then(|| self.wildcards.get(rest)).flatten()
        };
        let found = self.hosts.get(host.as_str()).or_else(wildcard);
        &self.servers[found.copied().unwrap_or(0) as usize]
    }
}

impl Server {
    /// The location of a path: with regular expressions the first one that fits; otherwise the equal one, else the longest one
    /// that the path begins with.
    #[must_use]
    pub fn location(&self, path: &str) -> Option<&Location> {
        if self.uses_regex {
            return self.locations.iter().find(|location| location.fits(path));
        }
        let is_exact = |location: &&Location| matches!(location.kind, LocationMatch::Exact);
        let exact = self.locations.iter().filter(is_exact).find(|location| location.fits(path));
        // Longest first.
        exact.or_else(|| {
            self.locations.iter().filter(|location| !is_exact(location)).find(|location| location.fits(path))
        })
    }
}

impl Server {
    /// Whether nginx redirects a path to the same with a slash behind it: there is a location for that and none for the path.
    pub(super) fn adds_slash(&self, path: &str) -> bool {
        let is_exact = |location: &Location| matches!(location.kind, LocationMatch::Exact);
        let is_longer = |location: &Location| !is_exact(location) && location.path.strip_suffix('/') == Some(path);
        !self.uses_regex
            && self.locations.iter().any(is_longer)
            && !self.locations.iter().any(|location| is_exact(location) && location.fits(path))
    }
}

impl Location {
    fn fits(&self, path: &str) -> bool {
        match &self.kind {
            LocationMatch::Exact => *path == *self.path,
            LocationMatch::Prefix => path.starts_with(&*self.path),
            LocationMatch::Regex(regex) => regex.is_match(path),
        }
    }

    /// The path type in words: that of the Ingress, or `regular expression`.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            LocationMatch::Exact | LocationMatch::Prefix => self.path_type.as_str(),
            LocationMatch::Regex(_) => "regular expression",
        }
    }
}

/// A host without its port, in lower case, without a dot at the end.
pub(super) fn bare_host(host: &str) -> String {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}
