//! `seatrial explore` and `seatrial merge`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::explore::{self, Case, ExploreError, Ledger, Plan, Shrunk, Summary};
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
    match explore::merge(&arguments.folders, arguments.out.as_deref()) {
        Ok(summary) => tell(&summary, &[], arguments.output),
        Err(error) => complain(&error),
    }
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
    let mut ledger = arguments.out.as_deref().map(|folder| Ledger::open(folder, plan)).transpose()?;
    let done = ledger.as_ref().map_or(0, Ledger::done);
    let progress = progress(plan.cases()?, done);
    let (mut summary, mut broken) = (Summary::default(), None);
    explore::explore(plan, threads, done, |result| {
        progress.inc(1);
        let Some(ledger) = &mut ledger else {
            summary.add(&result);
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
        (None, None) => Ok(summary),
    }
}

/// A bar with rate and time left, on terminals only.
fn progress(cases: u64, done: u64) -> ProgressBar {
    let bar = ProgressBar::new(cases).with_position(done);
    let style = "{bar:32} {human_pos} of {human_len} cases, {per_sec}, {eta} left";
    ProgressStyle::with_template(style).map_or(bar.clone(), |style| bar.with_style(style))
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
        let file = match &arguments.out {
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
