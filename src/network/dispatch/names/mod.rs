//! Clients that ask for a host: what CoreDNS knows by now, whom each pod asks, and what each client has kept of the answers.
//!
//! CoreDNS has a watch of its own and is behind the API server by its lag. What it answers is worked out once for every change that it
//! sees and not once for every request; clients that know an address have nothing to do with any of this.

mod dial;
mod server;
mod way;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, View};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Object, Pod, Service};

use super::super::clients::{Client, ClientSpec, HostName, PortRef, Sender};
use super::super::dns::{
    ClusterDns, CoreDnsCache, DnsConfig, Nameserver, NodeDns, Rcode, RecordType, ResolvConf, cluster_ips,
};
use super::super::outcome::Cause;
use super::super::proxy::Entrance;

use dial::{Dial, Place};
#[cfg(test)]
pub(super) use dial::{Dial as Dialled, Step};

/// The resolver's settings of processes on nodes, outside of any pod.
const OF_NODES: u32 = 0;

/// What clients know by name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    config: DnsConfig,
    dns: ClusterDns,
    node_dns: NodeDns,
    /// Services, slices and namespaces as CoreDNS has them.
    view: View,
    /// Changes on their way to CoreDNS: when they are there, ns.
    late: VecDeque<(u64, Change)>,
    lag: u64,
    /// Counts the changes that CoreDNS has seen.
    generation: u64,
    cache: CoreDnsCache,
    /// Different settings of resolvers.
    resolvers: Vec<ResolvConf>,
    /// The settings of each pod, by its number.
    by_pod: FxHashMap<u64, u32>,
    /// Answers by client and settings, for as long as CoreDNS would say the same again.
    known: FxHashMap<(u16, u32), Known>,
    /// Attempts that look the host up or try its addresses, by their tickets.
    dials: FxHashMap<u32, Dial>,
    /// What each sender of a client has kept.
    kept: Vec<FxHashMap<u64, Kept>>,
    /// Whose virtual address it is; nothing = a Service had it.
    owners: FxHashMap<IpAddr, Option<(Key, Entrance)>>,
    /// The address with its port and the version of services that the goal of each client was found for.
    goals: Vec<Option<(Place, u64)>>,
    server: server::NameServer,
}

/// What a lookup comes to.
#[derive(Debug)]
struct Found {
    places: Result<Arc<[Place]>, Cause>,
    queries: u32,
    /// How long it takes if every query is answered, ns.
    time: u64,
    /// Lifetime of the records, or of the denial; nothing = it must not be kept.
    ttl: Option<SimDuration>,
    /// Since when CoreDNS has it in its own cache; nothing = it was asked now.
    since: Option<SimTime>,
}

#[derive(Clone, Debug)]
struct Known {
    generation: u64,
    /// From then on CoreDNS may say something else, ns.
    until: u64,
    found: Arc<Found>,
}

/// What a client keeps.
#[derive(Clone, Debug)]
struct Kept {
    /// From then on it asks again, ns.
    until: u64,
    places: Result<Arc<[Place]>, Cause>,
    /// Whose turn it is.
    turn: u32,
}

impl Names {
    /// Nothing, if no client asks for a host. `watch`: how long changes take to the proxies, ns.
    pub(super) fn new(config: &DnsConfig, clients: &[Client], watch: SimDuration) -> Option<Box<Self>> {
        clients.iter().any(|client| client.spec.host().is_some()).then(|| {
            let node_dns = config.node_dns();
            let cache = if config.cache.is_zero() {
                CoreDnsCache::default()
            } else {
                CoreDnsCache::of_everything(config.cache)
            };
            Box::new(Self {
                dns: config.cluster_dns(),
                resolvers: vec![ResolvConf::of_node(&node_dns)],
                node_dns,
                view: View::default(),
                late: VecDeque::new(),
                lag: config.lag.unwrap_or(watch).as_nanos(),
                generation: 0,
                cache,
                by_pod: FxHashMap::default(),
                known: FxHashMap::default(),
                dials: FxHashMap::default(),
                kept: vec![FxHashMap::default(); clients.len()],
                owners: FxHashMap::default(),
                goals: vec![None; clients.len()],
                server: server::NameServer::default(),
                config: config.clone(),
            })
        })
    }

    /// A write was accepted at `now`, ns.
    pub(super) fn follow(&mut self, change: &Change, now: u64) {
        self.catch_up(now);
        match &change.object {
            Object::Service(service) => {
                let old = change.of::<Service>().and_then(|(old, _)| old);
                self.note_addresses(old.map(Arc::as_ref), service, change);
            }
            Object::EndpointSlice(_) | Object::Namespace(_) => {}
            _ => return,
        }
        self.late.push_back((now.saturating_add(self.lag), change.clone()));
    }

    /// CoreDNS hears of everything that has come to it by now.
    fn catch_up(&mut self, now: u64) {
        while self.late.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, change)) = self.late.pop_front()
        {
            self.view.apply(&change);
            self.generation += 1;
        }
    }

    fn note_addresses(&mut self, old: Option<&Service>, service: &Service, change: &Change) {
        let key = || Key::new(service.meta.namespace.clone(), service.meta.name.clone());
        for ip in old.into_iter().chain([service]).flat_map(addresses_of) {
            self.owners.insert(ip.0, None);
        }
        if change.change_type != crate::api::ChangeType::Deleted {
            self.owners.extend(addresses_of(service).map(|(ip, entrance)| (ip, Some((key(), entrance)))));
        }
    }

    /// The settings of a pod's resolver.
    pub(super) fn resolv_conf(&self, pod: &Pod) -> ResolvConf {
        ResolvConf::of(pod, &self.dns, &self.node_dns)
    }

    /// A pod of that number has come up.
    pub(super) fn pod_up(&mut self, number: u64, conf: Option<&ResolvConf>) {
        let Some(conf) = conf else { return };
        let at = self.resolvers.iter().position(|known| known == conf);
        let at = at.unwrap_or_else(|| {
            self.resolvers.push(conf.clone());
            self.resolvers.len() - 1
        });
        self.by_pod.insert(number, at as u32);
    }

    /// A pod is gone.
    pub(super) fn pod_gone(&mut self, number: u64) {
        self.by_pod.remove(&number);
    }

    /// Those of a client that send now; what others had kept went with their processes.
    pub(super) fn senders_of(&mut self, client: usize, senders: &[Sender]) {
        self.kept[client].retain(|address, _| senders.binary_search_by_key(address, |sender| sender.address).is_ok());
    }

    fn resolver_of(&self, sender: Sender) -> u32 {
        self.by_pod.get(&sender.address).copied().unwrap_or(OF_NODES)
    }

    /// Whether a resolver asks cluster DNS.
    fn asks_cluster(&self, resolver: u32) -> bool {
        self.resolvers[resolver as usize].nameservers.first() == Some(&Nameserver::Cluster)
    }

    /// What a lookup of a client's host comes to at `now`, ns.
    fn resolve(&mut self, client: u16, resolver: u32, spec: &ClientSpec, now: u64) -> Arc<Found> {
        if let Some(known) = self.known.get(&(client, resolver))
            && known.generation == self.generation
            && now < known.until
        {
            return known.found.clone();
        }
        let (found, until) = self.ask(resolver, spec, SimTime::from_nanos(now));
        let found = Arc::new(found);
        let known = Known { generation: self.generation, until, found: found.clone() };
        self.known.insert((client, resolver), known);
        found
    }

    /// Asks for a host, and says until when the same would come of it, ns.
    #[cold]
    fn ask(&mut self, resolver: u32, spec: &ClientSpec, now: SimTime) -> (Found, u64) {
        let host = spec.host();
        let record_type = if host.is_some_and(HostName::is_port) { RecordType::Srv } else { RecordType::A };
        let host = host.map_or("", |host| &*host.name);
        let Self { config, dns, view, cache, resolvers, .. } = self;
        let (mut queries, mut time, mut until) = (0, SimDuration::ZERO, u64::MAX);
        let (mut ttl, mut since) = (None, None);
        let lookup = resolvers[resolver as usize].lookup(host, record_type, |server, name, record_type| {
            let is_inside = dns.below(name).is_some();
            let cached = cache.get(now, dns, name, record_type, || match record_type {
                RecordType::Srv => dns.ports_by(server, view, name),
                _ => dns.answer_by(server, view, name),
            });
            queries += 1;
            time += config.query;
            if !is_inside && !cached.is_hit {
                time += config.forward;
            }
            // What has just been put into the cache takes less time when it is asked for again.
            let same_until = if cached.is_hit { cached.until } else { cached.until.map(|_| now) };
            until = until.min(same_until.map_or(u64::MAX, SimTime::as_nanos));
            ttl = Some(cached.answer.ttl().unwrap_or(dns.ttl)).filter(|_| cached.answer.rcode != Rcode::ServerFailure);
            since = Some(cached.since).filter(|_| cached.is_hit);
            cached.answer
        });
        let answer = lookup.answer();
        let places: Arc<[Place]> = match (answer, spec.port()) {
            (Some(answer), _) if record_type == RecordType::Srv => answer.places().collect(),
            (Some(answer), &PortRef::Number(port)) => answer.ips().map(|ip| (ip, port)).collect(),
            _ => Arc::default(),
        };
        let is_outside = lookup.attempts.last().is_some_and(|last| last.answer.unknown_outside.is_some());
        let places = match (answer, lookup.rcode) {
            _ if !places.is_empty() => Ok(places),
            (Some(answer), _) if answer.ips().next().is_some() => Err(Cause::NoSuchPort),
            (None, Rcode::ServerFailure) => Err(Cause::DnsFailure),
            (Some(_), _) if is_outside => Err(Cause::OutsideCluster),
            _ => Err(Cause::NoSuchName),
        };
        (Found { places, queries, time: time.as_nanos(), ttl, since }, until)
    }
}

impl Found {
    /// How long a client may keep it that got it at `now`.
    fn lives(&self, now: SimTime) -> Option<SimDuration> {
        let age = self.since.map_or(SimDuration::ZERO, |since| now - since);
        self.ttl.map(|ttl| if ttl > age { ttl - age } else { SimDuration::ZERO })
    }
}

/// The addresses by which proxies know a Service, without those of its endpoints.
fn addresses_of(service: &Service) -> impl Iterator<Item = (IpAddr, Entrance)> {
    let inside = cluster_ips(service).map(|ip| (ip, Entrance::ClusterIp));
    // What a load balancer that proxies itself gets goes out to it, not into the rules of the node.
    let by_rules =
        service.status.load_balancer.ingress.iter().filter(|point| point.ip_mode.as_deref() != Some("Proxy"));
    let balanced = by_rules.map(|ingress| (&*ingress.ip, Entrance::LoadBalancer));
    let external = service.spec.external_ips.iter().map(|ip| (&**ip, Entrance::LoadBalancer));
    let all = inside.chain(balanced).chain(external);
    all.filter_map(|(ip, entrance)| Some((ip.parse().ok()?, entrance)))
}
