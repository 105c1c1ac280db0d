//! Mirrors Endpoints that somebody made by hand to EndpointSlices (upstream `pkg/controller/endpointslicemirroring`): those of
//! Services without a selector.

mod plan;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, EventKind, EventSpec, Part, RateLimit, Reconciler, Request,
    Response, Step, Then, View,
};
use crate::kernel::SimDuration;
use crate::objects::{EndpointSlice, Endpoints, Key, Kind, Object, Resource, Service, Uid, WallTime};

use super::endpoint_slice::MANAGED_BY_LABEL;

/// Value of the label [`MANAGED_BY_LABEL`] on the slices of this controller.
pub const MIRRORING_MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// Label of Endpoints that are not to be mirrored.
const SKIP_LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Annotation of Endpoints that were a lock, before there were Leases.
const LEADER_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";
/// Most addresses of a subset that are mirrored.
pub const MAX_ENDPOINTS_PER_SUBSET: usize = 1000;

/// The EndpointSlice mirroring controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceMirroringController {
    /// Generations of the slices that it wrote: what it did itself needs no further sync.
    known: FxHashMap<Uid, i64>,
    /// Slices that changed while writes for these keys were under way.
    writing: FxHashMap<Key, Vec<(Uid, i64)>>,
}

impl Reconciler for EndpointSliceMirroringController {
    /// How many slices are created and updated, before others are deleted.
    type State = usize;

    fn name(&self) -> &'static str {
        "endpoint-slice-mirroring-controller"
    }

    fn rate_limit(&self) -> RateLimit {
        let (base, max) = (SimDuration::from_secs(1), SimDuration::from_secs(100));
        RateLimit { base, max, give_up_after: Some(15), ..RateLimit::DEFAULT }
    }

    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        match &change.object {
            Object::Endpoints(endpoints) => {
                let old = change.of::<Endpoints>().and_then(|(old, _)| old);
                if is_mirrored(endpoints) || old.is_some_and(|old| is_mirrored(old)) {
                    queue.add(endpoints.key());
                }
            }
            Object::Service(service) => {
                let old = change.of::<Service>().and_then(|(old, _)| old);
                let due = match old {
                    Some(old) if change.change_type == ChangeType::Modified => selects(old) != selects(service),
                    _ => !selects(service),
                };
                if due {
                    queue.add(service.key());
                }
            }
            Object::EndpointSlice(slice) => {
                let old = change.of::<EndpointSlice>().and_then(|(old, _)| old);
                self.slice_changed(change.change_type, old, slice, queue);
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<usize> {
        let slices: Vec<&Arc<EndpointSlice>> = cx.view.slices_of(key).filter(|slice| is_ours(slice)).collect();
        let endpoints = cx.view.endpoints.get(key).filter(|endpoints| is_mirrored(endpoints));
        let service = cx.view.services.get(key).filter(|service| !selects(service));
        let (Some(endpoints), Some(_)) = (endpoints, service) else {
            let there = slices.into_iter().filter(|slice| !slice.meta.is_deleting());
            return Step::last(there.map(|slice| deletion(slice)).collect());
        };
        if !cx.expectations_met {
            return Step::retry("EndpointSlice informer cache is out of date");
        }
        let plan = plan::plan(endpoints, &slices);
        let mut requests: Vec<Request> = Vec::new();
        let warn = |reason, message| {
            let about = Object::from(endpoints.clone());
            Request::Event(EventSpec::about(&about, EventKind::Warning, reason, message))
        };
        if plan.invalid > 0 {
            let message = format!("Skipped {} invalid IP addresses when mirroring to EndpointSlices", plan.invalid);
            requests.push(warn("InvalidIPAddress", message));
        }
        if plan.skipped > plan.invalid {
            let message = format!(
                "A max of {MAX_ENDPOINTS_PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset. \
                 {} addresses were skipped",
                plan.skipped
            );
            requests.push(warn("TooManyAddressesToMirror", message));
        }
        let create = if endpoints.meta.is_deleting() { Vec::new() } else { plan.create };
        let written = create.len() + plan.update.len();
        requests.extend(create.into_iter().map(|slice| Request::Create(slice.into())));
        requests.extend(plan.update.into_iter().map(|slice| Request::Update(slice.into(), Part::Main)));
        for slice in &plan.delete {
            self.known.remove(&slice.meta.uid);
            requests.push(deletion(slice));
        }
        self.writing.insert(key.clone(), Vec::new());
        Step { requests, then: Then::Resume(written) }
    }

    fn resume(&mut self, _cx: Context<'_>, key: &Key, written: usize, responses: Vec<Response>) -> Step<usize> {
        let mut failed = None;
        for (at, response) in responses.into_iter().enumerate() {
            match response {
                Ok(Object::EndpointSlice(slice)) if at < written => {
                    self.known.insert(slice.meta.uid.clone(), slice.meta.generation);
                }
                Ok(_) => {}
                Err(error) if error.is_namespace_terminating() || (at >= written && error.is_not_found()) => {}
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        let seen = self.writing.remove(key).unwrap_or_default();
        match failed {
            Some(error) => Step::retry(error.message),
            None if seen.iter().any(|(uid, generation)| self.is_news(uid, *generation)) => {
                Step::done().requeue_after(SimDuration::ZERO)
            }
            None => Step::done(),
        }
    }
}

impl EndpointSliceMirroringController {
    /// Notices slices that someone else changed.
    fn slice_changed(
        &mut self,
        change_type: ChangeType,
        old: Option<&Arc<EndpointSlice>>,
        slice: &Arc<EndpointSlice>,
        queue: &mut Enqueue,
    ) {
        let taken_over = old.filter(|old| is_ours(old) != is_ours(slice) || old.service() != slice.service());
        if !is_ours(slice) && taken_over.is_none() {
            return;
        }
        if change_type == ChangeType::Deleted {
            if self.known.remove(&slice.meta.uid).is_some() {
                queue.add(key_of(slice));
            }
            return;
        }
        if let Some(old) = taken_over {
            queue.add(key_of(old));
            queue.add(key_of(slice));
        } else if let Some(seen) = self.writing.get_mut(&key_of(slice)) {
            seen.push((slice.meta.uid.clone(), slice.meta.generation));
        } else if self.is_news(&slice.meta.uid, slice.meta.generation) {
            queue.add(key_of(slice));
        }
    }

    fn is_news(&self, uid: &Uid, generation: i64) -> bool {
        self.known.get(uid).is_none_or(|known| generation > *known)
    }
}

/// The Endpoints that a slice belongs to.
fn key_of(slice: &EndpointSlice) -> Key {
    Key::new(slice.meta.namespace.clone(), slice.service().unwrap_or(""))
}

fn is_ours(slice: &EndpointSlice) -> bool {
    slice.meta.labels.get(MANAGED_BY_LABEL) == Some(MIRRORING_MANAGER)
}

fn is_mirrored(endpoints: &Endpoints) -> bool {
    endpoints.meta.labels.get(SKIP_LABEL) != Some("true") && !endpoints.meta.annotations.contains_key(LEADER_ANNOTATION)
}

fn selects(service: &Service) -> bool {
    service.spec.selector.as_ref().is_some_and(|selector| !selector.is_empty())
}

fn deletion(slice: &EndpointSlice) -> Request {
    Request::Delete { kind: Kind::EndpointSlice, key: slice.key(), options: DeleteOptions::default() }
}
