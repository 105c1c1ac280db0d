//! What is due later: ends of attempts that somebody waits for, retries, users who have thought, processes that stop.

use std::collections::VecDeque;

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
#[derive(Clone, Debug)]
pub(super) struct DueQueue {
    /// With the order.
    wheel: Wheel<(u64, Due)>,
    /// Time and order of what was noted to stand in line and is due after all that stood there before.
    line: VecDeque<(u64, u64, Due)>,
    order: u64,
    /// When the next is due, ns.
    next: u64,
}

impl Default for DueQueue {
    fn default() -> Self {
        Self { wheel: Wheel::default(), line: VecDeque::new(), order: 0, next: u64::MAX }
    }
}

impl DueQueue {
    #[inline]
    pub(super) fn push(&mut self, at: u64, due: Due) {
        self.next = self.next.min(at);
        self.wheel.push(at, (self.order, due));
        self.order += 1;
    }

    /// The same for what is mostly due after all that was noted this way before: then it just stands in line.
    #[inline]
    pub(super) fn push_in_line(&mut self, at: u64, due: Due) {
        if self.line.back().is_some_and(|(last, ..)| *last > at) {
            return self.push(at, due);
        }
        self.next = self.next.min(at);
        self.line.push_back((at, self.order, due));
        self.order += 1;
    }

    /// When the next is due, ns; `u64::MAX` if nothing is.
    #[inline]
    pub(super) const fn next_time(&self) -> u64 {
        self.next
    }

    /// The next.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Due> {
        let first = self.line.front().copied().filter(|(at, order, _)| {
            let other = self.wheel.next_time();
            *at < other || (*at == other && self.wheel.first().is_none_or(|(other, _)| order < other))
        });
        let due = match first {
            Some((.., due)) => {
                self.line.pop_front();
                Some(due)
            }
            None => self.wheel.pop().map(|(_, due)| due),
        };
        self.next = self.line.front().map_or(u64::MAX, |(at, ..)| *at).min(self.wheel.next_time());
        due
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Whichever of it stands in line.
        #[test]
        fn what_is_due_first_comes_first_and_of_one_instant_what_was_noted_first(
            steps in prop::collection::vec((0u64..40, 0u8..6), 1..200),
        ) {
            let (mut queue, mut plain, mut now) = (DueQueue::default(), BTreeMap::new(), 0);
            for (ticket, (ahead, kind)) in steps.into_iter().enumerate() {
                let (at, ticket) = (now + ahead, ticket as u32);
                match kind {
                    0 | 1 => queue.push(at, Due::Send { ticket }),
                    2 | 3 => queue.push_in_line(at, Due::Send { ticket }),
                    _ => {
                        let first = plain.pop_first().map(|(key, ())| key);
                        prop_assert_eq!(queue.pop(), first.map(|(_, ticket)| Due::Send { ticket }));
                        now = first.map_or(now, |(at, _)| at);
                    }
                }
                if kind < 4 {
                    plain.insert((at, ticket), ());
                }
                let next = plain.first_key_value().map_or(u64::MAX, |((at, _), ())| *at);
                prop_assert_eq!(queue.next_time(), next);
            }
        }
    }
}
