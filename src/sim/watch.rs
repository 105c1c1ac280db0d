//! The watch log, the picture of the cluster that each process has, and how changes get there.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::api::{Change, KindSet, View};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Condition, Kind, Node, Object, ObjectMeta};

use super::event::{Event, ProcessId, rank};
use super::recorder::Record;
use super::simulation::Simulation;

/// What the scheduler watches: much of what happens in a cluster is nothing to it.
pub(super) const BY_SCHEDULER: KindSet = KindSet::all_but(&[Kind::Lease, Kind::Event, Kind::EndpointSlice]);
/// What kubelets watch.
pub(super) const BY_KUBELETS: KindSet = KindSet::all_but(&[Kind::Lease, Kind::Event]);

/// Accepted writes that some process has not seen yet.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchLog {
    entries: VecDeque<(SimTime, Change)>,
    /// Number of the first entry.
    first: u64,
    /// After the newest entry that is no heartbeat.
    news_end: u64,
}

impl WatchLog {
    fn push(&mut self, at: SimTime, change: Change) {
        let is_news = !is_heartbeat(&change);
        self.entries.push_back((at, change));
        if is_news {
            self.news_end = self.end();
        }
    }

    fn get(&self, number: u64) -> Option<&(SimTime, Change)> {
        self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Number of the next entry.
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Drops what everybody has seen.
    fn trim(&mut self, seen_by_all: u64) {
        while self.first < seen_by_all && self.entries.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// Whether a change says no more than that somebody lives.
fn is_heartbeat(change: &Change) -> bool {
    change.kind() == Kind::Lease
}

/// Whether a change of a Node says no more than that its kubelet lives: it does so every five minutes.
fn is_sign_of_life(change: &Change) -> bool {
    let (Object::Node(node), Some(Object::Node(old))) = (&change.object, &change.old) else { return false };
    let meta = |node: &Node| ObjectMeta { resource_version: 0, ..node.meta.clone() };
    let conditions = |node: &Node| {
        let all = node.status.conditions.iter().cloned();
        all.map(|condition| Condition { last_heartbeat_time: None, ..condition }).collect::<Vec<_>>()
    };
    let (status, old_status) = (&node.status, &old.status);
    node.spec == old.spec
        && status.allocatable == old_status.allocatable
        && status.capacity == old_status.capacity
        && conditions(node) == conditions(old)
        && meta(node) == meta(old)
}

/// Why nothing comes through a watch. There may be several reasons at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Break {
    /// The process does not run, or does not lead.
    Down = 1,
    /// The connection was lost and is not made again yet.
    Disconnected = 2,
    /// The way to the node is cut.
    Partition = 4,
    /// The watch hangs.
    Stall = 8,
}

/// A process' connection to the API server: how far it has read, and its cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Informer {
    /// `None` = the process sees the store itself: watches without delay.
    cache: Option<Arc<View>>,
    /// Next entry of the log.
    next: u64,
    /// Kinds whose changes come through it. Those of others are passed over.
    watches: KindSet,
    /// Whether a delivery is scheduled, and whether one of heartbeats alone is.
    news_scheduled: bool,
    heartbeats_scheduled: bool,
    /// From a write to here, where that differs from [`super::Delays::watch`].
    delay: Option<SimDuration>,
    /// Reasons of [`Break`] that hold.
    broken: u8,
}

impl Informer {
    pub(super) fn new(lags: bool, watches: KindSet) -> Self {
        Self { cache: lags.then(Arc::default), watches, ..Self::default() }
    }

    /// A watch that is broken, with what it has shown so far.
    pub(super) fn broken(seen: Arc<View>, why: Break) -> Self {
        Self { cache: Some(seen), broken: why as u8, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) const fn watch_all(&mut self) {
        self.watches = KindSet::ALL;
    }

    pub(super) fn view<'a>(&'a self, store: &'a View) -> &'a View {
        self.cache.as_deref().unwrap_or(store)
    }

    /// What it has shown so far, to keep.
    pub(super) fn seen(&self, store: &View) -> Arc<View> {
        self.cache.clone().unwrap_or_else(|| Arc::new(store.clone()))
    }

    pub(super) const fn is_delayed(&self) -> bool {
        self.delay.is_some()
    }

    pub(super) fn forget_delay(&mut self) {
        self.delay = None;
    }

    /// A watch of its own for somebody who saw what this one shows.
    pub(super) fn split_off(&self, store: &View) -> Self {
        let (next, watches, broken) = (self.next, self.watches, self.broken);
        Self { cache: Some(self.seen(store)), next, watches, broken, ..Self::default() }
    }

    /// Goes on from where another watch is.
    pub(super) fn go_on_from(&mut self, other: &Self, store: &View) {
        (self.cache, self.next, self.broken) = (Some(other.seen(store)), other.next, other.broken);
    }

    pub(super) const fn is_broken(&self) -> bool {
        self.broken != 0
    }

    pub(super) const fn is_broken_by(&self, why: Break) -> bool {
        self.broken & why as u8 != 0
    }

    fn apply(&mut self, change: &Change) {
        self.next += 1;
        if let Some(cache) = &mut self.cache {
            Arc::make_mut(cache).apply(change);
        }
    }

    /// These entries, up to the newest, are of kinds that do not come through it. Says whether that is all there is to know.
    fn passes_over(&mut self, kinds: KindSet, first: u64, end: u64) -> bool {
        let passes = !self.watches.intersects(kinds);
        if passes && self.next == first {
            self.next = end;
        }
        passes
    }

    /// Notes that a delivery is wanted. Returns whether it must be scheduled.
    fn wants_delivery(&mut self, news: bool) -> bool {
        if self.is_broken() || self.news_scheduled || (!news && self.heartbeats_scheduled) {
            return false;
        }
        *self.scheduled(news) = true;
        true
    }

    const fn scheduled(&mut self, news: bool) -> &mut bool {
        if news { &mut self.news_scheduled } else { &mut self.heartbeats_scheduled }
    }
}

/// What was just written to the log.
#[derive(Clone, Copy)]
struct Written {
    kinds: KindSet,
    /// Number of the first of these entries.
    first: u64,
    /// Whether there are others than heartbeats.
    news: bool,
}

impl Simulation {
    /// Hands accepted writes to the recorder and to everybody who watches.
    pub(super) fn publish(&mut self) {
        if !self.server.has_changes() {
            return;
        }
        let due_events = self.server.drain_due_events();
        let now = self.queue.now();
        let mut starts_metrics = false;
        let (seen_before, first, mut kinds) = (self.log.news_end, self.log.end(), KindSet::NONE);
        for change in self.server.drain_changes() {
            if !matches!(change.kind(), Kind::Lease | Kind::Event) {
                self.last_change = now;
                self.changes += 1;
                self.instant.note(&change);
                if !is_sign_of_life(&change) {
                    self.last_news = now;
                }
            }
            if !self.recording.is_off() {
                self.recording.push(Record::Change(now, change.clone()));
            }
            if let Some(network) = &mut self.network {
                network.follow(&change, now);
            }
            starts_metrics |= self.metrics.is_wanted_by(&change);
            kinds = kinds.union(KindSet::of(&[change.kind()]));
            self.log.push(now, change);
        }
        let written = Written { kinds, first, news: self.log.news_end > seen_before };
        if starts_metrics {
            self.start_metrics();
        }
        for process in 0..self.managers.len() {
            self.announce(ProcessId::Controllers(process as u16), written);
        }
        self.announce(ProcessId::Scheduler, written);
        self.announce(ProcessId::Kubelets, written);
        for at in 0..self.kubelets.apart.len() {
            self.announce(ProcessId::Node(self.kubelets.apart[at]), written);
        }
        due_events.iter().for_each(|spec| self.record_event("kube-apiserver", 0, "", spec));
    }

    /// Sees to it that what was just written is delivered, as far as the process watches it.
    fn announce(&mut self, process: ProcessId, written: Written) {
        let (now, end) = (self.queue.now(), self.log.end());
        let Some(informer) = self.informer(process) else { return };
        if !informer.passes_over(written.kinds, written.first, end) {
            self.schedule_delivery(process, now, written.news);
        }
    }

    /// Sees to it that what was written at `written` is delivered.
    fn schedule_delivery(&mut self, process: ProcessId, written: SimTime, news: bool) {
        let (usual, now) = (self.delays.watch, self.queue.now());
        let Some(informer) = self.informer(process).filter(|informer| !informer.news_scheduled) else { return };
        if informer.wants_delivery(news) {
            let at = (written + informer.delay.unwrap_or(usual)).max(now);
            self.background += usize::from(!news);
            self.queue.push(at, rank::WATCH, Event::Deliver { process, news });
        }
    }

    pub(super) fn deliver(&mut self, process: ProcessId, news: bool) {
        self.background -= usize::from(!news);
        let (usual, now) = (self.delays.watch, self.queue.now());
        let Some(informer) = self.informer(process) else { return };
        *informer.scheduled(news) = false;
        if informer.is_broken() {
            return;
        }
        let delay = informer.delay.unwrap_or(usual);
        let (mut number, watches) = (informer.next, informer.watches);
        while let Some((at, change)) = self.log.get(number)
            && *at + delay <= now
        {
            number += 1;
            if !watches.contains(change.kind()) {
                self.informer(process).into_iter().for_each(|informer| informer.next = number);
                continue;
            }
            let change = change.clone();
            if let Some(informer) = self.informer(process) {
                informer.apply(&change);
            }
            self.tell(process, &change);
        }
        if let Some((at, _)) = self.log.get(number) {
            let written = *at;
            self.schedule_delivery(process, written, number < self.log.news_end);
        }
        self.trim_log();
        self.wake(process);
    }

    /// Tells a process of a change that its view shows.
    fn tell(&mut self, process: ProcessId, change: &Change) {
        match process {
            ProcessId::Controllers(manager) => self.tell_controllers(manager, change),
            ProcessId::Scheduler => self.tell_scheduler(change),
            ProcessId::Kubelets => self.tell_kubelets(change),
            ProcessId::Node(node) => self.tell_kubelet(node, change),
        }
    }

    fn wake(&mut self, process: ProcessId) {
        match process {
            ProcessId::Controllers(manager) => self.wake_workers(manager),
            ProcessId::Scheduler => self.wake_cycle(),
            ProcessId::Kubelets | ProcessId::Node(_) => {}
        }
    }

    pub(super) fn informer(&mut self, process: ProcessId) -> Option<&mut Informer> {
        match process {
            ProcessId::Controllers(manager) => Some(&mut self.managers[manager as usize].informer),
            ProcessId::Scheduler => Some(&mut self.scheduler.informer),
            ProcessId::Kubelets => Some(&mut self.kubelets.informer),
            ProcessId::Node(node) => self.kubelets.nodes[node as usize].own_informer(),
        }
    }

    fn trim_log(&mut self) {
        let managers = self.managers.iter().map(|manager| &manager.informer);
        let shared = managers.chain([&self.scheduler.informer, &self.kubelets.informer]);
        let apart = self.kubelets.apart.iter();
        let own = apart.filter_map(|node| self.kubelets.nodes[*node as usize].link.as_ref()?.informer.as_ref());
        let following = shared.chain(own).filter(|informer| !informer.is_broken());
        let seen = following.map(|informer| informer.next).min();
        self.log.trim(seen.unwrap_or(self.log.end()));
    }

    // ---- watches that break, and come back ----

    /// Nothing comes through a watch any more; its process goes on with what it has seen.
    pub(super) fn break_watch(&mut self, process: ProcessId, why: Break) {
        // What takes no time is there already.
        if self.delays.watch.is_zero() {
            self.catch_up(process);
        }
        let Self { managers, scheduler, kubelets, server, .. } = self;
        let informer = match process {
            ProcessId::Controllers(manager) => &mut managers[manager as usize].informer,
            ProcessId::Scheduler => &mut scheduler.informer,
            ProcessId::Kubelets => &mut kubelets.informer,
            ProcessId::Node(node) => match kubelets.nodes[node as usize].own_informer() {
                Some(informer) => informer,
                None => return,
            },
        };
        informer.cache = Some(informer.seen(server.view()));
        informer.broken |= why as u8;
        self.trim_log();
    }

    /// The process is gone, and with it what it had seen.
    pub(super) fn lose_watch(&mut self, process: ProcessId) {
        if let Some(informer) = self.informer(process) {
            informer.cache = Some(Arc::default());
            // A new process makes connections of its own.
            informer.broken = informer.broken & !(Break::Disconnected as u8) | Break::Down as u8;
        }
        self.trim_log();
    }

    /// A reason is over for which nothing came. If it was the last, the process lists everything and goes on from there.
    /// `again`: it is told also of what did not change, as after a list (client-go's `Replaced`).
    pub(super) fn mend_watch(&mut self, process: ProcessId, why: Break, again: bool) {
        let Some(informer) = self.informer(process) else { return };
        if !informer.is_broken_by(why) {
            return;
        }
        informer.broken &= !(why as u8);
        if !informer.is_broken() {
            self.relist(process, again);
        }
    }

    fn relist(&mut self, process: ProcessId, again: bool) {
        if let ProcessId::Node(node) = process {
            return self.rejoin(node);
        }
        let (next, lags) = (self.log.end(), !self.delays.watch.is_zero());
        let Some(informer) = self.informer(process) else { return };
        let lags = lags || informer.delay.is_some();
        let (old, watches) = (informer.cache.take().unwrap_or_default(), informer.watches);
        let store = self.server.view();
        let changes = store.changes_since(&old, again);
        let cache = lags.then(|| Arc::new(store.clone()));
        if let Some(informer) = self.informer(process) {
            (informer.cache, informer.next) = (cache, next);
        }
        changes.iter().filter(|change| watches.contains(change.kind())).for_each(|change| self.tell(process, change));
        self.trim_log();
        self.wake(process);
    }

    /// Delivers what is due, at once.
    pub(super) fn catch_up(&mut self, process: ProcessId) {
        self.background += 1;
        self.deliver(process, false);
    }

    /// Lets a process see everything that much later, or as usual. What was to come later comes now, as far as it is due.
    pub(super) fn delay_watch(&mut self, process: ProcessId, delay: Option<SimDuration>) {
        let lags = !self.delays.watch.is_zero();
        if !lags && delay.is_some() {
            self.catch_up(process);
        }
        let copy = (!lags && delay.is_some()).then(|| Arc::new(self.server.view().clone()));
        let Some(informer) = self.informer(process) else { return };
        informer.delay = delay;
        informer.cache = copy.or_else(|| informer.cache.take());
        self.catch_up(process);
        if !lags && let Some(informer) = self.informer(process).filter(|informer| !informer.is_broken()) {
            informer.cache = informer.cache.take().filter(|_| delay.is_some());
        }
    }
}
