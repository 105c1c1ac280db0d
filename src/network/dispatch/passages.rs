//! Requests on their way through reverse proxies.

use super::super::ids::{NodeId, ServerId, TargetId};
use super::super::ingress::Attempt;
use super::super::relay::Goal;
use super::super::servers::{NO_PASSAGE, NO_TICKET};
use super::due::Turn;

/// What a passage waits for that is not answered by an endpoint as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: its outcome is known.
    Nothing,
    /// The reverse proxy works on it first.
    Queue,
    /// It hears that from the endpoint then.
    Word(Attempt),
    /// It has heard that at once, and goes on at once.
    Heard(Attempt),
}

/// A request on its way through a reverse proxy: two lines of the processor's cache, as thousands of them lie about.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Passage {
    /// When the client's attempt began, ns.
    pub(super) sent: u64,
    /// When the first try and the present one were sent on, ns.
    pub(super) first: u64,
    pub(super) since: u64,
    /// Between the client and the reverse proxy, there and back, ns.
    pub(super) trip: u64,
    /// Stands for the address of the client that it is from.
    pub(super) who: u64,
    /// The node whose address it has in place of that; `NONE` = it kept its own.
    pub(super) masquerade: NodeId,
    /// The pod of the reverse proxy; `NONE` = there is no passage.
    pub(super) front: ServerId,
    /// The server that has it among those that it works on; `NONE` = none has.
    pub(super) at: ServerId,
    pub(super) slot: u32,
    /// Which workers of the pod have it.
    pub(super) workers: u32,
    pub(super) ticket: u32,
    /// Among those that go on at one instant.
    pub(super) turn: Turn,
    /// Counts what it waits for.
    pub(super) version: u32,
    /// Where it goes, once that is chosen.
    pub(super) goal: Option<Goal>,
    /// Endpoints that failed, the latest ones.
    pub(super) failed: [TargetId; 2],
    /// The endpoint of the present try.
    pub(super) target: TargetId,
    pub(super) wait: Wait,
    pub(super) client: u16,
    /// Tries so far.
    pub(super) tries: u16,
}

impl Passage {
    /// There is none.
    pub(super) const NONE: Self = Self {
        sent: 0,
        first: 0,
        since: 0,
        trip: 0,
        who: 0,
        masquerade: NodeId::NONE,
        front: ServerId::NONE,
        at: ServerId::NONE,
        slot: 0,
        workers: 0,
        ticket: NO_TICKET,
        turn: Turn::NONE,
        version: 0,
        goal: None,
        failed: [TargetId::NONE; 2],
        target: TargetId::NONE,
        wait: Wait::Nothing,
        client: 0,
        tries: 0,
    };
}

/// All passages.
#[derive(Clone, Debug, Default)]
pub(super) struct Passages {
    all: Vec<Passage>,
    free: Vec<u32>,
}

impl Passages {
    /// A place for a passage, which is to be written there.
    #[inline(always)]
    pub(super) fn open(&mut self) -> u32 {
        match self.free.pop() {
            Some(number) => number,
            None => self.grow(),
        }
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        self.all.push(Passage::NONE);
        self.all.len() as u32 - 1
    }

    /// What it waited for is there, or does not come any more.
    pub(super) fn wake(&mut self, number: u32) {
        let passage = self.get_mut(number);
        passage.version += 1;
        passage.at = ServerId::NONE;
    }

    /// It is over.
    #[inline]
    pub(super) fn release(&mut self, number: u32) {
        if number != NO_PASSAGE {
            let passage = &mut self.all[number as usize];
            passage.front = ServerId::NONE;
            passage.version += 1;
            self.free.push(number);
        }
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> &Passage {
        &self.all[number as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut Passage {
        &mut self.all[number as usize]
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// Those through a pod of a reverse proxy.
    pub(super) fn through(&self, front: ServerId) -> Vec<u32> {
        let all = self.all.iter().enumerate();
        all.filter(|(_, passage)| passage.front == front).map(|(number, _)| number as u32).collect()
    }
}
