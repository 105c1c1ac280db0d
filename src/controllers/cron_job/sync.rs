//! One sync of a CronJob (upstream `ControllerV2.syncCronJob`).

use std::sync::Arc;

use crate::api::{EventKind, EventSpec, Part, Request, Response, Step, Then, View};
use crate::kernel::SimDuration;
use crate::objects::cron::{Schedule, Zone};
use crate::objects::names::quoted;
use crate::objects::{
    ConcurrencyPolicy, CronJob, CronJobStatus, Job, Key, Kind, ObjectReference, Text, Timestamp, Uid, WallTime,
};

use super::jobs;
use super::missed::{self, Due, MissedRuns};

/// What upstream's client says when it is asked for a Job whose namespace was left out. The controller does that when the
/// Job that it wants to make is there already; it then fails for as long as that Job exists.
const NO_NAMESPACE: &str = "an empty namespace may not be set when a resource name is provided";

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub struct SyncState {
    sync: Sync,
    stage: Stage,
}

impl SyncState {
    pub(super) fn into_parts(self) -> (Sync, Stage) {
        (self.sync, self.stage)
    }
}

/// Which responses a sync waits for.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Deletions of Jobs that are beyond the limits.
    Cleanup(Vec<Arc<Job>>),
    /// Deletions of Jobs that still run, for a run at that time.
    Replace(Vec<Arc<Job>>, Timestamp),
    /// The creation of the Job of a run.
    Create(Timestamp),
}

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Sync {
    cron_job: Arc<CronJob>,
    /// All Jobs whose controller has the CronJob's name.
    jobs: Vec<Arc<Job>>,
    now: WallTime,
    /// The status to be.
    status: CronJobStatus,
    changed: bool,
    events: Vec<Request>,
}

impl Sync {
    pub(super) fn new(cron_job: &Arc<CronJob>, jobs: Vec<Arc<Job>>, now: WallTime) -> Self {
        let status = cron_job.status.clone();
        Self { cron_job: Arc::clone(cron_job), jobs, now, status, changed: false, events: Vec::new() }
    }

    pub(super) const fn then(self, stage: Stage) -> SyncState {
        SyncState { sync: self, stage }
    }

    /// All after the clean-up: looks at the Jobs, then makes the next one if it is due.
    pub(super) fn proceed(mut self, view: &View) -> Step<SyncState> {
        self.look_at_jobs();
        self.drop_missing_jobs(view);
        let cron_job = Arc::clone(&self.cron_job);
        let spec = &cron_job.spec;
        if cron_job.meta.is_deleting() {
            return self.end(None);
        }
        if spec.timing.zone.is_none() {
            let name = spec.time_zone.as_deref().unwrap_or_default();
            self.warn("UnknownTimeZone", format!("invalid timeZone: {}: unknown time zone {name}", quoted(name)));
            return self.end(None);
        }
        if spec.suspend {
            return self.end(None);
        }
        if spec.schedule.contains("TZ") {
            let schedule = quoted(&spec.schedule);
            let page = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/";
            let message = format!(
                "CRON_TZ or TZ used in schedule {schedule} is not officially supported, see {page} for more details"
            );
            self.warn("UnsupportedSchedule", message);
        }
        match &spec.timing.schedule {
            Ok(schedule) => self.run(view, schedule),
            Err(fault) => {
                let message = format!("unparseable schedule: {} : {fault}", quoted(&spec.schedule));
                self.warn("UnparseableSchedule", message);
                self.end(None)
            }
        }
    }

    /// Notes which Jobs have ended, and which ones it does not know.
    fn look_at_jobs(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            let is_active = self.status.active.iter().any(|active| active.uid == job.meta.uid);
            let name = &job.meta.name;
            let Some(end) = job.finished() else {
                if !is_active {
                    let message = format!("Saw a job that the controller did not create or forgot: {name}");
                    self.warn("UnexpectedJob", message);
                }
                continue;
            };
            if is_active {
                self.forget(&job.meta.uid);
                let message = format!("Saw completed job: {name}, condition: {}", end.kind);
                self.tell("SawCompletedJob", message);
            }
            let last = &mut self.status.last_successful_time;
            // Absent before present: a first success counts even without a time.
            if job.is_complete() && (last.is_none() || job.status.completion_time > *last) {
                *last = job.status.completion_time;
                self.changed = true;
            }
        }
    }

    /// Lets go of Jobs that are gone.
    fn drop_missing_jobs(&mut self, view: &View) {
        for active in &self.status.active.clone() {
            if find(view, active).is_none() {
                self.forget(&active.uid);
                self.tell("MissingJob", format!("Active job went missing: {}", active.name));
            }
        }
    }

    /// Makes the Job that is due, if one is.
    fn run(mut self, view: &View, schedule: &Schedule) -> Step<SyncState> {
        let cron_job = Arc::clone(&self.cron_job);
        let run = match missed::due(&cron_job, schedule, self.now, true) {
            Err(fault) => {
                self.warn("InvalidSchedule", format!("invalid schedule: {} : {fault}", cron_job.spec.schedule));
                return self.end(None);
            }
            Ok(Due { most_recent: None, .. }) => return self.wait(schedule),
            Ok(Due { most_recent: Some(run), missed, .. }) => {
                if missed == MissedRuns::Many {
                    let message = "too many missed start times. \
                                   Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                    self.warn("TooManyMissedTimes", message.to_owned());
                }
                run
            }
        };
        if self.is_too_late(run) {
            let scheduled = rfc1123(run);
            self.warn("MissSchedule", format!("Missed scheduled time to start a job: {scheduled}"));
            return self.wait(schedule);
        }
        let name = jobs::name(&cron_job, run);
        let is_made = self.status.active.iter().any(|active| active.name == *name);
        if is_made || self.status.last_schedule_time == Some(run) {
            return self.wait(schedule);
        }
        match cron_job.spec.concurrency_policy {
            ConcurrencyPolicy::Forbid if !self.status.active.is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.tell("JobAlreadyActive", message.to_owned());
                self.wait(schedule)
            }
            ConcurrencyPolicy::Replace if !self.status.active.is_empty() => self.replace(view, run),
            _ => self.create(run),
        }
    }

    /// Never true unless clocks jump: runs that are too late are not found in the first place.
    fn is_too_late(&self, run: Timestamp) -> bool {
        let deadline = self.cron_job.spec.starting_deadline_seconds;
        deadline.is_some_and(|seconds| run.plus_secs(seconds).wall() < self.now)
    }

    /// Deletes the Jobs that still run.
    fn replace(self, view: &View, run: Timestamp) -> Step<SyncState> {
        let active: Vec<Arc<Job>> =
            self.status.active.iter().filter_map(|active| find(view, active)).cloned().collect();
        let deletions = active.iter().map(|job| jobs::delete(job)).collect();
        Step::call(deletions, self.then(Stage::Replace(active, run)))
    }

    /// Makes the Job of a run.
    pub(super) fn create(self, run: Timestamp) -> Step<SyncState> {
        let zone = self.cron_job.spec.timing.zone.clone().unwrap_or(Zone::UTC);
        let job = jobs::job(&self.cron_job, &zone, run);
        Step::call(vec![Request::Create(job.into())], self.then(Stage::Create(run)))
    }

    /// Goes on after the creation of a Job.
    pub(super) fn created(mut self, run: Timestamp, response: Response) -> Step<SyncState> {
        let job = match response {
            Ok(job) => job,
            Err(error) if error.is_namespace_terminating() => return self.fail(error.message),
            Err(error) if error.reason == crate::api::Reason::AlreadyExists => {
                return self.fail(NO_NAMESPACE.to_owned());
            }
            Err(error) => {
                self.warn("FailedCreate", format!("Error creating job: {error}"));
                return self.fail(error.message);
            }
        };
        let meta = job.meta();
        self.tell("SuccessfulCreate", format!("Created job {}", meta.name));
        let version: Text = meta.resource_version.to_string().into();
        let reference = ObjectReference { resource_version: version, ..ObjectReference::to(Kind::Job, meta) };
        self.status.active = self.status.active.iter().cloned().chain([reference]).collect();
        self.status.last_schedule_time = Some(run);
        self.changed = true;
        // The next run counts from what the sync began with, where this one was still to be made.
        let cron_job = Arc::clone(&self.cron_job);
        match &cron_job.spec.timing.schedule {
            Ok(schedule) => self.wait(schedule),
            Err(_) => self.end(None),
        }
    }

    /// Takes note of the deletion of a Job. Returns whether it went well.
    pub(super) fn deleted(&mut self, job: &Job, response: Response) -> bool {
        match response {
            Ok(_) => {
                self.forget(&job.meta.uid);
                self.changed = true;
                self.tell("SuccessfulDelete", format!("Deleted job {}", job.meta.name));
                true
            }
            Err(error) => {
                self.warn("FailedDelete", format!("Deleted job: {error}"));
                false
            }
        }
    }

    fn forget(&mut self, job: &Uid) {
        let others = self.status.active.iter().filter(|active| active.uid != *job);
        self.status.active = others.cloned().collect();
        self.changed = true;
    }

    fn tell(&mut self, reason: &'static str, message: String) {
        self.event(EventKind::Normal, reason, message);
    }

    fn warn(&mut self, reason: &'static str, message: String) {
        self.event(EventKind::Warning, reason, message);
    }

    fn event(&mut self, kind: EventKind, reason: &'static str, message: String) {
        let about = ObjectReference::to(Kind::CronJob, &self.cron_job.meta);
        self.events.push(Request::Event(EventSpec { about, kind, reason: reason.into(), message: message.into() }));
    }

    /// Ends the sync until the next run.
    fn wait(self, schedule: &Schedule) -> Step<SyncState> {
        let now_known = CronJob { status: self.status.clone(), ..CronJob::clone(&self.cron_job) };
        let wait = missed::until_next(&now_known, schedule, self.now);
        self.end(Some(wait))
    }

    fn end(self, requeue_after: Option<SimDuration>) -> Step<SyncState> {
        Step { requests: self.requests(), then: Then::Done { requeue_after } }
    }

    /// Ends the sync with a failure: it is tried again.
    pub(super) fn fail(self, why: String) -> Step<SyncState> {
        Step { requests: self.requests(), then: Then::Retry(why) }
    }

    fn requests(self) -> Vec<Request> {
        let mut requests = self.events;
        if self.changed {
            let update = CronJob { status: self.status, ..CronJob::clone(&self.cron_job) };
            requests.push(Request::Update(update.into(), Part::Status));
        }
        requests
    }
}

/// The Job that a reference in the status names.
fn find<'a>(view: &'a View, active: &ObjectReference) -> Option<&'a Arc<Job>> {
    view.jobs.get(&Key::new(&*active.namespace, &*active.name))
}

/// As Go's `time.RFC1123Z` has it, in UTC.
fn rfc1123(at: Timestamp) -> String {
    match jiff::Timestamp::from_second(at.as_unix_secs()) {
        Ok(instant) => instant.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        Err(_) => at.to_string(),
    }
}
