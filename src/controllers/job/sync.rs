//! One sync of a Job: the order of its decisions (upstream `syncJob`).

use std::sync::Arc;

use crate::api::{Context, EventKind, EventSpec, Request, Response, Step, Then};
use crate::controllers::pod_control::PodEvents;
use crate::kernel::SimDuration;
use crate::objects::{Condition, Conditions, Indexes, Job, JobStatus, Kind, ObjectReference, Pod, Text, WallTime};

use super::backoff::BackoffRecord;
use super::census::Census;
use super::manage::Creation;
use super::success_policy;

/// Why a Job is complete.
const COMPLETIONS_REACHED: (&str, &str) = ("CompletionsReached", "Reached expected number of succeeded pods");

/// A sync between two of its steps.
#[derive(Clone, Debug)]
pub struct JobSync {
    /// The Job as read, or as the API server last answered.
    pub(super) job: Arc<Job>,
    /// The status to be.
    pub(super) status: JobStatus,
    /// Whether it differs from the stored one.
    pub(super) is_changed: bool,
    pub(super) census: Census,
    /// Active pods, as far as this sync knows.
    pub(super) active: i64,
    pub(super) ready: i64,
    pub(super) terminating: i64,
    /// The condition that ends the Job.
    pub(super) finished: Option<Condition>,
    /// Events to be recorded with the next requests.
    pub(super) events: Vec<Request>,
    /// What went wrong with pods; the sync goes on and is repeated.
    pub(super) failure: Option<String>,
    /// When to sync again at the latest.
    pub(super) again_after: Option<SimDuration>,
    pub(super) stage: Stage,
}

/// Which responses a sync waits for.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Deletions of the active pods of a Job that ends.
    Stop(Vec<Arc<Pod>>),
    /// Removals of the finalizers of pods that are to be deleted.
    Release(Vec<Arc<Pod>>),
    /// Deletions of pods that are one too many.
    Delete(Vec<Arc<Pod>>),
    /// A batch of creations.
    Create(Creation),
    /// The status with what ended, not counted yet.
    Announce(super::track::Tracking),
    /// Removals of the finalizers of pods that the status names.
    Untrack(super::track::Tracking),
    /// The status after some finalizers could not be removed.
    Salvage(String),
    /// The last status, which may say that the Job has finished.
    Close,
}

impl JobSync {
    pub(super) fn new(cx: Context<'_>, job: &Arc<Job>, adopted: &[Arc<Pod>], before: BackoffRecord) -> Self {
        let census = Census::take(cx.view, job, adopted, before);
        let mut status = job.status.clone();
        status.uncounted_terminated_pods.get_or_insert_default();
        if status.start_time.is_none() && !job.spec.suspend {
            status.start_time = Some(cx.now.timestamp());
        }
        Self {
            job: Arc::clone(job),
            status,
            is_changed: false,
            active: census.active.len() as i64,
            ready: i64::from(census.ready),
            terminating: i64::from(census.terminating),
            census,
            finished: None,
            events: Vec::new(),
            failure: None,
            again_after: None,
            stage: Stage::Close,
        }
    }

    /// The first part: whether the Job has to end, and which pods it needs if not.
    pub(super) fn start(mut self: Box<Self>, cx: Context<'_>) -> Step<Box<Self>> {
        self.finished = self.reason_to_end(cx.now);
        if self.finished.is_some() {
            return self.stop(cx);
        }
        if self.job.meta.is_deleting() {
            return self.evaluate(cx, false);
        }
        self.manage(cx)
    }

    /// Goes on with the responses to the requests of the step before.
    pub(super) fn resume(mut self: Box<Self>, cx: Context<'_>, responses: Vec<Response>) -> Step<Box<Self>> {
        match std::mem::replace(&mut self.stage, Stage::Close) {
            Stage::Stop(pods) => self.stopped(cx, &pods, responses),
            Stage::Release(pods) => self.released(cx, pods, responses),
            Stage::Delete(pods) => self.deleted(cx, &pods, responses),
            Stage::Create(creation) => self.created(cx, creation, responses),
            Stage::Announce(tracking) => self.announced(cx, tracking, responses),
            Stage::Untrack(tracking) => self.untracked(cx, tracking, responses),
            Stage::Salvage(why) => Step::retry(why),
            Stage::Close => self.closed(responses),
        }
    }

    /// The condition that ends the Job, or is on the way to; the first that holds.
    fn reason_to_end(&mut self, now: WallTime) -> Option<Condition> {
        let target = |reason: &'static str, message: String| {
            Some(Job::condition(Job::FAILURE_TARGET, true, reason.into(), message.into(), now))
        };
        let job = Arc::clone(&self.job);
        if let Some(met) = job.status.conditions.holding(Job::SUCCESS_CRITERIA_MET) {
            return Some(met.clone());
        }
        if let Some(failure) = job.status.conditions.holding(Job::FAILURE_TARGET) {
            let (reason, message) = (failure.reason.clone(), failure.message.clone());
            return Some(Job::condition(Job::FAILED, true, reason, message, now));
        }
        if let Some(message) = self.census.policy_failure(&job) {
            return target("PodFailurePolicy", message);
        }
        if self.census.failed > i64::from(job.spec.backoff_limit) || self.census.restarts_exceed_limit(&job) {
            return target("BackoffLimitExceeded", "Job has reached the specified backoff limit".to_owned());
        }
        if self.deadline_is_past(now) {
            return target("DeadlineExceeded", "Job was active longer than specified deadline".to_owned());
        }
        if !job.is_indexed() {
            return None;
        }
        let failed = self.census.failed_indexes.as_ref().map_or(0, Indexes::total);
        if job.spec.max_failed_indexes.is_some_and(|most| failed > i64::from(most)) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return target("MaxFailedIndexesExceeded", message.to_owned());
        }
        let completions = job.spec.completions.unwrap_or(0);
        let succeeded = &self.census.succeeded_indexes;
        if failed > 0 && failed + succeeded.total() >= i64::from(completions) {
            return target("FailedIndexes", "Job has failed indexes".to_owned());
        }
        let message = success_policy::matched(job.spec.success_policy.as_deref(), completions, succeeded)?;
        let kind = Job::SUCCESS_CRITERIA_MET;
        Some(Job::condition(kind, true, "SuccessPolicy".into(), message.into(), now))
    }

    /// Whether the Job has taken as long as it may; else it is looked at again when it will have.
    fn deadline_is_past(&mut self, now: WallTime) -> bool {
        let (Some(seconds), Some(start)) = (self.job.spec.active_deadline_seconds, self.status.start_time) else {
            return false;
        };
        if self.job.spec.suspend {
            return false;
        }
        // In the sync that sets it the start is this very instant, in later ones the second that was stored.
        let start = if self.job.status.start_time.is_none() { now } else { start.wall() };
        let left = seconds.saturating_mul(1_000_000_000).saturating_sub(now.nanos_since(start));
        match u64::try_from(left) {
            Ok(left) if left > 0 => {
                self.look_again_after(SimDuration::from_nanos(left));
                false
            }
            _ => true,
        }
    }

    pub(super) fn look_again_after(&mut self, delay: SimDuration) {
        self.again_after = Some(self.again_after.map_or(delay, |earlier| earlier.min(delay)));
    }

    /// The second part: whether the Job is complete, suspended or resumed. `managed`: whether its pods were seen to.
    pub(super) fn evaluate(mut self: Box<Self>, cx: Context<'_>, managed: bool) -> Step<Box<Self>> {
        let wanted = self.job.spec.completions.map_or(1, i64::from);
        if self.census.succeeded >= wanted && self.active == 0 {
            let (reason, message) = COMPLETIONS_REACHED;
            let kind = Job::SUCCESS_CRITERIA_MET;
            self.finished = Some(Job::condition(kind, true, reason.into(), message.into(), cx.now));
        } else if managed && self.job.spec.suspend {
            if self.state_suspension(true, "JobSuspended", "Job suspended", cx.now) {
                self.say(EventKind::Normal, "Suspended".into(), "Job suspended".into());
                self.status.start_time = None;
            }
        } else if managed && self.state_suspension(false, "JobResumed", "Job resumed", cx.now) {
            self.say(EventKind::Normal, "Resumed".into(), "Job resumed".into());
            self.status.start_time = Some(cx.now.timestamp());
        }
        self.track(cx)
    }

    /// Writes the condition `Suspended`, unless it says so already or has never been true. Returns whether it changed.
    fn state_suspension(&mut self, on: bool, reason: &'static str, message: &'static str, now: WallTime) -> bool {
        let condition = Job::condition(Job::SUSPENDED, on, reason.into(), message.into(), now);
        let changed = ensure(&mut self.status, condition);
        self.is_changed |= changed;
        changed
    }

    /// Records an Event on the Job.
    pub(super) fn say(&mut self, kind: EventKind, reason: Text, message: Text) {
        let about = ObjectReference::to(Kind::Job, &self.job.meta);
        self.events.push(Request::Event(EventSpec { about, kind, reason, message }));
    }

    /// Events about the Job's pods.
    pub(super) fn pod_events(&self) -> PodEvents {
        PodEvents::about(Kind::Job, &self.job.meta)
    }

    pub(super) fn fail(&mut self, why: impl Into<String>) {
        self.failure.get_or_insert(why.into());
    }

    /// Sends requests, then the Events that came up, and waits for the responses.
    pub(super) fn call(mut self: Box<Self>, mut requests: Vec<Request>, stage: Stage) -> Step<Box<Self>> {
        requests.append(&mut self.events);
        self.stage = stage;
        Step::call(requests, self)
    }

    /// The end: what is left to be said, and when the Job is to be looked at again.
    pub(super) fn end(mut self: Box<Self>) -> Step<Box<Self>> {
        let requests = std::mem::take(&mut self.events);
        let then = match self.failure.take() {
            Some(why) => Then::Retry(why),
            None => Then::Done { requeue_after: self.again_after },
        };
        Step { requests, then }
    }
}

/// Adds or changes a condition (upstream `ensureJobConditionStatus`); one that does not hold is not added. Returns whether
/// that changed the list.
pub(super) fn ensure(status: &mut JobStatus, condition: Condition) -> bool {
    let Some(at) = status.conditions.iter().position(|known| known.kind == condition.kind) else {
        let holds = condition.states(&condition.kind);
        if holds {
            append(status, condition);
        }
        return holds;
    };
    let known = &status.conditions[at];
    if (known.status, &known.reason, &known.message) == (condition.status, &condition.reason, &condition.message) {
        return false;
    }
    let mut conditions = status.conditions.to_vec();
    conditions[at] = condition;
    status.conditions = conditions.into();
    true
}

/// Adds a condition at the end.
pub(super) fn append(status: &mut JobStatus, condition: Condition) {
    status.conditions = status.conditions.iter().cloned().chain([condition]).collect();
}
