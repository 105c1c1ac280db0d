//! What the API server warns of although it takes a Service (upstream `pkg/api/service/warnings.go`): fields that count for nothing, will not
//! for long, or have odd spellings that were allowed once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::super::wire::Wire;
use super::Path;
use super::service::{TOPOLOGY_HINTS, TOPOLOGY_MODE, cluster_ips, is_headless};

/// In upstream's order.
pub(super) fn of_service(service: &Value) -> Vec<String> {
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
    for (index, range) in spec.texts("loadBalancerSourceRanges").into_iter().enumerate() {
        warnings.extend(of_cidr(&Path::root("spec.loadBalancerSourceRanges").index(index), range));
    }
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
}
