//! Nothing is left to happen.

use crate::sim::Simulation;

use super::Violation;

/// Nothing is left to happen in the cluster until somebody acts on it.
#[must_use]
pub fn quiescence(sim: &Simulation) -> Vec<Violation> {
    if sim.is_quiescent() {
        return Vec::new();
    }
    let story = "the cluster is still busy: a timer runs, a controller has work, or a pod is on its way".to_owned();
    vec![Violation { invariant: "quiescence".into(), at: sim.now(), story }]
}
