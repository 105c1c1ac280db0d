//! A connection to a host: its name is looked up first, which takes its time, then one address is tried after the other until one takes
//! the connection. What happens in the meantime counts.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::super::clients::{HostName, Sender};
use super::super::super::dns::ClientCaching;
use super::super::super::ids::ServerId;
use super::super::super::outcome::{Cause, Outcome};
use super::super::super::servers::NO_PASSAGE;
use super::super::send::{Fate, Way};
use super::super::{Due, Network};
use super::Found;
use crate::kernel::{SimDuration, Stream};

/// An address, and a port.
pub(in super::super) type Place = (IpAddr, u16);

/// An attempt that has no connection yet.
#[derive(Clone, Debug)]
pub(in super::super) struct Dial {
    pub(super) client: usize,
    pub(super) sender: Sender,
    /// When the attempt began, ns.
    pub(super) sent: u64,
    /// Which of the client's kept connections it is to be.
    slot: usize,
    pub(super) stage: Stage,
    /// What DNS said, and which of it was taken first.
    pub(super) answer: Option<(Arc<[Place]>, usize)>,
    /// What is left of it, the next one last; not known before the first one has failed.
    left: Option<Vec<Place>>,
}

/// What a dial does next.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// It asks DNS; name servers that did not answer may have been waited for.
    Asks { has_waited: bool },
    /// The answer is there.
    Hears(Arc<Found>),
    /// It tries an address.
    Tries(Place),
}

/// How a dial goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// Not before that instant, ns.
    Waits(u64),
    /// An address is tried now.
    Tries(Place),
    /// The lookup fails, and that is known at that instant, ns.
    Fails(Cause, u64),
}

impl Dial {
    /// An attempt of a client that begins at `sent`, ns.
    pub(in super::super) const fn new(client: usize, sender: Sender, sent: u64, slot: usize) -> Self {
        let stage = Stage::Asks { has_waited: false };
        Self { client, sender, sent, slot, stage, answer: None, left: None }
    }

    /// Where it comes from.
    #[cfg(test)]
    pub(in super::super) const fn sender(&self) -> Sender {
        self.sender
    }

    /// Takes the next address of the answer: the order of what a client keeps goes on behind the one that it took first, any other answer
    /// was shuffled on its way. `None` = all were tried.
    fn next_place(&mut self, host: &HostName, luck: &mut Stream) -> Option<Place> {
        let (all, first) = self.answer.as_ref()?;
        let left = self.left.get_or_insert_with(|| {
            let (before, after) = (&all[..*first], &all[*first + 1..]);
            let mut left: Vec<Place> = after.iter().chain(before).copied().collect();
            if host.caching == ClientCaching::None {
                luck.shuffle(&mut left);
            }
            left.reverse();
            left
        });
        left.pop()
    }

    /// How many addresses are left.
    fn untried(&self) -> usize {
        let all = self.answer.as_ref().map_or(0, |(all, _)| all.len().saturating_sub(1));
        self.left.as_ref().map_or(all, Vec::len)
    }
}

impl Network {
    /// An attempt of a client that asks for a host.
    pub(in super::super) fn attempt_by_name(&mut self, number: usize, sender: Sender, ticket: u32, now: u64) {
        self.tickets.get(ticket).begin(now);
        match self.begin_dial(number, sender, now) {
            Ok(way) => {
                if let Some(fate) = self.meet(number, sender, way, ticket, now) {
                    self.note(number, now, now, ticket, fate);
                }
            }
            Err(dial) => self.dial(dial, ticket, now),
        }
    }

    /// The way of a connection that is open, or else a dial.
    pub(in super::super) fn begin_dial(&mut self, number: usize, sender: Sender, now: u64) -> Result<Way, Dial> {
        self.clients[number].spent = 0;
        let is_kept = !self.clients[number].connections.is_empty();
        let open = if is_kept { self.open_connection(number, now) } else { None };
        // It came in by the sender's own node, which runs.
        open.and_then(Result::ok).ok_or_else(|| Dial::new(number, sender, now, self.clients[number].present))
    }

    /// What a dial has waited for is there.
    pub(in super::super) fn redial(&mut self, ticket: u32, now: u64) {
        if let Some(dial) = self.names.as_mut().and_then(|names| names.dials.remove(&ticket)) {
            self.dial(dial, ticket, now);
        }
    }

    /// Goes on with a dial until it must wait or its attempt is under way.
    fn dial(&mut self, mut dial: Dial, ticket: u32, now: u64) {
        let number = dial.client;
        let again = loop {
            let fate = match self.go_on(&mut dial, now) {
                Step::Waits(at) => break at,
                Step::Fails(cause, ends) => {
                    Fate { cause, ends, server: ServerId::NONE, held: false, passage: NO_PASSAGE }
                }
                Step::Tries(place) => {
                    let fate = match self.connect_to(&dial, place, now) {
                        Ok(way) => self.meet(number, dial.sender, way, ticket, now),
                        Err(cause) => Some(self.turned_away(number, cause, now)),
                    };
                    // Otherwise it waits at a reverse proxy.
                    let Some(fate) = fate else { return };
                    match self.fall_back(&mut dial, fate.cause, fate.ends, now) {
                        Some(at) if at > now => break at,
                        Some(_) => continue,
                        None => fate,
                    }
                }
            };
            return self.note(number, dial.sent, now, ticket, fate);
        };
        if let Some(names) = &mut self.names {
            names.dials.insert(ticket, dial);
            self.due.push(again, self.tickets.get(ticket).turn, Due::Dial { ticket });
        }
    }

    /// The next step of a dial.
    pub(in super::super) fn go_on(&mut self, dial: &mut Dial, now: u64) -> Step {
        // Names of the cluster are known inside only.
        let Some(mut names) = self.names.take().filter(|_| dial.sender.node.is_some()) else {
            return Step::Fails(Cause::NoSuchName, now);
        };
        let step = loop {
            match std::mem::replace(&mut dial.stage, Stage::Asks { has_waited: true }) {
                Stage::Tries(place) => break Step::Tries(place),
                Stage::Hears(found) => match names.keep(dial, &found, now, &mut self.clients[dial.client]) {
                    Ok(place) => break Step::Tries(place),
                    Err(cause) => break Step::Fails(cause, now),
                },
                Stage::Asks { has_waited } => match self.look_up(&mut names, dial, has_waited, now) {
                    Step::Waits(at) if at <= now => {}
                    step => break step,
                },
            }
        };
        self.names = Some(names);
        step
    }

    /// Opens a connection to an address.
    pub(in super::super) fn connect_to(&mut self, dial: &Dial, place: Place, now: u64) -> Result<Way, Cause> {
        self.work += 1;
        let number = dial.client;
        self.ledger.tally(number as u16).connections += 1;
        let client = &mut self.clients[number];
        (client.spent, client.present) = (now - dial.sent, dial.slot);
        let way = self.way_to(dial, place, now);
        if !self.clients[number].connections.is_empty() {
            self.keep_connection(number, way, now);
        }
        way
    }

    /// When the next address of a dial is tried, ns, after one took no connection for a cause that is known at `ends`; `None` = that is
    /// what comes of the attempt. Where nothing comes at all, each address gets a part of the time that remains.
    pub(in super::super) fn fall_back(&mut self, dial: &mut Dial, cause: Cause, ends: u64, now: u64) -> Option<u64> {
        let client = &mut self.clients[dial.client];
        let spec = client.spec.clone();
        let host = spec.host().filter(|host| host.falls_back)?;
        let untried = dial.untried();
        let gives_up = dial.sent.saturating_add(client.timeout);
        let at = match cause.outcome() {
            Outcome::Refused => ends,
            // There is a connection, and nothing comes on it.
            _ if matches!(cause, Cause::Hung | Cause::TooSlow) => return None,
            Outcome::TimedOut => {
                let remaining = SimDuration::from_nanos(gives_up.saturating_sub(now));
                now.saturating_add(HostName::shares(remaining, untried + 1).as_nanos())
            }
            _ => return None,
        };
        if untried == 0 || at >= gives_up {
            return None;
        }
        dial.stage = Stage::Tries(dial.next_place(host, &mut client.lookups)?);
        self.ledger.tally(dial.client as u16).fallbacks += 1;
        Some(at)
    }
}
