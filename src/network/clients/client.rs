//! A client at work.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kernel::{Purpose, Sampler, SimDuration, Stream, Streams};

use super::super::Cidr;
use super::super::ids::{NodeId, PoolId, PortId, ServerId, TargetId};
use super::super::outcome::Cause;
use super::super::policy::Protocol;
use super::super::proxy::Entrance;
use super::super::servers::Pending;
use super::arrivals::ArrivalClock;
use super::spec::{ClientSpec, HttpRequest, Load, Origin, RequestTarget};

const ARRIVALS: Purpose = Purpose::new(0x5ea_0202);
const WAYS: Purpose = Purpose::new(0x5ea_0203);
const SERVICE_TIMES: Purpose = Purpose::new(0x5ea_0204);
const PATIENCE: Purpose = Purpose::new(0x5ea_0205);
const LOOKUPS: Purpose = Purpose::new(0x5ea_0206);

/// A pod or a node that requests come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Sender {
    pub(in crate::network) node: NodeId,
    /// Stands for its address.
    pub(in crate::network) address: u64,
}

/// A connection that is used more than once.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Connection {
    pub(in crate::network) server: ServerId,
    /// The process at its other end, and which of its workers, if it is a reverse proxy.
    pub(in crate::network) process: u32,
    pub(in crate::network) workers: u32,
    /// Node that it came in by, and how often that had gone down before.
    pub(in crate::network) entry: NodeId,
    pub(in crate::network) outages: u32,
    /// Requests that it still takes.
    pub(in crate::network) left: u32,
    /// The client closes it then, ns.
    pub(in crate::network) until: u64,
    /// Target, for UDP.
    pub(in crate::network) target: TargetId,
    /// A flow of UDP: nobody opens or closes it.
    pub(in crate::network) is_udp: bool,
    /// At its other end it has the address of the node that it came in by.
    pub(in crate::network) is_masqueraded: bool,
    /// When it was last used, ns, and whether something came back then.
    pub(in crate::network) used: u64,
    pub(in crate::network) answered: bool,
}

impl Connection {
    /// None.
    pub(in crate::network) const CLOSED: Self = Self {
        server: ServerId::NONE,
        process: 0,
        workers: 0,
        entry: NodeId::NONE,
        outages: 0,
        left: 0,
        until: 0,
        target: TargetId::NONE,
        is_udp: false,
        is_masqueraded: false,
        used: 0,
        answered: false,
    };
}

/// Where the requests of a client go, as long as no service changes.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Goal {
    pub(in crate::network) generation: u64,
    /// The same port, if every request connects anew to the rules of a Service.
    pub(in crate::network) plain: Option<(PortId, Entrance)>,
    pub(in crate::network) port: Result<(PortId, Entrance), Cause>,
    pub(in crate::network) protocol: Protocol,
    /// Its requests get the address of the node where they come in for their source.
    pub(in crate::network) is_masqueraded: bool,
    /// The load balancer by which requests from outside come in.
    pub(in crate::network) pool: Option<PoolId>,
    /// The reverse proxy that listens on a port of machines, by which they come in.
    pub(in crate::network) door: Option<(u32, u16)>,
}

impl Goal {
    /// It was not looked up yet.
    const UNKNOWN: Self = Self {
        generation: u64::MAX,
        plain: None,
        port: Err(Cause::NoSuchName),
        protocol: Protocol::Tcp,
        is_masqueraded: false,
        pool: None,
        door: None,
    };
}

/// A client at work.
#[derive(Clone, Debug)]
pub(in crate::network) struct Client {
    pub(in crate::network) spec: Arc<ClientSpec>,
    pub(in crate::network) timeout: u64,
    /// It does something when an attempt ends.
    pub(in crate::network) is_attentive: bool,
    /// It is outside of the cluster.
    pub(in crate::network) is_outside: bool,
    pub(in crate::network) clock: Option<ArrivalClock>,
    pub(in crate::network) think: Sampler,
    pub(in crate::network) arrivals: Stream,
    pub(in crate::network) ways: Stream,
    pub(in crate::network) service_times: Stream,
    pub(in crate::network) patience: Stream,
    pub(in crate::network) lookups: Stream,
    /// It asks DNS for a host.
    pub(in crate::network) by_name: bool,
    /// What of the time of the present attempt has passed before this connection, ns: lookups, and addresses that took none.
    pub(in crate::network) spent: u64,
    pub(in crate::network) goal: Goal,
    /// Attempts that nothing will ever answer, in the order of their ends.
    pub(in crate::network) silent: VecDeque<Pending>,
    pub(in crate::network) connections: Vec<Connection>,
    /// The one that was used last in turn, and the one of the present attempt.
    pub(in crate::network) turn: usize,
    pub(in crate::network) present: usize,
    /// Whom requests come from, if not from outside.
    pub(in crate::network) senders: Vec<Sender>,
    /// Thousandths of a retry that are left.
    pub(in crate::network) budget: u64,
    /// Requests that were told apart so far.
    begun: u64,
}

/// Retries that may be made at once, in thousandths.
const BUDGET_RESERVE: u64 = 10_000;

impl Client {
    pub(in crate::network) fn new(spec: ClientSpec, streams: Streams) -> Self {
        let stream = |purpose| streams.stream(purpose, &*spec.name);
        let (clock, think) = match &spec.load {
            Load::Open(arrivals) => (Some(ArrivalClock::new(arrivals, spec.start, spec.stop)), Sampler::default()),
            Load::Closed { think, .. } => (None, think.clone()),
        };
        let connections = spec.keep_alive.map_or(0, |keep| keep.connections.max(1) as usize);
        Self {
            timeout: spec.timeout.as_nanos().max(1),
            // Who asks for a host goes on when it has the answer.
            is_attentive: clock.is_none() || spec.retries.count > 0 || spec.host().is_some(),
            is_outside: matches!(spec.from, Origin::External),
            by_name: spec.host().is_some(),
            clock,
            think,
            arrivals: stream(ARRIVALS),
            ways: stream(WAYS),
            service_times: stream(SERVICE_TIMES),
            patience: stream(PATIENCE),
            lookups: stream(LOOKUPS),
            spent: 0,
            goal: Goal::UNKNOWN,
            silent: VecDeque::new(),
            connections: vec![Connection::CLOSED; connections],
            turn: 0,
            present: 0,
            senders: Vec::new(),
            budget: BUDGET_RESERVE,
            begun: 0,
            spec: Arc::new(spec),
        }
    }

    /// When it gives the present attempt up that sends something now, ns.
    #[inline]
    pub(in crate::network) const fn gives_up(&self, now: u64) -> u64 {
        (now - self.spent).saturating_add(self.timeout)
    }

    /// What it asks reverse proxies for.
    pub(in crate::network) fn request(&self) -> Option<Arc<HttpRequest>> {
        match &self.spec.to {
            RequestTarget::Url(request) => Some(request.clone()),
            RequestTarget::Service(..) | RequestTarget::Host(..) => None,
        }
    }

    /// The addresses that clients outside have; `None` = it is inside.
    pub(in crate::network) fn range(&self) -> Option<Cidr> {
        matches!(self.spec.from, Origin::External).then(|| self.spec.network.unwrap_or(Cidr::ANYWHERE))
    }

    /// The method of its requests.
    pub(in crate::network) fn method(&self) -> &str {
        match &self.spec.to {
            RequestTarget::Url(request) => &request.method,
            RequestTarget::Service(..) | RequestTarget::Host(..) => "GET",
        }
    }

    /// The first arrival of an open client, ns.
    pub(in crate::network) fn first_arrival(&mut self) -> u64 {
        self.next_arrival()
    }

    /// The next arrival of an open client, ns.
    #[inline(always)]
    pub(in crate::network) fn next_arrival(&mut self) -> u64 {
        match &mut self.clock {
            Some(clock) => clock.next(&mut self.arrivals),
            None => u64::MAX,
        }
    }

    /// A request begins that must be told apart from others; returns its number.
    #[inline]
    pub(in crate::network) const fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// The connection of the latest attempt is closed at `ends`, ns, as no answer came on it in time. A socket of UDP stays.
    pub(in crate::network) fn give_up_connection(&mut self, ends: u64) {
        if let Some(connection) = self.connections.get_mut(self.present) {
            connection.answered = false;
            if !connection.is_udp {
                connection.until = connection.until.min(ends);
            }
        }
    }

    /// Nothing will answer an attempt. Most end in the order in which they come here, those that a reverse proxy had may end before.
    pub(in crate::network) fn wait_in_vain(&mut self, attempt: Pending) {
        let later = self.silent.iter().rev().take_while(|waiting| waiting.ends > attempt.ends).count();
        self.silent.insert(self.silent.len() - later, attempt);
    }

    /// A request has begun: it may be retried a little.
    pub(in crate::network) fn earn_budget(&mut self) {
        if let Some(budget) = self.spec.retries.budget {
            self.budget = (self.budget + u64::from(budget)).min(BUDGET_RESERVE.max(u64::from(budget)));
        }
    }

    /// How long to wait before the next attempt after `tries`, if there is to be one.
    pub(in crate::network) fn wait_to_retry(&mut self, tries: u32) -> Option<SimDuration> {
        let retries = &self.spec.retries;
        if tries > retries.count {
            return None;
        }
        if retries.budget.is_some() {
            self.budget = self.budget.checked_sub(1000)?;
        }
        let doubled = retries.back_off.as_nanos().saturating_mul(1 << (tries - 1).min(30));
        let longest = if retries.back_off_max.is_zero() { u64::MAX } else { retries.back_off_max.as_nanos() };
        let wait = doubled.min(longest);
        let half = wait / 2;
        let jitter = if half == 0 { 0 } else { self.patience.below(half + 1) };
        Some(SimDuration::from_nanos(wait - half + jitter))
    }
}
