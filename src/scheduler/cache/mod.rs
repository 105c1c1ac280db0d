//! What the scheduler knows of nodes and their pods, those included that it has only just given a node.

mod label_groups;
mod node_info;
mod node_tree;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Node, Pod, Uid};

pub(super) use label_groups::LabelGroups;
pub use node_info::{CpuMemory, HostPort, NodeId, NodeInfo};
use node_tree::NodeTree;

/// Nodes and their pods. Every change is brought in at once; nothing is computed anew per cycle.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    nodes: Vec<NodeInfo>,
    by_name: FxHashMap<Arc<str>, NodeId>,
    free: Vec<NodeId>,
    tree: NodeTree,
    order: Vec<NodeId>,
    order_is_stale: bool,
    zones: FxHashMap<Arc<str>, u32>,
    pods: FxHashMap<Uid, CachedPod>,
    groups: LabelGroups,
    workloads_version: u64,
}

#[derive(Clone, Debug)]
struct CachedPod {
    pod: Arc<Pod>,
    node: NodeId,
    assumed: bool,
}

impl Cache {
    /// What is known of a node.
    ///
    /// # Panics
    /// If the id is not of this cache.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &NodeInfo {
        &self.nodes[id.index()]
    }

    /// The id of a node that exists.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied().filter(|id| self.node(*id).known)
    }

    /// Nodes in the order in which they are filtered: zones take turns.
    #[must_use]
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// A pod that is bound or assumed.
    #[must_use]
    pub fn pod(&self, uid: &Uid) -> Option<&Arc<Pod>> {
        self.pods.get(uid).map(|cached| &cached.pod)
    }

    /// One more than the largest number of a zone.
    #[must_use]
    pub fn zone_count(&self) -> usize {
        self.zones.len() + 1
    }

    /// One more than the largest index of a node.
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) const fn groups(&self) -> &LabelGroups {
        &self.groups
    }

    /// Changes whenever a selector of a Service or ReplicaSet may have changed.
    pub(super) const fn workloads_version(&self) -> u64 {
        self.workloads_version
    }

    /// A selector of a Service or ReplicaSet may have changed.
    pub(super) const fn note_workload_change(&mut self) {
        self.workloads_version += 1;
    }

    pub(super) fn is_assumed(&self, uid: &Uid) -> bool {
        self.pods.get(uid).is_some_and(|cached| cached.assumed)
    }

    /// Brings the order up to date; before each cycle.
    pub(super) fn refresh_order(&mut self) {
        if std::mem::take(&mut self.order_is_stale) {
            self.tree.fill(&mut self.order);
        }
    }

    pub(super) fn set_node(&mut self, node: &Arc<Node>) {
        let id = self.slot(&node.meta.name);
        let zone = self.zone_number(node);
        let info = &mut self.nodes[id.index()];
        if info.known {
            self.order_is_stale |= self.tree.update(&info.node, node, id);
        } else {
            self.tree.add(node, id);
            self.order_is_stale = true;
        }
        info.set_node(node, zone);
    }

    pub(super) fn remove_node(&mut self, node: &Node) {
        let Some(id) = self.id(&node.meta.name) else { return };
        let info = &mut self.nodes[id.index()];
        self.tree.remove(&info.node, id);
        self.order_is_stale = true;
        info.unset_node();
        self.free_if_unused(id);
    }

    /// A pod was given a node by this scheduler; whether that holds, its change will tell.
    pub(super) fn assume(&mut self, pod: &Arc<Pod>, node: NodeId) {
        self.insert(pod, node, true);
    }

    /// A pod is bound. Takes the place of the assumed one.
    pub(super) fn set_pod(&mut self, pod: &Arc<Pod>) {
        if let Some(cached) = self.pods.get_mut(&pod.meta.uid) {
            let info = &self.nodes[cached.node.index()];
            if info.name == pod.node_name && takes_the_same(&cached.pod, pod) {
                (cached.pod, cached.assumed) = (pod.clone(), false);
                return;
            }
            self.remove_pod(&pod.meta.uid);
        }
        let node = self.slot(&pod.node_name);
        self.insert(pod, node, false);
    }

    /// A pod is gone, or was not bound after all.
    pub(super) fn remove_pod(&mut self, uid: &Uid) -> Option<Arc<Pod>> {
        let cached = self.pods.remove(uid)?;
        let (pod, id) = (cached.pod, cached.node);
        self.nodes[id.index()].remove_pod(&pod);
        if !pod.meta.is_deleting() {
            self.groups.remove(&pod.meta.namespace, &pod.meta.labels, id);
        }
        self.free_if_unused(id);
        Some(pod)
    }

    fn insert(&mut self, pod: &Arc<Pod>, node: NodeId, assumed: bool) {
        self.nodes[node.index()].add_pod(pod);
        if !pod.meta.is_deleting() {
            self.groups.add(&pod.meta.namespace, &pod.meta.labels, node);
        }
        self.pods.insert(pod.meta.uid.clone(), CachedPod { pod: pod.clone(), node, assumed });
    }

    fn slot(&mut self, name: &Arc<str>) -> NodeId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = if let Some(id) = self.free.pop() {
            self.nodes[id.index()] = NodeInfo::new(id, name.clone());
            id
        } else {
            let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
            self.nodes.push(NodeInfo::new(id, name.clone()));
            id
        };
        self.by_name.insert(name.clone(), id);
        id
    }

    fn free_if_unused(&mut self, id: NodeId) {
        let info = &self.nodes[id.index()];
        if !info.known && info.pods.is_empty() {
            self.by_name.remove(&info.name);
            self.free.push(id);
        }
    }

    fn zone_number(&mut self, node: &Node) -> u32 {
        let Some(zone) = node.meta.labels.get("topology.kubernetes.io/zone") else { return 0 };
        if let Some(number) = self.zones.get(zone) {
            return *number;
        }
        let number = u32::try_from(self.zones.len() + 1).expect("fewer than 2^32 zones");
        self.zones.insert(zone.into(), number);
        number
    }
}

fn takes_the_same(old: &Pod, new: &Pod) -> bool {
    let (before, after) = (&old.spec, &new.spec);
    let same_spec = Arc::ptr_eq(before, after) || before == after;
    same_spec && old.meta.labels == new.meta.labels && old.meta.is_deleting() == new.meta.is_deleting()
}
