//! What happened, in order: from a recording, or from a watch-event log.

use serde_json::{Map, Value, json};

use super::project::project;
use super::python::truthy;

static NOTHING: Value = Value::Null;

/// One change of an object, one Event, or one step.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Seconds since the start.
    pub(crate) t: f64,
    fields: Map<String, Value>,
}

impl Entry {
    /// An entry as recordings write it.
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self { t: fields.get("t").and_then(Value::as_f64).unwrap_or(0.0), fields }
    }

    pub(crate) fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&NOTHING)
    }

    /// The text of a field; empty where there is none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.get(field).as_str().unwrap_or_default()
    }

    pub(crate) fn is(&self, field: &str) -> bool {
        truthy(self.get(field))
    }

    pub(crate) fn kind(&self) -> &str {
        self.text("kind")
    }

    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn added(&self) -> bool {
        self.get("type") == "ADDED"
    }

    pub(crate) fn deleted(&self) -> bool {
        self.get("type") == "DELETED"
    }
}

/// The trace of a recording.
pub(crate) fn of_recording(recording: &Value) -> Vec<Entry> {
    let entries = super::python::items(&recording["trace"]).iter();
    entries.filter_map(|entry| entry.as_object().cloned().map(Entry::new)).collect()
}

/// The trace of a watch-event log. A record that changes no compared field is harmless and stays.
pub(crate) fn of_log(records: impl IntoIterator<Item = Value>) -> Vec<Entry> {
    records.into_iter().filter_map(|record| of_record(&record)).collect()
}

fn of_record(record: &Value) -> Option<Entry> {
    if record["type"] == "STEP" {
        let step = json!({
            "t": record["t"],
            "type": "STEP",
            "kind": "Step",
            "name": record["name"],
            "args": record["args"],
            "result": record["result"],
        });
        return step.as_object().cloned().map(Entry::new);
    }
    let object = &record["object"];
    // An Event's and a Service's own type takes the place of the change's, as it does in recordings.
    let projected = project(object)?;
    let mut fields = Map::new();
    fields.insert("t".to_owned(), record["t"].clone());
    fields.insert("type".to_owned(), record["type"].clone());
    fields.insert("kind".to_owned(), object["kind"].clone());
    fields.insert("name".to_owned(), object["metadata"]["name"].clone());
    fields.extend(projected);
    Some(Entry::new(fields))
}
