//! The rows of `kubectl get`.

use seatrial::objects::{Object, Timestamp, defaults};
use seatrial::report::row;
use serde_json::{Value, json};

use crate::case::{Case, Miss, Outcome, compare};

/// Kinds whose columns are those of the API server.
const TABLES: &[&str] = &[
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "Job",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "ReplicaSet",
    "ReplicationController",
    "StorageClass",
];

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let mut wire = case.input["object"].clone();
    let text = |field: &str| wire[field].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if !TABLES.contains(&&*kind) {
        return Err(Miss::Skipped(format!("columns of {kind}: not as upstream's yet")));
    }
    defaults::apply(&kind, &version, &mut wire);
    let now = case.input["now"].as_str().unwrap_or_default();
    let now: Timestamp = now.parse().map_err(|error| format!("in.now: {error}"))?;
    let object = Object::from_wire(wire).map_err(|error| error.to_string())?;
    let (columns, cells) = row(&object, now.wall());
    let shown = case.output["columns"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = shown.iter().filter_map(|column| Some(column["name"].as_str()?.to_lowercase())).collect();
    let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    let expected: Vec<String> = case.output["cells"][0].as_array().into_iter().flatten().map(text).collect();
    compare(&json!({"columns": names, "cells": expected}), &json!({"columns": columns, "cells": cells}))
}
