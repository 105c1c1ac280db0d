//! `describe job` and what a CronJob says of its jobs (upstream `describeJob`, `describeJobTemplate`).

use serde_json::Value;

use super::events_about;
use super::parts::{controlled_by, events, instant, labels_and_annotations, name_and_namespace, or_unset};
use super::tabs::TabWriter;
use super::template::pod_template;
use crate::objects::wire::Wire;
use crate::objects::{Job, JobSpec, Resource, Timestamp};
use crate::report::table::age;
use crate::sim::Simulation;

/// Bytes of a list of completed indexes after which it is cut at the next comma.
const INDEXES_LEN: usize = 50;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, job: &Job) {
    let (meta, status, wire) = (&job.meta, &job.status, job.to_wire());
    let (spec, status_wire) = (wire.at("spec"), wire.at("status"));
    name_and_namespace(out, meta);
    out.field(0, "Selector", &job.spec.selector.compiled);
    labels_and_annotations(out, meta);
    controlled_by(out, meta);
    out.field(0, "Parallelism", spec.int("parallelism"));
    out.field(0, "Completions", or_unset(spec.int_some("completions")));
    if let Some(mode) = spec.text_some("completionMode") {
        out.field(0, "Completion Mode", mode);
    }
    if let Some(suspend) = spec.flag_some("suspend") {
        out.field(0, "Suspend", suspend);
    }
    for (title, field) in [("Backoff Limit", "backoffLimit"), ("TTL Seconds After Finished", "ttlSecondsAfterFinished")]
    {
        if let Some(number) = spec.int_some(field) {
            out.field(0, title, number);
        }
    }
    if status.start_time.is_some() {
        out.field(0, "Start Time", instant(status_wire.at("startTime")));
    }
    if status.completion_time.is_some() {
        out.field(0, "Completed At", instant(status_wire.at("completionTime")));
    }
    if let (Some(start), Some(end)) = (status.start_time, status.completion_time) {
        out.field(0, "Duration", age(Some(start), Timestamp::wall(end)));
    }
    deadline(out, &job.spec);
    let ready = status_wire.int_some("ready").map(|ready| format!(" ({ready} Ready)")).unwrap_or_default();
    let (active, succeeded, failed) = (status.active, status.succeeded, status.failed);
    out.field(0, "Pods Statuses", format!("{active} Active{ready} / {succeeded} Succeeded / {failed} Failed"));
    if spec.text("completionMode") == "Indexed" {
        out.field(0, "Completed Indexes", indexes(status_wire.text("completedIndexes")));
    }
    pod_template(out, &job.spec.template);
    events(out, events_about(sim, meta), sim.wall());
}

/// What jobs are made from.
/// `wire`: the template as it is stored. Templates of Jobs are not completed, so that it shows what is unset.
pub(super) fn job_template(out: &mut TabWriter, spec: &JobSpec, wire: &Value) {
    let selector = Some(&spec.selector).filter(|selector| !selector.wire.is_empty());
    out.field(0, "Selector", or_unset(selector.map(|selector| &selector.compiled)));
    out.field(0, "Parallelism", or_unset(wire.int_some("parallelism")));
    out.field(0, "Completions", or_unset(wire.int_some("completions")));
    deadline(out, spec);
    pod_template(out, &spec.template);
}

fn deadline(out: &mut TabWriter, spec: &JobSpec) {
    if let Some(seconds) = spec.active_deadline_seconds {
        out.field(0, "Active Deadline Seconds", format_args!("{seconds}s"));
    }
}

/// Upstream `capIndexesListOrNone`.
fn indexes(indexes: &str) -> String {
    let comma = indexes.get(INDEXES_LEN..).and_then(|rest| rest.find(','));
    match comma {
        _ if indexes.is_empty() => "<none>".to_owned(),
        Some(comma) => format!("{}...", &indexes[..=INDEXES_LEN + comma]),
        None => indexes.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_indexes_are_cut_at_a_comma() {
        assert_eq!(indexes(""), "<none>");
        assert_eq!(indexes("0-3,7"), "0-3,7");
        let long: Vec<String> = (0..60).step_by(2).map(|n| n.to_string()).collect();
        let cut = indexes(&long.join(","));
        assert!(cut.ends_with(",...") && cut.len() < 60, "{cut}");
    }
}
