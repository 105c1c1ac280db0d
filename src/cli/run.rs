//! `seatrial run`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use crate::report::{html, story, trace, traffic_json};
use crate::scenario::{Measured, Outcome, Run, RunOptions, Scenario};
use crate::sim::RecordMode;

use super::args::{RunArguments, RunOutput};
use super::{Exit, diagnostics, input};

/// Something to read about a run.
type Page = fn(&Scenario, &Run) -> String;

pub(super) fn run(arguments: &RunArguments) -> io::Result<Exit> {
    let options = RunOptions {
        seed: arguments.seed,
        record: RecordMode::Full,
        max_events: Some(arguments.max_events),
        ..RunOptions::default()
    };
    let values = input::parameters(&arguments.parameters);
    let ran = input::scenario(&arguments.scenario, &values).and_then(|mut scenario| {
        scenario.seed = arguments.seed.unwrap_or(scenario.seed);
        let run = scenario.run(&options)?;
        Ok((scenario, run))
    });
    let (scenario, run) = match ran {
        Ok(ran) => ran,
        Err(error) => {
            diagnostics::scenario(&error)?;
            return Ok(Exit::WrongInput);
        }
    };
    let mut out = anstream::stdout().lock();
    if let Some(path) = &arguments.events {
        if path.as_os_str() == "-" {
            run.simulation.recording().write_jsonl(BufWriter::new(&mut out))?;
            return Ok(exit(&run));
        }
        let file = match File::create(path) {
            Ok(file) => file,
            Err(error) => {
                writeln!(anstream::stderr(), "error: {}: {error}", path.display())?;
                return Ok(Exit::WrongInput);
            }
        };
        let mut file = BufWriter::new(file);
        run.simulation.recording().write_jsonl(&mut file)?;
        file.flush()?;
    }
    let pages: [(_, Page); 2] = [(&arguments.report, html), (&arguments.trace, |_, run| trace(run))];
    for (path, page) in pages {
        if let Some(path) = path
            && let Err(error) = fs::write(path, page(&scenario, &run))
        {
            writeln!(anstream::stderr(), "error: {}: {error}", path.display())?;
            return Ok(Exit::WrongInput);
        }
    }
    match arguments.output {
        RunOutput::Text => write!(out, "{}", story(&scenario, &run))?,
        RunOutput::Json => writeln!(out, "{:#}", summary(&scenario, &run))?,
    }
    Ok(exit(&run))
}

fn exit(run: &Run) -> Exit {
    if run.held() { Exit::Held } else { Exit::Broken }
}

/// Times are seconds.
fn measured(run: &Run) -> BTreeMap<&str, Value> {
    let value = |measured: &Option<Measured>| match measured {
        Some(Measured::Number(number)) => json!(number),
        Some(Measured::Time(time)) => json!(time.as_secs_f64()),
        None => Value::Null,
    };
    run.measured.iter().map(|(name, measured)| (&**name, value(measured))).collect()
}

fn summary(scenario: &Scenario, run: &Run) -> Value {
    let sim = &run.simulation;
    let expectations = run.verdicts.iter().map(|verdict| match &verdict.outcome {
        Outcome::Held { at } => json!({
            "expectation": verdict.expectation, "held": true, "at": at.map(|at| at.as_secs_f64()),
        }),
        Outcome::Failed { at, why } => json!({
            "expectation": verdict.expectation, "held": false, "at": at.as_secs_f64(), "why": why,
        }),
    });
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
