//! The scheduler process: hears of changes, makes attempts, hears how they ended.

use std::sync::Arc;

use crate::api::{ApiError, Change, ChangeType, EventKind, EventSpec, Part, Request, View};
use crate::objects::{
    Condition, ConditionStatus, Conditions, Key, Node, Object, ObjectMeta, Pod, ReplicaSet, ReplicationController,
    Resource, Service, Text, WallTime,
};

use super::cache::Cache;
use super::cycle::{Cycle, Explanation, Failure, Runner};
use super::event::{self, Actions, ClusterEvent, Subject};
use super::framework::{PluginSet, Registry};
use super::message;
use super::queue::{QueuedPod, SchedulingQueue};

/// Names an attempt whose requests are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptId(u64);

/// The outcome of one scheduling cycle.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// To be handed back with the API server's answer.
    pub id: AttemptId,
    /// A binding and what is said of it, or what is said and noted of the failure.
    pub requests: Vec<Request>,
}

/// A pod that was given a node; the API server has not answered yet.
#[derive(Clone, Debug)]
struct Binding {
    id: AttemptId,
    queued: QueuedPod,
    node: Arc<str>,
}

/// kube-scheduler.
///
/// ```
/// use seatrial::api::View;
/// use seatrial::objects::WallTime;
/// use seatrial::scheduler::Scheduler;
///
/// let mut scheduler = Scheduler::default();
/// let (view, now) = (View::default(), WallTime::default());
/// assert!(!scheduler.has_ready(now));
/// assert!(scheduler.attempt(&view, now).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    registry: Registry,
    cache: Cache,
    queue: SchedulingQueue,
    runner: Runner,
    bindings: Vec<Binding>,
    attempts: u64,
}

impl Default for Scheduler {
    /// With upstream's default profile.
    fn default() -> Self {
        Self::with_registry(Registry::default())
    }
}

impl Scheduler {
    /// With these plugins.
    #[must_use]
    pub fn with_registry(registry: Registry) -> Self {
        Self {
            registry,
            cache: Cache::default(),
            queue: SchedulingQueue::default(),
            runner: Runner::default(),
            bindings: Vec::new(),
            attempts: 0,
        }
    }

    /// The plugins.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the scheduler knows of nodes and their pods.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// A change came through the informer; the view already shows it.
    pub fn on_change(&mut self, _view: &View, change: &Change, now: WallTime) {
        self.queue.start(now);
        if let Some((old, pod)) = change.of::<Pod>() {
            // The informer leaves out pods that have ended: to it they are deleted.
            let old = old.filter(|pod| !pod.is_terminal());
            let new = Some(pod).filter(|pod| change.change_type != ChangeType::Deleted && !pod.is_terminal());
            match (old, new) {
                (None, Some(new)) => self.on_pod_add(new, now),
                (Some(old), Some(new)) => self.on_pod_update(old, new, now),
                (Some(old), None) => self.on_pod_delete(old, now),
                (None, None) if change.change_type == ChangeType::Deleted => self.on_pod_delete(pod, now),
                (None, None) => {}
            }
        } else if let Some((old, node)) = change.of::<Node>() {
            self.on_node_change(change.change_type, old, node, now);
        } else if changes_workloads(change) {
            self.cache.note_workload_change();
        }
    }

    /// Whether an attempt can be made now.
    #[must_use]
    pub fn has_ready(&self, now: WallTime) -> bool {
        self.queue.has_ready(now)
    }

    /// When time alone makes a pod ready: a back-off after an error ends, or a pod has waited for five minutes.
    #[must_use]
    pub fn next_wake(&self, now: WallTime) -> Option<WallTime> {
        self.queue.next_wake().map(|wake| wake.max(now))
    }

    /// One scheduling cycle for the pod at the head of the queue. If it finds a node, the pod counts as being there.
    pub fn attempt(&mut self, view: &View, now: WallTime) -> Option<Attempt> {
        self.queue.start(now);
        let queued = loop {
            let queued = self.queue.pop(&self.registry, now)?;
            if queued.pod.meta.is_deleting() || !self.cache.is_assumed(&queued.pod.meta.uid) {
                break queued;
            }
        };
        self.attempts += 1;
        let id = AttemptId(self.attempts);
        if queued.pod.meta.is_deleting() {
            let message = format!("skip schedule deleting pod: {}", name_of(&queued.pod.meta));
            return Some(Attempt { id, requests: vec![failed_scheduling(&queued.pod, message)] });
        }
        self.cache.refresh_order();
        let found = {
            let cycle = Cycle::new(&queued.pod, view, &self.cache);
            self.runner.run(&mut self.registry, &cycle)
        };
        let requests = match found {
            Ok(node) => {
                self.cache.assume(&queued.pod, node);
                let node = self.cache.node(node).name().clone();
                let requests = bind(&queued.pod, &node);
                self.bindings.push(Binding { id, queued, node });
                requests
            }
            Err(failure) => self.fail(view, queued, failure, now),
        };
        Some(Attempt { id, requests })
    }

    /// What a cycle would make of a pod now, node by node. Nothing comes of it.
    #[must_use]
    pub fn explain(&mut self, view: &View, pod: &Pod) -> Explanation {
        self.cache.refresh_order();
        Runner::default().explain(&mut self.registry.clone(), &Cycle::new(pod, view, &self.cache))
    }

    /// The API server answered the requests of an attempt. After an error the pod is tried again, unless it is gone or
    /// has a node.
    pub fn on_result(&mut self, view: &View, now: WallTime, id: AttemptId, error: Option<&ApiError>) {
        let Some(at) = self.bindings.iter().position(|binding| binding.id == id) else { return };
        let Binding { queued, node, .. } = self.bindings.remove(at);
        let Some(error) = error else { return };
        let uid = &queued.pod.meta.uid;
        if self.cache.is_assumed(uid) {
            self.cache.remove_pod(uid);
            let assumed = Arc::new(Pod { node_name: node, ..(*queued.pod).clone() });
            self.wake(Actions::POD_DELETE, Subject::Pod(Some(&assumed), None), now);
        }
        if error.is_not_found() {
            return;
        }
        self.requeue_failed(view, queued, PluginSet::default(), now);
    }

    fn on_pod_add(&mut self, pod: &Arc<Pod>, now: WallTime) {
        if pod.is_bound() {
            self.cache.set_pod(pod);
            self.wake(Actions::POD_ADD, Subject::Pod(None, Some(pod)), now);
        } else if self.registry.is_responsible_for(&pod.spec.scheduler_name) {
            self.queue.add(&self.registry, pod, now);
        }
    }

    fn on_pod_update(&mut self, old: &Arc<Pod>, new: &Arc<Pod>, now: WallTime) {
        if old.is_bound() {
            self.cache.set_pod(new);
            for action in event::pod_changes(old, new) {
                self.wake(action, Subject::Pod(Some(old), Some(new)), now);
            }
        } else if new.is_bound() {
            self.queue.delete(&new.meta.uid);
            self.on_pod_add(new, now);
        } else if self.registry.is_responsible_for(&new.spec.scheduler_name) {
            self.on_unbound_pod_update(old, new, now);
        }
    }

    fn on_unbound_pod_update(&mut self, old: &Arc<Pod>, new: &Arc<Pod>, now: WallTime) {
        if !self.cache.is_assumed(&new.meta.uid) {
            self.queue.update(&self.registry, old, new, now);
            let nominated = &old.status.nominated_node_name;
            if !nominated.is_empty() && *nominated != new.status.nominated_node_name {
                self.wake(Actions::POD_DELETE, Subject::Pod(Some(old), None), now);
            }
        } else if new.meta.is_deleting() && !old.meta.is_deleting() {
            self.forget_assumed(new, now);
        }
    }

    fn on_pod_delete(&mut self, pod: &Arc<Pod>, now: WallTime) {
        if pod.is_bound() {
            if self.cache.remove_pod(&pod.meta.uid).is_some() {
                self.wake(Actions::POD_DELETE, Subject::Pod(Some(pod), None), now);
            }
            return;
        }
        self.queue.delete(&pod.meta.uid);
        if self.cache.is_assumed(&pod.meta.uid) {
            self.forget_assumed(pod, now);
        } else if !pod.status.nominated_node_name.is_empty() {
            self.wake(Actions::POD_DELETE, Subject::Pod(Some(pod), None), now);
        }
    }

    /// A pod that was given a node is being deleted before it is bound.
    fn forget_assumed(&mut self, pod: &Arc<Pod>, now: WallTime) {
        let node = self.bindings.iter().find(|binding| binding.queued.pod.meta.uid == pod.meta.uid);
        let node_name = node.map(|binding| binding.node.clone()).unwrap_or_default();
        self.cache.remove_pod(&pod.meta.uid);
        let assumed = Arc::new(Pod { node_name, ..(**pod).clone() });
        self.wake(Actions::POD_DELETE, Subject::Pod(Some(&assumed), None), now);
    }

    fn on_node_change(&mut self, change: ChangeType, old: Option<&Arc<Node>>, node: &Arc<Node>, now: WallTime) {
        match (change, old) {
            (ChangeType::Deleted, _) => {
                self.wake(Actions::NODE_DELETE, Subject::Node(Some(node), None), now);
                self.cache.remove_node(node);
            }
            (_, None) => {
                self.cache.set_node(node);
                self.wake(Actions::NODE_ADD, Subject::Node(None, Some(node)), now);
            }
            (_, Some(old)) => {
                self.cache.set_node(node);
                for action in event::node_changes(old, node) {
                    self.wake(action, Subject::Node(Some(old), Some(node)), now);
                }
            }
        }
    }

    fn wake(&mut self, action: Actions, subject: Subject<'_>, now: WallTime) {
        self.queue.wake(&self.registry, &ClusterEvent { action, subject }, now);
    }

    fn fail(&mut self, view: &View, queued: QueuedPod, failure: Failure, now: WallTime) -> Vec<Request> {
        let Failure { message, rejected_by, clears_nomination } = failure;
        let pod = self.requeue_failed(view, queued, rejected_by, now);
        let Some(pod) = pod else { return Vec::new() };
        let mut requests = Vec::with_capacity(2);
        let event = failed_scheduling(&pod, message::cut(&message));
        if let Some(pod) = with_failure(&pod, message, clears_nomination, now) {
            requests.push(Request::Update(pod.into(), Part::Status));
        }
        requests.push(event);
        requests
    }

    /// Puts a pod back, in its newest state, unless it is gone or has a node.
    fn requeue_failed(
        &mut self,
        view: &View,
        mut queued: QueuedPod,
        rejected_by: PluginSet,
        now: WallTime,
    ) -> Option<Arc<Pod>> {
        let newest = view.pods.get(&queued.pod.key())?;
        if newest.is_bound() || newest.is_terminal() || newest.meta.uid != queued.pod.meta.uid {
            return None;
        }
        queued.pod = newest.clone();
        self.queue.add_failed(&self.registry, queued, rejected_by, now);
        Some(newest.clone())
    }
}

/// Whether the selector of a Service or ReplicaSet came, went or changed.
fn changes_workloads(change: &Change) -> bool {
    let stays = change.change_type == ChangeType::Modified;
    if let Some((old, service)) = change.of::<Service>() {
        !stays || old.is_none_or(|old| old.spec.selector != service.spec.selector)
    } else if let Some((old, set)) = change.of::<ReplicaSet>() {
        let same = |old: &Arc<ReplicaSet>| Arc::ptr_eq(&old.spec.selector, &set.spec.selector);
        !stays || !old.is_some_and(|old| same(old) || old.spec.selector == set.spec.selector)
    } else if let Some((old, set)) = change.of::<ReplicationController>() {
        !stays || old.is_none_or(|old| old.spec.selector != set.spec.selector)
    } else {
        false
    }
}

fn name_of(meta: &ObjectMeta) -> String {
    format!("{}/{}", meta.namespace, meta.name)
}

fn bind(pod: &Arc<Pod>, node: &Arc<str>) -> Vec<Request> {
    let message = format!("Successfully assigned {} to {node}", name_of(&pod.meta));
    let about = Object::from(pod.clone());
    vec![
        Request::Bind {
            pod: Key::new(pod.meta.namespace.clone(), pod.meta.name.clone()),
            uid: pod.meta.uid.clone(),
            node: node.clone(),
        },
        Request::Event(EventSpec::about(&about, EventKind::Normal, "Scheduled", message)),
    ]
}

fn failed_scheduling(pod: &Arc<Pod>, message: String) -> Request {
    let about = Object::from(pod.clone());
    Request::Event(EventSpec::about(&about, EventKind::Warning, "FailedScheduling", message))
}

/// The pod with the condition that says why it has no node; nothing if it says so already.
fn with_failure(pod: &Pod, message: String, clears_nomination: bool, now: WallTime) -> Option<Pod> {
    let mut condition = Condition::new("PodScheduled", ConditionStatus::False, now.timestamp());
    condition.observed_generation = Some(pod.meta.generation).filter(|generation| *generation > 0);
    condition.reason = "Unschedulable".into();
    condition.message = message.into();
    let old = pod.status.conditions.find("PodScheduled");
    if let Some(old) = old.filter(|old| old.status == condition.status) {
        condition.last_transition_time = old.last_transition_time;
    }
    let said = |old: &Condition| {
        (old.status, &old.reason, &old.message) == (condition.status, &condition.reason, &condition.message)
    };
    let nomination = &pod.status.nominated_node_name;
    if old.is_some_and(said) && (nomination.is_empty() || !clears_nomination) {
        return None;
    }
    let mut pod = pod.clone();
    let mut conditions = pod.status.conditions.to_vec();
    match conditions.iter_mut().find(|known| known.kind == condition.kind) {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    pod.status.conditions = conditions.into();
    if clears_nomination {
        pod.status.nominated_node_name = Text::default();
    }
    // As upstream's patch, the write does not depend on the version that was read.
    pod.meta.resource_version = 0;
    Some(pod)
}

#[cfg(test)]
mod tests;
