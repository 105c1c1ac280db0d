//! EndpointSlices and Endpoints.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::{
    self, PROTOCOLS, Report, dns_label, immutable, joined, legacy_ip, port_number, qualified_name, required_enum,
    supported,
};
use super::labels::validate_labels;
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::service::{validate_endpoint_ip, validate_reachable_ip};
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::wire::Wire;

const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const TOPOLOGY_LABELS_MAX: usize = 16;
const HINTS_MAX: usize = 8;

/// `ValidateEndpointSlice`. Endpoints that did not change are not looked at again.
pub(super) fn validate_endpoint_slice(slice: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_meta(slice, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let family = slice.text("addressType");
    required_enum(family, &["FQDN", "IPv4", "IPv6"], &Path::root("addressType"), errors);
    validate_slice_ports(slice.list("ports"), &Path::root("ports"), errors);
    if old.is_none_or(|old| old.at("endpoints") != slice.at("endpoints")) {
        validate_slice_endpoints(slice.list("endpoints"), family, &Path::root("endpoints"), errors);
    }
    if let Some(old) = old {
        immutable(slice.at("addressType"), old.at("addressType"), &Path::root("addressType"), errors);
    }
}

fn validate_slice_ports(ports: &[Value], path: &Path<'_>, errors: &mut Errors) {
    if ports.len() > PORTS_MAX {
        errors.push(path.too_many(ports.len(), PORTS_MAX));
        return;
    }
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = port.text("name");
        if !name.is_empty() {
            dns_label(name, &path.child("name"), errors);
        }
        if !names.insert(name) {
            errors.push(path.child("name").duplicate(name));
        }
        match port.text_some("protocol") {
            None => errors.push(path.child("protocol").required("")),
            Some(protocol) => supported(protocol, &PROTOCOLS, &path.child("protocol"), errors),
        }
        if let Some(protocol) = port.text_some("appProtocol") {
            qualified_name(protocol, &path.child("appProtocol"), errors);
        }
    }
}

fn validate_slice_endpoints(endpoints: &[Value], family: &str, path: &Path<'_>, errors: &mut Errors) {
    if endpoints.len() > ENDPOINTS_MAX {
        errors.push(path.too_many(endpoints.len(), ENDPOINTS_MAX));
        return;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let path = path.index(index);
        validate_addresses(&endpoint.texts("addresses"), family, &path.child("addresses"), errors);
        if let Some(node) = endpoint.text_some("nodeName") {
            checks::dns_subdomain(node, &path.child("nodeName"), errors);
        }
        let topology = endpoint.at("deprecatedTopology");
        let topology_path = path.child("deprecatedTopology");
        let labels = topology.as_object().map_or(0, serde_json::Map::len);
        if labels > TOPOLOGY_LABELS_MAX {
            errors.push(topology_path.too_many(labels, TOPOLOGY_LABELS_MAX));
        }
        validate_labels(topology, &topology_path, errors);
        if let Some(hostname) = endpoint.text_some("hostname") {
            dns_label(hostname, &path.child("hostname"), errors);
        }
        validate_hints(endpoint.at("hints"), &path.child("hints"), errors);
    }
}

fn validate_addresses(addresses: &[&str], family: &str, path: &Path<'_>, errors: &mut Errors) {
    if addresses.is_empty() {
        errors.push(path.required("must contain at least 1 address"));
    } else if addresses.len() > ADDRESSES_MAX {
        errors.push(path.too_many(addresses.len(), ADDRESSES_MAX));
    }
    for (index, address) in addresses.iter().enumerate() {
        let at = path.index(index);
        let complaints = match family {
            "IPv4" => names::ip(address),
            "IPv6" => names::ip_strict(address),
            "FQDN" => {
                validate_domain_name(address, &at, errors);
                continue;
            }
            _ => continue,
        };
        if !complaints.is_empty() {
            errors.complain(&at, address, complaints);
            continue;
        }
        if address.contains(':') != (family == "IPv6") {
            errors.push(path.invalid(address, format!("must be an {family} address")));
        }
        validate_reachable_ip(address, &at, errors);
    }
}

/// `IsFullyQualifiedDomainName`.
fn validate_domain_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    if name.is_empty() {
        errors.push(path.required(""));
        return;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let complaints = names::dns1123_subdomain(name);
    if !complaints.is_empty() {
        errors.push(path.invalid(name, joined(&complaints, ",")));
    } else if !name.contains('.') {
        errors.push(path.invalid(name, "should be a domain with at least two segments separated by dots"));
    } else if let Some(label) = name.split('.').find(|label| !names::dns1123_label(label).is_empty()) {
        errors.push(path.invalid(label, joined(&names::dns1123_label(label), ",")));
    }
}

fn validate_hints(hints: &Value, path: &Path<'_>, errors: &mut Errors) {
    type NameCheck = fn(&str) -> names::Complaints;
    let checks: [(&str, NameCheck); 2] = [("forZones", names::label_value), ("forNodes", names::dns1123_subdomain)];
    for (list, check) in checks {
        let path = path.child(list);
        let hints = hints.list(list);
        if hints.len() > HINTS_MAX {
            errors.push(path.too_many(hints.len(), HINTS_MAX));
            return;
        }
        let mut seen = BTreeSet::new();
        for (index, hint) in hints.iter().enumerate() {
            let at = path.index(index);
            let (name, path) = (hint.text("name"), at.child("name"));
            if !seen.insert(name) {
                errors.push(path.duplicate(name));
            }
            errors.complain(&path, name, check(name));
        }
    }
}

/// `ValidateEndpoints`, `ValidateEndpointsUpdate`.
pub(super) fn validate_endpoints(endpoints: &Value, old: Option<&Value>, errors: &mut Errors) {
    if let Some(old) = old {
        validate_meta_update(endpoints, old, errors);
    }
    validate_meta(endpoints, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    if old.is_some_and(|old| old.at("subsets") == endpoints.at("subsets")) {
        return;
    }
    let path = Path::root("subsets");
    for (index, subset) in endpoints.list("subsets").iter().enumerate() {
        validate_subset(subset, &path.index(index), errors);
    }
}

fn validate_subset(subset: &Value, path: &Path<'_>, errors: &mut Errors) {
    let lists = ["addresses", "notReadyAddresses"];
    if lists.iter().all(|list| subset.list(list).is_empty()) {
        errors.push(path.required("must specify `addresses` or `notReadyAddresses`"));
    }
    for list in lists {
        let path = path.child(list);
        for (index, address) in subset.list(list).iter().enumerate() {
            let path = path.index(index);
            let ip = address.text("ip");
            legacy_ip(ip, &[], &path.child("ip"), errors);
            if !address.text("hostname").is_empty() {
                dns_label(address.text("hostname"), &path.child("hostname"), errors);
            }
            if let Some(node) = address.text_some("nodeName") {
                checks::dns_subdomain(node, &path.child("nodeName"), errors);
            }
            if names::ip(ip).is_empty() {
                validate_endpoint_ip(ip, &[], &path.child("ip"), errors);
            } else {
                errors.push(path.child("ip").invalid(ip, "must be a valid IP address"));
            }
        }
    }
    let ports = subset.list("ports");
    let ports_path = path.child("ports");
    for (index, port) in ports.iter().enumerate() {
        let path = ports_path.index(index);
        let name = port.text("name");
        if !name.is_empty() {
            dns_label(name, &path.child("name"), errors);
        } else if ports.len() > 1 {
            errors.push(path.child("name").required(""));
        }
        port_number(port.int("port"), &path.child("port"), errors);
        required_enum(port.text("protocol"), &PROTOCOLS, &path.child("protocol"), errors);
        if let Some(protocol) = port.text_some("appProtocol") {
            qualified_name(protocol, &path.child("appProtocol"), errors);
        }
    }
}
