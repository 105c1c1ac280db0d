//! Pods that no Job will count any more lose the tracking finalizer (upstream `syncOrphanPod`).

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, RateLimit, Reconciler, Response, Step, View};
use crate::objects::{Job, Key, Kind, ObjectMeta, Pod, Resource, WallTime};

use super::census::is_tracked;
use super::manage::untrack;
use super::{API_BACK_OFF, owner};

/// Frees pods that are held for being counted by a Job that is gone, has finished, or does not own them any more.
#[derive(Clone, Debug, Default)]
pub struct JobOrphanPods {}

impl Reconciler for JobOrphanPods {
    type State = ();

    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn rate_limit(&self) -> RateLimit {
        API_BACK_OFF
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Job, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((_, job)) = change.of::<Job>() {
            if job.is_finished() || change.change_type == ChangeType::Deleted {
                let held = view.unsettled_pods(&job.meta.uid).filter(|pod| is_tracked(pod));
                held.for_each(|pod| queue.add(pod.key()));
            }
        } else if let Some((_, pod)) = change.of::<Pod>()
            && is_tracked(pod)
        {
            let leaves = change.change_type == ChangeType::Deleted || pod.meta.is_deleting();
            if pod.meta.controller().is_none() || leaves && !will_be_counted(view, &pod.meta) {
                queue.add(pod.key());
            }
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        match cx.view.pods.get(key).filter(|pod| is_tracked(pod) && is_orphan(cx.view, &pod.meta)) {
            Some(pod) => Step::call(vec![untrack(pod)], ()),
            None => Step::done(),
        }
    }

    fn resume(&mut self, _cx: Context<'_>, _key: &Key, (): (), responses: Vec<Response>) -> Step<()> {
        match responses.into_iter().next() {
            Some(Err(error)) if !error.is_not_found() => Step::retry(error.message),
            _ => Step::done(),
        }
    }
}

/// Whether a Job that is at work owns the pod.
fn will_be_counted(view: &View, pod: &ObjectMeta) -> bool {
    owner(view, &pod.namespace, pod.controller()).is_some_and(|job| !job.is_finished())
}

/// Whether nobody else has a say in the pod's finalizer: another kind of controller, a Job at work, or one that another
/// controller takes care of.
fn is_orphan(view: &View, pod: &ObjectMeta) -> bool {
    let Some(reference) = pod.controller() else { return true };
    if *reference.kind != *"Job" || *reference.api_version != *"batch/v1" {
        return false;
    }
    owner(view, &pod.namespace, Some(reference)).is_none_or(|job| job.is_finished() && !job.is_managed_elsewhere())
}
