//! One container that may serve, through its lives.

use crate::kernel::Stream;

use super::super::accounting::GroupId;
use super::super::ids::NodeId;
use super::super::outcome::Cause;
use super::super::relay::NO_SLOT;
use super::meter::Meter;
use super::model::ServeModel;
use super::queue::Queue;

/// Nobody waits for the end of an attempt but the accounts.
pub(in crate::network) const NO_TICKET: u32 = u32::MAX;

/// An attempt came here without a reverse proxy in between.
pub(in crate::network) const NO_PASSAGE: u32 = u32::MAX;

/// What stands behind the port of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) enum State {
    /// The pod is gone: nothing has its address.
    Gone,
    /// The machine is down.
    NodeDown,
    /// The pod is there, the process is not.
    NoProcess,
    /// The process runs and does not listen yet.
    Starting,
    /// The process listens, until it is told to stop.
    Listening,
    /// The process listens and never answers.
    Hung,
    /// This is a port of a pod to which none of its processes listens.
    Closed,
}

impl State {
    /// Why a connection gets no answer.
    const fn obstacle(self) -> Option<Cause> {
        Some(match self {
            Self::Listening => return None,
            Self::Hung => Cause::Hung,
            Self::Gone => Cause::AddressGone,
            Self::NodeDown => Cause::NodeDown,
            Self::NoProcess => Cause::NoProcess,
            Self::Starting => Cause::NotListening,
            Self::Closed => Cause::PortClosed,
        })
    }
}

/// An attempt under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(in crate::network) struct Pending {
    /// When it began, ns.
    pub(in crate::network) sent: u64,
    /// When its outcome is known, ns.
    pub(in crate::network) ends: u64,
    /// Its passage through a reverse proxy, or [`NO_PASSAGE`].
    pub(in crate::network) passage: u32,
    // What follows is compared at once where attempts are counted that are alike.
    /// Who waits for it: a ticket, or nobody.
    pub(in crate::network) ticket: u32,
    pub(in crate::network) client: u16,
    /// What its outcome will be.
    pub(in crate::network) cause: Cause,
    /// The pod was being deleted when it came.
    pub(in crate::network) terminating: bool,
}

/// What a server says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) enum Admission {
    /// It takes it: done at this instant, ns, and how it ends.
    Taken(u64, Cause),
    /// It answers at once with an error, or the connection is refused.
    Turned(Cause),
    /// Nothing ever comes.
    Silent(Cause),
}

/// A container that may serve. What every request looks at comes first, on two lines of the processor's cache: with thousands of
/// servers most of them are not there when a request comes.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(in crate::network) struct Server {
    pub(in crate::network) state: State,
    pub(in crate::network) terminating: bool,
    /// In the list of servers with attempts under way.
    pub(in crate::network) listed: bool,
    /// The model is plain, and nobody measures.
    is_plain: bool,
    pub(in crate::network) group: GroupId,
    pub(in crate::network) node: NodeId,
    /// Its slot among the reverse proxies, or `NO_SLOT`.
    pub(in crate::network) slot: u32,
    model: u32,
    /// As many attempts under way are reason to look which of them have ended.
    pub(in crate::network) crowd: u32,
    /// When it stops taking connections, ns.
    pub(in crate::network) closes: u64,
    /// Number of its pod.
    pub(in crate::network) pod: u64,
    pub(in crate::network) pending: Vec<Pending>,
    queue: Queue,
    /// Counts what its process does, if somebody measures it.
    pub(in crate::network) meter: Option<Box<Meter>>,
    /// When the CPU has done what was asked of it so far, ns.
    cpu_free: u64,
    /// Limit in thousandths of a core; 0 = none.
    cpu_limit: u32,
    /// When its process ends, ns, as far as that is planned.
    pub(in crate::network) stops: u64,
    /// When it began to listen, ns.
    listens_since: u64,
    /// Counts processes.
    pub(in crate::network) process: u32,
    /// Counts plans for the end of a process.
    pub(in crate::network) plan: u32,
    /// How long it takes connections after SIGTERM, ns.
    pub(in crate::network) grace: u64,
}

impl Server {
    pub(in crate::network) fn new(node: NodeId, group: GroupId, model: u32, cpu_limit: u32) -> Self {
        Self {
            state: State::NoProcess,
            closes: u64::MAX,
            stops: u64::MAX,
            listens_since: 0,
            process: 0,
            plan: 0,
            node,
            pod: 0,
            group,
            terminating: false,
            listed: false,
            is_plain: false,
            slot: NO_SLOT,
            grace: 0,
            model,
            queue: Queue::default(),
            cpu_free: 0,
            cpu_limit,
            pending: Vec::new(),
            crowd: 0,
            meter: None,
        }
    }

    pub(in crate::network) const fn model(&self) -> usize {
        self.model as usize
    }

    /// A new process.
    pub(in crate::network) fn start(&mut self, model: &ServeModel) {
        self.state = State::Starting;
        (self.closes, self.stops) = (u64::MAX, u64::MAX);
        (self.process, self.plan) = (self.process + 1, self.plan + 1);
        self.queue = Queue::new(model.concurrency);
        self.is_plain = model.is_plain() && self.meter.is_none();
        self.cpu_free = 0;
        self.meter = self.meter.take().map(|_| Box::default());
    }

    /// The process listens.
    pub(in crate::network) const fn listen(&mut self, now: u64) {
        self.state = State::Listening;
        self.listens_since = now;
    }

    /// The process was told to stop, or will be: SIGTERM (`None` = as it was said before) and end, ns.
    pub(in crate::network) fn plan_stop(&mut self, sigterm: Option<u64>, stops: u64, model: &ServeModel) {
        let closes = sigterm.filter(|_| !model.serves_on_sigterm).map(|sigterm| sigterm.saturating_add(self.grace));
        self.closes = closes.unwrap_or(self.closes).min(stops);
        self.terminating = true;
        self.stops = stops;
        self.plan += 1;
    }

    /// There is no process any more: what takes its place is `state`.
    pub(in crate::network) fn end(&mut self, state: State) {
        self.state = state;
        self.plan += 1;
    }

    /// Whether a connection that was opened to a process, the n-th here, has been closed by its end. On a machine that went down nobody
    /// was left to say so.
    #[inline]
    pub(in crate::network) const fn has_closed(&self, process: u32) -> bool {
        self.process != process || !matches!(self.state, State::Listening | State::Hung | State::NodeDown)
    }

    /// Why a connection that is opened at `now`, ns, gets no answer.
    pub(in crate::network) const fn obstacle(&self, now: u64) -> Option<Cause> {
        match self.state {
            State::Listening | State::Hung if now >= self.stops => Some(Cause::NoProcess),
            State::Listening if now >= self.closes => Some(Cause::Stopping),
            state => state.obstacle(),
        }
    }

    /// Takes a request in, or not. `connected`: on a connection that is open already.
    #[inline(always)]
    pub(in crate::network) fn admit(
        &mut self,
        now: u64,
        connected: bool,
        model: &ServeModel,
        luck: &mut Stream,
    ) -> Admission {
        if self.state != State::Listening {
            return self.decline();
        }
        if now >= self.closes && !connected {
            return Admission::Turned(Cause::Stopping);
        }
        if self.is_plain {
            let time = model.time.sample(luck).as_nanos();
            return match self.queue.admit(now, time, model.queue as usize) {
                Some(done) => Admission::Taken(done, Cause::Served),
                None => Admission::Turned(Cause::QueueFull),
            };
        }
        self.admit_in_detail(now, model, luck)
    }

    /// Nothing listens.
    #[cold]
    const fn decline(&self) -> Admission {
        match self.state.obstacle() {
            Some(cause @ (Cause::Hung | Cause::AddressGone | Cause::NodeDown)) => Admission::Silent(cause),
            Some(cause) => Admission::Turned(cause),
            None => Admission::Turned(Cause::NotListening),
        }
    }

    /// The same where more than the time of a request and its turn decides.
    #[inline(never)]
    fn admit_in_detail(&mut self, now: u64, model: &ServeModel, luck: &mut Stream) -> Admission {
        let fails = model.error_rate.strikes(luck);
        let time = model.time.sample(luck).as_nanos();
        let cpu = model.cpu.sample(luck).as_nanos();
        if self.is_full(now, model) {
            return Admission::Turned(Cause::QueueFull);
        }
        let time = self.slowed(now, time, cpu, model);
        if let Some(meter) = &mut self.meter {
            meter.requests += 1;
        }
        // There is room: that was looked at before anything was worked on.
        let done = self.queue.admit(now, time, usize::MAX).unwrap_or(u64::MAX);
        Admission::Taken(done, if fails { Cause::ApplicationError } else { Cause::Served })
    }

    /// Whether a request that comes now would have to wait, and there is no room for that.
    #[inline(always)]
    fn is_full(&mut self, now: u64, model: &ServeModel) -> bool {
        self.queue.start(now) > now && self.queue.waiting(now) >= model.queue as usize
    }

    /// From now on it is counted what it does.
    pub(in crate::network) fn measure(&mut self) {
        self.meter = Some(Box::default());
        self.is_plain = false;
    }

    /// How long a request takes that would take `time` ns besides `cpu` ns of CPU time.
    fn slowed(&mut self, now: u64, mut time: u64, cpu: u64, model: &ServeModel) -> u64 {
        let extra = self.extra(now, model);
        if extra > 0 {
            time = (u128::from(time) * u128::from(1000 + extra) / 1000) as u64;
        }
        if cpu > 0 {
            time = time.saturating_add(self.on_cpu(now, cpu));
        }
        time
    }

    /// How long a request that comes now would wait for its turn, ns; `None` if it would be turned away.
    pub(in crate::network) fn wait(&self, now: u64, model: &ServeModel) -> Option<u64> {
        let wait = self.queue.start(now) - now;
        let is_full = wait > 0 && self.queue.still_waiting(now) >= model.queue as usize;
        (!is_full).then_some(wait)
    }

    /// How long a request that comes now would wait for the CPU, ns, if that is limited.
    pub(in crate::network) const fn wait_for_cpu(&self, now: u64) -> u64 {
        if self.cpu_limit == 0 { 0 } else { self.cpu_free.saturating_sub(now) }
    }

    /// How much longer than usual a request takes, in thousandths.
    fn extra(&self, now: u64, model: &ServeModel) -> u64 {
        let mut extra = 0;
        if let Some(warm_up) = model.warm_up {
            extra += warm_up.extra(now - self.listens_since);
        }
        if let (true, Some(most)) = (model.slow_with_load > 0, model.concurrency) {
            extra += u64::from(model.slow_with_load) * self.queue.busy(now) as u64 / u64::from(most.max(1));
        }
        extra
    }

    /// How long a request that begins when its turn comes is on the CPU. Under a limit, requests get it one after the other.
    fn on_cpu(&mut self, now: u64, cpu: u64) -> u64 {
        let start = self.queue.start(now);
        if self.cpu_limit == 0 {
            self.meter(now, start, start.saturating_add(cpu), cpu);
            return cpu;
        }
        let limited = (u128::from(cpu) * 1000 / u128::from(self.cpu_limit)) as u64;
        let begins = self.cpu_free.max(start);
        self.cpu_free = begins.saturating_add(limited);
        self.meter(now, begins, self.cpu_free.max(begins.saturating_add(cpu)), cpu);
        self.cpu_free.max(start.saturating_add(cpu)) - start
    }

    #[inline]
    fn meter(&mut self, now: u64, from: u64, until: u64, cpu: u64) {
        if let Some(meter) = &mut self.meter {
            meter.burn(now, from, until, cpu);
        }
    }
}
