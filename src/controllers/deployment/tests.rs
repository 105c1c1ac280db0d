//! The Deployment controller together with the ReplicaSet controller on a tiny cluster.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::util::annotations::{DESIRED_REPLICAS, REVISION, REVISION_HISTORY, ROLLBACK_TO};
use super::util::fenceposts::{Fenceposts, max_replicas};
use super::util::sets::ReplicaSets;
use super::*;
use crate::api::{ApiError, Part, PatchType, Reason, Request, Then};
use crate::controllers::pod_control::delete_pod;
use crate::controllers::testing::{Cluster, template};
use crate::kernel::SimDuration;
use crate::objects::{Conditions, IntOrPercent, Object, POD_TEMPLATE_HASH, ReplicaSetStatus, Timestamp};

fn strategy(surge: Value, unavailable: Value) -> Value {
    json!({"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}})
}

fn recreate() -> Value {
    json!({"strategy": {"type": "Recreate"}})
}

fn sizes(cluster: &Cluster) -> Vec<i32> {
    cluster.sets().iter().map(|set| set.spec.replicas).collect()
}

fn refuse(cluster: &mut Cluster, which: fn(&Request) -> bool) {
    let error = ApiError::new(Reason::Forbidden, "no");
    cluster.refuse = Some(Arc::new(move |request: &Request| which(request).then(|| error.clone())));
}

#[test]
fn a_new_deployment_creates_its_replica_set_at_full_size() {
    let mut cluster = Cluster::new();
    cluster.deploy(3, json!({"minReadySeconds": 0}));
    let set = Arc::clone(cluster.sets()[0]);
    assert_eq!(set.spec.replicas, 3);
    let hash = set.meta.labels.get(POD_TEMPLATE_HASH).unwrap();
    assert_eq!(&*set.meta.name, format!("web-{hash}"));
    assert_eq!(set.spec.template.labels.get(POD_TEMPLATE_HASH), Some(hash));
    assert_eq!(set.spec.selector.wire.match_labels.get(POD_TEMPLATE_HASH), Some(hash));
    assert_eq!(
        (set.meta.annotations.get(REVISION), set.meta.annotations.get(DESIRED_REPLICAS)),
        (Some("1"), Some("3"))
    );
    assert_eq!(cluster.deployment().meta.annotations.get(REVISION), Some("1"));
    assert_eq!(
        cluster.events[0],
        format!("Normal ScalingReplicaSet Scaled up replica set {} from 0 to 3", set.meta.name)
    );
    assert_eq!(cluster.condition("Available"), "False/MinimumReplicasUnavailable");
    assert_eq!(cluster.condition("Progressing"), "True/ReplicaSetUpdated");
    assert_eq!(cluster.deployment().status.unavailable_replicas, 3);
    cluster.finish();
    assert_eq!(cluster.condition("Available"), "True/MinimumReplicasAvailable");
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
    let status = &cluster.deployment().status;
    assert_eq!((status.replicas, status.updated_replicas, status.available_replicas), (3, 3, 3));
    assert_eq!((status.unavailable_replicas, status.terminating_replicas), (0, Some(0)));
    let progressing = status.conditions.find("Progressing").unwrap();
    assert_eq!(progressing.message, format!("ReplicaSet \"{}\" has successfully progressed.", set.meta.name).as_str());
}

#[test]
fn at_rest_nothing_is_written() {
    let mut cluster = Cluster::with_deployment(3, json!({}));
    let key = cluster.deployment().key();
    let cx = Context { view: &cluster.view, now: cluster.now, expectations_met: true };
    let step = DeploymentController::new().reconcile(cx, &key);
    assert!(step.requests.is_empty() && matches!(step.then, Then::Done { requeue_after: None }));
    let writes = cluster.writes;
    cluster.finish();
    assert_eq!(cluster.writes, writes);
}

/// Sizes `old/new` of each step of a rollout in which new pods become available before the next step.
fn rollout(replicas: i32, surge: Value, unavailable: Value) -> String {
    let mut cluster = Cluster::with_deployment(replicas, strategy(surge, unavailable));
    cluster.set_image("web:v2");
    cluster.finish();
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
    let steps = cluster.steps.iter().filter(|sizes| sizes.len() == 2);
    let texts: Vec<String> = steps.map(|sizes| format!("{}/{}", sizes[0], sizes[1])).collect();
    texts.join(" ")
}

#[test]
fn a_rolling_update_takes_upstreams_steps() {
    let quarter = || json!("25%");
    assert_eq!(rollout(10, quarter(), quarter()), "10/3 8/3 8/5 3/5 3/10 0/10");
    assert_eq!(rollout(4, quarter(), quarter()), "4/1 3/1 3/2 1/2 1/4 0/4");
    assert_eq!(rollout(3, quarter(), quarter()), "3/1 2/1 2/2 1/2 1/3 0/3");
    assert_eq!(rollout(1, quarter(), quarter()), "1/1 0/1");
    assert_eq!(rollout(10, json!(0), json!(2)), "10/0 8/0 8/2 6/2 6/4 4/4 4/6 2/6 2/8 0/8 0/10");
    assert_eq!(rollout(5, json!(2), json!(1)), "5/2 4/2 4/3 1/3 1/5 0/5");
    assert_eq!(rollout(2, json!("0%"), json!("1%")), "2/0 1/0 1/1 0/1 0/2");
}

#[test]
fn a_rollout_with_pods_that_never_get_ready_stops_at_its_bounds() {
    let mut cluster = Cluster::with_deployment(10, json!({}));
    cluster.set_image("web:broken");
    for pod in cluster.pods().iter().filter(|pod| pod.meta.is_deleting()) {
        cluster.remove_pod(pod);
    }
    cluster.settle();
    assert_eq!(sizes(&cluster), [8, 5]);
    assert_eq!(cluster.condition("Available"), "True/MinimumReplicasAvailable");
}

#[test]
fn a_rollover_takes_from_all_old_replica_sets() {
    let mut cluster = Cluster::with_deployment(10, json!({}));
    cluster.set_image("web:v2");
    assert_eq!(sizes(&cluster), [8, 5]);
    cluster.set_image("web:v3");
    // The pods of v2 that are not available go at once and make room.
    assert_eq!(sizes(&cluster), [8, 0, 5]);
    cluster.finish();
    assert_eq!(sizes(&cluster), [0, 0, 10]);
    assert_eq!(cluster.deployment().meta.annotations.get(REVISION), Some("3"));
}

#[test]
fn going_back_to_an_earlier_template_reuses_its_replica_set() {
    let mut cluster = Cluster::with_deployment(4, json!({}));
    cluster.set_image("web:v2");
    cluster.finish();
    cluster.set_image("web:v1");
    cluster.finish();
    assert_eq!(sizes(&cluster), [4, 0]);
    let annotations = cluster.sets()[0].meta.annotations.clone();
    assert_eq!((annotations.get(REVISION), annotations.get(REVISION_HISTORY)), (Some("3"), Some("1")));
    assert_eq!(cluster.deployment().meta.annotations.get(REVISION), Some("3"));
}

#[test]
fn recreate_waits_for_the_end_of_all_old_pods() {
    let mut cluster = Cluster::with_deployment(3, recreate());
    cluster.set_image("web:v2");
    assert_eq!(sizes(&cluster), [0]);
    let pods = cluster.pods();
    assert!(pods.len() == 3 && pods.iter().all(|pod| pod.meta.is_deleting()));
    cluster.remove_pod(&pods[0]);
    cluster.remove_pod(&pods[1]);
    cluster.settle();
    assert_eq!(sizes(&cluster), [0]);
    cluster.remove_pod(&pods[2]);
    cluster.settle();
    assert_eq!(sizes(&cluster), [0, 3]);
    cluster.finish();
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
}

#[test]
fn recreate_scales_without_a_rollout() {
    let mut cluster = Cluster::with_deployment(3, recreate());
    cluster.edit_deployment(|deployment| deployment.spec.replicas = 5);
    cluster.finish();
    assert_eq!(sizes(&cluster), [5]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_is_shared_out() {
    let mut cluster = Cluster::with_deployment(10, strategy(json!(3), json!(2)));
    cluster.set_image("web:broken");
    assert_eq!(sizes(&cluster), [8, 5]);
    cluster.steps.clear();
    cluster.edit_deployment(|deployment| deployment.spec.replicas = 30);
    // Shares of the 33 pods that may be: 8 * 33 / 13 and 5 * 33 / 13.
    assert_eq!(cluster.steps.first(), Some(&vec![20, 5]));
    assert_eq!(cluster.steps.get(1), Some(&vec![20, 13]));
    let noted: Vec<_> = cluster.sets().iter().map(|set| set.meta.annotations.get(DESIRED_REPLICAS)).collect();
    assert_eq!(noted, [Some("30"), Some("30")]);
}

#[test]
fn scaling_to_zero_and_back_needs_no_rollout() {
    let mut cluster = Cluster::with_deployment(3, json!({}));
    cluster.edit_deployment(|deployment| deployment.spec.replicas = 0);
    cluster.finish();
    assert_eq!(sizes(&cluster), [0]);
    cluster.edit_deployment(|deployment| deployment.spec.replicas = 4);
    cluster.finish();
    assert_eq!(sizes(&cluster), [4]);
    assert_eq!(cluster.deployment().status.available_replicas, 4);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut cluster = Cluster::with_deployment(4, json!({}));
    cluster.edit_deployment(|deployment| deployment.spec.paused = true);
    assert_eq!(cluster.condition("Progressing"), "Unknown/DeploymentPaused");
    cluster.set_image("web:v2");
    cluster.edit_deployment(|deployment| deployment.spec.replicas = 6);
    cluster.finish();
    assert_eq!(sizes(&cluster), [6]);
    cluster.edit_deployment(|deployment| deployment.spec.paused = false);
    assert!(sizes(&cluster).len() == 2);
    cluster.finish();
    assert_eq!(sizes(&cluster), [0, 6]);
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
}

#[test]
fn resuming_restarts_the_clock_of_the_deadline() {
    let mut cluster = Cluster::with_deployment(2, json!({"progressDeadlineSeconds": 10}));
    cluster.set_image("web:broken");
    cluster.edit_deployment(|deployment| deployment.spec.paused = true);
    cluster.advance(SimDuration::from_secs(100));
    cluster.edit_deployment(|deployment| deployment.spec.paused = false);
    assert_ne!(cluster.condition("Progressing"), "False/ProgressDeadlineExceeded");
    cluster.advance(SimDuration::from_secs(9));
    assert_ne!(cluster.condition("Progressing"), "False/ProgressDeadlineExceeded");
    cluster.advance(SimDuration::from_secs(3));
    assert_eq!(cluster.condition("Progressing"), "False/ProgressDeadlineExceeded");
}

#[test]
fn the_deadline_is_noticed_on_time_and_stops_nothing() {
    let mut cluster = Cluster::with_deployment(2, json!({"progressDeadlineSeconds": 10}));
    cluster.set_image("web:broken");
    cluster.advance(SimDuration::from_secs(10));
    assert_eq!(cluster.condition("Progressing"), "True/ReplicaSetUpdated");
    cluster.advance(SimDuration::from_millis(1_100));
    assert_eq!(cluster.condition("Progressing"), "False/ProgressDeadlineExceeded");
    let name = Arc::clone(&cluster.sets()[1].meta.name);
    let message = cluster.deployment().status.conditions.find("Progressing").unwrap().message.clone();
    assert_eq!(&*message, format!("ReplicaSet \"{name}\" has timed out progressing."));
    let error = kubectl::status(cluster.deployment(), 0).unwrap_err();
    assert_eq!(error, "deployment \"web\" exceeded its progress deadline");
    cluster.finish();
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
}

#[test]
fn without_a_deadline_there_is_no_progressing_condition() {
    let cluster = Cluster::with_deployment(2, json!({"progressDeadlineSeconds": i32::MAX}));
    assert_eq!(cluster.condition("Progressing"), "");
}

#[test]
fn min_ready_seconds_slow_a_rollout_down() {
    let mut cluster = Cluster::with_deployment(2, json!({}));
    cluster.edit_deployment(|deployment| deployment.spec.min_ready_seconds = 20);
    assert_eq!(cluster.sets()[0].spec.min_ready_seconds, 20);
    cluster.advance(SimDuration::from_secs(30));
    cluster.set_image("web:v2");
    cluster.finish();
    assert_eq!(sizes(&cluster), [2, 1]);
    cluster.advance(SimDuration::from_secs(20));
    assert_eq!(sizes(&cluster), [1, 2]);
}

#[test]
fn the_history_keeps_the_newest_revisions() {
    let mut cluster = Cluster::with_deployment(1, json!({"revisionHistoryLimit": 2}));
    for image in ["web:v2", "web:v3", "web:v4", "web:v5"] {
        cluster.set_image(image);
        cluster.finish();
    }
    let revisions: Vec<_> = cluster.sets().iter().map(|set| set.meta.annotations.get(REVISION).unwrap()).collect();
    assert_eq!(revisions, ["3", "4", "5"]);
}

#[test]
fn annotations_are_copied_to_the_new_replica_set_only() {
    let mut cluster = Cluster::with_deployment(2, json!({}));
    cluster.set_image("web:v2");
    cluster.finish();
    cluster.edit_deployment(|deployment| {
        deployment.meta.annotations = deployment.meta.annotations.with("team", "a");
    });
    let copied: Vec<_> = cluster.sets().iter().map(|set| set.meta.annotations.get("team")).collect();
    assert_eq!(copied, [None, Some("a")]);
}

#[test]
fn a_rollback_by_annotation_restores_template_and_annotations() {
    let mut cluster = Cluster::with_deployment(2, json!({}));
    cluster.set_image("web:v2");
    cluster.finish();
    cluster.edit_deployment(|deployment| {
        deployment.meta.annotations = deployment.meta.annotations.with(ROLLBACK_TO, "0");
    });
    cluster.advance(SimDuration::from_secs(1));
    cluster.finish();
    assert!(
        cluster.events.contains(&"Normal DeploymentRollback Rolled back deployment \"web\" to revision 1".to_owned())
    );
    assert_eq!(sizes(&cluster), [2, 0]);
    assert_eq!(cluster.deployment().meta.annotations.get(ROLLBACK_TO), None);
    assert!(cluster.deployment().spec.template.equal_ignoring_hash(&template("web:v1")));
}

#[test]
fn a_rollback_to_nowhere_says_so_and_is_forgotten() {
    for (revision, event) in [
        ("7", "Warning DeploymentRollbackRevisionNotFound Unable to find the revision to rollback to."),
        ("0", "Warning DeploymentRollbackRevisionNotFound Unable to find last revision."),
        (
            "1",
            "Warning DeploymentRollbackTemplateUnchanged The rollback revision contains the same template as current \
             deployment \"web\"",
        ),
    ] {
        let mut cluster = Cluster::with_deployment(2, json!({}));
        cluster.edit_deployment(|deployment| {
            deployment.meta.annotations = deployment.meta.annotations.with(ROLLBACK_TO, revision);
        });
        assert_eq!(cluster.events, [event]);
        assert_eq!(cluster.deployment().meta.annotations.get(ROLLBACK_TO), None);
    }
}

#[test]
fn a_taken_name_raises_the_collision_count_and_another_is_tried() {
    let mut cluster = Cluster::new();
    let hash = crate::controllers::template_hash::template_hash(&template("web:v1"), None);
    cluster.create_replica_set(0, json!({}));
    let taken = ReplicaSet::clone(cluster.sets()[0]);
    let meta = crate::objects::ObjectMeta {
        name: format!("web-{hash}").into(),
        labels: [("app", "other")].into_iter().collect(),
        ..taken.meta.clone()
    };
    cluster.submit(Request::Create(ReplicaSet { meta, ..taken }.into())).unwrap();
    let old = cluster.sets()[0].key();
    let _ = cluster.submit(Request::Delete {
        kind: Kind::ReplicaSet,
        key: old,
        options: crate::api::DeleteOptions::default(),
    });
    cluster.deploy(1, json!({}));
    assert_eq!(cluster.deployment().status.collision_count, Some(1));
    assert_eq!(cluster.sets().len(), 2);
    let expected = crate::controllers::template_hash::template_hash(&template("web:v1"), Some(1));
    assert_eq!(cluster.sets()[1].meta.labels.get(POD_TEMPLATE_HASH), Some(&*expected));
}

#[test]
fn a_refused_replica_set_shows_as_condition_and_event_and_is_tried_again() {
    let mut cluster = Cluster::new();
    refuse(&mut cluster, |request| matches!(request, Request::Create(Object::ReplicaSet(_))));
    cluster.deploy(1, json!({}));
    assert_eq!(cluster.condition("Progressing"), "False/ReplicaSetCreateError");
    assert!(cluster.events[0].starts_with("Warning ReplicaSetCreateError Failed to create new replica set \"web-"));
    assert!(cluster.events[0].ends_with("\": no"), "{}", cluster.events[0]);
    cluster.refuse = None;
    cluster.advance(SimDuration::from_millis(10));
    cluster.finish();
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
}

#[test]
fn a_failure_of_pods_shows_on_the_deployment() {
    let mut cluster = Cluster::new();
    refuse(&mut cluster, |request| matches!(request, Request::Create(Object::Pod(_))));
    cluster.deploy(1, json!({}));
    assert_eq!(cluster.condition("ReplicaFailure"), "True/FailedCreate");
    cluster.refuse = None;
    cluster.advance(SimDuration::from_millis(10));
    assert_eq!(cluster.condition("ReplicaFailure"), "");
}

#[test]
fn a_failure_to_shrink_old_replica_sets_is_passed_over() {
    let mut cluster = Cluster::with_deployment(4, strategy(json!(0), json!(1)));
    refuse(&mut cluster, |request| matches!(request, Request::Update(Object::ReplicaSet(_), Part::Main)));
    cluster.set_image("web:v2");
    assert_eq!(sizes(&cluster), [4, 0]);
    assert_eq!(cluster.deployment().status.observed_generation, cluster.deployment().meta.generation);
    cluster.refuse = None;
    let pod = cluster.pods()[0].clone();
    let _ = cluster.submit(delete_pod(&pod));
    cluster.finish();
    assert_eq!(sizes(&cluster), [0, 4]);
}

#[test]
fn matching_replica_sets_are_adopted_and_others_released() {
    let mut cluster = Cluster::new();
    cluster.create_replica_set(2, json!({}));
    cluster.settle();
    cluster.deploy(2, json!({}));
    cluster.finish();
    let set = Arc::clone(cluster.sets()[0]);
    assert_eq!(cluster.sets().len(), 1, "a ReplicaSet with the same template is the new one");
    assert_eq!(set.meta.controller().map(|owner| owner.uid.clone()), Some(cluster.deployment().meta.uid.clone()));
    assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
    cluster.edit::<ReplicaSet>("web", |set| set.meta.labels = [("app", "other")].into_iter().collect());
    cluster.finish();
    assert!(cluster.sets()[0].meta.controller().is_none());
    assert_eq!(cluster.sets().len(), 2);
}

#[test]
fn an_empty_selector_is_refused() {
    let mut cluster = Cluster::new();
    let mut deployment = Deployment::clone(Cluster::with_deployment(1, json!({})).deployment());
    let everything = crate::objects::ObjectSelector::new(crate::objects::LabelSelector::default()).unwrap();
    deployment.spec.selector = Arc::new(everything);
    deployment.status = crate::objects::DeploymentStatus::default();
    cluster.submit(Request::Create(deployment.into())).unwrap();
    cluster.settle();
    assert!(cluster.events[0].starts_with("Warning SelectingAll This deployment is selecting all pods."));
    assert_eq!((cluster.sets().len(), cluster.deployment().status.observed_generation), (0, 1));
}

#[test]
fn a_deployment_being_deleted_only_reports() {
    let mut cluster = Cluster::with_deployment(2, json!({}));
    cluster.edit_deployment(|deployment| {
        deployment.meta.deletion_timestamp = Some(Timestamp::from_unix_secs(1));
        deployment.spec.replicas = 5;
    });
    assert_eq!(sizes(&cluster), [2]);
    assert_eq!(cluster.deployment().status.observed_generation, cluster.deployment().meta.generation);
}

#[test]
fn it_gives_up_after_15_failures_in_a_row() {
    assert_eq!(DeploymentController::new().rate_limit().give_up_after, Some(15));
}

#[test]
fn kubectl_tells_where_a_rollout_is() {
    let mut cluster = Cluster::with_deployment(4, json!({}));
    let status = |cluster: &Cluster| kubectl::status(cluster.deployment(), 0).unwrap();
    assert_eq!(status(&cluster), ("deployment \"web\" successfully rolled out".to_owned(), true));
    cluster.set_image("web:v2");
    let waiting = |what: &str| (format!("Waiting for deployment \"web\" rollout to finish: {what}"), false);
    assert_eq!(status(&cluster), waiting("2 out of 4 new replicas have been updated..."));
    let wrong = kubectl::status(cluster.deployment(), 7).unwrap_err();
    assert_eq!(wrong, "desired revision (7) is different from the running revision (2)");
}

#[test]
fn kubectl_undoes_to_a_revision() {
    let mut cluster = Cluster::with_deployment(1, json!({}));
    let none = kubectl::undo(&cluster.view, cluster.deployment(), 0).unwrap_err();
    assert_eq!(none, "no rollout history found for deployment \"web\"");
    cluster.set_image("web:v2");
    cluster.finish();
    let undo = |to| kubectl::undo(&cluster.view, cluster.deployment(), to);
    assert_eq!(undo(9).unwrap_err(), "unable to find specified revision 9 in history");
    let same = undo(2).unwrap();
    assert_eq!(same.result, "skipped rollback (current template already matches revision 2)");
    assert!(same.request.is_none());
    for to in [0, 1] {
        let back = undo(to).unwrap();
        assert_eq!(back.result, "rolled back");
        let Some(Request::Patch { patch_type: PatchType::Json, document, .. }) = back.request else { panic!() };
        assert_eq!(document[0]["value"], template("web:v1").to_wire());
        assert_eq!(document[1]["value"][REVISION], json!("2"));
    }
    assert_eq!(
        kubectl::history(&cluster.view, cluster.deployment()),
        "REVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n"
    );
}

#[test]
fn kubectl_pauses_resumes_and_restarts() {
    let mut cluster = Cluster::with_deployment(1, json!({}));
    let now = cluster.now;
    assert_eq!(kubectl::resume(cluster.deployment()).unwrap_err(), "deployments.apps \"web\" is not paused");
    assert_eq!(kubectl::pause(cluster.deployment()).unwrap().result, "paused");
    let Some(Request::Patch { document, .. }) = kubectl::restart(cluster.deployment(), now).unwrap().request else {
        panic!()
    };
    let annotations = &document["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations[kubectl::RESTARTED_AT], json!("2026-01-01T00:00:00Z"));
    cluster.edit_deployment(|deployment| deployment.spec.paused = true);
    assert_eq!(kubectl::resume(cluster.deployment()).unwrap().result, "resumed");
    assert_eq!(kubectl::pause(cluster.deployment()).unwrap_err(), "deployments.apps \"web\" is already paused");
    let refused = kubectl::restart(cluster.deployment(), now).unwrap_err();
    assert_eq!(refused, "deployments.apps \"web\" can't restart paused deployment (run rollout resume first)");
}

/// A Deployment in the middle of something, with statuses that a ReplicaSet controller could have written.
fn any_rollout() -> impl Strategy<Value = (Deployment, ReplicaSets)> {
    let bound = || {
        prop_oneof![
            (0..6i32).prop_map(IntOrPercent::Int),
            (0..=100u32).prop_map(|n| IntOrPercent::percent(&format!("{n}%")))
        ]
    };
    let set = (0..30i32, 0..30i32);
    (0..25i32, bound(), bound(), prop::collection::vec(set, 1..5)).prop_map(|(replicas, surge, unavailable, sets)| {
        let mut deployment = Deployment::default();
        deployment.spec.replicas = replicas;
        deployment.spec.strategy =
            DeploymentStrategy::RollingUpdate { max_surge: Some(surge), max_unavailable: Some(unavailable) };
        let make = |(at, (size, available)): (usize, (i32, i32))| {
            let mut set = ReplicaSet::default();
            set.meta.name = format!("web-{at}").into();
            set.spec.replicas = size;
            set.status = ReplicaSetStatus { available_replicas: available.min(size), ..ReplicaSetStatus::default() };
            Arc::new(set)
        };
        let sets = sets.into_iter().enumerate().map(make).collect();
        (deployment, ReplicaSets::with_new(sets, Some("web-0")))
    })
}

proptest! {
    #[test]
    fn growing_never_goes_above_max_surge((deployment, sets) in any_rollout()) {
        let Ok(Some(resize)) = rolling::grow_new(&deployment, &sets) else { return Ok(()) };
        let before = sets.all()[resize.at].spec.replicas;
        let total = sets.desired() - before + resize.to;
        prop_assert!(resize.to <= deployment.spec.replicas.max(before));
        prop_assert!(resize.to < before || total <= max_replicas(&deployment.spec));
    }

    #[test]
    fn shrinking_never_goes_below_max_unavailable((deployment, sets) in any_rollout()) {
        let available = |sizes: &[i32]| -> i32 {
            sets.all().iter().zip(sizes).map(|(set, size)| set.status.available_replicas.min(*size)).sum()
        };
        let mut sizes: Vec<i32> = sets.all().iter().map(|set| set.spec.replicas).collect();
        let before = available(&sizes);
        for resize in rolling::shrink_old(&deployment, &sets).resizes {
            prop_assert!(resize.to >= 0 && resize.to < sizes[resize.at]);
            sizes[resize.at] = resize.to;
        }
        let least = deployment.spec.replicas - Fenceposts::of(&deployment.spec).unavailable;
        prop_assert!(available(&sizes) >= least.min(before));
    }

    #[test]
    fn sharing_out_hits_the_allowed_size((mut deployment, sets) in any_rollout()) {
        deployment.status.replicas = sets.desired();
        let plan = scaling::plan(&deployment, &sets);
        prop_assert!(plan.iter().all(|resize| resize.to >= 0));
        if plan.len() > 1 && deployment.spec.replicas > 0 && plan.iter().any(|resize| resize.to > 0) {
            let total: i32 = plan.iter().map(|resize| resize.to).sum();
            prop_assert_eq!(total, max_replicas(&deployment.spec));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Roll(u8),
    Scale(u8),
    Ready(usize),
    End(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0..4u8).prop_map(Act::Roll),
        1 => (0..12u8).prop_map(Act::Scale),
        6 => any::<usize>().prop_map(Act::Ready),
        3 => any::<usize>().prop_map(Act::End),
    ]
}

fn perform(cluster: &mut Cluster, act: Act) {
    match act {
        Act::Roll(version) => cluster.set_image(&format!("web:v{version}")),
        Act::Scale(to) => cluster.edit_deployment(|deployment| deployment.spec.replicas = i32::from(to)),
        Act::Ready(which) => {
            let waiting: Vec<_> = cluster.pods().into_iter().filter(|pod| pod.is_active() && !pod.is_ready()).collect();
            if !waiting.is_empty() {
                cluster.make_ready(&waiting[which % waiting.len()]);
            }
        }
        Act::End(which) => {
            let ending: Vec<_> = cluster.pods().into_iter().filter(|pod| pod.meta.is_deleting()).collect();
            if !ending.is_empty() {
                cluster.remove_pod(&ending[which % ending.len()]);
            }
        }
    }
    cluster.settle();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_a_deployment_ends_up_as_asked(
        replicas in 1..8i32, surge in 0..4i32, unavailable in 0..4i32, acts in prop::collection::vec(any_act(), 0..30),
    ) {
        let mut cluster = Cluster::with_deployment(replicas, strategy(json!(surge), json!(unavailable)));
        for act in acts {
            perform(&mut cluster, act);
        }
        cluster.finish();
        let deployment = cluster.deployment();
        let wanted = deployment.spec.replicas;
        prop_assert_eq!(cluster.sets().iter().map(|set| set.spec.replicas).sum::<i32>(), wanted);
        prop_assert_eq!(deployment.status.updated_replicas, wanted);
        prop_assert_eq!(deployment.status.available_replicas, wanted);
        prop_assert_eq!(cluster.condition("Progressing"), "True/NewReplicaSetAvailable");
    }

    #[test]
    fn a_rollout_keeps_its_bounds_at_every_step(
        replicas in 1..12i32, surge in 0..5i32, unavailable in 0..5i32, acts in prop::collection::vec(any_act(), 0..60),
    ) {
        let mut cluster = Cluster::with_deployment(replicas, strategy(json!(surge), json!(unavailable)));
        cluster.set_image("web:next");
        let spec = cluster.deployment().spec.clone();
        let least = spec.replicas - Fenceposts::of(&spec).unavailable;
        for act in acts.into_iter().filter(|act| !matches!(act, Act::Scale(_))) {
            perform(&mut cluster, act);
            let available = cluster.pods().iter().filter(|pod| pod.is_active() && pod.is_ready()).count();
            prop_assert!(available as i32 >= least, "{available} available, at least {least} wanted");
            prop_assert!(sizes(&cluster).iter().sum::<i32>() <= max_replicas(&spec), "{:?}", sizes(&cluster));
        }
    }
}
