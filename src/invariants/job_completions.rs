//! A Job never has more successes, nor more pods at a time, than it asks for.

use std::collections::BTreeSet;

use crate::kernel::SimDuration;
use crate::objects::{Indexes, JOB_TRACKING_FINALIZER, Job, Key, Kind, Pod, PodPhase, Uid};
use crate::sim::Simulation;

use super::violation::names;
use super::window::Window;
use super::{Invariant, Violation};

/// A Job never counts more successes than `completions`, never has two active pods for one index, nor an index both
/// completed and failed; and no pod joins when as many run as `parallelism` allows, or when those that run or have succeeded
/// already make up the completions. Counts above a bound that was lowered may come down, never go up.
#[derive(Debug)]
pub struct JobCompletions {
    job: Key,
    /// Most active pods.
    parallelism: Window<i64>,
    completions: Window<i64>,
    before: Option<Counts>,
}

/// What the pods of a Job amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counts {
    uid: Uid,
    active: i64,
    /// Successes that are counted.
    succeeded: i64,
    /// Active pods, and successes that are counted or are going to be.
    spoken_for: i64,
    /// The first index that two active pods have.
    twice: Option<i32>,
}

impl Counts {
    fn of(sim: &Simulation, job: &Job) -> Self {
        let named = job.status.uncounted_terminated_pods.as_ref().map_or(&[][..], |pods| &pods.succeeded);
        let succeeds = |pod: &Pod| {
            pod.status.phase == PodPhase::Succeeded
                && (pod.meta.has_finalizer(JOB_TRACKING_FINALIZER) || named.contains(&pod.meta.uid))
        };
        let (mut active, mut succeeded, mut indexes, mut twice) = (0, 0, BTreeSet::new(), None);
        for pod in sim.view().unsettled_pods(&job.meta.uid) {
            if pod.is_active() {
                active += 1;
                twice = twice.or(pod.completion_index().filter(|index| job.is_indexed() && !indexes.insert(*index)));
            }
            succeeded += i64::from(succeeds(pod));
        }
        let counted = i64::from(job.status.succeeded);
        // Of an indexed Job several pods may succeed for one index.
        let spoken_for = if job.is_indexed() { 0 } else { active + succeeded + counted };
        Self { uid: job.meta.uid.clone(), active, succeeded: counted, spoken_for, twice }
    }
}

impl JobCompletions {
    /// The bounds of the Job's current spec, or of one that was current at the same instant.
    #[must_use]
    pub fn of(job: Key) -> Self {
        Self::within(job, SimDuration::ZERO)
    }

    /// The bounds of any spec that was current in the last `window`: for control planes with delays.
    #[must_use]
    pub fn within(job: Key, window: SimDuration) -> Self {
        Self { job, parallelism: Window::new(window), completions: Window::new(window), before: None }
    }

    fn broken(&self, sim: &Simulation, story: String) -> Violation {
        Violation::new(Violation::name("completions", Kind::Job, &self.job), sim, story)
    }

    /// What is wrong with the indexes of the status, if anything.
    fn miscounted(job: &Job) -> Option<String> {
        let status = &job.status;
        let completed = Indexes::parse(&status.completed_indexes, i32::MAX);
        if job.is_indexed() && completed.total() != i64::from(status.succeeded) {
            let (indexes, succeeded) = (&status.completed_indexes, status.succeeded);
            return Some(format!("promised one success an index, but indexes {indexes:?} make {succeeded}"));
        }
        let failed = Indexes::parse(status.failed_indexes.as_deref().unwrap_or_default(), i32::MAX);
        (completed.overlap(&failed) > 0)
            .then(|| format!("indexes {completed} are completed and {failed} failed: some are both"))
    }

    /// Which bound the pods or successes that are new go above, if any.
    fn exceeded(before: &Counts, now: &Counts, parallelism: i64, completions: i64) -> Option<String> {
        let Counts { active, succeeded, spoken_for, .. } = *now;
        if succeeded > before.succeeded && succeeded > completions {
            return Some(format!("promised at most {completions} completions, but {succeeded} are counted"));
        }
        if active <= before.active {
            return None;
        }
        if active > parallelism {
            let before = before.active;
            return Some(format!("promised at most {parallelism} active pods, but there are {active}, after {before}"));
        }
        if spoken_for > completions {
            let others = spoken_for - active;
            return Some(format!(
                "promised at most {completions} completions, but {active} pods are active when {others} have succeeded"
            ));
        }
        now.twice.map(|index| format!("promised one active pod an index, but index {index} has two"))
    }
}

impl Invariant for JobCompletions {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let found = sim.view().jobs.get(&self.job).filter(|job| !job.is_managed_elsewhere());
        let Some(job) = found else {
            self.before = None;
            return Ok(());
        };
        let spec = &job.spec;
        self.parallelism.push(sim.now(), if spec.suspend { 0 } else { i64::from(spec.parallelism) });
        self.completions.push(sim.now(), spec.completions.map_or(i64::MAX, i64::from));
        let most = |window: &Window<i64>| window.iter().copied().max().unwrap_or(0);
        let (parallelism, completions) = (most(&self.parallelism), most(&self.completions));
        let now = Counts::of(sim, job);
        let before = self.before.replace(now.clone()).filter(|before| before.uid == now.uid);
        // Of a Job that was there before the watch began, what it had then is no one's fault.
        let before = before.unwrap_or_else(|| now.clone());
        let story = Self::miscounted(job).or_else(|| Self::exceeded(&before, &now, parallelism, completions));
        let pods = || {
            let active = sim.view().unsettled_pods(&job.meta.uid).filter(|pod| pod.is_active());
            names(active.map(|pod| &pod.meta.name))
        };
        let tell = |story: String| if now.active == 0 { story } else { format!("{story}. Active: {}", pods()) };
        story.map_or(Ok(()), |story| Err(self.broken(sim, tell(story))))
    }
}
