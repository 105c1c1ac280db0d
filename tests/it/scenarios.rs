//! Every scenario and manifest of the project does what it says.

use std::fs;
use std::path::{Path, PathBuf};

use seatrial::kernel::SimTime;
use seatrial::report::story;
use seatrial::scenario::{RunOptions, Scenario, StepOutcome};
use seatrial::sim::{Delays, RecordMode, SimError, Simulation};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    files
}

#[test]
fn every_scenario_holds() {
    let files = yaml_files(&folder("scenarios"));
    assert!(files.len() >= 5);
    for path in files {
        let scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let options = RunOptions { record: RecordMode::Full, ..RunOptions::default() };
        let run = scenario.run(&options).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(run.held(), "{}", story(&scenario, &run));
        // Only of an outage it is part of the lesson that a step is refused.
        let is_fine = |error: &SimError| error.to_string().contains("connection refused");
        let taken = |step: &StepOutcome| step.at.is_some() && step.error.as_ref().is_none_or(is_fine);
        assert!(run.steps.iter().all(taken), "{:?}", run.steps);
    }
}

#[test]
fn every_manifest_runs_unchanged() {
    let files = yaml_files(&folder("scenarios/manifests"));
    assert!(files.len() >= 16);
    for path in files {
        let text = fs::read_to_string(&path).expect("a manifest");
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(3).build().expect("a cluster");
        let applied = sim.apply(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!applied.is_empty());
        assert!(sim.run_until_quiescent(SimTime::from_secs(3600)), "{}", path.display());
        for deployment in sim.view().deployments.iter() {
            assert_eq!(deployment.status.available_replicas, deployment.spec.replicas, "{}", path.display());
        }
        for job in sim.view().jobs.iter() {
            assert!(job.is_finished(), "{}: {:?}", path.display(), job.status);
        }
        for pod in sim.view().pods.iter() {
            assert!(pod.is_ready(), "{}: {:?}", path.display(), pod.status);
        }
    }
}

#[test]
fn the_story_of_the_main_scenario_reads_as_recorded() {
    let scenario = Scenario::load(&folder("scenarios/rolling-update-node-loss.yaml")).expect("the main scenario");
    let options = RunOptions { record: RecordMode::Full, ..RunOptions::default() };
    let run = scenario.run(&options).expect("the main scenario");
    insta::assert_snapshot!(story(&scenario, &run));
}

#[test]
fn a_simulation_stops_at_its_limits() {
    let manifest = fs::read_to_string(folder("scenarios/manifests/web.yaml")).expect("a manifest");
    let run = |events: u64, pods: usize| {
        let mut sim = Simulation::builder().nodes(2).build().expect("a cluster");
        sim.set_limits(events, pods);
        sim.apply(&manifest).expect("accepted");
        sim.run_until(SimTime::from_secs(60));
        sim
    };
    let free = run(u64::MAX, usize::MAX);
    assert!(!free.is_exhausted() && free.now() == SimTime::from_secs(60));
    let few_events = run(20, usize::MAX);
    assert!(few_events.is_exhausted() && few_events.events() == 20 && few_events.now() < SimTime::from_secs(1));
    let few_pods = run(u64::MAX, 2);
    assert!(few_pods.is_exhausted() && few_pods.now() < SimTime::from_secs(1));
}

#[test]
fn an_expectation_may_begin_after_a_while() {
    let verdicts = |expect: &str| {
        let text = format!(
            "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {{name: later}}\nspec:\n  duration: 1m\n  \
             nodes: [{{name: worker}}]\n  steps: [{{at: 20s, addNode: {{name: late}}}}]\n  \
             expect:\n{expect}"
        );
        let run = Scenario::read("later.yaml", &text).expect("a scenario").run(&RunOptions::default()).expect("a run");
        run.verdicts.iter().map(|verdict| (verdict.expectation.clone(), verdict.held())).collect::<Vec<_>>()
    };
    let always = |after: &str| verdicts(&format!("  - {{always: \"nodeReady(node/late)\"{after}}}\n"));
    assert_eq!(always(""), [("always: nodeReady(node/late)".to_owned(), false)], "it has to join first");
    assert_eq!(always(", after: 30s"), [("always: nodeReady(node/late) after 30s".to_owned(), true)]);
    let eventually =
        |rest: &str| verdicts(&format!("  - {{eventually: \"nodeReady(node/late)\", after: 30s{rest}}}\n"));
    let wanted = "eventually: nodeReady(node/late) after 30s within 5s".to_owned();
    assert_eq!(eventually(", within: 5s"), [(wanted, true)]);
}
