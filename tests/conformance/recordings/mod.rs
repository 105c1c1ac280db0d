//! Scenarios recorded on a real control plane, each mapped to a scenario file, run and judged.

pub(crate) mod command;
mod judge;
mod scenario;
mod scope;

use seatrial::scenario::{RunOptions, Scenario};
use seatrial::sim::RecordMode;
use serde_json::Value;

use crate::case::{Miss, Outcome};

/// Runs a recording's scenario and judges the run.
pub(crate) fn check(recording: &Value) -> Outcome {
    let name = recording["scenario"]["name"].as_str().ok_or_else(|| "no scenario.name".to_owned())?;
    if let Some(what) = scope::missing(&recording["scenario"]).filter(|_| !all_are_tried()) {
        return Err(Miss::Skipped(format!("{what} not simulated yet")));
    }
    let run = judge::of_log(run(name, &scenario::of_recording(recording)?)?);
    let verdict = judge::judge(recording, &run);
    if verdict.failed() == 0 {
        return Ok(());
    }
    let lines: Vec<String> = verdict.checks.iter().map(|check| format!("\n  {check}")).collect();
    Err(Miss::Differs(verdict.total() + &lines.concat()))
}

/// `SEATRIAL_CONFORMANCE_ALL=1` also runs recordings that show what is not simulated yet.
fn all_are_tried() -> bool {
    std::env::var_os("SEATRIAL_CONFORMANCE_ALL").is_some_and(|all| all == "1")
}

/// Runs a scenario file; the records of its watch-event log.
fn run(name: &str, text: &str) -> Result<Vec<Value>, String> {
    let scenario = Scenario::read(&format!("{name}.json"), text).map_err(|error| format!("scenario: {error}"))?;
    let options = RunOptions { record: RecordMode::Full, ..RunOptions::default() };
    let run = scenario.run(&options).map_err(|error| format!("run: {error}"))?;
    let parse = |line: String| serde_json::from_str(&line).map_err(|error| format!("event log: {error}: {line}"));
    run.simulation.recording().records().iter().map(|record| parse(record.to_json())).collect()
}
