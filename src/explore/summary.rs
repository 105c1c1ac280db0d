//! What an exploration found, in numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kernel::{SimDuration, SimTime};
use crate::scenario::Measured;

use super::case::{Case, CaseOutcome, CaseResult, seconds};

/// What came of many cases. The same cases in the same order make the same summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub cases: u64,
    /// How many of them held.
    pub held: u64,
    /// How many did not come to their end.
    pub stopped: u64,
    /// The others, by the expectation that failed first.
    pub failures: BTreeMap<String, Failures>,
    /// What was measured, by name.
    pub measured: BTreeMap<String, Distribution>,
    /// The same by the values of parameters, in the order in which they came; empty if none vary.
    pub rows: Vec<Row>,
    /// The first case that did not hold.
    pub first_failure: Option<Case>,
}

/// Cases in which an expectation failed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Case,
    /// When that failed.
    pub at: SimTime,
    /// What happened there.
    pub why: String,
}

/// Cases with the same values of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The values, by name of the parameter.
    pub parameters: Vec<(String, String)>,
    /// How many there were.
    pub cases: u64,
    /// How many of them held.
    pub held: u64,
    /// What was measured, by name.
    pub measured: BTreeMap<String, Distribution>,
}

/// The values of one measure. They are counted by value, so that memory grows with different values alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    values: BTreeMap<Measured, u64>,
    /// In how many cases it never came.
    pub never: u64,
}

impl Distribution {
    fn add(&mut self, value: Option<Measured>) {
        match value {
            Some(value) => *self.values.entry(rounded(value)).or_default() += 1,
            None => self.never += 1,
        }
    }

    /// In how many cases it came.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.values.values().sum()
    }

    /// The smallest value that at least so many of a thousand do not exceed (nearest rank); nothing if there are none.
    ///
    /// Times are kept to the millisecond.
    #[must_use]
    pub fn per_mille(&self, part: u64) -> Option<Measured> {
        let count = self.count();
        let rank = (u128::from(count) * u128::from(part.min(1000))).div_ceil(1000).max(1);
        let mut seen = 0u128;
        self.values.iter().find_map(|(value, times)| {
            seen += u128::from(*times);
            (seen >= rank).then_some(*value)
        })
    }
}

/// Times to the millisecond: finer differences between runs say nothing.
fn rounded(value: Measured) -> Measured {
    match value {
        Measured::Time(time) => Measured::Time(SimDuration::from_millis(time.as_millis())),
        Measured::Number(_) => value,
    }
}

impl Summary {
    /// Adds a case.
    pub fn add(&mut self, result: &CaseResult) {
        let held = u64::from(result.outcome.held());
        self.cases += 1;
        self.held += held;
        match &result.outcome {
            CaseOutcome::Held => {}
            CaseOutcome::Stopped { .. } => self.stopped += 1,
            CaseOutcome::Failed { expectation, at, why } => {
                let first = || Failures { count: 0, first: result.case.clone(), at: *at, why: why.clone() };
                self.failures.entry(expectation.clone()).or_insert_with(first).count += 1;
            }
        }
        if held == 0 && self.first_failure.is_none() {
            self.first_failure = Some(result.case.clone());
        }
        for (name, value) in &result.measured {
            self.measured.entry(name.clone()).or_default().add(*value);
        }
        if !result.case.parameters.is_empty() {
            let row = self.row(&result.case.parameters);
            row.cases += 1;
            row.held += held;
            for (name, value) in &result.measured {
                row.measured.entry(name.clone()).or_default().add(*value);
            }
        }
    }

    fn row(&mut self, parameters: &[(String, String)]) -> &mut Row {
        let known = self.rows.iter().rposition(|row| row.parameters == parameters);
        let at = known.unwrap_or_else(|| {
            self.rows.push(Row { parameters: parameters.to_vec(), ..Row::default() });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// As JSON. Times are seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let failures = self.failures.iter().map(|(expectation, failures)| {
            json!({
                "expectation": expectation,
                "count": failures.count,
                "first": {"case": failures.first.number, "seed": failures.first.seed,
                    "parameters": parameters(&failures.first.parameters)},
                "at": seconds(failures.at.as_nanos()),
                "why": failures.why,
            })
        });
        let rows = self.rows.iter().map(|row| {
            json!({
                "parameters": parameters(&row.parameters),
                "cases": row.cases,
                "held": row.held,
                "measured": distributions(&row.measured),
            })
        });
        json!({
            "cases": self.cases,
            "held": self.held,
            "stopped": self.stopped,
            "failures": failures.collect::<Vec<_>>(),
            "measured": distributions(&self.measured),
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

fn parameters(parameters: &[(String, String)]) -> Value {
    parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

fn distributions(measured: &BTreeMap<String, Distribution>) -> Value {
    let value = |measured: Option<Measured>| match measured {
        Some(Measured::Number(number)) => json!(number),
        Some(Measured::Time(time)) => json!(seconds(time.as_nanos())),
        None => Value::Null,
    };
    let distribution = |of: &Distribution| {
        json!({
            "count": of.count(), "never": of.never, "min": value(of.per_mille(0)), "p50": value(of.per_mille(500)),
            "p90": value(of.per_mille(900)), "p99": value(of.per_mille(990)), "max": value(of.per_mille(1000)),
        })
    };
    measured.iter().map(|(name, of)| (name.clone(), distribution(of))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: impl IntoIterator<Item = i64>) -> Distribution {
        let mut distribution = Distribution::default();
        values.into_iter().for_each(|value| distribution.add(Some(Measured::Number(value))));
        distribution
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred = numbers(1..=100);
        for (part, expected) in [(0, 1), (10, 1), (11, 2), (500, 50), (900, 90), (990, 99), (1000, 100)] {
            assert_eq!(hundred.per_mille(part), Some(Measured::Number(expected)), "{part}");
        }
        assert_eq!(numbers([7]).per_mille(500), Some(Measured::Number(7)));
        assert_eq!(numbers([]).per_mille(500), None);
    }

    #[test]
    fn cases_are_counted_by_what_failed_first_and_by_values() {
        let case = |number, value: &str| Case { number, seed: number, parameters: vec![("n".into(), value.into())] };
        let failed = |at| CaseOutcome::Failed {
            expectation: "always: x".into(),
            at: SimTime::from_secs(at),
            why: "because".into(),
        };
        let mut summary = Summary::default();
        for (case, outcome) in [
            (case(0, "1"), CaseOutcome::Held),
            (case(1, "1"), failed(3)),
            (case(2, "2"), failed(5)),
            (case(3, "2"), CaseOutcome::Stopped { why: "limit".into() }),
        ] {
            let measured = vec![("low".into(), case.number.checked_sub(1).map(|n| Measured::Number(n as i64)))];
            summary.add(&CaseResult { case, outcome, measured });
        }
        assert_eq!((summary.cases, summary.held, summary.stopped), (4, 1, 1));
        let failures = &summary.failures["always: x"];
        assert_eq!((failures.count, failures.first.number, failures.at), (2, 1, SimTime::from_secs(3)));
        assert_eq!(summary.first_failure.as_ref().map(|case| case.number), Some(1));
        assert_eq!(summary.rows.iter().map(|row| (row.cases, row.held)).collect::<Vec<_>>(), [(2, 1), (2, 0)]);
        assert_eq!((summary.measured["low"].never, summary.measured["low"].count()), (1, 3));
    }
}
