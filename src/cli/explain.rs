//! `seatrial explain`.

use std::io::{self, Write as _};

use crate::kernel::SimDuration;
use crate::network::explain::{Destination, parse_source};
use crate::scenario::Run;

use super::args::{ExplainArguments, Moment, RunOutput};
use super::colours::coloured;
use super::{Exit, input};

/// How long a node's proxy may lag behind, watch included.
const PROXY_LAG: SimDuration = SimDuration::from_millis(1_100);

pub(super) fn explain(arguments: &ExplainArguments) -> io::Result<Exit> {
    let (source, destination) = match (parse_source(&arguments.from), arguments.to.parse::<Destination>()) {
        (Ok(source), Ok(destination)) => (source, destination),
        (Err(error), _) | (_, Err(error)) => {
            writeln!(anstream::stderr(), "error: {error}")?;
            return Ok(Exit::WrongInput);
        }
    };
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    let Some(before) = shortly_before(&arguments.moment, &run)? else { return Ok(Exit::WrongInput) };
    let explanation = run.simulation.explain(&source, &destination, Some(before.simulation.view()));
    match arguments.output {
        RunOutput::Text => write!(anstream::stdout(), "{}", coloured(&explanation.to_string()))?,
        RunOutput::Json => writeln!(anstream::stdout(), "{:#}", explanation.to_json())?,
    }
    Ok(if explanation.cause().is_some() { Exit::Broken } else { Exit::Held })
}

/// The same run a moment earlier: what proxies may still go by.
fn shortly_before(moment: &Moment, run: &Run) -> io::Result<Option<Run>> {
    let now = run.simulation.now().since(crate::kernel::SimTime::ZERO);
    let at = SimDuration::from_nanos(now.as_nanos().saturating_sub(PROXY_LAG.as_nanos()));
    input::run_until(&Moment { at: Some(at), ..moment.clone() })
}
