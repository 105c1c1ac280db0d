//! The ReplicaSet controller on a tiny cluster.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::api::{ApiError, Cause, Reason};
use crate::controllers::pod_ranking::POD_DELETION_COST;
use crate::controllers::testing::Cluster;
use crate::objects::{Conditions, Object, Resource, SharedList};

fn cluster(replicas: i32, spec: serde_json::Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.create_replica_set(replicas, spec);
    cluster.settle();
    cluster
}

fn set(cluster: &Cluster) -> Arc<ReplicaSet> {
    Arc::clone(cluster.sets()[0])
}

fn active(cluster: &Cluster) -> Vec<Arc<Pod>> {
    cluster.pods().into_iter().filter(|pod| pod.is_active()).collect()
}

/// Sizes of the steps that one sync takes, on a store that answers `answer` to each creation.
fn batches(
    replicas: i32,
    mut answer: impl FnMut(usize) -> Result<(), ApiError>,
) -> (Vec<usize>, Then<SyncState<ReplicaSet>>) {
    let mut cluster = Cluster::new();
    cluster.create_replica_set(replicas, json!({}));
    let mut controller = ReplicaSetController::new();
    let cx = Context { view: &cluster.view, now: cluster.now, expectations_met: true };
    let mut step = controller.reconcile(cx, &set(&cluster).key());
    let (mut sizes, mut calls) = (Vec::new(), 0);
    loop {
        let Then::Resume(state) = step.then else { return (sizes, step.then) };
        let creations: Vec<_> = step.requests.iter().filter(|r| matches!(r, Request::Create(_))).collect();
        sizes.push(creations.len());
        let mut respond = |_: &&Request| {
            calls += 1;
            answer(calls).map(|()| Pod::default().into())
        };
        let responses = creations.iter().map(&mut respond).collect();
        step = controller.resume(cx, &set(&cluster).key(), state, responses);
    }
}

fn quota() -> ApiError {
    ApiError::new(Reason::Forbidden, "exceeded quota")
}

#[test]
fn creations_start_slowly_and_double() {
    assert_eq!(batches(10, |_| Ok(())).0, [1, 2, 4, 3]);
    assert_eq!(batches(1, |_| Ok(())).0, [1]);
    assert_eq!(batches(600, |_| Ok(())).0.iter().sum::<usize>(), 500);
}

#[test]
fn a_batch_with_a_failure_is_the_last_one() {
    let (sizes, end) = batches(10, |_| Err(quota()));
    assert_eq!(sizes, [1]);
    assert!(matches!(end, Then::Retry(why) if why == "exceeded quota"));
    assert_eq!(batches(10, |call| if call > 5 { Err(quota()) } else { Ok(()) }).0, [1, 2, 4]);
}

#[test]
fn creations_in_a_terminating_namespace_count_as_done() {
    let terminating = || {
        let cause = Cause { field: String::new(), kind: "NamespaceTerminating".into(), text: String::new() };
        ApiError { causes: vec![cause], ..quota() }
    };
    let (sizes, end) = batches(3, |_| Err(terminating()));
    assert_eq!(sizes, [1, 2]);
    assert!(matches!(end, Then::Done { .. }));
}

#[test]
fn pods_get_the_templates_labels_and_their_owner() {
    let cluster = cluster(2, json!({}));
    let (set, pods) = (set(&cluster), cluster.pods());
    assert_eq!(pods.len(), 2);
    assert!(pods[0].meta.labels.ptr_eq(&set.spec.template.labels));
    assert!(Arc::ptr_eq(&pods[0].spec, &set.spec.template.spec));
    let owner = pods[0].meta.controller().unwrap();
    assert_eq!((&*owner.kind, &*owner.name, &owner.uid), ("ReplicaSet", "web", &set.meta.uid));
    assert_eq!(&*pods[0].meta.generate_name, "web-");
    assert_eq!(cluster.events[0], format!("Normal SuccessfulCreate Created pod: {}", pods[0].meta.name));
}

#[test]
fn the_status_counts_pods_and_is_written_once() {
    let mut cluster = cluster(3, json!({}));
    let status = set(&cluster).status.clone();
    assert_eq!((status.replicas, status.fully_labeled_replicas, status.ready_replicas), (3, 3, 0));
    assert_eq!((status.observed_generation, status.terminating_replicas), (1, Some(0)));
    cluster.turn_pods();
    let status = set(&cluster).status.clone();
    assert_eq!((status.ready_replicas, status.available_replicas), (3, 3));
    let mut controller = ReplicaSetController::new();
    let cx = Context { view: &cluster.view, now: cluster.now, expectations_met: true };
    let step = controller.reconcile(cx, &set(&cluster).key());
    assert!(step.requests.is_empty() && matches!(step.then, Then::Done { requeue_after: None }));
}

#[test]
fn a_failure_shows_as_condition_until_it_is_over() {
    let mut cluster = Cluster::new();
    cluster.refuse = Some(Arc::new(|r: &Request| matches!(r, Request::Create(Object::Pod(_))).then(quota)));
    cluster.create_replica_set(2, json!({}));
    cluster.settle();
    let failed = set(&cluster).status.conditions.find(REPLICA_FAILURE).cloned().unwrap();
    assert_eq!((&*failed.reason, &*failed.message), ("FailedCreate", "exceeded quota"));
    assert!(cluster.events.iter().all(|event| event == "Warning FailedCreate Error creating: exceeded quota"));
    cluster.refuse = None;
    cluster.advance(SimDuration::from_millis(5));
    assert!(set(&cluster).status.conditions.is_empty());
    assert_eq!(cluster.pods().len(), 2);
}

#[test]
fn a_failed_deletion_shows_as_condition() {
    let mut cluster = cluster(2, json!({}));
    cluster.turn_pods();
    cluster.refuse = Some(Arc::new(|r: &Request| matches!(r, Request::Delete { .. }).then(quota)));
    cluster.edit::<ReplicaSet>("web", |set| set.spec.replicas = 1);
    let failed = set(&cluster).status.conditions.find(REPLICA_FAILURE).cloned().unwrap();
    assert_eq!((&*failed.reason, &*failed.message), ("FailedDelete", "unable to delete pods: exceeded quota"));
    assert_eq!(cluster.events.last().unwrap(), "Warning FailedDelete Error deleting: exceeded quota");
}

#[test]
fn a_pod_that_terminates_is_replaced_at_once_and_counted_apart() {
    let mut cluster = cluster(2, json!({}));
    cluster.turn_pods();
    let victim = cluster.pods()[0].clone();
    let _ = cluster.submit(crate::controllers::pod_control::delete_pod(&victim));
    cluster.settle();
    assert_eq!((active(&cluster).len(), cluster.pods().len()), (2, 3));
    assert_eq!(set(&cluster).status.terminating_replicas, Some(1));
    cluster.turn_pods();
    assert_eq!(set(&cluster).status.terminating_replicas, Some(0));
}

#[test]
fn failed_pods_stay_and_are_replaced() {
    let mut cluster = cluster(2, json!({}));
    let victim = cluster.pods()[0].clone();
    cluster.edit_pod(&victim, |pod| pod.status.phase = crate::objects::PodPhase::Failed);
    cluster.settle();
    assert_eq!((active(&cluster).len(), cluster.pods().len()), (2, 3));
    assert_eq!(set(&cluster).status.replicas, 2);
}

#[test]
fn the_cheapest_pods_go_first_when_it_shrinks() {
    let mut cluster = cluster(3, json!({}));
    cluster.turn_pods();
    for (pod, cost) in cluster.pods().iter().zip(["100", "1000", "10"]) {
        cluster.edit_pod(pod, |pod| pod.meta.annotations = [(POD_DELETION_COST, cost)].into_iter().collect());
    }
    cluster.edit::<ReplicaSet>("web", |set| set.spec.replicas = 1);
    let left = active(&cluster);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].meta.annotations.get(POD_DELETION_COST), Some("1000"));
}

#[test]
fn pods_that_are_not_ready_go_before_those_that_are() {
    let mut cluster = cluster(3, json!({}));
    let pods = cluster.pods();
    cluster.make_ready(&pods[0]);
    cluster.make_ready(&pods[2]);
    cluster.settle();
    cluster.edit::<ReplicaSet>("web", |set| set.spec.replicas = 2);
    assert_eq!(
        active(&cluster).iter().map(|pod| &pod.meta.name).collect::<Vec<_>>(),
        [&pods[0].meta.name, &pods[2].meta.name]
    );
}

#[test]
fn orphans_that_match_are_adopted_whichever_comes_first() {
    let mut cluster = Cluster::new();
    cluster.create_pod("a", &[("app", "web")]);
    cluster.create_pod("other", &[("app", "db")]);
    cluster.create_replica_set(3, json!({}));
    cluster.settle();
    assert_eq!(cluster.pods().len(), 4);
    cluster.create_pod("late", &[("app", "web")]);
    cluster.settle();
    assert_eq!(active(&cluster).iter().filter(|pod| pod.meta.controller().is_some()).count(), 3);
    let other = cluster.pods().into_iter().find(|pod| &*pod.meta.name == "other").unwrap();
    assert!(other.meta.controller().is_none());
}

#[test]
fn a_pod_whose_labels_change_is_released_and_replaced() {
    let mut cluster = cluster(2, json!({}));
    let pod = cluster.pods()[0].clone();
    cluster.edit_pod(&pod, |pod| pod.meta.labels = [("app", "debug")].into_iter().collect());
    cluster.settle();
    let pods = cluster.pods();
    assert!(pods[0].meta.controller().is_none());
    assert_eq!(pods.len(), 3);
    assert_eq!(set(&cluster).status.replicas, 2);
}

#[test]
fn a_set_being_deleted_neither_adopts_nor_creates() {
    let mut cluster = Cluster::new();
    cluster.create_pod("a", &[("app", "web")]);
    cluster.create_replica_set(2, json!({}));
    cluster.edit::<ReplicaSet>("web", |set| {
        set.meta.deletion_timestamp = Some(crate::objects::Timestamp::from_unix_secs(1));
        set.meta.finalizers = SharedList::from(vec!["foregroundDeletion".into()]);
    });
    let pods = cluster.pods();
    assert_eq!(pods.len(), 1);
    assert!(pods[0].meta.controller().is_none());
    assert_eq!(set(&cluster).status.observed_generation, set(&cluster).meta.generation);
}

#[test]
fn a_pod_without_some_label_of_the_template_is_not_fully_labeled() {
    let mut cluster = Cluster::new();
    cluster.create_pod("a", &[("app", "web")]);
    cluster.create_replica_set(2, json!({"template": {"metadata": {"labels": {"type": "production"}}}}));
    cluster.settle();
    let status = &set(&cluster).status;
    assert_eq!((status.replicas, status.fully_labeled_replicas), (2, 1));
}

#[test]
fn availability_waits_for_min_ready_seconds_and_is_noticed_on_time() {
    let mut cluster = cluster(2, json!({"minReadySeconds": 5}));
    cluster.advance(SimDuration::from_millis(300));
    cluster.turn_pods();
    let status = |cluster: &Cluster| (set(cluster).status.ready_replicas, set(cluster).status.available_replicas);
    assert_eq!(status(&cluster), (2, 0));
    cluster.advance(SimDuration::from_millis(4_699));
    assert_eq!(status(&cluster), (2, 0));
    cluster.advance(SimDuration::from_millis(1));
    assert_eq!(status(&cluster), (2, 2));
}

#[test]
fn with_writes_still_unseen_nothing_is_done() {
    let mut cluster = Cluster::new();
    cluster.create_replica_set(2, json!({}));
    let cx = Context { view: &cluster.view, now: cluster.now, expectations_met: false };
    let step = ReplicaSetController::new().reconcile(cx, &set(&cluster).key());
    assert!(step.requests.is_empty());
}
