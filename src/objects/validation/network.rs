//! Ingresses, their classes, and network policies (`pkg/apis/networking/validation`).

use serde_json::Value;

use super::checks::{self, Report, dns_subdomain, immutable, legacy_cidr, port_number, required_texts, supported};
use super::labels::validate_selector;
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::wire::Wire;

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const CONTROLLER_MAX: usize = 250;
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_SUFFIXES: [&str; 2] = ["/..", "/."];

/// What a stored Ingress may keep although today's rules refuse it.
#[derive(Debug, Clone, Copy, Default)]
struct IngressOptions {
    allow_invalid_secret_name: bool,
    allow_invalid_wildcard_rule: bool,
}

impl IngressOptions {
    fn from_old(spec: &Value) -> Self {
        let bad_secret = |tls: &Value| {
            let name = tls.text("secretName");
            !name.is_empty() && !names::name_is_dns_subdomain(name, false).is_empty()
        };
        let bad_wildcard = |rule: &Value| {
            let mut faults = Errors::new();
            validate_rule_value(rule, &Path::root(""), &mut faults);
            rule.text("host").contains('*') && !faults.is_empty()
        };
        Self {
            allow_invalid_secret_name: spec.list("tls").iter().any(bad_secret),
            allow_invalid_wildcard_rule: spec.list("rules").iter().any(bad_wildcard),
        }
    }
}

/// `ValidateIngressCreate`, `ValidateIngressUpdate`.
pub(super) fn validate_ingress(ingress: &Value, old: Option<&Value>, errors: &mut Errors) {
    let mut options = IngressOptions::default();
    if let Some(old) = old {
        validate_meta_update(ingress, old, errors);
        options = IngressOptions::from_old(old.at("spec"));
    }
    validate_meta(ingress, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let path = Path::root("spec");
    let spec = ingress.at("spec");
    if spec.list("rules").is_empty() && !spec.has("defaultBackend") {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(path.invalid(spec.at("rules"), detail));
    }
    if let Some(backend) = spec.get_some("defaultBackend") {
        validate_backend(backend, &path.child("defaultBackend"), errors);
    }
    validate_rules(spec.list("rules"), options, &path.child("rules"), errors);
    validate_tls(spec.list("tls"), options, &path.child("tls"), errors);
    if let Some(class) = spec.text_some("ingressClassName") {
        dns_subdomain(class, &path.child("ingressClassName"), errors);
    }
    let annotation = ingress.at("metadata").at("annotations").text_some(CLASS_ANNOTATION);
    if let (None, Some(annotation), Some(class)) = (old, annotation, spec.text_some("ingressClassName"))
        && annotation != class
    {
        let annotations = Path::root("annotations");
        let detail = "must match `ingressClassName` when both are specified";
        errors.push(annotations.child(CLASS_ANNOTATION).invalid(annotation, detail));
    }
}

fn validate_host(host: &str, path: &Path<'_>, errors: &mut Errors) {
    if host.contains('*') {
        errors.complain(path, host, names::wildcard_dns1123_subdomain(host));
    } else {
        dns_subdomain(host, path, errors);
    }
}

fn validate_tls(entries: &[Value], options: IngressOptions, path: &Path<'_>, errors: &mut Errors) {
    for (index, tls) in entries.iter().enumerate() {
        let path = path.index(index);
        let hosts = path.child("hosts");
        for (index, host) in tls.texts("hosts").into_iter().enumerate() {
            validate_host(host, &hosts.index(index), errors);
        }
        let secret = tls.text("secretName");
        if !secret.is_empty() && !options.allow_invalid_secret_name {
            dns_subdomain(secret, &path.child("secretName"), errors);
        }
    }
}

fn validate_rules(rules: &[Value], options: IngressOptions, path: &Path<'_>, errors: &mut Errors) {
    for (index, rule) in rules.iter().enumerate() {
        let path = path.index(index);
        let host = rule.text("host");
        if !host.is_empty() {
            let path = path.child("host");
            if host.parse::<std::net::IpAddr>().is_ok() {
                errors.push(path.invalid(host, "must be a DNS name, not an IP address"));
            }
            validate_host(host, &path, errors);
        }
        if !host.contains('*') || !options.allow_invalid_wildcard_rule {
            validate_rule_value(rule, &path, errors);
        }
    }
}

fn validate_rule_value(rule: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(http) = rule.get_some("http") else { return };
    let paths = path.child("http.paths");
    if http.list("paths").is_empty() {
        errors.push(paths.required(""));
    }
    for (index, entry) in http.list("paths").iter().enumerate() {
        validate_path(entry, &paths.index(index), errors);
    }
}

fn validate_path(entry: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(kind) = entry.text_some("pathType") else {
        errors.push(path.child("pathType").required("pathType must be specified"));
        return;
    };
    let (url, url_path) = (entry.text("path"), path.child("path"));
    match kind {
        "Exact" | "Prefix" => {
            if !url.starts_with('/') {
                errors.push(url_path.invalid(url, "must be an absolute path"));
            }
            for sequence in BAD_SEQUENCES.iter().filter(|sequence| url.contains(**sequence)) {
                errors.push(url_path.invalid(url, format!("must not contain '{sequence}'")));
            }
            for suffix in BAD_SUFFIXES.iter().filter(|suffix| url.ends_with(**suffix)) {
                errors.push(url_path.invalid(url, format!("cannot end with '{suffix}'")));
            }
        }
        "ImplementationSpecific" => {
            if !url.is_empty() && !url.starts_with('/') {
                errors.push(url_path.invalid(url, "must be an absolute path"));
            }
        }
        other => supported(other, &PATH_TYPES, &path.child("pathType"), errors),
    }
    validate_backend(entry.at("backend"), &path.child("backend"), errors);
}

fn validate_backend(backend: &Value, path: &Path<'_>, errors: &mut Errors) {
    match (backend.get_some("resource"), backend.get_some("service")) {
        (Some(_), Some(_)) => errors.push(path.invalid("", "cannot set both resource and service backends")),
        (Some(resource), None) => validate_reference(resource, &path.child("resource"), errors),
        (None, Some(service)) => validate_service_backend(service, path, errors),
        (None, None) => errors.push(path.invalid("", "resource or service backend is required")),
    }
}

fn validate_service_backend(service: &Value, path: &Path<'_>, errors: &mut Errors) {
    let name = service.text("name");
    if name.is_empty() {
        errors.push(path.child("service.name").required(""));
    } else {
        checks::dns_label(name, &path.child("service.name"), errors);
    }
    let (name, number) = (service.at("port").text("name"), service.at("port").int("number"));
    match (name.is_empty(), number) {
        (true, 0) => errors.push(path.required("port name or number is required")),
        (true, number) => port_number(number, &path.child("service.port.number"), errors),
        (false, 0) => errors.complain(&path.child("service.port.name"), name, names::port_name(name)),
        (false, _) => errors.push(path.invalid("", "cannot set both port name & port number")),
    }
}

/// A typed reference to an object by group, kind and name.
fn validate_reference(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(group) = reference.text_some("apiGroup") {
        dns_subdomain(group, &path.child("apiGroup"), errors);
    }
    for field in ["kind", "name"] {
        path_segment(reference.text(field), &path.child(field), errors);
    }
}

/// A required name that can stand in a URL's path.
pub(super) fn path_segment(name: &str, path: &Path<'_>, errors: &mut Errors) {
    if name.is_empty() {
        errors.push(path.required(""));
    } else {
        errors.complain(path, name, names::path_segment_name(name, false));
    }
}

/// `IsDomainPrefixedPath`, such as `acme.io/foo`.
pub(super) fn domain_prefixed_path(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(path.required(""));
        return;
    }
    let Some((host, rest)) = value.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty()) else {
        errors.push(path.invalid(value, "must be a domain-prefixed path (such as \"acme.io/foo\")"));
        return;
    };
    dns_subdomain(host, path, errors);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !rest.bytes().all(allowed) {
        let detail = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        errors.push(path.invalid(rest, detail));
    }
}

/// `ValidateIngressClass`, `ValidateIngressClassUpdate`.
pub(super) fn validate_ingress_class(class: &Value, old: Option<&Value>, errors: &mut Errors) {
    let path = Path::root("spec");
    let controller = path.child("controller");
    if let Some(old) = old {
        validate_meta_update(class, old, errors);
        immutable(class.at("spec").at("controller"), old.at("spec").at("controller"), &controller, errors);
    }
    validate_meta(class, NameRules::cluster(names::name_is_dns_subdomain), errors);
    let spec = class.at("spec");
    if spec.text("controller").len() > CONTROLLER_MAX {
        errors.push(controller.too_long(CONTROLLER_MAX));
    }
    domain_prefixed_path(spec.text("controller"), &controller, errors);
    let Some(parameters) = spec.get_some("parameters") else { return };
    let path = path.child("parameters");
    validate_reference(parameters, &path, errors);
    let namespace_path = path.child("namespace");
    match (parameters.text_some("scope"), parameters.text_some("namespace")) {
        (None, _) => errors.push(path.child("scope").required("")),
        (Some("Namespace"), None) => errors.push(namespace_path.required("`parameters.scope` is set to 'Namespace'")),
        (Some("Namespace"), Some(namespace)) => checks::dns_label(namespace, &namespace_path, errors),
        (Some("Cluster"), Some(_)) => errors.push(namespace_path.forbidden("`parameters.scope` is set to 'Cluster'")),
        (Some("Cluster"), None) => {}
        (Some(other), _) => supported(other, &["Cluster", "Namespace"], &path.child("scope"), errors),
    }
}

/// `ValidateNetworkPolicy`, `ValidateNetworkPolicyUpdate`.
pub(super) fn validate_network_policy(policy: &Value, old: Option<&Value>, errors: &mut Errors) {
    match old {
        Some(old) => validate_meta_update(policy, old, errors),
        None => validate_meta(policy, NameRules::namespaced(names::name_is_dns_subdomain), errors),
    }
    let mut old_faults = Errors::new();
    let old_spec = old.map(|old| old.at("spec"));
    if let Some(spec) = old_spec {
        validate_selector(spec.at("podSelector"), false, &Path::root(""), &mut old_faults);
    }
    let lenient = !old_faults.is_empty();
    let existing = old_spec.map(ranges_of).unwrap_or_default();
    let path = Path::root("spec");
    let spec = policy.at("spec");
    validate_selector(spec.at("podSelector"), lenient, &path.child("podSelector"), errors);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let path = path.child(direction);
        for (index, rule) in spec.list(direction).iter().enumerate() {
            let path = path.index(index);
            let ports = path.child("ports");
            for (index, port) in rule.list("ports").iter().enumerate() {
                validate_policy_port(port, &ports.index(index), errors);
            }
            let peers_path = path.child(peers);
            for (index, peer) in rule.list(peers).iter().enumerate() {
                validate_peer(peer, lenient, &existing, &peers_path.index(index), errors);
            }
        }
    }
    let (types, types_path) = (spec.texts("policyTypes"), path.child("policyTypes"));
    if types.len() > 2 {
        errors.push(types_path.invalid(&types, "may not specify more than two policyTypes"));
        return;
    }
    for (index, kind) in types.into_iter().enumerate() {
        supported(kind, &["Ingress", "Egress"], &types_path.index(index), errors);
    }
}

/// All address ranges of a stored policy, which stay valid.
fn ranges_of(spec: &Value) -> Vec<&str> {
    let peers = [("ingress", "from"), ("egress", "to")]
        .into_iter()
        .flat_map(|(direction, peers)| spec.list(direction).iter().flat_map(move |rule| rule.list(peers)));
    peers
        .filter_map(|peer| peer.get_some("ipBlock"))
        .flat_map(|block| [block.text("cidr")].into_iter().chain(block.texts("except")))
        .collect()
}

fn validate_policy_port(port: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(protocol) = port.text_some("protocol") {
        supported(protocol, &["TCP", "UDP", "SCTP"], &path.child("protocol"), errors);
    }
    let end = port.int_some("endPort");
    let (port_path, end_path) = (path.child("port"), path.child("endPort"));
    match (port.at("port"), end) {
        (Value::Null, Some(end)) => {
            errors.push(end_path.invalid(end, "may not be specified when `port` is not specified"))
        }
        (Value::Null, None) => {}
        (Value::String(name), end) => {
            if let Some(end) = end {
                errors.push(end_path.invalid(end, "may not be specified when `port` is non-numeric"));
            }
            errors.complain(&port_path, name, names::port_name(name));
        }
        (number, end) => {
            let number = number.as_i64().unwrap_or(0);
            port_number(number, &port_path, errors);
            if let Some(end) = end {
                if end < number {
                    errors.push(end_path.invalid(number, "must be greater than or equal to `port`"));
                }
                port_number(end, &end_path, errors);
            }
        }
    }
}

fn validate_peer(peer: &Value, lenient: bool, existing: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let mut given = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = peer.get_some(field) {
            given += 1;
            validate_selector(selector, lenient, &path.child(field), errors);
        }
    }
    let block = peer.get_some("ipBlock");
    if let Some(block) = block {
        given += 1;
        validate_ip_block(block, existing, &path.child("ipBlock"), errors);
    }
    if given == 0 {
        errors.push(path.required("must specify a peer"));
    } else if given > 1 && block.is_some() {
        errors.push(path.forbidden("may not specify both ipBlock and another peer"));
    }
}

fn validate_ip_block(block: &Value, existing: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let range = block.text("cidr");
    required_texts(block, &["cidr"], path, errors);
    if range.is_empty() {
        return;
    }
    legacy_cidr(range, existing, &path.child("cidr"), errors);
    let Some(whole) = parse_range(range) else { return };
    let excepts = path.child("except");
    for (index, except) in block.texts("except").into_iter().enumerate() {
        let path = excepts.index(index);
        legacy_cidr(except, existing, &path, errors);
        let Some(part) = parse_range(except) else { continue };
        if !is_strictly_within(part, whole) {
            errors.push(path.invalid(except, "must be a strict subset of `cidr`"));
        }
    }
}

/// An address as bits, its family's width, and the length of the prefix.
fn parse_range(range: &str) -> Option<(u128, u32, u32)> {
    let (address, length) = range.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    let (bits, width) = match address.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        std::net::IpAddr::V6(address) => (address.to_bits(), 128),
    };
    (length <= width).then_some((bits, width, length))
}

fn is_strictly_within(part: (u128, u32, u32), whole: (u128, u32, u32)) -> bool {
    let prefix = |bits: u128| bits.checked_shr(whole.1 - whole.2).unwrap_or(0);
    part.1 == whole.1 && part.2 > whole.2 && prefix(part.0) == prefix(whole.0)
}
