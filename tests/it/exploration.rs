//! Exploration: the same results on any number of threads, across kills and shards; failures made small.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use seatrial::explore::{Case, CaseOutcome, CaseResult, Ledger, Plan, Shard, Summary, explore, merge, shrink};
use seatrial::objects::reader::{ReaderLimits, read_manifests};
use seatrial::scenario::{RunOptions, Scenario};

const SCENARIO: &str = include_str!("../../scenarios/explore-rollout-under-crashes.yaml");

fn plan() -> Plan {
    Plan::new("rollout.yaml", SCENARIO).seeds(0..30).vary("machines=3..4".parse().expect("a variation"))
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("not zero")
}

fn results(plan: &Plan, jobs: usize) -> Vec<CaseResult> {
    let mut results = Vec::new();
    let take = |result| {
        results.push(result);
        ControlFlow::Continue(())
    };
    explore(plan, threads(jobs), 0, take).expect("a scenario");
    results
}

/// Explores into a folder, as many more cases as are said.
fn explore_into(folder: &Path, plan: &Plan, mut cases: u64) -> Ledger {
    let mut ledger = Ledger::open(folder, plan).expect("a folder");
    let done = ledger.done();
    let take = |result: CaseResult| {
        if cases == 0 {
            return ControlFlow::Break(());
        }
        cases -= 1;
        ledger.add(&result).expect("room");
        ControlFlow::Continue(())
    };
    explore(plan, threads(2), done, take).expect("a scenario");
    ledger
}

fn files(folder: &Path) -> Vec<String> {
    ["plan.json", "results.jsonl", "results.csv", "summary.json"]
        .map(|name| fs::read_to_string(folder.join(name)).expect(name))
        .into()
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let one = results(&plan(), 1);
    assert_eq!(one.len(), 60);
    assert!(one.iter().any(|result| result.measured != one[0].measured), "seeds differ");
    for jobs in [2, 7] {
        assert_eq!(results(&plan(), jobs), one);
    }
}

#[test]
fn results_come_back_from_their_lines() {
    for result in results(&plan(), 2) {
        let line = serde_json::from_str(&result.to_json().to_string()).expect("JSON");
        assert_eq!(CaseResult::from_json(&line), Some(result));
    }
}

#[test]
fn an_exploration_goes_on_after_a_kill_with_nothing_lost_or_counted_twice() {
    let (whole, killed) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let expected = explore_into(whole.path(), &plan(), 60).finish().expect("written");
    drop(explore_into(killed.path(), &plan(), 17));
    // A kill in the middle of a line.
    let path = killed.path().join("results.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&path).expect("results");
    file.write_all(b"{\"case\":17,\"held\":tr\xff").expect("room");
    drop(file);
    let ledger = explore_into(killed.path(), &plan(), 20);
    assert_eq!(ledger.done(), 37);
    drop(ledger);
    let summary = explore_into(killed.path(), &plan(), 60).finish().expect("written");
    assert_eq!(summary, expected);
    assert_eq!(files(killed.path()), files(whole.path()));
}

#[test]
fn a_folder_with_results_of_something_else_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(explore_into(folder.path(), &plan(), 3));
    let refusal = |plan: &Plan| Ledger::open(folder.path(), plan).expect_err("another plan").to_string();
    assert!(refusal(&plan().seeds(0..31)).contains("results of another seeds"), "{}", refusal(&plan().seeds(0..31)));
    let other = Plan::new("rollout.yaml", SCENARIO.replace("seed: 3", "seed: 4")).seeds(0..30);
    assert!(refusal(&other).contains("results of another scenario"), "{}", refusal(&other));
}

#[test]
fn shards_together_write_what_one_machine_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    explore_into(&path("whole"), &plan(), 60).finish().expect("written");
    let shard = |index| plan().shard(Shard { index, count: 4 });
    let parts: Vec<_> = [2, 0, 3, 1].map(|index| path(&format!("part-{index}"))).into();
    for (part, index) in parts.iter().zip([2, 0, 3, 1]) {
        explore_into(part, &shard(index), 60).finish().expect("written");
    }
    merge(&parts, Some(&path("merged"))).expect("all shards");
    assert_eq!(files(&path("merged")), files(&path("whole")));

    let missing = merge(&parts[1..], None).expect_err("a shard is missing").to_string();
    assert!(missing.contains("shard 2/4 is missing"), "{missing}");
    let twice = [parts.clone(), vec![parts[0].clone()]].concat();
    assert!(merge(&twice, None).expect_err("given twice").to_string().contains("shard 2/4 is given twice"));
    drop(fs::remove_file(path("part-3/results.jsonl")));
    drop(explore_into(&path("part-3"), &shard(3), 5));
    let unfinished = merge(&parts, None).expect_err("not finished").to_string();
    assert!(unfinished.contains("case 23 is not there; explore shard 3/4 again"), "{unfinished}");
}

const BREAKS: &str = r#"
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: breaks}
spec:
  duration: 2h
  nodes: [{name: worker, count: 5}]
  objects: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 10
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: c, image: "web:v1"}]}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: bystander}
  containers:
  - {image: "web:*", start: 3s, terminate: 1s}
  faults:
  - {kind: NodeCrash, mtbf: 2h, mttr: 3m}
  - {kind: PodKiller, every: 7m, selector: app=web}
  steps:
  - {at: 10m, setImage: {target: deployment/web, image: "web:v2"}}
  - {at: 30m, scale: {target: deployment/web, replicas: 12}}
  - {at: 50m, rolloutRestart: {target: deployment/web}}
  expect:
  - {always: "maxSurge(deployment/web)"}
  - {always: "podsReady(app=web) >= 8", after: 1m}
"#;

#[test]
fn the_first_failure_is_made_small_and_fails_by_itself() {
    let plan = Plan::new("breaks.yaml", BREAKS).seeds(0..20);
    let mut summary = Summary::default();
    results(&plan, 2).iter().for_each(|result| summary.add(result));
    let first: Case = summary.first_failure.expect("machines crash");
    let shrunk = shrink(&plan, &first).expect("a scenario").expect("it fails");
    assert!(shrunk.steps <= 2, "{}", shrunk.yaml);
    assert!(!shrunk.yaml.contains("bystander") && !shrunk.yaml.contains("maxSurge(deployment"), "{}", shrunk.yaml);
    let run = Scenario::read("shrunk.yaml", &shrunk.yaml)
        .and_then(|scenario| scenario.run(&RunOptions::default()))
        .expect("a scenario");
    let failed: Vec<_> = run.verdicts.iter().filter(|verdict| !verdict.held()).map(|v| &v.expectation).collect();
    assert_eq!(failed, [&shrunk.expectation]);
}

#[test]
fn what_fails_only_with_a_fault_does_not_shrink_to_what_fails_without() {
    let is_kept = |line: &&str| !line.contains("PodKiller");
    let text: String = BREAKS.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    let plan = Plan::new("breaks.yaml", text).seeds(0..20);
    let first = results(&plan, 2).into_iter().find(|result| !result.outcome.held()).expect("machines crash");
    let shrunk = shrink(&plan, &first.case).expect("a scenario").expect("it fails");
    assert!(shrunk.yaml.contains("nodeDown: {node: worker-"), "a machine that stops is part of it: {}", shrunk.yaml);
    let (before, after) = shrunk.yaml.split_once("  steps:\n").expect("steps");
    let steps = after.lines().take_while(|line| line.starts_with("  - "));
    assert_eq!(steps.clone().filter(|line| !line.contains("nodeDown")).count(), 0, "{}", shrunk.yaml);
    let calm = format!("{before}{}", after.lines().skip(steps.count()).collect::<Vec<_>>().join("\n"));
    let run = Scenario::read("calm.yaml", &calm).and_then(|scenario| scenario.run(&RunOptions::default()));
    assert!(run.expect("a scenario").held(), "{calm}");
}

/// Whatever the expectations say, what is looked for is that it stops.
#[test]
fn a_run_that_stops_before_its_end_is_made_small_and_still_stops() {
    let text = BREAKS
        .replace("{kind: PodKiller, every: 7m, selector: app=web}", "{kind: PodKiller, every: 20s, selector: app=web}");
    let most = 2_000;
    let plan = Plan::new("breaks.yaml", text).seeds(0..1).max_events(most);
    let first = results(&plan, 1).swap_remove(0);
    assert!(matches!(first.outcome, CaseOutcome::Stopped { .. }), "{:?}", first.outcome);
    let shrunk = shrink(&plan, &first.case).expect("a scenario").expect("it stops");
    assert_eq!(shrunk.expectation, "the run comes to its end");
    assert!(!shrunk.yaml.contains("bystander") && !shrunk.yaml.contains("expect:"), "{}", shrunk.yaml);
    let scenario = Scenario::read("shrunk.yaml", &shrunk.yaml).expect("a scenario");
    let stopped = |max_events| {
        let options = RunOptions { max_events: Some(max_events), fail_fast: true, ..RunOptions::default() };
        scenario.run(&options).expect("a run").stopped()
    };
    assert_eq!(stopped(most).as_deref(), Some(&*shrunk.why));
    assert_eq!(stopped(1_000_000), None, "it would come to its end: {}", shrunk.yaml);
}

#[test]
fn the_manifest_of_the_guide_is_one_that_the_api_server_takes() {
    let guide = include_str!("../../docs/exploring.md");
    let (_, manifest) = guide.split_once("```yaml\napiVersion: batch/v1").expect("a Job");
    let (manifest, _) = manifest.split_once("```").expect("its end");
    let text = format!("apiVersion: batch/v1{manifest}");
    let documents = read_manifests("exploring.md", &text, &ReaderLimits::default()).expect("valid fields");
    let mut sim = seatrial::sim::Simulation::builder().nodes(4).build().expect("a cluster");
    documents.iter().for_each(|document| drop(sim.apply_document(document).expect("the API server takes it")));
}
