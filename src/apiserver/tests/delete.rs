use crate::api::{Preconditions, Propagation};
use crate::objects::{Namespace, PodPhase};

use super::*;

fn grace(seconds: i64) -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(seconds), ..DeleteOptions::default() }
}

fn policy(propagation: Propagation) -> DeleteOptions {
    DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() }
}

fn config_map(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}))
}

fn finalizers(object: &Object) -> Vec<&str> {
    object.meta().finalizers.iter().map(|finalizer| &**finalizer).collect()
}

#[test]
fn a_running_pod_gets_its_grace_and_goes_when_the_kubelet_says_so() {
    let mut server = server();
    server.make_bound("web");
    server.drain_changes();
    let marked = server.delete_with(at(1_500), Kind::Pod, key("web"), DeleteOptions::default()).expect("marked");
    let meta = marked.meta();
    assert_eq!(meta.deletion_timestamp, Some(at(31_000).timestamp()));
    assert_eq!((meta.deletion_grace_period_seconds, meta.generation), (Some(30), 2));
    assert_eq!(server.told(), [(ChangeType::Modified, 7)]);
    let gone = server.delete_with(at(2_500), Kind::Pod, key("web"), grace(0)).expect("removed");
    assert_eq!(gone.meta().deletion_grace_period_seconds, Some(0));
    assert_eq!(server.told(), [(ChangeType::Modified, 8), (ChangeType::Deleted, 9)]);
    assert_eq!(gone.meta().resource_version, 9);
    assert_eq!(message(server.get(Kind::Pod, &key("web"))), "pods \"web\" not found");
}

#[test]
fn a_second_deletion_only_shortens_the_grace() {
    let mut server = server();
    server.make_bound("web");
    server.delete_with(at(0), Kind::Pod, key("web"), DeleteOptions::default()).expect("marked");
    server.drain_changes();
    for options in [DeleteOptions::default(), grace(30), grace(60)] {
        let same = server.delete_with(at(1_000), Kind::Pod, key("web"), options).expect("running");
        assert_eq!(same.meta().deletion_grace_period_seconds, Some(30));
    }
    assert!(!server.has_changes());
    let shorter = server.delete_with(at(1_000), Kind::Pod, key("web"), grace(5)).expect("shortened");
    assert_eq!(shorter.meta().deletion_timestamp, Some(at(5_000).timestamp()));
    assert_eq!((shorter.meta().deletion_grace_period_seconds, shorter.meta().generation), (Some(5), 2));
    let late = server.delete_with(at(9_000), Kind::Pod, key("web"), grace(3)).expect("shortened");
    assert_eq!(late.meta().deletion_timestamp, Some(at(9_000).timestamp()));
    assert_eq!(late.meta().deletion_grace_period_seconds, Some(1));
}

#[test]
fn pods_that_do_not_run_go_at_once() {
    let mut server = server();
    server.make(pod("unbound"));
    server.delete_with(at(0), Kind::Pod, key("unbound"), grace(30)).expect("removed");
    let mut failed = Pod::clone(&server.make_bound("failed"));
    failed.status.phase = PodPhase::Failed;
    server.put(failed, Part::Status).expect("accepted");
    server.delete_with(at(0), Kind::Pod, key("failed"), DeleteOptions::default()).expect("removed");
    assert!(server.view().pods.is_empty());
    server.make_bound("negative");
    let marked = server.delete_with(at(0), Kind::Pod, key("negative"), grace(-7)).expect("marked");
    assert_eq!(marked.meta().deletion_grace_period_seconds, Some(1));
}

#[test]
fn other_kinds_go_at_once_unless_finalizers_hold_them() {
    let mut server = server();
    server.make(config_map("a"));
    let key_of = |name: &str| Key::new("default", format!("ConfigMap/{name}"));
    server.delete_with(at(0), Kind::Opaque, key_of("a"), DeleteOptions::default()).expect("removed");
    server.make(config_map("b").with_meta(|meta| meta.finalizers = vec!["x/y".into()].into()));
    let held = server.delete_with(at(700), Kind::Opaque, key_of("b"), DeleteOptions::default()).expect("marked");
    assert_eq!(held.meta().deletion_timestamp, Some(at(0).timestamp()));
    assert_eq!(held.meta().deletion_grace_period_seconds, Some(0));
    server.drain_changes();
    server.delete_with(at(9_000), Kind::Opaque, key_of("b"), DeleteOptions::default()).expect("still held");
    assert!(!server.has_changes());
    let add = MetaPatch { add_finalizers: vec!["p/q".into()], ..MetaPatch::default() };
    assert_eq!(
        message(server.patch_of(Kind::Opaque, key_of("b"), add)),
        "ConfigMap \"b\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is \
         being deleted, found new finalizers []string{\"p/q\"}"
    );
    let last = MetaPatch { remove_finalizers: vec!["x/y".into()], ..MetaPatch::default() };
    server.patch_of(Kind::Opaque, key_of("b"), last).expect("removed");
    assert_eq!(server.told(), [(ChangeType::Deleted, 9)]);
    assert!(server.view().opaque.is_empty());
}

#[test]
fn a_pod_with_grace_outlives_its_finalizers() {
    let mut server = server();
    server.make(pod("web").with_meta(|meta| meta.finalizers = vec!["x/y".into()].into()));
    let request = Request::Bind { pod: key("web"), uid: Uid::None, node: "n1".into() };
    server.execute(at(0), &request).expect("bound");
    server.delete_with(at(0), Kind::Pod, key("web"), DeleteOptions::default()).expect("marked");
    let last = MetaPatch { remove_finalizers: vec!["x/y".into()], ..MetaPatch::default() };
    server.patch_of(Kind::Pod, key("web"), last).expect("accepted");
    assert_eq!(server.view().pods.len(), 1);
    server.delete_with(at(100), Kind::Pod, key("web"), grace(0)).expect("removed");
    assert!(server.view().pods.is_empty());
}

#[test]
fn the_policy_decides_the_finalizers_for_the_garbage_collector() {
    let mut server = server();
    const KIND: Kind = Kind::ReplicationController;
    let controller = |name: &str| {
        object(json!({"apiVersion": "v1", "kind": "ReplicationController",
            "metadata": {"name": name, "namespace": "default"}}))
    };
    server.make(controller("default"));
    let kept = server.delete_with(at(0), KIND, key("default"), DeleteOptions::default()).expect("marked");
    assert_eq!(finalizers(&kept), ["orphan"]);
    let changed = server.delete_with(at(0), KIND, key("default"), policy(Propagation::Foreground));
    assert_eq!(finalizers(&changed.expect("marked")), ["foregroundDeletion"]);
    let same = server.delete_with(at(0), KIND, key("default"), DeleteOptions::default());
    assert_eq!(finalizers(&same.expect("marked")), ["foregroundDeletion"]);
    server.delete_with(at(0), KIND, key("default"), policy(Propagation::Background)).expect("removed");
    server.make(controller("background"));
    server.delete_with(at(0), KIND, key("background"), policy(Propagation::Background)).expect("removed");
    assert!(server.view().replication_controllers.is_empty());
    server.make(config_map("plain"));
    let plain = Key::new("default", "ConfigMap/plain");
    let kept = server.delete_with(at(0), Kind::Opaque, plain, policy(Propagation::Orphan)).expect("marked");
    assert_eq!(finalizers(&kept), ["orphan"]);
}

#[test]
fn preconditions_are_checked() {
    let mut server = server();
    let stored = server.make(pod("web"));
    let error = refusal(server.delete_with(at(0), Kind::Pod, key("web"), DeleteOptions::of_uid(Uid::parse("old"))));
    assert_eq!(error.code(), 409);
    assert_eq!(
        error.message,
        format!(
            "Operation cannot be fulfilled on Pod \"web\": the UID in the precondition (old) does not match the UID in \
             record ({}). The object might have been deleted and then recreated",
            stored.meta().uid
        )
    );
    let version = |resource_version| DeleteOptions {
        preconditions: Preconditions { uid: stored.meta().uid.clone(), resource_version },
        ..DeleteOptions::default()
    };
    let text = message(server.delete_with(at(0), Kind::Pod, key("web"), version(3)));
    assert!(text.ends_with("ResourceVersion in record (5). The object might have been modified"), "{text}");
    server.delete_with(at(0), Kind::Pod, key("web"), version(5)).expect("removed");
}

#[test]
fn a_namespace_ends_when_its_content_is_finalized() {
    let mut server = server();
    server.make(object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})));
    let shop = || Key::new("", "shop");
    let marked: Arc<Namespace> = typed(server.delete_with(at(0), Kind::Namespace, shop(), DeleteOptions::default()));
    assert_eq!((marked.phase.as_str(), &*marked.finalizers[0]), ("Terminating", "kubernetes"));
    assert_eq!(marked.meta.deletion_grace_period_seconds, None);
    server.drain_changes();
    server.delete_with(at(0), Kind::Namespace, shop(), DeleteOptions::default()).expect("no change");
    assert!(!server.has_changes());
    let mut finalized = Namespace::clone(&marked);
    finalized.finalizers = Default::default();
    server.put(finalized.clone(), Part::Main).expect("finalizers are kept by the main resource");
    assert_eq!(server.view().namespaces.len(), 5);
    server.put(finalized, Part::Finalize).expect("removed");
    assert_eq!(server.view().namespaces.len(), 4);
    assert_eq!(
        message(server.delete_with(at(0), Kind::Namespace, Key::new("", "default"), DeleteOptions::default())),
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
}
