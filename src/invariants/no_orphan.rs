//! Nothing points to an owner that is gone.

use rustc_hash::FxHashSet;

use crate::objects::{Kind, Uid};
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster no object names owners of which none exists any more: the garbage collector removed it, or
/// the owner's deletion took the reference away.
#[must_use]
pub fn no_orphan(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let kinds = || Kind::ALL.iter().copied().chain([Kind::Opaque]).filter(|kind| *kind != Kind::Event);
    let objects: Vec<_> = kinds().flat_map(|kind| view.list(kind)).collect();
    let living: FxHashSet<Uid> = objects.iter().map(|object| object.meta().uid.clone()).collect();
    let orphaned = |object: &&crate::objects::Object| {
        let owners = &object.meta().owner_references;
        !owners.is_empty() && owners.iter().all(|owner| !living.contains(&owner.uid))
    };
    objects
        .iter()
        .filter(orphaned)
        .map(|object| Violation {
            invariant: "noOrphan".into(),
            at: sim.now(),
            story: format!("{} {} is owned by objects that are gone", object.kind_name(), object.key()),
        })
        .collect()
}
