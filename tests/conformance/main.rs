//! Conformance with recorded and computed behaviour of Kubernetes 1.36.
//!
//! Every `data/*.json` is a list of cases computed by upstream code, every `recordings/*.json` one scenario recorded on
//! a real control plane. `SEATRIAL_CONFORMANCE_DIR` names another directory with the same two folders to run instead
//! of this one. Arguments filter as those of libtest do: a case runs if its name (`quantities#12`, `dep-create`)
//! contains one of them; `--exact`, `--skip` and `--list` work.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test harness speaks on standard output")]

mod args;
mod case;
mod known;
mod manifest;
mod manifest_defaulting;
mod manifest_validation;
mod patches;
mod quantities;
mod registry;
mod replicaset_victims;
mod report;
mod rollout_math;
mod run;
mod selectors;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse(std::env::args().skip(1));
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
        report::list(&files, &args);
        return ExitCode::SUCCESS;
    }
    run::silence_panics();
    report::print(&run::all(&files, &args))
}
