//! A CronJob that forbids it never has two Jobs run at a time.

use crate::kernel::SimDuration;
use crate::objects::{CRON_JOB_SCHEDULED_ANNOTATION, ConcurrencyPolicy, Key, Kind};
use crate::sim::Simulation;

use super::window::Window;
use super::{Invariant, Violation};

/// A CronJob with `concurrencyPolicy: Forbid` makes no Job while another one that it made has not ended. Jobs that were
/// made by hand do not count, nor does what was made under another policy.
///
/// Kubernetes itself breaks this in one case: where the CronJob is changed between the creation of a Job and the note of
/// it in the status, the Job is forgotten.
#[derive(Debug)]
pub struct NoOverlap {
    cron_job: Key,
    policies: Window<ConcurrencyPolicy>,
    before: usize,
}

impl NoOverlap {
    /// As the CronJob's current policy says.
    #[must_use]
    pub fn of(cron_job: Key) -> Self {
        Self::within(cron_job, SimDuration::ZERO)
    }

    /// Once the policy has been `Forbid` for all of `window`: for control planes with delays.
    #[must_use]
    pub fn within(cron_job: Key, window: SimDuration) -> Self {
        Self { cron_job, policies: Window::new(window), before: 0 }
    }
}

impl Invariant for NoOverlap {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(cron_job) = sim.view().cron_jobs.get(&self.cron_job) else {
            self.before = 0;
            return Ok(());
        };
        self.policies.push(sim.now(), cron_job.spec.concurrency_policy);
        let running = sim.view().jobs_controlled_by(&self.cron_job).filter(|job| {
            let is_its_own = job.meta.controller().is_some_and(|owner| owner.uid == cron_job.meta.uid);
            is_its_own && !job.is_finished() && job.meta.annotations.contains_key(CRON_JOB_SCHEDULED_ANNOTATION)
        });
        let names: Vec<&str> = running.map(|job| &*job.meta.name).collect();
        let before = std::mem::replace(&mut self.before, names.len());
        let forbidden = self.policies.iter().all(|policy| *policy == ConcurrencyPolicy::Forbid);
        if !forbidden || names.len() <= before.max(1) {
            return Ok(());
        }
        let invariant = Violation::name("noOverlap", Kind::CronJob, &self.cron_job);
        let story = format!("promised at most one Job at a time, but {} run together", names.join(" and "));
        Err(Violation { invariant, at: sim.now(), story })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::PatchType;
    use crate::invariants::Always;
    use crate::kernel::SimTime;
    use crate::sim::{Delays, Target};

    fn ticking(policy: &str, delays: Delays) -> (Simulation, Always) {
        let task = serde_json::from_value(json!({"image": "task:*", "exit": {"code": 0, "after": "100s"}}));
        let builder = Simulation::builder().delays(delays).nodes(2).behaviour(task.expect("a behaviour"));
        let mut sim = builder.build().expect("a cluster");
        let manifest = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
            "spec": {"schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": {"spec": {"template": {"spec":
                {"restartPolicy": "Never", "containers": [{"name": "c", "image": "task:v1"}]}}}}}});
        sim.apply(&manifest.to_string()).expect("accepted");
        (sim, Always::new().and(NoOverlap::within(Key::new("default", "tick"), SimDuration::from_secs(2))))
    }

    #[test]
    fn jobs_longer_than_the_interval_never_overlap_where_it_is_forbidden() {
        for delays in [Delays::ideal(), Delays::realistic()] {
            let (mut sim, mut promise) = ticking("Forbid", delays);
            promise.run(&mut sim, SimTime::from_secs(1800)).expect("kept");
            assert!(sim.view().jobs.len() >= 4, "and some were made");
        }
    }

    #[test]
    fn a_job_that_is_made_beside_another_one_is_noticed() {
        let (mut sim, mut promise) = ticking("Forbid", Delays::ideal());
        promise.run(&mut sim, SimTime::from_secs(90)).expect("kept");
        let job = sim.view().jobs.iter().next().expect("one runs").as_ref().clone();
        let mut second = crate::objects::Resource::to_wire(&job);
        second["metadata"] = json!({"name": "second", "annotations": job.meta.annotations,
            "ownerReferences": &job.meta.owner_references.to_vec()});
        second["spec"] = json!({"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "image": "task:v1"}]}}});
        sim.apply(&second.to_string()).expect("accepted");
        let violation = promise.check(&sim).expect_err("two run");
        assert!(violation.to_string().contains("second run together"), "{violation}");
    }

    #[test]
    fn what_was_made_before_it_was_forbidden_does_not_count() {
        let (mut sim, mut promise) = ticking("Allow", Delays::realistic());
        promise.run(&mut sim, SimTime::from_secs(140)).expect("kept");
        let tick: Target = "cronjob/tick".parse().expect("a target");
        let policy = json!({"spec": {"concurrencyPolicy": "Forbid"}});
        sim.patch(&tick, PatchType::Merge, &policy).expect("accepted");
        promise.run(&mut sim, SimTime::from_secs(900)).expect("kept");
    }
}
