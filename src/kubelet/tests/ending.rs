//! Containers that end by themselves.

use serde_json::json;

use super::bench::Bench;

fn times(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| event.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn restarts_back_off_and_calm_down() {
    let entries = "[{image: 'crash:*', start: 1s, exit: {code: 1, after: 2s}}, {image: 'long:*', exit: {after: 11m}}]";
    let mut bench = Bench::new(entries);
    bench.bind_image("a", "crash:v1", "Always");
    bench.run_to(3_000);
    bench.run_to(5_000);
    let waiting = bench.status("a")["containerStatuses"][0].clone();
    assert_eq!(
        waiting["state"]["waiting"],
        json!({
            "reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container=c pod=a_default(00000000-0000-0000-0000-000000000001)",
        })
    );
    assert_eq!(waiting["lastState"]["terminated"]["reason"], "Error");
    assert_eq!(waiting["restartCount"], 1);
    bench.run_to(1_400_000);
    let started = ["1s", "3s", "15s", "37s", "1m19s", "2m41s", "5m23s", "10m25s", "15m27s", "20m29s"];
    assert_eq!(times(&bench.events_of("Started")), started);
    assert_eq!(
        bench.events_of("BackOff")[0],
        "5s Warning BackOff: Back-off restarting failed container c in pod a_default(00000000-0000-0000-0000-000000000001)"
    );
    assert!(bench.story.iter().all(|entry| entry.ends_with("Pending") || entry.contains("Running")));

    let mut bench = Bench::new(entries);
    bench.bind_image("b", "long:v1", "Always");
    bench.run_to(3_000_000);
    assert_eq!(times(&bench.events_of("Started")), ["0s", "11m0s", "22m0s", "33m0s", "44m0s"]);
    assert_eq!(bench.status("b")["containerStatuses"][0]["lastState"]["terminated"]["reason"], "Completed");
}

#[test]
fn a_flaky_container_fails_once() {
    let mut bench = Bench::new("[{image: '*', start: 1s, exit: {code: 1, after: 2s, once: true}}]");
    bench.bind_image("a", "web:flaky", "Always");
    bench.run_to(1_000_000);
    assert_eq!(bench.story, ["a 0s Pending", "a 1s Running ready", "a 3s Running", "a 3s Running ready"]);
}

#[test]
fn tasks_succeed_or_fail() {
    let entries = "[{image: 'exit0:*', exit: {after: 5s}}, {image: 'exit1:*', exit: {code: 1, after: 5s, once: true}}]";
    let mut bench = Bench::new(entries);
    bench.bind_image("ok", "exit0:1", "OnFailure");
    bench.bind_image("bad", "exit1:1", "Never");
    bench.bind("two", json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "exit0:1"}, {"name": "b", "image": "web"}]}));
    bench.run_to(1_000_000);
    let last =
        |name: &str| bench.story.iter().rfind(|entry| entry.starts_with(&format!("{name} "))).expect("a story").clone();
    assert_eq!([last("ok"), last("bad"), last("two")], ["ok 5s Succeeded", "bad 5s Failed", "two 5s Running"]);
    assert_eq!(bench.status("ok")["conditions"][1]["reason"], "PodCompleted");
    assert_eq!(bench.status("bad")["containerStatuses"][0]["state"]["terminated"]["exitCode"], 1);
    assert_eq!(bench.kubelet.pod_count(), 1);
    bench.delete("ok", 30);
    assert_eq!(bench.story.last().map(String::as_str), Some("ok 16m40s gone"));
}

#[test]
fn a_finished_task_takes_its_sidecars_along() {
    let entries = "[{image: 'task:*', exit: {after: 5s}}, {image: 'mesh:*', terminate: 3s}]";
    let mut bench = Bench::new(entries);
    let sidecar = json!({"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"});
    let task = json!({"name": "c", "image": "task:1"});
    bench.bind("p", json!({"restartPolicy": "Never", "initContainers": [sidecar], "containers": [task]}));
    bench.run_to(100_000);
    assert_eq!(bench.story, ["p 0s Pending", "p 0s Running ready", "p 5s Running", "p 8s Succeeded"]);
    assert_eq!(bench.events_of("Killing"), ["5s Normal Killing: Stopping container mesh"]);
    assert_eq!(bench.status("p")["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 143);
}

#[test]
fn a_sidecar_restarts_whatever_the_policy() {
    let entries = "[{image: 'mesh:*', exit: {code: 0, after: 5s, once: true}}]";
    let mut bench = Bench::new(entries);
    let sidecar = json!({"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"});
    let main = json!({"name": "c", "image": "web"});
    bench.bind("p", json!({"restartPolicy": "Never", "initContainers": [sidecar], "containers": [main]}));
    bench.run_to(100_000);
    assert_eq!(bench.status("p")["initContainerStatuses"][0]["restartCount"], 1);
    assert_eq!(bench.story.last().map(String::as_str), Some("p 5s Running ready"));
}

#[test]
fn an_active_deadline_fails_the_pod() {
    let mut bench = Bench::new("[{image: '*', terminate: 2s}]");
    let spec = json!({"activeDeadlineSeconds": 10, "containers": [{"name": "c", "image": "web"}]});
    bench.bind("p", spec);
    bench.run_to(100_000);
    assert_eq!(bench.story, ["p 0s Pending", "p 0s Running ready", "p 12s Failed"]);
    let status = bench.status("p");
    assert_eq!(status["reason"], "DeadlineExceeded");
    assert_eq!(status["message"], "Pod was active on the node longer than the specified deadline");
}

#[test]
fn a_new_image_restarts_the_container() {
    let mut bench = Bench::new("[{image: '*', terminate: 2s}, {image: '*:v2', ready: 5s}]");
    bench.bind_image("p", "web:v1", "Always");
    bench.run_to(10_000);
    let spec = bench.bind_image("other", "web:v2", "Always").spec.clone();
    bench.change("p", |pod| pod.spec = spec);
    bench.run_to(100_000);
    assert_eq!(bench.events_of("Killing"), ["10s Normal Killing: Container c definition changed, will be restarted"]);
    let story: Vec<_> = bench.story.iter().filter(|entry| entry.starts_with("p ")).collect();
    assert_eq!(story, ["p 0s Pending", "p 0s Running ready", "p 12s Running", "p 17s Running ready"]);
    assert_eq!(bench.status("p")["containerStatuses"][0]["image"], "web:v2");
}
