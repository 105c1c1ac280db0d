//! Statuses of HTTPRoutes, by parent.

use crate::api::View;
use crate::api::gateway::{attach, backend_fault};
use crate::objects::gateway::{HttpRouteStatus, ParentReference, RouteParentStatus};
use crate::objects::{Conditions as _, HTTPRoute, Key, Object, WallTime};

use super::{class_of, condition};

/// The route with its status as it should be; nothing = it is. Parents of which nobody takes care say nothing.
pub(super) fn observed(view: &View, route: &HTTPRoute, now: WallTime) -> Option<Object> {
    let parents = route.spec.parent_refs.iter();
    let status = HttpRouteStatus { parents: parents.filter_map(|parent| at(view, route, parent, now)).collect() };
    let old = route.status.clone().unwrap_or_default();
    (status != old).then(|| HTTPRoute { status: Some(status), ..route.clone() }.into())
}

fn at(view: &View, route: &HTTPRoute, parent: &ParentReference, now: WallTime) -> Option<RouteParentStatus> {
    let namespace = parent.namespace.as_deref().unwrap_or(&route.meta.namespace);
    let gateway = view.gateways.get(&Key::new(namespace, &*parent.name))?;
    let class = class_of(view, gateway)?;
    let generation = route.meta.generation;
    let known = route.status.iter().flat_map(|status| status.parents.iter());
    let old = known.filter(|old| old.parent_ref == *parent).map(|old| old.conditions.clone()).next();
    let accepted = match attach(view, gateway, route, parent) {
        Ok(_) => condition("Accepted", true, "Accepted", "", generation, now),
        Err(refusal) => condition("Accepted", false, refusal.reason(), refusal.message(), generation, now),
    };
    let mut backends = route.spec.rules.iter().flat_map(|rule| rule.backend_refs.iter());
    let resolved = match backends.find_map(|backend| backend_fault(view, &route.meta.namespace, backend)) {
        None => condition("ResolvedRefs", true, "ResolvedRefs", "", generation, now),
        Some(fault) => condition("ResolvedRefs", false, fault.reason(), fault.to_string(), generation, now),
    };
    Some(RouteParentStatus {
        parent_ref: parent.clone(),
        controller_name: class.spec.controller_name.clone(),
        conditions: old.unwrap_or_default().with(accepted).with(resolved),
    })
}
