//! The traffic matrix of kube-proxy: where connections go by destination, policy and source (rows of `TestInternalTrafficPolicy`,
//! `TestExternalTrafficPolicyLocal`, `TestExternalTrafficPolicyCluster`, `TestNoEndpointsReject`, `TestInternalExternalMasquerade`).

use serde_json::json;

use super::super::super::outcome::{Cause, Outcome};
use super::bed::{Bed, constant, open, secs, to_host};
use crate::kernel::{Sampler, SimDuration};
use crate::network::dns::DnsConfig;
use crate::network::{ClientSpec, HostName, NetworkConfig, Origin, PortRef, RequestTarget, ServeModel};

const BALANCER: &str = "203.0.113.1";

/// A client inside is on the first node; `lb` is the address of the load balancer, `port` a port of a random node.
fn client(source: &str, destination: &str) -> ClientSpec {
    let mut spec = open("users", constant("100/s"));
    if let ("pod", _) | (_, "lb") = (source, destination) {
        let host = HostName::new(if destination == "lb" { "lb.example" } else { "web" });
        spec = to_host("users", host.clone(), constant("100/s"));
        spec.to = RequestTarget::Host(host, PortRef::Number(80));
    }
    match source {
        "node" => spec.from = Origin::Node("node-0".into()),
        "ext" => spec.from = Origin::External,
        _ => {}
    }
    spec.timeout = SimDuration::from_millis(5);
    spec
}

/// Pod 0 is on the node of the client, pod 1 on the other; those that are ready, such as `01`.
fn bed(spec: ClientSpec, internal: &str, external: &str, ready: &str) -> Bed {
    bed_of(spec, [internal, external], ready, "VIP")
}

fn bed_of(spec: ClientSpec, [internal, external]: [&str; 2], ready: &str, mode: &str) -> Bed {
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    let outside = [("lb.example".into(), vec![BALANCER.parse().expect("an address")])].into();
    let by_lb = spec.destination().starts_with("lb");
    let config = NetworkConfig { dns: DnsConfig { outside, ..DnsConfig::ideal() }, ..NetworkConfig::ideal() };
    let mut bed = Bed::with(vec![spec], 2, 2, model, config, 7).headless();
    bed.edit(|service| {
        service["spec"]["internalTrafficPolicy"] = json!(internal);
        service["spec"]["externalTrafficPolicy"] = json!(external);
        if by_lb {
            service["spec"]["type"] = json!("LoadBalancer");
            service["status"] = json!({"loadBalancer": {"ingress": [{"ip": BALANCER, "ipMode": mode}]}});
        }
    });
    for pod in 0..2 {
        bed.set_ready(pod, ready.contains(&pod.to_string()));
    }
    bed
}

/// The pods that answer, and what else becomes of connections.
fn told(bed: &mut Bed) -> String {
    let until = bed.now + secs(2);
    bed.run_until(until);
    let report = bed.report("users");
    let mut words: Vec<String> =
        report.versions.iter().filter(|version| version.answered > 0).map(|version| version.name.to_string()).collect();
    words.sort_unstable();
    for (cause, word) in
        [(Cause::NoLocalEndpoints, "dropped"), (Cause::NoEndpoints, "rejected"), (Cause::PolicyDenied, "denied")]
    {
        if report.cause(cause) > 0 {
            words.push(word.to_owned());
        }
    }
    assert!(report.total.requests > 100, "{:?}", report.total);
    words.join(" ")
}

#[test]
fn policy_and_source_decide_where_connections_go() {
    for (source, destination, internal, external, ready, expected) in [
        ("pod", "cluster", "Cluster", "Cluster", "01", "v0 v1"),
        ("node", "cluster", "Cluster", "Cluster", "01", "v0 v1"),
        ("pod", "cluster", "Local", "Cluster", "01", "v0"),
        ("node", "cluster", "Local", "Cluster", "01", "v0"),
        ("pod", "cluster", "Local", "Cluster", "1", "dropped"),
        ("node", "cluster", "Local", "Cluster", "1", "dropped"),
        ("pod", "cluster", "Local", "Cluster", "", "rejected"),
        ("pod", "cluster", "Cluster", "Cluster", "", "rejected"),
        // The policy for outside says nothing of the address inside, nor the other way round.
        ("pod", "cluster", "Cluster", "Local", "1", "v1"),
        ("ext", "port", "Local", "Cluster", "1", "v1"),
        ("ext", "port", "Cluster", "Cluster", "01", "v0 v1"),
        ("ext", "port", "Cluster", "Cluster", "", "rejected"),
        ("ext", "port", "Cluster", "Local", "01", "v0 v1"),
        ("ext", "port", "Cluster", "Local", "1", "v1 dropped"),
        ("ext", "port", "Cluster", "Local", "", "rejected"),
        ("pod", "lb", "Cluster", "Cluster", "01", "v0 v1"),
        ("node", "lb", "Cluster", "Cluster", "01", "v0 v1"),
        // What comes from inside goes anywhere.
        ("pod", "lb", "Cluster", "Local", "01", "v0 v1"),
        ("node", "lb", "Cluster", "Local", "01", "v0 v1"),
        ("pod", "lb", "Cluster", "Local", "1", "v1"),
        ("pod", "lb", "Local", "Cluster", "1", "v1"),
        ("pod", "lb", "Cluster", "Local", "", "rejected"),
    ] {
        let mut bed = bed(client(source, destination), internal, external, ready);
        let row = format!("{source} to {destination}, {internal} inside, {external} outside, ready {ready:?}");
        assert_eq!(told(&mut bed), expected, "{row}");
        // An endpoint takes no second way where it is the entry node's own.
        if (source, external, ready) == ("ext", "Local", "01") {
            assert_eq!(bed.report("users").total.extra_hops, 0, "{row}");
        }
    }
}

/// A pod that lets in only pods by their labels sees the node where the source address was replaced by the node's. On the node of the pod
/// itself it is still that of the client.
#[test]
fn the_source_address_is_replaced_on_the_way_by_an_address_outside() {
    for (source, destination, external, expected) in [
        ("pod", "cluster", "Cluster", "v0 v1"),
        ("pod", "lb", "Cluster", "v0 denied"),
        ("pod", "lb", "Local", "v0 v1"),
        // The node's own pods let it in whatever they say.
        ("node", "cluster", "Cluster", "v0 denied"),
        ("node", "lb", "Local", "v0 denied"),
    ] {
        let mut bed = bed(client(source, destination), "Cluster", external, "01");
        let from = json!([{"podSelector": {"matchLabels": {"app": "client"}}}]);
        let web = json!({"matchLabels": {"app": "web"}});
        bed.policy(
            "clients",
            Some(json!({"podSelector": web, "policyTypes": ["Ingress"], "ingress": [{"from": from}]})),
        );
        assert_eq!(told(&mut bed), expected, "{source} to {destination}, {external} outside");
    }
}

/// Rows of `TestLoadBalancer` with `loadBalancerSourceRanges`: they are about the address of the load balancer, for whoever asks there, and
/// about no port of a node.
#[test]
fn source_ranges_filter_at_the_address_of_the_load_balancer() {
    // The client's pod has 10.1.3.250, its node 192.0.2.0.
    for (source, destination, ranges, passes) in [
        ("ext", "port", json!(["203.0.113.0/25"]), true),
        ("pod", "lb", json!(["203.0.113.0/25"]), false),
        ("pod", "lb", json!(["203.0.113.0/25", "10.1.3.0/24"]), true),
        ("pod", "lb", json!(["0.0.0.0/0"]), true),
        ("node", "lb", json!(["192.0.2.0/24"]), true),
        ("node", "lb", json!(["10.1.0.0/16"]), false),
        ("pod", "cluster", json!(["203.0.113.0/25"]), true),
    ] {
        let mut bed = bed(client(source, destination), "Cluster", "Cluster", "01");
        bed.edit(|service| service["spec"]["loadBalancerSourceRanges"] = ranges.clone());
        bed.run(2);
        let report = bed.report("users");
        let (served, dropped) = (report.cause(Cause::Served), report.cause(Cause::SourceRange));
        assert!(
            if passes { served > 100 && dropped == 0 } else { served == 0 && dropped > 100 },
            "{source} {ranges}: {served} {dropped}"
        );
    }
}

/// `ipMode: Proxy`: the rules of nodes leave that address alone, so that even pods go out to the load balancer.
#[test]
fn the_address_of_a_load_balancer_that_proxies_itself_is_outside() {
    for (mode, cause) in [("VIP", Cause::Served), ("Proxy", Cause::OutsideCluster)] {
        let mut bed = bed_of(client("pod", "lb"), ["Cluster", "Cluster"], "01", mode);
        bed.run(2);
        let report = bed.report("users");
        assert!(report.cause(cause) > 100, "{mode}: {:?}", report.total);
    }
}

/// A node that hears nothing any more has no rules for a port that a Service gets then. Nothing has the address of the Service or, if the
/// packet keeps it (`ipMode: VIP`), of the load balancer; on a port of the node nobody listens.
#[test]
fn without_rules_addresses_are_silent_and_ports_of_nodes_refuse() {
    let (vip, proxy) = (json!({"ip": BALANCER, "ipMode": "VIP"}), json!({"ip": BALANCER, "ipMode": "Proxy"}));
    for (source, destination, point, expected) in [
        ("pod", "cluster", None, (Cause::NotProgrammed, Outcome::TimedOut)),
        ("node", "cluster", None, (Cause::NotProgrammed, Outcome::TimedOut)),
        ("ext", "port", None, (Cause::PortNotProgrammed, Outcome::Refused)),
        ("ext", "balancer", Some(vip.clone()), (Cause::NotProgrammed, Outcome::TimedOut)),
        ("ext", "balancer", Some(proxy), (Cause::PortNotProgrammed, Outcome::Refused)),
        ("ext", "balancer", Some(json!({"hostname": "lb.example"})), (Cause::PortNotProgrammed, Outcome::Refused)),
        ("pod", "lb", Some(vip), (Cause::NotProgrammed, Outcome::TimedOut)),
    ] {
        let row = format!("{source} to {destination} {point:?}");
        let mut bed = bed(client(source, destination), "Cluster", "Cluster", "0");
        bed.edit(|service| {
            if let Some(point) = &point {
                service["spec"]["type"] = json!("LoadBalancer");
                service["status"] = json!({"loadBalancer": {"ingress": [point]}});
            }
        });
        bed.run(1);
        assert_eq!(bed.report("users").total.lost, 0, "{row}");
        (0..2).for_each(|node| bed.cut(node));
        bed.edit(|service| service["spec"]["ports"][0]["name"] = json!("new"));
        bed.run(2);
        let (report, (cause, outcome)) = (bed.report("users"), expected);
        assert!(report.cause(cause) > 90 && report.total.lost == report.cause(cause), "{row}: {:?}", report.total);
        assert_eq!(report.outcome(outcome), report.total.lost, "{row}");
    }
}

/// Rows of `TestExternalTrafficPolicyLocal` and `…Cluster` about external addresses: they are proxied on every node.
#[test]
fn external_addresses_lead_in_at_any_node() {
    for (policy, ready, expected) in [
        ("Cluster", "01", "v0 v1"),
        ("Cluster", "1", "v1"),
        ("Local", "01", "v0 v1"),
        ("Local", "1", "v1 dropped"),
        ("Local", "", "rejected"),
    ] {
        let mut bed = bed(client("ext", "ip"), "Cluster", policy, ready);
        bed.edit(|service| {
            service["spec"]["type"] = json!("ClusterIP");
            service["spec"]["externalIPs"] = json!(["198.51.100.9"]);
            service["spec"]["ports"][0]["nodePort"] = json!(0);
        });
        assert_eq!(told(&mut bed), expected, "{policy}, ready {ready:?}");
    }
}
