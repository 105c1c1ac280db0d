use serde_json::{Value, json};

use super::{PodGcConfig, PodGcController};
use crate::api::DeleteOptions;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{ConditionStatus, Conditions, Key, Kind, Node, Pod};

type Cluster = TestCluster<PodGcController>;

fn cluster(threshold: i32) -> Cluster {
    let config = PodGcConfig { terminated_pod_threshold: threshold, ..PodGcConfig::default() };
    let mut cluster = Cluster::default();
    cluster.controller = PodGcController::new(config);
    node(&mut cluster, "n1", "True", json!([]));
    cluster
}

fn node(cluster: &mut Cluster, name: &str, ready: &str, taints: Value) {
    cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": taints},
        "status": {"conditions": [{"type": "Ready", "status": ready}]}}));
}

fn pod(cluster: &mut Cluster, name: &str, node: &str, status: Value) {
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "containers": []}, "status": status}));
}

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.store.pods.iter().map(|pod| pod.meta.name.to_string()).collect()
}

fn delete(cluster: &mut Cluster, kind: Kind, key: &Key) {
    cluster.delete(kind, key, &DeleteOptions::default()).expect("it exists");
}

fn of(name: &str) -> Key {
    Key::new("default", name)
}

fn stored<'a>(cluster: &'a Cluster, name: &str) -> &'a Pod {
    cluster.store.pods.get(&of(name)).expect("it exists")
}

/// Three pods that ended, a second apart.
fn ended(threshold: i32, reason_of_last: &str) -> Vec<String> {
    let mut cluster = cluster(threshold);
    for (name, phase, reason) in [("a", "Failed", ""), ("b", "Succeeded", ""), ("c", "Failed", reason_of_last)] {
        pod(&mut cluster, name, "n1", json!({"phase": phase, "reason": reason}));
        cluster.run_for(1);
    }
    pod(&mut cluster, "running", "n1", json!({"phase": "Running"}));
    cluster.run_for(60);
    names(&cluster)
}

#[test]
fn of_the_pods_that_ended_the_oldest_go_and_evicted_ones_before_them() {
    assert_eq!(ended(1, ""), ["c", "running"]);
    assert_eq!(ended(1, "Evicted"), ["b", "running"]);
    assert_eq!(ended(3, ""), ["a", "b", "c", "running"]);
}

#[test]
fn without_a_threshold_all_may_stay() {
    assert_eq!(ended(0, ""), ["a", "b", "c", "running"]);
    assert_eq!(ended(-1, ""), ["a", "b", "c", "running"]);
}

#[test]
fn pods_of_a_deleted_node_go_when_it_was_missing_for_two_rounds() {
    let mut cluster = cluster(0);
    pod(&mut cluster, "a", "n1", json!({"phase": "Running"}));
    pod(&mut cluster, "ended", "n1", json!({"phase": "Succeeded"}));
    cluster.run_for(5);
    delete(&mut cluster, Kind::Node, &Key::new("", "n1"));
    // Noticed in the round at 20 s.
    cluster.run_for(54);
    assert!(cluster.writes.is_empty());
    cluster.run_for(1);
    assert!(cluster.store.pods.is_empty());
    assert_eq!(
        cluster.writes,
        ["patch Pod/default/a", "delete Pod/default/ended None", "delete Pod/default/a None"],
        "the pod that had ended is not marked"
    );
}

#[test]
fn the_mark_says_that_the_node_is_gone() {
    let mut cluster = cluster(0);
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "namespace": "default", "finalizers": ["example.com/hold"]},
        "spec": {"nodeName": "n1", "containers": []}, "status": {"phase": "Running"}}));
    delete(&mut cluster, Kind::Node, &Key::new("", "n1"));
    cluster.run_for(60);
    let status = &stored(&cluster, "a").status;
    assert_eq!((status.phase.as_str(), status.observed_generation), ("Failed", Some(1)));
    let condition = status.conditions.find("DisruptionTarget").expect("told");
    assert_eq!(
        (condition.status, &*condition.reason, &*condition.message),
        (ConditionStatus::True, "DeletionByPodGC", "PodGC: node no longer exists")
    );
}

#[test]
fn what_finalizers_hold_is_not_tried_for_ever() {
    let mut cluster = cluster(0);
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "namespace": "default", "finalizers": ["example.com/hold"]},
        "spec": {"nodeName": "n1", "containers": []}, "status": {"phase": "Running"}}));
    delete(&mut cluster, Kind::Node, &Key::new("", "n1"));
    cluster.run_for(600);
    let before = cluster.writes.len();
    cluster.run_for(6000);
    assert_eq!(cluster.writes.len(), before);
}

#[test]
fn a_node_that_comes_back_in_time_keeps_its_pods() {
    let mut cluster = cluster(0);
    pod(&mut cluster, "a", "n1", json!({"phase": "Running"}));
    delete(&mut cluster, Kind::Node, &Key::new("", "n1"));
    cluster.run_for(39);
    node(&mut cluster, "n1", "True", json!([]));
    cluster.run_for(300);
    assert_eq!(names(&cluster), ["a"]);
}

#[test]
fn a_pod_that_is_bound_to_no_node_of_this_world_goes_too() {
    let mut cluster = cluster(0);
    cluster.run_for(1);
    pod(&mut cluster, "a", "nowhere", json!({"phase": "Pending"}));
    cluster.run_for(58);
    assert_eq!(names(&cluster), ["a"]);
    cluster.run_for(1);
    assert!(cluster.store.pods.is_empty());
}

#[test]
fn deleted_pods_of_nodes_out_of_service_go_and_only_those() {
    let taints = json!([{"key": "node.kubernetes.io/out-of-service", "effect": "NoSchedule"}]);
    for (ready, taints, goes) in
        [("Unknown", &json!([]), false), ("Unknown", &taints, true), ("False", &taints, true), ("True", &taints, false)]
    {
        let mut cluster = cluster(0);
        node(&mut cluster, "n2", ready, taints.clone());
        pod(&mut cluster, "deleted", "n2", json!({"phase": "Running"}));
        pod(&mut cluster, "wanted", "n2", json!({"phase": "Running"}));
        delete(&mut cluster, Kind::Pod, &of("deleted"));
        cluster.run_for(25);
        assert_eq!(cluster.store.pods.get(&of("deleted")).is_none(), goes, "{ready} {taints}");
        assert!(cluster.store.pods.get(&of("wanted")).is_some());
        let marks = cluster.writes.iter().filter(|write| write.starts_with("patch")).count();
        assert_eq!(marks, usize::from(goes));
    }
}

#[test]
fn a_taint_that_comes_later_frees_the_pods_in_the_next_round() {
    let mut cluster = cluster(0);
    node(&mut cluster, "n2", "Unknown", json!([]));
    pod(&mut cluster, "a", "n2", json!({"phase": "Running"}));
    delete(&mut cluster, Kind::Pod, &of("a"));
    cluster.run_for(65);
    assert_eq!(names(&cluster), ["a"]);
    let mut tainted = Node::clone(cluster.store.nodes.get(&Key::new("", "n2")).expect("it exists"));
    tainted.spec.taints = vec![crate::objects::Taint {
        key: "node.kubernetes.io/out-of-service".into(),
        effect: "NoExecute".into(),
        ..crate::objects::Taint::default()
    }]
    .into();
    cluster.update(&tainted.into()).expect("it exists");
    cluster.run_for(14);
    assert_eq!(names(&cluster), ["a"]);
    cluster.run_for(1);
    assert!(cluster.store.pods.is_empty());
}

#[test]
fn a_deleted_pod_that_was_never_scheduled_is_marked_and_deleted() {
    let mut cluster = cluster(0);
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "namespace": "default", "finalizers": ["example.com/hold"]},
        "spec": {"containers": []}, "status": {"phase": "Pending"}}));
    cluster.run_for(1);
    delete(&mut cluster, Kind::Pod, &of("a"));
    cluster.run_for(25);
    assert_eq!(stored(&cluster, "a").status.phase.as_str(), "Failed");
    assert!(stored(&cluster, "a").status.conditions.find("DisruptionTarget").is_none());
}

#[test]
fn a_refusal_is_tried_again_in_the_next_round() {
    let mut cluster = cluster(0);
    pod(&mut cluster, "a", "n1", json!({"phase": "Running"}));
    delete(&mut cluster, Kind::Node, &Key::new("", "n1"));
    cluster.refuse = Some("patch Pod");
    cluster.run_for(60);
    assert_eq!(names(&cluster), ["a"]);
    cluster.refuse = None;
    cluster.run_for(80);
    assert!(cluster.store.pods.is_empty());
}
