//! Machines whose kernel panics.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::objects::Labels;
use crate::sim::simulation::Simulation;

use super::FaultPlan;
use super::units::{Exposure, Joined, Units};

/// Machines whose kernel panics after a while, as by [`Simulation::kernel_panic`], and that boot again by themselves.
///
/// A machine that is down already when its turn comes is left alone. Times shorter than a millisecond count as a millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelPanic {
    /// How long a node (or group) runs before it panics, counted from when it joined or was up again.
    pub mtbf: Sampler,
    /// How long it takes to boot.
    pub mttr: Sampler,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label panic together, as after an update of all of them. `None`: each alone.
    pub correlated_by: Option<String>,
}

impl From<KernelPanic> for FaultPlan {
    fn from(plan: KernelPanic) -> Self {
        Self::KernelPanic(plan)
    }
}

#[derive(Clone)]
pub(in crate::sim) struct Panics {
    plan: KernelPanic,
    units: Units<()>,
}

impl Panics {
    pub(super) fn new(plan: KernelPanic, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let KernelPanic { mtbf, select, correlated_by, .. } = &self.plan;
        self.units.take_in(&Exposure { mtbf, select, correlated_by: correlated_by.as_deref() }, joined)
    }

    /// Lets the machines of a unit that run panic. Returns the time to the next panic.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        let boot = self.plan.mttr.sample(&mut unit.luck);
        let mut struck = unit.members.clone();
        struck.retain(|machine| sim.kubelets.nodes[*machine as usize].kubelet.is_running());
        struck.iter().for_each(|machine| sim.panic_machine(*machine, boot));
        let verb = json!({"kernelPanic": {"boot": boot.to_string()}});
        sim.record_node_fault("KernelPanic", struck.into_iter(), &verb);
        boot + self.plan.mtbf.sample(&mut unit.luck)
    }
}
