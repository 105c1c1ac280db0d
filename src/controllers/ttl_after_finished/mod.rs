//! Deletes finished Jobs after a while (upstream `pkg/controller/ttlafterfinished`).

#[cfg(test)]
mod tests;

use crate::api::{
    Change, Context, DeleteOptions, Enqueue, KindSet, Preconditions, Propagation, Reconciler, Request, Response, Step,
    View,
};
use crate::kernel::SimDuration;
use crate::objects::{Job, Key, Kind, Resource, WallTime};

/// Deletes Jobs that finished `ttlSecondsAfterFinished` ago, and their pods before them.
#[derive(Clone, Debug, Default)]
pub struct TtlAfterFinishedController {}

/// When a finished Job is to be deleted; `None` = never.
#[must_use]
pub fn expires_at(job: &Job) -> Option<WallTime> {
    let ttl = job.spec.ttl_seconds_after_finished.filter(|_| !job.meta.is_deleting())?;
    let finished = job.finished()?.last_transition_time?;
    Some(finished.plus_secs(i64::from(ttl)).wall())
}

fn has_ttl(job: &Job) -> bool {
    job.spec.ttl_seconds_after_finished.is_some()
}

impl Reconciler for TtlAfterFinishedController {
    type State = ();

    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    /// Every change of a Job is looked at, so that a sync that needs no timer has made the earlier one void.
    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Job])
    }

    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((old, job)) = change.of::<Job>()
            && (has_ttl(job) || old.is_some_and(|old| has_ttl(old)))
        {
            queue.add(job.key());
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some(job) = cx.view.jobs.get(key) else { return Step::done() };
        let Some(expiry) = expires_at(job) else { return Step::done() };
        match u64::try_from(expiry.nanos_since(cx.now)) {
            Ok(left) if left > 0 => Step::done().requeue_after(SimDuration::from_nanos(left)),
            _ => {
                // The version stands for upstream's second look at the stored Job: one that changed comes again.
                let preconditions =
                    Preconditions { uid: job.meta.uid.clone(), resource_version: job.meta.resource_version };
                let options = DeleteOptions {
                    propagation: Some(Propagation::Foreground),
                    preconditions,
                    ..DeleteOptions::default()
                };
                Step::call(vec![Request::Delete { kind: Kind::Job, key: key.clone(), options }], ())
            }
        }
    }

    fn resume(&mut self, _cx: Context<'_>, _key: &Key, (): (), responses: Vec<Response>) -> Step<()> {
        match responses.into_iter().next() {
            Some(Err(error)) if !error.is_not_found() => Step::retry(error.message),
            _ => Step::done(),
        }
    }
}
