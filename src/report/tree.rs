//! `tree`: objects under those that own them.

use std::fmt::Write as _;

use crate::api::Ownership;
use crate::objects::Object;
use crate::sim::{Simulation, Target};

use super::printers::{cells, columns};

/// Deepest nesting shown; owners may own each other in a circle.
const MAX_DEPTH: usize = 16;

/// An object and what it owns, or all trees of a namespace (`None` = of all) under objects without an owner. `None` if there is
/// nothing to show.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::tree;
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
/// sim.apply("{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: {spec: {restartPolicy: Never,
///     containers: [{name: c, image: once}]}}}}")?;
/// sim.run_for(SimDuration::from_secs(1));
/// let text = tree(&sim, Some(&"job/once".parse()?), None).expect("the Job");
/// assert!(text.starts_with("Job/once") && text.contains("└── Pod/once-"), "{text}");
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn tree(sim: &Simulation, root: Option<&Target>, namespace: Option<&str>) -> Option<String> {
    let ownership = Ownership::of(sim.view());
    let found = root.map(|root| sim.view().object(root.kind, &root.key));
    let roots: Vec<&Object> = match &found {
        Some(root) => vec![root.as_ref()?],
        None => {
            let mut roots = ownership.roots();
            roots.retain(|root| namespace.is_none_or(|namespace| *root.meta().namespace == *namespace));
            roots
        }
    };
    let mut text = String::new();
    for root in roots {
        let _ = writeln!(text, "{}", line(sim, root));
        branches(sim, &ownership, root, "", 0, &mut text);
    }
    (!text.is_empty()).then_some(text)
}

fn branches(sim: &Simulation, ownership: &Ownership, owner: &Object, indent: &str, depth: usize, text: &mut String) {
    if depth >= MAX_DEPTH {
        return;
    }
    let dependents = ownership.dependents(&owner.meta().uid);
    for (at, dependent) in dependents.iter().enumerate() {
        let is_last = at + 1 == dependents.len();
        let (branch, below) = if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let _ = writeln!(text, "{indent}{branch}{}", line(sim, dependent));
        branches(sim, ownership, dependent, &format!("{indent}{below}"), depth + 1, text);
    }
}

/// `Kind/name`, with what `get` says of it.
fn line(sim: &Simulation, object: &Object) -> String {
    let name = format!("{}/{}", object.kind_name(), object.meta().name);
    let told = columns(object.kind()).iter().zip(cells(object, sim.wall()));
    let told = told.filter(|(column, _)| !column.is_wide && matches!(column.name, "ready" | "status" | "completions"));
    let told: Vec<String> = told.map(|(_, cell)| cell).collect();
    if told.is_empty() { name } else { format!("{name}  {}", told.join(" ")) }
}
