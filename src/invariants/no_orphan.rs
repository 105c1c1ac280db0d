//! Nothing points to an owner that is gone, and nothing owns itself.

use crate::api::Ownership;
use crate::objects::Object;
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster no object names owners of which none exists any more: the garbage collector removed it, or
/// the owner's deletion took the reference away. Nor do objects own each other in a circle, which nothing would ever collect.
#[must_use]
pub fn no_orphan(sim: &Simulation) -> Vec<Violation> {
    let ownership = Ownership::of(sim.view());
    let violation = |story| Violation::new("noOrphan()", sim, story);
    let name = |object: &Object| format!("{} {}", object.kind_name(), object.key());
    let orphaned =
        ownership.orphaned().map(|object| violation(format!("{} is owned by objects that are gone", name(object))));
    let circles = ownership.circles().into_iter().map(|circle| {
        let names: Vec<String> = circle.into_iter().map(name).collect();
        violation(format!("{} own each other in a circle", names.join(" and ")))
    });
    orphaned.chain(circles).collect()
}
