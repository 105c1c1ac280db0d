//! Nodes that are cut off from the control plane, and come back.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::objects::Labels;
use crate::sim::disturbances::{Cut, Disturbance, Incident};
use crate::sim::simulation::Simulation;

use super::units::{Exposure, Joined, Units};
use super::{FaultPlan, SHORTEST};

/// Nodes that are cut off from the control plane after a while, as by [`Disturbance::Partition`], are back after another, and so
/// on. A node that is cut off already when its turn comes is left alone. Times shorter than a millisecond count as a
/// millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePartition {
    /// How long a node (or group) is connected before it is cut off, counted from when it joined or was back.
    pub mtbf: Sampler,
    /// How long it is cut off.
    pub mttr: Sampler,
    /// Which way is cut.
    pub cut: Cut,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label are cut off together, as the machines behind a switch. A node without the label
    /// is cut off alone. `None`: each alone.
    pub correlated_by: Option<String>,
}

impl From<NodePartition> for FaultPlan {
    fn from(plan: NodePartition) -> Self {
        Self::NodePartition(plan)
    }
}

/// Where the partitions of a plan stand. A unit that is struck knows the machines that it cut off.
#[derive(Clone)]
pub(in crate::sim) struct Partitions {
    plan: NodePartition,
    pub(super) units: Units<Vec<(u32, Incident)>>,
}

impl Partitions {
    pub(super) fn new(plan: NodePartition, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let NodePartition { mtbf, select, correlated_by, .. } = &self.plan;
        self.units.take_in(&Exposure { mtbf, select, correlated_by: correlated_by.as_deref() }, joined)
    }

    /// Cuts the machines of a unit off, or lets them be back. Returns the time to the other.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        match unit.struck.take() {
            None => {
                let lasts = self.plan.mttr.sample(&mut unit.luck).max(SHORTEST);
                unit.struck = Some(cut_off(sim, &unit.members, self.plan.cut, lasts));
                lasts
            }
            Some(mut cut) => {
                cut.retain(|(_, incident)| sim.end(*incident));
                sim.record_node_fault("NodeHealed", cut.into_iter().map(|(machine, _)| machine), &json!({}));
                self.plan.mtbf.sample(&mut unit.luck)
            }
        }
    }
}

/// Cuts off the machines that are not. Returns them.
fn cut_off(sim: &mut Simulation, machines: &[u32], cut: Cut, lasts: SimDuration) -> Vec<(u32, Incident)> {
    let mut off = Vec::new();
    for &machine in machines {
        let node = sim.kubelets.nodes[machine as usize].kubelet.node_name().clone();
        if let Ok(incident) = sim.disturb(Disturbance::Partition { node, cut }, None) {
            off.push((machine, incident));
        }
    }
    let step = json!({"partition": {"cut": cut.as_str(), "for": lasts.to_string()}});
    sim.record_node_fault("NodePartition", off.iter().map(|(machine, _)| *machine), &step);
    off
}
