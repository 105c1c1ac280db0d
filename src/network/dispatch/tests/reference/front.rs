//! Requests through an ingress controller, with an event for everything: its own queue, each try, each timeout.
//!
//! Which endpoint comes next and whether there is another try is asked of the network; when, and what is cut, is worked out here.

use super::super::bed::{address, pod_of};
use super::{Event, Job, Reference};
use crate::network::Network;
use crate::network::clients::{Origin, Sender};
use crate::network::dispatch::due::Turn;
use crate::network::dispatch::passages::{Passage, Wait};
use crate::network::dispatch::send::{Fate, Way};
use crate::network::dispatch::upstream::Refusal;
use crate::network::ids::{NodeId, ServerId};
use crate::network::ingress::Attempt;
use crate::network::outcome::{Cause, Outcome};
use crate::network::servers::State;

/// The lists of single addresses by which the controller lets clients in.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::network::dispatch::tests) struct Lists {
    /// None = all.
    pub(in crate::network::dispatch::tests) allow: &'static [&'static str],
    pub(in crate::network::dispatch::tests) deny: &'static [&'static str],
    /// Clients outside come with their own addresses, which nobody knows.
    pub(in crate::network::dispatch::tests) keeps_addresses: bool,
}

impl Lists {
    fn hold_back(&self, address: &str) -> bool {
        self.deny.contains(&address) || !self.allow.is_empty() && !self.allow.contains(&address)
    }
}

impl Reference {
    /// Whether the lists are against a request, by the address that the controller sees.
    fn is_held_back(&self, client: usize, sender: Sender, way: Way) -> bool {
        let of_node = |node: NodeId| format!("192.0.2.{}", node.0);
        let pod = self.bed.network.fleet.pod(sender.address).map(|pod| address(pod_of(&pod.uid)));
        let seen = match self.bed.network.clients[client].spec.from {
            Origin::External if self.lists.keeps_addresses => "somewhere".to_owned(),
            Origin::External => of_node(way.entry),
            Origin::Node(_) | Origin::Pods(..) => pod.unwrap_or_else(|| of_node(sender.node)),
        };
        self.lists.hold_back(&seen)
    }

    /// A request has got to a pod of the controller: from here on it is a passage.
    pub(super) fn begin_passage(&mut self, number: usize, sender: Sender, way: Way) {
        let is_held_back = self.is_held_back(self.requests[number].client, sender, way);
        let network = &self.bed.network;
        let request = &mut self.requests[number];
        request.is_held_back = is_held_back;
        request.via = Some(Passage {
            sent: request.sent,
            who: sender.address,
            masquerade: if way.is_masqueraded { way.entry } else { NodeId::NONE },
            front: way.server,
            slot: network.fleet.servers[way.server.at()].slot,
            turn: Turn::request(request.client as u16, request.number),
            wait: Wait::Queue,
            client: request.client as u16,
            ..Passage::NONE
        });
    }

    /// Asks the network something about a passage.
    fn ask_of<T>(&mut self, passage: &mut Passage, what: impl FnOnce(&mut Network, u32) -> T) -> T {
        let network = &mut self.bed.network;
        let number = network.passages.open();
        *network.passages.get_mut(number) = *passage;
        let answer = what(network, number);
        *passage = *network.passages.get(number);
        network.passages.release(number);
        answer
    }

    fn gives_up(&self, number: usize) -> u64 {
        let request = &self.requests[number];
        request.sent + self.bed.network.clients[request.client].timeout
    }

    /// The controller has done its own work on a request.
    pub(super) fn front_is_done(&mut self, number: usize, job: u32) {
        let now = self.now();
        let request = &self.requests[number];
        let (trip, is_wanted) = (request.trip, request.under_way && !request.decided && request.job == job);
        if !is_wanted || now + trip > self.gives_up(number) {
            return;
        }
        let front = self.requests[number].via.map_or(ServerId::NONE, |passage| passage.front);
        self.desks[front.at()].open.retain(|open| *open != number);
        if let Some(passage) = &mut self.requests[number].via {
            (passage.trip, passage.first) = (trip, now);
        }
        self.forward(number);
    }

    fn forward(&mut self, number: usize) {
        let now = self.now();
        let Some(mut passage) = self.requests[number].via else { return };
        loop {
            passage.tries += 1;
            passage.since = now;
            let chosen = self.ask_of(&mut passage, |network, number| network.choose_upstream(number, now));
            match (self.requests[number].is_held_back, &chosen) {
                // Without a configuration it knows of no lists either.
                (true, Err(Refusal::Own(Cause::Forbidden | Cause::NoRule))) => {}
                (is_held_back, Err(Refusal::Own(Cause::Forbidden))) => assert!(is_held_back, "{passage:?}"),
                (is_held_back, _) => assert!(!is_held_back, "{passage:?} {chosen:?}"),
            }
            let said = match chosen {
                Ok(server) if self.keeps_apart(&passage, server) => Some(Attempt::ConnectTimeout),
                Ok(server) => self.ask(number, &passage, server),
                Err(Refusal::Own(cause)) => {
                    let fate = self.ask_of(&mut passage, |network, number| network.answer(number, cause, now));
                    self.requests[number].via = Some(passage);
                    return self.told(number, fate);
                }
                Err(Refusal::Of(attempt)) => Some(attempt),
            };
            self.requests[number].via = Some(passage);
            let Some(attempt) = said else { return };
            if attempt == Attempt::ConnectTimeout {
                return self.wait_for(number, &passage, attempt, ServerId::NONE);
            }
            let fate = self.ask_of(&mut passage, |network, number| network.after(number, attempt, now));
            self.requests[number].via = Some(passage);
            if let Some(fate) = fate {
                return self.told(number, fate);
            }
        }
    }

    /// Whether policies are between the controller and an endpoint.
    fn keeps_apart(&mut self, passage: &Passage, server: ServerId) -> bool {
        let front = &self.bed.network.fleet.servers[passage.front.at()];
        let (node, address) = (front.node, front.pod);
        server.is_some() && self.is_kept_out(Sender { node, address }, node, passage.target, server)
    }

    /// Asks an endpoint; what it says at once.
    fn ask(&mut self, number: usize, passage: &Passage, id: ServerId) -> Option<Attempt> {
        let now = self.now();
        let front = &self.bed.network.fleet.servers[passage.front.at()];
        let front_node = front.node;
        if !id.is_some() {
            self.wait_for(number, passage, Attempt::ConnectTimeout, id);
            return None;
        }
        let server = &self.bed.network.fleet.servers[id.at()];
        match server.state {
            State::NodeDown | State::Gone => {
                self.wait_for(number, passage, Attempt::ConnectTimeout, id);
                return None;
            }
            State::NoProcess | State::Starting | State::Closed => return Some(Attempt::Refused),
            State::Listening if now >= server.closes => return Some(Attempt::Refused),
            State::Hung => {
                self.desks[id.at()].open.push(number);
                self.wait_for(number, passage, Attempt::ReadTimeout, id);
                return None;
            }
            State::Listening => {}
        }
        let (group, node, terminating, process) = (server.group, server.node, server.terminating, server.process);
        let Some((cause, service, room)) = self.take_in(id, self.requests[number].client) else {
            return Some(Attempt::Answered(503));
        };
        self.desks[id.at()].open.push(number);
        self.jobs += 1;
        let hop = if node == front_node { 0 } else { self.bed.network.config.hop.as_nanos() };
        let request = &mut self.requests[number];
        (request.cause, request.server, request.group, request.node) = (cause, id, group, node);
        (request.terminating, request.decided, request.hop, request.job) = (terminating, false, hop, self.jobs);
        let job = Job { request: number, attempt: self.jobs, service };
        self.word_at(number, passage, Attempt::ReadTimeout);
        if room {
            self.begin(id, process, job);
        } else {
            self.desks[id.at()].line.push_back(job);
        }
        None
    }

    /// The controller hears that, unless the client gives up before; then it does nothing.
    fn word_at(&mut self, number: usize, passage: &Passage, attempt: Attempt) -> bool {
        let network = &self.bed.network;
        let policy = passage.goal.map(|goal| network.relays.policy(goal.policy));
        let wait = policy.map_or(0, |policy| match attempt {
            Attempt::ReadTimeout => policy.read_timeout,
            _ => policy.connect_timeout,
        });
        let at = passage.since + wait;
        let in_time = at < self.gives_up(number);
        if in_time {
            let job = self.requests[number].job;
            self.note(at, number, Event::Word(number, job, attempt));
        }
        in_time
    }

    /// Nothing comes from an endpoint.
    fn wait_for(&mut self, number: usize, passage: &Passage, attempt: Attempt, id: ServerId) {
        self.jobs += 1;
        let request = &mut self.requests[number];
        (request.job, request.decided, request.server) = (self.jobs, false, ServerId::NONE);
        let is_connected = attempt == Attempt::ReadTimeout;
        if is_connected {
            request.server = id;
        }
        if self.word_at(number, passage, attempt) {
            return;
        }
        let holder = if is_connected { id } else { passage.front };
        let server = &self.bed.network.fleet.servers[holder.at()];
        let (group, node) = (server.group, server.node);
        let request = &mut self.requests[number];
        request.cause = if is_connected { Cause::Hung } else { Cause::TooSlow };
        (request.group, request.node, request.decided) = (group, node, true);
        self.note_end(self.gives_up(number), number);
    }

    /// An endpoint is done with a request; the answer may come too late for the controller, or for the client.
    pub(super) fn upstream_is_done(&mut self, number: usize) {
        let now = self.now();
        let request = self.requests[number];
        let Some(passage) = request.via else { return };
        let heard = now + request.hop;
        let policy = passage.goal.map(|goal| self.bed.network.relays.policy(goal.policy));
        let read_timeout = policy.map_or(u64::MAX, |policy| policy.read_timeout);
        let tries_again = request.cause == Cause::ApplicationError
            && policy.is_some_and(|policy| policy.next.statuses.contains(&500));
        let gives_up = self.gives_up(number);
        let is_late = heard - passage.since > read_timeout && passage.since.saturating_add(read_timeout) < gives_up;
        if is_late || heard + request.trip > gives_up {
            return;
        }
        if tries_again {
            return self.note(heard, number, Event::Word(number, request.job, Attempt::Answered(500)));
        }
        self.requests[number].decided = true;
        self.note_end(heard + request.trip, number);
    }

    /// The controller hears something of a try.
    pub(super) fn word(&mut self, number: usize, job: u32, attempt: Attempt) {
        let request = self.requests[number];
        if request.under_way && !request.decided && request.job == job {
            self.hear(number, attempt);
        }
    }

    /// A try has failed: another one, or the client is told.
    fn hear(&mut self, number: usize, attempt: Attempt) {
        let now = self.now();
        let request = &mut self.requests[number];
        if request.server.is_some() {
            self.desks[request.server.at()].open.retain(|open| *open != number);
        }
        // Why the last endpoint was silent says nothing of the next one.
        (request.server, request.decided, request.cause) = (ServerId::NONE, false, Cause::TooSlow);
        self.jobs += 1;
        request.job = self.jobs;
        let Some(mut passage) = request.via else { return };
        self.note_end(self.gives_up(number), number);
        let fate = self.ask_of(&mut passage, |network, number| network.after(number, attempt, now));
        self.requests[number].via = Some(passage);
        match fate {
            Some(fate) => self.told(number, fate),
            None => self.forward(number),
        }
    }

    /// The controller answers itself.
    fn told(&mut self, number: usize, fate: Fate) {
        let front = &self.bed.network.fleet.servers[fate.server.at()];
        let (group, node, terminating) = (front.group, front.node, front.terminating);
        let request = &mut self.requests[number];
        (request.cause, request.decided, request.server) = (fate.cause, true, ServerId::NONE);
        request.via = None;
        (request.group, request.node, request.terminating) = (group, node, terminating);
        let is_watched = self.bed.network.clients[self.requests[number].client].is_attentive;
        if !is_watched && fate.cause.outcome() != Outcome::TimedOut {
            return self.finish(number, fate.ends);
        }
        self.note_end(fate.ends, number);
    }

    /// An endpoint that worked on a request has ended.
    pub(super) fn upstream_ends(&mut self, number: usize) {
        self.hear(number, Attempt::Reset);
    }

    /// An endpoint that works on a request answers no more.
    pub(super) fn upstream_hangs(&mut self, number: usize, cause: Cause) {
        let request = self.requests[number];
        let Some(passage) = request.via else { return };
        let gives_up = self.gives_up(number);
        let read_timeout =
            passage.goal.map_or(u64::MAX, |goal| self.bed.network.relays.policy(goal.policy).read_timeout);
        if passage.since.saturating_add(read_timeout) >= gives_up {
            return self.ends_otherwise(number, cause, gives_up);
        }
        self.jobs += 1;
        let request = &mut self.requests[number];
        (request.decided, request.job, request.cause) = (false, self.jobs, cause);
        request.attempt += 1;
        self.word_at(number, &passage, Attempt::ReadTimeout);
    }

    /// A pod of the controller has ended, or its machine or process says nothing more: so it is with all that is on its way through it.
    pub(super) fn front_fails(&mut self, id: ServerId, cause: Cause) {
        let now = self.now();
        let through = |request: &super::Request| {
            request.under_way && request.via.is_some_and(|passage| passage.front == id && passage.tries > 0)
        };
        let numbers: Vec<usize> = (0..self.requests.len()).filter(|number| through(&self.requests[*number])).collect();
        let front = &self.bed.network.fleet.servers[id.at()];
        let (group, node, terminating) = (front.group, front.node, front.terminating);
        for number in numbers {
            let request = &mut self.requests[number];
            let before = request.server;
            (request.group, request.node, request.terminating) = (group, node, terminating);
            (request.server, request.cause) = (id, cause);
            if before.is_some() {
                self.desks[before.at()].open.retain(|open| *open != number);
            }
            // It is not on its way any more: what happens to the controller next does not concern it, unless it waits there in vain.
            self.requests[number].via = None;
            if cause == Cause::Killed {
                self.ends_otherwise(number, cause, now);
                continue;
            }
            self.desks[id.at()].open.push(number);
            let gives_up = self.gives_up(number);
            self.ends_otherwise(number, cause, gives_up);
        }
    }
}
