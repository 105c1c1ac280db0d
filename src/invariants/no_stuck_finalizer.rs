//! Nothing waits for its removal for ever.

use crate::objects::{Kind, Object};
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster nothing is still being deleted, except pods on machines that are down: only their kubelet
/// could confirm that they have stopped.
#[must_use]
pub fn no_stuck_finalizer(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let waits_for_machine = |object: &Object| match object {
        Object::Pod(pod) => pod.is_bound() && !sim.machine_is_up(&pod.node_name),
        _ => false,
    };
    let kinds = Kind::ALL.iter().copied().chain([Kind::Opaque]);
    kinds
        .flat_map(|kind| view.list(kind))
        .filter(|object| object.meta().is_deleting() && !waits_for_machine(object))
        .map(|object| {
            let finalizers: Vec<&str> = object.meta().finalizers.iter().map(|f| &**f).collect();
            let held =
                if finalizers.is_empty() { String::new() } else { format!(", held by {}", finalizers.join(", ")) };
            let story = format!("{} {} is still being deleted{held}", object.kind_name(), object.key());
            Violation::new("noStuckFinalizer()", sim, story)
        })
        .collect()
}
