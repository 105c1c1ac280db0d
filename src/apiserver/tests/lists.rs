use crate::objects::{FieldSelector, Selector};

use super::*;

fn names(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|object| &*object.meta().name).collect()
}

fn fields(text: &str) -> FieldSelector {
    text.parse().expect("a field selector")
}

fn labelled(name: &str, app: &str) -> Object {
    pod(name).with_meta(|meta| meta.labels = meta.labels.with("app", app))
}

#[test]
fn lists_are_ordered_by_name_and_select_by_label_and_field() {
    let mut server = server();
    for (name, app) in [("c", "x"), ("a", "x"), ("b", "y")] {
        server.make(labelled(name, app));
    }
    server.make_bound("d");
    let list = |labels: &str, field: &str| {
        let labels: Selector = labels.parse().expect("a selector");
        server.list(Kind::Pod, "default", &labels, &fields(field))
    };
    assert_eq!(names(&list("", "")), ["a", "b", "c", "d"]);
    assert_eq!(names(&list("app=x", "")), ["a", "c"]);
    assert_eq!(names(&list("", "spec.nodeName=n1")), ["d"]);
    assert_eq!(names(&list("app", "metadata.name!=a,status.phase=Pending")), ["b", "c"]);
    assert_eq!(names(&list("", "spec.serviceAccountName=default,metadata.name=b")), ["b"]);
    assert_eq!(server.list(Kind::Pod, "", &Selector::everything(), &FieldSelector::everything()).len(), 4);
    assert!(server.list(Kind::Pod, "kube-system", &Selector::everything(), &FieldSelector::everything()).is_empty());
    let error = ApiServer::check_fields(Kind::Pod, &fields("spec.colour=red")).expect_err("refused");
    assert_eq!((error.code(), &*error.message), (400, "field label not supported: spec.colour"));
}

#[test]
fn a_collection_is_deleted_as_one_by_one() {
    let mut server = server();
    server.make(labelled("a", "x"));
    server.make(labelled("b", "y"));
    server.make_bound("c");
    let everything = FieldSelector::everything();
    let mut delete = |labels: &str| {
        let labels: Selector = labels.parse().expect("a selector");
        let options = DeleteOptions::default();
        server.delete_collection(at(0), Kind::Pod, "default", &labels, &everything, &options).expect("accepted").len()
    };
    assert_eq!(delete("app=x"), 1);
    assert_eq!(delete(""), 2);
    assert_eq!(server.view().pods.len(), 1);
    assert!(stored::<Pod>(&server, "c").meta.is_deleting());
}

#[test]
fn scaling_sets_the_replicas_and_counts_a_generation() {
    let mut server = server();
    let workload = |api_version: &str, kind: &str| {
        object(json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 3, "template": {"spec": {"containers": []}}},
        }))
    };
    server.make(workload("apps/v1", "Deployment"));
    server.make(workload("apps/v1", "StatefulSet"));
    server.make(workload("v1", "ReplicationController"));
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::ReplicationController] {
        let scaled = server.scale(at(0), kind, &key("web"), 5).expect("accepted");
        assert_eq!((scaled.meta().generation, &scaled.to_wire()["spec"]["replicas"]), (2, &json!(5)));
    }
    let error = refusal(server.scale(at(0), Kind::Deployment, &key("web"), -1));
    assert_eq!(
        (error.code(), &*error.message),
        (
            422,
            "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        )
    );
    server.make(pod("web"));
    assert_eq!(refusal(server.scale(at(0), Kind::Pod, &key("web"), 1)).code(), 404);
    assert_eq!(message(server.scale(at(0), Kind::Deployment, &key("x"), 1)), "deployments.apps \"x\" not found");
}
