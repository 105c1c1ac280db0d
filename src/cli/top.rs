//! `seatrial top`.

use std::io::{self, Write as _};

use crate::api::View;
use crate::objects::{Key, Kind};
use crate::report::{TopOptions, TopOrder};

use super::args::{TopCommand, TopSort};
use super::{Exit, input};

pub(super) fn top(command: &TopCommand) -> io::Result<Exit> {
    let (arguments, is_pods) = match command {
        TopCommand::Pod(arguments) => (&arguments.common, true),
        TopCommand::Node(arguments) => (arguments, false),
    };
    let selector = arguments.selector.as_deref().map(str::parse).transpose();
    let selector = match selector {
        Ok(selector) => selector,
        Err(error) => return input::refuse(error),
    };
    let mut options = TopOptions {
        name: arguments.name.clone(),
        selector,
        sort_by: match arguments.sort_by {
            None => TopOrder::Name,
            Some(TopSort::Cpu) => TopOrder::Cpu,
            Some(TopSort::Memory) => TopOrder::Memory,
        },
        no_headers: arguments.no_headers,
        ..TopOptions::default()
    };
    if let TopCommand::Pod(pods) = command {
        (options.containers, options.sum) = (pods.containers, pods.sum);
        options.namespace = pods.scope.namespace();
    }
    let Some(run) = input::measured_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    let sim = &run.simulation;
    if !sim.metrics_config().resource_metrics {
        writeln!(anstream::stderr(), "error: Metrics API not available")?;
        return Ok(Exit::Broken);
    }
    if let Some(name) =
        options.name.as_deref().filter(|name| !is_there(sim.view(), name, options.namespace.as_deref(), is_pods))
    {
        let resource = if is_pods { Kind::Pod } else { Kind::Node }.plural();
        input::refuse(format!("Error from server (NotFound): {resource} {name:?} not found"))?;
        return Ok(Exit::Broken);
    }
    let text = if is_pods { crate::report::top_pods(sim, &options) } else { crate::report::top_nodes(sim, &options) };
    match text {
        Some(text) => write!(anstream::stdout(), "{text}")?,
        None if options.name.is_some() || !is_pods => {
            writeln!(anstream::stderr(), "error: metrics not available yet")?;
            return Ok(Exit::Broken);
        }
        None => input::none_found("resources", options.namespace.as_deref())?,
    }
    Ok(Exit::Held)
}

/// What is not there is not merely unmeasured.
fn is_there(view: &View, name: &str, namespace: Option<&str>, is_pod: bool) -> bool {
    if is_pod {
        view.pods.get(&Key::new(namespace.unwrap_or("default"), name)).is_some()
    } else {
        view.nodes.get(&Key::new("", name)).is_some()
    }
}
