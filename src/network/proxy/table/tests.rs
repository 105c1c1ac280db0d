//! What nodes have programmed while machines start.

use serde_json::{Value, json};

use crate::kernel::{SimDuration, Streams};
use crate::network::NetworkConfig;
use crate::network::clients::PortRef;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn tell(table: &mut ProxyTable, wire: Value, now: u64) {
    let object = Object::from_wire(wire).expect("an object");
    let change = Change { change_type: ChangeType::Modified, object, old: None, resource_version: 1 };
    table.follow(&change, now);
}

fn service(kind: &str, policy: &str) -> Value {
    let spec = json!({"type": kind, "clusterIP": "10.96.0.1", "externalTrafficPolicy": policy, "healthCheckNodePort": 30999,
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]});
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": spec,
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}})
}

fn slice(endpoints: &[&str]) -> Value {
    let endpoints = endpoints.iter().map(|address| json!({"addresses": [address], "nodeName": "b"}));
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"port": 8080, "protocol": "TCP"}], "endpoints": endpoints.collect::<Vec<_>>()})
}

/// Two nodes, `a` and `b`, that have had the rules for one endpoint since the beginning.
struct Bed {
    table: ProxyTable,
    port: PortId,
    nodes: [NodeId; 2],
}

impl Bed {
    fn new(service: Value) -> Self {
        let config = NetworkConfig {
            proxy_start: SimDuration::from_secs(3),
            sync_base: SimDuration::from_secs(1),
            load_balancer: HealthCheck { interval: SimDuration::from_secs(1), ..HealthCheck::gce() },
            ..NetworkConfig::ideal()
        };
        let mut table = ProxyTable::new(&config, SimDuration::ZERO, Streams::new(1));
        for name in ["a", "b"] {
            tell(&mut table, json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}), 0);
        }
        let nodes = ["a", "b"].map(|name| table.set_up(&name.into(), true, 0));
        tell(&mut table, service, 0);
        tell(&mut table, slice(&["10.0.0.1"]), 0);
        let port = table.find_port(&Key::new("default", "web"), &PortRef::Only).expect("a port");
        Self { table, port, nodes }
    }

    fn reboot(&mut self, now: u64) {
        self.table.set_up(&"a".into(), false, now);
        self.table.set_up(&"a".into(), true, now);
    }

    /// How many endpoints each of the nodes sends to; nothing = it has no rules.
    fn endpoints(&mut self, now: u64) -> [Option<usize>; 2] {
        self.nodes.map(|node| Some(self.table.programmed(self.port, node, now)?.1.cluster(node, None).len()))
    }

    fn ways_in(&mut self, now: u64) -> Vec<NodeId> {
        let pool = self.table.balancer_of(&Key::new("default", "web"));
        self.table.ways_in(pool, now).to_vec()
    }
}

/// `--iptables-sync-period` and the like do not matter: the first sync comes when all is listed (`OnServiceSynced`).
#[test]
fn a_machine_that_starts_has_no_rules_until_the_first_sync_of_its_proxy() {
    let mut bed = Bed::new(service("NodePort", "Cluster"));
    assert_eq!(bed.endpoints(60 * SECOND), [Some(1), Some(1)]);
    bed.reboot(100 * SECOND);
    assert_eq!(bed.endpoints(100 * SECOND), [None, Some(1)]);
    tell(&mut bed.table, slice(&["10.0.0.1", "10.0.0.2"]), 102 * SECOND);
    assert_eq!(bed.endpoints(104 * SECOND - 1), [None, Some(2)]);
    // Three seconds to its start, one for the sync; what came meanwhile is in it.
    assert_eq!(bed.endpoints(104 * SECOND), [Some(2), Some(2)]);
    tell(&mut bed.table, slice(&["10.0.0.1"]), 110 * SECOND);
    assert_eq!(bed.endpoints(120 * SECOND), [Some(1), Some(1)]);
}

#[test]
fn a_machine_that_starts_cut_off_has_no_rules_until_it_is_connected_again() {
    let mut bed = Bed::new(service("NodePort", "Cluster"));
    let node = bed.nodes[0];
    bed.table.fall_silent(node, crate::network::Silence::Partition, 90 * SECOND);
    bed.reboot(100 * SECOND);
    assert_eq!(bed.endpoints(200 * SECOND), [None, Some(1)]);
    bed.table.hear_again(node, crate::network::Silence::Partition, 200 * SECOND, 205 * SECOND);
    assert_eq!(bed.endpoints(206 * SECOND - 1), [None, Some(1)]);
    assert_eq!(bed.endpoints(206 * SECOND), [Some(1), Some(1)]);
}

#[test]
fn a_way_that_is_cut_before_the_proxy_has_begun_leaves_it_without_rules() {
    let mut bed = Bed::new(service("NodePort", "Cluster"));
    let node = bed.nodes[0];
    bed.reboot(100 * SECOND);
    bed.table.fall_silent(node, crate::network::Silence::Partition, 101 * SECOND);
    assert_eq!(bed.endpoints(150 * SECOND), [None, Some(1)]);
    bed.table.hear_again(node, crate::network::Silence::Partition, 150 * SECOND, 150 * SECOND);
    assert_eq!(bed.endpoints(151 * SECOND), [Some(1), Some(1)]);
}

/// Both `:10256` and the port of `externalTrafficPolicy: Local` are kube-proxy's: until it is there the machine refuses.
#[test]
fn a_load_balancer_sends_to_a_machine_that_has_started_when_its_proxy_answers() {
    let healthy_on_b = |policy| if policy == "Local" { vec![NodeId(1)] } else { vec![NodeId(0), NodeId(1)] };
    for policy in ["Cluster", "Local"] {
        let mut bed = Bed::new(service("LoadBalancer", policy));
        assert_eq!(bed.ways_in(50 * SECOND), healthy_on_b(policy), "{policy}");
        bed.table.set_up(&"a".into(), false, 60 * SECOND);
        bed.table.set_up(&"b".into(), false, 60 * SECOND);
        assert_eq!(bed.ways_in(90 * SECOND), [], "{policy}");
        bed.table.set_up(&"a".into(), true, 100 * SECOND);
        bed.table.set_up(&"b".into(), true, 100 * SECOND);
        assert_eq!(bed.ways_in(104 * SECOND - 1), [], "{policy}");
        // Each is asked once a second.
        assert_eq!(bed.ways_in(105 * SECOND), healthy_on_b(policy), "{policy}");
    }
}
