//! What the controller of a Gateway API implementation says of GatewayClasses, Gateways and HTTPRoutes in their statuses. It stands
//! for whichever controller a class names; the data plane, which is pods of its own, does not wait for it.

mod gateways;
mod routes;
#[cfg(test)]
mod tests;

use crate::api::gateway::names_gateway;
use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, Part, Reconciler, Request, Response, Step, View};
use crate::objects::{
    Condition, ConditionStatus, Conditions as _, Gateway, GatewayClass, HTTPRoute, Key, Kind, Namespace, Object,
    Resource, Service, Text, WallTime,
};

/// Writes the statuses.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::GatewayController;
/// assert_eq!(GatewayController.name(), "gateway-controller");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GatewayController;

/// The key of a sync: what it is about stands before the name.
fn sync_key(kind: Kind, key: &Key) -> Key {
    Key::new(key.namespace.clone(), format!("{kind}/{}", key.name))
}

impl Reconciler for GatewayController {
    type State = ();

    fn name(&self) -> &'static str {
        "gateway-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[
            Kind::GatewayClass,
            Kind::Gateway,
            Kind::HTTPRoute,
            Kind::ReferenceGrant,
            Kind::Service,
            Kind::Namespace,
            Kind::Opaque,
        ])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((old, class)) = change.of::<GatewayClass>() {
            if old.is_none_or(|old| old.meta.generation != class.meta.generation) {
                queue.add(sync_key(Kind::GatewayClass, &class.key()));
                all(view, queue);
            }
        } else if let Some((old, gateway)) = change.of::<Gateway>() {
            if is_other(change, old.map(|old| old.meta.generation), gateway.meta.generation) {
                queue.add(sync_key(Kind::Gateway, &gateway.key()));
                let parent = gateway.key();
                routes_of(view, &parent).for_each(|route| queue.add(sync_key(Kind::HTTPRoute, &route)));
            }
        } else if let Some((old, route)) = change.of::<HTTPRoute>() {
            if is_other(change, old.map(|old| old.meta.generation), route.meta.generation) {
                queue.add(sync_key(Kind::HTTPRoute, &route.key()));
                view.gateways.iter().for_each(|gateway| queue.add(sync_key(Kind::Gateway, &gateway.key())));
            }
        } else if matters(change) {
            all(view, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some((kind, name)) = key.name.split_once('/') else { return Step::done() };
        let key = Key::new(key.namespace.clone(), name);
        let update = match kind {
            "GatewayClass" => cx.view.gateway_classes.get(&key).and_then(|class| accepted(class, cx.now)),
            "Gateway" => cx.view.gateways.get(&key).and_then(|gateway| gateways::observed(cx.view, gateway, cx.now)),
            _ => cx.view.http_routes.get(&key).and_then(|route| routes::observed(cx.view, route, cx.now)),
        };
        match update {
            Some(object) => Step::call(vec![Request::Update(object, Part::Status)], ()),
            None => Step::done(),
        }
    }

    fn resume(&mut self, _cx: Context<'_>, _key: &Key, (): (), responses: Vec<Response>) -> Step<()> {
        match responses.into_iter().next() {
            Some(Err(error)) if !error.is_not_found() => Step::retry(error.message),
            _ => Step::done(),
        }
    }
}

/// Whether more than a status is new.
fn is_other(change: &Change, old: Option<i64>, new: i64) -> bool {
    change.change_type == ChangeType::Deleted || old != Some(new)
}

/// Whether a change of what routes and listeners refer to may matter.
fn matters(change: &Change) -> bool {
    if let Some((old, service)) = change.of::<Service>() {
        return old.is_none_or(|old| old.spec != service.spec || old.status != service.status);
    }
    if let Some((old, namespace)) = change.of::<Namespace>() {
        return old.is_some_and(|old| old.meta.labels != namespace.meta.labels);
    }
    match &change.object {
        Object::Opaque(object) => &*object.kind == "Secret",
        Object::ReferenceGrant(_) => true,
        _ => false,
    }
}

/// Everything anew.
fn all(view: &View, queue: &mut Enqueue) {
    view.gateways.iter().for_each(|gateway| queue.add(sync_key(Kind::Gateway, &gateway.key())));
    view.http_routes.iter().for_each(|route| queue.add(sync_key(Kind::HTTPRoute, &route.key())));
}

fn routes_of<'v>(view: &'v View, gateway: &'v Key) -> impl Iterator<Item = Key> + 'v {
    let is_child = |route: &&std::sync::Arc<HTTPRoute>| {
        route.spec.parent_refs.iter().any(|parent| names_gateway(parent, &route.meta.namespace, gateway))
    };
    view.http_routes.iter().filter(is_child).map(|route| route.key())
}

/// The class of a Gateway, which says who takes care of it; nothing = nobody does.
fn class_of<'v>(view: &'v View, gateway: &Gateway) -> Option<&'v std::sync::Arc<GatewayClass>> {
    view.gateway_classes.get(&Key::new("", &*gateway.spec.gateway_class_name))
}

fn accepted(class: &GatewayClass, now: WallTime) -> Option<Object> {
    let mut class = class.clone();
    let accepted = condition("Accepted", true, "Accepted", "", class.meta.generation, now);
    let conditions = class.status.conditions.with(accepted);
    let is_new = conditions != class.status.conditions;
    class.status.conditions = conditions;
    is_new.then(|| class.into())
}

/// A condition. Without a message it gets the usual one of its type: definitions demand that there is one.
fn condition(
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: impl Into<Text>,
    generation: i64,
    now: WallTime,
) -> Condition {
    let usual = match kind {
        "Programmed" => "requests are taken",
        "ResolvedRefs" => "all references lead somewhere",
        "Conflicted" => "no other listener is in the way",
        _ => "it is taken care of",
    };
    let message = Some(message.into()).filter(|message| !message.is_empty()).unwrap_or(usual.into());
    let condition = Condition::new(kind, ConditionStatus::of(holds), now.timestamp()).because(reason, message);
    Condition { observed_generation: Some(generation), ..condition }
}
