//! From a host to the address that a connection goes to.

use std::net::IpAddr;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime, Stream};

use super::super::super::clients::{AddressPick, Goal, HostName, PortRef, Sender};
use super::super::super::dns::ClientCaching;
use super::super::super::ids::TargetId;
use super::super::super::outcome::Cause;
use super::super::super::servers::State;
use super::super::Network;
use super::{Found, Kept, Names};

impl Network {
    /// Where a new connection goes of a client that asks for a host: to that address of a pod, or, if there is none, to the Service
    /// that is the client's goal then. How long the lookup takes is noted with the client, also if nothing comes of it.
    pub(in super::super) fn find_host(
        &mut self,
        number: usize,
        sender: Sender,
        now: u64,
    ) -> Result<Option<TargetId>, Cause> {
        // Names of the cluster are known inside only.
        let Some(mut names) = self.names.take().filter(|_| sender.node.is_some()) else {
            return Err(Cause::NoSuchName);
        };
        let found = self.look_up(&mut names, number, sender, now);
        let found = found.and_then(|ip| self.place_of(&mut names, number, ip));
        self.names = Some(names);
        found
    }

    /// An address of the client's host: one that it has kept, or one that it asks for.
    fn look_up(&mut self, names: &mut Names, number: usize, sender: Sender, now: u64) -> Result<IpAddr, Cause> {
        let client = &mut self.clients[number];
        let spec = client.spec.clone();
        let Some(host) = spec.host() else { return Err(Cause::NoSuchName) };
        if let Some(kept) = names.kept[number].get_mut(&sender.address)
            && now < kept.until
        {
            return kept.pick(host.pick, &mut client.lookups);
        }
        names.catch_up(now);
        let resolver = names.resolver_of(sender);
        let found = names.resolve(number as u16, resolver, &host.name, now);
        let waited = match names.asks_cluster(resolver) {
            true => self.wait_for_dns(names, number, sender, found.queries, now),
            false => Ok(0),
        };
        self.ledger.tally(number as u16).dns_queries += u64::from(found.queries);
        let client = &mut self.clients[number];
        let takes = found.time.saturating_add(waited.unwrap_or_else(|waited| waited));
        client.lookup = takes.min(client.timeout);
        if waited.is_err() || takes >= client.timeout {
            return Err(Cause::DnsFailure);
        }
        names.keep(number, sender, host, &found, now, &mut client.lookups)
    }

    /// What has an address.
    fn place_of(&mut self, names: &mut Names, number: usize, ip: IpAddr) -> Result<Option<TargetId>, Cause> {
        let client = &mut self.clients[number];
        let Some(owner) = names.owners.get(&ip) else {
            let &PortRef::Number(port) = client.spec.port() else { return Err(Cause::NoSuchPort) };
            if names.dns.outside.values().flatten().any(|outside| *outside == ip) {
                return Err(Cause::OutsideCluster);
            }
            let target = self.proxies.target(ip, port);
            let server = self.fleet.behind(target, self.proxies.places());
            let listens = self.fleet.servers.get(server.at()).is_some_and(|server| server.state == State::Listening);
            // The process is there, and it listens to other ports.
            let other_ports = listens && !self.fleet.may_listen(ip, port);
            return if other_ports { Err(Cause::NotListening) } else { Ok(Some(target)) };
        };
        let found_for = Some((ip, self.proxies.generation()));
        if names.goals[number] != found_for {
            names.goals[number] = found_for;
            let port = match owner {
                Some((service, entrance)) => {
                    let port = self.proxies.find_port(service, client.spec.port());
                    port.map(|port| (port, *entrance))
                }
                None => Err(Cause::NotProgrammed),
            };
            client.goal = Goal { generation: self.proxies.generation(), port, pool: None, door: None };
        }
        Ok(None)
    }
}

impl Names {
    /// Takes an address of an answer, and keeps the answer for as long as the client keeps some.
    fn keep(
        &mut self,
        client: usize,
        sender: Sender,
        host: &HostName,
        found: &Arc<Found>,
        now: u64,
        luck: &mut Stream,
    ) -> Result<IpAddr, Cause> {
        let ttl = found.lives(SimTime::from_nanos(now));
        let (ttl, denial) = if found.addresses.is_ok() { (ttl, None) } else { (None, ttl) };
        let keeps = host.caching.keeps(ttl, denial).filter(|time| !time.is_zero());
        let Some(time) = keeps.filter(|_| host.caching != ClientCaching::None) else {
            // The answer was shuffled on its way: every one is as good as a random one.
            let addresses = found.addresses.as_ref().map_err(|cause| *cause)?;
            return luck.pick(addresses).copied().ok_or(Cause::NoSuchName);
        };
        let until = if time == SimDuration::MAX { u64::MAX } else { now.saturating_add(time.as_nanos()) };
        let shuffled = |addresses: &[IpAddr]| {
            let mut addresses = addresses.to_vec();
            luck.shuffle(&mut addresses);
            addresses.into()
        };
        let mut kept =
            Kept { until, addresses: found.addresses.as_deref().map(shuffled).map_err(|cause| *cause), turn: 0 };
        let picked = kept.pick(host.pick, luck);
        self.kept[client].insert(sender.address, kept);
        picked
    }
}

impl Kept {
    fn pick(&mut self, pick: AddressPick, luck: &mut Stream) -> Result<IpAddr, Cause> {
        let addresses = self.addresses.as_ref().map_err(|cause| *cause)?;
        let picked = match pick {
            AddressPick::First => addresses.first(),
            AddressPick::Random => luck.pick(addresses),
            AddressPick::RoundRobin => {
                let turn = self.turn as usize % addresses.len().max(1);
                self.turn = self.turn.wrapping_add(1);
                addresses.get(turn)
            }
        };
        picked.copied().ok_or(Cause::NoSuchName)
    }
}
