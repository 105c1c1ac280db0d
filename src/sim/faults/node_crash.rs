//! Machines that crash and come back.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::objects::Labels;
use crate::sim::simulation::Simulation;

use super::FaultPlan;
use super::units::{Exposure, Joined, Units};

/// Machines that crash after a while, as by [`Simulation::node_down`], come back after another, and so on.
///
/// A machine that the user stops while it is down stays down. A machine that is down already when its turn comes is left
/// alone. Times shorter than a millisecond count as a millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCrash {
    /// How long a node (or group) runs before it crashes, counted from when it joined or came back.
    pub mtbf: Sampler,
    /// How long it is down.
    pub mttr: Sampler,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label crash together, as the machines of a zone or a rack do. A node without the
    /// label crashes alone. `None`: each crashes alone.
    pub correlated_by: Option<String>,
}

impl From<NodeCrash> for FaultPlan {
    fn from(plan: NodeCrash) -> Self {
        Self::NodeCrash(plan)
    }
}

/// Where the crashes of a plan stand. A unit that is struck knows the machines that went down with it, and the epoch of each from
/// then.
#[derive(Clone)]
pub(in crate::sim) struct Crashes {
    plan: NodeCrash,
    pub(super) units: Units<Vec<(u32, u32)>>,
}

impl NodeCrash {
    pub(super) fn exposure(&self) -> Exposure<'_> {
        Exposure { mtbf: &self.mtbf, select: &self.select, correlated_by: self.correlated_by.as_deref() }
    }
}

impl Crashes {
    pub(super) fn new(plan: NodeCrash, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        self.units.take_in(&self.plan.exposure(), joined)
    }

    /// Stops the machines of a unit, or starts them again. Returns the time to the other.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        match unit.struck.take() {
            None => {
                unit.struck = Some(crash(sim, &unit.members));
                self.plan.mttr.sample(&mut unit.luck)
            }
            Some(down) => {
                repair(sim, &down);
                self.plan.mtbf.sample(&mut unit.luck)
            }
        }
    }
}

/// Stops the machines that run. Returns them, and the epoch of each.
fn crash(sim: &mut Simulation, machines: &[u32]) -> Vec<(u32, u32)> {
    let mut down = Vec::new();
    for &machine in machines {
        if sim.kubelets.nodes[machine as usize].kubelet.is_running() {
            sim.stop_machine(machine);
            down.push((machine, sim.kubelets.nodes[machine as usize].epoch));
        }
    }
    sim.record_node_fault("NodeCrash", down.iter().map(|(machine, _)| *machine), &json!({"nodeDown": {}}));
    down
}

/// Starts the machines again that nobody touched since they went down.
fn repair(sim: &mut Simulation, down: &[(u32, u32)]) {
    let mut back = Vec::new();
    for &(machine, epoch) in down {
        let process = &sim.kubelets.nodes[machine as usize];
        if process.epoch == epoch && !process.kubelet.is_running() {
            sim.start_machine(machine);
            back.push(machine);
        }
    }
    sim.record_node_fault("NodeRepair", back.into_iter(), &json!({"nodeUp": {}}));
}
