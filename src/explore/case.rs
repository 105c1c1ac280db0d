//! One run of an exploration, and what came of it.

use serde_json::{Map, Value, json};

use crate::kernel::{SimDuration, SimTime};
use crate::scenario::{ExpectationKind, Measured, Outcome, Run, RunOptions, Scenario, ScenarioError, Verdict};

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its number among the cases of all shards.
    pub number: u64,
    /// Its seed.
    pub seed: u64,
    /// The values of the parameters that vary, by name.
    pub parameters: Vec<(String, String)>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// Which.
    pub case: Case,
    /// Whether its expectations held.
    pub outcome: CaseOutcome,
    /// What the scenario measures, and when what it expects eventually came true (nothing if it never did), by name.
    pub measured: Vec<(String, Option<Measured>)>,
}

/// Whether the expectations of a case held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseOutcome {
    /// They did.
    Held,
    /// One did not.
    Failed {
        /// The first that failed, as the file has it.
        expectation: String,
        /// When that was certain.
        at: SimTime,
        /// The values, or what happened instead.
        why: String,
    },
    /// The run did not come to its end.
    Stopped {
        /// Why.
        why: String,
    },
}

impl CaseOutcome {
    /// Whether the run ended and every expectation held.
    #[must_use]
    pub const fn held(&self) -> bool {
        matches!(self, Self::Held)
    }

    /// What came of a run: of several failed expectations the one that failed first, in time. What only failed because the run stopped
    /// before its end does not count.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let stopped = run.stopped();
        let is_cause = |outcome: &Self| stopped.is_none() || when(outcome) < run.simulation.now();
        let failed = |verdict: &Verdict| match &verdict.outcome {
            Outcome::Failed { at, why, .. } => {
                Some(Self::Failed { expectation: verdict.expectation.clone(), at: *at, why: why.clone() })
            }
            Outcome::Held { .. } => None,
        };
        match run.verdicts.iter().filter_map(failed).filter(is_cause).min_by_key(when) {
            Some(failed) => failed,
            None => stopped.map_or(Self::Held, |why| Self::Stopped { why }),
        }
    }
}

const fn when(outcome: &CaseOutcome) -> SimTime {
    match outcome {
        CaseOutcome::Failed { at, .. } => *at,
        CaseOutcome::Held | CaseOutcome::Stopped { .. } => SimTime::MAX,
    }
}

impl CaseResult {
    /// Runs a case of a scenario that has its values already.
    ///
    /// # Errors
    /// If the cluster cannot be set up.
    pub(super) fn run(scenario: &Scenario, case: Case, options: RunOptions) -> Result<Self, ScenarioError> {
        let options = RunOptions { seed: Some(case.seed), ..options };
        let run = scenario.run(&options)?;
        let outcome = CaseOutcome::of(&run);
        let mut measured = run.measured;
        for (expectation, verdict) in scenario.expectations.iter().zip(&run.verdicts) {
            if let ExpectationKind::Eventually { .. } = expectation.kind {
                let after = SimTime::ZERO + expectation.after;
                let time = match verdict.outcome {
                    Outcome::Held { at: Some(at) } => Some(Measured::Time(at - after.min(at))),
                    _ => None,
                };
                measured.push((verdict.expectation.clone(), time));
            }
        }
        measured.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self { case, outcome, measured })
    }

    /// As one line of a file of results. Times are seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let text = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
        let mut line = json!({
            "case": self.case.number,
            "seed": self.case.seed,
            "parameters": self.case.parameters.iter().map(text).collect::<Map<_, _>>(),
            "held": self.outcome.held(),
        });
        match &self.outcome {
            CaseOutcome::Held => {}
            CaseOutcome::Failed { expectation, at, why } => {
                line["failed"] = json!({"expectation": expectation, "at": seconds(at.as_nanos()), "why": why});
            }
            CaseOutcome::Stopped { why } => line["stopped"] = json!(why),
        }
        let measured = self.measured.iter().map(|(name, value)| {
            let value = match value {
                Some(Measured::Number(number)) => json!({"number": number}),
                Some(Measured::Time(time)) => json!({"seconds": seconds(time.as_nanos())}),
                None => Value::Null,
            };
            (name.clone(), value)
        });
        line["measured"] = Value::Object(measured.collect());
        line
    }

    /// Reads such a line. Nothing if it is not one.
    #[must_use]
    pub fn from_json(line: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let parameters = line["parameters"].as_object()?.iter();
        let case = Case {
            number: line["case"].as_u64()?,
            seed: line["seed"].as_u64()?,
            parameters: parameters.map(|(name, value)| Some((name.clone(), text(value)?))).collect::<Option<_>>()?,
        };
        let outcome = if line["held"].as_bool()? {
            CaseOutcome::Held
        } else if let Some(why) = text(&line["stopped"]) {
            CaseOutcome::Stopped { why }
        } else {
            let failed = &line["failed"];
            CaseOutcome::Failed {
                expectation: text(&failed["expectation"])?,
                at: SimTime::from_nanos(nanos(&failed["at"])?),
                why: text(&failed["why"])?,
            }
        };
        let measured = line["measured"].as_object()?.iter().map(|(name, value)| {
            let value = match (value["number"].as_i64(), nanos(&value["seconds"])) {
                (Some(number), _) => Some(Measured::Number(number)),
                (None, Some(time)) => Some(Measured::Time(SimDuration::from_nanos(time))),
                (None, None) => None,
            };
            (name.clone(), value)
        });
        Some(Self { case, outcome, measured: measured.collect() })
    }
}

/// Exact for runs of up to a hundred days.
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn nanos(seconds: &Value) -> Option<u64> {
    let seconds = seconds.as_f64()?;
    (0.0..1e10).contains(&seconds).then(|| (seconds * 1e9).round() as u64)
}
