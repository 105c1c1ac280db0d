//! Random faults.

use serde_json::{Value, json};

use super::*;
use crate::kernel::SimTime;
use crate::sim::{Delays, NodeTemplate, Record, RecordMode, SimulationBuilder};

const RACK: &str = "rack";

fn hours(hours: u64) -> SimDuration {
    SimDuration::from_hours(hours)
}

fn crashes() -> NodeCrash {
    NodeCrash {
        mtbf: Sampler::exponential(hours(10)).unwrap(),
        mttr: Sampler::constant(hours(1)),
        select: Labels::new(),
        correlated_by: None,
    }
}

fn killer() -> PodKiller {
    let every = Sampler::uniform(SimDuration::from_secs(300), SimDuration::from_secs(900)).unwrap();
    PodKiller { every, selector: "app=web".parse().unwrap(), namespace: "default".into() }
}

fn cluster() -> SimulationBuilder {
    Simulation::builder().seed(5).delays(Delays::ideal()).record(RecordMode::Full).events(false)
}

fn rack(name: &str, rack: &str) -> NodeTemplate {
    NodeTemplate::new(name).label(RACK, rack)
}

/// Every fault so far: when, of which kind, and of what.
fn faults(sim: &Simulation) -> Vec<(SimTime, String, Value)> {
    let steps = sim.recording().records().iter().filter_map(|record| match record {
        Record::Step(at, step) if step.name == "fault" => Some((*at, &step.args)),
        _ => None,
    });
    steps
        .map(|(at, args)| {
            (at, args["kind"].as_str().unwrap().to_owned(), args.get("nodes").unwrap_or(&args["pod"]).clone())
        })
        .collect()
}

/// When the node crashed or came back.
fn luck_of(sim: &Simulation, node: &str) -> Vec<SimTime> {
    faults(sim).into_iter().filter(|(.., nodes)| *nodes == json!([node])).map(|(at, ..)| at).collect()
}

fn web(sim: &mut Simulation, replicas: u32) {
    let labels = json!({"app": "web"});
    let spec = json!({"containers": [{"name": "c", "image": "web"}]});
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    });
    sim.apply(&deployment.to_string()).unwrap();
}

#[test]
fn a_crash_is_a_node_that_goes_down_and_comes_back() {
    let mut sim = cluster().nodes(1).fault(crashes()).build().unwrap();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        assert!(sim.step(SimTime::ZERO + hours(1000)));
        let up = sim.machine_is_up("node-0");
        if seen.last().map_or(!up, |(last, _)| *last != up) {
            seen.push((up, sim.now()));
        }
    }
    let told: Vec<_> = faults(&sim).into_iter().map(|(at, kind, _)| (kind == "NodeRepair", at)).collect();
    assert_eq!(seen, told);
    for pair in seen.chunks(2) {
        assert_eq!(pair[1].1 - pair[0].1, hours(1));
    }
}

#[test]
fn the_same_seed_brings_the_same_log_and_another_seed_another() {
    let run = |seed| {
        let often = NodeCrash { mtbf: Sampler::exponential(hours(1)).unwrap(), ..crashes() };
        let cluster = cluster().seed(seed).delays(Delays::realistic()).nodes(4);
        let mut sim = cluster.fault(often).fault(killer()).build().unwrap();
        web(&mut sim, 6);
        sim.run_for(hours(4));
        assert!(faults(&sim).iter().any(|(_, kind, _)| kind == "PodKiller"));
        assert!(faults(&sim).iter().any(|(_, kind, _)| kind == "NodeRepair"));
        sim.recording().digest()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_fork_meets_the_same_faults() {
    let mut sim = cluster().nodes(3).fault(crashes()).build().unwrap();
    sim.run_for(hours(30));
    let mut fork = sim.clone();
    sim.run_for(hours(50));
    fork.run_for(hours(50));
    assert_eq!(faults(&sim), faults(&fork));
    assert!(faults(&sim).len() > 10);
}

#[test]
fn neither_a_node_nor_an_injector_more_shifts_anybodys_luck() {
    let run = |build: SimulationBuilder| {
        let mut sim = build.build().unwrap();
        sim.run_for(hours(100));
        sim
    };
    let base = run(cluster().node(rack("x", "1")).node(rack("y", "1")).fault(crashes()));
    let more =
        cluster().node(rack("new", "2")).node(rack("x", "1")).node(rack("y", "1")).fault(crashes()).fault(killer());
    let more = run(more);
    for node in ["x", "y"] {
        assert!(luck_of(&base, node).len() > 4);
        assert_eq!(luck_of(&base, node), luck_of(&more, node));
    }
    assert_ne!(luck_of(&base, "x"), luck_of(&base, "y"));
    assert!(luck_of(&more, "new").len() > 4);
}

#[test]
fn a_node_that_joins_later_is_exposed_from_then() {
    let mut sim = cluster().nodes(1).fault(crashes()).build().unwrap();
    sim.run_for(hours(50));
    let before = luck_of(&sim, "node-0");
    sim.add_node(&NodeTemplate::new("late")).unwrap();
    sim.run_for(hours(100));
    assert!(luck_of(&sim, "node-0").starts_with(&before));
    let late = luck_of(&sim, "late");
    assert!(late.len() > 4 && late[0] > SimTime::ZERO + hours(50), "{late:?}");
}

#[test]
fn a_group_fails_as_a_whole_and_only_nodes_that_are_selected_fail() {
    let plan = NodeCrash { correlated_by: Some(RACK.into()), select: Labels::new().with("spot", "yes"), ..crashes() };
    let spot = |node: NodeTemplate| node.label("spot", "yes");
    let nodes = [spot(rack("a1", "a")), spot(rack("a2", "a")), rack("a3", "a"), spot(rack("b1", "b"))];
    let alone = spot(NodeTemplate::new("alone"));
    let build = nodes.into_iter().chain([alone]).fold(cluster(), SimulationBuilder::node);
    let mut sim = build.fault(plan).build().unwrap();
    sim.run_for(hours(150));
    let told = faults(&sim);
    for group in [json!(["a1", "a2"]), json!(["b1"]), json!(["alone"])] {
        assert!(told.iter().filter(|(.., nodes)| *nodes == group).count() > 6, "{group}");
    }
    assert!(told.iter().all(|(.., nodes)| [json!(["a1", "a2"]), json!(["b1"]), json!(["alone"])].contains(nodes)));
    assert!(sim.machine_is_up("a3"));
}

#[test]
fn what_the_user_did_meanwhile_is_not_undone() {
    let mut sim = cluster().nodes(2).fault(crashes()).build().unwrap();
    let down = |sim: &mut Simulation, node: &str| {
        while sim.machine_is_up(node) {
            assert!(sim.step(SimTime::ZERO + hours(1000)));
        }
    };
    down(&mut sim, "node-0");
    sim.node_down("node-0").unwrap();
    down(&mut sim, "node-1");
    sim.delete_node("node-1").unwrap();
    sim.run_for(hours(200));
    assert!(!sim.machine_is_up("node-0") && !sim.machine_is_up("node-1"));
    // A new machine of that name is a new machine.
    sim.add_node(&NodeTemplate::new("node-1")).unwrap();
    let before = luck_of(&sim, "node-1").len();
    sim.run_for(hours(200));
    assert!(luck_of(&sim, "node-1").len() > before + 4);
}

/// The means of a month on a hundred machines, with crashes every ten hours and repairs of one: some 65 a machine.
#[test]
fn mean_times_are_as_asked_for() {
    let plan = NodeCrash { mttr: Sampler::exponential(hours(1)).unwrap(), ..crashes() };
    let Injector::Crashes(mut injector) = Injector::new(FaultPlan::NodeCrash(plan.clone()), 0, Streams::new(9)) else {
        panic!("a plan of crashes");
    };
    let (mut failures, mut up) = (0u64, 0.0);
    let month = hours(30 * 24).as_secs_f64();
    for machine in 0..100 {
        let (name, labels) = (format!("m{machine}"), Labels::new());
        let joined = Joined { machine, name: &name, labels: &labels, streams: Streams::new(9) };
        let (unit, first) = injector.take_in(&joined).unwrap();
        let luck = &mut injector.units.get_mut(unit).luck;
        let (mut now, mut runs) = (0.0, first.as_secs_f64());
        while now < month {
            up += runs.min(month - now);
            now += runs;
            failures += u64::from(now < month);
            now += plan.mttr.sample(luck).as_secs_f64();
            runs = plan.mtbf.sample(luck).as_secs_f64();
        }
    }
    let mean = up / failures as f64 / 3600.0;
    // Six thousand samples: a standard error of 1.3 %.
    assert!((9.5..10.5).contains(&mean), "{mean} hours between failures");
    let share = up / (100.0 * month);
    assert!((0.90..0.92).contains(&share), "up for {share} of the time");
}

#[test]
fn a_simulated_month_has_as_many_crashes_as_the_mean_says() {
    let mut sim = cluster().nodes(1).fault(crashes()).build().unwrap();
    sim.run_for(hours(30 * 24));
    let crashed = faults(&sim).iter().filter(|(_, kind, _)| kind == "NodeCrash").count();
    // 720 h ÷ 11 h = 65; the standard deviation is about 7.
    assert!((44..=86).contains(&crashed), "{crashed} crashes");
}

#[test]
fn a_killer_deletes_running_pods_that_match_and_they_are_replaced() {
    let mut sim = cluster().nodes(2).fault(killer()).build().unwrap();
    web(&mut sim, 4);
    sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: other}, spec: {containers: [{name: c, image: other}]}}")
        .unwrap();
    sim.run_for(hours(5));
    let killed = faults(&sim);
    // One in 300 s to 900 s.
    assert!((20..=60).contains(&killed.len()), "{}", killed.len());
    assert!(killed.iter().all(|(.., pod)| pod.as_str().unwrap().starts_with("web-")));
    let mut names: Vec<_> = killed.iter().map(|(.., pod)| pod.as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), killed.len(), "nobody dies twice");
    assert_eq!(sim.view().pods.len(), 5);
}

#[test]
fn the_number_of_pods_does_not_shift_the_times_of_a_killer() {
    let times = |replicas| {
        let mut sim = cluster().nodes(2).fault(killer()).build().unwrap();
        web(&mut sim, replicas);
        sim.run_for(hours(3));
        faults(&sim).into_iter().map(|(at, ..)| at).collect::<Vec<_>>()
    };
    assert!(times(2).len() > 10);
    assert_eq!(times(2), times(7));
    assert_eq!(times(0), []);
}

#[test]
fn faults_to_come_do_not_keep_a_cluster_busy() {
    let mut sim = cluster().nodes(2).fault(crashes()).fault(killer()).build().unwrap();
    web(&mut sim, 2);
    assert!(sim.run_until_quiescent(SimTime::from_secs(200)));
    assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
    assert_eq!(faults(&sim), []);
}

#[test]
fn times_that_are_always_zero_are_refused_and_others_never_stop_the_clock() {
    let zero = NodeCrash { mttr: Sampler::default(), ..crashes() };
    let error = cluster().nodes(1).fault(zero).build().map(drop).unwrap_err();
    assert_eq!(error.to_string(), "mttr of a fault must be greater than 0");
    let nothing = Sampler::uniform(SimDuration::ZERO, SimDuration::ZERO).unwrap();
    let mut sim = cluster().nodes(1).fault(PodKiller { every: nothing, ..killer() }).build().unwrap();
    sim.run_for(SimDuration::from_secs(1));
    assert!(sim.livelock().is_none() && sim.now() == SimTime::from_secs(1));
}

#[test]
fn a_zone_goes_and_comes_back_as_a_whole() {
    let zone = |name: &str, zone: &str| NodeTemplate::new(name).label(ZONE_LABEL, zone);
    let mut sim = cluster().node(zone("a2", "a")).node(zone("a1", "a")).node(zone("b1", "b")).build().unwrap();
    let up = |sim: &Simulation| ["a1", "a2", "b1"].map(|node| sim.machine_is_up(node));
    let names: Vec<String> = sim.zone_down("a").unwrap().iter().map(|name| name.to_string()).collect();
    assert_eq!(names, ["a1", "a2"]);
    assert_eq!(up(&sim), [false, false, true]);
    sim.zone_up("a").unwrap();
    assert_eq!(up(&sim), [true, true, true]);
    let error = sim.zone_down("z").unwrap_err();
    assert_eq!(error.to_string(), "there is no node with the label topology.kubernetes.io/zone=z");
}

#[test]
fn nodes_are_also_selected_by_the_labels_that_kubelets_give_them() {
    let plan = NodeCrash { select: Labels::new().with("kubernetes.io/hostname", "node-1"), ..crashes() };
    let mut sim = cluster().nodes(3).fault(plan).build().unwrap();
    sim.run_for(hours(100));
    assert!(faults(&sim).len() > 4 && luck_of(&sim, "node-1").len() == faults(&sim).len());
}
