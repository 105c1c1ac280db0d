//! Every Job says what became of its pods.

use crate::objects::{JOB_TRACKING_FINALIZER, Resource};
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster the status of every Job names its active pods, has counted all that ended, and a Job that has finished
/// has no active pod left. A Job with a limit per index keeps a failed pod uncounted until its index gets another.
#[must_use]
pub fn job_counts(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let broken = |story: String| Violation { invariant: "jobCounts".into(), at: sim.now(), story };
    let mut violations = Vec::new();
    for job in view.jobs.iter().filter(|job| !job.meta.is_deleting() && !job.is_managed_elsewhere()) {
        let key = job.key();
        let active = view.unsettled_pods(&job.meta.uid).filter(|pod| pod.is_active()).count() as i64;
        if active != i64::from(job.status.active) {
            violations.push(broken(format!("Job {key} has {active} active pods and reports {}", job.status.active)));
        }
        let ended = view.unsettled_pods(&job.meta.uid).filter(|pod| pod.is_terminal());
        let uncounted = ended.filter(|pod| pod.meta.has_finalizer(JOB_TRACKING_FINALIZER)).count();
        if uncounted > 0 && (job.is_finished() || job.spec.backoff_limit_per_index.is_none()) {
            violations.push(broken(format!("Job {key} has {uncounted} pods that ended and are not counted")));
        }
        if job.is_finished() && active > 0 {
            violations.push(broken(format!("Job {key} has finished and has {active} active pods")));
        }
    }
    violations
}
