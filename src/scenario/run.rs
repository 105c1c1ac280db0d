//! Runs a scenario.

use std::fmt;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::api::ApiError;
use crate::controllers::PodGcConfig;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::Timestamp;
use crate::sim::{RecordMode, SimError, Simulation, StepRecord};

use super::error::{Problem, ScenarioError};
use super::expectation::{Verdict, Watch};
use super::expression::Memory;
use super::extensions::{Extensions, ExtraWatches};
use super::measure::{Measured, Meter};
use super::schema::{Manifest, Scenario, Step, Trigger};
use super::steps::answer;

/// How a scenario is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Another seed than the file's.
    pub seed: Option<u64>,
    /// Another wall-clock time at the start than the file's.
    pub epoch: Option<Timestamp>,
    /// How much is recorded.
    pub record: RecordMode,
    /// Stop at this virtual time instead of the scenario's end.
    pub until: Option<SimDuration>,
    /// Whether components record Events although nothing is recorded.
    pub events: bool,
    /// Whether what every node's proxy has programmed is kept although nobody sends requests, for explanations of ways.
    pub keep_rules: bool,
    /// Stop after that many events of the simulation; default [`DEFAULT_MAX_EVENTS`].
    pub max_events: Option<u64>,
    /// Stop at the first expectation that is broken. What is not decided by then has no verdict.
    pub fail_fast: bool,
    /// Controllers and invariants of your own.
    pub extensions: Extensions,
}

/// Events after which a run stops unless told otherwise, so that no scenario runs for ever: some 10 seconds' work.
pub const DEFAULT_MAX_EVENTS: u64 = 10_000_000;

/// A longer quiet is one in which nodes report, again and again, that nothing has changed.
const LONG_QUIET: SimDuration = SimDuration::from_mins(15);

/// Requests that take as long as an event, about.
const REQUESTS_PER_EVENT: u64 = 20;

/// Pods that a cluster of Kubernetes is made for; a run with more of them stops.
const MAX_PODS: usize = 150_000;

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// The cluster at the end, with the recording.
    pub simulation: Simulation,
    /// What became of each step, in order.
    pub steps: Vec<StepOutcome>,
    /// What became of each expectation, in order (with [`RunOptions::fail_fast`], of those that were decided); behind them, what
    /// [`Extensions`] found broken.
    pub verdicts: Vec<Verdict>,
    /// What was measured, in order; nothing of what never came.
    pub measured: Vec<(String, Option<Measured>)>,
    /// What was taken but is not simulated.
    pub notices: Vec<String>,
}

/// What became of a step of [`Scenario::steps`].
#[derive(Clone, Debug, Default)]
pub struct StepOutcome {
    /// When it was taken; `None` = its condition never held.
    pub at: Option<SimTime>,
    /// What was refused, if anything.
    pub error: Option<SimError>,
}

impl Run {
    /// Whether the run came to its end and every expectation held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.stopped().is_none() && self.verdicts.iter().all(Verdict::held)
    }

    /// Why the run stopped before its end, if it did.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        let sim = &self.simulation;
        if sim.view().pods.len() > MAX_PODS {
            let busiest = sim.livelock().map(|livelock| format!(": {}", livelock.busiest.join(", ")));
            return Some(format!(
                "there were more than {MAX_PODS} pods at {}{}",
                sim.now(),
                busiest.unwrap_or_default()
            ));
        }
        if let Some(livelock) = sim.livelock() {
            return Some(livelock.to_string());
        }
        if let Some(why) = sim.traffic_exhausted() {
            return Some(format!("{why} at {}", sim.now()));
        }
        let exhausted = sim.is_exhausted();
        exhausted.then(|| format!("the {} events that it may have were used up at {}", sim.events(), sim.now()))
    }
}

impl Scenario {
    /// Runs the scenario to its end.
    ///
    /// # Errors
    /// If the cluster cannot be set up: a node or a manifest that the API server refuses. A step that is refused does
    /// not end the run: it is told in [`Run::steps`].
    pub fn run(&self, options: &RunOptions) -> Result<Run, ScenarioError> {
        self.run_observed(options, |_| {})
    }

    /// Runs the scenario to its end, and shows the simulation after every event that changed an object.
    ///
    /// ```
    /// use seatrial::scenario::{RunOptions, Scenario};
    ///
    /// let text = "{apiVersion: seatrial.dev/v1, kind: Scenario, metadata: {name: t}, spec: {duration: 1m, nodes: [{name: w}]}}";
    /// let mut looks = 0;
    /// let run = Scenario::read("t.yaml", text)?.run_observed(&RunOptions::default(), |_| looks += 1)?;
    /// assert!(looks > 0 && run.held());
    /// # Ok::<(), seatrial::scenario::ScenarioError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Scenario::run`].
    pub fn run_observed(
        &self,
        options: &RunOptions,
        mut observer: impl FnMut(&Simulation),
    ) -> Result<Run, ScenarioError> {
        let mut session = self.begin(options)?;
        session.runner.end = SimTime::ZERO + options.until.unwrap_or(self.duration).min(self.duration);
        session.runner.settle = self.settle;
        session.runner.run(&mut session.sim, &mut observer);
        Ok(session.finish())
    }

    /// Sets the cluster up, and leaves it to the caller how time passes. The scenario's steps, faults and expectations take place
    /// as it does; its `duration` and `settle` end nothing.
    ///
    /// ```
    /// use seatrial::kernel::SimTime;
    /// use seatrial::scenario::{RunOptions, Scenario};
    ///
    /// let text = "{apiVersion: seatrial.dev/v1, kind: Scenario, metadata: {name: t}, spec: {duration: 1m, nodes: [{name: w}]}}";
    /// let scenario = Scenario::read("t.yaml", text)?;
    /// let mut session = scenario.begin(&RunOptions::default())?;
    /// session.advance_to(SimTime::from_secs(5));
    /// session.simulation_mut().cordon("w", true).expect("there is such a node");
    /// session.advance_to(SimTime::from_mins(10));
    /// assert!(session.finish().held());
    /// # Ok::<(), seatrial::scenario::ScenarioError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Scenario::run`].
    pub fn begin(&self, options: &RunOptions) -> Result<Session<'_>, ScenarioError> {
        let mut sim = self.start(options)?;
        let mut notices = self.notices.clone();
        let applied = self.steps.iter().flat_map(|step| step.verb.manifests());
        let documents = self.manifests.iter().chain(applied).map(|manifest| &manifest.document);
        notices.extend(super::notices::about(documents.clone()));
        let dns = self.network.as_ref().map(|network| network.dns.cluster_dns()).unwrap_or_default();
        notices.extend(super::notices::about_traffic(&self.clients, &dns, documents.clone()));
        let asked: Vec<Value> = self.steps.iter().map(|step| step.verb.args()).collect();
        let static_pods = self.nodes.iter().flat_map(|node| &node.static_pods);
        let images = documents.map(|document| &document.value).chain(&asked).chain(static_pods);
        notices.extend(super::notices::about_images(&self.containers, images));
        self.apply_manifests(&mut sim)?;
        let slack = if self.delays.watch.is_zero() { SimDuration::ZERO } else { SimDuration::from_secs(2) };
        let watches = self.expectations.iter().map(|e| Watch::new(e.clone(), slack)).collect();
        let meters = self.measures.iter().map(Meter::new).collect();
        let steps = Agenda::new(&self.steps);
        let extra = options.extensions.watches();
        let fail_fast = options.fail_fast;
        let runner = Runner { steps, watches, extra, meters, end: SimTime::ZERO, settle: None, fail_fast };
        Ok(Session { sim, runner, notices })
    }

    fn start(&self, options: &RunOptions) -> Result<Simulation, ScenarioError> {
        let mut builder = Simulation::builder()
            .seed(options.seed.unwrap_or(self.seed))
            .epoch(options.epoch.unwrap_or(self.epoch))
            .delays(self.delays.clone())
            .control_plane(self.control_plane)
            .record(options.record)
            .pod_presets(self.pod_presets)
            .in_cloud(self.cloud)
            .load_balancers(self.load_balancers)
            .endpoints_controller(self.endpoints_controller)
            .kubernetes_service(self.kubernetes_service)
            .keep_rules(options.keep_rules)
            .events(options.events || options.record != RecordMode::Off);
        if let Some(terminated_pod_threshold) = self.terminated_pod_gc_threshold {
            builder = builder.pod_gc(PodGcConfig { terminated_pod_threshold, ..PodGcConfig::default() });
        }
        for behaviour in &self.containers {
            builder = builder.behaviour(behaviour.clone());
        }
        for node in &self.nodes {
            builder = builder.node(node.clone());
        }
        builder = builder.autoscaler(self.autoscaler.clone());
        builder = builder.metrics(self.metrics.clone()).horizontal_pod_autoscaler(self.horizontal_pod_autoscaler);
        for group in &self.node_groups {
            builder = builder.node_group(group.clone());
        }
        for client in &self.clients {
            builder = builder.client(client.clone());
        }
        if let Some(network) = &self.network {
            builder = builder.network(network.clone());
        }
        for fault in &self.faults {
            builder = builder.fault(fault.clone());
        }
        let mut sim = options.extensions.apply(builder).build()?;
        let max_events = options.max_events.unwrap_or(DEFAULT_MAX_EVENTS);
        sim.set_limits(max_events, MAX_PODS);
        sim.set_request_limit(max_events.saturating_mul(REQUESTS_PER_EVENT));
        Ok(sim)
    }

    fn apply_manifests(&self, sim: &mut Simulation) -> Result<(), ScenarioError> {
        let (mut problems, mut answers) = (Vec::new(), Vec::new());
        for manifest in &self.manifests {
            let applied = sim.apply_document(&manifest.document);
            answers.push(answer(&manifest.document, &applied));
            if let Err(error) = applied {
                problems.extend(manifest.problems(&error));
            }
        }
        if !problems.is_empty() {
            return Err(ScenarioError::Input(problems));
        }
        if !self.manifests.is_empty() {
            sim.record_step(StepRecord { name: "apply".into(), args: json!({}), result: Value::Array(answers) });
        }
        Ok(())
    }
}

impl Manifest {
    /// A refusal by the API server, with the places in the file that it is about.
    #[must_use]
    pub fn problems(&self, error: &ApiError) -> Vec<Problem> {
        let problem = |path: &str, message: &str| {
            self.excerpt.problem(self.document.locate(path), String::new(), message.to_owned())
        };
        if error.causes.is_empty() {
            // What is not about a field is about the type, the namespace that is not there, or the object as a whole.
            let kind_help = || self.document.notice.as_ref().and_then(|kind| kind.help.clone());
            let (path, help) = match error.code() {
                400 if self.document.name.is_none() => {
                    ("metadata.generateName", Some("manifests are applied, which needs a `name:`".to_owned()))
                }
                400 => ("apiVersion", kind_help()),
                404 => ("metadata.namespace", None),
                _ => ("metadata.name", None),
            };
            return vec![Problem { help, ..problem(path, &error.message) }];
        }
        error.causes.iter().map(|cause| problem(&cause.field, &cause.text)).collect()
    }
}

/// A scenario under way, from [`Scenario::begin`].
pub struct Session<'a> {
    sim: Simulation,
    runner: Runner<'a>,
    notices: Vec<String>,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("simulation", &self.sim).finish_non_exhaustive()
    }
}

impl Session<'_> {
    /// Lets virtual time pass until `end`.
    pub fn advance_to(&mut self, end: SimTime) {
        self.runner.end = end;
        self.runner.run(&mut self.sim, &mut |_| {});
    }

    /// The cluster now.
    #[must_use]
    pub const fn simulation(&self) -> &Simulation {
        &self.sim
    }

    /// The cluster, to do something to it.
    pub const fn simulation_mut(&mut self) -> &mut Simulation {
        &mut self.sim
    }

    /// What was taken but is not simulated.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Judges the expectations by what happened so far.
    #[must_use]
    pub fn finish(self) -> Run {
        let Self { sim, runner, notices } = self;
        let is_cut_short = runner.has_failed();
        let decided = runner.watches.into_iter().filter(|watch| !is_cut_short || watch.is_decided());
        let verdicts = decided.map(|watch| watch.finish(&sim)).chain(runner.extra.finish(&sim)).collect();
        let measured = runner.meters.into_iter().map(|meter| meter.finish(&sim)).collect();
        Run { simulation: sim, steps: runner.steps.finish(), verdicts, measured, notices }
    }
}

struct Runner<'a> {
    steps: Agenda<'a>,
    watches: Vec<Watch>,
    extra: ExtraWatches,
    meters: Vec<Meter<'a>>,
    end: SimTime,
    settle: Option<SimDuration>,
    fail_fast: bool,
}

impl Runner<'_> {
    fn run(&mut self, sim: &mut Simulation, observer: &mut dyn FnMut(&Simulation)) {
        self.observe(sim, observer);
        loop {
            let Self { steps, watches, extra, .. } = self;
            steps.take_due(sim, |sim| {
                watches.iter_mut().for_each(|watch| watch.observe_promise(sim));
                extra.observe(sim);
            });
            self.observe(sim, observer);
            let next = self.next_stop(sim);
            let interrupted = sim.run_until_with(next, |sim| {
                self.observe(sim, observer);
                let stops = self.has_failed() || self.steps.condition_holds(sim);
                if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if interrupted.is_continue() {
                sim.run_until(next);
                self.watches.iter_mut().for_each(|watch| watch.expire(sim));
            }
            let has_stopped = sim.livelock().is_some() || sim.is_exhausted();
            let is_over = || has_stopped || next >= self.end || self.is_settled(sim);
            if self.has_failed() || interrupted.is_continue() && is_over() {
                return;
            }
        }
    }

    /// Whether something is broken, and the run is to end for that.
    fn has_failed(&self) -> bool {
        self.fail_fast && (self.watches.iter().any(Watch::has_failed) || self.extra.is_broken())
    }

    /// Looks at the cluster after a change.
    fn observe(&mut self, sim: &Simulation, observer: &mut dyn FnMut(&Simulation)) {
        self.watches.iter_mut().for_each(|watch| watch.observe(sim));
        self.extra.observe(sim);
        self.meters.iter_mut().for_each(|meter| meter.observe(sim));
        observer(sim);
    }

    fn next_stop(&self, sim: &Simulation) -> SimTime {
        let step = self.steps.next_time().unwrap_or(self.end);
        let settled = match self.settle {
            Some(quiet) if self.steps.is_done() => quiet_since(sim, quiet) + quiet,
            _ => self.end,
        };
        // An expectation looks when it begins and when it is too late, also when nothing changes then.
        let begins = self.watches.iter().map(Watch::begins).chain(self.meters.iter().map(Meter::begins));
        let begins = begins.chain(self.watches.iter().filter_map(Watch::deadline));
        let begins = begins.filter(|begins| *begins > sim.now());
        // A change may push the settling time on; never stand still.
        step.min(self.end).min(begins.min().unwrap_or(self.end)).min(settled.max(sim.now()))
    }

    fn is_settled(&self, sim: &Simulation) -> bool {
        let quiet = self.settle.is_some_and(|quiet| sim.now() >= quiet_since(sim, quiet) + quiet);
        quiet && self.steps.is_done()
    }
}

/// From when on nothing has changed. A long quiet would never come if the reports that nodes make every five minutes counted; a shorter
/// one takes them for changes.
fn quiet_since(sim: &Simulation, quiet: SimDuration) -> SimTime {
    if quiet > LONG_QUIET { sim.last_news() } else { sim.last_change() }
}

/// Steps that are still to be taken, and what became of the others.
struct Agenda<'a> {
    steps: &'a [Step],
    /// Indexes of timed steps, by time, later in the file after earlier.
    timed: Vec<usize>,
    taken: usize,
    waiting: Vec<usize>,
    /// Of the objects that conditions ask for, by step.
    memories: Vec<Memory>,
    outcomes: Vec<StepOutcome>,
}

impl<'a> Agenda<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let time = |at: &usize| match steps[*at].trigger {
            Trigger::At(time) => Some(time),
            Trigger::When(_) => None,
        };
        let mut timed: Vec<usize> = (0..steps.len()).filter(|at| time(at).is_some()).collect();
        timed.sort_by_key(time);
        let waiting = (0..steps.len()).filter(|at| time(at).is_none()).collect();
        let memories = vec![Memory::default(); steps.len()];
        Self { steps, timed, taken: 0, waiting, memories, outcomes: vec![StepOutcome::default(); steps.len()] }
    }

    fn next_time(&self) -> Option<SimTime> {
        let step = self.timed.get(self.taken)?;
        match self.steps[*step].trigger {
            Trigger::At(time) => Some(SimTime::ZERO + time),
            Trigger::When(_) => None,
        }
    }

    fn is_done(&self) -> bool {
        self.taken == self.timed.len() && self.waiting.is_empty()
    }

    fn condition_holds(&mut self, sim: &Simulation) -> bool {
        self.first_due(sim).is_some()
    }

    /// The place among those that wait of the first whose condition holds.
    fn first_due(&mut self, sim: &Simulation) -> Option<usize> {
        let Self { steps, waiting, memories, .. } = self;
        waiting.iter().position(|at| match &steps[*at].trigger {
            Trigger::At(time) => SimTime::ZERO + *time <= sim.now(),
            Trigger::When(condition) => condition.holds_now(sim, &mut memories[*at]),
        })
    }

    /// Takes what is due. Promises are looked at after each step: what one deletes the next one evicts no more.
    fn take_due(&mut self, sim: &mut Simulation, mut after_each: impl FnMut(&Simulation)) {
        while self.next_time().is_some_and(|time| time <= sim.now()) {
            let at = self.timed[self.taken];
            self.taken += 1;
            self.take(at, sim);
            after_each(sim);
        }
        while let Some(place) = self.first_due(sim) {
            let at = self.waiting.remove(place);
            self.take(at, sim);
            after_each(sim);
        }
    }

    fn take(&mut self, at: usize, sim: &mut Simulation) {
        let verb = &self.steps[at].verb;
        let performed = verb.perform(sim);
        let outcome = &mut self.outcomes[at];
        outcome.at = Some(sim.now());
        outcome.error = performed.error;
        sim.record_step(StepRecord { name: verb.name().to_owned(), args: verb.args(), result: performed.answer });
    }

    fn finish(self) -> Vec<StepOutcome> {
        self.outcomes
    }
}
