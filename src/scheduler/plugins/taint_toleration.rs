//! Keeps pods off nodes with taints that they do not tolerate.

use crate::objects::{Node, Pod, Taint, Text, Toleration};
use crate::scheduler::cache::{NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin};

#[derive(Debug)]
pub(super) struct TaintToleration;

/// Whether one of the tolerations bears a taint.
pub(super) fn tolerates(tolerations: &[Toleration], key: &str, value: &str, effect: &str) -> bool {
    tolerations.iter().any(|toleration| toleration.bears(key, value, effect))
}

fn keeps_off(pod: &Pod, taint: &Taint) -> bool {
    matches!(&*taint.effect, "NoSchedule" | "NoExecute") && !bears(pod, taint)
}

fn bears(pod: &Pod, taint: &Taint) -> bool {
    tolerates(&pod.spec.tolerations, &taint.key, &taint.value, &taint.effect)
}

/// Whether a taint of the node forbids the pod.
pub(super) fn is_kept_off(pod: &Pod, node: &Node) -> bool {
    node.spec.taints.iter().any(|taint| keeps_off(pod, taint))
}

impl Plugin for TaintToleration {
    type State = ();

    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn events(&self) -> Actions {
        Actions::NODE_ADD | Actions::NODE_TAINT | Actions::POD_TOLERATION
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let queue = match event.subject {
            Subject::Pod(_, Some(changed)) => changed.meta.uid == pod.meta.uid,
            Subject::Node(old, Some(node)) => old.is_none_or(|old| is_kept_off(pod, old)) && !is_kept_off(pod, node),
            _ => false,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn filter(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> Code {
        let refused = node.is_tainted() && is_kept_off(cycle.pod, node.node());
        if refused { Code::UnschedulableAndUnresolvable } else { Code::Success }
    }

    fn reasons(&self, _: &Cycle<'_>, (): &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) had untolerated taint(s)".into());
    }

    fn score(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> i64 {
        if !node.is_preferred_against() {
            return 0;
        }
        let taints = node.node().spec.taints.iter();
        taints.filter(|taint| taint.effect == "PreferNoSchedule" && !bears(cycle.pod, taint)).map(|_| 1).sum()
    }

    fn normalize(&self, _: &Cycle<'_>, (): &(), _: &[NodeId], scores: &mut [i64]) {
        super::normalize(scores, true);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scheduler::testing::{Bench, node, pod};

    #[test]
    fn only_taints_that_forbid_keep_a_pod_off() {
        let taints = |effect: &str| json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": effect}]}});
        let mut bench = Bench::default();
        bench.add(node("a", taints("NoSchedule")));
        bench.add(node("b", taints("NoExecute")));
        let message = bench.failure(&pod("p", json!({})));
        assert!(message.starts_with("0/2 nodes are available: 2 node(s) had untolerated taint(s)."), "{message}");
        for toleration in [
            json!({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}),
            json!({"key": "k", "operator": "Exists", "effect": "NoSchedule"}),
        ] {
            assert_eq!(bench.placed(&pod("p", json!({"tolerations": [toleration]}))), "a");
        }
        bench.add(node("c", taints("PreferNoSchedule")));
        assert_eq!(bench.placed(&pod("p", json!({}))), "c");
    }

    #[test]
    fn nodes_with_fewer_unwelcome_taints_get_more_points() {
        let taint = |key: &str| json!({"key": key, "effect": "PreferNoSchedule"});
        let mut bench = Bench::default();
        bench.add(node("a", json!({})));
        bench.add(node("b", json!({"spec": {"taints": [taint("x")]}})));
        bench.add(node("c", json!({"spec": {"taints": [taint("x"), taint("y")]}})));
        assert_eq!(bench.scores("TaintToleration", &pod("p", json!({}))), [100, 50, 0]);
    }
}
