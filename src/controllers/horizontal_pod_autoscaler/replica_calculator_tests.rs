//! Rows of upstream's `replica_calculator_test.go`: from figures of pods to replicas. Every pod has two equal containers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::HorizontalPodAutoscalerConfig;
use super::metrics_client::{PodMetric, PodMetrics, resource_metric};
use super::replica_calculator::{Calculator, Proposal, Tolerances};
use crate::kernel::SimDuration;
use crate::objects::{Object, OpaqueObject, Pod, Resource, Timestamp, WallTime};

const NOW: i64 = 1_000_000;
const USUAL: Tolerances = Tolerances { scale_down: 0.1, scale_up: 0.1 };

fn config() -> HorizontalPodAutoscalerConfig {
    HorizontalPodAutoscalerConfig {
        cpu_initialization_period: SimDuration::from_secs(120),
        initial_readiness_delay: SimDuration::from_secs(10),
        ..HorizontalPodAutoscalerConfig::default()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_secs(NOW + seconds)
}

/// What becomes of a pod: `ready`, `unready`, `hot` (ready, and just started), `pending`, `failed`, `deleting`.
fn pod(name: &str, state: &str, request: i64) -> Arc<Pod> {
    let phase = match state {
        "pending" => "Pending",
        "failed" => "Failed",
        _ => "Running",
    };
    let start = if state == "hot" { at(0) } else { Timestamp::from_unix_secs(0) };
    let ready = if state == "unready" { "False" } else { "True" };
    let container =
        |name: &str| json!({"name": name, "image": "i", "resources": {"requests": {"cpu": format!("{request}m")}}});
    let mut metadata = json!({"name": name, "namespace": "n"});
    if state == "deleting" {
        metadata["deletionTimestamp"] = at(0).to_string().into();
    }
    let wire = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container("c1"), container("c2")]},
        "status": {"phase": phase, "startTime": start.to_string(),
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": start.to_string()}]},
    });
    Pod::from_wire(wire).expect("a pod").into()
}

fn metrics(samples: &[Option<i64>]) -> PodMetrics {
    let metric = |value| PodMetric { at: at(0).wall(), window: SimDuration::from_secs(60), value };
    let named = samples.iter().enumerate().map(|(number, sample)| (format!("p{number}"), *sample));
    named.filter_map(|(name, sample)| Some((name.as_str().into(), metric(sample?)))).collect()
}

fn pods(states: &[String], requests: &[i64]) -> Vec<Arc<Pod>> {
    let request = |number: usize| requests.get(number).copied().unwrap_or(1000);
    states.iter().enumerate().map(|(number, state)| pod(&format!("p{number}"), state, request(number))).collect()
}

/// `replicas (per cent)`, or why there are none.
fn told(proposal: Result<Proposal, String>) -> String {
    match proposal {
        Ok(Proposal { replicas, percentage: Some(percentage), .. }) => format!("{replicas} ({percentage})"),
        Ok(Proposal { replicas, .. }) => replicas.to_string(),
        Err(why) => why,
    }
}

struct Row {
    name: &'static str,
    states: Vec<String>,
    /// By pod, what each of its containers uses; pods beyond those that there are belong to somebody else.
    samples: Vec<i64>,
    requests: Vec<i64>,
    tolerances: Tolerances,
    current: i32,
}

const GONE: i64 = -1;

fn row(name: &'static str, states: &str, samples: &[i64], current: i32) -> Row {
    let states = match states {
        "" => vec!["ready".to_owned(); samples.len()],
        states => states.split(' ').map(str::to_owned).collect(),
    };
    Row { name, states, samples: samples.into(), requests: Vec::new(), tolerances: USUAL, current }
}

impl Row {
    fn requests(self, requests: &[i64]) -> Self {
        Self { requests: requests.into(), ..self }
    }

    fn tolerances(self, scale_up: f64, scale_down: f64) -> Self {
        Self { tolerances: Tolerances { scale_down, scale_up }, ..self }
    }

    fn calculate(
        &self,
        calculate: impl Fn(&Calculator<'_>, PodMetrics) -> Result<Proposal, String>,
        times: i64,
    ) -> String {
        let pods = pods(&self.states, &self.requests);
        let pods: Vec<&Arc<Pod>> = pods.iter().collect();
        let samples: Vec<Option<i64>> =
            self.samples.iter().map(|sample| (*sample != GONE).then_some(sample * times)).collect();
        let (config, now) = (config(), at(0).wall());
        let calculator =
            Calculator { pods: &pods, config: &config, tolerances: self.tolerances, now, current: self.current };
        told(calculate(&calculator, metrics(&samples)))
    }
}

#[test]
fn replicas_follow_the_share_of_what_is_requested() {
    let none = "did not receive metrics for targeted pods (pods might be unready)";
    for (row, target, expected) in [
        (row("more", "", &[300, 500, 700], 3), 30, "5 (50)"),
        (row("more, one not ready", "unready ready ready", &[300, 500, 700], 3), 30, "4 (60)"),
        (row("more, one just started", "hot ready ready", &[300, 500, 700], 3), 30, "4 (60)"),
        (row("one is ready and two are not", "ready unready unready", &[400, 500, 700], 3), 30, "3 (40)"),
        (row("failed ones do not count", "ready ready failed failed", &[500, 700], 2), 30, "4 (60)"),
        (row("those that go do not count", "ready ready deleting deleting", &[500, 700], 2), 30, "4 (60)"),
        (row("fewer", "", &[100, 300, 500, 250, 250], 5), 50, "3 (28)"),
        (row("fewer, two not ready", "ready ready ready unready unready", &[100, 300, 500, 250, 250], 5), 50, "2 (30)"),
        (row("fewer, two just started", "ready ready ready hot hot", &[100, 300, 500, 250, 250], 5), 50, "2 (30)"),
        (row("four not scheduled", "ready pending pending pending pending", &[100], 5), 50, "1 (10)"),
        (row("within the tolerance", "", &[1010, 1030, 1020], 3).requests(&[900, 1000, 1100]), 100, "3 (102)"),
        (
            row("figures of others", "ready ready ready ready", &[4000, 9500, 3000, 7000, 3200, 2000], 4),
            100,
            "24 (587)",
        ),
        (row("two are missing", "ready ready ready ready", &[400, 95], 4), 100, "3 (24)"),
        (row("one is missing, as much as wanted", "ready ready", &[1000], 2), 100, "2 (100)"),
        (row("one is missing, too much", "ready ready", &[1900], 2), 100, "2 (190)"),
        (row("one is missing, too little", "ready ready", &[600], 2), 100, "2 (60)"),
        (row("one is missing, one not ready", "unready ready ready", &[100, 450], 3), 50, "3 (45)"),
        (row("one is missing, one not ready, more", "unready ready ready", &[100, 2000], 3), 50, "4 (200)"),
        (row("one is missing, one not ready, fewer", "unready ready ready ready", &[100, 100, 100], 4), 50, "3 (10)"),
        (
            row("the same of more than all", "unready ready ready ready", &[200, 100, 100], 4)
                .requests(&[1000, 1000, 2000, 2000]),
            300,
            "2 (6)",
        ),
        (row("a pod too many in a rollout", "ready ready ready", &[100, 100], 2), 50, "2 (10)"),
        (row("no figures", "ready ready", &[], 2), 100, none),
        (
            row("no tolerance up", "", &[909, 1010, 1111], 3).requests(&[900, 1000, 1100]).tolerances(0.0, 0.1),
            100,
            "4 (101)",
        ),
        (row("up by two thirds more", "", &[1890, 1910, 1900], 3).tolerances(2.0, 0.1), 100, "3 (190)"),
        (row("down does not count up", "", &[1100, 1080, 1090], 3).tolerances(0.08, 2.0), 100, "4 (109)"),
        (row("down within", "", &[660, 640, 650], 3).tolerances(0.1, 0.36), 100, "3 (65)"),
        (row("down beyond", "", &[660, 640, 650], 3).tolerances(0.1, 0.34), 100, "2 (65)"),
    ] {
        let of_pods = |calculator: &Calculator<'_>, metrics| calculator.resource_replicas(metrics, "cpu", "", target);
        assert_eq!(row.calculate(of_pods, 2), expected, "{}", row.name);
        // One of the containers is as much of what it requests.
        let of_one = |calculator: &Calculator<'_>, metrics| calculator.resource_replicas(metrics, "cpu", "c2", target);
        assert_eq!(row.calculate(of_one, 1), expected, "{}, one container", row.name);
    }
}

#[test]
fn a_metrics_api_without_figures_is_told() {
    let list = OpaqueObject::from_wire(json!({"items": []})).expect("a list");
    let found = resource_metric(&Ok(Object::Opaque(list.into())), "cpu", "");
    assert_eq!(found.map(|_| ()), Err("no metrics returned from resource metrics API".to_owned()));
}

/// Custom metrics do not look at readiness.
#[test]
fn replicas_follow_an_average() {
    for (row, target, expected) in [
        (row("more", "", &[20_000, 10_000, 30_000], 3), 15_000, "4"),
        (row("one not ready", "ready ready unready", &[50_000, 10_000, 30_000], 3), 15_000, "6"),
        (row("one just started", "ready ready hot", &[50_000, 10_000, 30_000], 3), 15_000, "6"),
        (row("two not ready", "unready ready unready", &[50_000, 15_000, 30_000], 3), 15_000, "7"),
        (row("fewer", "", &[12_000; 5], 5), 20_000, "3"),
        (row("two are missing", "ready ready ready ready ready", &[20_000, 19_000, 21_000], 5), 20_000, "5"),
        (row("within the tolerance", "", &[20_000, 21_000, 21_000], 3), 20_000, "3"),
        (row("beyond a small one", "", &[20_000, 21_000, 21_000], 3).tolerances(0.01, 0.1), 20_000, "4"),
    ] {
        let average = |calculator: &Calculator<'_>, metrics| calculator.average_replicas(metrics, "", target);
        assert_eq!(row.calculate(average, 1), expected, "{}", row.name);
    }
}

#[test]
fn replicas_follow_a_figure_that_all_share() {
    for (row, usage, target, expected) in [
        (row("more", "ready ready ready", &[], 3), 20_000, 15_000, "4"),
        (row("one of three is ready", "ready unready unready", &[], 3), 50_000, 10_000, "5"),
        (row("from outside, one of three is ready", "ready unready unready", &[], 3), 8600, 4400, "2"),
    ] {
        let shared = |calculator: &Calculator<'_>, _| calculator.shared_replicas(usage, target);
        assert_eq!(row.calculate(shared, 1), expected, "{}", row.name);
    }
    for (name, usage, target, replicas, expected) in [
        ("more", 20_000, 5000, 3, "4"),
        ("fewer", 6000, 2000, 5, "3"),
        ("within the tolerance", 20_166, 5000, 4, "4"),
        ("from outside, more", 8600, 2150, 3, "4"),
        ("from outside, fewer", 8600, 2867, 5, "3"),
        ("no end of it", i64::MAX, 1, 1, "2147483647"),
    ] {
        let average = |calculator: &Calculator<'_>, _| {
            Ok(calculator.shared_average_replicas(usage, target, replicas, usage == i64::MAX))
        };
        assert_eq!(row(name, "ready", &[], replicas).calculate(average, 1), expected, "{name}");
    }
}

/// Rows of `TestGroupPods`: whether what a pod uses of CPU counts.
#[test]
fn what_a_starting_pod_uses_counts_later() {
    let minute = 60;
    // When the pod started and since when it is (not) ready, when and over how long was measured; `None` = no such time.
    for (name, start, ready, sample, window, is_ready) in [
        ("ready before the window", Some(-minute), Some(("True", -30)), 0, 30, true),
        ("ready within the window", Some(-minute), Some(("True", -30)), 0, 60, false),
        ("never ready", Some(-10 * minute), Some(("False", -10 * minute + 6)), 0, 60, false),
        ("unready at the end of the delay", Some(-10 * minute), Some(("False", -10 * minute + 10)), 0, 60, true),
        ("ready once", Some(-10 * minute), Some(("False", -9 * minute)), 0, 60, true),
        ("an old sample of an old pod", Some(-3 * minute), Some(("True", -3 * minute)), -2 * minute, 60, true),
        ("no condition", Some(-3 * minute), None, 0, 60, false),
        ("no start", None, Some(("True", -minute)), 0, 60, false),
    ] {
        let mut wire = pod("p0", "ready", 1000).to_wire();
        wire["status"]["conditions"] = ready.map_or(
            json!([]),
            |(status, since)| json!([{"type": "Ready", "status": status, "lastTransitionTime": at(since).to_string()}]),
        );
        wire["status"]["startTime"] = start.map_or(Value::Null, |start| at(start).to_string().into());
        let pod = Arc::new(Pod::from_wire(wire).expect("a pod"));
        let (pods, config, now): (_, _, WallTime) = ([&pod], config(), at(0).wall());
        let calculator = Calculator { pods: &pods, config: &config, tolerances: USUAL, now, current: 1 };
        let metric = PodMetric { at: at(sample).wall(), window: SimDuration::from_secs(window), value: 1000 };
        let of = |resource: &str| {
            let metrics = [("p0".into(), metric)].into_iter().collect();
            calculator.average_replicas(metrics, resource, 1000).is_ok()
        };
        assert_eq!(of("cpu"), is_ready, "{name}");
        assert!(of("memory"), "{name}: only the CPU of a pod that starts is misleading");
    }
}
