//! The same traffic with an event for everything: each arrival, start and end of service, answer and timeout. Slow, and simple
//! enough to be believed: servers are lists of what they work on, and people stand in line.
//!
//! The way to an endpoint is asked of the network itself; what is compared is the order of things, queues, cuts and accounts.

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::{EventQueue, SimTime};
use crate::network::TrafficReport;
use crate::network::accounting::{GroupId, Settled};
use crate::network::clients::{Connection, Origin, Sender};
use crate::network::ids::{NodeId, ServerId};
use crate::network::ingress::Attempt;
use crate::network::outcome::{Cause, Outcome};
use crate::network::relay::NO_SLOT;
use crate::network::servers::State;
use crate::objects::Uid;

mod front;

use super::super::Due;
use super::super::names::{Dialled, Step};
use super::super::passages::Passage;
use super::super::send::Way;
use super::bed::Bed;

#[derive(Clone, Copy, Debug)]
enum Event {
    Arrival(usize),
    /// The next attempt of a request, or the next request of a user.
    Send(usize),
    /// An attempt that looks a host up, or tries its addresses, goes on.
    Dial(usize),
    /// A server is done with an attempt; the process it was when it began.
    Served(ServerId, u32, Job),
    /// An attempt ends: its number among the request's.
    End(usize, u32),
    /// A process ends as planned.
    Stop(ServerId, u32),
    Window,
    /// A reverse proxy hears that of a try, the job being the present one.
    Word(usize, u32, Attempt),
    /// A pod of a reverse proxy syncs, or its workers take over what it has found.
    Sync(u32, u32),
    Adopt(u32, u32),
}

/// An attempt at a server, which goes on working on it when the client has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    request: usize,
    attempt: u32,
    service: u64,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    client: usize,
    begun: u64,
    sent: u64,
    tries: u32,
    /// Counts attempts and what becomes of them.
    attempt: u32,
    cause: Cause,
    trip: u64,
    /// The attempt that a server may answer.
    job: u32,
    /// Its outcome is known, and when it comes.
    decided: bool,
    server: ServerId,
    group: GroupId,
    node: NodeId,
    terminating: bool,
    under_way: bool,
    /// Its passage through a reverse proxy, and the trip from there to the endpoint.
    via: Option<Passage>,
    hop: u64,
}

#[derive(Clone, Debug, Default)]
struct Desk {
    /// Requests that are being worked on, and that wait.
    busy: Vec<Job>,
    line: VecDeque<Job>,
    /// Requests whose outcome would come from here.
    open: Vec<usize>,
}

const DUE: u16 = 1;
const ARRIVALS: u16 = 2;

pub(super) struct Reference {
    bed: Bed,
    queue: EventQueue<Event>,
    requests: Vec<Request>,
    desks: Vec<Desk>,
    /// Attempts that look a host up, or try its addresses.
    dials: BTreeMap<usize, Dialled>,
    /// Counts what servers and reverse proxies are given to do.
    jobs: u32,
}

impl Reference {
    pub(super) fn new(bed: Bed) -> Self {
        let mut reference = Self {
            bed,
            queue: EventQueue::new(),
            requests: Vec::new(),
            desks: Vec::new(),
            dials: BTreeMap::new(),
            jobs: 0,
        };
        reference.desks.resize(reference.bed.network.fleet.servers.len(), Desk::default());
        // What the network has already noted: first arrivals, and users that think.
        while let Some((at, client)) = reference.bed.network.flows.first_before(u64::MAX) {
            reference.queue.push(SimTime::from_nanos(at), ARRIVALS + client as u16, Event::Arrival(client));
            reference.bed.network.flows.replace_first(u64::MAX);
        }
        while reference.bed.network.due.next_time() < u64::MAX {
            let at = SimTime::from_nanos(reference.bed.network.due.next_time());
            let Some(due) = reference.bed.network.due.pop() else { break };
            reference.keep(at, due);
            let Due::Send { ticket } = due else { continue };
            let client = usize::from(reference.bed.network.tickets.get(ticket).client);
            let request = reference.request(client);
            reference.queue.push(at, DUE, Event::Send(request));
        }
        reference.queue.push(SimTime::from_secs(1), 0, Event::Window);
        reference
    }

    /// What the network has planned for reverse proxies is an event here.
    fn keep(&mut self, at: SimTime, due: Due) {
        match due {
            Due::Sync { slot, life } => self.queue.push(at, DUE, Event::Sync(slot, life)),
            Due::Adopt { slot, life } => self.queue.push(at, DUE, Event::Adopt(slot, life)),
            _ => return,
        };
    }

    fn request(&mut self, client: usize) -> usize {
        self.requests.push(Request {
            client,
            begun: 0,
            sent: 0,
            tries: 0,
            attempt: 0,
            cause: Cause::Served,
            trip: 0,
            job: 0,
            decided: false,
            server: ServerId::NONE,
            group: GroupId::NONE,
            node: NodeId::NONE,
            terminating: false,
            under_way: false,
            via: None,
            hop: 0,
        });
        self.requests.len() - 1
    }

    fn now(&self) -> u64 {
        self.queue.now().as_nanos()
    }

    pub(super) fn run_until(&mut self, limit: SimTime) {
        let last = SimTime::from_nanos(limit.as_nanos().saturating_sub(1));
        while let Some((_, event)) = self.queue.pop_until(last) {
            if self.bed.network.senders_changed {
                self.bed.network.find_senders();
            }
            match event {
                Event::Arrival(client) => self.arrival(client),
                Event::Send(request) => self.send(request),
                Event::Dial(request) => self.dial(request),
                Event::Served(server, process, job) => self.served(server, process, job),
                Event::End(request, attempt) => self.end(request, attempt),
                Event::Stop(server, plan) => {
                    if self.bed.network.fleet.servers[server.at()].plan == plan {
                        self.bed.network.fleet.servers[server.at()].end(State::NoProcess);
                        self.cut(server);
                        self.bed.network.process_gone(server);
                    }
                }
                Event::Word(request, job, attempt) => self.word(request, job, attempt),
                Event::Sync(slot, life) => {
                    let (now, network) = (self.now(), &mut self.bed.network);
                    if let Some(at) = network.relays.sync(slot, life, now, &mut network.proxies) {
                        self.keep(SimTime::from_nanos(at), Due::Adopt { slot, life });
                    }
                }
                Event::Adopt(slot, life) => {
                    let now = self.now();
                    self.bed.network.relays.adopt(slot, life, now);
                }
                Event::Window => {
                    self.bed.network.ledger.close_window();
                    let next = self.queue.now() + crate::kernel::SimDuration::from_secs(1);
                    self.queue.push(next, 0, Event::Window);
                }
            }
        }
        // The window that ends at the limit is closed too.
        if self.bed.network.ledger.window_end <= limit.as_nanos() {
            self.queue.advance_to(last);
            if let Some((_, Event::Window)) = self.queue.pop_until(limit) {
                self.bed.network.ledger.close_window();
                let next = limit + crate::kernel::SimDuration::from_secs(1);
                self.queue.push(next, 0, Event::Window);
            }
        }
        self.queue.advance_to(limit);
        self.bed.now = limit;
    }

    /// Lets something happen to the cluster; what was under way at processes that are gone then is cut.
    pub(super) fn control(&mut self, act: impl FnOnce(&mut Bed)) {
        let before: Vec<_> = self.bed.network.fleet.servers.iter().map(|s| (s.state, s.process)).collect();
        // The network takes what is due as its own; here it is an event.
        act(&mut self.bed);
        while self.bed.network.due.next_time() < u64::MAX {
            let at = SimTime::from_nanos(self.bed.network.due.next_time());
            let Some(due) = self.bed.network.due.pop() else { break };
            if let Due::Stop { server, plan } = due {
                self.queue.push(at, DUE, Event::Stop(server, plan));
            }
            self.keep(at, due);
        }
        for (at, (state, process)) in before.into_iter().enumerate() {
            let server = &self.bed.network.fleet.servers[at];
            let id = ServerId(at as u32);
            match server.state {
                State::NodeDown if state != State::NodeDown => self.silence(id, Cause::NodeDown),
                State::NodeDown => {}
                State::Hung if state != State::Hung => self.silence(id, Cause::Hung),
                State::Hung => {}
                _ if server.process != process || server.state == State::NoProcess => self.cut(id),
                _ => {}
            }
        }
    }

    fn arrival(&mut self, client: usize) {
        let request = self.request(client);
        self.send(request);
        let next = self.bed.network.clients[client].next_arrival();
        self.queue.push(SimTime::from_nanos(next), ARRIVALS + client as u16, Event::Arrival(client));
    }

    fn send(&mut self, number: usize) {
        let now = self.now();
        let client = self.requests[number].client;
        let spec = self.bed.network.clients[client].spec.clone();
        let is_user = self.bed.network.clients[client].clock.is_none();
        let first = self.requests[number].tries == 0;
        if is_user && first && spec.stop.is_some_and(|stop| stop.as_nanos() <= now) {
            return;
        }
        let network = &mut self.bed.network;
        let Some(sender) = network.sender(client) else { return };
        let tally = network.ledger.tally(client as u16);
        if first {
            tally.requests += 1;
            network.clients[client].earn_budget();
            self.requests[number].begun = now;
        } else {
            tally.retries += 1;
        }
        let request = &mut self.requests[number];
        (request.sent, request.under_way, request.decided) = (now, true, false);
        request.tries += 1;
        request.attempt += 1;
        (request.server, request.group, request.node) = (ServerId::NONE, GroupId::NONE, NodeId::NONE);
        (request.terminating, request.via) = (false, None);
        assert!(!matches!(spec.from, Origin::External), "the reference knows no load balancers");
        self.dials.remove(&number);
        if !network.clients[client].by_name {
            let way = network.find_way(client, sender, now);
            return self.go(number, sender, way);
        }
        match network.begin_dial(client, sender, now) {
            Ok(way) => self.go(number, sender, Ok(way)),
            Err(dial) => {
                self.dials.insert(number, dial);
                self.dial(number);
            }
        }
    }

    /// Goes on with the lookup of an attempt, or with its next address.
    fn dial(&mut self, number: usize) {
        let now = self.now();
        let Some(dial) = self.dials.get_mut(&number) else { return };
        let request = &mut self.requests[number];
        (request.group, request.node, request.terminating) = (GroupId::NONE, NodeId::NONE, false);
        match self.bed.network.go_on(dial, now) {
            Step::Waits(at) => {
                self.queue.push(SimTime::from_nanos(at), DUE, Event::Dial(number));
            }
            Step::Fails(cause, ends) => {
                self.dials.remove(&number);
                self.fails(number, cause, ends - now);
            }
            Step::Tries(place) => {
                let way = self.bed.network.connect_to(dial, place, now);
                let sender = dial.sender();
                self.go(number, sender, way);
            }
        }
    }

    /// An attempt goes a way, if there is one.
    fn go(&mut self, number: usize, sender: Sender, way: Result<Way, Cause>) {
        let client = self.requests[number].client;
        let way = match way {
            Ok(way) => way,
            Err(cause) => return self.fails(number, cause, 0),
        };
        if !way.server.is_some() {
            return self.fails(number, Cause::AddressGone, 0);
        }
        if !way.connected && self.is_kept_out(sender, way.server) {
            let client = &mut self.bed.network.clients[client];
            if let Some(connection) = client.connections.get_mut(client.present) {
                *connection = Connection::CLOSED;
            }
            return self.fails(number, Cause::PolicyDenied, 0);
        }
        if self.bed.network.fleet.servers[way.server.at()].slot != NO_SLOT {
            self.begin_passage(number, way);
        }
        self.meet(number, way.server, way.entry, way.connected);
    }

    /// Whether policies, judged in the plain way, are against a connection.
    fn is_kept_out(&self, sender: Sender, server: ServerId) -> bool {
        let Some(shadow) = &self.bed.shadow else { return false };
        let fleet = &self.bed.network.fleet;
        let pod = |number| match fleet.pod(number).map(|pod| &pod.uid) {
            Some(Uid::Uuid { low, .. }) => Some(*low as usize - 1),
            _ => None,
        };
        let server = &fleet.servers[server.at()];
        let Some(to) = pod(server.pod) else { return false };
        let is_up = server.state != State::NodeDown;
        !shadow.passes(pod(sender.address), (to, is_up), self.queue.now())
    }

    fn meet(&mut self, number: usize, id: ServerId, entry: NodeId, connected: bool) {
        let now = self.now();
        let network = &mut self.bed.network;
        let server = &network.fleet.servers[id.at()];
        let request = &mut self.requests[number];
        let hop = if server.node == entry { 0 } else { network.config.hop.as_nanos() };
        request.trip = hop;
        let (trip, group, node) = (request.trip, server.group, server.node);
        let dead = match server.state {
            State::Gone => Some(Cause::AddressGone),
            State::NodeDown => Some(Cause::NodeDown),
            State::NoProcess => Some(Cause::NoProcess),
            State::Starting => Some(Cause::NotListening),
            State::Listening if now >= server.closes && !connected => Some(Cause::Stopping),
            State::Listening | State::Hung => None,
        };
        if let Some(cause) = dead {
            // Of silence only those learn where it comes from who wait for its end.
            if cause.outcome() != Outcome::TimedOut || network.clients[request.client].is_attentive {
                (request.group, request.node, request.terminating) = (group, node, server.terminating);
            }
            return self.fails(number, cause, trip);
        }
        (request.server, request.group, request.node) = (id, group, node);
        request.terminating = server.terminating;
        let process = server.process;
        if server.state == State::Hung {
            self.desks[id.at()].open.push(number);
            return self.fails(number, Cause::Hung, 0);
        }
        let model = network.fleet.models[server.model()].clone();
        let luck = &mut network.clients[request.client].service_times;
        let fails =
            model.error_rate.failing > 0 && luck.ratio(model.error_rate.failing.into(), model.error_rate.of.into());
        let service = model.time.sample(luck).as_nanos();
        let desk = &mut self.desks[id.at()];
        let room = model.concurrency.is_none_or(|most| desk.busy.len() < most as usize);
        if !room && desk.line.len() >= model.queue as usize {
            return self.fails(number, Cause::QueueFull, trip);
        }
        request.cause = if fails { Cause::ApplicationError } else { Cause::Served };
        desk.open.push(number);
        let gives_up = request.sent + network.clients[request.client].timeout;
        let attempt = request.attempt;
        self.jobs += 1;
        request.job = self.jobs;
        self.queue.push(SimTime::from_nanos(gives_up), DUE, Event::End(number, attempt));
        let job = Job { request: number, attempt: self.jobs, service };
        if room {
            self.begin(id, process, job);
        } else {
            self.desks[id.at()].line.push_back(job);
        }
    }

    fn begin(&mut self, id: ServerId, process: u32, job: Job) {
        self.desks[id.at()].busy.push(job);
        let end = self.queue.now().as_nanos() + job.service;
        self.queue.push(SimTime::from_nanos(end), DUE, Event::Served(id, process, job));
    }

    fn served(&mut self, id: ServerId, process: u32, job: Job) {
        if self.bed.network.fleet.servers[id.at()].process != process || !self.desks[id.at()].busy.contains(&job) {
            return;
        }
        let now = self.now();
        self.desks[id.at()].busy.retain(|busy| *busy != job);
        if let Some(next) = self.desks[id.at()].line.pop_front() {
            self.begin(id, process, next);
        }
        let number = job.request;
        let request = &mut self.requests[number];
        // The answer may come too late, or to nobody.
        let answer = now + request.trip;
        let gives_up = request.sent + self.bed.network.clients[request.client].timeout;
        let is_wanted = request.under_way && !request.decided && request.job == job.attempt;
        if let (true, Some(passage)) = (is_wanted, request.via) {
            return if passage.front == id { self.front_is_done(number) } else { self.upstream_is_done(number) };
        }
        if is_wanted && answer <= gives_up {
            request.attempt += 1;
            let attempt = request.attempt;
            self.queue.push(SimTime::from_nanos(answer), DUE, Event::End(number, attempt));
            self.requests[number].decided = true;
        }
    }

    /// An attempt fails: at once, or by its timeout.
    fn fails(&mut self, number: usize, cause: Cause, trip: u64) {
        let now = self.now();
        let request = &mut self.requests[number];
        request.cause = cause;
        let gives_up = request.sent + self.bed.network.clients[request.client].timeout;
        let at = if cause.outcome() == Outcome::TimedOut { gives_up } else { now + trip };
        let again = self.dials.get_mut(&number).and_then(|dial| self.bed.network.fall_back(dial, cause, at, now));
        match again {
            Some(at) if at == now => return self.dial(number),
            Some(at) => {
                self.queue.push(SimTime::from_nanos(at), DUE, Event::Dial(number));
                return;
            }
            None => {}
        }
        request.attempt += 1;
        request.decided = true;
        let attempt = request.attempt;
        if cause.outcome() == Outcome::TimedOut {
            self.bed.network.clients[request.client].give_up_connection(at);
        }
        if !cause.is_silence() && !self.bed.network.clients[self.requests[number].client].is_attentive {
            // Nobody waits: it is counted at once.
            return self.finish(number, at);
        }
        self.queue.push(SimTime::from_nanos(at), DUE, Event::End(number, attempt));
    }

    fn end(&mut self, number: usize, attempt: u32) {
        let request = &mut self.requests[number];
        if !request.under_way || request.attempt != attempt {
            return;
        }
        if !request.decided {
            request.cause = Cause::TooSlow;
        }
        let at = self.queue.now().as_nanos();
        self.finish(number, at);
    }

    fn finish(&mut self, number: usize, at: u64) {
        let request = &mut self.requests[number];
        request.under_way = false;
        request.attempt += 1;
        let Request { client, cause, group, node, terminating, .. } = *request;
        if request.server.is_some() {
            self.desks[request.server.at()].open.retain(|open| *open != number);
        }
        let succeeded = cause == Cause::Served;
        let network = &mut self.bed.network;
        network.ledger.attempt(Settled { client: client as u16, group, node, cause, terminating });
        let sender = &mut network.clients[client];
        if !succeeded
            && sender.is_attentive
            && let Some(wait) = sender.wait_to_retry(request.tries)
        {
            self.queue.push(SimTime::from_nanos(at) + wait, DUE, Event::Send(number));
            return;
        }
        network.ledger.request(client as u16, succeeded, at - request.begun);
        if sender.clock.is_none() {
            let think = sender.think.sample(&mut sender.arrivals);
            let earliest = SimTime::from_nanos(request.begun + 1000);
            let next = self.request(client);
            self.queue.push((SimTime::from_nanos(at) + think).max(earliest), DUE, Event::Send(next));
        }
    }

    fn cut(&mut self, id: ServerId) {
        let now = self.now();
        let desk = std::mem::take(&mut self.desks[id.at()]);
        let mut behind_others = Vec::new();
        for number in desk.open {
            if self.requests[number].cause == Cause::NodeDown {
                self.desks[id.at()].open.push(number);
            } else if self.requests[number].via.is_some_and(|passage| passage.front != id) {
                behind_others.push(number);
            } else {
                self.ends_otherwise(number, Cause::Killed, now);
            }
        }
        self.front_fails(id, Cause::Killed);
        behind_others.sort_by_key(|number| (self.requests[*number].sent, self.requests[*number].client));
        behind_others.into_iter().for_each(|number| self.upstream_ends(number));
    }

    fn silence(&mut self, id: ServerId, cause: Cause) {
        let open = self.desks[id.at()].open.clone();
        if cause == Cause::NodeDown {
            self.desks[id.at()] = Desk { open: open.clone(), ..Desk::default() };
        }
        for number in open {
            let request = &self.requests[number];
            if request.via.is_some_and(|passage| passage.front != id) {
                self.upstream_hangs(number, cause);
                continue;
            }
            let gives_up = request.sent + self.bed.network.clients[request.client].timeout;
            self.ends_otherwise(number, cause, gives_up);
        }
        self.front_fails(id, cause);
    }

    fn ends_otherwise(&mut self, number: usize, cause: Cause, at: u64) {
        let request = &mut self.requests[number];
        (request.cause, request.decided) = (cause, true);
        request.attempt += 1;
        let attempt = request.attempt;
        if at == self.queue.now().as_nanos() && !self.bed.network.clients[self.requests[number].client].is_attentive {
            return self.finish(number, at);
        }
        self.queue.push(SimTime::from_nanos(at), DUE, Event::End(number, attempt));
    }

    pub(super) fn report(&self) -> TrafficReport {
        self.bed.network.report()
    }
}
