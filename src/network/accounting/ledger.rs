//! Where outcomes are counted.

use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};

use super::super::ids::NodeId;
use super::super::outcome::{Cause, Outcome};
use super::detail::Detail;
use super::histogram::Histogram;

/// What served, in the eyes of a report: an image and the revision of its pod template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::network) struct GroupId(pub(in crate::network) u16);

impl GroupId {
    /// Nothing was reached.
    pub(in crate::network) const NONE: Self = Self(u16::MAX);
}

/// Counts of a client over a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were begun.
    pub requests: u64,
    /// Requests that were answered, perhaps after retries.
    pub succeeded: u64,
    /// Requests that failed for good.
    pub lost: u64,
    /// Attempts by [`Cause`], in the order of [`Cause::ALL`]. An attempt counts when its outcome is there.
    pub causes: [u64; Cause::ALL.len()],
    /// Attempts after the first.
    pub retries: u64,
    /// Answers of pods that were being deleted.
    pub by_terminating: u64,
    /// Attempts that went on from the node where they came in to another one.
    pub extra_hops: u64,
    /// New connections.
    pub connections: u64,
    /// Questions to DNS, one for every name that was tried.
    pub dns_queries: u64,
    /// Connections to further addresses of an answer of DNS, in place of one that took none.
    pub fallbacks: u64,
    /// Tries of ingress controllers and Gateways at further endpoints, in place of one that refused, cut or kept silent.
    pub upstream_retries: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            requests: 0,
            succeeded: 0,
            lost: 0,
            causes: [0; Cause::ALL.len()],
            retries: 0,
            by_terminating: 0,
            extra_hops: 0,
            connections: 0,
            dns_queries: 0,
            fallbacks: 0,
            upstream_retries: 0,
        }
    }
}

impl Tally {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.succeeded += other.succeeded;
        self.lost += other.lost;
        self.causes.iter_mut().zip(&other.causes).for_each(|(mine, theirs)| *mine += theirs);
        self.retries += other.retries;
        self.by_terminating += other.by_terminating;
        self.extra_hops += other.extra_hops;
        self.connections += other.connections;
        self.dns_queries += other.dns_queries;
        self.fallbacks += other.fallbacks;
        self.upstream_retries += other.upstream_retries;
    }

    /// Attempts with an outcome.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        Cause::ALL.iter().filter(|cause| cause.outcome() == outcome).map(|cause| self.causes[*cause as usize]).sum()
    }

    /// Requests whose end is known.
    #[must_use]
    pub const fn finished(&self) -> u64 {
        self.succeeded + self.lost
    }

    /// Billionths of the finished requests that succeeded, rounded down; all of them if none has finished.
    #[must_use]
    pub fn success_billionths(&self) -> u64 {
        let all = u128::from(self.finished());
        (u128::from(self.succeeded) * 1_000_000_000).checked_div(all).map_or(1_000_000_000, |part| part as u64)
    }
}

/// A client's counts over one window of time in which something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub start: SimTime,
    /// Counts.
    pub tally: Tally,
    /// Half of the requests that succeeded took no longer.
    pub p50: SimDuration,
    /// 95 of 100 took no longer.
    pub p95: SimDuration,
    /// 99 of 100 took no longer.
    pub p99: SimDuration,
    /// The longest.
    pub max: SimDuration,
    /// Latencies by class, attempts by version.
    pub detail: Detail,
}

/// Statuses by which reverse proxies answer themselves.
pub(in crate::network) const STATUSES: [u16; 8] = [308, 403, 404, 413, 500, 502, 503, 504];

/// What came by one way through an ingress controller or Gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::network) struct WayTally {
    /// Attempts that were sent that way.
    pub(in crate::network) requests: u64,
    /// Tries at further endpoints.
    pub(in crate::network) retried: u64,
    /// What the reverse proxy answered itself, by [`STATUSES`].
    pub(in crate::network) statuses: [u64; STATUSES.len()],
}

impl WayTally {
    /// The reverse proxy answers itself.
    pub(in crate::network) fn tells(&mut self, cause: Cause) {
        let status = cause.status();
        if let Some(at) = STATUSES.iter().position(|known| Some(*known) == status) {
            self.statuses[at] += 1;
        }
    }
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Settled {
    pub(in crate::network) client: u16,
    pub(in crate::network) group: GroupId,
    pub(in crate::network) node: NodeId,
    pub(in crate::network) cause: Cause,
    pub(in crate::network) terminating: bool,
}

#[derive(Clone, Debug, Default)]
pub(in crate::network) struct ClientLedger {
    /// The present window.
    pub(super) tally: Tally,
    pub(super) latency: Histogram,
    /// Everything before it.
    pub(super) past: Tally,
    pub(super) past_latency: Histogram,
    pub(super) windows: Vec<Window>,
    /// What `groups` were at the end of the last window.
    groups_before: Vec<[u64; 2]>,
    /// Attempts answered and failed, by group; the last entry is for what reached nothing.
    pub(super) groups: Vec<[u64; 2]>,
    pub(super) nowhere: [u64; 2],
    /// By the way through a reverse proxy.
    pub(super) ways: Vec<WayTally>,
}

impl ClientLedger {
    /// Counts the ends of so many attempts.
    #[inline]
    pub(in crate::network) fn attempts(&mut self, settled: &Settled, count: u64) {
        self.tally.causes[settled.cause as usize] += count;
        let failed = usize::from(settled.cause != Cause::Served);
        self.tally.by_terminating += if settled.terminating && failed == 0 { count } else { 0 };
        if settled.group == GroupId::NONE {
            self.nowhere[failed] += count;
            return;
        }
        let at = usize::from(settled.group.0);
        if at >= self.groups.len() {
            self.groups.resize(at + 1, [0; 2]);
        }
        self.groups[at][failed] += count;
    }

    /// Counts the end of a request.
    #[inline(always)]
    pub(in crate::network) fn request(&mut self, succeeded: bool, latency: u64) {
        if succeeded {
            self.tally.succeeded += 1;
            self.latency.record(latency);
        } else {
            self.tally.lost += 1;
        }
    }

    #[cold]
    fn extend_ways(&mut self, count: usize) {
        self.ways.resize(count, WayTally::default());
    }

    /// The same counts, and no window.
    pub(in crate::network) fn without_windows(&self) -> Self {
        Self {
            tally: self.tally.clone(),
            latency: self.latency.clone(),
            past: self.past.clone(),
            past_latency: self.past_latency.clone(),
            windows: Vec::new(),
            groups_before: Vec::new(),
            groups: self.groups.clone(),
            nowhere: self.nowhere,
            ways: self.ways.clone(),
        }
    }

    /// Requests that were begun since the start.
    pub(in crate::network) const fn requests(&self) -> u64 {
        self.past.requests + self.tally.requests
    }

    /// Counts and latencies since the start.
    pub(super) fn total(&self) -> (Tally, Histogram) {
        let (mut tally, mut latency) = (self.past.clone(), self.past_latency.clone());
        tally.merge(&self.tally);
        latency.merge(&self.latency);
        (tally, latency)
    }
}

/// All counts.
#[derive(Clone, Debug)]
pub(in crate::network) struct Ledger {
    /// Length of a window, ns.
    width: u64,
    /// End of the present window, ns.
    pub(in crate::network) window_end: u64,
    clients: Vec<ClientLedger>,
    /// Windows of all clients.
    kept: usize,
    /// Names of groups.
    pub(super) groups: Vec<Arc<str>>,
    /// Attempts answered and failed by node.
    pub(super) nodes: Vec<[u64; 2]>,
    /// Windows that were closed and not yet asked for: client, place among its windows.
    closed: Vec<(u16, u32)>,
}

impl Ledger {
    pub(in crate::network) fn new(clients: usize, width: SimDuration) -> Self {
        let width = width.as_nanos().max(1);
        Self {
            width,
            window_end: width,
            clients: vec![ClientLedger::default(); clients],
            kept: 0,
            groups: Vec::new(),
            nodes: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// The group of that name.
    pub(in crate::network) fn group(&mut self, name: &str) -> GroupId {
        let at = self.groups.iter().position(|known| **known == *name);
        let at = at.unwrap_or_else(|| {
            self.groups.push(name.into());
            self.groups.len() - 1
        });
        // Revisions beyond 65,534 in one run are counted as reaching nothing known.
        u16::try_from(at).map_or(GroupId::NONE, GroupId)
    }

    #[inline]
    pub(in crate::network) fn tally(&mut self, client: u16) -> &mut Tally {
        &mut self.clients[usize::from(client)].tally
    }

    /// The account of a client's way through a reverse proxy.
    #[inline(always)]
    pub(in crate::network) fn way(&mut self, client: u16, way: usize) -> &mut WayTally {
        let known = &mut self.clients[usize::from(client)];
        if way >= known.ways.len() {
            known.extend_ways(way + 1);
        }
        &mut known.ways[way]
    }

    /// Counts the end of an attempt.
    pub(in crate::network) fn attempt(&mut self, settled: Settled) {
        self.attempts(settled, 1);
    }

    /// Counts the ends of so many attempts.
    #[inline]
    pub(in crate::network) fn attempts(&mut self, settled: Settled, count: u64) {
        self.clients[usize::from(settled.client)].attempts(&settled, count);
        if settled.node.is_some() {
            if settled.node.at() >= self.nodes.len() {
                self.nodes.resize(settled.node.at() + 1, [0; 2]);
            }
            self.nodes[settled.node.at()][usize::from(settled.cause != Cause::Served)] += count;
        }
    }

    /// The latencies of a client's requests that are answered.
    #[inline]
    pub(in crate::network) fn latency(&mut self, client: u16) -> &mut Histogram {
        &mut self.clients[usize::from(client)].latency
    }

    /// Counts the ends of a client's requests, whose latencies are noted apart.
    #[inline]
    pub(in crate::network) fn ends(&mut self, client: u16, succeeded: bool, count: u64) {
        let tally = &mut self.clients[usize::from(client)].tally;
        *(if succeeded { &mut tally.succeeded } else { &mut tally.lost }) += count;
    }

    /// Counts the end of a request.
    #[inline(always)]
    pub(in crate::network) fn request(&mut self, client: u16, succeeded: bool, latency: u64) {
        self.clients[usize::from(client)].request(succeeded, latency);
    }

    /// The accounts of all clients.
    pub(in crate::network) fn clients(&self) -> &[ClientLedger] {
        &self.clients
    }

    /// How many windows are kept.
    #[inline]
    pub(in crate::network) const fn windows(&self) -> usize {
        self.kept
    }

    /// Ends the present window; everything that ended in it must have been counted.
    pub(in crate::network) fn close_window(&mut self) {
        let start = SimTime::from_nanos(self.window_end - self.width);
        for (number, client) in self.clients.iter_mut().enumerate() {
            if client.tally == Tally::default() {
                continue;
            }
            let latency = &client.latency;
            let [p50, p95, p99] = [500, 950, 990].map(|permille| latency.quantile(permille));
            client.past.merge(&client.tally);
            client.past_latency.merge(latency);
            let detail = Detail::of(latency, &client.groups, &mut client.groups_before, &self.groups);
            let tally = std::mem::take(&mut client.tally);
            let window = Window { start, p50, p95, p99, max: latency.max(), tally, detail };
            client.latency.clear();
            self.closed.push((number as u16, client.windows.len() as u32));
            client.windows.push(window);
            self.kept += 1;
        }
        self.window_end = self.window_end.saturating_add(self.width);
    }

    /// Skips windows in which nothing can have happened, so that `now` is in the present one.
    pub(in crate::network) const fn skip_to(&mut self, now: u64) {
        if now >= self.window_end {
            self.window_end = (now / self.width + 1).saturating_mul(self.width);
        }
    }

    /// Windows that were closed since the last call: client and window.
    pub(in crate::network) fn take_closed(&mut self) -> Vec<(u16, Window)> {
        let closed = std::mem::take(&mut self.closed);
        closed
            .into_iter()
            .map(|(client, at)| (client, self.clients[usize::from(client)].windows[at as usize].clone()))
            .collect()
    }
}
