//! Every Job says what became of its pods.

use crate::objects::{JOB_TRACKING_FINALIZER, Resource};
use crate::sim::Simulation;

use super::Violation;
use super::violation::names;

/// In a settled cluster the status of every Job names its active pods, has counted all that ended, and a Job that has finished
/// has no active pod left. A Job with a limit per index keeps a failed pod uncounted until its index gets another.
#[must_use]
pub fn job_counts(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let broken = |story: String| Violation::new("jobCounts()", sim, story);
    let mut violations = Vec::new();
    for job in view.jobs.iter().filter(|job| !job.meta.is_deleting() && !job.is_managed_elsewhere()) {
        let key = job.key();
        let active = view.unsettled_pods(&job.meta.uid).filter(|pod| pod.is_active()).count() as i64;
        if active != i64::from(job.status.active) {
            violations.push(broken(format!("Job {key} has {active} active pods and reports {}", job.status.active)));
        }
        let ended = view.unsettled_pods(&job.meta.uid).filter(|pod| pod.is_terminal());
        let uncounted: Vec<_> = ended.filter(|pod| pod.meta.has_finalizer(JOB_TRACKING_FINALIZER)).collect();
        if !uncounted.is_empty() && (job.is_finished() || job.spec.backoff_limit_per_index.is_none()) {
            let pods = names(uncounted.iter().map(|pod| &pod.meta.name));
            violations.push(broken(format!("Job {key} has pods that ended and are not counted: {pods}")));
        }
        if job.is_finished() && active > 0 {
            violations.push(broken(format!("Job {key} has finished and has {active} active pods")));
        }
    }
    violations
}
