//! Keeps pods off nodes without room, and prefers nodes with the most room left (LeastAllocated).

use crate::objects::{Node, Pod, Resources, Text};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin};

#[derive(Debug)]
pub(super) struct NodeResourcesFit;

/// A resource that a node has too little of.
struct Shortage<'a> {
    resource: &'a str,
    /// Whether even the empty node has too little.
    beyond_capacity: bool,
}

/// Calls `short` for each resource of which the pod requests more than the node has left.
fn shortages<'a>(wanted: &'a Resources, node: &Resources, used: &Resources, mut short: impl FnMut(Shortage<'a>)) {
    let mut check = |resource: &'a str, wanted: i64, capacity: i64, used: i64| {
        if wanted > 0 && wanted > capacity.saturating_sub(used) {
            short(Shortage { resource, beyond_capacity: wanted > capacity });
        }
    };
    check("cpu", wanted.cpu_milli, node.cpu_milli, used.cpu_milli);
    check("memory", wanted.memory, node.memory, used.memory);
    check("ephemeral-storage", wanted.ephemeral_storage, node.ephemeral_storage, used.ephemeral_storage);
    for (name, wanted) in &wanted.extended {
        check(name, *wanted, node.extended(name), used.extended(name));
    }
}

/// Whether the pod would fit the empty node.
fn fits_empty(pod: &Pod, node: &Node) -> bool {
    let capacity = &node.status.allocatable;
    let mut fits = capacity.pods >= 1;
    shortages(&pod.spec.requests, capacity, &Resources::default(), |_| fits = false);
    fits
}

fn has_grown(pod: &Pod, old: &Node, new: &Node) -> bool {
    let (before, after, wanted) = (&old.status.allocatable, &new.status.allocatable, &pod.spec.requests);
    let extended =
        |(name, wanted): &(std::sync::Arc<str>, i64)| *wanted > 0 && after.extended(name) > before.extended(name);
    after.pods > before.pods
        || wanted.cpu_milli > 0 && after.cpu_milli > before.cpu_milli
        || wanted.memory > 0 && after.memory > before.memory
        || wanted.ephemeral_storage > 0 && after.ephemeral_storage > before.ephemeral_storage
        || wanted.extended.iter().any(extended)
}

/// Whether a pod that is on a node gave up some of what the waiting pod requests.
fn has_freed(pod: &Pod, old: &Pod, new: &Pod) -> bool {
    let (before, after, wanted) = (&old.spec.requests, &new.spec.requests, &pod.spec.requests);
    let extended =
        |(name, wanted): &(std::sync::Arc<str>, i64)| *wanted > 0 && after.extended(name) < before.extended(name);
    wanted.cpu_milli > 0 && after.cpu_milli < before.cpu_milli
        || wanted.memory > 0 && after.memory < before.memory
        || wanted.ephemeral_storage > 0 && after.ephemeral_storage < before.ephemeral_storage
        || wanted.extended.iter().any(extended)
}

impl Plugin for NodeResourcesFit {
    type State = ();

    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn events(&self) -> Actions {
        Actions::POD_DELETE | Actions::POD_SCALE_DOWN | Actions::NODE_ADD | Actions::NODE_ALLOCATABLE
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let queue = match event.subject {
            Subject::Pod(Some(gone), None) => gone.is_bound() || !gone.status.nominated_node_name.is_empty(),
            Subject::Pod(Some(old), Some(new)) => {
                new.meta.uid == pod.meta.uid || new.is_bound() && has_freed(pod, old, new)
            }
            Subject::Node(old, Some(node)) => fits_empty(pod, node) && old.is_none_or(|old| has_grown(pod, old, node)),
            _ => true,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn filter(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> Code {
        let (wanted, used, room) = (cycle.requests(), node.requested(), node.allocatable());
        let crowded = node.pod_count() >= node.allocatable_pods();
        let has_room = wanted.cpu_milli <= room.cpu_milli.saturating_sub(used.cpu_milli)
            && wanted.memory <= room.memory.saturating_sub(used.memory)
            && wanted.ephemeral_storage == 0
            && wanted.extended.is_empty();
        if has_room && !crowded {
            return Code::Success;
        }
        let mut code = if crowded { Code::Unschedulable } else { Code::Success };
        shortages(wanted, node.allocatable_resources(), used, |shortage| {
            if shortage.beyond_capacity {
                code = Code::UnschedulableAndUnresolvable;
            } else if code == Code::Success {
                code = Code::Unschedulable;
            }
        });
        code
    }

    fn reasons(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo, say: &mut dyn FnMut(Text)) {
        if node.pod_count() >= node.allocatable_pods() {
            say("Too many pods".into());
        }
        shortages(cycle.requests(), node.allocatable_resources(), node.requested(), |shortage| {
            say(match shortage.resource {
                "cpu" => "Insufficient cpu".into(),
                "memory" => "Insufficient memory".into(),
                other => format!("Insufficient {other}").into(),
            });
        });
    }

    fn score(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> i64 {
        let (wanted, used, capacity) = (cycle.non_zero_requests, node.non_zero_requested(), node.allocatable());
        let (mut sum, mut resources) = (0, 0);
        for (wanted, used, capacity) in
            [(wanted.cpu_milli, used.cpu_milli, capacity.cpu_milli), (wanted.memory, used.memory, capacity.memory)]
        {
            if capacity != 0 {
                sum += share_left(used.saturating_add(wanted), capacity);
                resources += 1;
            }
        }
        if resources == 0 { 0 } else { sum / resources }
    }
}

/// Hundredths of the capacity that are left.
fn share_left(used: i64, capacity: i64) -> i64 {
    if capacity <= 0 || used > capacity {
        return 0;
    }
    let left = capacity.saturating_sub(used);
    match left.checked_mul(100) {
        Some(left) => left / capacity,
        None => i64::try_from(i128::from(left) * 100 / i128::from(capacity)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scheduler::testing::{Bench, pod, requesting, sized};

    const MI: i64 = 1 << 20;

    #[test]
    fn each_short_resource_is_named() {
        let mut bench = Bench::default();
        bench.add(sized("a", 10_000, 20 * MI, 32));
        bench.add_bound("a", &requesting("used", 10_000, 20 * MI));
        let message = bench.failure(&requesting("p", 1_000, MI));
        assert_eq!(
            message,
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. no new claims to deallocate, \
             preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
        );
    }

    #[test]
    fn what_no_empty_node_could_hold_is_unresolvable() {
        let mut bench = Bench::default();
        bench.add(sized("a", 1_000, 20 * MI, 32));
        bench.add(sized("b", 1_000, 20 * MI, 32));
        assert_eq!(
            bench.failure(&requesting("p", 2_000, MI)),
            "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: \
             2 Preemption is not helpful for scheduling."
        );
    }

    #[test]
    fn a_pod_that_asks_nothing_fits_a_full_node_but_not_one_with_too_many_pods() {
        let mut bench = Bench::default();
        bench.add(sized("a", 1_000, MI, 2));
        bench.add_bound("a", &requesting("used", 5_000, 5 * MI));
        let asks_nothing = pod("p", json!({}));
        assert_eq!(bench.placed(&asks_nothing), "a");
        bench.add_bound("a", &pod("second", json!({})));
        let message = bench.failure(&asks_nothing);
        assert!(message.starts_with("0/1 nodes are available: 1 Too many pods."), "{message}");
    }

    #[test]
    fn exactly_what_is_left_fits() {
        let mut bench = Bench::default();
        bench.add(sized("a", 10_000, 20 * MI, 32));
        bench.add_bound("a", &requesting("used", 5_000, 19 * MI));
        assert_eq!(bench.placed(&requesting("p", 5_000, MI)), "a");
    }

    #[test]
    fn evicting_everyone_below_may_still_not_help() {
        let mut bench = Bench::default();
        bench.add(sized("a", 1_000, 20 * MI, 32));
        bench.add_bound("a", &requesting("same", 800, MI));
        let mut low = (*requesting("low", 100, MI)).clone();
        let mut spec = (*low.spec).clone();
        spec.priority = Some(-1);
        low.spec = spec.into();
        bench.add_bound("a", &low.into());
        assert_eq!(
            bench.failure(&requesting("p", 500, MI)),
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Insufficient cpu."
        );
    }

    #[test]
    fn least_allocated_is_upstreams_integer_arithmetic() {
        let mut bench = Bench::default();
        bench.add(sized("a", 4_000, 10_000, 110));
        bench.add(sized("b", 6_000, 10_000, 110));
        assert_eq!(bench.scores("NodeResourcesFit", &requesting("p", 3_000, 5_000)), [37, 50]);
        let mut bench = Bench::default();
        bench.add(sized("a", 10_000, 20_000, 110));
        bench.add(sized("b", 10_000, 20_000, 110));
        bench.add_bound("a", &requesting("x", 3_000, 0));
        bench.add_bound("b", &requesting("y", 3_000, 5_000));
        assert_eq!(bench.scores("NodeResourcesFit", &requesting("p", 3_000, 5_000)), [57, 45]);
        assert_eq!(super::share_left(0, i64::MAX), 100, "no overflow");
    }
}
