//! `seatrial get`.

use std::io::{self, Write as _};

use crate::objects::{Kind, Selector};
use crate::report::{GetOptions, OutputFormat};

use super::args::{GetArguments, GetOutput};
use super::{Exit, input};

pub(super) fn get(arguments: &GetArguments) -> io::Result<Exit> {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(message) => {
            writeln!(anstream::stderr(), "error: {message}")?;
            return Ok(Exit::WrongInput);
        }
    };
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    match (crate::report::get(&run.simulation, &options), &options.name) {
        (Some(text), _) => write!(anstream::stdout(), "{text}")?,
        (None, Some(name)) => {
            let resource = options.kind.resource();
            writeln!(anstream::stderr(), "Error from server (NotFound): {resource} {name:?} not found")?;
            return Ok(Exit::Broken);
        }
        (None, None) if options.namespace.is_none() || !options.kind.is_namespaced() => {
            writeln!(anstream::stderr(), "No resources found")?;
        }
        (None, None) => {
            writeln!(anstream::stderr(), "No resources found in {} namespace.", arguments.namespace)?;
        }
    }
    Ok(Exit::Held)
}

fn options(arguments: &GetArguments) -> Result<GetOptions, String> {
    let (kind, name) = match arguments.resource.split_once('/') {
        Some((kind, name)) => (kind, Some(name.to_owned())),
        None => (arguments.resource.as_str(), arguments.name.clone()),
    };
    let unknown = || {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.plural()).collect();
        format!("the kind {kind:?} is not simulated; there are {}", known.join(", "))
    };
    let kind = Kind::parse(kind).ok_or_else(unknown)?;
    let selector = arguments.selector.as_deref().map(str::parse::<Selector>).transpose();
    Ok(GetOptions {
        kind,
        name,
        namespace: (!arguments.all_namespaces).then(|| arguments.namespace.clone()),
        selector: selector.map_err(|error| error.to_string())?,
        format: match arguments.output {
            None => OutputFormat::Table,
            Some(GetOutput::Wide) => OutputFormat::Wide,
            Some(GetOutput::Name) => OutputFormat::Name,
            Some(GetOutput::Yaml) => OutputFormat::Yaml,
            Some(GetOutput::Json) => OutputFormat::Json,
        },
    })
}
