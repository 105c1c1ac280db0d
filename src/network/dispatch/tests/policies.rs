//! Network policies and traffic policies in the path of traffic; flows and connections that outlive an endpoint.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::policy::{Connection, Peer, Port, Protocol, verdict};
use super::super::super::proxy::{IpvsScheduler, NetworkConfig, ProxyMode};
use super::super::super::servers::ServeModel;
use super::super::policy::Attempt;
use super::bed::{Bed, constant, open, secs, to_host};
use crate::api::{ChangeType, View};
use crate::kernel::{Sampler, SimDuration, SimTime};
use crate::network::clients::{KeepAlive, Sender};
use crate::network::ids::NodeId;
use crate::network::outcome::Cause;
use crate::network::servers::ProcessChange;
use crate::network::testing;
use crate::network::{ClientSpec, HostName, Origin, Silence};
use crate::objects::{Key, Labels, Selector};

fn nothing_in() -> Option<Value> {
    Some(json!({"podSelector": {}, "policyTypes": ["Ingress"]}))
}

fn from_pods(name: &str, rate: &str) -> ClientSpec {
    ClientSpec {
        from: Origin::Pods("default".into(), Selector::from_labels(&Labels::new().with("pod", "0"))),
        ..open(name, constant(rate))
    }
}

fn with(clients: Vec<ClientSpec>, nodes: usize, pods: usize, config: NetworkConfig) -> Bed {
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    Bed::with(clients, nodes, pods, model, config, 7)
}

#[test]
fn what_a_policy_denies_is_dropped_and_counted_as_that() {
    let mut spec = open("users", constant("100/s"));
    spec.timeout = secs(2);
    let mut bed = Bed::new(vec![spec], 2, 2);
    bed.run(1);
    bed.policy("none", nothing_in());
    bed.run(11);
    let denied = bed.report("users").cause(Cause::PolicyDenied);
    // The client is a process on the first node: what runs there is its own, the other half is not.
    assert!((300..500).contains(&denied), "{denied} of 800");
    assert_eq!(bed.report("users").total.causes.iter().sum::<u64>() - denied, bed.report("users").total.succeeded);
    bed.policy("none", None);
    let answered = bed.report("users").total.succeeded;
    bed.run(13);
    let known = bed.report("users").total.succeeded - answered;
    assert_eq!(known, 200, "as soon as the policy is gone");
}

#[test]
fn policies_count_when_they_are_programmed_and_new_pods_are_isolated_from_the_start() {
    let config = NetworkConfig { policy_delay: secs(2), ..NetworkConfig::ideal() };
    let mut bed = with(vec![from_pods("users", "100/s")], 2, 2, config);
    bed.policy("none", nothing_in());
    bed.run(2);
    assert_eq!(bed.report("users").total.succeeded, 200, "not yet");
    bed.run(4);
    let succeeded = bed.report("users").total.succeeded;
    assert!((250..360).contains(&succeeded), "{succeeded}: only itself, the other pod lets nothing in");
    bed.policy(
        "own",
        Some(json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "0"}}}]}]})),
    );
    bed.run(7);
    let before = bed.report("users").total.succeeded;
    bed.run(8);
    assert_eq!(bed.report("users").total.succeeded - before, 100, "allowed by the second policy");
    bed.policy("own", None);
    bed.run(10);
    let of_the_other = |bed: &Bed| bed.report("users").versions.iter().find(|v| *v.name == *"v1").map(|v| v.answered);
    let before = of_the_other(&bed);
    bed.gone(1);
    bed.pod_up(1);
    bed.run(12);
    assert_eq!(of_the_other(&bed), before, "isolated from its first instant");
}

#[test]
fn a_new_pod_may_be_kept_out_until_others_know_it() {
    let config = NetworkConfig { policy_delay: secs(1), ..NetworkConfig::ideal() };
    let mut bed = with(vec![from_pods("users", "100/s")], 2, 2, config);
    let allowed = json!({"podSelector": {"matchLabels": {"pod": "1"}}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "0"}}}]}]});
    bed.policy("known", Some(allowed));
    bed.set_ready(0, false);
    bed.run(2);
    bed.gone(0);
    bed.run(3);
    let before = bed.report("users").total.succeeded;
    bed.pod_up(0);
    bed.run(4);
    assert_eq!(bed.report("users").total.succeeded, before, "the other node does not know its address");
    bed.run(5);
    assert_eq!(bed.report("users").total.succeeded, before + 100);
}

#[test]
fn egress_is_closed_where_the_connection_begins() {
    let mut bed = Bed::new(vec![from_pods("users", "100/s")], 1, 2);
    bed.policy("out", Some(json!({"podSelector": {"matchLabels": {"pod": "0"}}, "policyTypes": ["Egress"]})));
    bed.run(30);
    let report = bed.report("users");
    let denied = report.cause(Cause::PolicyDenied);
    assert!((800..1200).contains(&denied), "{denied}: the other pod; itself it reaches");
    assert_eq!(report.nowhere, denied, "nothing was reached");
}

/// Egress without DNS: the classic mistake.
#[test]
fn a_pod_that_may_not_ask_dns_finds_no_name() {
    let host = HostName::new("web");
    let mut bed = Bed::new(vec![to_host("users", host, constant("10/s"))], 1, 2).headless();
    let to_web = json!({"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]});
    let out = |rules: Value| json!({"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Egress"], "egress": rules});
    bed.run(1);
    bed.policy("out", Some(out(json!([to_web.clone()]))));
    bed.run(60);
    let report = bed.report("users");
    assert_eq!(report.total.succeeded, 10, "before the policy came");
    assert!(report.cause(Cause::DnsFailure) > 400, "{:?}", report.total);
    let names = json!({"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
        "ports": [{"port": 53, "protocol": "UDP"}]});
    bed.policy("names", Some(out(json!([names]))));
    bed.run(61);
    let before = bed.report("users").total.succeeded;
    bed.run(71);
    assert_eq!(bed.report("users").total.succeeded - before, 100, "policies add up");
}

#[test]
fn open_connections_stay_when_a_policy_comes() {
    let mut spec = open("users", constant("100/s"));
    spec.keep_alive = Some(KeepAlive { connections: 1, requests: 0, lasts: secs(0) });
    let mut bed = Bed::new(vec![spec], 2, 1);
    bed.set_node(0, 1);
    bed.run(1);
    bed.policy("none", nothing_in());
    bed.run(5);
    assert_eq!(bed.report("users").cause(Cause::PolicyDenied), 0);
    bed.kill(0);
    bed.process(0, ProcessChange::Started);
    bed.process(0, ProcessChange::Listening);
    bed.run(30);
    assert!(bed.report("users").cause(Cause::PolicyDenied) > 1000, "the next connection is a new one");
}

#[test]
fn a_node_that_is_cut_off_keeps_its_rules_and_its_policies() {
    let mut spec = open("users", constant("100/s"));
    spec.timeout = secs(1);
    let mut bed = Bed::new(vec![spec], 2, 2);
    bed.run(1);
    bed.cut(0);
    // The pod goes, and its endpoint with it; the node of the client does not hear of that.
    bed.gone(1);
    bed.set_ready(1, false);
    bed.policy("none", nothing_in());
    bed.run(11);
    let gone = bed.report("users").cause(Cause::AddressGone);
    assert!((400..600).contains(&gone), "{gone} of 1000");
    bed.mend(0, secs(3));
    bed.run(14);
    let gone = bed.report("users").cause(Cause::AddressGone);
    bed.run(20);
    let after = bed.report("users").cause(Cause::AddressGone) - gone;
    assert!(after <= 60, "{after}: those that were still waiting");
    assert_eq!(bed.report("users").cause(Cause::PolicyDenied), 0, "what is left runs on the client's own node");
}

#[test]
fn during_an_outage_of_the_api_server_all_keep_their_rules() {
    let mut bed = Bed::new(vec![open("users", constant("100/s"))], 2, 2);
    bed.network.fall_silent(None, crate::network::Silence::Outage, bed.now);
    bed.kill(1);
    bed.set_ready(1, false);
    bed.run(10);
    let refused = bed.report("users").cause(Cause::NoProcess);
    assert!((400..600).contains(&refused), "{refused} of 1000");
    bed.network.hear_again(None, crate::network::Silence::Outage, bed.now, secs(0));
    bed.run(20);
    assert_eq!(bed.report("users").cause(Cause::NoProcess), refused);
}

#[test]
fn a_slow_watch_of_one_proxy_delays_its_rules_alone() {
    let near = open("near", constant("100/s"));
    let far = ClientSpec { from: Origin::Node("node-1".into()), ..open("far", constant("100/s")) };
    let mut bed = Bed::new(vec![near, far], 2, 2);
    bed.network.delay_proxies(Some(&"node-0".into()), Some(secs(5)), bed.now);
    bed.kill(1);
    bed.set_ready(1, false);
    bed.run(10);
    let refused = |name| bed.report(name).cause(Cause::NoProcess);
    assert_eq!(refused("far"), 0);
    assert!((200..300).contains(&refused("near")), "{} of 500", refused("near"));
}

/// The first list of a proxy has everything, if there is a server to list from; what comes later comes as slowly as to all others.
#[test]
fn a_node_that_comes_up_while_all_watches_are_slow_is_up_to_date_and_then_as_late_as_all() {
    type Begin = fn(&mut Bed);
    let slow: Begin = |bed| bed.network.delay_proxies(None, Some(secs(5)), bed.now);
    let hangs: Begin = |bed| bed.network.fall_silent(None, Silence::StallOfAll, bed.now);
    let outage: Begin = |bed| bed.network.fall_silent(None, Silence::Outage, bed.now);
    // Ten requests a second from the second second on. From the third one on the only pod is another one, until the eighth nobody is
    // told; the watch that hangs is mended after ten.
    for (begins, served, refused, without_rules) in
        [(slow, 10 + 70, 50, 0), (hangs, 10 + 50, 70, 0), (outage, 50, 0, 80)]
    {
        let mut spec = ClientSpec { from: Origin::Node("late".into()), ..open("users", constant("10/s")) };
        (spec.start, spec.timeout, spec.stop) = (secs(2), SimDuration::from_millis(50), Some(secs(15)));
        let mut bed = with(vec![spec], 2, 2, NetworkConfig::ideal());
        bed.set_ready(1, false);
        bed.run(1);
        begins(&mut bed);
        bed.run(2);
        bed.network.set_node_up(&"late".into(), true, bed.now);
        bed.run(3);
        bed.kill(0);
        bed.set_ready(0, false);
        bed.set_ready(1, true);
        bed.run(10);
        bed.network.hear_again(None, Silence::StallOfAll, bed.now, secs(0));
        bed.network.hear_again(None, Silence::Outage, bed.now, secs(0));
        bed.run(16);
        let report = bed.report("users");
        let counts = [Cause::Served, Cause::NoProcess, Cause::NotProgrammed].map(|cause| report.cause(cause));
        assert_eq!(counts, [served, refused, without_rules]);
    }
}

/// `internalTrafficPolicy: Local` without an endpoint on the node: dropped; by ipvs, sent to another node all the same. Without any
/// endpoint: refused.
#[test]
fn local_policies_drop_or_fall_back_and_only_no_endpoint_at_all_refuses() {
    let ipvs = NetworkConfig {
        proxy_mode: ProxyMode::Ipvs,
        ipvs_scheduler: IpvsScheduler::RoundRobin,
        ..NetworkConfig::ideal()
    };
    for (config, cause) in [(NetworkConfig::ideal(), Cause::NoLocalEndpoints), (ipvs, Cause::Served)] {
        let mut spec = open("users", constant("100/s"));
        spec.timeout = secs(1);
        let mut bed = with(vec![spec], 2, 2, config);
        bed.edit(|service| service["spec"]["internalTrafficPolicy"] = json!("Local"));
        bed.run(2);
        assert_eq!(bed.report("users").cause(Cause::Served), 200, "its own");
        bed.set_ready(0, false);
        bed.run(4);
        let found = bed.report("users").cause(cause);
        assert!(found == if cause == Cause::Served { 400 } else { 100 }, "{found} {cause}");
        bed.set_ready(1, false);
        bed.run(5);
        assert_eq!(bed.report("users").cause(Cause::NoEndpoints), 100);
    }
}

/// `externalTrafficPolicy: Local`: nodes without an endpoint drop, also by ipvs, whose answers from elsewhere are discarded.
#[test]
fn traffic_from_outside_to_a_node_without_local_endpoints_is_lost() {
    for proxy_mode in [ProxyMode::Iptables, ProxyMode::Nftables, ProxyMode::Ipvs] {
        let mut spec = ClientSpec { from: Origin::External, ..open("users", constant("100/s")) };
        spec.timeout = secs(1);
        let mut bed = with(vec![spec], 2, 1, NetworkConfig { proxy_mode, ..NetworkConfig::ideal() });
        bed.edit(|service| service["spec"]["externalTrafficPolicy"] = json!("Local"));
        bed.run(11);
        let report = bed.report("users");
        let dropped = report.cause(Cause::NoLocalEndpoints);
        assert!((400..600).contains(&dropped), "{dropped} of 1000 by {proxy_mode:?}");
        bed.set_ready(0, false);
        bed.run(12);
        assert_eq!(bed.report("users").cause(Cause::NoEndpoints), 100, "nothing anywhere: refused");
    }
}

/// Its health checks ask for ready endpoints on the node; without the policy a node that is up will do.
#[test]
fn a_load_balancer_sends_to_nodes_with_ready_endpoints_under_a_local_policy() {
    let balanced = |policy: &str| {
        let spec = ClientSpec { from: Origin::External, timeout: secs(1), ..open("users", constant("100/s")) };
        let mut bed = Bed::new(vec![spec], 3, 2);
        bed.edit(|service| {
            let spec = &mut service["spec"];
            (spec["type"], spec["externalTrafficPolicy"]) = (json!("LoadBalancer"), json!(policy));
            spec["healthCheckNodePort"] = json!(32000);
            service["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.200"}]}});
        });
        bed.run(10);
        bed
    };
    let mut bed = balanced("Local");
    let total = bed.report("users").total;
    assert_eq!((total.succeeded, total.extra_hops), (1000, 0), "the third node says that it has none");
    // A terminating endpoint does not count, although the node's proxy would still use it.
    bed.set_terminating(0);
    bed.run(20);
    let report = bed.report("users");
    assert_eq!((report.total.succeeded, report.total.by_terminating), (2000, 0));
    let mut bed = balanced("Cluster");
    let total = bed.report("users").total;
    assert!(total.succeeded == 1000 && total.extra_hops > 500, "by any node: {}", total.extra_hops);
    bed.node_down(2);
    bed.run(20);
    assert_eq!(bed.report("users").total.succeeded, 2000, "a node that says nothing gets nothing");
}

#[test]
fn endpoints_that_are_removed_serve_where_nothing_else_does() {
    let mut bed = Bed::new(vec![open("users", constant("100/s"))], 1, 2);
    bed.set_terminating(0);
    bed.run(1);
    assert_eq!(bed.report("users").versions.len(), 1, "only the ready one");
    bed.set_terminating(1);
    bed.run(2);
    let report = bed.report("users");
    assert_eq!((report.versions.len(), report.total.succeeded), (2, 200), "both, as none is ready");
}

fn udp(connections: u32, rate: &str) -> ClientSpec {
    let mut spec = open("users", constant(rate));
    spec.keep_alive = Some(KeepAlive { connections, requests: 0, lasts: secs(0) });
    spec.timeout = secs(1);
    spec
}

/// Rows of `TestCleanStaleEntries`: flows to endpoints that do not serve any more are forgotten, unless none serves.
#[test]
fn flows_of_udp_stay_with_an_endpoint_until_the_proxy_cleans_up() {
    let min_sync_period = Some(secs(1));
    let mut bed = with(vec![udp(1, "10/s")], 1, 2, NetworkConfig { min_sync_period, ..NetworkConfig::ideal() });
    bed.edit(|service| service["spec"]["ports"][0]["protocol"] = json!("UDP"));
    bed.publish_as("UDP");
    bed.run(10);
    let answered = bed.report("users").versions.clone();
    assert_eq!((answered.len(), bed.report("users").total.connections), (1, 1), "one flow");
    let pod = usize::from(*answered[0].name != *"v0");
    // The process is replaced: nothing tells the client, packets go on to the same address.
    bed.kill(pod);
    bed.process(pod, ProcessChange::Started);
    bed.process(pod, ProcessChange::Listening);
    bed.run(12);
    assert_eq!((bed.report("users").versions.len(), bed.report("users").total.connections), (1, 1));
    // It ends being removed and serving: kept. It does not serve any more: forgotten, once that is programmed.
    bed.set_terminating(pod);
    bed.run(20);
    assert_eq!(bed.report("users").total.connections, 1, "terminating and serving counts as serving");
    bed.gone(pod);
    bed.set_ready(pod, false);
    bed.run(40);
    let report = bed.report("users");
    assert_eq!(report.total.connections, 2, "a new flow after the cleanup");
    assert!(report.cause(Cause::AddressGone) <= 10, "until the next sync: {}", report.cause(Cause::AddressGone));
    // The last one goes: nothing is cleaned, the flow leads nowhere until the kernel forgets it.
    let last = 1 - pod;
    bed.gone(last);
    bed.set_ready(last, false);
    let lost = bed.report("users").cause(Cause::AddressGone);
    bed.run(60);
    let report = bed.report("users");
    assert_eq!(report.total.connections, 2, "still the old flow");
    assert!(report.cause(Cause::AddressGone) - lost >= 180, "into nothing");
}

#[test]
fn the_kernel_forgets_flows_of_udp_that_are_not_used() {
    let mut bed = Bed::new(vec![udp(1, "1/200s")], 1, 1);
    bed.edit(|service| service["spec"]["ports"][0]["protocol"] = json!("UDP"));
    bed.publish_as("UDP");
    bed.run(1500);
    let report = bed.report("users").total;
    assert_eq!((report.connections, report.requests), (7, 7), "after two minutes without a packet");
}

#[test]
fn kept_connections_of_tcp_stay_with_a_pod_that_is_not_an_endpoint_any_more() {
    let mut spec = udp(1, "10/s");
    spec.timeout = secs(5);
    let mut bed = Bed::new(vec![spec], 1, 2);
    bed.run(10);
    let pod = usize::from(*bed.report("users").versions[0].name != *"v0");
    bed.set_ready(pod, false);
    bed.run(30);
    let report = bed.report("users");
    assert_eq!((report.versions.len(), report.total.connections, report.total.succeeded), (1, 1, 300));
    bed.kill(pod);
    bed.run(40);
    let report = bed.report("users");
    assert_eq!((report.versions.len(), report.total.connections), (2, 2), "its end is noticed");
}

fn script() -> impl Strategy<Value = (Vec<usize>, Vec<(usize, usize)>)> {
    (prop::collection::vec(0usize..6, 0..5), prop::collection::vec((0usize..5, 0usize..4), 1..30))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Traffic meets what the explanation of a way says.
    #[test]
    fn traffic_and_explanations_agree_on_policies((policies, ways) in script(), number in 1u16..9000, is_udp: bool) {
        let specs = [
            r#"{"podSelector": {}, "policyTypes": ["Ingress"]}"#,
            r#"{"podSelector": {"matchLabels": {"pod": "1"}}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.1.0.0/31", "except": ["10.1.0.1/32"]}}]}]}"#,
            r#"{"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": 80, "endPort": 8080}]}]}"#,
            r#"{"podSelector": {"matchLabels": {"pod": "0"}}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"pod": "2"}}}]}]}"#,
            r#"{"podSelector": {"matchLabels": {"pod": "2"}}, "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP"}]}]}"#,
            r#"{"podSelector": {"matchLabels": {"pod": "3"}}, "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/32"}}]}]}"#,
        ];
        let mut bed = Bed::new(Vec::new(), 2, 4);
        bed.tell(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}), ChangeType::Added);
        let mut text = "{apiVersion: v1, kind: Namespace, metadata: {name: default}}".to_owned();
        for policy in &policies {
            bed.policy(&format!("p{policy}"), serde_json::from_str(specs[*policy]).ok());
            let (version, kind) = ("networking.k8s.io/v1", "NetworkPolicy");
            text += &format!("\n---\n{{apiVersion: {version}, kind: {kind}, metadata: {{name: p{policy}}}, spec: {}}}", specs[*policy]);
        }
        for pod in 0..4 {
            text += &format!("\n---\n{}", super::bed::pod_object(pod, 2));
        }
        let view: View = testing::view(&text);
        let pod = |pod: usize| view.pods.get(&Key::new("default", format!("web-{pod}"))).expect("a pod");
        for (from, to) in ways {
            let protocol = if is_udp { "UDP" } else { "TCP" };
            let (peer, sender) = if from == 4 {
                let address = super::super::control::NODE_ADDRESSES;
                (Peer::Node("node-0", Some([192, 0, 2, 0].into())), Sender { node: NodeId(0), address })
            } else {
                let number = bed.network.fleet.number_of(&super::bed::uid(from)).expect("up");
                (Peer::Pod(pod(from)), Sender { node: NodeId(from as u32 % 2), address: number })
            };
            let expected = verdict(&view, &Connection { from: peer, to: Peer::Pod(pod(to)), port: number, protocol });
            let server = bed.network.fleet.servers_of(&super::bed::uid(to))[0];
            let port = Port { number, protocol: Protocol::parse(protocol) };
            let found = bed.network.passes(Attempt { client: 0, from: sender, masquerade: None, server, port }, SimTime::from_secs(1).as_nanos());
            prop_assert_eq!(found.is_ok(), expected.is_allowed(), "{} to {} under {:?}", from, to, &policies);
        }
    }
}
