//! `seatrial get`.

use std::io::{self, Write as _};
use std::path::Path;

use crate::api::View;
use crate::kernel::SimTime;
use crate::report::{CustomColumns, FormatError, GetOptions, JsonPath, OutputFormat, WatchOptions};
use crate::scenario::Run;

use super::args::GetArguments;
use super::{Exit, input};

pub(super) fn get(arguments: &GetArguments) -> io::Result<Exit> {
    let format = match format(arguments.output.as_deref()) {
        Ok(format) => format,
        Err(why) => return input::refuse(why),
    };
    let watches = arguments.listing.watch || arguments.watch_only;
    if arguments.output_watch_events && !watches {
        return input::refuse("--output-watch-events option can only be used with --watch or --watch-only");
    }
    if arguments.listing.until.is_some() && !watches {
        return input::refuse("--until can only be used with --watch or --watch-only");
    }
    let run = match watches {
        true => input::recorded_until(&arguments.moment, arguments.listing.until)?,
        false => input::run_until(&arguments.moment)?,
    };
    let Some(run) = run else { return Ok(Exit::WrongInput) };
    let options = match options(arguments, format, run.simulation.view()) {
        Ok(options) => options,
        Err(why) => return input::refuse(why),
    };
    let got = match watches {
        true => crate::report::get_watch(&run.simulation, &options, watched(arguments, &run)),
        false => crate::report::get(&run.simulation, &options),
    };
    let got = match got {
        Ok(got) => got,
        Err(why) => return input::refuse(why),
    };
    write!(anstream::stdout(), "{}", got.text)?;
    got.not_found.iter().try_for_each(|message| writeln!(anstream::stderr(), "{message}"))?;
    if !got.not_found.is_empty() {
        return Ok(Exit::Broken);
    }
    if got.text.is_empty() && matches!(options.format, OutputFormat::Table | OutputFormat::Wide) {
        let in_one = options.query.wanted.iter().any(|wanted| wanted.resource.is_namespaced());
        input::none_found("resources", options.query.namespace.as_deref().filter(|_| in_one))?;
    }
    Ok(Exit::Held)
}

fn watched(arguments: &GetArguments, run: &Run) -> WatchOptions {
    WatchOptions {
        from: arguments.moment.at.map_or(SimTime::ZERO, |at| SimTime::ZERO + at),
        until: run.simulation.now(),
        only_changes: arguments.watch_only,
        output_events: arguments.output_watch_events,
    }
}

/// What stands behind `-o`; files are read.
fn format(output: Option<&str>) -> Result<OutputFormat, String> {
    let Some(output) = output else { return Ok(OutputFormat::Table) };
    let read = |path: &str| input::read(Path::new(path)).map_err(|error| error.to_string());
    match output.split_once('=') {
        Some(("custom-columns-file", path)) => {
            CustomColumns::from_template(&read(path)?).map(OutputFormat::CustomColumns)
        }
        Some(("jsonpath-file", path)) => JsonPath::parse(&read(path)?)
            .map(OutputFormat::JsonPath)
            .map_err(|error| format!("error parsing jsonpath {path}, {error}")),
        _ => output.parse().map_err(|error: FormatError| error.to_string()),
    }
}

fn options(arguments: &GetArguments, format: OutputFormat, view: &View) -> Result<GetOptions, String> {
    let mut query = input::query(view, &arguments.resources, arguments.selector.as_deref())?;
    query.namespace = arguments.scope.namespace();
    if let Some(fields) = &arguments.field_selector {
        query.fields = fields.parse().map_err(|error| format!("{error}"))?;
    }
    query.check().map_err(|error| error.to_string())?;
    Ok(GetOptions {
        query,
        format,
        sort_by: arguments.sort_by.clone(),
        label_columns: arguments.label_columns.clone(),
        show_labels: arguments.show_labels,
        no_headers: arguments.listing.no_headers,
        show_kind: arguments.show_kind,
    })
}
