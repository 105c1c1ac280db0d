//! When a node's kube-proxy has programmed what: upstream's `BoundedFrequencyRunner`, worked out when somebody asks.
//!
//! A change that finds the proxy idle for at least `minSyncPeriod` starts a sync at once; one that comes earlier starts it that long
//! after the end of the last one. A sync takes in all that has arrived when it starts, and counts when it ends. Nothing is scheduled:
//! what a node has programmed at an instant follows from the times of the changes alone, and a node of which nobody asks
//! costs nothing. A node that hears nothing, or late, keeps the rules that it has (see `watch`). A machine that starts has none: they
//! are in its kernel's memory, and the first sync of its proxy writes all of them.

use crate::kernel::SimDuration;

/// Changes of services and endpoints in the order of their arrival at the proxies. Change number n is the n-th entry.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct ChangeLog {
    /// Arrival at a proxy without jitter, ns; ascending.
    times: Vec<u64>,
    /// Endpoints in the cluster then: what a sync has to write.
    endpoints: Vec<u32>,
    most_endpoints: u32,
}

impl ChangeLog {
    /// Notes a change and returns its number.
    pub(in crate::network) fn push(&mut self, at: u64, endpoints: usize) -> u32 {
        self.times.push(at.max(self.times.last().copied().unwrap_or(0)));
        let endpoints = u32::try_from(endpoints).unwrap_or(u32::MAX);
        self.endpoints.push(endpoints);
        self.most_endpoints = self.most_endpoints.max(endpoints);
        self.times.len() as u32 - 1
    }

    /// How many changes every node is sure to have programmed at `now`, and so at any later instant.
    pub(in crate::network) fn settled_before(&self, now: u64, timing: &SyncTiming) -> u32 {
        let lag = timing.jitter.as_nanos().saturating_add(timing.min_period.as_nanos());
        let wait = lag.saturating_add(timing.sync(self.most_endpoints).saturating_mul(2));
        self.times.partition_point(|at| at.saturating_add(wait) < now) as u32
    }

    /// How many there are.
    pub(in crate::network) const fn len(&self) -> u32 {
        self.times.len() as u32
    }
}

/// The times of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTiming {
    /// Least time between the end of a sync and the start of the next (`--iptables-min-sync-period` and the like).
    pub min_period: SimDuration,
    /// What a sync takes whatever it writes.
    pub base: SimDuration,
    /// What it takes more for every endpoint in the cluster.
    pub per_endpoint: SimDuration,
    /// A node hears of changes up to this much later than the first, always by the same time.
    pub jitter: SimDuration,
}

impl SyncTiming {
    /// How long a sync takes while there are so many endpoints in the cluster, ns.
    const fn sync(&self, endpoints: u32) -> u64 {
        let writing = self.per_endpoint.as_nanos().saturating_mul(endpoints as u64);
        self.base.as_nanos().saturating_add(writing)
    }
}

/// The proxy of one node.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::network) struct Runner {
    /// Changes with a lower number are programmed.
    programmed: u32,
    /// Changes that the sync under way will have programmed; the same number if there is none.
    syncing: u32,
    /// When that sync ends, ns.
    sync_end: u64,
    /// Since when a sync may start, ns.
    free_from: u64,
    /// How much later than others the node hears of changes, ns.
    lag: u64,
    /// Changes with a lower number had arrived when the watch last became another.
    arrived: u32,
    /// How much later than usual the others arrive, ns; `u64::MAX` = never.
    late: u64,
    /// The others arrive no earlier, ns.
    not_before: u64,
    /// When it has begun, ns; zero = long ago.
    begins: u64,
    /// What would arrive before that was in its first lists, ns.
    listed_before: u64,
}

impl Runner {
    pub(in crate::network) fn new(lag: SimDuration) -> Self {
        Self { lag: lag.as_nanos(), ..Self::default() }
    }

    /// How many changes are programmed at `now`. Must not be asked of an instant before one that was asked of.
    #[inline]
    pub(in crate::network) fn programmed(&mut self, now: u64, log: &ChangeLog, timing: &SyncTiming) -> u32 {
        if self.programmed == log.len() { self.programmed } else { self.advance(now, log, timing) }
    }

    /// From `now` on changes that have not arrived do so that much later than usual (`u64::MAX` = never), and not before an instant.
    pub(in crate::network) fn hear(
        &mut self,
        now: u64,
        (late, not_before): (u64, u64),
        log: &ChangeLog,
        timing: &SyncTiming,
    ) {
        // What begins by now does so by what has arrived by now.
        self.programmed(now, log, timing);
        let known = self.arrived.max(self.syncing).max(self.programmed);
        self.arrived = self.arrived_by(now, known, log);
        (self.late, self.not_before) = (late, not_before);
    }

    /// The machine has started, without rules. At `begins`, ns, its proxy lists what there is, if it can list anything, and begins its
    /// first sync; what comes after that arrives that much later than usual.
    pub(in crate::network) fn start(&mut self, begins: u64, can_list: bool, late: u64) {
        let listed_before = if can_list { begins.saturating_add(1) } else { 0 };
        *self = Self { lag: self.lag, begins, free_from: begins, listed_before, late, ..Self::default() };
    }

    /// When the proxy begins, if it has not yet, ns.
    pub(in crate::network) fn begins_after(&self, now: u64) -> Option<u64> {
        Some(self.begins).filter(|begins| *begins > now)
    }

    /// Whether the machine has started and its proxy's first sync has not ended yet, as far as was asked.
    pub(in crate::network) const fn has_no_rules(&self) -> bool {
        self.begins > 0 && self.programmed == 0
    }

    /// When the first sync ends, ns, as things are at `now`: zero = it has ended, `u64::MAX` = it will not begin.
    pub(in crate::network) fn has_rules_from(mut self, now: u64, log: &ChangeLog, timing: &SyncTiming) -> u64 {
        if !self.has_no_rules() || self.programmed(now, log, timing) > 0 {
            return 0;
        }
        match log.endpoints.last() {
            _ if self.syncing > 0 => self.sync_end,
            None => self.begins,
            Some(endpoints) => match self.arrival(0, log) {
                u64::MAX => u64::MAX,
                arrival => arrival.max(self.free_from).saturating_add(timing.sync(*endpoints)),
            },
        }
    }

    /// Whether the node hears of changes as others do.
    pub(in crate::network) const fn hears_as_usual(&self, now: u64) -> bool {
        self.late == 0 && self.not_before <= now
    }

    /// When a change arrives at the proxy, ns.
    fn arrival(&self, change: u32, log: &ChangeLog) -> u64 {
        let usual = log.times[change as usize].saturating_add(self.lag);
        if change < self.arrived || usual < self.listed_before {
            usual
        } else {
            usual.saturating_add(self.late).max(self.not_before)
        }
    }

    /// How many changes have arrived at an instant, of which the first `known` are sure to.
    fn arrived_by(&self, at: u64, known: u32, log: &ChangeLog) -> u32 {
        let (mut low, mut high) = (known, log.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.arrival(middle, log) <= at { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn advance(&mut self, now: u64, log: &ChangeLog, timing: &SyncTiming) -> u32 {
        loop {
            if self.syncing != self.programmed {
                if self.sync_end > now {
                    return self.programmed;
                }
                self.programmed = self.syncing;
                self.free_from = self.sync_end.saturating_add(timing.min_period.as_nanos());
            }
            if self.programmed == log.len() {
                return self.programmed;
            }
            let start = self.arrival(self.programmed, log).max(self.free_from);
            if start > now || start == u64::MAX {
                return self.programmed;
            }
            self.syncing = self.arrived_by(start, self.programmed + 1, log);
            self.sync_end = start.saturating_add(timing.sync(log.endpoints[self.syncing as usize - 1]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MILLI: u64 = 1_000_000;

    fn timing(min: u64, base: u64) -> SyncTiming {
        let (min_period, base) = (SimDuration::from_millis(min), SimDuration::from_millis(base));
        SyncTiming { min_period, base, per_endpoint: SimDuration::ZERO, jitter: SimDuration::ZERO }
    }

    fn log(changes: &[u64]) -> ChangeLog {
        let mut log = ChangeLog::default();
        for at in changes {
            log.push(at * MILLI, 0);
        }
        log
    }

    /// Rows of upstream's `bounded_frequency_runner_test.go`: a quiet proxy acts at once, changes within the least period are taken
    /// together at its end.
    #[test]
    fn changes_within_the_least_period_are_programmed_together() {
        let (log, timing) = (log(&[0, 500, 999, 2500]), timing(1000, 0));
        let mut runner = Runner::default();
        for (at, programmed) in [(0, 1), (500, 1), (999, 1), (1000, 3), (2499, 3), (2500, 4)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
    }

    #[test]
    fn what_comes_during_a_sync_waits_for_the_next() {
        let (log, timing) = (log(&[0, 50]), timing(1000, 100));
        let mut runner = Runner::default();
        // The first sync runs from 0 to 100 ms, the second starts 1000 ms after its end.
        for (at, programmed) in [(0, 0), (99, 0), (100, 1), (1100, 1), (1199, 1), (1200, 2)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
    }

    #[test]
    fn a_node_may_hear_of_changes_later() {
        let (log, timing) = (log(&[0]), timing(0, 0));
        let mut runner = Runner::new(SimDuration::from_millis(7));
        assert_eq!(runner.programmed(6 * MILLI, &log, &timing), 0);
        assert_eq!(runner.programmed(7 * MILLI, &log, &timing), 1);
    }

    #[test]
    fn a_node_that_hears_nothing_keeps_its_rules_and_then_takes_in_all_at_once() {
        let (log, timing) = (log(&[0, 500, 3000, 4000, 9000]), timing(1000, 100));
        let mut runner = Runner::default();
        // Change 1 has arrived at 500 ms and waits for the least period; it is programmed although the node is cut off by then.
        runner.hear(600 * MILLI, (u64::MAX, 0), &log, &timing);
        for (at, programmed) in [(1199, 1), (1200, 2), (8000, 2)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
        runner.hear(8000 * MILLI, (0, 8500 * MILLI), &log, &timing);
        for (at, programmed) in [(8599, 2), (8600, 4), (9699, 4), (9800, 5)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
        assert!(runner.hears_as_usual(8500 * MILLI));
    }

    #[test]
    fn a_slow_watch_brings_changes_later_and_its_end_brings_all_that_is_due() {
        let (log, timing) = (log(&[1000, 2000, 2500]), timing(0, 0));
        let mut runner = Runner::default();
        runner.hear(0, (5000 * MILLI, 0), &log, &timing);
        for (at, programmed) in [(5999, 0), (6000, 1), (6500, 1)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
        runner.hear(6500 * MILLI, (0, 6500 * MILLI), &log, &timing);
        assert_eq!(runner.programmed(6500 * MILLI, &log, &timing), 3);
    }

    #[test]
    fn a_machine_that_starts_has_no_rules_until_its_proxy_has_written_all_of_them_at_once() {
        let (log, timing) = (log(&[0, 500, 5200, 5400]), timing(1000, 100));
        let mut runner = Runner::default();
        assert_eq!(runner.programmed(4000 * MILLI, &log, &timing), 2);
        runner.start(5300 * MILLI, true, 0);
        assert_eq!(runner.has_rules_from(5000 * MILLI, &log, &timing), 5400 * MILLI);
        // What came before the start, or while the proxy was not there yet, it lists; what comes during its first sync waits.
        for (at, programmed) in [(5000, 0), (5399, 0), (5400, 3), (6499, 3), (6500, 4)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
        assert_eq!(runner.has_rules_from(6500 * MILLI, &log, &timing), 0);
    }

    #[test]
    fn a_machine_that_starts_cut_off_has_no_rules_until_it_hears_something() {
        let (log, timing) = (log(&[0, 500]), timing(1000, 100));
        let mut runner = Runner::default();
        runner.start(2000 * MILLI, false, u64::MAX);
        assert_eq!(runner.has_rules_from(3000 * MILLI, &log, &timing), u64::MAX);
        assert_eq!(runner.programmed(9000 * MILLI, &log, &timing), 0);
        runner.hear(9000 * MILLI, (0, 9500 * MILLI), &log, &timing);
        assert_eq!(runner.has_rules_from(9000 * MILLI, &log, &timing), 9600 * MILLI);
        for (at, programmed) in [(9599, 0), (9600, 2)] {
            assert_eq!(runner.programmed(at * MILLI, &log, &timing), programmed, "at {at} ms");
        }
    }

    proptest! {
        /// How often a proxy is asked does not matter either while its watch breaks and comes back, and it never forgets, unless its
        /// machine starts anew.
        #[test]
        fn asking_changes_nothing_while_watches_break_and_machines_start(
            mut changes in prop::collection::vec(0u64..20_000, 1..40),
            mut turns in prop::collection::vec((0u64..20_000, 0u8..4, 0u64..3000), 0..8),
            mut asked in prop::collection::vec(0u64..40_000, 0..60),
        ) {
            changes.sort_unstable();
            turns.sort_unstable();
            asked.sort_unstable();
            let timing = timing(700, 90);
            let whole = log(&changes);
            let (mut often, mut seldom) = (Runner::default(), Runner::default());
            let (mut asked, mut last) = (asked.into_iter().peekable(), 0);
            for (at, kind, by) in turns.into_iter().chain([(20_000, 0, 0)]) {
                while let Some(ask) = asked.next_if(|ask| *ask <= at) {
                    let programmed = often.programmed(ask * MILLI, &whole, &timing);
                    prop_assert!(programmed >= last);
                    last = programmed;
                }
                if kind == 3 {
                    for runner in [&mut often, &mut seldom] {
                        runner.start((at + by) * MILLI, by % 2 == 0, 0);
                    }
                    last = 0;
                    continue;
                }
                let regime = match kind {
                    0 => (0, (at + by) * MILLI),
                    1 => (u64::MAX, 0),
                    _ => (by * MILLI, at * MILLI),
                };
                often.hear(at * MILLI, regime, &whole, &timing);
                seldom.hear(at * MILLI, regime, &whole, &timing);
                prop_assert_eq!(often.programmed(at * MILLI, &whole, &timing), seldom.programmed(at * MILLI, &whole, &timing));
            }
            // In the end everybody has everything.
            prop_assert_eq!(often.programmed(40_000 * MILLI, &whole, &timing), whole.len());
            prop_assert_eq!(seldom.programmed(40_000 * MILLI, &whole, &timing), whole.len());
        }

        /// How often a proxy is asked does not change what it answers, and nothing waits longer than a period and two syncs.
        #[test]
        fn asking_changes_nothing(
            mut changes in prop::collection::vec(0u64..20_000, 1..60),
            asked in prop::collection::vec(0u64..25_000, 0..60),
            (min, base, lag) in (0u64..2000, 0u64..300, 0u64..50),
        ) {
            changes.sort_unstable();
            let (log, timing) = (log(&changes), timing(min, base));
            let mut often = Runner::new(SimDuration::from_millis(lag));
            let mut asked: Vec<u64> = asked.into_iter().chain([25_000]).collect();
            asked.sort_unstable();
            for at in asked {
                let mut once = Runner::new(SimDuration::from_millis(lag));
                let programmed = often.programmed(at * MILLI, &log, &timing);
                prop_assert_eq!(once.programmed(at * MILLI, &log, &timing), programmed);
                let old = changes.partition_point(|change| change + lag + min + 2 * base <= at);
                prop_assert!(programmed as usize >= old);
                prop_assert!(programmed as usize <= changes.partition_point(|change| change + lag + base <= at));
            }
        }
    }
}
