//! What is due later: ends of attempts that somebody waits for, retries, users who have thought, processes that stop.

use super::super::accounting::GroupId;
use super::super::ids::{NodeId, ServerId};
use super::super::outcome::Cause;
use super::wheel::Wheel;

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The attempt of a ticket ends, unless it ended otherwise: then the number is another.
    End { ticket: u32, attempt: u32 },
    /// The next attempt, or the next request of a user.
    Send { ticket: u32 },
    /// The attempt of a ticket that looks a host up, or tries its addresses, goes on.
    Dial { ticket: u32 },
    /// A process stops, unless there is another plan by now.
    Stop { server: ServerId, plan: u32 },
    /// What a passage through a reverse proxy has waited for, unless it waits for something else by now.
    Passage { passage: u32, version: u32 },
    /// A pod of a reverse proxy syncs, in that life of its process.
    Sync { slot: u32, life: u32 },
    /// Its workers take over what it has found.
    Adopt { slot: u32, life: u32 },
}

/// What is due, by time and then in the order in which it was noted.
pub(super) type DueQueue = Wheel<Due>;

/// A request that somebody waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) client: u16,
    /// When its first attempt began, ns.
    pub(super) begun: u64,
    /// Attempts so far.
    pub(super) tries: u32,
    /// Counts attempts and their changes of mind, over all requests that had this ticket.
    pub(super) attempt: u32,
    /// How the present attempt ends.
    pub(super) cause: Cause,
    pub(super) group: GroupId,
    pub(super) node: NodeId,
    pub(super) terminating: bool,
}

impl Ticket {
    /// Another attempt begins.
    #[inline]
    pub(super) const fn begin(&mut self, now: u64) {
        if self.tries == 0 {
            self.begun = now;
        }
        self.tries += 1;
    }
}

/// Requests that somebody waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct Tickets {
    tickets: Vec<Ticket>,
    free: Vec<u32>,
}

impl Tickets {
    /// A ticket for a request of a client.
    pub(super) fn open(&mut self, client: u16) -> u32 {
        let fresh = Ticket {
            client,
            begun: 0,
            tries: 0,
            attempt: 0,
            cause: Cause::Served,
            group: GroupId::NONE,
            node: NodeId::NONE,
            terminating: false,
        };
        if let Some(number) = self.free.pop() {
            let ticket = &mut self.tickets[number as usize];
            *ticket = Ticket { attempt: ticket.attempt, ..fresh };
            return number;
        }
        self.tickets.push(fresh);
        self.tickets.len() as u32 - 1
    }

    /// How many are open.
    #[inline]
    pub(super) fn open_ones(&self) -> usize {
        self.tickets.len() - self.free.len()
    }

    pub(super) fn get(&mut self, number: u32) -> &mut Ticket {
        &mut self.tickets[number as usize]
    }

    /// Nobody waits any more.
    pub(super) fn close(&mut self, number: u32) {
        self.tickets[number as usize].attempt += 1;
        self.free.push(number);
    }
}
