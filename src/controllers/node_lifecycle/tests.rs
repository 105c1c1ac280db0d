use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::api::{ApiError, Part};
use crate::controllers::test_nodes::Nodes;

fn default_tolerations() -> serde_json::Value {
    json!([
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
    ])
}

const UNKNOWN: &str = "Unknown/NodeStatusUnknown/Kubelet stopped posting node status.";

#[test]
fn a_new_node_is_announced() {
    let mut nodes = Nodes::new();
    nodes.join("n1", "z");
    nodes.run_until(4);
    nodes.join("n2", "z");
    nodes.run_until(9);
    assert_eq!(
        nodes.events,
        [
            "0.0 n1 RegisteredNode Node n1 event: Registered Node n1 in Controller",
            "5.0 n2 RegisteredNode Node n2 event: Registered Node n2 in Controller",
        ]
    );
}

#[test]
fn a_silent_node_is_lost_after_the_grace_period_and_not_before() {
    let mut nodes = Nodes::ready(3);
    nodes.pod("web", "n2", default_tolerations());
    nodes.run_until(5);
    nodes.kill("n2");
    // Its last lease, of t = 0, was seen by the monitor at 0 s: ten runs later it is too old.
    nodes.run_until_millis(49_999);
    assert!(nodes.writes.is_empty() && nodes.events.is_empty(), "{:?}", nodes.writes);
    assert!(nodes.is_ready("web"));

    nodes.run_until_millis(50_050);
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        assert_eq!(nodes.condition("n2", kind), UNKNOWN, "{kind}");
    }
    assert_eq!(nodes.taints("n2"), ["unreachable:NoSchedule"]);
    assert!(!nodes.is_ready("web"));
    assert_eq!(
        nodes.events,
        ["50.0 n2 NodeNotReady Node n2 status is now: NodeNotReady", "50.0 web NodeNotReady Node is not ready"]
    );
    nodes.run_until(51);
    assert_eq!(nodes.taints("n2"), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
    assert!(nodes.node("n2").spec.taints[1].time_added.is_some());
    assert_eq!(nodes.writes, ["50.0 status n2", "50.0 status web", "50.0 update n2", "50.1 update n2"]);
}

#[test]
fn pods_with_the_default_tolerations_leave_a_lost_node_after_five_minutes() {
    let mut nodes = Nodes::ready(3);
    nodes.pod("web", "n2", default_tolerations());
    nodes.pod("elsewhere", "n1", default_tolerations());
    nodes.pod("agent", "n2", json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}]));
    nodes.kill("n2");
    nodes.run_until_millis(350_050);
    assert!(!nodes.is_deleting("web"));
    nodes.run_until_millis(350_150);
    assert!(nodes.is_deleting("web"));
    let pod = nodes.find_pod("web").unwrap();
    let condition = pod.status.conditions.find("DisruptionTarget").unwrap();
    assert_eq!(&*condition.reason, "DeletionByTaintManager");
    assert_eq!(nodes.events.last().unwrap(), "350.1 web TaintManagerEviction Marking for deletion Pod default/web");
    nodes.run_until(4000);
    assert!(!nodes.is_deleting("agent") && !nodes.is_deleting("elsewhere"));
}

#[test]
fn a_node_that_returns_loses_its_taints_and_keeps_its_pods() {
    let mut nodes = Nodes::ready(3);
    nodes.pod("web", "n2", default_tolerations());
    nodes.kill("n2");
    nodes.run_until(102);
    assert_eq!(nodes.taints("n2").len(), 2);
    nodes.forget_past();
    nodes.revive("n2");
    nodes.run_until(103);
    assert_eq!(nodes.taints("n2"), ["unreachable:NoExecute"], "only the monitor takes it back");
    nodes.run_until(106);
    assert!(nodes.taints("n2").is_empty());
    assert_eq!(nodes.events, ["105.0 web TaintManagerEviction Cancelling deletion of Pod default/web"]);
    nodes.run_until(1000);
    assert!(!nodes.is_deleting("web"));
}

#[test]
fn healthy_nodes_cause_no_request_and_hardly_any_sync() {
    let mut nodes = Nodes::ready(100);
    nodes.run_until(3600);
    assert!(nodes.writes.is_empty() && nodes.events.is_empty());
    assert!(nodes.steps < 3600 / 40, "{} steps", nodes.steps);
    assert!(!nodes.taints("n7").iter().any(|_| true));
}

#[test]
fn lost_nodes_of_a_zone_are_emptied_one_every_ten_seconds() {
    let mut nodes = Nodes::ready(10);
    ["n3", "n4", "n5"].iter().for_each(|name| nodes.kill(name));
    nodes.run_until_millis(50_050);
    let evicting = |nodes: &Nodes| {
        let lost = ["n3", "n4", "n5"].into_iter();
        lost.filter(|name| nodes.taints(name).contains(&"unreachable:NoExecute".to_owned())).collect::<Vec<_>>()
    };
    assert!(evicting(&nodes).is_empty());
    nodes.run_until_millis(60_050);
    assert_eq!(evicting(&nodes), ["n3"]);
    nodes.run_until_millis(60_150);
    assert_eq!(evicting(&nodes), ["n3", "n4"]);
    nodes.run_until_millis(70_150);
    assert_eq!(evicting(&nodes), ["n3", "n4", "n5"]);
}

#[test]
fn zones_have_queues_of_their_own() {
    let mut nodes = Nodes::new();
    for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b")] {
        nodes.join(name, zone);
    }
    nodes.run_until(1);
    nodes.kill("a1");
    nodes.kill("b1");
    nodes.run_until(51);
    assert_eq!(nodes.taints("a1").len(), 2);
    assert_eq!(nodes.taints("b1").len(), 2);
}

#[test]
fn nobody_is_evicted_when_every_node_is_lost() {
    let mut nodes = Nodes::ready(3);
    nodes.pod("web", "n1", default_tolerations());
    ["n1", "n2", "n3"].iter().for_each(|name| nodes.kill(name));
    nodes.run_until(2000);
    for name in ["n1", "n2", "n3"] {
        assert_eq!(nodes.condition(name, "Ready"), UNKNOWN);
        assert_eq!(nodes.taints(name), ["unreachable:NoSchedule"]);
    }
    assert!(!nodes.is_deleting("web"));
    assert!(nodes.writes.iter().all(|write| write.starts_with("50.0") || write.starts_with("55.0")), "no busy loop");

    // One comes back: the others are emptied again, slowly, ten seconds after.
    nodes.revive("n3");
    nodes.run_until(2009);
    assert_eq!(nodes.taints("n1"), ["unreachable:NoSchedule"]);
    nodes.run_until(2011);
    assert!(nodes.taints("n1").contains(&"unreachable:NoExecute".to_owned()));
    assert!(nodes.taints("n3").is_empty());
    assert_eq!(nodes.taints("n2"), ["unreachable:NoSchedule"]);
}

#[test]
fn the_last_nodes_to_go_take_the_evictions_of_the_first_back() {
    let mut nodes = Nodes::ready(2);
    nodes.pod("web", "n1", default_tolerations());
    nodes.kill("n1");
    nodes.run_until(62);
    assert_eq!(nodes.taints("n1").len(), 2);
    nodes.kill("n2");
    nodes.run_until(125);
    assert_eq!(nodes.condition("n2", "Ready"), UNKNOWN);
    assert_eq!(nodes.taints("n1"), ["unreachable:NoSchedule"]);
    nodes.run_until(1000);
    assert!(!nodes.is_deleting("web"));
}

#[test]
fn a_small_zone_with_many_lost_nodes_is_left_alone() {
    let mut nodes = Nodes::new();
    (1..=5).for_each(|n| nodes.join(&format!("n{n}"), "z"));
    nodes.join("other", "y");
    nodes.run_until(1);
    ["n1", "n2", "n3"].iter().for_each(|name| nodes.kill(name));
    nodes.run_until(500);
    for name in ["n1", "n2", "n3"] {
        assert_eq!(nodes.taints(name), ["unreachable:NoSchedule"], "{name}");
    }
    nodes.revive("n3");
    nodes.run_until(530);
    assert_eq!(nodes.taints("n1").len(), 2, "two of five are not many");
}

#[test]
fn a_wholly_lost_zone_beside_a_living_one_is_emptied() {
    let mut nodes = Nodes::new();
    (1..=2).for_each(|n| nodes.join(&format!("n{n}"), "z"));
    nodes.join("other", "y");
    nodes.run_until(1);
    ["n1", "n2"].iter().for_each(|name| nodes.kill(name));
    nodes.run_until(65);
    assert_eq!(nodes.taints("n1").len(), 2);
    assert_eq!(nodes.taints("n2").len(), 2);
}

#[test]
fn conditions_and_cordon_show_as_taints_at_once() {
    let mut nodes = Nodes::ready(2);
    nodes.change_node("n1", |node, _| {
        node.spec.unschedulable = true;
        let conditions = node.status.conditions.iter().cloned().map(|mut condition| {
            condition.status = ConditionStatus::of(condition.kind != *"PIDPressure");
            condition
        });
        node.status.conditions = conditions.collect();
    });
    nodes.run_until_millis(1001);
    assert_eq!(
        nodes.taints("n1"),
        ["memory-pressure:NoSchedule", "disk-pressure:NoSchedule", "unschedulable:NoSchedule"]
    );
    nodes.change_node("n1", |node, _| node.spec.unschedulable = false);
    nodes.report("n1", ConditionStatus::True);
    nodes.run_until_millis(1002);
    assert!(nodes.taints("n1").is_empty());
}

#[test]
fn a_node_that_says_it_is_not_ready_is_emptied_without_marking_its_pods() {
    let mut nodes = Nodes::ready(2);
    nodes.pod("web", "n1", default_tolerations());
    nodes.report("n1", ConditionStatus::False);
    nodes.run_until(6);
    assert_eq!(nodes.taints("n1"), ["not-ready:NoSchedule", "not-ready:NoExecute"]);
    assert!(nodes.is_ready("web"), "its kubelet lives and says so itself");
    nodes.kill("n1");
    nodes.run_until(120);
    assert_eq!(nodes.taints("n1"), ["unreachable:NoExecute", "unreachable:NoSchedule"]);
}

#[test]
fn a_node_whose_kubelet_never_spoke_gets_a_minute() {
    let mut nodes = Nodes::ready(2);
    nodes.create_node(json!({"metadata": {"name": "new"}}));
    nodes.run_until(60);
    assert!(nodes.node("new").status.conditions.is_empty());
    nodes.run_until(66);
    assert_eq!(nodes.condition("new", "Ready"), "Unknown/NodeStatusNeverUpdated/Kubelet never posted node status.");
    assert!(!nodes.events.iter().any(|event| event.contains("NodeNotReady")));
}

#[test]
fn a_removed_node_is_forgotten() {
    let mut nodes = Nodes::ready(2);
    nodes.kill("n1");
    nodes.remove_node("n1");
    nodes.run_until(300);
    assert_eq!(nodes.events, ["5.0 n1 RemovingNode Node n1 event: Removing Node n1 from Controller"]);
    assert!(nodes.writes.is_empty());
}

#[test]
fn a_pod_that_lands_on_a_lost_node_is_not_ready() {
    let mut nodes = Nodes::ready(2);
    nodes.kill("n1");
    nodes.run_until(60);
    nodes.pod("late", "n1", default_tolerations());
    nodes.run_until(61);
    assert!(!nodes.is_ready("late"));
    assert_eq!(nodes.events.last().unwrap(), "60.0 late NodeNotReady Node is not ready");
}

#[test]
fn refused_writes_are_tried_again() {
    let mut nodes = Nodes::ready(3);
    nodes.pod("web", "n1", default_tolerations());
    nodes.kill("n1");
    nodes.run_until(45);
    nodes.refuse = Some(Arc::new(|request| {
        let Request::Update(object, part) = request else { return None };
        let is_pod = object.kind() == Kind::Pod;
        (is_pod || *part == Part::Main).then(|| ApiError::conflict(object.kind(), &object.key(), "modified"))
    }));
    nodes.run_until(52);
    assert_eq!(nodes.condition("n1", "Ready"), UNKNOWN);
    assert!(nodes.taints("n1").is_empty() && nodes.is_ready("web"));
    nodes.refuse = Some(Arc::new(|request| {
        let Request::Update(object, Part::Main) = request else { return None };
        Some(ApiError::conflict(object.kind(), &object.key(), "modified"))
    }));
    nodes.run_until(56);
    assert!(!nodes.is_ready("web"), "the next run marks the pods");
    nodes.refuse = None;
    nodes.run_until(57);
    assert_eq!(nodes.taints("n1").len(), 2);
}

#[test]
fn old_labels_follow_the_new_ones() {
    let mut nodes = Nodes::new();
    nodes.create_node(json!({"metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux"}}}));
    nodes.run_until(1);
    assert_eq!(nodes.node("n1").meta.labels.get("beta.kubernetes.io/os"), Some("linux"));
    assert_eq!(nodes.node("n1").meta.labels.get("beta.kubernetes.io/arch"), None);
}

mod zone_states {
    use super::super::NodeLifecycleConfig;
    use super::super::zones::{Census, ZoneState};

    #[test]
    fn follow_the_share_of_lost_nodes() {
        let check = |ready, not_ready, expected| {
            let state = Census { ready, not_ready }.state(&NodeLifecycleConfig::default());
            assert_eq!(state, expected, "{ready} ready, {not_ready} not");
        };
        check(3, 2, ZoneState::Normal);
        check(2, 3, ZoneState::PartialDisruption);
        check(1, 2, ZoneState::Normal);
        check(0, 3, ZoneState::FullDisruption);
        check(9, 11, ZoneState::PartialDisruption);
        check(46, 54, ZoneState::Normal);
    }
}
