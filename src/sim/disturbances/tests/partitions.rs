use super::*;
use crate::api::DeleteOptions;
use crate::objects::PodPhase;

fn cut_off(sim: &mut Simulation, node: &str, cut: Cut, lasts: u64) {
    sim.disturb(Disturbance::Partition { node: node.into(), cut }, Some(secs(lasts))).unwrap();
}

fn node_of(sim: &Simulation, pod: &str) -> String {
    sim.view().pods.get(&Key::new("default", pod)).unwrap().node_name.to_string()
}

/// On how many machines containers of a pod of that name run.
fn copies(sim: &Simulation, pod: &str) -> usize {
    sim.running_pods().filter(|(_, key, _)| *key.name == *pod).count()
}

fn force() -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }
}

#[test]
fn a_cut_shorter_than_the_grace_goes_unnoticed_and_a_longer_one_makes_the_node_unknown() {
    for (cut, lasts, noticed) in
        [(Cut::Both, 40, false), (Cut::Both, 70, true), (Cut::Writes, 70, true), (Cut::Watches, 300, false)]
    {
        let mut sim = realistic(3);
        sim.run_for(secs(20));
        cut_off(&mut sim, "node-1", cut, lasts);
        let mut was_lost = false;
        for _ in 0..lasts {
            sim.run_for(secs(1));
            was_lost |= !node_is_ready(&sim, "node-1");
        }
        assert_eq!(was_lost, noticed, "{cut} for {lasts} s");
        sim.run_for(secs(15));
        assert!(node_is_ready(&sim, "node-1"), "{cut} for {lasts} s");
    }
}

#[test]
fn containers_of_a_node_that_is_cut_off_run_on_and_their_latest_state_arrives_afterwards() {
    let exits = json!({"image": "batch", "exit": {"after": "80s", "code": 0}});
    let mut sim = Simulation::builder()
        .nodes(1)
        .behaviour(serde_json::from_value(exits).unwrap())
        .record(RecordMode::Full)
        .build()
        .unwrap();
    let pod = |name: &str, policy: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "restartPolicy": policy, "containers": [{"name": "c", "image": "batch"}]}})
        .to_string()
    };
    sim.apply(&pod("once", "Never")).unwrap();
    sim.apply(&pod("again", "Always")).unwrap();
    sim.run_for(secs(30));
    cut_off(&mut sim, "node-0", Cut::Both, 100);
    sim.run_for(secs(99));
    let phase = |sim: &Simulation, name: &str| sim.view().pods.get(&Key::new("default", name)).unwrap().status.phase;
    assert_eq!((phase(&sim, "once"), phase(&sim, "again")), (PodPhase::Running, PodPhase::Running));
    assert_eq!((copies(&sim, "once"), copies(&sim, "again")), (0, 1));
    // The kubelet looks every 10 s at what it could not send.
    sim.run_for(secs(12));
    assert_eq!(phase(&sim, "once"), PodPhase::Succeeded);
    let again = sim.view().pods.get(&Key::new("default", "again")).unwrap();
    assert_eq!(again.status.container_statuses[0].restart_count, 1);
}

#[test]
fn a_pod_that_was_deleted_by_force_runs_on_beside_its_successor_until_the_node_is_back() {
    for delays in [Delays::ideal(), Delays::realistic()] {
        let mut sim = Simulation::builder().delays(delays).nodes(3).build().unwrap();
        sim.apply(&workload("StatefulSet", "db", 1)).unwrap();
        sim.run_for(secs(30));
        let (pod, node) = (Key::new("default", "db-0"), node_of(&sim, "db-0"));
        sim.disturb(Disturbance::Partition { node: node.as_str().into(), cut: Cut::Both }, None).unwrap();
        sim.run_for(secs(420));
        assert!(sim.view().pods.get(&pod).unwrap().meta.is_deleting(), "evicted, and stuck");
        assert_eq!(copies(&sim, "db-0"), 1);
        sim.delete(&target("pod/db-0"), force()).unwrap();
        sim.run_for(secs(60));
        assert_ne!(node_of(&sim, "db-0"), node);
        assert_eq!(copies(&sim, "db-0"), 2, "the same ordinal twice");
        sim.restore(&Place::Node(node.as_str().into())).unwrap();
        sim.run_for(secs(70));
        assert_eq!(copies(&sim, "db-0"), 1);
        assert!(sim.running_pods().all(|(machine, ..)| **machine != *node));
        assert!(sim.view().pods.get(&pod).unwrap().is_ready());
        settle(&mut sim);
    }
}

#[test]
fn a_pod_that_was_deleted_meanwhile_is_stopped_with_its_grace_and_then_gone() {
    for cut in [Cut::Both, Cut::Watches] {
        let mut sim = realistic(2);
        sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: web}]}}")
            .unwrap();
        sim.run_for(secs(20));
        let node = node_of(&sim, "web");
        cut_off(&mut sim, &node, cut, 30);
        sim.delete(&target("pod/web"), DeleteOptions::default()).unwrap();
        sim.run_for(secs(29));
        assert_eq!(copies(&sim, "web"), 1, "{cut}");
        sim.run_for(secs(60));
        assert!(sim.view().pods.is_empty(), "{cut}");
        assert_eq!(copies(&sim, "web"), 0, "{cut}");
    }
}

#[test]
fn a_kubelet_that_cannot_write_still_sees() {
    let mut sim = realistic(1);
    sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: web}]}}")
        .unwrap();
    sim.run_for(secs(20));
    sim.disturb(Disturbance::Partition { node: "node-0".into(), cut: Cut::Writes }, None).unwrap();
    sim.delete(&target("pod/web"), DeleteOptions::default()).unwrap();
    sim.run_for(secs(40));
    assert_eq!(copies(&sim, "web"), 0);
    assert_eq!(sim.view().pods.len(), 1, "it stopped, and cannot say so");
    sim.restore(&Place::Node("node-0".into())).unwrap();
    sim.run_for(secs(11));
    assert!(sim.view().pods.is_empty());
}

#[test]
fn a_pod_that_is_bound_to_a_node_that_sees_nothing_starts_when_it_sees_again() {
    let mut sim = realistic(1);
    sim.run_for(secs(20));
    cut_off(&mut sim, "node-0", Cut::Watches, 40);
    sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: web}]}}")
        .unwrap();
    sim.run_for(secs(39));
    assert!(sim.view().pods.iter().all(|pod| pod.is_bound() && pod.status.phase == PodPhase::Pending));
    sim.run_for(secs(15));
    assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
}

#[test]
fn a_machine_that_starts_while_it_is_cut_off_runs_nothing_until_it_sees_what() {
    let mut sim = realistic(1);
    sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: web}]}}")
        .unwrap();
    sim.run_for(secs(20));
    cut_off(&mut sim, "node-0", Cut::Both, 30);
    sim.node_down("node-0").unwrap();
    sim.run_for(secs(5));
    sim.node_up("node-0").unwrap();
    sim.run_for(secs(20));
    assert_eq!(copies(&sim, "web"), 0);
    sim.run_for(secs(30));
    assert_eq!(copies(&sim, "web"), 1);
    assert!(node_is_ready(&sim, "node-0"));
    assert!(sim.view().pods.iter().all(|pod| pod.is_ready() && pod.status.container_statuses[0].restart_count == 1));
    assert!(sim.kubelets.nodes[0].link.is_none(), "nothing is left of it");
}
