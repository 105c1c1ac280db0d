//! What becomes of a request at the controller.

use regex::RegexBuilder;

use crate::network::Cidr;

use super::affinity::Session;
use super::canary::REGEX_BYTES;
use super::canary::Side;
use super::matcher::{GroupId, Location, Matcher, Server, bare_host};

/// A request, as far as routing looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The `Host` header, with or without a port.
    pub host: &'r str,
    /// The path, with or without a query.
    pub path: &'r str,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// Method, in upper case.
    pub method: &'r str,
    /// Headers; names are compared without case.
    pub headers: &'r [(&'r str, &'r str)],
    /// Cookies.
    pub cookies: &'r [(&'r str, &'r str)],
    /// Length of the body, bytes.
    pub body_bytes: u64,
    /// The addresses of those who ask, as the controller sees them; nothing = its lists are not looked at.
    pub client: Option<Cidr>,
}

impl<'r> Request<'r> {
    /// A plain `GET` without headers.
    #[must_use]
    pub const fn get(host: &'r str, path: &'r str) -> Self {
        Self { host, path, is_tls: false, method: "GET", headers: &[], cookies: &[], body_bytes: 0, client: None }
    }

    pub(super) fn header(&self, name: &str) -> Option<&'r str> {
        // nginx takes `-` and `_` for the same in names of variables.
        let same = |own: &str| own.replace('-', "_").eq_ignore_ascii_case(&name.replace('-', "_"));
        self.headers.iter().find(|(own, _)| same(own)).map(|(_, value)| *value)
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&'r str> {
        self.cookies.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Routed<'m> {
    /// It goes to a group of peers.
    Forward {
        /// The host.
        server: &'m Server,
        /// The location.
        location: &'m Location,
        /// The path that the peer sees.
        path: String,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// The host.
        server: &'m Server,
        /// The location.
        location: &'m Location,
        /// 301, 302 or 308.
        status: u16,
        /// Where to.
        to: String,
    },
    /// The controller answers by itself.
    Status {
        /// The host.
        server: &'m Server,
        /// The location, if one takes the path.
        location: Option<&'m Location>,
        /// The status.
        status: u16,
        /// Why.
        why: Why,
    },
}

/// Why the controller answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No Ingress has a rule for the host.
    UnknownHost,
    /// No rule of the host fits the path.
    NoPath,
    /// The body is longer than `proxy-body-size` allows.
    BodyTooLarge,
    /// The client's address is not let through.
    AddressDenied,
}

impl<'m> Routed<'m> {
    /// Where lists of addresses decide about a request of a client of whom they were not asked.
    #[must_use]
    pub fn lists(&self) -> Option<(&'m Server, &'m Location)> {
        let (server, location) = match self {
            Self::Forward { server, location, .. } => (*server, *location),
            Self::Status { server, location, why: Why::UnknownHost | Why::NoPath, .. } => (*server, (*location)?),
            Self::Status { why: Why::BodyTooLarge | Why::AddressDenied, .. } | Self::Redirect { .. } => return None,
        };
        location.settings.has_lists().then_some((server, location))
    }
}

impl Matcher {
    /// What becomes of a request. This depends on host, path, scheme, size and client only, so that it is asked once for all
    /// requests that have them in common.
    #[must_use]
    pub fn route(&self, request: &Request<'_>) -> Routed<'_> {
        let server = self.server(request.host);
        let path = normalized(request.path);
        let status = |location, status, why| Routed::Status { server, location, status, why };
        let Some(location) = server.location(&path) else { return status(None, 404, Why::NoPath) };
        let settings = &location.settings;
        if settings.body_bytes != 0 && request.body_bytes > settings.body_bytes {
            return status(Some(location), 413, Why::BodyTooLarge);
        }
        let redirect = |status: u16, to: String| Routed::Redirect { server, location, status, to };
        let scheme = if request.is_tls { "https" } else { "http" };
        if server.adds_slash(&path) {
            return redirect(301, format!("{scheme}://{}{path}/", request.host));
        }
        if let Some(root) = settings.app_root.as_ref().filter(|_| path == "/") {
            return redirect(302, format!("{scheme}://{}{root}", request.host));
        }
        if let Some((url, status)) = settings.redirect.as_ref().filter(|(url, _)| !url.is_empty()) {
            return redirect(*status, url.clone());
        }
        let is_challenge = path.starts_with("/.well-known/acme-challenge");
        let wants_tls = settings.force_ssl_redirect || settings.ssl_redirect && has_certificate(server);
        if !request.is_tls && wants_tls && !is_challenge {
            let path = request.path.strip_suffix('/').unwrap_or(request.path);
            return redirect(308, format!("https://{}{path}", bare_host(request.host)));
        }
        if request.client.is_some_and(|client| !settings.lets_in(&client)) {
            return status(Some(location), 403, Why::AddressDenied);
        }
        if location.group == GroupId::DEFAULT_BACKEND && self.groups[0].service.is_none() {
            let is_known = *server.host != *"_";
            return status(Some(location), 404, if is_known { Why::NoPath } else { Why::UnknownHost });
        }
        Routed::Forward { server, location, path: rewritten(location, path) }
    }

    /// Which side of a group and its canary takes a request, and by which rule. A client with a cookie for one of them stays
    /// there.
    #[must_use]
    pub fn side(&self, group: GroupId, request: &Request<'_>, session: Option<Session>) -> (Side, &'static str) {
        let main = self.group(group);
        let Some((canary, shaping)) = &main.canary else { return (Side::Main, "there is no canary") };
        let is_sticky =
            |id: GroupId| self.group(id).affinity.is_some() && session.is_some_and(|session| session.group == id);
        if is_sticky(group) {
            (Side::Main, "session cookie")
        } else if is_sticky(*canary) {
            (Side::Canary, "session cookie")
        } else {
            shaping.side(request)
        }
    }
}

/// Whether nginx takes the host for one with a certificate; the catch-all server has one only by name.
fn has_certificate(server: &Server) -> bool {
    server.certificate.is_some() && *server.host != *"_"
}

/// The path without its query, escapes decoded, `//`, `/./` and `/../` resolved.
fn normalized(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or("");
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        (rest, _) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => (&tail[2..], bytes.push((high * 16 + low) as u8)),
            _ => (tail, bytes.push(*first)),
        };
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let ends_in_slash = text.ends_with('/') || text.ends_with("/.") || text.ends_with("/..");
    let slash = if ends_in_slash && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

fn rewritten(location: &Location, path: String) -> String {
    let Some(target) =
        location.settings.rewrite_target.as_deref().filter(|_| location.settings.rewrites(&location.path))
    else {
        return path;
    };
    // Not anchored, as nginx' `rewrite` is not.
    let regex = RegexBuilder::new(&location.path).case_insensitive(true).size_limit(REGEX_BYTES).build();
    let Some(groups) = regex.ok().and_then(|regex| {
        let groups = regex.captures(&path)?;
        let texts: Vec<String> =
            (0..10).map(|number| groups.get(number).map_or("", |group| group.as_str()).to_owned()).collect();
        Some(texts)
    }) else {
        return path;
    };
    let mut rewritten = String::new();
    let mut rest = target.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek().and_then(|next| next.to_digit(10)).filter(|_| c == '$') {
            Some(number) => {
                rest.next();
                rewritten.push_str(&groups[number as usize]);
            }
            None => rewritten.push(c),
        }
    }
    rewritten
}
