//! The scenario reader and runner: no panic, no hang; what can be read can be run, told and written as a log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatrial::kernel::SimDuration;
use seatrial::report::story;
use seatrial::scenario::{RunOptions, Scenario, ScenarioError};
use seatrial::sim::RecordMode;

fuzz_target!(|text: &str| {
    let scenario = match Scenario::read("fuzz.yaml", text) {
        Ok(scenario) => scenario,
        Err(ScenarioError::Input(problems)) => {
            assert!(!problems.is_empty());
            return;
        }
        Err(_) => return,
    };
    if scenario.nodes.len() > 20 {
        return;
    }
    let options = RunOptions {
        record: RecordMode::Full,
        until: Some(SimDuration::from_secs(600)),
        max_events: Some(20_000),
        ..RunOptions::default()
    };
    let Ok(run) = scenario.run(&options) else { return };
    assert!(run.simulation.now().as_nanos() <= scenario.duration.as_nanos());
    assert_eq!(run.verdicts.len(), scenario.expectations.len());
    assert!(story(&scenario, &run).ends_with('\n'));
    run.simulation.recording().write_jsonl(std::io::sink()).expect("writing to nowhere");
});
