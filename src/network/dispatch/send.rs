//! One attempt: its way to a server, and what it finds there.

use crate::objects::Key;

use super::super::accounting::Tally;
use super::super::clients::{Client, ClientSpec, Connection, Goal, Origin, PortRef, RequestTarget, Sender};
use super::super::ids::{NodeId, PoolId, PortId, ServerId, TargetId};
use super::super::outcome::{Cause, Outcome};
use super::super::policy::{Port, Protocol};
use super::super::proxy::{Entrance, NetworkConfig, Pick, ProxyTable};
use super::super::relay::{FrontDoor, NO_SLOT};
use super::super::servers::{Admission, NO_PASSAGE, NO_TICKET, Pending, Server};
use super::passages::Passage;
use super::policy::Attempt;
use super::settle::{count, settle_first, settled};
use super::upstream::UNKNOWN;
use super::{Due, Network};

/// The way of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The node whose rules it meets.
    pub(super) entry: NodeId,
    pub(super) target: TargetId,
    pub(super) server: ServerId,
    /// On a connection that is open already.
    pub(super) connected: bool,
    pub(super) is_udp: bool,
    /// It has the address of the entry node in place of its own.
    pub(super) is_masqueraded: bool,
}

/// A new connection at the rules of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knock {
    pub(super) port: PortId,
    pub(super) entrance: Entrance,
    /// The node whose rules it meets.
    pub(super) entry: NodeId,
    /// From outside of the cluster.
    pub(super) external: bool,
    /// Stands for the address that it comes from, inside.
    pub(super) address: u64,
    pub(super) now: u64,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) cause: Cause,
    /// When it is known, ns.
    pub(super) ends: u64,
    /// What it reached.
    pub(super) server: ServerId,
    /// Whether the server works on it, or it waits there.
    pub(super) held: bool,
    /// Its passage through a reverse proxy, if a server works on it.
    pub(super) passage: u32,
}

/// A port and how one gets there, a load balancer, a reverse proxy on ports of machines.
type Entry = (Result<(PortId, Entrance), Cause>, Option<PoolId>, Option<(u32, u16)>);

/// How long a user waits who has nowhere to send from, ns.
const NOBODY_SENDS: u64 = 1_000_000_000;

impl Network {
    /// A request of an open client.
    #[inline]
    pub(super) fn arrive(&mut self, number: usize, now: u64) {
        if self.clients[number].is_attentive {
            let begun = self.clients[number].begin();
            let ticket = self.tickets.open(number as u16, begun);
            self.attempt(number, now, ticket);
        } else {
            self.send(number, now, NO_TICKET);
        }
    }

    /// An attempt that somebody waits for, the first of a request or a later one.
    #[inline(never)]
    pub(super) fn attempt(&mut self, number: usize, now: u64, ticket: u32) {
        self.send(number, now, ticket);
    }

    /// An attempt. It is compiled twice: where nobody waits, nothing of the way asks for whom.
    #[inline(always)]
    fn send(&mut self, number: usize, now: u64, ticket: u32) {
        let Some(sender) = self.sender(number) else { return self.nobody_sends(now, ticket) };
        let is_first = ticket == NO_TICKET || self.tickets.get(ticket).tries == 0;
        self.work += 1;
        let tally = self.ledger.tally(number as u16);
        if is_first {
            tally.requests += 1;
            self.requests += 1;
            if ticket != NO_TICKET {
                self.clients[number].earn_budget();
            }
        } else {
            tally.retries += 1;
        }
        if ticket != NO_TICKET && self.clients[number].by_name {
            return self.attempt_by_name(number, sender, ticket, now);
        }
        let Some((port, entrance)) = self.plain_goal(number) else {
            return self.send_otherwise(number, sender, ticket, now);
        };
        self.ledger.tally(number as u16).connections += 1;
        match self.connect_by_rules(number, sender, (port, entrance), now) {
            Ok(way) => {
                let fate = self.meet(number, sender, way, ticket, now);
                self.sent(number, now, ticket, fate);
            }
            Err(cause) => self.gets_nowhere(number, cause, ticket, now),
        }
    }

    /// An attempt by a kept connection, a port of a machine, to a pod of a headless Service, or the first one after something has changed.
    #[inline(never)]
    fn send_otherwise(&mut self, number: usize, sender: Sender, ticket: u32, now: u64) {
        match self.find_way(number, sender, now) {
            Ok(way) => {
                let fate = self.meet(number, sender, way, ticket, now);
                self.sent(number, now, ticket, fate);
            }
            Err(cause) => self.gets_nowhere(number, cause, ticket, now),
        }
    }

    /// An attempt ends before it gets to a server.
    #[inline(never)]
    fn gets_nowhere(&mut self, number: usize, cause: Cause, ticket: u32, now: u64) {
        let fate = self.turned_away(number, cause, now);
        self.sent(number, now, ticket, Some(fate));
    }

    /// An attempt has begun; what comes of it may be known.
    #[inline(always)]
    fn sent(&mut self, number: usize, now: u64, ticket: u32, fate: Option<Fate>) {
        if ticket != NO_TICKET {
            self.tickets.get(ticket).begin(now);
        }
        if let Some(fate) = fate {
            self.note(number, now, now, ticket, fate);
        }
    }

    /// The port of a Service to whose rules the client always connects anew, unless something has changed.
    #[inline(always)]
    fn plain_goal(&self, number: usize) -> Option<(PortId, Entrance)> {
        let goal = &self.clients[number].goal;
        goal.plain.filter(|_| goal.generation == self.proxies.generation() + self.relays.generation())
    }

    /// What comes of a connection; `None` = it waits at a reverse proxy.
    #[inline(always)]
    pub(super) fn meet(&mut self, number: usize, sender: Sender, way: Way, ticket: u32, now: u64) -> Option<Fate> {
        match self.fleet.servers.get(way.server.at()).map(|server| server.slot) {
            // It passes requests on.
            Some(slot) if slot != NO_SLOT => self.pass(number, sender, way, (slot, ticket), now),
            _ => Some(self.reach(number, way, now)),
        }
    }

    /// Keeps what comes of an attempt that was sent at `sent`.
    #[inline(always)]
    pub(super) fn note(&mut self, number: usize, sent: u64, now: u64, ticket: u32, fate: Fate) {
        if ticket == NO_TICKET {
            self.note_unwatched(number, sent, now, fate);
        } else {
            self.note_waiting(number, sent, now, fate, ticket);
        }
    }

    /// Keeps what has come of a passage that has waited.
    pub(super) fn note_late(&mut self, passage: &Passage, fate: Fate, now: u64) {
        self.note(passage.client.into(), passage.sent, now, passage.ticket, fate);
    }

    /// Where an attempt comes from; `None` if there is nowhere.
    #[inline(always)]
    pub(super) fn sender(&mut self, number: usize) -> Option<Sender> {
        let client = &mut self.clients[number];
        if client.is_outside {
            return Some(Sender { node: NodeId::NONE, address: UNKNOWN });
        }
        match client.senders.len() {
            0 => None,
            1 => Some(client.senders[0]),
            many => Some(client.senders[client.ways.below(many as u64) as usize]),
        }
    }

    /// Nothing is sent; a user tries again later, what was to be tried again is lost.
    fn nobody_sends(&mut self, now: u64, ticket: u32) {
        self.work += 1;
        if ticket == NO_TICKET {
            return;
        }
        let waiting = *self.tickets.get(ticket);
        let number = usize::from(waiting.client);
        if waiting.tries > 0 {
            self.ledger.request(waiting.client, false, 0);
            self.tickets.get(ticket).tries = 0;
        }
        if self.clients[number].clock.is_some() {
            self.tickets.close(ticket);
        } else {
            self.due.push(now.saturating_add(NOBODY_SENDS), waiting.turn, Due::Send { ticket });
        }
    }

    /// The server that an attempt gets to, by a connection that is open or a new one.
    #[inline(always)]
    pub(super) fn find_way(&mut self, number: usize, sender: Sender, now: u64) -> Result<Way, Cause> {
        if self.clients[number].connections.is_empty() {
            return self.connect(number, sender, now);
        }
        if let Some(way) = self.open_connection(number, now) {
            return way;
        }
        let way = self.connect(number, sender, now);
        self.keep_connection(number, way, now);
        way
    }

    /// Keeps a new connection in the place whose turn it is.
    pub(super) fn keep_connection(&mut self, number: usize, way: Result<Way, Cause>, now: u64) {
        let server = way.ok().and_then(|way| self.fleet.servers.get(way.server.at()));
        let process = server.map_or(0, |server| server.process);
        let workers = server.filter(|server| server.slot != NO_SLOT).map_or(0, |front| self.relays.workers(front.slot));
        let outages = way.map_or(0, |way| self.proxies.outages(way.entry));
        let client = &mut self.clients[number];
        let slot = client.present;
        client.connections[slot] = match (way, client.spec.keep_alive) {
            (Ok(way), Some(keep)) => Connection {
                server: way.server,
                process,
                workers,
                entry: way.entry,
                outages,
                left: if keep.requests == 0 { u32::MAX } else { keep.requests - 1 },
                until: if keep.lasts.is_zero() { u64::MAX } else { now.saturating_add(keep.lasts.as_nanos()) },
                target: way.target,
                is_udp: way.is_udp,
                is_masqueraded: way.is_masqueraded,
                used: now,
                answered: true,
            },
            _ => Connection::CLOSED,
        };
    }

    /// A new connection.
    #[inline(always)]
    fn connect(&mut self, number: usize, sender: Sender, now: u64) -> Result<Way, Cause> {
        self.ledger.tally(number as u16).connections += 1;
        if self.clients[number].goal.generation != self.proxies.generation() + self.relays.generation() {
            self.find_goal(number, now);
        }
        self.connect_to_goal(number, sender, now)
    }

    /// A new connection to where the client's requests go now.
    #[inline(always)]
    pub(super) fn connect_to_goal(&mut self, number: usize, sender: Sender, now: u64) -> Result<Way, Cause> {
        let Goal { port, door, .. } = self.clients[number].goal;
        if let Some(door) = door {
            return self.by_door(number, sender, door, now);
        }
        match port? {
            (port, Entrance::Headless) => {
                let target = self.of_all(number, port)?;
                self.connect_to_target(number, (sender, sender.node), target, now)
            }
            rules => self.connect_by_rules(number, sender, rules, now),
        }
    }

    /// A new connection to a port of a Service.
    #[inline(always)]
    fn connect_by_rules(
        &mut self,
        number: usize,
        sender: Sender,
        (port, entrance): (PortId, Entrance),
        now: u64,
    ) -> Result<Way, Cause> {
        let external = !sender.node.is_some();
        let entry = if external { self.come_in(number, now)? } else { sender.node };
        let address = if external { 0 } else { sender.address };
        let target = self.through_proxy(number, Knock { port, entrance, entry, external, address, now })?;
        self.connect_to_target(number, (sender, entry), target, now)
    }

    /// A new connection to an endpoint.
    #[inline(always)]
    fn connect_to_target(
        &mut self,
        number: usize,
        (sender, entry): (Sender, NodeId),
        target: TargetId,
        now: u64,
    ) -> Result<Way, Cause> {
        let Goal { protocol, is_masqueraded, .. } = self.clients[number].goal;
        let server = self.fleet.behind(target, self.proxies.places());
        let is_udp = protocol == Protocol::Udp;
        let way = Way { entry, target, server, connected: false, is_udp, is_masqueraded };
        self.filter(number, sender, way, protocol, now)
    }

    /// The same way, if network policies let it pass.
    #[inline(always)]
    pub(super) fn filter(
        &mut self,
        number: usize,
        from: Sender,
        way: Way,
        protocol: Protocol,
        now: u64,
    ) -> Result<Way, Cause> {
        if self.policies.is_idle() {
            return Ok(way);
        }
        let (_, port) = self.proxies.places()[way.target.at()];
        let masquerade = way.is_masqueraded.then_some(way.entry);
        let (client, port) = (number as u16, Port { number: port, protocol });
        self.passes(Attempt { client, from, masquerade, server: way.server, port }, now).map(|()| way)
    }

    /// The node by which a connection from outside comes in.
    #[inline(always)]
    fn come_in(&mut self, number: usize, now: u64) -> Result<NodeId, Cause> {
        let Self { clients, proxies, .. } = self;
        let client = &mut clients[number];
        let nodes = proxies.ways_in(client.goal.pool, now);
        let entry = *client.ways.pick(nodes).ok_or(Cause::NoHealthyNode)?;
        if proxies.is_up(entry) { Ok(entry) } else { Err(Cause::EntryNodeDown) }
    }

    /// A connection to a port of a machine that a reverse proxy has for itself.
    fn by_door(&mut self, number: usize, from: Sender, door: (u32, u16), now: u64) -> Result<Way, Cause> {
        let Self { clients, relays, proxies, .. } = self;
        let (program, port) = door;
        let client = &mut clients[number];
        let entry = *client.ways.pick(relays.machines(program, now)).ok_or(Cause::NoHealthyNode)?;
        if !proxies.is_up(entry) {
            return Err(Cause::EntryNodeDown);
        }
        let (server, inner) = relays.door(program, (entry, port)).ok_or(Cause::NoProcess)?;
        // The machine's port was replaced by the pod's before policies look, the source address stays.
        let (client, port) = (number as u16, Port { number: inner, protocol: Protocol::Tcp });
        self.passes(Attempt { client, from, masquerade: None, server, port }, now)?;
        let target = TargetId::NONE;
        Ok(Way { entry, target, server, connected: false, is_udp: false, is_masqueraded: false })
    }

    /// One of the ready endpoints of a headless Service, as DNS has them.
    fn of_all(&mut self, number: usize, port: PortId) -> Result<TargetId, Cause> {
        let (_, set) = self.proxies.newest(port).ok_or(Cause::NoSuchName)?;
        self.clients[number].ways.pick(set.ready()).copied().ok_or(Cause::NoSuchName)
    }

    /// The endpoint that the rules of a node choose for a new connection.
    #[inline(always)]
    pub(super) fn through_proxy(&mut self, number: usize, knock: Knock) -> Result<TargetId, Cause> {
        let Knock { port, entrance, entry, external, now, .. } = knock;
        let Self { clients, proxies, balancer, affinity, .. } = self;
        let client = &mut clients[number];
        let Some((rules, set, zone)) = proxies.programmed(port, entry, now) else {
            return Err(without_rules(proxies, knock));
        };
        let must_be_local = match entrance {
            Entrance::ClusterIp => rules.policies.internal_local,
            _ => rules.policies.external_local && external,
        };
        let mut usable = if must_be_local { set.local(entry) } else { set.cluster(entry, zone) };
        if usable.is_empty() && !external && balancer.is_ipvs() {
            // ipvs then has those of other nodes; to a client outside they cannot answer (`pkg/proxy/ipvs` `syncEndpoint`).
            usable = set.cluster(entry, zone);
        }
        if usable.is_empty() {
            return Err(if set.has_any() { Cause::NoLocalEndpoints } else { Cause::NoEndpoints });
        }
        let address = match client.spec.addresses {
            many if external && many > 1 && (rules.affinity.is_some() || balancer.looks_at_clients()) => {
                client.ways.below(many.into())
            }
            _ => knock.address,
        };
        // Clients of different names have different addresses outside; pods and nodes are told apart by their own.
        let address = if external { address | (number as u64) << 32 } else { address };
        let pick = Pick { node: entry, port, client: address, now };
        let target = match rules.affinity {
            None => balancer.choose(pick, usable, &mut client.ways),
            Some(timeout) => {
                let place = (entry, port, address);
                let kept = affinity.find(place, now, timeout, usable);
                let target = kept.unwrap_or_else(|| balancer.choose(pick, usable, &mut client.ways));
                affinity.note(place, target, now);
                target
            }
        };
        balancer.note(pick, target);
        Ok(target)
    }

    /// Works out where the requests of a client go now.
    #[cold]
    fn find_goal(&mut self, number: usize, now: u64) {
        let spec = self.clients[number].spec.clone();
        let (port, pool, door) = match &spec.to {
            RequestTarget::Service(key, wanted) => self.by_service(&spec, key, wanted),
            RequestTarget::Host(..) => return,
            RequestTarget::Url(request) => match self.relays.front_door(request, now) {
                Ok(FrontDoor::Service(key, port)) => self.by_service(&spec, &key, &PortRef::Number(port)),
                Ok(FrontDoor::Machines(program, port)) => (Err(Cause::NoSuchPort), None, Some((program, port))),
                Err(cause) => (Err(cause), None, None),
            },
        };
        let generation = self.proxies.generation() + self.relays.generation();
        self.clients[number].goal = self.goal(generation, port, (pool, door), number);
    }

    /// The requests of a client go there, as long as nothing changes.
    pub(super) fn goal(
        &self,
        generation: u64,
        port: Result<(PortId, Entrance), Cause>,
        (pool, door): (Option<PoolId>, Option<(u32, u16)>),
        number: usize,
    ) -> Goal {
        let external = self.clients[number].is_outside;
        let rules = port.ok().and_then(|(port, entrance)| Some((self.proxies.newest_rules(port)?, entrance)));
        // What comes by an address outside gets the node's for its source, wherever it is from, unless the policy is `Local`
        // (`pkg/proxy/iptables`, `KUBE-EXT`).
        let is_masqueraded = rules.is_some_and(|(rules, entrance)| {
            let by_outside = external || matches!(entrance, Entrance::LoadBalancer | Entrance::NodePort);
            by_outside && entrance != Entrance::Headless && !rules.policies.external_local
        });
        let protocol = rules.map_or(Protocol::Tcp, |(rules, _)| rules.protocol);
        let by_rules = door.is_none() && self.clients[number].connections.is_empty();
        let plain = port.ok().filter(|(_, entrance)| by_rules && *entrance != Entrance::Headless);
        Goal { generation, plain, port, protocol, is_masqueraded, pool, door }
    }

    /// Where requests to a Service come in.
    fn by_service(&self, spec: &ClientSpec, key: &Key, wanted: &PortRef) -> Entry {
        let external = matches!(spec.from, Origin::External);
        let is_url = matches!(spec.to, RequestTarget::Url(_));
        let port = self.proxies.find_port(key, wanted).and_then(|port| {
            let rules = self.proxies.newest_rules(port).ok_or(Cause::NoSuchPort)?;
            let entrance = match external {
                true if rules.balanced && !self.proxies.lets_in(key, spec.network.as_ref()) => {
                    return Err(Cause::SourceRange);
                }
                // The host of a URL stands for the address outside, wherever it is asked for.
                false if is_url && rules.balanced => Entrance::LoadBalancer,
                true if rules.balanced => Entrance::LoadBalancer,
                true if rules.node_port => Entrance::NodePort,
                true if rules.has_external_ips => Entrance::LoadBalancer,
                true => return Err(Cause::NoSuchPort),
                false if rules.headless => Entrance::Headless,
                false => Entrance::ClusterIp,
            };
            Ok((port, entrance))
        });
        // By external addresses one comes in at any node.
        let is_balanced = match port {
            Ok((port, Entrance::LoadBalancer)) => self.proxies.newest_rules(port).is_some_and(|rules| rules.balanced),
            _ => false,
        };
        (port, self.proxies.balancer_of(key).filter(|_| is_balanced), None)
    }

    /// An attempt gets to a server, or to an address that nothing has.
    #[inline(always)]
    fn reach(&mut self, number: usize, way: Way, now: u64) -> Fate {
        let Self { clients, fleet, ledger, config, balancer, proxies, .. } = self;
        let client = &mut clients[number];
        let gives_up = client.gives_up(now);
        if !way.server.is_some() {
            let address = proxies.places().get(way.target.at()).map(|(address, _)| *address);
            return Fate {
                cause: address.map_or(Cause::AddressGone, |address| fleet.absence(address)),
                ends: gives_up,
                server: ServerId::NONE,
                held: false,
                passage: NO_PASSAGE,
            };
        }
        let server = &mut fleet.servers[way.server.at()];
        let trip = trip(client, server, way, (config, ledger.tally(number as u16)));
        let model = &fleet.models[server.model()];
        let admission = server.admit(now, way.connected, model, &mut client.service_times);
        let fate = |cause, ends, held| Fate { cause, ends, server: way.server, held, passage: NO_PASSAGE };
        let fate = match admission {
            Admission::Taken(done, cause) => match done.saturating_add(trip) {
                late if late > gives_up => fate(Cause::TooSlow, gives_up, true),
                ends => fate(cause, ends, true),
            },
            Admission::Turned(cause) => fate(cause, now.saturating_add(trip), false),
            Admission::Silent(Cause::Hung) => fate(Cause::Hung, gives_up, true),
            Admission::Silent(cause) => fate(cause, gives_up, false),
        };
        balancer.connected(fate.ends);
        if fate.cause.outcome() == Outcome::TimedOut {
            client.give_up_connection(fate.ends);
        }
        fate
    }

    /// An attempt that gets nowhere.
    pub(super) fn turned_away(&self, number: usize, cause: Cause, now: u64) -> Fate {
        let client = &self.clients[number];
        let ends = match cause.outcome() {
            Outcome::TimedOut => client.gives_up(now),
            _ if matches!(client.spec.from, Origin::External) => now.saturating_add(self.config.outside.as_nanos()),
            _ => now,
        };
        Fate { cause, ends, server: ServerId::NONE, held: false, passage: NO_PASSAGE }
    }

    /// Keeps an attempt that nobody waits for until its outcome is there.
    #[inline(always)]
    fn note_unwatched(&mut self, number: usize, sent: u64, now: u64, fate: Fate) {
        if !fate.held {
            return self.note_at_once(number, sent, now, fate);
        }
        let Self { fleet, ledger, under_way, passages, busy, .. } = self;
        let server = &mut fleet.servers[fate.server.at()];
        if server.pending.len() >= server.crowd as usize {
            *under_way -= settle_first(server, ledger, passages, now);
        }
        let attempt = unwatched(number, sent, fate, server.terminating);
        keep(server, fate.server, attempt, busy);
        *under_way += 1;
    }

    /// The same where no server has it.
    #[inline(never)]
    fn note_at_once(&mut self, number: usize, sent: u64, now: u64, fate: Fate) {
        let Self { clients, fleet, ledger, under_way, .. } = self;
        let server = Some(fate.server).filter(|id| id.is_some() && fate.cause.outcome() != Outcome::TimedOut);
        let server = server.map(|id| &fleet.servers[id.at()]);
        let attempt = unwatched(number, sent, fate, server.is_some_and(|server| server.terminating));
        if server.is_some() || !fate.cause.is_silence() {
            return count(ledger, server, &attempt);
        }
        clients[number].wait_in_vain(attempt);
        *under_way += 1;
        *under_way -= super::settle::settle_silent(&mut clients[number], ledger, now);
    }

    /// A server has an attempt under way.
    #[inline(always)]
    pub(super) fn hold(&mut self, id: ServerId, attempt: Pending) {
        keep(&mut self.fleet.servers[id.at()], id, attempt, &mut self.busy);
        self.under_way += 1;
    }

    /// Keeps an attempt that somebody waits for.
    fn note_waiting(&mut self, number: usize, sent: u64, now: u64, fate: Fate, ticket: u32) {
        let server = fate.server.is_some().then(|| &mut self.fleet.servers[fate.server.at()]);
        let attempt = Pending {
            sent,
            ends: fate.ends,
            ticket,
            client: number as u16,
            cause: fate.cause,
            passage: fate.passage,
            terminating: server.as_ref().is_some_and(|server| server.terminating),
        };
        let ends = settled(server.as_deref(), &attempt);
        if let Some(server) = server
            && fate.held
        {
            if server.pending.len() >= server.crowd as usize {
                self.under_way -= settle_first(server, &mut self.ledger, &mut self.passages, now);
            }
            self.hold(fate.server, attempt);
        }
        let waiting = self.tickets.get(ticket);
        waiting.attempt += 1;
        (waiting.cause, waiting.group, waiting.node) = (ends.cause, ends.group, ends.node);
        waiting.terminating = ends.terminating;
        self.due.push(fate.ends, waiting.turn, Due::End { ticket, attempt: waiting.attempt });
    }
}

/// What becomes of a connection at a node that has no rules for it. Nothing there has the address of a Service, nor that of a load
/// balancer that leaves it on the packet: that goes where the default route leads. Its own port the node has, without a listener.
#[cold]
fn without_rules(proxies: &ProxyTable, Knock { port, entrance, external, .. }: Knock) -> Cause {
    let by_port = match entrance {
        Entrance::NodePort => true,
        Entrance::LoadBalancer => external && proxies.newest_rules(port).is_some_and(|rules| rules.balanced_by_port),
        Entrance::ClusterIp | Entrance::Headless => false,
    };
    if by_port { Cause::PortNotProgrammed } else { Cause::NotProgrammed }
}

/// Between a client and the server that it gets to, there and back, ns. Counts the hop from the node where a request came in from
/// outside.
#[inline(always)]
pub(super) fn trip(client: &Client, server: &Server, way: Way, (config, tally): (&NetworkConfig, &mut Tally)) -> u64 {
    // Without branches: by which node a request comes in is chance.
    let (is_outside, hops) = (u64::from(client.is_outside), u64::from(server.node != way.entry));
    tally.extra_hops += is_outside & hops;
    is_outside * config.outside.as_nanos() + hops * config.hop.as_nanos()
}

/// An attempt that nobody waits for.
#[inline(always)]
const fn unwatched(number: usize, sent: u64, fate: Fate, terminating: bool) -> Pending {
    let Fate { cause, ends, passage, .. } = fate;
    Pending { sent, ends, passage, ticket: NO_TICKET, client: number as u16, cause, terminating }
}

/// A server, of that number, has an attempt under way.
#[inline(always)]
fn keep(server: &mut Server, id: ServerId, attempt: Pending, busy: &mut Vec<ServerId>) {
    server.pending.push(attempt);
    if !server.listed {
        server.listed = true;
        busy.push(id);
    }
}
