//! A copy of the cluster in which pods and machines are moved about to see what would be.

use std::sync::Arc;

use crate::api::{Change, ChangeType, View};
use crate::controllers::daemon_set::Placement;
use crate::objects::{DaemonSet, Key, Kind, Labels, Node, Object, ObjectMeta, Pod, PodStatus, Uid, WallTime};
use crate::scheduler::{Registry, Scheduler};

const HOSTNAME: &str = "kubernetes.io/hostname";

/// The cluster as it would be.
#[derive(Clone)]
pub(super) struct Snapshot {
    view: View,
    scheduler: Scheduler,
    now: WallTime,
}

impl Snapshot {
    /// The cluster as it is, with a scheduler of the autoscaler's own: kube-scheduler may be behind, or not run at all.
    pub(super) fn new(plugins: &Registry, view: &View, now: WallTime) -> Self {
        let mut scheduler = Scheduler::with_registry(plugins.clone());
        let mut meet = |object: Object| {
            let resource_version = object.meta().resource_version;
            let change = Change { change_type: ChangeType::Added, object, old: None, resource_version };
            scheduler.on_change(view, &change, now);
        };
        let left_out = [Kind::Node, Kind::Pod, Kind::Event, Kind::Lease];
        view.nodes.iter().cloned().for_each(|node| meet(node.into()));
        let others = Kind::ALL.iter().filter(|kind| !left_out.contains(kind));
        others.flat_map(|kind| view.list(*kind)).for_each(&mut meet);
        view.pods.iter().cloned().for_each(|pod| meet(pod.into()));
        Self { view: view.clone(), scheduler, now }
    }

    pub(super) const fn view(&self) -> &View {
        &self.view
    }

    fn apply(&mut self, change_type: ChangeType, object: Object, old: Option<Object>) {
        let resource_version = self.view.resource_version;
        let change = Change { change_type, object, old, resource_version };
        self.view.apply(&change);
        self.scheduler.on_change(&self.view, &change, self.now);
    }

    /// Adds a machine of that kind as it will be once it is ready, with the daemon pods that it will have. One of that name that
    /// has joined and is not ready yet is replaced.
    pub(super) fn add_machine(&mut self, template: &Node, name: &Arc<str>) {
        let mut node = template.clone();
        let uid = Uid::Text(format!("machine-{name}").into());
        node.meta = ObjectMeta { name: name.clone(), uid, labels: node.meta.labels.with(HOSTNAME, name), ..node.meta };
        let old = self.view.nodes.get(&Key::new("", name.clone())).cloned();
        let change = if old.is_some() { ChangeType::Modified } else { ChangeType::Added };
        let joined = old.is_some();
        let node = Arc::new(node);
        self.apply(change, node.clone().into(), old.map(Object::from));
        if joined {
            // Its daemon pods are there or are about to be.
            return;
        }
        let sets: Vec<Arc<DaemonSet>> = self.view.daemon_sets.iter().cloned().collect();
        for set in sets.iter().filter(|set| !set.meta.is_deleting()) {
            if Placement::new(&set.spec.template).on(&node).should_run {
                self.apply(ChangeType::Added, Arc::new(daemon_pod(set, name)).into(), None);
            }
        }
    }

    /// Takes a machine away, with the pods that are left on it.
    pub(super) fn remove_machine(&mut self, name: &str) {
        let pods: Vec<Arc<Pod>> = self.view.pods_on(name).cloned().collect();
        for pod in pods {
            self.remove_pod(&pod);
        }
        if let Some(node) = self.view.nodes.get(&Key::new("", name)).cloned() {
            self.apply(ChangeType::Deleted, node.into(), None);
        }
    }

    pub(super) fn remove_pod(&mut self, pod: &Arc<Pod>) {
        self.apply(ChangeType::Deleted, pod.clone().into(), None);
    }

    /// The nodes on which a pod that waits would fit.
    pub(super) fn feasible(&mut self, pod: &Pod) -> Vec<Arc<str>> {
        self.scheduler.feasible(&self.view, pod)
    }

    /// Puts a pod that waits on the first node that fits and that `may` be. Returns whether there is one.
    pub(super) fn place(&mut self, pod: &Arc<Pod>, may: impl Fn(&str) -> bool) -> bool {
        let found = self.feasible(pod).into_iter().find(|node| may(node));
        let Some(node) = found else { return false };
        let bound = Pod { node_name: node, ..(**pod).clone() };
        let old = self.view.pods.get(&Key::new(pod.meta.namespace.clone(), pod.meta.name.clone())).cloned();
        let change = if old.is_some() { ChangeType::Modified } else { ChangeType::Added };
        self.apply(change, Arc::new(bound).into(), old.map(Object::from));
        true
    }

    /// Why a node refuses a pod.
    pub(super) fn refusal(&mut self, pod: &Pod, node: &str) -> Vec<String> {
        use crate::scheduler::Verdict;
        let found = self.scheduler.explain(&self.view, pod).nodes;
        match found.into_iter().find(|(name, _)| **name == *node) {
            Some((_, Verdict::Refused { reasons, .. })) => reasons.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }
}

/// The pod as it would be made anew if it had to go elsewhere.
pub(super) fn unbound(pod: &Pod) -> Arc<Pod> {
    Arc::new(Pod { node_name: "".into(), status: PodStatus::default(), ..pod.clone() })
}

fn daemon_pod(set: &DaemonSet, node: &Arc<str>) -> Pod {
    let name: Arc<str> = format!("{}-on-{node}", set.meta.name).into();
    let labels: Labels = set.spec.template.labels.clone();
    let uid = Uid::Text(format!("{}/{name}", set.meta.namespace).into());
    let meta = ObjectMeta { namespace: set.meta.namespace.clone(), name, labels, uid, ..ObjectMeta::default() };
    Pod { meta, spec: set.spec.template.spec.clone(), node_name: node.clone(), ..Pod::default() }
}
