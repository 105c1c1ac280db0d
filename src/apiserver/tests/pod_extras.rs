//! RuntimeClasses, PodPresets and ephemeral containers.

use crate::api::{PatchType, Reason};
use crate::objects::Resources;

use super::*;

fn document(server: &mut ApiServer, wire: Value) -> Response {
    server.create_document(at(0), wire)
}

fn runtime_class() -> Value {
    json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "kata"}, "handler": "kata",
        "overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}},
        "scheduling": {
            "nodeSelector": {"runtime": "kata"},
            "tolerations": [{"key": "kata", "operator": "Exists", "effect": "NoSchedule"}],
        },
    })
}

fn pod_of_class(name: &str, more: &Value) -> Value {
    let mut spec = json!({
        "runtimeClassName": "kata",
        "containers": [{"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "100m"}}}],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

#[test]
fn a_runtime_class_brings_overhead_and_scheduling() {
    let mut server = server();
    let refusal = refusal(document(&mut server, pod_of_class("early", &json!({}))));
    assert_eq!(refusal.reason, Reason::Forbidden);
    assert_eq!(refusal.message, r#"pods "early" is forbidden: pod rejected: RuntimeClass "kata" not found"#);

    document(&mut server, runtime_class()).expect("a class");
    let pod: Arc<Pod> = typed(document(&mut server, pod_of_class("web", &json!({"nodeSelector": {"disk": "ssd"}}))));
    let spec = pod.spec.wire();
    assert_eq!(spec["overhead"], json!({"cpu": "250m", "memory": "120Mi"}));
    assert_eq!(spec["nodeSelector"], json!({"disk": "ssd", "runtime": "kata"}));
    assert_eq!(spec["tolerations"][2]["key"], "kata");
    assert_eq!(pod.spec.requests, Resources { cpu_milli: 350, memory: 120 << 20, named: 3, ..Resources::default() });

    let equal = json!({"overhead": {"cpu": "0.25", "memory": "122880Ki"}});
    assert!(document(&mut server, pod_of_class("equal", &equal)).is_ok());
    for (more, why) in [
        (
            json!({"overhead": {"cpu": "1"}}),
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            json!({"nodeSelector": {"runtime": "runc"}}),
            "conflict: runtimeClass.scheduling.nodeSelector[runtime] = kata; pod.spec.nodeSelector[runtime] = runc",
        ),
    ] {
        let said = message(document(&mut server, pod_of_class("no", &more)));
        assert_eq!(said, format!(r#"pods "no" is forbidden: {why}"#));
    }
    let mut bare = pod_of_class("bare", &json!({"overhead": {"cpu": "1"}}));
    bare["spec"]["runtimeClassName"] = Value::Null;
    let said = message(document(&mut server, bare));
    assert!(said.ends_with("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"));
}

#[test]
fn a_runtime_class_that_is_new_counts_for_pods_of_components_too() {
    let mut server = server();
    let mut pod = pod_of_class("web", &json!({}));
    pod["metadata"]["namespace"] = "default".into();
    let pod = object(pod);
    assert!(server.execute(at(0), &Request::Create(pod.clone())).is_err());
    document(&mut server, runtime_class()).expect("a class");
    let stored: Arc<Pod> = typed(server.execute(at(0), &Request::Create(pod)));
    assert_eq!(stored.spec.overhead.cpu_milli, 250);
    assert_eq!(stored.spec.node_selector.get("runtime"), Some("kata"));
}

fn preset(name: &str, env: &str) -> Value {
    json!({
        "apiVersion": "settings.k8s.io/v1alpha1", "kind": "PodPreset",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"role": "frontend"}},
            "env": [{"name": "DB_PORT", "value": env}],
            "envFrom": [{"configMapRef": {"name": "etcd"}}],
            "volumeMounts": [{"mountPath": "/cache", "name": "cache"}],
            "volumes": [{"name": "cache", "emptyDir": {}}],
        },
    })
}

fn labelled(name: &str, role: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"role": role}},
        "spec": {
            "initContainers": [{"name": "i", "image": "init:1"}],
            "containers": [{"name": "c", "image": "web:1", "env": [{"name": "OWN", "value": "1"}]}],
        },
    })
}

#[test]
fn presets_are_left_alone_unless_asked_for() {
    let mut server = server();
    document(&mut server, preset("db", "6379")).expect("a preset");
    let pod: Arc<Pod> = typed(document(&mut server, labelled("web", "frontend")));
    assert!(pod.spec.wire().get("volumes").is_none());
    assert!(pod.meta.annotations.is_empty());
}

#[test]
fn presets_are_merged_into_every_container_of_selected_pods() {
    let mut server = server();
    server.set_pod_presets(true);
    document(&mut server, preset("db", "6379")).expect("a preset");
    let pod: Arc<Pod> = typed(document(&mut server, labelled("web", "frontend")));
    let spec = pod.spec.wire();
    assert_eq!(spec["volumes"], json!([{"name": "cache", "emptyDir": {}}]));
    for container in [&spec["initContainers"][0], &spec["containers"][0]] {
        let env = container["env"].as_array().expect("a list");
        assert_eq!(env.last(), Some(&json!({"name": "DB_PORT", "value": "6379"})));
        assert_eq!(container["envFrom"], json!([{"configMapRef": {"name": "etcd"}}]));
        assert_eq!(container["volumeMounts"], json!([{"mountPath": "/cache", "name": "cache"}]));
    }
    let annotation = pod.meta.annotations.get("podpreset.admission.kubernetes.io/podpreset-db");
    assert!(annotation.is_some_and(|version| version.parse::<u64>().is_ok()));

    let other: Arc<Pod> = typed(document(&mut server, labelled("db", "backend")));
    assert!(other.spec.wire().get("volumes").is_none());
    let mut excluded = labelled("alone", "frontend");
    excluded["metadata"]["annotations"] = json!({"podpreset.admission.kubernetes.io/exclude": "true"});
    let excluded: Arc<Pod> = typed(document(&mut server, excluded));
    assert!(excluded.spec.wire().get("volumes").is_none());
    assert!(server.drain_due_events().is_empty());
}

#[test]
fn presets_that_contradict_are_left_out_and_told() {
    let mut server = server();
    server.set_pod_presets(true);
    document(&mut server, preset("db", "6379")).expect("a preset");
    document(&mut server, preset("other", "3306")).expect("a preset");
    let pod: Arc<Pod> = typed(document(&mut server, labelled("web", "frontend")));
    assert!(pod.spec.wire().get("volumes").is_none());
    assert!(pod.meta.annotations.is_empty());
    let told = server.drain_due_events();
    assert_eq!(told.len(), 1);
    assert!(told[0].message.starts_with("conflict occurred while applying podpresets: db,other on pod: web err: "));

    server
        .delete_with(at(0), Kind::Opaque, Key::new("default", "PodPreset.settings.k8s.io/other"), Default::default())
        .expect("it exists");
    let mut own = labelled("own", "frontend");
    own["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "mine", "mountPath": "/cache"}]);
    own["spec"]["volumes"] = json!([{"name": "mine", "emptyDir": {}}]);
    let own: Arc<Pod> = typed(document(&mut server, own));
    assert_eq!(own.spec.wire()["volumes"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.drain_due_events().len(), 1);
}

#[test]
fn ephemeral_containers_are_added_through_their_subresource_only() {
    let mut server = server();
    document(&mut server, labelled("web", "frontend")).expect("a pod");
    let mut add = |containers: Value, part: Part| {
        let patch = json!({"spec": {"ephemeralContainers": containers}});
        server.patch(at(1), Kind::Pod, &key("web"), PatchType::Strategic, &patch, part)
    };
    let shell = json!({"name": "shell", "image": "busybox"});
    assert!(add(json!([shell]), Part::Main).is_err());
    let pod: Arc<Pod> = typed(add(json!([shell]), Part::EphemeralContainers));
    assert_eq!(&*pod.spec.ephemeral_containers[0].name, "shell");
    assert_eq!(pod.meta.generation, 2);
    let changed = message(add(json!([{"name": "shell", "image": "alpine"}]), Part::EphemeralContainers));
    assert!(changed.contains("existing ephemeral containers \"shell\" may not be changed"), "{changed}");
    let removed = message(add(json!([{"name": "shell", "$patch": "delete"}]), Part::EphemeralContainers));
    assert!(removed.contains("existing ephemeral containers \"shell\" may not be removed"), "{removed}");
    let taken = message(add(json!([{"name": "c", "image": "busybox"}]), Part::EphemeralContainers));
    assert!(taken.contains("Duplicate value: \"c\""), "{taken}");
    let probed = json!([{"name": "two", "image": "busybox", "ports": [{"containerPort": 80}]}]);
    assert!(message(add(probed, Part::EphemeralContainers)).contains("cannot be set for an Ephemeral Container"));
    // The rest of the pod is not the subresource's.
    let patch = json!({"metadata": {"labels": {"role": "other"}}, "spec": {"ephemeralContainers": [
        {"name": "two", "image": "busybox", "targetContainerName": "c"}]}});
    let pod: Arc<Pod> =
        typed(server.patch(at(1), Kind::Pod, &key("web"), PatchType::Strategic, &patch, Part::EphemeralContainers));
    assert_eq!((pod.spec.ephemeral_containers.len(), pod.meta.labels.get("role")), (2, Some("frontend")));

    let mut created = labelled("new", "frontend");
    created["spec"]["ephemeralContainers"] = json!([shell]);
    assert!(message(document(&mut server, created)).contains("cannot be set on create"));
    let namespace = server.get(Kind::Namespace, &Key::new("", "default")).expect("it exists");
    let namespace = server.put(namespace, Part::EphemeralContainers);
    assert_eq!(refusal(namespace).reason, Reason::NotFound);
}
