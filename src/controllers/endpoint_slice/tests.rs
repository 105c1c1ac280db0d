use std::sync::Arc;

use serde_json::{Value, json};

use super::{EndpointSliceController, HEADLESS_LABEL, MANAGED_BY_LABEL, MANAGER, TRIGGER_TIME_ANNOTATION};
use crate::api::DeleteOptions;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{
    Condition, ConditionStatus, EndpointSlice, Key, Kind, Labels, Object, Pod, PodPhase, Service, ServiceSpec,
};

pub(super) type Cluster = TestCluster<EndpointSliceController>;

pub(super) fn key(name: &str) -> Key {
    Key::new("default", name)
}

pub(super) fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for (node, zone) in [("n1", "a"), ("n2", "b")] {
        cluster.apply(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": node, "labels": {"topology.kubernetes.io/zone": zone}}}));
    }
    cluster
}

pub(super) fn service(cluster: &mut Cluster, name: &str, spec: Value) {
    cluster.apply(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}));
}

fn web(cluster: &mut Cluster) {
    service(
        cluster,
        "web",
        json!({
        "selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}),
    );
}

pub(super) fn pod(name: &str, labels: Value, ports: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "ports": ports}]},
        "status": {"phase": "Pending"}})
}

/// The pod gets an address and becomes ready.
pub(super) fn start(cluster: &mut Cluster, name: &str, ip: &str) {
    let now = cluster.now.timestamp();
    cluster.change_pod(&key(name), |pod| {
        pod.status.phase = PodPhase::Running;
        pod.status.pod_ip = ip.parse().ok();
        pod.status.conditions = vec![Condition::new("Ready", ConditionStatus::True, now)].into();
    });
}

fn ready(cluster: &mut Cluster, count: usize) {
    for at in 0..count {
        cluster.apply(pod(&format!("web-{at}"), json!({"app": "web"}), json!([])));
        start(cluster, &format!("web-{at}"), &format!("10.1.{}.{}", at / 250, at % 250 + 1));
    }
}

pub(super) fn set_ready(pod: &mut Pod, ready: bool, now: crate::objects::Timestamp) {
    pod.status.conditions = vec![Condition::new("Ready", ConditionStatus::of(ready), now)].into();
}

fn change_service(cluster: &mut Cluster, name: &str, change: impl FnOnce(&mut Service)) {
    let mut service = Service::clone(cluster.store.services.get(&key(name)).expect("the service exists"));
    change(&mut service);
    service.meta.resource_version = 0;
    cluster.update(&service.into()).expect("it exists");
}

fn set_spec(service: &mut Service, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let mut wire = service.spec.wire().clone();
    change(&mut wire);
    service.spec = Arc::new(ServiceSpec::from_wire(wire).expect("the spec is well-formed"));
}

pub(super) fn slices(cluster: &Cluster, service: &str) -> Vec<Arc<EndpointSlice>> {
    cluster.store.slices_of(&key(service)).cloned().collect()
}

fn lengths(cluster: &Cluster, service: &str) -> Vec<usize> {
    slices(cluster, service).iter().map(|slice| slice.endpoints.len()).collect()
}

/// `pod ready serving terminating` of each endpoint.
fn endpoints(cluster: &Cluster, service: &str) -> Vec<String> {
    let flag = |flag: Option<bool>| if flag == Some(true) { "t" } else { "f" };
    let mut all = Vec::new();
    for slice in slices(cluster, service) {
        for endpoint in &slice.endpoints {
            let (target, conditions) = (endpoint.target_ref.as_ref().expect("a pod"), endpoint.conditions);
            let flags = [conditions.ready, conditions.serving, conditions.terminating].map(flag).join("/");
            all.push(format!("{} {flags}", target.name));
        }
    }
    all
}

#[test]
fn a_service_without_pods_has_a_placeholder() {
    let mut cluster = cluster();
    web(&mut cluster);
    cluster.run();
    let slices = slices(&cluster, "web");
    let [slice] = &slices[..] else { panic!("{slices:?}") };
    assert!(slice.endpoints.is_empty() && slice.ports.is_empty());
    assert_eq!(slice.address_type, "IPv4");
    assert_eq!(slice.service(), Some("web"));
    assert_eq!(slice.meta.labels.get(MANAGED_BY_LABEL), Some(MANAGER));
    assert!(!slice.meta.labels.contains_key(HEADLESS_LABEL));
    assert_eq!(&*slice.meta.generate_name, "web-");
    let owner = slice.meta.controller().expect("an owner");
    assert_eq!((&*owner.api_version, &*owner.kind, &*owner.name), ("v1", "Service", "web"));
    assert_eq!(owner.block_owner_deletion, Some(true));
    assert_eq!(slice.meta.annotations.get(TRIGGER_TIME_ANNOTATION), Some("2026-01-01T00:00:00Z"));
    cluster.run_for(10);
    assert_eq!(cluster.writes.len(), 1, "its own write needs no further sync: {:?}", cluster.writes);
}

#[test]
fn a_ready_pod_fills_the_placeholder() {
    let mut cluster = cluster();
    web(&mut cluster);
    cluster.run();
    let before = slices(&cluster, "web")[0].meta.uid.clone();
    cluster.run_for(3);
    ready(&mut cluster, 1);
    cluster.run();
    let slices = slices(&cluster, "web");
    assert_eq!((slices.len(), &slices[0].meta.uid), (1, &before));
    let endpoint = &slices[0].endpoints[0];
    assert_eq!(&*endpoint.addresses[0], "10.1.0.1");
    assert_eq!((endpoint.node_name.as_deref(), endpoint.zone.as_deref()), (Some("n1"), Some("a")));
    assert_eq!(endpoint.target_ref.as_ref().map(|target| &*target.kind), Some("Pod"));
    let port = &slices[0].ports[0];
    assert_eq!((port.name.as_deref(), port.port, port.protocol.as_deref()), (Some("http"), Some(8080), Some("TCP")));
    assert_eq!(slices[0].meta.annotations.get(TRIGGER_TIME_ANNOTATION), Some("2026-01-01T00:00:03Z"));
}

#[test]
fn conditions_follow_readiness_and_termination() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 3);
    let now = cluster.now.timestamp();
    cluster.change_pod(&key("web-1"), |pod| set_ready(pod, false, now));
    cluster.delete(Kind::Pod, &key("web-2"), &DeleteOptions::default()).expect("it exists");
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f", "web-1 f/f/f", "web-2 f/t/t"]);
    cluster.finish(&key("web-2"));
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f", "web-1 f/f/f"]);
}

#[test]
fn publishing_addresses_that_are_not_ready_makes_all_ready() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 2);
    let now = cluster.now.timestamp();
    cluster.change_pod(&key("web-0"), |pod| set_ready(pod, false, now));
    cluster.delete(Kind::Pod, &key("web-1"), &DeleteOptions::default()).expect("it exists");
    change_service(&mut cluster, "web", |service| {
        set_spec(service, |spec| drop(spec.insert("publishNotReadyAddresses".into(), json!(true))));
    });
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/f/f", "web-1 t/t/t"]);
}

#[test]
fn pods_that_ended_or_have_no_address_are_left_out() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 2);
    cluster.apply(pod("web-2", json!({"app": "web"}), json!([])));
    let now = cluster.now.timestamp();
    cluster.change_pod(&key("web-0"), |pod| {
        pod.status.phase = PodPhase::Succeeded;
        set_ready(pod, false, now);
    });
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-1 t/t/f"]);
}

#[test]
fn an_unready_pod_with_an_address_is_an_endpoint_as_soon_as_it_has_one() {
    let mut cluster = cluster();
    web(&mut cluster);
    cluster.apply(pod("web-0", json!({"app": "web"}), json!([])));
    assert_eq!(cluster.run(), 1, "only the service is a reason to sync");
    cluster.change_pod(&key("web-0"), |pod| pod.status.pod_ip = "10.1.0.1".parse().ok());
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-0 f/f/f"]);
}

#[test]
fn changes_that_do_not_touch_endpoints_cause_no_sync() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 1);
    cluster.run();
    cluster.change_pod(&key("web-0"), |pod| pod.status.message = "fine".into());
    cluster.change_pod(&key("web-0"), |pod| pod.meta.annotations = pod.meta.annotations.with("note", "x"));
    cluster.change_pod(&key("web-0"), |pod| pod.meta.labels = pod.meta.labels.with("extra", "x"));
    cluster.apply(pod("db-0", json!({"app": "db"}), json!([])));
    start(&mut cluster, "db-0", "10.1.0.9");
    assert_eq!(cluster.run(), 0);
}

#[test]
fn a_relabelled_pod_changes_service() {
    let mut cluster = cluster();
    web(&mut cluster);
    service(&mut cluster, "old", json!({"selector": {"app": "old"}, "clusterIP": "10.0.0.2", "ipFamilies": ["IPv4"]}));
    ready(&mut cluster, 2);
    cluster.run();
    cluster.change_pod(&key("web-0"), |pod| pod.meta.labels = pod.meta.labels.with("app", "old"));
    assert_eq!(cluster.run(), 2);
    assert_eq!(endpoints(&cluster, "web"), ["web-1 t/t/f"]);
    assert_eq!(endpoints(&cluster, "old"), ["web-0 t/t/f"]);
}

#[test]
fn a_switched_selector_replaces_the_endpoints_in_place() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 2);
    cluster.run_for(2);
    for at in 0..2 {
        cluster.apply(pod(&format!("green-{at}"), json!({"app": "green"}), json!([])));
        start(&mut cluster, &format!("green-{at}"), &format!("10.2.0.{}", at + 1));
    }
    cluster.run_for(2);
    let before = slices(&cluster, "web")[0].meta.name.clone();
    change_service(&mut cluster, "web", |service| {
        set_spec(service, |spec| drop(spec.insert("selector".into(), json!({"app": "green"}))));
    });
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["green-0 t/t/f", "green-1 t/t/f"]);
    let slice = &slices(&cluster, "web")[0];
    assert_eq!(slice.meta.name, before, "the slice is used again");
    let trigger = slice.meta.annotations.get(TRIGGER_TIME_ANNOTATION);
    assert_eq!(trigger, Some("2026-01-01T00:00:02Z"), "the pods that came in became ready then");
}

#[test]
fn services_without_selector_or_with_an_external_name_are_left_alone() {
    let mut cluster = cluster();
    service(&mut cluster, "manual", json!({"clusterIP": "10.0.0.3", "ports": [{"port": 80}]}));
    service(
        &mut cluster,
        "ext",
        json!({"type": "ExternalName", "externalName": "example.com", "selector": {"a": "b"}}),
    );
    cluster.run();
    assert!(cluster.writes.is_empty(), "{:?}", cluster.writes);
}

#[test]
fn named_ports_are_looked_up_in_each_pod() {
    let mut cluster = cluster();
    service(
        &mut cluster,
        "web",
        json!({
        "selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                  {"name": "metrics", "port": 90, "targetPort": "metrics", "protocol": "TCP"}]}),
    );
    let port =
        |name: &str, number: i32, protocol: &str| json!({"name": name, "containerPort": number, "protocol": protocol});
    let ports = [
        json!([port("http", 8080, "TCP")]),
        json!([port("http", 9090, "TCP"), port("metrics", 91, "TCP")]),
        json!([port("http", 8080, "UDP")]),
        json!([port("http", 8080, "TCP"), port("http", 8081, "TCP")]),
    ];
    for (at, ports) in ports.into_iter().enumerate() {
        cluster.apply(pod(&format!("p-{at}"), json!({"app": "web"}), ports));
        start(&mut cluster, &format!("p-{at}"), &format!("10.1.0.{}", at + 1));
    }
    cluster.run();
    let mut found = Vec::new();
    for slice in slices(&cluster, "web") {
        let ports = slice.ports.iter().map(|port| (port.name.clone().unwrap().to_string(), port.port.unwrap()));
        let pods = slice.endpoints.iter().map(|endpoint| endpoint.target_ref.as_ref().unwrap().name.to_string());
        found.push((ports.collect::<Vec<(String, i32)>>(), pods.collect::<Vec<String>>()));
    }
    let http = |number| ("http".to_owned(), number);
    let expected = vec![
        (vec![http(8080)], vec!["p-0".to_owned(), "p-3".to_owned()]),
        (vec![http(9090), ("metrics".to_owned(), 91)], vec!["p-1".to_owned()]),
        (vec![], vec!["p-2".to_owned()]),
    ];
    found.sort();
    let mut expected = expected;
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_named_port_of_a_sidecar_counts_and_one_of_an_init_container_does_not() {
    for (policy, expected) in [(json!("Always"), 1), (Value::Null, 0)] {
        let mut cluster = cluster();
        service(
            &mut cluster,
            "web",
            json!({
            "selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
            "ports": [{"name": "a", "port": 80, "targetPort": "a", "protocol": "TCP"}]}),
        );
        let mut manifest = pod("web-0", json!({"app": "web"}), json!([]));
        manifest["spec"]["initContainers"] = json!([{"name": "i", "restartPolicy": policy,
            "ports": [{"name": "a", "containerPort": 80, "protocol": "TCP"}]}]);
        cluster.apply(manifest);
        start(&mut cluster, "web-0", "10.1.0.1");
        cluster.run();
        assert_eq!(slices(&cluster, "web")[0].ports.len(), expected);
    }
}

#[test]
fn headless_services_are_labelled_and_name_the_hosts_in_their_subdomain() {
    let mut cluster = cluster();
    service(&mut cluster, "db", json!({"selector": {"app": "db"}, "clusterIP": "None", "ipFamilies": ["IPv4"]}));
    let mut manifest = pod("db-0", json!({"app": "db"}), json!([]));
    manifest["spec"]["hostname"] = json!("first");
    manifest["spec"]["subdomain"] = json!("db");
    cluster.apply(manifest);
    cluster.apply(pod("db-1", json!({"app": "db"}), json!([])));
    start(&mut cluster, "db-0", "10.1.0.1");
    start(&mut cluster, "db-1", "10.1.0.2");
    cluster.run();
    let slices = slices(&cluster, "db");
    assert_eq!(slices[0].meta.labels.get(HEADLESS_LABEL), Some(""));
    assert!(slices[0].ports.is_empty());
    let hosts: Vec<_> = slices[0].endpoints.iter().map(|endpoint| endpoint.hostname.as_deref()).collect();
    assert_eq!(hosts, [Some("first"), None]);
}

#[test]
fn labels_of_the_service_are_copied_and_reserved_ones_are_not() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 1);
    cluster.run();
    change_service(&mut cluster, "web", |service| {
        service.meta.labels =
            [("team", "a"), (HEADLESS_LABEL, "x"), ("kubernetes.io/service-name", "other")].into_iter().collect();
    });
    cluster.run();
    let labels: Labels = slices(&cluster, "web")[0].meta.labels.clone();
    assert_eq!(labels.get("team"), Some("a"));
    assert_eq!(labels.get("kubernetes.io/service-name"), Some("web"));
    assert!(!labels.contains_key(HEADLESS_LABEL));
    let writes = cluster.writes.len();
    change_service(&mut cluster, "web", |service| service.meta.labels = [("team", "a")].into_iter().collect());
    cluster.run();
    assert_eq!(cluster.writes.len(), writes, "reserved labels alone are no reason to write");
}

#[test]
fn each_family_has_its_slices() {
    let mut cluster = cluster();
    let ports = json!([{"port": 80, "targetPort": 80, "protocol": "TCP"}]);
    let spec =
        json!({"selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv6", "IPv4"], "ports": ports});
    service(&mut cluster, "web", spec);
    ready(&mut cluster, 1);
    cluster.apply(pod("six", json!({"app": "web"}), json!([])));
    start(&mut cluster, "six", "fd00::1");
    cluster.run();
    let by_type = |cluster: &Cluster| {
        let mut found: Vec<(String, usize)> = slices(cluster, "web")
            .iter()
            .map(|slice| (slice.address_type.to_string(), slice.endpoints.len()))
            .collect();
        found.sort();
        found
    };
    assert_eq!(by_type(&cluster), [("IPv4".to_owned(), 1), ("IPv6".to_owned(), 1)]);
    change_service(&mut cluster, "web", |service| {
        set_spec(service, |spec| drop(spec.insert("ipFamilies".into(), json!(["IPv4"]))));
    });
    cluster.run();
    assert_eq!(by_type(&cluster), [("IPv4".to_owned(), 1)]);
}

#[test]
fn slices_are_filled_to_a_hundred() {
    let mut cluster = cluster();
    ready(&mut cluster, 250);
    web(&mut cluster);
    cluster.run();
    assert_eq!(lengths(&cluster, "web"), [100, 100, 50]);
    assert_eq!(cluster.writes.len(), 3);
}

/// Makes slices with the pods' endpoints by hand: `sizes[i]` endpoints in the i-th.
fn preexisting(cluster: &mut Cluster, sizes: &[usize]) {
    let total = sizes.iter().sum();
    ready(cluster, total);
    web(cluster);
    let owner = cluster.store.services.get(&key("web")).expect("the service").meta.uid.clone();
    let mut at = 0;
    for size in sizes {
        let endpoints: Vec<Value> = (at..at + size)
            .map(|at| {
                let pod = cluster.store.pods.get(&key(&format!("web-{at}"))).expect("the pod");
                json!({"addresses": [pod.status.pod_ip.expect("an address")], "nodeName": "n1", "zone": "a",
                       "conditions": {"ready": true, "serving": true, "terminating": false},
                       "targetRef": {"kind": "Pod", "namespace": "default", "name": pod.meta.name, "uid": pod.meta.uid}})
            })
            .collect();
        at += size;
        cluster.apply(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"generateName": "web-", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "web", MANAGED_BY_LABEL: MANAGER},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": owner}]},
            "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}));
    }
    cluster.run();
    assert!(cluster.writes.is_empty(), "all is well: {:?}", cluster.writes);
}

fn more(cluster: &mut Cluster, from: usize, to: usize) {
    for at in from..to {
        cluster.apply(pod(&format!("web-{at}"), json!({"app": "web"}), json!([])));
        start(cluster, &format!("web-{at}"), &format!("10.1.{}.{}", at / 250, at % 250 + 1));
    }
    cluster.run();
}

#[test]
fn new_endpoints_go_where_the_fewest_slices_change() {
    // Rows of upstream's reconciler_test.go.
    for (before, total, after) in [
        (&[62, 61][..], 250, &[89, 61, 100][..]),
        (&[74, 74], 300, &[74, 74, 100, 52]),
        (&[30; 10], 300, &[30; 10]),
        (&[90, 50], 150, &[100, 50]),
        (&[100], 101, &[100, 1]),
    ] {
        let mut cluster = cluster();
        preexisting(&mut cluster, before);
        more(&mut cluster, before.iter().sum(), total);
        assert_eq!(lengths(&cluster, "web"), after, "from {before:?} to {total}");
    }
}

#[test]
fn slices_that_change_anyway_are_filled_first_the_fullest_first() {
    let mut cluster = cluster();
    preexisting(&mut cluster, &[20, 80]);
    let now = cluster.now.timestamp();
    for pod in ["web-0", "web-99"] {
        cluster.change_pod(&key(pod), |pod| set_ready(pod, false, now));
    }
    more(&mut cluster, 100, 115);
    assert_eq!(lengths(&cluster, "web"), [20, 95]);
}

#[test]
fn a_changed_target_port_recycles_slices() {
    let mut cluster = cluster();
    preexisting(&mut cluster, &[30; 10]);
    change_service(&mut cluster, "web", |service| {
        set_spec(service, |spec| spec["ports"][0]["targetPort"] = json!(9090));
    });
    cluster.run();
    assert_eq!(lengths(&cluster, "web"), [100, 100, 100]);
    let count = |what: &str| cluster.writes.iter().filter(|write| write.starts_with(what)).count();
    assert_eq!((count("create"), count("update"), count("delete")), (0, 3, 7));
}

#[test]
fn slices_of_an_earlier_service_of_that_name_are_replaced() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 1);
    cluster.run();
    let before = slices(&cluster, "web")[0].meta.uid.clone();
    cluster.delete(Kind::Service, &key("web"), &DeleteOptions::default()).expect("it exists");
    cluster.run();
    assert_eq!(slices(&cluster, "web").len(), 1, "they are left to the garbage collector");
    web(&mut cluster);
    cluster.run();
    let slices = slices(&cluster, "web");
    assert_eq!(slices.len(), 1);
    assert_ne!(slices[0].meta.uid, before);
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f"]);
}

#[test]
fn a_slice_that_someone_else_deletes_or_changes_is_put_right_after_a_second() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 1);
    cluster.run();
    let slice = slices(&cluster, "web")[0].clone();
    let name = key(&slice.meta.name);
    cluster.update(&EndpointSlice { endpoints: Vec::new().into(), ..EndpointSlice::clone(&slice) }.into()).expect("ok");
    assert_eq!(cluster.run(), 0);
    cluster.run_for(1);
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f"]);
    cluster.delete(Kind::EndpointSlice, &name, &DeleteOptions::default()).expect("it exists");
    assert_eq!(cluster.run(), 0);
    cluster.run_for(1);
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f"]);
}

#[test]
fn a_sync_that_does_not_see_its_own_writes_waits() {
    let mut cluster = cluster();
    web(&mut cluster);
    cluster.run();
    cluster.run_for(1);
    ready(&mut cluster, 1);
    cluster.frozen = true;
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f"]);
    let writes = cluster.writes.len();
    // The view shows the next pod, but not the slice that was just written.
    let hidden = cluster.view.clone();
    cluster.catch_up();
    cluster.view = hidden;
    let step = crate::api::Reconciler::reconcile(
        &mut cluster.controller,
        crate::api::Context { view: &cluster.view, now: cluster.now, expectations_met: false },
        &key("web"),
    );
    let crate::api::Then::Retry(why) = step.then else { panic!("{step:?}") };
    assert_eq!(why, "EndpointSlice informer cache is out of date");
    assert_eq!(cluster.writes.len(), writes);
}

#[test]
fn a_pod_on_a_missing_node_is_left_out_and_tried_again() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 1);
    let mut manifest = pod("lost", json!({"app": "web"}), json!([]));
    manifest["spec"]["nodeName"] = json!("n9");
    cluster.apply(manifest);
    start(&mut cluster, "lost", "10.1.0.7");
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f"]);
    assert_eq!(cluster.failures, ["skipping Pod lost for Service default/web: Node n9 Not Found"]);
    assert_eq!(&*cluster.events[0].reason, "FailedToUpdateEndpointSlices");
    cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n9"}}));
    cluster.run_for(1);
    assert_eq!(endpoints(&cluster, "web"), ["web-0 t/t/f", "lost t/t/f"]);
}

#[test]
fn a_nodes_new_zone_shows_with_the_next_sync() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 2);
    cluster.run();
    let node = cluster.store.object(Kind::Node, &Key::new("", "n1")).expect("the node");
    let zone = node.with_meta(|meta| meta.labels = meta.labels.with("topology.kubernetes.io/zone", "c"));
    cluster.update(&zone).expect("it exists");
    assert_eq!(cluster.run(), 0, "upstream does not wake services for it");
    let now = cluster.now.timestamp();
    cluster.change_pod(&key("web-1"), |pod| set_ready(pod, false, now));
    cluster.run();
    assert!(slices(&cluster, "web")[0].endpoints.iter().all(|endpoint| endpoint.zone.as_deref() == Some("c")));
}

#[test]
fn a_pod_that_ends_without_losing_readiness_leaves_with_the_next_sync() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 3);
    cluster.run();
    cluster.change_pod(&key("web-0"), |pod| pod.status.phase = PodPhase::Failed);
    assert_eq!(cluster.run(), 0, "the phase alone wakes nothing");
    let now = cluster.now.timestamp();
    cluster.change_pod(&key("web-2"), |pod| set_ready(pod, false, now));
    cluster.run();
    assert_eq!(endpoints(&cluster, "web"), ["web-1 t/t/f", "web-2 f/f/f"]);
}

#[test]
fn without_ports_the_placeholder_stays_where_new_slices_are_full() {
    let mut cluster = cluster();
    service(&mut cluster, "web", json!({"selector": {"app": "web"}, "clusterIP": "None", "ipFamilies": ["IPv4"]}));
    cluster.run();
    ready(&mut cluster, 200);
    cluster.run();
    assert_eq!(lengths(&cluster, "web"), [0, 100, 100], "it has the same ports, none, and is not needed");
    more(&mut cluster, 200, 201);
    assert_eq!(lengths(&cluster, "web"), [1, 100, 100]);
}

#[test]
fn a_refused_write_is_reported_and_repeated() {
    let mut cluster = cluster();
    cluster.refuse = Some("create EndpointSlice");
    web(&mut cluster);
    cluster.run();
    assert!(cluster.failures[0].starts_with("failed to create EndpointSlice for Service default/web: refused"));
    assert!(cluster.events[0].message.starts_with("Error updating Endpoint Slices for Service default/web: failed"));
    cluster.refuse = None;
    cluster.run_for(1);
    assert_eq!(slices(&cluster, "web").len(), 1);
}

#[test]
fn a_service_that_goes_away_gets_no_new_slices() {
    let mut cluster = cluster();
    let mut manifest = json!({"apiVersion": "v1", "kind": "Service", "metadata": {
        "name": "web", "namespace": "default", "finalizers": ["example.com/hold"],
        "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"selector": {"app": "web"}, "ipFamilies": ["IPv4"]}});
    manifest["spec"]["clusterIP"] = json!("10.0.0.1");
    cluster.apply(manifest);
    cluster.run();
    assert!(cluster.writes.is_empty(), "{:?}", cluster.writes);
}

#[test]
fn hints_follow_the_traffic_distribution() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 2);
    let now = cluster.now.timestamp();
    cluster.change_pod(&key("web-1"), |pod| set_ready(pod, false, now));
    cluster.run();
    let hints = |cluster: &Cluster| -> Vec<Value> {
        let slice = &slices(cluster, "web")[0];
        slice.endpoints.iter().map(|endpoint| endpoint.rest.get("hints").cloned().unwrap_or_default()).collect()
    };
    let zone = json!([{"name": "a"}]);
    for (distribution, expected) in [
        (json!("PreferClose"), [json!({"forZones": zone}), Value::Null]),
        (json!("PreferSameNode"), [json!({"forZones": zone, "forNodes": [{"name": "n1"}]}), Value::Null]),
        (json!("PreferSameZone"), [json!({"forZones": zone}), Value::Null]),
        (Value::Null, [Value::Null, Value::Null]),
    ] {
        change_service(&mut cluster, "web", |service| {
            set_spec(service, |spec| drop(spec.insert("trafficDistribution".into(), distribution)));
        });
        cluster.run();
        assert_eq!(hints(&cluster), expected);
    }
}

#[test]
fn a_restarted_controller_rewrites_nothing() {
    let mut cluster = cluster();
    web(&mut cluster);
    ready(&mut cluster, 120);
    cluster.run();
    let writes = cluster.writes.len();
    restart(&mut cluster);
    cluster.run_for(5);
    assert_eq!(cluster.writes.len(), writes);
}

/// A controller that remembers nothing looks at everything.
pub(super) fn restart(cluster: &mut Cluster) {
    cluster.controller = EndpointSliceController::default();
    for kind in [Kind::Node, Kind::Pod, Kind::EndpointSlice, Kind::Service] {
        for object in cluster.store.list(kind) {
            replay(cluster, object);
        }
    }
}

fn replay(cluster: &mut Cluster, object: Object) {
    let mut queue = crate::api::Enqueue::default();
    let change = crate::api::Change {
        change_type: crate::api::ChangeType::Added,
        resource_version: object.meta().resource_version,
        object,
        old: None,
    };
    let (view, now) = (cluster.view.clone(), cluster.now);
    crate::api::Reconciler::on_change(&mut cluster.controller, &view, &change, now, &mut queue);
    let due: Vec<Key> = queue.drain().map(|(key, _)| key).collect();
    due.into_iter().for_each(|key| cluster.sync_now(&key));
}
