//! Machines on which something outside the pods eats memory, disk or processes for a while.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::kubelet::{Eaten, MachineResource};
use crate::objects::Labels;
use crate::sim::simulation::Simulation;

use super::units::{Exposure, Joined, Units};
use super::{FaultPlan, SHORTEST};

/// Machines on which something outside the pods, as by [`Simulation::press`], uses much of the memory, the disk or the process
/// numbers after a while, for another, and so on. A machine that is down when its turn comes is left alone. Times shorter than a
/// millisecond count as a millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePressure {
    /// What is used.
    pub resource: MachineResource,
    /// How much.
    pub eaten: Eaten,
    /// How long a node (or group) has peace, counted from when it joined or the last time ended.
    pub mtbf: Sampler,
    /// How long it lasts.
    pub mttr: Sampler,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label are struck together. `None`: each alone.
    pub correlated_by: Option<String>,
}

impl From<NodePressure> for FaultPlan {
    fn from(plan: NodePressure) -> Self {
        Self::NodePressure(plan)
    }
}

/// Where the pressures of a plan stand. A unit that is struck knows the machines, and the number of what presses each.
#[derive(Clone)]
pub(in crate::sim) struct Pressures {
    plan: NodePressure,
    pub(super) units: Units<Vec<(u32, u64)>>,
}

impl Pressures {
    pub(super) fn new(plan: NodePressure, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let NodePressure { mtbf, select, correlated_by, .. } = &self.plan;
        self.units.take_in(&Exposure { mtbf, select, correlated_by: correlated_by.as_deref() }, joined)
    }

    /// Begins to press the machines of a unit, or ceases. Returns the time to the other.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        match unit.struck.take() {
            None => {
                let running = |machine: &&u32| sim.kubelets.nodes[**machine as usize].kubelet.is_running();
                let machines: Vec<u32> = unit.members.iter().filter(running).copied().collect();
                let lasts = self.plan.mttr.sample(&mut unit.luck).max(SHORTEST);
                let verb = self.plan.resource.verb();
                let step = json!({verb: {"use": self.plan.eaten.to_string(), "for": lasts.to_string()}});
                sim.record_node_fault("NodePressure", machines.iter().copied(), &step);
                let press = |machine: u32| (machine, sim.press_machine(machine, self.plan.resource, self.plan.eaten));
                unit.struck = Some(machines.into_iter().map(press).collect());
                lasts
            }
            Some(pressed) => {
                sim.record_node_fault("NodeRelief", pressed.iter().map(|(machine, _)| *machine), &json!({}));
                pressed.into_iter().for_each(|(machine, number)| sim.relieve(machine, number));
                self.plan.mtbf.sample(&mut unit.luck)
            }
        }
    }
}
