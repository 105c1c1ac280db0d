//! The command: what it prints, where, and how it ends.

mod objects;

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;

const HOLDS: &str = "scenarios/recreate-has-a-gap.yaml";

fn seatrial(arguments: &[&str]) -> Assert {
    command().args(arguments).assert()
}

fn command() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CLICOLOR_FORCE");
    command
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("UTF-8")
}

/// A file of this test.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn scenario(lines: &str) -> String {
    format!("apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {{name: t}}\nspec:\n  duration: 1m\n{lines}")
}

#[test]
fn a_run_that_keeps_its_promises_exits_with_0() {
    let run = seatrial(&["run", HOLDS]).code(0);
    let told = stdout(&run);
    assert!(told.starts_with("recreate-has-a-gap: ") && told.contains(" of virtual time, "), "{told}");
    assert!(told.ends_with("All 4 expectations held.\n"), "{told}");
    assert_eq!(stderr(&run), "");
}

#[test]
fn a_broken_promise_exits_with_1_and_says_the_values() {
    let run = command()
        .args(["run", "-"])
        .write_stdin(scenario("  nodes: [{name: w}]\n  expect:\n  - {final: podsOn(node/w) == 1}\n"))
        .assert()
        .code(1);
    let told = stdout(&run);
    assert!(
        told.contains(
            "BROKEN  final: podsOn(node/w) == 1\n          at 1m0s (<stdin>:8:13)\n            ✗ podsOn(node/w) = 0, want == 1\n"
        ),
        "{told}"
    );
    assert!(told.ends_with("The expectation was broken.\n"), "{told}");
}

#[test]
fn wrong_input_exits_with_2_and_shows_the_line() {
    let folder = folder();
    let wrong = file(&folder, "wrong.yaml", &scenario("  seed: 1\n  nodes:\n  - {name: w, cuont: 3}\n"));
    let run = seatrial(&["run", &wrong]).code(2);
    assert_eq!(stdout(&run), "");
    let told = stderr(&run).replace(folder.path().to_str().expect("UTF-8"), "");
    assert!(!told.contains('\u{1b}'), "no colours where there is no terminal");
    insta::assert_snapshot!(told);
}

#[test]
fn a_refused_manifest_is_shown_at_its_line_of_the_scenario() {
    let objects = "  objects: |\n    apiVersion: v1\n    kind: Pod\n    metadata:\n      name: Web\n    spec:\n      \
                   containers:\n      - name: c\n        image: x\n";
    let run = command().args(["run", "-"]).write_stdin(scenario(objects)).assert().code(2);
    insta::assert_snapshot!(stderr(&run));
}

#[test]
fn files_that_are_not_there_are_named() {
    for arguments in [&["run", "nowhere.yaml"][..], &["check", "nowhere.yaml"], &["get", "pods", "-f", "nowhere.yaml"]]
    {
        let told = stderr(&seatrial(arguments).code(2));
        assert!(told.starts_with("error: nowhere.yaml: No such file or directory"), "{told}");
    }
}

#[test]
fn commands_of_kubectl_are_told_what_does_the_same_here() {
    for (command, told) in [
        (
            "scale",
            "help: what `kubectl scale` does is a step of the scenario: {at: 1m, scale: {target: deployment/web, replicas: 3}}",
        ),
        ("logs", "help: there is nothing to `logs`: containers do only what the scenario says."),
        ("wait", "help: what is to come true stands in the scenario: `expect: [{eventually: "),
    ] {
        let refused = seatrial(&[command, "deployment/web"]).code(2);
        assert!(stderr(&refused).contains(told), "{}", stderr(&refused));
    }
    assert!(!stderr(&seatrial(&["dance"]).code(2)).contains("help: "));
}

#[test]
fn an_instant_after_the_end_is_told_to_be_none() {
    let late = seatrial(&["get", "pods", "--at", "10h", "-f", HOLDS]).success();
    assert!(stderr(&late).starts_with("note: the run ended at "), "{}", stderr(&late));
    assert_eq!(stderr(&seatrial(&["get", "pods", "--at", "10s", "-f", HOLDS]).success()), "");
}

#[test]
fn wrong_arguments_exit_with_2() {
    for arguments in [&["run"][..], &["runn"], &["get", "pods"], &["get", "pods", "-f", HOLDS, "--at", "noon"], &[]] {
        seatrial(arguments).code(2);
    }
    let told = stderr(&seatrial(&["get", "gizmos", "-f", HOLDS]).code(2));
    assert!(told.starts_with("error: the server doesn't have a resource type \"gizmos\"; there are "), "{told}");
}

#[test]
fn the_event_log_is_json_lines_and_equal_for_two_runs() {
    let folder = folder();
    let logs: Vec<String> = (0..2)
        .map(|n| {
            let path = file(&folder, &format!("{n}.jsonl"), "");
            seatrial(&["run", HOLDS, "--events", &path]).code(0);
            fs::read_to_string(path).expect("a log")
        })
        .collect();
    assert_eq!(logs[0], logs[1]);
    let lines: Vec<Value> = logs[0].lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.len() > 100 && lines.iter().all(|line| line["t"].is_number() && line["type"].is_string()));
    assert!(lines.is_sorted_by(|a, b| a["t"].as_f64() <= b["t"].as_f64()));
    let printed = stdout(&seatrial(&["run", HOLDS, "--events", "-"]).code(0));
    assert_eq!(printed, logs[0], "and nothing else is printed");
}

#[test]
fn an_event_log_that_cannot_be_written_is_wrong_input() {
    let told = stderr(&seatrial(&["run", HOLDS, "--events", "/nowhere/log.jsonl"]).code(2));
    assert!(told.starts_with("error: /nowhere/log.jsonl: "), "{told}");
}

#[test]
fn the_summary_for_programs_has_promises_and_steps() {
    let summary: Value = serde_json::from_str(&stdout(&seatrial(&["run", HOLDS, "-o", "json"]).code(0))).expect("JSON");
    assert_eq!(summary["held"], true);
    assert_eq!(summary["expectations"].as_array().map(Vec::len), Some(4));
    assert_eq!(summary["steps"][0]["verb"], "setImage");
    assert_eq!(summary["steps"][0]["args"]["image"], "proxy:v2");
    assert_eq!(summary["stopped"], Value::Null);
}

#[test]
fn another_seed_is_another_run() {
    let digest = |seed: &str| {
        let run = seatrial(&["run", HOLDS, "-o", "json", "--seed", seed]);
        serde_json::from_str::<Value>(&stdout(&run)).expect("JSON")["digest"].clone()
    };
    assert_eq!(digest("1"), digest("1"));
    assert_ne!(digest("1"), digest("2"));
}

#[test]
fn a_run_stops_when_its_events_are_used_up() {
    let run = seatrial(&["run", HOLDS, "--max-events", "50"]).code(1);
    assert!(stdout(&run).contains("The run did not come to its end: the 50 events"), "{}", stdout(&run));
}

/// A million hours of heartbeats of a thousand nodes would take days.
#[test]
fn no_duration_makes_a_run_hang() {
    let long = scenario("  nodes: [{name: w, count: 1000}]\n").replace("1m", "1000000h");
    let run = command().args(["run", "-", "--max-events", "100000"]).write_stdin(long).assert().code(1);
    assert!(stdout(&run).contains("the 100000 events"), "{}", stdout(&run));
}

#[test]
fn pods_are_listed_as_kubectl_does() {
    let get = |more: &[&str]| {
        let arguments: Vec<&str> = ["get", "pods", "-f", HOLDS].iter().chain(more).copied().collect();
        stdout(&seatrial(&arguments).code(0))
    };
    insta::assert_snapshot!(get(&["--at", "30s"]));
    insta::assert_snapshot!(get(&["-o", "wide"]));
    let names = get(&["-o", "name"]);
    assert!(names.lines().count() == 4 && names.lines().all(|line| line.starts_with("pod/db-proxy-")), "{names}");
    let json: Value = serde_json::from_str(&get(&["-o", "json"])).expect("JSON");
    assert_eq!(json["items"].as_array().map(Vec::len), Some(4));
    let yaml: Value = serde_yaml::from_str(&get(&["-o", "yaml"])).expect("YAML");
    assert_eq!(yaml, json);
}

#[test]
fn one_object_is_given_whole() {
    let json = stdout(&seatrial(&["get", "deploy/db-proxy", "-f", HOLDS, "-o", "json"]).code(0));
    let deployment: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(deployment["kind"], "Deployment");
    assert_eq!(deployment["status"]["availableReplicas"], 4);
}

#[test]
fn what_is_not_found_is_said_as_kubectl_says_it() {
    let told = stderr(&seatrial(&["get", "pod", "nosuch", "-f", HOLDS]).code(1));
    assert_eq!(told, "Error from server (NotFound): pods \"nosuch\" not found\n");
    let told = stderr(&seatrial(&["get", "pods", "-n", "nosuch", "-f", HOLDS]).code(0));
    assert_eq!(told, "No resources found in nosuch namespace.\n");
}

#[test]
fn good_manifests_and_scenarios_pass_the_check() {
    let run =
        seatrial(&["check", "scenarios/manifests/web.yaml", "scenarios/manifests/job-deadline.yaml", HOLDS]).code(0);
    assert_eq!(
        stdout(&run),
        "scenarios/manifests/web.yaml: deployment/web is valid\n\
         scenarios/manifests/web.yaml: service/web is valid\n\
         scenarios/manifests/job-deadline.yaml: job/job-example is valid\n\
         scenarios/recreate-has-a-gap.yaml: scenario recreate-has-a-gap is valid\n"
    );
}

#[test]
fn what_the_api_server_warns_of_is_told_by_the_check() {
    let folder = folder();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {trafficDistribution: PreferClose, ports: [{port: 80}]}\n";
    let old = file(&folder, "old.yaml", service);
    let told = stdout(&seatrial(&["check", &old]).code(0));
    let expected = "service/web is valid\nwarning: spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"\n";
    assert_eq!(told.replace(&format!("{old}: "), ""), expected);
}

#[test]
fn one_bad_file_does_not_keep_the_others_from_being_checked() {
    let folder = folder();
    let bad = file(&folder, "bad.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: []}\n");
    let run = seatrial(&["check", &bad, "scenarios/manifests/pod-nginx.yaml"]).code(2);
    assert_eq!(stdout(&run), "scenarios/manifests/pod-nginx.yaml: pod/nginx is valid\n");
    insta::assert_snapshot!(stderr(&run).replace(folder.path().to_str().expect("UTF-8"), ""));
}

#[test]
fn a_manifest_given_to_run_is_explained() {
    insta::assert_snapshot!(stderr(&seatrial(&["run", "scenarios/manifests/web.yaml"]).code(2)));
}

#[test]
fn help_names_the_exit_codes() {
    for command in ["run", "check", "get"] {
        let told = stdout(&seatrial(&[command, "--help"]).code(0));
        assert!(told.contains("Exit codes: 0 "), "{told}");
    }
}

#[test]
fn pods_are_described_at_an_instant() {
    const FILE: &str = "scenarios/environment-is-made-at-the-start.yaml";
    let describe = |more: &[&str]| {
        let arguments: Vec<&str> =
            ["describe", "pods", "-l", "app=web", "-f", FILE].iter().chain(more).copied().collect();
        stdout(&seatrial(&arguments).code(0))
    };
    let early = describe(&["--at", "12s"]);
    assert!(early.contains("      Reason:       CreateContainerConfigError\n"), "{early}");
    assert!(early.contains("  web:  configmap \"settings\" not found\n"), "{early}");
    let late = describe(&[]);
    assert!(late.contains("\n    CACHE_SERVICE_HOST: ") && late.contains("\nMemory QoS:\n"), "{late}");
    // Before the pod was replaced it did not know the newer service.
    assert!(!describe(&["--at", "50s"]).contains("CACHE_SERVICE_HOST"));
    let plain = describe(&["--kubectl"]);
    assert!(late.starts_with(&plain) && !plain.contains("Memory QoS"), "{plain}");

    let none = seatrial(&["describe", "pod/none", "-f", FILE]).code(1);
    assert_eq!(stderr(&none), "Error from server (NotFound): pods \"none\" not found\n");
    assert_eq!(stdout(&seatrial(&["describe", "pods", "-l", "app=none", "-f", FILE]).code(0)), "");
    let lease = stdout(&seatrial(&["describe", "leases", "-A", "-f", FILE]).code(0));
    assert!(lease.contains("\n  Renew Time:  "), "{lease}");
}

#[test]
fn pod_presets_are_injected_when_the_scenario_says_so() {
    let objects = "  nodes: [{name: w}]\n  objects: |\n    {apiVersion: settings.k8s.io/v1alpha1, kind: PodPreset, metadata: \
                   {name: p}, spec: {selector: {}, env: [{name: FROM_PRESET, value: 'yes'}]}}\n    ---\n    {apiVersion: v1, \
                   kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: web}]}}\n";
    let described = |option: &str| {
        let text = scenario(&format!("{option}{objects}"));
        stdout(&command().args(["describe", "pod", "web", "-f", "-"]).write_stdin(text).assert().code(0))
    };
    assert!(described("  podPresets: true\n").contains("FROM_PRESET:  yes"));
    assert!(!described("").contains("FROM_PRESET"));
}

#[test]
fn a_tree_shows_what_a_deployment_owns() {
    let scenario = "scenarios/recreate-has-a-gap.yaml";
    let shown = seatrial(&["tree", "deployment/db-proxy", "--at", "20s", "-f", scenario]);
    let text = stdout(&shown);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Deployment/db-proxy  4/4", "{text}");
    assert!(lines[1].starts_with("└── ReplicaSet/db-proxy-"), "{text}");
    assert_eq!(lines.iter().filter(|line| line.contains("Pod/db-proxy-") && line.ends_with("1/1 Running")).count(), 4);
    seatrial(&["tree", "deployment/nobody", "-f", scenario]).code(1);
}

#[test]
fn an_exploration_tells_what_failed_and_a_small_scenario_that_fails_too() {
    let folder = folder();
    let text = scenario(
        "  parameters: {pods: 2}\n  nodes: [{name: w, count: $(params.pods)}]\n  faults: [{kind: NodeCrash, mtbf: 40s, mttr: 5s}]\n  expect:\n  - {always: \"ready(node/w) >= 0\"}\n",
    );
    let wrong = file(&folder, "wrong.yaml", &text);
    seatrial(&["explore", &wrong]).code(2);

    let text = text.replace("ready(node/w)", "podsReady(app=web)").replace(">= 0", ">= $(params.pods) * 1");
    let unread = file(&folder, "unread.yaml", &text);
    assert!(stderr(&seatrial(&["explore", &unread]).code(2)).contains("expected the end"));

    let text = text.replace(" * 1", "").replace("always", "eventually");
    let fails = file(&folder, "fails.yaml", &text);
    let out = folder.path().join("out").display().to_string();
    let arguments = ["explore", &fails, "--seeds", "3", "--vary", "pods=1..2", "--out", &out, "-j", "2"];
    let told = stdout(&seatrial(&arguments).code(1));
    assert!(
        told.starts_with("6 cases, 0 held (0.0 %)\n\nWhat failed first\n  eventually: podsReady(app=web) >= 1\n"),
        "{told}"
    );
    assert!(told.contains("\nBy parameters\n  PODS   CASES   HELD"), "{told}");
    let small = told.lines().last().and_then(|line| line.strip_prefix("  seatrial run ")).expect("a file");
    seatrial(&["run", small]).code(1);
    // What is there already is told again without being run again.
    assert_eq!(stdout(&seatrial(&arguments).code(1)), told);
    let merged: Value = serde_json::from_str(&stdout(&seatrial(&["merge", &out, "-o", "json"]).code(1))).expect("JSON");
    assert_eq!((&merged["cases"], &merged["held"]), (&Value::from(6), &Value::from(0)));
}

#[test]
fn a_parameter_is_set_from_the_command_line() {
    let folder = folder();
    let text = scenario(
        "  parameters: {pods: 2}\n  nodes: [{name: w, count: $(params.pods)}]\n  measure: [{name: pods, max: pods(app=web)}]\n",
    );
    let path = file(&folder, "s.yaml", &text);
    let nodes = stdout(&seatrial(&["get", "nodes", "-o", "name", "-f", &path, "--set", "pods=3"]).code(0));
    assert_eq!(nodes, "node/w-0\nnode/w-1\nnode/w-2\n");
    assert!(stdout(&seatrial(&["run", &path]).code(0)).contains("\nMeasured\n  pods   0\n"));
    let wrong = stderr(&seatrial(&["run", &path, "--set", "m=3"]).code(2));
    assert!(
        wrong.contains("the scenario has no parameter \"m\"") && wrong.contains("the parameters are pods"),
        "{wrong}"
    );
}

#[test]
fn steps_that_could_do_nothing_are_told_and_evictions_that_a_budget_refuses_are_not() {
    let folder = folder();
    let text = r#"
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: void}
spec:
  duration: 20s
  nodes: [{name: w}]
  objects: |
    {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}}, spec: {containers: [{name: c, image: i}]}}
    ---
    {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: a}, spec: {minAvailable: 1, selector: {matchLabels: {app: a}}}}
  steps:
  - {at: 5s, scale: {target: deployment/nope, replicas: 3}}
  - {at: 6s, nodeDown: {node: elsewhere}}
  - {at: 10s, evict: {target: pod/a}}
  - {at: 1m, cordon: {node: w}}
"#;
    let path = file(&folder, "void.yaml", text);
    let told = stdout(&seatrial(&["run", &path]).success());
    let notes: Vec<&str> = told.lines().filter_map(|line| line.trim_start().strip_prefix("note ")).collect();
    assert_eq!(
        notes.iter().map(|note| note.trim()).collect::<Vec<_>>(),
        [
            "the step scale deployment/nope replicas=3 was refused: deployments.apps \"nope\" not found",
            "the step nodeDown elsewhere was refused: nodes \"elsewhere\" not found",
            "the step cordon w was not taken: the run ended before",
        ]
    );
}

#[test]
fn a_file_that_is_no_text_is_told_with_the_place_of_the_first_wrong_byte() {
    let folder = folder();
    let path = folder.path().join("latin.yaml");
    fs::write(&path, b"kind: Pod\nmetadata: {name: \xe9}\n").expect("a file");
    let told = stderr(&seatrial(&["check", path.to_str().expect("UTF-8")]).code(2));
    assert!(told.contains("latin.yaml: line 2, column 18: the byte 0xe9 is not UTF-8"), "{told}");
}

#[test]
fn usage_of_what_is_not_there_is_not_found() {
    let told = stderr(&seatrial(&["top", "pod", "nope", "-f", HOLDS]).code(1));
    assert_eq!(told, "Error from server (NotFound): pods \"nope\" not found\n");
    let told = stderr(&seatrial(&["top", "node", "nope", "-f", HOLDS]).code(1));
    assert_eq!(told, "Error from server (NotFound): nodes \"nope\" not found\n");
}
