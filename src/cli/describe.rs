//! `seatrial describe`.

use std::io::{self, Write as _};

use crate::api::View;
use crate::objects::Object;
use crate::report::{DescribeOptions, Query, describe_object};

use super::args::DescribeArguments;
use super::{Exit, input};

pub(super) fn describe(arguments: &DescribeArguments) -> io::Result<Exit> {
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    let sim = &run.simulation;
    let query = match input::query(sim.view(), &arguments.resources, arguments.selector.as_deref()) {
        Ok(mut query) => {
            query.namespace = arguments.scope.namespace();
            query
        }
        Err(why) => return input::refuse(why),
    };
    let selected = match query.select(sim.view()) {
        Ok(selected) => selected,
        Err(why) => return input::refuse(why),
    };
    let told = if arguments.kubectl { DescribeOptions::KUBECTL } else { DescribeOptions::ALL };
    if !selected.not_found.is_empty()
        && let Some(objects) = named_like(&query, sim.view(), &arguments.resources)
    {
        let mut texts = objects.iter().map(|object| describe_object(sim, object, told));
        texts.try_for_each(|text| writeln!(anstream::stdout(), "{text}"))?;
        return Ok(Exit::Held);
    }
    let objects = selected.groups.iter().flat_map(|(_, objects)| objects);
    let texts: Vec<String> = objects.map(|object| describe_object(sim, object, told)).collect();
    // Between two descriptions kubectl leaves two lines.
    write!(anstream::stdout(), "{}", texts.join("\n\n"))?;
    selected.not_found.iter().try_for_each(|message| writeln!(anstream::stderr(), "{message}"))?;
    if !selected.not_found.is_empty() {
        return Ok(Exit::Broken);
    }
    if texts.is_empty() {
        let in_one = query.wanted.iter().any(|wanted| wanted.resource.is_namespaced());
        input::none_found("resources", query.namespace.as_deref().filter(|_| in_one))?;
    }
    Ok(Exit::Held)
}

/// What `TYPE NAME` means if there is no such object: all whose names begin so (upstream `DescribeMatchingResources`).
fn named_like(query: &Query, view: &View, resources: &[String]) -> Option<Vec<Object>> {
    let [_, prefix] = resources else { return None };
    let mut all = query.clone();
    all.wanted.iter_mut().for_each(|wanted| wanted.name = None);
    let objects = all.select(view).ok()?.groups.into_iter().flat_map(|(_, objects)| objects);
    let objects: Vec<Object> = objects.filter(|object| object.meta().name.starts_with(&**prefix)).collect();
    (!objects.is_empty()).then_some(objects)
}
