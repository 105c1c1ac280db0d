//! The DaemonSet controller: one pod on every eligible node (upstream `pkg/controller/daemon`).
//!
//! - [`Placement`] says which nodes are eligible and what daemon pods bear;
//! - `node` judges one node: what its pods count for and what is to be done about them;
//! - `ledger` keeps these judgements up to date from change to change;
//! - `plan` decides what a sync does, `sync` carries it out and reports;
//! - `history` keeps the revisions, `backoff` the waits of failed pods;
//! - [`kubectl`] is what `kubectl rollout` computes on its side.

mod backoff;
mod history;
pub mod kubectl;
mod ledger;
mod node;
mod plan;
mod status;
mod sync;
mod template;
#[cfg(test)]
mod tests;
mod triggers;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{
    Change, ChangeType, Context, Enqueue, EventKind, EventSpec, KindSet, Reconciler, Request, Response, Step, View,
};
use crate::controllers::script::{Log, Script};
use crate::objects::{ControllerRevision, DaemonSet, Key, Kind, Node, ObjectReference, Pod, Resource, Uid, WallTime};

use ledger::Ledger;
use sync::{Stage, Sync};
pub use template::{Eligibility, GENERATION_LABEL, Placement, is_updated, target};

/// Keeps one pod of each DaemonSet on every node that is eligible.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::DaemonSetController;
/// assert_eq!(DaemonSetController::new().name(), "daemonset-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct DaemonSetController {
    /// By the DaemonSet's uid. Forks of a run share a ledger until one of them changes it.
    ledgers: FxHashMap<Uid, Arc<Ledger>>,
}

impl DaemonSetController {
    /// A controller that has not seen anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn ledger(&mut self, uid: &Uid) -> Option<&mut Ledger> {
        self.ledgers.get_mut(uid).map(Arc::make_mut)
    }

    /// The picture of a DaemonSet, made from the view if there is none yet.
    fn ledger_of(&mut self, view: &View, set: &DaemonSet) -> &mut Ledger {
        let ledger = self.ledgers.entry(set.meta.uid.clone()).or_insert_with(|| Arc::new(Ledger::new(set, view)));
        if ledger.is_worn() {
            *ledger = Arc::new(ledger.renewed(set, view));
        }
        Arc::make_mut(ledger)
    }
}

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub struct SyncState(State);

#[derive(Clone, Debug)]
enum State {
    History(Reading),
    Sync(Sync, Stage),
}

/// A sync that looks for its revision: what it read at first, and the answers so far.
#[derive(Clone, Debug)]
struct Reading {
    set: Arc<DaemonSet>,
    revisions: Vec<Arc<ControllerRevision>>,
    started: WallTime,
    log: Log,
}

impl Reconciler for DaemonSetController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "daemonset-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Pod, Kind::Node, Kind::DaemonSet, Kind::ControllerRevision])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        let kind = change.change_type;
        if let Some((old, pod)) = change.of::<Pod>() {
            self.pod_changed(view, kind, old, pod, queue);
        } else if let Some((old, node)) = change.of::<Node>() {
            self.node_changed(view, kind, old, node, queue);
        } else if let Some((_, set)) = change.of::<DaemonSet>() {
            if kind == ChangeType::Deleted {
                self.ledgers.remove(&set.meta.uid);
            }
            queue.add(set.key());
        } else if let Some((old, revision)) = change.of::<ControllerRevision>() {
            triggers::revision_changed(view, kind, old, revision, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(set) = cx.view.daemon_sets.get(key) else { return Step::done() };
        // With writes of its own still to be seen, a sync would act on a picture of the past. Each of those writes
        // comes as a change and wakes this DaemonSet again.
        if !cx.expectations_met {
            return Step::done();
        }
        if set.spec.selector.selects_everything() {
            return Step::last(vec![selecting_all(set)]);
        }
        // What it owned may be gone or orphaned already: there is nothing to count.
        if set.meta.is_deleting() {
            return Step::done();
        }
        let revisions = history::candidates(cx.view, set);
        let reading = Reading { set: Arc::clone(set), revisions, started: cx.now, log: Log::default() };
        self.read_history(cx, reading)
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        match state.0 {
            State::History(mut reading) => {
                reading.log.answer(responses, cx.now);
                self.read_history(cx, reading)
            }
            State::Sync(sync, stage) => {
                let set = Arc::clone(&sync.set);
                sync.resume(cx, self.ledger_of(cx.view, &set), stage, responses)
            }
        }
    }
}

impl DaemonSetController {
    /// Finds the current revision, and goes on once that is there.
    fn read_history(&mut self, cx: Context<'_>, reading: Reading) -> Step<SyncState> {
        let Reading { set, revisions, started, log } = reading;
        let mut script = Script::new(log, started);
        match history::construct(&mut script, cx.view, &set, &revisions) {
            Ok(history) => {
                let sync = Sync::new(Arc::clone(&set), history.hash, history.old);
                sync.start(cx, self.ledger_of(cx.view, &set))
            }
            Err(halt) => {
                let reading = |log| SyncState(State::History(Reading { set, revisions, started, log }));
                script.step(Err(halt)).map_state(reading)
            }
        }
    }
}

fn selecting_all(set: &DaemonSet) -> Request {
    Request::Event(EventSpec {
        about: ObjectReference::to(Kind::DaemonSet, &set.meta),
        kind: EventKind::Warning,
        reason: "SelectingAll".into(),
        message: "This daemon set is selecting all pods. A non-empty selector is required.".into(),
    })
}
