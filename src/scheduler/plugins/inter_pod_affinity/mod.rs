//! Honours affinity and anti-affinity between pods (upstream `plugins/interpodaffinity`): what the pod says of those that
//! are there (`filtering.go`), what they say of it, and the points that both give (`scoring.go`).
//!
//! Pods with equal labels are looked at once, and pods that say the same about others too: the work grows with their number
//! and with the nodes that they are on, not with the pods.

mod counts;
mod found;
mod hints;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::objects::{Key, Labels, Pod, PodAffinity, PodAffinityTerm, Text};
use crate::scheduler::cache::{NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter, PreScore};

use counts::Counts;
use found::Found;

#[derive(Debug)]
pub(super) struct InterPodAffinity;

/// Points that a required affinity term of a pod on a node gives, as if it were preferred (`hardPodAffinityWeight`).
const HARD_WEIGHT: i64 = 1;

/// What is counted in one cycle, and what is remembered from cycle to cycle.
#[derive(Debug, Default)]
pub(super) struct State {
    found: Found,
    /// Labels of the pod's namespace.
    namespace_labels: Labels,
    /// Pods whose anti-affinity is about the incoming pod.
    against: Counts,
    /// Pods that all its affinity terms find.
    wanted: Counts,
    /// Pods that its anti-affinity terms find.
    shunned: Counts,
    points: Counts,
}

/// Why a node will not do.
enum Refused {
    Affinity,
    AntiAffinity,
    Existing,
}

fn affinity(pod: &Pod) -> Option<&Arc<PodAffinity>> {
    pod.spec.affinity.pod_affinity.as_ref()
}

fn anti_affinity(pod: &Pod) -> Option<&Arc<PodAffinity>> {
    pod.spec.affinity.pod_anti_affinity.as_ref()
}

fn required(terms: Option<&Arc<PodAffinity>>) -> &[PodAffinityTerm] {
    terms.map_or(&[], |terms| &terms.required)
}

/// Whether a term of a pod in the namespace `own` is about another pod.
fn is_about(term: &PodAffinityTerm, own: &str, pod: &Pod, namespace_labels: &Labels) -> bool {
    term.matches(own, &pod.meta.namespace, &pod.meta.labels, || Some(namespace_labels))
}

/// Whether there are terms and all are about the pod.
fn all_are_about(terms: &[PodAffinityTerm], own: &str, pod: &Pod, namespace_labels: &Labels) -> bool {
    !terms.is_empty() && terms.iter().all(|term| is_about(term, own, pod, namespace_labels))
}

fn labels_of_namespace(cycle: &Cycle<'_>, namespace: &Arc<str>) -> Labels {
    let found = cycle.view.namespaces.get(&Key::new("", namespace.clone()));
    found.map(|found| found.meta.labels.clone()).unwrap_or_default()
}

impl State {
    fn count_against(&mut self, cycle: &Cycle<'_>) {
        self.against.clear();
        let topologies = cycle.cache.topologies();
        for (terms, per_node) in cycle.cache.affinities().iter() {
            for term in required(terms.anti_affinity.as_ref()) {
                if is_about(term, &terms.namespace, cycle.pod, &self.namespace_labels)
                    && let Some(topology) = topologies.find(&term.topology_key)
                {
                    let slot = self.against.slot(topologies, topology);
                    for (node, pods) in per_node {
                        self.against.add(topologies, slot, *node, i64::from(*pods));
                    }
                }
            }
        }
    }

    fn count_own(&mut self, cycle: &Cycle<'_>) {
        self.wanted.clear();
        self.shunned.clear();
        if let Some(terms) = affinity(cycle.pod).filter(|terms| !terms.required.is_empty()) {
            let groups = self.found.groups(cycle, terms);
            for term in &terms.required {
                add_groups(&mut self.wanted, cycle, term, &groups.by_all, 1);
            }
        }
        if let Some(terms) = anti_affinity(cycle.pod).filter(|terms| !terms.required.is_empty()) {
            let groups = self.found.groups(cycle, terms);
            for (term, found) in terms.required.iter().zip(&groups.required) {
                add_groups(&mut self.shunned, cycle, term, found, 1);
            }
        }
    }

    /// A pod comes to a node or (`amount` -1) goes.
    fn update(&mut self, cycle: &Cycle<'_>, pod: &Pod, node: NodeId, amount: i64) {
        let own = &cycle.pod.meta.namespace;
        let theirs = labels_of_namespace(cycle, &pod.meta.namespace);
        for term in required(anti_affinity(pod)) {
            if is_about(term, &pod.meta.namespace, cycle.pod, &self.namespace_labels) {
                add_one(&mut self.against, cycle, term, node, amount);
            }
        }
        let terms = required(affinity(cycle.pod));
        if all_are_about(terms, own, pod, &theirs) {
            terms.iter().for_each(|term| add_one(&mut self.wanted, cycle, term, node, amount));
        }
        for term in required(anti_affinity(cycle.pod)) {
            if is_about(term, own, pod, &theirs) {
                add_one(&mut self.shunned, cycle, term, node, amount);
            }
        }
    }

    fn refusal(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Option<Refused> {
        let place = |term: &PodAffinityTerm| {
            let topology = cycle.cache.topologies().find(&term.topology_key)?;
            Some((topology, cycle.cache.topologies().at(topology).place(node.id()))).filter(|(_, place)| *place != 0)
        };
        let terms = required(affinity(cycle.pod));
        let mut there = true;
        for term in terms {
            let Some((topology, place)) = place(term) else { return Some(Refused::Affinity) };
            there &= self.wanted.of(topology, place) > 0;
        }
        // The first of several pods that want each other must be let in.
        let is_first = || {
            self.wanted.is_zero() && all_are_about(terms, &cycle.pod.meta.namespace, cycle.pod, &self.namespace_labels)
        };
        if !there && !is_first() {
            return Some(Refused::Affinity);
        }
        let mut own = required(anti_affinity(cycle.pod)).iter().filter_map(place);
        if own.any(|(topology, place)| self.shunned.of(topology, place) > 0) {
            return Some(Refused::AntiAffinity);
        }
        let mut against = self.against.at(cycle.cache.topologies(), node.id());
        against.any(|pods| pods > 0).then_some(Refused::Existing)
    }

    fn count_points(&mut self, cycle: &Cycle<'_>) {
        self.points.clear();
        for (terms, sign) in [(affinity(cycle.pod), 1), (anti_affinity(cycle.pod), -1)] {
            let Some(terms) = terms.filter(|terms| !terms.preferred.is_empty()) else { continue };
            let groups = self.found.groups(cycle, terms);
            for (weighted, found) in terms.preferred.iter().zip(&groups.preferred) {
                let points = sign * i64::from(weighted.weight);
                add_groups(&mut self.points, cycle, &weighted.pod_affinity_term, found, points);
            }
        }
        for (terms, per_node) in cycle.cache.affinities().iter() {
            let (near, away) = (terms.affinity.as_ref(), terms.anti_affinity.as_ref());
            let hard = required(near).iter().map(|term| (term, HARD_WEIGHT));
            let soft = [(near, 1), (away, -1)].into_iter().flat_map(|(terms, sign)| {
                let preferred = terms.into_iter().flat_map(|terms| &terms.preferred);
                preferred.map(move |weighted| (&weighted.pod_affinity_term, sign * i64::from(weighted.weight)))
            });
            for (term, points) in hard.chain(soft) {
                if is_about(term, &terms.namespace, cycle.pod, &self.namespace_labels) {
                    add_nodes(&mut self.points, cycle, term, per_node, points);
                }
            }
        }
    }
}

/// Adds so much for each pod of the groups, where it is.
fn add_groups(counts: &mut Counts, cycle: &Cycle<'_>, term: &PodAffinityTerm, groups: &[u32], amount: i64) {
    let topologies = cycle.cache.topologies();
    let Some(topology) = topologies.find(&term.topology_key) else { return };
    let slot = counts.slot(topologies, topology);
    for on in groups.iter().flat_map(|id| cycle.cache.groups().group(*id).per_node()) {
        let pods = i64::from(on.live) + i64::from(on.leaving);
        counts.add(topologies, slot, on.node, pods.saturating_mul(amount));
    }
}

fn add_nodes(counts: &mut Counts, cycle: &Cycle<'_>, term: &PodAffinityTerm, nodes: &[(NodeId, u32)], amount: i64) {
    let topologies = cycle.cache.topologies();
    let Some(topology) = topologies.find(&term.topology_key) else { return };
    let slot = counts.slot(topologies, topology);
    for (node, pods) in nodes {
        counts.add(topologies, slot, *node, i64::from(*pods).saturating_mul(amount));
    }
}

fn add_one(counts: &mut Counts, cycle: &Cycle<'_>, term: &PodAffinityTerm, node: NodeId, amount: i64) {
    add_nodes(counts, cycle, term, &[(node, 1)], amount);
}

impl Plugin for InterPodAffinity {
    type State = State;

    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn events(&self) -> Actions {
        Actions::POD_ADD | Actions::POD_LABEL | Actions::POD_DELETE | Actions::NODE_ADD | Actions::NODE_LABEL
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        hints::hint(pod, event)
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, state: &mut State) -> PreFilter {
        state.namespace_labels = labels_of_namespace(cycle, &cycle.pod.meta.namespace);
        let has_terms = !required(affinity(cycle.pod)).is_empty() || !required(anti_affinity(cycle.pod)).is_empty();
        state.count_against(cycle);
        if !has_terms && state.against.is_zero() {
            return PreFilter::Skip;
        }
        state.count_own(cycle);
        PreFilter::Filter
    }

    fn filter(&self, cycle: &Cycle<'_>, state: &State, node: &NodeInfo) -> Code {
        match state.refusal(cycle, node) {
            None => Code::Success,
            Some(Refused::Affinity) => Code::UnschedulableAndUnresolvable,
            Some(Refused::AntiAffinity | Refused::Existing) => Code::Unschedulable,
        }
    }

    fn reasons(&self, cycle: &Cycle<'_>, state: &State, node: &NodeInfo, say: &mut dyn FnMut(Text)) {
        let reason = match state.refusal(cycle, node) {
            None => return,
            Some(Refused::Affinity) => "node(s) didn't match pod affinity rules",
            Some(Refused::AntiAffinity) => "node(s) didn't match pod anti-affinity rules",
            Some(Refused::Existing) => "node(s) didn't satisfy existing pods anti-affinity rules",
        };
        say(reason.into());
    }

    fn add_pod(&self, cycle: &Cycle<'_>, state: &mut State, pod: &Pod, node: &NodeInfo) {
        state.update(cycle, pod, node.id(), 1);
    }

    fn remove_pod(&self, cycle: &Cycle<'_>, state: &mut State, pod: &Pod, node: &NodeInfo) {
        state.update(cycle, pod, node.id(), -1);
    }

    fn pre_score(&self, cycle: &Cycle<'_>, state: &mut State, _: &[NodeId]) -> PreScore {
        state.count_points(cycle);
        if state.points.is_touched() { PreScore::Score } else { PreScore::Skip }
    }

    fn score(&self, cycle: &Cycle<'_>, state: &State, node: &NodeInfo) -> i64 {
        state.points.at(cycle.cache.topologies(), node.id()).fold(0, i64::saturating_add)
    }

    fn normalize(&self, _: &Cycle<'_>, _: &State, _: &[NodeId], scores: &mut [i64]) {
        let max = scores.iter().copied().max().unwrap_or(0);
        let min = scores.iter().copied().min().unwrap_or(0);
        let range = max.saturating_sub(min);
        for score in scores {
            // Upstream's order of operations, of which each is exact or rounded the same everywhere.
            let share = if range > 0 { score.saturating_sub(min) as f64 / range as f64 } else { 0.0 };
            *score = (100.0 * share) as i64;
        }
    }
}
