//! What containers wait for, and containers beside the usual ones.

use serde_json::{Value, json};

use super::bench::Bench;
use crate::api::{Change, ChangeType};
use crate::objects::{Object, PodSpec};

impl Bench {
    /// Stores an object that pods refer to.
    fn put(&mut self, wire: Value) {
        let object = Object::from_wire(wire).expect("an object");
        let resource_version = self.view.resource_version + 1;
        self.view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version });
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": {"a": "1"}})
}

fn seconds(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| event.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_container_waits_for_what_its_environment_needs() {
    let mut bench = Bench::new("[{image: '*', start: 1s}]");
    let env = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]);
    bench.bind("p", json!({"containers": [{"name": "c", "image": "web", "env": env}, {"name": "d", "image": "log"}]}));
    bench.run_to(15_000);
    let status = bench.status("p");
    assert_eq!(
        status["containerStatuses"][0]["state"]["waiting"],
        json!({"reason": "CreateContainerConfigError", "message": "configmap \"settings\" not found"})
    );
    assert_eq!((&status["phase"], &status["containerStatuses"][1]["ready"]), (&json!("Pending"), &json!(true)));
    bench.put(config_map("settings"));
    bench.run_to(30_000);
    assert_eq!(seconds(&bench.events_of("Failed")), ["1s", "11s"]);
    assert!(bench.events_of("Failed")[0].ends_with("Failed: Error: configmap \"settings\" not found"));
    assert_eq!(bench.story, ["p 0s Pending", "p 21s Running ready"]);
}

#[test]
fn a_pod_waits_for_the_volumes_it_mounts() {
    let mut bench = Bench::new("[{image: '*', start: 1s}]");
    let volumes = json!([{"name": "cfg", "configMap": {"name": "settings"}}, {"name": "tmp", "emptyDir": {}}]);
    bench.bind(
        "p",
        json!({"volumes": volumes, "containers": [{"name": "c", "image": "web"}, {"name": "d", "image": "log"}]}),
    );
    bench.run_to(9_000);
    let failed = "MountVolume.SetUp failed for volume \"cfg\" : configmap \"settings\" not found";
    assert_eq!(bench.events_of("FailedMount")[0], format!("1s Warning FailedMount: {failed}"));
    assert_eq!(seconds(&bench.events_of("FailedMount")), ["1s", "1.5s", "2.5s", "4.5s", "8.5s"]);
    assert_eq!(bench.status("p")["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    assert_eq!(bench.status("p")["conditions"][0]["status"], "False");
    bench.put(config_map("settings"));
    bench.run_to(60_000);
    assert_eq!(bench.story, ["p 0s Pending", "p 16.5s Running ready"]);
}

#[test]
fn a_post_start_hook_holds_its_container_and_those_behind_it() {
    let mut bench = Bench::new("[{image: '*', start: 1s}, {image: 'slow:*', start: 1s, postStart: 7s}]");
    let hook = json!({"postStart": {"exec": {"command": ["sleep", "3"]}}});
    let http = json!({"postStart": {"httpGet": {"port": 80}}});
    bench.bind(
        "p",
        json!({"containers": [
            {"name": "a", "image": "web", "lifecycle": hook}, {"name": "b", "image": "slow:1", "lifecycle": http},
            {"name": "c", "image": "log"}]}),
    );
    bench.run_to(60_000);
    // a 1..4, then b 4..11, then c.
    assert_eq!(seconds(&bench.events_of("Started")), ["1s", "4s", "11s"]);
    assert_eq!(bench.story, ["p 0s Pending", "p 11s Running ready"]);
    bench.bind("q", json!({"containers": [{"name": "a", "image": "web", "lifecycle": hook}]}));
    bench.run_to(62_000);
    bench.delete("q", 30);
    bench.run_to(100_000);
    assert_eq!(bench.story.last().map(String::as_str), Some("q 1m2s gone"));
}

#[test]
fn an_ephemeral_container_starts_beside_the_others_and_only_once() {
    let entries =
        "[{image: '*', start: 1s}, {image: 'init:*', ready: never}, {image: 'shell:*', exit: {code: 1, after: 5s}}]";
    let mut bench = Bench::new(entries);
    let init = json!([{"name": "i", "image": "init:1"}]);
    bench.bind("p", json!({"initContainers": init, "containers": [{"name": "c", "image": "web"}]}));
    bench.run_to(10_000);
    let spec = json!({"initContainers": init, "containers": [{"name": "c", "image": "web"}],
        "ephemeralContainers": [{"name": "debugger", "image": "shell:1"}]});
    let Value::Object(spec) = spec else { unreachable!("an object") };
    let spec = PodSpec::from_wire(spec).expect("a spec");
    bench.change("p", |pod| {
        pod.spec = spec.into();
        pod.meta.generation = 2;
    });
    let debugger = |bench: &Bench| bench.status("p")["ephemeralContainerStatuses"][0].clone();
    assert_eq!(debugger(&bench)["state"]["waiting"]["reason"], "ContainerCreating");
    bench.run_to(12_000);
    assert_eq!(debugger(&bench)["state"]["running"]["startedAt"], "2026-01-01T00:00:10Z");
    bench.run_to(60_000);
    let ended = debugger(&bench);
    assert_eq!((&ended["state"]["terminated"]["exitCode"], &ended["restartCount"]), (&json!(1), &json!(0)));
    // The init container never ends, and the pod is as it was.
    assert_eq!(bench.story, ["p 0s Pending"]);
    assert_eq!(bench.events_of("Started").len(), 2);
}

#[test]
fn a_finished_pod_does_not_wait_for_an_ephemeral_container() {
    let mut bench = Bench::new("[{image: 'task:*', exit: {after: 5s}}, {image: 'shell:*', terminate: 2s}]");
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "task:1"}],
        "ephemeralContainers": [{"name": "debugger", "image": "shell:1"}]});
    bench.bind("p", spec);
    bench.run_to(60_000);
    assert_eq!(bench.story, ["p 0s Pending", "p 0s Running ready", "p 5s Running", "p 7s Succeeded"]);
}

#[test]
fn rules_of_a_container_come_before_its_policy() {
    let entries =
        "[{image: 'flaky:*', exit: {code: 42, after: 5s, once: true}}, {image: 'bad:*', exit: {code: 1, after: 5s}}]";
    let rule = |operator: &str| json!([{"action": "Restart", "exitCodes": {"operator": operator, "values": [42]}}]);
    let container = |image: &str, rules: Value| json!([{"name": "c", "image": image, "restartPolicy": "Never", "restartPolicyRules": rules}]);
    let mut bench = Bench::new(entries);
    let pod = |containers: Value| json!({"restartPolicy": "Never", "containers": containers});
    bench.bind("again", pod(container("flaky:1", rule("In"))));
    bench.bind("over", pod(container("bad:1", rule("In"))));
    bench.bind("other", pod(container("flaky:1", rule("NotIn"))));
    bench.run_to(60_000);
    let last = |name: &str| bench.story.iter().rfind(|entry| entry.starts_with(&format!("{name} "))).cloned();
    assert_eq!(last("again").as_deref(), Some("again 5s Running ready"));
    assert_eq!(bench.status("again")["containerStatuses"][0]["restartCount"], 1);
    assert_eq!(last("over").as_deref(), Some("over 5s Failed"));
    assert_eq!(last("other").as_deref(), Some("other 5s Failed"));
}

#[test]
fn a_rule_may_let_the_whole_pod_begin_anew() {
    let entries = "[{image: '*', start: 1s}, {image: 'init:*', start: 1s, exit: {after: 2s}}, \
                   {image: 'flaky:*', start: 1s, exit: {code: 42, after: 5s, once: true}}]";
    let rules = json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]);
    let mut bench = Bench::new(entries);
    bench.bind(
        "p",
        json!({"restartPolicy": "Always", "initContainers": [{"name": "i", "image": "init:1"}], "containers": [
            {"name": "c", "image": "flaky:1", "restartPolicy": "Never", "restartPolicyRules": rules},
            {"name": "d", "image": "web"}]}),
    );
    bench.run_to(9_000);
    let status = bench.status("p");
    assert_eq!(status["initContainerStatuses"][0]["lastState"]["terminated"]["reason"], "RestartingAllContainers");
    assert_eq!(status["containerStatuses"][1]["state"]["waiting"]["reason"], "RestartingAllContainers");
    assert_eq!(status["conditions"][5]["type"], "AllContainersRestarting");
    bench.run_to(60_000);
    // init 1..3, then both from 4; the first exits at 9; init 10..12, both from 13.
    assert_eq!(seconds(&bench.events_of("Started")), ["1s", "4s", "4s", "10s", "13s", "13s"]);
    assert_eq!(bench.events_of("Killing"), ["9s Normal Killing: killing"]);
    let status = bench.status("p");
    let counts: Vec<&Value> =
        status["containerStatuses"].as_array().expect("a list").iter().map(|c| &c["restartCount"]).collect();
    assert_eq!(counts, [&json!(1), &json!(1)]);
    assert_eq!(status["conditions"][5]["status"], "False");
}
