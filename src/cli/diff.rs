//! `seatrial diff`.

use std::io::{self, Write as _};
use std::path::Path;

use crate::kernel::{SimDuration, SimTime};
use crate::report::{Diff, DiffOptions, Replay, Side, diff_instants, diff_runs};
use crate::scenario::Run;

use super::args::{DiffArguments, Moment, RunOutput};
use super::{Exit, input};

pub(super) fn diff(arguments: &DiffArguments) -> io::Result<Exit> {
    let is_one_run =
        arguments.second.is_none() && arguments.with_seed.is_none() && arguments.with_parameters.is_empty();
    if is_one_run && arguments.with_at.is_none() {
        return input::refuse("nothing to compare with: give a second scenario, --with-at, --with-seed or --with-set");
    }
    let options = DiffOptions {
        namespace: arguments.namespace.clone(),
        exact: arguments.exact,
        every_kind: arguments.every_kind,
    };
    let found = if is_one_run { instants(arguments, &options)? } else { runs(arguments, &options)? };
    let Some(diff) = found else { return Ok(Exit::WrongInput) };
    let mut out = anstream::stdout().lock();
    match arguments.output {
        RunOutput::Json => writeln!(out, "{:#}", diff.to_json())?,
        RunOutput::Text => {
            write!(out, "{diff}")?;
            if diff.renamed > 0 && !diff.is_empty() {
                writeln!(out, "\nObjects held for the same although their names differ: {}", diff.renamed)?;
            }
            if !diff.is_empty() && !arguments.exact {
                let also = if arguments.every_kind { "" } else { "; Events and Leases (--every-kind)" };
                writeln!(out, "\nNot compared: uids, versions, times and addresses (--exact){also}")?;
            }
        }
    }
    Ok(if diff.is_empty() { Exit::Held } else { Exit::Broken })
}

/// Two instants of one run.
fn instants(arguments: &DiffArguments, options: &DiffOptions) -> io::Result<Option<Diff>> {
    // To the end, unless both instants come before it.
    let until = arguments.at.zip(arguments.with_at).map(|(first, second)| first.max(second));
    let Some(run) = input::recorded_until(&first(arguments), until)? else { return Ok(None) };
    let (first, second) = (replay(&run, arguments.at), replay(&run, arguments.with_at));
    Ok(Some(diff_instants(&first, &second, options)))
}

fn runs(arguments: &DiffArguments, options: &DiffOptions) -> io::Result<Option<Diff>> {
    let (left, mut right) = (first(arguments), first(arguments));
    right.file = arguments.second.as_deref().map_or(right.file, Path::to_owned);
    right.seed = arguments.with_seed.or(right.seed);
    right.at = arguments.with_at.or(right.at);
    right.parameters.extend(arguments.with_parameters.iter().cloned());
    let Some(first) = input::recorded_until(&left, left.at)? else { return Ok(None) };
    let Some(second) = input::recorded_until(&right, right.at)? else { return Ok(None) };
    let (before, after) = (replay(&first, left.at), replay(&second, right.at));
    let sides = [Side { run: &first, replay: &before }, Side { run: &second, replay: &after }];
    let [first, second] = sides;
    Ok(Some(diff_runs(first, second, options)))
}

fn first(arguments: &DiffArguments) -> Moment {
    Moment {
        file: arguments.first.clone(),
        at: arguments.at,
        seed: arguments.seed,
        parameters: arguments.parameters.clone(),
    }
}

/// The cluster at an instant of a run; default: its end.
fn replay(run: &Run, at: Option<SimDuration>) -> Replay<'_> {
    let mut replay = Replay::of(&run.simulation);
    replay.advance_to(at.map_or(run.simulation.now(), |at| SimTime::ZERO + at));
    replay
}
