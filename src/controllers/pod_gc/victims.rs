//! Which pods a round removes.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::json;

use crate::api::{Request, View};
use crate::objects::{Key, Pod, PodPhase, Uid, WallTime, disruption_reason, disruption_target};

/// A pod to remove.
#[derive(Clone, Debug)]
pub(super) struct Victim {
    pub(super) pod: Arc<Pod>,
    /// Whether its node is gone, which a condition tells.
    disrupted: bool,
}

impl Victim {
    /// The request that marks a pod as failed: nobody else will, since no kubelet looks after it.
    pub(super) fn mark(&self, now: WallTime) -> Request {
        let pod = &self.pod;
        let mut status = json!({"phase": PodPhase::Failed.as_str(), "observedGeneration": pod.meta.generation});
        let (reason, message) = (disruption_reason::DELETION_BY_POD_GC, "PodGC: node no longer exists");
        if self.disrupted
            && let Some(condition) = disruption_target(pod, reason, message, now.timestamp())
        {
            status["conditions"] = json!([condition]);
        }
        Request::patch_pod_status(pod, status)
    }
}

/// The pods of one round, each once, in the order in which they were found.
pub(super) struct Victims<'a> {
    view: &'a View,
    held: &'a FxHashSet<Uid>,
    seen: FxHashSet<Uid>,
    pub(super) found: Vec<Victim>,
}

impl<'a> Victims<'a> {
    /// Pods that finalizers hold are not found again.
    pub(super) fn new(view: &'a View, held: &'a FxHashSet<Uid>) -> Self {
        Self { view, held, seen: FxHashSet::default(), found: Vec::new() }
    }

    fn add(&mut self, pod: &Arc<Pod>, disrupted: bool) {
        if !self.held.contains(&pod.meta.uid) && self.seen.insert(pod.meta.uid.clone()) {
            self.found.push(Victim { pod: Arc::clone(pod), disrupted });
        }
    }

    /// So many of the pods that ended: evicted ones first, then the oldest.
    pub(super) fn terminated(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let mut pods: Vec<&'a Arc<Pod>> = self.view.pods.iter().filter(|pod| pod.is_terminal()).collect();
        pods.sort_by(|a, b| goes_first(a).cmp(&goes_first(b)));
        for pod in pods.into_iter().take(count) {
            self.add(pod, false);
        }
    }

    /// Pods being deleted on nodes that are out of service.
    pub(super) fn out_of_service(&mut self, terminating: &BTreeSet<Key>, nodes: &BTreeSet<Arc<str>>) {
        if nodes.is_empty() {
            return;
        }
        let pods = terminating.iter().filter_map(|key| self.view.pods.get(key));
        let mut pods: Vec<&'a Arc<Pod>> = pods.filter(|pod| nodes.contains(&pod.node_name)).collect();
        pods.sort_by(|a, b| goes_first(a).cmp(&goes_first(b)));
        for pod in pods {
            self.add(pod, false);
        }
    }

    /// Pods of nodes that are gone.
    pub(super) fn of_nodes(&mut self, nodes: &[Arc<str>]) {
        for node in nodes {
            for pod in self.view.pods_on(node) {
                self.add(pod, true);
            }
        }
    }

    /// Pods being deleted that were never put on a node.
    pub(super) fn unscheduled(&mut self, terminating: &BTreeSet<Key>) {
        for pod in terminating.iter().filter_map(|key| self.view.pods.get(key)).filter(|pod| !pod.is_bound()) {
            self.add(pod, false);
        }
    }
}

/// Order of removal (upstream `byEvictionAndCreationTimestamp`), with the namespace where upstream leaves it open.
fn goes_first(pod: &Pod) -> impl Ord + '_ {
    let evicted = pod.status.phase == PodPhase::Failed && pod.status.reason == *"Evicted";
    (!evicted, pod.meta.creation_timestamp, &pod.meta.name, &pod.meta.namespace)
}
