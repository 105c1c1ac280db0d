//! The ReplicaSet controller: keeps the number of pods, adopts and releases them, reports (upstream
//! `pkg/controller/replicaset`).

mod manage;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{Change, ChangeType, Context, Enqueue, Reconciler, Request, Response, Step, Then, View};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, ObjectMeta, OwnerReference, Pod, ReplicaSet, Resource, WallTime};

use super::controller_ref::{self, Claim};
use manage::Batch;
pub use status::{Census, REPLICA_FAILURE, next_status};

/// Keeps as many pods of each ReplicaSet as it asks for.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::ReplicaSetController;
/// assert_eq!(ReplicaSetController::new().name(), "replicaset-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReplicaSetController {}

impl ReplicaSetController {
    /// A controller that has not seen anything yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub struct SyncState {
    set: Arc<ReplicaSet>,
    stage: Stage,
}

/// Which responses a sync waits for.
#[derive(Clone, Debug)]
enum Stage {
    /// Adoptions and releases.
    Claim(Vec<Claim>),
    /// A batch of creations.
    Create(Census, Batch),
    /// Deletions of these pods.
    Delete(Census, Vec<Arc<str>>),
}

impl Reconciler for ReplicaSetController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((_, set)) = change.of::<ReplicaSet>() {
            queue.add(set.key());
        } else if let Some((old, pod)) = change.of::<Pod>() {
            pod_changed(view, change.change_type, old, pod, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(set) = cx.view.replica_sets.get(key) else { return Step::done() };
        // With writes of its own still to be seen, a sync would act on a picture of the past. Each of those writes
        // comes as a change and wakes this ReplicaSet again.
        if !cx.expectations_met {
            return Step::done();
        }
        let mut claims = Claims::new(set);
        let census = manage::census(cx.view, set, &[], cx.now, |pod| claims.add(pod));
        claims.add_orphans(cx.view);
        if claims.requests.is_empty() {
            return manage::manage(cx, set, census, &[]);
        }
        Step::call(claims.requests, SyncState { set: Arc::clone(set), stage: Stage::Claim(claims.kinds) })
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        let SyncState { set, stage } = state;
        match stage {
            Stage::Claim(claims) => match claimed(&claims, responses) {
                Ok(adopted) => {
                    let census = manage::census(cx.view, &set, &adopted, cx.now, |_| {});
                    manage::manage(cx, &set, census, &adopted)
                }
                Err(why) => Step::retry(why),
            },
            Stage::Create(census, batch) => manage::created(cx, set, census, batch, responses),
            Stage::Delete(census, pods) => manage::deleted(cx, &set, &census, &pods, responses),
        }
    }
}

/// The pods that a ReplicaSet must adopt or release.
struct Claims<'a> {
    set: &'a ReplicaSet,
    kinds: Vec<Claim>,
    requests: Vec<Request>,
}

impl<'a> Claims<'a> {
    const fn new(set: &'a ReplicaSet) -> Self {
        Self { set, kinds: Vec::new(), requests: Vec::new() }
    }

    /// Releases a pod that it owns but does not select.
    fn add(&mut self, pod: &Pod) {
        if pod.is_active() && controller_ref::claim(&self.set.meta, &pod.meta, false) == Claim::Release {
            self.kinds.push(Claim::Release);
            self.requests.push(controller_ref::release(pod, &self.set.meta));
        }
    }

    /// Adopts the pods that nobody owns and it selects.
    fn add_orphans(&mut self, view: &View) {
        let (meta, selector) = (&self.set.meta, &self.set.spec.selector.compiled);
        for pod in view.pods.orphans(&meta.namespace).filter(|pod| pod.is_active()) {
            if controller_ref::claim(meta, &pod.meta, selector.matches(&pod.meta.labels)) == Claim::Adopt {
                self.kinds.push(Claim::Adopt);
                let reference = controller_ref::controller_reference(Kind::ReplicaSet, meta);
                self.requests.push(controller_ref::adopt(&**pod, reference));
            }
        }
    }
}

/// The pods that were adopted.
fn claimed(claims: &[Claim], responses: Vec<Response>) -> Result<Vec<Arc<Pod>>, String> {
    let (mut adopted, mut failures) = (Vec::new(), Vec::new());
    for (claim, response) in claims.iter().zip(responses) {
        if *claim == Claim::Release {
            failures.extend(controller_ref::released(response).err());
            continue;
        }
        match controller_ref::adopted(response) {
            Ok(object) => adopted.extend(object.as_ref().and_then(<Pod as crate::objects::Typed>::unwrap).cloned()),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() { Ok(adopted) } else { Err(controller_ref::aggregate(failures)) }
}

/// A ReplicaSet's selector, with the answer for pods that share the labels of its template known beforehand.
struct Selection<'a> {
    set: &'a ReplicaSet,
    template_matches: bool,
}

impl<'a> Selection<'a> {
    fn of(set: &'a ReplicaSet) -> Self {
        Self { set, template_matches: set.spec.selector.compiled.matches(&set.spec.template.labels) }
    }

    fn includes(&self, pod: &Pod) -> bool {
        if pod.meta.labels.ptr_eq(&self.set.spec.template.labels) {
            return self.template_matches;
        }
        self.set.spec.selector.compiled.matches(&pod.meta.labels)
    }
}

fn pod_changed(view: &View, change: ChangeType, old: Option<&Arc<Pod>>, pod: &Pod, queue: &mut Enqueue) {
    let namespace = &pod.meta.namespace;
    let gone = change == ChangeType::Deleted || pod.meta.is_deleting();
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
        let became_ready = !gone && pod.is_ready() && old.is_some_and(|old| !old.is_ready());
        if became_ready && set.spec.min_ready_seconds > 0 {
            queue.add_after(set.key(), SimDuration::from_secs(u64::from(set.spec.min_ready_seconds.unsigned_abs())));
        }
    } else if !gone && old.is_none_or(|old| old.meta.labels != pod.meta.labels || old_owner.is_some()) {
        wake_adopters(view, &pod.meta, queue);
    }
}

/// Wakes the ReplicaSets that may want to adopt an orphan.
fn wake_adopters(view: &View, orphan: &ObjectMeta, queue: &mut Enqueue) {
    for set in view.replica_sets.in_namespace(&orphan.namespace) {
        if controller_ref::wakes(&set.spec.selector.compiled, orphan) {
            queue.add(set.key());
        }
    }
}

/// The ReplicaSet that a reference names, if it is the very one.
pub(super) fn resolve<'a>(
    view: &'a View,
    namespace: &Arc<str>,
    owner: Option<&OwnerReference>,
) -> Option<&'a Arc<ReplicaSet>> {
    let owner = owner.filter(|owner| &*owner.kind == Kind::ReplicaSet.as_str())?;
    let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&owner.name) };
    view.replica_sets.get(&key).filter(|set| set.meta.uid == owner.uid)
}

/// The end of a sync: last requests and, if managing pods failed, a retry.
fn end(requests: Vec<Request>, failure: Option<String>, next_check: Option<SimDuration>) -> Step<SyncState> {
    let then = match failure {
        Some(why) => Then::Retry(why),
        None => Then::Done { requeue_after: next_check },
    };
    Step { requests, then }
}
