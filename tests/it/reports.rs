//! Reports: of kubelets to the API server, and of runs to people.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use seatrial::kernel::{SimDuration, SimTime};
use seatrial::report::{html, trace, traffic};
use seatrial::scenario::{Run, RunOptions, Scenario};
use seatrial::sim::{Delays, RecordMode, Simulation};

/// What kubelets say reaches the API server in the order in which they said it: a container that ends and starts again at once makes for two reports of one instant, each with a delay of its own.
#[test]
fn the_status_of_a_restarted_container_is_the_last_one_said() {
    let behaviour = json!({"image": "*", "start": "1s", "exit": {"code": 1, "after": "3s", "once": true}});
    let behaviour = serde_json::from_value(behaviour).expect("a behaviour");
    let builder = Simulation::builder().delays(Delays::realistic()).behaviour(behaviour).nodes(3);
    let mut sim = builder.build().expect("a cluster");
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 30,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:v1"}]},
            },
        },
    });
    sim.apply(&manifest.to_string()).expect("a valid Deployment");
    sim.run_until(SimTime::ZERO + SimDuration::from_secs(20));
    let restarted =
        |restarts| sim.view().pods.iter().filter(|pod| pod.is_ready() && restarts_of(pod) == restarts).count();
    assert_eq!((restarted(1), sim.view().pods.iter().count()), (30, 30));
}

fn restarts_of(pod: &seatrial::objects::Pod) -> i32 {
    pod.status.container_statuses.iter().map(|status| status.restart_count).sum()
}

fn recorded(text: &str) -> (Scenario, Run) {
    let scenario = Scenario::read("s.yaml", text).expect("a scenario");
    let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() }).expect("a run");
    (scenario, run)
}

fn node_loss() -> (Scenario, Run) {
    let manifest = include_str!("../../scenarios/manifests/web.yaml").replace('\n', "\n    ");
    let text = include_str!("../../scenarios/rolling-update-node-loss.yaml");
    recorded(&text.replace("  manifests: [manifests/web.yaml]", &format!("  objects: |\n    {manifest}")))
}

/// The names of the elements of a page, closing ones with a slash. Fails where `<` is not that of an element.
fn elements(page: &str) -> Vec<&str> {
    let tag =
        |part: &'_ str| -> Option<usize> { part.find(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '!') };
    page.split('<').skip(1).map(|part| &part[..tag(part).expect("a tag")]).collect()
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let (scenario, run) = node_loss();
    let page = html(&scenario, &run);
    for foreign in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "http:", "https:"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let mut open = Vec::new();
    for element in elements(&page) {
        match element.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if matches!(element, "!doctype" | "meta" | "path") => {}
            None => open.push(element),
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    let (again, second) = node_loss();
    assert_eq!(html(&again, &second), page);
}

#[test]
fn a_report_has_a_chart_for_the_workload_and_a_row_for_each_node_and_pod() {
    let (scenario, run) = node_loss();
    let page = html(&scenario, &run);
    assert_eq!(page.matches("<h3>deployment/web</h3>").count(), 1);
    assert_eq!(page.matches("<div class=\"chart\">").count(), 1);
    // Four nodes, ten old pods, ten new ones, two more for those on the lost machine; and two axes.
    assert_eq!(page.matches("<div class=\"row\">").count(), 4 + 22 + 2);
    assert!(page.contains("<li><b>1m20s</b> nodeDown worker-2</li>"));
    assert!(page.contains("title=\"0s – 2m5s: ready\"") && page.contains("title=\"2m5s – 15m: unknown\""));
    assert_eq!(page.matches("<li class=\"good\">").count(), 5);
}

#[test]
fn names_cannot_break_a_report() {
    let text =
        "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: '</title><script>\"&'}\nspec: {duration: 1m}\n";
    let (scenario, run) = recorded(text);
    let page = html(&scenario, &run);
    assert!(!page.contains("<script"));
    assert!(page.contains("<h1>&lt;/title&gt;&lt;script&gt;&quot;&amp;</h1>"));
}

#[test]
fn a_trace_has_the_states_of_every_pod_one_after_the_other() {
    let (_, run) = node_loss();
    let trace: Value = serde_json::from_str(&trace(&run)).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let mut last: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for slice in events.iter().filter(|event| event["ph"] == "X") {
        let number = |field: &str| slice[field].as_u64().expect("a number");
        let end = last.entry((number("pid"), number("tid"))).or_default();
        assert!(number("ts") >= *end && number("dur") > 0, "{slice}");
        *end = number("ts") + number("dur");
    }
    assert_eq!(last.len(), 4 + 22);
    let marks: Vec<&str> = events.iter().filter(|e| e["ph"] == "i").filter_map(|e| e["name"].as_str()).collect();
    assert_eq!(marks.last(), Some(&"nodeDown worker-2"));
}

#[test]
fn a_report_shows_what_came_of_the_traffic() {
    let story = |file: &str| {
        let path =
            format!("{}/scenarios/stories/rolling-update-drops-requests/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
        let scenario = Scenario::load(path.as_ref()).expect("a scenario");
        let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() }).expect("a run");
        let page = html(&scenario, &run);
        let (_, client) = page.split_once("<h3>users → service/web:80</h3>").expect("a client");
        client.split_once("<h2>Nodes</h2>").expect("what follows").0.to_owned()
    };
    let (bare, careful) = (story("trouble"), story("fix"));
    let is_refused = |text: &str| text.contains("<span class=\"name\"><bdi>refused</bdi></span>");
    assert!(is_refused(&bare) && !is_refused(&careful), "only the careful one loses nothing");
    assert!(careful.contains("14000 requests, 100.000% succeeded, 0 lost"));
    // The new version first, in the colour of its pods; then latencies, the longest first.
    let names: Vec<&str> = careful.split("<bdi>").skip(1).filter_map(|rest| rest.split("</bdi>").next()).collect();
    let is_version = |name: &&&str| name.starts_with("shop/web:");
    assert_eq!(
        names.iter().filter(is_version).map(|name| &name[..11]).collect::<Vec<_>>(),
        ["shop/web:v2", "shop/web:v1"]
    );
    assert_eq!(names[names.len() - 6..], ["≤ 100ms", "≤ 50.0ms", "≤ 20.0ms", "p50", "p99", "longest"]);
    assert!(careful.contains("<b class=\"v0 l5\""));
    // Every window of a second from the first request on has been answered.
    let answered = careful.split("</div></div>").next().expect("a row").matches("<b class=\"good").count();
    assert!((65..=71).contains(&answered), "{answered}");
}

#[test]
fn what_came_of_the_traffic_names_the_gateway_that_answered() {
    let path = format!("{}/scenarios/gateway-weights.yaml", env!("CARGO_MANIFEST_DIR"));
    let scenario = Scenario::load(path.as_ref()).expect("a scenario");
    let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() }).expect("a run");
    let report = run.simulation.traffic().expect("traffic");
    let text = traffic(&report);
    assert!(text.lines().any(|line| line.starts_with("strangers") && line.ends_with("no rule of a gateway")), "{text}");
    let page = html(&scenario, &run);
    assert!(page.contains("other.example.com by no rule of the gateway to nobody"), "{page}");
}
