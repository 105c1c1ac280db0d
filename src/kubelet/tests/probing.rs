//! Probes.

use serde_json::{Value, json};

use super::bench::Bench;

fn with_probe(field: &str, probe: &Value) -> Value {
    let mut container = json!({"name": "c", "image": "web", "ports": [{"name": "http", "containerPort": 8080}]});
    container[field] = probe.clone();
    json!({"containers": [container]})
}

fn story_with(entries: &str, field: &str, probe: &Value, millis: u64) -> (Vec<String>, Bench) {
    let mut bench = Bench::new(entries);
    bench.bind("p", with_probe(field, probe));
    bench.run_to(millis);
    (bench.story.clone(), bench)
}

#[test]
fn a_readiness_probe_decides_at_its_ticks() {
    let entries = "[{image: '*', start: 1s, ready: 12s}]";
    let probe = json!({"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5, "failureThreshold": 3});
    let (story, bench) = story_with(entries, "readinessProbe", &probe, 1_000_000);
    // It answers at 13 s; the kubelet asks at 1, 6, 11 and 16.
    assert_eq!(story, ["p 0s Pending", "p 1s Running", "p 16s Running ready"]);
    let refused = "Warning Unhealthy: Readiness probe failed: Get \"http://10.244.1.2:8080/healthz\": dial tcp 10.244.1.2:8080: connect: connection refused";
    assert_eq!(bench.events_of("Unhealthy"), ["1s", "6s", "11s"].map(|time| format!("{time} {refused}")));

    let slow =
        json!({"exec": {"command": ["true"]}, "periodSeconds": 5, "initialDelaySeconds": 7, "successThreshold": 3});
    let (story, bench) = story_with("[{image: '*', start: 1s}]", "readinessProbe", &slow, 1_000_000);
    // Ticks before the initial delay do nothing: 1 and 6 are too early; 11, 16 and 21 are successes.
    assert_eq!(story, ["p 0s Pending", "p 1s Running", "p 21s Running ready"]);
    assert!(bench.events_of("Unhealthy").is_empty());
}

#[test]
fn a_healthy_pod_costs_no_ticks() {
    let probe = json!({"tcpSocket": {"port": 80}, "periodSeconds": 1});
    let (_, bench) = story_with("[]", "readinessProbe", &probe, 0);
    let steps = bench.steps();
    let (_, bench) = story_with("[]", "readinessProbe", &probe, 86_400_000);
    assert_eq!(bench.steps(), steps);
}

#[test]
fn a_startup_probe_holds_readiness_and_restarts_what_is_too_slow() {
    let probe = json!({"tcpSocket": {"port": 80}, "periodSeconds": 2, "failureThreshold": 30});
    let (story, _) = story_with("[{image: '*', start: 1s, ready: 5s}]", "startupProbe", &probe, 1_000_000);
    // Ticks count from the pod's first sync: 2, 4 and 6 s.
    assert_eq!(story, ["p 0s Pending", "p 1s Running", "p 6s Running ready"]);

    let strict = json!({"tcpSocket": {"port": 80}, "periodSeconds": 2, "failureThreshold": 2});
    let entries = "[{image: '*', start: 1s, ready: never, terminate: 1s}]";
    let (story, bench) = story_with(entries, "startupProbe", &strict, 20_000);
    assert_eq!(story, ["p 0s Pending", "p 1s Running"]);
    assert_eq!(
        bench.events_of("Killing"),
        [
            "4s Normal Killing: Container c failed startup probe, will be restarted",
            "8s Normal Killing: Container c failed startup probe, will be restarted",
        ]
    );
    assert_eq!(bench.events_of("BackOff").len(), 1);
    assert_eq!(bench.status("p")["containerStatuses"][0]["started"], false);
}

#[test]
fn a_hung_application_is_unready_and_restarted() {
    let mut bench = Bench::new("[{image: '*', ready: 1s, terminate: 2s}]");
    let probe = json!({"httpGet": {"port": 8080}, "periodSeconds": 10, "failureThreshold": 3});
    let mut spec = with_probe("livenessProbe", &probe);
    spec["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"port": 8080}, "periodSeconds": 5, "failureThreshold": 1});
    bench.bind("p", spec);
    bench.run_to(21_000);
    bench.app_health("p", "c", false);
    bench.run_to(200_000);
    assert_eq!(
        bench.story,
        ["p 0s Pending", "p 0s Running", "p 5s Running ready", "p 25s Running", "p 57s Running ready",]
    );
    assert_eq!(
        bench.events_of("Killing"),
        ["50s Normal Killing: Container c failed liveness probe, will be restarted"]
    );
    assert_eq!(bench.status("p")["containerStatuses"][0]["restartCount"], 1);
    assert!(bench.events_of("Unhealthy").iter().any(|event| event.contains("Client.Timeout exceeded")));
}

#[test]
fn an_application_that_recovers_in_time_is_left_alone() {
    let mut bench = Bench::new("[]");
    let mut spec = with_probe(
        "livenessProbe",
        &json!({"exec": {"command": ["true"]}, "periodSeconds": 10, "failureThreshold": 3}),
    );
    spec["containers"][0]["readinessProbe"] =
        json!({"exec": {"command": ["true"]}, "periodSeconds": 10, "failureThreshold": 2});
    bench.bind("p", spec);
    bench.run_to(1_000);
    bench.app_health("p", "c", false);
    bench.run_to(25_000);
    bench.app_health("p", "c", true);
    bench.app_health("p", "other", false);
    bench.run_to(100_000);
    assert_eq!(bench.story, ["p 0s Pending", "p 0s Running ready", "p 20s Running", "p 30s Running ready"]);
    assert!(bench.events_of("Killing").is_empty());
}

#[test]
fn a_probe_brings_its_own_grace_and_never_means_never() {
    let probe = json!({"tcpSocket": {"port": 80}, "periodSeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 3});
    let mut spec = with_probe("livenessProbe", &probe);
    spec["restartPolicy"] = "Never".into();
    let mut bench = Bench::new("[{image: '*', terminate: 20s}]");
    bench.bind("p", spec);
    bench.run_to(500);
    bench.app_health("p", "c", false);
    bench.run_to(100_000);
    assert_eq!(bench.story.last().map(String::as_str), Some("p 4s Failed"));
    assert_eq!(bench.status("p")["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
    assert_eq!(bench.events_of("Killing"), ["1s Normal Killing: Container c failed liveness probe"]);
}
