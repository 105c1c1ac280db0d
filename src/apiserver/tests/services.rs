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

/// Each row: a Service of a type, as it is stored, becomes another type with everything else as it was.
#[test]
fn what_a_change_of_type_keeps_and_gives() {
    let ports = json!([{"port": 80}]);
    let of_type = |kind: &str| match kind {
        "Headless" => json!({"type": "ClusterIP", "clusterIP": "None", "ports": ports}),
        "ExternalName" => json!({"type": "ExternalName", "externalName": "x.org", "ports": ports}),
        kind => json!({"type": kind, "ports": ports}),
    };
    let changed = |before: &Value, after: &Value| match (before, after) {
        (_, Value::Null) => "none",
        (before, after) if before == after => "kept",
        _ => "given",
    };
    for (from, to, address, node_port) in [
        ("ClusterIP", "NodePort", "kept", "given"),
        ("ClusterIP", "LoadBalancer", "kept", "given"),
        ("ClusterIP", "ExternalName", "none", "none"),
        ("NodePort", "ClusterIP", "kept", "none"),
        ("NodePort", "LoadBalancer", "kept", "kept"),
        ("NodePort", "ExternalName", "none", "none"),
        ("LoadBalancer", "ClusterIP", "kept", "none"),
        ("LoadBalancer", "NodePort", "kept", "kept"),
        ("LoadBalancer", "ExternalName", "none", "none"),
        ("ExternalName", "ClusterIP", "given", "none"),
        ("ExternalName", "NodePort", "given", "given"),
        ("ExternalName", "LoadBalancer", "given", "given"),
        ("Headless", "ExternalName", "none", "none"),
        ("ExternalName", "Headless", "given", "none"),
    ] {
        let mut server = server();
        let before = apply(&mut server, "a", of_type(from)).expect("accepted");
        let mut asked = before.clone();
        for (field, value) in of_type(to).as_object().into_iter().flatten().filter(|(field, _)| *field != "ports") {
            asked[field] = value.clone();
        }
        let after = apply(&mut server, "a", asked).expect("accepted");
        assert_eq!(changed(&before["clusterIP"], &after["clusterIP"]), address, "{from} to {to}: {after}");
        let node_ports = [&before, &after].map(|spec| &spec["ports"][0]["nodePort"]);
        assert_eq!(changed(node_ports[0], node_ports[1]), node_port, "{from} to {to}: {after}");
        assert_eq!(after["clusterIP"] == "None", to == "Headless");
        for only_balancers in ["allocateLoadBalancerNodePorts", "loadBalancerClass", "healthCheckNodePort"] {
            assert!(to == "LoadBalancer" || after.get(only_balancers).is_none(), "{from} to {to}: {after}");
        }
    }
    // An address and none do not become each other, whatever else changes.
    for (from, to) in [
        ("Headless", json!({"type": "NodePort", "ports": ports})),
        ("Headless", json!({"type": "LoadBalancer", "ports": ports})),
        ("NodePort", json!({"type": "NodePort", "clusterIP": "None", "ports": ports})),
        ("ClusterIP", json!({"clusterIP": "None", "ports": ports})),
        ("Headless", json!({"clusterIP": "10.96.0.99", "ports": ports})),
        ("ClusterIP", json!({"ports": []})),
    ] {
        let mut server = server();
        apply(&mut server, "a", of_type(from)).expect("accepted");
        apply(&mut server, "a", to.clone()).expect_err(&format!("{from} to {to}"));
    }
}

#[test]
fn a_health_check_port_comes_and_goes_with_the_policy_and_the_status_with_the_type() {
    let mut server = server();
    let ports = json!([{"port": 80}]);
    let balancer = |policy: &str| json!({"type": "LoadBalancer", "externalTrafficPolicy": policy, "ports": ports});
    let port = |spec: &Value| spec["healthCheckNodePort"].as_i64();
    assert_eq!(port(&apply(&mut server, "a", balancer("Cluster")).expect("accepted")), None);
    let local = apply(&mut server, "a", balancer("Local")).expect("accepted");
    assert!(port(&local).is_some_and(|port| port >= 30_086));
    let mut cluster = local;
    cluster["externalTrafficPolicy"] = "Cluster".into();
    assert_eq!(port(&apply(&mut server, "a", cluster).expect("accepted")), None);

    let mut wire = Object::from(stored::<Service>(&server, "a")).to_wire();
    wire["status"] = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": "VIP"}]}});
    server.update_document(at(0), wire, Part::Status).expect("accepted");
    assert_eq!(stored::<Service>(&server, "a").status.load_balancer.ingress.len(), 1);
    apply(&mut server, "a", json!({"type": "NodePort", "ports": ports})).expect("accepted");
    assert!(stored::<Service>(&server, "a").status.load_balancer.ingress.is_empty());
}

/// Rows of upstream's `TestAdmission` of `DefaultIngressClass`.
#[test]
fn an_ingress_that_says_nothing_gets_the_default_class() {
    let class = |name: &str, marked: Option<&str>| {
        let annotations =
            marked.map_or(json!({}), |marked| json!({"ingressclass.kubernetes.io/is-default-class": marked}));
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": name, "annotations": annotations}, "spec": {"controller": "example.com/c"}})
    };
    let (a, b, other) = (class("a", Some("true")), class("b", Some("true")), class("other", Some("false")));
    let unmarked = class("unmarked", None);
    // Classes and when they were made, in seconds; the class that the Ingress names, its annotation; what it is stored with.
    for (classes, name, annotation, expected) in [
        (vec![], None, None, None),
        (vec![(&other, 0), (&unmarked, 0)], None, None, None),
        (vec![(&other, 0), (&b, 0)], None, None, Some("b")),
        (vec![(&b, 0)], Some(""), None, Some("")),
        (vec![(&b, 0)], Some("foo"), None, Some("foo")),
        (vec![(&b, 0)], None, Some("foo"), None),
        (vec![(&b, 0), (&a, 0)], None, None, Some("a")),
        (vec![(&a, 0), (&b, 5)], None, None, Some("b")),
    ] {
        let mut server = server();
        for (class, second) in &classes {
            server.execute(at(second * 1000), &Request::Create(object((*class).clone()))).expect("accepted");
        }
        let mut wire = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "default"},
            "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}});
        if let Some(name) = name {
            wire["spec"]["ingressClassName"] = name.into();
        }
        if let Some(annotation) = annotation {
            wire["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": annotation});
        }
        let made = server.make(object(wire)).to_wire();
        let got = made["spec"].get("ingressClassName").and_then(Value::as_str);
        assert_eq!(got, expected, "{name:?} {annotation:?} with {classes:?}");
    }
}
