//! Manifests as decoding, defaulting and the strategies' preparation for creation leave them.

use seatrial::objects::{defaults, schema, validation};
use serde_json::Value;

use crate::case::{Case, Miss, Outcome, compare};
use crate::manifest::{create, group_kind, kind_of};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let manifest = &case.input["manifest"];
    let (kind, api_version) = kind_of(manifest);
    if schema::lookup(api_version, kind).is_none() {
        return Err(Miss::Skipped(format!("kind {kind} not simulated yet")));
    }
    let mut defaulted = manifest.clone();
    defaults::apply(kind, api_version, &mut defaulted);
    compare(&case.output["defaulted"], &defaulted)?;
    if !validation::is_known(kind) && !case.output["invalid"].is_null() {
        return Err(Miss::Skipped(format!("kind {kind} not simulated yet")));
    }
    let (created, errors) = create(manifest);
    if let Some(message) = case.output["invalid"].as_str() {
        let name = created["metadata"]["name"].as_str().unwrap_or_default();
        let got = validation::invalid_message(&group_kind(manifest), name, &errors);
        return compare(&Value::from(message), &Value::from(got));
    }
    match &case.output["created"] {
        Value::Null => Ok(()),
        expected => compare(expected, &created),
    }
}
