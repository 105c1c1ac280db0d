//! The same scenario and seed give the same bytes: in every profile, alone and beside others, whatever else is in the
//! cluster.

use std::thread;

use seatrial::objects::Pod;
use seatrial::scenario::{RunOptions, Scenario};
use seatrial::sim::{Record, RecordMode, Simulation};

const SCENARIOS: &[&str] = &["rolling-update-node-loss", "bad-image-rolled-back", "canary-under-one-service"];

fn path(name: &str) -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.yaml"))
}

fn log(name: &str, seed: Option<u64>) -> Vec<u8> {
    let scenario = Scenario::load(&path(name)).expect("a scenario of the project");
    let options = RunOptions { seed, record: RecordMode::Full, ..RunOptions::default() };
    let run = scenario.run(&options).expect("a scenario of the project");
    let mut bytes = Vec::new();
    run.simulation.recording().write_jsonl(&mut bytes).expect("writing to memory");
    bytes
}

#[test]
fn three_runs_write_the_same_bytes() {
    for name in SCENARIOS {
        let first = log(name, None);
        assert!(first.len() > 10_000, "{name} writes a log");
        assert!((0..2).all(|_| log(name, None) == first), "{name}");
    }
}

#[test]
fn another_seed_writes_other_bytes() {
    assert_ne!(log(SCENARIOS[0], Some(1)), log(SCENARIOS[0], Some(2)));
}

#[test]
fn seven_other_simulations_in_threads_change_nothing() {
    let alone = log(SCENARIOS[0], None);
    let logs: Vec<Vec<u8>> = thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || log(SCENARIOS[n % SCENARIOS.len()], (n != 0).then_some(n as u64))))
            .collect();
        runs.into_iter().map(|run| run.join().expect("a run")).collect()
    });
    assert_eq!(logs[0], alone);
}

/// The digest does not depend on the profile of the compiler: this test runs in debug and in release.
#[test]
fn debug_and_release_write_the_bytes_that_are_on_record() {
    let digests: Vec<String> = SCENARIOS
        .iter()
        .map(|name| {
            let scenario = Scenario::load(&path(name)).expect("a scenario of the project");
            let options = RunOptions { record: RecordMode::Digest, ..RunOptions::default() };
            let run = scenario.run(&options).expect("a scenario of the project");
            format!("{name} {}", run.simulation.recording().digest())
        })
        .collect();
    insta::assert_snapshot!(digests.join("\n"));
}

const CLUSTER: &str = r#"
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: luck}
spec:
  duration: 1m
  profile: ideal
  nodes: [{name: node, count: 2}]
  containers:
  - image: "*"
    start: {distribution: lognormal, median: 2s, p99: 9s}
    ready: {distribution: exponential, mean: 3s}
  objects: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 5
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: c, image: "web:v1"}]}
"#;

const STRANGER: &str = r#"    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: stranger}
    spec: {containers: [{name: c, image: "stranger:v1"}]}
"#;

/// Name, uid and the instants at which each pod of the Deployment started and became ready.
fn luck(text: &str) -> Vec<String> {
    let scenario = Scenario::read("luck.yaml", text).expect("a scenario");
    let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() }).expect("a run");
    let mut lines = Vec::new();
    for record in run.simulation.recording().records() {
        let Record::Change(at, change) = record else { continue };
        if let Some((old, pod)) = change.of::<Pod>()
            && &*pod.meta.name != "stranger"
        {
            let was_ready = old.is_some_and(|old| old.is_ready());
            lines.push(format!("{at} {} {} {:?} {was_ready}", pod.meta.name, pod.meta.uid, pod.status.phase));
        }
    }
    lines.sort();
    lines
}

#[test]
fn an_unrelated_pod_leaves_the_luck_of_others_unchanged() {
    let alone = luck(CLUSTER);
    assert!(alone.len() >= 15, "{alone:?}");
    assert_eq!(luck(&format!("{CLUSTER}{STRANGER}")), alone);
}

#[test]
fn a_fork_goes_on_as_the_original_does() {
    let scenario = Scenario::load(&path(SCENARIOS[0])).expect("a scenario of the project");
    let options = RunOptions {
        record: RecordMode::Full,
        until: Some(seatrial::kernel::SimDuration::from_secs(65)),
        ..RunOptions::default()
    };
    let mut original = scenario.run(&options).expect("a run").simulation;
    let mut fork = original.clone();
    let digest = |sim: &mut Simulation| {
        sim.run_for(seatrial::kernel::SimDuration::from_secs(60));
        sim.recording().digest()
    };
    let after = digest(&mut original);
    assert_eq!(digest(&mut fork), after);
}
