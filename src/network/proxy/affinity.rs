//! `sessionAffinity: ClientIP`: every node remembers for itself which endpoint a client got last.

use rustc_hash::FxHashMap;

use super::super::ids::{NodeId, PortId, TargetId};

/// What all nodes remember. A new connection refreshes an entry; an entry ends when none came for the Service's timeout.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Affinity {
    /// By node, service port and client: the endpoint, and when the last connection was made, ns.
    entries: FxHashMap<(NodeId, PortId, u64), (TargetId, u64)>,
}

impl Affinity {
    /// The endpoint that a client keeps, if it is remembered and among the usable ones, which are ascending.
    pub(in crate::network) fn find(
        &self,
        (node, port, client): (NodeId, PortId, u64),
        now: u64,
        timeout: u64,
        usable: &[TargetId],
    ) -> Option<TargetId> {
        let (target, last) = self.entries.get(&(node, port, client))?;
        let is_fresh = now.saturating_sub(*last) <= timeout;
        (is_fresh && usable.binary_search(target).is_ok()).then_some(*target)
    }

    /// How many entries there are, old ones too.
    #[inline]
    pub(in crate::network) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A node has lost its memory.
    pub(in crate::network) fn forget(&mut self, node: NodeId) {
        self.entries.retain(|(place, ..), _| *place != node);
    }

    /// Remembers a connection.
    pub(in crate::network) fn note(&mut self, place: (NodeId, PortId, u64), target: TargetId, now: u64) {
        self.entries.insert(place, (target, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_its_endpoint_until_the_timeout_after_its_last_connection() {
        let (mut affinity, place) = (Affinity::default(), (NodeId(1), PortId(2), 3));
        let usable = [TargetId(4), TargetId(5)];
        assert_eq!(affinity.find(place, 0, 100, &usable), None);
        affinity.note(place, TargetId(5), 10);
        assert_eq!(affinity.find(place, 110, 100, &usable), Some(TargetId(5)));
        assert_eq!(affinity.find(place, 111, 100, &usable), None);
        affinity.note(place, TargetId(5), 110);
        assert_eq!(affinity.find(place, 200, 100, &usable), Some(TargetId(5)), "refreshed");
        assert_eq!(affinity.find(place, 200, 100, &usable[..1]), None, "gone");
        affinity.forget(NodeId(0));
        assert_eq!(affinity.find(place, 200, 100, &usable), Some(TargetId(5)));
        affinity.forget(NodeId(1));
        assert_eq!(affinity.find(place, 200, 100, &usable), None, "forgotten");
        affinity.note(place, TargetId(5), 200);
        assert_eq!(affinity.find((NodeId(0), PortId(2), 3), 200, 100, &usable), None, "another node knows nothing");
    }
}
