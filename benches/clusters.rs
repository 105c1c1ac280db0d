//! Large clusters, the whole simulation: API server, watches, controllers, scheduler, kubelets, heartbeats; the recorder is
//! off.
//!
//! `cargo bench --bench clusters` runs all cases, each in a process of its own so that its memory is its own, and prints a
//! table; `cargo bench --bench clusters -- NAME` runs those whose name begins so.
//!
//! Read on a machine of two cores (one is used; release profile, November 2026):
//!
//! | case | wall time | peak memory |
//! |---|---|---|
//! | `arrivals` | 2.3 s | 80 MB |
//! | `arrivals-realistic` | 3.6 s | 95 MB |
//! | `burst` | 0.5 s | 107 MB |
//! | `burst-realistic` | 0.7 s | 118 MB |
//! | `deployments` | 1.3 s | 126 MB |
//! | `idle` | 2.8 s | 90 MB |
//! | `outage`, set-up | 10.9 s | |
//! | `outage`, the hour | 7.3 s | 581 MB, 3.5 kB a pod with nodes and all else |

#![expect(
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures real time and prints it"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use seatrial::api::DeleteOptions;
use seatrial::kernel::{Sampler, SimDuration, SimTime};
use seatrial::kubelet::{BehaviourSpec, Exit};
use seatrial::objects::PodPhase;
use seatrial::objects::reader::{Document, ReaderLimits, read_manifests};
use seatrial::sim::{Delays, NodeTemplate, Simulation, Target, ZONE_LABEL};

/// A case: its name, what it shows, and the run.
type Case = (&'static str, &'static str, fn(&mut Report));

const CASES: [Case; 7] = [
    ("arrivals", "1,000 nodes, 100,000 pods at 100/s that run 300 s; no delays", |report| {
        arrivals(report, Delays::ideal());
    }),
    ("arrivals-realistic", "the same, with the delays of a real control plane", |report| {
        arrivals(report, Delays::realistic());
    }),
    ("burst", "5,000 nodes, 20,000 bare pods at once; no delays", |report| burst(report, Delays::ideal())),
    ("burst-realistic", "the same, with the delays of a real control plane", |report| {
        burst(report, Delays::realistic());
    }),
    ("deployments", "5,000 nodes, 20,000 pods of 80 Deployments under Services", deployments),
    ("idle", "5,000 nodes without pods: an hour of heartbeats", idle),
    ("outage", "5,000 nodes, 150,000 pods, one zone of three gone from minute 1 to 31 of an hour", outage),
];

/// What a case has to tell.
#[derive(Default)]
struct Report {
    rows: Vec<(&'static str, Duration, String)>,
}

impl Report {
    /// Runs a part of a case and notes how long it took.
    fn time<T>(&mut self, what: &'static str, run: impl FnOnce() -> (T, String)) -> T {
        let start = Instant::now();
        let (value, note) = run();
        self.rows.push((what, start.elapsed(), note));
        value
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [run, name] = arguments.as_slice()
        && run == "run"
    {
        return run_case(name);
    }
    println!("{:<20}{:<10}{:>9}  {:>9}  what", "case", "part", "wall", "peak");
    for (name, _, _) in CASES {
        if arguments.is_empty() || arguments.iter().any(|argument| name.starts_with(argument)) {
            let this = std::env::current_exe().expect("the path of this benchmark");
            let status = Command::new(this).args(["run", name]).status().expect("a process for the case");
            assert!(status.success(), "{name} failed");
        }
    }
}

fn run_case(name: &str) {
    let (name, what, run) = CASES.iter().find(|(case, ..)| case == &name).expect("a case of that name");
    let mut report = Report::default();
    run(&mut report);
    println!("{name:<20}{:<10}{:>9}  {:>6} MB  {what}", "", "", peak_memory() >> 20);
    for (part, time, note) in report.rows {
        println!("{:<20}{part:<10}{:>7.2} s  {:>9}  {note}", "", time.as_secs_f64(), "");
    }
}

/// A line of this process' status in bytes; 0 where there is no such file.
fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.unwrap_or(0u64) << 10
}

fn peak_memory() -> u64 {
    status("VmHWM:")
}

fn document(text: &str) -> Document {
    read_manifests("bench", text, &ReaderLimits::default()).expect("a valid manifest").swap_remove(0)
}

/// Nodes of 16 cores and 64 GiB in three zones.
fn cluster(nodes: usize, delays: Delays) -> seatrial::sim::SimulationBuilder {
    let mut builder = Simulation::builder().delays(delays);
    for number in 0..nodes {
        let node = NodeTemplate::new(format!("node-{number}")).label(ZONE_LABEL, &format!("zone-{}", number % 3));
        let node = node.capacity("cpu", "16").and_then(|node| node.capacity("memory", "64Gi"));
        builder = builder.node(node.expect("quantities"));
    }
    builder
}

fn nodes(report: &mut Report, nodes: usize, delays: Delays) -> Simulation {
    report.time("set-up", || (cluster(nodes, delays).build().expect("a cluster"), String::new()))
}

/// The pods of a batch system, as the traces of scheduler simulators have them: each arrives at its time, is bound, runs as
/// long as it does, ends, and leaves five seconds later.
fn arrivals(report: &mut Report, delays: Delays) {
    const PODS: u64 = 100_000;
    const GAP: SimDuration = SimDuration::from_millis(10);
    const RUNS: SimDuration = SimDuration::from_secs(300);
    let exit = Exit { code: 0, after: Sampler::constant(RUNS), once: false };
    let start = Some(Sampler::constant(SimDuration::from_secs(2)));
    let batch = BehaviourSpec { image: "batch".into(), start, exit: Some(exit), ..BehaviourSpec::default() };
    let mut sim = report.time("set-up", || {
        let sim = cluster(1_000, delays).behaviour(batch).build().expect("a cluster");
        (sim, String::new())
    });
    let mut template = document(
        "{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {app: batch}}, spec: {restartPolicy: Never, containers: [
          {name: c, image: batch, resources: {requests: {cpu: 250m, memory: 512Mi}}}]}}",
    );
    report.time("run", || {
        let (mut created, mut deleted) = (0, 0);
        let stays = RUNS + SimDuration::from_secs(10);
        while deleted < PODS {
            let (arrival, departure) = (SimTime::ZERO + GAP * created, SimTime::ZERO + stays + GAP * deleted);
            if created < PODS && arrival <= departure {
                sim.run_until(arrival);
                template.value["metadata"]["name"] = format!("pod-{created}").into();
                sim.create_document(&template).expect("a new pod");
                created += 1;
            } else {
                sim.run_until(departure);
                let target: Target = format!("pod/pod-{deleted}").parse().expect("a target");
                let pod = sim.view().pods.get(&target.key).expect("the pod");
                assert_eq!(pod.status.phase, PodPhase::Succeeded, "it ran to its end");
                sim.delete(&target, DeleteOptions::default()).expect("the pod");
                deleted += 1;
            }
        }
        assert!(sim.view().pods.is_empty());
        ((), note(&sim))
    });
}

fn note(sim: &Simulation) -> String {
    format!("{} virtual, {} events, {} pods at the end", sim.now(), sim.events(), sim.view().pods.len())
}

/// Pods that all come at once, until every one is Ready.
fn burst(report: &mut Report, delays: Delays) {
    const PODS: usize = 20_000;
    let mut sim = nodes(report, 5_000, delays);
    let mut template = document(
        "{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {app: web}}, spec: {containers: [
          {name: c, image: web, resources: {requests: {cpu: 250m, memory: 512Mi}}}]}}",
    );
    report.time("run", || {
        for number in 0..PODS {
            template.value["metadata"]["name"] = format!("pod-{number}").into();
            sim.create_document(&template).expect("a new pod");
        }
        all_ready(&mut sim, PODS);
        ((), note(&sim))
    });
}

fn all_ready(sim: &mut Simulation, pods: usize) {
    for _ in 0..600 {
        sim.run_for(SimDuration::from_secs(1));
        if sim.view().pods.iter().filter(|pod| pod.is_ready()).count() == pods {
            return;
        }
    }
    panic!("not all pods became ready");
}

/// A Deployment of so many pods, and its Service.
fn workload(name: &str, replicas: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec: {{containers: [{{name: c, image: web, resources: {{requests: {{cpu: 250m, memory: 512Mi}}}}}}]}}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n"
    )
}

fn apply_workloads(sim: &mut Simulation, count: usize, replicas: usize) {
    for number in 0..count {
        sim.apply(&workload(&format!("app-{number}"), replicas)).expect("valid manifests");
    }
    all_ready(sim, count * replicas);
}

fn deployments(report: &mut Report) {
    let mut sim = nodes(report, 5_000, Delays::realistic());
    report.time("run", || {
        apply_workloads(&mut sim, 80, 250);
        ((), note(&sim))
    });
}

fn idle(report: &mut Report) {
    let mut sim = nodes(report, 5_000, Delays::realistic());
    report.time("hour", || {
        sim.run_for(SimDuration::from_hours(1));
        ((), note(&sim))
    });
}

fn outage(report: &mut Report) {
    const WORKLOADS: usize = 600;
    const REPLICAS: usize = 250;
    let before = status("VmRSS:");
    let mut sim = report.time("set-up", || {
        let mut sim = cluster(5_000, Delays::realistic()).build().expect("a cluster");
        apply_workloads(&mut sim, WORKLOADS, REPLICAS);
        let each = (status("VmRSS:") - before) / (WORKLOADS * REPLICAS) as u64;
        let note = note(&sim);
        (sim, format!("{note}, {each} bytes a pod, nodes and all else included"))
    });
    report.time("hour", || {
        let start = sim.now();
        sim.run_for(SimDuration::from_secs(60));
        lost_zone().for_each(|node| sim.node_down(&node).expect("the node"));
        sim.run_until(start + SimDuration::from_secs(30 * 60));
        let ready = sim.view().pods.iter().filter(|pod| pod.is_ready()).count();
        sim.run_until(start + SimDuration::from_secs(31 * 60));
        lost_zone().for_each(|node| sim.node_up(&node).expect("the node"));
        sim.run_until(start + SimDuration::from_hours(1));
        let ready_again = sim.view().pods.iter().filter(|pod| pod.is_ready()).count();
        assert_eq!(ready_again, WORKLOADS * REPLICAS, "all is well again");
        let note = note(&sim);
        ((), format!("{note}; {ready} pods ready in minute 30, {ready_again} in minute 60"))
    });
}

fn lost_zone() -> impl Iterator<Item = String> {
    (0..5_000).filter(|number| number % 3 == 0).map(|number| format!("node-{number}"))
}
