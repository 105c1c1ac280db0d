//! Which recordings show what is not simulated yet, by what is in them.

use seatrial::objects::reader::{ReaderLimits, read_manifests};
use serde_json::Value;

use super::judge::python::items;

/// Kinds whose controllers are not simulated yet.
const KINDS: &[&str] = &[];

/// What the scenario of a recording needs and is not simulated yet.
pub(super) fn missing(scenario: &Value) -> Option<String> {
    let steps = items(&scenario["steps"]);
    let texts = || [scenario].into_iter().chain(steps).filter_map(|holder| holder["objects"].as_str());
    let named = steps.iter().filter_map(|step| step["kind"].as_str()).map(str::to_owned);
    let mut kinds = named.chain(texts().flat_map(kinds_of));
    kinds.find(|kind| KINDS.contains(&&**kind)).map(|kind| format!("kind {kind}"))
}

/// The kinds of the manifests of a text. What cannot be read is for the scenario's own reader to tell.
fn kinds_of(text: &str) -> Vec<String> {
    let documents = read_manifests("objects", text, &ReaderLimits::default()).unwrap_or_default();
    documents.into_iter().map(|document| document.kind).collect()
}
