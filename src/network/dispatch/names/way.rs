//! From a host to the address that a connection goes to.

use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime, Stream};

use super::super::super::clients::{AddressPick, Client, PortRef, Sender};
use super::super::super::dns::ClientCaching;
use super::super::super::ids::TargetId;
use super::super::super::outcome::Cause;
use super::super::super::policy::Protocol;
use super::super::super::proxy::Entrance;
use super::super::Network;
use super::super::send::Way;
use super::dial::{Dial, Place, Stage, Step};
use super::{Found, Kept, Names};

impl Network {
    /// Looks the host of a dial up: by what its client has kept, or by asking for it. Returns what is to be tried, or until when the
    /// dial waits, which knows what it does then.
    pub(super) fn look_up(&mut self, names: &mut Names, dial: &mut Dial, has_waited: bool, now: u64) -> Step {
        let client = &mut self.clients[dial.client];
        let (spec, gives_up) = (client.spec.clone(), dial.sent.saturating_add(client.timeout));
        let Some(host) = spec.host() else { return Step::Fails(Cause::NoSuchName, now) };
        if let Some(kept) = names.kept[dial.client].get_mut(&dial.sender.address)
            && now < kept.until
        {
            return match kept.pick(host.pick, &mut client.lookups) {
                Ok((answer, at)) => {
                    let place = answer[at];
                    dial.answer = Some((answer, at));
                    Step::Tries(place)
                }
                Err(cause) => Step::Fails(cause, now),
            };
        }
        names.catch_up(now);
        let resolver = names.resolver_of(dial.sender);
        let found = names.resolve(dial.client as u16, resolver, &spec, now);
        let waited = match names.asks_cluster(resolver) && !has_waited {
            true => self.wait_for_dns(names, dial.client, dial.sender, found.queries, now),
            false => Ok(0),
        };
        let takes = found.time.saturating_add(waited.unwrap_or_else(|waited| waited));
        let heard = now.saturating_add(takes);
        if waited == Ok(0) || waited.is_err() {
            self.ledger.tally(dial.client as u16).dns_queries += u64::from(found.queries);
        }
        match waited {
            Err(_) => Step::Fails(Cause::DnsFailure, heard.min(gives_up)),
            _ if heard >= gives_up => Step::Fails(Cause::DnsFailure, gives_up),
            Ok(0) => {
                dial.stage = Stage::Hears(found);
                Step::Waits(heard)
            }
            // What the name stands for then is what another server says then.
            Ok(waited) => {
                dial.stage = Stage::Asks { has_waited: true };
                Step::Waits(now.saturating_add(waited))
            }
        }
    }

    /// The way to an address of a host: to the pod that has it, or through the rules of the Service that has it.
    pub(super) fn way_to(&mut self, dial: &Dial, place: Place, now: u64) -> Result<Way, Cause> {
        let Some(mut names) = self.names.take() else { return Err(Cause::NoSuchName) };
        let target = self.place_of(&mut names, (dial.client, dial.sender), place);
        self.names = Some(names);
        let Some(target) = target? else { return self.connect_to_goal(dial.client, dial.sender, now) };
        let server = self.fleet.behind(target, self.proxies.places());
        let entry = dial.sender.node;
        let way = Way { entry, target, server, connected: false, is_udp: false, is_masqueraded: false };
        self.filter(dial.client, dial.sender, way, Protocol::Tcp, now)
    }

    /// The address of a pod; `None` = a Service has it, which is the client's goal then.
    fn place_of(
        &mut self,
        names: &mut Names,
        (number, sender): (usize, Sender),
        (ip, port): Place,
    ) -> Result<Option<TargetId>, Cause> {
        let Some(owner) = names.owners.get(&ip) else {
            if names.dns.outside.values().flatten().any(|outside| *outside == ip) {
                return Err(Cause::OutsideCluster);
            }
            return Ok(Some(self.proxies.target(ip, port)));
        };
        if let Some((service, Entrance::LoadBalancer)) = owner {
            let from = self.fleet.pod(sender.address).map(|pod| pod.address);
            let from = from.or_else(|| self.proxies.address(sender.node));
            if !self.proxies.lets_in_by(service, ip, from) {
                return Err(Cause::SourceRange);
            }
        }
        let found_for = Some(((ip, port), self.proxies.generation()));
        if names.goals[number] != found_for {
            names.goals[number] = found_for;
            let port = match owner {
                Some((service, entrance)) => {
                    let port = self.proxies.find_port(service, &PortRef::Number(port));
                    port.map(|port| (port, *entrance))
                }
                None => Err(Cause::NotProgrammed),
            };
            self.clients[number].goal = self.goal(self.proxies.generation(), port, (None, None), number);
        }
        Ok(None)
    }
}

impl Names {
    /// Takes an address of an answer that has just come, and keeps the answer for as long as the client keeps some.
    pub(super) fn keep(
        &mut self,
        dial: &mut Dial,
        found: &Arc<Found>,
        now: u64,
        client: &mut Client,
    ) -> Result<Place, Cause> {
        let spec = client.spec.clone();
        let (Some(host), luck) = (spec.host(), &mut client.lookups) else { return Err(Cause::NoSuchName) };
        let ttl = found.lives(SimTime::from_nanos(now));
        let (ttl, denial) = if found.places.is_ok() { (ttl, None) } else { (None, ttl) };
        let keeps = host.caching.keeps(ttl, denial).filter(|time| !time.is_zero());
        let (answer, at) = match keeps.filter(|_| host.caching != ClientCaching::None) {
            None => {
                // The answer was shuffled on its way: every one is as good as a random one.
                let places = found.places.as_ref().map_err(|cause| *cause)?;
                if places.is_empty() {
                    return Err(Cause::NoSuchName);
                }
                (places.clone(), luck.below(places.len() as u64) as usize)
            }
            Some(time) => {
                let until = if time == SimDuration::MAX { u64::MAX } else { now.saturating_add(time.as_nanos()) };
                let shuffled = |places: &[Place]| {
                    let mut places = places.to_vec();
                    luck.shuffle(&mut places);
                    places.into()
                };
                let places = found.places.as_deref().map(shuffled).map_err(|cause| *cause);
                let mut kept = Kept { until, places, turn: 0 };
                let picked = kept.pick(host.pick, luck);
                self.kept[dial.client].insert(dial.sender.address, kept);
                picked?
            }
        };
        let place = answer[at];
        dial.answer = Some((answer, at));
        Ok(place)
    }
}

impl Kept {
    /// One of the addresses: all of them, and which it is.
    fn pick(&mut self, pick: AddressPick, luck: &mut Stream) -> Result<(Arc<[Place]>, usize), Cause> {
        let places = self.places.as_ref().map_err(|cause| *cause)?;
        let count = places.len();
        if count == 0 {
            return Err(Cause::NoSuchName);
        }
        let at = match pick {
            AddressPick::First => 0,
            AddressPick::Random => luck.below(count as u64) as usize,
            AddressPick::RoundRobin => {
                let turn = self.turn as usize % count;
                self.turn = self.turn.wrapping_add(1);
                turn
            }
        };
        Ok((places.clone(), at))
    }
}
