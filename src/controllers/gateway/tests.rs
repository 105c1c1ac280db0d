use serde_json::{Value, json};

use super::*;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{defaults, validation};

const VERSION: &str = "gateway.networking.k8s.io/v1";

fn object(kind: &str, name: &str, spec: Value) -> Value {
    let mut metadata = json!({"name": name});
    if kind != "GatewayClass" {
        metadata["namespace"] = json!("default");
    }
    json!({"apiVersion": VERSION, "kind": kind, "metadata": metadata, "spec": spec})
}

fn cluster() -> TestCluster<GatewayController> {
    let mut cluster = TestCluster::<GatewayController>::default();
    cluster.apply(object("GatewayClass", "mine", json!({"controllerName": "example.com/gateways"})));
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}});
    cluster.apply(service);
    cluster.apply(object(
        "Gateway",
        "public",
        json!({"gatewayClassName": "mine", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP", "hostname": "*.example.com"},
            {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert"}]}},
        ]}),
    ));
    cluster
}

fn route(name: &str, parent: Value, hostname: &str, backend: &str) -> Value {
    let rules = json!([{"backendRefs": [{"name": backend, "port": 80}]}]);
    object("HTTPRoute", name, json!({"parentRefs": [parent], "hostnames": [hostname], "rules": rules}))
}

/// `Type=Status Reason` of each condition.
fn shown(conditions: &[Condition]) -> String {
    let one = |condition: &Condition| format!("{}={} {}", condition.kind, condition.status.as_str(), condition.reason);
    conditions.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn gateway(cluster: &TestCluster<GatewayController>) -> Gateway {
    Gateway::clone(cluster.store.gateways.get(&Key::new("default", "public")).expect("the gateway"))
}

fn route_says(cluster: &TestCluster<GatewayController>, name: &str) -> String {
    let route = cluster.store.http_routes.get(&Key::new("default", name)).expect("the route");
    let parents = route.status.iter().flat_map(|status| status.parents.iter());
    parents.map(|parent| format!("{}: {}", parent.controller_name, shown(&parent.conditions))).collect()
}

#[test]
fn classes_are_accepted_and_gateways_say_which_listeners_work() {
    let mut cluster = cluster();
    cluster.run();
    let class = cluster.store.gateway_classes.get(&Key::new("", "mine")).expect("the class");
    assert_eq!(shown(&class.status.conditions), "Accepted=True Accepted");
    let status = gateway(&cluster).status;
    assert_eq!(shown(&status.conditions), "Accepted=True ListenersNotValid, Programmed=True Programmed");
    let listeners: Vec<String> = status.listeners.iter().map(|one| shown(&one.conditions)).collect();
    assert_eq!(
        listeners,
        [
            "Accepted=True Accepted, Programmed=True Programmed, ResolvedRefs=True ResolvedRefs, Conflicted=False NoConflicts",
            "Accepted=True Accepted, Programmed=False Invalid, ResolvedRefs=False InvalidCertificateRef, Conflicted=False NoConflicts",
        ]
    );
    // The certificate comes.
    let data = json!({"tls.crt": "YQ==", "tls.key": "YQ=="});
    let metadata = json!({"name": "cert", "namespace": "default"});
    cluster.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}));
    cluster.run();
    assert_eq!(shown(&gateway(&cluster).status.conditions), "Accepted=True Accepted, Programmed=True Programmed");
    // Nothing is left to write.
    let writes = cluster.writes.len();
    cluster.run();
    assert_eq!(cluster.writes.len(), writes);
}

#[test]
fn routes_are_told_whether_they_are_attached_and_listeners_count_them() {
    let mut cluster = cluster();
    cluster.apply(route("good", json!({"name": "public"}), "a.example.com", "web"));
    cluster.apply(route("elsewhere", json!({"name": "public", "sectionName": "http"}), "a.example.org", "web"));
    cluster.apply(route("lost", json!({"name": "public", "sectionName": "ftp"}), "a.example.com", "web"));
    cluster.apply(route("broken", json!({"name": "public"}), "b.example.com", "wob"));
    cluster.apply(route("orphan", json!({"name": "private"}), "b.example.com", "web"));
    cluster.run();
    let says = |name: &str| route_says(&cluster, name);
    let by = "example.com/gateways";
    assert_eq!(says("good"), format!("{by}: Accepted=True Accepted, ResolvedRefs=True ResolvedRefs"));
    assert_eq!(
        says("elsewhere"),
        format!("{by}: Accepted=False NoMatchingListenerHostname, ResolvedRefs=True ResolvedRefs")
    );
    assert_eq!(says("lost"), format!("{by}: Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs"));
    assert_eq!(says("broken"), format!("{by}: Accepted=True Accepted, ResolvedRefs=False BackendNotFound"));
    assert_eq!(says("orphan"), "");
    let attached: Vec<i32> = gateway(&cluster).status.listeners.iter().map(|one| one.attached_routes).collect();
    assert_eq!(attached, [2, 2]);
}

#[test]
fn what_it_writes_is_valid_by_the_definitions() {
    let mut cluster = cluster();
    cluster.apply(route("good", json!({"name": "public"}), "a.example.com", "web"));
    cluster.apply(route("lost", json!({"name": "public", "sectionName": "ftp"}), "a.example.com", "wob"));
    cluster.run();
    let routes = cluster.store.http_routes.iter().map(|route| route.to_wire());
    let all = routes
        .chain([gateway(&cluster).to_wire()])
        .chain(cluster.store.gateway_classes.iter().map(|one| one.to_wire()));
    for mut wire in all {
        let kind = wire["kind"].as_str().expect("a kind").to_owned();
        defaults::apply(&kind, VERSION, &mut wire);
        assert!(wire["status"].is_object(), "{wire}");
        assert_eq!(validation::validate_create(&kind, &wire), [], "{wire}");
    }
}

#[test]
fn nobody_takes_care_of_a_gateway_whose_class_does_not_exist() {
    let mut cluster = TestCluster::<GatewayController>::default();
    let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP"}]);
    cluster.apply(object("Gateway", "public", json!({"gatewayClassName": "none", "listeners": listeners})));
    cluster.run();
    assert_eq!(cluster.writes, [""; 0]);
    // It is taken care of as soon as there is one.
    cluster.apply(object("GatewayClass", "none", json!({"controllerName": "example.com/gateways"})));
    cluster.run();
    assert_eq!(shown(&gateway(&cluster).status.conditions), "Accepted=True Accepted, Programmed=True Programmed");
}
