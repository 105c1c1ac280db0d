use super::*;
use crate::objects::{Kind, PodPhase};

#[test]
fn a_controller_that_sees_late_acts_late() {
    for (delay, seen) in [(Some(secs(20)), 20), (None, 30)] {
        for delays in [Delays::ideal(), Delays::realistic()] {
            let mut sim = Simulation::builder().delays(delays).nodes(2).build().unwrap();
            sim.run_for(secs(10));
            let slow = Disturbance::SlowWatch { watcher: Watcher::ControllerManager, delay };
            sim.disturb(slow, Some(secs(30))).unwrap();
            sim.apply(&workload("Deployment", "web", 3)).unwrap();
            sim.run_for(secs(seen - 1));
            assert_eq!(sim.view().replica_sets.len(), 0);
            sim.run_for(secs(2));
            assert_eq!(sim.view().replica_sets.len(), 1);
            sim.run_for(secs(90));
            assert_eq!(available(&sim, "web"), 3);
            assert_eq!(sim.view().pods.len(), 3, "and makes no pod twice");
            settle(&mut sim);
        }
    }
}

#[test]
fn the_scheduler_and_the_kubelets_can_be_late_too() {
    let node = || Watcher::Kubelet("node-0".into());
    for watcher in [Watcher::Scheduler, Watcher::Kubelets, node()] {
        for delay in [Some(secs(25)), None] {
            let mut sim = realistic(1);
            sim.run_for(secs(10));
            let slow = Disturbance::SlowWatch { watcher: watcher.clone(), delay };
            sim.disturb(slow, Some(secs(40))).unwrap();
            sim.apply(&workload("Deployment", "web", 2)).unwrap();
            sim.run_for(secs(24));
            let pods: Vec<_> = sim.view().pods.iter().cloned().collect();
            assert!(pods.len() == 2 && pods.iter().all(|pod| pod.status.phase == PodPhase::Pending), "{watcher}");
            assert_eq!(pods.iter().all(|pod| pod.is_bound()), watcher != Watcher::Scheduler);
            sim.run_for(secs(60));
            assert_eq!(available(&sim, "web"), 2, "{watcher}, {delay:?}");
            assert!(sim.kubelets.apart.is_empty());
            settle(&mut sim);
            assert!(sim.kubelets.nodes[0].link.is_none());
        }
    }
}

#[test]
fn slow_writes_take_as_long_as_is_said_and_no_longer_than_the_disturbance() {
    let mut sim = realistic(2);
    sim.run_for(secs(10));
    sim.disturb(Disturbance::SlowWrites(Sampler::constant(secs(2))), Some(secs(30))).unwrap();
    sim.apply(&workload("Deployment", "web", 1)).unwrap();
    sim.run_for(SimDuration::from_millis(1900));
    assert_eq!(sim.view().replica_sets.len(), 0);
    sim.run_for(SimDuration::from_millis(200));
    assert_eq!(sim.view().replica_sets.len(), 1);
    sim.run_for(secs(40));
    assert_eq!(sim.delays().write, Delays::realistic().write);
    assert_eq!(available(&sim, "web"), 1);
}

#[test]
fn in_a_storm_of_conflicts_controllers_try_again_until_it_is_over() {
    let mut sim = realistic(2);
    sim.apply(&workload("Deployment", "web", 3)).unwrap();
    sim.run_for(secs(60));
    let storm = ConflictStorm { kinds: vec![Kind::ReplicaSet], ..ConflictStorm::default() };
    sim.disturb(Disturbance::Conflicts(storm), Some(secs(60))).unwrap();
    sim.scale(&target("deployment/web"), 5).unwrap();
    sim.run_for(secs(59));
    assert_eq!(sim.view().pods.len(), 3, "no ReplicaSet can be scaled");
    sim.run_for(secs(60));
    assert_eq!(available(&sim, "web"), 5);
    settle(&mut sim);
}

#[test]
fn a_storm_elsewhere_or_of_a_few_percent_stops_nobody() {
    for storm in [
        ConflictStorm { namespace: Some("elsewhere".into()), ..ConflictStorm::default() },
        ConflictStorm { percent: 20, ..ConflictStorm::default() },
    ] {
        let mut sim = realistic(2);
        sim.disturb(Disturbance::Conflicts(storm), None).unwrap();
        sim.apply(&workload("Deployment", "web", 3)).unwrap();
        sim.run_for(secs(60));
        assert_eq!(available(&sim, "web"), 3);
    }
}
