//! Which recordings show what is not simulated yet, by what is in them.

use std::sync::LazyLock;

use regex::Regex;
use seatrial::objects::reader::{ReaderLimits, read_manifests};
use serde_json::Value;

use super::judge::python::items;

/// Kinds whose controllers are not simulated yet.
const KINDS: &[&str] = &["HorizontalPodAutoscaler"];

/// Parts of a pod's spec that are not simulated yet, and what they are.
const FIELDS: &[(&str, &str)] = &[("persistentVolumeClaim", "volumes")];

/// What the scenario of a recording needs and is not simulated yet.
pub(super) fn missing(scenario: &Value) -> Option<String> {
    let steps = items(&scenario["steps"]);
    let texts = || [scenario].into_iter().chain(steps).filter_map(|holder| holder["objects"].as_str());
    let named = steps.iter().filter_map(|step| step["kind"].as_str()).map(str::to_owned);
    let mut kinds = named.chain(texts().flat_map(kinds_of));
    if let Some(kind) = kinds.find(|kind| KINDS.contains(&&**kind)) {
        return Some(format!("kind {kind}"));
    }
    texts().find_map(field_of)
}

/// The kinds of the manifests of a text. What cannot be read is for the scenario's own reader to tell.
fn kinds_of(text: &str) -> Vec<String> {
    let documents = read_manifests("objects", text, &ReaderLimits::default()).unwrap_or_default();
    documents.into_iter().map(|document| document.kind).collect()
}

fn field_of(text: &str) -> Option<String> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\b(\w+)["']?:"#).expect("a valid pattern"));
    let keys: Vec<&str> = KEY.captures_iter(text).filter_map(|found| found.get(1)).map(|key| key.as_str()).collect();
    FIELDS.iter().find(|(field, _)| keys.contains(field)).map(|(_, what)| (*what).to_owned())
}
