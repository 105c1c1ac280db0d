//! The hard constraints of a pod (upstream `filtering.go`).

use crate::objects::{Pod, Selector, TopologySpreadConstraint};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::framework::Code;

use super::per_node::{PerNode, PodsPerNode};
use super::{counts, selector};

/// Pods by place for each hard constraint.
#[derive(Debug, Default)]
pub(super) struct Hard {
    constraints: Vec<Counted>,
    used: usize,
}

#[derive(Debug, Default)]
struct Counted {
    /// Which constraint of the pod.
    at: usize,
    topology: Option<usize>,
    selector: Selector,
    /// 1 if the pod itself counts.
    own: i64,
    per_node: PerNode,
    /// Pods in each place.
    pods: Vec<i64>,
    /// Whether the place counts at all.
    is_domain: Vec<bool>,
    domains: usize,
    fewest: Fewest,
}

/// The two places with the fewest pods. As pods come and go in one place only, the fewest stay known.
#[derive(Clone, Copy, Debug)]
struct Fewest([(usize, i64); 2]);

impl Default for Fewest {
    fn default() -> Self {
        Self([(0, i64::from(i32::MAX)); 2])
    }
}

impl Fewest {
    fn set(&mut self, place: usize, pods: i64) {
        let [first, second] = &mut self.0;
        if first.0 == place {
            first.1 = pods;
        } else if second.0 == place {
            second.1 = pods;
        } else if pods < first.1 {
            *second = *first;
            *first = (place, pods);
        } else if pods < second.1 {
            *second = (place, pods);
        }
        if self.0[0].1 > self.0[1].1 {
            self.0.swap(0, 1);
        }
    }
}

impl Hard {
    fn used(&self) -> &[Counted] {
        &self.constraints[..self.used]
    }

    /// Counts on the nodes that have all labels that the constraints go by.
    pub(super) fn count(&mut self, cycle: &Cycle<'_>, pods: &mut PodsPerNode) {
        self.used = 0;
        let (spec, topologies) = (&cycle.pod.spec.topology_spread_constraints, cycle.cache.topologies());
        for (at, constraint) in spec.iter().enumerate().filter(|(_, constraint)| constraint.is_hard) {
            if self.constraints.len() == self.used {
                self.constraints.push(Counted::default());
            }
            self.constraints[self.used].begin(cycle, at, constraint, pods);
            self.used += 1;
        }
        let constraints = &mut self.constraints[..self.used];
        for &id in cycle.cache.order() {
            let place = |counted: &Counted| counted.topology.map_or(0, |topology| topologies.at(topology).place(id));
            if constraints.iter().any(|counted| place(counted) == 0) {
                continue;
            }
            let node = cycle.cache.node(id);
            for counted in constraints.iter_mut() {
                if counts(&spec[counted.at], cycle.pod, node) {
                    let (place, pods) = (place(counted), i64::from(counted.per_node.on(id)));
                    counted.domains += usize::from(!counted.is_domain[place]);
                    counted.is_domain[place] = true;
                    counted.pods[place] += pods;
                }
            }
        }
        for counted in constraints {
            let domains = counted.is_domain.iter().zip(&counted.pods).enumerate();
            for (place, (_, pods)) in domains.filter(|(_, (is_domain, _))| **is_domain) {
                counted.fewest.set(place, *pods);
            }
        }
    }

    /// Whether the pod may go to the node.
    pub(super) fn check(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Code {
        let topologies = cycle.cache.topologies();
        for counted in self.used() {
            let place = counted.topology.map_or(0, |topology| topologies.at(topology).place(node.id()));
            if place == 0 {
                return Code::UnschedulableAndUnresolvable;
            }
            let constraint = &cycle.pod.spec.topology_spread_constraints[counted.at];
            if counted.pods[place] + counted.own - counted.fewest(constraint) > i64::from(constraint.max_skew) {
                return Code::Unschedulable;
            }
        }
        Code::Success
    }

    /// A pod comes to a node or (`amount` -1) goes.
    pub(super) fn update(&mut self, cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo, amount: i64) {
        let topologies = cycle.cache.topologies();
        let place = |counted: &Counted| counted.topology.map_or(0, |topology| topologies.at(topology).place(node.id()));
        if pod.meta.namespace != cycle.pod.meta.namespace || self.used().iter().any(|counted| place(counted) == 0) {
            return;
        }
        for counted in &mut self.constraints[..self.used] {
            let constraint = &cycle.pod.spec.topology_spread_constraints[counted.at];
            if counted.selector.matches(&pod.meta.labels) && counts(constraint, cycle.pod, node) {
                let place = place(counted);
                counted.pods[place] += amount;
                counted.fewest.set(place, counted.pods[place]);
            }
        }
    }
}

impl Counted {
    fn begin(&mut self, cycle: &Cycle<'_>, at: usize, constraint: &TopologySpreadConstraint, pods: &mut PodsPerNode) {
        let topologies = cycle.cache.topologies();
        self.at = at;
        self.topology = topologies.find(&constraint.topology_key);
        self.selector = selector(constraint, &cycle.pod.meta.labels);
        self.own = i64::from(self.selector.matches(&cycle.pod.meta.labels));
        pods.count(cycle, &self.selector, &mut self.per_node);
        let places = self.topology.map_or(1, |topology| topologies.at(topology).places());
        self.pods.clear();
        self.pods.resize(places, 0);
        self.is_domain.clear();
        self.is_domain.resize(places, false);
        (self.domains, self.fewest) = (0, Fewest::default());
    }

    /// Pods in the place with the fewest; none if there are fewer places than asked for.
    fn fewest(&self, constraint: &TopologySpreadConstraint) -> i64 {
        let enough = usize::try_from(constraint.min_domains).is_ok_and(|least| self.domains >= least);
        if enough { self.fewest.0[0].1 } else { 0 }
    }
}
