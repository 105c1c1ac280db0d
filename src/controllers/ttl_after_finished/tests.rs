use serde_json::{Value, json};

use super::TtlAfterFinishedController;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Job, Key, Timestamp};

type Cluster = TestCluster<TtlAfterFinishedController>;

/// A cluster with a Job that finished ten seconds ago, or has not.
fn cluster(ttl: Value, finished: bool) -> Cluster {
    let mut cluster = Cluster::default();
    let at: Timestamp = cluster.now.timestamp().plus_secs(-10);
    let conditions =
        if finished { json!([{"type": "Failed", "status": "True", "lastTransitionTime": at}]) } else { json!([]) };
    cluster.apply(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"},
        "spec": {"ttlSecondsAfterFinished": ttl}, "status": {"conditions": conditions}}));
    cluster.run();
    cluster
}

fn is_deleted(cluster: &Cluster) -> bool {
    cluster.store.jobs.get(&Key::new("default", "j")).is_none_or(|job| job.meta.is_deleting())
}

#[test]
fn a_job_is_deleted_so_long_after_its_end_and_its_pods_first() {
    let mut cluster = cluster(json!(15), true);
    cluster.run_for(4);
    assert!(!is_deleted(&cluster));
    cluster.run_for(1);
    assert!(is_deleted(&cluster));
    assert_eq!(cluster.writes, ["delete Job/default/j Some(Foreground)"]);
}

#[test]
fn without_a_wait_it_goes_at_once_and_without_an_end_or_a_time_never() {
    assert!(is_deleted(&cluster(json!(0), true)));
    for (ttl, finished) in [(json!(0), false), (Value::Null, true)] {
        let mut cluster = cluster(ttl, finished);
        cluster.run_for(1_000_000);
        assert!(!is_deleted(&cluster) && cluster.writes.is_empty());
    }
}

#[test]
fn another_time_is_looked_at_anew() {
    let mut cluster = cluster(json!(100), true);
    let mut job = Job::clone(cluster.store.jobs.get(&Key::new("default", "j")).expect("there"));
    job.spec.ttl_seconds_after_finished = Some(12);
    cluster.update(&job.into()).expect("accepted");
    cluster.run_for(2);
    assert!(is_deleted(&cluster));
}
