//! HTTPRoutes of the Gateway API: which rule takes a request, and in which shares its backends get it (`gateway-api`
//! `apis/v1/httproute_types.go`).
//!
//! HTTPRoutes are kept as they were applied, without a controller that acts on them; this is the pure matcher.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use serde_json::Value;

use crate::api::View;
use crate::kernel::Stream;
use crate::objects::{Key, OpaqueObject};

/// Group of the API.
const GROUP: &str = "gateway.networking.k8s.io/";

/// The compiled HTTPRoutes of a Gateway.
#[derive(Clone, Debug, Default)]
pub struct HttpRoutes {
    /// Matches with the rule that each leads to, those that win first.
    matches: Vec<(RouteMatch, usize)>,
    rules: Vec<RouteRule>,
}

/// A rule of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRule {
    /// The HTTPRoute.
    pub route: Key,
    /// Where requests go, with weights.
    pub backends: Vec<WeightedBackend>,
    /// Status of a redirect, if the rule is one.
    pub redirect: Option<u16>,
}

/// A backend and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedBackend {
    /// The Service.
    pub service: Key,
    /// Its port.
    pub port: u16,
    /// Its part of the sum of all weights; 0 = nothing.
    pub weight: u64,
    /// Whether the Service exists; the share of one that does not is answered with 500.
    pub exists: bool,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayAnswer<'r> {
    /// It goes to that backend.
    Forward(&'r WeightedBackend),
    /// The Gateway answers by itself: 404 without a rule, 500 for the share of a missing backend, 302 of a redirect.
    Status(u16),
}

/// A request, as far as HTTPRoutes look at it.
#[derive(Clone, Copy, Debug)]
pub struct GatewayRequest<'r> {
    /// Host without port.
    pub host: &'r str,
    /// Path without query.
    pub path: &'r str,
    /// Method, in upper case.
    pub method: &'r str,
    /// Headers; names are compared without case.
    pub headers: &'r [(&'r str, &'r str)],
    /// Query parameters.
    pub query: &'r [(&'r str, &'r str)],
}

#[derive(Clone, Debug)]
struct RouteMatch {
    hostname: String,
    path: (bool, String),
    method: String,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl HttpRoutes {
    /// The routes that name a Gateway as their parent. Match types other than `Exact` and `PathPrefix` are left out.
    #[must_use]
    pub fn compile(view: &View, gateway: &Key) -> Self {
        let is_route = |object: &&std::sync::Arc<OpaqueObject>| {
            &*object.kind == "HTTPRoute" && object.api_version.starts_with(GROUP)
        };
        let mut routes: Vec<_> =
            view.opaque.values().filter(is_route).filter(|route| names_parent(route, gateway)).collect();
        // The oldest first, then by name.
        routes.sort_by_key(|route| {
            (route.meta.creation_timestamp, route.meta.namespace.clone(), route.meta.name.clone())
        });
        let mut compiled = Self::default();
        for route in routes {
            compiled.add(view, route);
        }
        // Stable: what is alike stays in the order above.
        compiled.matches.sort_by_key(|(one, _)| {
            let is_exact_host = !one.hostname.starts_with("*.") && !one.hostname.is_empty();
            let path = (one.path.0, one.path.1.len());
            Reverse((
                is_exact_host,
                one.hostname.len(),
                path,
                !one.method.is_empty(),
                one.headers.len(),
                one.query.len(),
            ))
        });
        compiled
    }

    /// The rule that takes a request.
    #[must_use]
    pub fn rule(&self, request: &GatewayRequest<'_>) -> Option<&RouteRule> {
        let (_, rule) = self.matches.iter().find(|(one, _)| one.fits(request))?;
        self.rules.get(*rule)
    }

    /// Whether a route is for a host, by its name or a wildcard.
    #[must_use]
    pub fn serves_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.matches.iter().any(|(one, _)| one.fits_host(&host))
    }

    /// What becomes of a request; the backend is drawn by weight.
    pub fn answer(&self, request: &GatewayRequest<'_>, stream: &mut Stream) -> GatewayAnswer<'_> {
        let Some(rule) = self.rule(request) else { return GatewayAnswer::Status(404) };
        if let Some(status) = rule.redirect {
            return GatewayAnswer::Status(status);
        }
        let total: u64 = rule.backends.iter().map(|backend| backend.weight).sum();
        let mut draw = stream.below(total);
        for backend in &rule.backends {
            if draw < backend.weight {
                return if backend.exists { GatewayAnswer::Forward(backend) } else { GatewayAnswer::Status(500) };
            }
            draw -= backend.weight;
        }
        GatewayAnswer::Status(500)
    }

    fn add(&mut self, view: &View, route: &OpaqueObject) {
        let spec = route.rest.get("spec").unwrap_or(&Value::Null);
        let hostnames: Vec<String> = texts(spec.get("hostnames")).map(str::to_ascii_lowercase).collect();
        let hostnames = if hostnames.is_empty() { vec![String::new()] } else { hostnames };
        for rule in list(spec.get("rules")) {
            let number = self.rules.len();
            let key = Key { namespace: route.meta.namespace.clone(), name: route.meta.name.clone() };
            self.rules.push(RouteRule { backends: backends(view, &key, rule), redirect: redirect(rule), route: key });
            let any = [Value::Null];
            let given: Vec<&Value> = list(rule.get("matches")).collect();
            let matches = if given.is_empty() { any.iter().collect() } else { given };
            for (hostname, one) in hostnames.iter().flat_map(|host| matches.iter().map(move |one| (host, one))) {
                if let Some(one) = RouteMatch::read(hostname, one) {
                    self.matches.push((one, number));
                }
            }
        }
    }
}

impl RouteMatch {
    fn read(hostname: &str, wire: &Value) -> Option<Self> {
        let path = wire.get("path").unwrap_or(&Value::Null);
        let is_exact = match text(path, "type") {
            "Exact" => true,
            "" | "PathPrefix" => false,
            _ => return None,
        };
        let value = Some(text(path, "value")).filter(|value| !value.is_empty()).unwrap_or("/");
        let pairs = |field: &str| -> Option<Vec<(String, String)>> {
            let read = |pair: &Value| {
                let is_exact = matches!(text(pair, "type"), "" | "Exact");
                is_exact.then(|| (text(pair, "name").to_owned(), text(pair, "value").to_owned()))
            };
            list(wire.get(field)).map(read).collect()
        };
        Some(Self {
            hostname: hostname.to_owned(),
            path: (is_exact, value.to_owned()),
            method: text(wire, "method").to_owned(),
            headers: pairs("headers")?,
            query: pairs("queryParams")?,
        })
    }

    /// A wildcard stands for any number of labels here.
    fn fits_host(&self, host: &str) -> bool {
        match self.hostname.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => self.hostname.is_empty() || self.hostname == host,
        }
    }

    fn fits(&self, request: &GatewayRequest<'_>) -> bool {
        let (is_exact, path) = &self.path;
        let fits_path = if *is_exact { request.path == path } else { is_below(request.path, path) };
        let has = |pairs: &[(&str, &str)], (name, value): &(String, String), any_case: bool| {
            let same = |own: &str| if any_case { own.eq_ignore_ascii_case(name) } else { own == name };
            pairs.iter().any(|(own, other)| same(own) && other == value)
        };
        self.fits_host(&request.host.to_ascii_lowercase())
            && fits_path
            && (self.method.is_empty() || self.method == request.method)
            && self.headers.iter().all(|pair| has(request.headers, pair, true))
            && self.query.iter().all(|pair| has(request.query, pair, false))
    }
}

/// Whether a path is another one or below it, element by element.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn backends(view: &View, route: &Key, rule: &Value) -> Vec<WeightedBackend> {
    let read = |backend: &Value| {
        let namespace = Some(text(backend, "namespace")).filter(|own| !own.is_empty()).unwrap_or(&route.namespace);
        let service = Key::new(namespace, text(backend, "name"));
        let number = |field: &str| backend.get(field).and_then(Value::as_u64);
        let is_service = matches!(text(backend, "kind"), "" | "Service");
        WeightedBackend {
            exists: is_service && view.services.get(&service).is_some(),
            port: number("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
            weight: number("weight").unwrap_or(1).min(1_000_000),
            service,
        }
    };
    list(rule.get("backendRefs")).map(read).collect()
}

fn redirect(rule: &Value) -> Option<u16> {
    let filter = list(rule.get("filters")).find(|filter| text(filter, "type") == "RequestRedirect")?;
    let status = filter.get("requestRedirect").and_then(|redirect| redirect.get("statusCode")).and_then(Value::as_u64);
    Some(status.and_then(|status| u16::try_from(status).ok()).unwrap_or(302))
}

fn names_parent(route: &OpaqueObject, gateway: &Key) -> bool {
    let parents = route.rest.get("spec").and_then(|spec| spec.get("parentRefs"));
    list(parents).any(|parent| {
        let namespace = Some(text(parent, "namespace")).filter(|own| !own.is_empty()).unwrap_or(&route.meta.namespace);
        matches!(text(parent, "kind"), "" | "Gateway")
            && text(parent, "name") == &*gateway.name
            && namespace == &*gateway.namespace
    })
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}
