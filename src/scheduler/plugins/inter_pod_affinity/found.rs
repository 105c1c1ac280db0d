//! Which groups of pods with equal labels the terms of a pod find: worked out once and then only extended.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Key, PodAffinity, PodAffinityTerm};
use crate::scheduler::cache::LabelGroup;
use crate::scheduler::cycle::Cycle;

/// How many pods' terms are remembered.
const KNOWN_MAX: usize = 1024;

/// What was found, by who asks (namespace) and what for.
#[derive(Debug, Default)]
pub(super) struct Found {
    known: FxHashMap<(Arc<str>, Arc<PodAffinity>), Groups>,
    /// What it holds for: the numbering of the groups and the labels of namespaces.
    version: (u32, u64),
}

/// Numbers of the groups that terms find.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Those that all required terms find.
    pub(super) by_all: Vec<u32>,
    /// By required term.
    pub(super) required: Vec<Vec<u32>>,
    /// By preferred term.
    pub(super) preferred: Vec<Vec<u32>>,
    compared: usize,
}

impl Found {
    /// What the terms of the pod find among all groups.
    pub(super) fn groups(&mut self, cycle: &Cycle<'_>, terms: &Arc<PodAffinity>) -> &Groups {
        let version = (cycle.cache.groups().epoch(), cycle.cache.namespaces_version());
        if self.version != version || self.known.len() > KNOWN_MAX {
            self.known.clear();
            self.version = version;
        }
        let groups = self.known.entry((cycle.pod.meta.namespace.clone(), terms.clone())).or_default();
        groups.extend(cycle, terms);
        groups
    }
}

impl Groups {
    fn extend(&mut self, cycle: &Cycle<'_>, terms: &PodAffinity) {
        self.required.resize_with(terms.required.len(), Vec::new);
        self.preferred.resize_with(terms.preferred.len(), Vec::new);
        let all = cycle.cache.groups().all();
        for (id, group) in (0u32..).zip(all).skip(self.compared) {
            let mut by_all = !terms.required.is_empty();
            for (term, found) in terms.required.iter().zip(&mut self.required) {
                if finds(cycle, term, group) {
                    found.push(id);
                } else {
                    by_all = false;
                }
            }
            if by_all {
                self.by_all.push(id);
            }
            for (term, found) in terms.preferred.iter().zip(&mut self.preferred) {
                if finds(cycle, &term.pod_affinity_term, group) {
                    found.push(id);
                }
            }
        }
        self.compared = all.len();
    }
}

fn finds(cycle: &Cycle<'_>, term: &PodAffinityTerm, group: &LabelGroup) -> bool {
    let labels = || cycle.view.namespaces.get(&Key::new("", group.namespace.clone())).map(|found| &found.meta.labels);
    term.matches(&cycle.pod.meta.namespace, &group.namespace, &group.labels, labels)
}
