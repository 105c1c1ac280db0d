//! The StatefulSet controller on a tiny cluster.

mod claims;
mod kubectl;
mod pods;
mod revisions;

use std::sync::Arc;

use serde_json::{Value, json};

use super::StatefulSetController;
use super::identity::revision_of;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{
    Condition, ConditionStatus, ControllerRevision, Key, Kind, Object, Pod, PodPhase, Resource, StatefulSet, Typed,
    defaults, patch,
};

/// A cluster with StatefulSet `web` and this controller.
struct Cluster(TestCluster<StatefulSetController>);

impl Cluster {
    /// `spec` is put on top of three ordered replicas.
    fn new(spec: Value) -> Self {
        let mut cluster = TestCluster::default();
        let mut wire = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": 3, "serviceName": "svc", "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "web:v1"}]},
                },
            },
        });
        merge(&mut wire["spec"], &spec);
        defaults::apply("StatefulSet", "apps/v1", &mut wire);
        cluster.apply(wire);
        cluster.run();
        Self(cluster)
    }

    /// The same, with all pods ready.
    fn ready(spec: Value) -> Self {
        let mut cluster = Self::new(spec);
        cluster.finish();
        cluster.0.events.clear();
        cluster.0.writes.clear();
        cluster
    }

    fn set(&self) -> &Arc<StatefulSet> {
        self.0.store.stateful_sets.get(&key("web")).expect("it is there")
    }

    fn pod(&self, name: &str) -> &Arc<Pod> {
        self.0.store.pods.get(&key(name)).expect("it is there")
    }

    /// Pods in the order of names, those being deleted in brackets.
    fn pods(&self) -> String {
        let mut pods: Vec<_> = self.0.store.pods.iter().collect();
        pods.sort_by_key(|pod| self.set().ordinal_of(&pod.meta.name));
        let show = |pod: &Arc<Pod>| {
            if pod.meta.is_deleting() { format!("({})", pod.meta.name) } else { pod.meta.name.to_string() }
        };
        pods.into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    /// Images of the pods in the order of names.
    fn images(&self) -> String {
        let mut pods: Vec<_> = self.0.store.pods.iter().collect();
        pods.sort_by_key(|pod| self.set().ordinal_of(&pod.meta.name));
        let image = |pod: &Arc<Pod>| pod.spec.containers[0].image.replace("web:", "");
        pods.into_iter().map(image).collect::<Vec<_>>().join(" ")
    }

    /// Changes the spec by a merge patch, and syncs.
    fn patch(&mut self, spec: &Value) {
        let document = json!({ "spec": spec });
        let mut wire = patch::json_merge(self.set().to_wire(), document).expect("it applies");
        defaults::apply("StatefulSet", "apps/v1", &mut wire);
        let set = Object::from_wire(wire).expect("it is well-formed").with_meta(|meta| meta.resource_version = 0);
        self.0.update(&set).expect("it is accepted");
        self.0.run();
    }

    fn set_image(&mut self, image: &str) {
        self.patch(&json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}));
    }

    fn change(&mut self, name: &str, phase: PodPhase, ready: bool) {
        let at = self.0.now.timestamp();
        self.0.change_pod(&key(name), |pod| {
            pod.node_name = "n1".into();
            pod.status.phase = phase;
            pod.status.conditions = vec![Condition::new("Ready", ConditionStatus::of(ready), at)].into();
        });
        self.0.run();
    }

    fn make_ready(&mut self, name: &str) {
        self.change(name, PodPhase::Running, true);
    }

    fn delete(&mut self, name: &str) {
        self.0.delete(Kind::Pod, &key(name), &crate::api::DeleteOptions::default()).expect("it is there");
        self.0.run();
    }

    fn remove(&mut self, name: &str) {
        self.0.finish(&key(name));
        self.0.run();
    }

    /// Lets pods start, become ready and end until nothing is left to do.
    fn finish(&mut self) {
        for _ in 0..1000 {
            let pods: Vec<Arc<Pod>> = self.0.store.pods.iter().cloned().collect();
            let ending = pods.iter().find(|pod| pod.meta.is_deleting());
            let starting = pods.iter().find(|pod| !pod.is_ready() && !pod.meta.is_deleting());
            match (ending, starting) {
                (Some(pod), _) => self.remove(&pod.meta.name),
                (None, Some(pod)) => self.make_ready(&pod.meta.name),
                (None, None) => return,
            }
        }
        panic!("the cluster does not come to rest: {}", self.pods());
    }

    /// Events as `Reason Message`, since the last call.
    fn events(&mut self) -> Vec<String> {
        self.0.events.drain(..).map(|event| format!("{} {}", event.reason, event.message)).collect()
    }

    /// The history, oldest first.
    fn revisions(&self) -> Vec<Arc<ControllerRevision>> {
        let mut revisions: Vec<_> = self.0.store.controller_revisions.iter().cloned().collect();
        revisions.sort_by_key(|revision| revision.revision);
        revisions
    }

    fn revision_of(&self, pod: &str) -> String {
        revision_of(self.pod(pod)).to_owned()
    }

    fn object<T: Resource>(&self, name: &str) -> Option<Arc<T>> {
        self.0.store.object(T::KIND, &key(name)).as_ref().and_then(<T as Typed>::unwrap).cloned()
    }
}

fn key(name: &str) -> Key {
    Key::new("default", name)
}

/// Puts `changes` on top of a document, level by level.
fn merge(document: &mut Value, changes: &Value) {
    match (document, changes) {
        (Value::Object(document), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(document.entry(key).or_insert(Value::Null), change);
            }
        }
        (document, change) => *document = change.clone(),
    }
}
