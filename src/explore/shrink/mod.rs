//! Makes a failing case small: fewer steps, faults, objects, machines and replicas, earlier times, as long as the same
//! expectation fails.
//!
//! A smaller scenario may fail for another reason: a rollout for which there is no machine left never completes. So that this
//! does not pass for the failure that was found, the scenario without its disturbances (the faults; if it fails without them
//! too, the faults and steps) must go on to hold, if it held at first.

mod candidates;
mod draft;
mod scripted;

use std::collections::BTreeSet;

use crate::kernel::{SimDuration, SimTime};
use crate::scenario::{Outcome, Run, RunOptions, Scenario, ScenarioError};
use crate::sim::RecordMode;

use super::case::{Case, CaseOutcome};
use super::error::ExploreError;
use super::plan::Plan;
use draft::Draft;

/// Runs, and events of all runs, after which the smallest scenario so far is taken.
const MAX_RUNS: u32 = 4_000;
const MAX_EVENTS: u64 = 1_000_000_000;

/// Stands for an expectation where a run stops before its end.
pub(crate) const ENDS: &str = "the run comes to its end";

/// A failure in a scenario as small as could be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The scenario, for `seatrial run`.
    pub yaml: String,
    /// What fails in it.
    pub expectation: String,
    /// When.
    pub at: SimTime,
    /// What happens there.
    pub why: String,
    /// Steps that are left, faults among them.
    pub steps: usize,
    /// Runs that it took.
    pub runs: u32,
}

/// Makes the scenario of a failing case small.
///
/// `Ok(None)` if the case holds.
///
/// # Errors
/// If the scenario is wrong.
pub fn shrink(plan: &Plan, case: &Case) -> Result<Option<Shrunk>, ExploreError> {
    let scenario = plan.scenario(case)?;
    let options = RunOptions { seed: Some(case.seed), record: RecordMode::Full, ..plan.options() };
    let run = scenario.run(&options)?;
    let (expectation, at) = match CaseOutcome::of(&run) {
        CaseOutcome::Held => return Ok(None),
        CaseOutcome::Failed { expectation, at, .. } => (expectation, at),
        CaseOutcome::Stopped { .. } => (ENDS.to_owned(), run.simulation.now()),
    };
    let mut draft = Draft::of(plan, case, &scenario)?;
    draft.expect(&expectation);
    let mut search = Search { options: plan.options(), expectation, runs: 0, events: 0, guard: Guard::None };
    let Some(found) = search.failure(&draft) else { return Ok(None) };
    search.guard = [Guard::WithoutFaults, Guard::WithoutSteps]
        .into_iter()
        .find(|guard| search.holds(&guard.calm(&draft)))
        .unwrap_or(Guard::None);
    let mut best = (draft, found);
    if let Some(scripted) = scripted::scripted(&best.0, run.simulation.recording(), at) {
        search.try_out(scripted, &mut best);
    }
    search.narrow(&mut best);
    let (draft, Failure { at, why }) = best;
    let yaml = draft.to_yaml(&search.expectation, at, &why, plan.extensions.needs_library());
    Ok(Some(Shrunk { yaml, expectation: search.expectation, at, why, steps: draft.disturbances(), runs: search.runs }))
}

/// How a smaller scenario is kept from failing for another reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// It does not hold without its steps either, so all that can be asked is that it fails in the same words, numbers and names with
    /// numbers apart.
    None,
    /// It must hold without its faults, at random and scripted.
    WithoutFaults,
    /// It must hold without faults and steps.
    WithoutSteps,
}

impl Guard {
    fn calm(self, draft: &Draft) -> Draft {
        match self {
            Self::None => draft.clone(),
            Self::WithoutFaults => draft.without_faults(),
            Self::WithoutSteps => draft.without_faults().without_steps(),
        }
    }
}

#[derive(Clone, Debug)]
struct Failure {
    at: SimTime,
    why: String,
}

/// The words of a reason without those that have digits in them, each once: what is left of `deployment/w0 has 3 of 7 pods` when there are
/// fewer pods.
fn in_words(why: &str) -> BTreeSet<&str> {
    why.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect()
}

struct Search {
    options: RunOptions,
    expectation: String,
    runs: u32,
    events: u64,
    guard: Guard,
}

impl Search {
    fn run(&mut self, draft: &Draft) -> Option<Run> {
        self.runs += 1;
        let scenario: Result<Scenario, ScenarioError> = draft.scenario();
        let run = scenario.and_then(|scenario| scenario.run(&self.options)).ok()?;
        self.events += run.simulation.events();
        Some(run)
    }

    const fn is_spent(&self) -> bool {
        self.runs >= MAX_RUNS || self.events >= MAX_EVENTS
    }

    /// How the expectation fails, if it does.
    fn failure(&mut self, draft: &Draft) -> Option<Failure> {
        let run = self.run(draft)?;
        if self.expectation == ENDS {
            return run.stopped().map(|why| Failure { at: run.simulation.now(), why });
        }
        let mut same = run.verdicts.iter().filter(|verdict| verdict.expectation == self.expectation);
        let Outcome::Failed { at, why, .. } = &same.next()?.outcome else { return None };
        same.all(|verdict| !verdict.held()).then(|| Failure { at: *at, why: why.clone() })
    }

    fn holds(&mut self, draft: &Draft) -> bool {
        self.run(draft).is_some_and(|run| run.held())
    }

    /// Takes the candidate in place of the best, if it fails as that does.
    fn try_out(&mut self, candidate: Draft, best: &mut (Draft, Failure)) -> bool {
        if candidate == best.0 || self.is_spent() {
            return false;
        }
        let Some(failure) = self.failure(&candidate) else { return false };
        let is_the_same = match self.guard {
            Guard::None => in_words(&failure.why) == in_words(&best.1.why),
            guard => self.holds(&guard.calm(&candidate)),
        };
        if !is_the_same {
            return false;
        }
        *best = (candidate, failure);
        true
    }

    /// Takes smaller and smaller candidates until none fails any more.
    fn narrow(&mut self, best: &mut (Draft, Failure)) {
        loop {
            let mut progress = false;
            for pass in candidates::PASSES {
                // Each pass names its places anew after a success: what is behind has moved.
                let mut place = 0;
                while !self.is_spent() {
                    let end = best.1.at + SimDuration::from_secs(1);
                    match pass(&best.0, place, end) {
                        candidates::Next::End => break,
                        candidates::Next::Skip => place += 1,
                        candidates::Next::Try(candidate) => {
                            if self.try_out(*candidate, best) {
                                progress = true;
                            } else {
                                place += 1;
                            }
                        }
                    }
                }
            }
            if !progress || self.is_spent() {
                return;
            }
        }
    }
}
