//! `seatrial check`.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::objects::reader::{Document, ReaderLimits, read_manifests};
use crate::objects::{Kind, Object};
use crate::scenario::{Manifest, Problem, Scenario, ScenarioError};
use crate::sim::{Delays, Simulation};

use super::Exit;
use super::args::CheckArguments;
use super::diagnostics;

pub(super) fn check(arguments: &CheckArguments) -> io::Result<Exit> {
    let mut exit = Exit::Held;
    for path in &arguments.files {
        let text = match read(path) {
            Ok(text) => text,
            Err(error) => {
                writeln!(anstream::stderr(), "error: {}: {error}", path.display())?;
                exit = Exit::WrongInput;
                continue;
            }
        };
        let checked = if is_scenario(&text) {
            Scenario::load(path).map(|scenario| vec![format!("scenario {} is well-formed", scenario.name)])
        } else {
            manifests(&path.display().to_string(), &text)
        };
        match checked {
            Ok(lines) => {
                for line in lines {
                    writeln!(anstream::stdout(), "{}: {line}", path.display())?;
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

fn read(path: &Path) -> io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

fn is_scenario(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("apiVersion:") && line.contains("seatrial.dev/"))
}

/// Applies the manifests to an empty cluster, so that they are checked as the API server would.
fn manifests(source: &str, text: &str) -> Result<Vec<String>, ScenarioError> {
    let shared: Arc<str> = text.into();
    let documents = read_manifests(source, text, &ReaderLimits::default()).map_err(|errors| {
        ScenarioError::Input(errors.into_iter().map(|error| Problem::of_read_error(error, &shared)).collect())
    })?;
    let mut sim = Simulation::builder().delays(Delays::ideal()).build()?;
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for document in documents {
        let manifest = Manifest { document, source: source.into(), text: shared.clone() };
        match sim.apply_document(&manifest.document) {
            Ok((object, _)) => lines.push(told(&manifest.document, &object)),
            Err(error) => problems.extend(manifest.problems(&error)),
        }
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
