//! Starting, ending and replacing pods.

use serde_json::json;

use super::super::identity::{POD_INDEX_LABEL, POD_NAME_LABEL};
use super::{Cluster, key};
use crate::api::{ApiError, Reason, Request, Then};
use crate::api::{Context, Reconciler};
use crate::controllers::StatefulSetController;
use crate::objects::{Kind, ObjectMeta, Pod, PodPhase, Resource, SharedList};

#[test]
fn pods_start_one_after_the_other() {
    let mut cluster = Cluster::new(json!({}));
    assert_eq!(cluster.pods(), "web-0");
    cluster.change("web-0", PodPhase::Running, false);
    assert_eq!(cluster.pods(), "web-0");
    cluster.make_ready("web-0");
    assert_eq!(cluster.pods(), "web-0 web-1");
    cluster.finish();
    assert_eq!(cluster.pods(), "web-0 web-1 web-2");
    let expected = [0, 1, 2].map(|n| format!("SuccessfulCreate Create Pod web-{n} in StatefulSet web successful"));
    assert_eq!(cluster.events(), expected);
    let status = &cluster.set().status;
    assert_eq!((status.replicas, status.ready_replicas, status.available_replicas), (3, 3, 3));
    assert_eq!((status.current_replicas, status.updated_replicas, status.collision_count), (3, 3, Some(0)));
    assert_eq!(status.current_revision, status.update_revision);
}

#[test]
fn a_pod_bears_its_identity() {
    let cluster = Cluster::new(json!({"ordinals": {"start": 7}}));
    let pod = cluster.pod("web-7");
    assert_eq!(pod.meta.labels.get(POD_NAME_LABEL), Some("web-7"));
    assert_eq!(pod.meta.labels.get(POD_INDEX_LABEL), Some("7"));
    assert_eq!((pod.meta.labels.get("app"), &*pod.meta.generate_name), (Some("web"), "web-"));
    assert_eq!((&**pod.hostname(), &*pod.spec.subdomain), ("web-7", "svc"));
    assert_eq!(cluster.revision_of("web-7"), &*cluster.set().status.update_revision);
    assert_eq!(pod.meta.controller().map(|owner| &owner.uid), Some(&cluster.set().meta.uid));
}

#[test]
fn parallel_pods_wait_for_nobody() {
    let mut cluster = Cluster::new(json!({"replicas": 12, "podManagementPolicy": "Parallel"}));
    assert_eq!(cluster.0.store.pods.len(), 12);
    cluster.patch(&json!({"replicas": 2}));
    assert_eq!(cluster.pods(), "web-0 web-1");
    assert_eq!(cluster.set().status.replicas, 2);
}

#[test]
fn parallel_creation_stops_after_the_batch_in_which_one_failed() {
    let mut cluster = Cluster::new(json!({"replicas": 0, "podManagementPolicy": "Parallel"}));
    cluster.0.refuse = Some("create Pod/default/web-2");
    cluster.patch(&json!({"replicas": 12}));
    // Batches of 1, 2 and 4 pods.
    assert_eq!(cluster.pods(), "web-0 web-1");
    let last = cluster.events().pop().unwrap();
    assert!(last.starts_with("FailedCreate Create Pod web-2 in StatefulSet web failed error: refused"), "{last}");
    cluster.0.refuse = None;
    cluster.0.run_for(10);
    assert_eq!(cluster.0.store.pods.len(), 12);
}

#[test]
fn pods_end_from_the_highest_ordinal_down_one_at_a_time() {
    let mut cluster = Cluster::ready(json!({"replicas": 4}));
    cluster.patch(&json!({"replicas": 1}));
    assert_eq!(cluster.pods(), "web-0 web-1 web-2 (web-3)");
    cluster.remove("web-3");
    assert_eq!(cluster.pods(), "web-0 web-1 (web-2)");
    cluster.remove("web-2");
    cluster.remove("web-1");
    assert_eq!((cluster.pods(), cluster.set().status.replicas), ("web-0".to_owned(), 1));
}

#[test]
fn scaling_in_waits_for_the_pods_that_stay() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.change("web-0", PodPhase::Running, false);
    cluster.patch(&json!({"replicas": 1}));
    assert_eq!(cluster.pods(), "web-0 web-1 web-2");
    cluster.make_ready("web-0");
    assert_eq!(cluster.pods(), "web-0 web-1 (web-2)");
}

#[test]
fn of_the_pods_that_go_only_the_first_that_is_broken_may_be_so() {
    let broken = |names: &[&str]| {
        let mut cluster = Cluster::ready(json!({"replicas": 4}));
        names.iter().for_each(|name| cluster.change(name, PodPhase::Running, false));
        cluster.patch(&json!({"replicas": 1}));
        cluster.pods()
    };
    assert_eq!(broken(&["web-3"]), "web-0 web-1 web-2 (web-3)");
    assert_eq!(broken(&["web-2"]), "web-0 web-1 web-2 (web-3)");
    assert_eq!(broken(&["web-2", "web-3"]), "web-0 web-1 web-2 web-3");
}

#[test]
fn moving_the_first_ordinal_makes_the_new_pods_before_the_old_ones_go() {
    let mut cluster = Cluster::ready(json!({"replicas": 2}));
    cluster.patch(&json!({"ordinals": {"start": 1}}));
    assert_eq!(cluster.pods(), "web-0 web-1 web-2");
    cluster.make_ready("web-2");
    assert_eq!(cluster.pods(), "(web-0) web-1 web-2");
}

#[test]
fn a_deleted_pod_comes_back_under_its_name_once_it_is_gone() {
    let mut cluster = Cluster::ready(json!({}));
    let uid = cluster.pod("web-1").meta.uid.clone();
    cluster.delete("web-1");
    assert_eq!(cluster.pods(), "web-0 (web-1) web-2");
    cluster.remove("web-1");
    assert_eq!(cluster.pods(), "web-0 web-1 web-2");
    assert_ne!(cluster.pod("web-1").meta.uid, uid);
}

#[test]
fn pods_that_ended_are_replaced_however_they_did() {
    for phase in [PodPhase::Failed, PodPhase::Succeeded] {
        let mut cluster = Cluster::ready(json!({}));
        cluster.change("web-1", phase, false);
        assert_eq!(cluster.pods(), "web-0 web-1 web-2");
        assert_eq!(cluster.pod("web-1").status.phase, PodPhase::Pending);
        let expected = ["SuccessfulDelete Delete", "SuccessfulCreate Create"];
        let events = cluster.events();
        assert!(events.iter().zip(expected).all(|(event, start)| event.starts_with(start)), "{events:?}");
    }
}

#[test]
fn the_next_pod_waits_until_the_one_before_is_available() {
    let mut cluster = Cluster::new(json!({"minReadySeconds": 10}));
    cluster.make_ready("web-0");
    cluster.0.run_for(9);
    assert_eq!(cluster.pods(), "web-0");
    assert_eq!((cluster.set().status.ready_replicas, cluster.set().status.available_replicas), (1, 0));
    cluster.0.run_for(1);
    assert_eq!(cluster.pods(), "web-0 web-1");
    assert_eq!(cluster.set().status.available_replicas, 1);
}

#[test]
fn at_rest_nothing_is_written() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.0.sync_now(&key("web"));
    assert!(cluster.0.writes.is_empty(), "{:?}", cluster.0.writes);
}

#[test]
fn a_stale_cache_is_not_acted_on() {
    let cluster = Cluster::ready(json!({}));
    let cx = Context { view: &cluster.0.view, now: cluster.0.now, expectations_met: false };
    let step = StatefulSetController::new().reconcile(cx, &key("web"));
    assert!(step.requests.is_empty() && matches!(step.then, Then::Retry(_)));
}

#[test]
fn a_set_that_is_being_deleted_only_reports() {
    let mut cluster = Cluster::ready(json!({}));
    let foreground =
        crate::api::DeleteOptions { propagation: Some(crate::api::Propagation::Foreground), ..Default::default() };
    cluster.0.delete(Kind::StatefulSet, &key("web"), &foreground).unwrap();
    cluster.delete("web-2");
    cluster.remove("web-2");
    assert_eq!((cluster.pods(), cluster.set().status.replicas), ("web-0 web-1".to_owned(), 2));
}

fn orphan(cluster: &mut Cluster, name: &str, app: &'static str) {
    let labels = [("app", app)].into_iter().collect();
    let meta = ObjectMeta { name: name.into(), namespace: "default".into(), labels, ..ObjectMeta::default() };
    cluster.0.create(&Pod { meta, ..Pod::default() }.into()).unwrap();
    cluster.0.run();
}

#[test]
fn orphans_with_a_name_of_the_set_are_adopted() {
    let mut cluster = Cluster::new(json!({}));
    for (name, app) in [("web-1", "web"), ("web-x", "web"), ("web-2", "other"), ("webs-3", "web")] {
        orphan(&mut cluster, name, app);
    }
    let owned = |name: &str| cluster.pod(name).meta.controller().is_some();
    assert!(owned("web-1") && !owned("web-x") && !owned("web-2") && !owned("webs-3"));
}

#[test]
fn pods_that_are_not_selected_any_more_are_released_and_replaced() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.0.change_pod(&key("web-2"), |pod| pod.meta.labels = pod.meta.labels.with("app", "other"));
    cluster.0.run();
    assert!(cluster.pod("web-2").meta.owner_references.is_empty());
    // Its name is taken: that is tried again, and nobody is told.
    cluster.0.run_for(1);
    assert!(cluster.events().is_empty() && cluster.0.failures.len() > 1);
}

#[test]
fn lost_labels_of_the_identity_are_put_back() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.0.change_pod(&key("web-1"), |pod| pod.meta.labels = pod.meta.labels.without(POD_NAME_LABEL));
    cluster.0.run();
    assert_eq!(cluster.pod("web-1").meta.labels.get(POD_NAME_LABEL), Some("web-1"));
    assert_eq!(cluster.events(), ["SuccessfulUpdate Update Pod web-1 in StatefulSet web successful"]);
}

#[test]
fn a_refused_deletion_is_told_and_tried_again() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.0.refuse = Some("delete Pod");
    cluster.patch(&json!({"replicas": 2}));
    let events = cluster.events();
    assert!(events[0].starts_with("FailedDelete Delete Pod web-2 in StatefulSet web failed error: "), "{events:?}");
    cluster.0.refuse = None;
    cluster.0.run_for(1);
    assert_eq!(cluster.pods(), "web-0 web-1 (web-2)");
}

#[test]
fn volumes_of_a_pod_cannot_be_mended_which_the_api_server_has_to_say() {
    let template = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}});
    let mut cluster = Cluster::ready(json!({"replicas": 1, "volumeClaimTemplates": [template]}));
    cluster.0.change_pod(&key("web-0"), |pod| {
        let mut spec = pod.spec.wire().clone();
        spec.remove("volumes");
        pod.spec = std::sync::Arc::new(crate::objects::PodSpec::from_wire(spec).unwrap());
    });
    let cx = Context { view: &cluster.0.view, now: cluster.0.now, expectations_met: true };
    let step = StatefulSetController::new().reconcile(cx, &key("web"));
    let [Request::Patch { document, .. }] = &step.requests[..] else { panic!("{:?}", step.requests) };
    assert_eq!(document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-web-0");
    let error = ApiError::new(Reason::Invalid, "pod updates may not change fields");
    let Then::Resume(state) = step.then else { panic!("it waits for the answer") };
    let step = StatefulSetController::new().resume(cx, &key("web"), state, vec![Err(error)]);
    assert!(matches!(step.then, Then::Retry(why) if why.contains("may not change")));
}

#[test]
fn pods_of_other_owners_are_left_alone() {
    let mut cluster = Cluster::new(json!({}));
    let owner = crate::controllers::controller_ref::controller_reference(
        Kind::ReplicaSet,
        &ObjectMeta { name: "x".into(), uid: crate::objects::Uid::uuid(99), ..ObjectMeta::default() },
    );
    let meta = ObjectMeta {
        name: "web-1".into(),
        namespace: "default".into(),
        labels: [("app", "web")].into_iter().collect(),
        owner_references: SharedList::from(vec![owner]),
        ..ObjectMeta::default()
    };
    let pod = Pod { meta, ..Pod::default() };
    cluster.0.create(&pod.clone().into()).unwrap();
    cluster.0.run();
    assert_eq!(cluster.pod("web-1").meta.controller().map(|owner| &*owner.name), Some("x"));
    assert_eq!(pod.key(), key("web-1"));
}
