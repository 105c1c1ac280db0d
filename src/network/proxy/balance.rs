//! Which of the usable endpoints a new connection gets.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::kernel::Stream;

use super::super::ids::{NodeId, PortId, TargetId};
use super::{IpvsScheduler, ProxyMode};

/// Where and for whom an endpoint is chosen.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Pick {
    pub(in crate::network) node: NodeId,
    pub(in crate::network) port: PortId,
    /// Stands for the client's address.
    pub(in crate::network) client: u64,
    pub(in crate::network) now: u64,
}

/// Connections of one virtual server of a node.
#[derive(Clone, Debug, Default)]
struct Connections {
    active: FxHashMap<TargetId, u32>,
    /// When each ends.
    ends: BinaryHeap<Reverse<(u64, TargetId)>>,
}

/// Chooses endpoints, with the memory that ipvs has on each node.
#[derive(Clone, Debug)]
pub(in crate::network) struct Balancer {
    kind: Option<IpvsScheduler>,
    /// The endpoint that came last.
    last: FxHashMap<(NodeId, PortId), TargetId>,
    connections: FxHashMap<(NodeId, PortId), Connections>,
    making: Option<(Pick, TargetId)>,
}

impl Balancer {
    pub(in crate::network) fn new(mode: ProxyMode, scheduler: IpvsScheduler) -> Self {
        let kind = (mode == ProxyMode::Ipvs).then_some(scheduler);
        Self { kind, last: FxHashMap::default(), connections: FxHashMap::default(), making: None }
    }

    /// One of `usable`, which are not none and ascending.
    #[inline(always)]
    pub(in crate::network) fn choose(&mut self, pick: Pick, usable: &[TargetId], luck: &mut Stream) -> TargetId {
        match self.kind {
            None => usable[luck.below(usable.len() as u64) as usize],
            Some(kind) => self.schedule(kind, pick, usable),
        }
    }

    fn schedule(&mut self, kind: IpvsScheduler, pick: Pick, usable: &[TargetId]) -> TargetId {
        let place = (pick.node, pick.port);
        match kind {
            IpvsScheduler::RoundRobin => {
                let next = match self.last.get(&place) {
                    Some(last) => usable.partition_point(|target| target <= last) % usable.len(),
                    None => 0,
                };
                self.last.insert(place, usable[next]);
                usable[next]
            }
            IpvsScheduler::SourceHash => {
                // Fibonacci hashing spreads neighbouring addresses.
                let hash = pick.client.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                usable[((u128::from(hash) * usable.len() as u128) >> 64) as usize]
            }
            IpvsScheduler::LeastConnections => {
                let known = self.connections.entry(place).or_default();
                while let Some(Reverse((end, target))) = known.ends.peek().copied()
                    && end <= pick.now
                {
                    known.ends.pop();
                    if let Some(active) = known.active.get_mut(&target) {
                        *active = active.saturating_sub(1);
                    }
                }
                let active = |target: &&TargetId| known.active.get(target).copied().unwrap_or(0);
                usable.iter().min_by_key(active).copied().unwrap_or(usable[0])
            }
        }
    }

    /// A node has lost its memory.
    pub(in crate::network) fn forget(&mut self, node: NodeId) {
        self.last.retain(|(place, _), _| *place != node);
        self.connections.retain(|(place, _), _| *place != node);
    }

    /// Whether proxies work by ipvs.
    pub(in crate::network) const fn is_ipvs(&self) -> bool {
        self.kind.is_some()
    }

    /// Whether the address of a client decides.
    #[inline]
    pub(in crate::network) fn looks_at_clients(&self) -> bool {
        self.kind == Some(IpvsScheduler::SourceHash)
    }

    /// Remembers where the connection goes that is being made.
    #[inline(always)]
    pub(in crate::network) fn note(&mut self, pick: Pick, target: TargetId) {
        if self.kind == Some(IpvsScheduler::LeastConnections) {
            self.making = Some((pick, target));
        }
    }

    /// The connection that is being made, if one is, ends at `end`, ns.
    #[inline(always)]
    pub(in crate::network) fn connected(&mut self, end: u64) {
        if self.kind == Some(IpvsScheduler::LeastConnections)
            && let Some((pick, target)) = self.making.take()
        {
            let known = self.connections.entry((pick.node, pick.port)).or_default();
            *known.active.entry(target).or_default() += 1;
            known.ends.push(Reverse((end, target)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Purpose, Streams};

    fn balancer(kind: IpvsScheduler) -> (Balancer, Stream) {
        (Balancer::new(ProxyMode::Ipvs, kind), Streams::new(1).stream(Purpose::new(1), 0u32))
    }

    fn pick(node: u32, client: u64, now: u64) -> Pick {
        Pick { node: NodeId(node), port: PortId(0), client, now }
    }

    const THREE: [TargetId; 3] = [TargetId(2), TargetId(5), TargetId(9)];

    #[test]
    fn round_robin_goes_on_where_it_was_on_each_node_for_itself() {
        let (mut balancer, mut luck) = balancer(IpvsScheduler::RoundRobin);
        let mut next = |node, usable: &[TargetId]| balancer.choose(pick(node, 0, 0), usable, &mut luck).0;
        assert_eq!([next(0, &THREE), next(0, &THREE), next(1, &THREE), next(0, &THREE)], [2, 5, 2, 9]);
        assert_eq!([next(0, &THREE[1..]), next(0, &THREE), next(0, &THREE)], [5, 9, 2]);
    }

    #[test]
    fn source_hashing_keeps_a_client_and_spreads_clients() {
        let (mut balancer, mut luck) = balancer(IpvsScheduler::SourceHash);
        let mut of = |client| balancer.choose(pick(0, client, 0), &THREE, &mut luck);
        let mut counts = [0; 10];
        for client in 0..3000 {
            assert_eq!(of(client), of(client));
            counts[of(client).at()] += 1;
        }
        assert!([2, 5, 9].iter().all(|target| (900..1100).contains(&counts[*target as usize])), "{counts:?}");
    }

    #[test]
    fn least_connections_prefers_the_idle() {
        let (mut balancer, mut luck) = balancer(IpvsScheduler::LeastConnections);
        let mut connect = |now, end| {
            let target = balancer.choose(pick(0, 0, now), &THREE, &mut luck);
            balancer.note(pick(0, 0, now), target);
            balancer.connected(end);
            target.0
        };
        assert_eq!([connect(0, 10), connect(0, 90), connect(0, 90)], [2, 5, 9]);
        assert_eq!(
            [connect(5, 90), connect(10, 20)],
            [2, 2],
            "the first of equals; then the one whose connection ended"
        );
    }
}
