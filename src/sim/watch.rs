//! The watch log, and the picture of the cluster that each process has.

use std::collections::VecDeque;

use crate::api::{Change, View};
use crate::kernel::SimTime;

/// Accepted writes that some process has not seen yet.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchLog {
    entries: VecDeque<(SimTime, Change)>,
    /// Number of the first entry.
    first: u64,
}

impl WatchLog {
    pub(super) fn push(&mut self, at: SimTime, change: Change) {
        self.entries.push_back((at, change));
    }

    pub(super) fn get(&self, number: u64) -> Option<&(SimTime, Change)> {
        self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Drops what everybody has seen.
    pub(super) fn trim(&mut self, seen_by_all: u64) {
        while self.first < seen_by_all && self.entries.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// A process' connection to the API server: how far it has read, and its cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Informer {
    /// `None` = the process sees the store itself: watches without delay.
    cache: Option<Box<View>>,
    /// Next entry of the log.
    pub(super) next: u64,
    /// Whether a delivery is already scheduled.
    pub(super) delivery_scheduled: bool,
}

impl Informer {
    pub(super) fn new(lags: bool) -> Self {
        Self { cache: lags.then(Box::default), ..Self::default() }
    }

    pub(super) fn view<'a>(&'a self, store: &'a View) -> &'a View {
        self.cache.as_deref().unwrap_or(store)
    }

    pub(super) fn apply(&mut self, change: &Change) {
        self.next += 1;
        if let Some(cache) = &mut self.cache {
            cache.apply(change);
        }
    }
}
