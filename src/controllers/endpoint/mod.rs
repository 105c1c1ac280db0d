//! The Endpoints controller (upstream `pkg/controller/endpoint`): the older form of what EndpointSlices say, one object for each
//! Service, cut off at [`MAX_CAPACITY`] addresses.

pub(in crate::controllers) mod subsets;
mod triggers;
mod truncate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, EventKind, EventSpec, Part, RateLimit, Reconciler, Request,
    Response, Step, Then, View,
};
use crate::objects::{
    EndpointAddress, EndpointSubset, Endpoints, Key, Kind, Object, ObjectMeta, Pod, Resource, Selector, Service,
    TargetRef, Timestamp, WallTime,
};

use super::endpoint_slice::blueprint::ports;
use super::endpoint_slice::candidates::has_endpoint;
use super::endpoint_slice::services::{ServiceIndex, is_managed};
use super::endpoint_slice::triggers::endpoint_changed;
use super::endpoint_slice::{HEADLESS_LABEL, TRIGGER_TIME_ANNOTATION};
use triggers::TriggerTimes;

/// Most addresses of an Endpoints object.
pub const MAX_CAPACITY: usize = 1000;
/// Annotation of Endpoints that had to be cut off; its value is `truncated`.
pub const OVER_CAPACITY_ANNOTATION: &str = "endpoints.kubernetes.io/over-capacity";
/// Label that names who manages Endpoints, and this controller.
const MANAGED_BY: (&str, &str) = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");

/// The Endpoints controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointsController {
    services: ServiceIndex,
    times: TriggerTimes,
}

/// What a sync wrote.
#[derive(Clone, Debug)]
pub enum Writing {
    /// New Endpoints, for an Event about them.
    Create(Box<Endpoints>),
    /// Changed Endpoints.
    Update(Box<Endpoints>),
    /// Nothing that anything is told of.
    Delete,
}

impl Reconciler for EndpointsController {
    type State = Writing;

    fn name(&self) -> &'static str {
        "endpoint-controller"
    }

    fn rate_limit(&self) -> RateLimit {
        RateLimit { give_up_after: Some(15), ..RateLimit::DEFAULT }
    }

    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        match &change.object {
            Object::Service(service) => {
                let key = service.key();
                self.services.remove(&key);
                if change.change_type != ChangeType::Deleted && is_managed(service) {
                    self.services.insert(key.clone(), service);
                }
                queue.add(key);
            }
            Object::Pod(pod) => {
                let old = change.of::<Pod>().and_then(|(old, _)| old);
                let relabelled = old.is_some_and(|old| old.meta.labels != pod.meta.labels);
                let due = match old {
                    Some(old) if change.change_type == ChangeType::Modified => relabelled || endpoint_changed(old, pod),
                    _ => true,
                };
                let states = [Some(pod), old.filter(|_| relabelled)];
                for pod in states.into_iter().flatten().filter(|_| due) {
                    for key in self.services.selecting(&pod.meta.namespace, &pod.meta.labels) {
                        queue.add(key.clone());
                    }
                }
            }
            Object::Endpoints(endpoints) if change.change_type == ChangeType::Deleted => queue.add(endpoints.key()),
            _ => {}
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Writing> {
        let current = cx.view.endpoints.get(key);
        let Some(service) = cx.view.services.get(key) else {
            self.times.forget(key);
            if current.is_none() {
                return Step::done();
            }
            let options = DeleteOptions::default();
            let request = Request::Delete { kind: Kind::Endpoints, key: key.clone(), options };
            return Step::call(vec![request], Writing::Delete);
        };
        if !is_managed(service) {
            return Step::done();
        }
        if !cx.expectations_met {
            return Step::retry(format!("endpoints informer cache is out of date for endpoints {key}"));
        }
        let selector = service.spec.selector.as_ref().map(Selector::from_labels).unwrap_or_default();
        let pods: Vec<&Arc<Pod>> = cx.view.pods_matching(&service.meta.namespace, &selector).collect();
        let time = self.times.take(service, &pods);
        let wanted = wanted(service, &pods, current, time);
        match current {
            Some(current) if is_as_wanted(current, &wanted, service) => Step::done(),
            Some(_) => {
                let request = Request::Update(wanted.clone().into(), Part::Main);
                Step::call(vec![request], Writing::Update(Box::new(wanted)))
            }
            None => Step::call(vec![Request::Create(wanted.clone().into())], Writing::Create(Box::new(wanted))),
        }
    }

    fn resume(&mut self, _cx: Context<'_>, key: &Key, state: Writing, responses: Vec<Response>) -> Step<Writing> {
        let Some(Err(error)) = responses.into_iter().next() else { return Step::done() };
        let (about, reason, what) = match state {
            Writing::Delete if error.is_not_found() => return Step::done(),
            Writing::Delete => return Step::retry(error.message),
            Writing::Create(_) if error.is_namespace_terminating() => return Step::done(),
            Writing::Create(about) => (about, "FailedToCreateEndpoint", "create endpoint for service"),
            Writing::Update(about) => (about, "FailedToUpdateEndpoint", "update endpoint"),
        };
        let message = format!("Failed to {what} {key}: {error}");
        let event = EventSpec::about(&Object::from(*about), EventKind::Warning, reason, message);
        Step { requests: vec![Request::Event(event)], then: Then::Retry(error.message) }
    }
}

/// The Endpoints of a Service as they should be, before they are cut off.
fn wanted(
    service: &Service,
    pods: &[&Arc<Pod>],
    current: Option<&Arc<Endpoints>>,
    time: Option<Timestamp>,
) -> Endpoints {
    let mut endpoints = match current {
        Some(current) => Endpoints::clone(current),
        None => Endpoints {
            meta: ObjectMeta {
                name: service.meta.name.clone(),
                namespace: service.meta.namespace.clone(),
                ..ObjectMeta::default()
            },
            ..Endpoints::default()
        },
    };
    let all: Vec<EndpointSubset> = pods.iter().flat_map(|pod| of_pod(service, pod)).collect();
    let mut subsets = subsets::repack(&all);
    let annotations = endpoints.meta.annotations.without(TRIGGER_TIME_ANNOTATION).without(OVER_CAPACITY_ANNOTATION);
    let annotations = match time {
        Some(time) => annotations.with(TRIGGER_TIME_ANNOTATION, &time.to_string()),
        None => annotations,
    };
    let cut = truncate::truncate(&mut subsets);
    endpoints.meta.annotations =
        if cut { annotations.with(OVER_CAPACITY_ANNOTATION, "truncated") } else { annotations };
    endpoints.meta.labels = labels(service);
    endpoints.subsets = subsets.into();
    endpoints
}

fn labels(service: &Service) -> crate::objects::Labels {
    let has_address = !service.spec.is_headless() && !service.spec.cluster_ip.is_empty();
    let labels = service.meta.labels.with(MANAGED_BY.0, MANAGED_BY.1);
    if has_address { labels.without(HEADLESS_LABEL) } else { labels.with(HEADLESS_LABEL, "") }
}

/// A pod's address under each of the Service's ports.
fn of_pod(service: &Service, pod: &Pod) -> Vec<EndpointSubset> {
    let all = service.spec.publish_not_ready_addresses;
    let wants_v6 = service.spec.ip_families.first().is_some_and(|family| *family == *"IPv6");
    let ip = pod.status.pod_ip.filter(|ip| ip.is_ipv6() == wants_v6);
    let Some(ip) = ip.filter(|_| has_endpoint(pod) && (all || !pod.meta.is_deleting())) else { return Vec::new() };
    let in_service = !pod.hostname().is_empty() && pod.spec.subdomain == service.meta.name;
    let address = EndpointAddress {
        ip: ip.to_string().into(),
        hostname: if in_service { pod.hostname().clone().into() } else { Default::default() },
        node_name: Some(pod.node_name.clone()),
        target_ref: Some(TargetRef {
            kind: "Pod".into(),
            namespace: pod.meta.namespace.clone().into(),
            name: pod.meta.name.clone().into(),
            uid: pod.meta.uid.clone(),
        }),
    };
    let subset = |ports: Vec<crate::objects::EndpointPort>| {
        let here = [address.clone()].into_iter().collect();
        let ports = ports.into();
        if all || pod.is_ready() {
            EndpointSubset { addresses: here, ports, ..EndpointSubset::default() }
        } else {
            EndpointSubset { not_ready_addresses: here, ports, ..EndpointSubset::default() }
        }
    };
    if service.spec.ports.is_empty() {
        return if service.spec.is_headless() { vec![subset(Vec::new())] } else { Vec::new() };
    }
    ports(service, &pod.spec).iter().map(|port| subset(vec![port.clone()])).collect()
}

/// Whether nothing needs to be written; the annotations that only a write brings do not count.
fn is_as_wanted(current: &Endpoints, wanted: &Endpoints, service: &Service) -> bool {
    let count: usize =
        current.subsets.iter().map(|subset| subset.addresses.len() + subset.not_ready_addresses.len()).sum();
    let fits = count <= MAX_CAPACITY && !current.meta.annotations.contains_key(OVER_CAPACITY_ANNOTATION);
    let known = |labels: &crate::objects::Labels| labels.without(HEADLESS_LABEL).without(MANAGED_BY.0);
    fits && subsets::repack(&current.subsets) == *wanted.subsets
        && known(&current.meta.labels) == known(&service.meta.labels)
}
