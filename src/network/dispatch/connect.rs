//! New connections: by which node they come in, and to which endpoint its rules lead them.

use crate::objects::Key;

use super::super::clients::{ClientSpec, Goal, Origin, PortRef, RequestTarget, Sender};
use super::super::ids::{NodeId, PoolId, PortId, TargetId};
use super::super::outcome::Cause;
use super::super::policy::{Port, Protocol};
use super::super::proxy::{Entrance, Pick, ProxyTable};
use super::super::relay::FrontDoor;
use super::Network;
use super::policy::Attempt;
use super::send::Way;

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

/// A port and how one gets there, a load balancer, a reverse proxy on ports of machines.
type Entry = (Result<(PortId, Entrance), Cause>, Option<PoolId>, Option<(u32, u16)>);

impl Network {
    /// The port of a Service to whose rules the client always connects anew, unless something has changed.
    #[inline(always)]
    pub(super) fn plain_goal(&self, number: usize) -> Option<(PortId, Entrance)> {
        let goal = &self.clients[number].goal;
        goal.plain.filter(|_| goal.generation == self.generation())
    }

    /// Rises when requests may go elsewhere than before.
    #[inline(always)]
    const fn generation(&self) -> u64 {
        self.proxies.generation() + self.relays.generation()
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

    /// A new connection.
    #[inline(always)]
    fn connect(&mut self, number: usize, sender: Sender, now: u64) -> Result<Way, Cause> {
        self.ledger.tally(number as u16).connections += 1;
        if self.clients[number].goal.generation != self.generation() {
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
    pub(super) fn connect_by_rules(
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
        let generation = self.generation();
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
