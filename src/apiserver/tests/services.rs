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

/// Applies a Service as a user does; the stored spec, or why it is refused.
fn apply(server: &mut ApiServer, name: &str, spec: Value) -> Result<Value, String> {
    let document = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    let stored = server.view().services.get(&key(name)).cloned();
    let written = match &stored {
        None => server.create_document(at(0), document),
        Some(_) => server.update_document(at(0), document, Part::Main),
    };
    written.map(|service| service.to_wire()["spec"].take()).map_err(|error| error.message)
}

#[test]
fn addresses_and_ports_are_held_until_the_service_goes() {
    let mut server = server();
    server.make(service(
        "a",
        json!({"clusterIP": "10.96.0.10", "type": "NodePort", "ports": [{"port": 80, "nodePort": 30_080}]}),
    ));
    let refused =
        |server: &mut ApiServer, spec: Value| message(server.execute(at(0), &Request::Create(service("b", spec))));
    let same_port = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30_080}]});
    assert_eq!(
        refused(&mut server, json!({"clusterIP": "10.96.0.10"})),
        "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to allocate IP 10.96.0.10: \
         provided IP is already allocated"
    );
    assert_eq!(
        refused(&mut server, same_port.clone()),
        "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    );
    let stored_a = stored::<Service>(&server, "a");
    let same: Arc<Service> = typed(server.put(Object::from(stored_a.clone()), Part::Main));
    assert_eq!(same.meta.resource_version, stored_a.meta.resource_version);
    server.delete_with(at(0), Kind::Service, key("a"), DeleteOptions::default()).expect("removed");
    server.make(service("b", json!({"clusterIP": "10.96.0.10"})));
    server.make(service("c", same_port));
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

/// `TestFeatureType`, `TestFeatureExternalTrafficPolicy` and `TestDropTypeDependentFields`: what a type does not need goes, and is
/// free again.
#[test]
fn a_change_of_type_drops_what_the_old_one_needed() {
    let mut server = server();
    let ports = json!([{"port": 80, "nodePort": 30_080}]);
    let balancer = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerClass": "x.io/lb", "ports": ports});
    let first = apply(&mut server, "a", balancer).expect("accepted");
    let (address, check) = (first["clusterIP"].clone(), first["healthCheckNodePort"].clone());
    assert!(check.as_i64().is_some_and(|port| port >= 30_000));

    let mut as_before = first.clone();
    as_before["type"] = "ClusterIP".into();
    let plain = apply(&mut server, "a", as_before).expect("accepted");
    assert_eq!(plain["clusterIP"], address);
    assert_eq!(plain["ports"][0].get("nodePort"), None);
    for gone in ["healthCheckNodePort", "allocateLoadBalancerNodePorts", "loadBalancerClass", "externalTrafficPolicy"] {
        assert_eq!(plain.get(gone), None, "{gone}");
    }
    apply(&mut server, "b", json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30_080}, {"port": 2, "nodePort": check, "name": "x"}]}))
        .expect_err("the first port needs a name");
    let other = json!([{"port": 1, "nodePort": 30_080, "name": "w"}, {"port": 2, "nodePort": check, "name": "x"}]);
    apply(&mut server, "b", json!({"type": "NodePort", "ports": other})).expect("both are free again");

    let mut with_port = plain.clone();
    with_port["ports"][0]["nodePort"] = 30_999.into();
    assert_eq!(
        apply(&mut server, "a", with_port).unwrap_err(),
        "Service \"a\" is invalid: spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
    );
    let mut alias = plain;
    alias["type"] = "ExternalName".into();
    alias["externalName"] = "example.com".into();
    let alias = apply(&mut server, "a", alias).expect("accepted");
    for gone in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        assert_eq!(alias.get(gone), None, "{gone}");
    }
    apply(&mut server, "c", json!({"clusterIP": address, "ports": [{"port": 80}]})).expect("the address is free again");
}

#[test]
fn node_ports_stay_when_they_are_no_longer_given_unasked() {
    let mut server = server();
    let ports = json!([{"port": 80, "nodePort": 30_080}]);
    apply(&mut server, "a", json!({"type": "LoadBalancer", "ports": ports})).expect("accepted");
    let off = |ports: Value| json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": ports});
    assert_eq!(apply(&mut server, "a", off(ports)).expect("accepted")["ports"][0]["nodePort"], 30_080);
    let without = apply(&mut server, "a", off(json!([{"port": 80, "nodePort": 0}]))).expect("accepted");
    assert_eq!(without["ports"][0].get("nodePort"), None);
}

#[test]
fn an_address_stays_for_good() {
    let mut server = server();
    let ports = json!([{"port": 80}]);
    let first = apply(&mut server, "a", json!({"ports": ports})).expect("accepted")["clusterIP"].clone();
    let kept = apply(&mut server, "a", json!({"ports": [{"port": 81}]})).expect("accepted");
    assert_eq!(kept["clusterIP"], first);
    for other in ["10.96.0.77", "None", "10.1.2.3"] {
        assert_eq!(
            apply(&mut server, "a", json!({"clusterIP": other, "ports": ports})).unwrap_err(),
            format!(
                "Service \"a\" is invalid: spec.clusterIPs[0]: Invalid value: [\"{other}\"]: may not change once set"
            )
        );
    }
}
