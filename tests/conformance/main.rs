//! Conformance with recorded and computed behaviour of Kubernetes 1.36.
//!
//! Every `data/*.json` is a list of cases computed by upstream code, every `recordings/*.json` one scenario recorded on
//! a real control plane. `SEATRIAL_CONFORMANCE_DIR` names another directory with the same two folders to run instead
//! of this one. Arguments filter as those of libtest do: a case runs if its name (`quantities#12`, `dep-create`)
//! contains one of them; `--exact`, `--skip` and `--list` work.
//!
//! `--judge RECORDING.json RUN` judges one run, a watch-event log (`*.jsonl`) or another recording, and prints every
//! check; `--scenario RECORDING.json` prints the scenario file that a recording is mapped to.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test harness speaks on standard output")]

mod args;
mod case;
mod cron;
mod decoding;
mod hpa;
mod job_decisions;
mod known;
mod kubectl_tables;
mod manifest;
mod manifest_defaulting;
mod manifest_validation;
mod patches;
mod pdb_math;
mod preemption;
mod qos_and_requests;
mod quantities;
mod recordings;
mod registry;
mod replicaset_victims;
mod report;
mod rollout_math;
mod run;
mod scheduling;
mod selectors;
mod set_decisions;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--judge", recording, run] => told(recordings::command::judge_files(recording, run)),
        ["--scenario", recording] => told(recordings::command::show_scenario(recording)),
        _ => run_cases(&args::Args::parse(arguments.into_iter())),
    }
}

fn told(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn run_cases(args: &args::Args) -> ExitCode {
    let chosen = std::env::var_os("SEATRIAL_CONFORMANCE_DIR").map(PathBuf::from);
    let checked_in = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance"));
    let files = match source::find(&chosen.unwrap_or(checked_in)) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if args.list {
        report::list(&files, args);
        return ExitCode::SUCCESS;
    }
    run::silence_panics();
    report::print(&run::all(&files, args))
}
