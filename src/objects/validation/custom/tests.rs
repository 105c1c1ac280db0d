use proptest::prelude::*;
use serde_json::{Value, json};

use crate::objects::Object;
use crate::objects::defaults;
use crate::objects::defaults::Subresource;
use crate::objects::validation::{validate_create, validate_update};

const VERSION: &str = "gateway.networking.k8s.io/v1";

fn document(kind: &str, spec: Value) -> Value {
    let mut object =
        json!({"apiVersion": VERSION, "kind": kind, "metadata": {"name": "x", "namespace": "default"}, "spec": spec});
    if kind == "GatewayClass" {
        object["metadata"] = json!({"name": "x"});
    }
    defaults::apply(kind, VERSION, &mut object);
    object
}

fn faults(kind: &str, spec: Value) -> Vec<String> {
    validate_create(kind, &document(kind, spec)).iter().map(ToString::to_string).collect()
}

fn gateway(listeners: Value) -> Vec<String> {
    faults("Gateway", json!({"gatewayClassName": "mine", "listeners": listeners}))
}

fn rule(rule: Value) -> Vec<String> {
    faults("HTTPRoute", json!({"parentRefs": [{"name": "gw"}], "rules": [rule]}))
}

const NOT_CHECKED: &str = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

#[test]
fn what_is_usual_is_valid() {
    let none: [&str; 0] = [];
    assert_eq!(faults("GatewayClass", json!({"controllerName": "example.com/gateway-controller"})), none);
    assert_eq!(
        gateway(json!([
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "a", "port": 443, "protocol": "HTTPS", "hostname": "a.example.com", "tls": {"certificateRefs": [{"name": "a"}]}},
            {"name": "b", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com", "tls": {"certificateRefs": [{"name": "b"}]}},
        ])),
        none
    );
    assert_eq!(rule(json!({"backendRefs": [{"name": "web", "port": 80}]})), none);
    let to = json!([{"group": "", "kind": "Service"}]);
    let from = json!([{"group": VERSION.split('/').next(), "kind": "HTTPRoute", "namespace": "shop"}]);
    assert_eq!(faults("ReferenceGrant", json!({"from": from, "to": to})), none);
}

#[test]
fn schemas_are_kept_in_the_words_of_the_api_server() {
    assert_eq!(
        faults("Gateway", json!({})),
        ["spec.gatewayClassName: Required value", "spec.listeners: Required value", NOT_CHECKED]
    );
    assert_eq!(
        gateway(json!([])),
        ["spec.listeners: Invalid value: 0: spec.listeners in body should have at least 1 items"]
    );
    assert_eq!(
        gateway(
            json!([{"name": "http", "port": 0, "protocol": "HTTP"}, {"name": "b", "port": 65_536, "protocol": "HTTP"}])
        ),
        [
            "spec.listeners[0].port: Invalid value: 0: spec.listeners[0].port in body should be greater than or equal to 1",
            "spec.listeners[1].port: Invalid value: 65536: spec.listeners[1].port in body should be less than or equal to 65535",
        ]
    );
    assert_eq!(
        gateway(json!([{"name": "h", "port": 80, "protocol": "HTTP", "hostname": "Shop.example.com"}])),
        [
            r#"spec.listeners[0].hostname: Invalid value: "Shop.example.com": spec.listeners[0].hostname in body should match '^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'"#
        ]
    );
    assert_eq!(
        rule(json!({"matches": [{"path": {"type": "Prefix"}, "method": "get"}]})),
        [
            r#"spec.rules[0].matches[0].method: Unsupported value: "get": supported values: "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH""#,
            r#"spec.rules[0].matches[0].path.type: Unsupported value: "Prefix": supported values: "Exact", "PathPrefix", "RegularExpression""#,
            NOT_CHECKED,
        ]
    );
    let redirect = json!({"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 304}}]});
    assert_eq!(
        rule(redirect),
        [
            r#"spec.rules[0].filters[0].requestRedirect.statusCode: Unsupported value: 304: supported values: "301", "302", "303", "307", "308""#,
            NOT_CHECKED
        ]
    );
    let many: Vec<Value> = (0..17).map(|_| json!({})).collect();
    assert_eq!(
        faults("HTTPRoute", json!({"rules": many})),
        ["spec.rules: Too many: 17: must have at most 16 items", NOT_CHECKED]
    );
    assert_eq!(
        faults("HTTPRoute", json!({"hostnames": ["a".repeat(254)]}))[0],
        "spec.hostnames[0]: Too long: may not be more than 253 bytes"
    );
    assert_eq!(
        faults("HTTPRoute", json!({"hostnames": [1]})),
        [
            r#"spec.hostnames[0]: Invalid value: "integer": spec.hostnames[0] in body must be of type string: "integer""#,
            NOT_CHECKED
        ]
    );
    assert_eq!(
        rule(
            json!({"matches": [{"headers": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}, {"name": "a", "value": "3"}]}]})
        ),
        [r#"spec.rules[0].matches[0].headers[1]: Duplicate value: {"name":"a"}"#]
    );
    assert_eq!(
        faults("ReferenceGrant", json!({"from": [], "to": [{"kind": "Service"}]}))[1],
        "spec.to[0].group: Required value"
    );
    assert!(
        faults("GatewayClass", json!({"controllerName": "no-domain"}))[0].starts_with(
            r#"spec.controllerName: Invalid value: "no-domain": spec.controllerName in body should match"#
        )
    );
}

#[test]
fn listeners_keep_the_rules_of_their_definition() {
    let http = |changes: Value| {
        let mut listener = json!({"name": "a", "port": 80, "protocol": "HTTP"});
        listener.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        listener
    };
    for (listeners, fault) in [
        (
            json!([http(json!({"tls": {"certificateRefs": [{"name": "c"}]}}))]),
            "spec.listeners: Invalid value: tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
        ),
        (
            json!([http(json!({"protocol": "HTTPS", "tls": {"mode": "Passthrough"}}))]),
            "spec.listeners: Invalid value: tls mode must be Terminate for protocol HTTPS",
        ),
        (
            json!([http(json!({"protocol": "TLS"}))]),
            "spec.listeners: Invalid value: tls mode must be set for protocol TLS",
        ),
        (
            json!([http(json!({"protocol": "TCP", "hostname": "a"}))]),
            "spec.listeners: Invalid value: hostname must not be specified for protocols ['TCP', 'UDP']",
        ),
        (
            json!([http(json!({})), http(json!({"name": "b"}))]),
            "spec.listeners: Invalid value: Combination of port, protocol and hostname must be unique for each listener",
        ),
        (
            json!([http(json!({"protocol": "HTTPS", "tls": {}}))]),
            "spec.listeners[0].tls: Invalid value: certificateRefs or options must be specified when mode is Terminate",
        ),
    ] {
        assert_eq!(gateway(listeners), [fault]);
    }
    let twice = gateway(json!([http(json!({})), http(json!({"port": 81}))]));
    assert_eq!(twice[0], r#"spec.listeners[1]: Duplicate value: {"name":"a"}"#);
    assert_eq!(twice[1], "spec.listeners: Invalid value: Listener name must be unique within the Gateway");
}

#[test]
fn rules_of_routes_keep_the_rules_of_their_definition() {
    let backend = json!([{"name": "web", "port": 80}]);
    let path = |kind: &str, value: &str| json!({"matches": [{"path": {"type": kind, "value": value}}]});
    let at_path = "spec.rules[0].matches[0].path: Invalid value: ";
    for (given, fault) in [
        (json!({"backendRefs": [{"name": "web"}]}), "spec.rules[0].backendRefs[0]: Invalid value: Must have port for Service reference".to_owned()),
        (
            json!({"backendRefs": backend, "filters": [{"type": "RequestRedirect", "requestRedirect": {}}]}),
            "spec.rules[0]: Invalid value: RequestRedirect filter must not be used together with backendRefs".to_owned(),
        ),
        (
            json!({"filters": [{"type": "URLRewrite"}]}),
            "spec.rules[0].filters[0]: Invalid value: filter.urlRewrite must be specified for URLRewrite filter.type".to_owned(),
        ),
        (
            json!({"filters": [{"type": "CORS", "cors": {}, "urlRewrite": {}}]}),
            "spec.rules[0].filters[0]: Invalid value: filter.urlRewrite must be nil if the filter.type is not URLRewrite".to_owned(),
        ),
        (
            json!({"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {}}, {"type": "RequestHeaderModifier", "requestHeaderModifier": {}}]}),
            "spec.rules[0].filters: Invalid value: RequestHeaderModifier filter cannot be repeated".to_owned(),
        ),
        (
            json!({"matches": [{"path": {"type": "Exact", "value": "/a"}}],
                   "filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}]}),
            "spec.rules[0]: Invalid value: When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified".to_owned(),
        ),
        (
            json!({"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath"}}}]}),
            "spec.rules[0].filters[0].urlRewrite.path: Invalid value: replaceFullPath must be specified when type is set to 'ReplaceFullPath'".to_owned(),
        ),
        (
            json!({"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "m", "port": 1}, "fraction": {"numerator": 3, "denominator": 2}}}]}),
            "spec.rules[0].filters[0].requestMirror.fraction: Invalid value: numerator must be less than or equal to denominator".to_owned(),
        ),
        (
            json!({"timeouts": {"request": "1s", "backendRequest": "2s"}}),
            "spec.rules[0].timeouts: Invalid value: backendRequest timeout cannot be longer than request timeout".to_owned(),
        ),
        (path("PathPrefix", "cart"), format!("{at_path}value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']")),
        (path("Exact", "/a//b"), format!("{at_path}must not contain '//' when type one of ['Exact', 'PathPrefix']")),
        (path("Exact", "/a/.."), format!("{at_path}must not end with '/..' when type one of ['Exact', 'PathPrefix']")),
        (
            path("Exact", "/a b"),
            format!("{at_path}must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{{2}})+$) for types ['Exact', 'PathPrefix']"),
        ),
    ] {
        assert_eq!(rule(given.clone()), [fault], "{given}");
    }
    assert_eq!(rule(path("RegularExpression", "^/a b$")), [""; 0]);
}

#[test]
fn references_to_one_parent_name_different_listeners() {
    let route = |parents: Value| faults("HTTPRoute", json!({"parentRefs": parents}));
    assert_eq!(
        route(json!([{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "y"}, {"name": "b"}])),
        [""; 0]
    );
    assert_eq!(
        route(json!([{"name": "a", "sectionName": "x"}, {"name": "a"}])),
        [
            "spec.parentRefs: Invalid value: sectionName must be specified when parentRefs includes 2 or more references to the same parent"
        ]
    );
    assert_eq!(
        route(json!([{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "x"}])),
        [
            "spec.parentRefs: Invalid value: sectionName must be unique when parentRefs includes 2 or more references to the same parent"
        ]
    );
}

#[test]
fn a_class_keeps_its_controller() {
    let class = |name: &str| document("GatewayClass", json!({"controllerName": name}));
    let errors = validate_update("GatewayClass", &class("x.io/b"), &class("x.io/a"), Subresource::None);
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        texts.contains(&r#"spec.controllerName: Invalid value: "x.io/b": field is immutable"#.to_owned()),
        "{texts:?}"
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..70_000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(HTTPS?|TLS|Exact|PathPrefix|RegularExpression|/|/a//b|\\*\\.x|x|1h2m|ReplacePrefixMatch|RequestRedirect|URLRewrite|\\PC{0,6})".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}, null, 1])),
        Just(json!({"name": "x", "port": 80})),
    ]
}

/// Whole objects of each kind, to be changed at random places.
fn whole() -> [Value; 4] {
    let filters = json!([
        {"type": "URLRewrite", "urlRewrite": {"hostname": "x", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}},
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}], "remove": ["c"]}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "m", "port": 80}, "fraction": {"numerator": 1}}},
    ]);
    let matches = json!([{"path": {"type": "PathPrefix", "value": "/a"}, "headers": [{"name": "a", "value": "b"}], "method": "GET"}]);
    [
        document("GatewayClass", json!({"controllerName": "x.io/y", "description": "z"})),
        document(
            "Gateway",
            json!({"gatewayClassName": "c", "addresses": [{"value": "10.0.0.1"}], "infrastructure": {"labels": {"a": "b"}}, "listeners": [
                {"name": "a", "port": 80, "protocol": "HTTP", "hostname": "*.x"},
                {"name": "b", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "c"}]},
                 "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {}}, "kinds": [{"kind": "HTTPRoute"}]}},
            ]}),
        ),
        document(
            "HTTPRoute",
            json!({"parentRefs": [{"name": "gw", "sectionName": "a"}], "hostnames": ["a.x"], "rules": [
                {"matches": matches, "filters": filters, "backendRefs": [{"name": "s", "port": 80, "weight": 2}], "timeouts": {"request": "1s"}},
            ]}),
        ),
        document(
            "ReferenceGrant",
            json!({"from": [{"group": "", "kind": "A", "namespace": "n"}], "to": [{"group": "", "kind": "B", "name": "x"}]}),
        ),
    ]
}

/// Every place in a document.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), all)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{at}/{n}"), all)),
        _ => {}
    }
}

proptest! {
    /// Whatever somebody writes is completed, once and for all, and refused or made an object that is written as it was.
    #[test]
    fn any_change_of_an_object_is_refused_or_makes_one(which in 0..4_usize, changes in prop::collection::vec((0..200_usize, any_value()), 1..4)) {
        let mut object = whole()[which].clone();
        for (place, value) in changes {
            let mut all = Vec::new();
            places(&object["spec"], "/spec", &mut all);
            let at = all[place % all.len()].clone();
            if let Some(changed) = object.pointer_mut(&at) {
                *changed = value;
            }
        }
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        defaults::apply(&kind, VERSION, &mut object);
        let mut twice = object.clone();
        defaults::apply(&kind, VERSION, &mut twice);
        prop_assert_eq!(&twice, &object);
        if validate_create(&kind, &object).is_empty() {
            let typed = Object::from_wire(object.clone());
            prop_assert!(typed.is_ok(), "{:?} {}", typed.err(), object);
            let written = typed.map(|typed| typed.to_wire()).unwrap_or_default();
            let mut again = written.clone();
            defaults::apply(&kind, VERSION, &mut again);
            prop_assert!(validate_create(&kind, &again).is_empty(), "{}", written);
        }
    }
}
