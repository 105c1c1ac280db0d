//! The Deployment controller: rolls from one template to the next by scaling ReplicaSets (upstream
//! `pkg/controller/deployment`).

pub mod kubectl;
mod progress;
mod recreate;
mod rollback;
pub mod rolling;
pub mod scaling;
mod sync;
#[cfg(test)]
mod tests;
pub mod util;

pub use progress::is_complete;

use std::sync::Arc;

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, RateLimit, Reconciler, Response, Step, View};
use crate::objects::{
    Deployment, DeploymentStrategy, Key, Kind, ObjectMeta, OwnerReference, Pod, ReplicaSet, Resource, WallTime,
};

use super::controller_ref;
use super::script::{Log, Script};
use sync::{DeploymentSync, Read};

/// Failed syncs in a row after which a Deployment is left alone until its next change.
const MAX_RETRIES: u32 = 15;

/// Brings each Deployment's pods to its template.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::DeploymentController;
/// assert_eq!(DeploymentController::new().name(), "deployment-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct DeploymentController {}

impl DeploymentController {
    /// A controller that has not seen anything yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// What a sync remembers between two of its steps: what it read at first, and the answers so far.
#[derive(Clone, Debug)]
pub struct SyncState {
    read: Read,
    log: Log,
}

impl Reconciler for DeploymentController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn rate_limit(&self) -> RateLimit {
        RateLimit { give_up_after: Some(MAX_RETRIES), ..RateLimit::DEFAULT }
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Deployment, Kind::ReplicaSet, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((_, deployment)) = change.of::<Deployment>() {
            queue.add(deployment.key());
        } else if let Some((old, set)) = change.of::<ReplicaSet>() {
            replica_set_changed(view, change.change_type, old, set, queue);
        } else if change.change_type == ChangeType::Deleted
            && let Some((_, pod)) = change.of::<Pod>()
        {
            pod_deleted(view, pod, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(deployment) = cx.view.deployments.get(key) else { return Step::done() };
        run(cx, Read::new(cx.view, deployment, cx.now), Log::default())
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        let SyncState { read, mut log } = state;
        log.answer(responses, cx.now);
        run(cx, read, log)
    }
}

/// Runs a sync as far as the answers go.
fn run(cx: Context<'_>, read: Read, log: Log) -> Step<SyncState> {
    let mut sync = DeploymentSync::new(cx.view, &read, Script::new(log, read.started));
    let outcome = sync.run();
    sync.into_step(outcome).map_state(|log| SyncState { read, log })
}

fn replica_set_changed(
    view: &View,
    change: ChangeType,
    old: Option<&Arc<ReplicaSet>>,
    set: &ReplicaSet,
    queue: &mut Enqueue,
) {
    let namespace = &set.meta.namespace;
    let gone = change == ChangeType::Deleted || (change == ChangeType::Added && set.meta.is_deleting());
    let owner = set.meta.controller();
    let old_owner = old.and_then(|old| old.meta.controller());
    if old_owner != owner
        && !gone
        && let Some(deployment) = resolve(view, namespace, old_owner)
    {
        queue.add(deployment.key());
    }
    if owner.is_some() {
        if let Some(deployment) = resolve(view, namespace, owner) {
            queue.add(deployment.key());
        }
    } else if !gone && old.is_none_or(|old| old.meta.labels != set.meta.labels || old_owner.is_some()) {
        wake_adopters(view, &set.meta, queue);
    }
}

/// Wakes the Deployments that may want to adopt an orphan.
fn wake_adopters(view: &View, orphan: &ObjectMeta, queue: &mut Enqueue) {
    for deployment in view.deployments.in_namespace(&orphan.namespace) {
        if controller_ref::wakes(&deployment.spec.selector.compiled, orphan) {
            queue.add(deployment.key());
        }
    }
}

/// One that waits for the end of its last pod before it makes new ones is woken by that.
fn pod_deleted(view: &View, pod: &Pod, queue: &mut Enqueue) {
    let namespace = &pod.meta.namespace;
    let Some(set) = super::replica_set::resolve::<ReplicaSet>(view, namespace, pod.meta.controller()) else { return };
    let Some(deployment) = resolve(view, namespace, set.meta.controller()) else { return };
    if deployment.spec.strategy != DeploymentStrategy::Recreate {
        return;
    }
    let selector = &deployment.spec.selector.compiled;
    let mut owned =
        view.replica_sets.controlled_by(&deployment.meta.uid).filter(|set| selector.matches(&set.meta.labels));
    if owned.all(|set| view.pods.controlled_by(&set.meta.uid).next().is_none()) {
        queue.add(deployment.key());
    }
}

/// The Deployment that a reference names, if it is the very one.
fn resolve<'a>(view: &'a View, namespace: &Arc<str>, owner: Option<&OwnerReference>) -> Option<&'a Arc<Deployment>> {
    let owner = owner.filter(|owner| &*owner.kind == Kind::Deployment.as_str())?;
    let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&owner.name) };
    view.deployments.get(&key).filter(|deployment| deployment.meta.uid == owner.uid)
}
