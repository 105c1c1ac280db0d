//! Services.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::{
    self, PROTOCOLS, Report, dns_label, dns_subdomain, legacy_cidr, legacy_ip, port_number, qualified_name,
    required_enum, supported,
};
use super::error::Verbatim;
use super::labels::validate_labels;
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::{Errors, Path};
use crate::objects::defaults::is_externally_accessible;
use crate::objects::names;
use crate::objects::wire::Wire;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const AFFINITY_SECONDS_MAX: i64 = 86_400;
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
pub(super) const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
pub(super) const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const ONLY_LOAD_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";
const SET_ONCE: &str = "may not change once set";
const ONE_PER_FAMILY: &str = "may specify no more than one IP for each IP family";

/// `ValidateServiceCreate`. The API server has allocated addresses and ports before.
pub(super) fn validate_service_create(service: &Value, errors: &mut Errors) {
    validate_meta(service, NameRules::namespaced(names::name_is_dns_label), errors);
    validate_service(service, None, errors);
}

/// `ValidateServiceUpdate`.
pub(super) fn validate_service_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    validate_cluster_ips_kept(spec, old_spec, errors);
    validate_families_kept(spec, old_spec, errors);
    if is_load_balancer(spec)
        && is_load_balancer(old_spec)
        && spec.at("loadBalancerClass") != old_spec.at("loadBalancerClass")
    {
        errors.push(Path::root("spec.loadBalancerClass").invalid(spec.at("loadBalancerClass"), SET_ONCE));
    }
    validate_balancer_class(spec, errors);
    let checked = needs_health_check(spec) && needs_health_check(old_spec);
    if checked && spec.int("healthCheckNodePort") != old_spec.int("healthCheckNodePort") {
        errors.push(Path::root("spec.healthCheckNodePort").forbidden("field is immutable"));
    }
    validate_service(new, Some(old), errors);
}

fn is_load_balancer(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer"
}

pub(super) fn is_headless(spec: &Value) -> bool {
    cluster_ips(spec) == ["None"]
}

/// `clusterIP` alone counts as the list: the API server fills the other form in before it validates.
pub(super) fn cluster_ips(spec: &Value) -> Vec<&str> {
    let (single, list) = (spec.text("clusterIP"), spec.texts("clusterIPs"));
    if list.is_empty() && !single.is_empty() { vec![single] } else { list }
}

fn needs_health_check(spec: &Value) -> bool {
    is_load_balancer(spec) && spec.text("externalTrafficPolicy") == "Local"
}

fn validate_service(service: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = service.at("spec");
    let old_spec = old.map(|old| old.at("spec"));
    let path = Path::root("spec");
    validate_topology_annotations(service.at("metadata").at("annotations"), errors);
    validate_type_needs(spec, &path, errors);
    validate_ports(spec, &path.child("ports"), errors);
    validate_labels(spec.at("selector"), &path.child("selector"), errors);
    validate_affinity(spec, &path, errors);
    if spec.text("type") != "ExternalName" {
        validate_cluster_ips(spec, old_spec, &path, errors);
    }
    let (external, existing) =
        (path.child("externalIPs"), old_spec.map(|old| old.texts("externalIPs")).unwrap_or_default());
    for (index, ip) in spec.texts("externalIPs").into_iter().enumerate() {
        validate_endpoint_ip(ip, &existing, &external.index(index), errors);
    }
    required_enum(spec.text("type"), &TYPES, &path.child("type"), errors);
    validate_port_numbers(spec, &path.child("ports"), errors);
    validate_source_ranges(service, old, errors);
    validate_balancer_fields(spec, &path, errors);
    validate_traffic_policies(spec, &path, errors);
}

fn validate_topology_annotations(annotations: &Value, errors: &mut Errors) {
    let (Some(hints), Some(mode)) = (annotations.text_some(TOPOLOGY_HINTS), annotations.text_some(TOPOLOGY_MODE))
    else {
        return;
    };
    if hints != mode {
        let path = Path::root("metadata.annotations");
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        errors.push(path.key(TOPOLOGY_MODE).invalid(mode, detail));
    }
}

/// What a type of service needs or cannot have.
fn validate_type_needs(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let kind = spec.text("type");
    let headless = is_headless(spec);
    if spec.list("ports").is_empty() && !headless && kind != "ExternalName" {
        errors.push(path.child("ports").required(""));
    }
    let ips = path.child("clusterIPs");
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            errors.push(ips.index(0).invalid("None", format!("may not be set to 'None' for {kind} services")));
        }
        "ExternalName" => {
            for (field, given) in [
                ("clusterIPs", !cluster_ips(spec).is_empty()),
                ("ipFamilies", !spec.list("ipFamilies").is_empty()),
                ("ipFamilyPolicy", spec.has("ipFamilyPolicy")),
            ] {
                if given {
                    errors.push(path.child(field).forbidden("may not be set for ExternalName services"));
                }
            }
            let name = spec.text("externalName");
            match name.strip_suffix('.').unwrap_or(name) {
                "" => errors.push(path.child("externalName").required("")),
                name => dns_subdomain(name, &path.child("externalName"), errors),
            }
        }
        _ => {}
    }
}

fn validate_ports(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let ports = spec.list("ports");
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = port.text("name");
        if !name.is_empty() {
            dns_label(name, &path.child("name"), errors);
            if !names.insert(name) {
                errors.push(path.child("name").duplicate(name));
            }
        } else if ports.len() > 1 {
            errors.push(path.child("name").required(""));
        }
        port_number(port.int("port"), &path.child("port"), errors);
        required_enum(port.text("protocol"), &PROTOCOLS, &path.child("protocol"), errors);
        checks::port_number_or_name(port.at("targetPort"), &path.child("targetPort"), errors);
        if let Some(protocol) = port.text_some("appProtocol") {
            qualified_name(protocol, &path.child("appProtocol"), errors);
        }
    }
}

fn validate_affinity(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let affinity = spec.text("sessionAffinity");
    required_enum(affinity, &["ClientIP", "None"], &path.child("sessionAffinity"), errors);
    let path = path.child("sessionAffinityConfig");
    let config = spec.get_some("sessionAffinityConfig");
    match (affinity, config) {
        ("None", Some(_)) => errors.push(path.forbidden("must not be set when session affinity is None")),
        ("ClientIP", config) => {
            const WHEN: &str = "when session affinity type is ClientIP";
            let client = config.and_then(|config| config.get_some("clientIP"));
            match (config, client, client.and_then(|client| client.int_some("timeoutSeconds"))) {
                (None, ..) => errors.push(path.required(WHEN)),
                (_, None, _) => errors.push(path.child("clientIP").required(WHEN)),
                (_, _, None) => errors.push(path.child("clientIP.timeoutSeconds").required(WHEN)),
                (_, _, Some(seconds)) if !(1..=AFFINITY_SECONDS_MAX).contains(&seconds) => {
                    let detail = "must be greater than 0 and less than 86400";
                    errors.push(path.child("clientIP.timeoutSeconds").invalid(seconds, detail));
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// `ValidateServiceClusterIPsRelatedFields`.
pub(super) fn validate_cluster_ips(spec: &Value, old: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let ips = cluster_ips(spec);
    let ips_path = path.child("clusterIPs");
    let single = spec.text("clusterIP");
    if single.is_empty() && !ips.is_empty() {
        errors.push(ips_path.invalid(&ips, "must be empty when `clusterIP` is not specified"));
    } else if ips.first().is_some_and(|first| *first != single) {
        errors.push(ips_path.invalid(&ips, "first value must match `clusterIP`"));
    }
    validate_families(spec, path, errors);
    let existing = old.map(cluster_ips).unwrap_or_default();
    let before = errors.len();
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && *ip == "None" {
            if ips.len() > 1 {
                errors.push(ips_path.invalid(&ips, "'None' must be the first and only value"));
            }
            continue;
        }
        legacy_ip(ip, &existing, &ips_path.index(index), errors);
    }
    let valid = errors.len() == before;
    if ips.len() > 2 {
        errors.push(ips_path.invalid(&ips, "may only hold up to 2 values"));
    }
    if valid {
        validate_ips_fit_families(spec, &ips, &ips_path, errors);
    }
}

fn validate_families(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let families_path = path.child("ipFamilies");
    let families = spec.texts("ipFamilies");
    for (index, family) in families.iter().enumerate() {
        let path = families_path.index(index);
        supported(family, &["IPv4", "IPv6"], &path, errors);
        if families[..index].contains(family) {
            errors.push(path.duplicate(family));
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    checks::supported_if_given(spec, "ipFamilyPolicy", &policies, path, errors);
}

fn is_ipv6(ip: &str) -> bool {
    ip.contains(':')
}

fn validate_ips_fit_families(spec: &Value, ips: &Vec<&str>, path: &Path<'_>, errors: &mut Errors) {
    let has_both = ips.iter().any(|ip| is_ipv6(ip)) && !ips.iter().all(|ip| is_ipv6(ip));
    if ips.len() > 1 && !has_both {
        errors.push(path.invalid(ips, ONE_PER_FAMILY));
    }
    if is_headless(spec) {
        return;
    }
    for (index, (ip, family)) in ips.iter().zip(spec.texts("ipFamilies")).enumerate() {
        let wrong = (family == "IPv4" && is_ipv6(ip)) || (family == "IPv6" && !is_ipv6(ip));
        if wrong {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.push(path.index(index).invalid(ip, detail));
        }
    }
}

/// An address that traffic can be sent to (`ValidateEndpointIP`), if it is an address at all.
pub(super) fn validate_endpoint_ip(value: &str, old: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let before = errors.len();
    legacy_ip(value, old, path, errors);
    if errors.len() == before {
        validate_reachable_ip(value, path, errors);
    }
}

/// `ValidateEndpointIP`.
pub(super) fn validate_reachable_ip(value: &str, path: &Path<'_>, errors: &mut Errors) {
    use std::net::IpAddr;
    let Ok(ip) = value.parse::<IpAddr>() else { return };
    let (link_local, link_local_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.segments()[0] & 0xff0f == 0xff02),
    };
    if ip.is_unspecified() {
        errors.push(path.invalid(value, format!("may not be unspecified ({value})")));
    }
    if ip.is_loopback() {
        errors.push(path.invalid(value, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
    }
    if link_local {
        errors.push(path.invalid(value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
    }
    if link_local_multicast {
        errors.push(path.invalid(value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
    }
}

/// Node ports and ports must not collide.
fn validate_port_numbers(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let ports = spec.list("ports");
    if spec.text("type") == "ClusterIP" {
        for index in (0..ports.len()).filter(|index| ports[*index].int("nodePort") != 0) {
            let at = path.index(index);
            errors.push(at.child("nodePort").forbidden("may not be used when `type` is 'ClusterIP'"));
        }
    }
    let mut node_ports = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let number = port.int("nodePort");
        if number != 0 && !node_ports.insert((port.text("protocol"), number)) {
            let at = path.index(index);
            errors.push(at.child("nodePort").duplicate(number));
        }
    }
    let mut taken = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (protocol, number) = (port.text("protocol"), port.int("port"));
        if !taken.insert((protocol, number)) {
            let shown = format!(
                r#"{{"Name":"","Protocol":{},"AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#,
                names::quoted(protocol)
            );
            errors.push(path.index(index).duplicate(Verbatim(shown)));
        }
    }
}

fn validate_source_ranges(service: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = service.at("spec");
    let trimmed = |spec: &Value| -> Vec<String> {
        spec.texts("loadBalancerSourceRanges").into_iter().map(|range| range.trim().to_owned()).collect()
    };
    let ranges = trimmed(spec);
    if !ranges.is_empty() {
        let path = Path::root("spec.LoadBalancerSourceRanges");
        if !is_load_balancer(spec) {
            errors.push(path.forbidden(ONLY_LOAD_BALANCER));
        }
        let existing = old.map(|old| trimmed(old.at("spec"))).unwrap_or_default();
        let existing: Vec<&str> = existing.iter().map(String::as_str).collect();
        for (index, range) in ranges.iter().enumerate() {
            legacy_cidr(range, &existing, &path.index(index), errors);
        }
        return;
    }
    let annotation =
        |service: &Value| service.at("metadata").at("annotations").text_some(SOURCE_RANGES).map(str::to_owned);
    let Some(value) = annotation(service) else { return };
    let annotations = Path::root("metadata.annotations");
    let path = annotations.key(SOURCE_RANGES);
    if !is_load_balancer(spec) {
        errors.push(path.forbidden(ONLY_LOAD_BALANCER));
    }
    if old.and_then(annotation).unwrap_or_default() != value || old.is_none() {
        for range in value.trim().split(',').map(str::trim).filter(|_| !value.trim().is_empty()) {
            legacy_cidr(range, &[], &path, errors);
        }
    }
}

fn validate_balancer_fields(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let allocates = spec.has("allocateLoadBalancerNodePorts");
    if allocates && !is_load_balancer(spec) {
        errors.push(path.child("allocateLoadBalancerNodePorts").forbidden(ONLY_LOAD_BALANCER));
    }
    if !allocates && is_load_balancer(spec) {
        errors.push(Path::root("allocateLoadBalancerNodePorts").required(""));
    }
    validate_balancer_class(spec, errors);
}

fn validate_balancer_class(spec: &Value, errors: &mut Errors) {
    let Some(class) = spec.text_some("loadBalancerClass") else { return };
    let path = Path::root("spec.loadBalancerClass");
    if is_load_balancer(spec) {
        qualified_name(class, &path, errors);
    } else {
        errors.push(path.forbidden(ONLY_LOAD_BALANCER));
    }
}

fn validate_traffic_policies(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let external = spec.text("externalTrafficPolicy");
    let external_path = path.child("externalTrafficPolicy");
    if is_externally_accessible(spec) {
        required_enum(external, &["Cluster", "Local"], &external_path, errors);
    } else if !external.is_empty() {
        errors.push(external_path.invalid(external, "may only be set for externally-accessible services"));
    }
    let port = spec.int("healthCheckNodePort");
    let port_path = path.child("healthCheckNodePort");
    match (needs_health_check(spec), port) {
        (false, 0) => {}
        (false, _) => {
            let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(port_path.invalid(port, detail));
        }
        (true, 0) => errors.push(port_path.required("")),
        (true, _) => port_number(port, &port_path, errors),
    }
    let internal_path = path.child("internalTrafficPolicy");
    match spec.text_some("internalTrafficPolicy") {
        None if matches!(spec.text("type"), "NodePort" | "LoadBalancer" | "ClusterIP") => {
            errors.push(internal_path.required(""));
        }
        None => {}
        Some(policy) => supported(policy, &["Cluster", "Local"], &internal_path, errors),
    }
    let distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    checks::supported_if_given(spec, "trafficDistribution", &distributions, path, errors);
}

/// `validateUpgradeDowngradeClusterIPs`.
fn validate_cluster_ips_kept(spec: &Value, old: &Value, errors: &mut Errors) {
    if is_external_name(spec) || is_external_name(old) || (is_headless(spec) && is_headless(old)) {
        return;
    }
    let path = Path::root("spec.clusterIPs");
    let (new, old) = (cluster_ips(spec), cluster_ips(old));
    if new.len() == old.len() {
        for (index, _) in new.iter().zip(&old).enumerate().filter(|(_, (new, old))| new != old) {
            errors.push(path.index(index).invalid(&new, SET_ONCE));
        }
        return;
    }
    if new.is_empty() {
        errors.push(path.index(0).invalid(&new, "primary clusterIP can not be unset"));
    } else if old.first().is_some_and(|old| *old != new[0]) {
        errors.push(path.index(0).invalid(&new, SET_ONCE));
    }
    if new.len() == 1 && old.len() > 1 && spec.text("ipFamilyPolicy") != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        errors.push(Path::root("spec.ipFamilyPolicy").invalid(spec.at("ipFamilyPolicy"), detail));
    }
}

fn is_external_name(spec: &Value) -> bool {
    spec.text("type") == "ExternalName"
}

/// `validateUpgradeDowngradeIPFamilies`.
fn validate_families_kept(spec: &Value, old: &Value, errors: &mut Errors) {
    if is_external_name(spec) || is_external_name(old) || is_headless(spec) || is_headless(old) {
        return;
    }
    let path = Path::root("spec.ipFamilies");
    let (new, before) = (spec.texts("ipFamilies"), old.texts("ipFamilies"));
    if new.len() == before.len() {
        for _ in new.iter().zip(&before).filter(|(new, old)| new != old) {
            errors.push(path.index(0).invalid(&new, SET_ONCE));
        }
        return;
    }
    if new.len() < before.len() && cluster_ips(spec).is_empty() {
        errors.push(path.index(0).invalid(&new, "primary ipFamily can not be unset"));
    }
    if !new.is_empty() && before.first().is_some_and(|old| *old != new[0]) {
        errors.push(path.index(0).invalid(cluster_ips(spec), SET_ONCE));
    }
    if new.len() == 1 && before.len() > 1 && spec.text("ipFamilyPolicy") != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        errors.push(Path::root("spec.ipFamilyPolicy").invalid(spec.at("ipFamilyPolicy"), detail));
    }
}

/// `ValidateServiceStatusUpdate`.
pub(super) fn validate_service_status_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    let path = Path::root("status.loadBalancer.ingress");
    let ingress = new.at("status").at("loadBalancer").list("ingress");
    if !is_load_balancer(new.at("spec")) && !ingress.is_empty() {
        errors.push(path.forbidden("may only be used when `spec.type` is 'LoadBalancer'"));
        return;
    }
    let existing: Vec<&str> =
        old.at("status").at("loadBalancer").list("ingress").iter().map(|point| point.text("ip")).collect();
    for (index, point) in ingress.iter().enumerate() {
        let path = path.index(index);
        let (ip, hostname) = (point.text("ip"), point.text("hostname"));
        if !ip.is_empty() {
            legacy_ip(ip, &existing, &path.child("ip"), errors);
        }
        match (point.text_some("ipMode"), ip.is_empty()) {
            (None, false) => errors.push(path.child("ipMode").required("must be specified when `ip` is set")),
            (Some(_), true) => errors.push(path.child("ipMode").forbidden("may not be specified when `ip` is not set")),
            (Some(mode), false) => supported(mode, &["Proxy", "VIP"], &path.child("ipMode"), errors),
            (None, true) => {}
        }
        if !hostname.is_empty() {
            errors.complain(&path.child("hostname"), hostname, names::dns1123_subdomain(hostname));
            if hostname.parse::<std::net::IpAddr>().is_ok() {
                errors.push(path.child("hostname").invalid(hostname, "must be a DNS name, not an IP address"));
            }
        }
    }
}
