//! Variables and files, one rule each.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::objects::pod_resources::listed;
use crate::objects::{Resource, defaults};

/// Two objects, two services and a node.
struct World;

fn opaque(wire: Value) -> Option<Arc<OpaqueObject>> {
    OpaqueObject::from_wire(wire).ok().map(Arc::new)
}

impl Surroundings for World {
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<OpaqueObject>> {
        let data = json!({"data": {"url": "http://db", "a.b": "dots"}, "binaryData": {"raw": "AAE="}});
        (namespace == "shop" && name == "settings").then(|| opaque(data)).flatten()
    }
    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<OpaqueObject>> {
        (namespace == "shop" && name == "login").then(|| opaque(json!({"data": {"password": "aHVzaA=="}}))).flatten()
    }
    fn services(&self, namespace: &str) -> Vec<Arc<Service>> {
        let service = |name: &str, spec: Value| {
            Arc::new(Service::from_wire(json!({"metadata": {"name": name}, "spec": spec})).expect("a service"))
        };
        match namespace {
            "shop" => vec![
                service(
                    "my-db",
                    json!({"clusterIP": "10.96.0.7", "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"},
                        {"name": "stats-x", "port": 9, "protocol": "UDP"}]}),
                ),
                service("headless", json!({"clusterIP": "None", "ports": [{"port": 80}]})),
            ],
            "default" => vec![
                service("kubernetes", json!({"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]})),
                service("other", json!({"clusterIP": "10.96.0.2", "ports": [{"port": 80}]})),
            ],
            _ => Vec::new(),
        }
    }
    fn allocatable(&self, _pod: &Pod) -> ResourceAmounts {
        listed(&json!({"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi"}))
    }
}

fn pod(container: Value, more: Value) -> Pod {
    let mut spec = json!({"containers": [container], "serviceAccountName": "robot", "nodeName": "n1"});
    for (field, value) in more.as_object().expect("an object") {
        spec[field] = value.clone();
    }
    let mut wire = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "uid": "6b27ef9d-8f1c-4f0c-9d3a-0d2b2f9b1c11",
            "labels": {"app": "web", "tier": "a\"b"}, "annotations": {"note": "two\nlines"}},
        "spec": spec, "status": {"hostIP": "172.16.0.2", "podIP": "10.0.0.9"},
    });
    defaults::apply("Pod", "v1", &mut wire);
    Pod::from_wire(wire).expect("a pod")
}

fn env_of(container: Value, more: Value) -> Result<Vec<(String, String)>, ConfigError> {
    let pod = pod(container, more);
    let container = pod.spec.wire()["containers"][0].clone();
    container_env(&pod, &container, &World).map(|env| env.into_iter().map(|var| (var.name, var.value)).collect())
}

fn env(env: Value) -> Vec<(String, String)> {
    let alone = json!({"enableServiceLinks": false});
    let all = env_of(json!({"name": "c", "image": "i", "env": env}), alone).expect("resolved");
    all.into_iter().filter(|(name, _)| !name.starts_with("KUBERNETES_")).collect()
}

fn check(value_from: Value, expected: &str) {
    let got = env(json!([{"name": "X", "valueFrom": value_from}]));
    assert_eq!(got, [("X".to_owned(), expected.to_owned())], "{value_from}");
}

#[test]
fn references_are_expanded_from_what_came_before() {
    let got = env(json!([
        {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)/$(C)/$$(A)/$(A"}, {"name": "C", "value": "$(B)"},
        {"name": "A", "value": "$(A)2"}, {"name": "D", "value": "$A $ $(A)$"}, {"name": "E"},
    ]));
    let expected = [("A", "12"), ("B", "1/$(C)/$(A)/$(A"), ("C", "1/$(C)/$(A)/$(A"), ("D", "$A $ 12$"), ("E", "")];
    assert_eq!(got, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn fields_of_the_pod_are_told() {
    for (path, expected) in [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "6b27ef9d-8f1c-4f0c-9d3a-0d2b2f9b1c11"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "two\nlines"),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "robot"),
        ("status.hostIP", "172.16.0.2"),
        ("status.podIPs", "10.0.0.9"),
    ] {
        check(json!({"fieldRef": {"fieldPath": path}}), expected);
    }
}

#[test]
fn resources_are_divided_and_rounded_up() {
    let container = |reference: Value| {
        json!({"name": "c", "image": "i", "resources": {"limits": {"cpu": "1500m", "memory": "100Mi"},
            "requests": {"cpu": "250m", "memory": "100M"}}, "env": [{"name": "X", "valueFrom": {"resourceFieldRef": reference}}]})
    };
    let alone = json!({"enableServiceLinks": false});
    for (resource, divisor, expected) in [
        ("limits.cpu", "0", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "1", "1"),
        ("limits.memory", "1Mi", "100"),
        ("requests.memory", "1Mi", "96"),
        ("limits.ephemeral-storage", "1Gi", "100"),
        ("requests.ephemeral-storage", "1", "0"),
    ] {
        let got =
            env_of(container(json!({"resource": resource, "divisor": divisor})), alone.clone()).expect("resolved");
        assert!(got.contains(&("X".to_owned(), expected.to_owned())), "{resource} / {divisor}: {got:?}");
    }
    // Without a limit of its own: the pod's, else the node's.
    check(json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}), "4000");
    let free = json!({"name": "c", "image": "i", "env": [{"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Gi"}}}]});
    let pod_level = json!({"resources": {"limits": {"memory": "2Gi"}}});
    assert_eq!(env_of(free, pod_level).expect("resolved")[0].1, "2");
}

#[test]
fn keys_are_found_or_missed() {
    check(json!({"configMapKeyRef": {"name": "settings", "key": "url"}}), "http://db");
    check(json!({"secretKeyRef": {"name": "login", "key": "password"}}), "hush");
    for (source, why) in [
        (
            json!({"configMapKeyRef": {"name": "settings", "key": "no"}}),
            "couldn't find key no in ConfigMap shop/settings",
        ),
        (json!({"configMapKeyRef": {"name": "none", "key": "no"}}), "configmap \"none\" not found"),
        (json!({"secretKeyRef": {"name": "login", "key": "no"}}), "couldn't find key no in Secret shop/login"),
        (json!({"secretKeyRef": {"name": "none", "key": "no"}}), "secret \"none\" not found"),
    ] {
        let mut optional = source.clone();
        for (_, reference) in optional.as_object_mut().expect("an object") {
            reference["optional"] = true.into();
        }
        let container = json!({"name": "c", "image": "i", "env": [{"name": "X", "valueFrom": source}]});
        assert_eq!(env_of(container, json!({})), Err(ConfigError(why.to_owned())));
        assert!(env(json!([{"name": "X", "valueFrom": optional}])).is_empty());
    }
}

#[test]
fn whole_sources_come_with_a_prefix_and_give_way() {
    let container = json!({"name": "c", "image": "i",
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "CFG_"}, {"secretRef": {"name": "login"}},
            {"secretRef": {"name": "none", "optional": true}}],
        "env": [{"name": "CFG_url", "value": "own of $(password)"}]});
    let got = env_of(container, json!({"enableServiceLinks": false})).expect("resolved");
    let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).take(3).collect();
    assert_eq!(names, ["CFG_a.b", "CFG_url", "password"]);
    assert_eq!(got[1].1, "own of hush");
    let missing = json!({"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "none"}}]});
    assert_eq!(env_of(missing, json!({})), Err(ConfigError("configmap \"none\" not found".to_owned())));
}

#[test]
fn services_are_told_unless_links_are_off() {
    let container = json!({"name": "c", "image": "i", "env": [{"name": "DB", "value": "$(MY_DB_SERVICE_HOST)"}]});
    let got = env_of(container.clone(), json!({})).expect("resolved");
    let value = |name: &str| got.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("DB"), Some("10.96.0.7"));
    assert_eq!(value("MY_DB_SERVICE_PORT"), Some("5432"));
    assert_eq!(value("MY_DB_SERVICE_PORT_STATS_X"), Some("9"));
    assert_eq!(value("MY_DB_PORT"), Some("tcp://10.96.0.7:5432"));
    assert_eq!(value("MY_DB_PORT_9_UDP"), Some("udp://10.96.0.7:9"));
    assert_eq!(value("MY_DB_PORT_9_UDP_PROTO"), Some("udp"));
    assert_eq!(value("MY_DB_PORT_5432_TCP_ADDR"), Some("10.96.0.7"));
    assert_eq!(value("KUBERNETES_SERVICE_HOST"), Some("10.96.0.1"));
    assert!(!got.iter().any(|(name, _)| name.starts_with("HEADLESS") || name.starts_with("OTHER")));
    let off = env_of(container, json!({"enableServiceLinks": false})).expect("resolved");
    assert_eq!(off[0].1, "$(MY_DB_SERVICE_HOST)");
    assert!(off[1..].iter().all(|(name, _)| name.starts_with("KUBERNETES_")));
}

/// Rows of upstream's `TestFromServices`.
#[test]
fn each_service_has_its_variables() {
    struct Services(Vec<Value>);
    impl Surroundings for Services {
        fn config_map(&self, _namespace: &str, _name: &str) -> Option<Arc<OpaqueObject>> {
            None
        }
        fn secret(&self, _namespace: &str, _name: &str) -> Option<Arc<OpaqueObject>> {
            None
        }
        fn services(&self, namespace: &str) -> Vec<Arc<Service>> {
            let here = self.0.iter().filter(|_| namespace == "shop");
            here.map(|wire| Arc::new(Service::from_wire(wire.clone()).expect("a service"))).collect()
        }
        fn allocatable(&self, pod: &Pod) -> ResourceAmounts {
            World.allocatable(pod)
        }
    }
    let service = |name: &str, ip: &str, ports: Value| json!({"metadata": {"name": name}, "spec": {"clusterIP": ip, "ports": ports}});
    let udp_and_tcp =
        json!([{"name": "u-d-p", "port": 8081, "protocol": "UDP"}, {"name": "t-c-p", "port": 8081, "protocol": "TCP"}]);
    let services = Services(vec![
        service("foo-bar", "1.2.3.4", json!([{"port": 8080, "protocol": "TCP"}])),
        service("abc-123", "5.6.7.8", udp_and_tcp),
        service(
            "q-u-u-x",
            "9.8.7.6",
            json!([{"port": 8082, "protocol": "TCP"}, {"name": "8083", "port": 8083, "protocol": "TCP"}]),
        ),
        service("svrc-clusterip-none", "None", json!([{"port": 8082, "protocol": "TCP"}])),
        service("svrc-clusterip-empty", "", json!([{"port": 8082, "protocol": "TCP"}])),
        service(
            "super-ipv6",
            "2001:DB8::",
            json!([{"name": "u-d-p", "port": 8084, "protocol": "UDP"}, {"name": "t-c-p", "port": 8084, "protocol": "TCP"}]),
        ),
    ]);
    let got = service_links(&pod(json!({"name": "c", "image": "i"}), json!({})), &services);
    let got: Vec<String> = got.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut expected = [
        "FOO_BAR_SERVICE_HOST=1.2.3.4",
        "FOO_BAR_SERVICE_PORT=8080",
        "FOO_BAR_PORT=tcp://1.2.3.4:8080",
        "FOO_BAR_PORT_8080_TCP=tcp://1.2.3.4:8080",
        "FOO_BAR_PORT_8080_TCP_PROTO=tcp",
        "FOO_BAR_PORT_8080_TCP_PORT=8080",
        "FOO_BAR_PORT_8080_TCP_ADDR=1.2.3.4",
        "ABC_123_SERVICE_HOST=5.6.7.8",
        "ABC_123_SERVICE_PORT=8081",
        "ABC_123_SERVICE_PORT_U_D_P=8081",
        "ABC_123_SERVICE_PORT_T_C_P=8081",
        "ABC_123_PORT=udp://5.6.7.8:8081",
        "ABC_123_PORT_8081_UDP=udp://5.6.7.8:8081",
        "ABC_123_PORT_8081_UDP_PROTO=udp",
        "ABC_123_PORT_8081_UDP_PORT=8081",
        "ABC_123_PORT_8081_UDP_ADDR=5.6.7.8",
        "ABC_123_PORT_8081_TCP=tcp://5.6.7.8:8081",
        "ABC_123_PORT_8081_TCP_PROTO=tcp",
        "ABC_123_PORT_8081_TCP_PORT=8081",
        "ABC_123_PORT_8081_TCP_ADDR=5.6.7.8",
        "Q_U_U_X_SERVICE_HOST=9.8.7.6",
        "Q_U_U_X_SERVICE_PORT=8082",
        "Q_U_U_X_SERVICE_PORT_8083=8083",
        "Q_U_U_X_PORT=tcp://9.8.7.6:8082",
        "Q_U_U_X_PORT_8082_TCP=tcp://9.8.7.6:8082",
        "Q_U_U_X_PORT_8082_TCP_PROTO=tcp",
        "Q_U_U_X_PORT_8082_TCP_PORT=8082",
        "Q_U_U_X_PORT_8082_TCP_ADDR=9.8.7.6",
        "Q_U_U_X_PORT_8083_TCP=tcp://9.8.7.6:8083",
        "Q_U_U_X_PORT_8083_TCP_PROTO=tcp",
        "Q_U_U_X_PORT_8083_TCP_PORT=8083",
        "Q_U_U_X_PORT_8083_TCP_ADDR=9.8.7.6",
        "SUPER_IPV6_SERVICE_HOST=2001:DB8::",
        "SUPER_IPV6_SERVICE_PORT=8084",
        "SUPER_IPV6_SERVICE_PORT_U_D_P=8084",
        "SUPER_IPV6_SERVICE_PORT_T_C_P=8084",
        "SUPER_IPV6_PORT=udp://[2001:DB8::]:8084",
        "SUPER_IPV6_PORT_8084_UDP=udp://[2001:DB8::]:8084",
        "SUPER_IPV6_PORT_8084_UDP_PROTO=udp",
        "SUPER_IPV6_PORT_8084_UDP_PORT=8084",
        "SUPER_IPV6_PORT_8084_UDP_ADDR=2001:DB8::",
        "SUPER_IPV6_PORT_8084_TCP=tcp://[2001:DB8::]:8084",
        "SUPER_IPV6_PORT_8084_TCP_PROTO=tcp",
        "SUPER_IPV6_PORT_8084_TCP_PORT=8084",
        "SUPER_IPV6_PORT_8084_TCP_ADDR=2001:DB8::",
    ];
    expected.sort_unstable_by_key(|line| line.split('=').next());
    assert_eq!(got, expected);
}

#[test]
fn volumes_have_files() {
    let files = |source: Value| {
        let mut volume = source;
        volume["name"] = "v".into();
        let pod = pod(json!({"name": "c", "image": "i"}), json!({"volumes": [volume]}));
        let volume = pod.spec.wire()["volumes"][0].clone();
        let files = volume_files(&pod, &volume, &World)?;
        let line =
            |file: VolumeFile| format!("{} {:o} {}", file.path, file.mode, String::from_utf8_lossy(&file.content));
        Ok::<_, ConfigError>(files.into_iter().map(line).collect::<Vec<_>>())
    };
    let downward = json!({"downwardAPI": {"items": [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "mode": 256, "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}]}});
    assert_eq!(files(downward).expect("files"), ["cpu 400 4", "labels 644 app=\"web\"\ntier=\"a\\\"b\""]);
    let some = json!({"configMap": {"name": "settings", "items": [{"key": "url", "path": "etc/url"}]}});
    assert_eq!(files(some).expect("files"), ["etc/url 644 http://db"]);
    assert_eq!(files(json!({"secret": {"secretName": "login"}})).expect("files"), ["password 644 hush"]);
    assert_eq!(files(json!({"emptyDir": {}})).expect("files"), [""; 0]);
    let both = json!({"projected": {"sources": [{"secret": {"name": "login"}}, {"configMap": {"name": "none", "optional": true}}]}});
    assert_eq!(files(both).expect("files"), ["password 644 hush"]);
    let no_key = json!({"configMap": {"name": "settings", "items": [{"key": "x", "path": "x"}]}});
    assert_eq!(files(no_key), Err(ConfigError("configmap references non-existent config key: x".to_owned())));
    assert_eq!(files(json!({"secret": {"secretName": "x"}})), Err(ConfigError("secret \"x\" not found".to_owned())));
}
