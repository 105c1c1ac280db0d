//! Honours `spec.nodeSelector` and `spec.affinity.nodeAffinity`.

use std::sync::Arc;

use crate::objects::{Labels, NodeSelector, NodeSelectorTerm, Pod, Text};
use crate::scheduler::cache::{NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter, PreScore};

#[derive(Debug)]
pub(super) struct NodeAffinity;

fn required(pod: &Pod) -> Option<&NodeSelector> {
    pod.spec.affinity.node_affinity.as_ref()?.required.as_ref()
}

/// Whether a node has what the pod asks of it (upstream `nodeaffinity.GetRequiredNodeAffinity`).
pub(super) fn matches(pod: &Pod, name: &str, labels: &Labels) -> bool {
    pod.accepts_node(name, labels)
}

/// Names of the only nodes that can match, if the terms name any.
fn named_nodes(selector: &NodeSelector) -> Option<Vec<Arc<str>>> {
    let mut all = Vec::new();
    for term in &selector.node_selector_terms {
        let names = named_by(term)?;
        all.extend(names.into_iter().filter(|name| !all.contains(name)).collect::<Vec<_>>());
    }
    (!selector.node_selector_terms.is_empty()).then_some(all)
}

fn named_by(term: &NodeSelectorTerm) -> Option<Vec<Arc<str>>> {
    let named = term.match_fields.iter().filter(|r| &*r.key == "metadata.name" && &*r.operator == "In");
    named.map(|r| r.values.clone()).reduce(|mut common, other| {
        common.retain(|name| other.contains(name));
        common
    })
}

impl Plugin for NodeAffinity {
    type State = ();

    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn events(&self) -> Actions {
        Actions::NODE_ADD | Actions::NODE_LABEL
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let Subject::Node(old, Some(node)) = event.subject else { return Hint::Skip };
        let is_match = matches(pod, &node.meta.name, &node.meta.labels);
        let was_match = old.is_some_and(|old| matches(pod, &old.meta.name, &old.meta.labels));
        if is_match && !was_match { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, (): &mut ()) -> PreFilter {
        if !cycle.pod.pinned_to.is_empty() {
            return PreFilter::Only(vec![cycle.pod.pinned_to.clone()]);
        }
        match required(cycle.pod) {
            None if cycle.pod.spec.node_selector.is_empty() => PreFilter::Skip,
            None => PreFilter::Filter,
            Some(selector) => match named_nodes(selector) {
                None => PreFilter::Filter,
                Some(names) if names.is_empty() => {
                    let reason = "pod affinity terms conflict".into();
                    PreFilter::Reject(Code::UnschedulableAndUnresolvable, reason)
                }
                Some(names) => PreFilter::Only(names),
            },
        }
    }

    fn filter(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> Code {
        if matches(cycle.pod, node.name(), &node.node().meta.labels) {
            Code::Success
        } else {
            Code::UnschedulableAndUnresolvable
        }
    }

    fn reasons(&self, _: &Cycle<'_>, (): &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) didn't match Pod's node affinity/selector".into());
    }

    fn pre_score(&self, cycle: &Cycle<'_>, (): &mut (), _: &[NodeId]) -> PreScore {
        let affinity = cycle.pod.spec.affinity.node_affinity.as_ref();
        let has_terms = affinity.is_some_and(|affinity| !affinity.preferred.is_empty());
        if has_terms { PreScore::Score } else { PreScore::Skip }
    }

    fn score(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> i64 {
        let affinity = cycle.pod.spec.affinity.node_affinity.as_ref();
        let terms = affinity.into_iter().flat_map(|affinity| &affinity.preferred);
        let labels = &node.node().meta.labels;
        terms.filter(|term| term.preference.matches(node.name(), labels)).map(|term| i64::from(term.weight)).sum()
    }

    fn normalize(&self, _: &Cycle<'_>, (): &(), _: &[NodeId], scores: &mut [i64]) {
        super::normalize(scores, false);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scheduler::testing::{Bench, labelled, node, pod};

    fn bench() -> Bench {
        let mut bench = Bench::default();
        bench.add(labelled("a", &[("disk", "hdd")]));
        bench.add(labelled("b", &[("disk", "ssd")]));
        bench
    }

    fn required(terms: serde_json::Value) -> serde_json::Value {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": terms}}}})
    }

    #[test]
    fn the_node_selector_must_match() {
        assert_eq!(bench().placed(&pod("p", json!({"nodeSelector": {"disk": "ssd"}}))), "b");
        let message = bench().failure(&pod("p", json!({"nodeSelector": {"disk": "tape"}})));
        let reason = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        assert!(message.starts_with(reason), "{message}");
    }

    #[test]
    fn one_required_term_must_match() {
        let terms = json!([
            {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["tape"]}]},
            {"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["hdd"]}]},
        ]);
        assert_eq!(bench().placed(&pod("p", required(terms))), "b");
    }

    #[test]
    fn named_nodes_are_the_only_ones_looked_at() {
        let name = |name: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
        assert_eq!(bench().placed(&pod("p", required(json!([name("b")])))), "b");
        let message = bench().failure(&pod("p", required(json!([name("gone")]))));
        let reason = "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity].";
        assert!(message.starts_with(reason), "{message}");
        let both = json!([{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": ["a"]},
            {"key": "metadata.name", "operator": "In", "values": ["b"]},
        ]}]);
        let message = bench().failure(&pod("p", required(both)));
        assert_eq!(message, "0/2 nodes are available: pod affinity terms conflict. not found");
    }

    #[test]
    fn preferred_terms_give_points_in_proportion() {
        let term = |weight: i32, disk: &str| {
            let expression = json!({"key": "disk", "operator": "In", "values": [disk]});
            json!({"weight": weight, "preference": {"matchExpressions": [expression]}})
        };
        let mut bench = bench();
        bench.add(node("c", json!({})));
        let affinity = json!({"preferredDuringSchedulingIgnoredDuringExecution": [term(3, "hdd"), term(4, "ssd")]});
        let pod = pod("p", json!({"affinity": {"nodeAffinity": affinity}}));
        assert_eq!(bench.scores("NodeAffinity", &pod), [75, 100, 0]);
    }
}
