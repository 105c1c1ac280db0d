//! How many pods with equal labels each node carries, so that spreading and affinity need not look at single pods.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Labels, ObjectMeta};

use super::NodeId;

/// Pods of one namespace with equal labels.
#[derive(Clone, Debug)]
pub(in crate::scheduler) struct LabelGroup {
    pub(in crate::scheduler) namespace: Arc<str>,
    pub(in crate::scheduler) labels: Labels,
    per_node: Vec<OnNode>,
}

/// Pods of a group on one node.
#[derive(Clone, Copy, Debug)]
pub(in crate::scheduler) struct OnNode {
    pub(in crate::scheduler) node: NodeId,
    /// Those that are not being deleted.
    pub(in crate::scheduler) live: u32,
    /// Those that are.
    pub(in crate::scheduler) leaving: u32,
}

impl OnNode {
    const fn count(&mut self, leaving: bool) -> &mut u32 {
        if leaving { &mut self.leaving } else { &mut self.live }
    }
}

impl LabelGroup {
    /// Nodes with such pods, by id.
    pub(in crate::scheduler) fn per_node(&self) -> &[OnNode] {
        &self.per_node
    }
}

/// Groups of pods with equal labels. A group keeps its number as long as the epoch lasts.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct LabelGroups {
    groups: Vec<LabelGroup>,
    ids: FxHashMap<(Arc<str>, Labels), u32>,
    by_namespace: FxHashMap<Arc<str>, Vec<u32>>,
    epoch: u32,
}

impl LabelGroups {
    /// Changes when groups are numbered anew.
    pub(in crate::scheduler) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Numbers of the groups of a namespace, in the order in which they came up. Some may be empty.
    pub(in crate::scheduler) fn of_namespace(&self, namespace: &str) -> &[u32] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    pub(in crate::scheduler) fn group(&self, id: u32) -> &LabelGroup {
        &self.groups[id as usize]
    }

    /// All groups by number. Some may be empty.
    pub(in crate::scheduler) fn all(&self) -> &[LabelGroup] {
        &self.groups
    }

    pub(super) fn add(&mut self, meta: &ObjectMeta, node: NodeId) {
        let key = (meta.namespace.clone(), meta.labels.clone());
        let id = match self.ids.get(&key) {
            Some(id) => *id,
            None => self.insert(key),
        };
        let per_node = &mut self.groups[id as usize].per_node;
        let at = per_node.binary_search_by_key(&node, |on| on.node).unwrap_or_else(|at| {
            per_node.insert(at, OnNode { node, live: 0, leaving: 0 });
            at
        });
        *per_node[at].count(meta.is_deleting()) += 1;
    }

    pub(super) fn remove(&mut self, meta: &ObjectMeta, node: NodeId) {
        let Some(id) = self.ids.get(&(meta.namespace.clone(), meta.labels.clone())) else { return };
        let per_node = &mut self.groups[*id as usize].per_node;
        let Ok(at) = per_node.binary_search_by_key(&node, |on| on.node) else { return };
        *per_node[at].count(meta.is_deleting()) -= 1;
        if per_node[at].live == 0 && per_node[at].leaving == 0 {
            per_node.remove(at);
        }
    }

    fn insert(&mut self, key: (Arc<str>, Labels)) -> u32 {
        if self.groups.len() >= 64 && self.groups.len().is_power_of_two() {
            self.drop_empty();
        }
        let id = u32::try_from(self.groups.len()).expect("fewer than 2^32 label groups");
        self.groups.push(LabelGroup { namespace: key.0.clone(), labels: key.1.clone(), per_node: Vec::new() });
        self.by_namespace.entry(key.0.clone()).or_default().push(id);
        self.ids.insert(key, id);
        id
    }

    /// Groups whose pods are all gone are forgotten now and then, so that jobs with labels of their own do not add up.
    fn drop_empty(&mut self) {
        let before = self.groups.len();
        self.groups.retain(|group| !group.per_node.is_empty());
        if self.groups.len() == before {
            return;
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.ids.clear();
        self.by_namespace.clear();
        for (id, group) in (0u32..).zip(&self.groups) {
            self.ids.insert((group.namespace.clone(), group.labels.clone()), id);
            self.by_namespace.entry(group.namespace.clone()).or_default().push(id);
        }
    }
}
