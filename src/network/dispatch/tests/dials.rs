//! Between the beginning of an attempt and its connection: lookups take their time, and one address comes after the other.

use serde_json::json;

use super::super::super::outcome::{Cause, Outcome};
use super::bed::{Bed, address, constant, secs, to_host};
use crate::api::ChangeType;
use crate::kernel::{Sampler, SimDuration, SimTime};
use crate::network::dns::{ClientCaching, DnsConfig};
use crate::network::servers::ProcessChange;
use crate::network::{
    AddressPick, ClientReport, ClientSpec, HostName, NetworkConfig, PortRef, RequestTarget, ServeModel,
};

fn bed(host: HostName, pods: usize, dns: DnsConfig, timeout: SimDuration) -> Bed {
    bed_of(ClientSpec { timeout, ..to_host("users", host, constant("10/s")) }, pods, dns)
}

fn bed_of(spec: ClientSpec, pods: usize, dns: DnsConfig) -> Bed {
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    Bed::with(vec![spec], 3, pods, model, NetworkConfig { dns, ..NetworkConfig::ideal() }, 7).headless()
}

fn users(bed: &Bed) -> ClientReport {
    bed.report("users")
}

fn slow_dns() -> DnsConfig {
    DnsConfig { query: SimDuration::from_millis(400), ..DnsConfig::ideal() }
}

/// Requests begin at 50 ms and every 100 ms after that.
#[test]
fn what_happens_during_a_lookup_counts_when_the_connection_is_made() {
    let ends_at = |millis: u64, act: &dyn Fn(&mut Bed)| {
        let mut bed = bed(HostName::new("web"), 1, slow_dns(), secs(10));
        bed.run_until(SimTime::from_millis(millis));
        act(&mut bed);
        bed.run(2);
        users(&bed)
    };
    // Of 20 requests those have been answered by the end that began 400 ms before; the first to connect after 600 ms is the third.
    let ends = ends_at(600, &|bed| bed.kill(0));
    assert_eq!((ends.total.succeeded, ends.cause(Cause::NoProcess), ends.cause(Cause::Killed)), (2, 14, 0));
    assert_eq!(ends.latency.quantile(500), SimDuration::from_millis(400));
    let begins = ends_at(0, &|bed| {
        bed.kill(0);
        bed.process(0, ProcessChange::Started);
        bed.run_until(SimTime::from_millis(440));
        bed.process(0, ProcessChange::Listening);
    });
    assert_eq!((begins.total.succeeded, begins.total.lost), (16, 0), "it listens when the first connection comes");
    // An address that was true when it was asked for may be nobody's when it is used.
    let mut bed = bed(HostName { falls_back: false, ..HostName::new("pods") }, 1, slow_dns(), secs(1));
    bed.run_until(SimTime::from_millis(600));
    bed.pod_gone(0);
    bed.run(5);
    assert_eq!(users(&bed).cause(Cause::AddressGone), 4, "those of 250 to 550 ms");
}

#[test]
fn whoever_waited_for_a_dead_name_server_is_told_what_is_true_then() {
    let mut bed = bed(HostName::new("pods"), 1, DnsConfig::ideal(), secs(20));
    bed.pod_up(1);
    bed.pod_up(2);
    bed.dns_pods(&[1, 2]);
    bed.node_down(2);
    bed.run(4);
    bed.pod_gone(0);
    bed.run(100);
    let report = users(&bed);
    assert_eq!(report.cause(Cause::AddressGone), 0);
    // Half of the first questions waits for five seconds, half of those for five more.
    assert!(report.cause(Cause::NoSuchName) > 200, "{:?}", report.total);
}

#[test]
fn the_next_address_is_tried_where_one_refuses() {
    let refused = |caching, pick, falls_back| {
        let host = HostName { caching, pick, falls_back, ..HostName::new("pods") };
        let mut bed = bed(host, 3, DnsConfig::ideal(), secs(1));
        bed.kill(0);
        bed.run(30);
        users(&bed)
    };
    for (caching, pick) in [
        (ClientCaching::None, AddressPick::First),
        (ClientCaching::Ttl, AddressPick::First),
        (ClientCaching::Forever, AddressPick::Random),
        (ClientCaching::Forever, AddressPick::RoundRobin),
    ] {
        let [with, without] = [true, false].map(|falls_back| refused(caching, pick, falls_back));
        assert_eq!(with.total.lost, 0, "{caching:?} {pick:?}");
        assert_eq!(with.total.connections, with.total.requests + with.total.fallbacks);
        assert_eq!((without.total.fallbacks, without.total.lost), (0, without.outcome(Outcome::Refused)));
        if pick != AddressPick::First || caching == ClientCaching::None {
            assert!((60..140).contains(&with.total.fallbacks), "a third of 300: {}", with.total.fallbacks);
            assert!((60..140).contains(&without.total.lost), "a third of 300: {}", without.total.lost);
        }
    }
    // Where all refuse, each was asked once.
    let mut none = bed(HostName::new("pods"), 3, DnsConfig::ideal(), secs(1));
    (0..3).for_each(|pod| none.kill(pod));
    none.run(10);
    assert_eq!((users(&none).cause(Cause::NoProcess), users(&none).total.fallbacks), (100, 200));
}

#[test]
fn an_address_that_keeps_silent_has_its_part_of_the_time() {
    let answered = |timeout, kept: bool| {
        let caching = if kept { ClientCaching::Forever } else { ClientCaching::None };
        let host = HostName { caching, pick: AddressPick::RoundRobin, ..HostName::new("pods") };
        let spec = ClientSpec { timeout, stop: Some(secs(10)), ..to_host("users", host, constant("10/s")) };
        let mut bed = bed_of(spec, 3, DnsConfig::ideal());
        bed.node_down(1);
        bed.run(60);
        users(&bed)
    };
    for kept in [true, false] {
        // A third of ten requests a second asks the dead machine first, and gets on after a third of its nine seconds.
        let long = answered(secs(9), kept);
        assert_eq!(long.total.lost, 0);
        assert_eq!(long.latency.max().as_nanos() / 100_000_000, 30);
        // Two seconds are the least that an address has, if there are as many.
        let short = answered(secs(3), kept);
        assert_eq!((short.total.lost, short.latency.max().as_nanos() / 100_000_000), (0, 20));
        let shortest = answered(secs(2), kept);
        assert_eq!((shortest.total.fallbacks, shortest.total.lost), (0, shortest.cause(Cause::NodeDown)));
        assert!(shortest.total.lost > 20, "{}", shortest.total.lost);
    }
}

/// Rows worked out by Go's `partialDeadline`.
#[test]
fn addresses_share_what_remains_of_the_time() {
    for (remaining, addresses, share) in
        [(10_000, 1, 10_000), (10_000, 2, 5_000), (9_000, 3, 3_000), (9_000, 9, 2_000), (1_500, 3, 1_500), (0, 2, 0)]
    {
        let millis = SimDuration::from_millis;
        assert_eq!(HostName::shares(millis(remaining), addresses), millis(share), "{remaining} ms of {addresses}");
    }
}

#[test]
fn the_name_of_a_port_leads_to_its_number() {
    let tell = |bed: &mut Bed, name: &str, ip: &str, ports: serde_json::Value| {
        let metadata = json!({"name": name, "namespace": "default"});
        let spec = json!({"clusterIP": ip, "ports": [
            {"name": "http", "port": 80, "protocol": "TCP"}, {"name": "admin", "port": 81, "protocol": "TCP"}]});
        bed.tell(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}), ChangeType::Added);
        let labels = json!({"kubernetes.io/service-name": name});
        let metadata = json!({"name": format!("{name}-1"), "namespace": "default", "labels": labels});
        let endpoints = [0, 1].map(|pod| json!({"addresses": [address(pod)], "conditions": {"ready": true}}));
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": metadata, "ports": ports, "endpoints": endpoints});
        bed.tell(slice, ChangeType::Added);
    };
    let http = json!([{"name": "http", "protocol": "TCP", "port": 8080}]);
    for (name, caching, outcome) in [
        ("_http._tcp.api", ClientCaching::None, Cause::Served),
        ("_http._tcp.api.default.svc.cluster.local.", ClientCaching::Ttl, Cause::Served),
        ("_http._tcp.all", ClientCaching::None, Cause::Served),
        ("_http._tcp.all", ClientCaching::Ttl, Cause::Served),
        // The Service has the port, and no endpoint has; the headless one is nothing but its endpoints.
        ("_admin._tcp.api", ClientCaching::None, Cause::NoEndpoints),
        ("_admin._tcp.all", ClientCaching::None, Cause::NoSuchName),
        ("_http._udp.api", ClientCaching::None, Cause::NoSuchName),
    ] {
        let host = HostName { name: name.into(), caching, ..HostName::new(name) };
        let spec = ClientSpec {
            to: RequestTarget::Host(host.clone(), PortRef::Only),
            start: SimDuration::from_millis(1),
            ..to_host("users", host, constant("10/s"))
        };
        let mut bed = Bed::with(vec![spec], 3, 2, ServeModel::default(), NetworkConfig::ideal(), 7).headless();
        tell(&mut bed, "api", "10.96.0.7", http.clone());
        tell(&mut bed, "all", "None", http.clone());
        bed.run(10);
        let report = users(&bed);
        assert!(report.cause(outcome) >= 99, "{name}: {:?}", report.total);
        if outcome == Cause::Served && caching == ClientCaching::None {
            assert!(["v0", "v1"].iter().all(|version| report.answered_by(version) > 25), "{name}");
        }
    }
}
