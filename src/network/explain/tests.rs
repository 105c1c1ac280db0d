//! Under which address a client is seen, and where that matters.

use crate::network::testing::view;

use super::*;

const CLUSTER: &str = r#"
{apiVersion: v1, kind: Node, metadata: {name: a}, status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: b}, status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client}, spec: {nodeName: b, containers: [{name: c, image: i}]},
  status: {phase: Running, podIP: 10.0.0.7, podIPs: [{ip: 10.0.0.7}],
    containerStatuses: [{name: c, image: i, imageID: i, ready: true, restartCount: 0, state: {running: {}}}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: nginx, labels: {app: nginx}}, spec: {nodeName: a, containers: [{name: controller,
    image: ingress-nginx/controller, args: [/nginx-ingress-controller]}]}, status: {phase: Running, podIP: 10.0.0.1,
    podIPs: [{ip: 10.0.0.1}], conditions: [{type: Ready, status: "True"}],
    containerStatuses: [{name: controller, image: i, imageID: i, ready: true, restartCount: 0, state: {running: {}}}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: nginx}, spec: {type: LoadBalancer, clusterIP: 10.96.0.1, selector: {app: nginx},
    externalTrafficPolicy: POLICY, loadBalancerSourceRanges: [RANGES], ports: [{port: 80, protocol: TCP, targetPort: 80}]},
    status: {loadBalancer: {ingress: [{ip: 203.0.113.1}]}}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: n, labels: {kubernetes.io/service-name: nginx}}, addressType: IPv4,
    ports: [{port: 80, protocol: TCP}], endpoints: [{addresses: [10.0.0.1], nodeName: a, conditions: {ready: true},
    targetRef: {kind: Pod, name: nginx, namespace: default}}]}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx}, spec: {controller: k8s.io/ingress-nginx}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop, annotations: {ANNOTATION}}, spec: {ingressClassName: nginx,
    rules: [{host: shop.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: nginx, port: {number: 80}}}}]}}]}}
"#;

/// Status or verdict, and what is said of the address.
fn ask(source: &str, to: &str, (policy, ranges, list): (&str, &str, &str)) -> String {
    let annotation = if list.is_empty() { String::new() } else { format!("nginx.ingress.kubernetes.io/{list}") };
    let manifests = CLUSTER.replace("POLICY", policy).replace("RANGES", ranges).replace("ANNOTATION", &annotation);
    let view = view(&manifests);
    let why = explain(&World::of(&view), &parse_source(source).expect("a client"), &to.parse().expect("a destination"));
    let about = ["let through", "let in", "SourceRanges"];
    let told = why.steps.iter().find(|step| about.iter().any(|words| step.text.contains(words)));
    let told = told.map_or(String::new(), |step| format!(": {}", step.text));
    format!("{:?}{told}", why.verdict)
}

#[test]
fn the_lists_of_an_ingress_meet_the_address_that_its_controller_sees() {
    let allow = |range: &str| format!("allowlist-source-range: {range}");
    let sees = |address: &str| {
        format!(
            "Status(403, Forbidden): the controller sees address {address}, which is not let through (Ingress default/shop)"
        )
    };
    let one_of_two = "Reachable: the controller sees the address of the node where a request comes in, and 1 of 2 nodes are not let through";
    for (source, policy, range, expected) in [
        // Behind `Cluster` the client's own address does not count, wherever it is.
        ("external", "Cluster", "203.0.113.0/24", sees("192.0.2.1")),
        ("external", "Cluster", "192.0.2.0/24", "Reachable".to_owned()),
        ("external", "Cluster", "192.0.2.1", format!("{one_of_two} (192.0.2.2)")),
        ("external", "Cluster", "0.0.0.0/0", "Reachable".to_owned()),
        ("pod/client", "Cluster", "192.0.2.2", "Reachable".to_owned()),
        ("pod/client", "Cluster", "10.0.0.7", sees("192.0.2.2")),
        ("pod/client", "Local", "10.0.0.7", "Reachable".to_owned()),
        ("pod/client", "Local", "192.0.2.0/24", sees("10.0.0.7")),
        (
            "external",
            "Local",
            "203.0.113.0/24",
            "Reachable: only some addresses are let through, by annotations of the Ingress".to_owned(),
        ),
    ] {
        assert_eq!(ask(source, "shop.org", (policy, "", &allow(range))), expected, "{source}, {policy}, {range}");
    }
    let deny = "denylist-source-range: 192.0.2.2";
    assert_eq!(ask("pod/client", "shop.org", ("Cluster", "", deny)), sees("192.0.2.2"));
    assert_eq!(ask("external", "shop.org", ("Cluster", "", deny)), format!("{one_of_two} (192.0.2.2)"));
}

#[test]
fn source_ranges_hold_back_clients_at_the_address_of_the_load_balancer_only() {
    let only = "Reachable: only clients in 203.0.113.0/24 are let in (loadBalancerSourceRanges): packets of others are dropped";
    let outside = "Unreachable(SourceRange): 10.0.0.7 is outside of loadBalancerSourceRanges (203.0.113.0/24): packets are dropped";
    for (source, to, ranges, expected) in [
        ("external", "service/nginx", "203.0.113.0/24", only),
        ("external", "service/nginx", "0.0.0.0/0", "Reachable"),
        ("external", "service/nginx", "", "Reachable"),
        ("pod/client", "shop.org", "203.0.113.0/24", outside),
        ("pod/client", "shop.org", "203.0.113.0/24", outside),
        ("pod/client", "shop.org", "\"203.0.113.0/24\", 10.0.0.0/8", "Reachable"),
        ("pod/client", "service/nginx", "203.0.113.0/24", "Reachable"),
        ("node/b", "shop.org", "192.0.2.0/24", "Reachable"),
    ] {
        assert_eq!(ask(source, to, ("Cluster", ranges, "")), expected, "{source} to {to}, {ranges}");
    }
}

#[test]
fn policies_meet_the_address_of_the_node_by_which_connections_come_in_behind_cluster() {
    let policy = |range: &str| {
        format!(
            "\n---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, \
             spec: {{podSelector: {{matchLabels: {{app: nginx}}}}, ingress: [{{from: [{{ipBlock: {{cidr: {range}}}}}]}}]}}}}"
        )
    };
    for (source, to, traffic, range, expected) in [
        // By the node of the pod itself it comes with the client's address.
        ("external", "service/nginx", "Cluster", "203.0.113.0/24", Verdict::Sometimes(Cause::PolicyDenied)),
        ("external", "service/nginx", "Cluster", "192.0.2.2/32", Verdict::Sometimes(Cause::PolicyDenied)),
        ("external", "service/nginx", "Cluster", "198.51.100.0/24", Verdict::Unreachable(Cause::PolicyDenied)),
        ("external", "service/nginx", "Cluster", "0.0.0.0/0", Verdict::Reachable),
        ("external", "service/nginx", "Local", "203.0.113.0/24", Verdict::Reachable),
        ("external", "service/nginx", "Local", "192.0.2.0/24", Verdict::Unreachable(Cause::PolicyDenied)),
        // The client is on node b, the pod on node a.
        ("pod/client", "shop.org", "Cluster", "192.0.2.2/32", Verdict::Reachable),
        ("pod/client", "shop.org", "Cluster", "10.0.0.7/32", Verdict::Unreachable(Cause::PolicyDenied)),
        ("pod/client", "shop.org", "Local", "10.0.0.7/32", Verdict::Reachable),
        ("pod/client", "service/nginx", "Cluster", "10.0.0.7/32", Verdict::Reachable),
        ("node/b", "service/nginx", "Cluster", "192.0.2.2/32", Verdict::Reachable),
        ("node/a", "service/nginx", "Cluster", "198.51.100.0/24", Verdict::Reachable),
    ] {
        let manifests = CLUSTER.replace("POLICY", traffic).replace("RANGES", "").replace("ANNOTATION", "");
        let view = view(&(manifests + &policy(range)));
        let (from, destination) = (parse_source(source).expect("a client"), to.parse().expect("a destination"));
        let why = explain(&World::of(&view), &from, &destination);
        assert_eq!(why.verdict, expected, "{source} to {to}, {traffic}, {range}:\n{why}");
    }
}

#[test]
fn aliases_that_lead_nowhere_are_told_to_their_end() {
    let alias = |name: &str, to: &str| {
        format!(
            "\n---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{type: ExternalName, externalName: {to}}}}}"
        )
    };
    let below = |name: &str| format!("{name}.default.svc.cluster.local");
    let long: String = (0..12).map(|n| alias(&format!("n{n}"), &below(&format!("n{}", n + 1)))).collect();
    let manifests = CLUSTER.replace("POLICY", "Cluster").replace("RANGES", "").replace("ANNOTATION", "")
        + &[
            alias("a", &below("b")),
            alias("b", &below("a")),
            alias("own", &below("own")),
            alias("gone", &below("nobody")),
        ]
        .concat()
        + &long;
    let view = view(&manifests);
    let (a, b) = (below("a"), below("b"));
    for (host, expected) in [
        ("a", format!("Service default/a is an alias for {b}, that for {a}: that is a circle")),
        ("own", format!("Service default/own is an alias for {}: that is a circle", below("own"))),
        ("gone", format!("Service default/gone is an alias for {}: that name has no address", below("nobody"))),
    ] {
        let from = parse_source("pod/client").expect("a client");
        let why = explain(&World::of(&view), &from, &format!("{host}:80").parse().expect("a destination"));
        let broken = why.broken().expect("a broken link");
        assert_eq!((broken.stage, &broken.hints[..]), ("Name", &[expected][..]), "{why}");
    }
    let from = parse_source("pod/client").expect("a client");
    let why = explain(&World::of(&view), &from, &"n0:80".parse().expect("a destination"));
    assert!(
        why.broken()
            .is_some_and(|step| step.hints[0].ends_with("n8.default.svc.cluster.local: CoreDNS follows no more")),
        "{why}"
    );
}

#[test]
fn nodes_by_which_connections_come_in_and_do_not_get_on_are_named() {
    let is_up = |node: &str| node != "b";
    // The only endpoint is on node a; b is down.
    for (source, kind, traffic, all_up, expected, told) in [
        ("external", "NodePort", "Cluster", true, Verdict::Reachable, ""),
        ("external", "NodePort", "Cluster", false, Verdict::Sometimes(Cause::EntryNodeDown), "node b is down"),
        (
            "external",
            "NodePort",
            "Local",
            true,
            Verdict::Sometimes(Cause::NoLocalEndpoints),
            "node b is without an endpoint",
        ),
        ("external", "NodePort", "Local", false, Verdict::Sometimes(Cause::EntryNodeDown), "node b is down"),
        // Its health checks keep a load balancer away, as far as nothing else is known.
        ("external", "LoadBalancer", "Cluster", false, Verdict::Reachable, ""),
        ("external", "LoadBalancer", "Local", true, Verdict::Reachable, ""),
        ("external", "ClusterIP", "Cluster", true, Verdict::Unreachable(Cause::NoSuchPort), "inside the cluster only"),
        (
            "external",
            "ClusterIP, externalIPs: [198.51.100.9]",
            "Cluster",
            true,
            Verdict::Reachable,
            "takes connections to 198.51.100.9 on every node",
        ),
        (
            "external",
            "ClusterIP, externalIPs: [198.51.100.9]",
            "Local",
            true,
            Verdict::Sometimes(Cause::NoLocalEndpoints),
            "node b is without",
        ),
        ("node/a", "NodePort", "Local", true, Verdict::Reachable, ""),
    ] {
        let manifests = CLUSTER.replace("POLICY", traffic).replace("RANGES", "").replace("ANNOTATION", "");
        let manifests = manifests.replace("type: LoadBalancer", &format!("type: {kind}"));
        let manifests = manifests.replace(
            "{port: 80, protocol: TCP, targetPort: 80}",
            "{port: 80, nodePort: 30080, protocol: TCP, targetPort: 80}",
        );
        let view = view(&manifests);
        let world = World { is_up: (!all_up).then_some(&is_up), ..World::of(&view) };
        let (from, to) = (parse_source(source).expect("a client"), "service/nginx".parse().expect("a destination"));
        let why = explain(&world, &from, &to);
        assert_eq!(why.verdict, expected, "{source}, {kind}, {traffic}, all up: {all_up}\n{why}");
        assert!(why.to_string().contains(told), "{told}: {why}");
    }
}

#[test]
fn a_controller_on_ports_of_its_machines_is_reached_without_a_service() {
    let host = "args: [/nginx-ingress-controller], ports: [{containerPort: 80, hostPort: 8000}]";
    let manifests = CLUSTER.replace("POLICY", "Cluster").replace("RANGES", "").replace("ANNOTATION", "");
    let manifests =
        manifests.replace("args: [/nginx-ingress-controller]", host).replace("type: LoadBalancer", "type: ClusterIP");
    let view = view(&manifests);
    for (to, expected) in
        [("shop.org:8000", Verdict::Reachable), ("shop.org:80", Verdict::Unreachable(Cause::NoSuchPort))]
    {
        let why = explain(&World::of(&view), &Source::External, &to.parse().expect("a destination"));
        assert_eq!(why.verdict, expected, "{to}: {why}");
    }
}

#[test]
fn cluster_dns_is_asked_through_its_service_where_there_is_one() {
    let namespace = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: default}}\n";
    let service = "---\n{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system},
        spec: {clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}]}}\n";
    let slice = |pods: &[(&str, &str)]| {
        let endpoint = |(pod, ip): &(&str, &str)| {
            format!(
                "{{addresses: [{ip}], conditions: {{ready: true}}, targetRef: {{kind: Pod, name: {pod}, namespace: default}}}}"
            )
        };
        let endpoints = pods.iter().map(endpoint).collect::<Vec<_>>().join(", ");
        format!(
            "{service}---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: d, namespace: kube-system,
            labels: {{kubernetes.io/service-name: kube-dns}}}}, addressType: IPv4, ports: [{{name: dns, port: 53, protocol: UDP}}],
            endpoints: [{endpoints}]}}\n"
        )
    };
    let (there, gone) = (("nginx", "10.0.0.1"), ("gone", "10.0.0.9"));
    for (dns, expected) in [
        (String::new(), "Reachable"),
        (
            service.to_owned(),
            "Unreachable(DnsFailure): kube-system/kube-dns has no selector, and no EndpointSlice with a ready endpoint and port 53 (dns) was made for it",
        ),
        (slice(&[there]), "Reachable"),
        (slice(&[there, gone]), "Reachable: pod default/gone is gone: nothing has address 10.0.0.9"),
        (slice(&[gone]), "Unreachable(DnsFailure): pod default/gone is gone: nothing has address 10.0.0.9"),
    ] {
        let cluster = CLUSTER.replace("POLICY", "Cluster").replace("RANGES", "").replace("ANNOTATION", "");
        let view = view(&format!("{cluster}{namespace}{dns}"));
        let (client, to) = (parse_source("pod/client").expect("a client"), "nginx:80".parse().expect("a name"));
        let why = explain(&World::of(&view), &client, &to);
        let odd = why.steps.iter().find(|step| step.link != Link::Holds);
        let told = odd.map_or(String::new(), |step| format!(": {}", step.text));
        assert_eq!(format!("{:?}{told}", why.verdict), expected, "{dns}");
        // Where nothing is odd nothing is said.
        assert_eq!(why.steps.iter().any(|step| step.stage == "DNS"), odd.is_some(), "{dns}");
    }
}
