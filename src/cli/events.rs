//! `seatrial events`.

use std::io::{self, Write as _};

use crate::api::View;
use crate::kernel::SimTime;
use crate::report::{EventsOptions, ResourceType, WatchOptions};

use super::args::EventsArguments;
use super::{Exit, input};

pub(super) fn events(arguments: &EventsArguments) -> io::Result<Exit> {
    let watches = arguments.listing.watch;
    if arguments.listing.until.is_some() && !watches {
        return input::refuse("--until can only be used with --watch");
    }
    let run = match watches {
        true => input::recorded_until(&arguments.moment, arguments.listing.until)?,
        false => input::run_until(&arguments.moment)?,
    };
    let Some(run) = run else { return Ok(Exit::WrongInput) };
    let options = match options(arguments, run.simulation.view()) {
        Ok(options) => options,
        Err(why) => return input::refuse(why),
    };
    let text = match watches {
        true => {
            let from = arguments.moment.at.map_or(SimTime::ZERO, |at| SimTime::ZERO + at);
            let watch = WatchOptions { from, ..WatchOptions::default() };
            crate::report::events_watch(&run.simulation, &options, watch)
        }
        false => crate::report::events(&run.simulation, &options).unwrap_or_default(),
    };
    write!(anstream::stdout(), "{text}")?;
    if text.is_empty() {
        match &options.namespace {
            Some(namespace) => input::none_found("events", Some(namespace))?,
            None => writeln!(anstream::stderr(), "No events found.")?,
        }
    }
    Ok(Exit::Held)
}

fn options(arguments: &EventsArguments, view: &View) -> Result<EventsOptions, String> {
    let about = match arguments.about.as_deref().map(|about| about.split('/').collect::<Vec<_>>()) {
        None => None,
        Some(parts) => match parts[..] {
            [kind, name] => {
                let kind = ResourceType::parse(view, kind).map_err(|error| error.to_string())?;
                Some((kind, name.to_owned()))
            }
            [_] => return Err("--for must be in resource/name form".to_owned()),
            _ => return Err("arguments in resource/name form may not have more than one slash".to_owned()),
        },
    };
    let options = EventsOptions {
        namespace: arguments.scope.namespace(),
        about,
        types: arguments.types.clone(),
        no_headers: arguments.listing.no_headers,
    };
    options.check().map_err(|error| error.to_string())?;
    Ok(options)
}
