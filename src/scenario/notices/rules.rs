//! What of the rules of Ingresses and HTTPRoutes is not simulated.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::network::ingress::{LoadBalance, Settings};
use crate::objects::Annotations;
use crate::objects::reader::Document;
use crate::objects::wire::Wire;

/// Filters of HTTPRoutes that change something beside where a request goes, and are not simulated.
const NOT_SIMULATED: [(&str, &str); 3] = [
    ("RequestMirror", "no copies of requests are sent"),
    ("CORS", "requests of browsers are not told apart"),
    ("ExtensionRef", "requests go on as they are"),
];

/// What of a Gateway or an HTTPRoute is not simulated.
pub(super) fn about(document: &Document, notices: &mut BTreeSet<String>) {
    let name = document.name.as_deref().unwrap_or_default();
    let spec = document.value.at("spec");
    let kind = &document.kind;
    let mut tell = |what: String| {
        notices.insert(format!("{kind} {name}: {what}"));
    };
    if spec.has("allowedListeners") {
        tell("ListenerSets are not simulated; allowedListeners allows nothing".into());
    }
    if spec.at("tls").has("frontend") {
        tell("certificates of clients are not asked for".into());
    }
    for rule in list(spec.at("rules")) {
        let backends = list(rule.at("backendRefs")).flat_map(|backend| list(backend.at("filters")));
        for filter in list(rule.at("filters")).chain(backends) {
            let kind = filter.text("type");
            if let Some((_, instead)) = NOT_SIMULATED.iter().find(|(other, _)| *other == kind) {
                tell(format!("filter {kind} is not simulated; {instead}"));
            }
        }
    }
}

/// What of an Ingress is not simulated.
pub(super) fn about_ingress(document: &Document, notices: &mut BTreeSet<String>) {
    let name = document.name.as_deref().unwrap_or_default();
    let annotations = document.value.at("metadata").at("annotations").as_object().cloned().unwrap_or_default();
    let mut owned = Annotations::default();
    for (key, value) in &annotations {
        owned = owned.with(key, value.as_str().unwrap_or_default());
    }
    let (settings, told) = Settings::read(&owned);
    let mut tell = |what: String| {
        notices.insert(format!("Ingress {name}: {what}"));
    };
    told.into_iter().for_each(&mut tell);
    if settings.load_balance == LoadBalance::Ewma {
        tell("load-balance ewma: endpoints are chosen in turn, latencies do not count".into());
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
