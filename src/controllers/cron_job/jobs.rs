//! The Jobs of a CronJob: their names, how they are made, and which are too old to be kept.

use std::sync::Arc;

use crate::api::{DeleteOptions, Propagation, Request};
use crate::controllers::controller_ref::controller_reference;
use crate::objects::cron::Zone;
use crate::objects::{CRON_JOB_SCHEDULED_ANNOTATION, CronJob, Job, Kind, ObjectMeta, Resource, SharedList, Timestamp};

/// Name of the Job of a run: it is the same for the same minute, so that no run is made twice (upstream `getJobName`).
pub(super) fn name(cron_job: &CronJob, run: Timestamp) -> String {
    // Go's division goes towards zero.
    format!("{}-{}", cron_job.meta.name, run.as_unix_secs() / 60)
}

/// The Job of a run (upstream `getJobFromTemplate2`).
pub(super) fn job(cron_job: &CronJob, zone: &Zone, run: Timestamp) -> Job {
    let template = &cron_job.spec.job_template;
    let meta = ObjectMeta {
        name: name(cron_job, run).into(),
        namespace: Arc::clone(&cron_job.meta.namespace),
        labels: template.meta.labels.clone(),
        annotations: template.meta.annotations.with(CRON_JOB_SCHEDULED_ANNOTATION, &zone.format(run)),
        owner_references: SharedList::from(vec![controller_reference(Kind::CronJob, &cron_job.meta)]),
        ..ObjectMeta::default()
    };
    Job { meta, spec: template.spec.clone(), ..Job::default() }
}

/// The request that deletes a Job, and its pods after it.
pub(super) fn delete(job: &Job) -> Request {
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    Request::Delete { kind: Kind::Job, key: job.key(), options }
}

/// The finished Jobs that are beyond the limits, the oldest of each kind of end (upstream `cleanupFinishedJobs`).
pub(super) fn surplus(cron_job: &CronJob, jobs: &[Arc<Job>]) -> Vec<Arc<Job>> {
    let ended = |kind: &str| -> Vec<Arc<Job>> {
        let ends_so = |job: &&Arc<Job>| job.finished().is_some_and(|condition| condition.kind == *kind);
        let mut ended: Vec<Arc<Job>> = jobs.iter().filter(ends_so).cloned().collect();
        ended.sort_by(|a, b| age(a).cmp(&age(b)));
        ended
    };
    let beyond = |kind: &str, limit: Option<i32>| {
        let Some(limit) = limit else { return Vec::new() };
        let mut ended = ended(kind);
        ended.truncate(ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0)));
        ended
    };
    let mut surplus = beyond(Job::COMPLETE, cron_job.spec.successful_jobs_history_limit);
    surplus.extend(beyond(Job::FAILED, cron_job.spec.failed_jobs_history_limit));
    surplus
}

/// Order of age: by start, those without one last, then by name (upstream `byJobStartTime`).
fn age(job: &Job) -> impl Ord + '_ {
    (job.status.start_time.is_none(), job.status.start_time, &job.meta.name)
}
