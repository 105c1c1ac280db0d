//! Disturbances of the control plane that come and go.

use serde_json::json;

use crate::kernel::{Purpose, Sampler, SimDuration, Stream, Streams};
use crate::sim::disturbances::{Disturbance, Incident, Leader};
use crate::sim::simulation::Simulation;

use super::{FaultPlan, SHORTEST};

/// Something that goes wrong with the control plane after a while, as by [`Simulation::disturb`] or
/// [`Simulation::crash_leader`], and again after another.
///
/// Where something is wrong already when its turn comes, nothing is added, and it waits for its next turn. Times shorter than a
/// millisecond count as a millisecond.
///
/// ```
/// use seatrial::kernel::{Sampler, SimDuration};
/// use seatrial::sim::{ControlPlaneFault, Disturbance, Simulation, Trouble};
///
/// let outages = ControlPlaneFault {
///     mtbf: Sampler::exponential(SimDuration::from_hours(2))?,
///     trouble: Trouble::Lasting(Disturbance::ApiServerDown, Sampler::constant(SimDuration::from_secs(90))),
/// };
/// let mut sim = Simulation::builder().nodes(3).fault(outages).build()?;
/// sim.run_for(SimDuration::from_hours(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ControlPlaneFault {
    /// From the start, or from the end of the last trouble, until it goes wrong.
    pub mtbf: Sampler,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// What goes wrong with the control plane.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// A disturbance that lasts so long.
    Lasting(Disturbance, Sampler),
    /// The one that leads crashes.
    Crash(Leader),
}

impl Trouble {
    /// The kind of fault, as scenarios have it.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Lasting(what, _) => match what {
                Disturbance::ApiServerDown => "ApiServerOutage",
                Disturbance::ControllerManagerDown => "ControllerManagerCrash",
                Disturbance::SchedulerDown => "SchedulerCrash",
                Disturbance::Partition { .. } => "NodePartition",
                Disturbance::SlowWatch { .. } => "SlowWatch",
                Disturbance::SlowWrites(_) => "SlowWrites",
                Disturbance::Conflicts(_) => "ConflictStorm",
            },
            Self::Crash(Leader::ControllerManager) => "ControllerManagerCrash",
            Self::Crash(Leader::Scheduler) => "SchedulerCrash",
        }
    }
}

impl From<ControlPlaneFault> for FaultPlan {
    fn from(plan: ControlPlaneFault) -> Self {
        Self::ControlPlane(plan)
    }
}

/// Where the troubles of a plan stand.
#[derive(Clone)]
pub(in crate::sim) struct Troubles {
    plan: ControlPlaneFault,
    luck: Stream,
    struck: Option<Incident>,
}

impl Troubles {
    pub(super) fn new(plan: ControlPlaneFault, purpose: Purpose, streams: Streams) -> Self {
        Self { plan, luck: streams.stream(purpose, "times"), struck: None }
    }

    /// The time to the next trouble.
    pub(super) fn next(&mut self) -> SimDuration {
        self.plan.mtbf.sample(&mut self.luck)
    }

    /// Whether there is trouble that is to be ended.
    pub(super) const fn goes_on(&self) -> bool {
        self.struck.is_some()
    }

    /// Makes trouble, or ends it. Returns the time to the other.
    pub(super) fn strike(&mut self, sim: &mut Simulation) -> SimDuration {
        let kind = self.plan.trouble.kind();
        if let Some(incident) = self.struck.take() {
            if sim.end(incident) {
                sim.record_fault(json!({"kind": kind, "over": true, "as": {}}), json!(200));
            }
            return self.next();
        }
        match &self.plan.trouble {
            Trouble::Crash(leader) => {
                if sim.crash_leader(*leader).is_ok() {
                    let step = json!({"crashLeader": {"process": leader.as_str()}});
                    sim.record_fault(json!({"kind": kind, "as": step}), json!(200));
                }
                self.next()
            }
            Trouble::Lasting(what, mttr) => {
                let Ok(incident) = sim.disturb(what.clone(), None) else { return self.next() };
                self.struck = Some(incident);
                let lasts = mttr.sample(&mut self.luck).max(SHORTEST);
                sim.record_fault(json!({"kind": kind, "as": what.as_step(lasts)}), json!(200));
                lasts
            }
        }
    }
}
