//! Pods on nodes that say something about other pods, grouped by what they say: a cluster without such pods has none.

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::objects::{Pod, PodAffinity};

use super::NodeId;

/// What the pods of a group say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::scheduler) struct Terms {
    /// Namespace of the pods.
    pub(in crate::scheduler) namespace: Arc<str>,
    /// What they want to be near.
    pub(in crate::scheduler) affinity: Option<Arc<PodAffinity>>,
    /// What they want to be away from.
    pub(in crate::scheduler) anti_affinity: Option<Arc<PodAffinity>>,
}

impl Terms {
    fn of(pod: &Pod) -> Self {
        let affinity = &pod.spec.affinity;
        Self {
            namespace: pod.meta.namespace.clone(),
            affinity: affinity.pod_affinity.clone(),
            anti_affinity: affinity.pod_anti_affinity.clone(),
        }
    }

    fn topology_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        let parts = self.affinity.iter().chain(&self.anti_affinity);
        parts.flat_map(|part| {
            let preferred = part.preferred.iter().map(|weighted| &weighted.pod_affinity_term);
            part.required.iter().chain(preferred).map(|term| &term.topology_key)
        })
    }
}

/// How many pods that say the same each node carries, by node.
pub(super) type PerNode = Vec<(NodeId, u32)>;

/// The groups.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct AffinityGroups(IndexMap<Terms, PerNode, FxBuildHasher>);

impl AffinityGroups {
    /// What is said, and on which nodes how often, by node.
    pub(in crate::scheduler) fn iter(&self) -> impl Iterator<Item = (&Terms, &[(NodeId, u32)])> {
        self.0.iter().map(|(terms, per_node)| (terms, per_node.as_slice()))
    }

    pub(super) fn topology_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys().flat_map(Terms::topology_keys)
    }

    pub(super) fn add(&mut self, pod: &Pod, node: NodeId) {
        let per_node = self.0.entry(Terms::of(pod)).or_default();
        match per_node.binary_search_by_key(&node, |(node, _)| *node) {
            Ok(at) => per_node[at].1 += 1,
            Err(at) => per_node.insert(at, (node, 1)),
        }
    }

    pub(super) fn remove(&mut self, pod: &Pod, node: NodeId) {
        let terms = Terms::of(pod);
        let Some(per_node) = self.0.get_mut(&terms) else { return };
        let Ok(at) = per_node.binary_search_by_key(&node, |(node, _)| *node) else { return };
        per_node[at].1 -= 1;
        if per_node[at].1 == 0 {
            per_node.remove(at);
        }
        if per_node.is_empty() {
            self.0.shift_remove(&terms);
        }
    }
}
