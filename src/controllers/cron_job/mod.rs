//! The CronJob controller: makes Jobs at the times of a schedule (upstream `pkg/controller/cronjob`, version 2).

mod jobs;
pub mod missed;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, Reconciler, Response, Step, View};
use crate::objects::{CronJob, Job, Key, Kind, OwnerReference, Resource, WallTime};

pub use sync::SyncState;
use sync::{Stage, Sync};

/// Makes Jobs at the times of schedules, and clears away those that are done.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::CronJobController;
/// assert_eq!(CronJobController::default().name(), "cronjob-controller");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CronJobController {
    _private: (),
}

impl Reconciler for CronJobController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "cronjob-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::CronJob, Kind::Job])
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        if let Some((old, cron_job)) = change.of::<CronJob>() {
            match old.filter(|_| change.change_type == ChangeType::Modified) {
                Some(old) => cron_job_changed(old, cron_job, now, queue),
                None => queue.add(cron_job.key()),
            }
        } else if let Some((old, job)) = change.of::<Job>() {
            let owner = job.meta.controller();
            let old_owner = old.and_then(|old| old.meta.controller()).filter(|old| Some(*old) != owner);
            for owner in [old_owner, owner].into_iter().flatten() {
                if let Some(cron_job) = resolve(view, job, owner) {
                    queue.add(cron_job.key());
                }
            }
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(cron_job) = cx.view.cron_jobs.get(key) else { return Step::done() };
        // Upstream asks the API server itself where its cache may lag behind its own writes. Here the sync waits for
        // them: each comes as a change and wakes this CronJob again.
        if !cx.expectations_met {
            return Step::done();
        }
        let jobs: Vec<Arc<Job>> = cx.view.jobs_controlled_by(key).cloned().collect();
        let surplus = jobs::surplus(cron_job, &jobs);
        let sync = Sync::new(cron_job, jobs, cx.now);
        if surplus.is_empty() {
            return sync.proceed(cx.view);
        }
        Step::call(surplus.iter().map(|job| jobs::delete(job)).collect(), sync.then(Stage::Cleanup(surplus)))
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        let (mut sync, stage) = state.into_parts();
        match stage {
            Stage::Cleanup(jobs) => {
                for (job, response) in jobs.iter().zip(responses) {
                    sync.deleted(job, response);
                }
                sync.proceed(cx.view)
            }
            Stage::Replace(jobs, run) => {
                for (job, response) in jobs.iter().zip(responses) {
                    if !sync.deleted(job, response) {
                        let why = format!("could not replace job {}", job.key());
                        return sync.fail(why);
                    }
                }
                sync.create(run)
            }
            Stage::Create(run) => match responses.into_iter().next() {
                Some(response) => sync.created(run, response),
                None => sync.fail("the creation was not answered".to_owned()),
            },
        }
    }
}

/// A new schedule moves the next run; anything else is looked at now (upstream `updateCronJob`).
fn cron_job_changed(old: &CronJob, new: &CronJob, now: WallTime, queue: &mut Enqueue) {
    let (before, after) = (&old.spec, &new.spec);
    if before.schedule == after.schedule && before.time_zone == after.time_zone {
        queue.add(new.key());
    } else if let Ok(schedule) = &after.timing.schedule {
        queue.add_after(new.key(), missed::until_next(new, schedule, now));
    }
}

/// The CronJob that a Job's reference names, if it is the very one.
fn resolve<'a>(view: &'a View, job: &Job, owner: &OwnerReference) -> Option<&'a Arc<CronJob>> {
    if *owner.kind != *Kind::CronJob.as_str() {
        return None;
    }
    let key = Key { namespace: Arc::clone(&job.meta.namespace), name: Arc::clone(&owner.name) };
    view.cron_jobs.get(&key).filter(|cron_job| cron_job.meta.uid == owner.uid)
}
