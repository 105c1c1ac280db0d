//! What a window of time was made of: latencies by class, attempts by version.

use std::sync::Arc;

use crate::kernel::SimDuration;

use super::histogram::Histogram;
use super::report::Served;

/// The longest latencies of all classes but the last.
pub const LATENCY_CLASSES: [SimDuration; 7] = [
    SimDuration::from_millis(5),
    SimDuration::from_millis(20),
    SimDuration::from_millis(50),
    SimDuration::from_millis(100),
    SimDuration::from_millis(300),
    SimDuration::from_secs(1),
    SimDuration::from_secs(3),
];

/// What a window of time was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Requests that succeeded, by how long they took: one count for each of [`LATENCY_CLASSES`], and one for all above; latencies are
    /// known to 3 %.
    pub latencies: [u64; LATENCY_CLASSES.len() + 1],
    /// Attempts by the version that they reached, in the order in which versions came up.
    pub versions: Vec<Served>,
}

impl Detail {
    /// `groups`: attempts answered and failed since the start; `before`: the same at the end of the window before, brought up to
    /// date.
    pub(super) fn of(latency: &Histogram, groups: &[[u64; 2]], before: &mut Vec<[u64; 2]>, names: &[Arc<str>]) -> Self {
        before.resize(groups.len(), [0; 2]);
        let mut versions = Vec::new();
        for ((now, before), name) in groups.iter().zip(before).zip(names) {
            let [answered, failed] = [now[0] - before[0], now[1] - before[1]];
            if answered + failed > 0 {
                versions.push(Served { name: name.clone(), answered, failed });
                *before = *now;
            }
        }
        Self { latencies: latency.classes(&LATENCY_CLASSES), versions }
    }
}
