//! Every eligible node has a daemon pod.

use crate::objects::Resource;
use crate::sim::Simulation;

use super::Violation;
use super::daemon_state::DaemonState;
use super::violation::names;

/// In a settled cluster every DaemonSet has exactly one pod that is neither ended nor being deleted on each node that is
/// to have one, or an old and a new one where an update with surge does not get on; and none on nodes where none may stay.
///
/// What the status counts is left out: as upstream, a node that ceases to be eligible while its pod may stay wakes nobody,
/// and is counted anew when something else happens.
#[must_use]
pub fn daemon_coverage(sim: &Simulation) -> Vec<Violation> {
    let broken = |story: String| Violation::new("daemonCoverage()", sim, story);
    let mut violations = Vec::new();
    for set in sim.view().daemon_sets.iter().filter(|set| !set.meta.is_deleting()) {
        let (key, state) = (set.key(), DaemonState::of(sim, set));
        let most = if set.spec.update_strategy.allows_surge() { 2 } else { 1 };
        for (node, is) in &state.nodes {
            let count = is.live.len();
            // A pod that cannot end, as on a machine that is down, keeps its place.
            let (least, most) = if is.is_leaving {
                (0, most)
            } else {
                match (is.eligible, is.tolerable) {
                    (true, _) => (1, most),
                    (false, true) => (0, most),
                    (false, false) => (0, 0),
                }
            };
            if !(least..=most).contains(&count) {
                let pods = if count == 0 {
                    String::new()
                } else {
                    format!(": {}", names(is.live.iter().map(|pod| &pod.key.name)))
                };
                let why = match (is.eligible, is.tolerable) {
                    (true, _) => "which is to have one",
                    (false, true) => "where one may stay",
                    (false, false) => "where none may be",
                };
                violations
                    .push(broken(format!("DaemonSet {key} has {count} pods on node {node}, {why}, not {least}{pods}")));
            }
        }
    }
    violations
}
