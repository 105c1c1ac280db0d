//! Invariants of rollouts: what they cover and what they leave to the control plane.

use serde_json::{Value, json};

use super::{Always, MaxUnavailable};
use crate::api::PatchType;
use crate::kernel::SimTime;
use crate::objects::Key;
use crate::sim::{Delays, Simulation, Target};

const NEVER_READY: &str = "web:broken";

/// A settled Deployment of 16 ready pods, and what watches it.
fn settled(surge: &str, unavailable: &str) -> (Simulation, Always) {
    let broken = serde_json::from_value(json!({"image": NEVER_READY, "ready": "24h"})).unwrap();
    let builder = Simulation::builder().delays(Delays::ideal()).nodes(3).behaviour(broken);
    let mut sim = builder.build().unwrap();
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 16,
            "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:v1"}]},
            },
        },
    });
    sim.apply(&manifest.to_string()).unwrap();
    let mut promises = Always::new().and(MaxUnavailable::of(Key::new("default", "web")));
    promises.run(&mut sim, SimTime::from_secs(60)).unwrap();
    (sim, promises)
}

fn web() -> Target {
    "deployment/web".parse().unwrap()
}

fn patch(sim: &mut Simulation, spec: &Value) {
    sim.patch(&web(), PatchType::Strategic, &json!({ "spec": spec })).unwrap();
}

/// Old and new pods that the ReplicaSets want.
fn wanted(sim: &Simulation) -> Vec<i32> {
    sim.view().replica_sets.iter().map(|set| set.spec.replicas).collect()
}

fn bounds(surge: i32, unavailable: i32) -> Value {
    json!({"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}})
}

#[test]
fn old_pods_that_are_scaled_in_proportion_to_a_lowered_surge_are_not_covered() {
    let (mut sim, mut promises) = settled("76%", "57%");
    sim.set_image(&web(), "c", NEVER_READY).unwrap();
    promises.run(&mut sim, SimTime::from_secs(70)).unwrap();
    assert_eq!(wanted(&sim), [7, 16]);
    // 24 pods in all, after 29: 7 * 24 / 29 rounds to 6 old ones, although one is to be added.
    patch(&mut sim, &bounds(2, 0));
    sim.scale(&web(), 22).unwrap();
    promises.run(&mut sim, SimTime::from_secs(80)).unwrap();
    assert_eq!(wanted(&sim), [6, 18]);
}

#[test]
fn old_pods_that_make_room_for_new_ones_are_covered() {
    let (mut sim, mut promises) = settled("0%", "25%");
    sim.set_image(&web(), "c", NEVER_READY).unwrap();
    promises.run(&mut sim, SimTime::from_secs(70)).unwrap();
    assert_eq!(wanted(&sim), [12, 4]);
    // Somebody does what the control plane would not: it takes an old pod that is needed.
    let old: Target = format!("rs/{}", sim.view().replica_sets.iter().next().unwrap().meta.name).parse().unwrap();
    sim.scale(&old, 11).unwrap();
    let violation = promises.run(&mut sim, SimTime::from_secs(80)).unwrap_err();
    assert!(violation.story.contains("1 available pods were scaled in and 11 are left"), "{}", violation.story);
}
