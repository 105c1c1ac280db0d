use serde_json::{Value, json};

use super::*;
use crate::controllers::test_cluster::TestCluster;

type Cluster = TestCluster<EndpointsController>;

fn service(fields: Value) -> Value {
    let mut spec = json!({"type": "ClusterIP", "clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"], "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}}, "spec": spec})
}

fn pod(name: &str, ip: &str, ready: bool) -> Value {
    let status = if ready { "True" } else { "False" };
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:05Z"}]},
    })
}

fn endpoints(cluster: &Cluster) -> Endpoints {
    Endpoints::clone(cluster.store.endpoints.get(&Key::new("default", "web")).expect("there"))
}

fn ips(list: &[EndpointAddress]) -> Vec<String> {
    list.iter().map(|address| address.ip.to_string()).collect()
}

#[test]
fn ready_pods_and_others_are_told_apart() {
    let mut cluster = Cluster::default();
    cluster.apply(service(json!({})));
    cluster.apply(pod("a", "10.0.0.1", true));
    cluster.apply(pod("b", "10.0.0.2", false));
    cluster.run_for(1);
    let made = endpoints(&cluster);
    let [subset] = &made.subsets[..] else { panic!("{made:?}") };
    assert_eq!(
        (ips(&subset.addresses), ips(&subset.not_ready_addresses)),
        (vec!["10.0.0.1".into()], vec!["10.0.0.2".into()])
    );
    assert_eq!((subset.ports[0].port, subset.addresses[0].node_name.as_deref()), (Some(8080), Some("n1")));
    assert_eq!((made.meta.labels.get("a"), made.meta.labels.get(MANAGED_BY.0)), (Some("b"), Some(MANAGED_BY.1)));
    assert!(!made.meta.labels.contains_key(HEADLESS_LABEL));
    cluster.writes.clear();
    cluster
        .change_pod(&Key::new("default", "a"), |pod| pod.meta.deletion_timestamp = Some(Timestamp::from_unix_secs(9)));
    cluster.run_for(1);
    let [subset] = &endpoints(&cluster).subsets[..] else { panic!("one subset") };
    assert!(subset.addresses.is_empty() && cluster.writes.len() == 1, "a pod that goes is left out at once");
}

#[test]
fn endpoints_come_and_go_with_their_service() {
    let mut cluster = Cluster::default();
    cluster.apply(service(json!({"clusterIP": "None"})));
    cluster.run_for(1);
    let made = endpoints(&cluster);
    assert!(made.subsets.is_empty() && made.meta.labels.contains_key(HEADLESS_LABEL));
    assert!(made.meta.annotations.contains_key(TRIGGER_TIME_ANNOTATION));
    cluster.delete(Kind::Endpoints, &Key::new("default", "web"), &DeleteOptions::default()).expect("there");
    cluster.run_for(1);
    endpoints(&cluster);
    cluster.delete(Kind::Service, &Key::new("default", "web"), &DeleteOptions::default()).expect("there");
    cluster.run_for(1);
    assert!(cluster.store.endpoints.is_empty() && cluster.failures.is_empty());
}

#[test]
fn services_without_a_selector_and_aliases_are_left_alone() {
    for fields in [json!({"selector": null}), json!({"type": "ExternalName"})] {
        let mut cluster = Cluster::default();
        cluster.apply(service(fields));
        cluster.apply(pod("a", "10.0.0.1", true));
        cluster.run_for(1);
        assert!(cluster.writes.is_empty());
    }
}

/// `TestTruncateEndpoints`: ready and not ready addresses by subset, and what stays of them.
#[test]
fn too_many_addresses_are_cut_off_in_proportion() {
    let list = |count: usize| (0..count).map(|_| EndpointAddress::default()).collect();
    let cut = |subsets: &[(usize, usize)]| {
        let subset = |(ready, not_ready): &(usize, usize)| EndpointSubset {
            addresses: list(*ready),
            not_ready_addresses: list(*not_ready),
            ..EndpointSubset::default()
        };
        let mut subsets: Vec<EndpointSubset> = subsets.iter().map(subset).collect();
        let cut = truncate::truncate(&mut subsets);
        let left: Vec<_> =
            subsets.iter().map(|subset| (subset.addresses.len(), subset.not_ready_addresses.len())).collect();
        (cut, left)
    };
    assert_eq!(cut(&[(500, 500)]), (false, vec![(500, 500)]));
    assert_eq!(cut(&[(501, 500)]), (true, vec![(501, 499)]));
    assert_eq!(cut(&[(1001, 500)]), (true, vec![(1000, 0)]));
    assert_eq!(cut(&[(400, 0), (600, 0), (1000, 0)]), (true, vec![(200, 0), (300, 0), (500, 0)]));
    assert_eq!(cut(&[(200, 200), (200, 400), (200, 200)]), (true, vec![(200, 100), (200, 200), (200, 100)]));
}

#[test]
fn what_was_cut_off_is_marked() {
    let mut cluster = Cluster::default();
    cluster.apply(service(json!({})));
    for n in 0..1001 {
        cluster.apply(pod(&format!("p{n}"), &format!("10.0.{}.{}", n / 250, n % 250 + 1), true));
    }
    cluster.run_for(1);
    let made = endpoints(&cluster);
    assert_eq!(made.subsets[0].addresses.len(), MAX_CAPACITY);
    assert_eq!(made.meta.annotations.get(OVER_CAPACITY_ANNOTATION), Some("truncated"));
}
