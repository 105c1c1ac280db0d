use crate::objects::Service;

use super::*;

fn service(name: &str, spec: Value) -> Object {
    let mut wire = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]},
    });
    if let (Some(target), Some(given)) = (wire["spec"].as_object_mut(), spec.as_object()) {
        target.extend(given.clone());
    }
    object(wire)
}

fn spec_of(server: &ApiServer, name: &str) -> Value {
    Value::Object(stored::<Service>(server, name).spec.wire().clone())
}

#[test]
fn services_get_addresses_in_turn_and_families() {
    let mut server = server();
    server.make(service("a", json!({})));
    server.make(service("b", json!({})));
    let spec = spec_of(&server, "a");
    assert_eq!((&spec["clusterIP"], &spec["clusterIPs"]), (&json!("10.96.1.1"), &json!(["10.96.1.1"])));
    assert_eq!((&spec["ipFamilies"], &spec["ipFamilyPolicy"]), (&json!(["IPv4"]), &json!("SingleStack")));
    assert_eq!(spec_of(&server, "b")["clusterIP"], "10.96.1.2");
    server.delete_with(at(0), Kind::Service, key("b"), DeleteOptions::default()).expect("removed");
    server.make(service("c", json!({})));
    assert_eq!(spec_of(&server, "c")["clusterIP"], "10.96.1.3");
    server.make(service("wanted", json!({"clusterIP": "10.96.1.2"})));
}

#[test]
fn an_address_must_be_free_and_in_the_range() {
    let mut server = server();
    server.make(service("a", json!({"clusterIP": "10.96.0.10"})));
    let refused = |server: &mut ApiServer, ip: &str| {
        message(server.execute(at(0), &Request::Create(service("b", json!({"clusterIP": ip})))))
    };
    assert_eq!(
        refused(&mut server, "10.96.0.10"),
        "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to allocate IP 10.96.0.10: \
         provided IP is already allocated"
    );
    assert!(
        refused(&mut server, "10.95.0.1")
            .ends_with("is not in the valid range. The range of valid IPs is 10.96.0.0/12")
    );
    assert!(refused(&mut server, "10.111.255.255").contains("valid range"));
}

#[test]
fn headless_and_external_services_get_no_address() {
    let mut server = server();
    server.make(service("headless", json!({"clusterIP": "None"})));
    let spec = spec_of(&server, "headless");
    assert_eq!((&spec["clusterIPs"], &spec["ipFamilies"]), (&json!(["None"]), &json!(["IPv4"])));
    server.make(service("bare", json!({"clusterIP": "None", "selector": {}})));
    assert_eq!(spec_of(&server, "bare")["ipFamilyPolicy"], "RequireDualStack");
    server.make(service("external", json!({"type": "ExternalName", "externalName": "example.com"})));
    assert_eq!(spec_of(&server, "external").get("clusterIP"), None);
}

#[test]
fn node_ports_are_given_kept_and_freed() {
    let mut server = server();
    let two = json!([
        {"port": 53, "protocol": "UDP", "name": "u"}, {"port": 53, "protocol": "TCP", "name": "t"},
        {"port": 80, "protocol": "TCP", "name": "h"},
    ]);
    server.make(service("dns", json!({"type": "NodePort", "ports": two})));
    let ports: Vec<i32> = stored::<Service>(&server, "dns").spec.ports.iter().map(|port| port.node_port).collect();
    assert_eq!(ports, [30_087, 30_087, 30_088]);
    let asked = |port: i64| json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]});
    assert_eq!(
        message(server.execute(at(0), &Request::Create(service("b", asked(30_088))))),
        "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 30088: provided port is already allocated"
    );
    assert!(message(server.execute(at(0), &Request::Create(service("b", asked(80))))).contains("30000-32767"));
    let dns = stored::<Service>(&server, "dns");
    let same: Arc<Service> = typed(server.put(Object::from(dns.clone()), Part::Main));
    assert_eq!(same.meta.resource_version, dns.meta.resource_version);
    server.delete_with(at(0), Kind::Service, key("dns"), DeleteOptions::default()).expect("removed");
    server.make(service("b", asked(30_088)));
}

#[test]
fn a_local_load_balancer_gets_a_health_check_port() {
    let mut server = server();
    server.make(service("lb", json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"})));
    let spec = spec_of(&server, "lb");
    assert_eq!((&spec["ports"][0]["nodePort"], &spec["healthCheckNodePort"]), (&json!(30_087), &json!(30_088)));
    server.make(service("without", json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false})));
    assert_eq!(spec_of(&server, "without")["ports"][0].get("nodePort"), None);
}

#[test]
fn an_update_keeps_the_address() {
    let mut server = server();
    server.make(service("a", json!({})));
    let update = service("a", json!({"ports": [{"port": 81, "protocol": "TCP"}]}));
    server.put(update, Part::Main).expect("accepted");
    assert_eq!(spec_of(&server, "a")["clusterIP"], "10.96.1.1");
    server.make(service("b", json!({})));
    assert_eq!(spec_of(&server, "b")["clusterIP"], "10.96.1.2");
}
