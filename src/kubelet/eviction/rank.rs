//! Who goes first (upstream `rankMemoryPressure`, `rankDiskPressureFunc`, `rankPIDPressure`).

use std::cmp::Reverse;

use super::signal::Signal;
use crate::objects::{PodSpec, Resources};

/// What decides on a pod. Bytes of memory or disk, or a number of processes, as the signal demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Candidate {
    pub(in super::super) priority: i32,
    pub(in super::super) used: i64,
    pub(in super::super) requested: i64,
}

/// What a kubelet holds a pod to have asked for: overhead counts only beside something (upstream
/// `GetResourceRequestQuantity`). Where there are pod-level resources, containers do not count at all.
pub(in super::super) fn kubelet_request(spec: &PodSpec, amount: fn(&Resources) -> i64) -> i64 {
    let overhead = amount(&spec.overhead);
    let base = match &spec.resources {
        Some(pod_level) => amount(&pod_level.requests),
        None => amount(&spec.requests) - overhead,
    };
    if base == 0 { 0 } else { base.saturating_add(overhead) }
}

/// Orders pods for eviction; of equal ones the order stays.
pub(in super::super) fn rank<T>(pods: &mut [(Candidate, T)], signal: Signal) {
    pods.sort_by_key(|(pod, _)| {
        let over = pod.used.saturating_sub(pod.requested);
        match signal {
            Signal::PidAvailable => (false, pod.priority, Reverse(pod.used)),
            _ => (over <= 0, pod.priority, Reverse(over)),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const MI: i64 = 1 << 20;
    const GI: i64 = 1 << 30;

    fn ranked(signal: Signal, pods: &[(i32, i64, i64)]) -> Vec<usize> {
        let candidate = |&(priority, requested, used): &(i32, i64, i64)| Candidate { priority, used, requested };
        let mut pods: Vec<(Candidate, usize)> = pods.iter().map(candidate).zip(0..).collect();
        rank(&mut pods, signal);
        pods.into_iter().map(|(_, place)| place).collect()
    }

    /// Upstream `TestOrderedByPriorityMemory`: low and high priority, below and above the request.
    #[test]
    fn memory_goes_by_excess_then_priority_then_amount() {
        let (low, high) = (-1, 1);
        let pods = [
            (low, 0, 500 * MI),
            (low, 0, 50 * MI),
            (high, 100 * MI, 600 * MI),
            (high, 100 * MI, 150 * MI),
            (low, GI, 800 * MI),
            (low, GI, 200 * MI),
            (high, GI, 800 * MI),
            (high, GI, 200 * MI),
        ];
        let reversed: Vec<_> = pods.iter().rev().copied().collect();
        assert_eq!(ranked(Signal::MemoryAvailable, &pods), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ranked(Signal::MemoryAvailable, &reversed), [7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(ranked(Signal::NodeFsAvailable, &pods), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_pod_within_its_request_stays_behind_one_of_higher_priority_that_is_not() {
        let pods = [(-1, 200 * MI, 199 * MI), (1, 100 * MI, 101 * MI)];
        assert_eq!(ranked(Signal::MemoryAvailable, &pods), [1, 0]);
        // Exactly the request is not more than the request.
        assert_eq!(ranked(Signal::MemoryAvailable, &[(0, 5, 5), (9, 5, 6)]), [1, 0]);
    }

    #[test]
    fn processes_go_by_priority_then_number() {
        assert_eq!(ranked(Signal::PidAvailable, &[(0, 0, 10), (0, 0, 30), (-5, 0, 1)]), [2, 1, 0]);
    }

    #[test]
    fn overhead_counts_beside_something_only() {
        let spec = |json: serde_json::Value| PodSpec::from_wire(json.as_object().cloned().unwrap_or_default());
        let memory = |json| kubelet_request(&spec(json).expect("a spec"), |amounts| amounts.memory);
        let container = serde_json::json!({"name": "c", "resources": {"requests": {"memory": "10"}}});
        assert_eq!(memory(serde_json::json!({"containers": [container], "overhead": {"memory": "5"}})), 15);
        assert_eq!(memory(serde_json::json!({"containers": [{"name": "c"}], "overhead": {"memory": "5"}})), 0);
        let pod_level = serde_json::json!({"requests": {"memory": "100"}});
        assert_eq!(memory(serde_json::json!({"containers": [container], "resources": pod_level})), 100);
    }
}
