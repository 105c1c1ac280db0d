//! Keeps pods off nodes whose ports they would need are taken.

use crate::objects::{Pod, Text};
use crate::scheduler::cache::{HostPort, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter};

#[derive(Debug)]
pub(super) struct NodePorts;

fn conflict(wanted: &[HostPort], taken: &[HostPort]) -> bool {
    wanted.iter().any(|port| taken.iter().any(|other| port.conflicts_with(other)))
}

impl Plugin for NodePorts {
    type State = Vec<HostPort>;

    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn events(&self) -> Actions {
        Actions::NODE_ADD | Actions::POD_DELETE
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let Subject::Pod(Some(gone), _) = event.subject else { return Hint::Queue };
        if !gone.is_bound() && gone.status.nominated_node_name.is_empty() {
            return Hint::Skip;
        }
        let (wanted, freed): (Vec<_>, Vec<_>) = (HostPort::of(&pod.spec).collect(), HostPort::of(&gone.spec).collect());
        if conflict(&wanted, &freed) { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, wanted: &mut Vec<HostPort>) -> PreFilter {
        wanted.clear();
        wanted.extend(HostPort::of(&cycle.pod.spec));
        if wanted.is_empty() { PreFilter::Skip } else { PreFilter::Filter }
    }

    fn filter(&self, _: &Cycle<'_>, wanted: &Vec<HostPort>, node: &NodeInfo) -> Code {
        if conflict(wanted, node.ports()) { Code::Unschedulable } else { Code::Success }
    }

    fn reasons(&self, _: &Cycle<'_>, _: &Vec<HostPort>, _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) didn't have free ports for the requested pod ports".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::scheduler::testing::{Bench, node, pod};

    fn with_port(port: Value) -> Value {
        json!({"containers": [{"name": "c", "ports": [port]}]})
    }

    #[test]
    fn a_port_of_a_node_is_given_once_per_address_and_protocol() {
        let mut bench = Bench::default();
        bench.add(node("a", json!({})));
        bench.add_bound("a", &pod("taken", with_port(json!({"hostPort": 80, "hostIP": "10.0.0.1"}))));
        let message = bench.failure(&pod("p", with_port(json!({"hostPort": 80}))));
        let reason = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
        assert!(message.starts_with(reason), "{message}");
        assert!(message.ends_with("1 No preemption victims found for incoming pod."), "{message}");
        for free in [
            json!({"hostPort": 81}),
            json!({"hostPort": 80, "hostIP": "10.0.0.2"}),
            json!({"hostPort": 80, "protocol": "UDP"}),
            json!({"containerPort": 80}),
        ] {
            assert_eq!(bench.placed(&pod("p", with_port(free))), "a");
        }
    }
}
