//! Lost nodes are given up no faster than the rate of their zone allows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Conditions, Labels, Node};
use crate::sim::Simulation;

use super::{Invariant, Violation};

/// Time from one node of a zone to the next (upstream `--node-eviction-rate` 0.1).
const INTERVAL: SimDuration = SimDuration::from_secs(10);
/// How often the controller looks at nodes.
const MONITOR_PERIOD: SimDuration = SimDuration::from_secs(5);
/// Nodes up to which a zone that is half lost is left alone (`--large-cluster-size-threshold`).
const SMALL_ZONE: usize = 50;

/// The taints that drive pods off a lost node (`node.kubernetes.io/not-ready` and `unreachable` with `NoExecute`) come to one
/// node of a zone every ten seconds at most, and to none while every zone is lost, or while the zone is half lost: more than two
/// nodes and at least 55 % of it are not ready, others are, and it has no more than fifty.
#[derive(Debug)]
pub struct ZoneEvictionRate {
    window: SimDuration,
    /// Nodes that have such a taint.
    given_up: BTreeSet<Arc<str>>,
    zones: BTreeMap<Zone, Pace>,
    started: bool,
}

/// Region and zone of a node.
type Zone = (String, String);

#[derive(Debug, Default)]
struct Pace {
    /// When a node was last given up.
    last: Option<SimTime>,
    /// Since when none may be.
    stopped: Option<SimTime>,
}

/// How many nodes of a zone there are that count, and are not ready.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    nodes: usize,
    not_ready: usize,
}

impl Census {
    const fn is_lost(self) -> bool {
        self.nodes > 0 && self.nodes == self.not_ready
    }

    const fn is_half_lost(self) -> bool {
        !self.is_lost() && self.not_ready > 2 && self.not_ready * 100 >= self.nodes * 55
    }
}

impl ZoneEvictionRate {
    /// By a control plane that does at once what it has to do.
    #[must_use]
    pub const fn new() -> Self {
        Self::within(SimDuration::ZERO)
    }

    /// By a control plane whose writes may take that long.
    #[must_use]
    pub const fn within(window: SimDuration) -> Self {
        Self { window, given_up: BTreeSet::new(), zones: BTreeMap::new(), started: false }
    }

    fn judge_zones(&mut self, sim: &Simulation) {
        let mut census: BTreeMap<Zone, Census> = BTreeMap::new();
        for node in sim.view().nodes.iter().filter(|node| counts(node)) {
            let zone = census.entry(zone_of(&node.meta.labels)).or_default();
            zone.nodes += 1;
            zone.not_ready += usize::from(!node.status.conditions.is_true("Ready"));
        }
        let all_lost = census.values().all(|census| census.is_lost());
        for (zone, census) in census {
            let pace = self.zones.entry(zone).or_default();
            let stops = all_lost || (census.is_half_lost() && census.nodes <= SMALL_ZONE);
            pace.stopped = if stops { pace.stopped.or(Some(sim.now())) } else { None };
        }
    }

    /// What is wrong about giving a node of that zone up now.
    fn too_early(&self, sim: &Simulation, zone: &Zone) -> Option<String> {
        let (now, pace) = (sim.now(), self.zones.get(zone)?);
        if let Some(last) = pace.last.filter(|last| now + self.window < *last + INTERVAL) {
            return Some(format!("{} after another one of its zone", now.since(last)));
        }
        let stopped = pace.stopped.filter(|since| *since + MONITOR_PERIOD + self.window < now);
        stopped.map(|since| format!("although so much is lost since {since} that the fault may be the control plane's"))
    }
}

impl Default for ZoneEvictionRate {
    fn default() -> Self {
        Self::new()
    }
}

impl Invariant for ZoneEvictionRate {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let before = std::mem::take(&mut self.given_up);
        let first = !std::mem::replace(&mut self.started, true);
        let mut story = None;
        for node in sim.view().nodes.iter().filter(|node| is_given_up(node)) {
            let name = node.meta.name.clone();
            if !first && !before.contains(&name) {
                let zone = zone_of(&node.meta.labels);
                let wrong = self.too_early(sim, &zone).map(|why| format!("node {name} was given up {why}"));
                story = story.or(wrong);
                self.zones.entry(zone).or_default().last = Some(sim.now());
            }
            self.given_up.insert(name);
        }
        self.judge_zones(sim);
        story
            .map_or(Ok(()), |story| Err(Violation { invariant: "zoneEvictionRate()".to_owned(), at: sim.now(), story }))
    }
}

fn is_given_up(node: &Node) -> bool {
    let keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    node.spec.taints.iter().any(|taint| taint.effect == *"NoExecute" && keys.contains(&&*taint.key))
}

fn counts(node: &Node) -> bool {
    !node.meta.labels.contains_key("node.kubernetes.io/exclude-disruption")
}

fn zone_of(labels: &Labels) -> Zone {
    let either = |old: &str, new: &str| labels.get(old).or_else(|| labels.get(new)).unwrap_or("").to_owned();
    (
        either("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
        either("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::invariants::{Always, TaintEviction};
    use crate::sim::Delays;

    fn cluster(nodes: usize) -> (Simulation, Always) {
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(nodes).build().unwrap();
        sim.apply(
            "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {nodeName: node-0, containers: [{name: c, image: i}]}}",
        )
        .unwrap();
        (sim, Always::new().and(ZoneEvictionRate::new()).and(TaintEviction::new()))
    }

    #[test]
    fn lost_nodes_are_given_up_one_after_the_other_and_their_pods_leave() {
        let (mut sim, mut promises) = cluster(8);
        (0..3).for_each(|node| sim.node_down(&format!("node-{node}")).unwrap());
        promises.run(&mut sim, SimTime::from_secs(600)).unwrap();
        assert_eq!(sim.view().nodes.iter().filter(|node| is_given_up(node)).count(), 3);
        assert!(sim.view().pods.iter().all(|pod| pod.meta.is_deleting()));
    }

    #[test]
    fn nodes_that_are_given_up_too_fast_or_while_too_much_is_lost_are_told() {
        let give_up = |sim: &mut Simulation, node: &str| {
            let taint = json!([{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]);
            sim.taint(node, &taint).unwrap();
        };
        let (mut sim, mut promises) = cluster(8);
        promises.run(&mut sim, SimTime::from_secs(1)).unwrap();
        give_up(&mut sim, "node-6");
        promises.check(&sim).unwrap();
        give_up(&mut sim, "node-7");
        let told = promises.check(&sim).unwrap_err();
        assert_eq!(told.story, "node node-7 was given up 0s after another one of its zone");
        let (mut sim, mut promises) = cluster(4);
        (0..4).for_each(|node| sim.node_down(&format!("node-{node}")).unwrap());
        promises.run(&mut sim, SimTime::from_secs(120)).unwrap();
        give_up(&mut sim, "node-3");
        let told = promises.check(&sim).unwrap_err().story;
        assert!(told.starts_with("node node-3 was given up although so much is lost since"), "{told}");
    }
}
