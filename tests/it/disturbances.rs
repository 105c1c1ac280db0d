//! Random rollouts on a control plane that is disturbed at random: the promises hold, and when all is well again the cluster comes to
//! rest as if nothing had been.

use proptest::prelude::*;
use serde_json::json;

use seatrial::invariants::{Always, MaxSurge, MaxUnavailable, OnePodPerOrdinal};
use seatrial::kernel::{Sampler, SimDuration};
use seatrial::objects::Key;
use seatrial::sim::{ConflictStorm, Cut, Delays, Disturbance, Leader, Place, Simulation, Target, Watcher};

use crate::random::{self, play, some_cases};

/// More than anybody is late at the most.
const WINDOW: SimDuration = SimDuration::from_secs(60);

#[derive(Clone, Debug)]
enum Action {
    Image(u8),
    Wait(u64),
    Crash(Leader),
    Disturb(Disturbance, u64),
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    replicas: i32,
    surge: u32,
    unavailable: u32,
    actions: Vec<Action>,
}

fn watcher() -> impl Strategy<Value = Watcher> {
    prop_oneof![
        3 => Just(Watcher::ControllerManager),
        1 => Just(Watcher::Scheduler),
        1 => Just(Watcher::Kubelets),
        1 => (0..3u8).prop_map(|n| Watcher::Kubelet(format!("node-{n}").into())),
    ]
}

/// What is over, and known to be, before a node would be given up.
fn disturbance() -> impl Strategy<Value = Disturbance> {
    let late = (watcher(), prop_oneof![Just(None), (1..20_000u64).prop_map(Some)]);
    let cut = prop_oneof![Just(Cut::Both), Just(Cut::Writes), Just(Cut::Watches)];
    prop_oneof![
        2 => Just(Disturbance::ApiServerDown),
        1 => Just(Disturbance::ControllerManagerDown),
        1 => Just(Disturbance::SchedulerDown),
        2 => (0..3u8, cut).prop_map(|(n, cut)| Disturbance::Partition { node: format!("node-{n}").into(), cut }),
        3 => late.prop_map(|(watcher, delay)| Disturbance::SlowWatch { watcher, delay: delay.map(SimDuration::from_millis) }),
        2 => (10..3000u64).prop_map(|millis| {
            let most = SimDuration::from_millis(millis);
            Disturbance::SlowWrites(Sampler::uniform(SimDuration::ZERO, most).expect("a range"))
        }),
        2 => (1..=90u8).prop_map(|percent| {
            Disturbance::Conflicts(ConflictStorm { percent, ..ConflictStorm::default() })
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..4u8).prop_map(Action::Image),
        3 => (0..20u64).prop_map(Action::Wait),
        1 => Just(Action::Crash(Leader::ControllerManager)),
        1 => Just(Action::Crash(Leader::Scheduler)),
        4 => (disturbance(), 1..20u64).prop_map(|(what, secs)| Action::Disturb(what, secs)),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (any::<u64>(), 0..=12i32, 0..=100u32, 0..=100u32, prop::collection::vec(action(), 1..14)).prop_map(
        |(seed, replicas, surge, unavailable, actions)| Case {
            seed,
            replicas,
            surge: if unavailable == 0 { surge.max(1) } else { surge },
            unavailable,
            actions,
        },
    )
}

/// Whether the Deployment's controller has nothing under way. An image that is set while it scales a ReplicaSet makes upstream break
/// maxSurge: the next sync begins at once, does not see that write in its cache yet, and makes the new ReplicaSet too large. Updates
/// are safe from that, as they would be refused; a creation is not.
fn is_idle(sim: &Simulation) -> bool {
    let deployment = sim.view().deployments.get(&Key::new("default", "web"));
    deployment.is_some_and(|deployment| {
        let (replicas, status) = (deployment.spec.replicas, &deployment.status);
        let settled = [status.replicas, status.updated_replicas, status.available_replicas] == [replicas; 3];
        settled && status.observed_generation == deployment.meta.generation
    })
}

impl random::Case for Case {
    type Action = Action;

    fn cluster(&self) -> Simulation {
        let behaviour = json!({"image": "*", "start": "1s", "ready": "1s", "terminate": "1s"});
        let behaviour = serde_json::from_value(behaviour).expect("a behaviour");
        let builder = Simulation::builder().seed(self.seed).delays(Delays::realistic()).behaviour(behaviour).nodes(3);
        let mut sim = builder.build().expect("a cluster");
        let workload = |kind: &str, name: &str| {
            json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
                "replicas": self.replicas, "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "web:v0"}]}},
            }})
        };
        let mut web = workload("Deployment", "web");
        let percent = |percent: u32| format!("{percent}%");
        let bounds = json!({"maxSurge": percent(self.surge), "maxUnavailable": percent(self.unavailable)});
        web["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": bounds});
        for object in [web, workload("StatefulSet", "db")] {
            sim.apply(&object.to_string()).expect("a valid manifest");
        }
        sim.run_for(SimDuration::from_secs(60));
        sim
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn act(&self, sim: &mut Simulation, action: &Action) -> SimDuration {
        match action {
            Action::Image(_) if !is_idle(sim) => {}
            // Nobody may be there to be asked.
            Action::Image(version) => {
                for target in ["deployment/web", "statefulset/db"] {
                    let target: Target = target.parse().expect("a target");
                    drop(sim.set_image(&target, "c", &format!("web:v{version}")));
                }
            }
            Action::Crash(leader) => drop(sim.crash_leader(*leader)),
            Action::Disturb(what, secs) => drop(sim.disturb(what.clone(), Some(SimDuration::from_secs(*secs)))),
            Action::Wait(secs) => return SimDuration::from_secs(*secs),
        }
        SimDuration::ZERO
    }

    fn promises(&self) -> Always {
        let [web, db] = ["web", "db"].map(|name| Key::new("default", name));
        let rollout = Always::new().and(MaxSurge::within(web.clone(), WINDOW)).and(MaxUnavailable::within(web, WINDOW));
        rollout.and(OnePodPerOrdinal::of(db))
    }

    /// All disturbances end by themselves.
    fn calm(&self, _: &mut Simulation, _: &mut Always) -> Result<(), String> {
        Ok(())
    }

    fn at_rest(&self, sim: &mut Simulation) -> Result<(), String> {
        let places = [Place::ApiServer, Place::ControllerManager, Place::Scheduler, Place::Writes, Place::Conflicts];
        if let Some(place) = places.iter().find(|place| sim.is_disturbed(place)) {
            return Err(format!("{place} is still disturbed"));
        }
        let ready = sim.view().pods.iter().filter(|pod| pod.is_ready()).count();
        let wanted = 2 * usize::try_from(self.replicas).unwrap_or(0);
        if ready == wanted { Ok(()) } else { Err(format!("{ready} of {wanted} pods are ready")) }
    }
}

proptest! {
    #![proptest_config(some_cases(150))]

    #[test]
    fn rollouts_keep_their_promises_on_a_disturbed_control_plane(case in case()) {
        let outcome = play(&case);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
