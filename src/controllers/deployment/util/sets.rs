//! The ReplicaSets of a Deployment, and sums over them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::objects::{Deployment, ReplicaSet};

use super::annotations::revision;

/// All ReplicaSets of one Deployment, oldest first, and which of them has its template.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSets {
    all: Vec<Arc<ReplicaSet>>,
    new: Option<usize>,
}

impl ReplicaSets {
    /// Sorts ReplicaSets and finds the new one: the oldest with the Deployment's template (upstream
    /// `FindNewReplicaSet`). All others are old.
    #[must_use]
    pub fn new(deployment: &Deployment, mut all: Vec<Arc<ReplicaSet>>) -> Self {
        if !all.is_sorted_by(|a, b| by_age(a, b).is_le()) {
            all.sort_by(|a, b| by_age(a, b));
        }
        let template = &*deployment.spec.template;
        let new = all.iter().position(|set| set.spec.template.equal_ignoring_hash(template));
        Self { all, new }
    }

    /// ReplicaSets of which the new one is known; for checks of single rules.
    #[must_use]
    pub fn with_new(mut all: Vec<Arc<ReplicaSet>>, name: Option<&str>) -> Self {
        all.sort_by(|a, b| by_age(a, b));
        let new = all.iter().position(|set| Some(&*set.meta.name) == name);
        Self { all, new }
    }

    /// Where the new one is.
    #[must_use]
    pub const fn new_index(&self) -> Option<usize> {
        self.new
    }

    /// The new one.
    #[must_use]
    pub fn new_set(&self) -> Option<&Arc<ReplicaSet>> {
        self.new.map(|at| &self.all[at])
    }

    /// All, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Arc<ReplicaSet>] {
        &self.all
    }

    /// The old ones with their places, oldest first.
    pub fn old(&self) -> impl DoubleEndedIterator<Item = (usize, &Arc<ReplicaSet>)> {
        self.all.iter().enumerate().filter(|(at, _)| Some(*at) != self.new)
    }

    /// Those that want pods, with their places, oldest first.
    pub fn active(&self) -> impl Iterator<Item = (usize, &Arc<ReplicaSet>)> {
        self.all.iter().enumerate().filter(|(_, set)| set.spec.replicas > 0)
    }

    /// The old ones that want pods, with their places, oldest first.
    pub fn active_old(&self) -> impl Iterator<Item = (usize, &Arc<ReplicaSet>)> {
        self.old().filter(|(_, set)| set.spec.replicas > 0)
    }

    /// Puts a newer state in the place of an older one.
    pub fn refresh(&mut self, at: usize, set: Arc<ReplicaSet>) {
        self.all[at] = set;
    }

    /// Adds the new one.
    pub fn add_new(&mut self, set: Arc<ReplicaSet>) {
        self.new = Some(self.all.len());
        self.all.push(set);
    }

    /// Sum over all. Wraps as upstream's 32 bits do.
    #[must_use]
    pub fn sum(&self, of: impl Fn(&ReplicaSet) -> i32) -> i32 {
        self.all.iter().fold(0, |sum, set| sum.wrapping_add(of(set)))
    }

    /// Pods that are asked for.
    #[must_use]
    pub fn desired(&self) -> i32 {
        self.sum(|set| set.spec.replicas)
    }

    /// The highest revision among the old ones; 0 if there is none.
    #[must_use]
    pub fn max_old_revision(&self) -> i64 {
        self.old().filter_map(|(_, set)| revision(&set.meta)).fold(0, i64::max)
    }
}

/// Order of creation, then of names (upstream `ReplicaSetsByCreationTimestamp`).
#[must_use]
pub fn by_age(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    a.meta.creation_timestamp.cmp(&b.meta.creation_timestamp).then_with(|| a.meta.name.cmp(&b.meta.name))
}

/// Order of revisions, then of age; the latter decides too where a revision cannot be read (upstream
/// `ReplicaSetsByRevision`).
#[must_use]
pub fn by_revision(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    match (revision(&a.meta), revision(&b.meta)) {
        (Some(x), Some(y)) => x.cmp(&y).then_with(|| by_age(a, b)),
        _ => by_age(a, b),
    }
}
