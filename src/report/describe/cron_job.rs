//! `describe cronjob` (upstream `describeCronJob`).

use super::events_about;
use super::job::job_template;
use super::parts::{events, flag, labels_and_annotations, name_and_namespace, or_none, or_unset, rfc1123};
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{CronJob, Resource};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, cron_job: &CronJob) {
    let (meta, wire) = (&cron_job.meta, cron_job.to_wire());
    let spec = wire.at("spec");
    name_and_namespace(out, meta);
    labels_and_annotations(out, meta);
    out.field(0, "Schedule", spec.text("schedule"));
    out.field(0, "Concurrency Policy", spec.text("concurrencyPolicy"));
    out.field(0, "Suspend", or_unset(spec.flag_some("suspend").map(flag)));
    out.field(0, "Time Zone", or_unset(spec.text_some("timeZone")));
    out.field(0, "Successful Job History Limit", or_unset(spec.int_some("successfulJobsHistoryLimit")));
    out.field(0, "Failed Job History Limit", or_unset(spec.int_some("failedJobsHistoryLimit")));
    let deadline = spec.int_some("startingDeadlineSeconds").map(|seconds| format!("{seconds}s"));
    out.field(0, "Starting Deadline Seconds", or_unset(deadline));
    job_template(out, &cron_job.spec.job_template.spec, spec.at("jobTemplate").at("spec"));
    out.field(0, "Last Schedule Time", or_unset(cron_job.status.last_schedule_time.map(rfc1123)));
    let active: Vec<&str> = cron_job.status.active.iter().map(|job| &*job.name).collect();
    out.field(0, "Active Jobs", or_none(&active.join(", ")));
    events(out, events_about(sim, meta), sim.wall());
}
