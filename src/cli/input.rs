//! Files, or standard input.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::api::View;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::Kind;
use crate::report::{Query, QueryError};
use crate::scenario::{Parameters, Run, RunOptions, Scenario, ScenarioError};
use crate::sim::RecordMode;

use super::args::Moment;
use super::{Exit, diagnostics};

/// The name of an input in messages.
pub(super) fn name(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, ScenarioError> {
    let read = if is_stdin(path) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let read = read.map_err(|error| error.to_string());
    read.and_then(crate::scenario::text).map_err(|message| ScenarioError::File { path: name(path), message })
}

/// Values for the parameters of a scenario, as the arguments give them.
pub(super) fn parameters(given: &[(String, String)]) -> Parameters {
    given.iter().fold(Parameters::default(), |values, (name, value)| values.set(name, value))
}

/// The scenario of a file or of standard input.
pub(super) fn scenario(path: &Path, values: &Parameters) -> Result<Scenario, ScenarioError> {
    if is_stdin(path) {
        Scenario::read_with(&name(path), &read(path)?, folder(path), values)
    } else {
        Scenario::load_with(path, values)
    }
}

/// The scenario of an input that was read already.
pub(super) fn scenario_of(path: &Path, text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::read_with(&name(path), text, folder(path), &Parameters::default())
}

/// The scenario files that are meant: of a folder, those in it, by name.
pub(super) fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ScenarioError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let wrong = |message: String| ScenarioError::File { path: path.display().to_string(), message };
        let entries = std::fs::read_dir(path).map_err(|error| wrong(error.to_string()))?;
        let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
        inside.retain(|file| file.is_file() && read(file).is_ok_and(|text| is_scenario(&text)));
        if inside.is_empty() {
            return Err(wrong("there is no scenario in this folder".to_owned()));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// Whether a file wants to be a scenario.
pub(super) fn is_scenario(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("apiVersion:") && line.contains("seatrial.dev/"))
}

/// Where the manifests of a scenario are looked for.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The run of a scenario until an instant. What is wrong with it is told.
pub(super) fn run_until(moment: &Moment) -> io::Result<Option<Run>> {
    let options =
        RunOptions { seed: moment.seed, until: moment.at, events: true, keep_rules: true, ..RunOptions::default() };
    run(moment, &options)
}

/// The run of a scenario until an instant (default: its end), recorded in full. What is wrong with it is told.
pub(super) fn recorded_until(moment: &Moment, until: Option<SimDuration>) -> io::Result<Option<Run>> {
    run(moment, &RunOptions { seed: moment.seed, until, record: RecordMode::Full, ..RunOptions::default() })
}

/// The run of a scenario until an instant, in which all pods and nodes are measured. What is wrong with it is told.
pub(super) fn measured_until(moment: &Moment) -> io::Result<Option<Run>> {
    let options = RunOptions { seed: moment.seed, until: moment.at, events: true, ..RunOptions::default() };
    run_changed(moment, &options, |scenario| scenario.metrics.everything = true)
}

fn run(moment: &Moment, options: &RunOptions) -> io::Result<Option<Run>> {
    run_changed(moment, options, |_| {})
}

fn run_changed(moment: &Moment, options: &RunOptions, change: impl FnOnce(&mut Scenario)) -> io::Result<Option<Run>> {
    let scenario = scenario(&moment.file, &parameters(&moment.parameters)).map(|mut scenario| {
        change(&mut scenario);
        scenario
    });
    match scenario.and_then(|scenario| scenario.run(options)) {
        Ok(run) => {
            let end = run.simulation.now() - SimTime::ZERO;
            if let Some(at) = moment.at.filter(|at| *at > end) {
                let end = SimDuration::from_secs(end.as_secs());
                writeln!(
                    anstream::stderr(),
                    "note: the run ended at {end}: what is shown is not of {at}, but of then"
                )?;
            }
            Ok(Some(run))
        }
        Err(error) => {
            diagnostics::scenario(&error)?;
            Ok(None)
        }
    }
}

/// Says why nothing can be shown, in red where there are colours.
pub(super) fn refuse(why: impl std::fmt::Display) -> io::Result<Exit> {
    let why = why.to_string();
    // What the API server says stands for itself, as with kubectl.
    let prefix = if why.starts_with("Error from server") || why.starts_with("error: ") { "" } else { "error: " };
    writeln!(anstream::stderr(), "{prefix}{why}")?;
    Ok(Exit::WrongInput)
}

/// Says that there is nothing, as kubectl does: by the name of the namespace, unless that does not matter.
pub(super) fn none_found(what: &str, namespace: Option<&str>) -> io::Result<()> {
    match namespace {
        Some(namespace) => writeln!(anstream::stderr(), "No {what} found in {namespace} namespace."),
        None => writeln!(anstream::stderr(), "No {what} found"),
    }
}

/// The objects that arguments name.
pub(super) fn query(view: &View, resources: &[String], selector: Option<&str>) -> Result<Query, String> {
    let mut query = Query::parse(view, resources).map_err(|error| match error {
        QueryError::UnknownType(_) => {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.plural()).collect();
            format!("{error}; there are {}, and kinds that are kept as data", known.join(", "))
        }
        other => other.to_string(),
    })?;
    if let Some(selector) = selector {
        query.selector = selector.parse().map_err(|error| format!("{error}"))?;
    }
    Ok(query)
}
