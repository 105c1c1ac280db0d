//! Which candidate costs least.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::objects::{Pod, Timestamp};

use super::{Candidate, priority};

/// Sorts more important pods first: those of higher priority, then those that started earlier (upstream
/// `util.MoreImportantPod`). A pod that has not started yet counts as if it did now.
pub(super) fn importance(pod: &Pod) -> (Reverse<i32>, Timestamp, Option<Timestamp>, &Arc<str>, &Arc<str>) {
    let meta = &pod.meta;
    (Reverse(priority(pod)), start(pod), meta.creation_timestamp, &meta.namespace, &meta.name)
}

fn start(pod: &Pod) -> Timestamp {
    pod.status.start_time.unwrap_or(Timestamp::from_unix_secs(i64::MAX))
}

/// The first of the cheapest: fewest violated budgets, then the lowest priority of the most important victim, the smallest
/// sum of priorities, the fewest victims, and the victim that has run for the shortest time (upstream
/// `pickOneNodeForPreemption`).
pub(super) fn cheapest(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().min_by_key(|candidate| {
        let victims = &candidate.victims;
        let highest = victims.iter().map(|pod| priority(pod)).max().unwrap_or(i32::MIN);
        // Above 0, so that many pods of negative priority do not cost less than few.
        let sum: i64 = victims.iter().map(|pod| i64::from(priority(pod)) + (1 << 31)).sum();
        let earliest = victims.iter().filter(|pod| priority(pod) == highest).map(|pod| start(pod)).min();
        (candidate.pdb_violations, highest, sum, victims.len(), Reverse(earliest))
    })
}
