//! A request through a reverse proxy: admitted there, sent on to an endpoint, tried again at others, answered.
//!
//! As long as nothing goes wrong and the reverse proxy takes no time of its own, all of that is worked out when the request comes, as at
//! a server without a reverse proxy in front. What must wait is due: for its turn in the reverse proxy, for a timeout.

use super::super::clients::Sender;
use super::super::ids::{NodeId, ServerId};
use super::super::ingress::{Attempt, Next};
use super::super::outcome::Cause;
use super::super::relay::NO_SLOT;
use super::super::servers::{Admission, NO_PASSAGE, NO_TICKET, Pending, State};
use super::passages::{Passage, Wait};
use super::send::{Fate, Way, trip};
use super::settle::count;
use super::upstream::Refusal;
use super::{Due, Network, Turn};

/// Most tries of one request, whatever is configured.
const MOST_TRIES: u16 = 100;

impl Network {
    /// An attempt comes to a reverse proxy; `None` = it waits there.
    #[inline(always)]
    pub(super) fn pass(
        &mut self,
        number: usize,
        sender: Sender,
        way: Way,
        (slot, ticket): (u32, u32),
        now: u64,
    ) -> Option<Fate> {
        let Self { clients, fleet, config, ledger, .. } = self;
        let client = &mut clients[number];
        let front = &mut fleet.servers[way.server.at()];
        let trip = trip(client, front, way, (config, ledger.tally(number as u16)));
        let model = &fleet.models[front.model()];
        let admission = front.admit(now, way.connected, model, &mut client.service_times);
        let gives_up = client.gives_up(now);
        let at_front = |cause, ends, held| Some(Fate { cause, ends, server: way.server, held, passage: NO_PASSAGE });
        let done = match admission {
            Admission::Taken(done, _) if done.saturating_add(trip) > gives_up => {
                client.give_up_connection(gives_up);
                return at_front(Cause::TooSlow, gives_up, true);
            }
            Admission::Taken(done, Cause::Served) => done,
            Admission::Taken(done, cause) => return at_front(cause, done.saturating_add(trip), true),
            Admission::Turned(cause) => return at_front(cause, now.saturating_add(trip), false),
            Admission::Silent(cause) => {
                client.give_up_connection(gives_up);
                return at_front(cause, gives_up, cause == Cause::Hung);
            }
        };
        let turn = if ticket == NO_TICKET {
            Turn::request(number as u16, client.begin())
        } else {
            self.tickets.get(ticket).turn
        };
        let sent = now - client.spent;
        let workers = self.relays.workers(slot);
        let kept = self.passages.open();
        let place = self.passages.get_mut(kept);
        *place = Passage {
            sent,
            first: done,
            since: done,
            trip,
            who: sender.address,
            masquerade: if way.is_masqueraded { way.entry } else { NodeId::NONE },
            front: way.server,
            slot,
            workers,
            ticket,
            turn,
            version: place.version,
            client: number as u16,
            wait: Wait::Queue,
            ..Passage::NONE
        };
        if done > now {
            let version = place.version;
            self.due.push_in_line(done, turn, Due::Passage { passage: kept, version });
            return None;
        }
        match self.try_once(kept, now) {
            Some(fate) => Some(self.set_out(kept, fate)),
            None => self.after_first_try(kept, now),
        }
    }

    /// After a first try of which nothing is known yet, or that failed at once.
    #[inline(never)]
    fn after_first_try(&mut self, number: u32, now: u64) -> Option<Fate> {
        let fate = self.try_others(number, now)?;
        Some(self.set_out(number, fate))
    }

    /// How a passage ends is known: it is under way if a server works on it, or else over.
    #[inline(always)]
    fn set_out(&mut self, number: u32, fate: Fate) -> Fate {
        let passage = self.passages.get_mut(number);
        if !fate.held || fate.server == passage.front {
            self.passages.release(number);
            return fate;
        }
        passage.at = fate.server;
        passage.wait = Wait::Nothing;
        Fate { passage: number, ..fate }
    }

    /// Tries an endpoint: what comes of that, if it is known. If not, the passage waits for a word, or has heard one.
    #[inline(always)]
    fn try_once(&mut self, number: u32, now: u64) -> Option<Fate> {
        let passage = self.passages.get_mut(number);
        passage.tries += 1;
        passage.since = now;
        match self.choose_upstream(number, now) {
            Ok(server) => self.try_upstream(number, server, now),
            Err(refusal) => self.turn_back(number, refusal, now),
        }
    }

    /// The same, for all tries but the first one.
    #[inline(never)]
    fn try_again(&mut self, number: u32, now: u64) -> Option<Fate> {
        self.try_once(number, now)
    }

    /// Tries other endpoints, as long as nothing has to be waited for.
    fn try_others(&mut self, number: u32, now: u64) -> Option<Fate> {
        while let Wait::Heard(attempt) = self.passages.get(number).wait {
            let fate = self.after(number, attempt, now).or_else(|| self.try_again(number, now));
            if fate.is_some() {
                return fate;
            }
        }
        None
    }

    /// There is no endpoint.
    #[inline(never)]
    fn turn_back(&mut self, number: u32, refusal: Refusal, now: u64) -> Option<Fate> {
        match refusal {
            Refusal::Own(cause) => Some(self.answer(number, cause, now)),
            Refusal::Of(Attempt::ConnectTimeout) => {
                self.keeps_silent(number, Attempt::ConnectTimeout, ServerId::NONE, now)
            }
            Refusal::Of(attempt) => self.says(number, attempt),
        }
    }

    /// Asks an endpoint: what comes of that, if it is known.
    #[inline(always)]
    fn try_upstream(&mut self, number: u32, server: ServerId, now: u64) -> Option<Fate> {
        let Self { clients, fleet, config, relays, passages, .. } = self;
        let passage = passages.get(number);
        let Some(goal) = passage.goal.filter(|_| server.is_some()) else {
            return self.keeps_silent(number, Attempt::ConnectTimeout, ServerId::NONE, now);
        };
        let client = &mut clients[usize::from(passage.client)];
        let node = fleet.servers[passage.front.at()].node;
        let upstream = &mut fleet.servers[server.at()];
        let hop = u64::from(upstream.node != node) * config.hop.as_nanos();
        let model = &fleet.models[upstream.model()];
        let policy = relays.policy(goal.policy);
        let (done, cause) = match upstream.admit(now, false, model, &mut client.service_times) {
            Admission::Taken(done, cause) => (done, cause),
            other => return self.not_taken(number, other, server, now),
        };
        let heard = done.saturating_add(hop);
        let gives_up = passage.sent.saturating_add(client.timeout);
        let ends = heard.saturating_add(passage.trip);
        if heard - now > policy.read_timeout && now.saturating_add(policy.read_timeout) < gives_up {
            return self.keeps_silent(number, Attempt::ReadTimeout, server, now);
        }
        let fate = |cause, ends| Some(Fate { cause, ends, server, held: true, passage: NO_PASSAGE });
        if ends > gives_up {
            return fate(Cause::TooSlow, gives_up);
        }
        if cause == Cause::ApplicationError && policy.next.statuses.contains(&500) {
            return self.expect_word(number, Attempt::Answered(500), heard, server);
        }
        fate(cause, ends)
    }

    /// An endpoint does not take a request.
    #[inline(never)]
    fn not_taken(&mut self, number: u32, admission: Admission, server: ServerId, now: u64) -> Option<Fate> {
        match admission {
            Admission::Turned(Cause::QueueFull) => self.says(number, Attempt::Answered(503)),
            Admission::Silent(Cause::Hung) => self.keeps_silent(number, Attempt::ReadTimeout, server, now),
            Admission::Silent(_) => self.keeps_silent(number, Attempt::ConnectTimeout, server, now),
            Admission::Turned(_) | Admission::Taken(..) => self.says(number, Attempt::Refused),
        }
    }

    /// The reverse proxy hears that at once.
    fn says(&mut self, number: u32, attempt: Attempt) -> Option<Fate> {
        self.passages.get_mut(number).wait = Wait::Heard(attempt);
        None
    }

    /// Silence: until the reverse proxy, or the client, gives up.
    #[inline(never)]
    fn keeps_silent(&mut self, number: u32, attempt: Attempt, server: ServerId, now: u64) -> Option<Fate> {
        let passage = self.passages.get(number);
        let policy = passage.goal.map(|goal| self.relays.policy(goal.policy));
        let wait = policy.map_or(0, |policy| match attempt {
            Attempt::ReadTimeout => policy.read_timeout,
            _ => policy.connect_timeout,
        });
        let gives_up = self.gives_up(passage);
        let at = now.saturating_add(wait);
        if at < gives_up {
            let is_connected = attempt == Attempt::ReadTimeout;
            return self.expect_word(number, attempt, at, if is_connected { server } else { ServerId::NONE });
        }
        let state = server.is_some().then(|| self.fleet.servers[server.at()].state);
        let (cause, holder) = match state {
            Some(State::Hung) => (Cause::Hung, server),
            Some(State::Listening) => (Cause::TooSlow, server),
            // The reverse proxy would have told of it later.
            _ => (Cause::TooSlow, passage.front),
        };
        Some(Fate { cause, ends: gives_up, server: holder, held: true, passage: NO_PASSAGE })
    }

    /// The reverse proxy hears that at that instant, ns; until then the server, if it is one, may end.
    #[inline(never)]
    fn expect_word(&mut self, number: u32, attempt: Attempt, at: u64, server: ServerId) -> Option<Fate> {
        let passage = self.passages.get_mut(number);
        (passage.wait, passage.at) = (Wait::Word(attempt), server);
        let Passage { sent, ticket, client, turn, version, .. } = *passage;
        self.due.push(at, turn, Due::Passage { passage: number, version });
        if server.is_some() {
            // Nobody counts it; it is there to be cut.
            let terminating = self.fleet.servers[server.at()].terminating;
            let (ends, cause) = (u64::MAX, Cause::TooSlow);
            self.hold(server, Pending { sent, ends, ticket, client, cause, passage: number, terminating });
        }
        None
    }

    /// When a client gives a passage up, ns.
    fn gives_up(&self, passage: &Passage) -> u64 {
        passage.sent.saturating_add(self.clients[usize::from(passage.client)].timeout)
    }

    /// After a try that failed: another one (`None`), or what the client is told.
    pub(super) fn after(&mut self, number: u32, attempt: Attempt, now: u64) -> Option<Fate> {
        let passage = *self.passages.get(number);
        let Some(goal) = passage.goal else { return Some(self.answer(number, Cause::BadGateway, now)) };
        let elapsed = crate::kernel::SimDuration::from_nanos(now.saturating_sub(passage.first));
        let client = &self.clients[usize::from(passage.client)];
        let next = &self.relays.policy(goal.policy).next;
        let may_try = passage.tries < MOST_TRIES;
        Some(match next.after(attempt, u32::from(passage.tries), elapsed, client.method()) {
            Next::Retry if may_try => {
                self.passages.get_mut(number).failed = [passage.target, passage.failed[0]];
                self.work += 1;
                self.ledger.tally(passage.client).upstream_retries += 1;
                self.ledger.way(passage.client, goal.way.0 as usize).retried += 1;
                return None;
            }
            Next::Answer(500) => self.told(&passage, Cause::ApplicationError, now),
            Next::Answer(503) => self.told(&passage, Cause::QueueFull, now),
            Next::Answer(504) => self.answer(number, Cause::GatewayTimeout, now),
            Next::Answer(_) | Next::Retry => self.answer(number, Cause::BadGateway, now),
        })
    }

    /// What the reverse proxy answers itself.
    pub(super) fn answer(&mut self, number: u32, cause: Cause, now: u64) -> Fate {
        let passage = *self.passages.get(number);
        if let Some(goal) = passage.goal {
            self.ledger.way(passage.client, goal.way.0 as usize).tells(cause);
        }
        self.told(&passage, cause, now)
    }

    /// The client is told at once.
    fn told(&self, passage: &Passage, cause: Cause, now: u64) -> Fate {
        let (ends, gives_up) = (now.saturating_add(passage.trip), self.gives_up(passage));
        let is_late = ends > gives_up;
        let (cause, ends) = if is_late { (Cause::TooSlow, gives_up) } else { (cause, ends) };
        Fate { cause, ends, server: passage.front, held: is_late, passage: NO_PASSAGE }
    }

    /// What a passage has waited for is there.
    pub(super) fn resume(&mut self, number: u32, now: u64) {
        let Passage { wait, at, .. } = *self.passages.get(number);
        let fate = match wait {
            Wait::Nothing | Wait::Heard(_) => return,
            Wait::Queue => {
                self.passages.wake(number);
                self.try_again(number, now).or_else(|| self.try_others(number, now))
            }
            Wait::Word(attempt) => {
                self.withdraw(number, at);
                self.hear(number, attempt, now)
            }
        };
        self.conclude(number, fate, now);
    }

    /// The reverse proxy hears how a try went.
    fn hear(&mut self, number: u32, attempt: Attempt, now: u64) -> Option<Fate> {
        self.passages.wake(number);
        self.says(number, attempt);
        self.try_others(number, now)
    }

    /// Keeps what has come of a passage, if it is known.
    fn conclude(&mut self, number: u32, fate: Option<Fate>, now: u64) {
        if let Some(fate) = fate {
            let passage = *self.passages.get(number);
            let fate = self.set_out(number, fate);
            self.note_late(&passage, fate, now);
        }
    }

    /// Takes a passage from the server that works on it.
    fn withdraw(&mut self, number: u32, at: ServerId) {
        if !at.is_some() {
            return;
        }
        let pending = &mut self.fleet.servers[at.at()].pending;
        let before = pending.len();
        pending.retain(|attempt| attempt.passage != number);
        self.under_way -= before - pending.len();
    }

    /// A pod of a reverse proxy has ended, or workers of it up to that count: what is on its way through it is cut, wherever it is.
    pub(super) fn cut_passages(&mut self, front: ServerId, workers: u32, now: u64) {
        for (number, passage) in self.take_passages(front, workers, now) {
            let attempt = self.lost(&passage, Cause::Killed, now);
            self.change_mind(&attempt);
            self.blame(passage.ticket, front);
            count(&mut self.ledger, Some(&self.fleet.servers[front.at()]), &attempt);
            self.passages.release(number);
        }
    }

    /// Nothing comes from a pod of a reverse proxy any more: the clients wait in vain.
    pub(super) fn silence_passages(&mut self, front: ServerId, cause: Cause, now: u64) {
        for (number, passage) in self.take_passages(front, u32::MAX, now) {
            let gives_up = self.gives_up(&passage);
            let attempt = self.lost(&passage, cause, gives_up);
            self.change_mind(&attempt);
            self.blame(passage.ticket, front);
            self.hold(front, attempt);
            self.passages.release(number);
        }
    }

    /// All passages through a pod that such workers have, or older ones; no server works on them any more.
    fn take_passages(&mut self, front: ServerId, workers: u32, now: u64) -> Vec<(u32, Passage)> {
        if self.fleet.servers[front.at()].slot == NO_SLOT {
            return Vec::new();
        }
        let Self { fleet, passages, under_way, .. } = self;
        let mut through = passages.through(front);
        through.retain(|number| passages.get(*number).workers <= workers);
        let mut servers: Vec<ServerId> = through.iter().map(|number| passages.get(*number).at).collect();
        servers.sort_unstable();
        servers.dedup();
        // Those that ended before are still to be counted.
        let mut taken: Vec<u32> = through.into_iter().filter(|number| !passages.get(*number).at.is_some()).collect();
        for server in servers.into_iter().filter(|server| server.is_some()) {
            fleet.servers[server.at()].pending.retain(|attempt| {
                let is_taken = attempt.passage != NO_PASSAGE && attempt.ends >= now && {
                    let passage = passages.get(attempt.passage);
                    passage.front == front && passage.workers <= workers
                };
                if is_taken {
                    taken.push(attempt.passage);
                    *under_way -= 1;
                }
                !is_taken
            });
        }
        taken.into_iter().map(|number| (number, *passages.get(number))).collect()
    }

    /// Who waits is told which server failed: the reverse proxy or the endpoint.
    fn blame(&mut self, ticket: u32, server: ServerId) {
        if ticket != NO_TICKET {
            let server = &self.fleet.servers[server.at()];
            let ticket = self.tickets.get(ticket);
            (ticket.group, ticket.node, ticket.terminating) = (server.group, server.node, server.terminating);
        }
    }

    fn lost(&self, passage: &Passage, cause: Cause, ends: u64) -> Pending {
        Pending {
            sent: passage.sent,
            ends,
            ticket: passage.ticket,
            client: passage.client,
            cause,
            passage: NO_PASSAGE,
            terminating: self.fleet.servers[passage.front.at()].terminating,
        }
    }

    /// An endpoint that worked on a passage has ended.
    pub(super) fn upstream_ends(&mut self, number: u32, now: u64) {
        self.forget_end(self.passages.get(number).ticket);
        let fate = self.hear(number, Attempt::Reset, now);
        self.conclude(number, fate, now);
    }

    /// An endpoint that works on a passage answers no more; it stays there. Returns what its reverse proxy, or its client, makes of it.
    pub(super) fn upstream_hangs(&mut self, attempt: &mut Pending, cause: Cause) {
        let passage = *self.passages.get(attempt.passage);
        if passage.wait == Wait::Word(Attempt::ReadTimeout) {
            // Of a machine that is down nobody says so.
            attempt.cause = if cause == Cause::NodeDown { cause } else { attempt.cause };
            return;
        }
        let read_timeout = passage.goal.map_or(u64::MAX, |goal| self.relays.policy(goal.policy).read_timeout);
        let gives_up = self.gives_up(&passage);
        let at = passage.since.saturating_add(read_timeout);
        let kept = self.passages.get_mut(attempt.passage);
        kept.version += 1;
        if at >= gives_up {
            kept.wait = Wait::Nothing;
            (attempt.cause, attempt.ends) = (cause, gives_up);
            if passage.wait != Wait::Nothing {
                self.blame(attempt.ticket, passage.at);
            }
            return self.change_mind(attempt);
        }
        kept.wait = Wait::Word(Attempt::ReadTimeout);
        let due = Due::Passage { passage: attempt.passage, version: kept.version };
        self.due.push(at, passage.turn, due);
        (attempt.cause, attempt.ends) = (cause, u64::MAX);
        self.forget_end(attempt.ticket);
    }

    /// The end that was planned for an attempt does not come.
    fn forget_end(&mut self, ticket: u32) {
        if ticket != NO_TICKET {
            self.tickets.get(ticket).attempt += 1;
        }
    }
}
