//! What users do to a random cluster, and what befalls it.

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::api::{DeleteOptions, PatchType, Propagation};
use seatrial::kernel::SimDuration;
use seatrial::objects::Key;
use seatrial::sim::{Cut, Disturbance, DrainOptions, Leader, NodeTemplate, Place, Simulation, Target, ZONE_LABEL};

use super::manifests::{BROKEN, Form, Workload, name};
use crate::random;

/// When a drain is given up.
pub(super) const DRAIN_TIMEOUT: SimDuration = SimDuration::from_secs(120);

/// Nodes that may be: those of the beginning, and some that join.
const NODES: usize = 8;
const ZONES: u8 = 3;

#[derive(Clone, Debug)]
pub(super) enum Act {
    Drain(usize),
    Cordon(usize, bool),
    Evict(usize),
    Scale(usize, i32),
    Image(usize, u8),
    Restart(usize),
    Undo(usize),
    KillPod(usize),
    ForceDelete(usize),
    DeleteWorkload(usize, Propagation),
    Budget(usize, Value),
    AddNode(usize, u8),
    DeleteNode(usize),
    NodeDown(usize),
    NodeUp(usize),
    ZoneDown(u8),
    ZoneUp(u8),
    Taint(usize, Option<&'static str>),
    CutOff(usize, Cut, u64),
    CrashScheduler,
    Wait(u64),
}

pub(super) fn strategy() -> impl Strategy<Value = Act> {
    let node = || 0..NODES;
    let workload = || 0..5usize;
    let pod = || 0..40usize;
    let propagation =
        prop_oneof![Just(Propagation::Background), Just(Propagation::Foreground), Just(Propagation::Orphan)];
    let taint = prop_oneof![1 => Just(None), 1 => Just(Some("NoSchedule")), 2 => Just(Some("NoExecute"))];
    let cut = prop_oneof![Just(Cut::Both), Just(Cut::Writes), Just(Cut::Watches)];
    let bound = prop_oneof![(0..4i32).prop_map(Value::from), (0..=100u32).prop_map(|n| json!(format!("{n}%")))];
    let voluntary = prop_oneof![
        4 => node().prop_map(Act::Drain),
        1 => (node(), any::<bool>()).prop_map(|(node, on)| Act::Cordon(node, on)),
        4 => pod().prop_map(Act::Evict),
        2 => (workload(), 0..8i32).prop_map(|(workload, replicas)| Act::Scale(workload, replicas)),
        2 => (workload(), 0..4u8).prop_map(|(workload, version)| Act::Image(workload, version)),
        1 => workload().prop_map(Act::Restart),
        1 => workload().prop_map(Act::Undo),
        2 => pod().prop_map(Act::KillPod),
        1 => pod().prop_map(Act::ForceDelete),
        1 => (workload(), propagation).prop_map(|(workload, policy)| Act::DeleteWorkload(workload, policy)),
        1 => (workload(), bound).prop_map(|(workload, bound)| Act::Budget(workload, bound)),
        1 => (node(), 0..ZONES).prop_map(|(node, zone)| Act::AddNode(node, zone)),
    ];
    let faults = prop_oneof![
        1 => node().prop_map(Act::DeleteNode),
        3 => node().prop_map(Act::NodeDown),
        2 => node().prop_map(Act::NodeUp),
        1 => (0..ZONES).prop_map(Act::ZoneDown),
        1 => (0..ZONES).prop_map(Act::ZoneUp),
        1 => (node(), taint).prop_map(|(node, effect)| Act::Taint(node, effect)),
        2 => (node(), cut, 5..900u64).prop_map(|(node, cut, seconds)| Act::CutOff(node, cut, seconds)),
        1 => Just(Act::CrashScheduler),
    ];
    let pauses = prop_oneof![4 => (0..60u64).prop_map(Act::Wait), 1 => (300..900u64).prop_map(Act::Wait)];
    prop_oneof![5 => voluntary, 2 => faults, 3 => pauses]
}

/// The object of a workload, if there is one to roll out or to scale.
fn target(workloads: &[Workload], number: usize) -> Target {
    let number = number % workloads.len();
    let kind = match workloads[number].form {
        Form::Deployment => "deployment",
        Form::StatefulSet => "statefulset",
        Form::DaemonSet => "daemonset",
        Form::Job => "job",
        Form::CronJob => "cronjob",
        Form::Naked => "pod",
    };
    format!("{kind}/{}", name(number)).parse().expect("a target")
}

/// Does it, and says how long to let pass. Refusals (a node that is not there, an eviction that a budget forbids) are part of
/// the game.
pub(super) fn act(sim: &mut Simulation, act: &Act, workloads: &[Workload]) -> SimDuration {
    let of = |number: usize| target(workloads, number);
    match act {
        Act::Drain(node) => {
            let (force, ignore_daemonsets, delete_emptydir_data) = (true, true, true);
            let options = DrainOptions { force, ignore_daemonsets, delete_emptydir_data, ..DrainOptions::default() };
            drop(sim.drain(&random::node(*node), DrainOptions { timeout: DRAIN_TIMEOUT, ..options }));
        }
        Act::Cordon(node, on) => drop(sim.cordon(&random::node(*node), *on)),
        Act::Evict(nth) => {
            if let Some(pod) = random::nth_pod(sim, *nth) {
                drop(sim.evict(&pod.key, DeleteOptions::default()));
            }
        }
        Act::Scale(number, replicas) => drop(sim.scale(&of(*number), *replicas)),
        Act::Image(number, version) => {
            let image = if *version == 0 { BROKEN.to_owned() } else { format!("app:v{version}") };
            drop(sim.set_image(&of(*number), "c", &image));
        }
        Act::Restart(number) => drop(sim.rollout_restart(&of(*number))),
        Act::Undo(number) => drop(sim.rollout_undo(&of(*number), None)),
        Act::KillPod(nth) => random::kill_pod(sim, *nth),
        // Behind a partition it would go on running beside the next one of its name.
        Act::ForceDelete(nth) => {
            let pod = random::nth_pod(sim, *nth);
            let is_cut_off = |pod: &Target| {
                let pod = sim.view().pods.get(&pod.key);
                pod.is_some_and(|pod| sim.is_disturbed(&Place::Node(pod.node_name.clone())))
            };
            if let Some(pod) = pod.filter(|pod| !is_cut_off(pod)) {
                let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
                drop(sim.delete(&pod, options));
            }
        }
        Act::DeleteWorkload(number, policy) => {
            let options = DeleteOptions { propagation: Some(*policy), ..DeleteOptions::default() };
            drop(sim.delete(&of(*number), options));
        }
        Act::Budget(number, bound) => {
            let budget: Target = format!("pdb/{}", name(number % workloads.len())).parse().expect("a target");
            let spec = json!({"minAvailable": bound, "maxUnavailable": null});
            drop(sim.patch(&budget, PatchType::Merge, &json!({"spec": spec})));
        }
        Act::AddNode(node, zone) => {
            let node = NodeTemplate::new(random::node(*node)).label(ZONE_LABEL, &format!("zone-{zone}"));
            drop(sim.add_node(&node));
        }
        Act::DeleteNode(node) => drop(sim.delete_node(&random::node(*node))),
        Act::NodeDown(node) => drop(sim.node_down(&random::node(*node))),
        Act::NodeUp(node) => drop(sim.node_up(&random::node(*node))),
        Act::ZoneDown(zone) => drop(sim.zone_down(&format!("zone-{zone}"))),
        Act::ZoneUp(zone) => drop(sim.zone_up(&format!("zone-{zone}"))),
        Act::Taint(node, effect) => taint(sim, *node, *effect),
        Act::CutOff(node, cut, seconds) => {
            let what = Disturbance::Partition { node: random::node(*node).into(), cut: *cut };
            drop(sim.disturb(what, Some(SimDuration::from_secs(*seconds))));
        }
        Act::CrashScheduler => drop(sim.crash_leader(Leader::Scheduler)),
        Act::Wait(seconds) => return SimDuration::from_secs(*seconds),
    }
    SimDuration::ZERO
}

/// Sets or removes the taint `busy`, and leaves the others.
fn taint(sim: &mut Simulation, node: usize, effect: Option<&str>) {
    let name = random::node(node);
    let Some(found) = sim.view().nodes.get(&Key::new("", name.as_str())) else { return };
    let mut taints = serde_json::to_value(&found.spec.taints).expect("taints");
    let list = taints.as_array_mut().expect("a list");
    list.retain(|taint| taint["key"] != "busy");
    list.extend(effect.map(|effect| json!({"key": "busy", "effect": effect})));
    drop(sim.taint(&name, &taints));
}

/// Whatever users began or faults broke is over.
pub(super) fn tidy_up(sim: &mut Simulation, workloads: &[Workload]) {
    for node in 0..NODES {
        drop(sim.restore(&Place::Node(random::node(node).into())));
        drop(sim.node_up(&random::node(node)));
        drop(sim.cordon(&random::node(node), false));
        taint(sim, node, None);
    }
    for number in 0..workloads.len() {
        let target = target(workloads, number);
        drop(sim.patch(&target, PatchType::Merge, &json!({"spec": {"suspend": true}})));
    }
}
