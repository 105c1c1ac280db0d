//! From a Gateway and the routes that are attached to it to tables by listener.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::api::View;
use crate::api::gateway::{Attached, attach, backend_fault, listener_fault, names_gateway};
use crate::kernel::SimDuration;
use crate::objects::gateway::{Gateway, HttpBackendRef, HttpRouteRule};
use crate::objects::wire::Wire;
use crate::objects::{HTTPRoute, Key, Resource as _};

use super::filter::Changes;
use super::matches::RouteMatch;
use super::{HttpRoutes, OpenListener, RouteRule, WeightedBackend};

impl HttpRoutes {
    /// The routes that are attached to a Gateway, by its listeners that work. Nobody listens for a Gateway that is not there.
    #[must_use]
    pub fn compile(view: &View, gateway: &Key) -> Self {
        let mut compiled = Self::default();
        let Some(gateway) = view.gateways.get(gateway) else { return compiled };
        let open = |place: usize| listener_fault(view, gateway, &gateway.spec.listeners[place]).is_none();
        let places: Vec<usize> = (0..gateway.spec.listeners.len()).filter(|place| open(*place)).collect();
        compiled.listeners = places.iter().map(|place| open_listener(gateway, *place)).collect();
        let mut routes: Vec<&Arc<HTTPRoute>> = view.http_routes.iter().collect();
        // The oldest first, then by `{namespace}/{name}`, where `a-b/x` comes before `a/x`.
        routes.sort_by_cached_key(|route| (route.meta.creation_timestamp, route.key().to_string()));
        for route in routes {
            compiled.add(view, gateway, &places, route);
        }
        for listener in &mut compiled.listeners {
            // Stable: what is alike stays in the order above.
            listener.matches.sort_by_key(|(one, _)| Reverse(one.precedence()));
        }
        compiled
    }

    fn add(&mut self, view: &View, gateway: &Arc<Gateway>, places: &[usize], route: &Arc<HTTPRoute>) {
        let key = gateway.key();
        let parents = route.spec.parent_refs.iter().filter(|one| names_gateway(one, &route.meta.namespace, &key));
        let mut attached: Vec<Attached> =
            parents.flat_map(|parent| attach(view, gateway, route, parent).unwrap_or_default()).collect();
        attached.retain(|one| places.contains(&one.listener));
        if attached.is_empty() {
            return;
        }
        for rule in &route.spec.rules {
            let number = self.rules.len();
            self.rules.push(compiled_rule(view, route, rule));
            let any = [Default::default()];
            let matches = if rule.matches.is_empty() { &any } else { &*rule.matches };
            for one in &attached {
                let Some(at) = places.iter().position(|place| *place == one.listener) else { continue };
                for (hostname, given) in
                    one.hostnames.iter().flat_map(|host| matches.iter().map(move |given| (host, given)))
                {
                    match RouteMatch::new(hostname, given) {
                        Ok(given) => self.listeners[at].matches.push((given, number)),
                        Err(fault) => self.note(route, format!("a match has no effect: {fault}")),
                    }
                }
            }
        }
    }

    fn note(&mut self, route: &Arc<HTTPRoute>, text: String) {
        let notice = (route.key(), text);
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}

fn open_listener(gateway: &Gateway, place: usize) -> OpenListener {
    let listener = &gateway.spec.listeners[place];
    OpenListener {
        name: listener.name.to_string(),
        port: u16::try_from(listener.port).unwrap_or(0),
        is_https: listener.is_https(),
        hostname: listener.hostname.as_deref().unwrap_or_default().to_owned(),
        matches: Vec::new(),
    }
}

fn compiled_rule(view: &View, route: &Arc<HTTPRoute>, rule: &HttpRouteRule) -> RouteRule {
    let namespace = &route.meta.namespace;
    let backend = |one: &HttpBackendRef| WeightedBackend {
        service: Key::new(one.namespace.as_deref().unwrap_or(namespace), &*one.name),
        port: one.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        weight: u64::try_from(one.weight).unwrap_or(0),
        fault: backend_fault(view, namespace, one),
        changes: Changes::of(&one.filters),
    };
    RouteRule {
        route: route.key(),
        backends: rule.backend_refs.iter().map(backend).collect(),
        timeout: timeout(rule),
        changes: Changes::of(&rule.filters),
    }
}

/// The shorter of the times for a request and for one try of it, which are the same without retries; `0s` = any time.
fn timeout(rule: &HttpRouteRule) -> Option<SimDuration> {
    let timeouts = rule.rest.get("timeouts")?;
    let read =
        |field: &str| timeouts.text_some(field)?.parse::<SimDuration>().ok().filter(|time| *time > SimDuration::ZERO);
    ["request", "backendRequest"].into_iter().filter_map(read).min()
}
