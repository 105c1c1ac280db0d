use serde_json::json;

use super::*;
use crate::objects::{Resource, defaults};

#[test]
fn what_goes_in_comes_out_with_defaults() {
    let mut gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "default"},
        "spec": {
            "gatewayClassName": "mine",
            "infrastructure": {"labels": {"a": "b"}},
            "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP"},
                {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com",
                 "tls": {"certificateRefs": [{"name": "cert"}]},
                 "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}}},
            ],
        },
    });
    defaults::apply("Gateway", "gateway.networking.k8s.io/v1", &mut gateway);
    let listeners = &gateway["spec"]["listeners"];
    assert_eq!(listeners[0]["allowedRoutes"], json!({"namespaces": {"from": "Same"}}));
    let secret = json!({"mode": "Terminate", "certificateRefs": [{"name": "cert", "group": "", "kind": "Secret"}]});
    assert_eq!(listeners[1]["tls"], secret);
    let mut written = Gateway::from_wire(gateway.clone()).unwrap().to_wire();
    written.take_field("status");
    assert_eq!(written, gateway);

    let mut route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "parentRefs": [{"name": "public", "sectionName": "http", "namespace": null}],
            "hostnames": ["shop.example.com"],
            "rules": [
                {"backendRefs": [{"name": "a", "port": 80, "weight": 0}], "timeouts": {"request": "10s"},
                 "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 80}, "percent": 0}}]},
                {"matches": [{"headers": [{"name": "x", "value": "y"}], "method": "GET"}],
                 "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "new.example.com"}}]},
            ],
        },
    });
    defaults::apply("HTTPRoute", "gateway.networking.k8s.io/v1", &mut route);
    let spec = &route["spec"];
    let parent = json!({"group": GATEWAY_GROUP, "kind": "Gateway", "name": "public", "sectionName": "http"});
    assert_eq!(spec["parentRefs"][0], parent);
    assert_eq!(spec["rules"][0]["matches"], json!([{"path": {"type": "PathPrefix", "value": "/"}}]));
    assert_eq!(spec["rules"][0]["backendRefs"][0]["weight"], 0);
    assert_eq!(spec["rules"][1]["filters"][0]["requestRedirect"]["statusCode"], 302);
    assert_eq!(HTTPRoute::from_wire(route.clone()).unwrap().to_wire(), route);
}

#[test]
fn a_route_without_rules_gets_one_that_takes_every_path() {
    let mut route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {}});
    defaults::apply("HTTPRoute", "gateway.networking.k8s.io/v1", &mut route);
    assert_eq!(route["spec"]["rules"], json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]));
}

#[test]
fn fields_that_the_schema_does_not_know_are_pruned() {
    let mut class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
                           "metadata": {"name": "c"}, "spec": {"controllerName": "x.io/y", "colour": "red"}});
    defaults::apply("GatewayClass", "gateway.networking.k8s.io/v1", &mut class);
    assert_eq!(class["spec"], json!({"controllerName": "x.io/y"}));
}

#[test]
fn a_grant_is_for_kinds_and_namespaces_and_maybe_for_one_name() {
    let grant = |to: Value| {
        let from = json!([{"group": GATEWAY_GROUP, "kind": "HTTPRoute", "namespace": "shop"}]);
        ReferenceGrant::from_wire(json!({"spec": {"from": from, "to": [to]}})).unwrap()
    };
    let any = grant(json!({"group": "", "kind": "Service"}));
    let one = grant(json!({"group": "", "kind": "Service", "name": "web"}));
    let route = (GATEWAY_GROUP, "HTTPRoute", "shop");
    assert!(any.allows(route, ("", "Service", "api")) && one.allows(route, ("", "Service", "web")));
    assert!(!one.allows(route, ("", "Service", "api")));
    assert!(!any.allows(route, ("", "Secret", "api")));
    assert!(!any.allows((GATEWAY_GROUP, "HTTPRoute", "other"), ("", "Service", "api")));
    assert!(!any.allows((GATEWAY_GROUP, "GRPCRoute", "shop"), ("", "Service", "api")));
}
