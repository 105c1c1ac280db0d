//! What a cluster promises, as checkers: a file per invariant.
//!
//! Some invariants hold at every instant ([`Always`]: surge and availability of a rollout); others hold once nothing
//! is left to happen ([`settled`]: replicas are there, nothing is orphaned or stuck).
//!
//! ```
//! use seatrial::invariants::{self, Always};
//! use seatrial::kernel::SimTime;
//! use seatrial::sim::{Delays, Simulation};
//!
//! let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build()?;
//! let mut promises = Always::for_every_workload();
//! promises.run(&mut sim, SimTime::from_secs(60))?;
//! invariants::settled(&sim)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod at_most_one;
mod bindings;
mod budget_kept;
mod budget_status;
mod catalogue;
mod claim_kept;
mod daemon_coverage;
mod daemon_placement;
mod daemon_state;
mod daemon_surge;
mod daemon_unavailable;
mod deployment_state;
mod endpoints_ready;
mod hpa_bounds;
mod job_completions;
mod job_counts;
mod max_surge;
mod max_unavailable;
mod no_orphan;
mod no_overcommit;
mod no_overlap;
mod no_stuck_finalizer;
mod observed_generation;
mod one_pod_per_node;
mod placement;
mod pods_scheduled;
mod quiescence;
mod replica_conservation;
mod scale_in_order;
mod stateful_pods;
mod taint_eviction;
mod violation;
mod window;
mod zone_eviction_rate;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Deployment, Kind};
use crate::sim::{Simulation, Target};

pub use at_most_one::AtMostOne;
pub use budget_kept::BudgetKept;
pub use budget_status::budget_status;
pub use catalogue::{CATALOGUE, Holds, Named, Watch, WatchAll};
pub use claim_kept::ClaimKept;
pub use daemon_coverage::daemon_coverage;
pub use daemon_placement::DaemonPlacement;
pub use daemon_surge::DaemonMaxSurge;
pub use daemon_unavailable::DaemonMaxUnavailable;
pub use endpoints_ready::endpoints_ready;
pub use hpa_bounds::HpaBounds;
pub use job_completions::JobCompletions;
pub use job_counts::job_counts;
pub use max_surge::MaxSurge;
pub use max_unavailable::MaxUnavailable;
pub use no_orphan::no_orphan;
pub use no_overcommit::NoOvercommit;
pub use no_overlap::NoOverlap;
pub use no_stuck_finalizer::no_stuck_finalizer;
pub use observed_generation::observed_generation;
pub use one_pod_per_node::OnePodPerNode;
pub use placement::{AntiAffinity, TopologySpread};
pub use pods_scheduled::pods_scheduled;
pub use quiescence::quiescence;
pub use replica_conservation::replica_conservation;
pub use scale_in_order::ScaleInOrder;
pub use stateful_pods::{OnePodPerOrdinal, OrderedPods};
pub use taint_eviction::TaintEviction;
pub use violation::{Violation, Violations};
pub use zone_eviction_rate::ZoneEvictionRate;

/// The fewest available pods that a rolling update of a Deployment may leave (upstream `deployment/util.ResolveFenceposts`).
#[must_use]
pub fn least_available(deployment: &Deployment) -> i64 {
    deployment_state::Bounds::of(deployment).least_available
}

/// An invariant that holds at every instant. It may remember what it saw before.
pub trait Invariant: std::fmt::Debug + Send {
    /// Looks at the cluster after a change.
    ///
    /// # Errors
    /// What was promised, and what happened instead.
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation>;
}

/// Watches invariants while a simulation runs.
#[derive(Debug, Default)]
pub struct Always {
    checks: Vec<Box<dyn Invariant>>,
    /// How long a control plane may act on what was true before, if every workload is watched.
    every_workload: Option<SimDuration>,
    /// Whether the promises of whole clusters are watched already.
    watches_cluster: bool,
    /// Of each kind, the first id that was not met yet.
    met: BTreeMap<Kind, u32>,
}

impl Always {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every invariant of the [`CATALOGUE`] that holds at every instant, of every object that there is or will be.
    /// Control planes with delays get two seconds in which they may still act on what was true before.
    #[must_use]
    pub fn for_every_workload() -> Self {
        Self { every_workload: Some(SimDuration::from_secs(2)), ..Self::default() }
    }

    /// Adds an invariant.
    #[must_use]
    pub fn and(mut self, invariant: impl Invariant + 'static) -> Self {
        self.checks.push(Box::new(invariant));
        self
    }

    /// Lets virtual time pass until `end`, or until the first violation. That time stands still is one too.
    ///
    /// # Errors
    /// The first violation; time stands at that instant.
    pub fn run(&mut self, sim: &mut Simulation, end: SimTime) -> Result<(), Violation> {
        self.check(sim)?;
        let broken = sim.run_until_with(end, |sim| match self.check(sim) {
            Ok(()) => ControlFlow::Continue(()),
            Err(violation) => ControlFlow::Break(violation),
        });
        match broken {
            ControlFlow::Break(violation) => Err(violation),
            ControlFlow::Continue(()) => {
                sim.run_until(end);
                Violation::of_standstill(sim).map_or(Ok(()), Err)
            }
        }
    }

    /// Looks at the cluster now.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        self.meet_new_workloads(sim);
        self.checks.iter_mut().try_for_each(|invariant| invariant.check(sim))
    }

    fn meet_new_workloads(&mut self, sim: &Simulation) {
        let Some(window) = self.every_workload else { return };
        if !std::mem::replace(&mut self.watches_cluster, true) {
            self.checks
                .extend(CATALOGUE.iter().filter_map(|invariant| invariant.watch_all()).map(|watch| watch(window)));
        }
        for &kind in Kind::ALL {
            let watches: SmallVec<[_; 4]> = CATALOGUE.iter().filter_map(|invariant| invariant.watch_of(kind)).collect();
            if watches.is_empty() {
                continue;
            }
            for key in sim.view().created_since(kind, self.met.entry(kind).or_default()) {
                let target = Target { kind, key };
                self.checks.extend(watches.iter().map(|watch| watch(&target, window)));
            }
        }
    }
}

/// All invariants of a cluster that has come to rest, but for [`quiescence`] itself: a controller may still hold a timer
/// that will find nothing to do, such as that of a progress deadline.
///
/// # Errors
/// Every violation, in a fixed order.
pub fn settled(sim: &Simulation) -> Result<(), Violations> {
    let checks =
        [replica_conservation, daemon_coverage, job_counts, no_orphan, no_stuck_finalizer, observed_generation];
    let violations: Vec<Violation> = checks.iter().flat_map(|check| check(sim)).collect();
    if violations.is_empty() { Ok(()) } else { Err(Violations(violations)) }
}

/// Runs until nothing is left to happen and checks [`quiescence`] and [`settled`].
///
/// # Errors
/// Every violation, in a fixed order.
pub fn settle(sim: &mut Simulation, limit: SimTime) -> Result<(), Violations> {
    sim.run_until_quiescent(limit);
    let mut violations = quiescence(sim);
    violations.extend(settled(sim).err().into_iter().flat_map(|found| found.0));
    if violations.is_empty() { Ok(()) } else { Err(Violations(violations)) }
}

#[cfg(test)]
mod tests;
