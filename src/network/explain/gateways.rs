//! The way through a Gateway: data plane, listener, route, backends.

use std::sync::Arc;

use crate::api::View;
use crate::api::gateway::{attach, covers, listener_fault, names_gateway};
use crate::objects::gateway::{GATEWAY_NAME_LABEL, Gateway};
use crate::objects::{HTTPRoute, Key, Resource as _, Selector, Service};

use super::super::gateway::{Answer, GatewayRequest, HttpRoutes, RouteRule, WeightedBackend};
use super::super::{Cause, Intermediary};
use super::endpoints::Scope;
use super::near::{first_few, nearest};
use super::{Link, Verdict, Walk, Walked};

impl Walk<'_> {
    /// The Gateway that a host leads to: one with a route for it, else one with a route that should be, else one with a listener.
    pub(super) fn gateway_for(&self, host: &str) -> Option<Key> {
        let view = self.world.view;
        let keys = || view.gateways.iter().map(|gateway| gateway.key());
        let names_host = |route: &&Arc<HTTPRoute>| route.spec.hostnames.iter().any(|own| covers(own, host));
        let named_by = |key: &Key| view.http_routes.iter().filter(names_host).any(|route| is_child(route, key));
        let listens = |gateway: &&Arc<Gateway>| {
            gateway.spec.listeners.iter().any(|one| one.hostname.as_ref().is_some_and(|own| covers(own, host)))
        };
        keys()
            .find(|key| HttpRoutes::compile(view, key).serves_host(host))
            .or_else(|| keys().find(named_by))
            .or_else(|| view.gateways.iter().find(listens).map(|gateway| gateway.key()))
    }

    pub(super) fn through_gateway(
        &mut self,
        key: &Key,
        (host, port): (&str, u16),
        path: &str,
        is_tls: bool,
    ) -> Walked<Verdict> {
        let view = self.world.view;
        let Some(gateway) = view.gateways.get(key).cloned() else {
            return self.broken("Gateway", Cause::NoSuchName, format!("there is no Gateway {key}"), Vec::new());
        };
        let keys: Vec<Key> = view
            .pods
            .in_namespace(&key.namespace)
            .filter(|pod| pod.meta.labels.get(GATEWAY_NAME_LABEL) == Some(&key.name) && pod.is_active())
            .map(|pod| pod.key())
            .collect();
        let pods: Vec<String> = keys.iter().map(|pod| format!("pod {pod}")).collect();
        if pods.is_empty() {
            let hint = format!("its pods are those with label {GATEWAY_NAME_LABEL}: {}", key.name);
            let text = format!("no data plane runs for Gateway {key}: nobody listens");
            return self.broken("Gateway", Cause::NoEndpoints, text, vec![hint]);
        }
        let what = format!("the data plane of Gateway {key} ({})", first_few(&pods));
        let pod = self.enter_proxy("Gateway", &what, (&doors(view, key), &keys), port, is_tls)?.pod;
        self.through = Some(Intermediary::Gateway);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let request = GatewayRequest { is_tls, host, port, path, method: "GET", headers: &[], query: &query };
        let routes = HttpRoutes::compile(view, key);
        for (route, text) in &routes.notices {
            self.shaky("Route", format!("HTTPRoute {route}: {text}"));
        }
        match routes.answer(&request) {
            Answer::NotListening => {
                let scheme = if is_tls { "TLS" } else { "plain HTTP" };
                let text = format!("no listener of Gateway {key} takes {scheme} on port {port}");
                let hints = listener_hints(view, &gateway);
                *self.step("Listener", Link::Broken(Cause::PortClosed), text) = hints;
                Ok(Verdict::Unreachable(Cause::PortClosed))
            }
            Answer::NoCertificate => {
                let text = format!("no listener of Gateway {key} has a certificate for host {host}");
                *self.step("Listener", Link::Broken(Cause::Untrusted), text) = listener_hints(view, &gateway);
                Ok(Verdict::Unreachable(Cause::Untrusted))
            }
            Answer::NoRule(listener) => {
                let text = match listener {
                    None => format!("no listener of Gateway {key} is for host {host}"),
                    Some(name) => {
                        format!("no HTTPRoute that is attached to listener {name} has a rule for {host}{path}")
                    }
                };
                let mut hints = if listener.is_none() { listener_hints(view, &gateway) } else { Vec::new() };
                hints.extend(route_hints(view, &gateway, host, path));
                *self.step("Route", Link::Broken(Cause::NoRule), text) = hints;
                Ok(Verdict::Status(404, Cause::NoRule))
            }
            Answer::Redirect { rule, status, to } => {
                self.holds("Route", format!("HTTPRoute {}: redirected, {status} to {to}", rule.route));
                Ok(Verdict::Redirected(status))
            }
            Answer::Forward { rule, by } => {
                let as_path = |backend: &WeightedBackend| {
                    let sent = rule.forwarded(&request, by, backend);
                    if sent.path == path { String::new() } else { format!(", as path {}", sent.path) }
                };
                let rewritten = rule.backends.first().map(as_path).unwrap_or_default();
                self.holds("Route", format!("HTTPRoute {}, {by}: {}{rewritten}", rule.route, shares(rule)));
                self.reach_backends(rule, &pod)
            }
        }
    }

    /// The backend with the largest share; of the others only what is wrong with them.
    fn reach_backends(&mut self, rule: &RouteRule, pod: &Key) -> Walked<Verdict> {
        let weighted = || rule.backends.iter().filter(|backend| backend.weight > 0);
        let Some(main) = weighted().filter(|backend| backend.fault.is_none()).max_by_key(|backend| backend.weight)
        else {
            let text = match weighted().find_map(|backend| backend.fault.as_ref()) {
                Some(fault) => format!("no backend is valid: {fault}"),
                None => "the rule has no backend with a weight".to_owned(),
            };
            *self.step("Backend", Link::Broken(Cause::NoBackend), text) = Vec::new();
            return Ok(Verdict::Status(500, Cause::NoBackend));
        };
        for fault in weighted().filter_map(|backend| backend.fault.as_ref()) {
            self.shaky("Backend", format!("{fault}: its share is answered with 500"));
            self.partly = Some(Cause::NoBackend);
        }
        let service = self.service(&main.service)?;
        let port = self.port(&service, Some(&main.port.to_string()))?;
        let targets = self.endpoints(&service, &port, &Scope::Ready)?;
        self.reach_targets(&targets, Some(pod))
    }
}

fn is_child(route: &HTTPRoute, gateway: &Key) -> bool {
    route.spec.parent_refs.iter().any(|parent| names_gateway(parent, &route.meta.namespace, gateway))
}

/// The Services of type LoadBalancer or NodePort that lead to the data plane.
fn doors(view: &View, gateway: &Key) -> Vec<Key> {
    let selects = |service: &&Arc<Service>| {
        let Some(selector) = service.spec.selector.as_ref().filter(|labels| !labels.is_empty()) else { return false };
        let selector = Selector::from_labels(selector);
        let mut pods = view.pods.in_namespace(&gateway.namespace);
        matches!(&*service.spec.kind, "LoadBalancer" | "NodePort")
            && pods.any(|pod| {
                pod.meta.labels.get(GATEWAY_NAME_LABEL) == Some(&gateway.name) && selector.matches(&pod.meta.labels)
            })
    };
    view.services.in_namespace(&gateway.namespace).filter(selects).map(|service| service.key()).collect()
}

fn listener_hints(view: &View, gateway: &Gateway) -> Vec<String> {
    let hint = |listener: &crate::objects::gateway::Listener| {
        let hosts = listener.hostname.as_deref().map_or("any host".to_owned(), |own| format!("host {own}"));
        let own = format!("listener {}: {} on port {} for {hosts}", listener.name, listener.protocol, listener.port);
        match listener_fault(view, gateway, listener) {
            Some(fault) => format!("{own}, not programmed: {fault}"),
            None => own,
        }
    };
    gateway.spec.listeners.iter().map(hint).collect()
}

/// Routes that are for the host, or nearly, and why they do not take the request.
fn route_hints(view: &View, gateway: &Gateway, host: &str, path: &str) -> Vec<String> {
    let key = gateway.key();
    let mut hints = Vec::new();
    for route in view.http_routes.iter().filter(|route| is_child(route, &key)) {
        let names: Vec<&str> = route.spec.hostnames.iter().map(|own| &**own).collect();
        let (route_key, for_host) = (route.key(), names.is_empty() || names.iter().any(|own| covers(own, host)));
        if !for_host {
            let near = nearest(host, names.into_iter()).map(|near| format!("HTTPRoute {route_key} is for host {near}"));
            hints.extend(near);
            continue;
        }
        let parents = route.spec.parent_refs.iter().filter(|one| names_gateway(one, &route.meta.namespace, &key));
        let refusals: Vec<&str> = parents
            .filter_map(|parent| attach(view, gateway, route, parent).err())
            .map(|refusal| refusal.message())
            .collect();
        match refusals.first() {
            Some(why) => {
                let own = gateway
                    .spec
                    .listeners
                    .iter()
                    .filter_map(|one| Some(format!("{} ({})", one.name, one.hostname.as_deref()?)));
                let own: Vec<String> = own.collect();
                let listed =
                    if own.is_empty() { String::new() } else { format!("; listeners with hosts: {}", first_few(&own)) };
                hints.push(format!("HTTPRoute {route_key} is for the host and is not attached: {why}{listed}"));
            }
            None => {
                hints.push(format!("HTTPRoute {route_key} is for the host; none of its rules fits a GET of {path}"))
            }
        }
    }
    hints
}

fn shares(rule: &RouteRule) -> String {
    let total: u64 = rule.backends.iter().map(|backend| backend.weight).sum();
    let share = |backend: &WeightedBackend| {
        let to = format!("port {} of Service {}", backend.port, backend.service);
        if backend.weight == total { to } else { format!("{to} ({} of {total})", backend.weight) }
    };
    let shares: Vec<String> = rule.backends.iter().map(share).collect();
    if shares.is_empty() { "no backend".to_owned() } else { format!("to {}", shares.join(", ")) }
}
