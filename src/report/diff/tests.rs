use super::*;
use crate::kernel::SimTime;
use crate::scenario::{RunOptions, Scenario};
use crate::sim::RecordMode;

const SCENARIO: &str = "
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: t}
spec:
  duration: 2m
  profile: realistic
  nodes: [{name: w, count: 3}]
  containers: [{image: '*', start: {distribution: lognormal, median: 2s, p99: 6s}}]
  objects: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 3
      selector: {matchLabels: {app: web}}
      template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'web:1'}]}}
    ---
    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: agent}
    spec:
      selector: {matchLabels: {app: agent}}
      template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: c, image: 'agent:1'}]}}
  steps:
  - {at: 1m, setImage: {target: deployment/web, container: c, image: 'web:2'}}
  measure: [{name: fewest, min: available(deployment/web)}]
";

fn run(text: &str, seed: u64) -> Run {
    let scenario = Scenario::read("t.yaml", text).expect("a scenario");
    let options = RunOptions { seed: Some(seed), record: RecordMode::Full, ..RunOptions::default() };
    scenario.run(&options).expect("a run")
}

fn compared(first: &Run, second: &Run, options: &DiffOptions) -> Diff {
    let [left, right] = [first, second].map(|run| {
        let mut replay = Replay::of(&run.simulation);
        replay.advance_to(run.simulation.now());
        replay
    });
    diff_runs(Side { run: first, replay: &left }, Side { run: second, replay: &right }, options)
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let [first, second] = [run(SCENARIO, 1), run(SCENARIO, 1)];
    for exact in [false, true] {
        let diff = compared(&first, &second, &DiffOptions { exact, every_kind: true, namespace: None });
        assert!(diff.is_empty() && diff.to_string().is_empty(), "{diff}");
        assert!(diff.all_figures.iter().any(|figure| figure.name == "measured fewest"));
    }
}

#[test]
fn objects_whose_names_differ_by_the_seed_are_held_for_the_same() {
    let [first, second] = [run(SCENARIO, 1), run(SCENARIO, 2)];
    let diff = compared(&first, &second, &DiffOptions::default());
    assert_eq!(diff.renamed, 6, "three pods of each: {diff}");
    let alone = diff.objects.iter().filter(|change| change.first.is_none() || change.second.is_none());
    assert_eq!(alone.count(), 0, "{diff}");
    assert!(!diff.to_string().contains("metadata.name") && !diff.to_string().contains("ownerReferences"), "{diff}");
    let rollouts = diff.all_figures.iter().find(|figure| figure.name == "rollouts of deployment/web");
    let times = rollouts.and_then(|figure| figure.first.clone()).expect("a figure");
    assert_eq!(times.split(", ").count(), 2, "{times}");
}

#[test]
fn what_another_manifest_changes_is_told_by_its_path() {
    let other = SCENARIO.replace("replicas: 3", "replicas: 4").replace("'agent:1'", "'agent:2'");
    let diff = compared(&run(SCENARIO, 1), &run(&other, 1), &DiffOptions::default());
    let text = diff.to_string();
    assert!(text.contains("\n~ deployment/web\n"), "{text}");
    assert!(text.contains("\n    spec.replicas: 3 → 4\n"), "{text}");
    assert!(text.contains("\n    spec.template.spec.containers[c].image: agent:1 → agent:2\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("+ pod/web-")).count(), 1, "{text}");
    assert!(text.contains("\n      measured fewest "), "an equal figure has no mark: {text}");
}

#[test]
fn two_instants_of_a_run_are_compared_by_name() {
    let run = run(SCENARIO, 1);
    let [mut first, mut second] = [Replay::of(&run.simulation), Replay::of(&run.simulation)];
    first.advance_to(SimTime::from_secs(50));
    second.advance_to(run.simulation.now());
    let text = diff_instants(&first, &second, &DiffOptions::default()).to_string();
    assert_eq!(text.lines().filter(|line| line.starts_with("- pod/web-")).count(), 3, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("+ pod/web-")).count(), 3, "{text}");
    assert!(text.contains("    spec.template.spec.containers[c].image: web:1 → web:2\n"), "{text}");
    let elsewhere = DiffOptions { namespace: Some("kube-system".into()), ..DiffOptions::default() };
    assert!(diff_instants(&first, &second, &elsewhere).is_empty());
}
