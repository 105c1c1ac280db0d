use crate::network::testing::view;

use super::*;

const PODS: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {team: own}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {team: x}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {podIP: 10.1.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, labels: {app: b}}, spec: {nodeName: n2, containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080, protocol: TCP}]}]}, status: {podIP: 10.1.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {podIP: 10.1.0.3}}
---
{apiVersion: v1, kind: Pod, metadata: {name: other, namespace: x, labels: {app: other}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {podIP: 10.1.0.4}}
---
{apiVersion: v1, kind: Pod, metadata: {name: host, labels: {app: a}}, spec: {nodeName: n1, hostNetwork: true, containers: [{name: c, image: i}]}, status: {podIP: 192.0.2.1}}
"#;

/// Policies by name and spec.
fn with(policies: &[(&str, &str)]) -> View {
    let documents = policies.iter().map(|(name, spec)| {
        format!("\n---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}}}, spec: {{{spec}}}}}")
    });
    view(&(PODS.to_owned() + &documents.collect::<String>()))
}

fn peer<'v>(view: &'v View, text: &str) -> Peer<'v> {
    match (text.strip_prefix("node/"), text.parse()) {
        (Some("n2"), _) => Peer::Node("n2", Some("192.0.2.2".parse().unwrap())),
        (Some(_), _) => Peer::Node("n1", Some("192.0.2.1".parse().unwrap())),
        (None, Ok(ip)) => Peer::Address(ip),
        (None, Err(_)) => {
            let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
            Peer::Pod(view.pods.get(&Key::new(namespace, name)).expect("a pod"))
        }
    }
}

fn passes(view: &View, from: &str, to: &str, port: u16, protocol: &str) -> bool {
    verdict(view, &Connection { from: peer(view, from), to: peer(view, to), port, protocol }).is_allowed()
}

const TO_B: &str = "podSelector: {matchLabels: {app: b}}";
const TO_A: &str = "podSelector: {matchLabels: {app: a}}";

#[test]
fn connections_pass_as_the_truth_table_says() {
    let of_b = |rest: &str| format!("{TO_B}, {rest}");
    let of_a = |rest: &str| format!("{TO_A}, {rest}");
    let from_a = of_b("ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]");
    let both = of_b(
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: a}}}]}]",
    );
    let either = of_b(
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}, {podSelector: {matchLabels: {app: a}}}]}]",
    );
    for (policies, from, to, expected) in [
        (vec![], "a", "b", true),
        (vec![of_b("ingress: []")], "a", "b", false),
        (vec![of_b("")], "a", "b", false),
        (vec![of_b("ingress: [{}]")], "a", "b", true),
        (vec![of_b("ingress: []")], "b", "a", true),
        (vec![of_b("ingress: []")], "203.0.113.1", "b", false),
        (vec![from_a.clone()], "a", "b", true),
        (vec![from_a.clone()], "x/a", "b", false),
        (vec![from_a.clone()], "203.0.113.1", "b", false),
        (vec![both.clone()], "x/a", "b", true),
        (vec![both.clone()], "x/other", "b", false),
        (vec![both], "a", "b", false),
        (vec![either.clone()], "x/other", "b", true),
        (vec![either], "a", "b", true),
        (vec![of_b("ingress: []"), from_a.clone()], "a", "b", true),
        // Isolated for egress, also towards everything else, such as DNS.
        (vec![of_a("policyTypes: [Egress], egress: []")], "a", "b", false),
        (vec![of_a("policyTypes: [Egress], egress: []")], "a", "192.0.2.53", false),
        (vec![of_a("policyTypes: [Egress], egress: []")], "b", "a", true),
        (vec![from_a.clone(), of_a("policyTypes: [Egress], egress: []")], "a", "b", false),
        // Without policyTypes, egress counts only with rules.
        (vec![of_a("")], "a", "b", true),
        (vec![of_a("egress: [{to: [{podSelector: {}}]}]")], "a", "b", true),
        (vec![of_a("egress: [{to: [{podSelector: {}}]}]")], "a", "x/a", false),
        (vec![of_a("egress: [{to: [{podSelector: {}}]}]")], "b", "a", false),
        // An empty selector is about all pods of the namespace, and only about those.
        (vec!["podSelector: {}".to_owned()], "a", "b", false),
        (vec!["podSelector: {}".to_owned()], "a", "x/a", true),
        // The pod itself, its own node, another node, what shares the node's network.
        (vec![of_b("ingress: []")], "b", "b", true),
        (vec![of_b("ingress: []")], "node/n2", "b", true),
        (vec![of_b("ingress: []")], "node/n1", "b", false),
        (vec![of_a("ingress: []")], "b", "host", true),
        (vec![from_a], "host", "b", false),
    ] {
        let named: Vec<(String, &String)> =
            policies.iter().enumerate().map(|(n, spec)| (format!("p{n}"), spec)).collect();
        let view = with(&named.iter().map(|(name, spec)| (name.as_str(), spec.as_str())).collect::<Vec<_>>());
        assert_eq!(passes(&view, from, to, 8080, "TCP"), expected, "{from} to {to} under {policies:?}");
    }
}

#[test]
fn ports_are_numbers_names_or_ranges_of_a_protocol() {
    for (ports, port, protocol, expected) in [
        ("[]", 8080, "UDP", true),
        ("[{port: 8080}]", 8080, "TCP", true),
        ("[{port: 8080}]", 8080, "UDP", false),
        ("[{port: 8080}]", 8081, "TCP", false),
        ("[{protocol: UDP}]", 53, "UDP", true),
        ("[{protocol: UDP}]", 53, "TCP", false),
        ("[{port: http}]", 8080, "TCP", true),
        ("[{port: http}]", 80, "TCP", false),
        ("[{port: http, protocol: UDP}]", 8080, "UDP", false),
        ("[{port: 8000, endPort: 8080}]", 8080, "TCP", true),
        ("[{port: 8000, endPort: 8079}]", 8080, "TCP", false),
        ("[{port: 1}, {port: 8080}]", 8080, "TCP", true),
    ] {
        let view = with(&[("p", &format!("{TO_B}, ingress: [{{ports: {ports}}}]"))]);
        assert_eq!(passes(&view, "a", "b", port, protocol), expected, "{ports} for {port}/{protocol}");
    }
}

#[test]
fn blocks_of_addresses_have_holes() {
    let view = with(&[(
        "p",
        &format!("{TO_B}, ingress: [{{from: [{{ipBlock: {{cidr: 203.0.113.0/24, except: [203.0.113.128/25]}}}}]}}]"),
    )]);
    for (from, expected) in [("203.0.113.1", true), ("203.0.113.129", false), ("192.0.2.1", false), ("a", false)] {
        assert_eq!(passes(&view, from, "b", 80, "TCP"), expected, "{from}");
    }
    let pods = with(&[("p", &format!("{TO_B}, ingress: [{{from: [{{ipBlock: {{cidr: 10.1.0.0/24}}}}]}}]"))]);
    assert!(passes(&pods, "a", "b", 80, "TCP") && !passes(&pods, "node/n1", "b", 80, "TCP"));
}

#[test]
fn the_verdict_names_the_policies() {
    let view = with(&[
        ("z", &format!("{TO_B}, ingress: []")),
        ("deny", "podSelector: {}"),
        ("out", &format!("{TO_A}, egress: [{{}}]")),
    ]);
    let verdict =
        verdict(&view, &Connection { from: peer(&view, "a"), to: peer(&view, "b"), port: 80, protocol: "TCP" });
    assert_eq!(verdict.egress, Gate::Allowed(Key::new("default", "out")));
    let expected = [Key::new("default", "deny"), Key::new("default", "z")];
    assert_eq!(verdict.denial(), Some((PolicyType::Ingress, &expected[..])));
}
