//! What is due later: ends of attempts that somebody waits for, retries, users who have thought, processes that stop.

use std::collections::VecDeque;

use super::super::accounting::GroupId;
use super::super::ids::{NodeId, ServerId};
use super::super::outcome::Cause;
use super::wheel::Wheel;

/// Whose turn it is among all that is due at one instant: first the ends of processes, then what reverse proxies find, then requests, by
/// client and in the order in which they were begun (the users of a client keep their places). When it was noted plays no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(u64);

impl Turn {
    /// Before all others.
    pub(super) const NONE: Self = Self(0);
    const ADOPT: u64 = 1 << 62;
    const SYNC: u64 = 2 << 62;
    const REQUEST: u64 = 3 << 62;
    /// Bits for the number of a request.
    const NUMBER: u32 = 46;

    /// The end of a process.
    pub(super) fn stop(server: ServerId) -> Self {
        Self(server.0.into())
    }

    /// Workers take over what a sync has found.
    pub(super) fn adopt(slot: u32) -> Self {
        Self(Self::ADOPT | u64::from(slot))
    }

    /// A sync.
    pub(super) fn sync(slot: u32) -> Self {
        Self(Self::SYNC | u64::from(slot))
    }

    /// A request of a client, the n-th or that of the n-th user.
    #[inline]
    pub(super) fn request(client: u16, number: u64) -> Self {
        Self(Self::REQUEST | u64::from(client) << Self::NUMBER | number & ((1 << Self::NUMBER) - 1))
    }

    /// The number of a request, or of the user who sends it.
    #[inline]
    pub(super) const fn number(self) -> u64 {
        self.0 & ((1 << Self::NUMBER) - 1)
    }
}

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Those workers and older ones have had their time to end what they had begun.
    Retire { slot: u32, life: u32, workers: u32 },
}

/// What is due, by time and then by [`Turn`].
#[derive(Clone, Debug)]
pub(super) struct DueQueue {
    wheel: Wheel<(Turn, Due)>,
    /// What was noted to stand in line and is due after all that stood there before.
    line: VecDeque<(u64, (Turn, Due))>,
    /// When the next is due, ns.
    next: u64,
}

impl Default for DueQueue {
    fn default() -> Self {
        Self { wheel: Wheel::default(), line: VecDeque::new(), next: u64::MAX }
    }
}

impl DueQueue {
    #[inline]
    pub(super) fn push(&mut self, at: u64, turn: Turn, due: Due) {
        self.next = self.next.min(at);
        self.wheel.push(at, (turn, due));
    }

    /// The same for what is mostly due after all that was noted this way before: then it just stands in line.
    #[inline]
    pub(super) fn push_in_line(&mut self, at: u64, turn: Turn, due: Due) {
        let entry = (at, (turn, due));
        if self.line.back().is_some_and(|last| *last > entry) {
            return self.push(at, turn, due);
        }
        self.next = self.next.min(at);
        self.line.push_back(entry);
    }

    /// When the next is due, ns; `u64::MAX` if nothing is.
    #[inline]
    pub(super) const fn next_time(&self) -> u64 {
        self.next
    }

    /// The next.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Due> {
        let in_line = self.line.front().is_some_and(|(at, first)| {
            let other = self.wheel.next_time();
            *at < other || (*at == other && self.wheel.first().is_none_or(|other| first < other))
        });
        let first = if in_line { self.line.pop_front().map(|(_, first)| first) } else { self.wheel.pop() };
        self.next = self.line.front().map_or(u64::MAX, |(at, ..)| *at).min(self.wheel.next_time());
        first.map(|(_, due)| due)
    }
}

/// A request that somebody waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) client: u16,
    pub(super) turn: Turn,
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
    /// A ticket for a request of a client, the n-th, or for all requests of its n-th user.
    pub(super) fn open(&mut self, client: u16, number: u64) -> u32 {
        let fresh = Ticket {
            client,
            turn: Turn::request(client, number),
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
        fn what_is_due_first_comes_first_and_of_one_instant_what_has_its_turn_first(
            steps in prop::collection::vec((0u64..40, 0u64..50, 0u8..6), 1..200),
        ) {
            let (mut queue, mut plain, mut now) = (DueQueue::default(), BTreeMap::new(), 0);
            for (ticket, (ahead, number, kind)) in steps.into_iter().enumerate() {
                let (at, turn, ticket) = (now + ahead, Turn::request(0, number), ticket as u32);
                match kind {
                    0 | 1 => queue.push(at, turn, Due::Send { ticket }),
                    2 | 3 => queue.push_in_line(at, turn, Due::Send { ticket }),
                    _ => {
                        let first = plain.pop_first().map(|(key, ())| key);
                        prop_assert_eq!(queue.pop(), first.map(|(_, _, ticket)| Due::Send { ticket }));
                        now = first.map_or(now, |(at, ..)| at);
                    }
                }
                if kind < 4 {
                    plain.insert((at, turn, ticket), ());
                }
                let next = plain.first_key_value().map_or(u64::MAX, |((at, ..), ())| *at);
                prop_assert_eq!(queue.next_time(), next);
            }
        }
    }

    #[test]
    fn what_is_due_at_one_instant_comes_in_its_turn_whenever_it_was_noted() {
        let order = [
            Turn::stop(ServerId(7)),
            Turn::stop(ServerId(u32::MAX - 1)),
            Turn::adopt(3),
            Turn::sync(0),
            Turn::request(0, 0),
            Turn::request(0, 1 << 40),
            Turn::request(1, 0),
            Turn::request(u16::MAX, 5),
        ];
        let mut queue = DueQueue::default();
        for (at, turn) in order.into_iter().enumerate().rev() {
            queue.push(9, turn, Due::Send { ticket: at as u32 });
        }
        queue.push(8, Turn::request(9, 9), Due::Send { ticket: 99 });
        let came: Vec<Due> = std::iter::from_fn(|| queue.pop()).collect();
        let expected = std::iter::once(99).chain(0..8).map(|ticket| Due::Send { ticket });
        assert_eq!(came, expected.collect::<Vec<_>>());
        assert_eq!(Turn::request(3, 77).number(), 77);
    }
}
