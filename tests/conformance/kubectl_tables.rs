//! The rows of `kubectl get -o wide`.

use seatrial::objects::{Kind, Object, Timestamp, defaults};
use seatrial::report::printers::{cells, columns};
use serde_json::{Value, json};

use crate::case::{Case, Miss, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let mut wire = case.input["object"].clone();
    let text = |field: &str| wire[field].as_str().unwrap_or_default().to_owned();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let Some(known) = Kind::of(&api_version, &kind) else {
        return Err(Miss::Skipped(format!("kind {kind} not simulated yet")));
    };
    let now: Timestamp =
        case.input["now"].as_str().unwrap_or_default().parse().map_err(|error| format!("in.now: {error}"))?;
    defaults::apply(&kind, &api_version, &mut wire);
    let object = Object::from_wire(wire).map_err(|error| format!("in.object: {error}"))?;

    let columns = columns(known);
    let names: Vec<Value> = columns.iter().map(|column| json!([column.name, column.is_wide])).collect();
    let cells: Vec<String> = cells(&object, now.wall()).into_iter().take(columns.len()).collect();
    let expected_names: Vec<Value> = list(&case.output["columns"])
        .iter()
        .map(|column| {
            let name = column["name"].as_str().unwrap_or_default().to_lowercase();
            json!([name, column["priority"].as_i64().is_some_and(|priority| priority > 0)])
        })
        .collect();
    let expected_cells: Vec<String> = list(&case.output["cells"][0]).iter().map(printed).collect();
    compare(&json!({"columns": expected_names, "cells": expected_cells}), &json!({"columns": names, "cells": cells}))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// As Go prints it with `%v`.
fn printed(cell: &Value) -> String {
    match cell {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        other => other.to_string(),
    }
}
