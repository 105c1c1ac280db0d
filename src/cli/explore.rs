//! `seatrial explore` and `seatrial merge`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Value, json};

use crate::explore::{self, Case, CaseResult, ExploreError, Ledger, Plan, Shrunk, Summary};
use crate::report::exploration;

use super::args::{ExploreArguments, MergeArguments, RunOutput};
use super::{Exit, diagnostics, input};

/// A failure that was made small, and the file that has it.
type Found = (Shrunk, Option<String>);

pub(super) fn explore(arguments: &ExploreArguments) -> io::Result<Exit> {
    let explored = plan(arguments).and_then(|plan| {
        let summary = run(&plan, arguments)?;
        let found = shrink(&plan, &summary, arguments)?;
        Ok((summary, found))
    });
    match explored {
        Ok((summary, found)) => tell(&summary, &found, arguments.output),
        Err(error) => complain(&error),
    }
}

pub(super) fn merge(arguments: &MergeArguments) -> io::Result<Exit> {
    match merged(arguments) {
        Ok(summary) => tell(&summary, &[], arguments.output),
        Err(error) => complain(&error),
    }
}

fn merged(arguments: &MergeArguments) -> Result<Summary, ExploreError> {
    let (folder, table) = destination(arguments.out.as_deref())?;
    let mut results = Vec::new();
    let summary = explore::merge_with(&arguments.folders, folder, |result| {
        if table.is_some() {
            results.push(result);
        }
    })?;
    table.map(|path| write_table(path, &results)).transpose()?;
    Ok(summary)
}

/// The folder, or the table, that results go to: what ends in `.parquet` is a table.
fn destination(out: Option<&Path>) -> Result<(Option<&Path>, Option<&Path>), ExploreError> {
    let Some(path) = out.filter(|path| path.extension().is_some_and(|end| end == "parquet")) else {
        return Ok((out, None));
    };
    if cfg!(not(feature = "parquet")) {
        let message = format!("{}: this seatrial was built without the feature `parquet`", path.display());
        return Err(ExploreError::Argument(message));
    }
    Ok((None, Some(path)))
}

#[cfg(feature = "parquet")]
fn write_table(path: &Path, results: &[CaseResult]) -> Result<(), ExploreError> {
    explore::write_parquet(path, results)
}

#[cfg(not(feature = "parquet"))]
fn write_table(_: &Path, _: &[CaseResult]) -> Result<(), ExploreError> {
    Ok(())
}

fn plan(arguments: &ExploreArguments) -> Result<Plan, ExploreError> {
    let text = input::read(&arguments.scenario)?;
    let plan = Plan::new(input::name(&arguments.scenario), text)
        .folder(input::folder(&arguments.scenario))
        .parameters(input::parameters(&arguments.parameters))
        .seeds(arguments.seeds.clone())
        .shard(arguments.shard)
        .max_events(arguments.max_events);
    Ok(arguments.vary.iter().cloned().fold(plan, Plan::vary))
}

fn run(plan: &Plan, arguments: &ExploreArguments) -> Result<Summary, ExploreError> {
    let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = arguments.jobs.unwrap_or_else(cores);
    let (folder, table) = destination(arguments.out.as_deref())?;
    if table.is_some() && plan.is_shard() {
        let message =
            "a shard writes a folder; `seatrial merge FOLDERS --out FILE.parquet` makes a table of all".to_owned();
        return Err(ExploreError::Argument(message));
    }
    let mut rows = Vec::new();
    let mut ledger = folder.map(|folder| Ledger::open(folder, plan)).transpose()?;
    let done = ledger.as_ref().map_or(0, Ledger::done);
    let progress = progress(plan.cases()?, done);
    let (mut summary, mut broken) = (Summary::default(), None);
    explore::explore(plan, threads, done, |result| {
        progress.inc(1);
        let Some(ledger) = &mut ledger else {
            summary.add(&result);
            if table.is_some() {
                rows.push(result);
            }
            return ControlFlow::Continue(());
        };
        match ledger.add(&result) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    progress.finish_and_clear();
    match (broken, ledger) {
        (Some(error), _) => Err(error),
        (None, Some(ledger)) => ledger.finish(),
        (None, None) => {
            table.map(|path| write_table(path, &rows)).transpose()?;
            Ok(summary)
        }
    }
}

/// A bar with rate and time left, on terminals only.
fn progress(cases: u64, done: u64) -> ProgressBar {
    let bar = ProgressBar::new(cases).with_position(done);
    let style = "{bar:32} {human_pos} of {human_len} cases, {rate} a second, {eta} left";
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}", state.per_sec());
    };
    let style = ProgressStyle::with_template(style).map(|style| style.with_key("rate", rate));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// Makes the first failure of each expectation small, as many as are wanted.
fn shrink(plan: &Plan, summary: &Summary, arguments: &ExploreArguments) -> Result<Vec<Found>, ExploreError> {
    let mut firsts: Vec<&Case> = summary.failures.values().map(|failures| &failures.first).collect();
    firsts.sort_by_key(|case| case.number);
    let (mut found, mut told) = (Vec::new(), BTreeSet::new());
    for case in firsts.into_iter().take(arguments.shrink) {
        let Some(shrunk) = explore::shrink(plan, case)? else { continue };
        if !told.insert(shrunk.yaml.clone()) {
            continue;
        }
        let file = match destination(arguments.out.as_deref())?.0 {
            Some(folder) => Some(write(&folder.join("failures"), case, &shrunk)?),
            None => None,
        };
        found.push((shrunk, file));
    }
    Ok(found)
}

fn write(folder: &Path, case: &Case, shrunk: &Shrunk) -> Result<String, ExploreError> {
    let path = folder.join(format!("case-{}.yaml", case.number));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &shrunk.yaml));
    match written {
        Ok(()) => Ok(path.display().to_string()),
        Err(error) => Err(ExploreError::File { path, error }),
    }
}

fn tell(summary: &Summary, found: &[Found], output: RunOutput) -> io::Result<Exit> {
    let mut out = anstream::stdout().lock();
    match output {
        RunOutput::Text => {
            write!(out, "{}", exploration(summary))?;
            for (shrunk, file) in found {
                let Shrunk { at, why, steps, runs, yaml, expectation } = shrunk;
                let plural = if *steps == 1 { "" } else { "s" };
                writeln!(out, "\nMade small in {runs} runs, to {steps} step{plural} or fault{plural}: {expectation}")?;
                writeln!(out, "  fails at {at}: {why}")?;
                match file {
                    Some(file) => writeln!(out, "  seatrial run {file}")?,
                    None => write!(out, "\n{yaml}")?,
                }
            }
        }
        RunOutput::Json => {
            let shrunk = found.iter().map(|(shrunk, file)| {
                json!({"expectation": shrunk.expectation, "at": shrunk.at.as_secs_f64(), "why": shrunk.why,
                    "steps": shrunk.steps, "file": file, "scenario": shrunk.yaml})
            });
            let mut json = summary.to_json();
            json["shrunk"] = Value::Array(shrunk.collect());
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(if summary.held == summary.cases { Exit::Held } else { Exit::Broken })
}

fn complain(error: &ExploreError) -> io::Result<Exit> {
    match error {
        ExploreError::Scenario(error) => diagnostics::scenario(error)?,
        error => writeln!(anstream::stderr(), "error: {error}")?,
    }
    Ok(Exit::WrongInput)
}
