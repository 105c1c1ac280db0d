//! Machines that become slow.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::objects::Labels;
use crate::sim::simulation::Simulation;

use super::FaultPlan;
use super::units::{Exposure, Joined, Units};

/// Machines that become slow after a while, as by [`Simulation::slow_down`], recover, and so on.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowNode {
    /// How long a node (or group) is as fast as it should be.
    pub mtbf: Sampler,
    /// How long it is slow.
    pub mttr: Sampler,
    /// How long things then take on it, in hundredths of what they should: from 100 to
    /// [`MAX_SLOWNESS_PERCENT`](crate::sim::MAX_SLOWNESS_PERCENT).
    pub slowness_percent: u32,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label become slow together, as those on one host do. `None`: each alone.
    pub correlated_by: Option<String>,
}

impl From<SlowNode> for FaultPlan {
    fn from(plan: SlowNode) -> Self {
        Self::SlowNode(plan)
    }
}

#[derive(Clone)]
pub(in crate::sim) struct Slowdowns {
    plan: SlowNode,
    /// The machines that are slow now.
    pub(super) units: Units<Vec<u32>>,
}

impl Slowdowns {
    pub(super) fn new(plan: SlowNode, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let SlowNode { mtbf, select, correlated_by, .. } = &self.plan;
        self.units.take_in(&Exposure { mtbf, select, correlated_by: correlated_by.as_deref() }, joined)
    }

    /// Makes the machines of a unit slow, or as fast as others again. Returns the time to the other.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        if let Some(slow) = unit.struck.take() {
            slow.iter().for_each(|machine| sim.set_slowness(*machine, 100));
            let verb = json!({"slowNode": {"factor": 1}});
            sim.record_node_fault("SlowNodeRecovers", slow.into_iter(), &verb);
            return self.plan.mtbf.sample(&mut unit.luck);
        }
        let struck = unit.members.clone();
        struck.iter().for_each(|machine| sim.set_slowness(*machine, self.plan.slowness_percent));
        let verb = json!({"slowNode": {"factor": f64::from(self.plan.slowness_percent) / 100.0}});
        sim.record_node_fault("SlowNode", struck.iter().copied(), &verb);
        unit.struck = Some(struck);
        self.plan.mttr.sample(&mut unit.luck)
    }
}
