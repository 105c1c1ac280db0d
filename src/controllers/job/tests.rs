use std::sync::Arc;

use serde_json::{Value, json};

use super::{JobController, JobOrphanPods};
use crate::api::{DeleteOptions, MetaPatch, Reconciler};
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{
    COMPLETION_INDEX, Conditions, ContainerState, ContainerStatus, JOB_TRACKING_FINALIZER, Job, Key, Kind, Object, Pod,
    PodPhase, Resource, Terminated, Uid,
};

type Cluster = TestCluster<JobController>;

/// A Job that selects its pods by a label of its template.
fn job(spec: Value) -> Value {
    let mut wire = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"},
        "spec": {
            "manualSelector": true,
            "selector": {"matchLabels": {"job": "j"}},
            "template": {
                "metadata": {"labels": {"job": "j"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "task"}]},
            },
        },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        wire["spec"][field] = value.clone();
    }
    wire
}

fn cluster(spec: Value) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(job(spec));
    cluster.run();
    cluster
}

fn key() -> Key {
    Key::new("default", "j")
}

fn stored<R: Reconciler>(cluster: &TestCluster<R>) -> Arc<Job> {
    Arc::clone(cluster.store.jobs.get(&key()).expect("the Job is there"))
}

fn pods<R: Reconciler>(cluster: &TestCluster<R>) -> Vec<Arc<Pod>> {
    cluster.store.pods.iter().cloned().collect()
}

fn active(cluster: &Cluster) -> Vec<Arc<Pod>> {
    pods(cluster).into_iter().filter(|pod| pod.is_active()).collect()
}

fn is_held(pod: &Pod) -> bool {
    pod.meta.has_finalizer(JOB_TRACKING_FINALIZER)
}

/// Ends a pod now.
fn end(cluster: &mut Cluster, pod: &Pod, exit_code: i32) {
    let at = cluster.now.timestamp();
    cluster.change_pod(&pod.key(), |pod| {
        pod.node_name = "n1".into();
        pod.status.phase = if exit_code == 0 { PodPhase::Succeeded } else { PodPhase::Failed };
        let end = Terminated { exit_code, finished_at: Some(at), ..Terminated::default() };
        let state = ContainerState::Terminated(Box::new(end));
        pod.status.container_statuses = vec![ContainerStatus { name: "c".into(), state, ..Default::default() }].into();
    });
}

fn change(cluster: &mut Cluster, change: impl FnOnce(&mut Job)) {
    let mut job = Job::clone(&stored(cluster));
    change(&mut job);
    cluster.update(&job.into()).expect("it is valid");
    cluster.run();
}

fn condition(cluster: &Cluster, kind: &str) -> String {
    let job = stored(cluster);
    job.status.conditions.holding(kind).map(|condition| condition.reason.to_string()).unwrap_or_default()
}

fn events(cluster: &Cluster) -> Vec<String> {
    let own = cluster.events.iter().filter(|event| !event.reason.starts_with("Successful"));
    own.map(|event| format!("{} {}", event.reason, event.message)).collect()
}

#[test]
fn pods_are_held_by_a_finalizer_until_they_are_counted() {
    let mut cluster = cluster(json!({"completions": 3, "parallelism": 2}));
    assert_eq!(pods(&cluster).len(), 2);
    assert!(pods(&cluster).iter().all(|pod| is_held(pod) && pod.meta.controller().is_some()));
    let first = pods(&cluster)[0].clone();
    end(&mut cluster, &first, 0);
    assert_eq!(cluster.run(), 0, "pods are looked at after a second only");
    cluster.run_for(1);
    assert!(!is_held(cluster.store.pods.get(&first.key()).expect("it stays")));
    assert_eq!((stored(&cluster).status.succeeded, active(&cluster).len()), (1, 2));
    for pod in active(&cluster) {
        end(&mut cluster, &pod, 0);
    }
    cluster.run_for(2);
    assert_eq!(condition(&cluster, "Complete"), "CompletionsReached");
    assert_eq!(events(&cluster), ["Completed Job completed"]);
    assert_eq!(stored(&cluster).status.completion_time, Some(cluster.now.timestamp().plus_secs(-1)));
}

#[test]
fn a_pod_that_cannot_be_released_is_not_counted_and_not_counted_twice() {
    let mut cluster = cluster(json!({"completions": 2, "parallelism": 2}));
    let [first, second] = <[Arc<Pod>; 2]>::try_from(pods(&cluster)).expect("two pods");
    end(&mut cluster, &first, 0);
    end(&mut cluster, &second, 0);
    let refused: &'static str = format!("patch Pod/{} -[]", second.key()).leak();
    cluster.refuse = Some(refused);
    cluster.run_for(1);
    let status = stored(&cluster).status.clone();
    let uncounted = status.uncounted_terminated_pods.expect("a list").succeeded.to_vec();
    assert_eq!((status.succeeded, uncounted), (1, vec![second.meta.uid.clone()]));
    assert!(cluster.failures.iter().any(|why| why.starts_with("tracking status: refused")));
    assert!(condition(&cluster, "Complete").is_empty());
    cluster.refuse = None;
    cluster.run_for(10);
    assert_eq!((stored(&cluster).status.succeeded, condition(&cluster, "Complete").is_empty()), (2, false));
}

#[test]
fn a_sync_that_does_not_see_its_own_writes_is_repeated() {
    let mut cluster = cluster(json!({"completions": 4, "parallelism": 2}));
    cluster.frozen = true;
    let first = pods(&cluster)[0].clone();
    end(&mut cluster, &first, 0);
    cluster.sync_now(&key());
    assert_eq!(cluster.failures.len(), 1);
    cluster.frozen = false;
    cluster.catch_up();
    cluster.run_for(3);
    assert_eq!((stored(&cluster).status.succeeded, pods(&cluster).len()), (1, 3));
}

#[test]
fn creations_start_slowly_and_stop_at_the_first_failure() {
    let mut cluster = Cluster::default();
    cluster.refuse = Some("create Pod");
    cluster.apply(job(json!({"completions": 20, "parallelism": 20})));
    cluster.run();
    assert_eq!(cluster.events.iter().filter(|event| event.reason == *"FailedCreate").count(), 1);
    assert_eq!(stored(&cluster).status.active, 0);
    cluster.refuse = None;
    cluster.run_for(1);
    assert_eq!((stored(&cluster).status.active, pods(&cluster).len()), (20, 20));
}

#[test]
fn failures_are_waited_out_and_the_limit_ends_the_job() {
    let mut cluster = cluster(json!({"backoffLimit": 1}));
    let first = pods(&cluster)[0].clone();
    end(&mut cluster, &first, 1);
    cluster.run_for(9);
    assert_eq!((pods(&cluster).len(), stored(&cluster).status.failed), (1, 1));
    cluster.run_for(2);
    let second = active(&cluster)[0].clone();
    end(&mut cluster, &second, 1);
    cluster.run_for(2);
    assert_eq!(condition(&cluster, "Failed"), "BackoffLimitExceeded");
    assert_eq!(events(&cluster), ["BackoffLimitExceeded Job has reached the specified backoff limit"]);
}

#[test]
fn a_job_fails_only_when_its_pods_are_gone() {
    let mut cluster = cluster(json!({"completions": 2, "parallelism": 2, "activeDeadlineSeconds": 5}));
    for pod in pods(&cluster) {
        cluster.change_pod(&pod.key(), |pod| pod.node_name = "n1".into());
    }
    cluster.run_for(5);
    assert_eq!(
        (condition(&cluster, "FailureTarget").as_str(), condition(&cluster, "Failed").as_str()),
        ("DeadlineExceeded", "")
    );
    let status = stored(&cluster).status.clone();
    assert_eq!((status.active, status.terminating, status.failed), (0, Some(2), 2));
    for pod in pods(&cluster) {
        cluster.finish(&pod.key());
    }
    cluster.run_for(1);
    assert_eq!(condition(&cluster, "Failed"), "DeadlineExceeded");
}

#[test]
fn a_suspended_job_lets_its_pods_go_uncounted_and_starts_anew() {
    let mut cluster = cluster(json!({"completions": 2, "parallelism": 2}));
    change(&mut cluster, |job| job.spec.suspend = true);
    let status = stored(&cluster).status.clone();
    assert_eq!((pods(&cluster).len(), status.failed, status.start_time), (0, 0, None));
    assert_eq!(condition(&cluster, "Suspended"), "JobSuspended");
    cluster.run_for(10);
    change(&mut cluster, |job| job.spec.suspend = false);
    assert_eq!(active(&cluster).len(), 2);
    assert_eq!(stored(&cluster).status.start_time, Some(cluster.now.timestamp()));
    assert_eq!(events(&cluster), ["Suspended Job suspended", "Resumed Job resumed"]);
}

#[test]
fn pods_above_a_lowered_parallelism_go_uncounted() {
    let mut cluster = cluster(json!({"completions": 9, "parallelism": 5}));
    change(&mut cluster, |job| job.spec.parallelism = 2);
    assert_eq!((active(&cluster).len(), stored(&cluster).status.failed), (2, 0));
}

#[test]
fn pods_of_an_indexed_job_know_their_index() {
    let cluster = cluster(json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"}));
    let second = pods(&cluster)[1].clone();
    assert!(second.meta.name.starts_with("j-1-"));
    assert_eq!((second.completion_index(), second.meta.labels.get(COMPLETION_INDEX)), (Some(1), Some("1")));
    let wire = second.to_wire();
    assert_eq!((&**second.hostname(), &wire["spec"]["hostname"]), ("j-1", &json!("j-1")));
    let field = json!({"apiVersion": "v1", "fieldPath": "metadata.labels['batch.kubernetes.io/job-completion-index']"});
    let variable = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": field}});
    assert_eq!(wire["spec"]["containers"][0]["env"], json!([variable]));
    assert!(Arc::ptr_eq(&second.spec, &pods(&cluster)[0].spec), "all indexes share a spec");
}

#[test]
fn a_failed_index_keeps_its_last_pod_until_the_next_and_then_fails_the_job() {
    let spec = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1});
    let mut cluster = cluster(spec);
    let [first, other] = <[Arc<Pod>; 2]>::try_from(pods(&cluster)).expect("two pods");
    end(&mut cluster, &first, 1);
    cluster.run_for(5);
    assert!(is_held(cluster.store.pods.get(&first.key()).expect("it stays")));
    cluster.run_for(7);
    assert!(!is_held(cluster.store.pods.get(&first.key()).expect("it stays")));
    let second = active(&cluster).into_iter().find(|pod| pod.completion_index() == Some(0)).expect("a replacement");
    assert_eq!(second.meta.annotations.get("batch.kubernetes.io/job-index-failure-count"), Some("1"));
    end(&mut cluster, &second, 1);
    end(&mut cluster, &other, 0);
    cluster.run_for(2);
    let status = stored(&cluster).status.clone();
    assert_eq!((&*status.completed_indexes, status.failed_indexes.as_deref()), ("1", Some("0")));
    assert_eq!(condition(&cluster, "Failed"), "FailedIndexes");
}

#[test]
fn with_policy_failed_a_pod_is_replaced_when_it_has_ended() {
    let mut cluster = cluster(json!({"completions": 2, "parallelism": 1, "podReplacementPolicy": "Failed"}));
    let pod = pods(&cluster)[0].clone();
    cluster.change_pod(&pod.key(), |pod| pod.node_name = "n1".into());
    cluster.delete(Kind::Pod, &pod.key(), &DeleteOptions::default()).expect("it is there");
    cluster.run_for(60);
    assert_eq!((active(&cluster).len(), stored(&cluster).status.terminating), (0, Some(1)));
    end(&mut cluster, &pod, 137);
    cluster.run_for(12);
    assert_eq!((active(&cluster).len(), stored(&cluster).status.failed), (1, 1));
}

#[test]
fn orphans_that_match_are_adopted_with_the_finalizer_and_released_without() {
    let mut cluster = Cluster::default();
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "lost", "namespace": "default", "labels": {"job": "j"}}, "spec": {"containers": []}}));
    cluster.apply(job(json!({"completions": 2, "parallelism": 2})));
    cluster.run();
    let lost = Key::new("default", "lost");
    assert_eq!(pods(&cluster).len(), 2);
    assert!(cluster.store.pods.get(&lost).is_some_and(|pod| is_held(pod) && pod.meta.controller().is_some()));
    let other = MetaPatch { labels: vec![("job".into(), Some("other".into()))], ..MetaPatch::default() };
    cluster.patch_meta(Kind::Pod, &lost, &Uid::None, &other).expect("accepted");
    cluster.run_for(1);
    assert!(cluster.store.pods.get(&lost).is_some_and(|pod| !is_held(pod) && pod.meta.controller().is_none()));
    assert_eq!(pods(&cluster).len(), 3);
}

#[test]
fn a_job_of_another_controller_is_left_alone() {
    let cluster = cluster(json!({"managedBy": "example.com/controller"}));
    assert!(pods(&cluster).is_empty() && cluster.writes.is_empty());
}

/// A Job with this spec and status, and a pod of it that is held.
fn held(spec: Value, conditions: Value) -> (TestCluster<JobOrphanPods>, Key) {
    let mut cluster = TestCluster::<JobOrphanPods>::default();
    let mut wire = job(spec);
    wire["status"] = json!({"conditions": conditions});
    let owner: Object = cluster.apply(wire);
    let reference =
        json!({"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": owner.meta().uid, "controller": true});
    let pod = cluster.apply(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "p", "namespace": "default", "finalizers": [JOB_TRACKING_FINALIZER], "ownerReferences": [reference],
    }, "spec": {"nodeName": "n1", "containers": []}}));
    cluster.run();
    (cluster, pod.key())
}

#[test]
fn pods_of_a_deleted_job_are_freed() {
    let (mut cluster, pod) = held(json!({}), json!([]));
    assert!(is_held(cluster.store.pods.get(&pod).expect("there")));
    cluster.delete(Kind::Job, &key(), &DeleteOptions::default()).expect("there");
    cluster.run();
    assert!(!is_held(cluster.store.pods.get(&pod).expect("there")));
}

#[test]
fn a_leaving_pod_is_freed_if_its_job_will_not_count_it() {
    let complete = json!([{"type": "Complete", "status": "True"}]);
    for (spec, conditions, freed) in [
        (json!({}), complete.clone(), true),
        (json!({}), json!([]), false),
        (json!({"managedBy": "example.com/controller"}), complete, false),
    ] {
        let (mut cluster, pod) = held(spec, conditions);
        cluster.delete(Kind::Pod, &pod, &DeleteOptions::default()).expect("there");
        cluster.run();
        assert_eq!(is_held(cluster.store.pods.get(&pod).expect("there")), !freed);
    }
}
