//! Pods that kubelets have from files.

use seatrial::api::DeleteOptions;
use seatrial::kernel::SimDuration;
use seatrial::kubelet::{Eaten, MachineResource};
use seatrial::objects::{Kind, Pod, PodPhase};
use seatrial::sim::{Delays, DrainOptions, NodeTemplate, Simulation, Target};
use serde_json::{Value, json};

fn manifest(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "proxy", "labels": {"app": "proxy"}}, "spec": spec})
}

fn cluster(delays: Delays) -> Simulation {
    let spec = json!({"containers": [{"name": "c", "image": "proxy:v1"}]});
    let node = NodeTemplate { static_pods: vec![manifest(spec)], ..NodeTemplate::new("n1") };
    let mut sim = Simulation::builder().delays(delays).events(true).node(node).build().expect("a cluster");
    sim.run_for(SimDuration::from_secs(30));
    sim
}

fn mirror(sim: &Simulation) -> &Pod {
    sim.view().pods.iter().find(|pod| *pod.meta.name == *"proxy-n1").expect("a mirror pod")
}

fn started(pod: &Pod) -> Value {
    serde_json::to_value(&pod.status.container_statuses).expect("statuses")[0]["state"]["running"]["startedAt"].clone()
}

fn target() -> Target {
    "pod/proxy-n1".parse().expect("a target")
}

#[test]
fn a_static_pod_is_seen_by_its_mirror() {
    for delays in [Delays::ideal(), Delays::realistic()] {
        let sim = cluster(delays);
        let pod = mirror(&sim);
        assert!(pod.is_ready() && pod.is_critical());
        assert_eq!(&*pod.node_name, "n1");
        let annotation = |name: &str| pod.meta.annotations.get(&format!("kubernetes.io/config.{name}"));
        assert_eq!(annotation("source"), Some("file"));
        assert_eq!(annotation("mirror"), annotation("hash"));
        let owner = pod.meta.controller().expect("an owner");
        assert_eq!((&*owner.kind, &*owner.name), ("Node", "n1"));
        assert_eq!(sim.view().nodes.iter().next().map(|node| &node.meta.uid), Some(&owner.uid));
    }
}

#[test]
fn deleting_the_mirror_does_not_touch_the_pod() {
    for delays in [Delays::ideal(), Delays::realistic()] {
        let mut sim = cluster(delays);
        let before = mirror(&sim).clone();
        for grace in [None, Some(0)] {
            let options = DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() };
            sim.delete(&target(), options).expect("deleted");
            sim.run_for(SimDuration::from_secs(5));
            let after = mirror(&sim);
            assert_ne!(after.meta.uid, before.meta.uid);
            assert!(after.is_ready() && after.meta.deletion_timestamp.is_none());
            assert_eq!(started(after), started(&before));
        }
    }
}

#[test]
fn drains_and_evictions_leave_it_alone() {
    let mut sim = cluster(Delays::ideal());
    let uid = mirror(&sim).meta.uid.clone();
    sim.drain("n1", DrainOptions::default()).expect("drained");
    sim.run_for(SimDuration::from_secs(60));
    assert_eq!(mirror(&sim).meta.uid, uid);
    sim.taint("n1", &json!([{"key": "gone", "effect": "NoExecute"}])).expect("tainted");
    sim.press("n1", MachineResource::Memory, Eaten::Percent(100), None).expect("pressed");
    sim.run_for(SimDuration::from_secs(60));
    assert_eq!(mirror(&sim).meta.uid, uid);
    assert_eq!(mirror(&sim).status.phase, PodPhase::Running);
}

#[test]
fn it_starts_again_with_its_machine() {
    let mut sim = cluster(Delays::ideal());
    let before = mirror(&sim).clone();
    sim.node_down("n1").expect("down");
    sim.run_for(SimDuration::from_secs(20));
    sim.node_up("n1").expect("up");
    sim.run_for(SimDuration::from_secs(20));
    let after = mirror(&sim);
    assert_eq!(after.meta.uid, before.meta.uid);
    assert!(after.is_ready());
    assert_ne!(started(after), started(&before));
    assert_eq!(after.status.container_statuses[0].restart_count, 1);
}

#[test]
fn a_mirror_of_nothing_goes() {
    let mut sim = cluster(Delays::ideal());
    let mut stray = manifest(json!({"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}));
    stray["metadata"] = json!({"name": "stray", "annotations": {"kubernetes.io/config.mirror": "0"}});
    sim.apply(&stray.to_string()).expect("applied");
    sim.run_for(SimDuration::from_secs(5));
    assert!(sim.view().list(Kind::Pod).iter().all(|pod| *pod.meta().name == *"proxy-n1"));
}
