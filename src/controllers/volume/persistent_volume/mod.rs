//! The persistent volume controller, also called binder: binds claims to volumes and takes volumes back (upstream
//! `pkg/controller/volume/persistentvolume`).
//!
//! Binding takes four writes: the volume's reference to the claim, the volume's phase, the claim's volume, the claim's
//! status. A sync makes one write after the other and looks anew after each, so that a sync that broke off is simply
//! continued by the next.
//!
//! Upstream looks at every claim and volume every 15 seconds. Here a claim that found no volume is looked at on the next
//! of these ticks after something came that may help it, and the Events of the looks between are left out.

mod claim;
mod matching;
#[cfg(test)]
mod random_tests;
mod reclaim;
#[cfg(test)]
mod tests;
mod volume;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType, Context, Enqueue, EventSpec, KindSet, Reconciler, Request, Response, Step, View};
use crate::kernel::SimDuration;
use crate::objects::storage::{BIND_COMPLETED, volume_phase};
use crate::objects::{Key, Kind, PersistentVolume, PersistentVolumeClaim, Pod, Resource, StorageClass, Uid, WallTime};

use written::Written;

/// Time between two looks at everything (upstream `--pvclaimbinder-sync-period`).
pub const SYNC_PERIOD: SimDuration = SimDuration::from_secs(15);
/// More writes in a row than any sync needs.
const WRITES_MAX: u8 = 16;

/// Binds claims to volumes and takes volumes back. Keys with a namespace are claims, others volumes.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::volume::PersistentVolumeController;
/// assert_eq!(PersistentVolumeController::default().name(), "persistentvolume-controller");
/// ```
#[derive(Clone, Debug)]
pub struct PersistentVolumeController {
    recycling_takes: SimDuration,
    /// When the controller began: its ticks count from here.
    started: Option<WallTime>,
    /// Claims that were never bound, by class; empty = of none.
    unbound: BTreeMap<Arc<str>, BTreeSet<Key>>,
    /// What this controller wrote and its informer does not show yet.
    written: Written,
    /// When volumes will have been emptied, by their uids.
    recycling: FxHashMap<Uid, WallTime>,
}

impl Default for PersistentVolumeController {
    fn default() -> Self {
        Self::new(SimDuration::from_secs(10))
    }
}

/// What a sync remembers between two of its writes.
#[derive(Clone, Debug, Default)]
pub struct SyncState {
    writes: u8,
    /// An Event was told: a sync tells one.
    said: bool,
    /// To be told once the write is accepted.
    then: Option<EventSpec>,
}

/// What a sync does next.
#[expect(clippy::large_enum_variant, reason = "it lives for a moment, one at a time")]
enum Next {
    /// A write; then the sync looks again. The Event is told once the write is accepted.
    Write(Request, Option<EventSpec>),
    /// Nothing more, but for Events.
    Over(Vec<EventSpec>),
    /// Nothing more for a while.
    Wait(SimDuration),
}

impl Next {
    const DONE: Self = Self::Over(Vec::new());

    fn say(event: EventSpec) -> Self {
        Self::Over(vec![event])
    }
}

impl PersistentVolumeController {
    /// A controller whose recycler takes that long to empty a volume.
    #[must_use]
    pub fn new(recycling_takes: SimDuration) -> Self {
        Self {
            recycling_takes,
            started: None,
            unbound: BTreeMap::new(),
            written: Written::default(),
            recycling: FxHashMap::default(),
        }
    }

    /// Until the next look at everything.
    fn until_tick(&self, now: WallTime) -> SimDuration {
        let age = self.started.map_or(0, |started| u64::try_from(now.nanos_since(started)).unwrap_or(0));
        SimDuration::from_nanos(SYNC_PERIOD.as_nanos() - age % SYNC_PERIOD.as_nanos())
    }

    fn claim_changed(
        &mut self,
        change: ChangeType,
        old: Option<&Arc<PersistentVolumeClaim>>,
        claim: &Arc<PersistentVolumeClaim>,
        queue: &mut Enqueue,
    ) {
        let key = claim.key();
        for class in [old, Some(claim)].into_iter().flatten().map(|claim| claim.class()) {
            if let Some(keys) = self.unbound.get_mut(class) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.unbound.remove(class);
                }
            }
        }
        if change == ChangeType::Deleted {
            if !claim.spec.volume_name.is_empty() {
                queue.add(Key::new("", &*claim.spec.volume_name));
            }
            return;
        }
        if !claim.meta.annotations.contains_key(BIND_COMPLETED) {
            self.unbound.entry(claim.class().into()).or_default().insert(key.clone());
        }
        queue.add(key);
    }

    fn volume_changed(
        &mut self,
        view: &View,
        change: ChangeType,
        volume: &PersistentVolume,
        now: WallTime,
        queue: &mut Enqueue,
    ) {
        let claim = volume.claim();
        if change == ChangeType::Deleted {
            self.recycling.remove(&volume.meta.uid);
            claim.into_iter().for_each(|claim| queue.add(claim));
            return;
        }
        queue.add(volume.key());
        let Some(key) = claim else {
            if volume.phase() == volume_phase::AVAILABLE {
                self.look_at_class(volume.class(), now, queue);
            }
            return;
        };
        let Some(claim) = view.persistent_volume_claims.get(&key) else { return };
        let reference = volume.spec.claim_ref.as_ref();
        if reference.is_some_and(|reference| reference.uid.is_none()) {
            queue.add_after(key, self.until_tick(now));
        } else if reference.is_some_and(|reference| reference.uid == claim.meta.uid)
            && claim.spec.volume_name.is_empty()
            && claim.spec.volume_mode == volume.spec.volume_mode
        {
            // Speeds up the binding of a volume that was made or chosen for the claim.
            queue.add(key);
        }
    }

    /// Something came that may help the unbound claims of a class.
    fn look_at_class(&self, class: &str, now: WallTime, queue: &mut Enqueue) {
        for key in self.unbound.get(class).into_iter().flatten() {
            queue.add_after(key.clone(), self.until_tick(now));
        }
    }

    fn pod_changed(&self, view: &View, change: &Change, pod: &Pod, now: WallTime, queue: &mut Enqueue) {
        for claim in pod.claims() {
            if change.change_type == ChangeType::Added {
                let class = view.persistent_volume_claims.get(&claim).map(|claim| claim.class());
                if class.and_then(|class| self.unbound.get(class)).is_some_and(|keys| keys.contains(&claim)) {
                    queue.add_after(claim, self.until_tick(now));
                }
            } else if change.change_type == ChangeType::Deleted || pod.is_terminal() {
                let released = view.volumes_for(&claim).filter(|volume| volume.phase() == volume_phase::RELEASED);
                released.for_each(|volume| queue.add_after(volume.key(), self.until_tick(now)));
            }
        }
    }

    fn proceed(&mut self, cx: Context<'_>, key: &Key, mut state: SyncState) -> Step<SyncState> {
        let told = state.then.take();
        let mut requests: Vec<Request> = told.into_iter().map(Request::Event).collect();
        state.said |= !requests.is_empty();
        let next = if state.writes >= WRITES_MAX {
            Next::DONE
        } else if key.namespace.is_empty() {
            self.sync_volume(cx, key)
        } else {
            self.sync_claim(cx, key)
        };
        match next {
            Next::Write(request, event) => {
                requests.push(request);
                let then = event.filter(|_| !state.said);
                Step::call(requests, SyncState { writes: state.writes + 1, then, ..state })
            }
            Next::Over(events) => {
                let events = events.into_iter().filter(|_| !state.said);
                requests.extend(events.map(Request::Event));
                Step::last(requests)
            }
            Next::Wait(delay) => Step::last(requests).requeue_after(delay),
        }
    }
}

impl Reconciler for PersistentVolumeController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "persistentvolume-controller"
    }

    /// The first change of a run, which sets the phase, is that of a namespace.
    fn watches(&self) -> KindSet {
        KindSet::of(&[
            Kind::PersistentVolumeClaim,
            Kind::PersistentVolume,
            Kind::StorageClass,
            Kind::Pod,
            Kind::Namespace,
        ])
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        self.started.get_or_insert(now);
        self.written.forget_what_shows(change);
        if let Some((old, claim)) = change.of::<PersistentVolumeClaim>() {
            self.claim_changed(change.change_type, old, claim, queue);
        } else if let Some((_, volume)) = change.of::<PersistentVolume>() {
            self.volume_changed(view, change.change_type, volume, now, queue);
        } else if let Some((_, class)) = change.of::<StorageClass>() {
            self.look_at_class(&class.meta.name, now, queue);
            if class.is_default() {
                self.look_at_class("", now, queue);
            }
        } else if let Some((_, pod)) = change.of::<Pod>()
            && !pod.spec.volumes.is_empty()
        {
            self.pod_changed(view, change, pod, now, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        self.proceed(cx, key, SyncState::default())
    }

    fn resume(&mut self, cx: Context<'_>, key: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        match responses.into_iter().next() {
            Some(Err(error)) if error.is_not_found() => return Step::done(),
            Some(Err(error)) => return Step::retry(error.to_string()),
            Some(Ok(object)) => self.written.note(object, cx.view),
            None => {}
        }
        self.proceed(cx, key, state)
    }
}
