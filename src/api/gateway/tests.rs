use serde_json::{Value, json};

use super::*;
use crate::api::{Change, ChangeType, View};
use crate::objects::gateway::{GATEWAY_GROUP, Gateway, HTTPRoute, HttpBackendRef};
use crate::objects::{Object, Resource};

fn view(documents: &[Value]) -> View {
    let mut view = View::default();
    for document in documents {
        let object = Object::from_wire(document.clone()).expect("an object");
        view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
    }
    view
}

fn gateway(listeners: Value) -> Gateway {
    let metadata = json!({"name": "gw", "namespace": "infra"});
    Gateway::from_wire(json!({"metadata": metadata, "spec": {"listeners": listeners}})).expect("a gateway")
}

fn fault(view: &View, listener: Value) -> String {
    let first = json!({"name": "first", "port": 80, "protocol": "HTTP"});
    let gateway = gateway(json!([first, listener]));
    listener_fault(view, &gateway, &gateway.spec.listeners[1])
        .map(|fault| format!("{}: {fault}", fault.reason()))
        .unwrap_or_default()
}

#[test]
fn hosts_are_covered_by_wildcards_of_any_depth_and_intersect() {
    for (pattern, host, covered) in [
        ("", "a", true),
        ("*.x", "a.x", true),
        ("*.x", "b.a.x", true),
        ("*.x", "x", false),
        ("a.x", "a.x", true),
        ("a.x", "b.a.x", false),
    ] {
        assert_eq!(covers(pattern, host), covered, "{pattern} {host}");
    }
    for (listener, route, common) in [
        ("", "*.x", Some("*.x")),
        ("*.x", "a.x", Some("a.x")),
        ("a.x", "*.x", Some("a.x")),
        ("*.x", "*.a.x", Some("*.a.x")),
        ("*.a.x", "*.x", Some("*.a.x")),
        ("*.x", "*.x", Some("*.x")),
        ("*.x", "x", None),
        ("a.x", "b.x", None),
        ("*.x", "*.y", None),
    ] {
        assert_eq!(intersection(listener, route), common, "{listener} {route}");
    }
    assert!(specificity("a.x") > specificity("*.long.name.x") && specificity("*.a.x") > specificity("*.x"));
    assert!(specificity("*.x") > specificity(""));
}

#[test]
fn listeners_need_a_protocol_a_port_and_a_certificate() {
    let secret = |name: &str, namespace: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data});
    let whole = json!({"tls.crt": "YQ==", "tls.key": "YQ=="});
    let grant = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "granted"},
        "spec": {"from": [{"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": "infra"}], "to": [{"group": "", "kind": "Secret"}]}});
    let view = view(&[
        secret("cert", "infra", whole.clone()),
        secret("half", "infra", json!({"tls.crt": "YQ=="})),
        secret("cert", "granted", whole.clone()),
        secret("cert", "other", whole),
        grant,
    ]);
    let https = |reference: Value| json!({"name": "s", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [reference]}});
    for (listener, expected) in [
        (json!({"name": "t", "port": 81, "protocol": "HTTP"}), ""),
        (json!({"name": "t", "port": 81, "protocol": "TCP"}), "UnsupportedProtocol: protocol TCP is not supported"),
        (
            json!({"name": "t", "port": 80, "protocol": "HTTPS"}),
            "ProtocolConflict: listener first has the port with another protocol",
        ),
        (json!({"name": "t", "port": 443, "protocol": "HTTPS"}), "InvalidCertificateRef: it names no certificate"),
        (https(json!({"name": "cert"})), ""),
        (https(json!({"name": "none"})), "InvalidCertificateRef: there is no Secret infra/none"),
        (https(json!({"name": "half"})), "InvalidCertificateRef: Secret infra/half has no tls.key"),
        (
            https(json!({"kind": "Vault", "name": "cert"})),
            "InvalidCertificateRef: certificates of kind Vault are not supported",
        ),
        (https(json!({"name": "cert", "namespace": "granted"})), ""),
        (
            https(json!({"name": "cert", "namespace": "other"})),
            "RefNotPermitted: no ReferenceGrant in namespace other allows a reference to Secret other/cert",
        ),
    ] {
        assert_eq!(fault(&view, listener.clone()), expected, "{listener}");
    }
}

#[test]
fn listeners_choose_routes_by_namespace_and_kind() {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "shop"}}});
    let view = view(&[namespace]);
    let attached = |allowed: Value, namespace: &str| {
        let gateway = gateway(json!([{"name": "l", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed}]));
        let parents = json!([{"name": "gw", "namespace": "infra"}]);
        let route = json!({"metadata": {"name": "r", "namespace": namespace}, "spec": {"parentRefs": parents}});
        let route = HTTPRoute::from_wire(route).expect("a route");
        attach(&view, &gateway, &route, &route.spec.parent_refs[0]).err().map(RouteRefusal::reason)
    };
    let refused = Some("NotAllowedByListeners");
    let from = |from: &str| json!({"namespaces": {"from": from}});
    assert_eq!([attached(json!({}), "infra"), attached(json!({}), "shop")], [None, refused]);
    assert_eq!([attached(from("All"), "infra"), attached(from("All"), "shop")], [None, None]);
    let by_label = json!({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}});
    assert_eq!([attached(by_label.clone(), "shop"), attached(by_label, "infra")], [None, refused]);
    assert_eq!(attached(from("Selector"), "shop"), refused);
    assert_eq!(attached(json!({"kinds": [{"kind": "GRPCRoute"}]}), "infra"), refused);
    assert_eq!(attached(json!({"kinds": [{"kind": "GRPCRoute"}, {"kind": "HTTPRoute"}]}), "infra"), None);
}

#[test]
fn routes_without_a_listener_are_told_why() {
    let listeners = json!([
        {"name": "a", "port": 80, "protocol": "HTTP", "hostname": "*.example.com"},
        {"name": "b", "port": 81, "protocol": "HTTP"},
    ]);
    let (view, gateway) = (View::default(), gateway(listeners));
    let attached = |parent: Value, hostnames: Value| {
        let metadata = json!({"name": "r", "namespace": "infra"});
        let spec = json!({"parentRefs": [parent], "hostnames": hostnames});
        let route = HTTPRoute::from_wire(json!({"metadata": metadata, "spec": spec})).expect("a route");
        let places = attach(&view, &gateway, &route, &route.spec.parent_refs[0]);
        let shown = |one: &Attached| format!("{}={}", one.listener, one.hostnames.join(","));
        places.map_or_else(
            |refusal| refusal.reason().to_owned(),
            |all| all.iter().map(shown).collect::<Vec<_>>().join(" "),
        )
    };
    for (parent, hostnames, expected) in [
        (json!({"name": "gw"}), json!([]), "0=*.example.com 1="),
        (json!({"name": "gw"}), json!(["x.example.com", "x.org"]), "0=x.example.com 1=x.example.com,x.org"),
        (json!({"name": "gw", "sectionName": "a"}), json!(["x.org"]), "NoMatchingListenerHostname"),
        (json!({"name": "gw", "sectionName": "c"}), json!([]), "NoMatchingParent"),
        (json!({"name": "gw", "sectionName": "a", "port": 81}), json!([]), "NoMatchingParent"),
    ] {
        assert_eq!(attached(parent.clone(), hostnames.clone()), expected, "{parent} {hostnames}");
    }
}

#[test]
fn backends_are_services_that_exist_and_may_be_referred_to() {
    let service = |name: &str, namespace: &str| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"port": 80}]}});
    let grant = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "back"},
        "spec": {"from": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute", "namespace": "shop"}], "to": [{"group": "", "kind": "Service", "name": "api"}]}});
    let view = view(&[service("web", "shop"), service("api", "back"), service("db", "back"), grant]);
    let fault = |backend: Value, namespace: &str| {
        let backend: HttpBackendRef = serde_json::from_value(backend).expect("a backend");
        backend_fault(&view, namespace, &backend)
            .map(|fault| format!("{}: {fault}", fault.reason()))
            .unwrap_or_default()
    };
    for (backend, expected) in [
        (json!({"name": "web", "port": 80}), ""),
        (json!({"name": "web", "port": 81}), "BackendNotFound: Service shop/web has no port 81"),
        (json!({"name": "wob", "port": 80}), "BackendNotFound: there is no Service shop/wob"),
        (json!({"name": "api", "namespace": "back", "port": 80}), ""),
        (
            json!({"name": "db", "namespace": "back", "port": 80}),
            "RefNotPermitted: no ReferenceGrant in namespace back allows a reference to Service back/db",
        ),
        (
            json!({"kind": "Bucket", "group": "x.io", "name": "web"}),
            "InvalidKind: backends of kind Bucket.x.io are not supported",
        ),
    ] {
        assert_eq!(fault(backend.clone(), "shop"), expected, "{backend}");
    }
}
