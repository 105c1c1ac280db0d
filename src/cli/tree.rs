//! `seatrial tree`.

use std::io::{self, Write as _};

use crate::sim::Target;

use super::args::TreeArguments;
use super::{Exit, input};

pub(super) fn tree(arguments: &TreeArguments) -> io::Result<Exit> {
    let root = match arguments.resource.as_deref().map(str::parse::<Target>).transpose() {
        Ok(root) => root.map(|mut root| {
            if root.kind.is_namespaced() && &*root.key.namespace == "default" {
                root.key.namespace = arguments.scope.namespace.as_str().into();
            }
            root
        }),
        Err(error) => {
            writeln!(anstream::stderr(), "error: {error}")?;
            return Ok(Exit::WrongInput);
        }
    };
    let Some(run) = input::run_until(&arguments.moment)? else { return Ok(Exit::WrongInput) };
    let namespace = arguments.scope.namespace();
    match (crate::report::tree(&run.simulation, root.as_ref(), namespace.as_deref()), root) {
        (Some(text), _) => write!(anstream::stdout(), "{text}")?,
        (None, Some(root)) => {
            let (resource, name) = (root.kind.resource(), &root.key.name);
            writeln!(anstream::stderr(), "Error from server (NotFound): {resource} {:?} not found", &**name)?;
            return Ok(Exit::Broken);
        }
        (None, None) => writeln!(anstream::stderr(), "No resources found")?,
    }
    Ok(Exit::Held)
}
