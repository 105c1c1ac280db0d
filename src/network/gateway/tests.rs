use crate::kernel::{Purpose, Streams};
use crate::network::testing::view;

use super::*;

const ROUTES: &str = r#"
{apiVersion: v1, kind: Service, metadata: {name: v1}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: v2}, spec: {ports: [{port: 80}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gw}]
  hostnames: [shop.example.com, "*.example.org"]
  rules:
  - {matches: [{path: {type: PathPrefix, value: /cart}}], backendRefs: [{name: v1, port: 80, weight: 90}, {name: v2, port: 80, weight: 10}]}
  - {matches: [{path: {type: Exact, value: /cart}}], backendRefs: [{name: v1, port: 80}]}
  - {matches: [{path: {value: /cart/pay}, method: POST}, {path: {value: /cart/pay}, headers: [{name: X-Canary, value: "yes"}]}], backendRefs: [{name: v2, port: 80}]}
  - {matches: [{path: {value: /gone}}], backendRefs: [{name: nowhere, port: 80}, {name: v1, port: 80}]}
  - {matches: [{path: {value: /zero}}], backendRefs: [{name: v1, port: 80, weight: 0}]}
  - {matches: [{path: {value: /moved}}], filters: [{type: RequestRedirect, requestRedirect: {hostname: new}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: other}
spec:
  parentRefs: [{name: gw}]
  hostnames: ["*.example.com"]
  rules: [{backendRefs: [{name: v2, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: foreign}
spec: {parentRefs: [{name: another}], rules: [{backendRefs: [{name: v1, port: 80}]}]}
"#;

fn shares(host: &str, path: &str, method: &str, headers: &[(&str, &str)]) -> String {
    let view = view(ROUTES);
    let routes = HttpRoutes::compile(&view, &Key::new("default", "gw"));
    let mut stream = Streams::new(1).stream(Purpose::new(1), "gateway");
    let request = GatewayRequest { host, path, method, headers, query: &[] };
    let mut counts: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for _ in 0..1_000 {
        let name = match routes.answer(&request, &mut stream) {
            GatewayAnswer::Forward(backend) => backend.service.name.to_string(),
            GatewayAnswer::Status(status) => status.to_string(),
        };
        *counts.entry(name).or_default() += 1;
    }
    // In tenths.
    counts.into_iter().map(|(name, count)| format!("{name}:{}", (count + 50) / 100)).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_most_specific_match_takes_a_request_and_weights_divide_it() {
    for (host, path, expected) in [
        ("shop.example.com", "/cart/1", "v1:9 v2:1"),
        ("shop.example.com", "/cart", "v1:10"),
        ("shop.example.com", "/cartoon", "v2:10"),
        ("shop.example.com", "/cart/pay", "v1:9 v2:1"),
        ("shop.example.com", "/gone", "500:5 v1:5"),
        ("shop.example.com", "/zero", "500:10"),
        ("shop.example.com", "/moved/x", "302:10"),
        // Unlike in an Ingress, a wildcard stands for any number of labels.
        ("a.b.example.com", "/cart/1", "v2:10"),
        ("example.com", "/", "404:10"),
        ("a.example.org", "/cart/1", "v1:9 v2:1"),
        ("a.example.org", "/", "404:10"),
    ] {
        assert_eq!(shares(host, path, "GET", &[]), expected, "{host}{path}");
    }
    assert_eq!(shares("shop.example.com", "/cart/pay", "POST", &[]), "v2:10");
    assert_eq!(shares("shop.example.com", "/cart/pay", "GET", &[("x-canary", "yes")]), "v2:10");
}
