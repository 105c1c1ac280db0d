//! A Service with `topology-mode: Auto`, on three zones of equal CPU.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controllers::endpoint_slice::tests::{Cluster, key, slices, start};
use crate::objects::{Key, Kind, Node, Service};

const MODE: &str = "service.kubernetes.io/topology-mode";

fn node(zone: &str, ready: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": zone, "labels": {"topology.kubernetes.io/zone": zone}},
        "status": {"allocatable": {"cpu": "4"}, "conditions": [{"type": "Ready", "status": ready}]}})
}

/// One endpoint in zone a, three in b, two in c.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for zone in ["a", "b", "c"] {
        cluster.apply(node(zone, "True"));
    }
    cluster.apply(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "annotations": {MODE: "Auto"}},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
            "trafficDistribution": "PreferSameNode", "ports": [{"port": 80, "protocol": "TCP"}]}}));
    for (at, zone) in ["a", "b", "b", "b", "c", "c"].into_iter().enumerate() {
        let name = format!("web-{at}");
        cluster.apply(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
            "spec": {"nodeName": zone, "containers": [{"name": "c"}]}, "status": {"phase": "Pending"}}));
        start(&mut cluster, &name, &format!("10.1.0.{}", at + 1));
    }
    cluster.run();
    cluster
}

/// How many endpoints are meant for each zone; `-` for those that are for all.
fn hints(cluster: &Cluster) -> String {
    let mut counts = BTreeMap::new();
    for slice in slices(cluster, "web") {
        for endpoint in &slice.endpoints {
            let hints = endpoint.rest.get("hints");
            assert!(hints.is_none_or(|hints| hints.get("forNodes").is_none()), "the annotation goes before the field");
            let zone = hints.and_then(|hints| hints["forZones"][0]["name"].as_str());
            *counts.entry(zone.unwrap_or("-").to_owned()).or_insert(0) += 1;
        }
    }
    counts.iter().map(|(zone, count)| format!("{zone}{count}")).collect::<Vec<_>>().join(" ")
}

fn told(cluster: &mut Cluster) -> Vec<String> {
    cluster.events.drain(..).map(|event| format!("{} {}", event.reason, event.message)).collect()
}

fn set_ready(cluster: &mut Cluster, zone: &str, ready: &str) {
    let mut node = Node::clone(cluster.store.nodes.get(&Key::new("", zone)).expect("the node"));
    let condition = json!([{"type": "Ready", "status": ready}]);
    node.status.conditions = serde_json::from_value(condition).expect("a condition");
    cluster.update(&node.into()).expect("it exists");
    cluster.run();
}

#[test]
fn zones_get_the_same_number_of_endpoints_and_it_is_told() {
    let mut cluster = cluster();
    assert_eq!(hints(&cluster), "a2 b2 c2");
    assert_eq!(
        told(&mut cluster),
        ["TopologyAwareHintsEnabled Topology Aware Hints has been enabled, addressType: IPv4"]
    );
    let before = cluster.writes.len();
    cluster.run_for(30);
    assert_eq!(cluster.writes.len(), before, "nothing more to write");
}

#[test]
fn services_that_a_nodes_change_overloads_are_looked_at_again() {
    let mut cluster = cluster();
    told(&mut cluster);
    // Of two zones each must have three of six. Endpoints in a zone that does not count any more serve that, and give nothing.
    set_ready(&mut cluster, "c", "False");
    assert_eq!(hints(&cluster), "a1 b3 c2");
    // Of three zones each must have two: a has one.
    set_ready(&mut cluster, "c", "True");
    assert_eq!(hints(&cluster), "a2 b2 c2");
    assert_eq!(told(&mut cluster), Vec::<String>::new());
    // One zone alone has nothing to share, and that is told.
    set_ready(&mut cluster, "c", "False");
    set_ready(&mut cluster, "b", "False");
    assert_eq!(hints(&cluster), "-6");
    assert!(told(&mut cluster)[0].contains("Insufficient Node information"));
}

#[test]
fn too_few_endpoints_and_no_annotation_take_the_hints_away() {
    let mut cluster = cluster();
    told(&mut cluster);
    for at in 2..6 {
        cluster.delete(Kind::Pod, &key(&format!("web-{at}")), &crate::api::DeleteOptions::default()).expect("deleted");
        cluster.finish(&key(&format!("web-{at}")));
    }
    cluster.run();
    assert_eq!(hints(&cluster), "-2");
    let message = "Insufficient number of endpoints (2 endpoints, 3 zones), addressType: IPv4";
    assert_eq!(told(&mut cluster).last(), Some(&format!("TopologyAwareHintsDisabled {message}")));

    let mut cluster = self::cluster();
    told(&mut cluster);
    let mut service = Service::clone(cluster.store.services.get(&key("web")).expect("the service"));
    service.meta.annotations = service.meta.annotations.without(MODE);
    service.meta.resource_version = 0;
    let mut wire = service.spec.wire().clone();
    wire.remove("trafficDistribution");
    service.spec = crate::objects::ServiceSpec::from_wire(wire).expect("a spec").into();
    cluster.update(&service.into()).expect("it exists");
    cluster.run();
    assert_eq!(hints(&cluster), "-6");
    assert_eq!(
        told(&mut cluster),
        ["TopologyAwareHintsDisabled Topology Aware Hints has been disabled, addressType: IPv4"]
    );
}
