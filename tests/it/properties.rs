//! The property kit: what it finds, how small it makes it, and that the same seed finds the same.

use proptest::test_runner::Config;
use proptest_state_machine::prop_state_machine;
use serde_json::json;

use seatrial::scenario::{RunOptions, Scenario};
use seatrial::testing::{Cases, Harness, LiveCluster, Setup, Standard, Step, WorkloadKind};

use crate::custom_controller;
use crate::random::some_cases;

#[test]
fn the_bug_of_a_custom_controller_is_found_and_made_small() {
    let found = custom_controller::find(false).expect("the controller has a bug");
    assert_eq!(found.failure.expectation, "always: switchedToWhatIsWanted");
    assert!(found.steps <= 5, "{found}");
    assert!(found.yaml.contains("Replay it with the\n# library"), "{}", found.yaml);
    assert!(found.failure.story.contains("annotate service/web"), "{}", found.failure.story);
    let guide = include_str!("../../docs/property-testing.md");
    let shown = found.to_string().lines().take(4).collect::<Vec<_>>().join("\n");
    assert!(guide.contains(&shown), "the guide does not show this: {shown}");
    // The command can play it too: without the controller nothing is switched.
    let run = Scenario::read("found.yaml", &found.yaml).and_then(|scenario| scenario.run(&RunOptions::default()));
    assert!(run.expect("a scenario").verdicts.iter().all(|verdict| !verdict.expectation.contains("switched")));
}

#[test]
fn nothing_is_found_once_it_is_mended() {
    let found = custom_controller::find(true);
    assert!(found.is_none(), "{}", found.expect("something"));
}

/// Cases in which somebody who ignores the budget takes two pods away.
fn careless() -> Cases {
    let step = |target: &str, verb: &str| Step::Verb(json!({verb: {"target": target, "replicas": 1}}));
    Cases::new()
        .kinds(&[WorkloadKind::Deployment])
        .workloads(1..=1)
        .users(false)
        .mishaps(false)
        .faults(&[])
        .also(step("deployment/w0", "scale"))
        .expect(json!({"always": "replicas(deployment/w0) != 1"}))
}

#[test]
fn a_counterexample_of_built_in_controllers_fails_as_a_plain_scenario() {
    let found = Harness::new().search(&careless(), 3, 20).expect("one of them is scaled to 1");
    assert!(found.steps <= 1, "{found}");
    let run = Scenario::read("found.yaml", &found.yaml).and_then(|scenario| scenario.run(&RunOptions::default()));
    let run = run.expect("a scenario");
    let failed: Vec<_> = run.verdicts.iter().filter(|verdict| !verdict.held()).map(|v| &v.expectation).collect();
    assert_eq!(failed, [&found.failure.expectation]);
    assert_eq!(Harness::new().search(&careless(), 3, 20), Some(found), "the same seed finds the same");
}

/// The kit found that time stood still when the budget looked again at the very instant at which the eviction was overdue.
#[test]
fn a_budget_forgets_the_eviction_of_a_pod_whose_name_another_has_taken() {
    let text = "
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: evicted}
spec:
  duration: 5m
  profile: ideal
  nodes: [{name: node-1}]
  objects: |
    {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: w0}, spec: {selector: {matchLabels: {app: w0}},
      template: {metadata: {labels: {app: w0}}, spec: {containers: [{name: c, image: app}]}}}}
    ---
    {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: w0}, spec: {maxUnavailable: 75%, selector: {}}}
  containers: [{image: app, terminate: 2s}]
  steps:
  - {at: 1s, nodeDown: {node: node-1}}
  - {at: 17s, evict: {selector: app=w0}}
  - {at: 17s, nodeUp: {node: node-1}}
  expect: [{final: budgetStatus()}]
";
    assert_eq!(Harness::new().check_yaml(text), Ok(()));
}

#[derive(Clone, Debug)]
struct Rollouts;

impl Setup for Rollouts {
    fn cases() -> Cases {
        Cases::new().kinds(&[WorkloadKind::Deployment, WorkloadKind::StatefulSet]).workloads(1..=2)
    }
}

fn config() -> Config {
    Config { failure_persistence: None, ..some_cases(24) }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn live_rollouts_are_as_promised(sequential 1..12 => LiveCluster<Rollouts>);

    #[test]
    fn live_clusters_are_as_promised(sequential 1..12 => LiveCluster<Standard>);
}
