//! Creating and deleting a Job's pods (upstream `manageJob`).

use std::sync::Arc;

use crate::api::{Context, MetaPatch, Request, Response, Step};
use crate::controllers::controller_ref::{aggregate, controller_reference};
use crate::controllers::pod_control::{Batch, PodEvents, PodFactory, delete_pod};
use crate::kernel::SimDuration;
use crate::objects::{COMPLETION_INDEX, JOB_TRACKING_FINALIZER, Job, Kind, Labels, Pod, Resource, Uid, WallTime};

use super::backoff::remaining_of_index;
use super::census::{is_counted, replaces_only_failed};
use super::indexed::{
    COMPLETION_INDEX_ENV, INDEX_FAILURE_COUNT, INDEX_IGNORED_FAILURE_COUNT, counted_failures_of_index, generate_name,
    ignored_failures_of_index, pods_to_remove,
};
use super::sync::{JobSync, Stage};

/// Most pods that one sync creates or deletes (upstream `MaxPodCreateDeletePerSync`).
const PODS_PER_SYNC_MAX: usize = 500;
/// Changes of pods and of the status lead to a sync after this long, so that several are seen together (upstream
/// `SyncJobBatchPeriod`).
pub const SYNC_BATCH_PERIOD: SimDuration = SimDuration::from_secs(1);

/// A slow start of creations.
#[derive(Clone, Debug)]
pub(super) struct Creation {
    factory: Arc<PodFactory>,
    /// Indexes of an indexed Job's pods still to be created.
    indexes: Vec<i32>,
    batch: Batch,
    /// How the batches before failed.
    failures: Vec<String>,
}

/// The request that takes the tracking finalizer off a pod.
pub(super) fn untrack(pod: &Pod) -> Request {
    let patch = MetaPatch { remove_finalizers: vec![JOB_TRACKING_FINALIZER.into()], ..MetaPatch::default() };
    Request::PatchMeta { kind: Kind::Pod, key: pod.key(), uid: Uid::None, patch }
}

impl JobSync {
    /// Brings the number of pods to what is needed. Creations and deletions never happen in one sync.
    pub(super) fn manage(self: Box<Self>, cx: Context<'_>) -> Step<Box<Self>> {
        let surplus = self.active - self.wanted();
        let suspended = self.job.spec.suspend;
        let at_least = if suspended { self.active } else { surplus.max(0) };
        let at_least = usize::try_from(at_least).unwrap_or(usize::MAX);
        let mut removed = pods_to_remove(&self.job, &self.census.active, at_least);
        if !suspended {
            removed.truncate(PODS_PER_SYNC_MAX);
        }
        if !removed.is_empty() {
            return self.release(removed);
        }
        let terminating = if replaces_only_failed(&self.job) { self.terminating } else { 0 };
        let missing = -surplus - terminating;
        match usize::try_from(missing) {
            Ok(missing) if missing > 0 && !suspended => self.create(cx, missing),
            _ => self.evaluate(cx, true),
        }
    }

    /// How many pods shall run.
    fn wanted(&self) -> i64 {
        let parallelism = i64::from(self.job.spec.parallelism);
        match self.job.spec.completions {
            // A work queue that had a success lets the others run to their ends.
            None if self.census.succeeded > 0 => self.active,
            None => parallelism,
            Some(completions) => (i64::from(completions) - self.census.succeeded).min(parallelism).max(0),
        }
    }

    /// Deletes all active pods of a Job that ends. They keep their finalizer until they are counted.
    pub(super) fn stop(self: Box<Self>, cx: Context<'_>) -> Step<Box<Self>> {
        let pods = self.census.active.clone();
        if pods.is_empty() {
            return self.track(cx);
        }
        let requests = pods.iter().map(|pod| delete_pod(pod)).collect();
        self.call(requests, Stage::Stop(pods))
    }

    pub(super) fn stopped(
        mut self: Box<Self>,
        cx: Context<'_>,
        pods: &[Arc<Pod>],
        responses: Vec<Response>,
    ) -> Step<Box<Self>> {
        self.note_deletions(pods, responses);
        if self.active > 0 {
            // It cannot be declared finished with pods that still run.
            self.finished = None;
        }
        self.track(cx)
    }

    /// Takes the finalizer off pods that are to be deleted, so that they do not count as failed.
    fn release(self: Box<Self>, pods: Vec<Arc<Pod>>) -> Step<Box<Self>> {
        let requests = pods.iter().map(|pod| untrack(pod)).collect();
        self.call(requests, Stage::Release(pods))
    }

    pub(super) fn released(
        mut self: Box<Self>,
        cx: Context<'_>,
        pods: Vec<Arc<Pod>>,
        responses: Vec<Response>,
    ) -> Step<Box<Self>> {
        let mut released = Vec::with_capacity(pods.len());
        for (pod, response) in pods.into_iter().zip(responses) {
            match response {
                Ok(_) => released.push(pod),
                Err(error) if error.is_not_found() => self.note_gone(1),
                Err(error) => self.fail(format!("removing completion finalizer: {error}")),
            }
        }
        if released.is_empty() {
            return self.evaluate(cx, true);
        }
        let requests = released.iter().map(|pod| delete_pod(pod)).collect();
        self.call(requests, Stage::Delete(released))
    }

    pub(super) fn deleted(
        mut self: Box<Self>,
        cx: Context<'_>,
        pods: &[Arc<Pod>],
        responses: Vec<Response>,
    ) -> Step<Box<Self>> {
        self.note_deletions(pods, responses);
        self.evaluate(cx, true)
    }

    fn note_deletions(&mut self, pods: &[Arc<Pod>], responses: Vec<Response>) {
        let about = self.pod_events();
        for (pod, response) in pods.iter().zip(responses) {
            self.ready -= i64::from(pod.is_ready());
            match response {
                Ok(_) => {
                    self.note_gone(1);
                    self.events.push(about.deleted(&pod.meta.name));
                }
                Err(error) if error.is_not_found() => self.note_gone(1),
                Err(error) => {
                    self.events.push(about.delete_failed(&error));
                    self.fail(format!("unable to delete pods: {error}"));
                }
            }
        }
    }

    fn note_gone(&mut self, count: i64) {
        self.active -= count;
        self.terminating += count;
    }

    fn create(mut self: Box<Self>, cx: Context<'_>, missing: usize) -> Step<Box<Self>> {
        let per_index = self.job.spec.backoff_limit_per_index.is_some();
        let wait = if per_index { SimDuration::ZERO } else { self.census.backoff.remaining(cx.now) };
        if !wait.is_zero() {
            return self.hold_back(cx, wait);
        }
        let mut count = missing.min(PODS_PER_SYNC_MAX);
        let mut indexes = Vec::new();
        if self.job.is_indexed() {
            indexes = self.pending_indexes(count);
            if per_index {
                let (ready, wait) = self.indexes_ready(&indexes, cx.now);
                if ready.is_empty() && !wait.is_zero() {
                    return self.hold_back(cx, wait);
                }
                indexes = ready;
            }
            count = indexes.len();
        }
        let Some(batch) = Batch::first(count) else { return self.evaluate(cx, true) };
        self.active += count as i64;
        let creation = Creation { factory: Arc::new(factory(&self.job)), indexes, batch, failures: Vec::new() };
        self.create_batch(creation)
    }

    /// Creates nothing until the back-off is over. Meanwhile no pod is reported as active, whatever runs.
    fn hold_back(mut self: Box<Self>, cx: Context<'_>, wait: SimDuration) -> Step<Box<Self>> {
        self.look_again_after(wait.max(SYNC_BATCH_PERIOD));
        self.active = 0;
        self.evaluate(cx, true)
    }

    /// The lowest indexes that need a pod.
    fn pending_indexes(&self, count: usize) -> Vec<i32> {
        let census = &self.census;
        let mut taken = census.succeeded_indexes.merge(&census.active_indexes());
        if replaces_only_failed(&self.job) {
            taken = taken.merge(&census.terminating_indexes());
        }
        if let Some(failed) = &census.failed_indexes {
            taken = taken.merge(failed);
        }
        taken.first_missing(count, self.job.spec.completions.unwrap_or(0))
    }

    /// The indexes whose back-off is over, and the shortest wait of the others.
    fn indexes_ready(&self, indexes: &[i32], now: WallTime) -> (Vec<i32>, SimDuration) {
        let wait = |index: &i32| {
            self.census.last_failed.get(index).map_or(SimDuration::ZERO, |pod| remaining_of_index(pod, now))
        };
        let (ready, waiting): (Vec<i32>, Vec<i32>) = indexes.iter().partition(|index| wait(index).is_zero());
        (ready, waiting.iter().map(wait).min().unwrap_or_default())
    }

    fn create_batch(self: Box<Self>, creation: Creation) -> Step<Box<Self>> {
        let size = creation.batch.size;
        let requests = if self.job.is_indexed() {
            let now = creation.indexes.iter().take(size);
            now.map(|&index| self.create_index(&creation.factory, index)).collect()
        } else {
            std::iter::repeat_with(|| creation.factory.create()).take(size).collect()
        };
        self.call(requests, Stage::Create(creation))
    }

    /// The request that creates the pod of an index.
    fn create_index(&self, factory: &PodFactory, index: i32) -> Request {
        let job = &self.job;
        factory.create_with(|pod| {
            let text = index.to_string();
            pod.meta.generate_name = generate_name(&job.meta.name, index).into();
            pod.meta.labels = pod.meta.labels.with(COMPLETION_INDEX, &text);
            let mut annotations = pod.meta.annotations.with(COMPLETION_INDEX, &text);
            if job.spec.backoff_limit_per_index.is_some() {
                annotations = with_failure_counts(job, &annotations, self.census.last_failed.get(&index));
            }
            pod.meta.annotations = annotations;
            pod.own_hostname = format!("{}-{index}", job.meta.name).into();
        })
    }

    /// Goes on after a batch of creations: with the next one, unless one failed.
    pub(super) fn created(
        mut self: Box<Self>,
        cx: Context<'_>,
        mut creation: Creation,
        responses: Vec<Response>,
    ) -> Step<Box<Self>> {
        let about: PodEvents = self.pod_events();
        for response in responses.into_iter().take(creation.batch.size) {
            match response {
                Ok(pod) => self.events.push(about.created(&pod.meta().name)),
                // Nothing can be created any more, and nothing needs to be.
                Err(error) if error.is_namespace_terminating() => {}
                Err(error) => {
                    self.events.push(about.create_failed(&error));
                    self.active -= 1;
                    creation.failures.push(error.message);
                }
            }
        }
        let next = creation.batch.next();
        if creation.failures.is_empty()
            && let Some(batch) = next
        {
            creation.indexes.drain(..creation.batch.size.min(creation.indexes.len()));
            creation.batch = batch;
            return self.create_batch(creation);
        }
        if !creation.failures.is_empty() {
            self.active -= creation.batch.left as i64;
            self.fail(aggregate(creation.failures));
        }
        self.evaluate(cx, true)
    }
}

/// What all new pods of a Job have in common.
fn factory(job: &Job) -> PodFactory {
    let factory = PodFactory::new(&job.spec.template, &job.meta, controller_reference(Kind::Job, &job.meta));
    factory.with(|pod| {
        if !pod.meta.has_finalizer(JOB_TRACKING_FINALIZER) {
            let finalizers = pod.meta.finalizers.iter().cloned().chain([JOB_TRACKING_FINALIZER.into()]);
            pod.meta.finalizers = finalizers.collect();
        }
        if job.is_indexed() {
            let label = format!("metadata.labels['{COMPLETION_INDEX}']");
            pod.spec = Arc::new(pod.spec.with_env_from_field(COMPLETION_INDEX_ENV, &label));
        }
    })
}

/// Annotations of a pod that follows one that failed: how often its index has failed by now.
fn with_failure_counts(job: &Job, annotations: &Labels, replaced: Option<&Arc<Pod>>) -> Labels {
    let (mut counted, mut ignored) = (0, 0);
    if let Some(pod) = replaced {
        (counted, ignored) = (counted_failures_of_index(pod), ignored_failures_of_index(pod));
        if is_counted(job, pod) { counted += 1 } else { ignored += 1 }
    }
    let annotations = annotations.with(INDEX_FAILURE_COUNT, &counted.to_string());
    if ignored > 0 { annotations.with(INDEX_IGNORED_FAILURE_COUNT, &ignored.to_string()) } else { annotations }
}
