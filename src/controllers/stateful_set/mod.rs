//! The StatefulSet controller: pods with names that stay, one after the other (upstream `pkg/controller/statefulset`).

mod claims;
mod control;
pub mod identity;
pub mod kubectl;
mod pod_control;
mod revisions;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, Reconciler, Response, Step, View};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, ObjectMeta, OwnerReference, Pod, Resource, StatefulSet, WallTime};

use super::controller_ref;
use super::script::{Log, Script};
use control::{Read, StatefulSetSync};
use identity::SpecsInSubdomain;

/// Keeps the pods of each StatefulSet.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::StatefulSetController;
/// assert_eq!(StatefulSetController::new().name(), "statefulset-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct StatefulSetController {
    specs: SpecsInSubdomain,
}

impl StatefulSetController {
    /// A controller that has not seen anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// What a sync remembers between two of its steps: what it read at first, and the answers so far.
#[derive(Clone, Debug)]
pub struct SyncState {
    read: Read,
    log: Log,
}

impl Reconciler for StatefulSetController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    /// Neither claims nor revisions wake a StatefulSet.
    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::StatefulSet, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((_, set)) = change.of::<StatefulSet>() {
            queue.add(set.key());
        } else if let Some((old, pod)) = change.of::<Pod>() {
            pod_changed(view, change.change_type, old, pod, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(set) = cx.view.stateful_sets.get(key) else { return Step::done() };
        // Not every write of its own wakes a StatefulSet, so it has to look again by itself.
        if !cx.expectations_met {
            return Step::retry("the cache does not show all of the last sync yet");
        }
        self.run(cx, Read::new(cx.view, set, cx.now), Log::default())
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        let SyncState { read, mut log } = state;
        log.answer(responses, cx.now);
        self.run(cx, read, log)
    }
}

impl StatefulSetController {
    /// Runs a sync as far as the answers go.
    fn run(&mut self, cx: Context<'_>, read: Read, log: Log) -> Step<SyncState> {
        let mut sync = StatefulSetSync::new(cx.view, &read, Script::new(log, read.started), &mut self.specs);
        let outcome = sync.run();
        sync.into_step(outcome).map_state(|log| SyncState { read, log })
    }
}

fn pod_changed(view: &View, change: ChangeType, old: Option<&Arc<Pod>>, pod: &Pod, queue: &mut Enqueue) {
    let namespace = &pod.meta.namespace;
    let gone = change == ChangeType::Deleted || (change == ChangeType::Added && pod.meta.is_deleting());
    let owner = pod.meta.controller();
    let old_owner = old.and_then(|old| old.meta.controller());
    if old_owner != owner
        && !gone
        && let Some(set) = resolve(view, namespace, old_owner)
    {
        queue.add(set.key());
    }
    if owner.is_some() {
        let Some(set) = resolve(view, namespace, owner) else { return };
        queue.add(set.key());
        let became_ready = pod.is_ready() && old.is_some_and(|old| !old.is_ready());
        if became_ready && set.spec.min_ready_seconds > 0 {
            queue.add_after(set.key(), SimDuration::from_secs(u64::from(set.spec.min_ready_seconds.unsigned_abs())));
        }
    } else if !gone && old.is_none_or(|old| old.meta.labels != pod.meta.labels || old_owner.is_some()) {
        wake_adopters(view, &pod.meta, queue);
    }
}

/// Wakes the StatefulSets that may want to adopt an orphan.
fn wake_adopters(view: &View, orphan: &ObjectMeta, queue: &mut Enqueue) {
    for set in view.stateful_sets.in_namespace(&orphan.namespace) {
        if controller_ref::wakes(&set.spec.selector.compiled, orphan) {
            queue.add(set.key());
        }
    }
}

/// The StatefulSet that a reference names, if it is the very one.
fn resolve<'a>(view: &'a View, namespace: &Arc<str>, owner: Option<&OwnerReference>) -> Option<&'a Arc<StatefulSet>> {
    let owner = owner.filter(|owner| &*owner.kind == Kind::StatefulSet.as_str())?;
    let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&owner.name) };
    view.stateful_sets.get(&key).filter(|set| set.meta.uid == owner.uid)
}
