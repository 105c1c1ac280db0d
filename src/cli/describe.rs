//! `seatrial describe`.

use std::io::{self, Write as _};

use crate::objects::{Kind, Selector};
use crate::report::{DESCRIBED, DescribeOptions};
use crate::sim::{Simulation, Target};

use super::args::DescribeArguments;
use super::{Exit, input};

/// What is to be described.
struct Wanted {
    kind: Kind,
    name: Option<String>,
    selector: Selector,
}

pub(super) fn describe(arguments: &DescribeArguments) -> io::Result<Exit> {
    let wanted = match wanted(arguments) {
        Ok(wanted) => wanted,
        Err(message) => {
            writeln!(anstream::stderr(), "error: {message}")?;
            return Ok(Exit::WrongInput);
        }
    };
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    let told = if arguments.kubectl { DescribeOptions::KUBECTL } else { DescribeOptions::ALL };
    let sim = &run.simulation;
    let texts: Vec<String> = targets(sim, &wanted, &arguments.namespace)
        .iter()
        .filter_map(|target| crate::report::describe(sim, target, told))
        .collect();
    if texts.is_empty() {
        let (resource, namespace) = (wanted.kind.resource(), &arguments.namespace);
        match &wanted.name {
            Some(name) => {
                writeln!(anstream::stderr(), "Error from server (NotFound): {resource} {name:?} not found")?;
                return Ok(Exit::Broken);
            }
            None => writeln!(anstream::stderr(), "No resources found in {namespace} namespace.")?,
        }
    }
    // Between two descriptions kubectl leaves two lines.
    write!(anstream::stdout(), "{}", texts.join("\n\n"))?;
    Ok(Exit::Held)
}

fn targets(sim: &Simulation, wanted: &Wanted, namespace: &str) -> Vec<Target> {
    let mut objects = sim.view().list(wanted.kind);
    objects.retain(|object| {
        let meta = object.meta();
        let here = !wanted.kind.is_namespaced() || *meta.namespace == *namespace;
        here && wanted.name.as_ref().is_none_or(|name| *meta.name == **name) && wanted.selector.matches(&meta.labels)
    });
    objects.into_iter().map(|object| Target { kind: wanted.kind, key: object.key() }).collect()
}

fn wanted(arguments: &DescribeArguments) -> Result<Wanted, String> {
    let (kind, name) = match arguments.resource.split_once('/') {
        Some((kind, name)) => (kind, Some(name.to_owned())),
        None => (arguments.resource.as_str(), arguments.name.clone()),
    };
    let parsed = Kind::parse(kind).filter(|kind| DESCRIBED.contains(kind));
    let described: Vec<&str> = DESCRIBED.iter().map(|kind| kind.plural()).collect();
    let unknown = || format!("describing {kind:?} is not simulated yet; there are {}", described.join(", "));
    let selector = arguments.selector.as_deref().unwrap_or_default().parse::<Selector>();
    Ok(Wanted { kind: parsed.ok_or_else(unknown)?, name, selector: selector.map_err(|error| error.to_string())? })
}
