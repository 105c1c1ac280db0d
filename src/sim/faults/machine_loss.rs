//! Machines that are taken away for ever: by mistake, or because their cloud wants them back.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::objects::Labels;
use crate::sim::machines::{OnNotice, Reclaim};
use crate::sim::simulation::Simulation;

use super::FaultPlan;
use super::units::{Exposure, Joined, Units};

/// Machines that somebody deletes by mistake after a while, as by [`Simulation::delete_machine`].
#[derive(Clone, Debug, PartialEq)]
pub struct MachineDeletion {
    /// How long a node (or group) runs before it is deleted, counted from when it joined.
    pub mtbf: Sampler,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label are deleted together, as a node pool is. `None`: each alone.
    pub correlated_by: Option<String>,
}

/// Spot machines that their cloud takes back after a while, as by [`Simulation::reclaim`].
#[derive(Clone, Debug, PartialEq)]
pub struct SpotReclaim {
    /// How long a node (or group) runs before it gets notice, counted from when it joined.
    pub mtbf: Sampler,
    /// From the notice to the end.
    pub notice: Sampler,
    /// What is done on notice.
    pub on_notice: OnNotice,
    /// From the end to a replacement, if there is to be one. It is exposed to the same fault.
    pub replacement: Option<Sampler>,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label get notice together, as those of one instance type and zone do. `None`: each
    /// alone.
    pub correlated_by: Option<String>,
}

impl From<MachineDeletion> for FaultPlan {
    fn from(plan: MachineDeletion) -> Self {
        Self::MachineDeletion(plan)
    }
}

impl From<SpotReclaim> for FaultPlan {
    fn from(plan: SpotReclaim) -> Self {
        Self::SpotReclaim(plan)
    }
}

#[derive(Clone)]
pub(in crate::sim) struct Deletions {
    plan: MachineDeletion,
    units: Units<()>,
}

impl Deletions {
    pub(super) fn new(plan: MachineDeletion, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let MachineDeletion { mtbf, select, correlated_by } = &self.plan;
        self.units.take_in(&Exposure { mtbf, select, correlated_by: correlated_by.as_deref() }, joined)
    }

    /// Takes the machines of a unit away. Returns the time to the next strike at those that join it.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        let struck = std::mem::take(&mut unit.members);
        struck.iter().for_each(|machine| sim.take_away(*machine));
        sim.record_node_fault("MachineDeletion", struck.into_iter(), &json!({"deleteMachine": {}}));
        self.plan.mtbf.sample(&mut unit.luck)
    }
}

#[derive(Clone)]
pub(in crate::sim) struct Reclaims {
    plan: SpotReclaim,
    units: Units<()>,
}

impl Reclaims {
    pub(super) fn new(plan: SpotReclaim, purpose: Purpose) -> Self {
        Self { plan, units: Units::new(purpose) }
    }

    pub(super) fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let SpotReclaim { mtbf, select, correlated_by, .. } = &self.plan;
        self.units.take_in(&Exposure { mtbf, select, correlated_by: correlated_by.as_deref() }, joined)
    }

    /// Gives the machines of a unit notice. Returns the time to the next notice to those that join it.
    pub(super) fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        let unit = self.units.get_mut(unit);
        let reclaim = Reclaim {
            notice: self.plan.notice.sample(&mut unit.luck),
            on_notice: self.plan.on_notice,
            replacement: self.plan.replacement.as_ref().map(|delay| delay.sample(&mut unit.luck)),
        };
        let struck = std::mem::take(&mut unit.members);
        for machine in &struck {
            // What a handler is refused stands in the recording; the machine goes all the same.
            drop(sim.give_notice(*machine, &reclaim));
        }
        sim.record_node_fault("SpotReclaim", struck.into_iter(), &json!({"reclaim": reclaim.to_wire()}));
        self.plan.mtbf.sample(&mut unit.luck)
    }
}
