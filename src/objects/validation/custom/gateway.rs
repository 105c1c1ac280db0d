//! The CEL rules of GatewayClasses and Gateways (`gateway-api` `apis/v1/{gatewayclass,gateway}_types.go`).

use serde_json::Value;

use super::super::{Errors, Path};
use super::{are_distinct, broken, is_set};
use crate::objects::names;
use crate::objects::wire::Wire;

const BAD_KEY: &str = "keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 characters.";
const LONG_PREFIX: &str = "key's prefix must be a DNS subdomain not longer than 253 characters in total.";
const PREFIX_MAX: usize = 253;
const BAD_HOSTNAME: &str = "Hostname value must be empty or contain only valid characters (matching ^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)";

pub(super) fn validate_class(class: &Value, old: Option<&Value>, errors: &mut Errors) {
    let name = class.at("spec").text("controllerName");
    if old.is_some_and(|old| old.at("spec").text("controllerName") != name) {
        let spec = Path::root("spec");
        errors.push(spec.child("controllerName").invalid(name, "field is immutable"));
    }
}

pub(super) fn validate_gateway(gateway: &Value, _old: Option<&Value>, errors: &mut Errors) {
    let (path, spec) = (Path::root("spec"), gateway.at("spec"));
    validate_addresses(spec.list("addresses"), &path.child("addresses"), errors);
    validate_infrastructure(spec.at("infrastructure"), &path.child("infrastructure"), errors);
    validate_listeners(spec.list("listeners"), &path.child("listeners"), errors);
    let (tls, frontend) = (path.child("tls"), spec.at("tls").at("frontend"));
    if !are_distinct(frontend.list("perPort").iter().map(|one| one.int_some("port"))) {
        let message = "Port for TLS configuration must be unique within the Gateway";
        errors.push(broken(&tls.child("frontend").child("perPort"), message));
    }
}

fn validate_addresses(addresses: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for kind in ["IPAddress", "Hostname"] {
        let values = addresses.iter().map(|one| one.text_some("value").filter(|_| one.text("type") == kind));
        if !are_distinct(values) {
            errors.push(broken(path, format!("{kind} values must be unique")));
        }
    }
    for (index, address) in addresses.iter().enumerate() {
        let Some(value) = address.text_some("value") else { continue };
        let path = path.index(index);
        match address.text("type") {
            "Hostname" if !is_hostname(value) => errors.push(broken(&path, BAD_HOSTNAME)),
            // The one rule of the schema with alternatives.
            "IPAddress" if value.parse::<std::net::IpAddr>().is_err() => {
                let shown = address.to_string();
                let message = format!("{path} in body must validate one and only one schema (oneOf). Found none valid");
                errors.push(path.invalid(super::super::error::Verbatim(shown), message));
            }
            _ => {}
        }
    }
}

fn is_hostname(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    names::name_is_dns_subdomain(name, false).is_empty()
}

fn validate_infrastructure(infrastructure: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (field, name) in [("annotations", "annotation"), ("labels", "label")] {
        let path = path.child(field);
        let keys: Vec<&str> = infrastructure.entries(field).into_iter().map(|(key, _)| key).collect();
        if !keys.iter().all(|key| is_key(key)) {
            let first = name.split_at(1);
            errors.push(broken(&path, format!("{}{} {BAD_KEY}", first.0.to_uppercase(), first.1)));
        }
        if keys.iter().any(|key| key.split('/').next().is_some_and(|prefix| prefix.len() >= PREFIX_MAX)) {
            errors.push(broken(&path, format!("If specified, the {name} {LONG_PREFIX}")));
        }
    }
}

/// An optional DNS subdomain, a slash, and a name.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_edge = |c: char| c.is_ascii_alphanumeric();
    let is_inner = |c: char| is_edge(c) || matches!(c, '-' | '_' | '.');
    let is_name = (1..=63).contains(&name.len())
        && name.chars().all(is_inner)
        && name.starts_with(is_edge)
        && name.ends_with(is_edge);
    is_name && prefix.is_none_or(|prefix| is_hostname(prefix) && !prefix.starts_with('*'))
}

fn validate_listeners(listeners: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let is_one_of = |listener: &Value, protocols: &[&str]| protocols.contains(&listener.text("protocol"));
    let mut demand = |message: &'static str, holds: bool| {
        if !holds {
            errors.push(broken(path, message));
        }
    };
    demand(
        "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
        listeners.iter().all(|one| !is_one_of(one, &["HTTP", "TCP", "UDP"]) || !one.has("tls")),
    );
    let mode = |listener: &Value| listener.at("tls").text("mode").to_owned();
    demand(
        "tls mode must be Terminate for protocol HTTPS",
        listeners.iter().all(|one| !is_one_of(one, &["HTTPS"]) || !one.has("tls") || mode(one) == "Terminate"),
    );
    demand(
        "tls mode must be set for protocol TLS",
        listeners.iter().all(|one| !is_one_of(one, &["TLS"]) || !mode(one).is_empty()),
    );
    demand(
        "hostname must not be specified for protocols ['TCP', 'UDP']",
        listeners.iter().all(|one| !is_one_of(one, &["TCP", "UDP"]) || !is_set(one, "hostname")),
    );
    demand(
        "Listener name must be unique within the Gateway",
        are_distinct(listeners.iter().map(|one| Some(one.text("name")))),
    );
    demand(
        "Combination of port, protocol and hostname must be unique for each listener",
        are_distinct(
            listeners.iter().map(|one| Some((one.int("port"), one.text("protocol"), one.text_some("hostname")))),
        ),
    );
    for (index, listener) in listeners.iter().enumerate() {
        let Some(tls) = listener.get_some("tls") else { continue };
        let given = !tls.list("certificateRefs").is_empty() || !tls.entries("options").is_empty();
        if tls.text("mode") == "Terminate" && !given {
            let message = "certificateRefs or options must be specified when mode is Terminate";
            errors.push(broken(&path.index(index).child("tls"), message));
        }
    }
}
