//! No pod waits for a node although there is one for it.

use crate::objects::Resource;
use crate::sim::{Simulation, Verdict};

use super::Violation;

/// In a settled cluster pods without a node are such that no node would take: the scheduler's own filters refuse every one.
#[must_use]
pub fn pods_scheduled(sim: &Simulation) -> Vec<Violation> {
    let waiting = sim.view().pods.iter().filter(|pod| !pod.is_bound() && pod.is_active());
    let needlessly = waiting.filter_map(|pod| {
        let found = sim.explain_scheduling(&pod.meta.namespace, &pod.meta.name)?;
        let (node, _) = found.nodes.iter().find(|(_, verdict)| matches!(verdict, Verdict::Feasible { .. }))?;
        let since = pod.meta.creation_timestamp.map(|at| format!(" since {at}")).unwrap_or_default();
        let story = format!(
            "promised every pod a node that takes it, but pod {} waits{since}, although {node} would take it",
            pod.key()
        );
        Some(Violation::new("podsScheduled()", sim, story))
    });
    needlessly.collect()
}
