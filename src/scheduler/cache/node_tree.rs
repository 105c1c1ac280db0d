//! The order in which nodes are looked at: zones take turns (upstream `backend/cache/node_tree.go`).

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::objects::Node;

use super::NodeId;

/// Nodes by zone; zones in the order in which they were first seen, nodes in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeTree {
    zones: IndexMap<String, Vec<NodeId>, FxBuildHasher>,
}

impl NodeTree {
    pub(super) fn add(&mut self, node: &Node, id: NodeId) {
        self.zones.entry(zone_key(node)).or_default().push(id);
    }

    pub(super) fn remove(&mut self, node: &Node, id: NodeId) {
        let key = zone_key(node);
        let Some(nodes) = self.zones.get_mut(&key) else { return };
        nodes.retain(|other| *other != id);
        if nodes.is_empty() {
            self.zones.shift_remove(&key);
        }
    }

    /// A node that moved to another zone goes to its end. Says whether the order changed.
    pub(super) fn update(&mut self, old: &Node, new: &Node, id: NodeId) -> bool {
        let moved = old.meta.labels != new.meta.labels && zone_key(old) != zone_key(new);
        if moved {
            self.remove(old, id);
            self.add(new, id);
        }
        moved
    }

    /// The first node of each zone, then the second of each, and so on.
    pub(super) fn fill(&self, order: &mut Vec<NodeId>) {
        order.clear();
        let longest = self.zones.values().map(Vec::len).max().unwrap_or(0);
        for at in 0..longest {
            order.extend(self.zones.values().filter_map(|nodes| nodes.get(at)));
        }
    }
}

fn zone_key(node: &Node) -> String {
    let label = |old: &str, new: &str| node.meta.labels.get(old).or_else(|| node.meta.labels.get(new)).unwrap_or("");
    let zone = label("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone");
    let region = label("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region");
    if zone.is_empty() && region.is_empty() { String::new() } else { format!("{region}:\0:{zone}") }
}
