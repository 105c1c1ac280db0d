//! What is told of a broken expectation: to people, to programs, to CI systems.

use std::fs;

use assert_cmd::Command;
use quick_xml::Reader;
use quick_xml::events::Event;
use seatrial::report::{failure, html};
use seatrial::scenario::{Outcome, Run, RunOptions, Scenario};
use seatrial::sim::RecordMode;

/// A node is lost during a rollout: nine endpoints are too many to ask for.
fn node_loss(expectations: &str) -> (Scenario, Run) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/");
    let text = fs::read_to_string(format!("{root}rolling-update-node-loss.yaml")).expect("the scenario");
    let (head, _) = text.split_once("  expect:\n").expect("expectations");
    let text = format!("{head}  expect:\n{expectations}").replace("- manifests/", &format!("- {root}manifests/"));
    let text = text.replace("[manifests/", &format!("[{root}manifests/"));
    let scenario = Scenario::read("loss.yaml", &text).expect("a scenario");
    let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() }).expect("a run");
    (scenario, run)
}

fn stories(expectations: &str) -> String {
    let (scenario, run) = node_loss(expectations);
    run.verdicts
        .iter()
        .map(|verdict| format!("{}\n{}\n", verdict.expectation, failure(&scenario, &run, verdict)))
        .collect()
}

#[test]
fn a_broken_expectation_tells_instant_place_values_and_what_happened_around() {
    insta::assert_snapshot!(stories(
        "  - {always: \"available(deployment/web) >= 9 && nodeReady(node/worker-0)\", after: 1m}\n  \
         - {never: \"!nodeReady(node/worker-2) || podsOn(node/worker-2) == 0\", after: 1m}\n  \
         - {eventually: \"endpoints(service/web) == 11 && (exists(pod/a) || quiescent())\", within: 2m}\n"
    ));
}

#[test]
fn the_page_of_a_run_tells_the_same() {
    let (scenario, run) = node_loss("  - {always: \"available(deployment/web) >= 9\", after: 1m}\n");
    let story = failure(&scenario, &run, &run.verdicts[0]);
    let (first, rest) = story.split_once('\n').expect("lines");
    let page = html(&scenario, &run);
    assert!(page.contains(&format!("<small>broken {first}</small>")), "{first}");
    let inside = rest.replace('&', "&amp;").replace('>', "&gt;").replace('<', "&lt;").replace('"', "&quot;");
    assert!(page.contains(&format!("<pre>{inside}</pre>")), "{inside}");
}

#[test]
fn what_is_asked_about_an_object_that_there_is_not_says_so() {
    let text = "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: t}\nspec:\n  duration: 1m\n  nodes: [{name: w}]\n  expect:\n  - {final: available(deployment/wbe) >= 1}\n  - {final: rolloutComplete(deployment/wbe)}\n  - {final: exists(deployment/wbe)}\n";
    let scenario = Scenario::read("t.yaml", text).expect("a scenario");
    let run = scenario.run(&RunOptions::default()).expect("a run");
    let why = run.verdicts.iter().filter_map(|verdict| match &verdict.outcome {
        Outcome::Failed { why, .. } => Some(why.as_str()),
        Outcome::Held { .. } => None,
    });
    assert_eq!(
        why.collect::<Vec<_>>(),
        [
            "available(deployment/wbe) = 0 (there is no deployment/wbe), want >= 1",
            "rolloutComplete(deployment/wbe) = false (there is no deployment/wbe), want true",
            "exists(deployment/wbe) = false, want true",
        ]
    );
}

/// Without a recording there is nothing to tell of what happened around, and the values are there all the same.
#[test]
fn values_are_told_without_a_recording() {
    let text = "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: t}\nspec:\n  duration: 1m\n  nodes: [{name: w}]\n  expect:\n  - {final: podsOn(node/w) == 1}\n";
    let scenario = Scenario::read("t.yaml", text).expect("a scenario");
    let run = scenario.run(&RunOptions::default()).expect("a run");
    assert_eq!(
        failure(&scenario, &run, &run.verdicts[0]),
        "at 1m0s (t.yaml:8:13)\n  ✗ podsOn(node/w) = 0, want == 1\n"
    );
    let Outcome::Failed { why, parts, .. } = &run.verdicts[0].outcome else { panic!("it was broken") };
    assert_eq!((why.as_str(), parts.len()), ("podsOn(node/w) = 0, want == 1", 1));
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn with(self, name: &str, lines: &str) -> Self {
        let text = format!(
            "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {{name: {name}}}\nspec:\n  duration: 1m\n  nodes: [{{name: w}}]\n{lines}"
        );
        fs::write(self.0.path().join(format!("{name}.yaml")), text).expect("a file");
        self
    }

    /// Exit code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
        let output = command.current_dir(self.0.path()).args(arguments).output().expect("the command");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
    }
}

fn good_and_bad() -> Folder {
    Folder::new()
        .with("good", "  expect:\n  - {final: \"podsOn(node/w) == 0\"}\n  - {always: \"noOvercommit()\"}\n")
        .with(
            "bad",
            "  expect:\n  - {always: \"podsOn(node/w) > 0 && exists(node/w)\"}\n  - {final: \"podsOn(node/w) < 1\"}\n",
        )
}

/// Elements with their attributes, and the texts; fails if it is not well-formed.
fn parsed(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().trim_text(true);
    let mut told = Vec::new();
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Eof => return told,
            Event::Start(element) | Event::Empty(element) => {
                let attributes = element.attributes().map(|attribute| {
                    let attribute = attribute.expect("an attribute");
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).expect("a value");
                    format!("{}={value}", attribute.key.as_ref())
                });
                let attributes = attributes.collect::<Vec<_>>().join(" ");
                told.push(format!("{} {attributes}", element.name().as_ref()).trim_end().to_owned());
            }
            _ => {}
        }
    }
}

#[test]
fn junit_has_a_suite_for_each_scenario_and_a_case_for_each_expectation() {
    let folder = good_and_bad();
    let (code, xml, stderr) = folder.run(&["run", "good.yaml", "bad.yaml", "-o", "junit"]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    let told = parsed(&xml);
    let of = |element: &str| told.iter().filter(|line| line.starts_with(element)).cloned().collect::<Vec<_>>();
    assert_eq!(of("testsuites"), ["testsuites name=seatrial tests=6 failures=1 errors=0"]);
    assert_eq!(
        of("testsuite "),
        [
            "testsuite name=good file=good.yaml tests=3 failures=0 errors=0",
            "testsuite name=bad file=bad.yaml tests=3 failures=1 errors=0"
        ]
    );
    assert_eq!(
        of("testcase"),
        [
            "testcase name=final: podsOn(node/w) == 0 classname=good",
            "testcase name=always: noOvercommit() classname=good",
            "testcase name=the run comes to its end classname=good",
            "testcase name=always: podsOn(node/w) > 0 && exists(node/w) classname=bad",
            "testcase name=final: podsOn(node/w) < 1 classname=bad",
            "testcase name=the run comes to its end classname=bad",
        ]
    );
    assert_eq!(of("failure"), ["failure message=podsOn(node/w) = 0, want > 0"]);
    assert!(xml.contains("at 0s (bad.yaml:8:14)"), "{xml}");
    assert_eq!(xml, folder.run(&["run", "good.yaml", "bad.yaml", "-o", "junit"]).1, "the same bytes again");
}

#[test]
fn junit_is_written_beside_what_people_read() {
    let folder = good_and_bad();
    let (code, told, _) = folder.run(&["run", ".", "--junit", "out.xml"]);
    assert_eq!(code, 1);
    assert_eq!(
        told,
        "BROKEN  ./bad.yaml: 1 of 2 expectations broken, seed 0\n        \
         always: podsOn(node/w) > 0 && exists(node/w)\n          \
         at 0s (./bad.yaml:8:14)\n            ✗ podsOn(node/w) = 0, want > 0\n            ✓ exists(node/w) = true\n            \
         around it:\n                     5ms  node/w: RegisteredNode: Node w event: Registered Node w in Controller\n\
         held    ./good.yaml: 2 expectations, seed 0\n\n2 scenarios: 1 held, 1 broken, 0 wrong\n"
    );
    let xml = fs::read_to_string(folder.0.path().join("out.xml")).expect("a file");
    assert_eq!(parsed(&xml).iter().filter(|line| line.starts_with("testcase")).count(), 6);
}

#[test]
fn a_scenario_that_cannot_be_run_is_an_error_among_the_others() {
    let folder = good_and_bad().with("wrong", "  seeed: 1\n");
    let (code, xml, stderr) = folder.run(&["run", ".", "-o", "junit"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("unknown field"), "{stderr}");
    let told = parsed(&xml);
    assert!(told.iter().any(|line| line.starts_with("error message=./wrong.yaml:7:3: ")), "{told:?}");
    assert!(told[0].ends_with("tests=7 failures=1 errors=1"), "{told:?}");
}

#[test]
fn names_cannot_break_the_xml() {
    let folder = Folder::new();
    let text =
        "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: \"<&\\\"]]>\\u0001\"}\nspec: {duration: 1m}\n";
    fs::write(folder.0.path().join("odd.yaml"), text).expect("a file");
    let (code, xml, _) = folder.run(&["run", "odd.yaml", "-o", "junit"]);
    assert_eq!(code, 0);
    assert!(
        parsed(&xml).contains(&"testcase name=the run comes to its end classname=<&\"]]>\u{fffd}".to_owned()),
        "{xml}"
    );
}

#[test]
fn several_scenarios_are_a_list_for_programs() {
    let folder = good_and_bad();
    let (code, json, _) = folder.run(&["run", "bad.yaml", "good.yaml", "-o", "json"]);
    let runs: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, runs.as_array().map(Vec::len)), (1, Some(2)));
    let broken = &runs[0]["expectations"][0];
    assert_eq!(broken["written"], "bad.yaml:8:14");
    assert_eq!(
        broken["parts"][0],
        serde_json::json!({"text": "podsOn(node/w)", "depth": 0, "value": "0", "wanted": "> 0", "holds": false})
    );
}

#[test]
fn what_is_about_one_scenario_is_refused_for_several() {
    let folder = good_and_bad();
    let (code, _, stderr) = folder.run(&["run", ".", "--report", "page.html"]);
    assert_eq!(
        (code, stderr.as_str()),
        (2, "error: --events, --report, --trace and --watch are about one scenario, here are 2\n")
    );
    let empty = Folder::new();
    let (code, _, stderr) = empty.run(&["run", "."]);
    assert_eq!((code, stderr.as_str()), (2, "error: .: there is no scenario in this folder\n"));
}
