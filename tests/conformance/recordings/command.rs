//! Judging two files by hand, and showing the scenario of a recording.

use std::fs;
use std::process::ExitCode;

use serde_json::Value;

use super::{judge, scenario};

/// Judges a run against a recording and prints one line a check. The run is a watch-event log (`*.jsonl`) or another
/// recording.
pub(crate) fn judge_files(recording: &str, run: &str) -> Result<ExitCode, String> {
    let trace = if run.ends_with(".jsonl") {
        let text = read(run)?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let records: Result<Vec<Value>, String> = lines.map(|line| parse(run, line)).collect();
        judge::of_log(records?)
    } else {
        judge::of_recording(&parse(run, &read(run)?)?)
    };
    let verdict = judge::judge(&parse(recording, &read(recording)?)?, &trace);
    for check in &verdict.checks {
        println!("{check}");
    }
    println!("{}", verdict.total());
    Ok(if verdict.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the scenario file of a recording.
pub(crate) fn show_scenario(recording: &str) -> Result<ExitCode, String> {
    println!("{}", scenario::of_recording(&parse(recording, &read(recording)?)?)?);
    Ok(ExitCode::SUCCESS)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn parse(path: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{path}: {error}"))
}
