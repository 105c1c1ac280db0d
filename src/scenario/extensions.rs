//! What a run has that a scenario file cannot say: controllers, plugins and invariants of a user's own.

use std::fmt;
use std::sync::Arc;

use crate::api::Reconciler;
use crate::invariants::{Always, Invariant, Violation};
use crate::kernel::SimTime;
use crate::sim::{Simulation, SimulationBuilder};

use super::expectation::{Outcome, Verdict};
use super::expression::Expression;

type Build = dyn Fn(SimulationBuilder) -> SimulationBuilder + Send + Sync;
type Watch = dyn Fn() -> Box<dyn Invariant> + Send + Sync;

/// What a run has beside its scenario.
///
/// ```
/// use seatrial::invariants::{Invariant, Violation};
/// use seatrial::scenario::{Extensions, RunOptions, Scenario};
/// use seatrial::sim::Simulation;
///
/// #[derive(Debug)]
/// struct AtMostTwoPods;
///
/// impl Invariant for AtMostTwoPods {
///     fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
///         let pods = sim.view().pods.len();
///         if pods <= 2 { Ok(()) } else { Err(Violation::new("atMostTwoPods", sim, format!("there are {pods}"))) }
///     }
/// }
///
/// let text = "
/// apiVersion: seatrial.dev/v1
/// kind: Scenario
/// metadata: {name: three}
/// spec:
///   duration: 1m
///   nodes: [{name: worker}]
///   objects: |
///     {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: {replicas: 3, selector: {matchLabels: {app: web}},
///       template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: web}]}}}}
/// ";
/// let extensions = Extensions::new().invariant(|| AtMostTwoPods);
/// let run = Scenario::read("three.yaml", text)?.run(&RunOptions { extensions, ..RunOptions::default() })?;
/// assert_eq!(run.verdicts[0].expectation, "always: atMostTwoPods");
/// assert!(!run.held());
/// # Ok::<(), seatrial::scenario::ScenarioError>(())
/// ```
#[derive(Clone, Default)]
pub struct Extensions {
    build: Vec<Arc<Build>>,
    watch: Vec<Arc<Watch>>,
    every_workload: bool,
}

impl Extensions {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A controller of your own, as by [`SimulationBuilder::controller`].
    #[must_use]
    pub fn controller(self, controller: impl Reconciler) -> Self {
        self.cluster(move |builder| builder.controller(controller.clone()))
    }

    /// Anything else that the cluster is built with, such as a plugin of the scheduler.
    #[must_use]
    pub fn cluster(mut self, build: impl Fn(SimulationBuilder) -> SimulationBuilder + Send + Sync + 'static) -> Self {
        self.build.push(Arc::new(build));
        self
    }

    /// An invariant of your own, made anew for every run. Its first violation makes a failed verdict `always: NAME`, with the name
    /// that the violation has.
    #[must_use]
    pub fn invariant<I: Invariant + 'static>(mut self, watch: impl Fn() -> I + Send + Sync + 'static) -> Self {
        self.watch.push(Arc::new(move || Box::new(watch())));
        self
    }

    /// Watches every invariant of the catalogue that holds over time, of every object that there is or will be
    /// ([`Always::for_every_workload`]). The first violation makes a failed verdict, such as `always: maxSurge(deployment/web)`.
    #[must_use]
    pub const fn every_workload(mut self) -> Self {
        self.every_workload = true;
        self
    }

    /// Whether a run has anything that the command `seatrial run` cannot give it.
    #[must_use]
    pub fn needs_library(&self) -> bool {
        !self.build.is_empty() || !self.watch.is_empty()
    }

    pub(super) fn apply(&self, builder: SimulationBuilder) -> SimulationBuilder {
        self.build.iter().fold(builder, |builder, build| build(builder))
    }

    pub(super) fn watches(&self) -> ExtraWatches {
        let own = self.watch.iter().map(|watch| Some(watch())).collect();
        ExtraWatches { own, always: self.every_workload.then(Always::for_every_workload), broken: Vec::new() }
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { build, watch, every_workload } = self;
        f.debug_struct("Extensions")
            .field("build", &build.len())
            .field("watch", &watch.len())
            .field("every_workload", every_workload)
            .finish()
    }
}

/// The invariants that a run watches beside the scenario's expectations. Each is done with its first violation.
#[derive(Default)]
pub(super) struct ExtraWatches {
    own: Vec<Option<Box<dyn Invariant>>>,
    always: Option<Always>,
    broken: Vec<(SimTime, Violation)>,
}

impl ExtraWatches {
    pub(super) const fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    pub(super) fn observe(&mut self, sim: &Simulation) {
        for place in &mut self.own {
            if let Some(Err(violation)) = place.as_mut().map(|invariant| invariant.check(sim)) {
                self.broken.push((sim.now(), violation));
                *place = None;
            }
        }
        if let Some(Err(violation)) = self.always.as_mut().map(|always| always.check(sim)) {
            self.broken.push((sim.now(), violation));
            self.always = None;
        }
    }

    pub(super) fn finish(mut self, sim: &Simulation) -> impl Iterator<Item = Verdict> {
        self.observe(sim);
        self.broken.into_iter().map(|(at, violation)| {
            let promise: Option<Expression> = violation.invariant.parse().ok();
            Verdict {
                expectation: format!("always: {}", violation.invariant),
                written: None,
                about: promise.map(|promise| promise.subjects()).unwrap_or_default(),
                outcome: Outcome::Failed { at, why: violation.story, parts: Vec::new() },
            }
        })
    }
}
