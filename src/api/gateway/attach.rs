//! Which routes attach to which listeners.

use crate::api::View;
use crate::objects::gateway::{FromNamespaces, GATEWAY_GROUP, Gateway, HTTPRoute, Listener, ParentReference};
use crate::objects::{Key, Labels};

use super::{allows_http_routes, intersection};

/// A listener that a route is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its place in the Gateway.
    pub listener: usize,
    /// The hosts that it and the route have in common, by name or wildcard; an empty one stands for all.
    pub hostnames: Vec<String>,
}

/// Why a route is attached to no listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteRefusal {
    /// No listener has the name or port that it asks for.
    NoMatchingParent,
    /// The listeners do not allow routes of its kind or namespace.
    NotAllowedByListeners,
    /// It has no host in common with the listeners.
    NoMatchingListenerHostname,
}

impl RouteRefusal {
    /// The reason of the condition `Accepted`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoMatchingParent => "NoMatchingParent",
            Self::NotAllowedByListeners => "NotAllowedByListeners",
            Self::NoMatchingListenerHostname => "NoMatchingListenerHostname",
        }
    }

    /// In words.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::NoMatchingParent => "no listener has the name or port that the route asks for",
            Self::NotAllowedByListeners => "the listeners do not allow routes of its kind or namespace",
            Self::NoMatchingListenerHostname => "it has no host in common with the listeners",
        }
    }
}

/// Whether a parent of a route of that namespace is the Gateway.
#[must_use]
pub fn names_gateway(parent: &ParentReference, namespace: &str, gateway: &Key) -> bool {
    parent.group == GATEWAY_GROUP
        && parent.kind == "Gateway"
        && parent.name == *gateway.name
        && parent.namespace.as_deref().unwrap_or(namespace) == &*gateway.namespace
}

/// The listeners of a Gateway that a route is attached to by one of its parents, whether they work or not.
///
/// # Errors
/// Why there are none.
pub fn attach(
    view: &View,
    gateway: &Gateway,
    route: &HTTPRoute,
    parent: &ParentReference,
) -> Result<Vec<Attached>, RouteRefusal> {
    let is_asked = |listener: &Listener| {
        parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
            && parent.port.is_none_or(|port| port == listener.port)
    };
    let listeners = gateway.spec.listeners.iter().enumerate();
    let asked: Vec<(usize, &Listener)> = listeners.filter(|(_, listener)| is_asked(listener)).collect();
    if asked.is_empty() {
        return Err(RouteRefusal::NoMatchingParent);
    }
    let mut allowed = asked.into_iter().filter(|(_, listener)| allows(view, gateway, listener, route)).peekable();
    if allowed.peek().is_none() {
        return Err(RouteRefusal::NotAllowedByListeners);
    }
    let common = |(place, listener): (usize, &Listener)| {
        let hostnames = common_hostnames(listener, route);
        (!hostnames.is_empty()).then_some(Attached { listener: place, hostnames })
    };
    let attached: Vec<Attached> = allowed.filter_map(common).collect();
    if attached.is_empty() { Err(RouteRefusal::NoMatchingListenerHostname) } else { Ok(attached) }
}

fn allows(view: &View, gateway: &Gateway, listener: &Listener, route: &HTTPRoute) -> bool {
    if !allows_http_routes(listener) || !matches!(&*listener.protocol, "HTTP" | "HTTPS") {
        return false;
    }
    let namespaces = &listener.allowed_routes.namespaces;
    match (namespaces.from, &namespaces.selector) {
        (FromNamespaces::All, _) => true,
        (FromNamespaces::Same, _) => route.meta.namespace == gateway.meta.namespace,
        (FromNamespaces::Selector, None) => false,
        (FromNamespaces::Selector, Some(selector)) => {
            let namespace = view.namespaces.get(&Key::new("", route.meta.namespace.clone()));
            let none = Labels::default();
            selector.compiled.matches(namespace.map_or(&none, |namespace| &namespace.meta.labels))
        }
    }
}

fn common_hostnames(listener: &Listener, route: &HTTPRoute) -> Vec<String> {
    let own = listener.hostname.as_deref().unwrap_or_default();
    if route.spec.hostnames.is_empty() {
        return vec![own.to_owned()];
    }
    route.spec.hostnames.iter().filter_map(|host| intersection(own, host).map(str::to_owned)).collect()
}
