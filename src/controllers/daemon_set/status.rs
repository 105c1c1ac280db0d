//! What a DaemonSet reports (upstream `storeDaemonSetStatus`).

use crate::objects::{DaemonSet, DaemonSetStatus};

use super::node::Tally;

/// The status that follows from the sums over all nodes, on top of the `newest` one, if there is anything new to write.
pub(super) fn status(set: &DaemonSet, newest: &DaemonSetStatus, tally: Tally) -> Option<DaemonSetStatus> {
    let status = DaemonSetStatus {
        current_number_scheduled: tally.current,
        number_misscheduled: tally.misscheduled,
        desired_number_scheduled: tally.desired,
        number_ready: tally.ready,
        updated_number_scheduled: tally.updated,
        number_available: tally.available,
        number_unavailable: tally.desired - tally.available,
        observed_generation: set.meta.generation.max(newest.observed_generation),
        ..newest.clone()
    };
    (status != *newest).then_some(status)
}
