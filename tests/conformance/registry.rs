//! Which checker judges which file. This table is the only place that names them.

use serde_json::Value;

use crate::case::{Case, Outcome};
use crate::source::{File, Kind};
use crate::{
    cron, hpa, job_decisions, kubectl_tables, manifest_defaulting, manifest_validation, patches, pdb_math, preemption,
    qos_and_requests, quantities, recordings, replicaset_victims, rollout_math, scheduling, selectors, set_decisions,
};

type CheckCase = fn(&Case<'_>) -> Outcome;
type CheckRecording = fn(&Value) -> Outcome;

/// Datasets by name.
const DATASETS: &[(&str, CheckCase)] = &[
    ("kubectl-tables", kubectl_tables::check),
    ("cron", cron::check),
    ("hpa", hpa::check),
    ("job-decisions", job_decisions::check),
    ("manifest-defaulting", manifest_defaulting::check),
    ("manifest-validation", manifest_validation::check),
    ("patches", patches::check),
    ("preemption", preemption::check),
    ("qos-and-requests", qos_and_requests::check),
    ("pdb-math", pdb_math::check),
    ("quantities", quantities::check),
    ("replicaset-victims", replicaset_victims::check),
    ("rollout-math", rollout_math::check),
    ("scheduling", scheduling::check),
    ("scheduling-b", scheduling::check),
    ("selectors", selectors::check),
    ("set-decisions", set_decisions::check),
];

/// Recordings by the beginning of their names; the first that fits judges.
const RECORDINGS: &[(&str, CheckRecording)] = &[("", recordings::check)];

/// How a file is judged.
#[derive(Clone, Copy)]
pub(crate) enum Checker {
    Dataset(CheckCase),
    Recording(CheckRecording),
}

/// The checker of a file, if there is one.
pub(crate) fn checker(file: &File) -> Option<Checker> {
    match file.kind {
        Kind::Dataset => {
            let found = DATASETS.iter().find(|(name, _)| *name == file.name);
            found.map(|&(_, check)| Checker::Dataset(check))
        }
        Kind::Recording => {
            let found = RECORDINGS.iter().find(|(prefix, _)| file.name.starts_with(prefix));
            found.map(|&(_, check)| Checker::Recording(check))
        }
    }
}
