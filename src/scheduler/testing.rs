//! Clusters for tests, a line each.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Change, ChangeType, View};
use crate::objects::{Node, Object, PersistentVolume, PersistentVolumeClaim, Pod, Resource, StorageClass, WallTime};

use super::cache::Cache;
use super::cycle::{Cycle, Explanation, Runner, Verdict};
use super::framework::{PreScore, Registry};

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

/// A roomy node, with changes.
pub(super) fn node(name: &str, changes: Value) -> Arc<Node> {
    let mut wire = json!({
        "metadata": {"name": name, "uid": format!("node-{name}"), "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}},
    });
    merge(&mut wire, changes);
    Arc::new(Node::from_wire(wire).expect("a node"))
}

pub(super) fn labelled(name: &str, labels: &[(&str, &str)]) -> Arc<Node> {
    let labels: serde_json::Map<String, Value> = labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    node(name, json!({"metadata": {"labels": labels}}))
}

pub(super) fn sized(name: &str, cpu_milli: i64, memory: i64, pods: i64) -> Arc<Node> {
    let amounts = json!({"cpu": format!("{cpu_milli}m"), "memory": memory.to_string(), "pods": pods.to_string()});
    node(name, json!({"status": {"allocatable": amounts}}))
}

/// A pod with one container, with another spec.
pub(super) fn pod(name: &str, spec: Value) -> Arc<Pod> {
    let mut wire = json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("pod-{name}")},
        "spec": {"containers": [{"name": "c"}], "schedulerName": "default-scheduler"},
    });
    merge(&mut wire["spec"], spec);
    Arc::new(Pod::from_wire(wire).expect("a pod"))
}

pub(super) fn requesting(name: &str, cpu_milli: i64, memory: i64) -> Arc<Pod> {
    let requests = json!({"cpu": format!("{cpu_milli}m"), "memory": memory.to_string()});
    pod(name, json!({"containers": [{"name": "c", "resources": {"requests": requests}}]}))
}

fn storage<T: Resource>(mut wire: Value, changes: Value) -> Arc<T> {
    merge(&mut wire, changes);
    Arc::new(T::from_wire(wire).expect("well-formed"))
}

/// A volume of 5 GiB that any node can reach, of class `manual`, with changes.
pub(super) fn volume(name: &str, changes: Value) -> Arc<PersistentVolume> {
    let spec = json!({"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
        "nfs": {"server": "s", "path": "/"}});
    storage(json!({"metadata": {"name": name, "uid": name}, "spec": spec, "status": {"phase": "Available"}}), changes)
}

/// A claim for 5 GiB of class `manual`, with changes.
pub(super) fn claim(name: &str, changes: Value) -> Arc<PersistentVolumeClaim> {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
        "resources": {"requests": {"storage": "5Gi"}}});
    let meta = json!({"name": name, "namespace": "default", "uid": name});
    storage(json!({"metadata": meta, "spec": spec, "status": {"phase": "Pending"}}), changes)
}

/// What makes a claim bound to a volume.
pub(super) fn bound_to(volume: &str) -> Value {
    json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": {"volumeName": volume},
        "status": {"phase": "Bound"}})
}

/// A storage class whose claims wait for their consumer.
pub(super) fn waiting_class(name: &str, provisioner: &str, changes: Value) -> Arc<StorageClass> {
    let mode = "WaitForFirstConsumer";
    storage(json!({"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode}), changes)
}

/// A pod that uses claims.
pub(super) fn using(name: &str, claims: &[&str]) -> Arc<Pod> {
    let volumes: Vec<Value> =
        claims.iter().map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}})).collect();
    pod(name, json!({"volumes": volumes}))
}

/// A node affinity of volumes: only nodes of that zone.
pub(super) fn in_zone(zone: &str) -> Value {
    json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]}}}})
}

pub(super) fn with_meta(pod: &Arc<Pod>, change: impl FnOnce(&mut Pod)) -> Arc<Pod> {
    let mut pod = (**pod).clone();
    change(&mut pod);
    Arc::new(pod)
}

pub(super) fn bound(pod: &Arc<Pod>, node: &str) -> Arc<Pod> {
    with_meta(pod, |pod| pod.node_name = node.into())
}

pub(super) fn second(seconds: f64) -> WallTime {
    WallTime::from_unix_nanos((seconds * 1e9) as i64)
}

/// A change of the object under its key in the view.
pub(super) fn change(view: &View, change_type: ChangeType, object: impl Into<Object>) -> Change {
    let object = object.into();
    let old = view.object(object.kind(), &object.key());
    Change { change_type, object, old, resource_version: view.resource_version + 1 }
}

/// A cluster on which single cycles are run.
#[derive(Debug, Default)]
pub(super) struct Bench {
    pub(super) view: View,
    pub(super) cache: Cache,
}

impl Bench {
    pub(super) fn add(&mut self, node: Arc<Node>) {
        self.cache.set_node(&node);
        self.apply(node);
    }

    pub(super) fn add_bound(&mut self, node: &str, pod: &Arc<Pod>) {
        let pod = bound(pod, node);
        self.cache.set_pod(&pod);
        self.apply(pod);
    }

    pub(super) fn apply(&mut self, object: impl Into<Object>) {
        let change = change(&self.view, ChangeType::Added, object);
        self.view.apply(&change);
    }

    fn run(&self, pod: &Pod) -> Result<String, String> {
        let mut cache = self.cache.clone();
        cache.prepare(pod);
        let cycle = Cycle::new(pod, &self.view, &cache);
        let found = Runner::default().run(&mut Registry::default(), &cycle);
        found.map(|node| self.cache.node(node).name().to_string()).map_err(|failure| failure.message)
    }

    /// The node that the pod gets.
    pub(super) fn placed(&self, pod: &Pod) -> String {
        self.run(pod).expect("a node")
    }

    /// What is said of the pod that gets no node.
    pub(super) fn failure(&self, pod: &Pod) -> String {
        self.run(pod).expect_err("no node")
    }

    /// The nodes that pass all filters, in their order.
    pub(super) fn passing(&self, pod: &Pod) -> Vec<String> {
        let explanation = self.explained(pod);
        let passes = |verdict: &Verdict| matches!(verdict, Verdict::Feasible { .. });
        let passing = explanation.nodes.iter().filter(|(_, verdict)| passes(verdict));
        passing.map(|(name, _)| name.to_string()).collect()
    }

    /// What a cycle makes of the pod.
    pub(super) fn explained(&self, pod: &Pod) -> Explanation {
        let mut cache = self.cache.clone();
        cache.prepare(pod);
        Runner::default().explain(&mut Registry::default(), &Cycle::new(pod, &self.view, &cache))
    }

    /// Points that one plugin gives the nodes, in their order.
    pub(super) fn scores(&self, plugin: &str, pod: &Pod) -> Vec<i64> {
        let mut registry = Registry::default();
        let mut cache = self.cache.clone();
        cache.prepare(pod);
        let cycle = Cycle::new(pod, &self.view, &cache);
        let nodes = cache.order();
        let mut scores = vec![0; nodes.len()];
        let (_, slot) = registry.slots_mut().find(|(_, slot)| slot.name() == plugin).expect("a plugin of that name");
        slot.pre_filter(&cycle);
        if slot.pre_score(&cycle, nodes) == PreScore::Score {
            slot.score_all(&cycle, nodes, &mut scores);
        }
        scores
    }
}
