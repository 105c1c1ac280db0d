//! Prefers nodes on which the pod evens out the shares of CPU and memory that are taken.

use crate::scheduler::cache::{CpuMemory, NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::framework::{Plugin, PreFilter, PreScore};

#[derive(Debug)]
pub(super) struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    type State = ();

    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn pre_filter(&self, _: &Cycle<'_>, (): &mut ()) -> PreFilter {
        PreFilter::Skip
    }

    fn pre_score(&self, cycle: &Cycle<'_>, (): &mut (), _: &[NodeId]) -> PreScore {
        let requests = cycle.requests();
        if requests.cpu_milli == 0 && requests.memory == 0 { PreScore::Skip } else { PreScore::Score }
    }

    fn score(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> i64 {
        let (wanted, used, capacity) = (cycle.requests(), node.requested(), node.allocatable());
        let with = (used.cpu_milli.saturating_add(wanted.cpu_milli), used.memory.saturating_add(wanted.memory));
        50 + (50 + evenness(with, capacity) - evenness((used.cpu_milli, used.memory), capacity)) / 2
    }
}

/// 100 if the shares are equal, 50 if one is 0 and the other 1. Only basic float operations, which are the same
/// everywhere.
fn evenness((cpu, memory): (i64, i64), capacity: CpuMemory) -> i64 {
    if capacity.cpu_milli == 0 || capacity.memory == 0 {
        return 100;
    }
    let share = |used: i64, capacity: i64| {
        let share = used as f64 / capacity as f64;
        if share > 1.0 { 1.0 } else { share }
    };
    let deviation = ((share(cpu, capacity.cpu_milli) - share(memory, capacity.memory)) / 2.0).abs();
    ((1.0 - deviation) * 100.0) as i64
}

#[cfg(test)]
mod tests {
    use crate::scheduler::testing::{Bench, requesting, sized};

    const NAME: &str = "NodeResourcesBalancedAllocation";

    #[test]
    fn balance_is_upstreams_arithmetic() {
        let mut bench = Bench::default();
        bench.add(sized("a", 4_000, 10_000, 110));
        bench.add(sized("b", 6_000, 10_000, 110));
        assert_eq!(bench.scores(NAME, &requesting("p", 3_000, 5_000)), [68, 75]);
        for (second, expected) in [(20_000, [73, 74]), (50_000, [73, 70])] {
            let mut bench = Bench::default();
            bench.add(sized("a", 10_000, 20_000, 110));
            bench.add(sized("b", 10_000, second, 110));
            bench.add_bound("a", &requesting("x", 3_000, 0));
            bench.add_bound("b", &requesting("y", 3_000, 5_000));
            assert_eq!(bench.scores(NAME, &requesting("p", 3_000, 5_000)), expected);
        }
    }

    #[test]
    fn a_pod_that_asks_nothing_balances_nothing() {
        let mut bench = Bench::default();
        bench.add(sized("a", 4_000, 10_000, 110));
        bench.add(sized("b", 6_000, 10_000, 110));
        assert_eq!(bench.scores(NAME, &requesting("p", 0, 0)), [0, 0]);
    }
}
