use serde_json::{Value, json};

use super::*;
use crate::objects::Object;

/// A cluster of pods, ReplicaSets and one budget over `app=web`.
#[derive(Default)]
struct Cluster {
    view: View,
}

impl Cluster {
    fn with(mut self, wire: Value) -> Self {
        let object = Object::from_wire(wire).expect("a well-formed object");
        self.view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
        self
    }

    fn budget(self, spec: &Value) -> Self {
        let mut spec = spec.clone();
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
        self.with(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "web", "namespace": "shop", "generation": 1}, "spec": spec}))
    }

    fn set(self, name: &str, replicas: i32) -> Self {
        self.with(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": "shop", "uid": uid(name)},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": {}}}))
    }

    fn pods(mut self, owner: Option<&str>, prefix: &str, count: usize) -> Self {
        for number in 0..count {
            let owners = owner.map(|owner| {
                json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": uid(owner), "controller": true}])
            });
            self = self.with(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{prefix}-{number}"), "namespace": "shop", "labels": {"app": "web"},
                    "ownerReferences": owners.unwrap_or(json!([]))},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}));
        }
        self
    }

    /// (allowed, healthy, desired, expected) as one sync writes them, and the reasons of its Events.
    fn sync(&self) -> ((i32, i32, i32, i32), Vec<String>) {
        let cx = Context { view: &self.view, now: WallTime::default(), expectations_met: true };
        let step = DisruptionController::default().reconcile(cx, &Key::new("shop", "web"));
        let (mut figures, mut events) = ((0, 0, 0, 0), Vec::new());
        for request in step.requests {
            match request {
                Request::Event(event) => events.push(event.reason.to_string()),
                Request::Update(Object::PodDisruptionBudget(budget), Part::Status) => {
                    let status = &budget.status;
                    figures = (
                        status.disruptions_allowed,
                        status.current_healthy,
                        status.desired_healthy,
                        status.expected_pods,
                    );
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        (figures, events)
    }
}

fn uid(name: &str) -> String {
    format!("00000000-0000-0000-0000-{:012}", name.len())
}

#[test]
fn max_unavailable_counts_from_the_scale_of_the_controller_not_from_the_pods() {
    let cluster = |replicas| Cluster::default().set("rs", replicas).pods(Some("rs"), "a", 1);
    let budget = json!({"maxUnavailable": 2});
    assert_eq!(cluster(7).budget(&budget).sync().0, (0, 1, 5, 7));
    assert_eq!(cluster(5).budget(&budget).sync().0, (0, 1, 3, 5));
    let budget = json!({"maxUnavailable": "30%"});
    assert_eq!(cluster(7).budget(&budget).sync().0, (0, 1, 4, 7), "30 % of 7 is rounded up to 3");
}

#[test]
fn a_percentage_sums_the_scales_of_all_controllers() {
    let cluster =
        Cluster::default().set("rs", 11).set("other", 11).pods(Some("rs"), "a", 5).pods(Some("other"), "b", 4);
    assert_eq!(cluster.budget(&json!({"minAvailable": "28%"})).sync().0, (2, 9, 7, 22));
}

#[test]
fn a_stray_pod_is_healthy_but_not_expected() {
    let cluster = Cluster::default().set("rs", 3).pods(Some("rs"), "a", 3).pods(None, "stray", 1);
    let (figures, events) = cluster.budget(&json!({"minAvailable": "34%"})).sync();
    assert_eq!(figures, (2, 4, 2, 3));
    assert_eq!(events, ["UnmanagedPods"]);
}

#[test]
fn a_number_of_available_pods_expects_what_is_there() {
    let (figures, events) = Cluster::default().pods(None, "a", 3).budget(&json!({"minAvailable": 2})).sync();
    assert_eq!((figures, events.len()), ((1, 3, 2, 3), 0));
}

#[test]
fn a_budget_without_pods_allows_nothing_and_says_so() {
    let (figures, events) = Cluster::default().budget(&json!({"maxUnavailable": 1})).sync();
    assert_eq!((figures, events), ((0, 0, 0, 0), vec!["NoPods".to_owned()]));
}

#[test]
fn a_pod_whose_controller_is_gone_fails_the_sync_safely() {
    let cluster = Cluster::default().pods(Some("rs"), "a", 2).budget(&json!({"maxUnavailable": 1}));
    let cx = Context { view: &cluster.view, now: WallTime::default(), expectations_met: true };
    let step = DisruptionController::default().reconcile(cx, &Key::new("shop", "web"));
    let written = step.requests.iter().find_map(|request| match request {
        Request::Update(Object::PodDisruptionBudget(budget), _) => Some(&budget.status),
        _ => None,
    });
    let condition = written.and_then(|status| status.conditions.find("DisruptionAllowed")).expect("a condition");
    assert_eq!((&*condition.reason, &*condition.message), ("SyncFailed", "found no controllers for pod \"a-0\""));
}
