//! A request through a reverse proxy: admitted there, sent on to an endpoint, tried again at others, answered.
//!
//! As long as nothing goes wrong and the reverse proxy takes no time of its own, all of that is worked out when the request comes, as at
//! a server without a reverse proxy in front. What must wait is due: for its turn in the reverse proxy, for a timeout.

use super::super::clients::Sender;
use super::super::ids::{NodeId, ServerId, TargetId};
use super::super::ingress::{Attempt, Next};
use super::super::outcome::Cause;
use super::super::relay::NO_SLOT;
use super::super::servers::{Admission, NO_PASSAGE, NO_TICKET, Pending, State};
use super::passages::{Passage, Wait};
use super::send::{Fate, Way};
use super::settle::count;
use super::upstream::Refusal;
use super::{Due, Network, Turn};

/// Most tries of one request, whatever is configured.
const MOST_TRIES: u16 = 100;

/// How a try ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Its outcome is known.
    Ends(Fate),
    /// The reverse proxy hears of it at that instant, ns; until then the server, if it is one, may end.
    Hears(u64, Attempt, ServerId),
}

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
        let mut trip = if client.is_outside { config.outside.as_nanos() } else { 0 };
        let front = &mut fleet.servers[way.server.at()];
        if front.node != way.entry {
            trip += config.hop.as_nanos();
            ledger.tally(number as u16).extra_hops += u64::from(client.is_outside);
        }
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
        let passage = Passage {
            sent: now - client.spent,
            first: done,
            since: done,
            trip,
            who: sender.address,
            masquerade: if way.is_masqueraded { way.entry } else { NodeId::NONE },
            front: way.server,
            at: ServerId::NONE,
            slot,
            workers: self.relays.workers(slot),
            ticket,
            turn,
            version: 0,
            goal: None,
            failed: [TargetId::NONE; 2],
            target: TargetId::NONE,
            wait: Wait::Queue,
            client: number as u16,
            tries: 0,
        };
        if done > now {
            let kept = self.passages.insert(passage);
            let version = self.passages.get(kept).version;
            self.due.push_in_line(done, turn, Due::Passage { passage: kept, version });
            return None;
        }
        self.send_on(passage, now)
    }

    /// Sends a request on for the first time, at once. The passage is handed to others as a copy, so that as a rule it is never anywhere
    /// but in registers and, in the end, among those that are under way.
    #[inline(always)]
    fn send_on(&mut self, mut passage: Passage, now: u64) -> Option<Fate> {
        let step = match self.try_once(&mut passage, now) {
            Ok(step) => step,
            Err(attempt) => {
                let step;
                (step, passage) = self.try_others(passage, attempt, now);
                step
            }
        };
        match step {
            Step::Ends(fate) if fate.held && fate.server != passage.front => {
                passage.wait = Wait::Nothing;
                passage.at = fate.server;
                Some(Fate { passage: self.passages.insert(passage), ..fate })
            }
            Step::Ends(fate) => Some(fate),
            step @ Step::Hears(..) => {
                let kept = self.passages.insert(passage);
                self.conclude(kept, *self.passages.get(kept), step, now);
                None
            }
        }
    }

    /// After a first try that failed at once.
    #[inline(never)]
    fn try_others(&mut self, mut passage: Passage, attempt: Attempt, now: u64) -> (Step, Passage) {
        (self.hear(&mut passage, attempt, now), passage)
    }

    /// Tries one endpoint after the other, as long as nothing has to be waited for.
    pub(super) fn forward(&mut self, passage: &mut Passage, now: u64) -> Step {
        loop {
            let attempt = match self.try_once(passage, now) {
                Ok(step) => return step,
                Err(attempt) => attempt,
            };
            if let Some(step) = self.after(passage, attempt, now) {
                return step;
            }
        }
    }

    /// Tries an endpoint; what comes of that, or what it says at once.
    #[inline(always)]
    fn try_once(&mut self, passage: &mut Passage, now: u64) -> Result<Step, Attempt> {
        passage.tries += 1;
        passage.since = now;
        match self.choose_upstream(passage, now) {
            Ok(server) => self.try_upstream(passage, server, now),
            Err(Refusal::Own(cause)) => Ok(Step::Ends(self.answer(*passage, cause, now))),
            Err(Refusal::Of(attempt @ Attempt::ConnectTimeout)) => {
                Ok(self.hears(*passage, attempt, ServerId::NONE, now))
            }
            Err(Refusal::Of(attempt)) => Err(attempt),
        }
    }

    /// Asks an endpoint; how that ends, or what it says at once.
    #[inline(always)]
    fn try_upstream(&mut self, passage: &Passage, server: ServerId, now: u64) -> Result<Step, Attempt> {
        let Some(goal) = passage.goal else { return Err(Attempt::Refused) };
        if !server.is_some() {
            return Ok(self.hears(*passage, Attempt::ConnectTimeout, ServerId::NONE, now));
        }
        let Self { clients, fleet, config, relays, .. } = self;
        let client = &mut clients[usize::from(passage.client)];
        let node = fleet.servers[passage.front.at()].node;
        let upstream = &mut fleet.servers[server.at()];
        let hop = if upstream.node == node { 0 } else { config.hop.as_nanos() };
        let model = &fleet.models[upstream.model()];
        let policy = relays.policy(goal.policy);
        match upstream.admit(now, false, model, &mut client.service_times) {
            Admission::Taken(done, cause) => {
                let heard = done.saturating_add(hop);
                let gives_up = passage.sent.saturating_add(client.timeout);
                let ends = heard.saturating_add(passage.trip);
                let fate = |cause, ends| Fate { cause, ends, server, held: true, passage: NO_PASSAGE };
                if heard - now > policy.read_timeout && now.saturating_add(policy.read_timeout) < gives_up {
                    return Ok(self.hears(*passage, Attempt::ReadTimeout, server, now));
                }
                if ends > gives_up {
                    return Ok(Step::Ends(fate(Cause::TooSlow, gives_up)));
                }
                if cause == Cause::ApplicationError && policy.next.statuses.contains(&500) {
                    return Ok(Step::Hears(heard, Attempt::Answered(500), server));
                }
                Ok(Step::Ends(fate(cause, ends)))
            }
            Admission::Turned(Cause::QueueFull) => Err(Attempt::Answered(503)),
            Admission::Turned(_) => Err(Attempt::Refused),
            Admission::Silent(Cause::Hung) => Ok(self.hears(*passage, Attempt::ReadTimeout, server, now)),
            Admission::Silent(_) => Ok(self.hears(*passage, Attempt::ConnectTimeout, server, now)),
        }
    }

    /// Silence: until the reverse proxy, or the client, gives up.
    #[inline(never)]
    fn hears(&self, passage: Passage, attempt: Attempt, server: ServerId, now: u64) -> Step {
        let policy = passage.goal.map(|goal| self.relays.policy(goal.policy));
        let wait = policy.map_or(0, |policy| match attempt {
            Attempt::ReadTimeout => policy.read_timeout,
            _ => policy.connect_timeout,
        });
        let gives_up = passage.sent.saturating_add(self.clients[usize::from(passage.client)].timeout);
        let at = now.saturating_add(wait);
        if at < gives_up {
            let is_connected = attempt == Attempt::ReadTimeout;
            return Step::Hears(at, attempt, if is_connected { server } else { ServerId::NONE });
        }
        let state = server.is_some().then(|| self.fleet.servers[server.at()].state);
        let (cause, holder) = match state {
            Some(State::Hung) => (Cause::Hung, server),
            Some(State::Listening) => (Cause::TooSlow, server),
            // The reverse proxy would have told of it later.
            _ => (Cause::TooSlow, passage.front),
        };
        Step::Ends(Fate { cause, ends: gives_up, server: holder, held: true, passage: NO_PASSAGE })
    }

    /// After a try that failed: another one (`None`), or what the client is told.
    pub(super) fn after(&mut self, passage: &mut Passage, attempt: Attempt, now: u64) -> Option<Step> {
        let Some(goal) = passage.goal else { return Some(Step::Ends(self.answer(*passage, Cause::BadGateway, now))) };
        let elapsed = crate::kernel::SimDuration::from_nanos(now.saturating_sub(passage.first));
        let client = &self.clients[usize::from(passage.client)];
        let next = &self.relays.policy(goal.policy).next;
        let may_try = passage.tries < MOST_TRIES;
        match next.after(attempt, u32::from(passage.tries), elapsed, client.method()) {
            Next::Retry if may_try => {
                passage.failed = [passage.target, passage.failed[0]];
                self.work += 1;
                self.ledger.tally(passage.client).upstream_retries += 1;
                self.ledger.way(passage.client, goal.way.0 as usize).retried += 1;
                None
            }
            Next::Answer(500) => Some(Step::Ends(self.told(*passage, Cause::ApplicationError, now))),
            Next::Answer(503) => Some(Step::Ends(self.told(*passage, Cause::QueueFull, now))),
            Next::Answer(504) => Some(Step::Ends(self.answer(*passage, Cause::GatewayTimeout, now))),
            Next::Answer(_) | Next::Retry => Some(Step::Ends(self.answer(*passage, Cause::BadGateway, now))),
        }
    }

    /// What the reverse proxy answers itself.
    #[inline(never)]
    pub(super) fn answer(&mut self, passage: Passage, cause: Cause, now: u64) -> Fate {
        if let Some(goal) = passage.goal {
            self.ledger.way(passage.client, goal.way.0 as usize).tells(cause);
        }
        self.told(passage, cause, now)
    }

    /// The client is told at once.
    fn told(&self, passage: Passage, cause: Cause, now: u64) -> Fate {
        let ends = now.saturating_add(passage.trip);
        let gives_up = passage.sent.saturating_add(self.clients[usize::from(passage.client)].timeout);
        let is_late = ends > gives_up;
        let (cause, ends) = if is_late { (Cause::TooSlow, gives_up) } else { (cause, ends) };
        Fate { cause, ends, server: passage.front, held: is_late, passage: NO_PASSAGE }
    }

    /// What a passage has waited for is there.
    pub(super) fn resume(&mut self, number: u32, now: u64) {
        let mut passage = *self.passages.get(number);
        let step = match passage.wait {
            Wait::Nothing => return,
            Wait::Queue => self.forward(&mut passage, now),
            Wait::Word(attempt) => {
                self.withdraw(number, passage.at);
                passage.at = ServerId::NONE;
                self.hear(&mut passage, attempt, now)
            }
        };
        self.conclude(number, passage, step, now);
    }

    /// The reverse proxy hears how a try went.
    pub(super) fn hear(&mut self, passage: &mut Passage, attempt: Attempt, now: u64) -> Step {
        match self.after(passage, attempt, now) {
            Some(step) => step,
            None => self.forward(passage, now),
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

    /// Keeps what has come of a passage.
    pub(super) fn conclude(&mut self, number: u32, mut passage: Passage, step: Step, now: u64) {
        passage.version += 1;
        match step {
            Step::Ends(fate) if fate.held && fate.server != passage.front => {
                (passage.wait, passage.at) = (Wait::Nothing, fate.server);
                *self.passages.get_mut(number) = passage;
                self.note_late(&passage, Fate { passage: number, ..fate }, now);
            }
            Step::Ends(fate) => {
                self.passages.release(number);
                self.note_late(&passage, Fate { passage: NO_PASSAGE, ..fate }, now);
            }
            Step::Hears(at, attempt, server) => {
                (passage.wait, passage.at) = (Wait::Word(attempt), server);
                *self.passages.get_mut(number) = passage;
                self.due.push(at, passage.turn, Due::Passage { passage: number, version: passage.version });
                if server.is_some() {
                    // Nobody counts it; it is there to be cut.
                    self.hold(
                        server,
                        Pending {
                            sent: passage.sent,
                            ends: u64::MAX,
                            ticket: passage.ticket,
                            client: passage.client,
                            cause: Cause::TooSlow,
                            passage: number,
                            terminating: self.fleet.servers[server.at()].terminating,
                        },
                    );
                }
            }
        }
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
            let gives_up = passage.sent.saturating_add(self.clients[usize::from(passage.client)].timeout);
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
        let mut passage = *self.passages.get(number);
        passage.at = ServerId::NONE;
        self.forget_end(passage.ticket);
        let step = self.hear(&mut passage, Attempt::Reset, now);
        self.conclude(number, passage, step, now);
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
        let gives_up = passage.sent.saturating_add(self.clients[usize::from(passage.client)].timeout);
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
