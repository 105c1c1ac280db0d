//! Nothing is left to happen.

use crate::sim::Simulation;

use super::Violation;

/// Nothing is left to happen in the cluster until somebody acts on it.
#[must_use]
pub fn quiescence(sim: &Simulation) -> Vec<Violation> {
    if sim.is_quiescent() {
        return Vec::new();
    }
    let story = format!("the cluster is still busy: {}", sim.left_to_happen().join("; "));
    vec![Violation::new("quiescence()", sim, story)]
}
