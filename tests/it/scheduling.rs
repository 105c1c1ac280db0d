//! The scheduler in whole clusters: plugins of a user's own, preemption, and what placements promise.

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::invariants::Always;
use seatrial::kernel::{SimDuration, SimTime};
use seatrial::objects::{Conditions, Key, Pod, Text};
use seatrial::scenario::{RunOptions, Scenario};
use seatrial::scheduler::{Code, Cycle, NodeInfo, Outcome, Plugin, Registry, Verdict};
use seatrial::sim::{Delays, NodeTemplate, Simulation};

/// Likes nodes with a low `rank`, and refuses those without any.
#[derive(Debug)]
struct Rank;

fn rank(node: &NodeInfo) -> Option<i64> {
    node.node().meta.labels.get("rank")?.parse().ok()
}

impl Plugin for Rank {
    type State = ();

    fn name(&self) -> &'static str {
        "Rank"
    }

    fn filter(&self, _: &Cycle<'_>, (): &(), node: &NodeInfo) -> Code {
        if rank(node).is_some() { Code::Success } else { Code::UnschedulableAndUnresolvable }
    }

    fn reasons(&self, _: &Cycle<'_>, (): &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) had no rank".into());
    }

    fn score(&self, _: &Cycle<'_>, (): &(), node: &NodeInfo) -> i64 {
        100 - rank(node).unwrap_or(100).clamp(0, 100)
    }
}

fn pod(name: &str, change: Value) -> String {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "web"}]},
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod.to_string()
}

fn requesting(cpu: &str) -> Value {
    json!([{"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu}}}])
}

fn ranked() -> seatrial::sim::SimulationBuilder {
    let node = |name: &str, rank: &str| NodeTemplate::new(name).label("rank", rank);
    let builder = Simulation::builder().delays(Delays::ideal());
    builder.node(node("a", "50")).node(node("b", "10")).node(NodeTemplate::new("c"))
}

fn get(sim: &Simulation, name: &str) -> Pod {
    Pod::clone(sim.view().pods.get(&Key::new("default", name)).expect("the pod"))
}

#[test]
fn a_plugin_of_ones_own_filters_scores_and_is_told_of() {
    let mut sim = ranked().scheduler_plugin(Rank, 10).build().expect("a cluster");
    sim.apply(&pod("p", json!({}))).expect("a pod");
    sim.apply(&pod("q", json!({"nodeSelector": {"kubernetes.io/hostname": "c"}}))).expect("a pod");
    sim.run_for(SimDuration::from_secs(1));
    assert_eq!(&*get(&sim, "p").node_name, "b");
    let decision = sim.scheduling_decision("default", "p").expect("it was tried");
    let Outcome::Placed(placement) = &decision.outcome else { panic!("{decision:?}") };
    assert!(placement.scores.contains(&("Rank", 900)), "{placement:?}");
    assert_eq!(placement.runner_up.as_ref().map(|(node, _)| &**node), Some("a"));
    let explanation = sim.explain_scheduling("default", "q").expect("the pod");
    let (_, verdict) = explanation.nodes.iter().find(|(node, _)| **node == *"c").expect("the node");
    let Verdict::Refused { plugin, reasons, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!((*plugin, reasons[0].as_str()), (Some("Rank"), "node(s) had no rank"));
    let message = &get(&sim, "q").status.conditions.find("PodScheduled").expect("the condition").message.clone();
    assert!(message.as_str().starts_with("0/3 nodes are available: 1 node(s) had no rank, 2 "), "{message:?}");
}

#[test]
fn two_plugins_of_one_name_are_refused() {
    assert!(ranked().scheduler_plugin(Rank, 1).scheduler_plugin(Rank, 1).build().is_err());
}

#[test]
fn a_profile_may_do_without_plugins() {
    let profile = Registry::default().without("NodeAffinity");
    let mut sim = ranked().scheduler_profile(profile).build().expect("a cluster");
    sim.apply(&pod("p", json!({"nodeSelector": {"disk": "none"}}))).expect("a pod");
    sim.run_for(SimDuration::from_secs(1));
    assert!(get(&sim, "p").is_bound());
}

#[test]
fn a_seed_decides_between_equal_nodes_if_asked_to() {
    let placed = |seed: u64, shuffled: bool| {
        let builder = Simulation::builder().seed(seed).delays(Delays::ideal()).nodes(8).shuffle_nodes(shuffled);
        let mut sim = builder.build().expect("a cluster");
        sim.apply(&pod("p", json!({}))).expect("a pod");
        sim.run_for(SimDuration::from_secs(1));
        get(&sim, "p").node_name.to_string()
    };
    assert!((0..8).all(|seed| placed(seed, false) == "node-0"));
    let chosen: std::collections::BTreeSet<_> = (0..8).map(|seed| placed(seed, true)).collect();
    assert!(chosen.len() > 2, "{chosen:?}");
    assert_eq!(placed(3, true), placed(3, true));
}

const CLASSES: &str = "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1000}";

fn preempting(delays: Delays) -> Simulation {
    let slow = json!({"image": "*", "start": "0s", "terminate": "1s"});
    let behaviour = serde_json::from_value(slow).expect("a behaviour");
    let builder = Simulation::builder().delays(delays).behaviour(behaviour).events(true);
    let mut sim = builder.nodes(2).build().expect("a cluster");
    sim.apply(CLASSES).expect("a class");
    for name in ["low-1", "low-2"] {
        sim.apply(&pod(name, json!({"containers": requesting("3")}))).expect("a pod");
    }
    sim.run_for(SimDuration::from_secs(30));
    sim.apply(&pod("high", json!({"containers": requesting("2"), "priorityClassName": "high"}))).expect("a pod");
    sim
}

#[test]
fn a_pod_of_higher_priority_displaces_one_and_takes_its_place() {
    for delays in [Delays::ideal(), Delays::realistic()] {
        let mut sim = preempting(delays);
        sim.run_for(SimDuration::from_millis(100));
        let high = get(&sim, "high");
        let node = high.status.nominated_node_name.to_string();
        assert!(!node.is_empty() && !high.is_bound());
        let victim = sim.view().pods_on(&node).next().expect("the victim").clone();
        let condition = victim.status.conditions.find("DisruptionTarget").expect("the condition");
        assert!(victim.meta.is_deleting() && condition.reason == *"PreemptionByScheduler");
        assert_eq!(condition.message.as_str(), "default-scheduler: preempting to accommodate a higher priority pod");
        let told = format!("Preempted by pod {} on node {node}", high.meta.uid);
        assert!(sim.view().events.iter().any(|event| event.reason == *"Preempted" && event.message == *told));
        let decision = sim.scheduling_decision("default", "high").expect("it was tried");
        let Outcome::Failed { nominated, rejected_by, .. } = &decision.outcome else { panic!("{decision:?}") };
        assert_eq!(
            (nominated.as_ref().map(|(_, victims)| *victims), &rejected_by[..]),
            (Some(1), &["NodeResourcesFit"][..])
        );
        sim.run_for(SimDuration::from_secs(60));
        let high = get(&sim, "high");
        assert_eq!((&*high.node_name, high.status.nominated_node_name.as_str()), (&*node, ""));
        assert_eq!(sim.view().pods.len(), 2, "only one had to go");
    }
}

#[test]
fn a_lower_pod_does_not_slip_into_the_room_that_was_made() {
    let mut sim = preempting(Delays::ideal());
    sim.run_for(SimDuration::from_millis(100));
    let node = get(&sim, "high").status.nominated_node_name.to_string();
    sim.apply(&pod("late", json!({"containers": requesting("3")}))).expect("a pod");
    sim.run_for(SimDuration::from_secs(60));
    assert!(!get(&sim, "late").is_bound());
    assert_eq!(&*get(&sim, "high").node_name, &*node);
}

/// A pod that is kept apart, near, or spread, or asks for much, in a small random way.
fn random_pod() -> impl Strategy<Value = Value> {
    let selector = |app: u8| json!({"matchLabels": {"app": format!("a{app}")}});
    let key = |zone: bool| if zone { "topology.kubernetes.io/zone" } else { "kubernetes.io/hostname" };
    (0..3u8, 0..6u8, any::<bool>(), 0..3u8, 1..4i32, 1..4u8, 0..3i32).prop_map(
        move |(app, kind, zone, other, skew, cpu, priority)| {
            let term = json!([{"topologyKey": key(zone), "labelSelector": selector(other)}]);
            let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": term});
            let mut spec = json!({"containers": requesting(&cpu.to_string())});
            match kind {
                0 => spec["affinity"] = json!({"podAntiAffinity": required}),
                1 => spec["affinity"] = json!({"podAffinity": required}),
                2 | 3 => {
                    spec["topologySpreadConstraints"] = json!([{"topologyKey": key(zone), "maxSkew": skew,
                        "whenUnsatisfiable": if kind == 2 { "DoNotSchedule" } else { "ScheduleAnyway" },
                        "labelSelector": selector(app)}]);
                }
                _ => {}
            }
            if priority > 0 {
                spec["priorityClassName"] = format!("p{priority}").into();
            }
            json!({"app": app, "spec": spec})
        },
    )
}

fn cluster(delays: Delays, shuffled: bool, seed: u64) -> Simulation {
    let mut builder = Simulation::builder().seed(seed).delays(delays).shuffle_nodes(shuffled);
    for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("c1", "c")] {
        builder = builder.node(NodeTemplate::new(name).label("topology.kubernetes.io/zone", zone));
    }
    let mut sim = builder.build().expect("a cluster");
    for priority in 1..3 {
        let class = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": format!("p{priority}")}, "value": priority});
        sim.apply(&class.to_string()).expect("a class");
    }
    sim
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn placements_keep_their_promises(
        pods in proptest::collection::vec((random_pod(), 0..3u64), 1..25),
        ideal in any::<bool>(),
        shuffled in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let delays = if ideal { Delays::ideal() } else { Delays::realistic() };
        let mut sim = cluster(delays, shuffled, seed);
        let mut promises = Always::for_every_workload();
        for (at, (random, wait)) in pods.iter().enumerate() {
            let mut object: Value = serde_json::from_str(&pod(&format!("p{at}"), random["spec"].clone())).expect("a pod");
            object["metadata"]["labels"]["app"] = format!("a{}", random["app"]).into();
            sim.apply(&object.to_string()).expect("a pod");
            let end = sim.now() + SimDuration::from_secs(*wait);
            if let Err(violation) = promises.run(&mut sim, end) {
                return Err(TestCaseError::fail(violation.to_string()));
            }
        }
        if let Err(violation) = promises.run(&mut sim, SimTime::from_secs(400)) {
            return Err(TestCaseError::fail(violation.to_string()));
        }
        // Who waits, waits for a reason that still holds.
        let waiting = sim.view().pods.iter().filter(|pod| !pod.is_bound() && !pod.meta.is_deleting());
        let names: Vec<String> = waiting.map(|pod| pod.meta.name.to_string()).collect();
        for name in names {
            let explanation = sim.explain_scheduling("default", &name).expect("the pod");
            prop_assert!(explanation.message.is_some(), "{name} could have been placed");
        }
    }
}

#[test]
fn a_preemptor_that_is_woken_while_its_victims_go_is_tried_again() {
    let text = include_str!("cases/two-preemptors-of-one-victim.yaml");
    let run = Scenario::read("two-preemptors.yaml", text)
        .and_then(|scenario| scenario.run(&RunOptions::default()))
        .expect("a scenario");
    assert!(run.held(), "{:?}", run.verdicts);
}
