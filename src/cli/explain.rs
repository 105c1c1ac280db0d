//! `seatrial explain`.

use std::io::{self, Write as _};

use crate::network::explain::{Destination, parse_source};

use super::args::{ExplainArguments, RunOutput};
use super::colours::coloured;
use super::{Exit, input};

pub(super) fn explain(arguments: &ExplainArguments) -> io::Result<Exit> {
    let (source, destination) = match (parse_source(&arguments.from), arguments.to.parse::<Destination>()) {
        (Ok(source), Ok(destination)) => (source, destination),
        (Err(error), _) | (_, Err(error)) => {
            writeln!(anstream::stderr(), "error: {error}")?;
            return Ok(Exit::WrongInput);
        }
    };
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    let explanation = run.simulation.explain(&source, &destination);
    match arguments.output {
        RunOutput::Text => write!(anstream::stdout(), "{}", coloured(&explanation.to_string()))?,
        RunOutput::Json => writeln!(anstream::stdout(), "{:#}", explanation.to_json())?,
    }
    Ok(if explanation.cause().is_some() { Exit::Broken } else { Exit::Held })
}
