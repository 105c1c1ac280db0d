use serde_json::{Value, json};

use super::*;
use crate::controllers::test_cluster::TestCluster;

type Cluster = TestCluster<EndpointSliceMirroringController>;

fn service(selector: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "default"},
           "spec": {"type": "ClusterIP", "selector": selector, "ports": [{"name": "pg", "port": 5432, "protocol": "TCP"}]}})
}

fn endpoints(meta: Value, subsets: Value) -> Value {
    let mut metadata = json!({"name": "db", "namespace": "default"});
    metadata.as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets})
}

fn addresses(count: usize) -> Value {
    (0..count).map(|n| json!({"ip": format!("10.1.{}.{}", n / 250, n % 250 + 1)})).collect()
}

fn port(number: i32) -> Value {
    json!([{"name": "pg", "port": number, "protocol": "TCP"}])
}

/// The sizes of the slices that Endpoints are mirrored to.
fn mirrored(service_selector: Option<Value>, meta: Value, subsets: Value) -> (Vec<usize>, Vec<String>) {
    let mut cluster = Cluster::default();
    if let Some(selector) = service_selector {
        cluster.apply(service(selector));
    }
    cluster.apply(endpoints(meta, subsets));
    cluster.run_for(10);
    let mut sizes: Vec<usize> = cluster.store.endpoint_slices.iter().map(|slice| slice.endpoints.len()).collect();
    sizes.sort_unstable();
    (sizes, cluster.events.iter().map(|event| event.reason.to_string()).collect())
}

/// `reconciler_test.go`, `endpointslicemirroring_controller_test.go`.
#[test]
fn a_slice_stands_for_each_set_of_ports_and_address_type() {
    let none = || Some(Value::Null);
    let two = |a: i32, b: i32| {
        json!([
            {"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": port(a)},
            {"addresses": [{"ip": "10.0.1.1"}], "notReadyAddresses": [{"ip": "10.0.1.2"}], "ports": port(b)},
        ])
    };
    let dual = json!([
        {"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "ports": port(1)},
        {"addresses": [{"ip": "10.0.0.2"}, {"ip": "fd00::2"}], "ports": port(2)},
    ]);
    let one = || json!([{"addresses": [{"ip": "10.0.0.1"}], "ports": port(1)}]);
    let label = |value: &str| json!({"labels": {SKIP_LABEL: value}});
    let lock = json!({"annotations": {LEADER_ANNOTATION: "{}"}});
    let no_events = Vec::<String>::new;
    for (name, selector, meta, subsets, sizes, events) in [
        ("nothing", none(), json!({}), json!([]), vec![], no_events()),
        ("two ports", none(), json!({}), two(1, 2), vec![2, 2], no_events()),
        ("one port", none(), json!({}), two(1, 1), vec![4], no_events()),
        ("two families", none(), json!({}), dual, vec![1, 1, 1, 1], no_events()),
        ("not to be mirrored", none(), label("true"), one(), vec![], no_events()),
        ("to be mirrored", none(), label("false"), one(), vec![1], no_events()),
        ("a lock", none(), lock, one(), vec![], no_events()),
        ("no service", None, json!({}), one(), vec![], no_events()),
        ("a selector", Some(json!({"a": "b"})), json!({}), one(), vec![], no_events()),
        (
            "all there is room for",
            none(),
            json!({}),
            json!([{"addresses": addresses(1000), "ports": port(1)}]),
            vec![1000],
            no_events(),
        ),
        (
            "one too many",
            none(),
            json!({}),
            json!([{"addresses": addresses(1001), "ports": port(1)}]),
            vec![1000],
            vec!["TooManyAddressesToMirror".to_owned()],
        ),
        (
            "no address",
            none(),
            json!({}),
            json!([{"addresses": [{"ip": "db.local"}], "ports": port(1)}]),
            vec![],
            vec!["InvalidIPAddress".to_owned()],
        ),
    ] {
        assert_eq!(mirrored(selector, meta, subsets), (sizes, events), "{name}");
    }
}

#[test]
fn slices_follow_their_endpoints() {
    let mut cluster = Cluster::default();
    cluster.apply(service(Value::Null));
    let subsets = |ip: &str, number: i32| json!([{"addresses": [{"ip": ip, "hostname": "h"}], "ports": port(number)}]);
    cluster.apply(endpoints(
        json!({"labels": {"team": "a"}, "annotations": {"note": "n", TRIGGER: "x"}}),
        subsets("10.0.0.1", 1),
    ));
    cluster.run_for(1);
    let slice = |cluster: &Cluster| EndpointSlice::clone(cluster.store.endpoint_slices.iter().next().expect("a slice"));
    let first = slice(&cluster);
    assert_eq!(first.meta.labels.get("team"), Some("a"));
    assert_eq!((first.service(), first.meta.annotations.len()), (Some("db"), 1));
    assert_eq!(
        serde_json::to_value(&first.endpoints).unwrap(),
        json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "hostname": "h"}])
    );
    cluster.writes.clear();
    for (ip, number) in [("10.0.0.2", 1), ("10.0.0.2", 2)] {
        let changed = Object::from_wire(endpoints(json!({}), subsets(ip, number))).unwrap();
        cluster.update(&changed).expect("accepted");
        cluster.run_for(1);
        assert_eq!(slice(&cluster).meta.name, first.meta.name, "a slice of other ports is used again");
    }
    assert_eq!((slice(&cluster).ports[0].port, cluster.writes.len()), (Some(2), 2));
    cluster.delete(Kind::Endpoints, &Key::new("default", "db"), &DeleteOptions::default()).expect("there");
    cluster.run_for(1);
    assert!(cluster.store.endpoint_slices.is_empty());
}

const TRIGGER: &str = crate::controllers::endpoint_slice::TRIGGER_TIME_ANNOTATION;
