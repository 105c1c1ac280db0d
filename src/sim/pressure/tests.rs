//! Machines that run short, with all that follows.

use serde_json::{Value, json};

use super::*;
use crate::kernel::{Sampler, SimTime};
use crate::kubelet::{BehaviourSpec, KubeletConfig};
use crate::objects::{Conditions, Key, Labels, PodPhase, Resource};
use crate::sim::{Delays, NodePressure, NodeTemplate, Record, RecordMode, SimulationBuilder};

fn cluster(containers: &str) -> SimulationBuilder {
    let entries: Vec<BehaviourSpec> = serde_yaml::from_str(containers).unwrap();
    let builder = Simulation::builder().delays(Delays::ideal()).record(RecordMode::Full);
    entries.into_iter().fold(builder, SimulationBuilder::behaviour)
}

fn machine(kubelet: &str) -> NodeTemplate {
    let config: KubeletConfig = serde_yaml::from_str(kubelet).unwrap();
    NodeTemplate { kubelet: std::sync::Arc::new(config), ..NodeTemplate::new("n") }
}

fn pod(sim: &mut Simulation, name: &str, image: &str, resources: Value) {
    let container = json!({"name": "c", "image": image, "resources": resources});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]},
    });
    sim.apply(&pod.to_string()).unwrap();
}

fn status(sim: &Simulation, name: &str) -> Value {
    sim.view().pods.get(&Key::new("default", name)).unwrap().status_wire().unwrap()
}

fn condition(sim: &Simulation, kind: &str) -> bool {
    sim.view().nodes.iter().next().unwrap().status.conditions.is_true(kind)
}

fn seconds(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

#[test]
fn an_evicted_pod_says_why_in_upstreams_words() {
    let mut sim = cluster("[{image: big, memory: {use: 7Gi, grow: 1Gi/m}}]").nodes(1).build().unwrap();
    pod(&mut sim, "a", "big", json!({"requests": {"memory": "1Gi"}}));
    // Less than 100Mi is left after 54 s; the round is at 60 s, when all is used to the byte.
    sim.run_until(seconds(59));
    assert_eq!(status(&sim, "a")["phase"], "Running");
    sim.run_until(seconds(62));
    let status = status(&sim, "a");
    let message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. \
                   Container c was using 8Gi, request is 1Gi, has larger consumption of memory. ";
    assert_eq!(status["phase"], "Failed");
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));
    let disruption = &status["conditions"][0];
    assert_eq!(disruption["type"], "DisruptionTarget");
    assert_eq!((&disruption["status"], &disruption["reason"]), (&json!("True"), &json!("TerminationByKubelet")));
    assert_eq!(disruption["message"], message);
}

#[test]
fn a_condition_holds_for_five_minutes_and_its_taint_with_it() {
    let mut sim = cluster("[]").nodes(1).build().unwrap();
    sim.run_until(seconds(5));
    sim.press("n", MachineResource::Disk, Eaten::Percent(99), None).unwrap_err();
    sim.press("node-0", MachineResource::Disk, Eaten::Percent(86), Some(SimDuration::from_secs(60))).unwrap();
    let mut seen = Vec::new();
    while sim.now() < seconds(600) {
        sim.run_for(SimDuration::from_secs(1));
        let tainted = sim
            .view()
            .nodes
            .iter()
            .next()
            .unwrap()
            .spec
            .taints
            .iter()
            .any(|taint| *taint.key == *"node.kubernetes.io/disk-pressure" && taint.effect == *"NoSchedule");
        if seen.last().is_none_or(|(_, last)| *last != (condition(&sim, "DiskPressure"), tainted)) {
            seen.push((sim.now().as_nanos() / 1_000_000_000, (condition(&sim, "DiskPressure"), tainted)));
        }
    }
    let (states, times): (Vec<_>, Vec<_>) = seen.into_iter().map(|(at, state)| (state, at)).unzip();
    assert_eq!(states, [(false, false), (true, true), (false, false)]);
    // Last observed at 60 s; the node speaks every 10 s.
    assert!(times[1] <= 20 && (360..=370).contains(&times[2]), "{times:?}");
    assert!(sim.is_quiescent());
}

#[test]
fn one_pod_goes_in_a_round_and_critical_pods_stay() {
    let mut sim = cluster("[{image: use, memory: 1Gi}]").nodes(1).build().unwrap();
    let resources = json!({});
    for name in ["a", "b", "c"] {
        pod(&mut sim, name, "use", resources.clone());
    }
    let critical = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "critical", "namespace": "kube-system"},
        "spec": {"priorityClassName": "system-node-critical", "containers": [{"name": "c", "image": "use"}]},
    });
    sim.apply(&critical.to_string()).unwrap();
    sim.run_until(seconds(11));
    sim.press("node-0", MachineResource::Memory, Eaten::Percent(45), None).unwrap();
    let failed = |sim: &Simulation| sim.view().pods.iter().filter(|pod| pod.status.phase == PodPhase::Failed).count();
    sim.run_until(seconds(60));
    assert_eq!(failed(&sim), 0);
    sim.press("node-0", MachineResource::Memory, Eaten::Percent(30), None).unwrap();
    sim.run_until(seconds(71));
    assert_eq!(failed(&sim), 2, "each gigabyte that is missing takes one pod");
    sim.press("node-0", MachineResource::Memory, Eaten::Percent(12), None).unwrap();
    sim.run_until(seconds(300));
    assert_eq!(failed(&sim), 3);
    assert!(sim.view().pods.iter().any(|pod| *pod.meta.name == *"critical" && pod.is_ready()));
}

#[test]
fn the_kernel_is_faster_than_the_kubelet_if_memory_goes_at_once() {
    let mut sim = cluster("[{image: use, memory: 2Gi}]").nodes(1).build().unwrap();
    let all = json!({"cpu": "1", "memory": "2Gi"});
    pod(&mut sim, "guaranteed", "use", json!({"requests": all, "limits": all}));
    pod(&mut sim, "best-effort", "use", json!({}));
    sim.run_until(seconds(3));
    sim.press("node-0", MachineResource::Memory, "5Gi".parse_eaten(), None).unwrap();
    sim.run_until(seconds(4));
    let end = |name: &str| status(&sim, name)["containerStatuses"][0]["lastState"]["terminated"]["reason"].clone();
    assert_eq!(end("best-effort"), "OOMKilled");
    assert_eq!(end("guaranteed"), Value::Null);
}

trait ParseEaten {
    fn parse_eaten(&self) -> Eaten;
}

impl ParseEaten for str {
    fn parse_eaten(&self) -> Eaten {
        serde_yaml::from_str(self).unwrap()
    }
}

#[test]
fn soft_thresholds_give_grace_and_processes_count() {
    let settings = "{evictionSoft: {pid.available: 1000}, evictionSoftGracePeriod: {pid.available: 1m},
        evictionMaxPodGracePeriod: 20}";
    let containers = "[{image: forks, processes: {grow: 1000/s}, terminate: 15s}, {image: calm, processes: 5}]";
    let mut sim = cluster(containers).node(machine(settings)).build().unwrap();
    pod(&mut sim, "forks", "forks", json!({}));
    pod(&mut sim, "calm", "calm", json!({}));
    // 31,763 numbers are gone at 32 s; seen at 40 s, a minute of grace, 15 s to stop.
    sim.run_until(seconds(99));
    assert!(condition(&sim, "PIDPressure"));
    assert_eq!(status(&sim, "forks")["phase"], "Running");
    sim.run_until(seconds(114));
    assert_eq!(status(&sim, "forks")["phase"], "Running");
    sim.run_until(seconds(116));
    assert_eq!(status(&sim, "forks")["phase"], "Failed");
    let message = status(&sim, "forks")["message"].clone();
    assert_eq!(message, "The node was low on resource: pids. Threshold quantity: 1k, available: 0. ");
    assert_eq!(status(&sim, "calm")["phase"], "Running");
}

#[test]
fn a_pod_over_a_limit_of_local_storage_goes_whatever_the_node_has_left() {
    let mut sim = cluster("[{image: logs, logs: {grow: 1Mi/s}}]").nodes(1).build().unwrap();
    pod(&mut sim, "a", "logs", json!({"limits": {"ephemeral-storage": "95Mi"}}));
    sim.run_until(seconds(99));
    assert_eq!(status(&sim, "a")["phase"], "Running");
    sim.run_until(seconds(102));
    let status = status(&sim, "a");
    let message = "Pod ephemeral local storage usage exceeds the total limit of containers 95Mi. ";
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));
    assert_ne!(status["conditions"][0]["type"], "DisruptionTarget");
}

#[test]
fn what_is_eaten_ends_with_the_machine_but_for_its_disk() {
    let mut sim = cluster("[]").nodes(1).build().unwrap();
    sim.press("node-0", MachineResource::Memory, Eaten::Percent(99), None).unwrap();
    sim.press("node-0", MachineResource::Disk, Eaten::Percent(99), None).unwrap();
    sim.run_until(seconds(30));
    assert!(condition(&sim, "MemoryPressure") && condition(&sim, "DiskPressure"));
    sim.node_down("node-0").unwrap();
    sim.run_until(seconds(40));
    sim.node_up("node-0").unwrap();
    sim.run_until(seconds(80));
    assert!(!condition(&sim, "MemoryPressure") && condition(&sim, "DiskPressure"));
}

#[test]
fn pressure_by_chance_comes_and_goes_and_shifts_nobodys_luck() {
    let plan = NodePressure {
        resource: MachineResource::Memory,
        eaten: Eaten::Percent(99),
        mtbf: Sampler::exponential(SimDuration::from_hours(1)).unwrap(),
        mttr: Sampler::constant(SimDuration::from_mins(5)),
        select: Labels::new(),
        correlated_by: None,
    };
    let run = |nodes: usize| {
        let mut sim = cluster("[]").nodes(nodes).fault(plan.clone()).build().unwrap();
        sim.run_for(SimDuration::from_hours(24));
        let steps = sim.recording().records().iter().filter_map(|record| match record {
            Record::Step(at, step) if step.args["nodes"] == json!(["node-0"]) => Some((*at, step.args["kind"].clone())),
            _ => None,
        });
        steps.collect::<Vec<_>>()
    };
    let told = run(1);
    assert!((10..80).contains(&told.len()), "{}", told.len());
    for pair in told.chunks_exact(2) {
        assert_eq!((&pair[0].1, &pair[1].1), (&json!("NodePressure"), &json!("NodeRelief")));
        assert_eq!(pair[1].0 - pair[0].0, SimDuration::from_mins(5));
    }
    assert_eq!(run(3), told);
}
