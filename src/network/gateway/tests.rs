use crate::network::testing::view;

use super::*;

const GATEWAY: &str = r#"
{apiVersion: v1, kind: Service, metadata: {name: v1}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: v2}, spec: {ports: [{port: 80}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec: {gatewayClassName: c, listeners: [{name: http, port: 80, protocol: HTTP}]}
"#;

fn routes(manifests: &str) -> HttpRoutes {
    HttpRoutes::compile(&view(&format!("{GATEWAY}{manifests}")), &Key::new("default", "gw"))
}

fn route(name: &str, spec: &str) -> String {
    format!(
        "\n---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: {name}}}, spec: {{parentRefs: [{{name: gw}}], {spec}}}}}"
    )
}

/// A `GET` of `http://HOST/PATH`.
fn get<'r>(host: &'r str, path: &'r str) -> GatewayRequest<'r> {
    GatewayRequest { is_tls: false, host, port: 80, path, method: "GET", headers: &[], query: &[] }
}

/// Backends with weights, or a status.
fn said(routes: &HttpRoutes, request: &GatewayRequest<'_>) -> String {
    match routes.answer(request) {
        Answer::NotListening => "refused".to_owned(),
        Answer::NoCertificate => "no certificate".to_owned(),
        Answer::NoRule(listener) => format!("404 {}", listener.unwrap_or("-")),
        Answer::Redirect { status, to, .. } => format!("{status} {to}"),
        Answer::Forward { rule, .. } => {
            let share = |backend: &WeightedBackend| {
                let name =
                    backend.fault.as_ref().map_or_else(|| backend.service.name.to_string(), |_| "500".to_owned());
                format!("{name}:{}", backend.weight)
            };
            rule.backends.iter().map(share).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn the_most_specific_match_takes_a_request_and_weights_divide_it() {
    let routes = routes(
        &(route(
            "shop",
            r#"hostnames: [shop.example.com, "*.example.org"], rules: [
  {matches: [{path: {type: PathPrefix, value: /cart}}], backendRefs: [{name: v1, port: 80, weight: 90}, {name: v2, port: 80, weight: 10}]},
  {matches: [{path: {type: Exact, value: /cart}}], backendRefs: [{name: v1, port: 80}]},
  {matches: [{path: {value: /cart/pay}, method: POST}, {path: {value: /cart/pay}, headers: [{name: X-Canary, value: "yes"}]}], backendRefs: [{name: v2, port: 80}]},
  {matches: [{path: {value: /gone}}], backendRefs: [{name: nowhere, port: 80}, {name: v1, port: 81}, {name: v1, port: 80}]},
  {matches: [{path: {value: /zero}}], backendRefs: [{name: v1, port: 80, weight: 0}]}]"#,
        ) + &route("other", r#"hostnames: ["*.example.com"], rules: [{backendRefs: [{name: v2, port: 80}]}]"#)
            + "\n---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: foreign}, spec: {parentRefs: [{name: another}], rules: [{backendRefs: [{name: v1, port: 80}]}]}}"),
    );
    for (host, path, expected) in [
        ("shop.example.com", "/cart/1", "v1:90 v2:10"),
        ("SHOP.example.com", "/cart", "v1:1"),
        // No rule of the route for the host itself fits; the wildcard's does.
        ("shop.example.com", "/cartoon", "v2:1"),
        ("shop.example.com", "/cart/pay", "v1:90 v2:10"),
        ("shop.example.com", "/gone", "500:1 500:1 v1:1"),
        ("shop.example.com", "/zero", "v1:0"),
        // Unlike in an Ingress, a wildcard stands for any number of labels.
        ("a.b.example.com", "/cart/1", "v2:1"),
        ("example.com", "/", "404 http"),
        ("a.example.org", "/cart/1", "v1:90 v2:10"),
        ("a.example.org", "/", "404 http"),
    ] {
        assert_eq!(said(&routes, &get(host, path)), expected, "{host}{path}");
    }
    let pay = get("shop.example.com", "/cart/pay");
    assert_eq!(said(&routes, &GatewayRequest { method: "POST", ..pay }), "v2:1");
    assert_eq!(said(&routes, &GatewayRequest { headers: &[("x-canary", "yes")], ..pay }), "v2:1");
}

#[test]
fn precedence_is_path_then_method_then_headers_then_parameters() {
    let rule = |matches: &str, port: u16| {
        format!("{{matches: [{{{matches}}}], backendRefs: [{{name: p{port}, port: {port}}}]}}")
    };
    let rules = [
        rule("path: {value: /}", 1),
        rule("path: {value: /a}", 2),
        rule("path: {type: Exact, value: /a}", 3),
        rule("path: {type: RegularExpression, value: \"/[ab]\"}", 4),
        rule("path: {value: /}, method: PUT", 5),
        rule("path: {value: /}, headers: [{name: h, value: \"1\"}]", 6),
        rule("path: {value: /}, headers: [{name: h, value: \"1\"}, {name: i, value: \"1\"}]", 7),
        rule("path: {value: /}, queryParams: [{name: q, value: \"1\"}]", 8),
        rule(
            "path: {value: /}, queryParams: [{name: q, type: RegularExpression, value: \"1+\"}, {name: r, value: \"1\"}]",
            9,
        ),
    ];
    let routes = routes(&route("all", &format!("rules: [{}]", rules.join(", "))));
    let taker = |request: &GatewayRequest<'_>| match routes.answer(request) {
        Answer::Forward { rule, .. } => rule.backends[0].port,
        other => panic!("{other:?}"),
    };
    let (h, hi, q, qr) = ([("H", "1")], [("h", "1"), ("I", "1")], [("q", "1")], [("q", "11"), ("r", "1")]);
    for (request, expected) in [
        (get("x", "/c"), 1),
        (get("x", "/a/b"), 2),
        (get("x", "/a"), 3),
        (get("x", "/b"), 4),
        (GatewayRequest { method: "PUT", ..get("x", "/c") }, 5),
        (GatewayRequest { method: "PUT", headers: &h, ..get("x", "/c") }, 5),
        (GatewayRequest { headers: &h, query: &qr, ..get("x", "/c") }, 6),
        (GatewayRequest { headers: &hi, ..get("x", "/c") }, 7),
        (GatewayRequest { query: &q, ..get("x", "/c") }, 8),
        (GatewayRequest { query: &qr, ..get("x", "/c") }, 9),
        // Names of parameters have a case.
        (GatewayRequest { query: &[("Q", "1")], ..get("x", "/c") }, 1),
    ] {
        assert_eq!(taker(&request), expected, "{request:?}");
    }
}

#[test]
fn of_equal_matches_the_older_route_wins_then_the_first_by_name_then_the_first_rule() {
    let with = |name: &str, at: &str, port: u16| {
        route(
            name,
            &format!("rules: [{{backendRefs: [{{name: a, port: {port}}}]}}, {{backendRefs: [{{name: b, port: 99}}]}}]"),
        )
        .replace("}, spec", &format!(", creationTimestamp: \"{at}\"}}, spec"))
    };
    let taker = |manifests: &str| match routes(manifests).answer(&get("x", "/")) {
        Answer::Forward { rule, .. } => rule.backends[0].port,
        other => panic!("{other:?}"),
    };
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
    assert_eq!(taker(&(with("b", early, 1) + &with("a", late, 2))), 1);
    assert_eq!(taker(&(with("b", early, 1) + &with("a", early, 2))), 2);
}

#[test]
fn a_rule_without_backends_has_none() {
    assert_eq!(said(&routes(&route("r", "rules: [{}]")), &get("x", "/")), "");
}

const LISTENERS: &str = r#"
{apiVersion: v1, kind: Service, metadata: {name: v1}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: v2}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: cert}, data: {tls.crt: YQ==, tls.key: YQ==}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: c
  listeners:
  - {name: any, port: 80, protocol: HTTP}
  - {name: wild, port: 80, protocol: HTTP, hostname: "*.example.com"}
  - {name: one, port: 80, protocol: HTTP, hostname: a.example.com}
  - {name: other-port, port: 8080, protocol: HTTP}
  - {name: safe, port: 443, protocol: HTTPS, hostname: a.example.com, tls: {certificateRefs: [{name: cert}]}}
  - {name: unsafe, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: missing}]}}
"#;

fn at_listeners(manifests: &str) -> HttpRoutes {
    HttpRoutes::compile(&view(&format!("{LISTENERS}{manifests}")), &Key::new("default", "gw"))
}

fn attached(name: &str, parent: &str, hosts: &str, backend: &str) -> String {
    format!(
        "\n---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: {name}}}, spec: {{parentRefs: [{{name: gw, {parent}}}], hostnames: [{hosts}], rules: [{{backendRefs: [{{name: {backend}, port: 80}}]}}]}}}}"
    )
}

#[test]
fn only_the_most_specific_listener_for_a_host_takes_a_request() {
    let routes = at_listeners(
        &(attached("any", "sectionName: any", "", "v1")
            + &attached("wild", "sectionName: wild", "\"*.b.example.com\"", "v2")),
    );
    for (host, expected) in [
        ("x.org", "v1:1"),
        ("x.b.example.com", "v2:1"),
        // Its listener is `wild`, and the route there is for other hosts.
        ("c.example.com", "404 wild"),
        ("a.example.com", "404 one"),
    ] {
        assert_eq!(said(&routes, &get(host, "/")), expected, "{host}");
    }
}

#[test]
fn routes_attach_by_section_name_and_port() {
    let to = |parent: &str| at_listeners(&attached("r", parent, "", "v1"));
    let on = |routes: &HttpRoutes, port: u16| said(routes, &GatewayRequest { port, ..get("x.org", "/") });
    let everywhere = to("");
    assert_eq!([on(&everywhere, 80), on(&everywhere, 8080)], ["v1:1", "v1:1"]);
    let by_port = to("port: 8080");
    assert_eq!([on(&by_port, 80), on(&by_port, 8080)], ["404 any", "v1:1"]);
    let by_name = to("sectionName: any");
    assert_eq!([on(&by_name, 80), on(&by_name, 8080)], ["v1:1", "404 other-port"]);
    let both = to("sectionName: any, port: 8080");
    assert_eq!([on(&both, 80), on(&both, 8080)], ["404 any", "404 other-port"]);
}

#[test]
fn tls_needs_a_listener_with_a_certificate_for_the_host() {
    let routes = at_listeners(&attached("r", "", "", "v1"));
    let tls = |host: &'static str, port: u16| said(&routes, &GatewayRequest { is_tls: true, port, ..get(host, "/") });
    assert_eq!(tls("a.example.com", 443), "v1:1");
    assert_eq!(tls("b.example.com", 443), "no certificate");
    // A listener without its certificate is not programmed; the port is then as one of the nodes.
    assert_eq!(tls("b.example.com", 8443), "no certificate");
    assert_eq!(said(&routes, &GatewayRequest { port: 443, ..get("a.example.com", "/") }), "refused");
    // A port of the nodes leads to the listeners for the scheme.
    assert_eq!(tls("a.example.com", 30_443), "v1:1");
}

#[test]
fn nobody_listens_for_a_gateway_that_is_not_there() {
    let routes = HttpRoutes::compile(&view(&attached("r", "", "", "v1")), &Key::new("default", "gw"));
    assert_eq!(said(&routes, &get("x", "/")), "refused");
}

#[test]
fn redirects_keep_what_they_do_not_name() {
    let redirect = |fields: &str| {
        let filter = format!("{{type: RequestRedirect, requestRedirect: {{{fields}}}}}");
        routes(&route("r", &format!("rules: [{{matches: [{{path: {{value: /old}}}}], filters: [{filter}]}}]")))
    };
    for (fields, expected) in [
        ("hostname: new.example.com", "302 http://new.example.com/old/x"),
        ("scheme: https", "302 https://shop/old/x"),
        ("scheme: https, port: 8443, statusCode: 301", "301 https://shop:8443/old/x"),
        ("port: 8080", "302 http://shop:8080/old/x"),
        ("path: {type: ReplaceFullPath, replaceFullPath: /new}", "302 http://shop/new"),
        ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}", "302 http://shop/new/x"),
        ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /}", "302 http://shop/x"),
        ("statusCode: 308", "308 http://shop/old/x"),
    ] {
        assert_eq!(said(&redirect(fields), &get("shop", "/old/x")), expected, "{fields}");
    }
}

#[test]
fn backends_get_requests_as_filters_make_them() {
    let sent = |filters: &str, path: &str| {
        let rule = format!("rules: [{{matches: [{{path: {{value: /old}}}}], {filters}}}]");
        let routes = routes(&route("r", &rule));
        let request = GatewayRequest { headers: &[("X-A", "1"), ("x-b", "2")], ..get("shop", path) };
        let Answer::Forward { rule, by } = routes.answer(&request) else { panic!("not forwarded") };
        let Forwarded { host, path, headers } = rule.forwarded(&request, by, &rule.backends[0]);
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{host} {path} {}", headers.join(" "))
    };
    let to = "backendRefs: [{name: v1, port: 80}]";
    let rewrite = |path: &str| format!("filters: [{{type: URLRewrite, urlRewrite: {{path: {{{path}}}}}}}], {to}");
    let prefix = |new: &str| rewrite(&format!("type: ReplacePrefixMatch, replacePrefixMatch: \"{new}\""));
    assert_eq!(sent(to, "/old/x"), "shop /old/x X-A=1 x-b=2");
    // The table of `HTTPPathModifier.replacePrefixMatch`.
    for (new, path, expected) in [
        ("/xyz", "/old/bar", "/xyz/bar"),
        ("/xyz/", "/old/bar", "/xyz/bar"),
        ("/xyz", "/old", "/xyz"),
        ("/xyz", "/old/", "/xyz/"),
        ("", "/old/bar", "/bar"),
        ("", "/old/", "/"),
        ("", "/old", "/"),
        ("/", "/old/bar", "/bar"),
        ("/", "/old", "/"),
    ] {
        assert_eq!(sent(&prefix(new), path), format!("shop {expected} X-A=1 x-b=2"), "{new:?} {path}");
    }
    assert_eq!(sent(&rewrite("type: ReplaceFullPath, replaceFullPath: /all"), "/old/x"), "shop /all X-A=1 x-b=2");
    let headers = format!(
        "filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-a, value: '3'}}], add: [{{name: x-b, value: '4'}}], remove: [X-C]}}}}, {{type: URLRewrite, urlRewrite: {{hostname: inner}}}}], {to}"
    );
    assert_eq!(sent(&headers, "/old"), "inner /old x-b=2 x-a=3 x-b=4");
    // Filters of a backend come after those of its rule.
    let of_backend = "backendRefs: [{name: v1, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-a, x-b]}}]}]";
    assert_eq!(sent(of_backend, "/old"), "shop /old ");
}

#[test]
fn timeouts_of_a_rule_are_the_shorter_of_both() {
    let timeout = |timeouts: &str| {
        let routes = routes(&route(
            "r",
            &format!("rules: [{{timeouts: {{{timeouts}}}, backendRefs: [{{name: v1, port: 80}}]}}]"),
        ));
        match routes.answer(&get("x", "/")) {
            Answer::Forward { rule, .. } => rule.timeout,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(timeout("request: 10s, backendRequest: 500ms"), Some(SimDuration::from_millis(500)));
    assert_eq!(timeout("request: 1m30s"), Some(SimDuration::from_secs(90)));
    assert_eq!(timeout("request: 0s"), None);
}

#[test]
fn a_pattern_that_is_none_has_no_effect_and_is_told() {
    let routes = routes(&route(
        "r",
        "rules: [{matches: [{path: {type: RegularExpression, value: \"[\"}}], backendRefs: [{name: v1, port: 80}]}]",
    ));
    assert_eq!(said(&routes, &get("x", "/")), "404 http");
    assert_eq!(
        routes.notices,
        [(Key::new("default", "r"), "a match has no effect: \"[\" is no pattern that can be used".to_owned())]
    );
}
