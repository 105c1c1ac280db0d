//! Which endpoint a reverse proxy sends a request to.

use super::super::clients::Sender;
use super::super::ids::ServerId;
use super::super::ingress::Attempt;
use super::super::outcome::{Cause, Outcome};
use super::super::policy::{Port, Protocol};
use super::super::proxy::Entrance;
use super::super::relay::{Choice, Goal, Peers, Plan, Visit, WayId};
use super::Network;
use super::passages::Passage;
use super::policy;
use super::send::Knock;

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
    pub(super) fn choose_upstream(&mut self, passage: &mut Passage, now: u64) -> Result<ServerId, Refusal> {
        let goal = match passage.goal {
            Some(goal) => goal,
            None => self.choose_goal(passage, now)?,
        };
        let Self { relays, clients, fleet, .. } = self;
        let (pods, interned, sessions) = relays.split();
        let pod = pods[passage.slot as usize].as_mut().ok_or(Refusal::Own(Cause::NoUpstream))?;
        let affinity = interned.policy(goal.policy).affinity.as_ref();
        let (target, port) = match (pod.peers(goal.backend), affinity) {
            (Peers::Endpoints(_), None) => (pod.turn(goal.backend).map(|peer| peer.target), None),
            (Peers::Endpoints(peers), Some(affinity)) => {
                let client = &mut clients[usize::from(passage.client)];
                let visit = Visit { client: passage.client, who: passage.who, now };
                let failed = if passage.tries > 1 { &passage.failed[..] } else { &[] };
                (sessions.pick((visit, goal.backend), affinity, peers, failed, &mut client.ways), None)
            }
            (Peers::Service(port), _) => (None, Some(*port)),
            (Peers::Outside, _) => return Err(Refusal::Of(Attempt::Refused)),
            (Peers::None, _) => return Err(Refusal::Own(Cause::NoUpstream)),
        };
        let target = match (target, port) {
            (Some(target), _) => target,
            (None, None) => return Err(Refusal::Own(Cause::NoUpstream)),
            (None, Some(port)) => {
                let entry = fleet.servers[passage.front.at()].node;
                let address = passage.front.0.into();
                let knock = Knock { port, entrance: Entrance::ClusterIp, entry, external: false, address, now };
                self.through_proxy(passage.client.into(), knock).map_err(refused)?
            }
        };
        passage.target = target;
        let Self { fleet, proxies, .. } = self;
        let server = fleet.behind(target, proxies.places());
        if self.policies.is_idle() {
            return Ok(server);
        }
        let front = &fleet.servers[passage.front.at()];
        let from = Sender { node: front.node, address: front.pod };
        let (_, number) = proxies.places()[target.at()];
        let port = Port { number, protocol: Protocol::Tcp };
        let connection = policy::Attempt { client: passage.client, from, masquerade: None, server, port };
        match self.passes(connection, now) {
            Ok(()) => Ok(server),
            Err(cause) => Err(refused(cause)),
        }
    }

    /// Chooses for a passage where it goes, once.
    #[inline(always)]
    fn choose_goal(&mut self, passage: &mut Passage, now: u64) -> Result<Goal, Refusal> {
        let Self { relays, clients, ledger, .. } = self;
        let client = &mut clients[usize::from(passage.client)];
        let (pods, interned, sessions) = relays.split();
        let state = pods[passage.slot as usize].as_ref().and_then(|pod| pod.state.as_ref());
        let state = state.ok_or(Refusal::Own(Cause::NoRule))?;
        let is_empty = |goal: &Goal| state.peers.get(goal.backend.0 as usize).is_none_or(Peers::is_none);
        let mut turn_away = |cause: Cause, way: WayId| {
            let tally = ledger.way(passage.client, way.0 as usize);
            tally.requests += 1;
            tally.tells(cause);
            Err(Refusal::Own(cause))
        };
        let choice = match &state.table.plans[usize::from(passage.client)] {
            Plan::Answer(cause, way) => return turn_away(*cause, *way),
            Plan::Forward(choice) => choice,
        };
        if passage.who == UNKNOWN && choice.looks_at_cookies(interned) {
            passage.who = client.ways.below(client.spec.addresses.max(1).into());
        }
        let mut goal = match choice {
            Choice::One(goal) => *goal,
            Choice::Canary { main, canary, side } => {
                let visit = Visit { client: passage.client, who: passage.who, now };
                let kept = |goal: &Goal| {
                    let affinity = interned.policy(goal.policy).affinity.as_ref();
                    affinity.is_some_and(|affinity| sessions.backend(visit, affinity) == Some(goal.backend))
                };
                let takes_canary =
                    !is_empty(canary) && !kept(main) && (kept(canary) || side.is_canary(&mut client.ways));
                if takes_canary { *canary } else { *main }
            }
            Choice::Shares(shares) => {
                let draw = client.ways.below(shares.last().map_or(1, |(sum, ..)| *sum));
                let Some((_, goal, way)) = shares.iter().find(|(sum, ..)| draw < *sum) else {
                    return Err(Refusal::Own(Cause::NoBackend));
                };
                match goal {
                    Some(goal) => *goal,
                    None => return turn_away(Cause::NoBackend, *way),
                }
            }
        };
        if let (true, Some(fallback)) = (is_empty(&goal), goal.fallback) {
            goal.backend = fallback;
        }
        ledger.way(passage.client, goal.way.0 as usize).requests += 1;
        passage.goal = Some(goal);
        Ok(goal)
    }
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
