use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::objects::validation;

const CREATION: Creation<'static> = Creation { now: "2026-01-01T00:00:00Z", uid: "u", has_labels: false };

fn defaulted(manifest: Value) -> Value {
    let mut object = manifest;
    let (kind, api_version) = (object.text("kind").to_owned(), object.text("apiVersion").to_owned());
    apply(&kind, &api_version, &mut object);
    object
}

fn created(manifest: Value) -> Value {
    let mut object = defaulted(manifest);
    let kind = object.text("kind").to_owned();
    prepare_for_create(&kind, &mut object, &CREATION);
    object
}

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec})
}

fn deployment(template_spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": template_spec},
    }})
}

/// A pod spec that has something of everything.
fn rich_spec() -> Value {
    json!({
        "hostNetwork": true, "hostPID": false, "serviceAccount": "sa", "nodeSelector": {"disk": "ssd"}, "hostUsers": null,
        "containers": [{
            "name": "c", "image": "web:1", "command": ["x"], "ports": [{"containerPort": 80.0, "name": "web"}, {"containerPort": 53, "protocol": "UDP"}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
                    {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}, {"name": "C", "value": ""}],
            "envFrom": [{"secretRef": {"name": "s"}, "prefix": "P_"}],
            "resources": {"limits": {"cpu": "1500m", "memory": "1024Mi", "hugepages-2Mi": "4Mi", "example.com/gpu": 2}, "requests": {"cpu": 1}},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
            "livenessProbe": {"httpGet": {"port": "web", "httpHeaders": [{"name": "X", "value": "y"}]}},
            "readinessProbe": {"grpc": {"port": 9}, "initialDelaySeconds": 0}, "startupProbe": {"exec": {"command": ["true"]}},
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}, "postStart": {"httpGet": {"port": 80}}},
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "x", "mountPropagation": "None"}],
            "volumeDevices": [{"name": "claim", "devicePath": "/dev/x"}],
            "securityContext": {"runAsUser": 0, "privileged": false, "seccompProfile": {"type": "Localhost", "localhostProfile": "p"},
                                "capabilities": {"add": ["NET_ADMIN"], "drop": []}},
        }],
        "initContainers": [{"name": "i", "image": "a"}, {"name": "s", "image": "b", "restartPolicy": "Always", "resources": {"requests": {"cpu": "0.5m"}}}],
        "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p", "mode": 0}]}},
                    {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "m"}}]}},
                    {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "h", "hostPath": {"path": "/h"}},
                    {"name": "d", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                    {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}},
                     "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 3, "podAffinityTerm": {
                        "topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["x"]}}]}},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}],
        "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["x."], "options": [{"name": "ndots", "value": "2"}]},
        "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["h"]}], "priorityClassName": "high", "overhead": {"cpu": "10m"},
        "readinessGates": [{"conditionType": "x/y"}], "schedulingGates": [{"name": "x/g"}],
        "resources": {"limits": {"cpu": "4", "memory": "4Gi"}}, "securityContext": {"fsGroup": 5, "sysctls": [{"name": "kernel.sem", "value": "1"}]},
    })
}

fn manifests() -> Vec<Value> {
    vec![
        pod(rich_spec()),
        deployment(rich_spec()),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "default"}, "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.0.1", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30000,
            "sessionAffinity": "ClientIP", "ipFamilies": ["IPv4"], "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "ports": [{"name": "a", "port": 80, "targetPort": "web", "nodePort": 30001}, {"name": "b", "port": 81}]}}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"podCIDR": "10.0.0.0/24",
            "taints": [{"key": "a", "effect": "NoSchedule"}]}, "status": {"capacity": {"cpu": "4", "memory": "8Gi", "pods": 110}}}),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s", "namespace": "default"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}}, "serviceName": "x", "ordinals": {"start": 1},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": rich_spec()},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"}, "spec": {
            "completions": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": [
                {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1, 2]}},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "default"}, "spec": {
            "schedule": "*/5 * * * *", "timeZone": "Etc/UTC", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "image": "x"}]}}}}}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": {"capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"], "local": {"path": "/x"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]}}}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "e", "namespace": "default"},
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}]}}], "ports": [{"port": 80}]}),
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h", "namespace": "default"}, "spec": {
            "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "behavior": {"scaleDown": {}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "default"}, "spec": {"rules": [
            {"host": "*.x.io", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}),
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p", "namespace": "default"}, "spec": {
            "minAvailable": "50%", "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}}),
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"}, "spec": {
            "hard": {"requests.cpu": "1", "pods": 3}, "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}}),
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": [
            {"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "2"}}]}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}, "data": {"a": "b"},
            "binaryData": {"c": "Yg=="}, "immutable": true}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"},
            "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}, "stringData": {"a": "b"}}),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "s"}, "provisioner": "x.io/y",
            "parameters": {"a": "b"}, "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": "default"}, "spec": {
            "podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
            "ports": [{"port": 80, "endPort": 90}]}], "egress": [{"to": [{"namespaceSelector": {}}]}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "i"}, "spec": {
            "controller": "x.io/y", "parameters": {"apiGroup": "x.io", "kind": "K", "name": "n"}}}),
        json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "r"}, "handler": "runc",
            "overhead": {"podFixed": {"cpu": "1m"}}, "scheduling": {"tolerations": [{"operator": "Exists"}]}}),
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 10}),
    ]
}

#[test]
fn the_manifests_of_the_properties_are_valid() {
    for manifest in manifests() {
        let object = created(manifest.clone());
        assert_eq!(validation::validate_create(object.text("kind"), &object), [], "{manifest}");
    }
}

#[test]
fn a_pod_alone_gets_the_defaults_of_pods_and_a_template_does_not() {
    let spec = json!({"hostNetwork": true, "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80}],
                      "resources": {"limits": {"cpu": "1"}}}]});
    let (pod, template) = (defaulted(pod(spec.clone())), defaulted(deployment(spec)));
    let template = &template["spec"]["template"]["spec"];
    assert_eq!(pod["spec"]["enableServiceLinks"], true);
    assert_eq!(pod["spec"]["containers"][0]["ports"][0]["hostPort"], 80);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"], "1");
    for absent in [&template["enableServiceLinks"], &template["containers"][0]["ports"][0]["hostPort"]] {
        assert_eq!(*absent, Value::Null);
    }
    assert_eq!(template["containers"][0]["resources"], json!({"limits": {"cpu": "1"}}));
}

#[test]
fn zero_values_are_written_where_go_writes_them() {
    let spec = json!({"containers": [{"name": "c", "image": "x", "stdin": false, "args": [], "env": [{"name": "A", "value": ""}],
                      "securityContext": {"runAsUser": 0, "privileged": false}, "resources": null}], "hostIPC": false, "volumes": null});
    let pod = defaulted(pod(spec));
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["securityContext"], json!({"runAsUser": 0, "privileged": false}));
    assert_eq!(container["env"], json!([{"name": "A"}]));
    assert_eq!(container["resources"], json!({}));
    for absent in [&container["stdin"], &container["args"], &pod["spec"]["hostIPC"], &pod["spec"]["volumes"]] {
        assert_eq!(*absent, Value::Null);
    }
}

#[test]
fn quantities_take_their_canonical_text_and_are_rounded_to_thousandths() {
    let spec = json!({"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "0.1m", "memory": "1024Ki"}}}]});
    let pod = defaulted(pod(spec));
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "1m", "memory": "1Mi"}));
}

#[test]
fn a_gated_pod_starts_with_the_condition_that_says_so() {
    let pod = created(pod(json!({"containers": [{"name": "c", "image": "x"}], "schedulingGates": [{"name": "x/g"}]})));
    let condition = &pod["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["reason"]), (&json!("PodScheduled"), &json!("SchedulingGated")));
    assert_eq!(condition["lastTransitionTime"], CREATION.now);
}

#[test]
fn label_keys_of_affinity_and_spread_become_requirements() {
    let mut pod = pod(rich_spec());
    pod["metadata"]["labels"] = json!({"x": "1"});
    let pod = created(pod);
    let term = &pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"];
    assert_eq!(term["labelSelector"]["matchExpressions"], json!([{"key": "x", "operator": "In", "values": ["1"]}]));
}

#[test]
fn the_generation_counts_changes_of_the_spec_only() {
    let old = created(deployment(json!({"containers": [{"name": "c", "image": "x:1"}]})));
    let update = |change: fn(&mut Value), subresource| {
        let mut new = old.clone();
        change(&mut new);
        prepare_for_update("Deployment", &mut new, &old, subresource);
        new["metadata"]["generation"].as_i64()
    };
    assert_eq!(update(|_| {}, Subresource::None), Some(1));
    assert_eq!(update(|new| new["spec"]["replicas"] = json!(2), Subresource::None), Some(2));
    assert_eq!(update(|new| new["metadata"]["annotations"] = json!({"a": "b"}), Subresource::None), Some(2));
    assert_eq!(update(|new| new["metadata"]["labels"] = json!({"a": "b"}), Subresource::None), Some(1));
    assert_eq!(update(|new| new["status"] = json!({"replicas": 1}), Subresource::Status), Some(1));
    assert_eq!(update(|new| new["spec"]["replicas"] = json!(2), Subresource::Status), Some(1));
}

#[test]
fn a_service_that_becomes_a_cluster_ip_loses_its_node_ports() {
    let mut old = created(manifests()[2].clone());
    old["status"]["loadBalancer"] = json!({"ingress": [{"ip": "1.2.3.4", "ipMode": "VIP"}]});
    let mut new = old.clone();
    new["spec"]["type"] = json!("ClusterIP");
    prepare_for_update("Service", &mut new, &old, Subresource::None);
    assert_eq!(new["spec"]["ports"][0]["nodePort"], Value::Null);
    for gone in ["externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"] {
        assert!(!new["spec"].has(gone), "{gone}");
    }
    assert_eq!(new["status"], json!({"loadBalancer": {}}));
}

/// A row for each default of `SetDefaults_Service` and `SetDefaults_NetworkPolicy`.
#[test]
fn services_and_policies_get_their_defaults() {
    let port = json!([{"port": 80}]);
    let service = |spec: Value| {
        let mut whole = json!({"ports": port});
        spec.as_object().into_iter().flatten().for_each(|(field, value)| whole[field] = value.clone());
        defaulted(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "default"}, "spec": whole}),
        )
    };
    let (outside, client) = (json!({"externalIPs": ["192.0.2.1"]}), json!({"sessionAffinity": "ClientIP"}));
    let [plain, node_port, balancer, alias] = [
        json!({}),
        json!({"type": "NodePort"}),
        json!({"type": "LoadBalancer"}),
        json!({"type": "ExternalName", "externalName": "x.org"}),
    ];
    for (spec, field, expected) in [
        (&plain, "/type", json!("ClusterIP")),
        (&plain, "/sessionAffinity", json!("None")),
        (&json!({"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}), "/sessionAffinityConfig", Value::Null),
        (&client, "/sessionAffinityConfig/clientIP/timeoutSeconds", json!(10_800)),
        (
            &json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}),
            "/sessionAffinityConfig/clientIP/timeoutSeconds",
            json!(5),
        ),
        (&plain, "/ports/0/protocol", json!("TCP")),
        (&plain, "/ports/0/targetPort", json!(80)),
        (&json!({"ports": [{"port": 80, "targetPort": 0}]}), "/ports/0/targetPort", json!(80)),
        (&json!({"ports": [{"port": 80, "targetPort": ""}]}), "/ports/0/targetPort", json!(80)),
        (&json!({"ports": [{"port": 80, "targetPort": "web"}]}), "/ports/0/targetPort", json!("web")),
        (&plain, "/internalTrafficPolicy", json!("Cluster")),
        (&node_port, "/internalTrafficPolicy", json!("Cluster")),
        (&balancer, "/internalTrafficPolicy", json!("Cluster")),
        (&alias, "/internalTrafficPolicy", Value::Null),
        (&plain, "/externalTrafficPolicy", Value::Null),
        (&outside, "/externalTrafficPolicy", json!("Cluster")),
        (&node_port, "/externalTrafficPolicy", json!("Cluster")),
        (&balancer, "/externalTrafficPolicy", json!("Cluster")),
        (&alias, "/externalTrafficPolicy", Value::Null),
        (&balancer, "/allocateLoadBalancerNodePorts", json!(true)),
        (&node_port, "/allocateLoadBalancerNodePorts", Value::Null),
    ] {
        let got = service(spec.clone())["spec"].pointer(field).cloned().unwrap_or_default();
        assert_eq!(got, expected, "{field} of {spec}");
    }
    let policy = |spec: Value| {
        let wire = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "default"}, "spec": spec});
        defaulted(wire)["spec"].take()
    };
    for (spec, types) in [
        (json!({"podSelector": {}}), json!(["Ingress"])),
        (json!({"podSelector": {}, "ingress": []}), json!(["Ingress"])),
        (json!({"podSelector": {}, "egress": []}), json!(["Ingress"])),
        (json!({"podSelector": {}, "egress": [{}]}), json!(["Ingress", "Egress"])),
        (json!({"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]}), json!(["Egress"])),
    ] {
        assert_eq!(policy(spec.clone())["policyTypes"], types, "{spec}");
    }
    let ports =
        policy(json!({"podSelector": {}, "ingress": [{"ports": [{"port": 1}, {"port": 2, "protocol": "UDP"}]}]}));
    assert_eq!(ports["ingress"][0]["ports"], json!([{"port": 1, "protocol": "TCP"}, {"port": 2, "protocol": "UDP"}]));
}

/// Any JSON, often of a type that some field has.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop_oneof![
            Just(""),
            Just("None"),
            Just("1Gi"),
            Just("-5%"),
            Just("a/b/c"),
            Just("é*"),
            Just(".."),
            Just("Always")
        ]
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,4}", inner, 0..3).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn node_count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(node_count).sum(),
        Value::Object(members) => members.values().map(node_count).sum(),
        _ => 0,
    }
}

/// Replaces the node of this number in depth-first order.
fn replace_node(value: &mut Value, number: &mut usize, with: &Value) -> bool {
    if *number == 0 {
        *value = with.clone();
        return true;
    }
    *number -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace_node(item, number, with)),
        Value::Object(members) => members.values_mut().any(|member| replace_node(member, number, with)),
        _ => false,
    }
}

fn mutated() -> impl Strategy<Value = Value> {
    let manifests = manifests();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4);
    (prop::sample::select(manifests), changes).prop_map(|(manifest, changes)| {
        let mut object = manifest;
        let (kind, api_version) = (object["kind"].clone(), object["apiVersion"].clone());
        for (place, value) in changes {
            let mut number = place.index(node_count(&object));
            replace_node(&mut object, &mut number, &value);
        }
        if let Value::Object(members) = &mut object {
            members.insert("kind".to_owned(), kind);
            members.insert("apiVersion".to_owned(), api_version);
        }
        object
    })
}

proptest! {
    #[test]
    fn nothing_that_a_manifest_can_hold_makes_admission_panic(manifest in mutated(), other in mutated()) {
        for kind in [manifest.text("kind"), other.text("kind")] {
            let mut object = defaulted(manifest.clone());
            let mut old = defaulted(other.clone());
            prepare_for_create(kind, &mut old, &CREATION);
            for subresource in [Subresource::None, Subresource::Status, Subresource::EphemeralContainers, Subresource::Resize] {
                let mut new = object.clone();
                prepare_for_update(kind, &mut new, &old, subresource);
                validation::validate_update(kind, &new, &old, subresource);
            }
            prepare_for_create(kind, &mut object, &CREATION);
            validation::validate_create(kind, &object);
        }
    }

    #[test]
    fn defaulting_twice_changes_nothing(manifest in mutated()) {
        let once = defaulted(manifest);
        prop_assert_eq!(defaulted(once.clone()), once);
    }
}
