//! Pods of indexed Jobs: which index they have, which are one too many, and how new ones are made (upstream
//! `indexed_job_utils.go`).

use std::sync::Arc;

use crate::controllers::pod_ranking::active_pods_order;
use crate::objects::{Job, Pod};

/// Annotation of a pod: counted failures of its index before it.
pub const INDEX_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-failure-count";
/// Annotation of a pod: failures of its index before it that a policy ignored.
pub const INDEX_IGNORED_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// Environment variable with the index.
pub(super) const COMPLETION_INDEX_ENV: &str = "JOB_COMPLETION_INDEX";

/// Most characters before the random ones of a generated name.
const GENERATED_NAME_PREFIX_MAX: usize = 58;

/// The index of a pod, if it is one of the Job's.
pub(super) fn index_in(job: &Job, pod: &Pod) -> Option<i32> {
    pod.completion_index().filter(|index| job.spec.completions.is_some_and(|completions| *index < completions))
}

fn count(pod: &Pod, annotation: &str) -> u32 {
    let parse = |text: &str| text.parse::<i64>().ok().and_then(|n| i32::try_from(n).ok());
    let count = pod.meta.annotations.get(annotation).and_then(parse);
    count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// Counted failures of the pod's index before it.
pub(super) fn counted_failures_of_index(pod: &Pod) -> u32 {
    count(pod, INDEX_FAILURE_COUNT)
}

/// Failures of the pod's index before it that were ignored.
pub(super) fn ignored_failures_of_index(pod: &Pod) -> u32 {
    count(pod, INDEX_IGNORED_FAILURE_COUNT)
}

/// All failures of the pod's index before it.
pub(super) fn failures_of_index(pod: &Pod) -> u32 {
    counted_failures_of_index(pod).saturating_add(ignored_failures_of_index(pod))
}

/// The prefix of the name of an index' pod: the Job's name, cut so that the index fits.
///
/// ```
/// use seatrial::controllers::job::generate_name;
/// assert_eq!(generate_name("indexed-job", 1), "indexed-job-1-");
/// assert_eq!(generate_name(&"x".repeat(70), 1), format!("{}-1-", "x".repeat(55)));
/// ```
#[must_use]
pub fn generate_name(job: &str, index: i32) -> String {
    let suffix = format!("-{index}-");
    let most = GENERATED_NAME_PREFIX_MAX.saturating_sub(suffix.len());
    let end = if job.len() > most { job.floor_char_boundary(most) } else { job.len() };
    format!("{}{suffix}", &job[..end])
}

/// The active pods to delete so that at least `at_least` go: those without an index of the Job or with one that another
/// pod has too, then the least useful ones (upstream `activePodsForRemoval`).
pub(super) fn pods_to_remove(job: &Job, active: &[Arc<Pod>], at_least: usize) -> Vec<Arc<Pod>> {
    let (mut removed, mut left) = match job.is_indexed() {
        true => superfluous(job, active),
        false => (Vec::new(), active.to_vec()),
    };
    let more = at_least.saturating_sub(removed.len());
    if more > 0 {
        left = ordered(&left);
        removed.extend(left.into_iter().take(more));
    }
    removed
}

/// Pods that an indexed Job has no use for, and those that it has. Of pods with equal index the most useful stays.
fn superfluous(job: &Job, active: &[Arc<Pod>]) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    let mut by_index: Vec<(Option<i32>, &Arc<Pod>)> = active.iter().map(|pod| (index_in(job, pod), pod)).collect();
    by_index.sort_by_key(|(index, _)| *index);
    let (mut removed, mut left) = (Vec::new(), Vec::new());
    for equal in by_index.chunk_by(|a, b| a.0 == b.0) {
        let pods: Vec<Arc<Pod>> = equal.iter().map(|(_, pod)| Arc::clone(pod)).collect();
        if equal.first().is_none_or(|(index, _)| index.is_none()) {
            removed.extend(pods);
            continue;
        }
        let mut pods = ordered(&pods);
        left.extend(pods.pop());
        removed.extend(pods);
    }
    (removed, left)
}

/// The least useful first.
fn ordered(pods: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
    active_pods_order(pods).into_iter().map(|at| Arc::clone(&pods[at])).collect()
}
