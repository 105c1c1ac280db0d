//! `seatrial run`.

mod junit;
mod live;
mod summary;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::Value;

use crate::report::{failure, html, story, trace};
use crate::scenario::{Run, RunOptions, Scenario, ScenarioError};
use crate::sim::RecordMode;

use super::args::{RunArguments, RunReport};
use super::colours::coloured;
use super::{Exit, diagnostics, input};
use junit::Suites;
use live::Live;

/// Something to read about a run.
type Page = fn(&Scenario, &Run) -> String;

pub(super) fn run(arguments: &RunArguments) -> io::Result<Exit> {
    let files = match input::scenarios(&arguments.scenarios) {
        Ok(files) => files,
        Err(error) => return wrong(&error),
    };
    let is_alone = files.len() == 1;
    let is_about_one =
        arguments.watch || [&arguments.events, &arguments.report, &arguments.trace].into_iter().any(Option::is_some);
    if !is_alone && is_about_one {
        writeln!(
            anstream::stderr(),
            "error: --events, --report, --trace and --watch are about one scenario, here are {}",
            files.len()
        )?;
        return Ok(Exit::WrongInput);
    }
    let mut batch = Batch { arguments, is_alone, suites: Suites::default(), summaries: Vec::new(), exits: Vec::new() };
    for file in &files {
        let exit = batch.run(file)?;
        batch.exits.push(exit);
    }
    batch.finish()
}

/// The scenarios of a command, one after the other.
struct Batch<'a> {
    arguments: &'a RunArguments,
    is_alone: bool,
    suites: Suites,
    summaries: Vec<Value>,
    exits: Vec<Exit>,
}

impl Batch<'_> {
    fn run(&mut self, path: &Path) -> io::Result<Exit> {
        let Self { arguments, .. } = self;
        let options = RunOptions {
            seed: arguments.seed,
            record: RecordMode::Full,
            max_events: Some(arguments.max_events),
            ..RunOptions::default()
        };
        let values = input::parameters(&arguments.parameters);
        let ran = input::scenario(path, &values).and_then(|mut scenario| {
            scenario.seed = arguments.seed.unwrap_or(scenario.seed);
            let mut live = Live::new(arguments.watch && arguments.output == RunReport::Text);
            let run = scenario.run_observed(&options, |sim| live.look(sim))?;
            live.finish(&run);
            Ok((scenario, run))
        });
        let (scenario, run) = match ran {
            Ok(ran) => ran,
            Err(error) => {
                self.suites.refused(&input::name(path), &error);
                return wrong(&error);
            }
        };
        let exit = if run.held() { Exit::Held } else { Exit::Broken };
        self.suites.add(&input::name(path), &scenario, &run);
        if let Some(log) = &arguments.events
            && let Some(stop) = write_events(log, &run)?
        {
            return Ok(if stop == Exit::Held { exit } else { stop });
        }
        let pages: [(_, Page); 2] = [(&arguments.report, html), (&arguments.trace, |_, run| trace(run))];
        for (path, page) in pages {
            if let Some(path) = path
                && let Err(error) = fs::write(path, page(&scenario, &run))
            {
                return cannot_write(path, &error);
            }
        }
        let mut out = anstream::stdout().lock();
        match arguments.output {
            RunReport::Text if self.is_alone => write!(out, "{}", coloured(&story(&scenario, &run)))?,
            RunReport::Text => write!(out, "{}", line(path, &scenario, &run))?,
            RunReport::Json if self.is_alone => writeln!(out, "{:#}", summary::summary(&scenario, &run))?,
            RunReport::Json => self.summaries.push(summary::summary(&scenario, &run)),
            RunReport::Junit => {}
        }
        Ok(exit)
    }

    fn finish(self) -> io::Result<Exit> {
        let Self { arguments, is_alone, suites, summaries, exits } = self;
        let exit = [Exit::WrongInput, Exit::Broken].into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Held);
        if let Some(path) = &arguments.junit
            && let Err(error) = fs::write(path, suites.to_xml()?)
        {
            return cannot_write(path, &error);
        }
        let mut out = anstream::stdout().lock();
        let count = |wanted: Exit| exits.iter().filter(|exit| **exit == wanted).count();
        match arguments.output {
            RunReport::Junit => write!(out, "{}", suites.to_xml()?)?,
            RunReport::Json if !is_alone => writeln!(out, "{:#}", Value::Array(summaries))?,
            RunReport::Text if !is_alone => {
                let (all, held, broken) = (exits.len(), count(Exit::Held), count(Exit::Broken));
                writeln!(out, "\n{all} scenarios: {held} held, {broken} broken, {} wrong", count(Exit::WrongInput))?;
            }
            RunReport::Json | RunReport::Text => {}
        }
        Ok(exit)
    }
}

/// Writes the event log. `Some` = nothing else is to be done: it went to standard output, or could not be written.
fn write_events(path: &Path, run: &Run) -> io::Result<Option<Exit>> {
    let recording = run.simulation.recording();
    if path.as_os_str() == "-" {
        recording.write_jsonl(BufWriter::new(anstream::stdout().lock()))?;
        return Ok(Some(Exit::Held));
    }
    let file = match File::create(path) {
        Ok(file) => file,
        Err(error) => return cannot_write(path, &error).map(Some),
    };
    let mut file = BufWriter::new(file);
    recording.write_jsonl(&mut file)?;
    file.flush()?;
    Ok(None)
}

/// A run among several: a line, and the stories of what was broken.
fn line(path: &Path, scenario: &Scenario, run: &Run) -> String {
    let (all, broken) = (run.verdicts.len(), run.verdicts.iter().filter(|verdict| !verdict.held()).count());
    let what = match (all, broken) {
        (0, _) => "nothing expected".to_owned(),
        (1, 0) => "1 expectation".to_owned(),
        (all, 0) => format!("{all} expectations"),
        (all, broken) => format!("{broken} of {all} expectations broken"),
    };
    let sign = if run.held() { "held   " } else { "BROKEN " };
    let mut text = format!("{sign} {}: {what}, seed {}\n", input::name(path), scenario.seed);
    if let Some(why) = run.stopped() {
        text.push_str(&format!("        the run did not come to its end: {why}\n"));
    }
    for verdict in run.verdicts.iter().filter(|verdict| !verdict.held()) {
        text.push_str(&format!("        {}\n", verdict.expectation));
        for line in failure(scenario, run, verdict).lines() {
            text.push_str(&format!("          {line}\n"));
        }
    }
    text
}

fn wrong(error: &ScenarioError) -> io::Result<Exit> {
    diagnostics::scenario(error)?;
    Ok(Exit::WrongInput)
}

fn cannot_write(path: &Path, error: &io::Error) -> io::Result<Exit> {
    writeln!(anstream::stderr(), "error: {}: {error}", path.display())?;
    Ok(Exit::WrongInput)
}
