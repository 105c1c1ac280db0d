use serde_json::{Value, json};

use super::ReplicationManager;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Key, Kind, Object, Pod, PodPhase, Resource};

type Cluster = TestCluster<ReplicationManager>;

fn key(name: &str) -> Key {
    Key::new("default", name)
}

fn manifest(name: &str, replicas: i32, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ReplicationController",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": labels,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "web:v1"}]}}}})
}

fn cluster(replicas: i32) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(manifest("web", replicas, &json!({"app": "web"})));
    cluster.run();
    cluster
}

fn scale(cluster: &mut Cluster, name: &str, replicas: i32) {
    let mut controller = cluster.store.replication_controllers.get(&key(name)).expect("it exists").as_ref().clone();
    controller.spec.replicas = replicas;
    cluster.update(&Object::from(controller)).expect("it exists");
    cluster.run();
}

fn active(cluster: &Cluster) -> Vec<Pod> {
    cluster.store.pods.iter().filter(|pod| pod.is_active()).map(|pod| Pod::clone(pod)).collect()
}

#[test]
fn it_makes_pods_of_its_own_and_says_so() {
    let cluster = cluster(3);
    let pods = active(&cluster);
    assert_eq!(pods.len(), 3);
    for pod in &pods {
        let owner = pod.meta.controller().expect("owned");
        assert_eq!((&*owner.api_version, &*owner.kind, &*owner.name), ("v1", "ReplicationController", "web"));
        assert!(pod.meta.name.starts_with("web-"));
    }
    let event = &cluster.events[0];
    assert_eq!(
        (&*event.about.kind, &*event.about.api_version, &*event.reason),
        ("ReplicationController", "v1", "SuccessfulCreate")
    );
}

#[test]
fn its_status_has_no_terminating_replicas() {
    let cluster = cluster(2);
    let controller = cluster.store.replication_controllers.get(&key("web")).expect("it exists");
    assert_eq!(
        controller.to_wire()["status"],
        json!({"replicas": 2, "fullyLabeledReplicas": 2, "observedGeneration": 1})
    );
}

#[test]
fn it_shrinks_by_its_least_useful_pods() {
    let mut cluster = cluster(3);
    let kept = active(&cluster)[1].key();
    cluster.change_pod(&kept, |pod| {
        pod.node_name = "n1".into();
        pod.status.phase = PodPhase::Running;
    });
    scale(&mut cluster, "web", 1);
    let left = active(&cluster);
    assert_eq!(left.iter().map(Resource::key).collect::<Vec<_>>(), [kept]);
}

#[test]
fn it_adopts_orphans_and_lets_go_of_what_it_does_not_select() {
    let mut cluster = cluster(1);
    let pod = active(&cluster)[0].key();
    cluster.change_pod(&pod, |pod| pod.meta.labels = pod.meta.labels.with("app", "debug"));
    cluster.run();
    assert!(cluster.store.pods.get(&pod).expect("it stays").meta.controller().is_none());
    assert_eq!(active(&cluster).len(), 2);
    cluster.change_pod(&pod, |pod| pod.meta.labels = pod.meta.labels.with("app", "web"));
    cluster.run();
    assert_eq!(active(&cluster).len(), 1, "with the orphan there was one too many");
}

#[test]
fn it_leaves_the_pods_of_a_replica_set_with_the_same_labels_alone() {
    let mut cluster = Cluster::default();
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default",
        "labels": {"app": "web"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web",
            "uid": "00000000-0000-0000-0000-0000000000ff", "controller": true}]}, "spec": {"containers": []}}));
    cluster.apply(manifest("web", 1, &json!({"app": "web"})));
    cluster.run();
    assert_eq!(active(&cluster).len(), 2);
    assert!(cluster.writes.iter().all(|write| !write.contains(&Kind::Pod.to_string()) || write.starts_with("create")));
}
