//! The scheduler process: hears of changes, makes attempts, hears how they ended.

mod requests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{ApiError, Change, ChangeType, Request, View};
use crate::objects::{
    Namespace, Node, Pod, ReplicaSet, ReplicationController, Resource, Service, StatefulSet, Uid, WallTime,
};

use super::cache::{Cache, Nominating};
use super::cycle::{Cycle, Explanation, Failure, Runner};
use super::decision::{Decision, Outcome};
use super::event::{self, Actions, ClusterEvent, Subject};
use super::framework::{PluginSet, Registry};
use super::message;
use super::preemption::priority;
use super::queue::{QueuedPod, SchedulingQueue};
use super::volumes::{self, Awaited, Wait};

/// How many placements are remembered: more than anybody asks about, and no more room than a few pods take.
const PLACEMENTS_MAX: usize = 512;

/// What fails when claims are not bound for a pod.
const VOLUMES_FIRST: &str = "running PreBind plugin \"VolumeBinding\"";

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
    /// What is done to each pod that is displaced, and to those that lose their nomination. Each sequence ends at its first
    /// error; that a pod is gone already is none.
    pub displaced: Vec<Vec<Request>>,
}

impl Attempt {
    const fn only(id: AttemptId, requests: Vec<Request>) -> Self {
        Self { id, requests, displaced: Vec::new() }
    }
}

/// A pod that was given a node and is not bound yet.
#[derive(Clone, Debug)]
struct Binding {
    id: AttemptId,
    queued: QueuedPod,
    node: Arc<str>,
    stage: Stage,
}

/// How far the binding of a pod is.
#[derive(Clone, Debug)]
enum Stage {
    /// Writes that must come first are under way.
    PreBinding(Awaited),
    /// Its claims are to be bound first.
    Waiting(Wait),
    /// The binding itself is under way.
    Binding,
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
    /// Pods whose victims are being deleted.
    preempting: Vec<(AttemptId, Uid)>,
    decisions: FxHashMap<Uid, Arc<Decision>>,
    /// Pods that were placed, the oldest first, as far as their decisions are remembered.
    placed: VecDeque<Uid>,
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
            preempting: Vec::new(),
            decisions: FxHashMap::default(),
            placed: VecDeque::new(),
            attempts: 0,
        }
    }

    /// Lets a seed decide in which order the nodes that will do are found, as upstream's sixteen filter workers race each
    /// other: it decides between nodes with equal points. The luck of a pod derives from its name and the instant, so that
    /// other pods do not change it.
    #[must_use]
    pub fn with_shuffling(mut self, seed: u64) -> Self {
        self.runner.shuffle_by(seed);
        self
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
            if change.change_type == ChangeType::Deleted {
                self.decisions.remove(&pod.meta.uid);
            }
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
        } else if change.of::<Namespace>().is_some() {
            self.cache.note_namespace_change();
        } else if let Some(event) = event::of_volumes(change) {
            self.cache.volumes_mut().follow(change);
            self.queue.wake(&self.registry, &event, now);
        }
    }

    /// Whether an attempt can be made now.
    #[must_use]
    pub fn has_ready(&self, now: WallTime) -> bool {
        self.queue.has_ready(now) || self.next_look().is_some_and(|due| due <= now)
    }

    /// When time alone makes a pod ready: a back-off after an error ends, or a pod has waited for five minutes.
    #[must_use]
    pub fn next_wake(&self, now: WallTime) -> Option<WallTime> {
        [self.queue.next_wake(), self.next_look()].into_iter().flatten().min().map(|wake| wake.max(now))
    }

    /// When a pod whose claims are to be bound is looked at again.
    fn next_look(&self) -> Option<WallTime> {
        let waits = self.bindings.iter().filter_map(|binding| match &binding.stage {
            Stage::Waiting(wait) => Some(wait.due),
            Stage::PreBinding(_) | Stage::Binding => None,
        });
        waits.min()
    }

    /// One scheduling cycle for the pod at the head of the queue. If it finds a node, the pod counts as being there.
    pub fn attempt(&mut self, view: &View, now: WallTime) -> Option<Attempt> {
        self.queue.start(now);
        if let Some(attempt) = self.look_at_waiting(view, now) {
            return Some(attempt);
        }
        let queued = loop {
            let queued = self.queue.pop(&self.registry, now)?;
            if queued.pod.meta.is_deleting() || !self.cache.is_assumed(&queued.pod.meta.uid) {
                break queued;
            }
        };
        self.attempts += 1;
        let id = AttemptId(self.attempts);
        if queued.pod.meta.is_deleting() {
            let message = format!("skip schedule deleting pod: {}", queued.pod.key());
            return Some(Attempt::only(id, vec![requests::failed_scheduling(&queued.pod, message)]));
        }
        self.cache.prepare(&queued.pod);
        let found = {
            let cycle = Cycle::new(&queued.pod, view, &self.cache);
            let found = self.runner.run_at(&mut self.registry, &cycle, now);
            found.map(|node| (node, self.runner.pre_bind(&self.registry, &cycle, node)))
        };
        match found {
            Ok((node, first)) => {
                let placement = self.runner.placement(&self.registry, &self.cache, node);
                self.cache.assume(&queued.pod, node);
                self.cache.forget_nominated(&queued.pod.meta.uid);
                let node = placement.node.clone();
                self.note(&queued.pod, now, Outcome::Placed(placement));
                let (stage, requests) = if first.is_empty() {
                    (Stage::Binding, requests::bind(&queued.pod, &node))
                } else {
                    self.cache.volumes_mut().assume(&first);
                    (Stage::PreBinding(Awaited::of(&first)), first)
                };
                self.bindings.push(Binding { id, queued, node, stage });
                Some(Attempt::only(id, requests))
            }
            Err(failure) => Some(self.fail(view, id, queued, failure, now)),
        }
    }

    /// What a cycle would make of a pod now, node by node. Nothing comes of it.
    #[must_use]
    pub fn explain(&mut self, view: &View, pod: &Pod) -> Explanation {
        self.cache.prepare(pod);
        Runner::default().explain(&mut self.registry.clone(), &Cycle::new(pod, view, &self.cache))
    }

    /// The nodes that would take a pod now, in the order in which they are looked at. Nobody is displaced, and nothing is scored.
    #[must_use]
    pub fn feasible(&mut self, view: &View, pod: &Pod) -> Vec<Arc<str>> {
        self.cache.prepare(pod);
        Runner::default().feasible(&mut self.registry, &Cycle::new(pod, view, &self.cache))
    }

    /// What came of the last attempt for a pod that still exists: of every pod that waits, and of the last 512 that were
    /// placed.
    #[must_use]
    pub fn decision(&self, uid: &Uid) -> Option<&Decision> {
        self.decisions.get(uid).map(|decision| &**decision)
    }

    /// The API server answered the requests of an attempt. After an error the pod is tried again, unless it is gone or
    /// has a node; what is said and noted of that is returned.
    pub fn on_result(&mut self, view: &View, now: WallTime, id: AttemptId, error: Option<&ApiError>) -> Vec<Request> {
        if let Some(at) = self.preempting.iter().position(|(preempting, _)| *preempting == id) {
            let (_, uid) = self.preempting.remove(at);
            self.queue.release(&self.registry, &uid, error.is_some(), now);
        }
        let Some(at) = self.bindings.iter().position(|binding| binding.id == id) else { return Vec::new() };
        if error.is_none()
            && let Stage::PreBinding(awaited) = &mut self.bindings[at].stage
        {
            self.bindings[at].stage = Stage::Waiting(Wait::new(std::mem::take(awaited), now));
            return Vec::new();
        }
        let binding = self.bindings.remove(at);
        let Some(error) = error else { return Vec::new() };
        let step = match binding.stage {
            Stage::Binding => "running Bind plugin \"DefaultBinder\"",
            Stage::PreBinding(_) | Stage::Waiting(_) => VOLUMES_FIRST,
        };
        self.give_up(view, now, binding, &format!("{step}: {}", error.message), error.is_not_found())
    }

    /// Takes the node back from a pod that is not bound after all, and says why unless the pod is gone.
    fn give_up(&mut self, view: &View, now: WallTime, binding: Binding, message: &str, gone: bool) -> Vec<Request> {
        let Binding { queued, node, stage, .. } = binding;
        match &stage {
            Stage::PreBinding(awaited) | Stage::Waiting(Wait { awaited, .. }) => {
                self.cache.volumes_mut().forget(awaited);
            }
            Stage::Binding => {}
        }
        let uid = &queued.pod.meta.uid;
        if self.cache.is_assumed(uid) {
            self.cache.remove_pod(uid);
            let assumed = Arc::new(Pod { node_name: node, ..(*queued.pod).clone() });
            self.wake(Actions::POD_DELETE, Subject::Pod(Some(&assumed), None), now);
        }
        if gone {
            return Vec::new();
        }
        let Some(pod) = self.requeue_failed(view, queued, PluginSet::default(), now) else { return Vec::new() };
        let nominating = Nominating::To("".into());
        self.cache.nominate(&pod, &nominating);
        let noted = requests::note_failure(&pod, "SchedulerError", message, &nominating, now);
        noted.into_iter().chain([requests::failed_scheduling(&pod, message::cut(message))]).collect()
    }

    /// Looks at the pods that wait for their claims: binds the first whose claims are bound, or says why it never will be.
    fn look_at_waiting(&mut self, view: &View, now: WallTime) -> Option<Attempt> {
        for at in 0..self.bindings.len() {
            let binding = &mut self.bindings[at];
            let Stage::Waiting(wait) = &mut binding.stage else { continue };
            if wait.due > now {
                continue;
            }
            let found = match wait.awaited.is_bound(view, &binding.queued.pod, &binding.node) {
                Ok(false) if wait.until <= now => Err("context deadline exceeded".to_owned()),
                found => found,
            };
            let id = binding.id;
            match found {
                Ok(false) => wait.due = volumes::after(now, volumes::POLL_INTERVAL),
                Ok(true) => {
                    binding.stage = Stage::Binding;
                    return Some(Attempt::only(id, requests::bind(&binding.queued.pod, &binding.node)));
                }
                Err(why) => {
                    let binding = self.bindings.remove(at);
                    let message = format!("{VOLUMES_FIRST}: binding volumes: {why}");
                    return Some(Attempt::only(id, self.give_up(view, now, binding, &message, false)));
                }
            }
        }
        None
    }

    fn on_pod_add(&mut self, pod: &Arc<Pod>, now: WallTime) {
        if pod.is_bound() {
            self.cache.forget_nominated(&pod.meta.uid);
            self.cache.set_pod(pod);
            self.wake(Actions::POD_ADD, Subject::Pod(None, Some(pod)), now);
        } else if self.registry.is_responsible_for(&pod.spec.scheduler_name) {
            self.queue.add(&self.registry, pod, now);
            self.cache.nominate(pod, &Nominating::Keep);
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
            self.cache.update_nominated(old, new);
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
        self.cache.forget_nominated(&pod.meta.uid);
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

    fn note(&mut self, pod: &Pod, at: WallTime, outcome: Outcome) {
        let uid = &pod.meta.uid;
        if matches!(outcome, Outcome::Placed(_)) {
            self.placed.push_back(uid.clone());
            if self.placed.len() > PLACEMENTS_MAX
                && let Some(oldest) = self.placed.pop_front()
                && oldest != *uid
                && self.decisions.get(&oldest).is_some_and(|old| matches!(old.outcome, Outcome::Placed(_)))
            {
                self.decisions.remove(&oldest);
            }
        }
        self.decisions.insert(uid.clone(), Arc::new(Decision { at, outcome }));
    }

    fn fail(&mut self, view: &View, id: AttemptId, queued: QueuedPod, failure: Failure, now: WallTime) -> Attempt {
        let Failure { message, rejected_by, nominating, displaces } = failure;
        let plugins = rejected_by.iter().map(|plugin| self.registry.slot(plugin).name()).collect();
        let nominated = displaces.as_ref().map(|chosen| (chosen.node.clone(), chosen.victims.len()));
        let mut attempt = Attempt::only(id, Vec::with_capacity(2));
        let uid = queued.pod.meta.uid.clone();
        let outcome = Outcome::Failed { message: message.clone(), rejected_by: plugins, nominated };
        let Some(pod) = self.requeue_failed(view, queued, rejected_by, now) else { return attempt };
        self.note(&pod, now, outcome);
        if let Some(chosen) = displaces {
            let unseated = self.cache.nominations().on(&chosen.node).iter();
            let unseated = unseated.filter(|other| priority(other) < priority(&pod)).map(requests::clear_nomination);
            attempt.displaced.extend(unseated.map(|request| vec![request]));
            let victims = chosen.victims.iter().filter(|victim| !victim.meta.is_deleting());
            let displace = |victim| requests::displace(&pod, victim, &chosen.node, now);
            attempt.displaced.extend(victims.map(displace));
            if !attempt.displaced.is_empty() {
                self.queue.hold(&uid);
                self.preempting.push((id, uid));
            }
        }
        self.cache.nominate(&pod, &nominating);
        attempt.requests.extend(requests::note_failure(&pod, "Unschedulable", &message, &nominating, now));
        attempt.requests.push(requests::failed_scheduling(&pod, message::cut(&message)));
        attempt
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
    } else if let Some((_, _)) = change.of::<StatefulSet>() {
        // Their selectors cannot change.
        !stays
    } else {
        false
    }
}
