//! `seatrial check`.

use std::io::{self, Write as _};
use std::path::Path;

use crate::objects::reader::{Document, ReaderLimits, read_manifests};
use crate::objects::{Kind, Object, validation};
use crate::scenario::{Excerpt, Manifest, RunOptions, Scenario, ScenarioError};
use crate::sim::{Delays, Simulation};

use super::args::CheckArguments;
use super::{Exit, diagnostics, input};

pub(super) fn check(arguments: &CheckArguments) -> io::Result<Exit> {
    let mut exit = Exit::Held;
    for path in &arguments.files {
        match check_file(path) {
            Ok(lines) => {
                for line in lines {
                    writeln!(anstream::stdout(), "{}: {line}", input::name(path))?;
                }
            }
            Err(error) => {
                diagnostics::scenario(&error)?;
                exit = Exit::WrongInput;
            }
        }
    }
    Ok(exit)
}

fn check_file(path: &Path) -> Result<Vec<String>, ScenarioError> {
    let text = input::read(path)?;
    if input::is_scenario(&text) {
        scenario(&input::scenario_of(path, &text)?)
    } else {
        manifests(&input::name(path), &text)
    }
}

/// Sets the cluster up, so that the API server checks nodes and manifests; no time passes.
fn scenario(scenario: &Scenario) -> Result<Vec<String>, ScenarioError> {
    let run = scenario.run(&RunOptions { max_events: Some(0), ..RunOptions::default() })?;
    let mut lines = vec![format!("scenario {} is valid", scenario.name)];
    lines.extend(run.notices.iter().map(|notice| format!("note: {notice}")));
    Ok(lines)
}

/// Applies the manifests to an empty cluster, so that they are checked as the API server would.
fn manifests(source: &str, text: &str) -> Result<Vec<String>, ScenarioError> {
    let excerpt = Excerpt::file(source.into(), text.into());
    let documents = read_manifests(source, text, &ReaderLimits::default()).map_err(|errors| {
        ScenarioError::Input(errors.into_iter().map(|error| excerpt.read_problem(error)).collect())
    })?;
    let mut sim = Simulation::builder().delays(Delays::ideal()).build()?;
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for document in documents {
        let manifest = Manifest { document, excerpt: excerpt.clone() };
        match sim.apply_document(&manifest.document) {
            Ok((object, _)) => {
                lines.push(told(&manifest.document, &object));
                lines
                    .extend(validation::warnings(&object.to_wire()).into_iter().map(|text| format!("warning: {text}")));
            }
            Err(error) => problems.extend(manifest.problems(&error)),
        }
    }
    if lines.is_empty() && problems.is_empty() {
        lines.push("there is no object in it".to_owned());
    }
    if problems.is_empty() { Ok(lines) } else { Err(ScenarioError::Input(problems)) }
}

fn told(document: &Document, object: &Object) -> String {
    let name = format!("{}/{}", document.kind.to_lowercase(), object.meta().name);
    if object.kind() == Kind::Opaque {
        format!("{name} is kept as it is: not simulated yet")
    } else {
        format!("{name} is valid")
    }
}
