//! How random cases are chosen, how they are played, and how they come to rest.

use std::fmt::Debug;

use proptest::test_runner::Config;
use seatrial::api::DeleteOptions;
use seatrial::invariants::{self, Always};
use seatrial::kernel::SimDuration;
use seatrial::kubelet::BehaviourSpec;
use seatrial::objects::{Key, Kind, Resource};
use seatrial::sim::{Simulation, Target};
use serde_json::json;

/// So many `cases`, or `PROPTEST_CASES`.
pub(crate) fn some_cases(cases: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    Config { cases: asked.unwrap_or(cases), max_shrink_iters: 2000, ..Config::default() }
}

/// A random case: a cluster, what is done to it one after the other, and what must hold.
pub(crate) trait Case: Debug {
    type Action;

    /// The cluster at the beginning.
    fn cluster(&self) -> Simulation;

    fn actions(&self) -> &[Self::Action];

    /// Does it. Returns how long to let pass before the next.
    fn act(&self, sim: &mut Simulation, action: &Self::Action) -> SimDuration;

    /// What must hold all the time.
    fn promises(&self) -> Always {
        Always::for_every_workload()
    }

    /// The last fault ends, and whatever keeps the cluster from coming to rest.
    fn calm(&self, sim: &mut Simulation, promises: &mut Always) -> Result<(), String>;

    /// How long the way to rest may take.
    fn limit(&self) -> SimDuration {
        SimDuration::from_hours(2)
    }

    /// Without a change for so long the cluster is at rest although something may go on; `None`: nothing may.
    fn patience(&self) -> Option<SimDuration> {
        None
    }

    /// What else must hold at rest, and what comes after it.
    fn at_rest(&self, _: &mut Simulation) -> Result<(), String> {
        Ok(())
    }
}

/// Does all that is to be done, watching the promises; then lets the cluster come to rest and looks whether it is as it should
/// be.
pub(crate) fn play<C: Case>(case: &C) -> Result<(), String> {
    let mut sim = case.cluster();
    let mut promises = case.promises();
    for action in case.actions() {
        let pause = case.act(&mut sim, action);
        let end = sim.now() + pause;
        promises.run(&mut sim, end).map_err(|violation| violation.to_string())?;
    }
    case.calm(&mut sim, &mut promises)?;
    rest(&mut sim, &mut promises, case.limit(), case.patience())?;
    settled(&sim)?;
    case.at_rest(&mut sim)
}

/// Runs until nothing is left to happen, at most for as long as `limit`, watching the promises on the way.
pub(crate) fn rest(
    sim: &mut Simulation,
    promises: &mut Always,
    limit: SimDuration,
    patience: Option<SimDuration>,
) -> Result<(), String> {
    let end = sim.now() + limit;
    let (mut seen, mut since) = (newest(sim), sim.now());
    while !sim.is_quiescent() && patience.is_none_or(|patience| sim.now() < since + patience) {
        // Not in step with heartbeats: for a moment after each something is under way.
        let next = (sim.now() + SimDuration::from_millis(7_351)).min(end);
        promises.run(sim, next).map_err(|violation| violation.to_string())?;
        if patience.is_some() && newest(sim) != seen {
            (seen, since) = (newest(sim), sim.now());
        }
        if sim.now() >= end {
            return Err("the cluster does not come to rest".to_owned());
        }
    }
    Ok(())
}

/// How many objects there are, and the newest version of any, but for those by which nodes show that they live.
fn newest(sim: &Simulation) -> (usize, u64) {
    let kinds = Kind::ALL.iter().filter(|kind| !matches!(kind, Kind::Node | Kind::Lease | Kind::Event));
    let objects: Vec<_> = kinds.flat_map(|kind| sim.view().list(*kind)).collect();
    (objects.len(), objects.iter().map(|object| object.meta().resource_version).max().unwrap_or(0))
}

pub(crate) fn settled(sim: &Simulation) -> Result<(), String> {
    invariants::settled(sim).map_err(|violations| violations.to_string())
}

/// How all containers behave: seconds to start and then to be ready; some of them crash once, so many seconds after on average.
pub(crate) fn behaviour(start_secs: u64, ready_secs: u64, crash_secs: Option<u64>) -> BehaviourSpec {
    let [start, ready] = [start_secs, ready_secs].map(|secs| format!("{secs}s"));
    let mut behaviour = json!({"image": "*", "start": start, "ready": ready, "terminate": "1s"});
    if let Some(mean) = crash_secs.map(|secs| format!("{secs}s")) {
        let after = json!({"distribution": "exponential", "mean": mean});
        behaviour["exit"] = json!({"code": 1, "after": after, "once": true});
    }
    serde_json::from_value(behaviour).expect("a behaviour")
}

/// Name of the node with that number.
pub(crate) fn node(number: usize) -> String {
    format!("node-{number}")
}

/// The pod with that number in the order of creation, counted round and round.
pub(crate) fn nth_pod(sim: &Simulation, nth: usize) -> Option<Target> {
    let pods: Vec<Key> = sim.view().pods.iter().map(|pod| pod.key()).collect();
    let key = pods.get(nth.checked_rem(pods.len())?)?.clone();
    Some(Target { kind: Kind::Pod, key })
}

/// Deletes a pod, if there is any.
pub(crate) fn kill_pod(sim: &mut Simulation, nth: usize) {
    if let Some(pod) = nth_pod(sim, nth) {
        drop(sim.delete(&pod, DeleteOptions::default()));
    }
}

/// Stops the machine with that number, or starts it, if there is such.
pub(crate) fn node_up(sim: &mut Simulation, number: usize, up: bool) {
    let name = node(number);
    drop(if up { sim.node_up(&name) } else { sim.node_down(&name) });
}
