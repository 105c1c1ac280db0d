//! What happened one after the other: replica steps, StatefulSet pods, answers to steps, Events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names::Names;
use super::python;
use super::trace::Entry;

/// Replicas of what an owner owns, in order of identity; `gone` once deleted.
pub(crate) type Replicas = Vec<(String, Value)>;

/// Per owner: the sequence of replica vectors, and when each was reached.
pub(crate) fn replica_steps(trace: &[Entry], names: &Names) -> BTreeMap<String, Vec<(f64, Replicas)>> {
    let mut current: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    let mut steps: BTreeMap<String, Vec<(f64, Replicas)>> = BTreeMap::new();
    for entry in trace {
        if !["ReplicaSet", "StatefulSet", "ReplicationController"].contains(&entry.kind()) {
            continue;
        }
        let identity = names.of(entry.kind(), entry.name());
        let owner = identity.rsplit_once('#').map_or(&*identity, |(owner, _)| owner).to_owned();
        let replicas = if entry.deleted() { "gone".into() } else { entry.get("replicas").clone() };
        let owned = current.entry(owner.clone()).or_default();
        owned.insert(identity, replicas);
        let reached: Replicas = owned.clone().into_iter().collect();
        let steps = steps.entry(owner).or_default();
        if steps.last().is_none_or(|(_, last)| *last != reached) {
            steps.push((entry.t, reached));
        }
    }
    steps
}

/// A moment in the life of a pod of a StatefulSet.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) t: f64,
    pub(crate) pod: String,
    /// `created`, `ready`, `stopping` or `gone`.
    pub(crate) what: &'static str,
}

/// The moments of all pods of StatefulSets, in order.
pub(crate) fn pod_order(trace: &[Entry]) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut last: BTreeMap<&str, &Entry> = BTreeMap::new();
    let of_sets = trace.iter().filter(|entry| entry.kind() == "Pod" && entry.text("owner").starts_with("StatefulSet/"));
    for entry in of_sets {
        let mut note = |what| moments.push(Moment { t: entry.t, pod: entry.name().to_owned(), what });
        if entry.added() {
            note("created");
        } else if entry.deleted() {
            note("gone");
            last.remove(entry.name());
            continue;
        }
        let before = last.insert(entry.name(), entry);
        let became = |field| entry.is(field) && !before.is_some_and(|before| before.is(field));
        if became("ready") {
            note("ready");
        }
        if became("deleting") {
            note("stopping");
        }
    }
    moments
}

/// What the API server answered to an apply or an eviction: the step and the answers to each of its requests.
pub(crate) type Answer = (String, Vec<String>);

pub(crate) fn answers(trace: &[Entry]) -> Vec<Answer> {
    let steps = trace.iter().filter(|entry| entry.kind() == "Step" && ["evict", "apply"].contains(&entry.name()));
    steps.filter_map(|step| Some((step.name().to_owned(), answer(step)?))).collect()
}

fn answer(step: &Entry) -> Option<Vec<String>> {
    if let Some(results) = step.get("result").as_array() {
        let without_name =
            |result: &Value| result.as_array().map(|parts| python::list(parts.iter().skip(1).map(python::repr)));
        let mut answers: Vec<String> = results.iter().filter_map(without_name).collect();
        answers.sort();
        return Some(answers);
    }
    let told = ["code", "message"].into_iter().filter(|field| step.is(field));
    step.is("code").then(|| vec![python::list(told.map(|field| python::repr(step.get(field))))])
}

/// Reasons that depend on timing or on the recorder.
const IGNORED_REASONS: &[&str] = &[
    "NoPods",
    "MultiplePodDisruptionBudgets",
    "NodeHasSufficientMemory",
    "Starting",
    "RegisteredNode",
    "NodeNotReady",
    "NodeReady",
    "RemovingNode",
    "FailedToUpdateEndpointSlices",
    "FailedToUpdateEndpoint",
    "FailedToCreateEndpoint",
];

/// The kinds of Event about objects that the trace saw being created, the kubelet's left out.
pub(crate) fn events(trace: &[Entry], names: &Names) -> BTreeSet<String> {
    let created = trace.iter().filter(|entry| entry.added() && entry.kind() != "Event");
    let known: BTreeSet<String> = created.map(|entry| format!("{}/{}", entry.kind(), entry.name())).collect();
    let counts = |entry: &&Entry| {
        entry.kind() == "Event"
            && known.contains(entry.text("on"))
            && entry.get("from") != "kubelet"
            && !IGNORED_REASONS.contains(&entry.text("reason"))
            && !entry.text("message").contains("combined from similar")
    };
    let kind = |entry: &Entry| {
        let about = entry.text("on").split('/').next().unwrap_or_default();
        let message = python::quoted(&names.text(entry.text("message")));
        let own = |field| python::repr(entry.get(field));
        python::tuple(&[python::quoted(about), own("type"), own("reason"), message])
    };
    trace.iter().filter(counts).map(kind).collect()
}

impl Moment {
    pub(crate) fn repr(&self) -> String {
        python::tuple(&[python::float(self.t), python::quoted(&self.pod), python::quoted(self.what)])
    }
}

pub(crate) fn repr_step((t, replicas): &(f64, Replicas)) -> String {
    let pair =
        |(identity, replicas): &(String, Value)| python::tuple(&[python::quoted(identity), python::repr(replicas)]);
    let replicas: Vec<String> = replicas.iter().map(pair).collect();
    python::tuple(&[python::float(*t), python::tuple(&replicas)])
}

pub(crate) fn repr_answer((step, answers): &Answer) -> String {
    python::tuple(&[python::quoted(step), python::list(answers.iter().map(|answer| python::quoted(answer)))])
}

/// The first few of a list, written.
pub(crate) fn first<T>(of: impl IntoIterator<Item = T>, count: usize, repr: impl Fn(T) -> String) -> String {
    python::list(of.into_iter().take(count).map(repr))
}
