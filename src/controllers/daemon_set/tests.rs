//! The DaemonSet controller on a tiny API server.

use std::sync::Arc;

use serde_json::{Value, json};

use super::ledger::Ledger;
use super::node::Basis;
use super::*;
use crate::api::{DeleteOptions, Request, Then};
use crate::controllers::history::POD_REVISION_LABEL;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Condition, ConditionStatus, Object, PodPhase, TEMPLATE_GENERATION};

type Cluster = TestCluster<DaemonSetController>;

fn cluster(nodes: usize, spec: Value) -> Cluster {
    let mut cluster = Cluster::default();
    for node in 1..=nodes {
        cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("n{node}")}}));
    }
    cluster.apply(manifest("agent:v1", spec));
    cluster.run();
    cluster
}

fn manifest(image: &str, spec: Value) -> Value {
    let mut manifest = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default", "annotations": {TEMPLATE_GENERATION: "1"}},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "revisionHistoryLimit": 10,
        },
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        manifest["spec"][key] = value.clone();
    }
    manifest
}

fn set(cluster: &Cluster) -> Arc<DaemonSet> {
    Arc::clone(cluster.store.daemon_sets.iter().next().expect("the DaemonSet"))
}

fn pods(cluster: &Cluster) -> Vec<Arc<Pod>> {
    cluster.store.pods.iter().cloned().collect()
}

/// Node names of all pods, in the order of creation.
fn places(cluster: &Cluster) -> Vec<String> {
    pods(cluster).iter().map(|pod| target(pod).unwrap_or_default().to_string()).collect()
}

/// Another template, as the API server would store it: with the next version number.
fn set_image(cluster: &mut Cluster, image: &str, spec: Value) {
    let generation = set(cluster).template_generation().unwrap_or(0) + 1;
    let mut next = DaemonSet::from_wire(manifest(image, spec)).expect("the manifest is well-formed");
    next.set_template_generation(generation);
    next.status = set(cluster).status.clone();
    cluster.update(&next.into()).expect("it is there");
    cluster.run();
}

/// Binds pods that were not, makes them ready, and ends those that are being deleted.
fn turn(cluster: &mut Cluster) {
    for pod in pods(cluster) {
        if pod.meta.is_deleting() {
            cluster.finish(&pod.key());
        } else if !pod.is_ready() && !pod.is_terminal() {
            make_ready(cluster, &pod);
        }
    }
    cluster.run();
}

fn make_ready(cluster: &mut Cluster, pod: &Pod) {
    let at = cluster.now.timestamp();
    cluster.change_pod(&pod.key(), |pod| {
        pod.node_name = target(pod).unwrap_or_default();
        pod.status.phase = PodPhase::Running;
        pod.status.conditions = vec![Condition::new("Ready", ConditionStatus::True, at)].into();
    });
}

fn fail(cluster: &mut Cluster, pod: &Pod) {
    cluster.change_pod(&pod.key(), |pod| {
        pod.node_name = target(pod).unwrap_or_default();
        pod.status.phase = PodPhase::Failed;
    });
    cluster.run();
}

fn told(cluster: &Cluster) -> Vec<String> {
    cluster.events.iter().map(|event| format!("{} {}", event.reason, event.message)).collect()
}

#[test]
fn pods_are_pinned_to_their_node_and_bear_what_daemons_bear() {
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]},
    ]}}});
    let template = json!({
        "metadata": {"labels": {"app": "agent"}},
        "spec": {
            "containers": [{"name": "c", "image": "agent:v1"}], "affinity": affinity,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                             "tolerationSeconds": 7}],
        },
    });
    let cluster = cluster(2, json!({"template": template}));
    let pods = pods(&cluster);
    assert_eq!(places(&cluster), ["n1", "n2"]);
    assert!(Arc::ptr_eq(&pods[0].spec, &pods[1].spec) && pods[0].meta.labels.ptr_eq(&pods[1].meta.labels));
    let wire = pods[0].to_wire();
    let term = &wire["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let field = json!({"key": "metadata.name", "operator": "In", "values": ["n1"]});
    assert_eq!(*term, json!({"nodeSelectorTerms": [{"matchFields": [field]}]}));
    let tolerations = wire["spec"]["tolerations"].as_array().expect("a list");
    assert_eq!(tolerations.len(), 6);
    assert!(tolerations.iter().all(|toleration| toleration.get("tolerationSeconds").is_none()));
    assert_eq!(pods[0].meta.labels.get(GENERATION_LABEL), Some("1"));
    let revision = cluster.store.controller_revisions.iter().next().expect("a revision");
    assert_eq!(pods[0].meta.labels.get(POD_REVISION_LABEL), revision.meta.labels.get(POD_REVISION_LABEL));
    assert_eq!(&*pods[0].meta.generate_name, "agent-");
}

#[test]
fn creations_start_slowly_and_stop_at_250() {
    let mut cluster = Cluster::default();
    for node in 1..=600 {
        cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("n{node}")}}));
    }
    let set = cluster.apply(manifest("agent:v1", json!({})));
    let mut controller = DaemonSetController::new();
    let cx = Context { view: &cluster.store, now: cluster.now, expectations_met: true };
    let mut step = controller.reconcile(cx, &set.key());
    let mut sizes = Vec::new();
    while let Then::Resume(state) = step.then {
        let calls: Vec<_> = step.requests.iter().filter(|request| !matches!(request, Request::Event(_))).collect();
        sizes.push(calls.len());
        let answer = |request: &&Request| match request {
            Request::Create(object) => Ok(object.clone()),
            other => panic!("{other:?}"),
        };
        let answers = calls.iter().map(answer).collect();
        step = controller.resume(cx, &set.key(), state, answers);
    }
    assert_eq!(sizes, [1, 1, 2, 4, 8, 16, 32, 64, 123], "the revision, then the pods");
}

#[test]
fn a_failed_pod_is_deleted_at_once_then_later_and_later() {
    let mut cluster = cluster(1, json!({}));
    let first = pods(&cluster)[0].clone();
    fail(&mut cluster, &first);
    let message = format!("Found failed daemon pod default/{} on node n1, will try to kill it", first.meta.name);
    assert!(told(&cluster).contains(&format!("FailedDaemonPod {message}")));
    // It is replaced, and the next one fails as well: it waits a second, the one after that two.
    for wait in [1, 2, 4] {
        let second = pods(&cluster).pop().expect("its successor");
        fail(&mut cluster, &second);
        cluster.run_for(wait - 1);
        assert!(cluster.store.pods.get(&second.key()).is_some(), "before {wait} s");
        cluster.run_for(1);
        assert!(cluster.store.pods.get(&second.key()).is_none(), "after {wait} s");
    }
}

#[test]
fn a_pod_that_came_to_an_end_is_replaced_without_waiting() {
    let mut cluster = cluster(1, json!({}));
    for _ in 0..3 {
        let pod = pods(&cluster).pop().expect("a pod");
        cluster.change_pod(&pod.key(), |pod| {
            pod.node_name = "n1".into();
            pod.status.phase = PodPhase::Succeeded;
        });
        cluster.run();
        assert!(cluster.store.pods.get(&pod.key()).is_none());
        assert_eq!(places(&cluster), ["n1"]);
    }
    assert!(told(&cluster).iter().any(|event| event.starts_with("SucceededDaemonPod Found succeeded daemon pod")));
}

#[test]
fn an_update_takes_as_many_nodes_at_a_time_as_it_may() {
    let mut cluster = cluster(5, json!({}));
    turn(&mut cluster);
    let bounds = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}}});
    set_image(&mut cluster, "agent:v2", bounds);
    let deleting = |cluster: &Cluster| pods(cluster).iter().filter(|pod| pod.meta.is_deleting()).count();
    assert_eq!(deleting(&cluster), 3);
    for pod in pods(&cluster).into_iter().filter(|pod| pod.meta.is_deleting()) {
        cluster.finish(&pod.key());
    }
    cluster.run();
    // Their successors are never ready: it stops there.
    assert_eq!((deleting(&cluster), pods(&cluster).len()), (0, 5));
    assert_eq!(set(&cluster).status.updated_number_scheduled, 3);
    turn(&mut cluster);
    turn(&mut cluster);
    turn(&mut cluster);
    assert_eq!(set(&cluster).status.updated_number_scheduled, 5);
}

#[test]
fn with_surge_the_old_pod_goes_when_the_new_one_is_available() {
    let bounds = json!({"updateStrategy": {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}});
    let mut cluster = cluster(5, bounds.clone());
    turn(&mut cluster);
    set_image(&mut cluster, "agent:v2", bounds);
    assert_eq!(pods(&cluster).len(), 7);
    turn(&mut cluster);
    let deleting = pods(&cluster).iter().filter(|pod| pod.meta.is_deleting()).count();
    assert_eq!((pods(&cluster).len(), deleting), (9, 2), "the next two need not wait for the end of the first");
    for _ in 0..6 {
        turn(&mut cluster);
    }
    let status = set(&cluster).status.clone();
    assert_eq!((status.updated_number_scheduled, status.number_available, pods(&cluster).len()), (5, 5, 5));
}

#[test]
fn an_old_pod_on_a_node_that_is_gone_holds_an_update_with_surge_up() {
    let bounds = json!({"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}});
    let mut cluster = cluster(2, bounds.clone());
    turn(&mut cluster);
    cluster.delete(Kind::Node, &Key::new("", "n2"), &DeleteOptions::default()).expect("the node");
    set_image(&mut cluster, "agent:v2", bounds);
    let why = "couldn't get node for nodeName \"n2\": node \"n2\" not found";
    assert!(cluster.failures.iter().any(|failure| failure == why), "{:?}", cluster.failures);
    assert_eq!(pods(&cluster).len(), 2);
}

#[test]
fn pods_are_adopted_and_released_by_their_labels() {
    let mut cluster = cluster(2, json!({}));
    let released = pods(&cluster)[0].clone();
    cluster.change_pod(&released.key(), |pod| pod.meta.labels = pod.meta.labels.with("app", "debug"));
    cluster.run();
    let now = cluster.store.pods.get(&released.key()).expect("it stays").clone();
    assert!(now.meta.controller().is_none());
    assert_eq!(places(&cluster), ["n1", "n2", "n1"]);
    // Back it comes, as the second one on its node; the older one stays.
    cluster.change_pod(&released.key(), |pod| pod.meta.labels = pod.meta.labels.with("app", "agent"));
    cluster.run();
    assert_eq!(places(&cluster), ["n1", "n2"]);
    assert!(cluster.store.pods.get(&released.key()).is_some_and(|pod| pod.meta.controller().is_some()));
}

#[test]
fn a_taken_name_gives_another_one_and_is_counted() {
    let name = {
        let cluster = cluster(1, json!({}));
        cluster.store.controller_revisions.iter().next().expect("a revision").meta.name.clone()
    };
    let mut cluster = Cluster::default();
    cluster.apply(json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1, "data": {},
        "metadata": {"name": &*name, "namespace": "default"},
    }));
    cluster.apply(manifest("agent:v1", json!({})));
    cluster.run_for(1);
    assert_eq!(set(&cluster).status.collision_count, Some(1));
    assert_eq!(cluster.store.controller_revisions.len(), 2);
}

#[test]
fn old_revisions_beyond_the_limit_go_but_those_that_pods_have() {
    let limit = || json!({"revisionHistoryLimit": 1, "updateStrategy": {"type": "OnDelete"}});
    let mut cluster = cluster(1, limit());
    turn(&mut cluster);
    for version in 2..=5 {
        set_image(&mut cluster, &format!("agent:v{version}"), limit());
    }
    let numbers: Vec<i64> = cluster.store.controller_revisions.iter().map(|revision| revision.revision).collect();
    assert_eq!(numbers, [1, 5], "the pod is still the first one's");
    set_image(&mut cluster, "agent:v1", limit());
    let newest = cluster.store.controller_revisions.iter().map(|revision| revision.revision).max();
    assert_eq!(newest, Some(6), "going back renumbers the old one");
}

#[test]
fn a_pod_for_a_node_that_is_gone_is_deleted_if_it_was_never_bound() {
    let mut cluster = cluster(2, json!({}));
    let bound = pods(&cluster)[0].clone();
    make_ready(&mut cluster, &bound);
    for node in ["n1", "n2"] {
        cluster.delete(Kind::Node, &Key::new("", node), &DeleteOptions::default()).expect("the node");
    }
    cluster.change_pod(&bound.key(), |pod| pod.meta.annotations = pod.meta.annotations.with("touched", "yes"));
    cluster.run();
    assert_eq!(places(&cluster), ["n1"]);
    assert_eq!(set(&cluster).status.desired_number_scheduled, 0);
}

#[test]
fn the_ledger_kept_from_change_to_change_is_the_one_made_anew() {
    let bounds = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}, "minReadySeconds": 3});
    let mut cluster = cluster(6, bounds.clone());
    for round in 0..12 {
        match round % 4 {
            0 => turn(&mut cluster),
            1 => set_image(&mut cluster, &format!("agent:v{round}"), bounds.clone()),
            2 => {
                let pod = pods(&cluster)[round % 3].clone();
                fail(&mut cluster, &pod);
            }
            _ => {
                let mut node = cluster.store.object(Kind::Node, &Key::new("", format!("n{}", round % 6 + 1)));
                if let Some(Object::Node(node)) = &mut node {
                    let mut changed = Node::clone(node);
                    changed.spec.taints = vec![crate::objects::Taint {
                        key: "busy".into(),
                        effect: "NoExecute".into(),
                        ..crate::objects::Taint::default()
                    }]
                    .into();
                    cluster.update(&changed.into()).expect("the node is there");
                }
                cluster.run();
            }
        }
        cluster.run_for(1);
        let set = set(&cluster);
        let hash: Arc<str> = cluster
            .store
            .controller_revisions
            .iter()
            .max_by_key(|revision| revision.revision)
            .and_then(|revision| revision.meta.labels.get(POD_REVISION_LABEL))
            .unwrap_or_default()
            .into();
        let basis = Basis::of(&set, &hash);
        let mut kept = Ledger::clone(&cluster.controller.ledgers[&set.meta.uid]);
        kept.refresh(&set.spec.template, &basis, cluster.now);
        let mut made = Ledger::new(&set, &cluster.store);
        made.refresh(&set.spec.template, &basis, cluster.now);
        assert_eq!(kept.tally(), made.tally(), "round {round}");
        let lists = |ledger: &Ledger| {
            let all = [&ledger.needing, &ledger.untidy, &ledger.old_down, &ledger.old_up, &ledger.replaced];
            all.map(|list| {
                list.iter().filter_map(|slot| ledger.entry(*slot)).map(|e| e.name.clone()).collect::<Vec<_>>()
            })
        };
        assert_eq!(lists(&kept), lists(&made), "round {round}");
    }
}

#[test]
fn one_that_selects_everything_does_nothing_but_complain() {
    let cluster = cluster(1, json!({"selector": {}}));
    assert!(pods(&cluster).is_empty());
    assert!(told(&cluster)[0].starts_with("SelectingAll This daemon set is selecting all pods"));
}

#[test]
fn availability_waits_for_min_ready_seconds() {
    let mut cluster = cluster(2, json!({"minReadySeconds": 5}));
    turn(&mut cluster);
    let counts = |cluster: &Cluster| (set(cluster).status.number_ready, set(cluster).status.number_available);
    assert_eq!(counts(&cluster), (2, 0));
    cluster.run_for(5);
    assert_eq!(counts(&cluster), (2, 2));
}
