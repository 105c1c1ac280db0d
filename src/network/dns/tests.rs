use std::net::IpAddr;

use crate::api::View;
use crate::kernel::{Purpose, SimDuration, SimTime, Streams};
use crate::network::testing::view;
use crate::objects::{Key, Pod};

use super::*;

/// The cluster of the acceptance rows: namespaces a and b, a service, a headless one of a StatefulSet with one ready pod, an
/// external one.
const CLUSTER: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: example}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: a},
 spec: {type: ClusterIP, clusterIP: 10.0.0.5, clusterIPs: [10.0.0.5, "fd00::5"], ports: [{name: http, port: 80, protocol: TCP}, {name: metrics, port: 9090, protocol: TCP}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: a}, spec: {type: ClusterIP, clusterIP: None, ports: [{name: pg, port: 5432, protocol: TCP}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: db-1, namespace: a, labels: {kubernetes.io/service-name: db}}, addressType: IPv4,
 ports: [{name: pg, port: 5432, protocol: TCP}], endpoints: [{addresses: [10.1.0.7], hostname: db-0, conditions: {ready: true}}, {addresses: [10.1.0.8], hostname: db-1, conditions: {ready: false}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: early, namespace: a}, spec: {type: ClusterIP, clusterIP: None, publishNotReadyAddresses: true, ports: []}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: early-1, namespace: a, labels: {kubernetes.io/service-name: early}}, addressType: IPv4,
 ports: [], endpoints: [{addresses: [10.1.0.7], conditions: {ready: true}}, {addresses: [10.1.0.8], conditions: {ready: true}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: empty, namespace: a}, spec: {type: ClusterIP, clusterIP: None, ports: [{name: pg, port: 5432, protocol: TCP}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: ext, namespace: a}, spec: {type: ExternalName, externalName: x.org.}}
---
{apiVersion: v1, kind: Service, metadata: {name: alias, namespace: b}, spec: {type: ExternalName, externalName: web.a.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {name: loop, namespace: b}, spec: {type: ExternalName, externalName: loop.b.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {name: com, namespace: example}, spec: {type: ClusterIP, clusterIP: 10.0.0.9, ports: [{port: 80, protocol: TCP}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: a}, spec: {containers: [{name: c, image: i}]}, status: {podIP: 10.1.0.9}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: b}, spec: {containers: [{name: c, image: i}]}}
"#;

fn dns() -> ClusterDns {
    let outside = [("x.org".to_owned(), vec![ip("203.0.113.7")])].into();
    ClusterDns { outside, ..ClusterDns::default() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn client<'v>(view: &'v View, namespace: &str) -> &'v Pod {
    view.pods.get(&Key::new(namespace, "client")).expect("the client")
}

fn ask(view: &View, namespace: &str, name: &str, record_type: RecordType) -> String {
    let dns = dns();
    let conf = ResolvConf::of(client(view, namespace), &dns, &NodeDns::default());
    let lookup = conf.lookup(name, record_type, |_, name, record_type| dns.answer(view, name, record_type));
    match (lookup.answer(), lookup.rcode) {
        (Some(answer), _) => answer.to_string(),
        (None, Rcode::NoError) => "NODATA".to_owned(),
        (None, _) => "NXDOMAIN".to_owned(),
    }
}

#[test]
fn names_resolve_as_the_rows_of_the_specification_say() {
    let view = view(CLUSTER);
    for (namespace, name, expected) in [
        ("a", "web", "10.0.0.5"),
        ("a", "web.a", "10.0.0.5"),
        ("a", "web.a.svc", "10.0.0.5"),
        ("a", "web.a.svc.cluster.local", "10.0.0.5"),
        ("a", "WEB.a.svc.cluster.local.", "10.0.0.5"),
        ("b", "web", "NXDOMAIN"),
        ("b", "web.a", "10.0.0.5"),
        ("b", "web.a.svc", "10.0.0.5"),
        // A dot at the end: no search.
        ("a", "web.", "NXDOMAIN"),
        ("a", "db", "10.1.0.7"),
        ("a", "early", "10.1.0.7, 10.1.0.8"),
        ("a", "empty", "NXDOMAIN"),
        ("a", "db-0.db", "10.1.0.7"),
        ("a", "db-1.db", "NXDOMAIN"),
        // Endpoints without a host name have one of their address; those with one do not.
        ("a", "10-1-0-8.early", "10.1.0.8"),
        ("a", "10-1-0-7.db", "NXDOMAIN"),
        ("a", "ext", "CNAME x.org, 203.0.113.7"),
        ("b", "alias", "CNAME web.a.svc.cluster.local, 10.0.0.5"),
        ("b", "loop", "NODATA"),
        ("b", "10-1-0-7.a.pod.cluster.local", "10.1.0.7"),
        ("b", "10-1-0-99.a.pod.cluster.local", "10.1.0.99"),
        ("b", "nothing.a.pod.cluster.local", "NXDOMAIN"),
        ("b", "one.two.three.web.a.svc.cluster.local", "NXDOMAIN"),
        // Namespaces and the zone itself exist and hold nothing.
        ("b", "svc.cluster.local", "NODATA"),
        ("b", "a.svc.cluster.local", "NODATA"),
        ("b", "c.svc.cluster.local", "NXDOMAIN"),
        ("b", "10-1-0-7.c.pod.cluster.local", "NXDOMAIN"),
        ("b", "x.org", "203.0.113.7"),
        ("b", "y.org", "NXDOMAIN"),
        // A service `com` in a namespace `example` hides the outside.
        ("b", "com.example", "10.0.0.9"),
        ("b", "example.com", "NXDOMAIN"),
    ] {
        assert_eq!(ask(&view, namespace, name, RecordType::A), expected, "{name} from namespace {namespace}");
    }
}

#[test]
fn other_types_of_records_are_answered_or_are_no_data() {
    let view = view(CLUSTER);
    for (name, record_type, expected) in [
        ("web", RecordType::Aaaa, "fd00::5"),
        ("db", RecordType::Aaaa, "NODATA"),
        ("web", RecordType::Other, "NODATA"),
        ("ext", RecordType::Cname, "CNAME x.org"),
        ("_pg._tcp.db", RecordType::Srv, "db-0.db.a.svc.cluster.local:5432"),
        ("_http._tcp.web", RecordType::Srv, "web.a.svc.cluster.local:80"),
        ("_http._udp.web", RecordType::Srv, "NXDOMAIN"),
        ("web", RecordType::Srv, "web.a.svc.cluster.local:80, web.a.svc.cluster.local:9090"),
        // Without ports there is nothing to say in SRV records.
        ("early", RecordType::Srv, "NODATA"),
        ("5.0.0.10.in-addr.arpa.", RecordType::Ptr, "web.a.svc.cluster.local"),
        ("7.0.1.10.in-addr.arpa.", RecordType::Ptr, "10-1-0-7.early.a.svc.cluster.local, db-0.db.a.svc.cluster.local"),
        ("99.0.1.10.in-addr.arpa.", RecordType::Ptr, "NXDOMAIN"),
    ] {
        assert_eq!(ask(&view, "a", name, record_type), expected, "{name}");
    }
    assert_eq!(ask(&view, "a", &(reverse_name(ip("fd00::5")) + "."), RecordType::Ptr), "web.a.svc.cluster.local");
}

#[test]
fn pod_records_are_insecure_verified_or_disabled() {
    let view = view(CLUSTER);
    for (pods, name, expected) in [
        (PodRecords::Insecure, "10-1-0-99.a.pod.cluster.local", "10.1.0.99"),
        (PodRecords::Verified, "10-1-0-99.a.pod.cluster.local", "NXDOMAIN"),
        (PodRecords::Verified, "10-1-0-9.a.pod.cluster.local", "10.1.0.9"),
        (PodRecords::Verified, "10-1-0-9.b.pod.cluster.local", "NXDOMAIN"),
        (PodRecords::Disabled, "10-1-0-9.a.pod.cluster.local", "NXDOMAIN"),
    ] {
        let dns = ClusterDns { pods, ..ClusterDns::default() };
        assert_eq!(dns.answer(&view, name, RecordType::A).to_string(), expected, "{name} {pods:?}");
    }
}

#[test]
fn short_names_are_tried_in_the_order_of_glibc() {
    let conf = ResolvConf {
        nameservers: vec![Nameserver::Cluster],
        search: ["bar.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp"].map(String::from).into(),
        ndots: 5,
        options: Vec::new(),
        warnings: Vec::new(),
    };
    let all = |name: &str| {
        let searched = conf.search.iter().map(|domain| format!("{name}.{domain}"));
        searched.collect::<Vec<_>>()
    };
    let with_last = |name: &str| [all(name), vec![name.to_owned()]].concat();
    assert_eq!(conf.candidates("foo"), with_last("foo"));
    assert_eq!(conf.candidates("api.example.com"), with_last("api.example.com"));
    assert_eq!(conf.candidates("api.example.com."), ["api.example.com"]);
    let five = "a.b.c.d.e.f";
    assert_eq!(conf.candidates(five), [vec![five.to_owned()], all(five)].concat());
    let two = ResolvConf { ndots: 2, ..conf.clone() };
    assert_eq!(two.candidates("api.example.com")[0], "api.example.com");
}

#[test]
fn every_search_domain_is_asked_before_an_outside_name_is() {
    let view = view(CLUSTER);
    let dns = dns();
    let conf = ResolvConf::of(client(&view, "a"), &dns, &NodeDns { search: vec!["corp".into()], ..NodeDns::default() });
    let lookup = conf.lookup("x.org", RecordType::A, |_, name, kind| dns.answer(&view, name, kind));
    assert_eq!(
        lookup.to_string(),
        "x.org.a.svc.cluster.local: NXDOMAIN; x.org.svc.cluster.local: NXDOMAIN; x.org.cluster.local: NXDOMAIN; \
         x.org.corp: NXDOMAIN; x.org: 203.0.113.7"
    );
}

#[test]
fn the_policy_of_a_pod_decides_whom_it_asks() {
    let settings = |spec: &str, node: &NodeDns| {
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: client, namespace: a}}, spec: {{containers: [], {spec}}}}}"
        );
        let view = view(&text);
        let conf = ResolvConf::of(client(&view, "a"), &ClusterDns::default(), node);
        let warnings: Vec<_> = conf.warnings.iter().map(|(reason, _)| *reason).collect();
        format!("{:?} {} ndots:{} {:?} {warnings:?}", conf.nameservers, conf.search.join(" "), conf.ndots, conf.options)
    };
    let node = NodeDns { search: vec!["corp".into()], without_cluster_dns: false };
    let cluster = "[Cluster] a.svc.cluster.local svc.cluster.local cluster.local corp ndots:5 [] []";
    let host = "[Node] corp ndots:1 [] []";
    for (spec, expected) in [
        ("dnsPolicy: ClusterFirst", cluster),
        ("dnsPolicy: ClusterFirst, hostNetwork: true", host),
        ("dnsPolicy: ClusterFirstWithHostNet, hostNetwork: true", cluster),
        ("dnsPolicy: Default", host),
        (
            "dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1], searches: [x.y], options: [{name: ndots, value: \"2\"}, {name: edns0}]}",
            "[Other(192.0.2.1)] x.y ndots:2 [\"edns0\"] []",
        ),
        (
            "dnsPolicy: ClusterFirst, dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3], searches: [corp, x.y]}",
            "[Cluster, Other(192.0.2.1), Other(192.0.2.2)] a.svc.cluster.local svc.cluster.local cluster.local corp x.y \
             ndots:5 [] [\"DNSConfigForming\"]",
        ),
    ] {
        assert_eq!(settings(spec, &node), expected, "{spec}");
    }
    let without = NodeDns { without_cluster_dns: true, ..node };
    assert_eq!(settings("dnsPolicy: ClusterFirst", &without), "[Node] corp ndots:1 [] [\"MissingClusterDNS\"]");
}

#[test]
fn too_many_search_domains_are_left_out_with_a_warning() {
    let searches: Vec<String> = (0..40).map(|n| format!("{}{n}.example", "x".repeat(100))).collect();
    let text = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: client, namespace: a}}, spec: {{containers: [], dnsConfig: {{searches: [{}]}}}}}}",
        searches.join(", ")
    );
    let view = view(&text);
    let conf = ResolvConf::of(client(&view, "a"), &ClusterDns::default(), &NodeDns::default());
    let chars = conf.search.join(" ").len();
    assert!(chars <= MAX_SEARCH_CHARS && chars > MAX_SEARCH_CHARS - 120, "{chars}");
    assert_eq!(conf.warnings[0].0, "DNSConfigForming");
}

/// Rows of upstream's `TestFormDNSSearchFitsLimits`: how many of so many search domains of some length are left.
#[test]
fn search_domains_fit_the_limits() {
    // Before them stand those of the cluster, 51 characters with the spaces in between.
    for (given, length, left, warned) in [
        (0, 10, 3, false),
        (MAX_SEARCH_DOMAINS - 3, 10, MAX_SEARCH_DOMAINS, false),
        (MAX_SEARCH_DOMAINS - 2, 10, MAX_SEARCH_DOMAINS, true),
        (8, 249, 3 + 7, true),
        (7, 249, 3 + 7, false),
        (1, 253, 4, false),
        (1, 254, 3, true),
    ] {
        let searches: Vec<String> = (0..given).map(|n| format!("{n:02}{}", "x".repeat(length - 2))).collect();
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: client, namespace: a}}, spec: {{containers: [], dnsConfig: {{searches: [{}]}}}}}}",
            searches.join(", ")
        );
        let view = view(&text);
        let conf = ResolvConf::of(client(&view, "a"), &ClusterDns::default(), &NodeDns::default());
        assert_eq!((conf.search.len(), !conf.warnings.is_empty()), (left, warned), "{given} of {length}");
    }
}

#[test]
fn an_answer_is_shuffled_behind_its_alias() {
    let name = |n: u8| Record { name: "db".into(), ttl: SimDuration::ZERO, data: RecordData::A([10, 0, 0, n].into()) };
    let alias = Record { name: "ext".into(), ttl: SimDuration::ZERO, data: RecordData::Cname("db".into()) };
    let ordered = Answer::of(std::iter::once(alias).chain((0..8).map(name)).collect());
    let mut shuffled = ordered.clone();
    shuffled.shuffle(&mut Streams::new(1).stream(Purpose::new(1), 0u64));
    assert_ne!(shuffled, ordered);
    assert_eq!(shuffled.records[0], ordered.records[0]);
    let mut ips: Vec<IpAddr> = shuffled.ips().collect();
    ips.sort();
    assert!(ips.iter().copied().eq(ordered.ips()));
}

#[test]
fn caches_keep_what_was_true_for_as_long_as_they_may() {
    let at = |secs: u64| SimTime::from_secs(secs);
    let with_ttl = |secs: u64, n: u8| {
        let data = RecordData::A([10, 0, 0, n].into());
        Answer::of(vec![Record { name: "db.a.svc.cluster.local".into(), ttl: SimDuration::from_secs(secs), data }])
    };
    let dns = ClusterDns::default();
    // kubeadm's CoreDNS keeps nothing of the cluster domain; one without `disable` keeps it for 30 seconds at most.
    let mut kubeadm = CoreDnsCache::default();
    let mut plain = CoreDnsCache::of_everything(SimDuration::from_secs(30));
    for (secs, kubeadm_hit, plain_hit) in [(0, false, false), (10, false, true), (29, false, true), (30, false, false)]
    {
        let name = "db.a.svc.cluster.local.";
        let hit = |cache: &mut CoreDnsCache| {
            cache.get(at(secs), &dns, name, RecordType::A, || with_ttl(60, secs as u8)).is_hit
        };
        assert_eq!((hit(&mut kubeadm), hit(&mut plain)), (kubeadm_hit, plain_hit), "after {secs} s");
    }
    // Denials are kept too, failures are not.
    let mut denials = CoreDnsCache::of_everything(SimDuration::from_secs(30));
    let mut deny = |secs: u64, rcode: Rcode| {
        let answer = || Answer { rcode, ..Answer::no_such_name() };
        denials.get(at(secs), &dns, "x.a.svc.cluster.local", RecordType::A, answer).is_hit
    };
    assert!(!deny(0, Rcode::ServerFailure) && !deny(1, Rcode::NameError) && deny(2, Rcode::NameError));
}

#[test]
fn clients_that_cache_see_a_pod_that_is_long_gone() {
    let record = |n: u8| {
        let data = RecordData::A([10, 0, 0, n].into());
        Answer::of(vec![Record { name: "db".into(), ttl: SimDuration::from_secs(30), data }])
    };
    // The pod behind the name is another one every ten seconds.
    let seen = |caching: ClientCaching| {
        let mut cache = NameCache::default();
        let look = |secs: u64| {
            let now = SimTime::from_secs(secs);
            cache.get(
                now,
                "db",
                RecordType::A,
                |answer| caching.keeps(answer.ttl(), None),
                || record((secs / 10) as u8),
            )
        };
        [0, 10, 20, 30, 60, 300].map(look).map(|cached| cached.answer.to_string().replace("10.0.0.", ""))
    };
    assert_eq!(seen(ClientCaching::None), ["0", "1", "2", "3", "6", "30"]);
    assert_eq!(seen(ClientCaching::Ttl), ["0", "0", "0", "3", "6", "30"]);
    assert_eq!(seen(ClientCaching::For(SimDuration::from_secs(60))), ["0", "0", "0", "0", "6", "30"]);
    assert_eq!(seen(ClientCaching::Forever), ["0", "0", "0", "0", "0", "0"]);
    let [five, ten, minute] = [5, 10, 60].map(SimDuration::from_secs);
    assert_eq!(ClientCaching::For(minute).keeps(None, Some(five)), Some(ten));
    assert_eq!(ClientCaching::Ttl.keeps(None, Some(five)), Some(five));
    assert_eq!(ClientCaching::Forever.keeps(None, Some(five)), None);
}
