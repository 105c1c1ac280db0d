//! How many pods each ReplicaSet and ReplicationController has, kept up with every change: a sync need not look at all of them.

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::objects::{Kind, Labels, Pod, Uid};

/// Pods with equal labels of one controller, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Neither ended nor being deleted.
    pub active: i32,
    /// Active ones that are Ready.
    pub ready: i32,
    /// Being deleted and not ended.
    pub terminating: i32,
    /// All others.
    pub ended: i32,
}

/// What a pod is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unready,
    Ready,
    Terminating,
    Ended,
}

impl Standing {
    fn of(pod: &Pod) -> Self {
        match () {
            () if pod.is_terminating() => Self::Terminating,
            () if !pod.is_active() => Self::Ended,
            () if pod.is_ready() => Self::Ready,
            () => Self::Unready,
        }
    }
}

impl PodCounts {
    const fn add(&mut self, standing: Standing, amount: i32) {
        match standing {
            Standing::Unready => self.active += amount,
            Standing::Ready => {
                self.active += amount;
                self.ready += amount;
            }
            Standing::Terminating => self.terminating += amount,
            Standing::Ended => self.ended += amount,
        }
    }

    const fn is_zero(&self) -> bool {
        self.active == 0 && self.terminating == 0 && self.ended == 0
    }
}

/// Counts by controller and labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Replicas(FxHashMap<Uid, IndexMap<Labels, PodCounts, FxBuildHasher>>);

impl Replicas {
    pub(super) fn of(&self, set: &Uid) -> impl Iterator<Item = (&Labels, &PodCounts)> {
        self.0.get(set).into_iter().flatten()
    }

    pub(super) fn follow(&mut self, old: Option<&Pod>, new: Option<&Pod>) {
        let (was, is) = (old.and_then(set), new.and_then(set));
        if was.is_none() && is.is_none() {
            return;
        }
        if let (Some(old), Some(new)) = (old, new)
            && was == is
            && old.meta.labels.ptr_eq(&new.meta.labels)
            && Standing::of(old) == Standing::of(new)
        {
            return;
        }
        for (pod, set, amount) in [(old, was, -1), (new, is, 1)] {
            if let (Some(pod), Some(set)) = (pod, set) {
                self.add(set.clone(), pod.meta.labels.clone(), Standing::of(pod), amount);
            }
        }
    }

    fn add(&mut self, set: Uid, labels: Labels, standing: Standing, amount: i32) {
        let groups = self.0.entry(set.clone()).or_default();
        let counts = groups.entry(labels.clone()).or_default();
        counts.add(standing, amount);
        if counts.is_zero() {
            groups.swap_remove(&labels);
            if groups.is_empty() {
                self.0.remove(&set);
            }
        }
    }
}

/// The ReplicaSet or ReplicationController that controls a pod.
fn set(pod: &Pod) -> Option<&Uid> {
    let owner = pod.meta.controller()?;
    let replicates = [Kind::ReplicaSet, Kind::ReplicationController].iter().any(|kind| *owner.kind == *kind.as_str());
    replicates.then_some(&owner.uid)
}
