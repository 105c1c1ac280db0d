//! The taint eviction controller: deletes pods that do not bear the `NoExecute` taints of their node (upstream
//! `pkg/controller/tainteviction`).

#[cfg(test)]
mod tests;
mod tolerance;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::json;

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, EventKind, EventSpec, KindSet, Reconciler, Request, Response,
    Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::{
    Key, Kind, Node, ObjectReference, Pod, Resource, Taint, Text, Timestamp, WallTime, disruption_reason,
    disruption_target,
};

use tolerance::{Tolerance, tolerance};

/// How often the deletion of a pod is tried.
const ATTEMPTS: u32 = 5;
/// Time between two attempts.
const RETRY_PAUSE: SimDuration = SimDuration::from_millis(10);

/// Deletes pods from nodes with `NoExecute` taints, when their time there is over.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::TaintEvictionController;
/// assert_eq!(TaintEvictionController::default().name(), "taint-eviction-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct TaintEvictionController {
    /// The `NoExecute` taints of the nodes that have any.
    tainted: FxHashMap<Arc<str>, Arc<[Taint]>>,
    /// What is to be done with pods.
    work: FxHashMap<Key, Work>,
}

/// What is to be done with one pod.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Cancellations that were not told yet.
    cancelled: u32,
    eviction: Eviction,
}

/// Where the eviction of a pod is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Eviction {
    /// None is planned.
    #[default]
    None,
    /// Planned for then.
    At(WallTime),
    /// Under way, so often failed.
    Running(u32),
}

/// What a sync remembers between two of its steps: the next answer is about this.
#[derive(Clone, Debug)]
pub struct SyncState(Asked);

#[derive(Clone, Debug)]
enum Asked {
    /// The condition, on this pod.
    Condition(Arc<Pod>),
    /// The deletion.
    Deletion,
}

impl TaintEvictionController {
    fn node_changed(&mut self, view: &View, change: ChangeType, node: &Node, now: WallTime, queue: &mut Enqueue) {
        let name = &node.meta.name;
        let taints: Vec<Taint> = no_execute(node).cloned().collect();
        if change == ChangeType::Deleted {
            self.tainted.remove(name);
            return;
        }
        if taints.is_empty() {
            if self.tainted.remove(name).is_some() {
                view.pods_on(name).for_each(|pod| self.cancel(pod.key(), queue));
            }
            return;
        }
        let taints: Arc<[Taint]> = taints.into();
        self.tainted.insert(Arc::clone(name), Arc::clone(&taints));
        view.pods_on(name).for_each(|pod| self.consider(pod, &taints, now, queue));
    }

    fn pod_changed(&mut self, change: ChangeType, pod: &Arc<Pod>, now: WallTime, queue: &mut Enqueue) {
        if change == ChangeType::Deleted {
            self.cancel(pod.key(), queue);
        } else if let Some(taints) = self.tainted.get(&pod.node_name).cloned() {
            self.consider(pod, &taints, now, queue);
        }
    }

    /// Plans or cancels the eviction of a pod (upstream `processPodOnNode`). A plan that can stay is never changed.
    fn consider(&mut self, pod: &Pod, taints: &[Taint], now: WallTime, queue: &mut Enqueue) {
        let key = pod.key();
        match tolerance(taints, &pod.spec.tolerations) {
            Tolerance::None => {
                self.cancel(key.clone(), queue);
                self.plan(key, now, SimDuration::ZERO, queue);
            }
            Tolerance::For(time) => self.plan(key, now, time, queue),
            Tolerance::Forever => self.cancel(key, queue),
        }
    }

    fn plan(&mut self, key: Key, now: WallTime, delay: SimDuration, queue: &mut Enqueue) {
        let work = self.work.entry(key.clone()).or_default();
        if work.eviction == Eviction::None {
            work.eviction = Eviction::At(now.plus_nanos(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX)));
            queue.add_after(key, delay);
        }
    }

    fn cancel(&mut self, key: Key, queue: &mut Enqueue) {
        if let Some(work) = self.work.get_mut(&key)
            && let Eviction::At(_) = work.eviction
        {
            work.eviction = Eviction::None;
            work.cancelled = work.cancelled.saturating_add(1);
            queue.add(key);
        }
    }

    /// The eviction failed: once more after a pause, or given up.
    fn failed(&mut self, key: &Key) -> Step<SyncState> {
        if let Some(Work { eviction: Eviction::Running(failures), .. }) = self.work.get_mut(key) {
            *failures += 1;
            if *failures < ATTEMPTS {
                return Step::done().requeue_after(RETRY_PAUSE);
            }
        }
        self.over(key)
    }

    fn over(&mut self, key: &Key) -> Step<SyncState> {
        self.work.remove(key);
        Step::done()
    }
}

impl Reconciler for TaintEvictionController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Node, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        if let Some((old, node)) = change.of::<Node>() {
            let same = |old: &Arc<Node>| no_execute(old).eq(no_execute(node));
            if change.change_type != ChangeType::Modified || !old.is_some_and(same) {
                self.node_changed(view, change.change_type, node, now, queue);
            }
        } else if !(self.tainted.is_empty() && self.work.is_empty())
            && let Some((old, pod)) = change.of::<Pod>()
        {
            let same = |old: &Arc<Pod>| {
                old.node_name == pod.node_name
                    && (Arc::ptr_eq(&old.spec, &pod.spec) || old.spec.tolerations == pod.spec.tolerations)
            };
            if change.change_type != ChangeType::Modified || !old.is_some_and(same) {
                self.pod_changed(change.change_type, pod, now, queue);
            }
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(work) = self.work.get_mut(key) else { return Step::done() };
        let mut requests: Vec<_> = (0..std::mem::take(&mut work.cancelled)).map(|_| cancelling(key)).collect();
        match work.eviction {
            Eviction::None => {
                self.work.remove(key);
                return Step::last(requests);
            }
            Eviction::At(at) if at > cx.now => {
                let wait = u64::try_from(at.nanos_since(cx.now)).unwrap_or(0);
                return Step::last(requests).requeue_after(SimDuration::from_nanos(wait));
            }
            Eviction::At(_) => {
                work.eviction = Eviction::Running(0);
                requests.push(marking(key));
            }
            Eviction::Running(_) => {}
        }
        let Some(pod) = cx.view.pods.get(key) else {
            self.work.remove(key);
            return Step::last(requests);
        };
        match condition(pod, cx.now.timestamp()) {
            Some(patch) => {
                requests.push(patch);
                Step::call(requests, SyncState(Asked::Condition(Arc::clone(pod))))
            }
            None => {
                requests.push(delete(pod));
                Step::call(requests, SyncState(Asked::Deletion))
            }
        }
    }

    fn resume(&mut self, _: Context<'_>, key: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        match (responses.into_iter().next(), state.0) {
            (Some(Err(error)), _) if error.is_not_found() => self.over(key),
            (Some(Err(_)), _) => self.failed(key),
            (_, Asked::Condition(pod)) => Step::call(vec![delete(&pod)], SyncState(Asked::Deletion)),
            (_, Asked::Deletion) => self.over(key),
        }
    }
}

fn no_execute(node: &Node) -> impl Iterator<Item = &Taint> {
    node.spec.taints.iter().filter(|taint| taint.effect == *"NoExecute")
}

/// The write of the condition that says why a pod goes; `None` if it says so already. A patch, so that what the kubelet
/// writes meanwhile stays.
fn condition(pod: &Pod, now: Timestamp) -> Option<Request> {
    let message = "Taint manager: deleting due to NoExecute taint";
    let condition = disruption_target(pod, disruption_reason::DELETION_BY_TAINT_MANAGER, message, now)?;
    Some(Request::patch_pod_status(pod, json!({"conditions": [condition]})))
}

fn delete(pod: &Pod) -> Request {
    Request::Delete { kind: Kind::Pod, key: pod.key(), options: DeleteOptions::of_uid(pod.meta.uid.clone()) }
}

fn marking(pod: &Key) -> Request {
    event(pod, format!("Marking for deletion Pod {pod}"))
}

fn cancelling(pod: &Key) -> Request {
    event(pod, format!("Cancelling deletion of Pod {pod}"))
}

/// An Event about a pod, which may be gone: it is named without uid.
fn event(pod: &Key, message: String) -> Request {
    let about = ObjectReference {
        kind: Text::Static("Pod"),
        api_version: Text::Static("v1"),
        namespace: Arc::clone(&pod.namespace).into(),
        name: Arc::clone(&pod.name).into(),
        ..ObjectReference::default()
    };
    let reason = Text::Static("TaintManagerEviction");
    Request::Event(EventSpec { about, kind: EventKind::Normal, reason, message: message.into() })
}
