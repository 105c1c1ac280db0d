//! Containers that misbehave.

use serde_json::{Value, json};

use crate::api::{Change, ChangeType};
use crate::kernel::SimDuration;
use crate::objects::{EndpointSlice, Resource};

use super::bench::{Bench, Busy};

fn spec(image: &str, fields: &Value) -> Value {
    let mut container = json!({"name": "c", "image": image, "imagePullPolicy": "IfNotPresent"});
    for (name, value) in fields.as_object().expect("fields") {
        container[name] = value.clone();
    }
    json!({"containers": [container]})
}

fn run(entries: &str, fields: &Value, millis: u64) -> Bench {
    let mut bench = Bench::new(entries);
    bench.bind("p", spec("app", fields));
    bench.run_to(millis);
    bench
}

fn state(bench: &Bench) -> Value {
    bench.status("p")["containerStatuses"][0].clone()
}

const HTTP: &str = r#"{"httpGet": {"path": "/healthz", "port": 80}, "periodSeconds": 10, "failureThreshold": 3}"#;

fn http() -> Value {
    serde_json::from_str(HTTP).expect("a probe")
}

#[test]
fn a_process_that_crashes_by_chance_is_restarted_and_crashes_again() {
    let wears_out = "[{image: '*', crash: {mtbf: {distribution: uniform, min: 20s, max: 20s}, code: 139}}]";
    let bench = run(wears_out, &json!({}), 120_000);
    assert_eq!(state(&bench)["lastState"]["terminated"]["exitCode"], 139);
    // It runs for 20 s, at once again, then after 10 s, then after 20 s.
    assert_eq!(
        bench.events_of("Started").iter().map(|event| event.split(' ').next().unwrap_or("")).collect::<Vec<_>>(),
        ["0s", "20s", "50s", "1m30s"]
    );
    let by_chance = run("[{image: '*', crash: {mtbf: 1m}}]", &json!({}), 3_600_000);
    let restarts = state(&by_chance)["restartCount"].as_u64().expect("a number");
    assert!((5..60).contains(&restarts), "{restarts}");
    assert_eq!(state(&by_chance)["lastState"]["terminated"]["exitCode"], 1);
}

#[test]
fn a_deadlock_is_found_by_liveness_and_by_nothing_else() {
    let entries = "[{image: '*', deadlock: {after: 25s, once: true}, terminate: 1s}]";
    let unseen = run(entries, &json!({}), 600_000);
    assert_eq!(unseen.story, ["p 0s Pending", "p 0s Running ready"], "nobody asks, nobody knows");

    let unready = run(entries, &json!({"readinessProbe": http()}), 600_000);
    assert_eq!(unready.story.last().map(String::as_str), Some("p 50s Running"), "it stays dead");
    assert_eq!(state(&unready)["restartCount"], 0);
    // From 30 s on every 10 s, and no end.
    assert_eq!(unready.events_of("Unhealthy").len(), 58);
    let late = "Get \"http://10.244.1.2:80/healthz\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    assert_eq!(unready.events_of("Unhealthy")[0], format!("30s Warning Unhealthy: Readiness probe failed: {late}"));

    let restarted = run(entries, &json!({"readinessProbe": http(), "livenessProbe": http()}), 600_000);
    assert_eq!(restarted.story.last().map(String::as_str), Some("p 51s Running ready"));
    assert_eq!(state(&restarted)["restartCount"], 1);
    assert_eq!(
        restarted.events_of("Killing"),
        ["50s Normal Killing: Container c failed liveness probe, will be restarted"]
    );
    let liveness = restarted.events.iter().filter(|event| event.contains("Liveness probe failed")).count();
    assert_eq!(liveness, 3, "as many as the threshold");
}

#[test]
fn commands_and_connections_time_out_in_their_own_words() {
    let probe = |handler: Value| {
        let mut probe = json!({"periodSeconds": 10, "failureThreshold": 1, "timeoutSeconds": 2});
        probe.as_object_mut().expect("an object").append(handler.as_object().cloned().as_mut().expect("an object"));
        probe
    };
    for (handler, told) in [
        (json!({"exec": {"command": ["cat", "/alive"]}}), "command timed out: \"cat /alive\" timed out after 2s"),
        (json!({"tcpSocket": {"port": 80}}), "dial tcp 10.244.1.2:80: i/o timeout"),
        (json!({"grpc": {"port": 80}}), "timeout: health rpc did not complete within 2s"),
    ] {
        let bench = run("[{image: '*', deadlock: {after: 5s}}]", &json!({"livenessProbe": probe(handler)}), 11_000);
        assert_eq!(bench.events_of("Unhealthy"), [format!("10s Warning Unhealthy: Liveness probe failed: {told}")]);
    }
}

#[test]
fn an_application_that_comes_up_slowly_needs_a_startup_probe() {
    // It answers after 45 s; liveness gives it 30.
    let entries = "[{image: '*', ready: 45s, alive: 45s, terminate: 0s}]";
    let killed = run(entries, &json!({"livenessProbe": http()}), 200_000);
    assert_eq!(killed.events_of("Killing").len(), 4, "{:?}", killed.events);
    assert!(killed.story.iter().all(|entry| !entry.ends_with("ready")));
    let mut patient = http();
    patient["failureThreshold"] = 6.into();
    let spared = run(entries, &json!({"livenessProbe": http(), "startupProbe": patient}), 200_000);
    assert_eq!(spared.story.last().map(String::as_str), Some("p 50s Running ready"));
    assert!(spared.events_of("Killing").is_empty());
}

/// Sets whether the Service `db` has a ready endpoint, and tells the pod.
fn set_endpoint(bench: &mut Bench, ready: bool) {
    let resource_version = bench.view.resource_version + 1;
    let metadata = json!({"name": "db-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "db"}});
    let endpoints = json!([{"addresses": ["10.0.0.9"], "conditions": {"ready": ready}}]);
    let slice = json!({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints});
    let mut slice = EndpointSlice::from_wire(slice).expect("a slice");
    slice.meta.resource_version = resource_version;
    let change = Change {
        change_type: ChangeType::Modified,
        object: std::sync::Arc::new(slice).into(),
        old: None,
        resource_version,
    };
    bench.view.apply(&change);
    bench.dependencies_changed("p");
}

#[test]
fn a_missing_service_fails_readiness_and_liveness_only_if_it_asks_for_it() {
    let probes = json!({"readinessProbe": http(), "livenessProbe": http()});
    for (entries, restarts) in [
        ("[{image: '*', dependsOn: {service: db}}]", 0),
        ("[{image: '*', dependsOn: {service: db, probes: [readiness, liveness]}}]", 3),
    ] {
        let mut bench = Bench::new(entries);
        set_endpoint_silently(&mut bench);
        bench.bind("p", spec("app", &probes));
        bench.run_to(15_000);
        assert_eq!(bench.story, ["p 0s Pending", "p 0s Running ready"], "{entries}");
        set_endpoint(&mut bench, false);
        bench.run_to(130_000);
        assert_eq!(state(&bench)["restartCount"], restarts, "{entries}");
        assert!(!state(&bench)["ready"].as_bool().expect("a flag"));
        let told = "20s Warning Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503";
        assert_eq!(bench.events_of("Unhealthy")[0], told);
        set_endpoint(&mut bench, true);
        bench.run_to(600_000);
        assert!(state(&bench)["ready"].as_bool().expect("a flag"), "{entries}");
        assert_eq!(state(&bench)["restartCount"], restarts, "{entries}");
    }
}

fn set_endpoint_silently(bench: &mut Bench) {
    let metadata = json!({"name": "db-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "db"}});
    let slice = json!({"metadata": metadata, "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.9"]}]});
    let slice = EndpointSlice::from_wire(slice).expect("a slice");
    let change = Change {
        change_type: ChangeType::Added,
        object: std::sync::Arc::new(slice).into(),
        old: None,
        resource_version: bench.view.resource_version + 1,
    };
    bench.view.apply(&change);
}

#[test]
fn a_process_that_ignores_sigterm_is_killed_at_the_end_of_its_grace() {
    for entries in ["[{image: '*', terminate: never}]", "[{image: '*', terminate: 45s}]"] {
        let mut bench = run(entries, &json!({}), 1_000);
        bench.delete("p", 30);
        bench.run_to(100_000);
        assert_eq!(bench.story.last().map(String::as_str), Some("p 31s gone"), "{entries}");
    }
    let mut job = Bench::new("[{image: '*', terminate: never}]");
    job.bind("p", json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "app"}]}));
    job.delete("p", 5);
    job.run_to(100_000);
    assert_eq!(job.last_status("p")["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
}

#[test]
fn a_post_start_hook_that_fails_takes_the_container_down() {
    let hooks = json!({"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "exit 1"]}}}});
    let entries = "[{image: '*', postStart: 2s, postStartFails: once, terminate: 1s}]";
    let bench = run(entries, &hooks, 60_000);
    assert_eq!(bench.events_of("FailedPostStartHook"), ["2s Warning FailedPostStartHook: PostStartHook failed"]);
    assert_eq!(bench.events_of("Killing"), ["2s Normal Killing: FailedPostStartHook"]);
    assert_eq!(
        bench.story,
        ["p 0s Pending", "p 3s Running", "p 5s Running ready"],
        "the second life has a hook that works"
    );
    assert_eq!(state(&bench)["restartCount"], 1);

    let mut early = Bench::new(&entries.replace("once", "always"));
    early.bind("p", spec("app", &hooks));
    early.run_to(2_900);
    assert_eq!(state(&early)["state"]["waiting"]["reason"], "ContainerCreating", "it is being killed");
    early.run_to(20_000);
    assert_eq!(state(&early)["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(state(&early)["lastState"]["terminated"]["exitCode"], 143);
    let always = run(&entries.replace("once", "always"), &hooks, 3_000);
    let waiting = &state(&always)["state"]["waiting"];
    assert_eq!(waiting["reason"], "PostStartHookError", "{:?}", always.events);
    let message = "Exec lifecycle hook ([sh -c exit 1]) for Container \"c\" in Pod \"p_default(00000000-0000-0000-0000-000000000001)\" failed - error: command 'sh -c exit 1' exited with 1: , message: \"\"";
    assert_eq!(waiting["message"], message);
}

#[test]
fn a_pre_stop_hook_that_fails_says_so_and_the_stop_goes_on() {
    let hooks = json!({"lifecycle": {"preStop": {"exec": {"command": ["sleep", "3"]}}}});
    let mut bench = run("[{image: '*', preStopFails: always, terminate: 1s}]", &hooks, 1_000);
    bench.delete("p", 30);
    bench.run_to(60_000);
    assert_eq!(bench.events_of("FailedPreStopHook"), ["4s Warning FailedPreStopHook: PreStopHook failed"]);
    assert_eq!(bench.story.last().map(String::as_str), Some("p 5s gone"));
}

#[test]
fn images_are_pulled_one_after_the_other_and_stay() {
    let mut bench = Bench::new("[{image: '*', pull: {takes: 10s, size: 50Mi}}]");
    for (name, image) in [("a", "one"), ("b", "two"), ("c", "one")] {
        bench.bind(name, spec(image, &json!({})));
    }
    bench.run_to(60_000);
    assert_eq!(bench.story[3..], ["a 10s Running ready", "b 20s Running ready", "c 20s Running ready"]);
    assert_eq!(
        bench.events_of("Pulled"),
        [
            "10s Normal Pulled: Successfully pulled image \"one\" in 10s (10s including waiting). Image size: 52428800 bytes.",
            "20s Normal Pulled: Successfully pulled image \"two\" in 10s (20s including waiting). Image size: 52428800 bytes.",
            "20s Normal Pulled: Successfully pulled image \"one\" in 0s (20s including waiting). Image size: 52428800 bytes.",
        ]
    );
    bench.bind("d", spec("one", &json!({})));
    bench.run_to(60_000);
    assert_eq!(bench.story.last().map(String::as_str), Some("d 1m0s Running ready"), "it is there");
    assert_eq!(bench.events_of("Pulling").len(), 3);
    bench.bind("e", spec("one", &json!({"imagePullPolicy": "Always"})));
    bench.run_to(60_000);
    assert_eq!(bench.events_of("Pulling").len(), 4, "asked for anew");
}

#[test]
fn an_image_that_is_not_there_and_may_not_be_pulled_is_waited_for() {
    for entries in ["[{image: '*', pull: error}]", "[{image: '*', pull: {takes: 5s}}]"] {
        let bench = run(entries, &json!({"imagePullPolicy": "Never"}), 25_000);
        let message = "Container image \"app\" is not present with pull policy of Never";
        assert_eq!(state(&bench)["state"]["waiting"], json!({"reason": "ErrImageNeverPull", "message": message}));
        assert_eq!(
            bench.events_of("ErrImageNeverPull"),
            ["0s", "10s", "20s"].map(|at| format!("{at} Warning ErrImageNeverPull: {message}"))
        );
        assert_eq!(bench.events_of("Failed")[0], "0s Warning Failed: Error: ErrImageNeverPull");
    }
}

#[test]
fn on_a_slow_machine_everything_takes_longer_and_probes_time_out() {
    let entries = "[{image: '*', start: 2s, ready: 3s, terminate: 2s, probe: 400ms}]";
    let mut bench = Bench::new(entries);
    bench.slowness_percent = 200;
    bench.bind("p", spec("app", &json!({"livenessProbe": http()})));
    bench.run_to(60_000);
    assert_eq!(bench.story, ["p 0s Pending", "p 4s Running", "p 10s Running ready"]);
    assert!(bench.events_of("Unhealthy").is_empty(), "800 ms are within the timeout");
    bench.slowness_percent = 300;
    bench.pace_changed();
    bench.run_to(85_000);
    assert_eq!(bench.events_of("Unhealthy").len(), 2);
    bench.slowness_percent = 100;
    bench.pace_changed();
    bench.run_to(600_000);
    assert_eq!(bench.events_of("Unhealthy").len(), 2, "it came back in time");
    bench.delete("p", 30);
    bench.run_to(700_000);
    assert_eq!(bench.story.last().map(String::as_str), Some("p 10m2s gone"));
}

#[test]
fn probes_wait_in_line_where_the_application_says_so() {
    let run = |line: &str, wait: Option<SimDuration>| {
        let mut bench = Bench::new(&format!("[{{image: '*', start: 1s, serve: {{concurrency: 1, probes: {line}}}}}]"));
        bench.load = Some(Busy(Some(SimDuration::ZERO)));
        bench.bind("p", spec("app", &json!({"readinessProbe": http()})));
        bench.run_to(60_000);
        bench.load = Some(Busy(wait));
        bench.run_to(120_000);
        bench.load = Some(Busy(Some(SimDuration::from_secs(1))));
        bench.run_to(180_000);
        (bench.story, bench.events)
    };
    let unready = ["p 0s Pending", "p 1s Running ready", "p 1m21s Running", "p 2m1s Running ready"];
    for (wait, why) in [(Some(SimDuration::from_millis(1001)), "context deadline exceeded"), (None, "statuscode: 503")]
    {
        let (story, events) = run("queue", wait);
        assert_eq!(story, unready);
        let failed: Vec<_> = events.iter().filter(|event| event.contains("Unhealthy")).collect();
        assert_eq!(failed.len(), 6);
        assert!(failed.iter().all(|event| event.contains(why)), "{failed:?}");
        assert_eq!(run("apart", wait).0, unready[..2]);
    }
}
