//! Gateways at work: which rule of the HTTPRoutes that are attached to a Gateway takes a request, what filters make of it, and in
//! which shares backends get it (`gateway-api` `apis/v1/httproute_types.go`).

mod compile;
mod filter;
mod matches;
#[cfg(test)]
mod precedence_tests;
#[cfg(test)]
mod tests;

use crate::api::gateway::{BackendFault, covers, specificity};
use crate::kernel::SimDuration;
use crate::objects::Key;

use filter::Changes;

pub use matches::RouteMatch;

/// The HTTPRoutes of a Gateway, compiled by listener.
#[derive(Clone, Debug, Default)]
pub struct HttpRoutes {
    /// Those that take requests.
    listeners: Vec<OpenListener>,
    rules: Vec<RouteRule>,
    /// What has no effect, in words, with the route.
    pub notices: Vec<(Key, String)>,
}

/// A listener that takes requests.
#[derive(Clone, Debug)]
struct OpenListener {
    name: String,
    port: u16,
    is_https: bool,
    /// Name or wildcard of its hosts; empty = all.
    hostname: String,
    /// Matches with the rule that each leads to, those that win first.
    matches: Vec<(RouteMatch, usize)>,
}

/// A rule of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteRule {
    /// The HTTPRoute.
    pub route: Key,
    /// Where requests go, with weights.
    pub backends: Vec<WeightedBackend>,
    /// How long an answer may take at most; nothing = any time.
    pub timeout: Option<SimDuration>,
    changes: Changes,
}

/// A backend and its share.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedBackend {
    /// The Service.
    pub service: Key,
    /// Its port.
    pub port: u16,
    /// Its part of the sum of all weights; 0 = nothing.
    pub weight: u64,
    /// What is wrong with it; its share is answered with 500.
    pub fault: Option<BackendFault>,
    changes: Changes,
}

/// A request, as far as HTTPRoutes look at it.
#[derive(Clone, Copy, Debug)]
pub struct GatewayRequest<'r> {
    /// Whether it comes over TLS.
    pub is_tls: bool,
    /// Host without port.
    pub host: &'r str,
    /// Port of the URL.
    pub port: u16,
    /// Path without query.
    pub path: &'r str,
    /// Method, in upper case.
    pub method: &'r str,
    /// Headers; names are compared without case.
    pub headers: &'r [(&'r str, &'r str)],
    /// Query parameters.
    pub query: &'r [(&'r str, &'r str)],
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Answer<'g> {
    /// Nobody listens.
    NotListening,
    /// No certificate is for the host.
    NoCertificate,
    /// No rule takes it; the name of the listener, if one is for the host: 404.
    NoRule(Option<&'g str>),
    /// The client is sent elsewhere.
    Redirect {
        /// By that rule.
        rule: &'g RouteRule,
        /// With that status.
        status: u16,
        /// To that URL.
        to: String,
    },
    /// One of the rule's backends gets it, drawn by weight; 500 if there is none.
    Forward {
        /// The rule.
        rule: &'g RouteRule,
        /// By that match.
        by: &'g RouteMatch,
    },
}

/// A request as a backend gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Host.
    pub host: String,
    /// Path.
    pub path: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
}

impl HttpRoutes {
    /// What becomes of a request.
    #[must_use]
    pub fn answer(&self, request: &GatewayRequest<'_>) -> Answer<'_> {
        let host = request.host.to_ascii_lowercase();
        let open: Vec<&OpenListener> = self.on_port(request.port, request.is_tls).collect();
        if open.is_empty() {
            return Answer::NotListening;
        }
        // The most specific listener is the only one.
        let for_host = open.into_iter().filter(|listener| covers(&listener.hostname, &host));
        let Some(listener) = for_host.max_by_key(|listener| specificity(&listener.hostname)) else {
            return if request.is_tls { Answer::NoCertificate } else { Answer::NoRule(None) };
        };
        let Some((one, rule)) = listener.matches.iter().find(|(one, _)| one.fits(&host, request)) else {
            return Answer::NoRule(Some(&listener.name));
        };
        let rule = &self.rules[*rule];
        match rule.changes.redirect(request, listener.port, one) {
            Some((status, to)) => Answer::Redirect { rule, status, to },
            None => Answer::Forward { rule, by: one },
        }
    }

    /// The listeners of a port. Behind a port that none has, such as one of the nodes, are those for the scheme.
    fn on_port(&self, port: u16, is_tls: bool) -> impl Iterator<Item = &OpenListener> {
        let is_known = self.listeners.iter().any(|listener| listener.port == port);
        let fits = move |listener: &&OpenListener| listener.is_https == is_tls && (!is_known || listener.port == port);
        self.listeners.iter().filter(fits)
    }

    /// Whether a listener and a route of it are for a host.
    #[must_use]
    pub fn serves_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.listeners.iter().any(|listener| listener.matches.iter().any(|(one, _)| one.fits_host(&host)))
    }
}

impl RouteRule {
    /// A request that it takes by a match, as one of its backends gets it: by the filters of the rule, then by those of the backend.
    #[must_use]
    pub fn forwarded(&self, request: &GatewayRequest<'_>, by: &RouteMatch, backend: &WeightedBackend) -> Forwarded {
        let headers = request.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut forwarded =
            Forwarded { host: request.host.to_owned(), path: request.path.to_owned(), headers: headers.collect() };
        for changes in [&self.changes, &backend.changes] {
            changes.apply(&mut forwarded, by.prefix());
        }
        forwarded
    }
}
