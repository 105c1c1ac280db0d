//! Which nodes are one place, by the value of a label: kept for the labels that terms and constraints of pods go by.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::Node;

use super::{NodeId, NodeInfo};

/// How many topologies are kept beyond those that pods on nodes go by.
const KEPT: usize = 64;

/// The places that the values of one label make of the nodes. Places are numbered from 1; 0 = the node has no such label.
#[derive(Clone, Debug)]
pub(in crate::scheduler) struct Topology {
    key: Arc<str>,
    by_node: Vec<u32>,
    values: FxHashMap<Arc<str>, u32>,
}

impl Topology {
    /// The place that a node belongs to.
    pub(in crate::scheduler) fn place(&self, node: NodeId) -> usize {
        self.by_node.get(node.index()).map_or(0, |place| *place as usize)
    }

    /// One more than the largest number of a place.
    pub(in crate::scheduler) fn places(&self) -> usize {
        self.values.len() + 1
    }

    fn set(&mut self, node: NodeId, labels: Option<&Node>) {
        let value = labels.and_then(|node| node.meta.labels.get(&self.key));
        let place = value.map_or(0, |value| self.number(value));
        if self.by_node.len() <= node.index() {
            self.by_node.resize(node.index() + 1, 0);
        }
        self.by_node[node.index()] = place;
    }

    fn number(&mut self, value: &str) -> u32 {
        if let Some(number) = self.values.get(value) {
            return *number;
        }
        let number = u32::try_from(self.values.len() + 1).unwrap_or(u32::MAX);
        self.values.insert(value.into(), number);
        number
    }

    fn fill(&mut self, nodes: &[NodeInfo]) {
        self.values.clear();
        self.by_node.clear();
        for info in nodes {
            self.set(info.id, info.known.then_some(&*info.node));
        }
    }
}

/// Topologies by their label.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct Topologies {
    list: Vec<Topology>,
    /// How many there may be before those that are no longer needed are forgotten.
    limit: usize,
}

impl Topologies {
    /// The place in the list of the topology of a label, if it is kept.
    pub(in crate::scheduler) fn find(&self, key: &str) -> Option<usize> {
        self.list.iter().position(|topology| *topology.key == *key)
    }

    /// The topology at that place in the list.
    pub(in crate::scheduler) fn at(&self, index: usize) -> &Topology {
        &self.list[index]
    }

    pub(super) fn track(&mut self, key: &Arc<str>, nodes: &[NodeInfo]) {
        if self.find(key).is_none() {
            let mut topology = Topology { key: key.clone(), by_node: Vec::new(), values: FxHashMap::default() };
            topology.fill(nodes);
            self.list.push(topology);
        }
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.list.len() > self.limit.max(KEPT)
    }

    /// Forgets all but those of these labels.
    pub(super) fn keep<'a>(&mut self, keys: impl Iterator<Item = &'a Arc<str>>, nodes: &[NodeInfo]) {
        self.list.clear();
        keys.for_each(|key| self.track(key, nodes));
        self.limit = self.list.len() + KEPT;
    }

    /// A node is new, changed or (without a Node) gone.
    pub(super) fn set_node(&mut self, id: NodeId, node: Option<&Node>, nodes: &[NodeInfo]) {
        for topology in &mut self.list {
            topology.set(id, node);
            // Values that no node has any more.
            if topology.values.len() > 2 * nodes.len() + KEPT {
                topology.fill(nodes);
            }
        }
    }
}
