//! Services, row by row of upstream's `TestValidateServiceCreate`, `TestValidateServiceExternalTrafficPolicy` and
//! `TestValidateServiceUpdate`: how many things are wrong with a Service that is valid but for one change. Objects are as the API server
//! has them after defaulting, unless a row takes a default away.

use serde_json::{Value, json};

use super::*;
use crate::objects::patch::json_merge;

/// A valid Service with the fields of a merge patch changed.
fn service(change: &Value) -> Value {
    let valid = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "valid", "namespace": "valid", "resourceVersion": "1", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "selector": {"key": "val"}, "sessionAffinity": "None", "type": "ClusterIP", "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "p", "protocol": "TCP", "port": 8675, "targetPort": 8675}],
        },
    });
    json_merge(valid, change.clone()).expect("a merge patch")
}

fn of_spec(change: Value) -> Value {
    service(&json!({"spec": change}))
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check_create(row: &str, service: &Value, expected: usize) {
    let errors = texts(&validate_create("Service", service));
    assert_eq!(errors.len(), expected, "{row}: {errors:?}");
}

#[track_caller]
fn check_update(row: &str, old: &Value, new: &Value, expected: usize) {
    let errors = texts(&validate_update("Service", new, old, Subresource::None));
    assert_eq!(errors.len(), expected, "{row}: {errors:?}");
}

/// The first port of a valid Service and others.
fn ports(more: &[Value]) -> Value {
    let first = json!({"name": "p", "protocol": "TCP", "port": 8675, "targetPort": 8675});
    let all: Vec<Value> = std::iter::once(first).chain(more.iter().cloned()).collect();
    json!({"ports": all})
}

fn port(name: &str, number: u32, protocol: &str, node_port: u32) -> Value {
    json!({"name": name, "port": number, "targetPort": number, "protocol": protocol, "nodePort": node_port})
}

/// A patch of the only port.
fn only_port(change: &Value) -> Value {
    let port = json!({"name": "p", "protocol": "TCP", "port": 8675, "targetPort": 8675});
    json!({"ports": [with(port, change)]})
}

/// The same with other fields; what is `null` is taken away.
fn with(mut fields: Value, more: &Value) -> Value {
    for (field, value) in more.as_object().into_iter().flatten() {
        fields[field] = value.clone();
    }
    fields
}

fn balancer(more: &Value) -> Value {
    let spec =
        json!({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": true});
    with(spec, more)
}

fn node_port(more: &Value) -> Value {
    with(json!({"type": "NodePort", "externalTrafficPolicy": "Cluster"}), more)
}

fn alias(more: &Value) -> Value {
    with(json!({"type": "ExternalName", "externalName": "foo.bar.example.com"}), more)
}

fn ips(ips: &[&str]) -> Value {
    json!({"clusterIP": ips[0], "clusterIPs": ips})
}

#[test]
fn ports_of_new_services_are_wrong_in_so_many_ways() {
    let none = ips(&["None"]);
    for (row, spec, errors) in [
        ("as it is", json!({}), 0),
        ("no selector", json!({"selector": null}), 0),
        ("a selector that is no label", json!({"selector": {"NoSpecialCharsLike=Equals": "bar"}}), 1),
        ("no affinity", json!({"sessionAffinity": null}), 1),
        ("no type", json!({"type": null}), 1),
        ("no ports", json!({"ports": []}), 1),
        ("no ports, headless", with(none.clone(), &json!({"ports": []})), 0),
        ("the only port without a name", only_port(&json!({"name": ""})), 0),
        ("the second port without a name", ports(&[port("", 12_345, "TCP", 0)]), 1),
        ("a name in upper case", only_port(&json!({"name": "INVALID"})), 1),
        ("a name twice", ports(&[port("p", 12_345, "TCP", 0)]), 1),
        ("no protocol", only_port(&json!({"protocol": ""})), 1),
        ("another protocol", only_port(&json!({"protocol": "INVALID"})), 1),
        ("port 0", only_port(&json!({"port": 0})), 1),
        ("port 65536", only_port(&json!({"port": 65_536})), 1),
        ("target port 65536", only_port(&json!({"targetPort": 65_536})), 1),
        ("a target port by name", only_port(&json!({"targetPort": "http"})), 0),
        ("headless, another target port", with(none.clone(), &only_port(&json!({"targetPort": 1}))), 0),
        ("headless, a target port by name", with(none.clone(), &only_port(&json!({"targetPort": "target"}))), 0),
        ("a port and protocol twice", ports(&[port("q", 1, "TCP", 0), port("r", 1, "TCP", 0)]), 1),
        (
            "a port of three protocols",
            ports(&[port("q", 1, "TCP", 0), port("r", 1, "UDP", 0), port("s", 1, "SCTP", 0)]),
            0,
        ),
        ("a node port twice", node_port(&ports(&[port("q", 1, "TCP", 1), port("r", 2, "TCP", 1)])), 1),
        (
            "a node port of three protocols",
            node_port(&ports(&[port("q", 1, "TCP", 1), port("r", 2, "UDP", 1), port("s", 3, "SCTP", 1)])),
            0,
        ),
        ("a node port inside", ports(&[port("q", 12_345, "TCP", 12_345)]), 1),
    ] {
        check_create(row, &of_spec(spec), errors);
    }
}

#[test]
fn new_services_of_each_type_are_wrong_in_so_many_ways() {
    let none = ips(&["None"]);
    for (row, spec, errors) in [
        ("NodePort with one", node_port(&ports(&[port("q", 12_345, "TCP", 12_345)])), 0),
        ("NodePort without one", node_port(&json!({})), 0),
        ("NodePort, headless", node_port(&with(none.clone(), &ports(&[port("q", 1, "TCP", 1)]))), 1),
        ("a load balancer, headless", balancer(&none), 1),
        ("a load balancer of UDP", balancer(&only_port(&json!({"protocol": "UDP"}))), 0),
        ("a load balancer of both protocols", balancer(&ports(&[port("q", 12_345, "UDP", 0)])), 0),
        ("a load balancer with a node port", balancer(&ports(&[port("q", 12_345, "TCP", 12_345)])), 0),
        ("a load balancer without node ports", balancer(&json!({"allocateLoadBalancerNodePorts": false})), 0),
        ("a load balancer that does not say", balancer(&json!({"allocateLoadBalancerNodePorts": null})), 1),
        ("node ports of a load balancer inside", json!({"allocateLoadBalancerNodePorts": true}), 1),
        ("an alias", alias(&json!({})), 0),
        ("an alias with a dot at its end", alias(&json!({"externalName": "foo.bar.example.com."})), 0),
        ("an alias with an address", alias(&ips(&["1.2.3.4"])), 1),
        ("an alias without address", alias(&none), 1),
        ("an alias that is no name", alias(&json!({"externalName": "-123"})), 1),
        ("an alias without internalTrafficPolicy", alias(&json!({"internalTrafficPolicy": null})), 0),
        ("no internalTrafficPolicy", json!({"internalTrafficPolicy": null}), 1),
        ("another internalTrafficPolicy", json!({"internalTrafficPolicy": "invalid"}), 1),
        ("internalTrafficPolicy Local", json!({"internalTrafficPolicy": "Local"}), 0),
        ("another externalTrafficPolicy", balancer(&json!({"externalTrafficPolicy": "invalid"})), 1),
        ("external loopback", json!({"externalTrafficPolicy": "Cluster", "externalIPs": ["127.0.0.1"]}), 1),
        ("external unspecified", json!({"externalTrafficPolicy": "Cluster", "externalIPs": ["0.0.0.0"]}), 1),
        ("external name", json!({"externalTrafficPolicy": "Cluster", "externalIPs": ["myhost.mydomain"]}), 1),
        ("external with zeroes", json!({"externalTrafficPolicy": "Cluster", "externalIPs": ["001.002.003.004"]}), 1),
        ("external", json!({"externalTrafficPolicy": "Cluster", "externalIPs": ["1.2.3.4"]}), 0),
        (
            "a timeout below zero",
            json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": -1}}}),
            1,
        ),
        (
            "a timeout without affinity",
            balancer(&json!({"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90}}})),
            1,
        ),
        ("source ranges inside", json!({"loadBalancerSourceRanges": ["1.2.3.0/24", "5.6.0.0/16"]}), 1),
        ("source ranges", balancer(&json!({"loadBalancerSourceRanges": ["1.2.3.0/24  ", " 5.6.0.0/16"]})), 0),
        ("a source range of spaces", balancer(&json!({"loadBalancerSourceRanges": ["   "]})), 1),
        ("a source range by name", balancer(&json!({"loadBalancerSourceRanges": ["foo.bar"]})), 1),
        ("a source range of 33 bits", balancer(&json!({"loadBalancerSourceRanges": ["1.2.3.4/33"]})), 1),
        ("a source range with zeroes", balancer(&json!({"loadBalancerSourceRanges": ["001.002.003.000/24"]})), 1),
    ] {
        check_create(row, &of_spec(spec), errors);
    }
}

#[test]
fn addresses_of_new_services_are_wrong_in_so_many_ways() {
    for (row, spec, errors) in [
        ("a family that is none", json!({"ipFamilies": ["not-a-valid-ip-family"]}), 1),
        ("three families", json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6", "IPv4"]}), 1),
        ("a family twice", json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv6"]}), 1),
        ("an address with zeroes", ips(&["001.002.003.004"]), 1),
        ("an address that is none", ips(&["garbage-ip"]), 1),
        ("two addresses that are none", ips(&["garbage-ip", "garbage-second-ip"]), 2),
        ("the first is none", ips(&["garbage-ip", "2001::1"]), 1),
        ("the second is none", ips(&["2001::1", "garbage-ip"]), 1),
        ("None and an address", ips(&["None", "2001::1"]), 1),
        ("an address and None", ips(&["2001::1", "None"]), 1),
        ("nothing and an address", ips(&["", "2001::1"]), 2),
        ("an address and nothing", ips(&["2001::1", ""]), 1),
        ("two of IPv6", with(ips(&["2001::1", "2001::4"]), &json!({"ipFamilies": ["IPv4", "IPv6"]})), 2),
        ("two of IPv4", with(ips(&["10.0.0.1", "10.0.0.10"]), &json!({"ipFamilies": ["IPv4", "IPv6"]})), 2),
        (
            "three addresses",
            with(ips(&["10.0.0.1", "2001::1", "10.0.0.10"]), &json!({"ipFamilies": ["IPv4", "IPv6"]})),
            1,
        ),
        ("of another family", with(ips(&["10.0.0.1"]), &json!({"ipFamilies": ["IPv6"]})), 1),
        ("of another family too", with(ips(&["2001::1"]), &json!({"ipFamilies": ["IPv4"]})), 1),
        ("both families", with(ips(&["2001::1", "10.0.0.1"]), &json!({"ipFamilies": ["IPv6", "IPv4"]})), 0),
        ("clusterIP is not the first", json!({"clusterIP": "10.0.0.10", "clusterIPs": ["10.0.0.1", "2001::1"]}), 1),
        ("clusterIP is not the only", json!({"clusterIP": "10.0.0.10", "clusterIPs": ["10.0.0.1"]}), 1),
    ] {
        check_create(row, &of_spec(spec), errors);
    }
}

#[test]
fn other_fields_of_new_services_are_wrong_in_so_many_ways() {
    for (row, spec, errors) in [
        ("appProtocol", only_port(&json!({"appProtocol": "example.com/protocol"})), 0),
        ("another appProtocol", only_port(&json!({"appProtocol": "example.com/protocol_with{invalid}"})), 1),
        ("a class", balancer(&json!({"loadBalancerClass": "test.com/test-load-balancer-class"})), 0),
        ("a class in upper case", balancer(&json!({"loadBalancerClass": "Bad/LoadBalancerClass"})), 1),
        ("a class inside", json!({"loadBalancerClass": "test.com/test-load-balancer-class"}), 1),
        ("PreferClose", json!({"trafficDistribution": "PreferClose"}), 0),
        ("PreferSameZone", json!({"trafficDistribution": "PreferSameZone"}), 0),
        ("PreferSameNode", json!({"trafficDistribution": "PreferSameNode"}), 0),
        ("another distribution", json!({"trafficDistribution": "Random"}), 1),
    ] {
        check_create(row, &of_spec(spec), errors);
    }
}

#[test]
fn names_and_annotations_of_new_services_are_wrong_in_so_many_ways() {
    const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let metadata = |change: Value| json!({"metadata": change});
    let ranges = |ranges: &str| json!({"metadata": {"annotations": {RANGES: ranges}}, "spec": balancer(&json!({}))});
    for (row, change, errors) in [
        ("no namespace", metadata(json!({"namespace": null})), 1),
        ("no name", metadata(json!({"name": null})), 1),
        ("a name that is none", metadata(json!({"name": "-123"})), 1),
        ("a name that is too long", metadata(json!({"name": "a".repeat(64)})), 1),
        ("a name that begins with a digit", metadata(json!({"name": "1-test-service"})), 0),
        ("a label that is none", metadata(json!({"labels": {"NoUppercaseOrSpecialCharsLike=Equals": "bar"}})), 1),
        ("an annotation that is none", metadata(json!({"annotations": {"NoSpecialCharsLike=Equals": "bar"}})), 1),
        ("source ranges", ranges("1.2.3.0/24,  5.6.0.0/16"), 0),
        ("no source range", ranges(""), 0),
        ("source ranges of spaces", ranges("  "), 0),
        ("a source range by name", ranges("foo.bar"), 1),
        ("a source range of 33 bits", ranges("1.2.3.4/33"), 1),
        ("a source range with zeroes", ranges("001.002.003.000/24"), 1),
        ("source ranges inside", metadata(json!({"annotations": {RANGES: "1.2.3.0/24"}})), 1),
        ("no source range inside", metadata(json!({"annotations": {RANGES: ""}})), 1),
        (
            "the field counts, not the annotation",
            with(ranges("foo.bar"), &json!({"spec": balancer(&json!({"loadBalancerSourceRanges": ["1.2.3.0/24"]}))})),
            0,
        ),
        (
            "topology by two annotations",
            metadata(
                json!({"annotations": {"service.kubernetes.io/topology-aware-hints": "original", "service.kubernetes.io/topology-mode": "different"}}),
            ),
            1,
        ),
    ] {
        check_create(row, &service(&change), errors);
    }
}

#[test]
fn the_external_traffic_policy_goes_with_what_is_seen_outside() {
    let local = json!({"externalTrafficPolicy": "Local"});
    let checked = json!({"externalTrafficPolicy": "Local", "healthCheckNodePort": 34_567});
    let none = json!({"externalTrafficPolicy": null});
    for (row, spec, errors) in [
        ("a load balancer, checked", balancer(&checked), 0),
        (
            "a load balancer, checked at less than nothing",
            balancer(&with(local.clone(), &json!({"healthCheckNodePort": -1}))),
            1,
        ),
        ("NodePort", node_port(&local), 0),
        ("inside", json!({}), 0),
        ("a load balancer to anywhere, checked", balancer(&json!({"healthCheckNodePort": 34_567})), 1),
        ("NodePort, checked", node_port(&checked), 1),
        ("inside, both", checked.clone(), 2),
        ("an alias", alias(&local), 1),
        ("NodePort without", node_port(&none), 1),
        ("a load balancer without", balancer(&none), 1),
        ("external addresses without", json!({"externalIPs": ["1.2.3.4"]}), 1),
    ] {
        check_create(row, &of_spec(spec), errors);
    }
}

#[test]
fn updates_of_services_are_wrong_in_so_many_ways() {
    let (one, other, none) = (ips(&["1.2.3.4"]), ips(&["1.2.3.5"]), ips(&["None"]));
    let family = |spec: &Value, policy: &str, families: &[&str]| {
        with(spec.clone(), &json!({"ipFamilyPolicy": policy, "ipFamilies": families}))
    };
    let (both, flipped) = (["IPv4", "IPv6"], ["IPv6", "IPv4"]);
    let (single, require) = ("SingleStack", "RequireDualStack");
    let dual = family(&ips(&["1.2.3.4", "2001::1"]), require, &both);
    let class = |class: &str| balancer(&json!({"loadBalancerClass": class}));
    let same = family(&one, single, &["IPv4"]);
    let external = |ip: &[&str]| json!({"externalTrafficPolicy": "Cluster", "externalIPs": ip});
    for (row, old, new, errors) in [
        ("nothing", json!({}), json!({}), 0),
        ("another address", one.clone(), ips(&["8.6.7.5"]), 1),
        ("no address any more", one.clone(), json!({}), 1),
        (
            "affinity",
            json!({}),
            json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90}}}),
            0,
        ),
        ("no affinity", json!({}), json!({"sessionAffinity": null}), 1),
        ("a load balancer", json!({}), balancer(&json!({})), 0),
        ("a node port", json!({}), node_port(&json!({})), 0),
        ("no type", json!({}), json!({"type": null}), 1),
        ("source ranges", balancer(&json!({})), balancer(&json!({"loadBalancerSourceRanges": ["10.0.0.0/8"]})), 0),
        ("a load balancer, headless", json!({}), balancer(&none), 1),
        ("None to an address", none.clone(), one.clone(), 1),
        ("None to nothing", none.clone(), json!({}), 1),
        ("an address to None", one.clone(), none.clone(), 1),
        ("an address where there was none", json!({}), other.clone(), 0),
        ("NodePort and another address", one.clone(), node_port(&other), 1),
        ("NodePort and the first address", json!({}), node_port(&other), 0),
        ("a load balancer and another address", one.clone(), balancer(&other), 1),
        ("a load balancer and the first address", json!({}), balancer(&other), 0),
        ("NodePort stays, another address", node_port(&one), node_port(&other), 1),
        ("NodePort to inside, another address", node_port(&one), other.clone(), 1),
        ("a load balancer to inside, another address", balancer(&one), other.clone(), 1),
        ("an alias gets an address", alias(&json!({})), other.clone(), 0),
        ("an alias that had one gets another", alias(&one), other.clone(), 0),
        ("NodePort gets None", node_port(&json!({})), node_port(&none), 1),
        ("to an alias with all that it had", same.clone(), with(same.clone(), &alias(&json!({}))), 3),
        ("to an alias", same.clone(), alias(&json!({})), 0),
        (
            "no node ports of a load balancer",
            balancer(&json!({})),
            balancer(&json!({"allocateLoadBalancerNodePorts": false})),
            0,
        ),
        (
            "node ports of a load balancer",
            balancer(&json!({"allocateLoadBalancerNodePorts": false})),
            balancer(&json!({})),
            0,
        ),
        ("node ports of a load balancer inside", json!({}), json!({"allocateLoadBalancerNodePorts": true}), 1),
        ("the class stays", class("test.com/old"), class("test.com/old"), 0),
        ("another class", class("test.com/old"), class("test.com/new"), 1),
        ("no class any more", class("test.com/old"), balancer(&json!({})), 1),
        ("a class too late", balancer(&json!({})), class("test.com/new"), 1),
        ("a load balancer with a class", json!({}), class("test.com/new"), 0),
        ("a load balancer with a class that is none", json!({}), class("Bad/LoadBalancerclass"), 2),
        ("a class inside", json!({}), json!({"loadBalancerClass": "test.com/new"}), 2),
        ("a class of what was a load balancer", class("test.com/old"), json!({"loadBalancerClass": "test.com/old"}), 2),
        ("another policy of families", same.clone(), family(&one, require, &["IPv4"]), 0),
        ("another first family", family(&one, single, &["IPv4"]), family(&one, single, &["IPv6"]), 2),
        ("a second family", same.clone(), family(&one, require, &both), 0),
        ("a second family with its address", same.clone(), dual.clone(), 0),
        ("a second family, another address", same.clone(), family(&other, require, &both), 1),
        ("one family less", dual.clone(), same.clone(), 0),
        ("one address less", dual.clone(), family(&one, single, &both), 0),
        ("one family less than required", dual.clone(), family(&one, require, &["IPv4"]), 2),
        ("one family less, another address", dual.clone(), family(&other, single, &["IPv4"]), 1),
        ("families change places", dual.clone(), family(&ips(&["2001::1", "1.2.3.5"]), require, &flipped), 4),
        ("another first address", dual.clone(), family(&ips(&["1.2.3.5", "2001::1"]), require, &both), 1),
        ("another second address", dual.clone(), family(&ips(&["1.2.3.4", "2002::1"]), require, &both), 1),
        ("headless families change places", family(&none, require, &both), family(&none, require, &flipped), 0),
        (
            "a headless Service gets both families",
            family(&none, single, &["IPv4"]),
            family(&none, require, &flipped),
            0,
        ),
        ("a headless Service keeps one family", family(&none, require, &both), family(&none, single, &["IPv6"]), 0),
        ("appProtocol", json!({}), only_port(&json!({"appProtocol": "https"})), 0),
        ("another appProtocol", json!({}), only_port(&json!({"appProtocol": "~https"})), 1),
        ("an external address with zeroes stays", external(&["001.002.003.004"]), external(&["001.002.003.004"]), 0),
        ("an external address with zeroes", external(&[]), external(&["001.002.003.004"]), 1),
        ("an address with zeroes stays", ips(&["001.002.003.004"]), ips(&["001.002.003.004"]), 0),
    ] {
        check_update(row, &of_spec(old), &of_spec(new), errors);
    }
}

#[test]
fn a_service_keeps_its_name() {
    // What is common to all kinds is checked a second time for every update.
    for (row, change, errors) in [
        ("another name", json!({"name": "valid2"}), 1 + 1),
        ("another namespace", json!({"namespace": "valid2"}), 1 + 1),
        ("a label", json!({"labels": {"key": "other-value"}}), 0),
    ] {
        check_update(row, &service(&json!({})), &service(&json!({"metadata": change})), errors);
    }
}
