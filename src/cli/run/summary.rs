//! A run for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::report::traffic_json;
use crate::scenario::{Measured, Outcome, Part, Run, Scenario, Verdict};

/// Times are seconds.
fn measured(run: &Run) -> BTreeMap<&str, Value> {
    let value = |measured: &Option<Measured>| match measured {
        Some(Measured::Number(number)) => json!(number),
        Some(Measured::Time(time)) => json!(time.as_secs_f64()),
        None => Value::Null,
    };
    run.measured.iter().map(|(name, measured)| (&**name, value(measured))).collect()
}

/// The run as JSON. Times are seconds.
pub(super) fn summary(scenario: &Scenario, run: &Run) -> Value {
    let sim = &run.simulation;
    let expectations = run.verdicts.iter().map(expectation);
    let steps = scenario.steps.iter().zip(&run.steps).map(|(written, step)| {
        json!({
            "verb": written.verb.name(),
            "args": written.verb.args(),
            "at": step.at.map(|at| at.as_secs_f64()),
            "error": step.error.as_ref().map(ToString::to_string),
        })
    });
    json!({
        "scenario": scenario.name,
        "seed": scenario.seed,
        "end": sim.now().as_secs_f64(),
        "held": run.held(),
        "expectations": expectations.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
        "traffic": sim.traffic().map(|report| traffic_json(&report)),
        "changes": sim.changes(),
        "digest": sim.recording().digest().to_string(),
        "events": sim.events(),
        "stopped": run.stopped(),
        "notices": run.notices,
        "parameters": scenario.parameters.iter().collect::<BTreeMap<_, _>>(),
        "measured": measured(run),
    })
}

fn expectation(verdict: &Verdict) -> Value {
    let Verdict { expectation, written, outcome, .. } = verdict;
    let written = written.as_ref().map(ToString::to_string);
    match outcome {
        Outcome::Held { at } => {
            json!({"expectation": expectation, "written": written, "held": true, "at": at.map(|at| at.as_secs_f64())})
        }
        Outcome::Failed { at, why, parts } => {
            let part = |part: &Part| json!({"text": part.text, "depth": part.depth, "value": part.value, "wanted": part.wanted, "holds": part.holds});
            json!({
                "expectation": expectation, "written": written, "held": false, "at": at.as_secs_f64(), "why": why,
                "parts": parts.iter().map(part).collect::<Vec<_>>(),
            })
        }
    }
}
