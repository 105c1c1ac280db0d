//! What a DaemonSet has on every node, kept up to date change by change.
//!
//! Upstream looks at every node and every pod in each sync. A rolling update of n nodes takes some n syncs, so here
//! the picture is kept between them: a change marks its node, a sync judges the marked nodes anew, and what it decides on are
//! sums and short lists. [`Ledger::new`] builds the same picture from the view alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::View;
use crate::controllers::history::POD_REVISION_LABEL;
use crate::controllers::pod_control::PodFactory;
use crate::objects::{DaemonSet, Node, ObjectSelector, Pod, PodTemplate, Uid, WallTime};

use super::backoff::Backoff;
use super::node::{Basis, Judgement, Progress, Tally, judge};
use super::template::{self, Eligibility, Placement};

/// A node in the ledger, by the order in which the DaemonSet heard of it.
pub(super) type Slot = u32;

/// A node, and the DaemonSet's pods that are on it or meant for it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    /// The node, as far as its labels and taints go; nothing if it does not exist.
    node: Option<Arc<Node>>,
    pub(super) eligible: Option<Eligibility>,
    pub(super) pods: Vec<Arc<Pod>>,
    judgement: Judgement,
    is_marked: bool,
}

/// The picture.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    uid: Uid,
    selector: Arc<ObjectSelector>,
    placement: Placement,
    basis: Option<Basis>,
    entries: Vec<Entry>,
    slots: FxHashMap<Arc<str>, Slot>,
    /// Entries of nodes that do not exist and have no pods.
    idle: usize,
    /// Where each pod is.
    places: FxHashMap<Uid, Slot>,
    /// How many pods carry each revision label.
    revisions: FxHashMap<Arc<str>, usize>,
    /// Pods that are owned and not selected any more, in the order in which that happened.
    strays: Vec<Arc<Pod>>,
    marked: Vec<Slot>,
    /// When nodes are to be judged again.
    alarms: BTreeSet<(WallTime, Slot)>,
    tally: Tally,
    /// Nodes that need a pod.
    pub(super) needing: BTreeSet<Slot>,
    /// Nodes with pods that are to be deleted.
    pub(super) untidy: BTreeSet<Slot>,
    /// Nodes with only an old pod that is not available.
    pub(super) old_down: BTreeSet<Slot>,
    /// Eligible nodes with only an old pod that is available.
    pub(super) old_up: BTreeSet<Slot>,
    /// Other nodes with only an old pod that is available.
    pub(super) old_up_elsewhere: BTreeSet<Slot>,
    /// Nodes whose old pod has an available successor.
    pub(super) replaced: BTreeSet<Slot>,
    /// Back-off of failed pods.
    pub(super) backoff: Backoff,
    factory: Option<(Arc<PodTemplate>, Basis, PodFactory)>,
}

impl Ledger {
    /// The picture as the view has it.
    pub(super) fn new(set: &DaemonSet, view: &View) -> Self {
        let mut ledger = Self {
            uid: set.meta.uid.clone(),
            selector: Arc::clone(&set.spec.selector),
            placement: Placement::new(&set.spec.template),
            basis: None,
            entries: Vec::new(),
            slots: FxHashMap::default(),
            idle: 0,
            places: FxHashMap::default(),
            revisions: FxHashMap::default(),
            strays: Vec::new(),
            marked: Vec::new(),
            alarms: BTreeSet::new(),
            tally: Tally::default(),
            needing: BTreeSet::new(),
            untidy: BTreeSet::new(),
            old_down: BTreeSet::new(),
            old_up: BTreeSet::new(),
            old_up_elsewhere: BTreeSet::new(),
            replaced: BTreeSet::new(),
            backoff: Backoff::default(),
            factory: None,
        };
        view.nodes.iter().for_each(|node| ledger.set_node(node));
        view.pods.controlled_by(&set.meta.uid).for_each(|pod| ledger.set_pod(pod));
        ledger
    }

    /// The same picture without nodes that came and went.
    pub(super) fn renewed(&self, set: &DaemonSet, view: &View) -> Self {
        Self { backoff: self.backoff.clone(), ..Self::new(set, view) }
    }

    /// Whether most of it is about nodes that came and went.
    pub(super) fn is_worn(&self) -> bool {
        self.idle > 64 && self.idle > self.entries.len() / 2
    }

    // ---- changes ----

    /// A node is there, or its labels or taints changed.
    pub(super) fn set_node(&mut self, node: &Arc<Node>) {
        let slot = self.slot(&node.meta.name);
        let eligible = self.placement.on(node);
        self.change(slot, |entry| (entry.node, entry.eligible) = (Some(Arc::clone(node)), Some(eligible)));
    }

    /// A node is gone.
    pub(super) fn remove_node(&mut self, name: &Arc<str>) {
        if let Some(slot) = self.slots.get(name) {
            self.change(*slot, |entry| (entry.node, entry.eligible) = (None, None));
        }
    }

    /// A pod is there, or changed. It need not be one of the DaemonSet's any more.
    pub(super) fn set_pod(&mut self, pod: &Arc<Pod>) {
        let is_owned = pod.meta.controller().is_some_and(|owner| owner.uid == self.uid);
        let is_selected = self.selector.compiled.matches(&pod.meta.labels);
        self.strays.retain(|stray| stray.meta.uid != pod.meta.uid);
        let slot = template::target(pod).filter(|_| is_owned && is_selected).map(|node| self.slot(&node));
        if self.places.get(&pod.meta.uid) != slot.as_ref() {
            self.take_out(&pod.meta.uid);
        }
        if is_owned && !is_selected {
            self.strays.push(Arc::clone(pod));
        }
        if let Some(slot) = slot {
            self.put_in(slot, pod);
        }
    }

    /// A pod is gone.
    pub(super) fn remove_pod(&mut self, uid: &Uid) {
        self.strays.retain(|stray| stray.meta.uid != *uid);
        self.take_out(uid);
    }

    fn put_in(&mut self, slot: Slot, pod: &Arc<Pod>) {
        let known = self.places.insert(pod.meta.uid.clone(), slot).is_some();
        let mut before = None;
        self.change(slot, |entry| {
            let place = entry.pods.iter_mut().find(|known| known.meta.uid == pod.meta.uid);
            match place.filter(|_| known) {
                Some(place) => before = Some(std::mem::replace(place, Arc::clone(pod))),
                None => entry.pods.push(Arc::clone(pod)),
            }
        });
        let label = |pod: &Pod| pod.meta.labels.get(POD_REVISION_LABEL).map(Arc::<str>::from);
        match before {
            Some(before) if before.meta.labels.ptr_eq(&pod.meta.labels) => {}
            before => {
                self.count_revision(before.as_deref().and_then(label), false);
                self.count_revision(label(pod), true);
            }
        }
    }

    fn take_out(&mut self, uid: &Uid) {
        let Some(slot) = self.places.remove(uid) else { return };
        let mut gone = None;
        self.change(slot, |entry| {
            if let Some(at) = entry.pods.iter().position(|pod| pod.meta.uid == *uid) {
                gone = Some(entry.pods.remove(at));
            }
        });
        let label = gone.and_then(|pod| pod.meta.labels.get(POD_REVISION_LABEL).map(Arc::<str>::from));
        self.count_revision(label, false);
    }

    fn count_revision(&mut self, label: Option<Arc<str>>, comes: bool) {
        let Some(label) = label.filter(|label| !label.is_empty()) else { return };
        let count = self.revisions.entry(Arc::clone(&label)).or_insert(0);
        *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.revisions.remove(&label);
        }
    }

    fn slot(&mut self, name: &Arc<str>) -> Slot {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = Slot::try_from(self.entries.len()).unwrap_or(Slot::MAX);
        let (node, eligible, judgement) = (None, None, Judgement::default());
        let (name, pods) = (Arc::clone(name), Vec::new());
        self.slots.insert(Arc::clone(&name), slot);
        self.entries.push(Entry { name, node, eligible, pods, judgement, is_marked: false });
        self.idle += 1;
        slot
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        let idle = |entry: &Entry| entry.node.is_none() && entry.pods.is_empty();
        let was_idle = idle(entry);
        change(entry);
        self.idle = self.idle + usize::from(idle(entry)) - usize::from(was_idle);
        if !std::mem::replace(&mut entry.is_marked, true) {
            self.marked.push(slot);
        }
    }

    // ---- judgement ----

    /// Judges anew what changed, or may have changed by the passing of time, or all of it if the DaemonSet did.
    pub(super) fn refresh(&mut self, template: &Arc<PodTemplate>, basis: &Basis, now: WallTime) {
        self.place(template);
        if self.basis.as_ref() != Some(basis) {
            self.mark_all();
        }
        while let Some((_, slot)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.alarms.pop_first();
            self.change(slot, |_| {});
        }
        for slot in std::mem::take(&mut self.marked) {
            self.judge(slot, basis, now);
        }
        self.basis = Some(basis.clone());
    }

    /// Finds out which nodes are eligible if the template is another one.
    fn place(&mut self, template: &Arc<PodTemplate>) {
        let known = self.placement.template();
        if Arc::ptr_eq(known, template) {
            return;
        }
        self.placement = Placement::new(template);
        for entry in &mut self.entries {
            entry.eligible = entry.node.as_ref().map(|node| self.placement.on(node));
        }
        self.mark_all();
    }

    fn mark_all(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.is_marked = true);
        self.marked = (0..self.entries.len() as Slot).collect();
    }

    fn judge(&mut self, slot: Slot, basis: &Basis, now: WallTime) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        entry.is_marked = false;
        let new = judge(basis, entry.eligible, &entry.pods, now);
        let old = std::mem::replace(&mut entry.judgement, new);
        if old == new {
            return;
        }
        self.tally.exchange(old.tally, new.tally);
        if old.next != new.next {
            old.next.map(|at| self.alarms.remove(&(at, slot)));
            new.next.map(|at| self.alarms.insert((at, slot)));
        }
        let follow = |progress: Progress| (old.progress == progress, new.progress == progress);
        for (list, (was_in, is_in)) in [
            (&mut self.needing, (old.needs_pod, new.needs_pod)),
            (&mut self.untidy, (old.needs_attention, new.needs_attention)),
            (&mut self.old_down, follow(Progress::OldDown)),
            (&mut self.old_up, follow(Progress::OldUp)),
            (&mut self.old_up_elsewhere, follow(Progress::OldUpElsewhere)),
            (&mut self.replaced, follow(Progress::Replaced)),
        ] {
            if was_in && !is_in {
                list.remove(&slot);
            } else if is_in && !was_in {
                list.insert(slot);
            }
        }
    }

    // ---- questions ----

    /// Sums over all nodes, as of the last refresh.
    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Nodes with only an old pod that is available, in order.
    pub(super) fn all_old_up(&self, most: usize) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.old_up.iter().take(most).copied().collect();
        slots.extend(self.old_up_elsewhere.iter().take(most));
        slots.sort_unstable();
        slots.truncate(most);
        slots
    }

    /// A node.
    pub(super) fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)
    }

    /// A node by name.
    pub(super) fn entry_of(&self, name: &str) -> Option<&Entry> {
        self.entry(*self.slots.get(name)?)
    }

    /// Whether the DaemonSet belongs on such a node.
    pub(super) fn eligibility(&self, node: &Node) -> Eligibility {
        self.placement.on(node)
    }

    /// Pods that are to be released.
    pub(super) fn strays(&self) -> &[Arc<Pod>] {
        &self.strays
    }

    /// Whether a pod carries that revision label.
    pub(super) fn lives(&self, revision: &str) -> bool {
        self.revisions.contains_key(revision)
    }

    /// Makes the pods of the DaemonSet's newest revision. As long as that does not change they share labels and spec.
    pub(super) fn factory(&mut self, set: &DaemonSet, hash: &Arc<str>) -> Result<PodFactory, String> {
        let basis = Basis::of(set, hash);
        let known = self.factory.as_ref().filter(|(template, for_basis, _)| {
            Arc::ptr_eq(template, &set.spec.template) && for_basis.makes_the_pods_of(&basis)
        });
        if let Some((_, _, factory)) = known {
            return Ok(factory.clone());
        }
        let factory = template::factory(set, hash)?;
        self.factory = Some((Arc::clone(&set.spec.template), basis, factory.clone()));
        Ok(factory)
    }
}

impl Entry {
    /// The one pod of the node that is not being deleted and is not of the newest template, where there is just one.
    pub(super) fn old_pod(&self, basis: &Basis) -> Option<&Arc<Pod>> {
        self.pods.iter().find(|pod| !pod.meta.is_deleting() && !basis.is_updated(pod))
    }
}
