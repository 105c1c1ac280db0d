//! One attempt: to a server, and what it finds there.

use super::super::accounting::Tally;
use super::super::clients::{Client, Origin, Sender};
use super::super::ids::{NodeId, ServerId, TargetId};
use super::super::outcome::{Cause, Outcome};
use super::super::proxy::NetworkConfig;
use super::super::relay::NO_SLOT;
use super::super::servers::{Admission, NO_PASSAGE, NO_TICKET, Server};
use super::upstream::UNKNOWN;
use super::{Due, Network};

/// The way of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The node whose rules it meets.
    pub(super) entry: NodeId,
    pub(super) target: TargetId,
    pub(super) server: ServerId,
    /// On a connection that is open already.
    pub(super) connected: bool,
    pub(super) is_udp: bool,
    /// It has the address of the entry node in place of its own.
    pub(super) is_masqueraded: bool,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) cause: Cause,
    /// When it is known, ns.
    pub(super) ends: u64,
    /// What it reached.
    pub(super) server: ServerId,
    /// Whether the server works on it, or it waits there.
    pub(super) held: bool,
    /// Its passage through a reverse proxy, if a server works on it.
    pub(super) passage: u32,
}

/// How long a user waits who has nowhere to send from, ns.
const NOBODY_SENDS: u64 = 1_000_000_000;

impl Network {
    /// A request of an open client.
    #[inline]
    pub(super) fn arrive(&mut self, number: usize, now: u64) {
        if self.clients[number].is_attentive {
            let begun = self.clients[number].begin();
            let ticket = self.tickets.open(number as u16, begun);
            self.attempt(number, now, ticket);
        } else {
            self.send(number, now, NO_TICKET);
        }
    }

    /// An attempt that somebody waits for, the first of a request or a later one.
    #[inline(never)]
    pub(super) fn attempt(&mut self, number: usize, now: u64, ticket: u32) {
        self.send(number, now, ticket);
    }

    /// An attempt. It is compiled twice: where nobody waits, nothing of the way asks for whom.
    #[inline(always)]
    fn send(&mut self, number: usize, now: u64, ticket: u32) {
        let Some(sender) = self.sender(number) else { return self.nobody_sends(now, ticket) };
        let is_first = ticket == NO_TICKET || self.tickets.get(ticket).tries == 0;
        self.work += 1;
        let tally = self.ledger.tally(number as u16);
        if is_first {
            tally.requests += 1;
            self.requests += 1;
            if ticket != NO_TICKET {
                self.clients[number].earn_budget();
            }
        } else {
            tally.retries += 1;
        }
        if ticket != NO_TICKET && self.clients[number].by_name {
            return self.attempt_by_name(number, sender, ticket, now);
        }
        let Some((port, entrance)) = self.plain_goal(number) else {
            return self.send_otherwise(number, sender, ticket, now);
        };
        self.ledger.tally(number as u16).connections += 1;
        match self.connect_by_rules(number, sender, (port, entrance), now) {
            Ok(way) => {
                let fate = self.meet(number, sender, way, ticket, now);
                self.sent(number, now, ticket, fate);
            }
            Err(cause) => self.gets_nowhere(number, cause, ticket, now),
        }
    }

    /// An attempt by a kept connection, a port of a machine, to a pod of a headless Service, or the first one after something has changed.
    #[inline(never)]
    fn send_otherwise(&mut self, number: usize, sender: Sender, ticket: u32, now: u64) {
        match self.find_way(number, sender, now) {
            Ok(way) => {
                let fate = self.meet(number, sender, way, ticket, now);
                self.sent(number, now, ticket, fate);
            }
            Err(cause) => self.gets_nowhere(number, cause, ticket, now),
        }
    }

    /// An attempt ends before it gets to a server.
    #[inline(never)]
    fn gets_nowhere(&mut self, number: usize, cause: Cause, ticket: u32, now: u64) {
        let fate = self.turned_away(number, cause, now);
        self.sent(number, now, ticket, Some(fate));
    }

    /// An attempt has begun; what comes of it may be known.
    #[inline(always)]
    fn sent(&mut self, number: usize, now: u64, ticket: u32, fate: Option<Fate>) {
        if ticket != NO_TICKET {
            self.tickets.get(ticket).begin(now);
        }
        if let Some(fate) = fate {
            self.note(number, now, now, ticket, fate);
        }
    }

    /// What comes of a connection; `None` = it waits at a reverse proxy.
    #[inline(always)]
    pub(super) fn meet(&mut self, number: usize, sender: Sender, way: Way, ticket: u32, now: u64) -> Option<Fate> {
        match self.fleet.servers.get(way.server.at()).map(|server| server.slot) {
            // It passes requests on.
            Some(slot) if slot != NO_SLOT => self.pass(number, sender, way, (slot, ticket), now),
            _ => Some(self.reach(number, way, now)),
        }
    }

    /// Where an attempt comes from; `None` if there is nowhere.
    #[inline(always)]
    pub(super) fn sender(&mut self, number: usize) -> Option<Sender> {
        let client = &mut self.clients[number];
        if client.is_outside {
            return Some(Sender { node: NodeId::NONE, address: UNKNOWN });
        }
        match client.senders.len() {
            0 => None,
            1 => Some(client.senders[0]),
            many => Some(client.senders[client.ways.below(many as u64) as usize]),
        }
    }

    /// Nothing is sent; a user tries again later, what was to be tried again is lost.
    fn nobody_sends(&mut self, now: u64, ticket: u32) {
        self.work += 1;
        if ticket == NO_TICKET {
            return;
        }
        let waiting = *self.tickets.get(ticket);
        let number = usize::from(waiting.client);
        if waiting.tries > 0 {
            self.ledger.request(waiting.client, false, 0);
            self.tickets.get(ticket).tries = 0;
        }
        if self.clients[number].clock.is_some() {
            self.tickets.close(ticket);
        } else {
            self.due.push(now.saturating_add(NOBODY_SENDS), waiting.turn, Due::Send { ticket });
        }
    }

    /// An attempt gets to a server, or to an address that nothing has.
    #[inline(always)]
    fn reach(&mut self, number: usize, way: Way, now: u64) -> Fate {
        let Self { clients, fleet, ledger, config, balancer, proxies, .. } = self;
        let client = &mut clients[number];
        let gives_up = client.gives_up(now);
        if !way.server.is_some() {
            let address = proxies.places().get(way.target.at()).map(|(address, _)| *address);
            return Fate {
                cause: address.map_or(Cause::AddressGone, |address| fleet.absence(address)),
                ends: gives_up,
                server: ServerId::NONE,
                held: false,
                passage: NO_PASSAGE,
            };
        }
        let server = &mut fleet.servers[way.server.at()];
        let trip = trip(client, server, way, (config, ledger.tally(number as u16)));
        let model = &fleet.models[server.model()];
        let admission = server.admit(now, way.connected, model, &mut client.service_times);
        let fate = |cause, ends, held| Fate { cause, ends, server: way.server, held, passage: NO_PASSAGE };
        let fate = match admission {
            Admission::Taken(done, cause) => match done.saturating_add(trip) {
                late if late > gives_up => fate(Cause::TooSlow, gives_up, true),
                ends => fate(cause, ends, true),
            },
            Admission::Turned(cause) => fate(cause, now.saturating_add(trip), false),
            Admission::Silent(Cause::Hung) => fate(Cause::Hung, gives_up, true),
            Admission::Silent(cause) => fate(cause, gives_up, false),
        };
        balancer.connected(fate.ends);
        if fate.cause.outcome() == Outcome::TimedOut {
            client.give_up_connection(fate.ends);
        }
        fate
    }

    /// An attempt that gets nowhere.
    pub(super) fn turned_away(&self, number: usize, cause: Cause, now: u64) -> Fate {
        let client = &self.clients[number];
        let ends = match cause.outcome() {
            Outcome::TimedOut => client.gives_up(now),
            _ if matches!(client.spec.from, Origin::External) => now.saturating_add(self.config.outside.as_nanos()),
            _ => now,
        };
        Fate { cause, ends, server: ServerId::NONE, held: false, passage: NO_PASSAGE }
    }
}

/// Between a client and the server that it gets to, there and back, ns. Counts the hop from the node where a request came in from
/// outside.
#[inline(always)]
pub(super) fn trip(client: &Client, server: &Server, way: Way, (config, tally): (&NetworkConfig, &mut Tally)) -> u64 {
    // Without branches: by which node a request comes in is chance.
    let (is_outside, hops) = (u64::from(client.is_outside), u64::from(server.node != way.entry));
    tally.extra_hops += is_outside & hops;
    is_outside * config.outside.as_nanos() + hops * config.hop.as_nanos()
}
