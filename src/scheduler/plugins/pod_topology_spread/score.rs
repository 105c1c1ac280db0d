//! The points of the soft constraints of a pod, or of upstream's default ones (upstream `scoring.go`).

use crate::objects::{Pod, TopologySpreadConstraint};
use crate::scheduler::cache::{DEFAULT_SPREAD_KEYS, NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;

use super::per_node::{PerNode, PodsPerNode};
use super::{accepts, counts, selector};

/// Topologies of this label have a place per node: what counts is what the node itself carries.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// `maxSkew` of the default constraints, in the order of their labels.
const DEFAULT_SKEWS: [i32; 2] = [3, 5];

/// Pods by place for each soft constraint.
#[derive(Debug, Default)]
pub(super) struct Soft {
    constraints: Vec<Counted>,
    used: usize,
    /// By node: whether it gets no points, for lack of a label.
    ignored: Vec<bool>,
    has_ignored: bool,
}

#[derive(Debug, Default)]
struct Counted {
    /// Which constraint of the pod; none: a default one.
    at: Option<usize>,
    topology: Option<usize>,
    is_hostname: bool,
    /// Points however many pods there are.
    slack: f64,
    weight: f64,
    /// In `per_node` of which constraint the pods are.
    counted_by: usize,
    per_node: PerNode,
    /// Pods in each place; 0 = of nodes without the label.
    pods: Vec<i64>,
    /// Places that come into question.
    present: Vec<bool>,
}

/// Weight of one pod where there are that many places.
fn weight(places: usize) -> f64 {
    libm::log((places + 2) as f64)
}

impl Counted {
    fn begin(&mut self, cycle: &Cycle<'_>, at: Option<usize>, key: &str, max_skew: i32) {
        let topologies = cycle.cache.topologies();
        self.at = at;
        self.topology = topologies.find(key);
        self.is_hostname = key == HOSTNAME;
        self.slack = f64::from(max_skew.saturating_sub(1));
        let counts_places = self.topology.filter(|_| !self.is_hostname);
        let places = counts_places.map_or(1, |topology| topologies.at(topology).places());
        self.pods.clear();
        self.pods.resize(places, 0);
        self.present.clear();
        self.present.resize(places, false);
    }

    fn place(&self, cycle: &Cycle<'_>, node: NodeId) -> usize {
        self.topology.map_or(0, |topology| cycle.cache.topologies().at(topology).place(node))
    }

    fn constraint<'a>(&self, pod: &'a Pod) -> Option<&'a TopologySpreadConstraint> {
        self.at.and_then(|at| pod.spec.topology_spread_constraints.get(at))
    }
}

impl Soft {
    /// Counts. Says no if the pod has no soft constraints.
    pub(super) fn count(&mut self, cycle: &Cycle<'_>, pods: &mut PodsPerNode, nodes: &[NodeId]) -> bool {
        self.used = 0;
        let own = &cycle.pod.spec.topology_spread_constraints;
        if own.is_empty() {
            if !self.begin_default(cycle, pods) {
                return false;
            }
        } else {
            self.begin_own(cycle, pods);
        }
        if self.used == 0 {
            return false;
        }
        let scored = self.look_at_feasible(cycle, nodes, !own.is_empty());
        self.count_places(cycle, !own.is_empty());
        for counted in &mut self.constraints[..self.used] {
            let places = if counted.is_hostname { scored } else { counted.present.iter().filter(|p| **p).count() };
            counted.weight = weight(places);
        }
        true
    }

    fn next(&mut self) -> &mut Counted {
        if self.constraints.len() == self.used {
            self.constraints.push(Counted::default());
        }
        self.used += 1;
        &mut self.constraints[self.used - 1]
    }

    fn begin_default(&mut self, cycle: &Cycle<'_>, pods: &mut PodsPerNode) -> bool {
        // Both count the same pods.
        if !pods.count_workload(cycle, &mut self.next().per_node) {
            return false;
        }
        self.used = 0;
        for (key, max_skew) in DEFAULT_SPREAD_KEYS.into_iter().zip(DEFAULT_SKEWS) {
            let counted = self.next();
            counted.begin(cycle, None, key, max_skew);
            counted.counted_by = 0;
        }
        true
    }

    fn begin_own(&mut self, cycle: &Cycle<'_>, pods: &mut PodsPerNode) {
        let own = cycle.pod.spec.topology_spread_constraints.iter().enumerate();
        for (at, constraint) in own.filter(|(_, constraint)| !constraint.is_hard) {
            let number = self.used;
            let counted = self.next();
            counted.begin(cycle, Some(at), &constraint.topology_key, constraint.max_skew);
            counted.counted_by = number;
            pods.count(cycle, &selector(constraint, &cycle.pod.meta.labels), &mut counted.per_node);
        }
    }

    /// Finds the places that come into question, and says how many of the nodes get points.
    fn look_at_feasible(&mut self, cycle: &Cycle<'_>, nodes: &[NodeId], needs_all_labels: bool) -> usize {
        self.ignored.clear();
        self.ignored.resize(cycle.cache.node_count(), false);
        self.has_ignored = false;
        let mut scored = 0;
        for &id in nodes {
            let constraints = &mut self.constraints[..self.used];
            if needs_all_labels && constraints.iter().any(|counted| counted.place(cycle, id) == 0) {
                self.ignored[id.index()] = true;
                self.has_ignored = true;
                continue;
            }
            scored += 1;
            for counted in constraints.iter_mut().filter(|counted| !counted.is_hostname) {
                let place = counted.place(cycle, id);
                counted.present[place] = true;
            }
        }
        scored
    }

    /// Counts the pods in the places that come into question, on the nodes that have all labels.
    fn count_places(&mut self, cycle: &Cycle<'_>, needs_all_labels: bool) {
        for at in 0..self.used {
            let counted = &self.constraints[at];
            if counted.is_hostname || counted.topology.is_none() {
                continue;
            }
            let mut pods = std::mem::take(&mut self.constraints[at].pods);
            let (counted, constraints) = (&self.constraints[at], &self.constraints[..self.used]);
            let per_node = &self.constraints[counted.counted_by].per_node;
            for &id in per_node.carriers() {
                let (node, place) = (cycle.cache.node(id), counted.place(cycle, id));
                let takes_part = counted.present[place]
                    && node.is_known()
                    && !(needs_all_labels && constraints.iter().any(|counted| counted.place(cycle, id) == 0))
                    && match counted.constraint(cycle.pod) {
                        Some(constraint) => counts(constraint, cycle.pod, node),
                        None => accepts(cycle.pod, node),
                    };
                if takes_part {
                    pods[place] += i64::from(per_node.on(id));
                }
            }
            self.constraints[at].pods = pods;
        }
    }

    /// Points of a node; the more pods, the more points.
    pub(super) fn score(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> i64 {
        let id = node.id();
        if self.ignored[id.index()] {
            return 0;
        }
        let mut score = 0.0;
        for counted in &self.constraints[..self.used] {
            let place = counted.place(cycle, id);
            if place != 0 {
                let pods = if counted.is_hostname {
                    i64::from(self.constraints[counted.counted_by].per_node.on(id))
                } else {
                    counted.pods[place]
                };
                score += pods as f64 * counted.weight + counted.slack;
            }
        }
        score.round() as i64
    }

    /// Turns the points round, so that the node with the fewest gets 100.
    pub(super) fn normalize(&self, nodes: &[NodeId], scores: &mut [i64]) {
        let is_ignored = |node: &NodeId| self.has_ignored && self.ignored[node.index()];
        let scored = || nodes.iter().zip(&*scores).filter(|(node, _)| !is_ignored(node)).map(|(_, score)| *score);
        let (max, min) = (scored().max().unwrap_or(0), scored().min().unwrap_or(0));
        for (node, score) in nodes.iter().zip(scores) {
            *score = match () {
                () if is_ignored(node) => 0,
                () if max == 0 => 100,
                () => 100 * (max + min - *score) / max,
            };
        }
    }
}
