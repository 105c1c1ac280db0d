//! The same traffic with an event for everything: each arrival, start and end of service, answer and timeout. Slow, and simple
//! enough to be believed: servers are lists of what they work on, and people stand in line.
//!
//! The way to an endpoint is asked of the network itself; what is compared is the order of things, queues, cuts and accounts.

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::SimTime;
use crate::network::TrafficReport;
use crate::network::accounting::{GroupId, Settled};
use crate::network::clients::{Connection, Origin, Sender};
use crate::network::ids::{NodeId, ServerId, TargetId};
use crate::network::outcome::{Cause, Outcome};
use crate::network::relay::NO_SLOT;
use crate::network::servers::State;

mod agenda;
mod front;

use super::super::Due;
use super::super::names::{Dialled, Step};
use super::super::passages::Passage;
use super::super::send::Way;
use super::bed::{Bed, pod_of};
use super::shadow::Source;
use agenda::{Agenda, Event, Job, Rank};
pub(super) use front::Lists;

#[derive(Clone, Copy, Debug)]
struct Request {
    client: usize,
    /// Among those of the client: of all, or of its users.
    number: u64,
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
    /// The lists of the controller are against it.
    is_held_back: bool,
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

/// From one window to the next, ns.
const WINDOW: u64 = 1_000_000_000;
/// How long a user waits who has nowhere to send from, ns.
const NOBODY_SENDS: u64 = 1_000_000_000;

pub(super) struct Reference {
    bed: Bed,
    agenda: Agenda,
    requests: Vec<Request>,
    desks: Vec<Desk>,
    /// Attempts that look a host up, or try its addresses.
    dials: BTreeMap<usize, Dialled>,
    /// Users and arrivals of each client so far.
    counts: Vec<u64>,
    /// Counts what servers and reverse proxies are given to do.
    jobs: u32,
    /// What the controller asks of addresses.
    pub(super) lists: Lists,
}

impl Reference {
    pub(super) fn new(bed: Bed) -> Self {
        let counts = vec![0; bed.network.clients.len()];
        let desks = vec![Desk::default(); bed.network.fleet.servers.len()];
        let mut reference = Self {
            bed,
            agenda: Agenda::default(),
            requests: Vec::new(),
            desks,
            dials: BTreeMap::new(),
            counts,
            jobs: 0,
            lists: Lists::default(),
        };
        // What the network has already noted: first arrivals, and users that think.
        while let Some((at, client)) = reference.bed.network.flows.first_before(u64::MAX) {
            reference.agenda.push(at, Rank::Arrival(client), Event::Arrival(client));
            reference.bed.network.flows.replace_first(u64::MAX);
        }
        let mut users = Vec::new();
        reference.take_plans(|network, at, ticket| users.push((ticket, at, network.tickets.get(ticket).client)));
        users.sort_unstable();
        for (_, at, client) in users {
            let request = reference.request(client.into());
            reference.note(at, request, Event::Send(request));
        }
        reference.agenda.push(WINDOW, Rank::Window, Event::Window);
        reference
    }

    /// What the network has planned for processes and reverse proxies is an event here.
    fn take_plans(&mut self, mut sends: impl FnMut(&mut super::super::Network, u64, u32)) {
        loop {
            let at = self.bed.network.due.next_time();
            match self.bed.network.due.pop() {
                Some(Due::Stop { server, plan }) => {
                    self.agenda.push(at, Rank::Stop(server.0), Event::Stop(server, plan));
                }
                Some(Due::Sync { slot, life }) => self.agenda.push(at, Rank::Sync(slot), Event::Sync(slot, life)),
                Some(Due::Adopt { slot, life }) => self.agenda.push(at, Rank::Adopt(slot), Event::Adopt(slot, life)),
                Some(Due::Send { ticket }) => sends(&mut self.bed.network, at, ticket),
                Some(Due::End { .. } | Due::Dial { .. } | Due::Passage { .. } | Due::Retire { .. }) => {}
                None => return,
            }
        }
    }

    fn request(&mut self, client: usize) -> usize {
        let number = self.counts[client];
        self.counts[client] += 1;
        self.request_of(client, number)
    }

    fn request_of(&mut self, client: usize, number: u64) -> usize {
        self.requests.push(Request {
            client,
            number,
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
            is_held_back: false,
            via: None,
            hop: 0,
        });
        self.requests.len() - 1
    }

    fn now(&self) -> u64 {
        self.agenda.now
    }

    /// Something is to happen to a request.
    fn note(&mut self, at: u64, number: usize, event: Event) {
        let request = &self.requests[number];
        let rank = Rank::Request(request.client, request.number, matches!(event, Event::End(..)));
        self.agenda.push(at, rank, event);
    }

    /// Its present attempt ends then, unless it ends otherwise.
    fn note_end(&mut self, at: u64, number: usize) {
        self.requests[number].attempt += 1;
        let attempt = self.requests[number].attempt;
        self.note(at, number, Event::End(number, attempt));
    }

    pub(super) fn run_until(&mut self, limit: SimTime) {
        let limit = limit.as_nanos();
        while let Some(event) = self.agenda.pop_before(limit) {
            if self.bed.network.senders_changed {
                self.bed.network.find_senders();
            }
            self.happens(event);
        }
        // The window that ends at the limit is closed too.
        if self.agenda.pop_window(limit) {
            self.agenda.now = limit;
            self.happens(Event::Window);
        }
        self.agenda.now = limit;
        self.bed.now = SimTime::from_nanos(limit);
    }

    fn happens(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Arrival(client) => self.arrival(client),
            Event::Send(request) => self.send(request),
            Event::Dial(request) => self.dial(request),
            Event::Served(server, process, job) => self.served(server, process, job),
            Event::Forward(request, job) => self.front_is_done(request, job),
            Event::End(request, attempt) => self.end(request, attempt),
            Event::Word(request, job, attempt) => self.word(request, job, attempt),
            Event::Stop(server, plan) => {
                if self.bed.network.fleet.servers[server.at()].plan == plan {
                    self.bed.network.fleet.servers[server.at()].end(State::NoProcess);
                    self.cut(server);
                    self.bed.network.process_gone(server);
                }
            }
            Event::Sync(slot, life) => {
                let network = &mut self.bed.network;
                if let Some(at) = network.relays.sync(slot, life, now, &mut network.proxies) {
                    self.agenda.push(at, Rank::Adopt(slot), Event::Adopt(slot, life));
                }
            }
            Event::Adopt(slot, life) => self.bed.network.relays.adopt(slot, life, now),
            Event::Window => {
                self.bed.network.ledger.close_window();
                self.agenda.push(now + WINDOW, Rank::Window, Event::Window);
            }
        }
    }

    /// Lets something happen to the cluster; what was under way at processes that are gone then is cut.
    pub(super) fn control(&mut self, act: impl FnOnce(&mut Bed)) {
        let before: Vec<_> = self.bed.network.fleet.servers.iter().map(|s| (s.state, s.process)).collect();
        act(&mut self.bed);
        self.desks.resize(self.bed.network.fleet.servers.len(), Desk::default());
        self.take_plans(|_, _, _| {});
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
        if next < u64::MAX {
            self.agenda.push(next, Rank::Arrival(client), Event::Arrival(client));
        }
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
        let Some(sender) = network.sender(client) else {
            // What was to be tried again is lost; a user comes again later.
            if !first {
                network.ledger.request(client as u16, false, 0);
            }
            if is_user {
                let next = self.request_of(client, self.requests[number].number);
                self.note(now + NOBODY_SENDS, next, Event::Send(next));
            }
            return;
        };
        let tally = network.ledger.tally(client as u16);
        if first {
            tally.requests += 1;
            network.clients[client].earn_budget();
            self.requests[number].begun = now;
        } else {
            tally.retries += 1;
        }
        // What still works on an attempt that was given up answers nobody.
        self.jobs += 1;
        let request = &mut self.requests[number];
        (request.sent, request.under_way, request.decided, request.job) = (now, true, false, self.jobs);
        request.tries += 1;
        request.attempt += 1;
        (request.server, request.group, request.node) = (ServerId::NONE, GroupId::NONE, NodeId::NONE);
        (request.terminating, request.via) = (false, None);
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
            Step::Waits(at) => self.note(at, number, Event::Dial(number)),
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
            Err(cause) => return self.fails(number, cause, self.distance(client)),
        };
        if !way.server.is_some() {
            let network = &self.bed.network;
            let cause = network.fleet.absence(network.proxies.places()[way.target.at()].0);
            return self.fails(number, cause, 0);
        }
        if !way.connected && self.is_kept_out(sender, way.entry, way.target, way.server) {
            let client = &mut self.bed.network.clients[client];
            if let Some(connection) = client.connections.get_mut(client.present) {
                *connection = Connection::CLOSED;
            }
            return self.fails(number, Cause::PolicyDenied, 0);
        }
        if self.bed.network.fleet.servers[way.server.at()].slot != NO_SLOT {
            self.begin_passage(number, sender, way);
        }
        self.meet(number, way.server, way.entry, way.connected);
    }

    /// How long an attempt takes besides the way from node to node.
    fn distance(&self, client: usize) -> u64 {
        let network = &self.bed.network;
        match network.clients[client].spec.from {
            Origin::External => network.config.outside.as_nanos(),
            _ => 0,
        }
    }

    /// Whether policies, judged in the plain way, are against a connection that comes in at a node.
    fn is_kept_out(&mut self, sender: Sender, entry: NodeId, target: TargetId, server: ServerId) -> bool {
        let now = SimTime::from_nanos(self.now());
        let Bed { network, shadow, .. } = &mut self.bed;
        let Some(shadow) = shadow else { return false };
        let pod = |number| network.fleet.pod(number).map(|pod| pod_of(&pod.uid));
        let server = &network.fleet.servers[server.at()];
        let Some(to) = pod(server.pod) else { return false };
        let from = match pod(sender.address) {
            Some(pod) => Source::Pod(pod),
            None if sender.node.is_some() => Source::Node(sender.node.at()),
            // Its address is replaced where it comes in, but not on the way to a pod there.
            None if entry != server.node => Source::Node(entry.at()),
            None => Source::Outside,
        };
        let (_, port) = network.proxies.places()[target.at()];
        !shadow.passes(from, (to, server.state != State::NodeDown), port, now)
    }

    fn meet(&mut self, number: usize, id: ServerId, entry: NodeId, connected: bool) {
        let (now, distance) = (self.now(), self.distance(self.requests[number].client));
        let network = &mut self.bed.network;
        let server = &network.fleet.servers[id.at()];
        let request = &mut self.requests[number];
        let hop = if server.node == entry { 0 } else { network.config.hop.as_nanos() };
        if hop > 0 && network.clients[request.client].is_outside {
            network.ledger.tally(request.client as u16).extra_hops += 1;
        }
        request.trip = hop + distance;
        let (trip, group, node) = (request.trip, server.group, server.node);
        let dead = match server.state {
            State::Gone => Some(Cause::AddressGone),
            State::NodeDown => Some(Cause::NodeDown),
            State::NoProcess => Some(Cause::NoProcess),
            State::Starting => Some(Cause::NotListening),
            State::Closed => Some(Cause::PortClosed),
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
        let Some((cause, service, room)) = self.take_in(id, self.requests[number].client) else {
            return self.fails(number, Cause::QueueFull, trip);
        };
        let request = &mut self.requests[number];
        request.cause = cause;
        self.desks[id.at()].open.push(number);
        let gives_up = request.sent + self.bed.network.clients[request.client].timeout;
        self.jobs += 1;
        request.job = self.jobs;
        self.note_end(gives_up, number);
        let job = Job { request: number, attempt: self.jobs, service };
        if room {
            self.begin(id, process, job);
        } else {
            self.desks[id.at()].line.push_back(job);
        }
    }

    /// What a server that listens makes of a request, how long it works on it, and whether it does so at once; nothing if it turns it away.
    fn take_in(&mut self, id: ServerId, client: usize) -> Option<(Cause, u64, bool)> {
        let network = &mut self.bed.network;
        let model = &network.fleet.models[network.fleet.servers[id.at()].model()];
        let luck = &mut network.clients[client].service_times;
        let errors = model.error_rate;
        let fails = errors.failing > 0 && luck.ratio(errors.failing.into(), errors.of.into());
        let service = model.time.sample(luck).as_nanos();
        let desk = &self.desks[id.at()];
        let room = model.concurrency.is_none_or(|most| desk.busy.len() < most as usize);
        let cause = if fails { Cause::ApplicationError } else { Cause::Served };
        (room || desk.line.len() < model.queue as usize).then_some((cause, service, room))
    }

    fn begin(&mut self, id: ServerId, process: u32, job: Job) {
        self.desks[id.at()].busy.push(job);
        self.agenda.push(self.now() + job.service, Rank::Served, Event::Served(id, process, job));
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
            return match passage.front == id {
                true => self.note(now, number, Event::Forward(number, job.attempt)),
                false => self.upstream_is_done(number),
            };
        }
        if is_wanted && answer <= gives_up {
            request.decided = true;
            self.note_end(answer, number);
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
            Some(at) => return self.note(at, number, Event::Dial(number)),
            None => {}
        }
        self.requests[number].decided = true;
        if cause.outcome() == Outcome::TimedOut {
            self.bed.network.clients[self.requests[number].client].give_up_connection(at);
        }
        if !cause.is_silence() && !self.bed.network.clients[self.requests[number].client].is_attentive {
            // Nobody waits: it is counted at once.
            return self.finish(number, at);
        }
        self.note_end(at, number);
    }

    fn end(&mut self, number: usize, attempt: u32) {
        let request = &mut self.requests[number];
        if !request.under_way || request.attempt != attempt {
            return;
        }
        if !request.decided {
            request.cause = Cause::TooSlow;
        }
        self.finish(number, self.now());
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
            return self.note(at + wait.as_nanos(), number, Event::Send(number));
        }
        network.ledger.request(client as u16, succeeded, at - request.begun);
        if sender.clock.is_none() {
            let think = sender.think.sample(&mut sender.arrivals).as_nanos();
            let (user, earliest) = (request.number, request.begun + 1000);
            let next = self.request_of(client, user);
            self.note((at + think).max(earliest), next, Event::Send(next));
        }
    }

    fn cut(&mut self, id: ServerId) {
        let now = self.now();
        let desk = std::mem::take(&mut self.desks[id.at()]);
        let mut behind_others = Vec::new();
        for number in desk.open {
            if self.requests[number].via.is_some_and(|passage| passage.front != id) {
                behind_others.push(number);
            } else {
                self.ends_otherwise(number, Cause::Killed, now);
            }
        }
        self.front_fails(id, Cause::Killed);
        behind_others.sort_by_key(|number| (self.requests[*number].client, self.requests[*number].number));
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
        if at == self.agenda.now && !self.bed.network.clients[self.requests[number].client].is_attentive {
            return self.finish(number, at);
        }
        self.note_end(at, number);
    }

    pub(super) fn report(&self) -> TrafficReport {
        self.bed.network.report()
    }
}
