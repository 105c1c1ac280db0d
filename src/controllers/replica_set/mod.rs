//! The ReplicaSet controller: keeps the number of pods, adopts and releases them, reports (upstream
//! `pkg/controller/replicaset`). It is written for any [`ReplicatedKind`] kind; ReplicationControllers use it too.

mod manage;
mod replicated;
mod status;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::sync::Arc;

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, Reconciler, Request, Response, Step, Then, View};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, Labels, ObjectMeta, OwnerReference, Pod, ReplicaSet, ReplicaSetSpec, WallTime};

use super::controller_ref::{self, Claim};
use super::pod_control::Batch;
pub use replicated::ReplicatedKind;
pub use status::{Census, REPLICA_FAILURE, next_status};

/// Keeps as many pods of each ReplicaSet as it asks for.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::ReplicaSetController;
/// assert_eq!(ReplicaSetController::new().name(), "replicaset-controller");
/// ```
pub type ReplicaSetController = Replicator<ReplicaSet>;

/// Keeps as many pods of each object of a kind as it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Replicator<S> {
    kind: PhantomData<fn() -> S>,
}

impl<S> Replicator<S> {
    /// A controller that has not seen anything yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { kind: PhantomData }
    }
}

impl<S> Default for Replicator<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub struct SyncState<S> {
    set: Arc<S>,
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

impl<S: ReplicatedKind> Reconciler for Replicator<S> {
    type State = SyncState<S>;

    fn name(&self) -> &'static str {
        S::CONTROLLER
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[S::KIND, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        if let Some((_, set)) = change.of::<S>() {
            queue.add(set.key());
        } else if let Some((old, pod)) = change.of::<Pod>() {
            pod_changed::<S>(view, change.change_type, old, pod, queue);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState<S>> {
        let Some(set) = S::table(cx.view).get(key) else { return Step::done() };
        // With writes of its own still to be seen, a sync would act on a picture of the past. Each of those writes
        // comes as a change and wakes this set again.
        if !cx.expectations_met {
            return Step::done();
        }
        let mut claims = Claims::<S>::new(set);
        let census = manage::census::<S>(cx.view, set, &[], cx.now, |pod| claims.add(pod));
        claims.add_orphans(cx.view);
        if claims.requests.is_empty() {
            return manage::manage(cx, set, census, &[]);
        }
        Step::call(claims.requests, SyncState { set: Arc::clone(set), stage: Stage::Claim(claims.kinds) })
    }

    fn resume(
        &mut self,
        cx: Context<'_>,
        _: &Key,
        state: SyncState<S>,
        responses: Vec<Response>,
    ) -> Step<SyncState<S>> {
        let SyncState { set, stage } = state;
        match stage {
            Stage::Claim(claims) => match controller_ref::claimed(&claims, responses) {
                Ok(adopted) => {
                    let census = manage::census::<S>(cx.view, &set, &adopted, cx.now, |_| {});
                    manage::manage(cx, &set, census, &adopted)
                }
                Err(why) => Step::retry(why),
            },
            Stage::Create(census, batch) => manage::created(cx, set, census, batch, responses),
            Stage::Delete(census, pods) => manage::deleted(cx, &set, &census, &pods, responses),
        }
    }
}

/// The pods that a set must adopt or release.
struct Claims<'a, S> {
    set: &'a S,
    kinds: Vec<Claim>,
    requests: Vec<Request>,
}

impl<'a, S: ReplicatedKind> Claims<'a, S> {
    const fn new(set: &'a S) -> Self {
        Self { set, kinds: Vec::new(), requests: Vec::new() }
    }

    /// Releases a pod that it owns but does not select.
    fn add(&mut self, pod: &Pod) {
        if pod.is_active() && controller_ref::claim(self.set.meta(), &pod.meta, false) == Claim::Release {
            self.kinds.push(Claim::Release);
            self.requests.push(controller_ref::release(pod, self.set.meta()));
        }
    }

    /// Adopts the pods that nobody owns and it selects.
    fn add_orphans(&mut self, view: &View) {
        let (meta, selector) = (self.set.meta(), &self.set.spec().selector.compiled);
        for pod in view.pods.orphans(&meta.namespace).filter(|pod| pod.is_active()) {
            if controller_ref::claim(meta, &pod.meta, selector.matches(&pod.meta.labels)) == Claim::Adopt {
                self.kinds.push(Claim::Adopt);
                let reference = controller_ref::controller_reference(S::KIND, meta);
                self.requests.push(controller_ref::adopt(&**pod, reference));
            }
        }
    }
}

/// A set's selector, with the answer for pods that share the labels of its template known beforehand.
struct Selection<'a> {
    spec: &'a ReplicaSetSpec,
    template_matches: bool,
}

impl<'a> Selection<'a> {
    fn of(spec: &'a ReplicaSetSpec) -> Self {
        Self { spec, template_matches: spec.selector.compiled.matches(&spec.template.labels) }
    }

    fn includes(&self, pod: &Pod) -> bool {
        self.selects(&pod.meta.labels)
    }

    fn selects(&self, labels: &Labels) -> bool {
        if labels.ptr_eq(&self.spec.template.labels) {
            return self.template_matches;
        }
        self.spec.selector.compiled.matches(labels)
    }
}

fn pod_changed<S: ReplicatedKind>(
    view: &View,
    change: ChangeType,
    old: Option<&Arc<Pod>>,
    pod: &Pod,
    queue: &mut Enqueue,
) {
    let namespace = &pod.meta.namespace;
    let gone = change == ChangeType::Deleted || pod.meta.is_deleting();
    let owner = pod.meta.controller();
    let old_owner = old.and_then(|old| old.meta.controller());
    if old_owner != owner
        && !gone
        && let Some(set) = resolve::<S>(view, namespace, old_owner)
    {
        queue.add(set.key());
    }
    if owner.is_some() {
        let Some(set) = resolve::<S>(view, namespace, owner) else { return };
        queue.add(set.key());
        let became_ready = !gone && pod.is_ready() && old.is_some_and(|old| !old.is_ready());
        if became_ready && set.spec().min_ready_seconds > 0 {
            queue.add_after(set.key(), SimDuration::from_secs(u64::from(set.spec().min_ready_seconds.unsigned_abs())));
        }
    } else if !gone && old.is_none_or(|old| old.meta.labels != pod.meta.labels || old_owner.is_some()) {
        wake_adopters::<S>(view, &pod.meta, queue);
    }
}

/// Wakes the sets that may want to adopt an orphan.
fn wake_adopters<S: ReplicatedKind>(view: &View, orphan: &ObjectMeta, queue: &mut Enqueue) {
    for set in S::table(view).in_namespace(&orphan.namespace) {
        if controller_ref::wakes(&set.spec().selector.compiled, orphan) {
            queue.add(set.key());
        }
    }
}

/// The set that a reference names, if it is the very one.
pub(super) fn resolve<'a, S: ReplicatedKind>(
    view: &'a View,
    namespace: &Arc<str>,
    owner: Option<&OwnerReference>,
) -> Option<&'a Arc<S>> {
    let owner = owner.filter(|owner| &*owner.kind == S::KIND.as_str())?;
    let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&owner.name) };
    S::table(view).get(&key).filter(|set| set.meta().uid == owner.uid)
}

/// The end of a sync: last requests and, if managing pods failed, a retry.
fn end<S>(requests: Vec<Request>, failure: Option<String>, next_check: Option<SimDuration>) -> Step<SyncState<S>> {
    let then = match failure {
        Some(why) => Then::Retry(why),
        None => Then::Done { requeue_after: next_check },
    };
    Step { requests, then }
}
