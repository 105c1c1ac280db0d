//! The property kit at work on the built-in controllers: it finds nothing. In a copy of the tree with one of the patches beside this
//! file it must find something (`just mutants`).
//!
//! `SEATRIAL_CASES` is how many cases of each kind are tried, `SEATRIAL_SEED` which.
#![allow(clippy::print_stdout, reason = "the outcome is for whoever runs it")]

use std::process::ExitCode;

use seatrial::testing::{Cases, FaultKind, Harness, WorkloadKind};

/// Cases for what the built-in controllers promise: everything at once, and each kind of workload with room enough for it.
fn searches() -> [(&'static str, Cases); 7] {
    let of = |kinds: &[WorkloadKind]| {
        let calm =
            Cases::new().kinds(kinds).workloads(1..=2).nodes(2..=4).steps(1..=8).mishaps(false).autoscaler(false);
        calm.faults(&[FaultKind::Node])
    };
    [
        // Bare pods first: those that the kubelet rejects are not made again and again.
        ("pods", of(&[WorkloadKind::Pod]).workloads(2..=8).nodes(1..=2)),
        ("rollouts", of(&[WorkloadKind::Deployment, WorkloadKind::ReplicaSet])),
        ("statefulsets", of(&[WorkloadKind::StatefulSet])),
        ("daemonsets", of(&[WorkloadKind::DaemonSet])),
        ("jobs", of(&[WorkloadKind::Job])),
        ("cronjobs", of(&[WorkloadKind::CronJob])),
        ("clusters", Cases::new()),
    ]
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    let (cases, seed) = (number("SEATRIAL_CASES", 40), number("SEATRIAL_SEED", 1));
    let count = u32::try_from(cases).unwrap_or(u32::MAX);
    for (name, kind) in searches() {
        if let Some(found) = Harness::new().search(&kind, seed, count) {
            println!(
                "FOUND {name} case {}: {} ({} steps)\n{found}",
                found.number, found.failure.expectation, found.steps
            );
            return ExitCode::FAILURE;
        }
    }
    println!("found nothing in {count} cases of each kind");
    ExitCode::SUCCESS
}
