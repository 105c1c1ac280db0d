//! What the controller remembers of a Service between syncs.

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::api::{Request, Step, View};
use crate::objects::{EndpointSlice, Labels, Object, ObjectMeta, Selector, Service, Timestamp, Uid};

use super::blueprint::Blueprint;
use super::placement::Placement;
use super::{Write, Writing, give_back};

/// Generation of a slice whose deletion was requested.
const GONE: i64 = -1;

/// One Service: what its own writes did to its slices (upstream `EndpointSliceTracker`), and which changes the next
/// write is an answer to (upstream `TriggerTimeTracker`).
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    selected: Labels,
    selector: Selector,
    /// The selector of the last sync, if it has changed since.
    selected_before: Option<Labels>,
    blueprint: Option<Arc<Blueprint>>,
    synced: bool,
    service_time: Option<Timestamp>,
    pod_time: Option<Timestamp>,
    generations: IndexMap<Uid, i64, FxBuildHasher>,
    pub(super) placement: Placement,
    /// While writes are under way: the Service, and the slices that changed since.
    writing: Option<Object>,
    seen: Vec<(Uid, i64)>,
}

impl Memory {
    /// Takes over the selector of the Service.
    pub(super) fn select(&mut self, service: &Service) {
        self.placement.distrust();
        let labels = service.spec.selector.clone().unwrap_or_default();
        if labels == self.selected {
            return;
        }
        self.selector = if labels.is_empty() { Selector::nothing() } else { Selector::from_labels(&labels) };
        let before = std::mem::replace(&mut self.selected, labels);
        self.selected_before.get_or_insert(before);
    }

    pub(super) fn selector(&self) -> &Selector {
        &self.selector
    }

    /// What all slices of the Service have in common.
    pub(super) fn blueprint(&mut self, service: &Service) -> Arc<Blueprint> {
        match &self.blueprint {
            Some(blueprint) if blueprint.is_of(service) => blueprint.clone(),
            _ => self.blueprint.insert(Arc::new(Blueprint::new(service))).clone(),
        }
    }

    // ---- trigger time ----

    /// A pod of the Service became ready, or ceased to be, at this time.
    pub(super) fn note(&mut self, at: Option<Timestamp>) {
        self.pod_time = earliest(self.pod_time, at);
    }

    /// Time of the earliest change since the last sync; of the first sync, when the Service was created.
    pub(super) fn take_trigger(&mut self, service: &Service, view: &View) -> Option<Timestamp> {
        let created = service.meta.creation_timestamp;
        let mut time = self.pod_time.take();
        if let Some(before) = self.selected_before.take()
            && self.synced
        {
            let before = if before.is_empty() { Selector::nothing() } else { Selector::from_labels(&before) };
            let pods = view.pods_matching(&service.meta.namespace, &self.selector);
            time =
                pods.filter(|pod| !before.matches(&pod.meta.labels)).map(|pod| pod.ready_since()).fold(time, earliest);
        }
        if created > self.service_time {
            time = earliest(time, created);
        }
        self.service_time = created;
        if std::mem::replace(&mut self.synced, true) { time } else { created }
    }

    // ---- slices ----

    /// Whether the cache does not show all writes of this controller yet (`StaleSlices`).
    pub(super) fn expects_other_than(&self, slices: &[&Arc<EndpointSlice>]) -> bool {
        let mut known = 0;
        for slice in slices {
            match self.generations.get(&slice.meta.uid) {
                Some(&generation) if generation == GONE || generation > slice.meta.generation => return true,
                Some(_) => known += 1,
                None => {}
            }
        }
        known < self.generations.values().filter(|generation| **generation != GONE).count()
    }

    /// Starts the writes of a sync, if there are any.
    pub(super) fn begin(
        &mut self,
        (requests, writes): (Vec<Request>, Vec<Write>),
        failure: Option<String>,
        mut events: Vec<Request>,
        service: &Arc<Service>,
    ) -> Step<Writing> {
        if failure.is_some() {
            self.placement.distrust();
        }
        if requests.is_empty() {
            let step = failure.map_or_else(Step::done, |why| give_back(&service.clone().into(), why));
            events.extend(step.requests);
            return Step { requests: events, then: step.then };
        }
        for write in &writes {
            if let Write::Delete(_, uid) = write {
                self.generations.insert(uid.clone(), GONE);
            }
        }
        self.writing = Some(service.clone().into());
        Step::call(requests, Writing { writes, failure, events })
    }

    /// A slice was written.
    pub(super) fn wrote(&mut self, slice: &EndpointSlice) {
        self.generations.insert(slice.meta.uid.clone(), slice.meta.generation);
        self.placement.put(slice);
    }

    /// A write failed.
    pub(super) fn failed(&mut self, write: &Write) {
        self.placement.distrust();
        if let Write::Delete(_, uid) = write {
            self.generations.swap_remove(uid);
        }
    }

    /// The writes are over. Returns the Service that they were for, and whether someone else changed a slice meanwhile.
    pub(super) fn end(&mut self) -> (Option<Object>, bool) {
        let mut surprise = false;
        for (uid, generation) in std::mem::take(&mut self.seen) {
            surprise |= if generation == GONE { self.saw_deletion_of(&uid) } else { self.is_news(&uid, generation) };
        }
        if surprise {
            self.placement.distrust();
        }
        (self.writing.take(), surprise)
    }

    /// A slice is new or changed. Returns whether that needs a sync.
    pub(super) fn saw(&mut self, slice: &ObjectMeta) -> bool {
        if self.writing.is_some() {
            self.seen.push((slice.uid.clone(), slice.generation));
            return false;
        }
        let news = self.is_news(&slice.uid, slice.generation);
        if news {
            self.placement.distrust();
        }
        news
    }

    /// A slice is gone. Returns whether that needs a sync.
    pub(super) fn saw_deletion(&mut self, uid: &Uid) -> bool {
        if self.writing.is_some() && self.generations.get(uid) != Some(&GONE) {
            self.seen.push((uid.clone(), GONE));
            return false;
        }
        self.saw_deletion_of(uid)
    }

    fn saw_deletion_of(&mut self, uid: &Uid) -> bool {
        let expected = self.generations.swap_remove(uid);
        if expected != Some(GONE) {
            self.placement.distrust();
        }
        expected.is_some_and(|generation| generation != GONE)
    }

    fn is_news(&self, uid: &Uid, generation: i64) -> bool {
        self.generations.get(uid).is_none_or(|known| generation > *known)
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
