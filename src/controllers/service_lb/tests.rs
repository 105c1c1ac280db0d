use serde_json::{Value, json};

use super::*;
use crate::api::DeleteOptions;
use crate::controllers::test_cluster::TestCluster;

type Cluster = TestCluster<ServiceLbController>;

impl Default for ServiceLbController {
    fn default() -> Self {
        Self::new(SimDuration::from_secs(30), SimDuration::from_secs(5), SimDuration::from_secs(20))
    }
}

fn service(name: &str, fields: Value) -> Value {
    let mut spec = json!({"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30_080}]});
    if let (Some(spec), Some(fields)) = (spec.as_object_mut(), fields.as_object()) {
        spec.extend(fields.clone());
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

fn node(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
}

/// A cluster of one node.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(node("n1", json!({})));
    cluster
}

fn stored(cluster: &Cluster, name: &str) -> Service {
    Service::clone(cluster.store.services.get(&Key::new("default", name)).expect("there"))
}

fn addresses(cluster: &Cluster, name: &str) -> Vec<String> {
    stored(cluster, name).status.load_balancer.ingress.iter().map(|point| point.ip.to_string()).collect()
}

fn reasons(cluster: &mut Cluster) -> Vec<String> {
    cluster.events.drain(..).map(|event| event.reason.to_string()).collect()
}

#[test]
fn a_load_balancer_is_there_after_a_while_and_holds_its_service() {
    let mut cluster = cluster();
    cluster.apply(service("web", json!({})));
    cluster.run_for(29);
    assert_eq!(reasons(&mut cluster), ["EnsuringLoadBalancer"]);
    assert!(
        stored(&cluster, "web").meta.has_finalizer(LOAD_BALANCER_FINALIZER) && addresses(&cluster, "web").is_empty()
    );
    cluster.run_for(1);
    assert_eq!(reasons(&mut cluster), ["EnsuredLoadBalancer"]);
    assert_eq!(addresses(&cluster, "web"), ["203.0.113.1"]);

    cluster.delete(Kind::Service, &Key::new("default", "web"), &DeleteOptions::default()).expect("it exists");
    cluster.run_for(19);
    assert_eq!(reasons(&mut cluster), ["DeletingLoadBalancer"]);
    assert!(stored(&cluster, "web").meta.is_deleting());
    cluster.run_for(1);
    assert_eq!(reasons(&mut cluster), ["DeletedLoadBalancer"]);
    assert!(cluster.store.services.is_empty());
    cluster.run_for(1000);
    assert_eq!(reasons(&mut cluster), Vec::<String>::new());
    assert_eq!(cluster.failures, Vec::<String>::new());
}

#[test]
fn load_balancers_are_made_one_at_a_time() {
    let mut cluster = cluster();
    for name in ["a", "b", "c"] {
        cluster.apply(service(name, json!({})));
    }
    for (seconds, made) in [(30, 1), (29, 1), (1, 2), (30, 3)] {
        cluster.run_for(seconds);
        let there = ["a", "b", "c"].iter().filter(|name| !addresses(&cluster, name).is_empty()).count();
        assert_eq!(there, made);
    }
}

#[test]
fn only_what_concerns_the_load_balancer_is_followed() {
    let mut cluster = cluster();
    cluster.apply(service("web", json!({})));
    cluster.run_for(30);
    reasons(&mut cluster);
    let mut change = |change: &dyn Fn(&mut Service)| {
        let mut service = stored(&cluster, "web");
        change(&mut service);
        cluster.update(&service.into()).expect("accepted");
        cluster.run_for(5);
        reasons(&mut cluster)
    };
    let again = ["EnsuringLoadBalancer", "EnsuredLoadBalancer"];
    assert!(change(&|service| service.meta.labels = service.meta.labels.with("a", "b")).is_empty());
    assert_eq!(change(&|service| service.meta.annotations = service.meta.annotations.with("a", "b")), again);
    assert_eq!(change(&|service| Arc::make_mut(&mut service.spec).ports[0].node_port = 30_081), again);
    assert_eq!(change(&|service| Arc::make_mut(&mut service.spec).load_balancer_ip = "192.0.2.9".into()), again);
    assert_eq!(addresses(&cluster, "web"), ["192.0.2.9"]);
}

#[test]
fn a_service_of_another_type_loses_its_load_balancer() {
    let mut cluster = cluster();
    cluster.apply(service("web", json!({})));
    cluster.run_for(30);
    let mut plain = stored(&cluster, "web");
    Arc::make_mut(&mut plain.spec).kind = "ClusterIP".into();
    cluster.update(&plain.into()).expect("accepted");
    cluster.run_for(20);
    let after = stored(&cluster, "web");
    assert!(!after.meta.has_finalizer(LOAD_BALANCER_FINALIZER) && after.status.load_balancer.ingress.is_empty());
}

#[test]
fn other_types_and_classes_are_left_alone() {
    let mut cluster = cluster();
    cluster.apply(service("node-port", json!({"type": "NodePort"})));
    cluster.apply(service("classy", json!({"loadBalancerClass": "example.com/lb"})));
    cluster.run_for(100);
    assert!(cluster.writes.is_empty() && cluster.events.is_empty());
}

#[test]
fn load_balancers_are_told_of_nodes_but_not_of_their_health() {
    let mut cluster = cluster();
    for name in ["a", "b"] {
        cluster.apply(service(name, json!({})));
    }
    cluster.run_for(60);
    reasons(&mut cluster);
    cluster.apply(node("n2", json!({})));
    cluster.run_for(5);
    assert_eq!(reasons(&mut cluster), ["UpdatedLoadBalancer"], "one after the other");
    cluster.run_for(5);
    assert_eq!(reasons(&mut cluster), ["UpdatedLoadBalancer"]);
    cluster.apply(node("n3", json!({"node.kubernetes.io/exclude-from-external-load-balancers": ""})));
    let mut cordoned = Node::clone(cluster.store.nodes.get(&Key::new("", "n2")).expect("there"));
    cordoned.spec.unschedulable = true;
    cluster.update(&cordoned.into()).expect("accepted");
    cluster.run_for(100);
    assert!(reasons(&mut cluster).is_empty());
    for name in ["n1", "n2"] {
        cluster.delete(Kind::Node, &Key::new("", name), &DeleteOptions::default()).expect("it exists");
    }
    cluster.run_for(10);
    assert_eq!(reasons(&mut cluster), ["UnAvailableLoadBalancer", "UnAvailableLoadBalancer"]);
}
