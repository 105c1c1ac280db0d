//! The state of a cluster at an instant, and the instants at which it is compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::Names;
use super::python::{self, items, truthy};
use super::trace::Entry;

/// Seconds without a change on either side of an instant that is compared.
const QUIET: f64 = 0.40;
/// The same where a component batches its work by the second: Jobs and endpoints.
const CALM: f64 = 1.15;
/// The same in `node-*`: the node monitor looks every 5 s, at a phase of its own.
const NODE_CALM: f64 = 6.0;
/// Which of these one sees is a race upstream.
const UNDER_WAY: &[&str] = &["NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"];

/// An instant far enough from any change.
#[derive(Clone, Copy)]
pub(crate) struct Instant {
    /// Seconds since the start.
    pub(crate) t: f64,
    /// Far enough also for what is batched by the second.
    pub(crate) calm: bool,
}

/// The instants to compare at.
pub(crate) fn quiet_instants(trace: &[Entry], end: f64, of_nodes: bool) -> Vec<Instant> {
    let mut changes: Vec<f64> = trace.iter().filter(|entry| entry.kind() != "Event").map(|entry| entry.t).collect();
    changes.sort_by(f64::total_cmp);
    changes.dedup();
    let need = if of_nodes { NODE_CALM } else { QUIET };
    let next = changes.iter().skip(1).copied().chain([end]);
    let gaps = changes.iter().copied().zip(next).filter(|(from, to)| to - from >= 2.0 * need);
    gaps.map(|(from, to)| Instant { t: (from + to) / 2.0, calm: to - from >= 2.0 * CALM }).collect()
}

/// The objects alive at an instant that moves forward.
pub(crate) struct State<'a> {
    ahead: std::slice::Iter<'a, Entry>,
    alive: BTreeMap<(&'a str, &'a str), &'a Entry>,
}

impl<'a> State<'a> {
    pub(crate) fn before(trace: &'a [Entry]) -> Self {
        Self { ahead: trace.iter(), alive: BTreeMap::new() }
    }

    /// Takes in everything up to and at `t`.
    pub(crate) fn advance(&mut self, t: f64) {
        while let Some(entry) = self.ahead.as_slice().first().filter(|entry| entry.t <= t) {
            self.ahead.next();
            if ["Step", "Event"].contains(&entry.kind()) {
                continue;
            }
            let key = (entry.kind(), entry.name());
            if entry.deleted() {
                self.alive.remove(&key);
            } else {
                self.alive.insert(key, entry);
            }
        }
    }

    /// Pods per node, smallest first, and how many are not bound.
    pub(crate) fn pods_per_node(&self) -> (Vec<u64>, u64) {
        let mut by_node: BTreeMap<&str, u64> = BTreeMap::new();
        for pod in self.alive.values().filter(|entry| entry.kind() == "Pod") {
            *by_node.entry(pod.text("node")).or_default() += 1;
        }
        let pending = by_node.remove("").unwrap_or(0);
        let mut counts: Vec<u64> = by_node.into_values().collect();
        counts.sort_unstable();
        (counts, pending)
    }
}

/// What is compared at an instant: objects by identity, pods and endpoints as counts of alike.
pub(crate) type View = BTreeMap<String, Value>;

/// How much of a state is compared.
#[derive(Clone, Copy)]
pub(crate) struct Detail {
    /// Also what is batched by the second.
    pub(crate) calm: bool,
    /// Pods of StatefulSets by name.
    pub(crate) by_name: bool,
}

pub(crate) fn view(state: &State<'_>, names: &Names, detail: Detail) -> View {
    let mut view = View::new();
    let mut counted: Vec<String> = Vec::new();
    for (&(kind, name), entry) in &state.alive {
        match kind {
            "Pod" => counted.extend(pod(entry, names, detail)),
            "EndpointSlice" if detail.calm => counted.extend(endpoints(entry)),
            "Job" | "CronJob" if !detail.calm => {}
            "ReplicaSet"
            | "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "Job"
            | "ReplicationController"
            | "PodDisruptionBudget"
            | "CronJob" => {
                view.insert(names.of(kind, name), workload(entry));
            }
            "PersistentVolume" | "PersistentVolumeClaim" => {
                view.insert(format!("{kind}/{name}"), storage(entry));
            }
            "Node" => {
                view.insert(format!("{kind}/{name}"), node(entry));
            }
            _ => {}
        }
    }
    counted.sort_unstable();
    let alike = counted.chunk_by(|a, b| a == b);
    view.extend(alike.map(|same| (format!("count {}", same[0]), same.len().into())));
    view
}

/// What a pod counts as.
fn pod(entry: &Entry, names: &Names, detail: Detail) -> Option<String> {
    let owner = names.owner(entry.text("owner")).unwrap_or_else(|| format!("Pod/{}", names.text(entry.name())));
    if !detail.calm && (owner.starts_with("Job/") || owner.starts_with("CronJob/")) {
        return None;
    }
    let name = if detail.by_name && owner.starts_with("StatefulSet/") { entry.name() } else { &owner };
    let images: Vec<String> = items(entry.get("images")).iter().map(python::repr).collect();
    let flag = |field| python::bool(entry.is(field)).to_owned();
    let phase = python::repr(entry.get("phase"));
    let key = [python::quoted(name), python::tuple(&images), phase, flag("ready"), flag("deleting"), flag("node")];
    Some(python::tuple(&key))
}

fn endpoints(entry: &Entry) -> Vec<String> {
    let of = python::quoted(&format!("endpoint of {}", python::str(entry.get("service"))));
    let key = |endpoint: &Value| {
        let condition = |name| python::repr(&endpoint[name]);
        python::tuple(&[of.clone(), condition("ready"), condition("serving"), condition("terminating")])
    };
    items(entry.get("endpoints")).iter().map(key).collect()
}

fn workload(entry: &Entry) -> Value {
    const LEFT_OUT: &[&str] = &["collisionCount", "currentRevision", "updateRevision"];
    let status = entry.get("status").as_object().into_iter().flatten();
    let status = status.filter(|(name, value)| !LEFT_OUT.contains(&name.as_str()) && truthy(value));
    let status: Map<String, Value> = status.map(|(name, value)| (name.clone(), value.clone())).collect();
    let conditions = entry.get("conditions").as_object().into_iter().flatten();
    let condition = |(name, pair): (&String, &Value)| {
        let under_way = pair[1].as_str().is_some_and(|reason| UNDER_WAY.contains(&reason));
        let reason = if under_way { "InProgress".into() } else { pair[1].clone() };
        (name.clone(), json!([pair[0], reason]))
    };
    let conditions: Map<String, Value> = conditions.map(condition).collect();
    json!({
        "replicas": entry.get("replicas"),
        "status": status,
        "conditions": conditions,
        "deleting": entry.is("deleting"),
    })
}

fn storage(entry: &Entry) -> Value {
    let bound = ["volume", "claim"].into_iter().find(|field| entry.is(field)).unwrap_or("claim");
    json!({"phase": entry.get("phase"), "bound": entry.get(bound)})
}

fn node(entry: &Entry) -> Value {
    let mut taints: Vec<String> = items(entry.get("taints")).iter().map(python::str).collect();
    taints.sort();
    let ready = if entry.is("ready") { entry.get("ready")[0].clone() } else { "?".into() };
    json!({"taints": taints, "ready": ready, "unschedulable": entry.is("unschedulable")})
}
