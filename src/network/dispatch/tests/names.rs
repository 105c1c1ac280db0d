//! Clients that ask for a host.

use proptest::prelude::*;

use super::super::super::outcome::Cause;
use super::bed::{Bed, constant, secs, to_host};
use crate::kernel::{Sampler, SimDuration, SimTime};
use crate::network::dns::{Answer, ClientCaching, DnsConfig, NameCache, Record, RecordData, RecordType};
use crate::network::{
    AddressPick, ClientReport, ClientSpec, HostName, NetworkConfig, PortRef, RequestTarget, ServeModel,
};

fn host(name: &str, caching: ClientCaching, pick: AddressPick) -> HostName {
    HostName { name: name.into(), caching, pick, falls_back: true }
}

fn bed(host: HostName, pods: usize, dns: DnsConfig) -> Bed {
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    let mut spec = to_host("users", host, constant("10/s"));
    spec.timeout = secs(1);
    // Not before CoreDNS knows of anything.
    spec.start = dns.lag.unwrap_or_default();
    let config = NetworkConfig { dns, ..NetworkConfig::ideal() };
    Bed::with(vec![spec], 3, pods, model, config, 7).headless()
}

fn users(bed: &Bed) -> ClientReport {
    bed.report("users")
}

#[test]
fn a_name_is_looked_up_before_every_connection_unless_its_addresses_are_kept() {
    let millisecond = DnsConfig { query: SimDuration::from_millis(1), ..DnsConfig::ideal() };
    for (name, caching, queries, latency) in [
        // Below the first search domain; below the third, after two that do not exist; absolute.
        ("web", ClientCaching::None, 100, 1),
        ("web.default.svc", ClientCaching::None, 300, 3),
        ("web.default.svc.cluster.local.", ClientCaching::None, 100, 1),
        ("web", ClientCaching::For(secs(5)), 2, 0),
        ("web", ClientCaching::Ttl, 1, 0),
    ] {
        let mut spec = host(name, caching, AddressPick::First);
        spec.name = name.into();
        let mut bed = bed_to_web(spec, millisecond.clone());
        bed.run(10);
        let report = users(&bed);
        assert_eq!((report.total.dns_queries, report.total.lost), (queries, 0), "{name} {caching:?}");
        assert_eq!(report.latency.quantile(500), SimDuration::from_millis(latency), "{name} {caching:?}");
    }
}

/// Port 80 of the Service, whatever the name.
fn bed_to_web(host: HostName, dns: DnsConfig) -> Bed {
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    let spec = ClientSpec {
        to: RequestTarget::Host(host.clone(), PortRef::Number(80)),
        ..to_host("users", host, constant("10/s"))
    };
    Bed::with(vec![spec], 1, 1, model, NetworkConfig { dns, ..NetworkConfig::ideal() }, 7).headless()
}

#[test]
fn the_first_address_pins_a_client_and_turns_spread_it() {
    let answered = |caching, pick| {
        let mut bed = bed(host("pods", caching, pick), 4, DnsConfig::ideal());
        bed.run(20);
        let mut counts: Vec<u64> = users(&bed).versions.iter().map(|version| version.answered).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(answered(ClientCaching::Forever, AddressPick::First), [200]);
    assert_eq!(answered(ClientCaching::Forever, AddressPick::RoundRobin), [50; 4]);
    for (caching, pick) in [(ClientCaching::None, AddressPick::First), (ClientCaching::Forever, AddressPick::Random)] {
        let counts = answered(caching, pick);
        assert!(counts.len() == 4 && counts[0] > 25, "{caching:?} {pick:?}: {counts:?}");
    }
}

#[test]
fn who_keeps_an_address_asks_a_pod_that_is_gone_until_it_asks_again() {
    for (caching, lost) in [
        (ClientCaching::None, 0),
        // Thirty seconds of records that were asked for at the first request.
        (ClientCaching::Ttl, 200),
        (ClientCaching::For(secs(15)), 50),
        (ClientCaching::Forever, 500),
    ] {
        let mut bed = bed(host("pods", caching, AddressPick::First), 2, DnsConfig::ideal());
        bed.run(10);
        let first = usize::from(users(&bed).versions[0].name.as_ref() != "v0");
        bed.pod_gone(first);
        bed.run(60);
        // What waits at the end is not counted yet.
        let gone = users(&bed).cause(Cause::AddressGone);
        assert!((lost - lost.min(10)..=lost).contains(&gone), "{caching:?}: {gone} for {lost}");
    }
}

#[test]
fn the_name_of_a_pod_is_there_while_the_pod_is_ready() {
    let mut bed = bed(host("web-1.pods", ClientCaching::None, AddressPick::First), 3, DnsConfig::ideal());
    bed.run(5);
    bed.set_ready(1, false);
    bed.run(8);
    bed.set_ready(1, true);
    bed.run(10);
    let report = users(&bed);
    assert_eq!((report.cause(Cause::NoSuchName), report.total.succeeded), (30, 70));
    assert_eq!(report.answered_by("v1"), 70);
    // A miss asks the whole search list.
    assert_eq!(report.total.dns_queries, 70 + 30 * 4);
}

#[test]
fn a_denial_is_kept_too() {
    let lost = |caching| {
        let dns = DnsConfig { ttl: secs(5), ..DnsConfig::ideal() };
        let mut bed = bed(host("web-1.pods", caching, AddressPick::First), 3, dns);
        bed.set_ready(1, false);
        bed.run(1);
        bed.set_ready(1, true);
        bed.run(20);
        users(&bed).cause(Cause::NoSuchName)
    };
    assert_eq!(lost(ClientCaching::None), 10);
    assert_eq!(lost(ClientCaching::Ttl), 50);
    assert_eq!(lost(ClientCaching::For(secs(60))), 100, "ten seconds at most");
}

#[test]
fn core_dns_is_behind_the_api_server_and_may_keep_answers_itself() {
    let lost = |dns: DnsConfig| {
        let mut bed = bed(host("pods", ClientCaching::None, AddressPick::First), 1, dns);
        bed.run(10);
        bed.pod_gone(0);
        bed.run(60);
        users(&bed).cause(Cause::AddressGone)
    };
    assert_eq!(lost(DnsConfig::ideal()), 0);
    assert_eq!(lost(DnsConfig { lag: Some(secs(2)), ..DnsConfig::ideal() }), 20);
    // It was asked last at the ninth second: five seconds of life, of which four are left when the pod goes.
    let cached = lost(DnsConfig { ttl: secs(8), cache: secs(30), ..DnsConfig::ideal() });
    assert!((50..70).contains(&cached), "eight seconds, one asked for every eight: {cached}");
}

#[test]
fn without_pods_of_dns_nothing_resolves_and_with_a_dead_one_lookups_take_seconds() {
    let pods = |ready: &[usize]| {
        let mut bed = bed(host("web", ClientCaching::None, AddressPick::First), 3, DnsConfig::ideal());
        bed.dns_pods(ready);
        bed
    };
    let mut none = pods(&[]);
    none.run(10);
    assert_eq!(users(&none).cause(Cause::DnsFailure), 100);
    let mut both = pods(&[0, 1]);
    both.run(10);
    assert_eq!(users(&both).total.lost, 0);
    // One of two is on a machine that went down: a quarter of the lookups asks it twice, a quarter once.
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    let mut spec = to_host("users", host("web", ClientCaching::None, AddressPick::First), constant("10/s"));
    spec.timeout = secs(20);
    let mut bed = Bed::with(vec![spec], 3, 1, model, NetworkConfig::ideal(), 7).headless();
    bed.pod_up(1);
    bed.pod_up(2);
    bed.dns_pods(&[1, 2]);
    bed.node_down(2);
    bed.run(100);
    bed.silence_clients();
    bed.run(200);
    let report = users(&bed);
    let failed = report.cause(Cause::DnsFailure);
    assert!((200..300).contains(&failed), "{failed}");
    let (p50, p90) = (report.latency.quantile(500), report.latency.quantile(900));
    assert!(p50 < SimDuration::from_millis(1) && p90 > SimDuration::from_millis(4900), "{p50} {p90}");
}

#[test]
fn nobody_listens_to_the_port_of_a_headless_service() {
    let host = HostName::new("pods");
    let spec = ClientSpec {
        to: RequestTarget::Host(host.clone(), PortRef::Number(80)),
        ..to_host("users", host, constant("10/s"))
    };
    let mut bed = Bed::with(vec![spec], 1, 1, ServeModel::default(), NetworkConfig::ideal(), 7).headless();
    bed.run(1);
    assert_eq!(users(&bed).cause(Cause::PortClosed), 10);
}

#[test]
fn names_outside_are_not_simulated_and_nodes_do_not_know_those_inside() {
    let dns = DnsConfig {
        outside: [("x.org".into(), vec!["203.0.113.7".parse().expect("an address")])].into(),
        ..DnsConfig::ideal()
    };
    for (name, cause) in [("x.org", Cause::OutsideCluster), ("y.org", Cause::NoSuchName)] {
        let mut bed = bed(host(name, ClientCaching::None, AddressPick::First), 1, dns.clone());
        bed.run(3);
        assert!(users(&bed).cause(cause) >= 20, "{name}: {:?}", users(&bed).total);
    }
    let mut spec = to_host("users", HostName::new("web"), constant("10/s"));
    spec.from = crate::network::Origin::Node("node-0".into());
    let mut bed = Bed::with(vec![spec], 1, 1, ServeModel::default(), NetworkConfig::ideal(), 7).headless();
    bed.run(1);
    assert_eq!(users(&bed).cause(Cause::NoSuchName), 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whom a client reaches is whom the plain functions of DNS and of its cache name at the instant of each request.
    #[test]
    fn requests_go_where_a_cache_of_answers_says(
        switches in prop::collection::vec((0u64..30_000, 0usize..3), 0..12),
        caching in prop::sample::select(vec![
            ClientCaching::None, ClientCaching::Ttl, ClientCaching::For(SimDuration::from_millis(2_500)), ClientCaching::Forever,
        ]),
        lag in 0u64..3_000,
    ) {
        let mut switches = switches;
        switches.sort_by_key(|(at, _)| *at);
        let dns = DnsConfig {
            ttl: SimDuration::from_millis(4_321),
            lag: Some(SimDuration::from_millis(lag)),
            ..DnsConfig::ideal()
        };
        let mut bed = bed(host("pods", caching, AddressPick::First), 3, dns);
        // One pod at a time is ready; all go on serving.
        let only = |bed: &mut Bed, one: usize| (0..3).for_each(|pod| bed.set_ready(pod, pod == one));
        only(&mut bed, 0);
        let mut told = vec![(0, 0)];
        told.extend(switches.iter().copied());
        let mut cache = NameCache::default();
        let (mut at, mut next) = (lag + 50, 1);
        while at < 30_000 {
            while told.get(next).is_some_and(|(when, _)| *when <= at) {
                bed.run_until(SimTime::from_millis(told[next].0));
                only(&mut bed, told[next].1);
                next += 1;
            }
            let before = users(&bed);
            bed.run_until(SimTime::from_millis(at + 1));
            let known = told.iter().rfind(|(when, _)| *when == 0 || when + lag <= at).map_or(0, |(_, pod)| *pod);
            let answer = || Answer {
                records: vec![Record {
                    name: "pods".into(),
                    ttl: SimDuration::from_millis(4_321),
                    data: RecordData::A([10, 1, 0, known as u8].into()),
                }],
                ..Answer::nothing()
            };
            let keep = |answer: &Answer| caching.keeps(answer.ttl(), None);
            let expected = cache.get(SimTime::from_millis(at), "pods", RecordType::A, keep, answer);
            let ip = expected.answer.ips().next().expect("an address");
            let pod = ip.to_string().rsplit_once('.').map_or(9, |(_, last)| last.parse().unwrap_or(9));
            let version = format!("v{pod}");
            let (before, after) = (before.answered_by(&version), users(&bed).answered_by(&version));
            prop_assert_eq!(after, before + 1, "at {} ms not {}", at, version);
            at += 100;
        }
    }
}
