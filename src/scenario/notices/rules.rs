//! What of the rules of Ingresses and HTTPRoutes is not simulated.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::network::ingress::{LoadBalance, Settings};
use crate::objects::Annotations;
use crate::objects::reader::Document;
use crate::objects::wire::Wire;

/// Filters of HTTPRoutes that change where a request goes, or what of it is counted.
const SIMULATED: [&str; 1] = ["RequestRedirect"];

/// What of a Gateway, its class or an HTTPRoute is not simulated.
pub(super) fn about(document: &Document, notices: &mut BTreeSet<String>) {
    let name = document.name.as_deref().unwrap_or_default();
    let spec = document.value.at("spec");
    let kind = &document.kind;
    let mut tell = |what: String| {
        notices.insert(format!("{kind} {name}: {what}"));
    };
    if kind == "Gateway" {
        let secure = list(spec.at("listeners")).any(|listener| !matches!(listener.text("protocol"), "" | "HTTP"));
        if secure {
            tell("listeners are taken as plain HTTP; their hostnames, TLS and allowedRoutes are not simulated".into());
        }
    }
    for rule in list(spec.at("rules")) {
        let backends = list(rule.at("backendRefs")).flat_map(|backend| list(backend.at("filters")));
        for filter in list(rule.at("filters")).chain(backends) {
            let filter = filter.text("type");
            if !SIMULATED.contains(&filter) {
                tell(format!("filter {filter} is not simulated; requests go on as they are"));
            }
        }
        for one in list(rule.at("matches")) {
            let pairs = list(one.at("headers")).chain(list(one.at("queryParams")));
            let has_regex = pairs.chain([one.at("path")]).any(|part| part.text("type") == "RegularExpression");
            if has_regex {
                tell("matches of type RegularExpression are left out".into());
            }
        }
        for field in ["timeouts", "retry", "sessionPersistence"] {
            if rule.has(field) {
                tell(format!("{field} of a rule is not simulated"));
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
    if !settings.allow.is_empty() || !settings.deny.is_empty() {
        tell("source ranges of annotations are not applied to traffic; all clients are let through".into());
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
