use std::net::SocketAddr;

use crate::api::View;
use crate::kernel::{Purpose, SimDuration, SimTime, Stream, Streams};
use crate::network::Cidr;
use crate::network::testing::view;
use crate::objects::Key;

use super::*;

const CLASS: &str = "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx}, spec: {controller: k8s.io/ingress-nginx}}";

/// Services a to e with one endpoint each, and `empty` with none that is ready.
fn services() -> String {
    let service = |name: &str, ip: &str, ready: bool| {
        format!(
            "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{type: ClusterIP, clusterIP: 10.0.0.{}, ports: [{{name: http, port: 80, targetPort: web, protocol: TCP}}]}}}}\n\
             ---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}, addressType: IPv4, \
             ports: [{{name: http, port: 8080, protocol: TCP}}], endpoints: [{{addresses: [{ip}], conditions: {{ready: {ready}}}, targetRef: {{kind: Pod, namespace: default, name: {name}-0}}}}]}}\n",
            ip.rsplit('.').next().unwrap()
        )
    };
    let all = ["a", "b", "c", "d", "e"].iter().enumerate();
    all.map(|(n, name)| service(name, &format!("10.1.0.{}", n + 1), true)).collect::<String>()
        + &service("empty", "10.1.0.9", false)
}

/// An Ingress of class nginx by name, annotations (without their prefix), and the rest of its spec.
fn ingress(name: &str, annotations: &str, spec: &str) -> String {
    let annotations: Vec<String> = annotations
        .split(", ")
        .filter(|pair| !pair.is_empty())
        .map(|pair| format!("nginx.ingress.kubernetes.io/{pair}"))
        .collect();
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: {name}, annotations: {{{}}}}}, spec: {{ingressClassName: nginx, {spec}}}}}\n",
        annotations.join(", ")
    )
}

/// `Prefix /foo a`: rules of a host.
fn rules(host: &str, paths: &[&str]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| {
            let [kind, path, service] = path.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {path}") };
            format!(
                "{{path: '{path}', pathType: {kind}, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}"
            )
        })
        .collect();
    let host = if host.is_empty() { String::new() } else { format!("host: '{host}', ") };
    format!("rules: [{{{host}http: {{paths: [{}]}}}}]", paths.join(", "))
}

fn compile(ingresses: &[String]) -> (View, Matcher) {
    let view = view(&format!("{CLASS}\n{}{}", services(), ingresses.concat()));
    let matcher = Matcher::compile(&view, &Controller::default());
    (view, matcher)
}

/// Where a request goes: the service, with the path if it is another one, or the status.
fn goes(matcher: &Matcher, request: &Request<'_>) -> String {
    match matcher.route(request) {
        Routed::Forward { location, path, .. } => {
            let service = matcher.group(location.group).service.as_ref().map_or("-", |key| &key.name).to_owned();
            if path == request.path { service } else { format!("{service} {path}") }
        }
        Routed::Redirect { status, to, .. } => format!("{status} {to}"),
        Routed::Status { status, .. } => status.to_string(),
    }
}

fn get(matcher: &Matcher, host: &str, path: &str) -> String {
    goes(matcher, &Request::get(host, path))
}

#[test]
fn paths_match_as_the_table_of_the_documentation_says() {
    for (paths, request, expected) in [
        (&["Prefix / a"][..], "/any/thing", "a"),
        (&["Exact /foo a"], "/foo", "a"),
        (&["Exact /foo a"], "/bar", "404"),
        (&["Exact /foo a"], "/foo/", "404"),
        (&["Exact /foo/ a"], "/foo", "404"),
        (&["Prefix /foo a"], "/foo", "a"),
        (&["Prefix /foo a"], "/foo/", "a"),
        // The slash is ignored by way of a redirect, as nginx does it.
        (&["Prefix /foo/ a"], "/foo", "301 http://h.example.com/foo/"),
        (&["Prefix / b", "Prefix /foo/ a"], "/foo", "301 http://h.example.com/foo/"),
        (&["Prefix /foo/ a"], "/foo/", "a"),
        (&["Prefix /aaa/bb a"], "/aaa/bbb", "404"),
        (&["Prefix /aaa/bbb a"], "/aaa/bbb", "a"),
        (&["Prefix /aaa/bbb/ a"], "/aaa/bbb", "301 http://h.example.com/aaa/bbb/"),
        (&["Prefix /aaa/bbb a"], "/aaa/bbb/", "a"),
        (&["Prefix /aaa/bbb a"], "/aaa/bbb/ccc", "a"),
        (&["Prefix /aaa/bbb a"], "/aaa/bbbxyz", "404"),
        (&["Prefix / a", "Prefix /aaa b"], "/aaa/ccc", "b"),
        (&["Prefix / a", "Prefix /aaa b", "Prefix /aaa/bbb c"], "/aaa/bbb", "c"),
        (&["Prefix / a", "Prefix /aaa b", "Prefix /aaa/bbb c"], "/ccc", "a"),
        (&["Prefix /aaa a"], "/ccc", "404"),
        (&["Prefix /foo a", "Exact /foo b"], "/foo", "b"),
        (&["Prefix /foo a", "Exact /foo b"], "/foo/bar", "a"),
        // The order of the rules does not matter.
        (&["Exact /foo b", "Prefix /foo a"], "/foo", "b"),
        (&["Prefix /Foo a"], "/foo", "404"),
        // This controller takes ImplementationSpecific for Prefix.
        (&["ImplementationSpecific /foo a"], "/foobar", "404"),
        (&["ImplementationSpecific /foo a"], "/foo/bar", "a"),
        (&["ImplementationSpecific / a"], "/x", "a"),
        // As nginx sees the path.
        (&["Prefix /foo a"], "/foo?x=1", "a /foo"),
        (&["Prefix /foo a"], "//foo/./x/../y", "a /foo/y"),
        (&["Prefix /foo a"], "/%66oo", "a /foo"),
        (&["Prefix /foo a"], "/../../foo/..", "404"),
    ] {
        let (_, matcher) = compile(&[ingress("i", "", &rules("h.example.com", paths))]);
        assert_eq!(get(&matcher, "h.example.com", request), expected, "{request} with {paths:?}");
    }
}

#[test]
fn an_exact_host_goes_before_a_wildcard_and_that_before_none() {
    let (_, matcher) = compile(&[
        ingress("exact", "server-alias: www.a.org", &rules("bar.foo.com", &["Prefix / a"])),
        ingress("wild", "", &rules("*.foo.com", &["Prefix / b"])),
        ingress("none", "", &rules("", &["Prefix /x c"])),
        ingress("silent", "", "rules: [{host: silent.com}]"),
    ]);
    for (host, path, expected) in [
        ("bar.foo.com", "/", "a"),
        ("BAR.foo.com:8443", "/", "a"),
        ("bar.foo.com.", "/", "a"),
        ("other.foo.com", "/", "b"),
        ("baz.bar.foo.com", "/", "404"),
        ("foo.com", "/", "404"),
        ("else.org", "/x", "c"),
        ("else.org", "/", "404"),
        ("www.a.org", "/", "a"),
        // A host with a server of its own does not fall back to the rules without a host.
        ("silent.com", "/x", "404"),
        ("", "/x", "c"),
    ] {
        assert_eq!(get(&matcher, host, path), expected, "{host}{path}");
    }
    let why = |host: &str| match matcher.route(&Request::get(host, "/")) {
        Routed::Status { why, .. } => Some(why),
        _ => None,
    };
    assert_eq!((why("else.org"), why("silent.com")), (Some(Why::UnknownHost), Some(Why::NoPath)));
}

#[test]
fn a_default_backend_takes_what_no_rule_does() {
    let default = "defaultBackend: {service: {name: d, port: {name: http}}}";
    let (_, alone) = compile(&[ingress("all", "", default)]);
    assert_eq!(get(&alone, "any.org", "/x"), "d");
    let (_, with_rules) = compile(&[ingress("some", "", &format!("{default}, {}", rules("h.org", &["Prefix /a a"])))]);
    let answers =
        [("h.org", "/a"), ("h.org", "/b"), ("other.org", "/b")].map(|(host, path)| get(&with_rules, host, path));
    assert_eq!(answers, ["a", "d", "404"]);
}

#[test]
fn the_oldest_of_equal_rules_wins_and_hosts_are_merged() {
    let (_, matcher) = compile(&[
        ingress("old", "", &rules("h.org", &["Prefix /x a", "Prefix /y a"])),
        ingress("new", "", &rules("h.org", &["Prefix /x b", "Exact /y b", "Prefix /z b"])),
    ]);
    let answers = ["/x", "/y", "/y/1", "/z"].map(|path| get(&matcher, "h.org", path));
    assert_eq!(answers, ["a", "b", "a", "b"]);
    let notices: Vec<String> =
        matcher.notices.iter().map(|notice| format!("{}: {}", notice.ingress, notice.text)).collect();
    let expected = "default/new: host \"h.org\" and path \"/x\" is already defined in ingress default/old, which is older: the rule has no effect";
    assert_eq!(notices, [expected]);
}

#[test]
fn one_rewrite_makes_regular_expressions_of_all_paths_of_the_host() {
    let (_, matcher) = compile(&[
        ingress("rewrite", "rewrite-target: /$2", &rules("h.org", &["ImplementationSpecific /something(/|$)(.*) a"])),
        ingress("plain", "", &rules("h.org", &["Exact /foo b", "Prefix /bar c"])),
        ingress("other", "", &rules("other.org", &["Exact /foo b"])),
    ]);
    for (host, path, expected) in [
        ("h.org", "/something", "a /"),
        ("h.org", "/something/", "a /"),
        ("h.org", "/something/new", "a /new"),
        ("h.org", "/SOMETHING/new", "a /new"),
        // Exact is exact no more.
        ("h.org", "/foobar", "b"),
        ("h.org", "/barbar", "c"),
        ("other.org", "/foobar", "404"),
    ] {
        assert_eq!(get(&matcher, host, path), expected, "{host}{path}");
    }
    let (_, broken) = compile(&[ingress(
        "r",
        "use-regex: \"true\"",
        &rules("h.org", &["ImplementationSpecific /a(?=b) a", "Prefix /a(b a"]),
    )]);
    assert_eq!(get(&broken, "h.org", "/ab"), "404");
    assert_eq!(broken.notices.iter().filter(|notice| notice.text.contains("is no regular expression")).count(), 2);
    assert!(broken.notices.iter().any(|notice| notice.text.contains("admission webhook would refuse")));
}

#[test]
fn a_canary_takes_requests_by_header_then_cookie_then_weight() {
    let with = |annotations: &str| {
        let annotations = format!("canary: \"true\", {annotations}");
        compile(&[
            ingress("main", "", &rules("h.org", &["Prefix / a"])),
            ingress("canary", &annotations, &rules("h.org", &["Prefix / b"])),
        ])
        .1
    };
    let side = |matcher: &Matcher, headers: &[(&str, &str)], cookies: &[(&str, &str)]| {
        let request = Request { headers, cookies, ..Request::get("h.org", "/") };
        let Routed::Forward { location, .. } = matcher.route(&request) else { panic!("no route") };
        matcher.side(location.group, &request, None)
    };
    let header = with("canary-by-header: X-Canary, canary-by-cookie: c, canary-weight: \"20\"");
    let drawn = Side::Drawn { weight: 20, total: 100 };
    for (headers, cookies, expected) in [
        (&[("x-canary", "always")][..], &[("c", "never")][..], Side::Canary),
        (&[("X-Canary", "never")], &[("c", "always")], Side::Main),
        (&[("X-Canary", "other")], &[("c", "always")], Side::Canary),
        (&[("X-Canary", "other")], &[("c", "never")], Side::Main),
        (&[], &[("c", "other")], drawn),
        (&[], &[], drawn),
    ] {
        assert_eq!(side(&header, headers, cookies).0, expected, "{headers:?} {cookies:?}");
    }
    let value = with("canary-by-header: X-Canary, canary-by-header-value: de, canary-by-header-pattern: fr");
    let pattern = with("canary-by-header: X-Canary, canary-by-header-pattern: \"^(de|fr)$\"");
    for (matcher, given, expected) in [
        (&value, "de", Side::Canary),
        (&value, "fr", Side::Main),
        // They lose their meaning.
        (&value, "always", Side::Main),
        (&pattern, "fr", Side::Canary),
        (&pattern, "always", Side::Main),
    ] {
        assert_eq!(side(matcher, &[("X-Canary", given)], &[]).0, expected, "{given}");
    }
    assert_eq!(
        side(&with("canary-weight: \"3\", canary-weight-total: \"1000\""), &[], &[]).0,
        Side::Drawn { weight: 3, total: 1000 }
    );
    assert_eq!(side(&with("canary-weight: \"100\""), &[], &[]).0, Side::Canary);
    assert_eq!(side(&with("canary-weight: \"0\""), &[], &[]).0, Side::Main);
    let mut stream = stream();
    let canaries = (0..10_000).filter(|_| drawn.is_canary(&mut stream)).count();
    assert!((1_850..2_150).contains(&canaries), "{canaries}");
}

#[test]
fn a_canary_needs_a_rule_to_go_with() {
    let (_, matcher) = compile(&[
        ingress("main", "", &rules("h.org", &["Prefix /x a"])),
        ingress("canary", "canary: \"true\", canary-weight: \"50\"", &rules("h.org", &["Prefix / b"])),
        ingress("forgot", "canary-weight: \"50\"", &rules("o.org", &["Prefix / b"])),
    ]);
    assert_eq!(get(&matcher, "h.org", "/"), "404");
    assert!(matcher.groups.iter().all(|group| group.canary.is_none()));
    let texts: Vec<&str> = matcher.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "annotations of a canary have no effect without nginx.ingress.kubernetes.io/canary: \"true\"",
            "no other Ingress has its host and path: the canary has no effect",
        ]
    );
}

#[test]
fn plain_requests_to_a_host_with_a_certificate_are_redirected() {
    let secret = "---\n{apiVersion: v1, kind: Secret, metadata: {name: cert}, data: {tls.crt: eA==, tls.key: eA==}}\n"
        .to_owned();
    let tls = |hosts: &str, secret: &str| format!("tls: [{{hosts: [{hosts}], secretName: {secret}}}]");
    let (_, matcher) = compile(&[
        secret,
        ingress("good", "", &format!("{}, {}", tls("a.org", "cert"), rules("a.org", &["Prefix / a"]))),
        ingress("missing", "", &format!("{}, {}", tls("b.org", "nowhere"), rules("b.org", &["Prefix / b"]))),
        ingress(
            "off",
            "ssl-redirect: \"false\"",
            &format!("{}, {}", tls("c.org", "cert"), rules("c.org", &["Prefix / c"])),
        ),
        ingress("force", "force-ssl-redirect: \"true\"", &rules("d.org", &["Prefix / d"])),
        ingress("plain", "", &rules("e.org", &["Prefix / e"])),
        ingress("unlisted", "", &format!("{}, {}", tls("other.org", "cert"), rules("f.org", &["Prefix / a"]))),
    ]);
    for (host, path, expected) in [
        ("a.org", "/x/", "308 https://a.org/x"),
        ("b.org", "/x", "308 https://b.org/x"),
        ("c.org", "/x", "c"),
        ("d.org", "/x", "308 https://d.org/x"),
        ("e.org", "/x", "e"),
        ("f.org", "/x", "308 https://f.org/x"),
        ("a.org", "/.well-known/acme-challenge/1", "a"),
    ] {
        assert_eq!(get(&matcher, host, path), expected, "{host}");
        let tls = goes(&matcher, &Request { is_tls: true, ..Request::get(host, path) });
        assert_eq!(tls.len(), 1, "over TLS {host}{path} is served: {tls}");
    }
    let certificate = |host: &str| format!("{:?}", matcher.server(host).certificate);
    assert_eq!(certificate("a.org"), "Some(Secret(default/cert))");
    assert_eq!(certificate("b.org"), "Some(Fake(\"there is no Secret default/nowhere\"))");
    assert_eq!(certificate("f.org"), "Some(Fake(\"no tls entry of its Ingress names the host\"))");
    assert_eq!(certificate("unknown.org"), "Some(Fake(\"no host was named\"))");
    assert_eq!(certificate("e.org"), "None");
}

#[test]
fn the_controller_answers_some_requests_itself() {
    let (_, matcher) = compile(&[
        ingress("big", "proxy-body-size: 8k", &rules("big.org", &["Prefix / a"])),
        ingress("any", "proxy-body-size: \"0\"", &rules("any.org", &["Prefix / a"])),
        ingress("private", "whitelist-source-range: '10.0.0.0/8,192.0.2.7'", &rules("private.org", &["Prefix / a"])),
        ingress("closed", "denylist-source-range: 10.0.0.0/8", &rules("closed.org", &["Prefix / a"])),
        ingress("moved", "permanent-redirect: 'https://new.org'", &rules("moved.org", &["Prefix / a"])),
        ingress("root", "app-root: /app", &rules("root.org", &["Prefix / a"])),
    ]);
    let from = |host, range: &str| goes(&matcher, &Request { client: Cidr::parse(range), ..Request::get(host, "/") });
    let sized = |host, body_bytes| goes(&matcher, &Request { body_bytes, method: "POST", ..Request::get(host, "/") });
    assert_eq!([sized("big.org", 8192), sized("big.org", 8193), sized("any.org", 1 << 40)], ["a", "413", "a"]);
    assert_eq!([sized("root.org", 1 << 20), sized("private.org", (1 << 20) + 1)], ["302 http://root.org/app", "413"]);
    assert_eq!(
        ["10.1.1.1/32", "10.1.0.0/16", "192.0.2.7/32", "192.0.2.8/32", "192.0.2.0/24", "0.0.0.0/0"]
            .map(|range| from("private.org", range)),
        ["a", "a", "a", "403", "403", "403"]
    );
    assert_eq!(["10.1.1.1/32", "192.0.2.8/32"].map(|range| from("closed.org", range)), ["403", "a"]);
    assert_eq!([get(&matcher, "moved.org", "/x"), get(&matcher, "root.org", "/x")], ["301 https://new.org", "a"]);
}

#[test]
fn annotations_that_are_not_understood_are_told() {
    let (_, matcher) = compile(&[ingress(
        "i",
        "auth-url: 'http://x', canary-weight: lots, canary: \"true\", enable-cors: \"true\", cors-allow-origin: x, enable-access-log: \"false\"",
        &rules("h.org", &["Prefix / a"]),
    )]);
    let texts: Vec<&str> = matcher.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "annotation nginx.ingress.kubernetes.io/auth-url is not simulated: requests fare as without it",
            "annotation nginx.ingress.kubernetes.io/canary-weight: \"lots\" is not valid and has no effect",
            "no other Ingress has its host and path: the canary has no effect",
        ]
    );
}

#[test]
fn backends_are_ready_endpoints_or_the_address_of_the_service() {
    let backend = |service: &str, port: &str| format!("defaultBackend: {{service: {{name: {service}, port: {port}}}}}");
    let external = |name: &str, host: &str, ports: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{type: ExternalName, externalName: {host}, ports: [{ports}]}}}}\n"
        )
    };
    let ports = "{name: http, port: 80, targetPort: 8080}, {name: web, port: 81, targetPort: web}";
    let external = [
        external("ext", "x.org", ""),
        external("far", "x.org.", ports),
        external("own", "localhost", ""),
        external("ip", "192.0.2.1", ""),
    ]
    .concat();
    let upstreams = |annotations: &str, service: &str, port: &str| {
        let (view, matcher) = compile(&[external.clone(), ingress("i", annotations, &backend(service, port))]);
        let Routed::Forward { location, .. } = matcher.route(&Request::get("x", "/")) else { panic!("no route") };
        match matcher.group(location.group).upstreams(&view) {
            Upstreams::Endpoints(peers) => {
                peers.iter().map(|peer| peer.address.to_string()).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        }
    };
    for (annotations, service, port, expected) in [
        ("", "a", "{number: 80}", "10.1.0.1:8080"),
        ("", "a", "{name: http}", "10.1.0.1:8080"),
        // The name of the target is taken too, as ingress-nginx does.
        ("", "a", "{name: web}", "10.1.0.1:8080"),
        ("", "a", "{number: 8080}", "None(NoPort)"),
        ("", "empty", "{number: 80}", "None(NotReady(1))"),
        ("", "nowhere", "{number: 80}", "None(NoService)"),
        // Rows of `externalNamePorts`.
        ("", "ext", "{number: 443}", "Name(\"x.org\", 443)"),
        ("", "ext", "{name: http}", "Name(\"x.org\", 0)"),
        ("", "far", "{number: 443}", "Name(\"x.org.\", 443)"),
        ("", "far", "{number: 80}", "Name(\"x.org.\", 8080)"),
        ("", "far", "{name: http}", "Name(\"x.org.\", 8080)"),
        ("", "far", "{name: web}", "Name(\"x.org.\", 81)"),
        ("", "far", "{number: 81}", "Name(\"x.org.\", 0)"),
        ("", "own", "{number: 80}", "None(NoName)"),
        ("", "ip", "{number: 80}", "None(NoName)"),
        ("service-upstream: \"true\"", "empty", "{number: 80}", "Service(10.0.0.9:80)"),
    ] {
        assert_eq!(upstreams(annotations, service, port), expected, "{service} {port}");
    }
    let (view, matcher) = compile(&[]);
    assert_eq!(matcher.group(GroupId::DEFAULT_BACKEND).upstreams(&view), Upstreams::BuiltIn);
}

fn stream() -> Stream {
    Streams::new(7).stream(Purpose::new(1), "ingress")
}

fn peers(count: u8) -> Vec<Upstream> {
    (1..=count).map(|n| Upstream { address: SocketAddr::from(([10, 1, 0, n], 80)), pod: None, node: None }).collect()
}

#[test]
fn a_cookie_keeps_a_client_at_its_pod() {
    let (four, five, three) = (peers(4), peers(5), &peers(4)[1..]);
    let mut stream = stream();
    let group = GroupId(1);
    for is_persistent in [false, true] {
        let affinity = Affinity { is_persistent, ..Affinity::default() };
        let clients: Vec<_> = (0..2_000)
            .map(|_| {
                affinity
                    .pick(group, None, &four, &[], &mut stream)
                    .map(|(peer, session)| (peer.address, session))
                    .unwrap()
            })
            .collect();
        let mut moved = |peers: &[Upstream]| {
            let again = clients
                .iter()
                .map(|(_, session)| affinity.pick(group, Some(*session), peers, &[], &mut stream).unwrap());
            again.zip(&clients).filter(|((peer, _), (before, _))| peer.address != *before).count()
        };
        assert_eq!(moved(&four), 0);
        // About a fifth moves to the new pod, unless sessions persist; of a pod that goes, only its own clients move.
        let (up, down) = (moved(&five), moved(three));
        assert!(if is_persistent { up == 0 } else { (300..500).contains(&up) }, "{up}");
        assert!((400..600).contains(&down), "{down}");
    }
}

#[test]
fn a_failing_pod_keeps_its_clients_unless_the_cookie_may_change() {
    let four = peers(4);
    let mut stream = stream();
    let fixed = Affinity::default();
    let (peer, session) = fixed.pick(GroupId(1), None, &four, &[], &mut stream).unwrap();
    let failed = [peer.address];
    let again = |affinity: &Affinity, session: Session, stream: &mut Stream| {
        affinity.pick(GroupId(1), Some(session), &four, &failed, stream).unwrap().0.address
    };
    assert_eq!(again(&fixed, session, &mut stream), peer.address);
    let changing = Affinity { changes_on_failure: true, ..Affinity::default() };
    assert_ne!(again(&changing, session, &mut stream), peer.address);
    // A cookie of another group says nothing.
    let mut other = session;
    other.group = GroupId(2);
    assert_eq!(fixed.pick(GroupId(1), Some(other), &four, &[], &mut stream).unwrap().1.group, GroupId(1));
    assert_eq!(fixed.pick(GroupId(1), Some(session), &[], &[], &mut stream), None);
}

#[test]
fn a_client_stays_on_the_side_that_it_was_on() {
    let with = |behaviour: &str| {
        let (_, matcher) = compile(&[
            ingress("main", "affinity: cookie", &rules("h.org", &["Prefix / a"])),
            ingress(
                "canary",
                &format!(
                    "canary: \"true\", canary-weight: \"100\", affinity-canary-behavior: {behaviour}, affinity: cookie"
                ),
                &rules("h.org", &["Prefix / b"]),
            ),
        ]);
        let request = Request::get("h.org", "/");
        let Routed::Forward { location, .. } = matcher.route(&request) else { panic!("no route") };
        let group = location.group;
        let session =
            |group| Affinity::default().pick(group, None, &peers(1), &[], &mut stream()).map(|(_, session)| session);
        let canary = matcher.group(group).canary.as_ref().unwrap().0;
        [None, session(group), session(canary)].map(|session| matcher.side(group, &request, session))
    };
    let cookie = "session cookie";
    assert_eq!(with("sticky"), [(Side::Canary, "weight"), (Side::Main, cookie), (Side::Canary, cookie)]);
    assert_eq!(with("legacy"), [(Side::Canary, "weight"), (Side::Main, cookie), (Side::Canary, "weight")]);
}

#[test]
fn another_peer_is_tried_after_errors_and_timeouts() {
    let default = NextUpstream::default();
    let after = |next: &NextUpstream, attempt, tried, method| match next.after(
        attempt,
        tried,
        SimDuration::from_secs(2),
        method,
    ) {
        Next::Retry => 0,
        Next::Answer(status) => status,
    };
    for (attempt, tried, method, expected) in [
        (Attempt::Refused, 1, "GET", 0),
        (Attempt::Refused, 2, "POST", 0),
        (Attempt::Refused, 3, "GET", 502),
        (Attempt::Reset, 1, "GET", 0),
        (Attempt::Reset, 1, "POST", 502),
        (Attempt::ConnectTimeout, 1, "POST", 0),
        (Attempt::ConnectTimeout, 3, "GET", 504),
        (Attempt::ReadTimeout, 1, "GET", 0),
        (Attempt::ReadTimeout, 1, "PATCH", 504),
        (Attempt::Answered(503), 1, "GET", 503),
        (Attempt::Answered(200), 1, "GET", 200),
    ] {
        assert_eq!(after(&default, attempt, tried, method), expected, "{attempt:?} {tried} {method}");
    }
    let read = |conditions: &str| {
        let mut next = NextUpstream::default();
        assert!(next.read_conditions(conditions), "{conditions}");
        next
    };
    assert_eq!(after(&read("http_503 non_idempotent"), Attempt::Answered(503), 1, "POST"), 0);
    assert_eq!(after(&read("off"), Attempt::Refused, 1, "GET"), 502);
    assert_eq!(after(&read("error timeout non_idempotent"), Attempt::Reset, 1, "POST"), 0);
    let short = NextUpstream { timeout: SimDuration::from_secs(1), ..NextUpstream::default() };
    assert_eq!(after(&short, Attempt::Refused, 1, "GET"), 502);
    assert!(!NextUpstream::default().read_conditions("sometimes"));
}

#[test]
fn changes_take_effect_after_a_sync_and_a_look() {
    let at = |millis: u64| SimTime::from_millis(millis);
    let mut lag = SyncLag::new(SyncTimes::default(), SimDuration::from_millis(400));
    let mut effective = |millis: u64, change| lag.effective(at(millis), change).as_millis();
    use IngressChange::{Configuration, Endpoints};
    // Quiet: at the next look of the workers.
    assert_eq!(effective(10_000, Endpoints), 10_400);
    // The next sync is 3.33 s later, and holds everything until then.
    assert_eq!(effective(10_100, Endpoints), 13_400);
    assert_eq!(effective(13_000, Endpoints), 13_400);
    assert_eq!(effective(13_350, Endpoints), 17_400);
    assert_eq!(effective(30_000, Configuration), 30_300);
    assert_eq!(effective(30_001, Endpoints), 33_400);
}

#[test]
fn a_controller_is_found_by_its_pods_and_takes_its_classes() {
    let pod = |name: &str, args: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: ingress, labels: {{app: ingress}}}}, \
             spec: {{containers: [{{name: c, image: \"registry.k8s.io/ingress-nginx/controller:v1.13.0\", args: [/nginx-ingress-controller, {args}]}}]}}}}\n"
        )
    };
    let service = "---\n{apiVersion: v1, kind: Service, metadata: {name: in, namespace: ingress}, spec: {type: LoadBalancer, selector: {app: ingress}, ports: []}}\n";
    let other = "---\n{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: haproxy}, spec: {controller: haproxy.org/ingress}}\n";
    let annotated = "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: old, annotations: {kubernetes.io/ingress.class: nginx}}, spec: {}}\n\
                     ---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: foreign, annotations: {kubernetes.io/ingress.class: other}}, spec: {}}\n\
                     ---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: bare}, spec: {}}\n\
                     ---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ha}, spec: {ingressClassName: haproxy}}\n\
                     ---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: typo}, spec: {ingressClassName: ngnix}}\n";
    let args = "--sync-rate-limit=2.5, --default-backend-service=ingress/errors";
    let text = [
        CLASS,
        "\n",
        &pod("c-1", args),
        &pod("c-2", args),
        &pod("own", "--watch-ingress-without-class=true, --watch-namespace=$(POD_NAMESPACE)"),
        service,
        other,
        annotated,
    ];
    let view = view(&text.concat());
    let all = Controller::all(&view);
    assert_eq!(all.len(), 2);
    let [first, second] = &all[..] else { panic!() };
    assert_eq!((first.pods.len(), first.sync_interval), (2, SimDuration::from_millis(400)));
    assert_eq!(first.default_backend, Some(Key::new("ingress", "errors")));
    assert_eq!(first.services, [Key::new("ingress", "in")]);
    assert!(second.takes_unclassed);
    let takes = |name: &str| first.takes(&view, view.ingresses.get(&Key::new("default", name)).unwrap());
    assert_eq!(takes("old"), Ok(()));
    assert_eq!(takes("foreign"), Err(Refusal::OtherAnnotation("other".into())));
    assert_eq!(takes("bare"), Err(Refusal::NoClass));
    assert_eq!(takes("ha"), Err(Refusal::OtherController("haproxy".into(), "haproxy.org/ingress".into())));
    assert_eq!(takes("typo"), Err(Refusal::UnknownClass("ngnix".into())));
    let bare = view.ingresses.get(&Key::new("default", "bare")).unwrap();
    assert_eq!(second.takes(&view, bare), Err(Refusal::OtherNamespace));
}
