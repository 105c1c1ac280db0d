//! The nodes that traffic from outside may come in by: what a load balancer has found healthy, some time ago.

use std::collections::VecDeque;
use std::sync::Arc;

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

#[cfg(test)]
mod tests {
    use super::*;

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
