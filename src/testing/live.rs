//! The state machine of a live cluster: what users do and what befalls it, one transition after the other, against a model of what was
//! promised.

use std::fmt::Debug;
use std::marker::PhantomData;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use serde_json::{Value, json};

use super::case::Case;
use super::cases::Cases;
use super::faults::Fault;
use super::steps::Step;
use super::workloads::{BROKEN_IMAGE, Workload, WorkloadKind};
use crate::invariants::{self, Always};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::Object;
use crate::report::story_before;
use crate::scenario::{Extensions, RunOptions, Scenario, Verb};
use crate::sim::{RecordMode, Simulation, Target};

/// How long the way to rest may take at the end.
const LIMIT: SimDuration = SimDuration::from_hours(2);
/// Longer than the longest timer that may be left.
const PATIENCE: SimDuration = SimDuration::from_mins(16);
/// Lines of a story.
const STORY_LINES: usize = 24;

/// What a live cluster is made of, and what is watched.
pub trait Setup: Clone + Debug + 'static {
    /// Sizes, workloads, faults and steps of your own; the number of steps is that of the state machine.
    #[must_use]
    fn cases() -> Cases {
        Cases::new()
    }

    /// Controllers of your own.
    #[must_use]
    fn extensions() -> Extensions {
        Extensions::new()
    }

    /// What must hold at every instant.
    #[must_use]
    fn invariants() -> Always {
        Always::for_every_workload()
    }
}

/// Every kind of workload, and the invariants of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Standard;

impl Setup for Standard {}

/// The reference model: what was promised, by what users asked for last.
#[derive(Clone, Debug)]
pub struct Promised {
    case: Case,
    workloads: Vec<PromisedWorkload>,
}

/// What the API server must say of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PromisedWorkload {
    exists: bool,
    replicas: Option<i32>,
    /// `None`: it depends on the history of rollouts.
    image: Option<String>,
}

impl PromisedWorkload {
    fn at_first(case: &Case, number: usize) -> Self {
        let workload = &case.workloads[number];
        let replicas = keeps_replicas(workload).then(|| i32::from(workload.replicas));
        Self { exists: true, replicas, image: rolls(workload.kind).then(|| "app:v0".to_owned()) }
    }
}

/// Whether nobody but users sets the replicas.
const fn keeps_replicas(workload: &Workload) -> bool {
    workload.kind.scales() && workload.autoscaler.is_none()
}

const fn rolls(kind: WorkloadKind) -> bool {
    matches!(kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet)
}

impl Promised {
    /// The workload that a step names, counted round and round.
    fn number(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.workloads.len())
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut PromisedWorkload, &Workload)) {
        let Some(number) = self.number(number) else { return };
        change(&mut self.workloads[number], &self.case.workloads[number]);
    }

    fn exists(&self, number: usize) -> bool {
        self.number(number).is_some_and(|number| self.workloads[number].exists)
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Scale(number, replicas) => self.change(*number, |promised, workload| {
                if keeps_replicas(workload) {
                    promised.replicas = Some(*replicas);
                }
            }),
            Step::SetImage(number, version) => self.change(*number, |promised, workload| {
                if rolls(workload.kind) {
                    let version = format!("app:v{version}");
                    promised.image = Some(if version == "app:v0" { BROKEN_IMAGE.to_owned() } else { version });
                }
            }),
            Step::Undo(number) => self.change(*number, |promised, _| promised.image = None),
            Step::Delete(number, _) => self.change(*number, |promised, _| promised.exists = false),
            Step::Apply(number) => {
                if let Some(number) = self.number(*number) {
                    self.workloads[number] = PromisedWorkload::at_first(&self.case, number);
                }
            }
            _ => {}
        }
        self.case.steps.push(step.clone());
    }
}

/// The model of a [`LiveCluster`].
#[derive(Clone, Copy, Debug)]
pub struct PromisedCluster<S>(PhantomData<S>);

impl<S: Setup> ReferenceStateMachine for PromisedCluster<S> {
    type State = Promised;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Promised> {
        let start = |case: Case| {
            let workloads = (0..case.workloads.len()).map(|number| PromisedWorkload::at_first(&case, number)).collect();
            Promised { case, workloads }
        };
        S::cases().steps(0..=0).mishaps(false).strategy().prop_map(start).boxed()
    }

    fn transitions(_: &Promised) -> BoxedStrategy<Step> {
        S::cases().step()
    }

    fn apply(mut state: Promised, transition: &Step) -> Promised {
        state.take(transition);
        state
    }

    /// What is not there is not changed, and what is there is not made again.
    fn preconditions(state: &Promised, transition: &Step) -> bool {
        match transition {
            Step::Scale(number, _)
            | Step::SetImage(number, _)
            | Step::Undo(number)
            | Step::Restart(number)
            | Step::Pause(number)
            | Step::Resume(number)
            | Step::Bounds(number, ..)
            | Step::Delete(number, _) => state.exists(*number),
            // One that is still going cannot be made again; and what nobody answers is not promised.
            Step::Apply(_) | Step::Fault(Fault::ApiServerOutage { .. }) => false,
            _ => true,
        }
    }
}

/// A live cluster under test by [`proptest_state_machine`]. Invariants are watched throughout; after every transition the API server
/// says what was promised; at the end, when every fault is over, the cluster comes to rest as it should. A failure tells what
/// happened and has the scenario.
///
/// ```
/// use proptest::test_runner::Config;
/// use proptest_state_machine::prop_state_machine;
/// use seatrial::testing::{Cases, LiveCluster, Setup, WorkloadKind};
///
/// #[derive(Clone, Debug)]
/// struct Rollouts;
///
/// impl Setup for Rollouts {
///     fn cases() -> Cases {
///         Cases::new().kinds(&[WorkloadKind::Deployment]).workloads(1..=2)
///     }
/// }
///
/// prop_state_machine! {
///     #![proptest_config(Config { cases: 8, ..Config::default() })]
///     # /*
///     #[test]
///     # */
///     fn live_rollouts_keep_their_promises(sequential 1..8 => LiveCluster<Rollouts>);
/// }
/// # live_rollouts_keep_their_promises();
/// ```
#[derive(Debug)]
pub struct LiveCluster<S> {
    sim: Simulation,
    promises: Always,
    setup: PhantomData<S>,
}

/// A verb as a scenario has it.
fn read(verb: &Value) -> Verb {
    let mut step = verb.clone();
    step["at"] = "0s".into();
    let spec = json!({"duration": "1s", "steps": [step]});
    let scenario =
        json!({"apiVersion": "seatrial.dev/v1", "kind": "Scenario", "metadata": {"name": "step"}, "spec": spec});
    let mut read = Scenario::read("step.yaml", &scenario.to_string()).unwrap_or_else(|error| panic!("{error}\n{verb}"));
    read.steps.remove(0).verb
}

impl<S: Setup> LiveCluster<S> {
    /// Everything that happened, and the scenario of what was done.
    fn fail(&self, reference: &Promised, why: &str) -> ! {
        let story = story_before(self.sim.recording(), SimTime::MAX, STORY_LINES);
        panic!("{why}\n\nwhat happened until then:\n{story}\nThe scenario:\n{}", reference.case.to_yaml())
    }

    fn run(&mut self, reference: &Promised, duration: SimDuration) {
        let end = self.sim.now() + duration;
        if let Err(violation) = self.promises.run(&mut self.sim, end) {
            self.fail(reference, &violation.to_string());
        }
    }

    /// What the API server says of a workload, against what was promised.
    fn compare(&self, reference: &Promised) -> Result<(), String> {
        for (number, (workload, promised)) in reference.case.workloads.iter().zip(&reference.workloads).enumerate() {
            let Ok(target) = workload.target(number).parse::<Target>() else { continue };
            let found = self.sim.view().object(target.kind, &target.key);
            let found = found.filter(|object| !object.meta().is_deleting());
            let is_pod = workload.kind == WorkloadKind::Pod;
            match found {
                // Nobody keeps a pod without a controller.
                None if promised.exists && !is_pod => return Err(format!("promised {target}, but it is not there")),
                Some(_) if !promised.exists => return Err(format!("{target} was deleted, and is there")),
                Some(object) => said(&object, promised).map_err(|why| format!("{target} {why}"))?,
                None => {}
            }
        }
        Ok(())
    }

    fn rest(&mut self, reference: &Promised) {
        for verb in reference.case.remedies() {
            // A refusal means that there is nothing to mend.
            drop(read(&verb).carry_out(&mut self.sim));
        }
        let end = self.sim.now() + LIMIT;
        while !self.sim.is_quiescent() && self.sim.now() < self.sim.last_news() + PATIENCE {
            if self.sim.now() >= end {
                self.fail(reference, "the cluster does not come to rest");
            }
            self.run(reference, SimDuration::from_secs(30));
        }
        if let Err(violations) = invariants::settled(&self.sim) {
            self.fail(reference, &violations.to_string());
        }
        let more = [invariants::endpoints_ready, invariants::pods_scheduled, invariants::budget_status];
        if let Some(violation) = more.iter().flat_map(|check| check(&self.sim)).next() {
            self.fail(reference, &violation.to_string());
        }
    }
}

/// Whether an object is as was promised.
fn said(object: &Object, promised: &PromisedWorkload) -> Result<(), String> {
    let wire = object.to_wire();
    let replicas = wire["spec"]["replicas"].as_i64();
    if let Some(wanted) = promised.replicas.filter(|wanted| replicas != Some(i64::from(*wanted))) {
        return Err(format!("was scaled to {wanted}, but asks for {replicas:?}"));
    }
    let image = wire.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    match promised.image.as_deref() {
        Some(wanted) if image != Some(wanted) => Err(format!("got the image {wanted}, but has {image:?}")),
        _ => Ok(()),
    }
}

impl<S: Setup> StateMachineTest for LiveCluster<S> {
    type SystemUnderTest = Self;
    type Reference = PromisedCluster<S>;

    fn init_test(reference: &Promised) -> Self {
        let yaml = reference.case.to_yaml();
        let options = RunOptions {
            record: RecordMode::Full,
            until: Some(SimDuration::ZERO),
            extensions: S::extensions(),
            ..RunOptions::default()
        };
        let run = Scenario::read("case.yaml", &yaml).and_then(|scenario| scenario.run(&options));
        let run = run.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        Self { sim: run.simulation, promises: S::invariants(), setup: PhantomData }
    }

    fn apply(mut live: Self, reference: &Promised, transition: Step) -> Self {
        let passes =
            if let Step::Wait { secs } = transition { SimDuration::from_secs(secs) } else { SimDuration::ZERO };
        if let Some(verb) = transition.verb(reference.case.about()) {
            // A refusal is part of the game.
            drop(read(&verb).carry_out(&mut live.sim));
        }
        live.run(reference, passes);
        live
    }

    fn check_invariants(live: &Self, reference: &Promised) {
        if let Err(why) = live.compare(reference) {
            live.fail(reference, &why);
        }
    }

    fn teardown(mut live: Self, reference: Promised) {
        live.rest(&reference);
        Self::check_invariants(&live, &reference);
    }
}
