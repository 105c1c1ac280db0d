use serde_json::{Value, json};

use super::CronJobController;
use super::missed::until_next;
use crate::api::DeleteOptions;
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{CRON_JOB_SCHEDULED_ANNOTATION, CronJob, Job, Key, Kind, Object, Resource, Timestamp};

type Cluster = TestCluster<CronJobController>;

fn key() -> Key {
    Key::new("default", "tick")
}

fn manifest(schedule: &str, more: Value) -> Value {
    let mut spec = json!({"schedule": schedule, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
        "jobTemplate": {"metadata": {"labels": {"app": "tick"}},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "task:v1"}]}}}}});
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick", "namespace": "default"}, "spec": spec})
}

/// A CronJob that was made at 2026-01-01T00:00:30Z.
fn cluster(schedule: &str, more: Value) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.now = at("2026-01-01T00:00:30Z").wall();
    cluster.apply(manifest(schedule, more));
    cluster.run();
    cluster
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn tick(cluster: &Cluster) -> &CronJob {
    cluster.store.cron_jobs.get(&key()).expect("it exists")
}

fn active(cluster: &Cluster) -> Vec<String> {
    tick(cluster).status.active.iter().map(|job| job.name.to_string()).collect()
}

fn jobs(cluster: &Cluster) -> Vec<String> {
    cluster.store.jobs.iter().map(|job| job.meta.name.to_string()).collect()
}

fn reasons(cluster: &Cluster) -> Vec<&str> {
    cluster.events.iter().map(|event| &*event.reason).collect()
}

/// Minutes since 1970 at the beginning of 2026.
const NEW_YEAR: i64 = 29_453_760;

fn run(minute: i64) -> String {
    format!("tick-{}", NEW_YEAR + minute)
}

/// The end of a Job.
fn end(cluster: &mut Cluster, name: &str, kind: &'static str) {
    let mut job = Job::clone(cluster.store.jobs.get(&Key::new("default", name)).expect("it exists"));
    job.status.start_time = job.meta.creation_timestamp;
    job.status.completion_time = (kind == Job::COMPLETE).then_some(cluster.now.timestamp());
    job.status.conditions = [Job::condition(kind, true, "".into(), "".into(), cluster.now)].into_iter().collect();
    cluster.update(&job.into()).expect("it exists");
    cluster.run();
}

fn edit(cluster: &mut Cluster, change: impl FnOnce(&mut Value)) {
    let mut wire = tick(cluster).to_wire();
    change(&mut wire["spec"]);
    cluster.update(&Object::from_wire(wire).expect("well-formed")).expect("it exists");
    cluster.run();
}

#[test]
fn a_job_is_made_for_each_minute_a_moment_after_it() {
    let mut cluster = cluster("* * * * *", json!({}));
    cluster.run_for(30);
    assert!(jobs(&cluster).is_empty(), "a tenth of a second is added to the time of the run");
    cluster.run_for(1);
    assert_eq!(jobs(&cluster), [run(1)]);
    assert_eq!(tick(&cluster).status.last_schedule_time, Some(at("2026-01-01T00:01:00Z")));
    cluster.run_for(60);
    assert_eq!(jobs(&cluster), [run(1), run(2)]);
    assert_eq!(active(&cluster), [run(1), run(2)]);
    assert_eq!(reasons(&cluster), ["SuccessfulCreate", "SuccessfulCreate"]);
}

#[test]
fn a_job_has_what_the_template_says_and_the_time_in_the_zone() {
    let mut cluster = cluster("0 3 * * *", json!({"timeZone": "Asia/Tokyo"}));
    cluster.run_for(18 * 3600);
    let job = cluster.store.jobs.iter().next().expect("made at 18:00 UTC");
    assert_eq!(job.meta.annotations.get(CRON_JOB_SCHEDULED_ANNOTATION), Some("2026-01-02T03:00:00+09:00"));
    assert_eq!(job.meta.labels.get("app"), Some("tick"));
    let owner = job.meta.controller().expect("owned");
    assert_eq!((&*owner.kind, &*owner.name, owner.block_owner_deletion), ("CronJob", "tick", Some(true)));
    assert_eq!(&*job.spec.template.spec.containers[0].image, "task:v1");
}

#[test]
fn allow_lets_them_overlap_forbid_waits_and_starts_late_replace_deletes() {
    let mut cluster = cluster("* * * * *", json!({"concurrencyPolicy": "Allow"}));
    cluster.run_for(150);
    assert_eq!(active(&cluster), [run(1), run(2)]);

    let mut cluster = self::cluster("* * * * *", json!({"concurrencyPolicy": "Forbid"}));
    cluster.run_for(150);
    assert_eq!(active(&cluster), [run(1)]);
    assert_eq!(reasons(&cluster).last(), Some(&"JobAlreadyActive"));
    end(&mut cluster, &run(1), Job::COMPLETE);
    assert_eq!(active(&cluster), [run(3)], "the run of minute 2 is passed over, that of minute 3 is made now");

    let mut cluster = self::cluster("* * * * *", json!({"concurrencyPolicy": "Replace"}));
    cluster.run_for(91);
    assert_eq!((active(&cluster), jobs(&cluster)), (vec![run(2)], vec![run(2)]));
    assert_eq!(reasons(&cluster), ["SuccessfulCreate", "SuccessfulDelete", "SuccessfulCreate"]);
}

#[test]
fn finished_jobs_leave_the_list_and_the_oldest_are_deleted() {
    let mut cluster = cluster("* * * * *", json!({"successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 0}));
    for minute in 1..=4 {
        cluster.run_for(60);
        let kind = if minute == 3 { Job::FAILED } else { Job::COMPLETE };
        end(&mut cluster, &run(minute), kind);
    }
    assert_eq!(jobs(&cluster), [run(2), run(4)]);
    assert!(active(&cluster).is_empty());
    assert_eq!(tick(&cluster).status.last_successful_time, Some(at("2026-01-01T00:04:30Z")));
}

#[test]
fn a_job_that_somebody_deleted_is_missed_and_not_made_again() {
    let mut cluster = cluster("0 * * * *", json!({"concurrencyPolicy": "Forbid"}));
    cluster.run_for(3600);
    let job = Key::new("default", run(60));
    cluster.delete(Kind::Job, &job, &DeleteOptions::default()).expect("it exists");
    cluster.run_for(60);
    assert!(active(&cluster).is_empty() && jobs(&cluster).is_empty());
    assert_eq!(reasons(&cluster), ["SuccessfulCreate", "MissingJob"]);
}

#[test]
fn a_job_that_it_did_not_make_is_told() {
    let mut cluster = cluster("0 * * * *", json!({}));
    let uid = tick(&cluster).meta.uid.to_string();
    cluster.apply(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "by-hand",
        "namespace": "default", "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick",
            "uid": uid, "controller": true}]}, "spec": {"template": {"spec": {"containers": []}}}}));
    cluster.run();
    assert_eq!(reasons(&cluster), ["UnexpectedJob"]);
    assert!(active(&cluster).is_empty());
    end(&mut cluster, "by-hand", Job::COMPLETE);
    assert!(tick(&cluster).status.last_successful_time.is_some(), "its success counts all the same");
}

#[test]
fn a_suspended_one_makes_nothing_and_catches_up_with_one_run_afterwards() {
    let mut cluster = cluster("* * * * *", json!({"suspend": true}));
    cluster.run_for(600);
    assert!(jobs(&cluster).is_empty() && cluster.writes.is_empty());
    edit(&mut cluster, |spec| spec["suspend"] = false.into());
    assert_eq!(jobs(&cluster), [run(10)], "of ten missed runs the last is made at once");
    cluster.run_for(30);
    assert_eq!(jobs(&cluster).len(), 1);
}

#[test]
fn more_than_a_hundred_missed_runs_are_warned_of_and_the_last_is_made() {
    let mut cluster = cluster("* * * * *", json!({"suspend": true}));
    cluster.run_for(102 * 60);
    edit(&mut cluster, |spec| spec["suspend"] = false.into());
    assert_eq!(jobs(&cluster), [run(102)]);
    assert_eq!(reasons(&cluster), ["TooManyMissedTimes", "SuccessfulCreate"]);
}

#[test]
fn a_run_that_is_later_than_the_deadline_is_left_out() {
    let mut cluster = cluster("0 * * * *", json!({"suspend": true, "startingDeadlineSeconds": 60}));
    cluster.run_for(3600 + 90);
    edit(&mut cluster, |spec| spec["suspend"] = false.into());
    assert!(jobs(&cluster).is_empty());
    cluster.run_for(3600);
    assert_eq!(jobs(&cluster), [run(120)]);
}

#[test]
fn a_new_schedule_counts_from_the_last_run() {
    let mut cluster = cluster("0 12 * * *", json!({}));
    edit(&mut cluster, |spec| spec["schedule"] = "*/10 * * * *".into());
    cluster.run_for(570);
    assert!(jobs(&cluster).is_empty());
    cluster.run_for(1);
    assert_eq!(jobs(&cluster), [run(10)]);
}

#[test]
fn what_can_never_run_is_told_and_left_alone() {
    for (schedule, zone, reason) in [
        ("* * *", None, "UnparseableSchedule"),
        ("0 0 30 2 *", None, "InvalidSchedule"),
        ("* * * * *", Some("Mars/Base"), "UnknownTimeZone"),
    ] {
        let mut cluster = cluster(schedule, json!({"timeZone": zone}));
        cluster.run_for(86_400);
        assert_eq!(reasons(&cluster), [reason]);
        assert!(cluster.writes.is_empty());
    }
}

#[test]
fn a_refused_creation_is_tried_again() {
    let mut cluster = cluster("* * * * *", json!({}));
    cluster.refuse = Some("create Job");
    cluster.run_for(31);
    assert!(jobs(&cluster).is_empty());
    assert_eq!(reasons(&cluster)[0], "FailedCreate");
    cluster.refuse = None;
    cluster.run_for(1);
    assert_eq!(jobs(&cluster), [run(1)]);
}

#[test]
fn one_being_deleted_makes_nothing_more() {
    let mut cluster = cluster("* * * * *", json!({}));
    let options = DeleteOptions { propagation: Some(crate::api::Propagation::Foreground), ..DeleteOptions::default() };
    cluster.delete(Kind::CronJob, &key(), &options).expect("it exists");
    cluster.run_for(300);
    assert!(jobs(&cluster).is_empty());
}

#[test]
fn while_its_own_writes_are_unseen_it_waits() {
    let mut cluster = cluster("* * * * *", json!({}));
    cluster.frozen = true;
    cluster.run_for(31);
    assert_eq!(jobs(&cluster), [run(1)]);
    cluster.sync_now(&key());
    assert_eq!(cluster.writes.len(), 2, "the Job and the status, once");
    cluster.frozen = false;
    cluster.catch_up();
    cluster.run();
    assert_eq!(active(&cluster), [run(1)]);
}

#[test]
fn deadlines_and_times_without_bounds_do_not_overflow() {
    for deadline in [0, 1, 9_223_372_036, 9_223_372_037, i64::MAX] {
        let mut cluster = cluster("* * * * *", json!({"startingDeadlineSeconds": deadline}));
        cluster.run_for(31);
        let cron_job = tick(&cluster);
        let schedule = cron_job.spec.timing.schedule.as_ref().expect("a schedule");
        assert!(until_next(cron_job, schedule, cluster.now).as_nanos() <= 60_100_000_000);
    }
}
