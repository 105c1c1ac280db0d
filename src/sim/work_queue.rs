//! A controller's work queue: collapsing, delayed and rate-limited, as client-go's.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::RateLimit;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::Key;

/// Keys that wait for a sync. A key is in it once, however often it was added; one that is being synced is queued
/// again only when that sync is done (upstream `client-go/util/workqueue`).
#[derive(Clone, Debug)]
pub(super) struct WorkQueue {
    ready: VecDeque<Key>,
    dirty: FxHashSet<Key>,
    processing: FxHashSet<Key>,
    waiting: FxHashMap<Key, SimTime>,
    failures: FxHashMap<Key, u32>,
    limit: RateLimit,
    bucket: TokenBucket,
}

impl WorkQueue {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            ready: VecDeque::new(),
            dirty: FxHashSet::default(),
            processing: FxHashSet::default(),
            waiting: FxHashMap::default(),
            failures: FxHashMap::default(),
            limit,
            bucket: TokenBucket::new(limit.bucket),
        }
    }

    pub(super) fn add(&mut self, key: Key) {
        if self.processing.contains(&key) {
            self.dirty.insert(key);
        } else if self.dirty.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// Notes that the key is due at `at`. Returns whether a timer is needed: a key that is already due earlier keeps
    /// its earlier time.
    pub(super) fn wait_until(&mut self, key: &Key, at: SimTime) -> bool {
        match self.waiting.get(key) {
            Some(due) if *due <= at => false,
            _ => {
                self.waiting.insert(key.clone(), at);
                true
            }
        }
    }

    /// A timer fired; if it is the one that counts, the key is added.
    pub(super) fn timer(&mut self, key: &Key, now: SimTime) {
        if self.waiting.get(key) == Some(&now) {
            self.waiting.remove(key);
            self.add(key.clone());
        }
    }

    pub(super) fn pop(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        self.dirty.remove(&key);
        self.processing.insert(key.clone());
        Some(key)
    }

    pub(super) fn done(&mut self, key: &Key) {
        self.processing.remove(key);
        if self.dirty.contains(key) {
            self.ready.push_back(key.clone());
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        if !self.failures.is_empty() {
            self.failures.remove(key);
        }
    }

    /// How long a key that just failed waits; `None` = it is given up.
    pub(super) fn back_off(&mut self, key: &Key, now: SimTime) -> Option<SimDuration> {
        let count = self.failures.entry(key.clone()).or_insert(0);
        if self.limit.give_up_after.is_some_and(|most| *count >= most) {
            self.failures.remove(key);
            return None;
        }
        let doubled = self.limit.base.as_nanos().saturating_mul(1u64 << (*count).min(40));
        *count += 1;
        let own = SimDuration::from_nanos(doubled).min(self.limit.max);
        Some(own.max(self.bucket.take(now)))
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether a key waits for a timer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The key's timer, if it has one, will find nothing to do.
    pub(super) fn stop_waiting(&mut self, key: &Key) {
        if !self.waiting.is_empty() {
            self.waiting.remove(key);
        }
    }
}

/// A token bucket that says how long to wait for the next token (golang.org/x/time/rate `Reserve`).
#[derive(Clone, Debug)]
struct TokenBucket {
    per_token_nanos: u64,
    burst_nanos: u64,
    /// Virtual instant up to which tokens are spoken for.
    spent_until: u64,
}

impl TokenBucket {
    fn new(limit: Option<(u32, u32)>) -> Self {
        let (rate, burst) = limit.unwrap_or((0, 0));
        let per_token_nanos = if rate == 0 { 0 } else { 1_000_000_000 / u64::from(rate) };
        Self { per_token_nanos, burst_nanos: per_token_nanos * u64::from(burst), spent_until: 0 }
    }

    fn take(&mut self, now: SimTime) -> SimDuration {
        let now = now.as_nanos().saturating_add(self.burst_nanos);
        self.spent_until =
            self.spent_until.max(now.saturating_sub(self.burst_nanos)).saturating_add(self.per_token_nanos);
        SimDuration::from_nanos(self.spent_until.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> WorkQueue {
        WorkQueue::new(RateLimit::DEFAULT)
    }
    fn key(name: &str) -> Key {
        Key::new("default", name)
    }

    #[test]
    fn a_key_added_twice_is_synced_once() {
        let mut queue = queue();
        queue.add(key("a"));
        queue.add(key("a"));
        assert_eq!(queue.pop(), Some(key("a")));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_key_added_during_its_sync_comes_again_afterwards() {
        let mut queue = queue();
        queue.add(key("a"));
        let a = queue.pop().unwrap();
        queue.add(a.clone());
        assert_eq!(queue.pop(), None);
        queue.done(&a);
        assert_eq!(queue.pop(), Some(a));
    }

    #[test]
    fn a_waiting_key_keeps_its_earliest_time() {
        let mut queue = queue();
        assert!(queue.wait_until(&key("a"), SimTime::from_secs(5)));
        assert!(!queue.wait_until(&key("a"), SimTime::from_secs(9)));
        assert!(queue.wait_until(&key("a"), SimTime::from_secs(2)));
        queue.timer(&key("a"), SimTime::from_secs(2));
        queue.timer(&key("a"), SimTime::from_secs(5));
        assert_eq!(queue.pop(), Some(key("a")));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn back_off_doubles_from_five_milliseconds() {
        let mut queue = queue();
        let waits: Vec<_> = (0..4).map(|_| queue.back_off(&key("a"), SimTime::ZERO).unwrap().as_millis()).collect();
        assert_eq!(waits, [5, 10, 20, 40]);
        queue.forget(&key("a"));
        assert_eq!(queue.back_off(&key("a"), SimTime::ZERO), Some(SimDuration::from_millis(5)));
    }

    #[test]
    fn beyond_the_burst_failures_are_spread_by_the_bucket() {
        let mut queue = queue();
        let waits: Vec<_> =
            (0..103).map(|n| queue.back_off(&key(&n.to_string()), SimTime::ZERO).unwrap().as_millis()).collect();
        assert_eq!(waits[99], 5);
        assert_eq!(waits[100..], [100, 200, 300]);
    }

    #[test]
    fn a_key_is_given_up_after_the_bound() {
        let mut queue = WorkQueue::new(RateLimit { give_up_after: Some(2), ..RateLimit::DEFAULT });
        assert!(queue.back_off(&key("a"), SimTime::ZERO).is_some());
        assert!(queue.back_off(&key("a"), SimTime::ZERO).is_some());
        assert!(queue.back_off(&key("a"), SimTime::ZERO).is_none());
    }
}
