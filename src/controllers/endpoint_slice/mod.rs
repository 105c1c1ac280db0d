//! The EndpointSlice controller: which pods stand behind a Service (upstream `pkg/controller/endpointslice` and
//! `k8s.io/endpointslice`).
//!
//! A sync writes only slices that must change, and looks only at pods that changed since the last one and at their
//! slices, unless something happened that calls for a look at all. Topology hints follow `trafficDistribution`, or the older
//! annotation `service.kubernetes.io/topology-mode`; a Service with that one is looked at as a whole.

pub(in crate::controllers) mod blueprint;
pub(in crate::controllers) mod candidates;
mod hints;
mod memory;
mod packing;
mod placement;
pub(in crate::controllers) mod services;
mod topology;
pub(in crate::controllers) mod triggers;

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod row_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{
    ApiError, Change, ChangeType, Context, DeleteOptions, Enqueue, EventKind, EventSpec, KindSet, Part, RateLimit,
    Reconciler, Request, Response, Step, Then, View,
};
use crate::kernel::SimDuration;
use crate::objects::{EndpointSlice, Key, Kind, Node, Object, Resource, Service, Timestamp, Uid, WallTime};

use candidates::Candidates;
use hints::Hints;
use memory::Memory;
use packing::Plan;
use placement::Scope;
use services::ServiceIndex;
use topology::{Told, TopologyCache};

/// Label of a slice that names who manages it.
pub const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY_LABEL`] on the slices of this controller.
pub const MANAGER: &str = "endpointslice-controller.k8s.io";
/// Label of the slices of Services without a virtual address.
pub const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";
/// Annotation of a slice with the time of the earliest change that its last write covers.
pub const TRIGGER_TIME_ANNOTATION: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Most endpoints of a slice.
pub const MAX_ENDPOINTS_PER_SLICE: usize = 100;

/// Wait before a sync because of a slice that someone else changed (`endpointSliceChangeMinSyncDelay`).
const SLICE_CHANGE_DELAY: SimDuration = SimDuration::from_secs(1);

/// The EndpointSlice controller.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::EndpointSliceController;
/// assert_eq!(EndpointSliceController::default().name(), "endpoint-slice-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceController {
    services: ServiceIndex,
    memories: FxHashMap<Key, Memory>,
    /// Counts changes of nodes that endpoints may show.
    nodes: u64,
    topology: TopologyCache,
}

/// What a sync remembers while its writes are under way.
#[derive(Clone, Debug)]
pub struct Writing {
    writes: Vec<Write>,
    /// What went wrong before the writes.
    failure: Option<String>,
    /// What is told about the Service when they are done.
    events: Vec<Request>,
}

#[derive(Clone, Debug)]
enum Write {
    Create,
    Update(Arc<str>),
    Delete(Arc<str>, Uid),
}

impl Reconciler for EndpointSliceController {
    type State = Writing;

    fn name(&self) -> &'static str {
        "endpoint-slice-controller"
    }

    /// 1 s doubling to 1,000 s, dropped after 15 retries: one sync may write many slices.
    fn rate_limit(&self) -> RateLimit {
        RateLimit { base: SimDuration::from_secs(1), give_up_after: Some(15), ..RateLimit::DEFAULT }
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Pod, Kind::Service, Kind::EndpointSlice, Kind::Node])
    }

    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        match &change.object {
            Object::Pod(pod) => {
                let old = change.of().and_then(|(old, _)| old.map(Arc::as_ref));
                match change.change_type {
                    ChangeType::Added => self.pod_changed(None, Some(pod), queue),
                    ChangeType::Modified => self.pod_changed(old, Some(pod), queue),
                    ChangeType::Deleted => self.pod_changed(old.or(Some(pod)), None, queue),
                }
            }
            Object::Service(service) => self.service_changed(change.change_type, service, queue),
            Object::EndpointSlice(slice) => {
                let old = change.of().and_then(|(old, _)| old);
                self.slice_changed(change.change_type, old, slice, queue);
            }
            Object::Node(node) => {
                let old = change.of::<Node>().and_then(|(old, _)| old);
                let unchanged = change.change_type == ChangeType::Modified
                    && old.is_some_and(|old| candidates::zone(old) == candidates::zone(node));
                self.nodes += u64::from(!unchanged);
                if self.topology.follow(change, node) {
                    self.topology.overloaded().into_iter().for_each(|service| queue.add(service));
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Writing> {
        let (Some(service), Some(memory)) = (cx.view.services.get(key), self.memories.get_mut(key)) else {
            return Step::done();
        };
        if !services::is_managed(service) {
            return Step::done();
        }
        let slices: Vec<&Arc<EndpointSlice>> =
            cx.view.slices_of(key).filter(|slice| is_ours(slice) && !slice.meta.is_deleting()).collect();
        if memory.expects_other_than(&slices) {
            return Step::retry("EndpointSlice informer cache is out of date");
        }
        let blueprint = memory.blueprint(service);
        let trigger = memory.take_trigger(service, cx.view);
        if blueprint.hints == Hints::Auto {
            // Shares are of all endpoints.
            memory.placement.distrust();
        }
        let scope = memory.placement.begin(self.nodes);
        let selector = memory.selector().clone();
        let pods = Candidates::find(cx.view, service, &blueprint, &selector, &scope, &slices);
        let (plan, told) = packing::plan(key, &blueprint, &slices, &pods, &scope, &mut self.topology);
        match &scope {
            Scope::All => memory.placement.replace(pods.places(&slices)),
            Scope::Changed(names, _) => {
                names.iter().filter(|pod| !pods.contains(pod)).for_each(|pod| memory.placement.remove(pod));
            }
        }
        let failure = pods.failure(service);
        let about = Object::from(service.clone());
        let events = told.into_iter().map(|told| tell(&about, told)).collect();
        memory.begin(write_down(plan, service, trigger), failure, events, service)
    }

    fn resume(&mut self, _cx: Context<'_>, key: &Key, state: Writing, responses: Vec<Response>) -> Step<Writing> {
        let Writing { writes, mut failure, mut events } = state;
        let Some(memory) = self.memories.get_mut(key) else { return Step::done() };
        for (write, response) in writes.iter().zip(responses) {
            match (write, response) {
                (Write::Create | Write::Update(_), Ok(Object::EndpointSlice(slice))) => memory.wrote(&slice),
                (Write::Create | Write::Update(_), Ok(_)) => memory.failed(write),
                (Write::Delete(..), Ok(_)) => {}
                (write, Err(error)) => {
                    memory.failed(write);
                    if !error.is_namespace_terminating() {
                        failure.get_or_insert_with(|| describe(write, key, &error));
                    }
                }
            }
        }
        let (service, foreign_change) = memory.end();
        let step = match (failure, service) {
            (Some(why), Some(service)) => give_back(&service, why),
            (Some(why), None) => Step::retry(why),
            (None, _) if foreign_change => Step::done().requeue_after(SLICE_CHANGE_DELAY),
            (None, _) => Step::done(),
        };
        events.extend(step.requests);
        Step { requests: events, then: step.then }
    }
}

impl EndpointSliceController {
    fn service_changed(&mut self, change_type: ChangeType, service: &Arc<Service>, queue: &mut Enqueue) {
        let key = service.key();
        self.services.remove(&key);
        if change_type == ChangeType::Deleted {
            self.memories.remove(&key);
            return;
        }
        let memory = self.memories.entry(key.clone()).or_default();
        memory.select(service);
        if services::is_managed(service) {
            self.services.insert(key.clone(), service);
            queue.add(key);
        }
    }

    /// Notices slices that someone else changed: what this controller wrote itself needs no further sync.
    fn slice_changed(
        &mut self,
        change_type: ChangeType,
        old: Option<&Arc<EndpointSlice>>,
        slice: &Arc<EndpointSlice>,
        queue: &mut Enqueue,
    ) {
        let mut wake = |memories: &FxHashMap<Key, Memory>, slice: &EndpointSlice| {
            if let Some(key) = service_key(slice).filter(|key| memories.contains_key(key)) {
                queue.add_after(key, SLICE_CHANGE_DELAY);
            }
        };
        if let Some(old) = old.filter(|old| old.service() != slice.service()) {
            for key in [slice, old].into_iter().filter_map(|slice| service_key(slice)) {
                self.memories.entry(key).and_modify(|memory| memory.placement.distrust());
            }
            wake(&self.memories, slice);
            wake(&self.memories, old);
            return;
        }
        let Some(memory) = service_key(slice).and_then(|key| self.memories.get_mut(&key)) else { return };
        let surprising = match change_type {
            ChangeType::Deleted => is_ours(slice) && memory.saw_deletion(&slice.meta.uid),
            ChangeType::Added => is_ours(slice) && memory.saw(&slice.meta),
            ChangeType::Modified => {
                let taken_over = old.is_some_and(|old| is_ours(old) != is_ours(slice));
                if taken_over {
                    memory.placement.distrust();
                }
                taken_over || (is_ours(slice) && memory.saw(&slice.meta))
            }
        };
        if surprising {
            wake(&self.memories, slice);
        }
    }
}

fn is_ours(slice: &EndpointSlice) -> bool {
    slice.meta.labels.get(MANAGED_BY_LABEL) == Some(MANAGER)
}

fn service_key(slice: &EndpointSlice) -> Option<Key> {
    slice.service().map(|name| Key::new(slice.meta.namespace.clone(), name))
}

/// Turns a plan into requests, in upstream's order: creations, updates, deletions, by address type.
fn write_down(plan: Vec<Plan>, service: &Service, trigger: Option<Timestamp>) -> (Vec<Request>, Vec<Write>) {
    let trigger = trigger.map(|at| at.to_string());
    let stamp = |mut slice: EndpointSlice| {
        let annotations = &slice.meta.annotations;
        slice.meta.annotations = match &trigger {
            Some(at) => annotations.with(TRIGGER_TIME_ANNOTATION, at),
            None => annotations.without(TRIGGER_TIME_ANNOTATION),
        };
        Object::from(slice)
    };
    let (mut requests, mut writes) = (Vec::new(), Vec::new());
    for part in plan {
        // A Service that is going away gets no new slices: the garbage collector is about to remove those it has.
        let create = if service.meta.is_deleting() { Vec::new() } else { part.create };
        for slice in create {
            writes.push(Write::Create);
            requests.push(Request::Create(stamp(slice)));
        }
        for slice in part.update {
            writes.push(Write::Update(slice.meta.name.clone()));
            requests.push(Request::Update(stamp(slice), Part::Main));
        }
        for slice in part.delete {
            writes.push(Write::Delete(slice.meta.name.clone(), slice.meta.uid.clone()));
            let options = DeleteOptions::default();
            requests.push(Request::Delete { kind: Kind::EndpointSlice, key: slice.key(), options });
        }
    }
    (requests, writes)
}

fn describe(write: &Write, service: &Key, error: &ApiError) -> String {
    match write {
        Write::Create => format!("failed to create EndpointSlice for Service {service}: {error}"),
        Write::Update(name) => format!("failed to update {name} EndpointSlice for Service {service}: {error}"),
        Write::Delete(name, _) => format!("failed to delete {name} EndpointSlice for Service {service}: {error}"),
    }
}

/// An event about a Service.
fn tell(about: &Object, told: Told) -> Request {
    Request::Event(EventSpec::about(about, told.kind, told.reason, told.message))
}

/// The end of a sync that failed: a warning, and a retry with back-off.
fn give_back(about: &Object, why: String) -> Step<Writing> {
    let key = about.key();
    let message = format!("Error updating Endpoint Slices for Service {key}: {why}");
    let event = EventSpec::about(about, EventKind::Warning, "FailedToUpdateEndpointSlices", message);
    Step { requests: vec![Request::Event(event)], then: Then::Retry(why) }
}
