//! Outcomes are counted when they are there: lazily, as nobody sees when exactly between two windows.

use super::super::accounting::{ClientLedger, Ledger, Settled};
use super::super::clients::Client;
use super::super::ids::NodeId;
use super::super::outcome::Cause;
use super::super::servers::{NO_TICKET, Pending, Server};
use super::Network;
use super::passages::Passages;

/// Counts an attempt that nobody waits for, and with it its request.
#[inline(always)]
pub(super) fn count(ledger: &mut Ledger, server: Option<&Server>, pending: &Pending) {
    if pending.ticket != NO_TICKET {
        return;
    }
    ledger.attempt(settled(server, pending));
    ledger.request(pending.client, pending.cause == Cause::Served, pending.ends - pending.sent);
}

#[inline(always)]
pub(super) fn settled(server: Option<&Server>, pending: &Pending) -> Settled {
    use super::super::accounting::GroupId;
    Settled {
        client: pending.client,
        group: server.map_or(GroupId::NONE, |server| server.group),
        node: server.map_or(NodeId::NONE, |server| server.node),
        cause: pending.cause,
        terminating: pending.terminating,
    }
}

/// A server's attempts under way are looked through when there are so many, and then when there are twice as many as were left.
const CROWD: usize = 4;

/// Whether attempts at one server count alike but for how long they took: most of them are of one client and end well.
#[inline(always)]
fn are_alike(one: &Pending, other: &Pending) -> bool {
    one.ticket == other.ticket
        && one.client == other.client
        && one.cause == other.cause
        && one.terminating == other.terminating
}

/// Counts the first of a server's attempts as long as they ended before now, all at once so that it takes next to no time for each.
/// Returns how many.
pub(super) fn settle_first(server: &mut Server, ledger: &mut Ledger, passages: &mut Passages, now: u64) -> usize {
    let Some(first) = server.pending.first() else { return 0 };
    let (mut over, mut is_mixed) = (0, false);
    for attempt in server.pending.iter().take_while(|attempt| attempt.ends < now) {
        is_mixed |= !are_alike(first, attempt);
        over += 1;
    }
    let ended = &server.pending[..over];
    if is_mixed {
        ended.chunk_by(are_alike).for_each(|alike| settle_alike(server, alike, ledger, passages));
    } else {
        settle_alike(server, ended, ledger, passages);
    }
    server.pending.drain(..over);
    server.crowd = CROWD.max(2 * server.pending.len()) as u32;
    over
}

/// Counts attempts that differ only in how long they took.
#[inline]
fn settle_alike(server: &Server, alike: &[Pending], ledger: &mut Ledger, passages: &mut Passages) {
    let Some(first) = alike.first() else { return };
    let durations = alike.iter().map(|attempt| {
        passages.release(attempt.passage);
        attempt.ends - attempt.sent
    });
    if first.ticket != NO_TICKET {
        return durations.for_each(drop);
    }
    let is_served = first.cause == Cause::Served;
    if is_served {
        ledger.latency(first.client).record_all(durations);
    } else {
        durations.for_each(drop);
    }
    ledger.attempts(settled(Some(server), first), alike.len() as u64);
    ledger.ends(first.client, is_served, alike.len() as u64);
}

impl Network {
    /// Counts all that ended until `now`, included.
    pub(super) fn settle_all(&mut self, now: u64) {
        let Self { fleet, ledger, busy, clients, under_way, passages, .. } = self;
        busy.retain(|id| {
            let server = &mut fleet.servers[id.at()];
            let before = server.pending.len();
            let mut pending = std::mem::take(&mut server.pending);
            pending.retain(|attempt| {
                let over = attempt.ends <= now;
                if over {
                    count(ledger, Some(server), attempt);
                    passages.release(attempt.passage);
                }
                !over
            });
            *under_way -= before - pending.len();
            server.listed = !pending.is_empty();
            server.pending = pending;
            server.listed
        });
        for client in clients.iter_mut() {
            *under_way -= settle_silent(client, ledger, now);
        }
    }

    /// The accounts of one client as they are at the present instant, without its windows.
    pub(super) fn settled_of(&self, number: usize) -> ClientLedger {
        let mut account = self.ledger.clients()[number].without_windows();
        let mut count = |server: Option<&Server>, attempt: &Pending| {
            let is_over = usize::from(attempt.client) == number && attempt.ends < self.now;
            if is_over && attempt.ticket == NO_TICKET {
                account.attempts(&settled(server, attempt), 1);
                account.request(attempt.cause == Cause::Served, attempt.ends - attempt.sent);
            }
        };
        for id in &self.busy {
            let server = &self.fleet.servers[id.at()];
            server.pending.iter().for_each(|attempt| count(Some(server), attempt));
        }
        let silent = self.clients[number].silent.iter();
        silent.take_while(|attempt| attempt.ends < self.now).for_each(|attempt| count(None, attempt));
        account
    }

    /// The accounts as they are at the present instant.
    pub(super) fn settled(&self) -> Ledger {
        let mut ledger = self.ledger.clone();
        for id in &self.busy {
            let server = &self.fleet.servers[id.at()];
            let over = server.pending.iter().filter(|attempt| attempt.ends < self.now);
            over.for_each(|attempt| count(&mut ledger, Some(server), attempt));
        }
        for client in &self.clients {
            let over = client.silent.iter().take_while(|attempt| attempt.ends < self.now);
            over.for_each(|attempt| count(&mut ledger, None, attempt));
        }
        ledger
    }
}

/// Counts a client's attempts that nothing answered and that it has given up by now. Returns how many.
pub(super) fn settle_silent(client: &mut Client, ledger: &mut Ledger, now: u64) -> usize {
    let mut over = 0;
    while let Some(attempt) = client.silent.front()
        && attempt.ends <= now
    {
        count(ledger, None, attempt);
        client.silent.pop_front();
        over += 1;
    }
    over
}
