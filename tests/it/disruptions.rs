//! Evictions, drains, and the budgets that stand in their way.

use seatrial::api::DeleteOptions;
use seatrial::kernel::{SimDuration, SimTime};
use seatrial::objects::Key;
use seatrial::sim::{Delays, DrainOptions, Record, RecordMode, Simulation, Target};

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: \"web:v1\"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}
";

fn cluster(manifests: &str, nodes: usize) -> Simulation {
    let builder = Simulation::builder().delays(Delays::realistic()).nodes(nodes).record(RecordMode::Full);
    let mut sim = builder.build().expect("a cluster");
    sim.apply(manifests).expect("accepted");
    sim.run_until(SimTime::from_secs(60));
    sim
}

fn pods(sim: &Simulation) -> Vec<Key> {
    let mut keys: Vec<Key> = sim.view().pods.iter().map(|pod| Key::new("default", pod.meta.name.clone())).collect();
    keys.sort();
    keys
}

fn told(sim: &Simulation) -> Vec<String> {
    let records = sim.recording().records().iter();
    let steps = records.filter_map(|record| match record {
        Record::Step(_, step) => Some(format!("{} {}", step.name, step.result)),
        Record::Change(..) | Record::Traffic(..) => None,
    });
    steps.collect()
}

#[test]
fn a_budget_grants_one_eviction_and_refuses_the_next_until_the_replacement_is_ready() {
    let mut sim = cluster(WEB, 3);
    let all = pods(&sim);
    sim.evict(&all[0], DeleteOptions::default()).expect("one disruption is allowed");
    let refused = sim.evict(&all[1], DeleteOptions::default()).expect_err("no second one");
    assert_eq!(
        (refused.code(), &*refused.message),
        (429, "Cannot evict pod as it would violate the pod's disruption budget.",)
    );
    sim.run_for(SimDuration::from_secs(120));
    sim.evict(&all[1], DeleteOptions::default()).expect("allowed again");
}

#[test]
fn a_drain_waits_for_the_budget_and_ends_with_an_empty_cordoned_node() {
    let mut sim = cluster(WEB, 2);
    let on_first = sim.view().pods_on("node-0").count();
    assert_eq!(on_first, 2);
    sim.drain("node-0", DrainOptions::default()).expect("it begins");
    assert!(sim.is_draining("node-0"));
    sim.run_for(SimDuration::from_secs(120));
    assert!(!sim.is_draining("node-0"));
    assert_eq!(sim.view().pods_on("node-0").count(), 0);
    assert!(sim.view().nodes.get(&Key::new("", "node-0")).is_some_and(|node| node.spec.unschedulable));
    let told = told(&sim);
    assert!(told.iter().any(|line| line.starts_with("evict") && line.contains("429")), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("drained \"node/node-0 drained\""));
}

#[test]
fn a_drain_that_a_budget_blocks_for_good_ends_at_its_timeout() {
    let blocked = WEB.replace("minAvailable: 3", "minAvailable: 4");
    let mut sim = cluster(&blocked, 2);
    let timeout = SimDuration::from_secs(20);
    sim.drain("node-0", DrainOptions { timeout, ..DrainOptions::default() }).expect("it begins");
    sim.run_for(SimDuration::from_secs(60));
    let last = told(&sim).last().cloned().unwrap_or_default();
    assert_eq!(
        last,
        "drain {\"message\":\"unable to drain node \\\"node-0\\\" due to error: global timeout reached: 20s, \
         continuing command...\"}"
    );
    assert_eq!(sim.view().pods_on("node-0").count(), 2);
}

#[test]
fn a_drain_refuses_pods_that_nothing_would_replace() {
    let mut sim =
        cluster("{apiVersion: v1, kind: Pod, metadata: {name: alone}, spec: {containers: [{name: c, image: i}]}}", 1);
    let node = sim.view().nodes.iter().next().expect("a node").meta.name.to_string();
    let refused = sim.drain(&node, DrainOptions::default()).expect_err("not without --force").to_string();
    assert_eq!(
        refused,
        format!(
            "unable to drain node {node:?} due to error: cannot delete Pods that declare no controller (use --force to \
             override): default/alone, continuing command..."
        )
    );
    let target: Target = "pod/alone".parse().expect("a target");
    assert!(sim.get(&target).is_ok(), "nothing was evicted");
    let warnings = sim.drain(&node, DrainOptions { force: true, ..DrainOptions::default() }).expect("with --force");
    assert_eq!(warnings, ["deleting Pods that declare no controller: default/alone"]);
    sim.run_for(SimDuration::from_secs(60));
    assert!(sim.get(&target).is_err());
}
