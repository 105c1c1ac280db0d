//! Rows of upstream's `utils_test.go`, `controller_utils_test.go` and `reconciler_test.go` of endpoint slices.

use serde_json::{Value, json};

use super::tests::{Cluster, cluster, key, pod, service, slices, start};
use crate::api::DeleteOptions;
use crate::objects::{Kind, PodPhase};

fn of_web(cluster: &mut Cluster, more: &Value) {
    let mut spec = json!({"selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
        "ports": [{"name": "p", "port": 80, "targetPort": 8080, "protocol": "TCP"}]});
    more.as_object().into_iter().flatten().for_each(|(field, value)| spec[field] = value.clone());
    service(cluster, "web", spec);
}

/// `TestFindPort`: the number that a target port stands for in a pod; `None` = none.
#[test]
fn a_target_port_stands_for_a_number_in_each_pod() {
    let port =
        |name: &str, number: u32, protocol: &str| json!({"name": name, "containerPort": number, "protocol": protocol});
    let none = || json!([]);
    for (row, target, containers, init, policy, expected) in [
        ("a number, nothing declared", json!(93), vec![none()], none(), None, Some(93)),
        ("a number, others declared", json!(93), vec![json!([port("p", 22, "TCP")])], none(), None, Some(93)),
        ("a name, nothing declared", json!("p"), vec![none()], none(), None, None),
        (
            "the second of a container",
            json!("q"),
            vec![json!([port("p", 22, "TCP"), port("q", 33, "TCP")])],
            none(),
            None,
            Some(33),
        ),
        (
            "of the second container",
            json!("q"),
            vec![json!([port("p", 22, "TCP")]), json!([port("q", 33, "TCP")])],
            none(),
            None,
            Some(33),
        ),
        ("another name", json!("r"), vec![json!([port("p", 22, "TCP")])], none(), None, None),
        ("of another protocol", json!("a"), vec![json!([port("a", 11, "UDP")])], none(), None, None),
        (
            "the port of the machine does not count",
            json!("a"),
            vec![json!([{"name": "a", "containerPort": 11, "hostPort": 81, "protocol": "TCP"}])],
            none(),
            None,
            Some(11),
        ),
        ("of a sidecar alone", json!("a"), vec![none()], json!([port("a", 80, "TCP")]), Some("Always"), Some(80)),
        ("of an init container alone", json!("a"), vec![none()], json!([port("a", 80, "TCP")]), None, None),
        (
            "containers come before sidecars",
            json!("a"),
            vec![json!([port("a", 81, "TCP"), port("a", 82, "TCP")])],
            json!([port("a", 80, "TCP")]),
            Some("Always"),
            Some(81),
        ),
    ] {
        let mut cluster = cluster();
        of_web(&mut cluster, &json!({"ports": [{"name": "p", "port": 80, "targetPort": target, "protocol": "TCP"}]}));
        let mut manifest = pod("web-0", json!({"app": "web"}), json!([]));
        let each = containers.into_iter().enumerate();
        manifest["spec"]["containers"] =
            each.map(|(at, ports)| json!({"name": format!("c{at}"), "ports": ports})).collect();
        manifest["spec"]["initContainers"] = json!([{"name": "i", "restartPolicy": policy, "ports": init}]);
        cluster.apply(manifest);
        start(&mut cluster, "web-0", "10.1.0.1");
        cluster.run();
        let found = slices(&cluster, "web");
        assert_eq!(found[0].ports.first().and_then(|port| port.port), expected, "{row}");
        assert_eq!(found[0].endpoints.len(), 1, "{row}: without a port it is an endpoint all the same");
    }
}

/// `TestShouldPodBeInEndpoints` with terminating pods included, and `TestPodToEndpoint`: `ready/serving/terminating`.
#[test]
fn a_pod_is_an_endpoint_in_some_state() {
    for (row, phase, is_ready, has_address, is_deleted, published, expected) in [
        ("ready", PodPhase::Running, true, true, false, false, Some("t/t/f")),
        ("not ready", PodPhase::Running, false, true, false, false, Some("f/f/f")),
        ("not ready, published", PodPhase::Running, false, true, false, true, Some("t/f/f")),
        ("ready and going", PodPhase::Running, true, true, true, false, Some("f/t/t")),
        ("not ready and going", PodPhase::Running, false, true, true, false, Some("f/f/t")),
        ("ready, going, published", PodPhase::Running, true, true, true, true, Some("t/t/t")),
        ("not ready, going, published", PodPhase::Running, false, true, true, true, Some("t/f/t")),
        ("failed", PodPhase::Failed, false, true, false, false, None),
        ("failed, published", PodPhase::Failed, false, true, false, true, None),
        ("succeeded", PodPhase::Succeeded, false, true, false, false, None),
        ("without an address", PodPhase::Running, true, false, false, false, None),
        ("without an address, published", PodPhase::Pending, false, false, false, true, None),
        ("pending", PodPhase::Pending, false, true, false, false, Some("f/f/f")),
        ("unknown", PodPhase::Unknown, false, true, false, false, Some("f/f/f")),
    ] {
        let mut cluster = cluster();
        of_web(&mut cluster, &json!({"publishNotReadyAddresses": published}));
        cluster.apply(pod("web-0", json!({"app": "web"}), json!([])));
        start(&mut cluster, "web-0", "10.1.0.1");
        let now = cluster.now.timestamp();
        cluster.change_pod(&key("web-0"), |pod| {
            pod.status.phase = phase;
            pod.status.pod_ip = pod.status.pod_ip.filter(|_| has_address);
            super::tests::set_ready(pod, is_ready, now);
        });
        if is_deleted {
            cluster.delete(Kind::Pod, &key("web-0"), &DeleteOptions::default()).expect("it exists");
        }
        cluster.run();
        let flag = |flag: Option<bool>| if flag == Some(true) { "t" } else { "f" };
        let found = slices(&cluster, "web");
        let conditions = found[0].endpoints.first().map(|endpoint| endpoint.conditions);
        let told = conditions.map(|found| [found.ready, found.serving, found.terminating].map(flag).join("/"));
        assert_eq!(told.as_deref(), expected, "{row}");
    }
}

/// `TestShouldSetHostname`: a pod has a name of its own below the service that it names as its subdomain.
#[test]
fn hosts_are_named_below_their_subdomain() {
    for (hostname, subdomain, expected) in [
        (Some("first"), Some("web"), Some("first")),
        (Some("first"), Some("other"), None),
        (Some("first"), None, None),
        (None, Some("web"), None),
        (None, None, None),
    ] {
        let mut cluster = cluster();
        of_web(&mut cluster, &json!({}));
        let mut manifest = pod("web-0", json!({"app": "web"}), json!([]));
        for (field, value) in [("hostname", hostname), ("subdomain", subdomain)] {
            if let Some(value) = value {
                manifest["spec"][field] = value.into();
            }
        }
        cluster.apply(manifest);
        start(&mut cluster, "web-0", "10.1.0.1");
        cluster.run();
        let found = slices(&cluster, "web")[0].endpoints[0].hostname.clone();
        assert_eq!(found.as_deref(), expected, "{hostname:?} below {subdomain:?}");
    }
}

/// `TestReconcile_TrafficDistribution`: one pod in the first zone, three in the second, two in the third; hints by zone and node.
#[test]
fn endpoints_are_meant_for_their_own_zone_or_node() {
    for (distribution, zones, nodes) in [
        (json!("PreferClose"), [1, 3, 2], [0, 0, 0]),
        (json!("PreferSameZone"), [1, 3, 2], [0, 0, 0]),
        (json!("PreferSameNode"), [1, 3, 2], [1, 3, 2]),
        (Value::Null, [0, 0, 0], [0, 0, 0]),
    ] {
        let mut cluster = Cluster::default();
        for zone in ["a", "b", "c"] {
            let labels = json!({"topology.kubernetes.io/zone": zone});
            cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": zone, "labels": labels}}));
        }
        of_web(&mut cluster, &json!({"trafficDistribution": distribution}));
        for (at, zone) in ["a", "b", "b", "b", "c", "c"].into_iter().enumerate() {
            let mut manifest = pod(&format!("web-{at}"), json!({"app": "web"}), json!([]));
            manifest["spec"]["nodeName"] = zone.into();
            cluster.apply(manifest);
            start(&mut cluster, &format!("web-{at}"), &format!("10.1.0.{}", at + 1));
        }
        cluster.run();
        let count = |kind: &str, place: &str| {
            let named = |endpoint: &crate::objects::Endpoint| {
                let hints = endpoint.rest.get("hints").and_then(|hints| hints[kind].as_array().cloned());
                let hints = hints.unwrap_or_default();
                assert!(
                    hints.len() <= 1 && hints.iter().all(|hint| hint["name"] == endpoint.zone.as_deref().unwrap_or(""))
                );
                hints.iter().any(|hint| hint["name"] == place)
            };
            slices(&cluster, "web")
                .iter()
                .flat_map(|slice| slice.endpoints.iter())
                .filter(|endpoint| named(endpoint))
                .count()
        };
        assert_eq!(["a", "b", "c"].map(|zone| count("forZones", zone)), zones, "{distribution}");
        assert_eq!(["a", "b", "c"].map(|node| count("forNodes", node)), nodes, "{distribution}");
    }
}

/// `TestReconcileEndpointSlicesNamedPorts`: 300 pods that give a name five numbers.
#[test]
fn a_name_with_five_numbers_makes_five_slices() {
    let mut cluster = cluster();
    for at in 0..300 {
        let ports = json!([{"name": "http", "containerPort": 8080 + at % 5, "protocol": "TCP"}]);
        cluster.apply(pod(&format!("web-{at}"), json!({"app": "web"}), ports));
        start(&mut cluster, &format!("web-{at}"), &format!("10.1.{}.{}", at / 250, at % 250 + 1));
    }
    of_web(&mut cluster, &json!({"ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}));
    cluster.run();
    let mut found: Vec<_> =
        slices(&cluster, "web").iter().map(|slice| (slice.ports[0].port, slice.endpoints.len())).collect();
    found.sort_unstable();
    assert_eq!(found, (8080..8085).map(|port| (Some(port), 60)).collect::<Vec<_>>());
    assert_eq!(cluster.writes.len(), 5);
}
