//! What a Job's pods amount to, at the start of a sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::api::View;
use crate::objects::{
    Indexes, JOB_TRACKING_FINALIZER, Job, Pod, PodFailureAction, PodPhase, PodReplacementPolicy, RestartPolicy, Uid,
};

use super::backoff::{BackoffRecord, finish_time};
use super::failure_policy;
use super::indexed::{counted_failures_of_index, failures_of_index, index_in};

/// A Job's pods, sorted into what a sync decides on (upstream `syncJobCtx`).
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    /// Pods that have not ended, or are not counted yet.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Those that neither ended nor are being deleted.
    pub(super) active: Vec<Arc<Pod>>,
    /// Active ones that are ready.
    pub(super) ready: i32,
    /// Those being deleted that have not ended.
    pub(super) terminating: i32,
    /// All that succeeded so far; of an indexed Job indexes.
    pub(super) succeeded: i64,
    /// All that failed so far, the ignored ones left out.
    pub(super) failed: i64,
    /// Failures in a row, these pods included.
    pub(super) backoff: BackoffRecord,
    /// Indexes that the status names as completed.
    pub(super) known_succeeded: Indexes,
    /// Those, and those of pods that succeeded since.
    pub(super) succeeded_indexes: Indexes,
    /// Failed indexes, with a limit per index.
    pub(super) failed_indexes: Option<Indexes>,
    /// With a limit per index: the last failed pod of each index that is to get a new one. It is kept until then, since it
    /// knows how often the index failed.
    pub(super) last_failed: BTreeMap<i32, Arc<Pod>>,
}

/// Whether a pod waits for being counted.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.meta.has_finalizer(JOB_TRACKING_FINALIZER)
}

/// Whether a pod is replaced only when it has ended.
pub(super) fn replaces_only_failed(job: &Job) -> bool {
    job.spec.pod_replacement_policy == PodReplacementPolicy::Failed || job.spec.pod_failure_policy.is_some()
}

/// Whether a pod counts as failed. One that is being deleted does, since it may never get to the phase.
pub(super) fn is_failed(job: &Job, pod: &Pod) -> bool {
    match pod.status.phase {
        PodPhase::Failed => true,
        PodPhase::Succeeded => false,
        _ => pod.meta.is_deleting() && !replaces_only_failed(job),
    }
}

/// Whether a failed pod counts towards the limits.
pub(super) fn is_counted(job: &Job, pod: &Pod) -> bool {
    failure_policy::decide(job.spec.pod_failure_policy.as_deref(), pod).is_counted()
}

/// Whether one more failure is too much for the index of a pod.
fn fails_its_index(job: &Job, pod: &Pod, limit: i32) -> bool {
    if !is_failed(job, pod) {
        return false;
    }
    let verdict = failure_policy::decide(job.spec.pod_failure_policy.as_deref(), pod);
    verdict.action == Some(PodFailureAction::FailIndex)
        || verdict.is_counted() && i64::from(counted_failures_of_index(pod)) >= i64::from(limit)
}

impl Census {
    /// Looks at a Job's pods: those that the view shows, and those that were adopted just now.
    pub(super) fn take(view: &View, job: &Job, adopted: &[Arc<Pod>], before: BackoffRecord) -> Self {
        // One that is not selected is being released, which the view may not show yet.
        let selector = &job.spec.selector.compiled;
        let owned = view.unsettled_pods(&job.meta.uid).filter(|pod| selector.matches(&pod.meta.labels));
        let mut pods: Vec<Arc<Pod>> = owned.cloned().collect();
        let known: FxHashSet<&Uid> = pods.iter().map(|pod| &pod.meta.uid).collect();
        let unseen: Vec<Arc<Pod>> = adopted.iter().filter(|pod| !known.contains(&pod.meta.uid)).cloned().collect();
        pods.extend(unseen);
        let active: Vec<Arc<Pod>> = pods.iter().filter(|pod| pod.is_active()).cloned().collect();
        let count = |chosen: fn(&Pod) -> bool, of: &[Arc<Pod>]| of.iter().filter(|pod| chosen(pod)).count() as i32;
        let mut census = Self {
            ready: count(Pod::is_ready, &active),
            terminating: count(Pod::is_terminating, &pods),
            pods,
            active,
            ..Self::default()
        };
        census.count_ended(job, before);
        if job.is_indexed() {
            census.count_indexes(job);
        }
        census
    }

    /// Counts pods that ended since the last sync on top of what the status says.
    fn count_ended(&mut self, job: &Job, before: BackoffRecord) {
        let uncounted = job.status.uncounted_terminated_pods.clone().unwrap_or_default();
        let known = |uids: &[Uid]| uids.iter().cloned().collect::<FxHashSet<Uid>>();
        let succeeded = self.new_ones(job, &known(&uncounted.succeeded), |pod| pod.status.phase == PodPhase::Succeeded);
        let failed = self.new_ones(job, &known(&uncounted.failed), |pod| is_failed(job, pod));
        let counted = failed.iter().filter(|pod| is_counted(job, pod)).count();
        self.succeeded = i64::from(job.status.succeeded) + (succeeded.len() + uncounted.succeeded.len()) as i64;
        self.failed = i64::from(job.status.failed) + (counted + uncounted.failed.len()) as i64;
        self.backoff = before.after(&succeeded, &failed);
    }

    /// Tracked pods with a property that are not known yet; of an indexed Job only those with one of its indexes.
    fn new_ones(&self, job: &Job, known: &FxHashSet<Uid>, chosen: impl Fn(&Pod) -> bool) -> Vec<Arc<Pod>> {
        let pods = self.pods.iter().filter(|pod| {
            is_tracked(pod)
                && !known.contains(&pod.meta.uid)
                && (!job.is_indexed() || index_in(job, pod).is_some())
                && chosen(pod)
        });
        pods.cloned().collect()
    }

    fn count_indexes(&mut self, job: &Job) {
        let completions = job.spec.completions.unwrap_or(0);
        self.known_succeeded = Indexes::parse(&job.status.completed_indexes, completions);
        let succeeded = self.indexes_of(job, |pod| pod.status.phase == PodPhase::Succeeded);
        self.succeeded_indexes = self.known_succeeded.with(&succeeded);
        self.succeeded = self.succeeded_indexes.total();
        let Some(limit) = job.spec.backoff_limit_per_index else { return };
        let known = job.status.failed_indexes.as_deref().unwrap_or_default();
        let failed = self.indexes_of(job, |pod| fails_its_index(job, pod, limit));
        let failed = Indexes::parse(known, completions).with(&failed);
        self.last_failed = self.last_failed_by_index(job, &failed);
        self.failed_indexes = Some(failed);
    }

    /// Indexes of the tracked pods with a property, ascending.
    fn indexes_of(&self, job: &Job, chosen: impl Fn(&Pod) -> bool) -> Vec<i32> {
        let tracked = self.pods.iter().filter(|pod| is_tracked(pod));
        let mut indexes: Vec<i32> = tracked.filter_map(|pod| index_in(job, pod).filter(|_| chosen(pod))).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }

    /// Upstream `getPodsWithDelayedDeletionPerIndex`.
    fn last_failed_by_index(&self, job: &Job, failed: &Indexes) -> BTreeMap<i32, Arc<Pod>> {
        let active = self.active_indexes();
        let mut last: BTreeMap<i32, Arc<Pod>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| is_tracked(pod) && is_failed(job, pod)) {
            let Some(index) = index_in(job, pod) else { continue };
            if self.succeeded_indexes.contains(index) || failed.contains(index) || active.contains(index) {
                continue;
            }
            let is_later = |other: &Arc<Pod>| {
                failures_of_index(other) <= failures_of_index(pod) && finish_time(pod) >= finish_time(other)
            };
            if last.get(&index).is_none_or(is_later) {
                last.insert(index, Arc::clone(pod));
            }
        }
        last
    }

    pub(super) fn active_indexes(&self) -> Indexes {
        Self::all_indexes(self.active.iter())
    }

    /// Indexes that pods being deleted have.
    pub(super) fn terminating_indexes(&self) -> Indexes {
        Self::all_indexes(self.pods.iter().filter(|pod| pod.is_terminating()))
    }

    fn all_indexes<'a>(pods: impl Iterator<Item = &'a Arc<Pod>>) -> Indexes {
        let mut indexes: Vec<i32> = pods.filter_map(|pod| pod.completion_index()).collect();
        indexes.sort_unstable();
        Indexes::default().with(&indexes)
    }

    /// Whether the containers of pods that restart them were restarted too often (upstream `pastBackoffLimitOnFailure`).
    pub(super) fn restarts_exceed_limit(&self, job: &Job) -> bool {
        if job.spec.template.spec.restart_policy != RestartPolicy::OnFailure {
            return false;
        }
        let alive = self.pods.iter().filter(|pod| matches!(pod.status.phase, PodPhase::Running | PodPhase::Pending));
        let statuses =
            alive.flat_map(|pod| pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses));
        let restarts: i64 = statuses.map(|status| i64::from(status.restart_count)).sum();
        let limit = i64::from(job.spec.backoff_limit);
        if limit == 0 { restarts > 0 } else { restarts >= limit }
    }

    /// Why the Job fails by its policy, if a failed pod says so.
    pub(super) fn policy_failure(&self, job: &Job) -> Option<String> {
        let policy = job.spec.pod_failure_policy.as_deref()?;
        let failed = self.pods.iter().filter(|pod| is_failed(job, pod));
        failed.filter_map(|pod| failure_policy::decide(Some(policy), pod).message).next()
    }
}
