//! Machines that go, and what the cluster makes of it.

use serde_json::Value;

use super::*;
use crate::kernel::SimTime;
use crate::objects::{Conditions, Kind};
use crate::sim::{Delays, KernelPanic, MachineDeletion, RecordMode, SlowNode, SpotReclaim};

const POD: &str = r#"{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: node-0,
    tolerations: [{operator: Exists}], containers: [{name: c, image: "web:v1"}]}}"#;

fn cluster() -> Simulation {
    let builder = Simulation::builder().nodes(2).delays(Delays::ideal()).record(RecordMode::Full);
    builder.build().expect("a cluster")
}

fn running(at: u64) -> Simulation {
    let mut sim = cluster();
    sim.apply(POD).expect("accepted");
    sim.run_until(SimTime::from_secs(at));
    sim
}

fn node(sim: &Simulation, name: &str) -> Option<Value> {
    sim.get(&format!("node/{name}").parse().expect("a target")).ok().map(|node| node.to_wire())
}

fn is_ready(sim: &Simulation, name: &str) -> bool {
    let node = sim.view().nodes.get(&Key::new("", name));
    node.is_some_and(|node| node.status.conditions.is_true("Ready"))
}

/// Events with a reason, as `component: kind message`.
fn events(sim: &Simulation, reason: &str) -> Vec<String> {
    let all = sim.view().list(Kind::Event).into_iter().map(|event| event.to_wire());
    let matching = all.filter(|event| event["reason"] == reason);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    matching
        .map(|e| format!("{}: {} {}", text(&e["source"]["component"]), text(&e["type"]), text(&e["message"])))
        .collect()
}

fn container(sim: &Simulation) -> Value {
    let pod = sim.get(&"pod/p".parse().expect("a target")).expect("the pod").to_wire();
    pod["status"]["containerStatuses"][0].clone()
}

#[test]
fn a_machine_that_panics_comes_back_with_a_new_boot_id_and_its_containers_anew() {
    let mut sim = running(20);
    sim.kernel_panic("node-0", SimDuration::from_secs(30)).expect("it runs");
    sim.run_until(SimTime::from_secs(49));
    assert!(is_ready(&sim, "node-0") && !sim.machine_is_up("node-0"), "nobody has noticed");
    assert!(sim.kernel_panic("node-0", SimDuration::ZERO).is_err(), "it is down");
    sim.run_until(SimTime::from_secs(60));
    let container = container(&sim);
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 255);
    assert_eq!((container["restartCount"].as_i64(), container["ready"].as_bool()), (Some(1), Some(true)));
    let boot_id = node(&sim, "node-0").expect("a node")["status"]["nodeInfo"]["bootID"].clone();
    let boot_id = boot_id.as_str().expect("an id").to_owned();
    let told = format!("kubelet: Warning Node node-0 has been rebooted, boot id: {boot_id}");
    assert_eq!(events(&sim, "Rebooted"), [told]);
    sim.kernel_panic("node-0", SimDuration::from_secs(1)).expect("it runs again");
    sim.run_until(SimTime::from_secs(70));
    assert_ne!(node(&sim, "node-0").expect("a node")["status"]["nodeInfo"]["bootID"], boot_id);
}

#[test]
fn a_machine_that_somebody_stops_while_it_boots_stays_down() {
    let mut sim = running(20);
    sim.kernel_panic("node-0", SimDuration::from_secs(30)).expect("it runs");
    sim.node_down("node-0").expect("a machine");
    sim.run_until(SimTime::from_secs(100));
    assert!(!sim.machine_is_up("node-0"));
    sim.node_up("node-0").expect("a machine");
    assert!(sim.machine_is_up("node-0"));
}

#[test]
fn a_node_whose_machine_is_gone_is_deleted_once_it_is_not_ready() {
    let mut sim = running(20);
    sim.delete_machine("node-0").expect("it is there");
    assert!(sim.delete_machine("node-0").is_err() && sim.node_up("node-0").is_err(), "it is gone");
    sim.run_until(SimTime::from_secs(60));
    assert!(node(&sim, "node-0").is_some() && is_ready(&sim, "node-0"));
    sim.run_until(SimTime::from_secs(85));
    assert!(node(&sim, "node-0").is_none());
    let told =
        "cloud-node-lifecycle-controller: Normal Deleting node node-0 because it does not exist in the cloud provider";
    assert_eq!(events(&sim, "DeletingNode"), [told]);
    assert!(sim.run_until_quiescent(SimTime::from_secs(600)), "the controller sleeps again");
    assert!(sim.view().pods.is_empty(), "its pods were collected");
}

#[test]
fn without_a_cloud_nobody_knows_that_a_machine_is_gone() {
    let builder = Simulation::builder().nodes(2).delays(Delays::ideal()).in_cloud(false);
    let mut sim = builder.build().expect("a cluster");
    sim.delete_machine("node-0").expect("it is there");
    sim.run_until(SimTime::from_secs(3600));
    assert!(node(&sim, "node-0").is_some() && !is_ready(&sim, "node-0"));
}

#[test]
fn a_node_whose_machine_is_shut_down_is_tainted_until_it_is_back() {
    let mut sim = running(20);
    sim.shutdown("node-0").expect("it runs");
    sim.run_until(SimTime::from_secs(100));
    let has_taint = |sim: &Simulation| {
        let wire = node(sim, "node-0").expect("a node");
        let taints = wire["spec"]["taints"].as_array().cloned().unwrap_or_default();
        taints.iter().any(|taint| taint["key"] == "node.cloudprovider.kubernetes.io/shutdown")
    };
    assert!(has_taint(&sim));
    sim.node_up("node-0").expect("it is there");
    sim.run_until(SimTime::from_secs(110));
    assert!(!has_taint(&sim) && is_ready(&sim, "node-0"));
    assert_eq!(events(&sim, "Rebooted").len(), 1);
}

#[test]
fn a_machine_that_is_taken_back_goes_after_its_notice_and_is_replaced() {
    for (on_notice, evicted) in [(OnNotice::None, false), (OnNotice::Cordon, false), (OnNotice::Drain, true)] {
        let mut sim = running(20);
        let (notice, replacement) = (SimDuration::from_secs(100), Some(SimDuration::from_secs(40)));
        sim.reclaim("node-0", &Reclaim { notice, on_notice, replacement }).expect("it is there");
        assert!(sim.reclaim("node-0", &Reclaim::default()).is_err(), "it has got notice");
        sim.run_until(SimTime::from_secs(119));
        assert!(sim.machine_is_up("node-0"));
        assert_eq!(sim.view().pods.is_empty(), evicted, "{on_notice:?}");
        let cordoned = node(&sim, "node-0").expect("a node")["spec"]["unschedulable"] == true;
        assert_eq!(cordoned, on_notice != OnNotice::None);
        sim.run_until(SimTime::from_secs(159));
        assert!(!sim.machine_is_up("node-0") && node(&sim, "node-0-r1").is_none());
        sim.run_until(SimTime::from_secs(260));
        assert!(is_ready(&sim, "node-0-r1") && node(&sim, "node-0").is_none(), "{on_notice:?}");
        sim.reclaim("node-0-r1", &Reclaim { replacement, ..Reclaim::default() }).expect("it is there");
        sim.run_until(SimTime::from_secs(600));
        assert!(is_ready(&sim, "node-0-r2"));
    }
}

#[test]
fn reports_that_are_late_arrive_in_their_order() {
    let mut sim = cluster();
    let late = NodeTemplate { status_delay: Some(SimDuration::from_secs(7).into()), ..NodeTemplate::new("late") };
    sim.add_node(&late).expect("a machine");
    sim.apply(&POD.replace("node-0", "late")).expect("accepted");
    sim.run_until(SimTime::from_millis(6_900));
    assert_eq!(container(&sim), Value::Null, "nothing is known yet");
    sim.run_until(SimTime::from_millis(7_100));
    assert_eq!(container(&sim)["ready"], true);

    let delays = Delays { status: SimDuration::from_secs(3).into(), ..Delays::ideal() };
    let mut sim = Simulation::builder().nodes(1).delays(delays).build().expect("a cluster");
    sim.apply(POD).expect("accepted");
    assert!(!sim.run_until_condition(SimTime::from_millis(2_900), |view| view.pods.iter().any(|pod| pod.is_ready())));
    assert!(sim.run_until_condition(SimTime::from_millis(3_100), |view| view.pods.iter().any(|pod| pod.is_ready())));
}

#[test]
fn a_machine_that_is_too_slow_is_taken_for_lost_now_and_then() {
    let mut sim = cluster();
    assert!(sim.slow_down("node-0", 99).is_err() && sim.slow_down("node-9", 200).is_err());
    sim.slow_down("node-0", 400).expect("it is there");
    sim.run_until(SimTime::from_secs(600));
    assert_eq!(events(&sim, "NodeNotReady").len(), 0, "every 40 s is often enough");
    sim.slow_down("node-0", 800).expect("it is there");
    sim.run_until(SimTime::from_secs(1200));
    assert!(!events(&sim, "NodeNotReady").is_empty());
}

#[test]
fn injectors_do_by_chance_what_users_do_by_hand() {
    let second = |secs: u64| crate::kernel::Sampler::constant(SimDuration::from_secs(secs));
    let (mtbf, select, correlated_by) = (second(100), crate::objects::Labels::new(), None::<String>);
    let kinds = |fault: crate::sim::FaultPlan| {
        let builder = Simulation::builder().nodes(1).delays(Delays::ideal()).record(RecordMode::Full).fault(fault);
        let mut sim = builder.build().expect("a cluster");
        sim.run_until(SimTime::from_secs(350));
        let mut bytes = Vec::new();
        sim.recording().write_jsonl(&mut bytes).expect("writing to memory");
        let log = String::from_utf8(bytes).expect("text");
        let names = ["KernelPanic", "MachineDeletion", "SpotReclaim", "reclaimed", "SlowNodeRecovers", "\"SlowNode\""];
        names.map(|name| log.lines().filter(|line| line.contains(name)).count())
    };
    let panics = KernelPanic { mtbf: mtbf.clone(), mttr: second(20), select: select.clone(), correlated_by: None };
    assert_eq!(kinds(panics.into()), [3, 0, 0, 0, 0, 0], "at 100, 220 and 340");
    let deletion = MachineDeletion { mtbf: mtbf.clone(), select: select.clone(), correlated_by: None };
    assert_eq!(kinds(deletion.into()), [0, 1, 0, 0, 0, 0]);
    let reclaim = SpotReclaim {
        mtbf: mtbf.clone(),
        notice: second(30),
        on_notice: OnNotice::Drain,
        replacement: Some(second(10)),
        select: select.clone(),
        correlated_by: None,
    };
    assert_eq!(kinds(reclaim.into()), [0, 0, 2, 2, 0, 0], "at 100 and, of the replacement, at 240");
    let slow = SlowNode { mtbf, mttr: second(50), slowness_percent: 300, select, correlated_by };
    assert_eq!(kinds(slow.into()), [0, 0, 0, 0, 2, 2], "slow at 100 and 250, fast again at 150 and 300");
}
