//! What becomes of a cluster whose control plane is disturbed.

mod control_plane;
mod partitions;
mod proxies;
mod watches;

use serde_json::json;

use super::*;
use crate::objects::{Conditions, Key};
use crate::sim::{Delays, RecordMode, Simulation, Target};

const fn secs(secs: u64) -> SimDuration {
    SimDuration::from_secs(secs)
}

fn realistic(nodes: usize) -> Simulation {
    Simulation::builder().seed(3).delays(Delays::realistic()).nodes(nodes).record(RecordMode::Full).build().unwrap()
}

fn target(name: &str) -> Target {
    name.parse().unwrap()
}

/// A Deployment `web` or StatefulSet `db`; containers of either are up within seconds.
fn workload(kind: &str, name: &str, replicas: i32) -> String {
    let labels = json!({"app": name});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "serviceName": "",
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "web:v1"}]}},
    }})
    .to_string()
    .replace(if kind == "Deployment" { "\"serviceName\":\"\"," } else { "" }, "")
}

fn node_is_ready(sim: &Simulation, node: &str) -> bool {
    sim.view().nodes.get(&Key::new("", node)).unwrap().status.conditions.is_true("Ready")
}

fn available(sim: &Simulation, name: &str) -> i32 {
    sim.view().deployments.get(&Key::new("default", name)).unwrap().status.available_replicas
}

/// All of it comes to rest.
fn settle(sim: &mut Simulation) {
    assert!(sim.run_until_quiescent(SimTime::from_secs(3600)), "still busy at {}", sim.now());
}

/// Steps of the recording with that name, and when.
fn steps(sim: &Simulation, name: &str) -> Vec<(u64, String)> {
    let steps = sim.recording().records().iter().filter_map(|record| match record {
        crate::sim::Record::Step(at, step) if step.name == name => {
            Some((at.as_nanos() / 1_000_000, step.args.to_string()))
        }
        _ => None,
    });
    steps.collect()
}

#[test]
fn of_a_place_there_is_one_disturbance_at_a_time_and_it_can_be_ended() {
    let mut sim = realistic(1);
    sim.disturb(Disturbance::ApiServerDown, None).unwrap();
    let again = sim.disturb(Disturbance::ApiServerDown, Some(secs(5))).unwrap_err();
    assert_eq!(again.to_string(), "kube-apiserver is disturbed already");
    sim.restore(&Place::ApiServer).unwrap();
    assert_eq!(sim.restore(&Place::ApiServer).unwrap_err().to_string(), "kube-apiserver is not disturbed");
    let nowhere = Disturbance::Partition { node: "node-9".into(), cut: Cut::Both };
    assert_eq!(sim.disturb(nowhere, None).unwrap_err().to_string(), "nodes \"node-9\" not found");
    assert!(sim.disturb(Disturbance::SchedulerDown, Some(SimDuration::ZERO)).is_err());
    assert!(!sim.is_disturbed(&Place::Scheduler));
}

#[test]
fn heartbeats_alone_do_not_keep_a_cluster_busy() {
    let mut sim = realistic(20);
    sim.run_for(secs(60));
    for _ in 0..4000 {
        sim.run_for(SimDuration::from_millis(5));
        assert!(sim.is_quiescent(), "busy at {}", sim.now());
    }
}

#[test]
fn a_disturbance_that_comes_back_in_a_fork_goes_the_same_way() {
    let mut sim = realistic(3);
    sim.apply(&workload("Deployment", "web", 6)).unwrap();
    sim.run_for(secs(30));
    sim.disturb(Disturbance::ApiServerDown, Some(secs(90))).unwrap();
    sim.run_for(secs(45));
    let mut fork = sim.clone();
    for sim in [&mut sim, &mut fork] {
        sim.run_for(secs(300));
    }
    assert_eq!(sim.recording().digest(), fork.recording().digest());
    settle(&mut sim);
}
