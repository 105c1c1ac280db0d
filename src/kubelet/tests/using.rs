//! Containers that use more than they may.

use serde_json::json;

use super::bench::Bench;

fn container(name: &str, image: &str, limit: &str) -> serde_json::Value {
    json!({"name": name, "image": image, "resources": {"limits": {"memory": limit}, "requests": {"memory": limit}}})
}

#[test]
fn a_container_that_outgrows_its_limit_is_killed_and_started_again() {
    let mut bench = Bench::new("[{image: 'leak:*', memory: {use: 100Mi, grow: 1Mi/s}}]");
    bench.bind("a", json!({"containers": [container("c", "leak:1", "160Mi")]}));
    // The first byte above 160 Mi.
    bench.run_to(60_000);
    assert_eq!(bench.status("a")["containerStatuses"][0]["restartCount"], 0);
    bench.run_to(60_001);
    let status = bench.status("a")["containerStatuses"][0].clone();
    assert_eq!(status["restartCount"], 1);
    let end = &status["lastState"]["terminated"];
    assert_eq!((&end["reason"], &end["exitCode"]), (&json!("OOMKilled"), &json!(137)));
    // Each life lasts a minute again; from the second on there is a back-off.
    bench.run_to(131_000);
    let status = bench.status("a")["containerStatuses"][0].clone();
    assert_eq!(status["restartCount"], 2);
    assert_eq!(bench.events_of("BackOff").len(), 1);
}

#[test]
fn a_pod_level_limit_kills_the_container_that_uses_most() {
    let entries = "[{image: 'big:*', memory: 80Mi}, {image: 'small:*', memory: {use: 10Mi, grow: 1Mi/s}}]";
    let mut bench = Bench::new(entries);
    let containers = json!([{"name": "small", "image": "small:1"}, {"name": "big", "image": "big:1"}]);
    let resources = json!({"limits": {"memory": "100Mi"}, "requests": {"memory": "100Mi"}});
    bench.bind("a", json!({"containers": containers, "resources": resources, "restartPolicy": "Never"}));
    bench.run_to(10_500);
    let statuses = bench.status("a")["containerStatuses"].clone();
    assert_eq!(statuses[0]["state"]["terminated"]["reason"], "OOMKilled", "{statuses}");
    assert_eq!(statuses[0]["name"], "big");
    // What is left may grow until it is alone too much.
    bench.run_to(91_000);
    assert_eq!(bench.status("a")["phase"], "Failed");
}

#[test]
fn volumes_in_memory_count_as_memory_and_stay_over_a_restart() {
    let mut bench = Bench::new("[{image: 'cache:*', emptyDirs: {tmp: {grow: 1Mi/s}}}]");
    let volumes = json!([{"name": "tmp", "emptyDir": {"medium": "Memory"}}]);
    let spec = json!({"containers": [container("c", "cache:1", "30Mi")], "volumes": volumes});
    bench.bind("a", spec);
    bench.run_to(30_500);
    assert_eq!(bench.status("a")["containerStatuses"][0]["restartCount"], 1);
    // The volume is full: the next life has no room at all.
    bench.run_to(31_000);
    let waiting = bench.status("a")["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    assert_eq!(waiting, "CrashLoopBackOff");
}

#[test]
fn what_nobody_models_takes_no_timer() {
    let mut bench = Bench::new("[{image: 'x', memory: 1Gi}]");
    bench.bind("a", json!({"containers": [container("c", "web", "1Mi")]}));
    bench.run_to(1_000_000);
    assert_eq!(bench.steps(), 1, "its start");
}
