//! Pods that get time to end, and what the cluster sees of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::api::DeleteOptions;
use crate::kernel::SimTime;
use crate::kubelet::{BehaviourSpec, KubeletConfig};
use crate::objects::{Conditions, Key, Kind, Resource};
use crate::sim::{Delays, NodeTemplate, OnNotice, Reclaim, RecordMode};

const CRITICAL: &str = "system-node-critical";

/// One machine `n`, on which containers take as long to stop as their images say.
fn cluster(kubelet: &str) -> Simulation {
    let config: KubeletConfig = serde_yaml::from_str(kubelet).unwrap();
    let builder = Simulation::builder().delays(Delays::ideal()).record(RecordMode::Full);
    let images: Vec<BehaviourSpec> = serde_yaml::from_str(
        "[{image: one, terminate: 1s}, {image: five, terminate: 5s}, {image: deaf, terminate: never}]",
    )
    .unwrap();
    let mut sim = images.into_iter().fold(builder, |builder, image| builder.behaviour(image)).build().unwrap();
    sim.add_node(&NodeTemplate { kubelet: Arc::new(config), ..NodeTemplate::new("n") }).unwrap();
    sim
}

fn pod(sim: &mut Simulation, name: &str, image: &str, more: Value) {
    let mut spec = json!({
        "nodeName": "n", "containers": [{"name": "c", "image": image}], "tolerations": [{"operator": "Exists"}],
    });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    let namespace = if spec["priorityClassName"] == CRITICAL { "kube-system" } else { "default" };
    let pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    sim.apply(&pod.to_string()).unwrap();
}

fn status(sim: &Simulation, name: &str) -> Value {
    let pod = sim.view().pods.iter().find(|pod| *pod.meta.name == *name).unwrap();
    pod.status_wire().unwrap()
}

fn phase(sim: &Simulation, name: &str) -> String {
    status(sim, name)["phase"].as_str().unwrap().to_owned()
}

fn ready(sim: &Simulation) -> Value {
    let node = sim.view().nodes.get(&Key::new("", "n")).unwrap();
    let ready = node.status.conditions.find("Ready").unwrap();
    json!([ready.status, ready.reason, ready.message])
}

fn messages(sim: &Simulation, reason: &str) -> Vec<String> {
    let events = sim.view().list(Kind::Event).into_iter().map(|event| event.to_wire());
    let matching = events.filter(|event| event["reason"] == reason);
    matching.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn run_to(sim: &mut Simulation, secs: f64) {
    sim.run_until(SimTime::from_millis((secs * 1000.0) as u64));
}

const BOTH: &str = "{shutdownGracePeriod: 30s, shutdownGracePeriodCriticalPods: 10s}";

#[test]
fn pods_end_group_by_group_and_then_the_machine_goes() {
    let mut sim = cluster(BOTH);
    pod(&mut sim, "fast", "one", json!({}));
    pod(&mut sim, "slow", "five", json!({}));
    pod(&mut sim, "system", "one", json!({"priorityClassName": CRITICAL}));
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    assert!(sim.shutdown("n").is_err(), "it is being shut down already");
    assert_eq!(ready(&sim), json!(["False", "KubeletNotReady", "node is shutting down"]));
    assert_eq!(messages(&sim, "NodeShutdown"), ["Shutdown manager detected shutdown event"]);
    assert!(messages(&sim, "NodeNotReady").contains(&"Node n status is now: NodeNotReady".to_owned()));
    run_to(&mut sim, 11.1);
    assert_eq!(["fast", "slow", "system"].map(|name| phase(&sim, name)), ["Failed", "Running", "Running"]);
    run_to(&mut sim, 15.1);
    assert_eq!(["slow", "system"].map(|name| phase(&sim, name)), ["Failed", "Running"]);
    assert!(sim.machine_is_up("n"));
    run_to(&mut sim, 16.1);
    assert_eq!(phase(&sim, "system"), "Failed");
    assert!(!sim.machine_is_up("n"), "no group waits longer than its pods need");
    let slow = status(&sim, "slow");
    let message = "Pod was terminated in response to imminent node shutdown.";
    assert_eq!((&slow["reason"], &slow["message"]), (&json!("Terminated"), &json!(message)));
    let target = &slow["conditions"][0];
    assert_eq!((&target["type"], &target["reason"]), (&json!("DisruptionTarget"), &json!("TerminationByKubelet")));
    assert_eq!((&target["status"], &target["message"]), (&json!("True"), &json!(message)));
    assert_eq!(slow["containerStatuses"][0]["state"]["terminated"]["exitCode"], 143);
}

#[test]
fn a_pod_gets_its_own_grace_or_that_of_its_group_whichever_is_less() {
    let mut sim = cluster(BOTH);
    pod(&mut sim, "patient", "deaf", json!({"terminationGracePeriodSeconds": 600}));
    pod(&mut sim, "hasty", "deaf", json!({"terminationGracePeriodSeconds": 7}));
    pod(&mut sim, "system", "deaf", json!({"terminationGracePeriodSeconds": 600, "priorityClassName": CRITICAL}));
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    for (name, killed_at) in [("hasty", 17.0), ("patient", 30.0), ("system", 40.0)] {
        run_to(&mut sim, killed_at - 0.1);
        assert_eq!(phase(&sim, name), "Running", "{name}");
        assert!(sim.machine_is_up("n"));
        run_to(&mut sim, killed_at + 0.1);
        assert_eq!(phase(&sim, name), "Failed", "{name}");
        assert_eq!(status(&sim, name)["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
    }
    assert!(!sim.machine_is_up("n"));
}

#[test]
fn a_hook_that_takes_longer_than_the_group_has_is_left_behind() {
    let mut sim = cluster("{shutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: 8}]}");
    let hook = json!([{"name": "c", "image": "five", "lifecycle": {"preStop": {"sleep": {"seconds": 20}}}}]);
    let grace = json!({"containers": hook, "terminationGracePeriodSeconds": 60});
    pod(&mut sim, "hooked", "five", grace);
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 17.9);
    assert!(sim.machine_is_up("n"));
    run_to(&mut sim, 18.1);
    // The last two seconds that its containers would have had are beyond the time of the group, as upstream.
    assert!(!sim.machine_is_up("n") && phase(&sim, "hooked") == "Running");
}

#[test]
fn pods_that_come_meanwhile_are_refused() {
    let mut sim = cluster(BOTH);
    pod(&mut sim, "slow", "five", json!({}));
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    pod(&mut sim, "late", "one", json!({}));
    run_to(&mut sim, 10.1);
    let late = status(&sim, "late");
    assert_eq!((&late["phase"], &late["reason"]), (&json!("Failed"), &json!("NodeShutdown")));
    assert_eq!(late["message"], "Pod was rejected: Pod was rejected as the node is shutting down.");
    assert_eq!(messages(&sim, "NodeShutdown").len(), 2, "one of the node, one of the pod");
}

#[test]
fn a_pod_that_is_being_deleted_has_no_more_than_its_group() {
    let mut sim = cluster("{shutdownGracePeriod: 6s}");
    pod(&mut sim, "going", "deaf", json!({"terminationGracePeriodSeconds": 300}));
    run_to(&mut sim, 10.0);
    sim.delete(&"pod/going".parse().unwrap(), DeleteOptions::default()).unwrap();
    run_to(&mut sim, 12.0);
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 17.9);
    assert_eq!(sim.view().pods.len(), 1);
    run_to(&mut sim, 18.1);
    assert!(sim.view().pods.is_empty() && !sim.machine_is_up("n"));
}

#[test]
fn without_time_for_pods_a_machine_is_off_at_once() {
    for settings in ["{}", "{shutdownGracePeriod: 0s}"] {
        let mut sim = cluster(settings);
        pod(&mut sim, "fast", "one", json!({}));
        run_to(&mut sim, 10.0);
        sim.shutdown("n").unwrap();
        assert!(!sim.machine_is_up("n"));
        run_to(&mut sim, 30.0);
        assert_eq!((phase(&sim, "fast").as_str(), ready(&sim)[0].as_str()), ("Running", Some("True")));
    }
    let mut sim = cluster(BOTH);
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 10.1);
    assert!(!sim.machine_is_up("n") && ready(&sim)[0] == "False", "there was nobody to wait for");
}

#[test]
fn what_has_failed_stays_so_when_the_machine_is_back() {
    let mut sim = cluster(BOTH);
    pod(&mut sim, "fast", "one", json!({}));
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 100.0);
    sim.node_up("n").unwrap();
    run_to(&mut sim, 120.0);
    assert_eq!(ready(&sim), json!(["True", "KubeletReady", "kubelet is posting ready status"]));
    assert_eq!((phase(&sim, "fast").as_str(), messages(&sim, "Rebooted").len()), ("Failed", 1));
    pod(&mut sim, "new", "one", json!({}));
    run_to(&mut sim, 130.0);
    assert_eq!(phase(&sim, "new"), "Running");
}

#[test]
fn a_machine_whose_power_fails_meanwhile_just_stops() {
    let mut sim = cluster(BOTH);
    pod(&mut sim, "slow", "five", json!({}));
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 12.0);
    sim.node_down("n").unwrap();
    sim.node_up("n").unwrap();
    run_to(&mut sim, 60.0);
    assert!(sim.machine_is_up("n"));
    assert_eq!(status(&sim, "slow")["phase"], "Running");
    assert_eq!(ready(&sim)[0], "True");
}

#[test]
fn a_machine_that_is_taken_back_is_shut_down_in_time_and_replaced_by_one_with_the_same_settings() {
    let mut sim = cluster(BOTH);
    pod(&mut sim, "slow", "five", json!({}));
    run_to(&mut sim, 10.0);
    let (notice, replacement) = (SimDuration::from_secs(60), Some(SimDuration::from_secs(10)));
    sim.reclaim("n", &Reclaim { notice, on_notice: OnNotice::Shutdown, replacement }).unwrap();
    run_to(&mut sim, 15.1);
    assert!(phase(&sim, "slow") == "Failed" && !sim.machine_is_up("n"));
    run_to(&mut sim, 100.0);
    sim.shutdown("n-r1").unwrap();
    let node = sim.view().nodes.get(&Key::new("", "n-r1")).unwrap();
    assert!(!node.status.conditions.is_true("Ready"));
}

#[test]
fn a_group_without_time_is_not_waited_for() {
    let mut sim = cluster("{shutdownGracePeriod: 6s}");
    pod(&mut sim, "system", "five", json!({"priorityClassName": CRITICAL}));
    run_to(&mut sim, 10.0);
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 10.1);
    assert!(!sim.machine_is_up("n") && phase(&sim, "system") == "Running", "the six seconds are those of others");
}

#[test]
fn static_pods_end_with_the_critical_ones_and_begin_anew_with_the_machine() {
    let config: KubeletConfig = serde_yaml::from_str(BOTH).unwrap();
    let static_pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s"},
        "spec": {"containers": [{"name": "c", "image": "x"}], "priorityClassName": CRITICAL, "priority": 2_000_001_000},
    });
    let mut sim = Simulation::builder().delays(Delays::ideal()).build().unwrap();
    let machine = NodeTemplate { kubelet: Arc::new(config), static_pods: vec![static_pod], ..NodeTemplate::new("n") };
    sim.add_node(&machine).unwrap();
    run_to(&mut sim, 10.0);
    assert_eq!(phase(&sim, "s-n"), "Running");
    sim.shutdown("n").unwrap();
    run_to(&mut sim, 50.0);
    assert_eq!((phase(&sim, "s-n").as_str(), sim.machine_is_up("n")), ("Failed", false));
    sim.node_up("n").unwrap();
    run_to(&mut sim, 100.0);
    assert_eq!(phase(&sim, "s-n"), "Running");
}
