//! Runs one controller: its queue, its workers, its syncs in flight.

use rustc_hash::FxHashMap;

use crate::api::{Change, Context, Enqueue, KindSet, Reconciler, Request, Response, Step, Then, View};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, WallTime};

use super::work_queue::WorkQueue;

/// Now, on both scales.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) sim: SimTime,
    pub(super) wall: WallTime,
}

/// A controller of any state type, with its queue.
pub(super) trait ControllerHost: Send + Sync {
    fn name(&self) -> &'static str;
    fn clone_box(&self) -> Box<dyn ControllerHost>;
    /// Whether its timers alone do not keep a cluster busy.
    fn is_background(&self) -> bool;
    /// Kinds of the changes that it is told of.
    fn watches(&self) -> KindSet;
    /// A change came through the informer.
    fn on_change(&mut self, view: &View, change: &Change, now: Now, timers: &mut Vec<(Key, SimTime)>);
    /// A delayed key is due.
    fn on_timer(&mut self, key: &Key, now: SimTime);
    /// Whether a worker is free and has something to do.
    fn can_start(&self) -> bool;
    /// Starts the sync of the next key: its place among those in flight, and its first requests.
    fn start(&mut self, view: &View, now: Now, timers: &mut Vec<(Key, SimTime)>) -> Progress;
    /// Goes on with a sync.
    fn resume(
        &mut self,
        flight: u32,
        view: &View,
        now: Now,
        responses: Vec<Response>,
        timers: &mut Vec<(Key, SimTime)>,
    ) -> Progress;
    /// Whether a key waits for a timer.
    fn is_waiting(&self) -> bool;
}

/// What a sync wants next.
pub(super) enum Progress {
    /// These requests are to be executed for the sync with that number.
    Requests(u32, Vec<Request>),
    /// The sync is over.
    Over,
}

#[derive(Clone)]
struct Flight<S> {
    key: Key,
    then: Option<Then<S>>,
}

pub(super) struct Host<R: Reconciler> {
    reconciler: R,
    queue: WorkQueue,
    workers: usize,
    flights: Vec<Option<Flight<R::State>>>,
    free: Vec<u32>,
    written: FxHashMap<Key, u64>,
    added: Enqueue,
}

impl<R: Reconciler> Host<R> {
    pub(super) fn new(reconciler: R, workers: usize) -> Self {
        let queue = WorkQueue::new(reconciler.rate_limit());
        Self {
            reconciler,
            queue,
            workers,
            flights: Vec::new(),
            free: Vec::new(),
            written: FxHashMap::default(),
            added: Enqueue::default(),
        }
    }

    fn in_flight(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    fn take_off(&mut self, key: Key) -> u32 {
        let flight = Some(Flight { key, then: None });
        if let Some(place) = self.free.pop() {
            self.flights[place as usize] = flight;
            return place;
        }
        self.flights.push(flight);
        (self.flights.len() - 1) as u32
    }

    fn expectations_met(&mut self, key: &Key, view: &View) -> bool {
        match self.written.get(key) {
            None => true,
            Some(version) if *version <= view.resource_version => {
                self.written.remove(key);
                true
            }
            Some(_) => false,
        }
    }

    fn note_writes(&mut self, key: &Key, responses: &[Response], view: &View) {
        let newest = responses.iter().flatten().map(|object| object.meta().resource_version).max().unwrap_or(0);
        if newest > view.resource_version {
            let version = self.written.entry(key.clone()).or_insert(0);
            *version = (*version).max(newest);
        }
    }

    fn proceed(&mut self, place: u32, step: Step<R::State>, now: Now, timers: &mut Vec<(Key, SimTime)>) -> Progress {
        if step.requests.is_empty() && !matches!(step.then, Then::Resume(_)) {
            self.land(place, step.then, &[], now, timers);
            return Progress::Over;
        }
        if let Some(flight) = &mut self.flights[place as usize] {
            flight.then = Some(step.then);
        }
        Progress::Requests(place, step.requests)
    }

    fn land(
        &mut self,
        place: u32,
        then: Then<R::State>,
        responses: &[Response],
        now: Now,
        timers: &mut Vec<(Key, SimTime)>,
    ) {
        let Some(flight) = self.flights[place as usize].take() else { return };
        self.free.push(place);
        let key = flight.key;
        let failed = matches!(then, Then::Retry(_)) || responses.iter().any(Result::is_err);
        let again = if failed {
            self.queue.back_off(&key, now.sim)
        } else {
            self.queue.forget(&key);
            match then {
                Then::Done { requeue_after } => requeue_after,
                Then::Resume(_) | Then::Retry(_) => None,
            }
        };
        self.queue.done(&key);
        match again {
            Some(delay) => self.delay(key, delay, now, timers),
            None if self.reconciler.sync_decides_timers() => self.queue.stop_waiting(&key),
            None => {}
        }
    }

    fn delay(&mut self, key: Key, delay: SimDuration, now: Now, timers: &mut Vec<(Key, SimTime)>) {
        if delay.is_zero() {
            self.queue.add(key);
            return;
        }
        let at = now.sim + delay;
        if self.queue.wait_until(&key, at) {
            timers.push((key, at));
        }
    }
}

impl<R: Reconciler> ControllerHost for Host<R> {
    fn name(&self) -> &'static str {
        self.reconciler.name()
    }

    fn is_background(&self) -> bool {
        self.reconciler.is_background()
    }

    fn watches(&self) -> KindSet {
        self.reconciler.watches()
    }

    fn clone_box(&self) -> Box<dyn ControllerHost> {
        Box::new(Self {
            reconciler: self.reconciler.clone(),
            queue: self.queue.clone(),
            workers: self.workers,
            flights: self.flights.clone(),
            free: self.free.clone(),
            written: self.written.clone(),
            added: Enqueue::default(),
        })
    }

    fn on_change(&mut self, view: &View, change: &Change, now: Now, timers: &mut Vec<(Key, SimTime)>) {
        let mut added = std::mem::take(&mut self.added);
        self.reconciler.on_change(view, change, now.wall, &mut added);
        for (key, delay) in added.drain() {
            self.delay(key, delay, now, timers);
        }
        self.added = added;
    }

    fn on_timer(&mut self, key: &Key, now: SimTime) {
        self.queue.timer(key, now);
    }

    fn can_start(&self) -> bool {
        self.queue.has_ready() && self.in_flight() < self.workers
    }

    fn start(&mut self, view: &View, now: Now, timers: &mut Vec<(Key, SimTime)>) -> Progress {
        let Some(key) = self.queue.pop() else { return Progress::Over };
        let expectations_met = self.expectations_met(&key, view);
        let place = self.take_off(key.clone());
        let step = self.reconciler.reconcile(Context { view, now: now.wall, expectations_met }, &key);
        self.proceed(place, step, now, timers)
    }

    fn resume(
        &mut self,
        flight: u32,
        view: &View,
        now: Now,
        responses: Vec<Response>,
        timers: &mut Vec<(Key, SimTime)>,
    ) -> Progress {
        let Some(Flight { key, then: Some(then) }) =
            self.flights[flight as usize].as_mut().map(|f| Flight { key: f.key.clone(), then: f.then.take() })
        else {
            return Progress::Over;
        };
        self.note_writes(&key, &responses, view);
        match then {
            Then::Resume(state) => {
                let cx = Context { view, now: now.wall, expectations_met: !self.written.contains_key(&key) };
                let step = self.reconciler.resume(cx, &key, state, responses);
                self.proceed(flight, step, now, timers)
            }
            over => {
                self.land(flight, over, &responses, now, timers);
                Progress::Over
            }
        }
    }

    fn is_waiting(&self) -> bool {
        self.queue.is_waiting()
    }
}
