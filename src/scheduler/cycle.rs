//! One scheduling cycle (upstream `schedule_one.go`): filter the nodes, score those that are left, choose.

mod explain;
mod known;
mod nominated;

use std::sync::Arc;

use crate::api::{Request, View};
use crate::kernel::{Purpose, Streams};
use crate::objects::{Pod, Resource, Resources, WallTime};

use super::cache::{Cache, CpuMemory, NodeId, Nominating};
use super::decision::Placement;
use super::framework::{Code, PluginSet, PreFilter, PreScore, Refusal, Registry};
use super::message::{self, Histogram};
use super::preemption::{self, Candidate};

pub use explain::{Explanation, Verdict};
use known::{Answers, Known};
pub(super) use nominated::{Reasons, check};

/// What plugins may know in one cycle.
#[derive(Clone, Copy, Debug)]
pub struct Cycle<'a> {
    /// The pod that looks for a node.
    pub pod: &'a Pod,
    /// The scheduler's informer cache.
    pub view: &'a View,
    /// Nodes and what they carry.
    pub cache: &'a Cache,
    /// What the pod's containers request, with a default for those that do not say.
    pub non_zero_requests: CpuMemory,
}

impl<'a> Cycle<'a> {
    pub(super) fn new(pod: &'a Pod, view: &'a View, cache: &'a Cache) -> Self {
        Self { pod, view, cache, non_zero_requests: CpuMemory::scored_of(&pod.spec) }
    }

    /// What the pod requests.
    #[must_use]
    pub fn requests(&self) -> &'a Resources {
        &self.pod.spec.requests
    }
}

/// Why no node was found.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Plugins whose events wake the pod; none if it was no plugin's doing.
    pub(super) rejected_by: PluginSet,
    /// What becomes of an earlier nomination of the pod.
    pub(super) nominating: Nominating,
    /// Whom to displace for the pod.
    pub(super) displaces: Option<Candidate>,
}

/// Runs cycles; remembers where the next one starts, and keeps buffers.
#[derive(Clone, Debug, Default)]
pub(super) struct Runner {
    next_start: usize,
    filtering: Vec<u8>,
    /// What is known of nodes, and of it what is true for the pod of this cycle.
    known: Known,
    window: Vec<NodeId>,
    feasible: Vec<NodeId>,
    refused: Vec<Refusal>,
    /// Why nodes refuse that would not if no other pods waited for them.
    told: Vec<(NodeId, Reasons)>,
    scores: Vec<i64>,
    /// Weighted scores of all feasible nodes, plugin by plugin.
    by_plugin: Vec<i64>,
    scored_by: Vec<u8>,
    totals: Vec<i64>,
    heap: Vec<(i64, NodeId)>,
    /// Decides in which order nodes that will do are found; none: that of the node tree.
    shuffling: Option<Streams>,
    now: WallTime,
}

const NODE_ORDER: Purpose = Purpose::new(0x5ea_0010);

/// What the plugins made of the pod before any node.
enum Prepared {
    All,
    Only(Vec<NodeId>, PluginSet, String),
    Rejected(Code, String, PluginSet),
}

impl Runner {
    /// Lets a seed decide in which order nodes that will do are found.
    pub(super) const fn shuffle_by(&mut self, seed: u64) {
        self.shuffling = Some(Streams::new(seed));
    }

    /// Finds a node for the pod, at that instant.
    pub(super) fn run_at(
        &mut self,
        registry: &mut Registry,
        cycle: &Cycle<'_>,
        now: WallTime,
    ) -> Result<NodeId, Failure> {
        self.now = now;
        self.run(registry, cycle)
    }

    /// Finds a node for the pod.
    pub(super) fn run(&mut self, registry: &mut Registry, cycle: &Cycle<'_>) -> Result<NodeId, Failure> {
        let all = cycle.cache.order().len();
        if all == 0 {
            let message = "no nodes available to schedule pods".to_owned();
            let nominating = Nominating::To("".into());
            return Err(Failure { message, rejected_by: PluginSet::default(), nominating, displaces: None });
        }
        self.refused.clear();
        match self.pre_filter(registry, cycle) {
            Prepared::All => self.find(registry, cycle, cycle.cache.order(), None),
            Prepared::Only(nodes, by, reason) => self.find(registry, cycle, &nodes, Some((by, reason))),
            Prepared::Rejected(code, reason, by) => Err(self.turn_away(registry, cycle, code, &reason, by)),
        }
    }

    /// What the plugins want written before the pod is bound to the node that [`Self::run`] found.
    pub(super) fn pre_bind(&self, registry: &Registry, cycle: &Cycle<'_>, node: NodeId) -> Vec<Request> {
        let slots = self.filtering.iter().map(|plugin| registry.slot(*plugin));
        slots.flat_map(|slot| slot.pre_bind(cycle, cycle.cache.node(node))).collect()
    }

    fn find(
        &mut self,
        registry: &mut Registry,
        cycle: &Cycle<'_>,
        nodes: &[NodeId],
        excluded: Option<(PluginSet, String)>,
    ) -> Result<NodeId, Failure> {
        let all = cycle.cache.order().len();
        let mut answers = self.known.take(registry, cycle.pod, cycle.cache, &self.filtering);
        if !self.filter_nominated(registry, cycle, answers.as_mut()) {
            let scoring = registry.plugins().any(|(_, weight)| weight > 0);
            let wanted = if scoring { feasible_nodes_to_find(nodes.len()) } else { 1 };
            self.filter(registry, cycle, nodes, wanted, answers.as_mut());
            self.next_start = (self.next_start + self.feasible.len() + self.refused.len()) % all;
        }
        self.shuffle(cycle);
        let found = match *self.feasible.as_slice() {
            [] => Err(self.failure(registry, cycle, excluded)),
            [only] => Ok(only),
            _ => Ok(self.choose(registry, cycle, answers.as_ref())),
        };
        answers.into_iter().for_each(|answers| self.known.give_back(answers));
        found
    }

    fn shuffle(&mut self, cycle: &Cycle<'_>) {
        let Some(streams) = self.shuffling.filter(|_| self.feasible.len() > 1) else { return };
        let entity = format!("{}@{}", cycle.pod.key(), self.now.as_unix_nanos());
        streams.stream(NODE_ORDER, &entity).shuffle(&mut self.feasible);
    }

    fn pre_filter(&mut self, registry: &mut Registry, cycle: &Cycle<'_>) -> Prepared {
        self.filtering.clear();
        let mut only: Option<Vec<Arc<str>>> = None;
        let (mut limited_by, mut names, mut rejected) = (PluginSet::default(), Vec::new(), None);
        for (at, slot) in registry.slots_mut() {
            match slot.pre_filter(cycle) {
                PreFilter::Skip => {}
                PreFilter::Filter => self.filtering.push(at),
                PreFilter::Reject(code, reason) => {
                    let mut by = PluginSet::default();
                    by.insert(at);
                    let unresolvable = code == Code::UnschedulableAndUnresolvable;
                    rejected = Some(Prepared::Rejected(code, reason.to_string(), by));
                    if unresolvable {
                        break;
                    }
                }
                PreFilter::Only(nodes) => {
                    self.filtering.push(at);
                    limited_by.insert(at);
                    names.push(slot.name());
                    match &mut only {
                        None => only = Some(nodes),
                        Some(common) => common.retain(|name| nodes.contains(name)),
                    }
                    if only.as_ref().is_some_and(Vec::is_empty) {
                        let code = Code::UnschedulableAndUnresolvable;
                        return Prepared::Rejected(code, unsatisfied(&mut names), limited_by);
                    }
                }
            }
        }
        if let Some(rejected) = rejected {
            return rejected;
        }
        let Some(only) = only else { return Prepared::All };
        names.sort_unstable();
        let reason = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
        Prepared::Only(in_order(cycle.cache, &only), limited_by, reason)
    }

    /// The node that preemption made room on is tried first, and alone.
    fn filter_nominated(&mut self, registry: &mut Registry, cycle: &Cycle<'_>, answers: Option<&mut Answers>) -> bool {
        self.feasible.clear();
        let nominated = &cycle.pod.status.nominated_node_name;
        if nominated.is_empty() {
            return false;
        }
        let Some(id) = cycle.cache.id(nominated) else { return false };
        self.filter(registry, cycle, &[id], 1, answers);
        if self.feasible.is_empty() {
            self.refused.clear();
        }
        !self.feasible.is_empty()
    }

    /// Fills `feasible` with up to `wanted` nodes in order, beginning at `next_start`, and `refused` with the others
    /// that were looked at.
    fn filter(
        &mut self,
        registry: &mut Registry,
        cycle: &Cycle<'_>,
        nodes: &[NodeId],
        wanted: usize,
        mut answers: Option<&mut Answers>,
    ) {
        self.feasible.clear();
        self.told.clear();
        let mut seen = 0;
        while seen < nodes.len() && self.feasible.len() < wanted {
            // No more nodes than may still be needed: so the scan ends where one node at a time would have ended.
            let until = nodes.len().min(seen + wanted - self.feasible.len());
            self.window.clear();
            let start = self.next_start % nodes.len();
            let turned = |from: usize, to: usize| nodes.get(from..to.min(nodes.len())).unwrap_or_default();
            self.window.extend_from_slice(turned(start + seen, start + until));
            let behind = (start + seen).saturating_sub(nodes.len());
            self.window.extend_from_slice(turned(behind, (start + until).saturating_sub(nodes.len())));
            if nominated::any_is_kept(cycle, &self.window) {
                self.filter_kept(registry, cycle);
            }
            let answered = answers.as_deref_mut().map_or(0, |answers| {
                answers.filter_all(registry, cycle, &mut self.window, &mut self.refused);
                answers.filters()
            });
            for &plugin in &self.filtering[answered..] {
                if self.window.is_empty() {
                    break;
                }
                registry.slot(plugin).filter_all(cycle, &mut self.window, &mut self.refused, plugin);
            }
            self.feasible.extend_from_slice(&self.window);
            seen = until;
        }
    }

    /// Drops the nodes of the window that will not do with the pods that they are kept for.
    fn filter_kept(&mut self, registry: &mut Registry, cycle: &Cycle<'_>) {
        let Self { window, filtering, refused, told, .. } = self;
        window.retain(|id| match check(registry, cycle, filtering, cycle.cache.node(*id)) {
            Ok(()) => true,
            Err((refusal, reasons)) => {
                refused.push(refusal);
                told.push((*id, reasons));
                false
            }
        });
    }

    /// Why a node refuses.
    fn reasons(&self, registry: &Registry, cycle: &Cycle<'_>, refusal: Refusal) -> Reasons {
        if let Some((_, reasons)) = self.told.iter().find(|(node, _)| *node == refusal.node) {
            return reasons.clone();
        }
        let mut reasons = Vec::new();
        let node = cycle.cache.node(refusal.node);
        registry.slot(refusal.plugin).reasons(cycle, node, &mut |reason| reasons.push(reason));
        reasons
    }

    fn choose(&mut self, registry: &mut Registry, cycle: &Cycle<'_>, answers: Option<&Answers>) -> NodeId {
        self.score(registry, cycle, answers);
        self.heap.clear();
        self.heap.extend(self.totals.iter().copied().zip(self.feasible.iter().copied()));
        heap_root(&mut self.heap)
    }

    fn score(&mut self, registry: &mut Registry, cycle: &Cycle<'_>, answers: Option<&Answers>) {
        self.totals.clear();
        self.totals.resize(self.feasible.len(), 0);
        self.by_plugin.clear();
        self.scored_by.clear();
        let mut scored = false;
        for (plugin, slot) in registry.slots_mut() {
            let weight = i64::from(slot.weight());
            if weight == 0 {
                continue;
            }
            scored = true;
            if slot.pre_score(cycle, &self.feasible) == PreScore::Skip {
                continue;
            }
            if answers.is_some_and(|answers| answers.points(plugin, &self.feasible, &mut self.scores)) {
                slot.normalize(cycle, &self.feasible, &mut self.scores);
            } else {
                slot.score_all(cycle, &self.feasible, &mut self.scores);
            }
            self.scored_by.push(plugin);
            self.scores.iter_mut().for_each(|score| *score = score.saturating_mul(weight));
            self.by_plugin.extend_from_slice(&self.scores);
            for (total, score) in self.totals.iter_mut().zip(&self.scores) {
                *total = total.saturating_add(*score);
            }
        }
        if !scored {
            self.totals.fill(1);
        }
    }

    /// Why the last cycle chose the node that it chose.
    pub(super) fn placement(&self, registry: &Registry, cache: &Cache, node: NodeId) -> Placement {
        let name = |node: NodeId| cache.node(node).name().clone();
        let mut placement = Placement {
            node: name(node),
            feasible: self.feasible.len(),
            scores: Vec::new(),
            total: 0,
            runner_up: None,
        };
        let at = self.feasible.iter().position(|feasible| *feasible == node);
        let Some(at) = at.filter(|_| self.feasible.len() > 1) else { return placement };
        let rows = self.scored_by.iter().zip(self.by_plugin.chunks(self.feasible.len()));
        placement.scores = rows.map(|(plugin, row)| (registry.slot(*plugin).name(), row[at])).collect();
        placement.total = self.totals[at];
        let others = self.feasible.iter().zip(&self.totals).filter(|(other, _)| **other != node);
        let best = others.rev().max_by_key(|(_, total)| **total);
        placement.runner_up = best.map(|(node, total)| (name(*node), *total));
        placement
    }

    fn turn_away(
        &mut self,
        registry: &mut Registry,
        cycle: &Cycle<'_>,
        code: Code,
        reason: &str,
        rejected_by: PluginSet,
    ) -> Failure {
        let all = cycle.cache.order();
        let tail = if code == Code::UnschedulableAndUnresolvable {
            preemption::unprepared(registry)
        } else {
            self.refused.extend(all.iter().map(|&node| Refusal { node, plugin: 0, code }));
            preemption::preempt(registry, cycle, &self.filtering, &self.refused)
        };
        with_tail(message::rejected(all.len(), reason), tail, rejected_by)
    }

    fn failure(&self, registry: &mut Registry, cycle: &Cycle<'_>, excluded: Option<(PluginSet, String)>) -> Failure {
        let all = cycle.cache.order().len();
        let (mut rejected_by, absent) = excluded.unwrap_or_default();
        let mut histogram = Histogram::default();
        for refusal in &self.refused {
            rejected_by.insert(refusal.plugin);
            self.reasons(registry, cycle, *refusal).into_iter().for_each(|reason| histogram.add(reason, 1));
        }
        if !absent.is_empty() {
            histogram.add(absent.into(), all - self.refused.len());
        }
        let tail = preemption::preempt(registry, cycle, &self.filtering, &self.refused);
        with_tail(histogram.message(all), tail, rejected_by)
    }
}

/// The nodes of these names in the order in which they are filtered. For the one node of a daemon pod nothing is searched.
fn in_order(cache: &Cache, names: &[Arc<str>]) -> Vec<NodeId> {
    match names {
        [only] => cache.id(only).into_iter().collect(),
        several => cache.order().iter().filter(|id| several.contains(cache.node(**id).name())).copied().collect(),
    }
}

fn with_tail(mut message: String, tail: preemption::Outcome, rejected_by: PluginSet) -> Failure {
    if !tail.message.is_empty() {
        message.push(' ');
        message.push_str(&tail.message);
    }
    Failure { message, rejected_by, nominating: tail.nominating, displaces: tail.chosen }
}

fn unsatisfied(plugins: &mut [&str]) -> String {
    plugins.sort_unstable();
    match plugins {
        [only] => format!("node(s) didn't satisfy plugin {only}"),
        several => format!("node(s) didn't satisfy plugin(s) [{}] simultaneously", several.join(" ")),
    }
}

/// How many nodes that pass the filters are enough (`numFeasibleNodesToFind`, adaptive).
fn feasible_nodes_to_find(nodes: usize) -> usize {
    const ENOUGH: usize = 100;
    if nodes < ENOUGH {
        return nodes;
    }
    let percentage = 50usize.saturating_sub(nodes / 125).max(5);
    (nodes * percentage / 100).max(ENOUGH)
}

/// The entry that Go's `heap.Init` leaves on top of a max-heap. Of several best ones it is not always the first.
///
/// Of every subtree only the top matters further up, so that it is enough to carry that up.
fn heap_root(entries: &mut [(i64, NodeId)]) -> NodeId {
    let len = entries.len();
    for at in (0..len / 2).rev() {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        let child = if right < len && entries[right].0 > entries[left].0 { right } else { left };
        if entries[child].0 > entries[at].0 {
            entries[at] = entries[child];
        }
    }
    entries[0].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_feasible_nodes_sought_adapts_to_the_cluster() {
        for (nodes, wanted) in [(10, 10), (99, 99), (100, 100), (1000, 420), (5000, 500), (6000, 300)] {
            assert_eq!(feasible_nodes_to_find(nodes), wanted, "{nodes} nodes");
        }
    }

    /// `heap.Init` with all that it does to the other entries.
    fn heap_root_by_sifting(entries: &mut [(i64, NodeId)]) -> NodeId {
        let len = entries.len();
        for start in (0..len / 2).rev() {
            let mut at = start;
            loop {
                let left = 2 * at + 1;
                if left >= len {
                    break;
                }
                let right = left + 1;
                let child = if right < len && entries[right].0 > entries[left].0 { right } else { left };
                if entries[child].0 <= entries[at].0 {
                    break;
                }
                entries.swap(at, child);
                at = child;
            }
        }
        entries[0].1
    }

    #[test]
    fn the_top_of_the_heap_is_that_of_the_whole_heap() {
        let mut stream = crate::kernel::Streams::new(7).stream(NODE_ORDER, "heap");
        for _ in 0..2_000 {
            let entries: Vec<_> =
                (0..=stream.below(40)).map(|id| (stream.below(4) as i64, NodeId(id as u32))).collect();
            assert_eq!(heap_root(&mut entries.clone()), heap_root_by_sifting(&mut entries.clone()), "{entries:?}");
        }
    }

    #[test]
    fn of_equal_nodes_the_heap_decides() {
        let root = |scores: &[i64]| {
            let mut entries: Vec<_> = scores.iter().zip(0..).map(|(score, id)| (*score, NodeId(id))).collect();
            heap_root(&mut entries).0
        };
        assert_eq!(root(&[7, 7, 7, 7]), 0);
        assert_eq!(root(&[1, 7, 7]), 1);
        assert_eq!(root(&[1, 2, 7, 7]), 3, "the last one is sifted up to the left of the third");
        assert_eq!(root(&[1, 2, 3, 7, 7]), 3);
        assert_eq!(root(&[1, 1, 8, 7, 7]), 2);
    }
}
