use serde_json::json;

use super::*;
use crate::api::ApiError;
use crate::controllers::test_nodes::Nodes;

/// A cluster with a pod on `n1` that bears taint `maint` for so long.
fn with_pod(seconds: Option<i64>) -> Nodes {
    let mut nodes = Nodes::ready(2);
    nodes.pod("web", "n1", json!([{"key": "maint", "operator": "Exists", "tolerationSeconds": seconds}]));
    nodes
}

#[test]
fn a_pod_that_does_not_bear_a_taint_is_deleted_at_once() {
    let mut nodes = with_pod(None);
    nodes.taint("n1", "other", "NoExecute");
    nodes.run_until(1);
    assert!(nodes.is_deleting("web"));
    assert_eq!(nodes.events, ["1.0 web TaintManagerEviction Marking for deletion Pod default/web"]);
    assert_eq!(nodes.writes, ["1.0 patch web", "1.0 delete web"]);
}

#[test]
fn a_taint_without_execution_deletes_nothing() {
    let mut nodes = with_pod(None);
    nodes.taint("n1", "other", "NoSchedule");
    nodes.run_until(100);
    assert!(!nodes.is_deleting("web"));
}

#[test]
fn a_borne_taint_deletes_when_the_time_is_over() {
    let mut nodes = with_pod(Some(5));
    nodes.taint("n1", "maint", "NoExecute");
    nodes.run_until_millis(5_999);
    assert!(!nodes.is_deleting("web") && nodes.writes.is_empty());
    nodes.run_until(6);
    assert!(nodes.is_deleting("web"));
}

#[test]
fn a_taint_that_goes_in_time_cancels() {
    let mut nodes = with_pod(Some(5));
    nodes.taint("n1", "maint", "NoExecute");
    nodes.run_until(3);
    nodes.untaint("n1", "maint");
    nodes.run_until(100);
    assert!(!nodes.is_deleting("web"));
    assert_eq!(nodes.events, ["3.0 web TaintManagerEviction Cancelling deletion of Pod default/web"]);
}

#[test]
fn a_second_taint_that_is_not_borne_deletes_at_once() {
    let mut nodes = with_pod(Some(50));
    nodes.taint("n1", "maint", "NoExecute");
    nodes.run_until(3);
    nodes.taint("n1", "other", "NoExecute");
    nodes.run_until(4);
    assert!(nodes.is_deleting("web"));
    let events = ["Cancelling deletion of Pod default/web", "Marking for deletion Pod default/web"];
    assert_eq!(nodes.events, events.map(|event| format!("3.0 web TaintManagerEviction {event}")));
}

#[test]
fn a_new_taint_does_not_start_the_time_again() {
    let mut nodes = Nodes::ready(2);
    nodes.pod("web", "n1", json!([{"operator": "Exists", "tolerationSeconds": 10}]));
    nodes.taint("n1", "a", "NoExecute");
    nodes.run_until(6);
    nodes.taint("n1", "b", "NoExecute");
    nodes.run_until_millis(10_999);
    assert!(!nodes.is_deleting("web"));
    nodes.run_until(11);
    assert!(nodes.is_deleting("web"));
}

#[test]
fn a_pod_that_lands_on_a_tainted_node_has_its_time_too() {
    let mut nodes = Nodes::ready(2);
    nodes.taint("n1", "maint", "NoExecute");
    nodes.run_until(20);
    nodes.pod("web", "n1", json!([{"key": "maint", "operator": "Exists", "tolerationSeconds": 5}]));
    nodes.run_until(24);
    assert!(!nodes.is_deleting("web"));
    nodes.run_until(25);
    assert!(nodes.is_deleting("web"));
}

#[test]
fn a_pod_that_goes_before_its_time_cancels() {
    let mut nodes = with_pod(Some(50));
    nodes.taint("n1", "maint", "NoExecute");
    nodes.run_until(3);
    nodes.remove_pod("web");
    nodes.run_until(100);
    assert_eq!(nodes.events, ["3.0 web TaintManagerEviction Cancelling deletion of Pod default/web"]);
    assert!(nodes.writes.is_empty());
}

#[test]
fn a_removed_node_leaves_the_plan_standing() {
    let mut nodes = with_pod(Some(50));
    nodes.taint("n1", "maint", "NoExecute");
    nodes.run_until(3);
    nodes.remove_node("n1");
    nodes.run_until(51);
    assert!(nodes.is_deleting("web"));
}

#[test]
fn a_refused_deletion_is_tried_five_times() {
    let mut nodes = with_pod(None);
    let refused = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    nodes.refuse = Some(Arc::new(move |request| {
        let Request::Delete { kind, key, .. } = request else { return None };
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(ApiError::conflict(*kind, key, "no"))
    }));
    nodes.taint("n1", "other", "NoExecute");
    nodes.run_until(10);
    assert_eq!(refused.load(std::sync::atomic::Ordering::Relaxed), 5);
    assert_eq!(nodes.events.len(), 1);
    assert_eq!(nodes.writes, ["1.0 patch web"], "the condition is written once");
}
