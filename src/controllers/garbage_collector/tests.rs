use std::sync::Arc;

use serde_json::{Value, json};

use super::{FOREGROUND, GarbageCollector, ORPHAN};
use crate::api::{DeleteOptions, Enqueue, MetaPatch, Propagation, Reconciler};
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Key, Kind, Object, Uid};

pub(super) type Cluster = TestCluster<GarbageCollector>;

/// A ConfigMap: any object will do.
pub(super) fn thing(name: &str, owners: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
           "metadata": {"name": name, "namespace": "default", "ownerReferences": owners}})
}

pub(super) fn owned_by(owner: &Object, blocks: Option<bool>) -> Value {
    let (version, kind, meta) = (owner.api_version(), owner.kind_name(), owner.meta());
    let mut reference = json!({"apiVersion": version, "kind": kind, "name": meta.name, "uid": meta.uid});
    if let Some(blocks) = blocks {
        reference["blockOwnerDeletion"] = json!(blocks);
    }
    reference
}

pub(super) fn key(name: &str) -> Key {
    Key::new("default", format!("ConfigMap/{name}"))
}

fn replica_set(cluster: &mut Cluster, name: &str) -> Object {
    cluster.apply(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}}}}))
}

fn pod(cluster: &mut Cluster, name: &str, owners: &[Value]) -> Object {
    cluster.apply(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "ownerReferences": owners},
        "spec": {"nodeName": "n1", "containers": []}}))
}

pub(super) fn delete(cluster: &mut Cluster, object: &Object, policy: Propagation) {
    let options = DeleteOptions { propagation: Some(policy), ..DeleteOptions::default() };
    cluster.delete(object.kind(), &object.key(), &options).expect("it exists");
}

fn hold(cluster: &mut Cluster, object: &Object, finalizer: &str) -> Object {
    let held = object.with_meta(|meta| {
        meta.finalizers = vec![Arc::from(finalizer)].into();
        meta.resource_version = 0;
    });
    cluster.update(&held).expect("it exists")
}

fn release(cluster: &mut Cluster, object: &Object, finalizer: &str) {
    let patch = MetaPatch { remove_finalizers: vec![finalizer.into()], ..MetaPatch::default() };
    cluster.patch_meta(object.kind(), &object.key(), &Uid::None, &patch).expect("it exists");
}

fn stored(cluster: &Cluster, object: &Object) -> Option<Object> {
    cluster.store.object(object.kind(), &object.key())
}

fn exists(cluster: &Cluster, object: &Object) -> bool {
    stored(cluster, object).is_some()
}

pub(super) fn owners(object: &Object) -> Vec<String> {
    object.meta().owner_references.iter().map(|owner| owner.name.to_string()).collect()
}

#[test]
fn dependents_of_an_owner_deleted_in_the_background_follow_it_down_the_chain() {
    let mut cluster = Cluster::default();
    let set = replica_set(&mut cluster, "web");
    let pod = pod(&mut cluster, "web-1", &[owned_by(&set, Some(true))]);
    let note = cluster.apply(thing("note", &[owned_by(&pod, None)]));
    assert_eq!(cluster.run(), 0, "objects with their owners need no sync");
    delete(&mut cluster, &set, Propagation::Background);
    cluster.run();
    assert!(!exists(&cluster, &set));
    let terminating = stored(&cluster, &pod).expect("the pod has its grace");
    assert_eq!(terminating.meta().deletion_grace_period_seconds, Some(30));
    assert!(exists(&cluster, &note), "its owner is still there");
    cluster.finish(&pod.key());
    cluster.run();
    assert!(!exists(&cluster, &note));
    assert_eq!(
        cluster.writes,
        ["delete Pod/default/web-1 Some(Background)", "delete Opaque/default/ConfigMap/note Some(Background)"]
    );
}

#[test]
fn an_object_made_for_an_owner_that_does_not_exist_is_deleted() {
    let mut cluster = Cluster::default();
    let set = replica_set(&mut cluster, "web");
    for wrong in [
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone", "uid": "0bad0bad-0000-0000-0000-000000000000"}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "0bad0bad-0000-0000-0000-000000000000"}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": set.meta().uid}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "other", "uid": set.meta().uid}),
    ] {
        let thing = cluster.apply(thing("a", std::slice::from_ref(&wrong)));
        cluster.run();
        assert!(!exists(&cluster, &thing), "{wrong}");
    }
    let fine = cluster.apply(thing("a", &[owned_by(&set, None)]));
    cluster.run();
    assert!(exists(&cluster, &fine));
}

#[test]
fn an_owner_in_another_namespace_does_not_count_and_a_warning_says_so() {
    let mut cluster = Cluster::default();
    let set = replica_set(&mut cluster, "web");
    let mut manifest = thing("a", &[owned_by(&set, None)]);
    manifest["metadata"]["namespace"] = json!("elsewhere");
    let thing = cluster.apply(manifest);
    cluster.run();
    assert!(!exists(&cluster, &thing));
    let event = &cluster.events[0];
    assert_eq!(&*event.reason, "OwnerRefInvalidNamespace");
    let expected = format!(
        "ownerRef [apps/v1/ReplicaSet, namespace: elsewhere, name: web, uid: {}] does not exist in namespace \"elsewhere\"",
        set.meta().uid
    );
    assert_eq!(&*event.message, expected);
}

#[test]
fn a_cluster_scoped_object_with_an_owner_in_a_namespace_is_kept() {
    let mut cluster = Cluster::default();
    let set = replica_set(&mut cluster, "web");
    let node = cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {
        "name": "n1", "ownerReferences": [owned_by(&set, None)]}}));
    cluster.run_for(1);
    assert_eq!(&*cluster.events[0].reason, "OwnerRefInvalidNamespace");
    delete(&mut cluster, &set, Propagation::Background);
    cluster.run_for(1);
    assert!(exists(&cluster, &node));
    assert!(cluster.failures.is_empty());
}

#[test]
fn a_cluster_scoped_owner_owns_across_namespaces() {
    let mut cluster = Cluster::default();
    let node = cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}));
    let lease = cluster.apply(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {
        "name": "n1", "namespace": "kube-node-lease", "ownerReferences": [owned_by(&node, None)]}}));
    assert_eq!(cluster.run(), 0);
    delete(&mut cluster, &node, Propagation::Background);
    cluster.run();
    assert!(!exists(&cluster, &lease));
}

#[test]
fn an_owner_of_an_unknown_kind_is_tried_again_and_the_object_kept() {
    let mut cluster = Cluster::default();
    let wrong = json!({"apiVersion": "apps/v1beta1", "kind": "Deployment", "name": "web", "uid": "u-1"});
    let thing = cluster.apply(thing("a", &[wrong]));
    cluster.run();
    assert_eq!(cluster.failures, ["unable to get REST mapping for apps/v1beta1/Deployment."]);
    assert!(exists(&cluster, &thing));
}

#[test]
fn an_object_with_a_solid_owner_only_loses_its_dangling_references() {
    let mut cluster = Cluster::default();
    let (a, b) = (cluster.apply(thing("a", &[])), cluster.apply(thing("b", &[])));
    let child = cluster.apply(thing("child", &[owned_by(&a, None), owned_by(&b, None)]));
    delete(&mut cluster, &a, Propagation::Background);
    cluster.run();
    assert_eq!(owners(&stored(&cluster, &child).expect("kept")), ["b"]);
    delete(&mut cluster, &b, Propagation::Background);
    cluster.run();
    assert!(!exists(&cluster, &child));
}

#[test]
fn orphans_lose_only_that_owner_and_then_the_owner_goes() {
    let mut cluster = Cluster::default();
    let (a, b) = (cluster.apply(thing("a", &[])), cluster.apply(thing("b", &[])));
    let both = cluster.apply(thing("both", &[owned_by(&a, Some(true)), owned_by(&b, None)]));
    let one = cluster.apply(thing("one", &[owned_by(&a, Some(true))]));
    delete(&mut cluster, &a, Propagation::Orphan);
    assert!(stored(&cluster, &a).expect("held").meta().has_finalizer(ORPHAN));
    cluster.run();
    assert!(!exists(&cluster, &a));
    assert_eq!(owners(&stored(&cluster, &both).expect("kept")), ["b"]);
    assert!(owners(&stored(&cluster, &one).expect("kept")).is_empty());
}

#[test]
fn an_owner_waits_until_all_orphans_are_free() {
    let mut cluster = Cluster::default();
    let a = cluster.apply(thing("a", &[]));
    let (one, two) =
        (cluster.apply(thing("one", &[owned_by(&a, None)])), cluster.apply(thing("two", &[owned_by(&a, None)])));
    cluster.refuse = Some("patch Opaque/default/ConfigMap/two");
    delete(&mut cluster, &a, Propagation::Orphan);
    cluster.run();
    assert!(exists(&cluster, &a) && owners(&stored(&cluster, &one).expect("kept")).is_empty());
    assert_eq!(cluster.failures.len(), 1);
    cluster.refuse = None;
    cluster.run_for(1);
    assert!(!exists(&cluster, &a) && owners(&stored(&cluster, &two).expect("kept")).is_empty());
}

#[test]
fn foreground_deletion_waits_for_blocking_dependents_only() {
    let mut cluster = Cluster::default();
    let owner = cluster.apply(thing("owner", &[]));
    let held = |cluster: &mut Cluster, name: &str, blocks| {
        let object = cluster.apply(thing(name, &[owned_by(&owner, blocks)]));
        hold(cluster, &object, "example.com/hold")
    };
    let blocking = held(&mut cluster, "blocking", Some(true));
    let free = [held(&mut cluster, "free", Some(false)), held(&mut cluster, "silent", None)];
    delete(&mut cluster, &owner, Propagation::Foreground);
    cluster.run();
    assert!(stored(&cluster, &owner).expect("it waits").meta().has_finalizer(FOREGROUND));
    assert!(stored(&cluster, &blocking).expect("held").meta().is_deleting());
    release(&mut cluster, &blocking, "example.com/hold");
    cluster.run();
    assert!(!exists(&cluster, &owner));
    assert!(free.iter().all(|object| stored(&cluster, object).expect("held").meta().is_deleting()));
}

#[test]
fn foreground_deletion_goes_down_the_chain_leaves_first() {
    let mut cluster = Cluster::default();
    let top = cluster.apply(thing("top", &[]));
    let middle = cluster.apply(thing("middle", &[owned_by(&top, Some(true))]));
    cluster.apply(thing("leaf", &[owned_by(&middle, Some(true))]));
    delete(&mut cluster, &top, Propagation::Foreground);
    cluster.run();
    assert_eq!(
        cluster.writes,
        [
            "delete Opaque/default/ConfigMap/middle Some(Foreground)",
            "delete Opaque/default/ConfigMap/leaf Some(Background)",
            "patch Opaque/default/ConfigMap/middle -[] -[\"foregroundDeletion\"]",
            "patch Opaque/default/ConfigMap/top -[] -[\"foregroundDeletion\"]",
        ]
    );
    assert!(cluster.store.opaque.is_empty());
}

#[test]
fn a_waiting_owner_is_left_to_itself_where_another_is_solid() {
    let mut cluster = Cluster::default();
    let (a, b) = (cluster.apply(thing("a", &[])), cluster.apply(thing("b", &[])));
    let child = cluster.apply(thing("child", &[owned_by(&a, Some(true)), owned_by(&b, Some(true))]));
    delete(&mut cluster, &a, Propagation::Foreground);
    cluster.run();
    assert!(!exists(&cluster, &a));
    assert_eq!(owners(&stored(&cluster, &child).expect("kept")), ["b"]);
}

#[test]
fn a_dependent_that_stops_blocking_lets_the_owner_go() {
    let mut cluster = Cluster::default();
    let owner = cluster.apply(thing("owner", &[]));
    let child = cluster.apply(thing("child", &[owned_by(&owner, Some(true))]));
    let child = hold(&mut cluster, &child, "example.com/hold");
    delete(&mut cluster, &owner, Propagation::Foreground);
    cluster.run();
    assert!(exists(&cluster, &owner));
    let patch = MetaPatch { unblock_owners: vec![owner.meta().uid.clone()], ..MetaPatch::default() };
    cluster.patch_meta(child.kind(), &child.key(), &Uid::None, &patch).expect("it exists");
    cluster.run();
    assert!(!exists(&cluster, &owner) && exists(&cluster, &child));
}

#[test]
fn a_child_born_to_an_owner_in_foreground_deletion_is_deleted() {
    let mut cluster = Cluster::default();
    let owner = cluster.apply(thing("owner", &[]));
    let owner = hold(&mut cluster, &owner, "example.com/hold");
    delete(&mut cluster, &owner, Propagation::Foreground);
    cluster.frozen = true;
    let late = cluster.apply(thing("late", &[owned_by(&owner, Some(true))]));
    cluster.frozen = false;
    cluster.catch_up();
    cluster.run();
    assert!(!exists(&cluster, &late));
}

#[test]
fn a_circle_of_owners_in_foreground_deletion_comes_undone() {
    let mut cluster = Cluster::default();
    let a = cluster.apply(thing("a", &[]));
    let b = cluster.apply(thing("b", &[owned_by(&a, Some(true))]));
    let back: Vec<Value> = vec![owned_by(&b, Some(true))];
    let circle = a.with_meta(|meta| {
        meta.owner_references = serde_json::from_value(json!(back)).expect("well-formed");
        meta.resource_version = 0;
    });
    cluster.update(&circle).expect("it exists");
    cluster.run();
    assert!(exists(&cluster, &a) && exists(&cluster, &b), "nobody asked for their deletion");
    delete(&mut cluster, &a, Propagation::Foreground);
    cluster.run_for(1);
    assert!(!exists(&cluster, &a) && !exists(&cluster, &b));
}

#[test]
fn finalizers_on_a_dependent_decide_how_its_own_dependents_fare() {
    for (finalizer, kept) in [(ORPHAN, true), (FOREGROUND, false)] {
        let mut cluster = Cluster::default();
        let owner = cluster.apply(thing("owner", &[]));
        let middle = cluster.apply(thing("middle", &[owned_by(&owner, None)]));
        let middle = hold(&mut cluster, &middle, finalizer);
        let leaf = cluster.apply(thing("leaf", &[owned_by(&middle, Some(true))]));
        delete(&mut cluster, &owner, Propagation::Background);
        cluster.run_for(1);
        assert!(!exists(&cluster, &middle));
        assert_eq!(exists(&cluster, &leaf), kept);
    }
}

#[test]
fn an_owner_added_later_holds_and_one_taken_away_does_not() {
    let mut cluster = Cluster::default();
    let (a, b) = (cluster.apply(thing("a", &[])), cluster.apply(thing("b", &[])));
    let child = cluster.apply(thing("child", &[owned_by(&a, None)]));
    let adopted = child.with_meta(|meta| {
        let owners = json!([owned_by(&b, None)]);
        meta.owner_references = serde_json::from_value(owners).expect("well-formed");
    });
    cluster.update(&adopted).expect("it exists");
    delete(&mut cluster, &a, Propagation::Background);
    cluster.run();
    assert!(exists(&cluster, &child));
    delete(&mut cluster, &b, Propagation::Background);
    cluster.run();
    assert!(!exists(&cluster, &child));
}

#[test]
fn owners_that_changed_since_keep_the_object_alive() {
    let mut cluster = Cluster::default();
    let (a, b) = (cluster.apply(thing("a", &[])), cluster.apply(thing("b", &[])));
    let child = cluster.apply(thing("child", &[owned_by(&a, None)]));
    delete(&mut cluster, &a, Propagation::Background);
    cluster.frozen = true;
    let adopted = child.with_meta(|meta| {
        meta.owner_references = serde_json::from_value(json!([owned_by(&b, None)])).expect("well-formed");
    });
    cluster.update(&adopted).expect("it exists");
    cluster.run();
    assert_eq!(cluster.failures.len(), 1, "the version did not match");
    cluster.frozen = false;
    cluster.catch_up();
    cluster.run_for(1);
    assert!(exists(&cluster, &child));
}

#[test]
fn a_restarted_collector_finds_its_work_again_in_any_order() {
    let mut cluster = Cluster::default();
    let set = replica_set(&mut cluster, "web");
    let pod = pod(&mut cluster, "web-1", &[owned_by(&set, Some(true))]);
    cluster.run();
    for dependents_first in [true, false] {
        let mut collector = GarbageCollector::default();
        let mut order = vec![pod.clone(), set.clone()];
        if !dependents_first {
            order.reverse();
        }
        let mut queue = Enqueue::default();
        for object in order {
            let change = crate::api::Change {
                change_type: crate::api::ChangeType::Added,
                resource_version: object.meta().resource_version,
                object,
                old: None,
            };
            collector.on_change(&cluster.view, &change, cluster.now, &mut queue);
        }
        assert!(queue.is_empty(), "all owners are there");
        assert_eq!(collector.graph.dependents(&set.meta().uid).count(), 1);
    }
}

#[test]
fn the_graph_holds_no_more_than_what_lives() {
    let mut cluster = Cluster::default();
    let missing = json!({"apiVersion": "v1", "kind": "Nothing", "name": "x", "uid": "u-1"});
    for round in 0..5 {
        let top = cluster.apply(thing("top", &[]));
        for at in 0..20 {
            cluster.apply(thing(&format!("leaf-{at}"), &[owned_by(&top, Some(true))]));
        }
        let stray = cluster.apply(thing("stray", std::slice::from_ref(&missing)));
        delete(&mut cluster, &top, if round % 2 == 0 { Propagation::Background } else { Propagation::Foreground });
        delete(&mut cluster, &stray, Propagation::Background);
        cluster.run();
        assert!(cluster.store.opaque.is_empty());
        assert_eq!(cluster.controller.graph.size(), (0, 0));
    }
}

#[test]
fn events_are_not_collected() {
    let mut cluster = Cluster::default();
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "u-1"});
    let event = cluster.apply(json!({"apiVersion": "v1", "kind": "Event", "metadata": {
        "name": "e", "namespace": "default", "ownerReferences": [owner]}}));
    cluster.run();
    assert!(exists(&cluster, &event));
    assert_eq!(cluster.store.list(Kind::Event).len(), 1);
}

#[test]
fn keys_of_syncs_name_kind_name_and_uid() {
    let mut cluster = Cluster::default();
    let set = replica_set(&mut cluster, "web");
    let mut queue = Enqueue::default();
    cluster.controller.graph.enqueue(&set.meta().uid, &mut queue);
    let (key, _) = queue.drain().next().expect("a key");
    assert_eq!(key.to_string(), format!("default/ReplicaSet/web/{}", set.meta().uid));
    assert_eq!(super::graph::uid_of(&key), set.meta().uid);
}
