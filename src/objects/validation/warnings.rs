//! What the API server warns of although it takes an object (upstream `WarningsOnCreate` and `WarningsOnUpdate` of the strategies): fields that
//! count for nothing, will not for long, or have odd spellings that were allowed once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::super::names;
use super::super::wire::Wire;
use super::Path;
use super::service::{TOPOLOGY_HINTS, TOPOLOGY_MODE, cluster_ips, is_headless};

const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";
/// Who has made an object of endpoints; what controllers make is in order.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const ENDPOINTS_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const SLICE_CONTROLLERS: [&str; 2] = ["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"];
const ENDPOINTS_CONTROLLER: &str = "endpoint-controller";

/// Of a new object.
pub(super) fn of_new(object: &Value) -> Vec<String> {
    match (object.text("apiVersion"), object.text("kind")) {
        ("v1", "Pod") => of_new_pod(object),
        ("networking.k8s.io/v1", "Ingress") => of_new_ingress(object),
        ("discovery.k8s.io/v1", "EndpointSlice") if object.text("addressType") == "FQDN" => {
            let deprecated = "spec.addressType: FQDN endpoints are deprecated".to_owned();
            std::iter::once(deprecated).chain(of_slice(object)).collect()
        }
        _ => of_update(object),
    }
}

/// Of what an update has made of an object.
pub(super) fn of_update(object: &Value) -> Vec<String> {
    match (object.text("apiVersion"), object.text("kind")) {
        ("v1", "Service") => of_service(object),
        ("v1", "Node") => of_node(object),
        ("v1", "Endpoints") => of_endpoints(object),
        ("discovery.k8s.io/v1", "EndpointSlice") => of_slice(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => of_policy(object),
        _ => Vec::new(),
    }
}

/// Of what an update has made of an object's status.
pub(super) fn of_status(object: &Value) -> Vec<String> {
    let status = object.at("status");
    match (object.text("apiVersion"), object.text("kind")) {
        ("v1", "Service") | ("networking.k8s.io/v1", "Ingress") => {
            let points: Vec<&str> =
                status.at("loadBalancer").list("ingress").iter().map(|one| one.text("ip")).collect();
            of_ips("status.loadBalancer.ingress", &points)
        }
        ("v1", "Pod") => ["podIPs", "hostIPs"]
            .into_iter()
            .flat_map(|field| {
                let ips = status.list(field).iter().enumerate();
                let path = format!("status.{field}");
                ips.filter_map(|(index, one)| of_ip(&Path::root(&path).index(index).child("ip"), one.text("ip")))
                    .collect::<Vec<_>>()
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn of_new_pod(pod: &Value) -> Vec<String> {
    let (name, spec) = (pod.at("metadata").text("name"), pod.at("spec"));
    let mut warnings = Vec::new();
    // A name that is still to be made is not judged.
    let faults = if name.is_empty() { Vec::new() } else { names::dns1123_label(name) };
    if !faults.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
            faults.join(" ")
        ));
    }
    warnings.extend(of_ips("spec.dnsConfig.nameservers", &spec.at("dnsConfig").texts("nameservers")));
    let aliases = spec.list("hostAliases").iter().enumerate();
    warnings.extend(aliases.filter_map(|(index, alias)| {
        of_ip(&Path::root("spec.hostAliases").index(index).child("ip"), alias.text("ip"))
    }));
    warnings
}

fn of_new_ingress(ingress: &Value) -> Vec<String> {
    let is_told = ingress.at("metadata").at("annotations").has(INGRESS_CLASS);
    let is_old = is_told && !ingress.at("spec").has("ingressClassName");
    let text = format!("annotation {INGRESS_CLASS:?} is deprecated, please use 'spec.ingressClassName' instead");
    is_old.then_some(text).into_iter().collect()
}

fn of_node(node: &Value) -> Vec<String> {
    let spec = node.at("spec");
    let removed = spec.has("configSource").then(|| "spec.configSource: the feature is removed".to_owned());
    let unused = "spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned();
    let unused = Some(unused).filter(|_| !spec.text("externalID").is_empty());
    removed.into_iter().chain(unused).chain(of_cidrs(&Path::root("spec.podCIDRs"), &spec.texts("podCIDRs"))).collect()
}

fn of_endpoints(endpoints: &Value) -> Vec<String> {
    if endpoints.at("metadata").at("labels").text(ENDPOINTS_MANAGED_BY) == ENDPOINTS_CONTROLLER {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    for (index, subset) in endpoints.list("subsets").iter().enumerate() {
        for field in ["addresses", "notReadyAddresses"] {
            let (list, path) = (subset.list(field).iter().enumerate(), Path::root("subsets"));
            let path = path.index(index);
            let path = path.child(field);
            warnings.extend(list.filter_map(|(at, one)| of_ip(&path.index(at).child("ip"), one.text("ip"))));
        }
    }
    warnings
}

fn of_slice(slice: &Value) -> Vec<String> {
    if SLICE_CONTROLLERS.contains(&slice.at("metadata").at("labels").text(MANAGED_BY)) {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    for (index, endpoint) in slice.list("endpoints").iter().enumerate() {
        let path = Path::root("endpoints");
        let path = path.index(index);
        let path = path.child("addresses");
        let addresses = endpoint.texts("addresses").into_iter().enumerate();
        warnings.extend(addresses.filter_map(|(at, address)| of_ip(&path.index(at), address)));
    }
    warnings
}

fn of_policy(policy: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for (direction, peers) in [("spec.ingress", "from"), ("spec.egress", "to")] {
        let rules = policy.at("spec").list(&direction[5..]).iter().enumerate();
        for (rule, at) in
            rules.flat_map(|(index, rule)| rule.list(peers).iter().enumerate().map(move |one| (index, one)))
        {
            let (index, block) = (at.0, at.1.at("ipBlock"));
            let path = Path::root(direction);
            let path = path.index(rule);
            let path = path.child(peers);
            let path = path.index(index);
            let path = path.child("ipBlock");
            warnings.extend(of_cidr(&path.child("cidr"), block.text("cidr")));
            warnings.extend(of_cidrs(&path.child("except"), &block.texts("except")));
        }
    }
    warnings
}

/// `GetWarningsForService`, in upstream's order.
fn of_service(service: &Value) -> Vec<String> {
    let spec = service.at("spec");
    let has_no_address = is_headless(spec);
    let is_headless = has_no_address && matches!(spec.text("type"), "" | "ClusterIP");
    let is_alias = spec.text("type") == "ExternalName";
    let has_external_ips = !spec.list("externalIPs").is_empty();
    let if_so = |is_so: bool, text: &str| is_so.then(|| text.to_owned());
    let mut warnings = Vec::new();
    if service.at("metadata").at("annotations").has(TOPOLOGY_HINTS) {
        warnings.push(format!("annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"));
    }
    if !has_no_address {
        warnings.extend(of_ips("spec.clusterIPs", &cluster_ips(spec)));
    }
    if is_headless {
        let is_sticky = spec.text("sessionAffinity") == "ClientIP";
        warnings.extend(if_so(spec.has("loadBalancerIP"), "spec.loadBalancerIP is ignored for headless services"));
        warnings.extend(if_so(has_external_ips, "spec.externalIPs is ignored for headless services"));
        warnings.extend(if_so(is_sticky, "spec.SessionAffinity is ignored for headless services"));
    }
    warnings.extend(of_ips("spec.externalIPs", &spec.texts("externalIPs")));
    let is_deprecated = has_external_ips && !is_headless && !is_alias;
    warnings.extend(if_so(
        is_deprecated,
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ));
    warnings.extend(of_ip(&Path::root("spec.loadBalancerIP"), spec.text("loadBalancerIP")));
    let ranges = spec.texts("loadBalancerSourceRanges");
    warnings.extend(of_cidrs(&Path::root("spec.loadBalancerSourceRanges"), &ranges));
    let ignored = [
        (is_alias && has_external_ips, r#"spec.externalIPs is ignored when spec.type is "ExternalName""#),
        (
            !is_alias && !spec.text("externalName").is_empty(),
            r#"spec.externalName is ignored when spec.type is not "ExternalName""#,
        ),
        (
            spec.text("trafficDistribution") == "PreferClose",
            r#"spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone""#,
        ),
    ];
    warnings.extend(ignored.into_iter().filter_map(|(is_so, text)| if_so(is_so, text)));
    warnings
}

fn of_ips(field: &str, ips: &[&str]) -> Vec<String> {
    let list = Path::root(field);
    ips.iter().enumerate().filter_map(|(index, ip)| of_ip(&list.index(index), ip)).collect()
}

/// `GetWarningsForIP`.
fn of_ip(path: &Path<'_>, value: &str) -> Option<String> {
    let ip = read_ip(value)?;
    if value.parse() != Ok(ip) {
        return Some(format!("{path}: non-standard IP address {value:?} is invalid: use \"{ip}\""));
    }
    let is_odd = ip.is_ipv6() && ip.to_string() != value;
    is_odd.then(|| format!("{path}: IPv6 address {value:?} should be in RFC 5952 canonical format (\"{ip}\")"))
}

fn of_cidrs(list: &Path<'_>, ranges: &[&str]) -> Vec<String> {
    ranges.iter().enumerate().flat_map(|(index, range)| of_cidr(&list.index(index), range)).collect()
}

/// `GetWarningsForCIDR`.
fn of_cidr(path: &Path<'_>, value: &str) -> Vec<String> {
    let Some((ip, bits, is_standard)) = read_cidr(value) else { return Vec::new() };
    let (network, width) = (network(ip, bits), if ip.is_ipv4() { 32 } else { 128 });
    let mut warnings = Vec::new();
    if network != ip {
        warnings.push(format!(
            "{path}: CIDR value {value:?} is ambiguous in this context (should be \"{network}/{bits}\" or \"{ip}/{width}\"?)"
        ));
    }
    if !is_standard {
        warnings.push(format!("{path}: non-standard CIDR value {value:?} is invalid: use \"{network}/{bits}\""));
    }
    let plain = format!("{ip}/{bits}");
    if warnings.is_empty() && ip.is_ipv6() && plain != value {
        warnings.push(format!("{path}: IPv6 CIDR value {value:?} should be in RFC 5952 canonical format ({plain:?})"));
    }
    warnings
}

/// As Go did once (`ParseIPSloppy`): octets may begin with zeros, and an address of IPv4 may be written as one of IPv6.
fn read_ip(value: &str) -> Option<IpAddr> {
    let plain = |octet: &str| octet.parse::<u8>().map_or_else(|_| octet.to_owned(), |octet| octet.to_string());
    let octets: Vec<String> = value.split('.').map(plain).collect();
    let ip: Option<IpAddr> = value.parse().or_else(|_| octets.join(".").parse()).ok();
    ip.map(|ip| ip.to_canonical())
}

/// Address and length of the prefix, and whether it is written as it should be.
fn read_cidr(value: &str) -> Option<(IpAddr, u32, bool)> {
    let (address, prefix) = value.split_once('/')?;
    let (ip, length) = (read_ip(address)?, prefix.parse::<u32>().ok()?);
    let is_mapped = ip.is_ipv4() && address.contains(':');
    let bits = if is_mapped { length.checked_sub(96)? } else { length };
    let is_standard = address.parse() == Ok(ip) && prefix == length.to_string();
    (bits <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, bits, is_standard))
}

fn network(ip: IpAddr, bits: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `TestGetWarningsForService`.
    #[test]
    fn fields_that_count_for_nothing_or_not_for_long_are_told_of() {
        let address = json!(["1.2.3.4"]);
        let ignored = |field: &str| format!("spec.{field} is ignored for headless services");
        let deprecated = "spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned();
        for (spec, expected) in [
            (json!({"type": "ClusterIP", "clusterIP": "10.96.0.1"}), vec![]),
            (
                json!({"type": "ExternalName", "externalName": "example.com", "externalIPs": address}),
                vec!["spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned()],
            ),
            (
                json!({"type": "ClusterIP", "externalName": "example.com"}),
                vec!["spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned()],
            ),
            (json!({"clusterIP": "None", "loadBalancerIP": "1.2.3.4"}), vec![ignored("loadBalancerIP")]),
            (json!({"clusterIP": "None", "externalIPs": address}), vec![ignored("externalIPs")]),
            (json!({"clusterIP": "None", "sessionAffinity": "ClientIP"}), vec![ignored("SessionAffinity")]),
            (json!({"clusterIP": "None", "sessionAffinity": "None"}), vec![]),
            (
                json!({"type": "ClusterIP", "clusterIP": "None", "sessionAffinity": "ClientIP", "loadBalancerIP": "1.2.3.4",
                    "externalIPs": address}),
                vec![ignored("loadBalancerIP"), ignored("externalIPs"), ignored("SessionAffinity")],
            ),
            (json!({"trafficDistribution": "PreferSameZone"}), vec![]),
            (
                json!({"trafficDistribution": "PreferClose"}),
                vec!["spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned()],
            ),
            (json!({"externalIPs": address}), vec![deprecated.clone()]),
            (json!({"type": "LoadBalancer", "externalIPs": address}), vec![deprecated]),
        ] {
            assert_eq!(of_service(&json!({"spec": spec})), expected, "{spec}");
        }
        let annotated = |name: &str| of_service(&json!({"metadata": {"annotations": {name: "Auto"}}, "spec": {}}));
        assert_eq!(annotated(TOPOLOGY_MODE), Vec::<String>::new());
        assert_eq!(
            annotated(TOPOLOGY_HINTS),
            [
                "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead"
            ]
        );
    }

    /// `TestGetWarningsForServiceClusterIPs`, `TestGetWarningsForIP`.
    #[test]
    fn odd_spellings_of_addresses_are_told_of() {
        for (ip, expected) in [
            ("192.12.2.2", None),
            ("2001:db8::2", None),
            ("192.012.2.2", Some("non-standard IP address \"192.012.2.2\" is invalid: use \"192.12.2.2\"")),
            ("::ffff:1.2.3.4", Some("non-standard IP address \"::ffff:1.2.3.4\" is invalid: use \"1.2.3.4\"")),
            (
                "2001:db8:0:0::2",
                Some("IPv6 address \"2001:db8:0:0::2\" should be in RFC 5952 canonical format (\"2001:db8::2\")"),
            ),
            ("1..2.3", None),
            ("None", None),
        ] {
            let told = of_service(&json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", ip]}}));
            let expected: Vec<String> = expected.iter().map(|text| format!("spec.clusterIPs[1]: {text}")).collect();
            assert_eq!(told, expected, "{ip}");
        }
    }

    /// `TestGetWarningsForCIDR`.
    #[test]
    fn odd_spellings_of_ranges_are_told_of() {
        let ambiguous = |value: &str, network: &str, one: &str| {
            format!("CIDR value {value:?} is ambiguous in this context (should be {network:?} or {one:?}?)")
        };
        let odd = |value: &str, plain: &str| format!("non-standard CIDR value {value:?} is invalid: use {plain:?}");
        for (range, expected) in [
            ("192.12.2.0/24", vec![]),
            ("2001:db8::/64", vec![]),
            ("192.012.2.0/24", vec![odd("192.012.2.0/24", "192.12.2.0/24")]),
            ("192.12.2.0/024", vec![odd("192.12.2.0/024", "192.12.2.0/24")]),
            ("192.12.2.8/24", vec![ambiguous("192.12.2.8/24", "192.12.2.0/24", "192.12.2.8/32")]),
            (
                "192.012.2.8/24",
                vec![
                    ambiguous("192.012.2.8/24", "192.12.2.0/24", "192.12.2.8/32"),
                    odd("192.012.2.8/24", "192.12.2.0/24"),
                ],
            ),
            ("::ffff:192.12.2.0/120", vec![odd("::ffff:192.12.2.0/120", "192.12.2.0/24")]),
            (
                "2001:db8:0:0::/64",
                vec![
                    "IPv6 CIDR value \"2001:db8:0:0::/64\" should be in RFC 5952 canonical format (\"2001:db8::/64\")"
                        .to_owned(),
                ],
            ),
            ("2001:db8::1/64", vec![ambiguous("2001:db8::1/64", "2001:db8::/64", "2001:db8::1/128")]),
            ("192.12.2.0/33", vec![]),
            ("::ffff:192.12.2.0/33", vec![]),
            ("anything", vec![]),
        ] {
            let told = of_service(&json!({"spec": {"loadBalancerSourceRanges": [range]}}));
            let expected: Vec<String> =
                expected.into_iter().map(|text| format!("spec.loadBalancerSourceRanges[0]: {text}")).collect();
            assert_eq!(told, expected, "{range}");
        }
    }

    /// What strategies warn of, and when.
    #[test]
    fn other_kinds_are_warned_of_as_they_are_made_changed_or_get_a_status() {
        let told = |kind: (&str, &str), mut object: Value| {
            (object["apiVersion"], object["kind"]) = (json!(kind.0), json!(kind.1));
            [of_new(&object), of_update(&object), of_status(&object)].map(|warnings| warnings.join("; "))
        };
        let odd = "non-standard IP address \"010.0.0.1\" is invalid: use \"10.0.0.1\"";
        let ambiguous =
            "CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.0.0.1/32\"?)";
        let ip = json!({"ip": "010.0.0.1"});
        let (net, slices) = ("networking.k8s.io/v1", ("discovery.k8s.io/v1", "EndpointSlice"));
        for (kind, object, expected) in [
            (
                ("v1", "Service"),
                json!({"spec": {"clusterIPs": ["010.0.0.1"]}, "status": {"loadBalancer": {"ingress": [{"hostname": "a"}, ip]}}}),
                [format!("spec.clusterIPs[0]: {odd}"), format!("spec.clusterIPs[0]: {odd}"), format!("status.loadBalancer.ingress[1]: {odd}")],
            ),
            (
                (net, "Ingress"),
                json!({"metadata": {"annotations": {INGRESS_CLASS: "nginx"}}, "status": {"loadBalancer": {"ingress": [ip]}}}),
                [
                    "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead".to_owned(),
                    String::new(),
                    format!("status.loadBalancer.ingress[0]: {odd}"),
                ],
            ),
            (
                ("v1", "Pod"),
                json!({"metadata": {"name": "a"}, "spec": {"dnsConfig": {"nameservers": ["010.0.0.1"]}, "hostAliases": [ip]},
                    "status": {"podIPs": [ip], "hostIPs": [{"ip": "10.0.0.1"}, ip]}}),
                [
                    format!("spec.dnsConfig.nameservers[0]: {odd}; spec.hostAliases[0].ip: {odd}"),
                    String::new(),
                    format!("status.podIPs[0].ip: {odd}; status.hostIPs[1].ip: {odd}"),
                ],
            ),
            (
                ("v1", "Node"),
                json!({"spec": {"podCIDRs": ["10.0.0.1/8"], "externalID": "x"}, "status": {"addresses": [{"address": "010.0.0.1"}]}}),
                [
                    format!("spec.externalID: this field is deprecated, and is unused by Kubernetes; spec.podCIDRs[0]: {ambiguous}"),
                    format!("spec.externalID: this field is deprecated, and is unused by Kubernetes; spec.podCIDRs[0]: {ambiguous}"),
                    String::new(),
                ],
            ),
            (
                ("v1", "Endpoints"),
                json!({"subsets": [{}, {"addresses": [ip], "notReadyAddresses": [ip]}]}),
                [
                    format!("subsets[1].addresses[0].ip: {odd}; subsets[1].notReadyAddresses[0].ip: {odd}"),
                    format!("subsets[1].addresses[0].ip: {odd}; subsets[1].notReadyAddresses[0].ip: {odd}"),
                    String::new(),
                ],
            ),
            (
                slices,
                json!({"addressType": "IPv4", "endpoints": [{"addresses": ["010.0.0.1"]}]}),
                [format!("endpoints[0].addresses[0]: {odd}"), format!("endpoints[0].addresses[0]: {odd}"), String::new()],
            ),
            (
                slices,
                json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a.org"]}]}),
                ["spec.addressType: FQDN endpoints are deprecated".to_owned(), String::new(), String::new()],
            ),
            (
                slices,
                json!({"metadata": {"labels": {MANAGED_BY: SLICE_CONTROLLERS[0]}}, "endpoints": [{"addresses": ["010.0.0.1"]}]}),
                [String::new(), String::new(), String::new()],
            ),
            (
                (net, "NetworkPolicy"),
                json!({"spec": {"egress": [{}, {"to": [{}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.1/8"]}}]}]}}),
                [
                    format!("spec.egress[1].to[1].ipBlock.except[0]: {ambiguous}"),
                    format!("spec.egress[1].to[1].ipBlock.except[0]: {ambiguous}"),
                    String::new(),
                ],
            ),
        ] {
            assert_eq!(told(kind, object), expected, "{kind:?}");
        }
        let named = |name: &str| told(("v1", "Pod"), json!({"metadata": {"name": name}}))[0].clone();
        assert_eq!([named("web-0"), named("")], [""; 2]);
        let text = "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [";
        assert!(named("web.0").starts_with(text), "{}", named("web.0"));
    }
}
