//! What is in a namespace, and what is left of it after its deletion (upstream `namespaced_resources_deleter.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{DeleteOptions, Propagation, Request, Response, View};
use crate::kernel::SimDuration;
use crate::objects::{Kind, Namespace, Object, WallTime};

use super::Outcome;

/// Seconds that something is given whose finalizers hold it.
const FINALIZER_ESTIMATE: i64 = 15;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// Deletions of objects, kind by kind.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    resources: Vec<(Resource, usize)>,
    /// Seconds until the pods are gone by themselves.
    estimate: i64,
}

/// Group, version and plural of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    plural: Arc<str>,
    api_version: Arc<str>,
}

/// What is left.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Objects by `resource.group`.
    pub(super) remaining: BTreeMap<String, usize>,
    /// Objects by finalizer.
    pub(super) finalizers: BTreeMap<Arc<str>, usize>,
    /// What went wrong, by kind.
    pub(super) errors: Vec<String>,
    estimate: i64,
}

impl Batch {
    /// Deletes the pods, with their own grace.
    pub(super) fn pods(view: &View, namespace: &Namespace, now: WallTime) -> (Self, Vec<Request>) {
        let pods = || view.pods.in_namespace(&namespace.meta.name);
        let graces =
            pods().filter(|pod| !pod.is_terminal()).filter_map(|pod| pod.spec.termination_grace_period_seconds);
        let longest = graces.max().unwrap_or(0).max(0);
        let since = namespace.meta.deletion_timestamp.map_or(0, |since| now.nanos_since(since.wall()));
        let estimate = if since >= longest.saturating_mul(NANOS_PER_SEC) { 0 } else { longest };
        let objects = pods().cloned().map(Object::from).collect();
        Self { estimate, ..Self::default() }.with(objects)
    }

    /// Deletes all but the pods.
    pub(super) fn rest(view: &View, namespace: &Namespace) -> (Self, Vec<Request>) {
        let kinds = Kind::ALL.iter().copied().filter(|kind| kind.is_namespaced() && *kind != Kind::Pod);
        let sorted = |kind: Kind| {
            let mut objects = view.list_in(kind, &namespace.meta.name);
            objects.sort_by_cached_key(Object::key);
            objects
        };
        Self::default().with(kinds.chain([Kind::Opaque]).flat_map(sorted).collect())
    }

    /// Objects must come kind by kind.
    fn with(mut self, objects: Vec<Object>) -> (Self, Vec<Request>) {
        let mut requests = Vec::with_capacity(objects.len());
        for object in objects {
            let resource = Resource::of(&object);
            match self.resources.last_mut() {
                Some((last, count)) if *last == resource => *count += 1,
                _ => self.resources.push((resource, 1)),
            }
            let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
            requests.push(Request::Delete { kind: object.kind(), key: object.key(), options });
        }
        (self, requests)
    }
}

impl Resource {
    fn of(object: &Object) -> Self {
        let plural = match object.kind() {
            Kind::Opaque => plural(object.kind_name()),
            kind => kind.plural().to_owned(),
        };
        Self { plural: plural.into(), api_version: object.api_version().into() }
    }

    fn group_and_version(&self) -> (&str, &str) {
        self.api_version.split_once('/').unwrap_or(("", &self.api_version))
    }
}

/// The resource that a kind is most likely called (`meta.UnsafeGuessKindToResource`).
fn plural(kind: &str) -> String {
    let name = kind.to_ascii_lowercase();
    match name.as_bytes().last() {
        _ if name == "endpoints" => name,
        Some(b's') => format!("{name}es"),
        Some(b'y') => format!("{}ies", &name[..name.len() - 1]),
        _ => format!("{name}s"),
    }
}

impl Tally {
    /// Takes in the answers to a batch.
    pub(super) fn add(&mut self, namespace: &str, batch: Batch, responses: Vec<Response>) {
        let mut responses = responses.into_iter();
        for (resource, count) in batch.resources {
            let answers: Vec<Response> = responses.by_ref().take(count).collect();
            let refused = answers.iter().filter_map(|answer| answer.as_ref().err()).find(|error| !error.is_not_found());
            if let Some(error) = refused {
                self.errors.push(error.message.clone());
                self.estimate = self.estimate.max(batch.estimate);
                continue;
            }
            self.count(namespace, &resource, batch.estimate, answers);
        }
    }

    fn count(&mut self, namespace: &str, resource: &Resource, mut estimate: i64, answers: Vec<Response>) {
        let left: Vec<Object> = answers.into_iter().flatten().filter(is_still_there).collect();
        if left.is_empty() {
            return;
        }
        let (group, version) = resource.group_and_version();
        let plural = &resource.plural;
        let held = left.iter().any(|object| !object.meta().finalizers.is_empty());
        if estimate == 0 && held {
            estimate = FINALIZER_ESTIMATE;
        } else if estimate == 0 {
            let resource = format!("{group}/{version}, Resource={plural}");
            self.errors.push(format!("unexpected items still remain in namespace: {namespace} for gvr: {resource}"));
        }
        self.estimate = self.estimate.max(estimate);
        self.remaining.insert(format!("{plural}.{group}"), left.len());
        for finalizer in left.iter().filter(|_| estimate > 0).flat_map(|object| &object.meta().finalizers) {
            *self.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
    }

    /// Whether nothing remains.
    pub(super) fn is_clear(&self) -> bool {
        self.remaining.is_empty()
    }

    pub(super) fn outcome(&self) -> Outcome {
        match (&self.errors[..], self.estimate) {
            ([], 0) => Outcome::Empty,
            ([], estimate) => Outcome::Wait(SimDuration::from_secs((estimate / 2).unsigned_abs() + 1)),
            ([error], _) => Outcome::Failed(error.clone()),
            (errors, _) => Outcome::Failed(format!("[{}]", errors.join(", "))),
        }
    }
}

/// Whether an object that was just deleted, as the server answered, is still stored.
fn is_still_there(object: &Object) -> bool {
    let meta = object.meta();
    let in_grace = meta.deletion_grace_period_seconds.is_some_and(|seconds| seconds > 0);
    meta.is_deleting() && (in_grace || !meta.finalizers.is_empty())
}
