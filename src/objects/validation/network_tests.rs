//! Ingresses and network policies, row by row of upstream's `TestValidateIngress`, `TestValidateIngressRuleValue`,
//! `TestValidateIngressCreate` and `TestValidateNetworkPolicy`: how many things are wrong.

use serde_json::{Value, json};

use super::*;

fn metadata() -> Value {
    json!({"name": "x", "namespace": "default", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"})
}

#[track_caller]
fn check(row: &str, kind: &str, object: &Value, expected: usize) {
    let errors: Vec<String> = validate_create(kind, object).iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), expected, "{row}: {errors:?}");
}

#[test]
fn ingresses_are_wrong_in_so_many_ways() {
    let backend = json!({"service": {"name": "default-backend", "port": {"number": 80}}});
    let resource = json!({"apiGroup": "example.com", "kind": "foo", "name": "bar"});
    let path = |kind: &str, path: &str| json!({"path": path, "pathType": kind, "backend": backend});
    let rule = |path: Value| json!({"rules": [{"host": "foo.bar.com", "http": {"paths": [path]}}]});
    let host = |host: &str| json!({"rules": [{"host": host, "http": {"paths": [path("Prefix", "/foo")]}}]});
    let port = |port: Value| json!({"defaultBackend": {"service": {"name": "default-backend", "port": port}}});
    for (row, spec, errors) in [
        ("a default alone", json!({"defaultBackend": backend}), 0),
        ("a rule alone", rule(path("Prefix", "/foo")), 0),
        ("a rule without paths", json!({"rules": [{"host": "foo.bar.com"}]}), 0),
        ("a rule of no paths", json!({"rules": [{"host": "foo.bar.com", "http": {"paths": []}}]}), 1),
        ("neither", json!({}), 1),
        ("no type of path", rule(json!({"path": "/foo", "backend": backend})), 1),
        ("another type of path", rule(path("Other", "/foo")), 1),
        ("a host with a port", host("foobar:80"), 1),
        ("a host that is an address", host("127.0.0.1"), 1),
        ("a host in upper case", host("Foo.bar.com"), 1),
        ("any host below", host("*.bar.com"), 0),
        ("a star in between", host("foo.*.bar.com"), 1),
        ("a star alone", host("*"), 1),
        ("Prefix of nothing", rule(path("Prefix", "")), 1),
        ("Exact of nothing", rule(path("Exact", "")), 1),
        ("ImplementationSpecific of nothing", rule(path("ImplementationSpecific", "")), 0),
        ("Prefix of what is not absolute", rule(path("Prefix", "foo")), 1),
        ("ImplementationSpecific of what is not absolute", rule(path("ImplementationSpecific", "foo")), 1),
        ("Prefix with an empty element", rule(path("Prefix", "/foo//bar/foo")), 1),
        ("Exact with an empty element", rule(path("Exact", "/foo//bar/foo")), 1),
        ("ImplementationSpecific with an empty element", rule(path("ImplementationSpecific", "/foo//bar/foo")), 0),
        ("Prefix here", rule(path("Prefix", "/foo/./bar")), 1),
        ("Exact above", rule(path("Exact", "/foo/../foo")), 1),
        ("Exact that ends above", rule(path("Exact", "/foo/..")), 1),
        ("Prefix that ends here", rule(path("Prefix", "/foo/.")), 1),
        ("Prefix with a slash in disguise", rule(path("Prefix", "/foo/%2f/foo")), 1),
        ("Exact with a slash in disguise", rule(path("Exact", "/foo/%2F/foo")), 1),
        ("a resource", json!({"defaultBackend": {"resource": resource}}), 0),
        (
            "a resource and a service",
            json!({"defaultBackend": {"resource": resource, "service": backend["service"]}}),
            1,
        ),
        ("neither resource nor service", json!({"defaultBackend": {}}), 1),
        ("a port by name", port(json!({"name": "http"})), 0),
        ("a port by number and name", port(json!({"number": 80, "name": "http"})), 1),
        ("no port", port(json!({})), 1),
    ] {
        let ingress =
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata(), "spec": spec});
        check(row, "Ingress", &ingress, errors);
    }
    let class = |annotation: Option<&str>, class: Option<&str>| {
        let mut metadata = metadata();
        if let Some(annotation) = annotation {
            metadata["annotations"] = json!({"kubernetes.io/ingress.class": annotation});
        }
        let mut spec = json!({"defaultBackend": backend});
        if let Some(class) = class {
            spec["ingressClassName"] = class.into();
        }
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec})
    };
    for (annotation, name, errors) in [
        (None, None, 0),
        (Some("foo"), None, 0),
        (None, Some("bar"), 0),
        (Some("foo"), Some("foo"), 0),
        (Some("foo"), Some("bar"), 1),
        (None, Some("Bar"), 1),
    ] {
        check(&format!("{annotation:?} {name:?}"), "Ingress", &class(annotation, name), errors);
    }
}

#[test]
fn network_policies_are_wrong_in_so_many_ways() {
    let ingress = |rule: Value| json!({"podSelector": {}, "ingress": [rule]});
    let from = |peer: Value| ingress(json!({"from": [peer]}));
    let port = |port: Value| ingress(json!({"ports": [port]}));
    let block = |cidr: &str, except: &[&str]| from(json!({"ipBlock": {"cidr": cidr, "except": except}}));
    let selector = json!({"matchLabels": {"c": "d"}});
    for (row, spec, errors) in [
        ("nothing comes in", json!({"podSelector": {}}), 0),
        ("everything comes in", ingress(json!({})), 0),
        ("pods", from(json!({"podSelector": selector})), 0),
        ("pods of namespaces", from(json!({"podSelector": selector, "namespaceSelector": selector})), 0),
        ("a peer that is none", from(json!({})), 1),
        ("a block and pods", from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": selector})), 1),
        ("a block and namespaces", from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": selector})), 1),
        ("a block with a hole", block("192.168.0.0/16", &["192.168.3.0/24", "192.168.4.0/24"]), 0),
        ("a block that is an address", block("192.168.5.6", &[]), 1),
        ("a hole as large as the block", block("192.168.8.0/24", &["192.168.8.0/24"]), 1),
        ("a hole outside of the block", block("192.168.8.0/24", &["192.168.9.1/32"]), 1),
        ("a hole larger than the block", block("192.168.8.0/24", &["192.168.0.0/16"]), 1),
        (
            "ports by number and by name",
            ingress(json!({"ports": [{"port": 80, "protocol": "TCP"}, {"port": "telnet", "protocol": "TCP"}]})),
            0,
        ),
        ("a protocol alone", port(json!({"protocol": "SCTP"})), 0),
        ("another protocol", port(json!({"protocol": "FTP", "port": 80})), 1),
        ("port 0", port(json!({"protocol": "TCP", "port": 0})), 1),
        ("a name that is none", port(json!({"protocol": "TCP", "port": "UPPER"})), 2),
        ("a range", port(json!({"protocol": "TCP", "port": 32_000, "endPort": 32_768})), 0),
        ("a range of one", port(json!({"protocol": "TCP", "port": 32_000, "endPort": 32_000})), 0),
        ("a range backwards", port(json!({"protocol": "TCP", "port": 32_000, "endPort": 29_999})), 1),
        ("a range from a name", port(json!({"protocol": "TCP", "port": "dns", "endPort": 32_768})), 1),
        ("a range from nowhere", port(json!({"protocol": "TCP", "endPort": 32_768})), 1),
        ("a range too far", port(json!({"protocol": "TCP", "port": 30_000, "endPort": 65_537})), 1),
        ("both directions", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}), 0),
        ("another direction", json!({"podSelector": {}, "policyTypes": ["foo"]}), 1),
        ("three directions", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress", "Ingress"]}), 1),
        ("pods by a label that is none", json!({"podSelector": {"matchLabels": {"a": "!"}}}), 1),
    ] {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(), "spec": spec});
        check(row, "NetworkPolicy", &policy, errors);
    }
}
