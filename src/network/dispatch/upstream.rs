//! Which endpoint a reverse proxy sends a request to.

use super::super::Cidr;
use super::super::accounting::Ledger;
use super::super::clients::{Client, Sender};
use super::super::ids::{NodeId, PortId, ServerId, TargetId};
use super::super::ingress::Attempt;
use super::super::outcome::{Cause, Outcome};
use super::super::policy::{Port, Protocol};
use super::super::proxy::{Entrance, ProxyTable};
use super::super::relay::{Choice, Goal, Interned, Peer, Peers, Plan, RelayPod, Sessions, State, Visit, WayId};
use super::super::servers::Fleet;
use super::Network;
use super::connect::Knock;
use super::control::node_of;
use super::passages::Passage;
use super::policy;

/// Why there is no endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The reverse proxy answers itself.
    Own(Cause),
    /// As if an endpoint had been tried.
    Of(Attempt),
}

impl Network {
    /// The server of the endpoint that a passage is sent to; `NONE` = nothing has its address.
    #[inline(always)]
    pub(super) fn choose_upstream(&mut self, number: u32, now: u64) -> Result<ServerId, Refusal> {
        let Self { relays, clients, fleet, passages, ledger, proxies, policies, .. } = self;
        let passage = passages.get_mut(number);
        let client = &mut clients[usize::from(passage.client)];
        let (pods, interned, sessions) = relays.split();
        let Some((state, turns)) = pods[passage.slot as usize].as_mut().and_then(RelayPod::at_work) else {
            return Err(Refusal::Own(if passage.goal.is_none() { Cause::NoRule } else { Cause::NoUpstream }));
        };
        let goal = match (passage.goal, state.table.direct(passage.client)) {
            (Some(goal), _) => goal,
            (None, Some(goal)) => {
                ledger.way(passage.client, goal.way.0 as usize).requests += 1;
                passage.goal = Some(*goal);
                *goal
            }
            (None, None) => {
                let known = Known { state, interned, sessions, fleet, proxies };
                choose_goal(passage, client, &known, ledger, now).map_err(Refusal::Own)?
            }
        };
        let at = goal.backend.0 as usize;
        let (Some(peers), Some(turn)) = (state.peers.get(at), turns.get_mut(at)) else {
            return Err(Refusal::Own(Cause::NoUpstream));
        };
        let target = match peers {
            Peers::Endpoints(peers) if !goal.is_sticky => next_in_turn(peers, turn),
            Peers::Endpoints(peers) => {
                let visit = visit(client, passage, now);
                let failed = if passage.tries > 1 { &passage.failed[..] } else { &[] };
                let no_endpoint = Refusal::Own(Cause::NoUpstream);
                let affinity = interned.policy(goal.policy).affinity.as_ref().ok_or(no_endpoint)?;
                let picked = sessions.pick((visit, goal.backend), affinity, peers, failed, &mut client.ways);
                picked.ok_or(no_endpoint)?
            }
            Peers::Service(port) => {
                let port = *port;
                return self.choose_by_rules(number, port, now);
            }
            Peers::Fails(attempt) => return Err(Refusal::Of(*attempt)),
            Peers::None => return Err(Refusal::Own(Cause::NoUpstream)),
        };
        passage.target = target;
        let server = fleet.behind(target, proxies.places());
        if policies.is_idle() { Ok(server) } else { self.past_policies(number, server, now) }
    }

    /// The same where the rules of the reverse proxy's node choose.
    #[inline(never)]
    fn choose_by_rules(&mut self, number: u32, port: PortId, now: u64) -> Result<ServerId, Refusal> {
        let Passage { client, front, .. } = *self.passages.get(number);
        let (entry, address) = (self.fleet.servers[front.at()].node, front.0.into());
        let knock = Knock { port, entrance: Entrance::ClusterIp, entry, external: false, address, now };
        let target = self.through_proxy(client.into(), knock).map_err(refused)?;
        self.passages.get_mut(number).target = target;
        let server = self.fleet.behind(target, self.proxies.places());
        self.past_policies(number, server, now)
    }

    /// The same server, if policies let the reverse proxy connect to it.
    #[inline(never)]
    fn past_policies(&mut self, number: u32, server: ServerId, now: u64) -> Result<ServerId, Refusal> {
        let Passage { client, front, target, .. } = *self.passages.get(number);
        let front = &self.fleet.servers[front.at()];
        let from = Sender { node: front.node, address: front.pod };
        let (_, number) = self.proxies.places()[target.at()];
        let port = Port { number, protocol: Protocol::Tcp };
        let connection = policy::Attempt { client, from, masquerade: None, server, port };
        self.passes(connection, now).map(|()| server).map_err(refused)
    }
}

/// What decides where a passage goes.
struct Known<'n> {
    state: &'n State,
    interned: &'n Interned,
    sessions: &'n Sessions,
    fleet: &'n Fleet,
    proxies: &'n ProxyTable,
}

/// Chooses for a passage where it goes, once, by what the workers of the pod go by.
///
/// # Errors
/// What the reverse proxy answers itself.
#[inline(never)]
fn choose_goal(
    passage: &mut Passage,
    client: &mut Client,
    &Known { state, interned, sessions, fleet, proxies }: &Known<'_>,
    ledger: &mut Ledger,
    now: u64,
) -> Result<Goal, Cause> {
    let is_empty = |goal: &Goal| state.peers.get(goal.backend.0 as usize).is_none_or(Peers::is_none);
    let mut turn_away = |cause: Cause, way: WayId| {
        let tally = ledger.way(passage.client, way.0 as usize);
        tally.requests += 1;
        tally.tells(cause);
        Err(cause)
    };
    let (choice, fallback) = match state.table.plan(passage.client) {
        Plan::Answer(cause, way) => return turn_away(*cause, *way),
        Plan::Forward(choice, fallback) => (choice, *fallback),
        Plan::Listed(listed) => match listed.judge(&address_of(passage, client, fleet, proxies)) {
            Ok(goes_on) => goes_on,
            Err((cause, way)) => return turn_away(cause, way),
        },
    };
    if passage.who == UNKNOWN && choice.looks_at_cookies() {
        passage.who = client.ways.below(client.spec.addresses.max(1).into());
    }
    let goal = match choice {
        Choice::One(goal) => goal,
        Choice::Canary { main, canary, side } => {
            let visit = visit(client, passage, now);
            let kept = |goal: &Goal| {
                let affinity = interned.policy(goal.policy).affinity.as_ref();
                affinity.is_some_and(|affinity| sessions.backend(visit, affinity) == Some(goal.backend))
            };
            let takes_canary = !is_empty(canary) && !kept(main) && (kept(canary) || side.is_canary(&mut client.ways));
            if takes_canary { canary } else { main }
        }
        Choice::Shares(shares) => {
            let draw = client.ways.below(shares.last().map_or(1, |(sum, ..)| *sum));
            let Some((_, goal, way)) = shares.iter().find(|(sum, ..)| draw < *sum) else {
                return Err(Cause::NoBackend);
            };
            match goal {
                Some(goal) => goal,
                None => return turn_away(Cause::NoBackend, *way),
            }
        }
    };
    ledger.way(passage.client, goal.way.0 as usize).requests += 1;
    let fallback = fallback.filter(|_| is_empty(goal));
    let goal = Goal { backend: fallback.unwrap_or(goal.backend), ..*goal };
    passage.goal = Some(goal);
    Ok(goal)
}

/// Of peers that are asked in turn the next one.
#[inline(always)]
fn next_in_turn(peers: &[Peer], turn: &mut u32) -> TargetId {
    let at = *turn as usize;
    let at = if at < peers.len() { at } else { at % peers.len() };
    *turn = at as u32 + 1;
    peers[at].target
}

/// Which user or address of a client it is.
#[inline]
fn visit(client: &Client, passage: &Passage, now: u64) -> Visit {
    let who = if client.clock.is_none() { passage.turn.number() } else { passage.who };
    Visit { client: passage.client, who, now }
}

/// The address, or those of which it is one, under which a reverse proxy sees who asks.
#[cold]
fn address_of(passage: &Passage, client: &Client, fleet: &Fleet, proxies: &ProxyTable) -> Cidr {
    let of_node = |node: NodeId| proxies.address(node).map(Cidr::host);
    let known = match (passage.masquerade, client.range()) {
        (node, _) if node.is_some() => of_node(node),
        (_, Some(range)) => Some(range),
        (_, None) => match node_of(passage.who) {
            Some(node) => of_node(node),
            None => fleet.pod(passage.who).map(|pod| Cidr::host(pod.address)),
        },
    };
    known.unwrap_or(Cidr::ANYWHERE)
}

/// It is not known yet which of a client's addresses it is.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// What a connection to a Service's address that fails looks like.
const fn refused(cause: Cause) -> Refusal {
    Refusal::Of(match cause.outcome() {
        Outcome::TimedOut => Attempt::ConnectTimeout,
        _ => Attempt::Refused,
    })
}
