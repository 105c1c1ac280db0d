use serde_json::{Value, json};

use super::NamespaceController;
use crate::api::{DeleteOptions, MetaPatch};
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Conditions, Key, Kind, Namespace, Uid};

type Cluster = TestCluster<NamespaceController>;

const FINE: [&str; 5] =
    ["ResourcesDiscovered", "ParsedGroupVersions", "ContentDeleted", "ContentRemoved", "ContentHasNoFinalizers"];

fn cluster(name: &str) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}));
    cluster
}

fn put(cluster: &mut Cluster, kind: (&str, &str), namespace: &str, name: &str, finalizers: Value) {
    cluster.apply(json!({"apiVersion": kind.0, "kind": kind.1,
        "metadata": {"name": name, "namespace": namespace, "finalizers": finalizers}}));
}

fn pod(cluster: &mut Cluster, name: &str, grace: i64) {
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "gone"},
        "spec": {"nodeName": "n1", "terminationGracePeriodSeconds": grace, "containers": []}}));
}

fn delete(cluster: &mut Cluster) {
    cluster.delete(Kind::Namespace, &Key::new("", "gone"), &DeleteOptions::default()).expect("it exists");
}

fn namespace(cluster: &Cluster) -> Option<Namespace> {
    cluster.store.namespaces.get(&Key::new("", "gone")).map(|namespace| Namespace::clone(namespace))
}

fn reasons(cluster: &Cluster) -> Vec<String> {
    let namespace = namespace(cluster).expect("it exists");
    namespace.conditions.iter().map(|condition| condition.reason.to_string()).collect()
}

fn message(cluster: &Cluster, condition: &str) -> String {
    let namespace = namespace(cluster).expect("it exists");
    namespace.conditions.find(condition).expect("the condition").message.to_string()
}

#[test]
fn an_empty_namespace_goes_after_five_seconds() {
    let mut cluster = cluster("gone");
    delete(&mut cluster);
    cluster.run_for(4);
    assert!(namespace(&cluster).is_some() && cluster.writes.is_empty());
    cluster.run_for(1);
    assert!(namespace(&cluster).is_none());
    assert_eq!(cluster.writes, ["update Status Namespace/gone", "update Finalize Namespace/gone"]);
}

#[test]
fn a_namespace_that_nobody_deletes_is_left_alone() {
    let mut cluster = cluster("gone");
    put(&mut cluster, ("v1", "ConfigMap"), "gone", "a", json!([]));
    cluster.run_for(60);
    assert!(namespace(&cluster).is_some() && cluster.writes.is_empty());
}

#[test]
fn content_of_all_kinds_goes_and_that_of_other_namespaces_stays() {
    let mut cluster = cluster("gone");
    for kind in [("v1", "ConfigMap"), ("v1", "Service"), ("apps/v1", "ReplicaSet"), ("example.com/v1", "Thing")] {
        put(&mut cluster, kind, "gone", "a", json!([]));
        put(&mut cluster, kind, "other", "a", json!([]));
    }
    delete(&mut cluster);
    cluster.run_for(5);
    assert!(namespace(&cluster).is_none());
    assert_eq!((cluster.store.opaque.len(), cluster.store.services.len()), (2, 1));
    assert!(cluster.store.opaque.keys().all(|key| &*key.namespace == "other"));
}

#[test]
fn pods_go_first_and_all_else_waits_for_them() {
    let mut cluster = cluster("gone");
    pod(&mut cluster, "a", 30);
    pod(&mut cluster, "b", 10);
    put(&mut cluster, ("v1", "ConfigMap"), "gone", "settings", json!([]));
    delete(&mut cluster);
    cluster.run_for(5);
    assert_eq!(cluster.store.pods.iter().filter(|pod| pod.meta.is_deleting()).count(), 2);
    assert_eq!(cluster.store.opaque.len(), 1);
    assert_eq!(reasons(&cluster), FINE, "upstream counts nothing while pods remain");
    for name in ["a", "b"] {
        cluster.finish(&Key::new("gone", name));
    }
    cluster.run_for(4);
    assert!(namespace(&cluster).is_some());
    cluster.run_for(1);
    assert!(namespace(&cluster).is_none(), "its own status made it look again after five seconds");
    assert!(cluster.store.opaque.is_empty());
}

#[test]
fn it_looks_again_after_half_the_longest_grace() {
    let mut cluster = cluster("gone");
    pod(&mut cluster, "a", 40);
    delete(&mut cluster);
    cluster.run_for(10);
    // Syncs at 5 s, and at 10 s because of the status; then 21 s later.
    let before = cluster.writes.len();
    cluster.finish(&Key::new("gone", "a"));
    cluster.run_for(20);
    assert_eq!(cluster.writes.len(), before);
    cluster.run_for(1);
    assert!(namespace(&cluster).is_none());
}

#[test]
fn pods_that_outlive_their_grace_are_a_failure() {
    let mut cluster = cluster("gone");
    pod(&mut cluster, "stuck", 2);
    delete(&mut cluster);
    cluster.run_for(6);
    assert_eq!(cluster.failures[0], "unexpected items still remain in namespace: gone for gvr: /v1, Resource=pods");
    assert_eq!(
        message(&cluster, "NamespaceDeletionContentFailure"),
        "Failed to delete all resource types, 1 remaining: \
         unexpected items still remain in namespace: gone for gvr: /v1, Resource=pods"
    );
    cluster.finish(&Key::new("gone", "stuck"));
    cluster.run_for(6);
    assert!(namespace(&cluster).is_none());
}

#[test]
fn what_finalizers_hold_is_told_in_the_conditions() {
    let mut cluster = cluster("gone");
    for name in ["a", "b"] {
        put(&mut cluster, ("v1", "ConfigMap"), "gone", name, json!(["example.com/hold"]));
    }
    put(
        &mut cluster,
        ("networking.k8s.io/v1", "NetworkPolicy"),
        "gone",
        "c",
        json!(["example.com/hold", "example.com/other"]),
    );
    delete(&mut cluster);
    cluster.run_for(5);
    assert_eq!(
        reasons(&cluster),
        ["ResourcesDiscovered", "ParsedGroupVersions", "ContentDeleted", "SomeResourcesRemain", "SomeFinalizersRemain"]
    );
    assert_eq!(
        message(&cluster, "NamespaceContentRemaining"),
        "Some resources are remaining: configmaps. has 2 resource instances, \
         networkpolicies.networking.k8s.io has 1 resource instances"
    );
    assert_eq!(
        message(&cluster, "NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: example.com/hold in 3 resource instances, \
         example.com/other in 1 resource instances"
    );
    let patch = MetaPatch {
        remove_finalizers: vec!["example.com/hold".into(), "example.com/other".into()],
        ..MetaPatch::default()
    };
    for kind in [Kind::Opaque, Kind::NetworkPolicy] {
        for object in cluster.store.list(kind) {
            cluster.patch_meta(kind, &object.key(), &Uid::None, &patch).expect("it exists");
        }
    }
    cluster.run_for(8);
    assert!(namespace(&cluster).is_none());
}

#[test]
fn refusals_are_told_and_tried_again() {
    let mut cluster = cluster("gone");
    put(&mut cluster, ("v1", "ConfigMap"), "gone", "a", json!([]));
    cluster.refuse = Some("delete Opaque");
    delete(&mut cluster);
    cluster.run_for(5);
    assert!(message(&cluster, "NamespaceDeletionContentFailure").contains("refused: delete Opaque/gone/ConfigMap/a"));
    cluster.refuse = None;
    cluster.run_for(1);
    assert!(namespace(&cluster).is_none());
}

#[test]
fn finalizers_of_others_outlast_its_own() {
    let mut cluster = Cluster::default();
    cluster.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gone"},
        "spec": {"finalizers": ["example.com/mine", "kubernetes"]}, "status": {"phase": "Active"}}));
    delete(&mut cluster);
    cluster.run_for(5);
    let namespace = namespace(&cluster).expect("held");
    assert_eq!(namespace.finalizers.iter().map(|finalizer| &**finalizer).collect::<Vec<_>>(), ["example.com/mine"]);
    assert_eq!(namespace.phase, "Terminating");
    assert_eq!(reasons(&cluster), FINE);
}
