//! Spreads pods over nodes, zones and whatever else labels of nodes say (upstream `plugins/podtopologyspread`): by the
//! constraints of the pod, of which the hard ones refuse nodes (`filter`) and the others give points (`score`). A pod
//! without any gets upstream's default ones, which only give points, if it belongs to a workload (`workload`).

mod filter;
mod hints;
mod per_node;
mod score;
#[cfg(test)]
mod tests;
mod workload;

use crate::objects::{Labels, Pod, Requirement, Selector, Text, TopologySpreadConstraint};
use crate::scheduler::cache::{NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter, PreScore};

use super::{node_affinity, taint_toleration};

#[derive(Debug)]
pub(super) struct PodTopologySpread;

/// What is counted in one cycle, and what is remembered from cycle to cycle.
#[derive(Debug, Default)]
pub(super) struct State {
    pods: per_node::PodsPerNode,
    hard: filter::Hard,
    soft: score::Soft,
}

/// Which pods a constraint counts: what its selector finds and, with `matchLabelKeys`, has the pod's values there.
fn selector(constraint: &TopologySpreadConstraint, labels: &Labels) -> Selector {
    let own = |key: &std::sync::Arc<str>| Some(Requirement::equality(key.clone(), labels.get(key)?));
    let more: Vec<Requirement> = constraint.match_label_keys.iter().filter_map(own).collect();
    if more.is_empty() || constraint.selector.matches_nothing() {
        return constraint.selector.clone();
    }
    Selector::from_requirements(more.into_iter().chain(constraint.selector.requirements().iter().cloned()).collect())
}

/// Whether the pods of a node count, by the policies of the constraint.
fn counts(constraint: &TopologySpreadConstraint, pod: &Pod, node: &NodeInfo) -> bool {
    (!constraint.honors_node_affinity || accepts(pod, node))
        && (!constraint.honors_taints || !node.is_tainted() || !taint_toleration::is_kept_off(pod, node.node()))
}

/// Whether the node is what the pod's node selector and required node affinity ask for.
fn accepts(pod: &Pod, node: &NodeInfo) -> bool {
    let spec = &pod.spec;
    let asks = !spec.node_selector.is_empty() || !pod.pinned_to.is_empty() || spec.affinity.node_affinity.is_some();
    !asks || node_affinity::matches(pod, node.name(), &node.node().meta.labels)
}

impl Plugin for PodTopologySpread {
    type State = State;

    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn events(&self) -> Actions {
        Actions::POD_ADD
            | Actions::POD_LABEL
            | Actions::POD_TOLERATION
            | Actions::POD_DELETE
            | Actions::NODE_ADD
            | Actions::NODE_DELETE
            | Actions::NODE_LABEL
            | Actions::NODE_TAINT
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        hints::hint(pod, event)
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, state: &mut State) -> PreFilter {
        if !cycle.pod.spec.topology_spread_constraints.iter().any(|constraint| constraint.is_hard) {
            return PreFilter::Skip;
        }
        state.hard.count(cycle, &mut state.pods);
        PreFilter::Filter
    }

    fn filter(&self, cycle: &Cycle<'_>, state: &State, node: &NodeInfo) -> Code {
        state.hard.check(cycle, node)
    }

    fn reasons(&self, cycle: &Cycle<'_>, state: &State, node: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say(match state.hard.check(cycle, node) {
            Code::Success => return,
            Code::Unschedulable => "node(s) didn't match pod topology spread constraints".into(),
            Code::UnschedulableAndUnresolvable => {
                "node(s) didn't match pod topology spread constraints (missing required label)".into()
            }
        });
    }

    fn add_pod(&self, cycle: &Cycle<'_>, state: &mut State, pod: &Pod, node: &NodeInfo) {
        state.hard.update(cycle, pod, node, 1);
    }

    fn remove_pod(&self, cycle: &Cycle<'_>, state: &mut State, pod: &Pod, node: &NodeInfo) {
        state.hard.update(cycle, pod, node, -1);
    }

    fn pre_score(&self, cycle: &Cycle<'_>, state: &mut State, nodes: &[NodeId]) -> PreScore {
        if state.soft.count(cycle, &mut state.pods, nodes) { PreScore::Score } else { PreScore::Skip }
    }

    fn score(&self, cycle: &Cycle<'_>, state: &State, node: &NodeInfo) -> i64 {
        state.soft.score(cycle, node)
    }

    fn normalize(&self, _: &Cycle<'_>, state: &State, nodes: &[NodeId], scores: &mut [i64]) {
        state.soft.normalize(nodes, scores);
    }
}
