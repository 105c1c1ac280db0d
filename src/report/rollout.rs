//! `rollout status` and `rollout history` (upstream `kubectl/pkg/polymorphichelpers`, `kubectl/pkg/cmd/rollout`).

use std::ops::ControlFlow;

use crate::api::{Change, ChangeType};
use crate::controllers::deployment::kubectl as deployment;
use crate::controllers::history::kubectl::Workload;
use crate::controllers::{daemon_set, stateful_set};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::Object;
use crate::sim::{Simulation, Target};

use super::describe::tabs::TabWriter;
use super::describe::template::pod_template;
use super::replay::Replay;

/// How the status of a rollout is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutOptions {
    /// From this instant on.
    pub from: SimTime,
    /// Whether to wait until the rollout is done. Waiting needs a run that was recorded in full.
    pub watch: bool,
    /// How long to wait at most; `None` = until the run ends.
    pub timeout: Option<SimDuration>,
    /// The revision that must be the running one, 0 = any. Only of Deployments.
    pub revision: i64,
}

impl Default for RolloutOptions {
    fn default() -> Self {
        Self { from: SimTime::ZERO, watch: true, timeout: None, revision: 0 }
    }
}

/// What `rollout status` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutStatus {
    /// Its messages, a line each.
    pub messages: Vec<String>,
    /// When the rollout was done, or else why the wait for it ended, in kubectl's words.
    pub end: Result<SimTime, String>,
}

/// Waits for a rollout as `kubectl rollout status` does, and tells the messages on the way.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::{RolloutOptions, rollout_status};
/// use seatrial::sim::{Delays, RecordMode, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::realistic()).record(RecordMode::Full).nodes(3).build()?;
/// sim.apply(include_str!("../../scenarios/manifests/web.yaml"))?;
/// sim.run_for(SimDuration::from_mins(1));
/// let status = rollout_status(&sim, &"deployment/web".parse()?, RolloutOptions::default());
/// assert_eq!(status.messages.last().map(String::as_str), Some("deployment \"web\" successfully rolled out"));
/// assert!(status.end.is_ok());
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn rollout_status(sim: &Simulation, target: &Target, options: RolloutOptions) -> RolloutStatus {
    let mut replay = Replay::of(sim);
    replay.advance_to(options.from);
    let mut told = RolloutStatus { messages: Vec::new(), end: Err(String::new()) };
    let Some(object) = replay.view().object(target.kind, &target.key) else {
        let (resource, name) = (target.kind.resource(), &*target.key.name);
        told.end = Err(format!("Error from server (NotFound): {resource} {name:?} not found"));
        return told;
    };
    let until = options.timeout.map_or(sim.now(), |timeout| (options.from + timeout).min(sim.now()));
    match told.look(&object, options.revision) {
        ControlFlow::Break(end) => told.end = end.map(|()| options.from),
        ControlFlow::Continue(()) if !options.watch => told.end = Ok(options.from),
        ControlFlow::Continue(()) => {
            let key = &target.key;
            let followed = replay.follow(until, |replay, change| {
                let is_it = change.kind() == target.kind && change.object.key() == *key;
                let end = if is_it { told.follow(change, options.revision) } else { ControlFlow::Continue(()) };
                end.map_break(|end| end.map(|()| replay.now()))
            });
            told.end = match followed {
                ControlFlow::Break(end) => end,
                ControlFlow::Continue(()) if until < sim.now() => Err("timed out waiting for the condition".to_owned()),
                ControlFlow::Continue(()) => Err(format!("the run ended at {until} before the rollout was complete")),
            };
        }
    }
    told
}

impl RolloutStatus {
    fn follow(&mut self, change: &Change, revision: i64) -> ControlFlow<Result<(), String>> {
        match change.change_type {
            ChangeType::Deleted => ControlFlow::Break(Err("object has been deleted".to_owned())),
            ChangeType::Added | ChangeType::Modified => self.look(&change.object, revision),
        }
    }

    /// Tells where the rollout is; breaks off if it is done, or cannot be.
    fn look(&mut self, object: &Object, revision: i64) -> ControlFlow<Result<(), String>> {
        match status_of(object, revision) {
            Err(why) => ControlFlow::Break(Err(why)),
            Ok((message, done)) => {
                self.messages.push(message);
                if done { ControlFlow::Break(Ok(())) } else { ControlFlow::Continue(()) }
            }
        }
    }
}

pub(super) fn status_of(object: &Object, revision: i64) -> Result<(String, bool), String> {
    match object {
        Object::Deployment(object) => deployment::status(object, revision),
        Object::StatefulSet(set) => stateful_set::kubectl::status(set),
        Object::DaemonSet(set) => daemon_set::kubectl::status(set),
        other => Err(format!("no status viewer has been implemented for {}", other.kind().qualified_kind())),
    }
}

/// The revisions of a workload as `kubectl rollout history` shows them, or the pod template of one of them (0 = all).
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::rollout_history;
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(3).build()?;
/// sim.apply(include_str!("../../scenarios/manifests/web.yaml"))?;
/// sim.run_for(SimDuration::from_mins(1));
/// let web = "deployment/web".parse()?;
/// let history = rollout_history(&sim, &web, 0).expect("a Deployment");
/// assert_eq!(history, "deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n\n");
/// assert!(rollout_history(&sim, &web, 1).expect("a revision").contains("Pod Template:"));
/// assert_eq!(rollout_history(&sim, &web, 7).unwrap_err(), "error: unable to find the specified revision");
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
///
/// # Errors
/// kubectl's words if there is no such object or revision, or the kind has no history.
pub fn rollout_history(sim: &Simulation, target: &Target, revision: i64) -> Result<String, String> {
    if revision < 0 {
        return Err(format!("error: revision must be a positive integer: {revision}"));
    }
    let view = sim.view();
    let object = view.object(target.kind, &target.key).ok_or_else(|| {
        let (resource, name) = (target.kind.resource(), &*target.key.name);
        format!("Error from server (NotFound): {resource} {name:?} not found")
    })?;
    let (history, template) = match &object {
        Object::Deployment(object) => (deployment::history(view, object), deployment::template(view, object, revision)),
        Object::StatefulSet(set) => history_of(Workload::from(&**set), sim, revision),
        Object::DaemonSet(set) => history_of(Workload::from(&**set), sim, revision),
        other => {
            let kind = other.kind().qualified_kind();
            return Err(format!("error: no history viewer has been implemented for {kind:?}"));
        }
    };
    let (singular, group) = (target.kind.as_str().to_lowercase(), target.kind.group());
    let head = format!("{singular}.{group}/{}", target.key.name);
    if revision == 0 {
        return Ok(format!("{head} \n{history}\n"));
    }
    let template = template.ok_or_else(|| "error: unable to find the specified revision".to_owned())?;
    let mut out = TabWriter::default();
    pod_template(&mut out, &template);
    // kubectl does not align this one.
    Ok(format!("{head} with revision #{revision}\n{}\n", out.finish_unaligned()))
}

fn history_of(
    workload: Workload<'_>,
    sim: &Simulation,
    revision: i64,
) -> (String, Option<crate::objects::PodTemplate>) {
    (workload.history(sim.view()), workload.template(sim.view(), revision))
}
