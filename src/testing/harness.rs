//! Plays cases, watches the invariants, and makes failures small.

use std::fmt;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::case::Case;
use super::cases::Cases;
use crate::explore::{CaseOutcome, ENDS, Plan, shrink};
use crate::kernel::SimTime;
use crate::report::{failure, story_before};
use crate::scenario::{Extensions, Run, RunOptions, Scenario};
use crate::sim::RecordMode;

/// Lines of what happened before a failure.
const STORY_LINES: usize = 24;

/// Plays cases and watches every invariant of the catalogue that holds over time, of every object that there is or will be; at
/// rest, those that hold then; and what a case expects.
#[derive(Clone, Debug)]
pub struct Harness {
    extensions: Extensions,
}

/// A broken promise, and what happened before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expectation}\nbroken {story}")]
pub struct Failure {
    /// The promise, such as `always: maxSurge(deployment/w0)`.
    pub expectation: String,
    /// When it was broken.
    pub at: SimTime,
    /// What was promised, and what happened instead.
    pub why: String,
    /// When, the values or what was promised and happened instead, the changes around it, and what was done and what came of it
    /// until then.
    pub story: String,
}

/// A case that fails, made small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// Its number among the cases, from 0.
    pub number: u32,
    /// What fails in the small scenario.
    pub failure: Failure,
    /// Steps that are left.
    pub steps: usize,
    /// Runs that it took to make it small.
    pub runs: u32,
    /// The scenario. It says at its top if more than `seatrial run` is needed to play it.
    pub yaml: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, failure, steps, runs, yaml } = self;
        let steps = if *steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
        writeln!(f, "case {number} fails; with {steps} left after {runs} runs:\n{failure}\nThe scenario:\n{yaml}")
    }
}

impl Default for Harness {
    fn default() -> Self {
        Self { extensions: Extensions::new().every_workload() }
    }
}

impl Harness {
    /// With the invariants of the catalogue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With controllers and invariants of your own besides.
    #[must_use]
    pub fn with(extensions: Extensions) -> Self {
        Self { extensions: extensions.every_workload() }
    }

    /// Plays a case, to its end or to the first broken promise.
    ///
    /// # Errors
    /// The promise that was broken first. In [`proptest!`](::proptest::proptest) write `harness.check(&case)?`.
    ///
    /// # Panics
    /// If the case is no scenario: objects, behaviours, steps or expectations of your own are wrong. The panic says where.
    pub fn check(&self, case: &Case) -> Result<(), Failure> {
        self.check_yaml(&case.to_yaml())
    }

    /// Plays a scenario, such as one that [`Harness::search`] wrote.
    ///
    /// # Errors
    /// The promise that was broken first.
    ///
    /// # Panics
    /// If it is no scenario.
    pub fn check_yaml(&self, yaml: &str) -> Result<(), Failure> {
        let (_, run) = self.play(yaml, RecordMode::Off);
        let outcome = CaseOutcome::of(&run);
        if outcome.held() {
            return Ok(());
        }
        // Once more, with a record of what happened.
        let (scenario, run) = self.play(yaml, RecordMode::Full);
        let (expectation, at, why) = match outcome {
            CaseOutcome::Failed { expectation, at, why } => (expectation, at, why),
            CaseOutcome::Stopped { why } => (ENDS.to_owned(), run.simulation.now(), why),
            CaseOutcome::Held => return Ok(()),
        };
        let verdict = run.verdicts.iter().find(|verdict| verdict.expectation == expectation);
        let around = match verdict {
            Some(verdict) => failure(&scenario, &run, verdict),
            // It did not come to the end at which verdicts are given.
            None => format!("at {at}\n  ✗ {why}\n"),
        };
        let before = story_before(run.simulation.recording(), at, STORY_LINES);
        let story = format!("{around}what happened until then:\n{before}");
        Err(Failure { expectation, at, why, story })
    }

    fn play(&self, yaml: &str, record: RecordMode) -> (Scenario, Run) {
        let extensions = self.extensions.clone();
        let options = RunOptions { record, extensions, fail_fast: true, ..RunOptions::default() };
        let played = Scenario::read("case.yaml", yaml).and_then(|scenario| {
            let run = scenario.run(&options)?;
            Ok((scenario, run))
        });
        played.unwrap_or_else(|error| panic!("{error}\n{yaml}"))
    }

    /// Tries `count` cases, drawn from the seed, and makes the first that fails small. The same arguments find the same.
    ///
    /// # Panics
    /// As [`Harness::check`].
    #[must_use]
    pub fn search(&self, cases: &Cases, seed: u64, count: u32) -> Option<Counterexample> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
        let strategy = cases.strategy();
        (0..count).find_map(|number| {
            let case = strategy.new_tree(&mut runner).ok()?.current();
            let failure = self.check(&case).err()?;
            Some(self.shrink(number, &case, failure))
        })
    }

    /// Makes a case small that fails.
    fn shrink(&self, number: u32, case: &Case, failure: Failure) -> Counterexample {
        let yaml = case.to_yaml();
        let plan = Plan::new("case.yaml", yaml.clone()).seeds(case.seed..case.seed.saturating_add(1));
        let plan = plan.extensions(self.extensions.clone());
        let shrunk = shrink(&plan, &plan.case(0)).ok().flatten();
        let Some(shrunk) = shrunk else {
            return Counterexample { number, failure, steps: case.steps.len(), runs: 0, yaml };
        };
        let failure = self.check_yaml(&shrunk.yaml).err().unwrap_or(failure);
        Counterexample { number, failure, steps: shrunk.steps, runs: shrunk.runs, yaml: shrunk.yaml }
    }
}
