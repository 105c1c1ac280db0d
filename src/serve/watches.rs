//! Watches: what changes from a version on.

use serde_json::{Value, json};

use crate::api::{Change, ChangeType};
use crate::objects::Object;
use crate::report::Query;
use crate::sim::{Record, Simulation};

use super::forms::Form;
use super::reads::matching;
use super::request::HttpRequest;
use super::resources::ApiResource;

/// A watch that a client has begun.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Group and version, and kind, of what is watched.
    kind: [String; 2],
    query: Query,
    form: Form,
    /// The next entry of the recording to look at.
    next: usize,
    /// The objects that there are come first.
    begins_with_all: bool,
    /// They are followed by a bookmark that says so (`sendInitialEvents`).
    marks_their_end: bool,
    /// Real seconds after which the server ends it.
    timeout_seconds: Option<u64>,
}

impl Watch {
    pub(super) fn new(
        sim: &Simulation,
        resource: &ApiResource,
        query: Query,
        form: &Form,
        request: &HttpRequest,
    ) -> Self {
        let version: u64 = request.value("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
        let sends_all = request.flag("sendInitialEvents");
        let begins_with_all = sends_all || version == 0;
        let records = sim.recording().records();
        let seen = |record: &Record| match record {
            Record::Change(_, change) => begins_with_all || change.resource_version <= version,
            _ => begins_with_all,
        };
        let next = records.iter().rposition(seen).map_or(0, |last| last + 1);
        let timeout_seconds = request.value("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
        let kind = [resource.api_version(), resource.kind.clone()];
        Self { kind, query, form: form.clone(), next, begins_with_all, marks_their_end: sends_all, timeout_seconds }
    }

    /// Real seconds after which the server ends the watch, if the client said so.
    #[must_use]
    pub const fn timeout_seconds(&self) -> Option<u64> {
        self.timeout_seconds
    }

    /// What is new since the last call, one JSON document a line.
    #[must_use]
    pub fn news(&mut self, sim: &Simulation) -> String {
        let mut out = String::new();
        if std::mem::take(&mut self.begins_with_all) {
            for object in matching(sim, &self.query) {
                self.tell(&mut out, sim, ChangeType::Added.as_str(), &object);
            }
            if self.marks_their_end {
                push(&mut out, "BOOKMARK", &self.bookmark(sim));
            }
        }
        let records = sim.recording().records();
        for record in &records[self.next.min(records.len())..] {
            let Record::Change(_, change) = record else { continue };
            if let Some((_, told)) = self.query.told(change) {
                self.tell(&mut out, sim, told.as_str(), &of_that_version(change));
            }
        }
        self.next = records.len();
        out
    }

    fn tell(&self, out: &mut String, sim: &Simulation, event: &str, object: &Object) {
        push(out, event, &self.form.one(object, sim.wall()));
    }

    /// An object of the watched kind with nothing but a version.
    fn bookmark(&self, sim: &Simulation) -> Value {
        let [api_version, kind] = &self.kind;
        let annotations = json!({"k8s.io/initial-events-end": "true"});
        let version = sim.view().resource_version.to_string();
        json!({"kind": kind, "apiVersion": api_version, "metadata": {"resourceVersion": version, "annotations": annotations}})
    }
}

/// What is deleted has the version of its deletion.
fn of_that_version(change: &Change) -> Object {
    match change.change_type {
        ChangeType::Deleted => change.object.with_meta(|meta| meta.resource_version = change.resource_version),
        _ => change.object.clone(),
    }
}

fn push(out: &mut String, event: &str, object: &Value) {
    out.push_str(&json!({"type": event, "object": object}).to_string());
    out.push('\n');
}
