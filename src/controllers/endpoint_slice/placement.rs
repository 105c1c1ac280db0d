//! Which slice each pod is in, so that a sync looks only at pods that changed and at their slices.

use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::objects::{EndpointSlice, Pod};

use super::candidates::shared;

/// More pods than this that changed since the last sync are not told apart any more.
const MOST_CHANGED: usize = 1024;

/// What is known of the slices of a Service since its last sync.
#[derive(Clone, Debug, Default)]
pub(super) struct Placement {
    /// Whether the slices are as that sync left them, so that only pods that changed may be wrong in them.
    trusted: bool,
    /// Version of the nodes at that sync.
    nodes: u64,
    changed: IndexSet<Arc<str>, FxBuildHasher>,
    slices: Arc<FxHashMap<Arc<str>, Arc<str>>>,
}

/// What a sync must look at.
#[derive(Debug)]
pub(super) enum Scope {
    /// All pods and slices.
    All,
    /// These pods, and these slices and the empty ones.
    Changed(Vec<Arc<str>>, FxHashSet<Arc<str>>),
}

impl Placement {
    /// Something happened that this cannot follow: the next sync looks at everything.
    pub(super) fn distrust(&mut self) {
        self.trusted = false;
        self.changed.clear();
    }

    /// A pod changed in a way that its endpoint may show.
    pub(super) fn touch(&mut self, pod: &Pod) {
        if self.trusted && !self.changed.contains(&pod.meta.name) {
            self.changed.insert(pod.meta.name.clone());
            if self.changed.len() > MOST_CHANGED {
                self.distrust();
            }
        }
    }

    /// Whether the pod may be in a slice.
    pub(super) fn may_show(&self, pod: &Pod) -> bool {
        !self.trusted || self.slices.contains_key(&pod.meta.name)
    }

    /// Starts a sync. It is taken to succeed until something says otherwise.
    pub(super) fn begin(&mut self, nodes: u64) -> Scope {
        let trusted = std::mem::replace(&mut self.trusted, true) && self.nodes == nodes;
        self.nodes = nodes;
        let changed: Vec<Arc<str>> = self.changed.drain(..).collect();
        if !trusted {
            return Scope::All;
        }
        let slices = changed.iter().filter_map(|pod| self.slices.get(pod)).cloned().collect();
        Scope::Changed(changed, slices)
    }

    /// The endpoints that a look at everything found in the slices.
    pub(super) fn replace(&mut self, slices: FxHashMap<Arc<str>, Arc<str>>) {
        self.slices = Arc::new(slices);
    }

    /// The pod has no endpoint any more.
    pub(super) fn remove(&mut self, pod: &str) {
        if self.slices.contains_key(pod) {
            Arc::make_mut(&mut self.slices).remove(pod);
        }
    }

    /// A slice was written.
    pub(super) fn put(&mut self, slice: &EndpointSlice) {
        let slices = Arc::make_mut(&mut self.slices);
        for target in slice.endpoints.iter().filter_map(|endpoint| endpoint.target_ref.as_ref()) {
            match slices.get_mut(&*target.name) {
                Some(place) if *place == slice.meta.name => {}
                Some(place) => *place = slice.meta.name.clone(),
                None => drop(slices.insert(shared(&target.name), slice.meta.name.clone())),
            }
        }
    }
}
