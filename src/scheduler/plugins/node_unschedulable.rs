//! Keeps pods off cordoned nodes.

use crate::objects::{Pod, Text};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter};

use super::taint_toleration::tolerates;

#[derive(Debug)]
pub(super) struct NodeUnschedulable;

fn is_indifferent(pod: &Pod) -> bool {
    tolerates(&pod.spec.tolerations, "node.kubernetes.io/unschedulable", "", "NoSchedule")
}

impl Plugin for NodeUnschedulable {
    type State = ();

    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn events(&self) -> Actions {
        Actions::NODE_ADD | Actions::NODE_TAINT | Actions::POD_TOLERATION
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let queue = match event.subject {
            Subject::Pod(_, Some(changed)) => changed.meta.uid == pod.meta.uid && is_indifferent(changed),
            Subject::Node(old, Some(node)) => !node.spec.unschedulable && old.is_none_or(|old| old.spec.unschedulable),
            _ => false,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, (): &mut ()) -> PreFilter {
        if is_indifferent(cycle.pod) { PreFilter::Skip } else { PreFilter::Filter }
    }

    fn filter(&self, _: &Cycle<'_>, (): &(), node: &NodeInfo) -> Code {
        if node.is_unschedulable() { Code::UnschedulableAndUnresolvable } else { Code::Success }
    }

    fn reasons(&self, _: &Cycle<'_>, (): &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) were unschedulable".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scheduler::testing::{Bench, node, pod};

    #[test]
    fn a_cordoned_node_gets_no_pod() {
        let mut bench = Bench::default();
        bench.add(node("a", json!({"spec": {"unschedulable": true}})));
        let message = bench.failure(&pod("p", json!({})));
        assert!(message.starts_with("0/1 nodes are available: 1 node(s) were unschedulable."), "{message}");
        assert!(message.ends_with("1 Preemption is not helpful for scheduling."), "{message}");
    }

    #[test]
    fn unless_the_pod_tolerates_it() {
        let mut bench = Bench::default();
        bench.add(node("a", json!({"spec": {"unschedulable": true}})));
        let toleration = json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"});
        assert_eq!(bench.placed(&pod("p", json!({"tolerations": [toleration]}))), "a");
    }
}
