use super::*;
use crate::api::PatchType;

fn with(control_plane: ControlPlane) -> Simulation {
    let builder = Simulation::builder().seed(5).nodes(4).record(RecordMode::Full).control_plane(control_plane);
    builder.build().unwrap()
}

/// Until somebody leads again, in milliseconds.
fn vacancy(sim: &mut Simulation, leader: Leader) -> u64 {
    let from = sim.now().as_nanos() / 1_000_000;
    sim.run_for(secs(120));
    assert!(sim.has_leader(leader));
    let (at, args) = steps(sim, "leads").last().cloned().unwrap();
    assert!(args.contains(leader.as_str()));
    at - from
}

#[test]
fn after_a_crash_somebody_leads_when_the_lease_has_run_out() {
    for leader in Leader::BOTH {
        let cases: [(ControlPlane, std::ops::RangeInclusive<u64>); 3] = [
            // It starts again, and takes its own lease for that of somebody else.
            (ControlPlane::default(), 16_000..=21_400),
            (ControlPlane { replicas: 3, ..ControlPlane::default() }, 13_000..=23_800),
            (ControlPlane { replicas: 1, leader_election: None }, 1_000..=2_000),
        ];
        for (control_plane, expected) in cases {
            let mut sim = with(control_plane);
            sim.run_for(secs(10));
            sim.crash_leader(leader).unwrap();
            assert!(sim.crash_leader(leader).is_err(), "nobody leads");
            let found = vacancy(&mut sim, leader);
            assert!(expected.contains(&found), "{found} ms, {leader:?}, {control_plane:?}");
        }
    }
}

#[test]
fn a_rollout_goes_on_after_the_controller_manager_crashed_in_the_middle() {
    for after in [1, 2, 3, 5, 8] {
        let mut sim = with(ControlPlane::default());
        sim.apply(&workload("Deployment", "web", 12)).unwrap();
        sim.run_for(secs(60));
        sim.set_image(&target("deployment/web"), "*", "web:v2").unwrap();
        sim.run_for(secs(after));
        sim.crash_leader(Leader::ControllerManager).unwrap();
        let mut least = i32::MAX;
        for _ in 0..120 {
            sim.run_for(secs(1));
            least = least.min(available(&sim, "web"));
        }
        assert!(least >= 9, "25 % may be unavailable, {least} of 12 were available");
        assert_eq!(available(&sim, "web"), 12);
        settle(&mut sim);
    }
}

#[test]
fn without_a_scheduler_pods_wait_and_are_placed_afterwards() {
    let mut sim = with(ControlPlane::default());
    sim.run_for(secs(10));
    sim.disturb(Disturbance::SchedulerDown, Some(secs(60))).unwrap();
    sim.apply(&workload("Deployment", "web", 5)).unwrap();
    sim.run_for(secs(59));
    assert!(sim.view().pods.iter().all(|pod| !pod.is_bound()));
    assert_eq!(sim.view().pods.len(), 5);
    // 15 s and up to 4.4 s for the lease.
    sim.run_for(secs(40));
    assert_eq!(available(&sim, "web"), 5);
    assert!(sim.scheduling_decision("default", "nobody").is_none());
}

#[test]
fn what_was_assumed_or_on_its_way_when_the_scheduler_crashed_is_placed_once() {
    for millis in 0..40 {
        let mut sim = with(ControlPlane { replicas: 1, leader_election: None });
        sim.run_for(secs(10));
        sim.apply(&workload("Deployment", "web", 30)).unwrap();
        sim.run_for(SimDuration::from_millis(10 + millis * 3));
        sim.crash_leader(Leader::Scheduler).unwrap();
        sim.run_for(secs(60));
        assert_eq!(available(&sim, "web"), 30, "crashed after {millis}");
        settle(&mut sim);
    }
}

#[test]
fn a_nomination_outlives_the_scheduler() {
    let mut sim = Simulation::builder().nodes(1).build().unwrap();
    sim.apply("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1000}").unwrap();
    let pod = |name: &str, more: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{{more} terminationGracePeriodSeconds: 60, \
             containers: [{{name: c, image: slow, resources: {{requests: {{cpu: '4'}}}}}}]}}}}"
        )
    };
    sim.apply(&pod("low", "")).unwrap();
    sim.run_for(secs(20));
    sim.apply(&pod("high", "priorityClassName: high,")).unwrap();
    sim.run_for(SimDuration::from_millis(500));
    let nominated = |sim: &Simulation| {
        sim.view().pods.get(&Key::new("default", "high")).unwrap().status.nominated_node_name.to_string()
    };
    assert_eq!(nominated(&sim), "node-0");
    sim.crash_leader(Leader::Scheduler).unwrap();
    sim.run_for(secs(10));
    assert_eq!(nominated(&sim), "node-0");
    sim.run_for(secs(90));
    assert!(sim.view().pods.get(&Key::new("default", "high")).unwrap().is_bound());
}

#[test]
fn while_the_api_server_is_away_everybody_is_refused_and_later_all_goes_on() {
    let mut sim = with(ControlPlane::default());
    sim.apply(&workload("Deployment", "web", 6)).unwrap();
    sim.run_for(secs(60));
    sim.disturb(Disturbance::ApiServerDown, Some(secs(120))).unwrap();
    let refused = "dial tcp 172.16.0.1:6443: connect: connection refused";
    assert_eq!(sim.scale(&target("deployment/web"), 9).unwrap_err().to_string(), refused);
    let patch = json!({"spec": {"replicas": 9}});
    assert_eq!(sim.patch(&target("deployment/web"), PatchType::Merge, &patch).unwrap_err().to_string(), refused);
    assert_eq!(sim.evict(&Key::new("default", "x"), Default::default()).unwrap_err().to_string(), refused);
    assert_eq!(sim.cordon("node-0", true).unwrap_err().to_string(), refused);
    let changes = sim.changes();
    sim.run_for(secs(119));
    assert_eq!(sim.changes(), changes, "nothing was written");
    assert!(!sim.has_leader(Leader::ControllerManager) && !sim.has_leader(Leader::Scheduler));
    for (at, _) in steps(&sim, "exits") {
        assert!((70_000..72_000).contains(&at), "10 s after the last renewal, at {at}");
    }
    sim.run_for(secs(2));
    sim.scale(&target("deployment/web"), 9).unwrap();
    // Up to 4.4 s until the lease is seen, 15 s until it has run out, another 4.4 s until that is seen; kubelets look again
    // after 60 s at the latest.
    sim.run_for(secs(100));
    assert_eq!(available(&sim, "web"), 9);
    settle(&mut sim);
}

#[test]
fn no_node_is_given_up_because_of_an_outage_of_the_api_server() {
    let stubborn = ControlPlane { replicas: 1, leader_election: None };
    for (control_plane, lasts) in [(ControlPlane::default(), 9), (ControlPlane::default(), 300), (stubborn, 40)] {
        let mut sim = with(control_plane);
        sim.run_for(secs(60));
        sim.disturb(Disturbance::ApiServerDown, Some(secs(lasts))).unwrap();
        for _ in 0..lasts + 600 {
            sim.run_for(secs(1));
            assert!((0..4).all(|n| node_is_ready(&sim, &format!("node-{n}"))), "after {lasts} s, at {}", sim.now());
        }
    }
}

#[test]
fn a_monitor_that_outlives_a_long_outage_takes_nodes_for_lost_for_a_moment_and_evicts_nobody() {
    let mut sim = with(ControlPlane { replicas: 1, leader_election: None });
    sim.apply(&workload("Deployment", "web", 6)).unwrap();
    sim.run_for(secs(60));
    let pods: Vec<_> = sim.view().pods.iter().map(|pod| pod.meta.uid.clone()).collect();
    sim.disturb(Disturbance::ApiServerDown, Some(secs(300))).unwrap();
    let ready = |sim: &Simulation| (0..4).filter(|n| node_is_ready(sim, &format!("node-{n}"))).count();
    let mut least = 4;
    for _ in 0..1200 {
        sim.run_for(secs(1));
        least = least.min(ready(&sim));
    }
    assert!(least < 4, "it looks before its watch is back");
    assert_eq!(ready(&sim), 4);
    assert_eq!(sim.view().pods.iter().map(|pod| pod.meta.uid.clone()).collect::<Vec<_>>(), pods);
}

#[test]
fn a_drain_does_not_survive_the_api_server() {
    let mut sim = with(ControlPlane::default());
    sim.apply(&workload("Deployment", "web", 6)).unwrap();
    sim.run_for(secs(60));
    sim.drain("node-0", Default::default()).unwrap();
    sim.disturb(Disturbance::ApiServerDown, Some(secs(20))).unwrap();
    sim.run_for(secs(19));
    let told = steps(&sim, "drain");
    assert!(told.len() <= 1, "{told:?}");
    sim.run_for(secs(120));
    assert!(!sim.is_draining("node-0"));
}

#[test]
fn a_process_that_is_down_when_an_outage_ends_waits_for_its_own_end() {
    let mut sim = with(ControlPlane::default());
    sim.disturb(Disturbance::ControllerManagerDown, Some(secs(100))).unwrap();
    sim.run_for(secs(10));
    sim.disturb(Disturbance::ApiServerDown, Some(secs(30))).unwrap();
    sim.run_for(secs(89));
    assert!(!sim.has_leader(Leader::ControllerManager));
    sim.run_for(secs(30));
    assert!(sim.has_leader(Leader::ControllerManager) && sim.has_leader(Leader::Scheduler));
}

#[test]
fn settings_of_the_control_plane_that_make_no_sense_are_refused() {
    let election = LeaderElection::default();
    let refused = |replicas, leader_election| ControlPlane { replicas, leader_election }.validate().unwrap_err();
    assert_eq!(refused(0, Some(election)), "replicas: must be greater than 0");
    assert_eq!(refused(3, None), "replicas: several need leader election");
    let short = LeaderElection { lease_duration: secs(10), ..election };
    assert_eq!(refused(1, Some(short)), "leaseDuration: must be greater than renewDeadline");
    let hasty = LeaderElection { renew_deadline: secs(2), ..election };
    assert_eq!(refused(1, Some(hasty)), "renewDeadline: must be greater than retryPeriod*1.2");
    let restless = LeaderElection { retry_period: SimDuration::ZERO, ..election };
    assert_eq!(refused(1, Some(restless)), "retryPeriod: must be greater than 0");
}
