//! From bound to running.

use serde_json::{Value, json};

use super::bench::Bench;

#[test]
fn a_pod_runs_after_its_start_delay_and_its_turn() {
    let entries = "[{image: '*', start: 1s, startStagger: {step: 300ms, modulo: 2}, terminate: 1s}]";
    let mut bench = Bench::new(entries);
    for name in ["a", "b", "c"] {
        bench.bind_image(name, "web:v1", "Always");
    }
    bench.run_to(10_000);
    assert_eq!(
        bench.story,
        [
            "a 0s Pending",
            "b 0s Pending",
            "c 0s Pending",
            "a 1s Running ready",
            "c 1s Running ready",
            "b 1.3s Running ready"
        ]
    );
    assert_eq!(bench.status_writes, 6);
    let events = ["Pulled", "Created", "Started"].map(|reason| bench.events_of(reason)[0]);
    assert_eq!(
        events,
        [
            "1s Normal Pulled: Container image \"web:v1\" already present on machine and can be accessed by the pod",
            "1s Normal Created: Container created",
            "1s Normal Started: Container started",
        ]
    );
}

#[test]
fn the_status_is_complete() {
    let mut bench = Bench::new("[{image: '*', start: 1500ms}]");
    bench.run_to(250);
    bench.bind_image("web", "web:v1", "Always");
    let condition = |kind: &str, status: &str, at: &str, reason: &str| {
        let mut condition = json!({"type": kind, "status": status, "observedGeneration": 1, "lastTransitionTime": format!("2026-01-01T00:00:0{at}Z")});
        if !reason.is_empty() {
            condition["reason"] = reason.into();
            condition["message"] = "containers with unready status: [c]".into();
        }
        condition
    };
    assert_eq!(
        bench.status("web"),
        json!({
            "observedGeneration": 1,
            "phase": "Pending",
            "conditions": [
                condition("PodReadyToStartContainers", "False", "0", ""),
                condition("Initialized", "True", "0", ""),
                condition("Ready", "False", "0", "ContainersNotReady"),
                condition("ContainersReady", "False", "0", "ContainersNotReady"),
                condition("PodScheduled", "True", "0", ""),
            ],
            "hostIP": "192.168.0.1",
            "hostIPs": [{"ip": "192.168.0.1"}],
            "startTime": "2026-01-01T00:00:00Z",
            "containerStatuses": [{
                "name": "c", "image": "web:v1", "ready": false, "restartCount": 0, "started": false,
                "state": {"waiting": {"reason": "ContainerCreating"}}, "lastState": {},
            }],
            "qosClass": "BestEffort",
        })
    );
    bench.run_to(5_000);
    let status = bench.status("web");
    assert_eq!(
        status["conditions"],
        json!([
            condition("PodReadyToStartContainers", "True", "1", ""),
            condition("Initialized", "True", "0", ""),
            condition("Ready", "True", "1", ""),
            condition("ContainersReady", "True", "1", ""),
            condition("PodScheduled", "True", "0", ""),
        ])
    );
    assert_eq!(status["podIP"], "10.244.1.2");
    assert_eq!(status["containerStatuses"][0]["state"], json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}));
}

#[test]
fn readiness_comes_later_or_never() {
    let entries = "[{image: '*', start: 1s, ready: 2s}, {image: '*:neverready', start: 1s, ready: never}]";
    let mut bench = Bench::new(entries);
    bench.bind_image("a", "web:v1", "Always");
    bench.bind_image("b", "web:neverready", "Always");
    bench.run_to(600_000);
    assert_eq!(bench.story, ["a 0s Pending", "b 0s Pending", "a 1s Running", "b 1s Running", "a 3s Running ready"]);
    assert_eq!(bench.status("b")["conditions"][2]["reason"], "ContainersNotReady");
}

#[test]
fn an_image_that_cannot_be_had_backs_off() {
    let mut bench = Bench::new("[{image: '*:pullerr', start: 1s, pull: error}]");
    bench.bind_image("a", "web:pullerr", "Always");
    bench.run_to(1_000);
    let waiting = |bench: &Bench| bench.status("a")["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    assert_eq!(waiting(&bench), "ErrImagePull");
    bench.run_to(2_000);
    assert_eq!(waiting(&bench), "ImagePullBackOff");
    bench.run_to(1_000_000);
    let times: Vec<_> =
        bench.events_of("Pulling").iter().map(|event| event.split_once(' ').map(|(time, _)| time)).collect();
    assert_eq!(times, ["1s", "11s", "31s", "1m11s", "2m31s", "5m11s", "10m11s", "15m11s"].map(Some));
    assert_eq!(bench.story, ["a 0s Pending"]);
    assert_eq!(bench.status("a")["podIP"], "10.244.1.2");
}

fn with_init() -> Value {
    json!({
        "initContainers": [
            {"name": "first", "image": "init:1"},
            {"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"},
            {"name": "second", "image": "init:2"},
        ],
        "containers": [{"name": "c", "image": "web:v1"}, {"name": "b", "image": "log:v1"}],
    })
}

#[test]
fn init_containers_and_sidecars_come_first_and_in_order() {
    let entries = "[{image: '*', start: 1s}, {image: 'init:*', start: 1s, exit: {after: 3s}}, {image: 'mesh:*', start: 2s, ready: 10s}]";
    let mut bench = Bench::new(entries);
    bench.bind("p", with_init());
    let initialized = |bench: &Bench| bench.status("p")["conditions"][1].clone();
    assert_eq!(initialized(&bench)["message"], "containers with incomplete status: [first mesh second]");
    assert_eq!(bench.status("p")["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    bench.run_to(6_500);
    assert_eq!(initialized(&bench)["message"], "containers with incomplete status: [second]");
    assert_eq!(initialized(&bench)["reason"], "ContainersNotInitialized");
    bench.run_to(100_000);
    // first 1..4, mesh from 6, second 7..10, regular ones from 11; ready when the sidecar answers, at 16.
    assert_eq!(bench.story, ["p 0s Pending", "p 11s Running", "p 16s Running ready"]);
    let status = bench.status("p");
    assert_eq!(status["conditions"][1]["lastTransitionTime"], "2026-01-01T00:00:10Z");
    assert_eq!(status["initContainerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
    assert_eq!(status["initContainerStatuses"][0]["ready"], true);
    assert_eq!(status["containerStatuses"][0]["name"], "b");
    let started: Vec<_> =
        bench.events_of("Started").iter().map(|event| event.split_once(' ').map(|(time, _)| time)).collect();
    assert_eq!(started, ["1s", "6s", "7s", "11s", "11s"].map(Some));
}

#[test]
fn an_init_container_that_fails_holds_the_pod_or_fails_it() {
    let entries = "[{image: 'init:*', start: 1s, exit: {code: 1, after: 1s, once: true}}]";
    let spec = |policy: &str| json!({"restartPolicy": policy, "initContainers": [{"name": "i", "image": "init:1"}], "containers": [{"name": "c", "image": "web"}]});
    let mut bench = Bench::new(entries);
    bench.bind("again", spec("OnFailure"));
    bench.bind("never", spec("Never"));
    bench.run_to(1_000_000);
    // The second life is one without a failure, so that the init container ends well.
    assert_eq!(bench.story, ["again 0s Pending", "never 0s Pending", "never 2s Failed", "again 2s Running ready"]);
    assert_eq!(bench.status("again")["initContainerStatuses"][0]["restartCount"], 1);
    assert_eq!(bench.status("never")["conditions"][1]["reason"], "ContainersNotInitialized");
    assert_eq!(bench.status("never")["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
}

#[test]
fn a_full_range_of_addresses_delays_the_sandbox() {
    let mut bench = Bench::new("[]");
    for n in 0..254 {
        bench.bind_image(&format!("p{n}"), "web", "Always");
    }
    bench.run_to(1_000);
    assert_eq!(bench.events_of("FailedCreatePodSandBox").len(), 1);
    bench.delete("p7", 30);
    bench.run_to(10_000);
    assert_eq!(bench.status("p253")["podIP"], "10.244.1.9");
    assert_eq!(bench.kubelet.pod_count(), 253);
}

#[test]
fn a_pod_on_the_hosts_network_has_the_hosts_address() {
    let mut bench = Bench::new("[{image: '*', start: 1s}]");
    bench.bind("p", json!({"hostNetwork": true, "containers": [{"name": "c", "image": "web"}]}));
    assert_eq!(bench.status("p")["conditions"][0]["status"], "False");
    bench.run_to(2_000);
    assert_eq!(bench.status("p")["podIP"], "192.168.0.1");
}
