//! Counting pods that ended, exactly once each, and declaring the Job finished (upstream
//! `trackJobStatusAndRemoveFinalizers`).
//!
//! A pod that ended is first named in the status, then loses its finalizer, then is counted: whatever is interrupted, the
//! next sync neither counts it twice nor misses it.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::api::{Context, EventKind, Part, Request, Response, Step};
use crate::objects::{Condition, Conditions, Job, JobStatus, Pod, PodPhase, SharedList, Uid};

use super::census::{is_counted, is_failed, is_tracked};
use super::indexed::index_in;
use super::manage::untrack;
use super::sync::{JobSync, Stage, append, ensure};

/// Most uncounted pods in a status (upstream `MaxUncountedPods`).
const UNCOUNTED_PODS_MAX: usize = 500;

/// Where the counting of a sync stands.
#[derive(Clone, Debug)]
pub(super) struct Tracking {
    /// Pods to lose their finalizer.
    ended: Vec<Arc<Pod>>,
    /// Uids of pods that carry it.
    tracked: FxHashSet<Uid>,
    /// Whether there were more than one status takes.
    is_full: bool,
}

impl JobSync {
    /// The third part: the status, and the pods that it counts.
    pub(super) fn track(mut self: Box<Self>, cx: Context<'_>) -> Step<Box<Self>> {
        self.fill_in_counts();
        let tracked = self.census.pods.iter().filter(|pod| is_tracked(pod)).map(|pod| pod.meta.uid.clone()).collect();
        let mut tracking = Tracking { ended: Vec::new(), tracked, is_full: false };
        self.is_changed |= count_untracked(&mut self.status, &tracking.tracked);
        let new_indexes = self.name_ended(&mut tracking);
        if self.job.is_indexed() {
            self.fill_in_indexes(&new_indexes);
        }
        self.announce_end(cx);
        if self.is_changed {
            self.is_changed = false;
            let request = self.status_update();
            return self.call(vec![request], Stage::Announce(tracking));
        }
        self.untrack(cx, tracking)
    }

    fn fill_in_counts(&mut self) {
        let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let (active, ready, terminating) =
            (number(self.active), Some(number(self.ready)), Some(number(self.terminating)));
        let status = &mut self.status;
        self.is_changed |= (status.active, status.ready, status.terminating) != (active, ready, terminating);
        (status.active, status.ready, status.terminating) = (active, ready, terminating);
    }

    /// Finds the pods that ended, and names them in the status. Returns indexes that succeeded.
    fn name_ended(&mut self, tracking: &mut Tracking) -> Vec<i32> {
        let job = Arc::clone(&self.job);
        let mut pods = self.census.pods.clone();
        if job.is_indexed() {
            pods.sort_by_key(|pod| pod.completion_index());
        }
        let named = self.job.status.uncounted_terminated_pods.clone().unwrap_or_default();
        let known = |uids: &SharedList<Uid>| uids.iter().cloned().collect::<FxHashSet<Uid>>();
        let (known_succeeded, known_failed) = (known(&named.succeeded), known(&named.failed));
        let uncounted = self.status.uncounted_terminated_pods.clone().unwrap_or_default();
        let (mut succeeded, mut failed) = (uncounted.succeeded.to_vec(), uncounted.failed.to_vec());
        let before = (succeeded.len(), failed.len());
        let mut indexes = Vec::new();
        for pod in pods.into_iter().filter(|pod| is_tracked(pod)) {
            if !self.is_countable(&pod) {
                continue;
            }
            let uid = &pod.meta.uid;
            if pod.status.phase == PodPhase::Succeeded && !known_failed.contains(uid) {
                if job.is_indexed() {
                    indexes.extend(index_in(&job, &pod).filter(|index| !self.census.known_succeeded.contains(*index)));
                } else if !known_succeeded.contains(uid) {
                    succeeded.push(uid.clone());
                }
            } else if self.counts_as_failed(&pod) && !known_failed.contains(uid) {
                failed.push(uid.clone());
            }
            tracking.ended.push(pod);
            if indexes.len() + succeeded.len() + failed.len() >= UNCOUNTED_PODS_MAX {
                tracking.is_full = true;
                break;
            }
        }
        self.is_changed |= before != (succeeded.len(), failed.len()) || !indexes.is_empty();
        let uncounted = self.status.uncounted_terminated_pods.get_or_insert_default();
        (uncounted.succeeded, uncounted.failed) = (succeeded.into(), failed.into());
        indexes
    }

    /// Whether a pod can lose its finalizer (upstream `canRemoveFinalizer`).
    fn is_countable(&self, pod: &Pod) -> bool {
        if self.job.meta.is_deleting() || self.finished.is_some() || pod.status.phase == PodPhase::Succeeded {
            return true;
        }
        let is_needed = || {
            let last = pod.completion_index().and_then(|index| self.census.last_failed.get(&index));
            last.is_some_and(|last| last.meta.uid == pod.meta.uid)
        };
        is_failed(&self.job, pod) && !is_needed()
    }

    /// Whether a pod that did not succeed is to be counted. When the Job fails, all that still run count too.
    fn counts_as_failed(&self, pod: &Pod) -> bool {
        let job = &self.job;
        let job_fails = self.finished.as_ref().is_some_and(|end| !end.states(Job::SUCCESS_CRITERIA_MET));
        (is_failed(job, pod) || job_fails)
            && (!job.is_indexed() || index_in(job, pod).is_some())
            && is_counted(job, pod)
    }

    fn fill_in_indexes(&mut self, new: &[i32]) {
        let census = &mut self.census;
        census.succeeded_indexes = census.succeeded_indexes.with(new);
        let completed = census.succeeded_indexes.to_string();
        let failed = census.failed_indexes.as_ref().map(|failed| failed.to_string());
        let status = &mut self.status;
        status.succeeded = i32::try_from(census.succeeded_indexes.total()).unwrap_or(i32::MAX);
        if completed != *status.completed_indexes || failed.as_deref() != status.failed_indexes.as_deref() {
            self.is_changed = true;
            status.completed_indexes = completed.into();
            status.failed_indexes = failed.map(Into::into);
        }
    }

    /// Writes the condition that says that the Job will finish, and prepares the one that says that it has.
    fn announce_end(&mut self, cx: Context<'_>) {
        let Some(end) = self.finished.take() else { return };
        let last = |kind: &'static str| Job::condition(kind, true, end.reason.clone(), end.message.clone(), cx.now);
        let last = if end.states(Job::FAILURE_TARGET) {
            append(&mut self.status, end.clone());
            self.is_changed = true;
            last(Job::FAILED)
        } else if end.states(Job::SUCCESS_CRITERIA_MET) {
            if !self.status.conditions.is_true(Job::SUCCESS_CRITERIA_MET) {
                append(&mut self.status, end.clone());
                self.is_changed = true;
            }
            last(Job::COMPLETE)
        } else {
            end
        };
        self.finished = Some(last);
    }

    fn status_update(&self) -> Request {
        let Job { meta, spec, .. } = &*self.job;
        let job = Job { meta: meta.clone(), spec: spec.clone(), status: self.status.clone() };
        Request::Update(job.into(), Part::Status)
    }

    /// Takes the answer to a status update.
    fn written(&mut self, responses: Vec<Response>) -> Result<(), String> {
        match responses.into_iter().next() {
            Some(Ok(object)) => {
                if let Some(job) = <Job as crate::objects::Typed>::unwrap(&object) {
                    self.job = Arc::clone(job);
                }
                Ok(())
            }
            Some(Err(error)) => Err(error.message),
            None => Err("the API server gave no answer".to_owned()),
        }
    }

    pub(super) fn announced(
        mut self: Box<Self>,
        cx: Context<'_>,
        tracking: Tracking,
        responses: Vec<Response>,
    ) -> Step<Box<Self>> {
        match self.written(responses) {
            Ok(()) => self.untrack(cx, tracking),
            Err(why) => Step::retry(format!("tracking status: adding uncounted pods to status: {why}")),
        }
    }

    fn untrack(self: Box<Self>, cx: Context<'_>, tracking: Tracking) -> Step<Box<Self>> {
        if tracking.ended.is_empty() {
            return self.close(cx, &tracking);
        }
        let requests = tracking.ended.iter().map(|pod| untrack(pod)).collect();
        self.call(requests, Stage::Untrack(tracking))
    }

    pub(super) fn untracked(
        mut self: Box<Self>,
        cx: Context<'_>,
        mut tracking: Tracking,
        responses: Vec<Response>,
    ) -> Step<Box<Self>> {
        let mut failure = None;
        for (pod, response) in tracking.ended.iter().zip(responses) {
            match response {
                Err(error) if !error.is_not_found() => drop(failure.get_or_insert(error.message)),
                _ => drop(tracking.tracked.remove(&pod.meta.uid)),
            }
        }
        let Some(failure) = failure else { return self.close(cx, &tracking) };
        let why = format!("tracking status: {failure}");
        if !count_untracked(&mut self.status, &tracking.tracked) {
            return Step::retry(why);
        }
        let request = self.status_update();
        self.call(vec![request], Stage::Salvage(why))
    }

    /// The last part: counts what lost its finalizer, and declares the Job finished if nothing is left of it.
    fn close(mut self: Box<Self>, cx: Context<'_>, tracking: &Tracking) -> Step<Box<Self>> {
        let counted = count_untracked(&mut self.status, &tracking.tracked);
        let uncounted = self.status.uncounted_terminated_pods.as_ref();
        let all_counted = uncounted.is_none_or(|pods| pods.succeeded.is_empty() && pods.failed.is_empty());
        if tracking.is_full || !all_counted || self.terminating > 0 {
            self.finished = None;
        }
        if let Some(end) = self.finished.clone() {
            if end.states(Job::COMPLETE) {
                self.status.completion_time = end.last_transition_time;
            }
            let (reason, message) = (end.reason.clone(), end.message.clone());
            let kind = if end.states(Job::COMPLETE) { Job::COMPLETE } else { Job::FAILED };
            ensure(&mut self.status, Job::condition(kind, true, reason, message, cx.now));
        } else if !counted {
            return self.end();
        }
        let request = self.status_update();
        self.call(vec![request], Stage::Close)
    }

    pub(super) fn closed(mut self: Box<Self>, responses: Vec<Response>) -> Step<Box<Self>> {
        if let Err(why) = self.written(responses) {
            return Step::retry(format!("tracking status: removing uncounted pods from status: {why}"));
        }
        if let Some(end) = self.finished.take() {
            self.say_finished(&end);
        }
        self.end()
    }

    fn say_finished(&mut self, end: &Condition) {
        if !end.states(Job::COMPLETE) {
            return self.say(EventKind::Warning, end.reason.clone(), end.message.clone());
        }
        if self.job.spec.completions.is_some_and(|completions| self.job.status.succeeded > completions) {
            let message = "Too many succeeded pods running after completion count reached";
            self.say(EventKind::Warning, "TooManySucceededPods".into(), message.into());
        }
        self.say(EventKind::Normal, "Completed".into(), "Job completed".into());
    }
}

/// Counts pods that the status names and that do not carry the finalizer any more (upstream
/// `cleanUncountedPodsWithoutFinalizers`). Returns whether there were any.
fn count_untracked(status: &mut JobStatus, tracked: &FxHashSet<Uid>) -> bool {
    let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
    let count = |uids: &mut SharedList<Uid>, total: &mut i32| {
        let left: Vec<Uid> = uids.iter().filter(|uid| tracked.contains(*uid)).cloned().collect();
        let done = uids.len() - left.len();
        *total = total.saturating_add(i32::try_from(done).unwrap_or(i32::MAX));
        if done > 0 {
            *uids = left.into();
        }
        done > 0
    };
    let succeeded = count(&mut uncounted.succeeded, &mut status.succeeded);
    let failed = count(&mut uncounted.failed, &mut status.failed);
    succeeded || failed
}
