//! Random Deployments under random changes and faults: the invariants hold, and the cluster comes to rest.

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::api::PatchType;
use seatrial::invariants::{Always, MaxSurge, MaxUnavailable};
use seatrial::kernel::SimDuration;
use seatrial::objects::Key;
use seatrial::sim::{Delays, Simulation, Target};

use crate::random::{self, play, some_cases};

#[derive(Clone, Debug)]
enum Action {
    Image(u8),
    Scale(i32),
    Pause,
    Resume,
    Restart,
    Undo,
    Bounds(Value, Value),
    KillPod(usize),
    NodeDown(usize),
    NodeUp(usize),
    Wait(u64),
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    replicas: i32,
    surge: Value,
    unavailable: Value,
    min_ready: i32,
    ready_secs: u64,
    start_secs: u64,
    crash: Option<u64>,
    recreate: bool,
    actions: Vec<Action>,
}

fn bound() -> impl Strategy<Value = Value> {
    prop_oneof![(0..6i32).prop_map(Value::from), (0..=100u32).prop_map(|p| json!(format!("{p}%")))]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..4u8).prop_map(Action::Image),
        3 => (0..=30i32).prop_map(Action::Scale),
        1 => Just(Action::Pause),
        2 => Just(Action::Resume),
        1 => Just(Action::Restart),
        1 => Just(Action::Undo),
        1 => (bound(), bound()).prop_map(|(surge, unavailable)| Action::Bounds(surge, unavailable)),
        2 => (0..30usize).prop_map(Action::KillPod),
        1 => (0..3usize).prop_map(Action::NodeDown),
        1 => (0..3usize).prop_map(Action::NodeUp),
        4 => (0..40u64).prop_map(Action::Wait),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (any::<u64>(), 0..=30i32, bound(), bound(), prop_oneof![Just(0), 1..20i32], any::<bool>());
    let luck = (0..8u64, 0..5u64, prop_oneof![3 => Just(None), 1 => (1..60u64).prop_map(Some)]);
    (shape, luck, prop::collection::vec(action(), 1..12)).prop_map(|(shape, luck, actions)| {
        let (seed, replicas, surge, unavailable, min_ready, rare) = shape;
        let (ready_secs, start_secs, crash) = luck;
        let recreate = rare && seed % 8 == 0;
        Case { seed, replicas, surge, unavailable, min_ready, ready_secs, start_secs, crash, recreate, actions }
    })
}

fn strategy(case: &Case) -> Value {
    if case.recreate {
        return json!({"type": "Recreate"});
    }
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": case.surge, "maxUnavailable": case.unavailable}})
}

/// Both bounds 0 is refused by the API server.
fn is_allowed(surge: &Value, unavailable: &Value) -> bool {
    let zero = |bound: &Value| *bound == json!(0) || *bound == json!("0%");
    !(zero(surge) && zero(unavailable))
}

impl random::Case for Case {
    type Action = Action;

    fn cluster(&self) -> Simulation {
        let behaviour = random::behaviour(self.start_secs, self.ready_secs, self.crash);
        let builder = Simulation::builder().seed(self.seed).delays(Delays::ideal()).behaviour(behaviour).nodes(3);
        let mut sim = builder.build().expect("a cluster");
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": self.replicas, "minReadySeconds": self.min_ready, "strategy": strategy(self),
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "web:v0", "resources": {"requests": {"cpu": "100m"}}}]},
                },
            },
        });
        sim.apply(&manifest.to_string()).expect("a valid Deployment");
        sim
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn act(&self, sim: &mut Simulation, action: &Action) -> SimDuration {
        let web: Target = "deployment/web".parse().expect("a target");
        // Refusals (pausing what is paused, no revision to go back to) are part of the game.
        match action {
            Action::Image(version) => drop(sim.set_image(&web, "c", &format!("web:v{version}"))),
            Action::Scale(replicas) => drop(sim.scale(&web, *replicas)),
            Action::Pause => drop(sim.rollout_pause(&web)),
            Action::Resume => drop(sim.rollout_resume(&web)),
            Action::Restart => drop(sim.rollout_restart(&web)),
            Action::Undo => drop(sim.rollout_undo(&web, None)),
            Action::Bounds(surge, unavailable) => {
                let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
                let patch = json!({"spec": {"strategy": {"rollingUpdate": rolling}}});
                drop(sim.patch(&web, PatchType::Strategic, &patch));
            }
            Action::KillPod(nth) => random::kill_pod(sim, *nth),
            Action::NodeDown(node) => random::node_up(sim, *node, false),
            Action::NodeUp(node) => random::node_up(sim, *node, true),
            Action::Wait(seconds) => return SimDuration::from_secs(*seconds),
        }
        SimDuration::ZERO
    }

    fn promises(&self) -> Always {
        let web = Key::new("default", "web");
        Always::new().and(MaxSurge::of(web.clone())).and(MaxUnavailable::of(web))
    }

    /// The pause ends too.
    fn calm(&self, sim: &mut Simulation, _: &mut Always) -> Result<(), String> {
        (0..3).for_each(|node| random::node_up(sim, node, true));
        self.act(sim, &Action::Resume);
        Ok(())
    }
}

proptest! {
    #![proptest_config(some_cases(1000))]

    #[test]
    fn random_rollouts_keep_their_promises_and_come_to_rest(case in case().prop_filter(
        "the API server refuses both bounds at 0",
        |case| is_allowed(&case.surge, &case.unavailable),
    )) {
        let outcome = play(&case);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
