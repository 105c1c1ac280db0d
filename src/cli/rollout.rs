//! `seatrial rollout`.

use std::io::{self, Write as _};

use crate::kernel::SimTime;
use crate::report::{RolloutOptions, rollout_history, rollout_status};
use crate::sim::Target;

use super::args::{HistoryArguments, RolloutCommand, StatusArguments};
use super::{Exit, input};

pub(super) fn rollout(command: &RolloutCommand) -> io::Result<Exit> {
    match command {
        RolloutCommand::Status(arguments) => status(arguments),
        RolloutCommand::History(arguments) => history(arguments),
    }
}

fn status(arguments: &StatusArguments) -> io::Result<Exit> {
    let target = match target(&arguments.resource, &arguments.namespace) {
        Ok(target) => target,
        Err(why) => return input::refuse(why),
    };
    let Some(run) = input::recorded_until(&arguments.moment, None)? else { return Ok(Exit::WrongInput) };
    let sim = &run.simulation;
    let options = RolloutOptions {
        from: arguments.moment.at.map_or(sim.now(), |at| SimTime::ZERO + at),
        watch: arguments.watch,
        timeout: arguments.timeout,
        revision: i64::from(arguments.revision),
    };
    let status = rollout_status(sim, &target, options);
    let mut out = anstream::stdout().lock();
    status.messages.iter().try_for_each(|message| writeln!(out, "{message}"))?;
    match status.end {
        Ok(_) => Ok(Exit::Held),
        Err(why) => failed(&why),
    }
}

fn history(arguments: &HistoryArguments) -> io::Result<Exit> {
    let target = match target(&arguments.resource, &arguments.namespace) {
        Ok(target) => target,
        Err(why) => return input::refuse(why),
    };
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    match rollout_history(&run.simulation, &target, i64::from(arguments.revision)) {
        Ok(text) => write!(anstream::stdout(), "{text}").map(|()| Exit::Held),
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> io::Result<Exit> {
    input::refuse(why).map(|_| Exit::Broken)
}

/// `deployment/web` or `deployment web`.
fn target(resource: &[String], namespace: &str) -> Result<Target, String> {
    let text = resource.join("/");
    if text.matches('/').count() > 1 {
        return Err("arguments in resource/name form may not have more than one slash".to_owned());
    }
    let mut target: Target = text.parse().map_err(|error| format!("{error}"))?;
    if target.kind.is_namespaced() {
        target.key.namespace = namespace.into();
    }
    Ok(target)
}
