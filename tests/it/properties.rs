//! The property kit: what it finds, how small it makes it, and that the same seed finds the same.

use std::sync::Arc;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::prop_state_machine;
use serde_json::json;

use seatrial::api::{
    Change, Context, Enqueue, KindSet, Part, PatchType, Reconciler, Request, Response, Step as Reconciled, View,
};
use seatrial::kernel::SimTime;
use seatrial::objects::{Key, Kind, WallTime};
use seatrial::scenario::{Extensions, RunOptions, Scenario};
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

/// A scenario of one machine and no delays, with a workload `w0` of that kind and spec.
fn on_one_machine(kind: &str, spec: &str, rest: &str) -> String {
    format!(
        "
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {{name: t}}
spec:
  profile: ideal
  nodes: [{{name: node-1}}]
  objects: |
    {{apiVersion: apps/v1, kind: {kind}, metadata: {{name: w0}}, spec: {{{spec}selector: {{matchLabels: {{app: w0}}}},
      template: {{metadata: {{labels: {{app: w0}}}}, spec: {{containers: [{{name: c, image: app}}]}}}}}}}}
{rest}"
    )
}

/// What the kit found once holds now.
fn holds(scenario: &str) {
    assert_eq!(Harness::new().check_yaml(scenario), Ok(()));
}

#[test]
fn a_case_is_played_to_the_first_broken_promise() {
    let text = on_one_machine(
        "Deployment",
        "replicas: 2, ",
        "  duration: 2h
  steps: [{at: 1m, scale: {target: deployment/w0, replicas: 1}}]
  expect:
  - {final: \"replicas(deployment/w0) == 2\"}
  - {always: \"replicas(deployment/w0) != 1\"}
  - {eventually: \"replicas(deployment/w0) == 3\"}
",
    );
    let scenario = Scenario::read("cut-short.yaml", &text).expect("a scenario");
    let run = |fail_fast| scenario.run(&RunOptions { fail_fast, ..RunOptions::default() }).expect("a run");
    let (whole, short) = (run(false), run(true));
    assert_eq!((whole.verdicts.len(), whole.simulation.now()), (3, SimTime::from_secs(7200)));
    let broken: Vec<_> = short.verdicts.iter().map(|verdict| verdict.expectation.as_str()).collect();
    assert_eq!(broken, ["always: replicas(deployment/w0) != 1"], "what is not decided has no verdict");
    assert_eq!(short.simulation.now(), SimTime::from_secs(60));
    let failure = Harness::new().check_yaml(&text).expect_err("it is broken");
    assert_eq!((failure.expectation.as_str(), failure.at), (broken[0], SimTime::from_secs(60)));
}

/// Never content with an annotation of a Deployment.
#[derive(Clone, Debug)]
struct Restless;

impl Reconciler for Restless {
    type State = ();

    fn name(&self) -> &'static str {
        "restless-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Deployment])
    }

    fn on_change(&mut self, _: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
        let meta = change.object.meta();
        queue.add(Key::new(meta.namespace.clone(), meta.name.clone()));
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Reconciled<()> {
        let Some(deployment) = cx.view.deployments.get(key) else { return Reconciled::done() };
        let count: u64 = deployment.meta.annotations.get("count").and_then(|count| count.parse().ok()).unwrap_or(0);
        let document = Arc::new(json!({"metadata": {"annotations": {"count": (count + 1).to_string()}}}));
        let (kind, patch_type, part) = (Kind::Deployment, PatchType::Strategic, Part::Main);
        Reconciled::last(vec![Request::Patch { kind, key: key.clone(), patch_type, document, part }])
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Reconciled<()> {
        Reconciled::done()
    }
}

#[test]
fn a_controller_that_never_ends_is_told_by_what_it_changes() {
    let cases = Cases::new().kinds(&[WorkloadKind::Deployment]).workloads(1..=1).nodes(1..=1).steps(1..=1);
    let cases = cases.realistic(false).faults(&[]).mishaps(false).autoscaler(false).horizontal_pod_autoscaler(false);
    let mut runner = TestRunner::new(config());
    let case = cases.strategy().new_tree(&mut runner).expect("a case").current();
    let failure = Harness::with(Extensions::new().controller(Restless)).check(&case).expect_err("time stands still");
    assert_eq!(failure.expectation, "the run comes to its end");
    assert!(failure.why.starts_with("time stands still at 0s, after "), "{}", failure.why);
    // Its ReplicaSet follows, as often.
    let told = ["most of all deployment/w0 modified ", ", deployment/w0 modified "];
    assert!(told.iter().any(|words| failure.why.contains(words)), "{}", failure.why);
    assert!(failure.to_string().contains(&failure.why), "{failure}");
}

/// The kit found that time stood still when the budget looked again at the very instant at which the eviction was overdue.
#[test]
fn a_budget_forgets_the_eviction_of_a_pod_whose_name_another_has_taken() {
    holds(&on_one_machine(
        "StatefulSet",
        "",
        "    ---
    {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: w0}, spec: {maxUnavailable: 75%, selector: {}}}
  duration: 5m
  containers: [{image: app, terminate: 2s}]
  steps:
  - {at: 1s, nodeDown: {node: node-1}}
  - {at: 17s, evict: {selector: app=w0}}
  - {at: 17s, nodeUp: {node: node-1}}
  expect: [{final: budgetStatus()}]
",
    ));
}

/// The kit found that the kubelet, which had told of the end, waited for a deletion that had come before, and the pod stayed for ever.
#[test]
fn a_pod_that_ends_while_its_kubelet_does_not_hear_of_its_deletion_goes() {
    for cut in ["watches", "both"] {
        let text = format!(
            "
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {{name: unheard}}
spec:
  duration: 5m
  profile: ideal
  nodes: [{{name: node-1}}]
  containers: [{{image: task, start: 1s, terminate: 1s, exit: {{code: 0, after: 40s}}}}]
  objects: |
    {{apiVersion: batch/v1, kind: Job, metadata: {{name: w0}}, spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: task}}]}}}}}}}}
  steps:
  - {{at: 3s, partition: {{node: node-1, cut: {cut}, for: 90s}}}}
  - {{at: 20s, delete: {{kind: pod, nth: 0}}}}
  expect: [{{final: noStuckFinalizer()}}]
"
        );
        assert_eq!(Harness::new().check_yaml(&text), Ok(()), "{cut}");
    }
}

/// The kit took a pod that one step had deleted, and the next one evicted at the same instant, for one that its budget should have kept.
#[test]
fn an_eviction_of_a_pod_that_was_deleted_at_the_same_instant_needs_no_leave() {
    holds(&on_one_machine(
        "Deployment",
        "replicas: 4, ",
        "    ---
    {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: w0}, spec: {minAvailable: 1, selector: {matchLabels: {app: w0}}}}
  duration: 5m
  containers: [{image: app, terminate: 2s}]
  steps:
  - {at: 1s, delete: {kind: pod, nth: 2}}
  - {at: 1s, evict: {selector: app=w0}}
",
    ));
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
