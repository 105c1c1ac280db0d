//! The namespace controller: empties namespaces that are being deleted, and lets go of them (upstream
//! `pkg/controller/namespace`).

mod conditions;
mod content;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{
    Change, ChangeType, Context, Enqueue, KindSet, Part, RateLimit, Reconciler, Request, Response, Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, Namespace, Object, Typed, WallTime};

use content::{Batch, Tally};

/// Finalizer of the content of a namespace.
pub const CONTENT: &str = "kubernetes";

/// Wait before a namespace is emptied, so that all API servers have seen its deletion.
const DELETION_GRACE: SimDuration = SimDuration::from_secs(5);

/// The namespace controller.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::NamespaceController;
/// assert_eq!(NamespaceController::default().name(), "namespace-controller");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NamespaceController {
    _private: (),
}

/// What a sync waits for.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Deletions of pods.
    Pods(Batch),
    /// Deletions of all else.
    Rest(Tally, Batch),
    /// The new conditions; then this.
    Reporting(Outcome),
    /// The removal of the finalizer.
    Finalizing,
}

/// How a sync ends.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Nothing is left.
    Empty,
    /// Something is left that goes by itself.
    Wait(SimDuration),
    /// Something failed.
    Failed(String),
}

impl Reconciler for NamespaceController {
    type State = Stage;

    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    /// A namespace is tried again after a minute at the latest.
    fn rate_limit(&self) -> RateLimit {
        RateLimit { max: SimDuration::from_secs(60), ..RateLimit::DEFAULT }
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Namespace])
    }

    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((_, namespace)) = change.of::<Namespace>()
            && change.change_type != ChangeType::Deleted
            && namespace.meta.is_deleting()
        {
            queue.add_after(change.object.key(), DELETION_GRACE);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Stage> {
        let Some(namespace) = waiting(cx.view, key) else { return Step::done() };
        let (batch, requests) = Batch::pods(cx.view, namespace, cx.now);
        match requests.is_empty() {
            true => empty_the_rest(cx, namespace, Tally::default()),
            false => Step::call(requests, Stage::Pods(batch)),
        }
    }

    fn resume(&mut self, cx: Context<'_>, key: &Key, stage: Stage, responses: Vec<Response>) -> Step<Stage> {
        let Some(namespace) = waiting(cx.view, key) else { return Step::done() };
        match stage {
            Stage::Pods(batch) => {
                let mut tally = Tally::default();
                tally.add(&namespace.meta.name, batch, responses);
                // All else keeps until the pods are gone. Upstream says nothing of them in its conditions here.
                if tally.is_clear() {
                    empty_the_rest(cx, namespace, tally)
                } else {
                    report(cx, namespace, &tally, false)
                }
            }
            Stage::Rest(mut tally, batch) => {
                tally.add(&namespace.meta.name, batch, responses);
                report(cx, namespace, &tally, true)
            }
            Stage::Reporting(outcome) => {
                // Conditions are not worth a retry.
                let stored = responses.into_iter().flatten().next();
                let stored = stored.as_ref().and_then(Namespace::unwrap).unwrap_or(namespace);
                conclude(stored, outcome)
            }
            Stage::Finalizing => {
                match responses.into_iter().filter_map(Result::err).find(|error| !error.is_not_found()) {
                    Some(error) => Step::retry(error.message),
                    None => Step::done(),
                }
            }
        }
    }
}

/// The namespace, if it is being deleted and not let go of yet.
fn waiting<'a>(view: &'a View, key: &Key) -> Option<&'a Arc<Namespace>> {
    view.namespaces.get(key).filter(|namespace| namespace.meta.is_deleting() && !namespace.finalizers.is_empty())
}

fn empty_the_rest(cx: Context<'_>, namespace: &Arc<Namespace>, tally: Tally) -> Step<Stage> {
    let (batch, requests) = Batch::rest(cx.view, namespace);
    match requests.is_empty() {
        true => report(cx, namespace, &tally, true),
        false => Step::call(requests, Stage::Rest(tally, batch)),
    }
}

/// Writes what was found into the conditions, if that is news, and ends the sync.
fn report(cx: Context<'_>, namespace: &Arc<Namespace>, tally: &Tally, totals: bool) -> Step<Stage> {
    let outcome = tally.outcome();
    let failing = conditions::failing(tally, totals);
    let phase_is_right = namespace.phase == *"Terminating";
    let changed = conditions::changed(&namespace.conditions, failing, cx.now.timestamp());
    if changed.is_none() && phase_is_right {
        return conclude(namespace, outcome);
    }
    let mut new = Namespace::clone(namespace);
    new.phase = "Terminating".into();
    new.conditions = changed.unwrap_or(new.conditions);
    Step::call(vec![Request::Update(Object::from(new), Part::Status)], Stage::Reporting(outcome))
}

fn conclude(namespace: &Namespace, outcome: Outcome) -> Step<Stage> {
    match outcome {
        Outcome::Empty => {
            let mut finalized = namespace.clone();
            finalized.meta.resource_version = 0;
            let others = namespace.finalizers.iter().filter(|finalizer| &***finalizer != CONTENT);
            finalized.finalizers = others.cloned().collect();
            Step::call(vec![Request::Update(Object::from(finalized), Part::Finalize)], Stage::Finalizing)
        }
        Outcome::Wait(delay) => Step::done().requeue_after(delay),
        Outcome::Failed(why) => Step::retry(why),
    }
}
