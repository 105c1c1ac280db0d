//! The nodes that traffic from outside may come in by: what a load balancer has found healthy by its checks, what else is known of.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};

use super::super::health::{HealthCheck, NodeAnswer, NodeHealth};
use super::super::ids::NodeId;

/// A set of nodes over time.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Pool {
    /// From when on, ns, and which; the first one counts now.
    versions: VecDeque<(u64, Arc<[NodeId]>)>,
}

impl Pool {
    /// The nodes are these from `from` on. The first ones count at once.
    pub(in crate::network) fn set(&mut self, nodes: Vec<NodeId>, from: u64) {
        match self.versions.back() {
            None => self.versions.push_back((0, nodes.into())),
            Some((_, last)) if **last == *nodes => {}
            Some(_) => self.versions.push_back((from, nodes.into())),
        }
    }

    /// The nodes now.
    #[inline]
    pub(in crate::network) fn at(&mut self, now: u64) -> &[NodeId] {
        while self.versions.get(1).is_some_and(|(from, _)| *from <= now) {
            self.versions.pop_front();
        }
        self.versions.front().map_or(&[], |(_, nodes)| nodes)
    }
}

/// The nodes that a load balancer sends to: those that its health checks have found well.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct HealthPool {
    /// Those that it knows, ascending.
    nodes: Vec<(NodeId, NodeHealth)>,
    /// Nodes whose proxy is not there yet: from when on, ns, what they answer.
    starting: Vec<(u64, NodeId, NodeAnswer)>,
    /// Those that receive, until that instant, ns.
    current: Vec<NodeId>,
    until: u64,
    is_begun: bool,
}

impl HealthPool {
    /// The load balancer knows these nodes, ascending, and they answer so from `now` on, ns; with each answer comes from when on the
    /// node's proxy is there: until then the machine refuses to answer. The first ones it has known for long; `phase`: when in each
    /// interval it asks a node.
    pub(in crate::network) fn set(
        &mut self,
        answers: impl Iterator<Item = (NodeId, NodeAnswer, u64)>,
        check: HealthCheck,
        now: u64,
        phase: impl Fn(NodeId) -> SimDuration,
    ) {
        self.end_starts(now);
        self.starting.clear();
        let at = SimTime::from_nanos(now);
        let mut before = std::mem::take(&mut self.nodes).into_iter().peekable();
        for (node, mut answer, from) in answers {
            if from > now && answer != NodeAnswer::Silent {
                self.starting.push((from, node, answer));
                answer = NodeAnswer::Unhealthy;
            }
            while before.next_if(|(known, _)| *known < node).is_some() {}
            let health = match before.next_if(|(known, _)| *known == node) {
                Some((_, mut health)) => {
                    if health.answer() != answer {
                        health.set(answer, at);
                    }
                    health
                }
                None if self.is_begun => NodeHealth::new(check, phase(node), answer, at),
                None => NodeHealth::known(check, phase(node), answer, at),
            };
            self.nodes.push((node, health));
        }
        (self.until, self.is_begun) = (0, true);
    }

    /// The nodes now.
    #[inline]
    pub(in crate::network) fn at(&mut self, now: u64) -> &[NodeId] {
        if now >= self.until {
            self.look(SimTime::from_nanos(now));
        }
        &self.current
    }

    /// The nodes at an instant, without going on to it.
    pub(in crate::network) fn seen_at(&self, now: u64) -> Vec<NodeId> {
        self.clone().at(now).to_vec()
    }

    #[cold]
    fn look(&mut self, now: SimTime) {
        self.end_starts(now.as_nanos());
        self.current.clear();
        self.until = self.starting.iter().map(|(from, ..)| *from).min().unwrap_or(u64::MAX);
        for (node, health) in &mut self.nodes {
            if health.receives(now) {
                self.current.push(*node);
            }
            self.until = self.until.min(health.next_change().map_or(u64::MAX, SimTime::as_nanos));
        }
    }

    /// Proxies that are there by now answer.
    fn end_starts(&mut self, now: u64) {
        let Self { nodes, starting, .. } = self;
        starting.retain(|(from, node, answer)| {
            let is_there = *from <= now;
            if is_there && let Ok(at) = nodes.binary_search_by_key(node, |(known, _)| *known) {
                nodes[at].1.set(*answer, SimTime::from_nanos(*from));
            }
            !is_there
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_balancer_asked_often_or_seldom_sends_to_the_same_nodes() {
        let check = HealthCheck::gce();
        let run = |step: u64| {
            let mut pool = HealthPool::default();
            let phase = |node: NodeId| SimDuration::from_secs(u64::from(node.0));
            let answers = |bad: u32| {
                (0..3).map(move |node| {
                    (NodeId(node), if node == bad { NodeAnswer::Silent } else { NodeAnswer::Healthy }, 0)
                })
            };
            let mut seen = Vec::new();
            for second in 0..120u64 {
                match second {
                    0 => pool.set(answers(9), check, 0, phase),
                    20 => pool.set(answers(1), check, 20_000_000_000, phase),
                    70 => pool.set(answers(9), check, 70_000_000_000, phase),
                    _ => {}
                }
                if second % step == 0 {
                    seen.push((second, pool.at(second * 1_000_000_000 + 1).to_vec()));
                }
            }
            seen
        };
        let (often, seldom) = (run(1), run(10));
        assert!(seldom.iter().all(|one| often.contains(one)));
        let sizes: Vec<usize> = often.iter().map(|(_, nodes)| nodes.len()).collect();
        // Node 1 is asked at 25, 33 and 41 seconds, and given up a second later; it is taken in when it is asked at 73.
        assert_eq!([41, 42, 72, 73].map(|second| sizes[second]), [3, 2, 2, 3]);
    }

    /// The machine is there at 20 seconds and refuses until its proxy is, at 40; asked often or seldom it comes to the same.
    #[test]
    fn a_machine_without_a_proxy_gets_nothing() {
        let second = 1_000_000_000;
        let first_sent_to = |step: usize, proxy_is_there: u64| {
            let mut pool = HealthPool::default();
            let answers = |answer, from: u64| [(NodeId(0), answer, from)].into_iter();
            pool.set(answers(NodeAnswer::Silent, 0), HealthCheck::gce(), 0, |_| SimDuration::ZERO);
            assert!(pool.at(15 * second).is_empty());
            pool.set(answers(NodeAnswer::Healthy, proxy_is_there), HealthCheck::gce(), 20 * second, |_| {
                SimDuration::ZERO
            });
            (20..100).step_by(step).find(|at| !pool.at(at * second + 1).is_empty())
        };
        // It is asked every eight seconds.
        assert_eq!([first_sent_to(1, 0), first_sent_to(1, 39 * second)], [Some(24), Some(40)]);
        assert_eq!([first_sent_to(1, 40 * second + 1), first_sent_to(7, 39 * second)], [Some(48), Some(41)]);
        assert_eq!(first_sent_to(1, u64::MAX), None);
    }

    #[test]
    fn a_change_counts_after_a_while() {
        let mut pool = Pool::default();
        assert!(pool.at(0).is_empty());
        pool.set(vec![NodeId(1), NodeId(2)], 50);
        assert_eq!(pool.at(0).len(), 2);
        pool.set(vec![NodeId(1)], 60);
        pool.set(vec![NodeId(1)], 70);
        assert_eq!((pool.at(59).len(), pool.at(60).len()), (2, 1));
    }
}
