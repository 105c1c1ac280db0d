//! The invariants by name, as expectations of scenarios write them.

use crate::kernel::SimDuration;
use crate::objects::Kind;
use crate::sim::{Simulation, Target};

use super::HpaBounds;
use super::{AntiAffinity, NoOvercommit, TopologySpread};
use super::{AtMostOne, BudgetKept, ClaimKept, TaintEviction, ZoneEvictionRate};
use super::{
    DaemonMaxSurge, DaemonMaxUnavailable, DaemonPlacement, Invariant, JobCompletions, MaxSurge, MaxUnavailable,
};
use super::{NoOverlap, OnePodPerNode, OnePodPerOrdinal, OrderedPods, ScaleInOrder, Violation};

/// An invariant by name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Such as `maxSurge`.
    pub name: &'static str,
    /// When it holds.
    pub holds: Holds,
}

/// When an invariant holds.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// At every instant, of one object.
    Always {
        /// Of these kinds.
        kinds: &'static [Kind],
        /// The checker of one object.
        watch: Watch,
    },
    /// At every instant, of the whole cluster.
    Throughout(WatchAll),
    /// Of the whole cluster, once nothing is left to happen.
    AtRest(fn(&Simulation) -> Vec<Violation>),
}

/// Makes the checker of one object. The duration is how long a control plane with delays may still act on what was true
/// before.
pub type Watch = fn(&Target, SimDuration) -> Box<dyn Invariant>;

/// Makes the checker of a cluster. The duration is as for [`Watch`].
pub type WatchAll = fn(SimDuration) -> Box<dyn Invariant>;

impl Named {
    /// How a cluster is watched, if the invariant is about whole clusters.
    pub(super) const fn watch_all(&self) -> Option<WatchAll> {
        match self.holds {
            Holds::Throughout(watch) => Some(watch),
            _ => None,
        }
    }

    /// How an object of that kind is watched, if the invariant is about such.
    pub(super) fn watch_of(&self, kind: Kind) -> Option<Watch> {
        match self.holds {
            Holds::Always { kinds, watch } if kinds.contains(&kind) => Some(watch),
            _ => None,
        }
    }
}

/// Every invariant.
pub const CATALOGUE: &[Named] = &[
    always("maxSurge", &[Kind::Deployment, Kind::DaemonSet], |of, window| match of.kind {
        Kind::DaemonSet => Box::new(DaemonMaxSurge::within(of.key.clone(), window)),
        _ => Box::new(MaxSurge::within(of.key.clone(), window)),
    }),
    always("maxUnavailable", &[Kind::Deployment, Kind::DaemonSet], |of, window| match of.kind {
        Kind::DaemonSet => Box::new(DaemonMaxUnavailable::within(of.key.clone(), window)),
        _ => Box::new(MaxUnavailable::within(of.key.clone(), window)),
    }),
    always("scaleInOrder", &[Kind::ReplicaSet, Kind::ReplicationController], |of, window| {
        Box::new(ScaleInOrder::within(of.clone(), window))
    }),
    always("orderedPods", &[Kind::StatefulSet], |of, window| Box::new(OrderedPods::within(of.key.clone(), window))),
    always("onePodPerOrdinal", &[Kind::StatefulSet], |of, _| Box::new(OnePodPerOrdinal::of(of.key.clone()))),
    always("atMostOne", &[Kind::StatefulSet], |of, _| Box::new(AtMostOne::of(of.key.clone()))),
    always("onePodPerNode", &[Kind::DaemonSet], |of, window| Box::new(OnePodPerNode::within(of.key.clone(), window))),
    always("daemonPlacement", &[Kind::DaemonSet], |of, window| {
        Box::new(DaemonPlacement::within(of.key.clone(), window))
    }),
    always("noOverlap", &[Kind::CronJob], |of, window| Box::new(NoOverlap::within(of.key.clone(), window))),
    always("completions", &[Kind::Job], |of, window| Box::new(JobCompletions::within(of.key.clone(), window))),
    at_rest("jobCounts", super::job_counts),
    always("claimKept", &[Kind::PersistentVolumeClaim], |of, _| Box::new(ClaimKept::of(of.key.clone()))),
    always("budgetKept", &[Kind::PodDisruptionBudget], |of, window| {
        Box::new(BudgetKept::within(of.key.clone(), window))
    }),
    always("hpaBounds", &[Kind::HorizontalPodAutoscaler], |of, window| {
        Box::new(HpaBounds::within(of.key.clone(), window))
    }),
    throughout("taintEviction", |window| Box::new(TaintEviction::within(window))),
    throughout("zoneEvictionRate", |window| Box::new(ZoneEvictionRate::within(window))),
    throughout("noOvercommit", |window| Box::new(NoOvercommit::within(window))),
    throughout("antiAffinity", |window| Box::new(AntiAffinity::within(window))),
    throughout("topologySpread", |_| Box::new(TopologySpread::new())),
    at_rest("replicaConservation", super::replica_conservation),
    at_rest("daemonCoverage", super::daemon_coverage),
    at_rest("endpointsReady", super::endpoints_ready),
    at_rest("podsScheduled", super::pods_scheduled),
    at_rest("budgetStatus", super::budget_status),
    at_rest("noOrphan", super::no_orphan),
    at_rest("noStuckFinalizer", super::no_stuck_finalizer),
    at_rest("observedGeneration", super::observed_generation),
    at_rest("quiescence", super::quiescence),
    at_rest("settled", |sim| super::settled(sim).err().map(|violations| violations.0).unwrap_or_default()),
];

const fn always(name: &'static str, kinds: &'static [Kind], watch: Watch) -> Named {
    Named { name, holds: Holds::Always { kinds, watch } }
}

const fn throughout(name: &'static str, watch: WatchAll) -> Named {
    Named { name, holds: Holds::Throughout(watch) }
}

const fn at_rest(name: &'static str, check: fn(&Simulation) -> Vec<Violation>) -> Named {
    Named { name, holds: Holds::AtRest(check) }
}
