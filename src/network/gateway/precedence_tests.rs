//! Which of several matches takes a request (`HTTPRouteRule.matches` of the Gateway API).

use crate::network::testing::view;

use super::*;

const GATEWAY: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: a-b}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec: {gatewayClassName: c, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}
"#;

/// A route whose rules lead to backends with the names of the matches' places; `of`: namespace, name, second of creation.
fn route((namespace, name, second): (&str, &str, u32), hostname: &str, rules: &[(&str, &str)]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .map(|(backend, one)| format!("{{matches: [{{{one}}}], backendRefs: [{{name: {backend}, port: 80}}]}}"))
        .collect();
    let parents = "[{name: gw, namespace: default}]";
    format!(
        "\n---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: {name}, namespace: {namespace}, \
         creationTimestamp: \"2026-01-01T00:00:{second:02}Z\"}}, spec: {{parentRefs: {parents}, hostnames: [\"{hostname}\"], rules: [{}]}}}}",
        rules.join(", ")
    )
}

/// The backend of the rule that takes a `GET` of `/shop/cart` with two headers and two parameters.
fn taker(routes: &str) -> String {
    let routes = HttpRoutes::compile(&view(&format!("{GATEWAY}{routes}")), &Key::new("default", "gw"));
    let request = GatewayRequest {
        is_tls: false,
        host: "www.example.com",
        port: 80,
        path: "/shop/cart",
        method: "GET",
        headers: &[("h", "1"), ("i", "1")],
        query: &[("q", "1"), ("r", "1")],
    };
    match routes.answer(&request) {
        Answer::Forward { rule, .. } => rule.backends[0].service.name.to_string(),
        other => panic!("{other:?}"),
    }
}

const HEADERS: &str = "headers: [{name: h, value: \"1\"}, {name: i, value: \"1\"}]";
const ONE_HEADER: &str = "headers: [{name: h, value: \"1\"}]";
const QUERY: &str = "queryParams: [{name: q, value: \"1\"}, {name: r, value: \"1\"}]";
const ONE_PARAMETER: &str = "queryParams: [{name: q, value: \"1\"}]";

#[test]
fn the_first_criterion_in_which_two_matches_differ_decides_whatever_their_order_and_age() {
    let everything = format!("method: GET, {HEADERS}, {QUERY}");
    let exact = "path: {type: Exact, value: /shop/cart}";
    let rows = [
        (exact.to_owned(), "path: {value: /shop/cart}".to_owned()),
        (exact.to_owned(), format!("path: {{value: /shop/cart}}, {everything}")),
        ("path: {value: /shop/cart}".to_owned(), "path: {value: /shop}".to_owned()),
        ("path: {value: /shop/cart}".to_owned(), format!("path: {{value: /shop}}, {everything}")),
        // Characters count, not elements.
        ("path: {value: /shop/}".to_owned(), format!("path: {{value: /shop}}, {everything}")),
        ("path: {value: /shop}, method: GET".to_owned(), "path: {value: /shop}".to_owned()),
        ("path: {value: /}, method: GET".to_owned(), format!("path: {{value: /}}, {HEADERS}, {QUERY}")),
        (HEADERS.to_owned(), ONE_HEADER.to_owned()),
        (HEADERS.to_owned(), format!("{ONE_HEADER}, {QUERY}")),
        (ONE_HEADER.to_owned(), QUERY.to_owned()),
        (format!("{ONE_HEADER}, {QUERY}"), format!("{ONE_HEADER}, {ONE_PARAMETER}")),
        (QUERY.to_owned(), ONE_PARAMETER.to_owned()),
        (ONE_PARAMETER.to_owned(), "path: {value: /}".to_owned()),
        // A header that is named twice counts once.
        (HEADERS.to_owned(), "headers: [{name: h, value: \"1\"}, {name: H, value: \"2\"}]".to_owned()),
    ];
    for (stronger, weaker) in &rows {
        let (stronger, weaker) = (("stronger", stronger.as_str()), ("weaker", weaker.as_str()));
        let host = "www.example.com";
        let (old, new) = (("a", "a", 1), ("a", "b", 2));
        for routes in [
            route(old, host, &[stronger, weaker]),
            route(old, host, &[weaker, stronger]),
            route(old, host, &[weaker]) + &route(new, host, &[stronger]),
            route(new, host, &[weaker]) + &route(old, host, &[stronger]),
        ] {
            assert_eq!(taker(&routes), "stronger", "{stronger:?} and {weaker:?} in {routes}");
        }
    }
}

#[test]
fn the_more_specific_host_decides_before_anything_else() {
    let exact = ("weaker", "path: {type: Exact, value: /shop/cart}");
    for (stronger, weaker) in [("www.example.com", "*.example.com"), ("*.example.com", "*.com")] {
        let routes = route(("a", "a", 1), weaker, &[exact]) + &route(("a", "b", 2), stronger, &[("stronger", "")]);
        assert_eq!(taker(&routes), "stronger", "{stronger} and {weaker}");
    }
}

#[test]
fn ties_go_to_the_older_route_then_by_namespace_and_name_then_to_the_earlier_rule() {
    let host = "www.example.com";
    for (first, second, why) in [
        (("a", "z", 1), ("a", "a", 2), "it is older"),
        (("a-b", "z", 1), ("a", "a", 2), "it is older"),
        (("a", "a", 1), ("a", "b", 1), "its name comes first"),
        // `-` comes before `/`.
        (("a-b", "a", 1), ("a", "a", 1), "a-b/a comes before a/a"),
    ] {
        let (winner, loser) = (("winner", ONE_HEADER), ("loser", ONE_HEADER));
        let (winner, loser) = (route(first, host, &[winner]), route(second, host, &[loser]));
        for routes in [format!("{winner}{loser}"), format!("{loser}{winner}")] {
            assert_eq!(taker(&routes), "winner", "{first:?} before {second:?}: {why}");
        }
    }
    assert_eq!(taker(&route(("a", "a", 1), host, &[("winner", HEADERS), ("loser", HEADERS)])), "winner");
}
