use crate::objects::{ConditionStatus, Deployment, OwnerReference, PodPhase, ReplicaSet};

use super::*;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}},
    })
}

fn annotate(key: &str, value: &str) -> MetaPatch {
    MetaPatch { annotations: vec![(key.into(), Some(value.into()))], ..MetaPatch::default() }
}

#[test]
fn an_update_with_an_old_version_is_refused() {
    let mut server = server();
    let first = server.make(pod("web"));
    server.put(first.with_meta(|meta| meta.labels = meta.labels.with("a", "1")), Part::Main).expect("accepted");
    let error = refusal(server.put(first.with_meta(|meta| meta.labels = meta.labels.with("a", "2")), Part::Main));
    assert_eq!(error.code(), 409);
    assert_eq!(
        error.message,
        "Operation cannot be fulfilled on pods \"web\": the object has been modified; please apply your changes to the \
         latest version and try again"
    );
    let unconditional = first.with_meta(|meta| (meta.resource_version, meta.labels) = (0, meta.labels.with("a", "3")));
    assert_eq!(server.put(unconditional, Part::Main).expect("accepted").meta().labels.get("a"), Some("3"));
}

#[test]
fn an_update_for_another_uid_is_refused() {
    let mut server = server();
    let other = server.make(pod("web")).with_meta(|meta| meta.uid = Uid::parse("other"));
    let text = message(server.put(other, Part::Main));
    assert!(text.starts_with("Operation cannot be fulfilled on pods \"web\": StorageError: invalid object, Code: 4, Key: /registry/pods/default/web,"), "{text}");
    assert!(text.contains("Precondition failed: UID in precondition: other, UID in object meta: "), "{text}");
}

#[test]
fn an_identical_update_is_not_written() {
    let mut server = server();
    let first = server.make(pod("web"));
    server.drain_changes();
    let again = server.put(first.clone(), Part::Main).expect("accepted");
    assert_eq!(again.meta().resource_version, first.meta().resource_version);
    server.put(first, Part::Status).expect("accepted");
    server.patch_of(Kind::Pod, key("web"), MetaPatch::default()).expect("accepted");
    assert!(!server.has_changes());
}

#[test]
fn an_object_that_is_gone_cannot_be_updated() {
    assert_eq!(message(server().put(pod("web"), Part::Status)), "pods \"web\" not found");
    assert_eq!(
        message(server().patch_of(Kind::Deployment, key("web"), MetaPatch::default())),
        "deployments.apps \"web\" not found"
    );
}

#[test]
fn spec_and_annotations_of_a_deployment_count_generations_and_its_status_does_not() {
    let mut server = server();
    let first: Arc<Deployment> = typed(Ok(server.make(object(deployment()))));
    assert_eq!(first.meta.generation, 1);
    let mut scaled = Deployment::clone(&first);
    scaled.spec.replicas = 5;
    scaled.status.replicas = 99;
    let scaled: Arc<Deployment> = typed(server.put(scaled, Part::Main));
    assert_eq!((scaled.meta.generation, scaled.status.replicas), (2, 0));
    let patched = server.patch_of(Kind::Deployment, key("web"), annotate("a", "b")).expect("accepted");
    assert_eq!(patched.meta().generation, 3);
    let labelled = MetaPatch { labels: vec![("l".into(), Some("m".into()))], ..MetaPatch::default() };
    let labelled: Arc<Deployment> = typed(server.patch_of(Kind::Deployment, key("web"), labelled));
    assert_eq!(labelled.meta.generation, 3);
    let mut status = Deployment::clone(&labelled);
    status.status.replicas = 4;
    status.spec.replicas = 77;
    status.meta.labels = Default::default();
    status.meta.annotations = status.meta.annotations.with("deployment.kubernetes.io/revision", "1");
    let status: Arc<Deployment> = typed(server.put(status, Part::Status));
    assert_eq!((status.meta.generation, status.status.replicas, status.spec.replicas), (3, 4, 5));
    assert_eq!(status.meta.annotations.get("deployment.kubernetes.io/revision"), Some("1"));
    assert_eq!(status.meta.labels.get("l"), Some("m"));
}

#[test]
fn annotations_of_a_replica_set_do_not_count() {
    let mut server = server();
    let mut wire = deployment();
    wire["kind"] = "ReplicaSet".into();
    server.make(object(wire));
    let patched: Arc<ReplicaSet> = typed(server.patch_of(Kind::ReplicaSet, key("web"), annotate("a", "b")));
    assert_eq!(patched.meta.generation, 1);
    let mut scaled = ReplicaSet::clone(&patched);
    scaled.spec.replicas = 0;
    assert_eq!(server.put(scaled, Part::Main).expect("accepted").meta().generation, 2);
}

#[test]
fn a_pods_status_leaves_the_rest_alone_and_keeps_its_class() {
    let mut server = server();
    let bound = server.make_bound("web");
    let mut status = Pod::clone(&bound);
    status.status.phase = PodPhase::Running;
    status.status.qos_class = None;
    status.node_name = "elsewhere".into();
    status.meta.owner_references = vec![OwnerReference::default()].into();
    let stored: Arc<Pod> = typed(server.put(status, Part::Status));
    assert_eq!(stored.status.phase, PodPhase::Running);
    assert_eq!(stored.status.qos_class, bound.status.qos_class);
    assert_eq!(&*stored.node_name, "n1");
    assert!(stored.meta.owner_references.is_empty());
    assert_eq!(stored.meta.generation, 1);
}

#[test]
fn kinds_without_a_status_refuse_one() {
    let mut server = server();
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "n1", "namespace": "kube-node-lease"}});
    let lease = server.make(object(lease));
    let error = refusal(server.put(lease, Part::Status));
    assert_eq!((error.code(), &*error.message), (404, "the server could not find the requested resource"));
}

#[test]
fn metadata_patches_adopt_release_and_finalize() {
    let mut server = server();
    server.make(pod("web"));
    let owner = |name: &str| OwnerReference {
        kind: "ReplicaSet".into(),
        name: name.into(),
        uid: Uid::parse(name),
        controller: Some(true),
        block_owner_deletion: Some(true),
        ..OwnerReference::default()
    };
    let adopt = |name: &str| MetaPatch { add_owner: Some(owner(name)), ..MetaPatch::default() };
    let adopted = server.patch_of(Kind::Pod, key("web"), adopt("a")).expect("accepted");
    assert_eq!(adopted.meta().controller().map(|owner| &*owner.name), Some("a"));
    let error = refusal(server.patch_of(Kind::Pod, key("web"), adopt("b")));
    assert_eq!(error.code(), 422);
    assert!(error.message.ends_with("Found \"true\" in references for ReplicaSet/a and ReplicaSet/b"), "{error}");
    let unblock = MetaPatch { unblock_owners: vec![Uid::parse("a")], ..MetaPatch::default() };
    let unblocked = server.patch_of(Kind::Pod, key("web"), unblock).expect("accepted");
    assert_eq!(unblocked.meta().owner_references[0].block_owner_deletion, Some(false));
    let release = MetaPatch {
        remove_owners: vec![Uid::parse("a")],
        add_finalizers: vec!["x/y".into(), "x/y".into()],
        ..MetaPatch::default()
    };
    let released = server.patch_of(Kind::Pod, key("web"), release).expect("accepted");
    assert!(released.meta().owner_references.is_empty());
    assert_eq!(released.meta().finalizers.len(), 1);
    let request =
        Request::PatchMeta { kind: Kind::Pod, key: key("web"), uid: Uid::parse("old"), patch: MetaPatch::default() };
    assert_eq!(
        message(server.execute(at(0), &request)),
        "Pod \"web\" is invalid: metadata.uid: Invalid value: \"old\": field is immutable"
    );
}

#[test]
fn binding_sets_the_node_and_the_condition_once() {
    let mut server = server();
    let pod = server.make_bound("web");
    assert_eq!(&*pod.node_name, "n1");
    assert_eq!(pod.meta.generation, 1);
    let condition = &pod.status.conditions[0];
    assert_eq!((condition.kind.as_str(), condition.status), ("PodScheduled", ConditionStatus::True));
    assert_eq!(condition.last_transition_time, Some(at(0).timestamp()));
    let bind = |uid| Request::Bind { pod: key("web"), uid, node: "n2".into() };
    let error = refusal(server.execute(at(0), &bind(Uid::None)));
    assert_eq!(error.code(), 409);
    assert_eq!(
        error.message,
        "Operation cannot be fulfilled on pods/binding \"web\": pod web is already assigned to node \"n1\""
    );
    let text = message(server.execute(at(0), &bind(Uid::parse("other"))));
    assert!(text.starts_with("Operation cannot be fulfilled on pods \"web\": StorageError"), "{text}");
    server.delete_with(at(0), Kind::Pod, key("web"), DeleteOptions::default()).expect("marked");
    assert_eq!(
        message(server.execute(at(0), &bind(Uid::None))),
        "Operation cannot be fulfilled on pods/binding \"web\": pod web is being deleted, cannot be assigned to a host"
    );
}

#[test]
fn a_bound_pod_gets_the_topology_labels_of_its_node() {
    let mut server = server();
    let labels = json!({"topology.kubernetes.io/zone": "a", "other": "x"});
    server.make(object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": labels}})));
    let pod = server.make_bound("web");
    assert_eq!(pod.meta.labels.iter().collect::<Vec<_>>(), [("topology.kubernetes.io/zone", "a")]);
}
