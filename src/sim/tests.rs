//! The status of a pod, which its kubelet and others write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Delays, Simulation};
use crate::api::{Part, PatchType, Request};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Conditions, Key, Kind, Pod};

const END: SimTime = SimTime::from_secs(600);

fn cluster(delays: Delays, spec: &Value) -> Simulation {
    let mut sim = Simulation::builder().delays(delays).nodes(1).build().unwrap();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec});
    sim.apply(&pod.to_string()).unwrap();
    sim
}

fn pod(sim: &Simulation) -> &Arc<Pod> {
    sim.view().pods.get(&Key::new("default", "web")).unwrap()
}

/// Somebody writes a condition of the pod.
fn write_condition(sim: &mut Simulation, kind: &str, status: &str) {
    let since = sim.wall().timestamp();
    let condition = json!({"type": kind, "status": status, "lastTransitionTime": since});
    let document = Arc::new(json!({"status": {"conditions": [condition]}}));
    let (key, patch_type) = (Key::new("default", "web"), PatchType::Strategic);
    sim.execute(&Request::Patch { kind: Kind::Pod, key, patch_type, document, part: Part::Status }).unwrap();
}

#[test]
fn a_readiness_gate_that_somebody_opens_makes_the_pod_ready_and_closed_again_unready() {
    for delays in [Delays::ideal(), Delays::realistic()] {
        let spec = json!({
            "containers": [{"name": "c", "image": "web"}],
            "readinessGates": [{"conditionType": "example.com/lit"}],
        });
        let mut sim = cluster(delays, &spec);
        sim.run_until(SimTime::from_secs(60));
        let ready = pod(&sim).status.conditions.find("Ready").unwrap();
        assert_eq!(ready.reason, "ReadinessGatesNotReady");
        for (status, open) in [("True", true), ("False", false)] {
            write_condition(&mut sim, "example.com/lit", status);
            sim.run_until(sim.now() + SimDuration::from_secs(30));
            assert_eq!(pod(&sim).is_ready(), open);
        }
    }
}

#[test]
fn a_kubelet_keeps_conditions_of_others_that_it_has_not_seen_yet() {
    let mut sim = cluster(Delays::realistic(), &json!({"containers": [{"name": "c", "image": "web"}]}));
    // At every step of the pod's start somebody else has just had a word.
    while !pod(&sim).is_ready() {
        let version = pod(&sim).meta.resource_version;
        write_condition(&mut sim, &format!("example.com/seen-{version}"), "True");
        let written = pod(&sim).status.conditions.len();
        while pod(&sim).meta.resource_version == version + 1 && sim.now() < END {
            sim.run_until(sim.now() + SimDuration::from_millis(1));
        }
        let of_others =
            |pod: &Pod| pod.status.conditions.iter().filter(|of| of.kind.starts_with("example.com")).count();
        assert!(pod(&sim).status.conditions.len() >= written && of_others(pod(&sim)) > 0, "{:?}", pod(&sim).status);
        assert!(sim.now() < END);
    }
    let seen = pod(&sim).status.conditions.iter().filter(|of| of.kind.starts_with("example.com")).count();
    assert!(seen >= 2, "{seen} writes of others");
}

#[test]
fn a_kubelet_puts_right_what_others_say_of_readiness() {
    for delays in [Delays::ideal(), Delays::realistic()] {
        let mut sim = cluster(delays, &json!({"containers": [{"name": "c", "image": "web"}]}));
        sim.run_until(SimTime::from_secs(60));
        write_condition(&mut sim, "Ready", "False");
        assert!(!pod(&sim).is_ready());
        sim.run_until(SimTime::from_secs(120));
        assert!(pod(&sim).is_ready());
    }
}
