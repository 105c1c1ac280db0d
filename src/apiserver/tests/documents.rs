use crate::api::{PatchType, Reason};
use crate::apiserver::{Applied, LAST_APPLIED};
use crate::objects::{Deployment, Service};

use super::*;

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}, {"name": "side", "image": "side:1"}]},
            },
        },
    })
}

fn pod_document(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "web:1"}]},
    })
}

fn applied(server: &mut ApiServer, document: Value) -> (Object, Applied) {
    server.apply_document(at(0), document).expect("accepted")
}

#[test]
fn a_document_is_placed_defaulted_and_given_its_system_fields() {
    let mut server = server();
    let stored: Arc<Deployment> = typed(server.create_document(at(0), deployment("web:1")));
    assert_eq!(&*stored.meta.namespace, "default");
    assert_eq!((stored.meta.generation, stored.meta.resource_version), (1, 5));
    assert_eq!(stored.spec.progress_deadline_seconds, Some(600));
    assert_eq!(stored.spec.template.spec.termination_grace_period_seconds, Some(30));
    assert!(!stored.meta.uid.is_none());
    let pod: Arc<Pod> = typed(server.create_document(at(0), pod_document("bare")));
    let wire = pod.to_wire();
    assert_eq!(wire["spec"]["serviceAccountName"], "default");
    assert_eq!(wire["spec"]["tolerations"].as_array().map(Vec::len), Some(2));
    assert_eq!(wire["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
}

#[test]
fn a_document_without_kind_namespace_or_name_is_refused() {
    let mut server = server();
    let mut create = |document: Value| refusal(server.create_document(at(0), document));
    let error = create(json!({"apiVersion": "v1"}));
    assert_eq!((error.code(), &*error.message), (400, "Object 'Kind' is missing in '{\"apiVersion\":\"v1\"}'"));
    assert_eq!(create(json!(7)).code(), 400);
    let mut elsewhere = pod_document("web");
    elsewhere["metadata"]["namespace"] = "shop".into();
    assert_eq!(create(elsewhere).message, "namespaces \"shop\" not found");
    let mut nameless = pod_document("web");
    nameless["metadata"] = json!({});
    let error = create(nameless);
    assert_eq!(error.reason, Reason::Invalid);
    assert!(error.message.contains("metadata.name: Required value: name or generateName is required"), "{error}");
    let mut old = pod_document("web");
    old["metadata"]["resourceVersion"] = "12".into();
    assert_eq!(create(old).message, "resourceVersion should not be set on objects to be created");
    for metadata in [json!([]), json!("x"), json!({"labels": 3}), json!({"name": 5})] {
        let mut document = pod_document("web");
        document["metadata"] = metadata;
        assert!(matches!(create(document).code(), 400 | 422));
    }
}

#[test]
fn a_kind_is_served_in_its_own_version_only() {
    let mut server = server();
    let mut old = deployment("web:1");
    old["apiVersion"] = "extensions/v1beta1".into();
    let error = refusal(server.create_document(at(0), old));
    assert_eq!(
        (error.code(), &*error.message),
        (400, "no matches for kind \"Deployment\" in version \"extensions/v1beta1\"")
    );
}

#[test]
fn kubernetes_groups_have_the_kinds_that_they_have_and_no_others() {
    let mut server = server();
    for (version, kind) in [("v1", "pod"), ("apps/v1", "Deploymnet"), ("batch/v1", "Jobs"), ("v1", "Deployment")] {
        let document = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        let error = refusal(server.create_document(at(0), document));
        let told = format!("no matches for kind {kind:?} in version {version:?}");
        assert_eq!((error.code(), &*error.message), (400, &*told));
    }
    for (version, kind) in [("storage.k8s.io/v1", "CSIDriver"), ("rbac.authorization.k8s.io/v1", "Role")] {
        let document = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        assert_eq!(applied(&mut server, document).0.kind(), Kind::Opaque, "{kind} is there, but not simulated");
    }
}

#[test]
fn a_job_has_the_labels_of_its_template_unless_it_has_labels_of_its_own() {
    let mut server = server();
    let mut labels = |name: &str, own: Value, template: Value| {
        let document = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": own},
            "spec": {"template": {"metadata": {"labels": template},
                                  "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}});
        let job = applied(&mut server, document).0.to_wire();
        let keys = |value: &Value| value.as_object().map(|labels| labels.keys().cloned().collect::<Vec<_>>());
        (keys(&job["metadata"]["labels"]), keys(&job["spec"]["template"]["metadata"]["labels"]))
    };
    for template in [json!({}), json!({"a": "b"})] {
        let (own, of_template) =
            labels(&format!("without-{}", template.as_object().unwrap().len()), json!({}), template);
        assert_eq!(own, of_template, "what is generated too");
    }
    let (own, of_template) = labels("with", json!({"a": "b"}), json!({"a": "b"}));
    assert_eq!((own.unwrap(), of_template.unwrap().len()), (vec!["a".to_owned()], 5));
}

#[test]
fn a_custom_resource_with_the_name_of_a_known_kind_follows_none_of_its_rules() {
    let mut server = server();
    for (version, kind) in [("serving.knative.dev/v1", "Service"), ("longhorn.io/v1beta2", "Node")] {
        let document =
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": {"replicas": -1}});
        let (object, applied) = applied(&mut server, document);
        assert_eq!((object.kind(), applied), (Kind::Opaque, Applied::Created));
        assert_eq!(object.to_wire()["spec"], json!({"replicas": -1}));
    }
}

#[test]
fn an_invalid_document_names_its_fields() {
    let mut server = server();
    let mut document = deployment("web:1");
    document["spec"]["replicas"] = (-1).into();
    let error = refusal(server.create_document(at(0), document));
    assert_eq!(
        error.message,
        "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    assert_eq!((&*error.causes[0].field, &*error.causes[0].kind), ("spec.replicas", "FieldValueInvalid"));
    assert!(!server.has_changes());
}

#[test]
fn a_document_may_leave_the_name_to_the_server() {
    let mut server = server();
    let mut document = pod_document("x");
    document["metadata"] = json!({"generateName": "web-"});
    let name = server.create_document(at(0), document).expect("accepted").meta().name.clone();
    assert!(name.len() == 9 && name.starts_with("web-"), "{name}");
}

#[test]
fn cluster_scoped_kinds_lose_a_namespace_and_unknown_kinds_are_kept() {
    let mut server = server();
    let class = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "gold", "namespace": "x"}, "value": 5});
    assert_eq!(&*server.create_document(at(0), class).expect("accepted").meta().namespace, "");
    let own = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}});
    let stored = server.create_document(at(0), own.clone()).expect("accepted");
    assert_eq!((stored.to_wire()["spec"].clone(), &*stored.meta().namespace), (own["spec"].clone(), "default"));
    assert_eq!(message(server.create_document(at(0), own)), "widgets.example.com \"w\" already exists");
}

#[test]
fn cluster_scoped_kinds_that_are_not_simulated_need_no_namespace() {
    let mut server = server();
    for (api_version, kind, name) in [
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "boats.sea.example"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "reader"),
        ("storage.k8s.io/v1", "CSIDriver", "disks.example"),
    ] {
        let document = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        let (object, _) = applied(&mut server, document.clone());
        assert_eq!(&*object.meta().namespace, "", "{kind}");
        assert_eq!(applied(&mut server, document).1, Applied::Unchanged, "{kind}");
    }
}

#[test]
fn apply_creates_then_changes_only_what_changed() {
    let mut server = server();
    let (first, how) = applied(&mut server, deployment("web:1"));
    assert_eq!(how, Applied::Created);
    let annotation = first.meta().annotations.get(LAST_APPLIED).expect("annotated");
    assert!(annotation.ends_with("}\n"));
    assert!(annotation.contains(r#""metadata":{"annotations":{},"name":"web","namespace":"default"}"#), "{annotation}");
    let (same, how) = applied(&mut server, deployment("web:1"));
    assert_eq!((how, same.meta().resource_version), (Applied::Unchanged, first.meta().resource_version));
    server.scale(at(0), Kind::Deployment, &key("web"), 7).expect("scaled");
    let mut next = deployment("web:2");
    next["spec"].as_object_mut().expect("an object").remove("replicas");
    next["metadata"]["labels"] = json!({"a": "b"});
    let (changed, how) = applied(&mut server, next);
    let changed: Arc<Deployment> = typed(Ok(changed));
    assert_eq!(how, Applied::Configured);
    assert_eq!(&*changed.spec.template.spec.containers[0].image, "web:2");
    assert_eq!(changed.spec.template.spec.containers.len(), 2);
    // A field that left the document falls back to its default.
    assert_eq!(changed.spec.replicas, 1);
    assert_eq!(changed.meta.labels.get("a"), Some("b"));
    assert_eq!(changed.meta.generation, 3);
}

#[test]
fn apply_leaves_alone_what_it_never_set() {
    let mut server = server();
    let mut document = deployment("web:1");
    document["spec"].as_object_mut().expect("an object").remove("replicas");
    applied(&mut server, document.clone());
    server.scale(at(0), Kind::Deployment, &key("web"), 7).expect("scaled");
    document["metadata"]["labels"] = json!({"a": "<b>"});
    document["metadata"]["labels"]["a"] = "b".into();
    let changed: Arc<Deployment> = typed(Ok(applied(&mut server, document).0));
    assert_eq!(changed.spec.replicas, 7);
    let error =
        server.apply_document(at(0), json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}}));
    assert_eq!(
        error.map_err(|error| error.message).err().as_deref(),
        Some("from x-: cannot use generate name with apply")
    );
}

#[test]
fn an_applied_template_that_is_equal_stays_the_same_allocation() {
    let mut server = server();
    let first: Arc<Deployment> = typed(Ok(applied(&mut server, deployment("web:1")).0));
    let mut scaled = deployment("web:1");
    scaled["spec"]["replicas"] = 9.into();
    let second: Arc<Deployment> = typed(Ok(applied(&mut server, scaled).0));
    assert!(Arc::ptr_eq(&first.spec.template, &second.spec.template));
    let mut relabelled = deployment("web:1");
    relabelled["spec"]["template"]["metadata"]["labels"]["b"] = "c".into();
    let third: Arc<Deployment> = typed(Ok(applied(&mut server, relabelled).0));
    assert!(!Arc::ptr_eq(&first.spec.template, &third.spec.template));
    assert!(Arc::ptr_eq(&first.spec.template.spec, &third.spec.template.spec));
}

#[test]
fn the_three_kinds_of_patches_apply() {
    let mut server = server();
    server.create_document(at(0), deployment("web:1")).expect("accepted");
    let mut patch = |patch_type, document: Value| -> Arc<Deployment> {
        typed(server.patch(at(0), Kind::Deployment, &key("web"), patch_type, &document, Part::Main))
    };
    let images = |deployment: &Deployment| -> Vec<String> {
        deployment.spec.template.spec.containers.iter().map(|container| container.image.to_string()).collect()
    };
    let strategic = json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:2"}]}}}});
    let patched = patch(PatchType::Strategic, strategic);
    assert_eq!((images(&patched), patched.meta.generation), (vec!["web:1".into(), "side:2".into()], 2));
    let merge = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "web:3"}]}}}});
    assert_eq!(images(&patch(PatchType::Merge, merge)), ["web:3"]);
    let json = json!([{"op": "replace", "path": "/spec/replicas", "value": 6}]);
    assert_eq!(patch(PatchType::Json, json).spec.replicas, 6);
    assert_eq!(patch(PatchType::Merge, json!({"spec": {"replicas": 6}})).meta.generation, 4);
}

#[test]
fn a_patch_obeys_the_rules_of_updates() {
    let mut server = server();
    server.create_document(at(0), deployment("web:1")).expect("accepted");
    server.drain_changes();
    let mut patch = |document: Value| {
        refusal(server.patch(at(0), Kind::Deployment, &key("web"), PatchType::Merge, &document, Part::Main))
    };
    assert_eq!(patch(json!({"metadata": {"resourceVersion": "1"}})).reason, Reason::Conflict);
    let renamed = patch(json!({"metadata": {"name": "other"}}));
    assert!(renamed.code() == 422 && renamed.message.contains("field is immutable"), "{renamed}");
    assert_eq!(patch(json!({"kind": "ReplicaSet"})).code(), 400);
    let selector = patch(json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}}));
    assert!(selector.message.contains("spec.selector"), "{selector}");
    assert_eq!(patch(json!("text")).code(), 400);
    assert!(!server.has_changes());
    let missing = server.patch(at(0), Kind::Deployment, &key("none"), PatchType::Merge, &json!({}), Part::Main);
    assert_eq!(message(missing), "deployments.apps \"none\" not found");
    let absent = json!([{"op": "remove", "path": "/spec/nothing"}]);
    let request = Request::Patch {
        kind: Kind::Deployment,
        key: key("web"),
        patch_type: PatchType::Json,
        document: Arc::new(absent),
        part: Part::Main,
    };
    assert_eq!(refusal(server.execute(at(0), &request)).code(), 422);
}

#[test]
fn a_status_patch_changes_the_status_only() {
    let mut server = server();
    server.create_document(at(0), pod_document("web")).expect("accepted");
    let document = json!({"status": {"phase": "Running", "podIP": "10.0.0.7"}, "metadata": {"labels": {"a": "b"}}});
    let pod: Arc<Pod> =
        typed(server.patch(at(0), Kind::Pod, &key("web"), PatchType::Strategic, &document, Part::Status));
    assert_eq!((pod.status.phase.as_str(), pod.meta.labels.len()), ("Running", 0));
}

#[test]
fn a_replaced_service_keeps_the_address_and_node_ports_by_name() {
    let mut server = server();
    let service = |port_name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "name": port_name}]},
        })
    };
    let first: Arc<Service> = typed(server.create_document(at(0), service("a")));
    let second: Arc<Service> = typed(server.update_document(at(0), service("b"), Part::Main));
    assert_eq!(first.spec.cluster_ip, second.spec.cluster_ip);
    let node_port = |service: &Service| service.spec.ports[0].node_port;
    assert_ne!(node_port(&first), node_port(&second), "node ports go by the name of the port");
    let third: Arc<Service> = typed(server.update_document(at(0), service("b"), Part::Main));
    assert_eq!(node_port(&third), node_port(&second));
    let moved = json!({"spec": {"clusterIP": "10.96.7.7"}});
    let error = refusal(server.patch(at(0), Kind::Service, &key("web"), PatchType::Merge, &moved, Part::Main));
    assert_eq!(error.code(), 422);
}

#[test]
fn a_namespace_document_gets_its_label_and_finalizer() {
    let mut server = server();
    let stored =
        server.create_document(at(0), json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    let wire = stored.expect("accepted").to_wire();
    assert_eq!(wire["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "shop"}));
    assert_eq!((&wire["spec"]["finalizers"], &wire["status"]["phase"]), (&json!(["kubernetes"]), &json!("Active")));
}
