//! Documents that are like an earlier one in all but the name.

use serde_json::{Value, json};

use super::{at, server};
use crate::api::Response;
use crate::apiserver::ApiServer;
use crate::objects::{Kind, Pod, Resource};

fn document(name: &str, changes: Value) -> Value {
    let mut document = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "batch"}},
        "spec": {"containers": [{"name": "c", "image": "batch", "resources": {"limits": {"cpu": "1"}}}]},
    });
    for (field, value) in changes.as_object().into_iter().flatten() {
        match field.as_str() {
            "namespace" => document["metadata"][field] = value.clone(),
            field => document["spec"][field] = value.clone(),
        }
    }
    document
}

fn class(name: &str, value: i64, is_default: bool) -> Value {
    json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
        "globalDefault": is_default})
}

/// What the second, third, … pod of a shape comes to is what it would come to if no earlier one were remembered.
#[test]
fn a_pod_like_an_earlier_one_is_what_it_would_be_without_it() {
    let limits = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits", "namespace": "default"},
        "spec": {"limits": [{"type": "Container", "defaultRequest": {"memory": "1Gi"}}]}});
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "default"},
        "spec": {"hard": {"pods": "12"}}});
    let plain = || json!({});
    let documents = [
        document("a", plain()),
        document("b", plain()),
        document("B!", plain()),
        document("a", plain()),
        document("c", json!({"namespace": "nowhere"})),
        document("d", json!({"namespace": "kube-public"})),
        document("e", json!({"namespace": "kube-public"})),
        document("f", json!({"schedulingGates": [{"name": "g"}]})),
        document("g", json!({"schedulingGates": [{"name": "g"}]})),
        document("h", json!({"priorityClassName": "high"})),
        class("high", 1000, false),
        document("h", json!({"priorityClassName": "high"})),
        document("i", json!({"priorityClassName": "high"})),
        class("usual", 10, true),
        document("j", plain()),
        document("k", plain()),
        limits,
        document("l", plain()),
        document("m", plain()),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "n-"}, "spec": document("", plain())["spec"]}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "n-"}, "spec": document("", plain())["spec"]}),
        quota,
        document("o", plain()),
        document("p", plain()),
    ];
    let (mut remembering, mut forgetting) = (server(), server());
    let said = |response: Response| response.map(|object| object.to_wire()).map_err(|error| error.message);
    for (step, document) in documents.into_iter().enumerate() {
        let now = at(step as i64 * 1_000);
        forgetting.forget_admitted();
        let expected = said(forgetting.create_document(now, document.clone()));
        assert_eq!(said(remembering.create_document(now, document)), expected, "step {step}");
    }
}

fn made(server: &mut ApiServer, name: &str) -> std::sync::Arc<Pod> {
    super::typed(server.create_document(at(0), document(name, json!({}))))
}

#[test]
fn pods_of_one_shape_share_their_spec() {
    let mut server = server();
    let (first, second) = (made(&mut server, "a"), made(&mut server, "b"));
    assert!(std::sync::Arc::ptr_eq(&first.spec, &second.spec) && first.meta.labels.ptr_eq(&second.meta.labels));
    assert_eq!((&*second.meta.name, second.key().namespace.as_ref()), ("b", "default"));
    assert_ne!(first.meta.uid, second.meta.uid);
    assert_eq!(Pod::KIND, Kind::Pod);
}
