//! What comes of an attempt is kept until it is there.

use super::super::ids::ServerId;
use super::super::outcome::Outcome;
use super::super::servers::{NO_TICKET, Pending, Server};
use super::passages::Passage;
use super::send::Fate;
use super::settle::{count, settle_first, settle_silent, settled};
use super::{Due, Network};

impl Network {
    /// Keeps what comes of an attempt that was sent at `sent`.
    #[inline(always)]
    pub(super) fn note(&mut self, number: usize, sent: u64, now: u64, ticket: u32, fate: Fate) {
        if ticket == NO_TICKET {
            self.note_unwatched(number, sent, now, fate);
        } else {
            self.note_waiting(number, sent, now, fate, ticket);
        }
    }

    /// Keeps what has come of a passage that has waited.
    pub(super) fn note_late(&mut self, passage: &Passage, fate: Fate, now: u64) {
        self.note(passage.client.into(), passage.sent, now, passage.ticket, fate);
    }

    /// Keeps an attempt that nobody waits for until its outcome is there.
    #[inline(always)]
    fn note_unwatched(&mut self, number: usize, sent: u64, now: u64, fate: Fate) {
        if !fate.held {
            return self.note_at_once(number, sent, now, fate);
        }
        let Self { fleet, ledger, under_way, passages, busy, .. } = self;
        let server = &mut fleet.servers[fate.server.at()];
        if server.pending.len() >= server.crowd as usize {
            *under_way -= settle_first(server, ledger, passages, now);
        }
        let attempt = unwatched(number, sent, fate, server.terminating);
        keep(server, fate.server, attempt, busy);
        *under_way += 1;
    }

    /// The same where no server has it.
    #[inline(never)]
    fn note_at_once(&mut self, number: usize, sent: u64, now: u64, fate: Fate) {
        let Self { clients, fleet, ledger, under_way, .. } = self;
        let server = Some(fate.server).filter(|id| id.is_some() && fate.cause.outcome() != Outcome::TimedOut);
        let server = server.map(|id| &fleet.servers[id.at()]);
        let attempt = unwatched(number, sent, fate, server.is_some_and(|server| server.terminating));
        if server.is_some() || !fate.cause.is_silence() {
            return count(ledger, server, &attempt);
        }
        clients[number].wait_in_vain(attempt);
        *under_way += 1;
        *under_way -= settle_silent(&mut clients[number], ledger, now);
    }

    /// A server has an attempt under way.
    #[inline(always)]
    pub(super) fn hold(&mut self, id: ServerId, attempt: Pending) {
        keep(&mut self.fleet.servers[id.at()], id, attempt, &mut self.busy);
        self.under_way += 1;
    }

    /// Keeps an attempt that somebody waits for.
    fn note_waiting(&mut self, number: usize, sent: u64, now: u64, fate: Fate, ticket: u32) {
        let server = fate.server.is_some().then(|| &mut self.fleet.servers[fate.server.at()]);
        let attempt = Pending {
            sent,
            ends: fate.ends,
            ticket,
            client: number as u16,
            cause: fate.cause,
            passage: fate.passage,
            terminating: server.as_ref().is_some_and(|server| server.terminating),
        };
        let ends = settled(server.as_deref(), &attempt);
        if let Some(server) = server
            && fate.held
        {
            if server.pending.len() >= server.crowd as usize {
                self.under_way -= settle_first(server, &mut self.ledger, &mut self.passages, now);
            }
            self.hold(fate.server, attempt);
        }
        let waiting = self.tickets.get(ticket);
        waiting.attempt += 1;
        (waiting.cause, waiting.group, waiting.node) = (ends.cause, ends.group, ends.node);
        waiting.terminating = ends.terminating;
        self.due.push(fate.ends, waiting.turn, Due::End { ticket, attempt: waiting.attempt });
    }
}

/// An attempt that nobody waits for.
#[inline(always)]
const fn unwatched(number: usize, sent: u64, fate: Fate, terminating: bool) -> Pending {
    let Fate { cause, ends, passage, .. } = fate;
    Pending { sent, ends, passage, ticket: NO_TICKET, client: number as u16, cause, terminating }
}

/// A server, of that number, has an attempt under way.
#[inline(always)]
fn keep(server: &mut Server, id: ServerId, attempt: Pending, busy: &mut Vec<ServerId>) {
    server.pending.push(attempt);
    if !server.listed {
        server.listed = true;
        busy.push(id);
    }
}
