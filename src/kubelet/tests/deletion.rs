//! Pods that are deleted.

use serde_json::json;

use super::bench::Bench;
use crate::objects::{Condition, ConditionStatus};

const ONE_SECOND: &str = "[{image: '*', start: 1s, terminate: 1s}, {image: 'slow:*', start: 1s, terminate: 60s}]";

#[test]
fn a_deleted_pod_stays_as_it_is_until_it_has_stopped() {
    let mut bench = Bench::new(ONE_SECOND);
    bench.bind_image("a", "web:v1", "Always");
    bench.run_to(5_000);
    bench.delete("a", 30);
    bench.run_to(5_999);
    assert!(bench.pod("a").is_some_and(|pod| pod.is_ready()));
    bench.run_to(10_000);
    assert_eq!(bench.story, ["a 0s Pending", "a 1s Running ready", "a 6s gone"]);
    assert_eq!(bench.status_writes, 2);
    assert_eq!(bench.events_of("Killing"), ["5s Normal Killing: Stopping container c"]);
    assert_eq!(bench.kubelet.pod_count(), 0);
}

#[test]
fn grace_ends_what_does_not_stop_and_may_be_lowered() {
    let mut bench = Bench::new(ONE_SECOND);
    for name in ["a", "b", "c"] {
        bench.bind_image(name, "slow:v1", "Never");
    }
    bench.run_to(5_000);
    bench.delete("a", 30);
    bench.delete("b", 30);
    bench.delete("c", 1);
    bench.run_to(10_000);
    bench.delete("b", 5);
    bench.delete("b", 20);
    bench.run_to(100_000);
    let ends: Vec<_> =
        bench.story.iter().filter(|entry| entry.ends_with("Failed") || entry.ends_with("gone")).collect();
    assert_eq!(ends, ["c 6s Failed", "c 6s gone", "b 15s Failed", "b 15s gone", "a 35s Failed", "a 35s gone"]);
}

#[test]
fn a_pod_that_does_not_restart_is_failed_just_before() {
    let mut bench = Bench::new(ONE_SECOND);
    bench.bind_image("a", "web:v1", "OnFailure");
    bench.run_to(5_000);
    bench.change("a", |pod| pod.meta.finalizers = vec!["example.com/hold".into()].into());
    bench.delete("a", 30);
    bench.run_to(10_000);
    assert_eq!(bench.story, ["a 0s Pending", "a 1s Running ready", "a 6s Failed", "a 6s gone"]);
    let last = bench.last_status("a");
    assert_eq!(last["containerStatuses"][0]["state"]["terminated"]["exitCode"], 143);
    assert_eq!(last["conditions"][2]["reason"], "PodFailed");
    assert_eq!(last["conditions"][0]["status"], "False");
}

#[test]
fn a_pod_deleted_before_it_started_never_starts() {
    let mut bench = Bench::new(ONE_SECOND);
    bench.bind_image("a", "web:v1", "Always");
    bench.bind_image("b", "web:v1", "Never");
    bench.run_to(500);
    bench.delete("a", 30);
    bench.delete("b", 30);
    bench.run_to(10_000);
    assert_eq!(bench.story, ["a 0s Pending", "b 0s Pending", "a 1.5s gone", "b 1.5s Failed", "b 1.5s gone"]);
    let status = &bench.last_status("b")["containerStatuses"][0];
    assert_eq!(status["state"]["terminated"]["reason"], "ContainerStatusUnknown");
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_forced_deletion_leaves_nothing_behind() {
    let mut bench = Bench::new(ONE_SECOND);
    bench.bind_image("a", "web:v1", "Always");
    bench.run_to(5_000);
    bench.delete("a", 0);
    assert_eq!(bench.kubelet.pod_count(), 0);
    bench.run_to(100_000);
    assert_eq!(bench.story, ["a 0s Pending", "a 1s Running ready", "a 5s gone"]);
    bench.bind_image("a", "web:v1", "Always");
    bench.run_to(200_000);
    assert_eq!(bench.story[3..], ["a 1m40s Pending", "a 1m41s Running ready"]);
}

#[test]
fn hooks_come_before_signals_and_sidecars_after_the_rest() {
    let entries = "[{image: '*', terminate: 2s}, {image: 'mesh:*', terminate: 1s}]";
    let hook = json!({"preStop": {"sleep": {"seconds": 5}}});
    let mut bench = Bench::new(entries);
    bench.bind("hook", json!({"containers": [{"name": "c", "image": "web", "lifecycle": hook}]}));
    bench.bind(
        "long",
        json!({"containers": [{"name": "c", "image": "web", "lifecycle": {"preStop": {"sleep": {"seconds": 99}}}}]}),
    );
    let sidecar = |name: &str| json!({"name": name, "image": "mesh:1", "restartPolicy": "Always"});
    bench.bind(
        "meshed",
        json!({"initContainers": [sidecar("one"), sidecar("two")], "containers": [{"name": "c", "image": "web"}]}),
    );
    bench.run_to(10_000);
    for name in ["hook", "long", "meshed"] {
        bench.delete(name, 30);
    }
    bench.run_to(100_000);
    let gone: Vec<_> = bench.story.iter().filter(|entry| entry.ends_with("gone")).collect();
    // The long hook takes all of the grace; the container then has two seconds.
    assert_eq!(gone, ["meshed 14s gone", "hook 17s gone", "long 42s gone"]);
}

#[test]
fn a_process_that_ends_by_itself_ends_a_deleted_pod() {
    let mut bench = Bench::new("[{image: 'task:*', exit: {after: 10s}, terminate: 20s}]");
    bench.bind_image("a", "task:1", "Never");
    bench.run_to(5_000);
    bench.delete("a", 30);
    bench.run_to(100_000);
    assert_eq!(bench.story, ["a 0s Pending", "a 0s Running ready", "a 10s Succeeded", "a 10s gone"]);
}

#[test]
fn conditions_of_others_are_kept_and_readiness_is_restored() {
    let mut bench = Bench::new(ONE_SECOND);
    bench.bind(
        "a",
        json!({"containers": [{"name": "c", "image": "web"}], "readinessGates": [{"conditionType": "example.com/lb"}]}),
    );
    bench.run_to(5_000);
    let ready = |bench: &Bench| {
        let conditions = bench.status("a")["conditions"].clone();
        let ready =
            conditions.as_array().expect("a list").iter().find(|condition| condition["type"] == "Ready").cloned();
        ready.expect("Ready")
    };
    assert_eq!(ready(&bench)["reason"], "ReadinessGatesNotReady");
    let message = "corresponding condition of pod readiness gate \"example.com/lb\" does not exist.";
    assert_eq!(ready(&bench)["message"], message);
    let now = bench.wall().timestamp();
    bench.change("a", |pod| {
        let gate = Condition::new("example.com/lb", ConditionStatus::True, now);
        pod.status.conditions = pod.status.conditions.iter().cloned().chain([gate]).collect();
    });
    assert_eq!(ready(&bench)["status"], "True");
    bench.run_to(9_000);
    let now = bench.wall().timestamp();
    bench.change("a", |pod| {
        let conditions = pod.status.conditions.iter().cloned().map(|condition| match &*condition.kind {
            "Ready" => Condition::new("Ready", ConditionStatus::False, now),
            _ => condition,
        });
        pod.status.conditions = conditions.collect();
    });
    assert_eq!(ready(&bench)["status"], "True");
    assert_eq!(bench.status("a")["conditions"][0]["type"], "example.com/lb");
}
