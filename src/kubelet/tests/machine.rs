//! Machines that stop and come back, and what a kubelet says of its node.

use serde_json::{Map, json};

use super::bench::Bench;
use crate::kubelet::worker::{ContainerWorker, Worker};
use crate::kubelet::{Kubelet, NodeHealth, heartbeat, lease, register_node, renew_lease};
use crate::objects::{Condition, ConditionStatus, Conditions, Resource, Timestamp};

#[test]
fn a_stopped_machine_says_nothing_and_its_pods_start_again_on_return() {
    let mut bench =
        Bench::new("[{image: '*', start: 1s, terminate: 1s}, {image: 'task:*', start: 1s, exit: {after: 500ms}}]");
    bench.bind_image("keep", "web", "Always");
    bench.bind_image("drop", "web", "Always");
    bench.bind_image("never", "web", "Never");
    bench.bind_image("done", "task:1", "Never");
    bench.run_to(5_000);
    let seen = bench.story.len();
    bench.stop_node();
    assert!(!bench.kubelet.is_running());
    bench.bind_image("late", "web", "Always");
    bench.run_to(20_000);
    bench.delete("drop", 30);
    bench.run_to(60_000);
    assert_eq!(bench.story.len(), seen);
    bench.start_node();
    let status = bench.status("keep");
    assert_eq!(status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 255);
    assert_eq!(status["conditions"][0]["status"], "False");
    bench.run_to(100_000);
    assert_eq!(
        bench.story[seen..],
        [
            "keep 1m0s Running",
            "drop 1m0s gone",
            "never 1m0s Failed",
            "late 1m0s Pending",
            "keep 1m1s Running ready",
            "late 1m1s Running ready",
        ]
    );
    assert_eq!(bench.status("keep")["containerStatuses"][0]["restartCount"], 1);
    assert_eq!(bench.status("keep")["startTime"], "2026-01-01T00:00:00Z");
    assert_eq!(bench.kubelet.pod_count(), 2);
}

#[test]
fn timers_of_before_a_stop_are_stale() {
    let mut bench = Bench::new("[{image: '*', start: 1s, exit: {code: 1, after: 10s, once: true}}]");
    bench.bind_image("a", "web", "Always");
    bench.run_to(5_000);
    bench.stop_node();
    bench.run_to(8_000);
    bench.start_node();
    bench.run_to(100_000);
    // Without the stop it would have ended at 11 s.
    assert_eq!(bench.story, ["a 0s Pending", "a 1s Running ready", "a 8s Running", "a 9s Running ready"]);
}

#[test]
fn init_containers_run_again_in_a_new_sandbox() {
    let mut bench = Bench::new("[{image: '*', start: 1s}]");
    bench.bind(
        "p",
        json!({"initContainers": [{"name": "i", "image": "init"}], "containers": [{"name": "c", "image": "web"}]}),
    );
    bench.run_to(5_000);
    bench.stop_node();
    bench.start_node();
    bench.run_to(10_000);
    // Between its end and its next start the regular container counts as restarting.
    let story = ["p 5s Running", "p 6s Pending", "p 6s Running", "p 7s Running ready"];
    assert_eq!(bench.story[2..], story);
    assert_eq!(bench.status("p")["initContainerStatuses"][0]["restartCount"], 1);
    assert_eq!(bench.status("p")["conditions"][1]["lastTransitionTime"], "2026-01-01T00:00:01Z");
}

#[test]
fn a_kubelet_is_small() {
    assert!(size_of::<Kubelet>() <= 192, "{}", size_of::<Kubelet>());
    // Of which one container.
    assert!(size_of::<Worker>() <= 320, "{}", size_of::<Worker>());
    assert!(size_of::<ContainerWorker>() <= 144, "{}", size_of::<ContainerWorker>());
}

#[test]
fn a_node_registers_healthy_and_recovers_on_a_heartbeat() {
    let at = |secs| Timestamp::from_unix_secs(secs).wall();
    let capacity: Map<_, _> =
        [("cpu".to_owned(), json!("4")), ("memory".to_owned(), json!("8Gi"))].into_iter().collect();
    let labels = [("zone", "a"), ("kubernetes.io/arch", "arm64")].into_iter().collect();
    let register =
        |capacity| register_node(&"n1".into(), "10.0.0.1".parse().expect("ip"), capacity, &labels, Vec::new(), at(100));
    assert!(register([("cpu".to_owned(), json!("four"))].into_iter().collect()).is_err());
    let node = register(capacity).expect("a node");
    assert_eq!((node.status.allocatable.cpu_milli, node.status.allocatable.pods), (4000, 110));
    assert_eq!(node.meta.labels.get("kubernetes.io/hostname"), Some("n1"));
    assert_eq!(node.meta.labels.get("kubernetes.io/arch"), Some("arm64"));
    assert_eq!(node.to_wire()["status"]["addresses"][0], json!({"type": "InternalIP", "address": "10.0.0.1"}));
    assert!(node.status.conditions.is_true("Ready"));

    let later = heartbeat(&node, at(400), NodeHealth::default());
    let ready = later.status.conditions.find("Ready").expect("Ready");
    assert_eq!(ready.last_heartbeat_time, Some(at(400).timestamp()));
    assert_eq!(ready.last_transition_time, Some(at(100).timestamp()));
    let mut lost = later;
    let unknown = Condition::new("Ready", ConditionStatus::Unknown, at(500).timestamp());
    let mine = Condition::new("NetworkUnavailable", ConditionStatus::False, at(1).timestamp());
    lost.status.conditions = vec![mine, unknown].into();
    let back = heartbeat(&lost, at(600), NodeHealth::default());
    assert_eq!(back.status.conditions.len(), 5);
    assert_eq!(
        back.status.conditions.find("Ready").and_then(|ready| ready.last_transition_time),
        Some(at(600).timestamp())
    );

    let renewed = renew_lease(&lease(&node, at(100)), at(110));
    assert_eq!((&*renewed.meta.namespace, renewed.renew_time), ("kube-node-lease", at(110)));
    assert_eq!(renewed.meta.owner_references[0].uid, node.meta.uid);
}
