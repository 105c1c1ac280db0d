//! The scheduling queue (upstream `backend/queue`): pods that are up next, pods in back-off, pods that wait.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::objects::{Pod, Uid, WallTime};

use super::event::{self, Actions, ClusterEvent, Subject};
use super::framework::{Hint, PluginSet, Registry};
use super::preemption::{self, priority};

const SECOND: i64 = 1_000_000_000;
const INITIAL_BACKOFF: i64 = SECOND;
const MAX_BACKOFF: i64 = 10 * SECOND;
/// How long a pod may sit among those that wait for an event.
const MAX_WAIT: i64 = 300 * SECOND;
/// How often that is looked at.
const FLUSH_PERIOD: i64 = 30 * SECOND;

/// A pod on its way to a node.
#[derive(Clone, Debug)]
pub(super) struct QueuedPod {
    pub(super) pod: Arc<Pod>,
    /// Since when: first seen, or last failed.
    timestamp: WallTime,
    /// Tells pods with equal timestamps apart, by arrival.
    arrival: u64,
    unschedulable_count: u32,
    error_count: u32,
    rejected_by: PluginSet,
    gate: Option<u8>,
}

impl QueuedPod {
    /// The second at whose end the back-off is over, unless there is none.
    fn backoff_expiry(&self) -> Option<i64> {
        let failures = if self.error_count > 0 { self.error_count } else { self.unschedulable_count };
        (failures > 0).then(|| whole_second(self.timestamp.plus_nanos(backoff(failures))))
    }

    fn is_backing_off(&self, now: WallTime) -> bool {
        self.backoff_expiry().is_some_and(|expiry| expiry >= whole_second(now))
    }
}

fn whole_second(time: WallTime) -> i64 {
    time.timestamp().as_unix_secs()
}

/// Doubles from 1 s to 10 s.
fn backoff(failures: u32) -> i64 {
    let shift = failures.saturating_sub(1).min(62);
    if INITIAL_BACKOFF > MAX_BACKOFF >> shift { MAX_BACKOFF } else { INITIAL_BACKOFF << shift }
}

/// Where in the queue a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Active,
    /// Failed for lack of a node; popped early if nothing is active.
    Backoff,
    /// Failed with an error; not popped early.
    ErrorBackoff,
    /// Waits for an event.
    Unschedulable,
    /// A plugin does not let it in.
    Gated,
}

type Slot = u32;
type ByPriority = (Reverse<i32>, WallTime, u64, Slot);

#[derive(Clone, Debug)]
struct Entry {
    queued: QueuedPod,
    pool: Pool,
}

/// All pods without a node that this scheduler takes care of, but for those that it is binding.
#[derive(Clone, Debug, Default)]
pub(super) struct SchedulingQueue {
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    slots: FxHashMap<Uid, Slot>,
    active: BTreeSet<ByPriority>,
    backoff: BTreeSet<(i64, ByPriority)>,
    error_backoff: BTreeSet<(i64, u64, Slot)>,
    unschedulable: BTreeSet<(WallTime, u64, Slot)>,
    gated: BTreeSet<(u64, Slot)>,
    /// Per plugin: how many pods that wait for an event it rejected.
    waiting_for: Vec<u32>,
    arrivals: u64,
    /// Pods whose victims are being deleted; they may not become active meanwhile.
    held: FxHashSet<Uid>,
    /// When the process started, from which the flushes are counted.
    started: Option<WallTime>,
}

impl SchedulingQueue {
    /// Remembers when the process started.
    pub(super) fn start(&mut self, now: WallTime) {
        self.started.get_or_insert(now);
    }

    /// A pod without a node is new.
    pub(super) fn add(&mut self, registry: &Registry, pod: &Arc<Pod>, now: WallTime) {
        self.delete(&pod.meta.uid);
        let queued = QueuedPod {
            pod: pod.clone(),
            timestamp: now,
            arrival: self.next_arrival(),
            unschedulable_count: 0,
            error_count: 0,
            rejected_by: PluginSet::default(),
            gate: None,
        };
        self.enter(registry, queued, Pool::Active);
    }

    /// A pod without a node changed.
    pub(super) fn update(&mut self, registry: &Registry, old: &Arc<Pod>, new: &Arc<Pod>, now: WallTime) {
        let Some(&slot) = self.slots.get(&new.meta.uid) else { return self.add(registry, new, now) };
        let Some(mut entry) = self.take(slot) else { return };
        entry.queued.pod = new.clone();
        match entry.pool {
            Pool::Active | Pool::Backoff | Pool::ErrorBackoff => self.put(entry.queued, entry.pool),
            Pool::Unschedulable | Pool::Gated => {
                let events = event::pod_changes(old, new);
                let subject = Subject::Pod(Some(old), Some(new));
                let wakes = events.into_iter().any(|action| wakes(registry, &entry, &ClusterEvent { action, subject }));
                if wakes {
                    self.requeue(registry, entry.queued, now);
                } else {
                    self.put(entry.queued, entry.pool);
                }
            }
        }
    }

    /// A pod is gone, or has a node.
    pub(super) fn delete(&mut self, uid: &Uid) {
        if let Some(&slot) = self.slots.get(uid) {
            self.take(slot);
        }
    }

    /// Brings waiting pods back that an event may let in (`MoveAllToActiveOrBackoffQueue`).
    pub(super) fn wake(&mut self, registry: &Registry, event: &ClusterEvent<'_>, now: WallTime) {
        let interested = |plugin: u8| registry.slot(plugin).events().intersects(event.action);
        let counts = (0u8..).zip(&self.waiting_for);
        let unschedulable = counts.into_iter().any(|(plugin, pods)| *pods > 0 && interested(plugin));
        let mut candidates: Vec<Slot> = Vec::new();
        if unschedulable {
            candidates.extend(self.unschedulable.iter().map(|(_, _, slot)| *slot));
        }
        candidates.extend(self.gated.iter().map(|(_, slot)| *slot));
        for slot in candidates {
            let woken = self.entries[slot as usize].as_ref().is_some_and(|entry| wakes(registry, entry, event));
            if woken && let Some(entry) = self.take(slot) {
                self.requeue(registry, entry.queued, now);
            }
        }
    }

    /// The next pod to try. If no pod is active, the first of those in back-off that failed for lack of a node.
    pub(super) fn pop(&mut self, registry: &Registry, now: WallTime) -> Option<QueuedPod> {
        self.flush(registry, now);
        let early = || self.backoff.first().map(|(_, (_, _, _, slot))| *slot);
        let slot = self.active.first().map(|(_, _, _, slot)| *slot).or_else(early)?;
        self.take(slot).map(|entry| entry.queued)
    }

    /// A pod found no node, for the reasons of these plugins; without any, there was an error.
    pub(super) fn add_failed(
        &mut self,
        registry: &Registry,
        mut queued: QueuedPod,
        rejected_by: PluginSet,
        now: WallTime,
    ) {
        queued.rejected_by = rejected_by;
        queued.timestamp = now;
        queued.arrival = self.next_arrival();
        if rejected_by.is_empty() {
            queued.error_count = queued.error_count.saturating_add(1);
            self.requeue(registry, queued, now);
        } else {
            queued.unschedulable_count = queued.unschedulable_count.saturating_add(1);
            queued.error_count = 0;
            self.put(queued, Pool::Unschedulable);
        }
    }

    /// Keeps a pod from becoming active while its victims are being deleted.
    pub(super) fn hold(&mut self, uid: &Uid) {
        self.held.insert(uid.clone());
    }

    /// The deletions are on their way; if there was an error, the pod is tried again at once. If something woke it meanwhile, as
    /// the end of a victim that another pod had displaced too, that counts now: there may be no other occasion.
    pub(super) fn release(&mut self, registry: &Registry, uid: &Uid, failed: bool, now: WallTime) {
        self.held.remove(uid);
        let Some(&slot) = self.slots.get(uid) else { return };
        let was_woken = self.entries[slot as usize].as_ref().is_some_and(|entry| entry.pool == Pool::Gated);
        if (failed || was_woken)
            && let Some(entry) = self.take(slot)
        {
            if failed {
                self.enter(registry, entry.queued, Pool::Active);
            } else {
                self.requeue(registry, entry.queued, now);
            }
        }
    }

    /// Whether [`SchedulingQueue::pop`] would give a pod.
    pub(super) fn has_ready(&self, now: WallTime) -> bool {
        let is_past = |time: Option<WallTime>| time.is_some_and(|time| time <= now);
        !self.active.is_empty()
            || !self.backoff.is_empty()
            || is_past(self.next_error_retry())
            || is_past(self.next_flush())
    }

    /// When time alone makes a pod ready.
    pub(super) fn next_wake(&self) -> Option<WallTime> {
        self.next_error_retry().into_iter().chain(self.next_flush()).min()
    }

    fn next_error_retry(&self) -> Option<WallTime> {
        self.error_backoff.first().map(|(expiry, _, _)| end_of(*expiry))
    }

    /// The first flush at which the pod that has waited longest has waited for too long.
    fn next_flush(&self) -> Option<WallTime> {
        let (since, _, _) = self.unschedulable.first()?;
        let start = self.started.unwrap_or(*since);
        let periods = since.plus_nanos(MAX_WAIT).nanos_since(start).div_euclid(FLUSH_PERIOD).saturating_add(1);
        Some(start.plus_nanos(periods.saturating_mul(FLUSH_PERIOD)))
    }

    /// What upstream's two flush loops have done until now.
    fn flush(&mut self, registry: &Registry, now: WallTime) {
        while let Some(&(expiry, (_, _, _, slot))) = self.backoff.first()
            && end_of(expiry) <= now
        {
            self.move_to_active(slot);
        }
        while let Some(&(expiry, _, slot)) = self.error_backoff.first()
            && end_of(expiry) <= now
        {
            self.move_to_active(slot);
        }
        while self.next_flush().is_some_and(|flush| flush <= now)
            && let Some(&(_, _, slot)) = self.unschedulable.first()
            && let Some(entry) = self.take(slot)
        {
            self.requeue(registry, entry.queued, now);
        }
    }

    fn move_to_active(&mut self, slot: Slot) {
        if let Some(entry) = self.take(slot) {
            self.put(entry.queued, Pool::Active);
        }
    }

    /// To the active pods, or into back-off while that lasts.
    fn requeue(&mut self, registry: &Registry, queued: QueuedPod, now: WallTime) {
        let pool = match queued.is_backing_off(now) {
            false => Pool::Active,
            true if queued.rejected_by.is_empty() => Pool::ErrorBackoff,
            true => Pool::Backoff,
        };
        self.enter(registry, queued, pool);
    }

    /// Into the pool, if the plugins let the pod enter the queue.
    fn enter(&mut self, registry: &Registry, mut queued: QueuedPod, pool: Pool) {
        let held = self.held.contains(&queued.pod.meta.uid).then(|| registry.position(preemption::PLUGIN)).flatten();
        let gate = registry.slots().find(|(_, slot)| !slot.pre_enqueue(&queued.pod)).map(|(plugin, _)| plugin);
        queued.gate = gate.or(held);
        match queued.gate {
            Some(plugin) => {
                queued.rejected_by.insert(plugin);
                self.put(queued, Pool::Gated);
            }
            None => self.put(queued, pool),
        }
    }

    fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    fn put(&mut self, queued: QueuedPod, pool: Pool) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            Slot::try_from(self.entries.len() - 1).expect("fewer than 2^32 pods")
        });
        self.slots.insert(queued.pod.meta.uid.clone(), slot);
        let entry = Entry { queued, pool };
        self.index(slot, &entry, true);
        self.entries[slot as usize] = Some(entry);
    }

    fn take(&mut self, slot: Slot) -> Option<Entry> {
        let entry = self.entries[slot as usize].take()?;
        self.index(slot, &entry, false);
        self.slots.remove(&entry.queued.pod.meta.uid);
        self.free.push(slot);
        Some(entry)
    }

    fn index(&mut self, slot: Slot, entry: &Entry, insert: bool) {
        let queued = &entry.queued;
        let by_priority = (Reverse(priority(&queued.pod)), queued.timestamp, queued.arrival, slot);
        let expiry = || queued.backoff_expiry().unwrap_or(i64::MIN);
        match entry.pool {
            Pool::Active => change(&mut self.active, by_priority, insert),
            Pool::Backoff => change(&mut self.backoff, (expiry(), by_priority), insert),
            Pool::ErrorBackoff => change(&mut self.error_backoff, (expiry(), queued.arrival, slot), insert),
            Pool::Gated => change(&mut self.gated, (queued.arrival, slot), insert),
            Pool::Unschedulable => {
                change(&mut self.unschedulable, (queued.timestamp, queued.arrival, slot), insert);
                for plugin in queued.rejected_by.iter().map(usize::from) {
                    if self.waiting_for.len() <= plugin {
                        self.waiting_for.resize(plugin + 1, 0);
                    }
                    let pods = &mut self.waiting_for[plugin];
                    *pods = if insert { *pods + 1 } else { pods.saturating_sub(1) };
                }
            }
        }
    }
}

fn change<T: Ord>(set: &mut BTreeSet<T>, key: T, insert: bool) {
    if insert {
        set.insert(key);
    } else {
        set.remove(&key);
    }
}

fn end_of(second: i64) -> WallTime {
    WallTime::from_unix_nanos(second.saturating_add(1).saturating_mul(SECOND))
}

/// Whether an event brings a waiting pod back: one of the plugins that rejected it says so. A gated pod only hears of
/// events of the plugin that holds it.
fn wakes(registry: &Registry, entry: &Entry, event: &ClusterEvent<'_>) -> bool {
    let interested = |plugin: u8| registry.slot(plugin).events().intersects(event.action);
    if entry.queued.gate.filter(|_| entry.pool == Pool::Gated).is_some_and(|gate| !interested(gate)) {
        return false;
    }
    if event.action == Actions::TIMEOUT {
        return true;
    }
    let mut rejectors = entry.queued.rejected_by.iter();
    rejectors.any(|plugin| interested(plugin) && registry.slot(plugin).hint(&entry.queued.pod, event) == Hint::Queue)
}

#[cfg(test)]
mod tests;
