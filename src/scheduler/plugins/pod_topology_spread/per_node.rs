//! How many pods that a selector finds each node carries.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Labels, Selector};
use crate::scheduler::cache::{Cache, LabelGroups, NodeId};
use crate::scheduler::cycle::Cycle;

use super::workload;

/// How many selectors and workloads are remembered.
const KNOWN_MAX: usize = 4096;

/// How many pods each node carries.
#[derive(Debug, Default)]
pub(super) struct PerNode {
    counts: Vec<u32>,
    carriers: Vec<NodeId>,
}

impl PerNode {
    /// Pods of a node.
    pub(super) fn on(&self, node: NodeId) -> u32 {
        self.counts[node.index()]
    }

    /// Nodes with pods, in no particular order; some may be gone.
    pub(super) fn carriers(&self) -> &[NodeId] {
        &self.carriers
    }

    fn clear(&mut self, nodes: usize) {
        self.carriers.clear();
        self.counts.clear();
        self.counts.resize(nodes, 0);
    }

    fn add(&mut self, node: NodeId, pods: u32) {
        let count = &mut self.counts[node.index()];
        if *count == 0 && pods > 0 {
            self.carriers.push(node);
        }
        *count += pods;
    }
}

/// Remembers which groups of pods with equal labels selectors find: worked out once and then only extended.
#[derive(Debug, Default)]
pub(super) struct PodsPerNode {
    by_selector: FxHashMap<(Arc<str>, Selector), Found>,
    by_workload: FxHashMap<WorkloadKey, Option<Found>>,
    /// What it holds for: the numbering of the groups and the selectors of workloads.
    version: (u32, u64),
}

/// Pods with equal keys belong to the same workload: namespace, labels, and name of the controller.
type WorkloadKey = (Arc<str>, Labels, Option<Arc<str>>);

/// Numbers of the groups that a selector finds.
#[derive(Debug)]
struct Found {
    selector: Selector,
    groups: Vec<u32>,
    /// How many of the namespace's groups have been compared with the selector.
    compared: usize,
}

impl Found {
    const fn by(selector: Selector) -> Self {
        Self { selector, groups: Vec::new(), compared: 0 }
    }

    fn extend(&mut self, groups: &LabelGroups, namespace: &str) {
        let all = groups.of_namespace(namespace);
        let new = all.get(self.compared..).unwrap_or(&[]);
        self.groups.extend(new.iter().filter(|id| self.selector.matches(&groups.group(**id).labels)));
        self.compared = all.len();
    }

    fn fill(&self, cache: &Cache, counts: &mut PerNode) {
        for on in self.groups.iter().flat_map(|id| cache.groups().group(*id).per_node()) {
            counts.add(on.node, on.live);
        }
    }
}

impl PodsPerNode {
    fn refresh(&mut self, cache: &Cache) {
        let version = (cache.groups().epoch(), cache.workloads_version());
        if self.version != version {
            self.by_selector.clear();
            self.by_workload.clear();
            self.version = version;
        }
        forget(&mut self.by_selector);
        forget(&mut self.by_workload);
    }

    /// Counts the pods of the pod's namespace that the selector finds. One without conditions finds none here.
    pub(super) fn count(&mut self, cycle: &Cycle<'_>, selector: &Selector, counts: &mut PerNode) {
        counts.clear(cycle.cache.node_count());
        if selector.is_empty() || selector.matches_nothing() {
            return;
        }
        self.refresh(cycle.cache);
        let namespace = &cycle.pod.meta.namespace;
        let found = self.by_selector.entry((namespace.clone(), selector.clone()));
        let found = found.or_insert_with(|| Found::by(selector.clone()));
        found.extend(cycle.cache.groups(), namespace);
        found.fill(cycle.cache, counts);
    }

    /// Counts the pods of the pod's workload. Says no if it belongs to none.
    pub(super) fn count_workload(&mut self, cycle: &Cycle<'_>, counts: &mut PerNode) -> bool {
        self.refresh(cycle.cache);
        let pod = cycle.pod;
        let owner = pod.meta.controller().map(|owner| owner.name.clone());
        let key = (pod.meta.namespace.clone(), pod.meta.labels.clone(), owner);
        let found = self.by_workload.entry(key);
        let found = found.or_insert_with(|| workload::selector(pod, cycle.view).map(Found::by));
        let Some(found) = found else { return false };
        found.extend(cycle.cache.groups(), &pod.meta.namespace);
        counts.clear(cycle.cache.node_count());
        found.fill(cycle.cache, counts);
        true
    }
}

fn forget<K: Eq + Hash, V>(known: &mut FxHashMap<K, V>) {
    if known.len() > KNOWN_MAX {
        known.clear();
    }
}
