//! How many pods that a selector finds each node carries.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Labels, Selector};
use crate::scheduler::cache::{Cache, LabelGroups};
use crate::scheduler::cycle::Cycle;

use super::workload;

/// How many selectors and workloads are remembered.
const KNOWN_MAX: usize = 4096;

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

    fn fill(&self, cache: &Cache, counts: &mut [u32]) {
        for on in self.groups.iter().flat_map(|id| cache.groups().group(*id).per_node()) {
            counts[on.node.index()] += on.live;
        }
    }
}

fn clear(cache: &Cache, counts: &mut Vec<u32>) {
    counts.clear();
    counts.resize(cache.node_count(), 0);
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
    pub(super) fn count(&mut self, cycle: &Cycle<'_>, selector: &Selector, counts: &mut Vec<u32>) {
        clear(cycle.cache, counts);
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
    pub(super) fn count_workload(&mut self, cycle: &Cycle<'_>, counts: &mut Vec<u32>) -> bool {
        self.refresh(cycle.cache);
        let pod = cycle.pod;
        let owner = pod.meta.controller().map(|owner| owner.name.clone());
        let key = (pod.meta.namespace.clone(), pod.meta.labels.clone(), owner);
        let found = self.by_workload.entry(key);
        let found = found.or_insert_with(|| workload::selector(pod, cycle.view).map(Found::by));
        let Some(found) = found else { return false };
        found.extend(cycle.cache.groups(), &pod.meta.namespace);
        clear(cycle.cache, counts);
        found.fill(cycle.cache, counts);
        true
    }
}

fn forget<K: Eq + Hash, V>(known: &mut FxHashMap<K, V>) {
    if known.len() > KNOWN_MAX {
        known.clear();
    }
}
