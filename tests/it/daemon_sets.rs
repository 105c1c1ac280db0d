//! Random DaemonSets under random changes and faults: the invariants hold, and the cluster comes to rest.

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::api::PatchType;
use seatrial::invariants::Always;
use seatrial::kernel::SimDuration;
use seatrial::objects::{Key, Kind};
use seatrial::sim::{Delays, NodeTemplate, Simulation, Target};

use crate::random::{self, play, some_cases};

const NODES: usize = 6;

#[derive(Clone, Debug)]
enum Action {
    Image(u8),
    Restart,
    Undo,
    Strategy(Value),
    MinReady(i32),
    KillPod(usize),
    Orphan(usize),
    Label(usize, bool),
    Taint(usize, Option<&'static str>),
    Cordon(usize, bool),
    NodeDown(usize),
    NodeUp(usize),
    DeleteNode(usize),
    AddNode(usize),
    Wait(u64),
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    realistic: bool,
    strategy: Value,
    min_ready: i32,
    /// Whether only labelled nodes are eligible.
    selective: bool,
    start_secs: u64,
    ready_secs: u64,
    crash: Option<u64>,
    actions: Vec<Action>,
}

fn bound(least: i32) -> impl Strategy<Value = Value> {
    prop_oneof![(least..5i32).prop_map(Value::from), (1..=100u32).prop_map(|p| json!(format!("{p}%")))]
}

fn strategy() -> impl Strategy<Value = Value> {
    let rolling = |surge: Value, unavailable: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
    prop_oneof![
        4 => bound(1).prop_map(move |unavailable| rolling(json!(0), unavailable)),
        4 => bound(1).prop_map(move |surge| rolling(surge, json!(0))),
        1 => Just(json!({"type": "OnDelete"})),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let node = 0..NODES;
    let taint = prop_oneof![Just(None), Just(Some("NoSchedule")), Just(Some("NoExecute"))];
    prop_oneof![
        5 => (0..4u8).prop_map(Action::Image),
        1 => Just(Action::Restart),
        1 => Just(Action::Undo),
        2 => strategy().prop_map(Action::Strategy),
        1 => (0..15i32).prop_map(Action::MinReady),
        3 => (0..30usize).prop_map(Action::KillPod),
        1 => (0..30usize).prop_map(Action::Orphan),
        3 => (node.clone(), any::<bool>()).prop_map(|(node, on)| Action::Label(node, on)),
        2 => (node.clone(), taint).prop_map(|(node, effect)| Action::Taint(node, effect)),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, on)| Action::Cordon(node, on)),
        2 => node.clone().prop_map(Action::NodeDown),
        2 => node.clone().prop_map(Action::NodeUp),
        1 => node.clone().prop_map(Action::DeleteNode),
        2 => node.prop_map(Action::AddNode),
        6 => (0..60u64).prop_map(Action::Wait),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (any::<u64>(), any::<bool>(), strategy(), prop_oneof![Just(0), 1..15i32], any::<bool>());
    let luck = (0..8u64, 0..5u64, prop_oneof![3 => Just(None), 1 => (1..60u64).prop_map(Some)]);
    (shape, luck, prop::collection::vec(action(), 1..16)).prop_map(|(shape, luck, actions)| {
        let (seed, realistic, strategy, min_ready, selective) = shape;
        let (start_secs, ready_secs, crash) = luck;
        Case { seed, realistic, strategy, min_ready, selective, start_secs, ready_secs, crash, actions }
    })
}

impl random::Case for Case {
    type Action = Action;

    fn cluster(&self) -> Simulation {
        let behaviour = random::behaviour(self.start_secs, self.ready_secs, self.crash);
        let delays = if self.realistic { Delays::realistic() } else { Delays::ideal() };
        let builder = Simulation::builder().seed(self.seed).delays(delays).behaviour(behaviour).nodes(NODES - 2);
        let mut sim = builder.build().expect("a cluster");
        for node in 0..NODES / 2 {
            self.act(&mut sim, &Action::Label(node, true));
        }
        let mut spec = json!({"containers": [{"name": "c", "image": "agent:v0"}]});
        if self.selective {
            spec["nodeSelector"] = json!({"disk": "ssd"});
        }
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
            "spec": {
                "minReadySeconds": self.min_ready, "updateStrategy": self.strategy,
                "selector": {"matchLabels": {"app": "agent"}},
                "template": {"metadata": {"labels": {"app": "agent"}}, "spec": spec},
            },
        });
        sim.apply(&manifest.to_string()).expect("a valid DaemonSet");
        sim
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn act(&self, sim: &mut Simulation, action: &Action) -> SimDuration {
        let agent: Target = "daemonset/agent".parse().expect("a target");
        let node = |node: usize| Target { kind: Kind::Node, key: Key::new("", random::node(node)) };
        // Refusals (a node that is there already, no revision to go back to) are part of the game.
        match action {
            Action::Image(version) => drop(sim.set_image(&agent, "c", &format!("agent:v{version}"))),
            Action::Restart => drop(sim.rollout_restart(&agent)),
            Action::Undo => drop(sim.rollout_undo(&agent, None)),
            Action::Strategy(strategy) => {
                let patch = json!([{"op": "replace", "path": "/spec/updateStrategy", "value": strategy}]);
                drop(sim.patch(&agent, PatchType::Json, &patch));
            }
            Action::MinReady(seconds) => {
                drop(sim.patch(&agent, PatchType::Merge, &json!({"spec": {"minReadySeconds": seconds}})));
            }
            Action::KillPod(nth) => random::kill_pod(sim, *nth),
            Action::Orphan(nth) => {
                if let Some(pod) = random::nth_pod(sim, *nth) {
                    drop(sim.label(&pod, vec![("app".into(), Some("debugged".into()))]));
                }
            }
            Action::Label(at, on) => drop(sim.label(&node(*at), vec![("disk".into(), on.then(|| "ssd".into()))])),
            Action::Taint(at, effect) => {
                let taints: Vec<Value> = effect.iter().map(|effect| json!({"key": "busy", "effect": effect})).collect();
                drop(sim.taint(&random::node(*at), &json!(taints)));
            }
            Action::Cordon(at, on) => drop(sim.cordon(&random::node(*at), *on)),
            Action::NodeDown(at) => random::node_up(sim, *at, false),
            Action::NodeUp(at) => random::node_up(sim, *at, true),
            Action::DeleteNode(at) => drop(sim.delete_node(&random::node(*at))),
            Action::AddNode(at) => drop(sim.add_node(&NodeTemplate::new(random::node(*at)))),
            Action::Wait(seconds) => return SimDuration::from_secs(*seconds),
        }
        SimDuration::ZERO
    }

    fn calm(&self, sim: &mut Simulation, _: &mut Always) -> Result<(), String> {
        (0..NODES).for_each(|node| random::node_up(sim, node, true));
        Ok(())
    }

    fn at_rest(&self, sim: &mut Simulation) -> Result<(), String> {
        is_updated(sim)
    }
}

/// An update that is not left to the user has reached every node by now. Left out, as upstream, is one with surge whose new
/// pod stopped being ready before it was available: one timer a DaemonSet is set for that, and it may be the earlier one.
fn is_updated(sim: &Simulation) -> Result<(), String> {
    let set = sim.view().daemon_sets.iter().next().ok_or("the DaemonSet is gone")?;
    let status = &set.status;
    let done = status.updated_number_scheduled == status.desired_number_scheduled && status.number_unavailable == 0;
    let may_miss_it = set.spec.update_strategy.allows_surge() && set.spec.min_ready_seconds > 0;
    if done || may_miss_it || set.spec.update_strategy.on_delete {
        Ok(())
    } else {
        Err(format!("not updated: {status:?}"))
    }
}

proptest! {
    #![proptest_config(some_cases(500))]

    #[test]
    fn random_daemon_sets_keep_their_promises_and_come_to_rest(case in case()) {
        let outcome = play(&case);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
