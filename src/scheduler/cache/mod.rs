//! What the scheduler knows of nodes and their pods, those included that it has only just given a node.

mod affinity_groups;
mod images;
mod label_groups;
mod node_info;
mod node_tree;
mod nominations;
#[cfg(test)]
mod tests;
mod topologies;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Node, Pod, Uid};

pub(super) use affinity_groups::AffinityGroups;
pub(super) use images::{Images, has as has_image};
pub(super) use label_groups::{LabelGroup, LabelGroups};
pub use node_info::{CpuMemory, HostPort, NodeId, NodeInfo};
use node_tree::NodeTree;
pub(super) use nominations::{Nominating, Nominations};
pub(super) use topologies::Topologies;

use super::volumes::AssumedVolumes;

/// Nodes and their pods. Every change is brought in at once; nothing is computed anew per cycle.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    nodes: Vec<NodeInfo>,
    /// A number for the state of each node: every change gives it one that was never there before.
    states: Vec<u64>,
    changes: u64,
    by_name: FxHashMap<Arc<str>, NodeId>,
    free: Vec<NodeId>,
    tree: NodeTree,
    order: Vec<NodeId>,
    order_is_stale: bool,
    pods: FxHashMap<Uid, CachedPod>,
    groups: LabelGroups,
    affinities: AffinityGroups,
    topologies: Topologies,
    nominations: Nominations,
    images: Images,
    workloads_version: u64,
    namespaces_version: u64,
    volumes: AssumedVolumes,
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

    /// A number that changes whenever what is known of a node does.
    pub(super) fn state(&self, id: NodeId) -> u64 {
        self.states[id.index()]
    }

    /// What is known of a node, to change it.
    fn change(&mut self, id: NodeId) -> &mut NodeInfo {
        self.changes += 1;
        self.states[id.index()] = self.changes;
        &mut self.nodes[id.index()]
    }

    /// One more than the largest index of a node.
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// What the scheduler wrote of volumes and does not see yet.
    pub(super) const fn volumes(&self) -> &AssumedVolumes {
        &self.volumes
    }

    pub(super) const fn volumes_mut(&mut self) -> &mut AssumedVolumes {
        &mut self.volumes
    }

    pub(super) const fn groups(&self) -> &LabelGroups {
        &self.groups
    }

    pub(super) const fn affinities(&self) -> &AffinityGroups {
        &self.affinities
    }

    pub(super) const fn topologies(&self) -> &Topologies {
        &self.topologies
    }

    pub(super) const fn nominations(&self) -> &Nominations {
        &self.nominations
    }

    pub(super) const fn images(&self) -> &Images {
        &self.images
    }

    /// Changes whenever labels of a Namespace may have changed.
    pub(super) const fn namespaces_version(&self) -> u64 {
        self.namespaces_version
    }

    /// Labels of a Namespace may have changed.
    pub(super) const fn note_namespace_change(&mut self) {
        self.namespaces_version += 1;
    }

    /// A pod is nominated to a node, or no longer.
    pub(super) fn nominate(&mut self, pod: &Arc<Pod>, nominating: &Nominating) {
        self.nominations.set(pod, nominating);
        if !self.nominations.is_empty() {
            self.track_topologies(pod);
        }
    }

    /// A pod that may be nominated changed.
    pub(super) fn update_nominated(&mut self, old: &Pod, new: &Arc<Pod>) {
        self.nominations.update(old, new);
    }

    /// A pod is gone or has a node.
    pub(super) fn forget_nominated(&mut self, uid: &Uid) {
        self.nominations.remove(uid);
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

    /// Brings the order of the nodes up to date, and sees to it that the topologies are there that the pod goes by;
    /// before each cycle.
    pub(super) fn prepare(&mut self, pod: &Pod) {
        self.refresh_order();
        if self.topologies.is_crowded() {
            let nominated = self.nominations.pods().flat_map(|pod| topology_keys(pod));
            self.topologies.keep(self.affinities.topology_keys().chain(nominated), &self.nodes);
        }
        self.track_topologies(pod);
    }

    fn refresh_order(&mut self) {
        if std::mem::take(&mut self.order_is_stale) {
            self.tree.fill(&mut self.order);
        }
    }

    fn track_topologies(&mut self, pod: &Pod) {
        topology_keys(pod).for_each(|key| self.topologies.track(key, &self.nodes));
        if pod.spec.topology_spread_constraints.is_empty() {
            for key in DEFAULT_SPREAD_KEYS {
                if self.topologies.find(key).is_none() {
                    self.topologies.track(&key.into(), &self.nodes);
                }
            }
        }
    }

    pub(super) fn set_node(&mut self, node: &Arc<Node>) {
        let id = self.slot(&node.meta.name);
        let info = &self.nodes[id.index()];
        if info.known {
            self.order_is_stale |= self.tree.update(&info.node, node, id);
        } else {
            self.tree.add(node, id);
            self.order_is_stale = true;
        }
        self.images.replace(&info.node, node);
        self.change(id).set_node(node);
        self.topologies.set_node(id, Some(node), &self.nodes);
    }

    pub(super) fn remove_node(&mut self, node: &Node) {
        let Some(id) = self.id(&node.meta.name) else { return };
        let info = &self.nodes[id.index()];
        self.tree.remove(&info.node, id);
        self.order_is_stale = true;
        self.images.replace(&info.node, &Node::default());
        self.change(id).unset_node();
        self.topologies.set_node(id, None, &self.nodes);
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
        self.change(id).remove_pod(&pod);
        self.groups.remove(&pod.meta, id);
        if pod.spec.affinity.is_about_pods() {
            self.affinities.remove(&pod, id);
        }
        self.free_if_unused(id);
        Some(pod)
    }

    fn insert(&mut self, pod: &Arc<Pod>, node: NodeId, assumed: bool) {
        self.change(node).add_pod(pod);
        self.groups.add(&pod.meta, node);
        if pod.spec.affinity.is_about_pods() {
            self.affinities.add(pod, node);
            pod.spec.affinity.topology_keys().for_each(|key| self.topologies.track(key, &self.nodes));
        }
        self.pods.insert(pod.meta.uid.clone(), CachedPod { pod: pod.clone(), node, assumed });
    }

    fn slot(&mut self, name: &Arc<str>) -> NodeId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = if let Some(id) = self.free.pop() {
            *self.change(id) = NodeInfo::new(id, name.clone());
            id
        } else {
            let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
            self.nodes.push(NodeInfo::new(id, name.clone()));
            self.states.push(0);
            self.change(id);
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
}

/// Labels that upstream's default spread constraints go by, which hold for pods without any of their own.
pub(super) const DEFAULT_SPREAD_KEYS: [&str; 2] = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

/// Labels of nodes that a pod goes by.
fn topology_keys(pod: &Pod) -> impl Iterator<Item = &Arc<str>> {
    let spread = pod.spec.topology_spread_constraints.iter().map(|constraint| &constraint.topology_key);
    pod.spec.affinity.topology_keys().chain(spread)
}

fn takes_the_same(old: &Pod, new: &Pod) -> bool {
    let (before, after) = (&old.spec, &new.spec);
    let same_spec = Arc::ptr_eq(before, after) || before == after;
    same_spec && old.meta.labels == new.meta.labels && old.meta.is_deleting() == new.meta.is_deleting()
}
