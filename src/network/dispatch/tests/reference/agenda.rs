//! Events in the order that the loop promises.

use std::collections::BTreeMap;

use crate::network::ids::ServerId;
use crate::network::ingress::Attempt;

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Arrival(usize),
    /// The next attempt of a request, or the next request of a user.
    Send(usize),
    /// An attempt that looks a host up, or tries its addresses, goes on.
    Dial(usize),
    /// A server is done with an attempt; the process it was when it began.
    Served(ServerId, u32, Job),
    /// A reverse proxy sends a request on, the job being the present one.
    Forward(usize, u32),
    /// An attempt ends: its number among the request's.
    End(usize, u32),
    /// A process ends as planned.
    Stop(ServerId, u32),
    Window,
    /// A reverse proxy hears that of a try, the job being the present one.
    Word(usize, u32, Attempt),
    /// A pod of a reverse proxy syncs, or its workers take over what it has found.
    Sync(u32, u32),
    Adopt(u32, u32),
}

/// An attempt at a server, which goes on working on it when the client has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) request: usize,
    pub(super) attempt: u32,
    pub(super) service: u64,
}

/// What comes first at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Window,
    /// Who is done makes room for who comes.
    Served,
    Stop(u32),
    Adopt(u32),
    Sync(u32),
    /// Of a client, the n-th, or that of its n-th user; its end after all else.
    Request(usize, u64, bool),
    Arrival(usize),
}

/// What is to happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    events: BTreeMap<(u64, Rank, u64), Event>,
    noted: u64,
    pub(super) now: u64,
}

impl Agenda {
    pub(super) fn push(&mut self, at: u64, rank: Rank, event: Event) {
        assert!(at >= self.now, "{event:?} is to happen before {}", self.now);
        self.noted += 1;
        self.events.insert((at, rank, self.noted), event);
    }

    /// The next event before `limit`.
    pub(super) fn pop_before(&mut self, limit: u64) -> Option<Event> {
        let (&key, _) = self.events.first_key_value().filter(|((at, ..), _)| *at < limit)?;
        self.now = key.0;
        self.events.remove(&key)
    }

    /// The end of a window at that instant, if one is.
    pub(super) fn pop_window(&mut self, at: u64) -> bool {
        let first = self.events.first_key_value().map(|(key, _)| *key);
        let window = first.filter(|(when, rank, _)| (*when, *rank) == (at, Rank::Window));
        window.is_some_and(|key| self.events.remove(&key).is_some())
    }
}
