//! The Job controller: runs pods to their end, counts them, and decides when a Job has succeeded or failed (upstream
//! `pkg/controller/job`).

pub mod backoff;
mod census;
mod claims;
pub mod failure_policy;
pub mod indexed;
mod manage;
mod orphans;
pub mod success_policy;
mod sync;
#[cfg(test)]
mod tests;
mod track;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, RateLimit, Reconciler, Response, Step, View};
use crate::kernel::SimDuration;
use crate::objects::{Job, Key, Kind, OwnerReference, Pod, Resource, WallTime};

use super::controller_ref::{self, Claim};
use backoff::BackoffRecord;
use claims::Claims;
pub use indexed::generate_name;
pub use manage::SYNC_BATCH_PERIOD;
pub use orphans::JobOrphanPods;
use sync::{JobSync, Stage};

/// Back-off of failed syncs (upstream `DefaultJobApiBackOff`, `MaxJobApiBackOff`).
const API_BACK_OFF: RateLimit =
    RateLimit { base: SimDuration::from_secs(1), max: SimDuration::from_secs(60), bucket: None, give_up_after: None };

/// Runs Jobs.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::JobController;
/// assert_eq!(JobController::default().name(), "job-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct JobController {
    /// Failures in a row of Jobs that had some.
    backoffs: FxHashMap<Key, BackoffRecord>,
    /// Jobs of which a pod got other labels: all their pods have to be looked at.
    relabelled: FxHashSet<Key>,
}

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub enum SyncState {
    /// It adopts and releases pods.
    #[doc(hidden)]
    Claim(Arc<Job>, Vec<Claim>),
    /// It is past that.
    #[doc(hidden)]
    Run(Box<JobSync>),
}

impl JobController {
    /// A controller that goes on with this record of failures of a Job.
    #[must_use]
    pub fn with_backoff(mut self, job: Key, record: BackoffRecord) -> Self {
        self.remember(&job, record);
        self
    }

    fn remember(&mut self, job: &Key, record: BackoffRecord) {
        if record == BackoffRecord::default() {
            self.backoffs.remove(job);
        } else {
            self.backoffs.insert(job.clone(), record);
        }
    }

    fn forget(&mut self, job: &Key) {
        self.backoffs.remove(job);
        self.relabelled.remove(job);
    }

    fn start(&self, cx: Context<'_>, job: &Arc<Job>, adopted: &[Arc<Pod>]) -> Step<SyncState> {
        let before = self.backoffs.get(&job.key()).copied().unwrap_or_default();
        running(Box::new(JobSync::new(cx, job, adopted, before)).start(cx))
    }

    fn job_changed(&mut self, change: &Change, old: Option<&Arc<Job>>, job: &Job, now: WallTime, queue: &mut Enqueue) {
        let key = job.key();
        match (change.change_type, old) {
            (ChangeType::Modified, Some(old)) => {
                if job.is_finished() || job.meta.generation == old.meta.generation {
                    // A finished Job needs no sync; this one replaces a timer that may still run, such as the deadline's.
                    queue.add_after(key, SYNC_BATCH_PERIOD);
                    return;
                }
                queue.add(key.clone());
                let seconds = job.spec.active_deadline_seconds;
                if let (Some(start), Some(seconds)) = (job.status.start_time, seconds)
                    && old.spec.active_deadline_seconds != Some(seconds)
                {
                    let left = start.plus_secs(seconds).wall().nanos_since(now);
                    queue.add_after(key, SimDuration::from_nanos(u64::try_from(left).unwrap_or(0)));
                }
            }
            (ChangeType::Deleted, _) => {
                self.forget(&key);
                queue.add(key);
            }
            _ => queue.add(key),
        }
    }

    fn pod_changed(&mut self, view: &View, change: ChangeType, old: Option<&Arc<Pod>>, pod: &Pod, queue: &mut Enqueue) {
        let namespace = &pod.meta.namespace;
        let reference = pod.meta.controller();
        let before = old.and_then(|old| old.meta.controller());
        let relabelled = old.is_some_and(|old| old.meta.labels != pod.meta.labels);
        let leaves = change == ChangeType::Deleted || pod.meta.is_deleting();
        if before != reference
            && !leaves
            && let Some(job) = owner(view, namespace, before)
        {
            queue.add_after(job.key(), SYNC_BATCH_PERIOD);
        }
        if reference.is_some() {
            let Some(job) = owner(view, namespace, reference) else { return };
            if relabelled {
                self.relabelled.insert(job.key());
            }
            if !leaves || !job.is_finished() {
                queue.add_after(job.key(), SYNC_BATCH_PERIOD);
            }
        } else if !leaves && (old.is_none() || relabelled || before.is_some()) {
            let matching = view.jobs.in_namespace(namespace);
            let matching = matching.filter(|job| controller_ref::wakes(&job.spec.selector.compiled, &pod.meta));
            matching.for_each(|job| queue.add_after(job.key(), SYNC_BATCH_PERIOD));
        }
    }
}

impl Reconciler for JobController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn rate_limit(&self) -> RateLimit {
        API_BACK_OFF
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Job, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        if let Some((old, job)) = change.of::<Job>() {
            self.job_changed(change, old, job, now, queue);
        } else if let Some((old, pod)) = change.of::<Pod>() {
            self.pod_changed(view, change.change_type, old, pod, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        // A picture that lacks writes of its own is not acted on; upstream's consistency store fails such a sync.
        if !cx.expectations_met {
            return Step::retry("the cache does not show all writes of the last sync yet");
        }
        let Some(job) = cx.view.jobs.get(key) else {
            self.forget(key);
            return Step::done();
        };
        if job.is_managed_elsewhere() {
            return Step::done();
        }
        if job.is_finished() {
            self.forget(key);
            return Step::done();
        }
        let claims = Claims::of(cx.view, job, self.relabelled.remove(key));
        if claims.requests.is_empty() {
            return self.start(cx, job, &[]);
        }
        Step::call(claims.requests, SyncState::Claim(Arc::clone(job), claims.kinds))
    }

    fn resume(&mut self, cx: Context<'_>, key: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        match state {
            SyncState::Claim(job, claims) => match controller_ref::claimed(&claims, responses) {
                Ok(adopted) => self.start(cx, &job, &adopted),
                Err(why) => {
                    self.relabelled.insert(key.clone());
                    Step::retry(why)
                }
            },
            SyncState::Run(sync) => {
                if matches!(sync.stage, Stage::Announce(_)) && responses.iter().all(Result::is_ok) {
                    self.remember(key, sync.census.backoff);
                }
                running(sync.resume(cx, responses))
            }
        }
    }
}

fn running(step: Step<Box<JobSync>>) -> Step<SyncState> {
    step.map_state(SyncState::Run)
}

/// The Job that a reference names, if it is the very one.
fn owner<'a>(view: &'a View, namespace: &Arc<str>, reference: Option<&OwnerReference>) -> Option<&'a Arc<Job>> {
    let reference = reference.filter(|reference| *reference.kind == *Kind::Job.as_str())?;
    let job = view.jobs.get(&Key { namespace: Arc::clone(namespace), name: Arc::clone(&reference.name) })?;
    (job.meta.uid == reference.uid).then_some(job)
}
