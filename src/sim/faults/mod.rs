//! Faults: machines that crash and come back, pods that somebody kills, at random times. A file for each kind.
//!
//! Every injector draws from streams of its own, one for each node or group of nodes: a node or an injector that is added
//! (behind the others) shifts nobody's luck. What a fault does is in the recording as a step `fault`.

mod control_plane;
mod kernel_panic;
mod machine_loss;
mod node_crash;
mod node_partition;
mod node_pressure;
mod pod_killer;
mod slow_node;
#[cfg(test)]
mod tests;
mod units;
mod zones;

use serde_json::{Value, json};

pub use control_plane::{ControlPlaneFault, Trouble};
pub use kernel_panic::KernelPanic;
pub use machine_loss::{MachineDeletion, SpotReclaim};
pub use node_crash::NodeCrash;
pub use node_partition::NodePartition;
pub use node_pressure::NodePressure;
pub use pod_killer::PodKiller;
pub use slow_node::SlowNode;
pub use zones::ZONE_LABEL;

use crate::kernel::{Purpose, Sampler, SimDuration, Streams};
use crate::objects::Labels;

use super::error::SimError;
use super::event::{Event, rank};
use super::machines::MAX_SLOWNESS_PERCENT;
use super::recorder::StepRecord;
use super::simulation::Simulation;
use control_plane::Troubles;
use kernel_panic::Panics;
use machine_loss::{Deletions, Reclaims};
use node_crash::Crashes;
use node_partition::Partitions;
use node_pressure::Pressures;
use pod_killer::Kills;
use slow_node::Slowdowns;
use units::Joined;

/// Purpose of the first injector's draws; the others have the numbers behind it.
const FIRST_PURPOSE: u32 = 0x5fa_0000;

/// Times that are drawn shorter than this count as so long, so that time goes on.
const SHORTEST: SimDuration = SimDuration::from_millis(1);

/// Something that goes wrong again and again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FaultPlan {
    /// Machines crash and come back.
    NodeCrash(NodeCrash),
    /// Something outside the pods uses machines.
    NodePressure(NodePressure),
    /// Pods are deleted.
    PodKiller(PodKiller),
    /// Kernels panic, machines boot again.
    KernelPanic(KernelPanic),
    /// Machines are deleted by mistake.
    MachineDeletion(MachineDeletion),
    /// Spot machines are taken back.
    SpotReclaim(SpotReclaim),
    /// Machines become slow.
    SlowNode(SlowNode),
    /// Nodes are cut off from the control plane.
    NodePartition(NodePartition),
    /// Something goes wrong with the control plane.
    ControlPlane(ControlPlaneFault),
}

impl FaultPlan {
    /// That no time of it is always zero.
    fn validate(&self) -> Result<(), SimError> {
        let times: &[(&str, &Sampler)] = match self {
            Self::NodeCrash(plan) => &[("mtbf", &plan.mtbf), ("mttr", &plan.mttr)],
            Self::NodePressure(plan) => &[("mtbf", &plan.mtbf), ("mttr", &plan.mttr)],
            Self::PodKiller(plan) => &[("every", &plan.every)],
            Self::KernelPanic(plan) => &[("mtbf", &plan.mtbf), ("mttr", &plan.mttr)],
            Self::MachineDeletion(plan) => &[("mtbf", &plan.mtbf)],
            Self::SpotReclaim(plan) => &[("mtbf", &plan.mtbf)],
            Self::SlowNode(plan) => &[("mtbf", &plan.mtbf), ("mttr", &plan.mttr)],
            Self::NodePartition(plan) => &[("mtbf", &plan.mtbf), ("mttr", &plan.mttr)],
            Self::ControlPlane(plan) => match &plan.trouble {
                Trouble::Lasting(_, mttr) => &[("mtbf", &plan.mtbf), ("mttr", mttr)],
                Trouble::Crash(_) => &[("mtbf", &plan.mtbf)],
            },
        };
        if let Self::SlowNode(plan) = self
            && !(100..=MAX_SLOWNESS_PERCENT).contains(&plan.slowness_percent)
        {
            let message = format!("slowness_percent of a fault must be from 100 to {MAX_SLOWNESS_PERCENT}");
            return Err(SimError::Cluster(message));
        }
        match times.iter().find(|(_, time)| time.as_constant().is_some_and(SimDuration::is_zero)) {
            Some((name, _)) => Err(SimError::Cluster(format!("{name} of a fault must be greater than 0"))),
            None => Ok(()),
        }
    }
}

/// An injector, and where it stands.
#[derive(Clone)]
pub(super) enum Injector {
    Crashes(Box<Crashes>),
    Pressures(Box<Pressures>),
    Kills(Box<Kills>),
    Panics(Box<Panics>),
    Deletions(Box<Deletions>),
    Reclaims(Box<Reclaims>),
    Slowdowns(Box<Slowdowns>),
    Partitions(Box<Partitions>),
    Troubles(Box<Troubles>),
}

impl Injector {
    fn new(plan: FaultPlan, number: u32, streams: Streams) -> Self {
        let purpose = Purpose::new(FIRST_PURPOSE.wrapping_add(number));
        match plan {
            FaultPlan::NodeCrash(plan) => Self::Crashes(Box::new(Crashes::new(plan, purpose))),
            FaultPlan::NodePressure(plan) => Self::Pressures(Box::new(Pressures::new(plan, purpose))),
            FaultPlan::PodKiller(plan) => Self::Kills(Box::new(Kills::new(plan, purpose, streams))),
            FaultPlan::KernelPanic(plan) => Self::Panics(Box::new(Panics::new(plan, purpose))),
            FaultPlan::MachineDeletion(plan) => Self::Deletions(Box::new(Deletions::new(plan, purpose))),
            FaultPlan::SpotReclaim(plan) => Self::Reclaims(Box::new(Reclaims::new(plan, purpose))),
            FaultPlan::SlowNode(plan) => Self::Slowdowns(Box::new(Slowdowns::new(plan, purpose))),
            FaultPlan::NodePartition(plan) => Self::Partitions(Box::new(Partitions::new(plan, purpose))),
            FaultPlan::ControlPlane(plan) => Self::Troubles(Box::new(Troubles::new(plan, purpose, streams))),
        }
    }

    /// For injectors that strike no machines: the time to the first strike.
    fn first(&mut self) -> Option<SimDuration> {
        match self {
            Self::Crashes(_)
            | Self::Pressures(_)
            | Self::Partitions(_)
            | Self::Panics(_)
            | Self::Deletions(_)
            | Self::Reclaims(_)
            | Self::Slowdowns(_) => None,
            Self::Kills(kills) => Some(kills.next()),
            Self::Troubles(troubles) => Some(troubles.next()),
        }
    }

    /// Takes in a machine that joined. Returns a new unit of machines, and the time to the first strike at it.
    fn take_in(&mut self, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        match self {
            Self::Crashes(crashes) => crashes.take_in(joined),
            Self::Pressures(pressures) => pressures.take_in(joined),
            Self::Panics(panics) => panics.take_in(joined),
            Self::Deletions(deletions) => deletions.take_in(joined),
            Self::Reclaims(reclaims) => reclaims.take_in(joined),
            Self::Slowdowns(slowdowns) => slowdowns.take_in(joined),
            Self::Partitions(partitions) => partitions.take_in(joined),
            Self::Kills(_) | Self::Troubles(_) => None,
        }
    }

    /// Units of machines that are struck now; unit 0 of a trouble that lasts.
    fn struck(&self) -> Vec<u32> {
        match self {
            Self::Crashes(crashes) => crashes.units.struck(),
            Self::Pressures(pressures) => pressures.units.struck(),
            Self::Slowdowns(slowdowns) => slowdowns.units.struck(),
            Self::Partitions(partitions) => partitions.units.struck(),
            Self::Troubles(troubles) if troubles.goes_on() => vec![0],
            // What they strike comes back by itself, or never.
            Self::Kills(_) | Self::Troubles(_) | Self::Panics(_) | Self::Deletions(_) | Self::Reclaims(_) => Vec::new(),
        }
    }

    /// Strikes, or mends what it struck. Returns the time to the next call. No machine may join meanwhile.
    fn strike(&mut self, sim: &mut Simulation, unit: u32) -> SimDuration {
        match self {
            Self::Crashes(crashes) => crashes.strike(sim, unit),
            Self::Pressures(pressures) => pressures.strike(sim, unit),
            Self::Kills(kills) => kills.strike(sim),
            Self::Panics(panics) => panics.strike(sim, unit),
            Self::Deletions(deletions) => deletions.strike(sim, unit),
            Self::Reclaims(reclaims) => reclaims.strike(sim, unit),
            Self::Slowdowns(slowdowns) => slowdowns.strike(sim, unit),
            Self::Partitions(partitions) => partitions.strike(sim, unit),
            Self::Troubles(troubles) => troubles.strike(sim),
        }
    }
}

impl Simulation {
    /// Sets the injectors up, before the first machine joins.
    pub(super) fn plan_faults(&mut self, plans: Vec<FaultPlan>) -> Result<(), SimError> {
        for (number, plan) in (0u32..).zip(plans) {
            plan.validate()?;
            let mut injector = Injector::new(plan, number, self.streams);
            if let Some(delay) = injector.first() {
                self.push_fault(delay, number, 0);
            }
            self.faults.push(injector);
        }
        Ok(())
    }

    fn push_fault(&mut self, delay: SimDuration, injector: u32, unit: u32) {
        self.background += 1;
        self.queue.push(self.now() + delay.max(SHORTEST), rank::USER, Event::Fault { injector, unit });
    }

    /// Lets the injectors take in a machine that joined.
    pub(super) fn expose_to_faults(&mut self, machine: u32, name: &str, labels: &Labels) {
        let joined = Joined { machine, name, labels, streams: self.streams };
        for number in 0..self.faults.len() {
            if let Some((unit, delay)) = self.faults[number].take_in(&joined) {
                self.push_fault(delay, number as u32, unit);
            }
        }
    }

    /// Ends all faults that strike at random times: what they struck is mended at once, and they strike no more. What users did,
    /// such as [`Simulation::node_down`], stays.
    ///
    /// ```
    /// use seatrial::invariants;
    /// use seatrial::kernel::{Sampler, SimDuration, SimTime};
    /// use seatrial::objects::Labels;
    /// use seatrial::sim::{NodeCrash, Simulation};
    ///
    /// let crashes = NodeCrash {
    ///     mtbf: Sampler::exponential(SimDuration::from_mins(5))?,
    ///     mttr: Sampler::constant(SimDuration::from_hours(24)),
    ///     select: Labels::new(),
    ///     correlated_by: None,
    /// };
    /// let mut sim = Simulation::builder().nodes(3).fault(crashes).build()?;
    /// sim.run_for(SimDuration::from_hours(1));
    /// assert!((0..3).all(|node| !sim.machine_is_up(&format!("node-{node}"))));
    /// sim.end_faults();
    /// assert!((0..3).all(|node| sim.machine_is_up(&format!("node-{node}"))));
    /// invariants::settle(&mut sim, SimTime::MAX)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end_faults(&mut self) {
        let mut faults = std::mem::take(&mut self.faults);
        for injector in &mut faults {
            for unit in injector.struck() {
                injector.strike(self, unit);
            }
        }
    }

    pub(super) fn fault(&mut self, injector: u32, unit: u32) {
        self.background -= 1;
        if self.faults.is_empty() {
            // They were ended.
            return;
        }
        let mut faults = std::mem::take(&mut self.faults);
        let delay = faults[injector as usize].strike(self, unit);
        self.faults = faults;
        self.push_fault(delay, injector, unit);
    }

    /// Notes in the recording what a fault did to machines, if there are any, with the step that does it to a node and its other
    /// arguments. An end that comes by itself is `{}`.
    fn record_node_fault(&mut self, kind: &str, machines: impl Iterator<Item = u32>, step: &Value) {
        let name = |machine: u32| Value::from(&**self.kubelets.nodes[machine as usize].kubelet.node_name());
        let nodes: Vec<Value> = machines.map(name).collect();
        if !nodes.is_empty() {
            self.record_fault(json!({"kind": kind, "nodes": nodes, "as": step}), json!(200));
        }
    }

    fn record_fault(&mut self, args: Value, result: Value) {
        self.record_step(StepRecord { name: "fault".into(), args, result });
    }
}
