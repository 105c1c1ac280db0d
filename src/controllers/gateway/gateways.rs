//! Statuses of Gateways and their listeners.

use crate::api::View;
use crate::api::gateway::{ListenerFault, allows_http_routes, attach, listener_fault, names_gateway};
use crate::objects::gateway::{
    GATEWAY_GROUP, GATEWAY_NAME_LABEL, Gateway, GatewayStatus, GatewayStatusAddress, Listener, ListenerStatus,
    RouteGroupKind,
};
use crate::objects::{Conditions as _, Object, Resource as _, Service, SharedList, WallTime};

use super::{class_of, condition};

/// The Gateway with its status as it should be; nothing = it is, or nobody takes care of its class.
pub(super) fn observed(view: &View, gateway: &Gateway, now: WallTime) -> Option<Object> {
    class_of(view, gateway)?;
    let generation = gateway.meta.generation;
    let faults: Vec<Option<ListenerFault>> =
        gateway.spec.listeners.iter().map(|listener| listener_fault(view, gateway, listener)).collect();
    let working = faults.iter().filter(|fault| fault.is_none()).count();
    let all_work = working == faults.len();
    let (reason, programmed) =
        (if all_work { "Accepted" } else { "ListenersNotValid" }, if working > 0 { "Programmed" } else { "Invalid" });
    let message = if all_work { "" } else { "some listeners do not work" };
    let listeners = gateway.spec.listeners.iter().zip(&faults);
    let status = GatewayStatus {
        addresses: addresses(view, gateway),
        conditions: gateway
            .status
            .conditions
            .with(condition("Accepted", working > 0, reason, message, generation, now))
            .with(condition("Programmed", working > 0, programmed, message, generation, now)),
        listeners: listeners
            .map(|(listener, fault)| listener_status(view, gateway, (listener, fault.as_ref()), now))
            .collect(),
    };
    (status != gateway.status).then(|| Gateway { status, ..gateway.clone() }.into())
}

/// Of the load balancers of the Services that lead to its data plane.
fn addresses(view: &View, gateway: &Gateway) -> SharedList<GatewayStatusAddress> {
    let leads = |service: &&std::sync::Arc<Service>| {
        let selector = service.spec.selector.as_ref();
        selector.is_some_and(|labels| labels.get(GATEWAY_NAME_LABEL) == Some(&gateway.meta.name))
    };
    let services = view.services.in_namespace(&gateway.meta.namespace).filter(leads);
    let address = |point: &crate::objects::LoadBalancerIngress| {
        let (kind, value) = if point.ip.is_empty() { ("Hostname", &point.hostname) } else { ("IPAddress", &point.ip) };
        GatewayStatusAddress { kind: kind.into(), value: value.to_string().into() }
    };
    services.flat_map(|service| service.status.load_balancer.ingress.iter().map(address).collect::<Vec<_>>()).collect()
}

fn listener_status(
    view: &View,
    gateway: &Gateway,
    (listener, fault): (&Listener, Option<&ListenerFault>),
    now: WallTime,
) -> ListenerStatus {
    let generation = gateway.meta.generation;
    let old = gateway.status.listeners.iter().find(|old| old.name == listener.name).cloned().unwrap_or_default();
    let supported = RouteGroupKind { group: GATEWAY_GROUP.into(), kind: "HTTPRoute".into() };
    let kinds = if allows_http_routes(listener) { vec![supported] } else { Vec::new() };
    let told = |fault: &ListenerFault| (fault.reason(), fault.to_string());
    let is_protocol = |fault: &&ListenerFault| matches!(fault, ListenerFault::UnsupportedProtocol(_));
    let is_conflict = |fault: &&ListenerFault| matches!(fault, ListenerFault::ProtocolConflict(_));
    let not_accepted = fault.filter(|fault| is_protocol(fault) || is_conflict(fault)).map(told);
    let conflict = fault.filter(is_conflict).map(told);
    let unresolved = fault.filter(|fault| !is_protocol(fault) && !is_conflict(fault)).map(told);
    // Kinds that cannot attach are told of, and do no harm to the others.
    let has_foreign =
        listener.allowed_routes.kinds.iter().any(|kind| kind.kind != "HTTPRoute" || kind.group != GATEWAY_GROUP);
    let unresolved =
        unresolved.or_else(|| has_foreign.then(|| ("InvalidRouteKinds", "only HTTPRoutes can attach".to_owned())));
    let state = |kind: &'static str, fault: Option<(&'static str, String)>, reason: &'static str, holds: bool| {
        let is_well = fault.is_none();
        let (reason, message) = fault.unwrap_or((reason, String::new()));
        condition(kind, is_well == holds, reason, message, generation, now)
    };
    let not_programmed = fault.map(|fault| ("Invalid", fault.to_string()));
    ListenerStatus {
        name: listener.name.clone(),
        supported_kinds: kinds.into(),
        attached_routes: attached_routes(view, gateway, listener),
        conditions: old
            .conditions
            .with(state("Accepted", not_accepted, "Accepted", true))
            .with(state("Programmed", not_programmed, "Programmed", true))
            .with(state("ResolvedRefs", unresolved, "ResolvedRefs", true))
            .with(state("Conflicted", conflict, "NoConflicts", false)),
    }
}

/// Routes that are attached to a listener, whether it works or not.
fn attached_routes(view: &View, gateway: &Gateway, listener: &Listener) -> i32 {
    let (key, place) = (gateway.key(), gateway.spec.listeners.iter().position(|other| other.name == listener.name));
    let is_attached = |route: &&std::sync::Arc<crate::objects::HTTPRoute>| {
        let parents = route.spec.parent_refs.iter().filter(|one| names_gateway(one, &route.meta.namespace, &key));
        let mut attached = parents.filter_map(|parent| attach(view, gateway, route, parent).ok()).flatten();
        attached.any(|one| Some(one.listener) == place)
    };
    i32::try_from(view.http_routes.iter().filter(is_attached).count()).unwrap_or(i32::MAX)
}
