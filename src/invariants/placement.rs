//! Pods are bound where their anti-affinity, that of others and their spread constraints allow it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::View;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Kind, Labels, Node, Pod, PodAffinityTerm, TopologySpreadConstraint};
use crate::sim::Simulation;

use super::bindings::Bindings;
use super::{Invariant, Violation};

/// At the instant at which a pod is bound by a scheduler, no other pod is in a place that one of the two keeps the other
/// from by required anti-affinity. What changes later does not matter: scheduling ignores it during execution.
#[derive(Debug, Default)]
pub struct AntiAffinity {
    bindings: Bindings,
    window: SimDuration,
    met: u32,
    /// Pods with required anti-affinity.
    shy: BTreeSet<Key>,
}

/// At the instant at which a pod is bound by a scheduler, its hard spread constraints hold. It is only looked at while a
/// scheduler knows everything at once: with delays, or with a volume that had to be made first, what was even when it chose need
/// not be when the pod is bound.
#[derive(Debug, Default)]
pub struct TopologySpread {
    bindings: Bindings,
}

fn node_of<'a>(view: &'a View, pod: &Pod) -> Option<&'a Arc<Node>> {
    view.nodes.get(&Key::new("", pod.node_name.clone()))
}

fn required(pod: &Pod) -> &[PodAffinityTerm] {
    pod.spec.affinity.pod_anti_affinity.as_ref().map_or(&[], |terms| &terms.required)
}

fn broken(invariant: &str, sim: &Simulation, pod: &Pod, why: &str) -> Violation {
    let story = format!("pod {}/{} was bound to {}, although {why}", pod.meta.namespace, pod.meta.name, pod.node_name);
    Violation { invariant: format!("{invariant}()"), at: sim.now(), story }
}

impl AntiAffinity {
    /// Of a scheduler that knows everything at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a scheduler that may not know yet which pods others bound in the last `window`.
    #[must_use]
    pub fn within(window: SimDuration) -> Self {
        Self { window, ..Self::default() }
    }

    fn meet(&mut self, view: &View) {
        for key in view.created_since(Kind::Pod, &mut self.met) {
            if view.pods.get(&key).is_some_and(|pod| !required(pod).is_empty()) {
                self.shy.insert(key);
            }
        }
        self.shy.retain(|key| view.pods.get(key).is_some());
    }

    fn check_pod(&mut self, sim: &Simulation, pod: &Pod) -> Result<(), Violation> {
        let view = sim.view();
        let Some(node) = node_of(view, pod) else { return Ok(()) };
        let since = SimTime::from_nanos(sim.now().as_nanos().saturating_sub(self.window.as_nanos()));
        let mut others: Vec<Arc<Pod>> = if required(pod).is_empty() {
            self.shy.iter().filter_map(|key| view.pods.get(key)).cloned().collect()
        } else {
            view.pods.iter().cloned().collect()
        };
        others.retain(|other| other.meta.uid != pod.meta.uid && other.is_bound() && !other.is_terminal());
        for other in others.iter().filter(|other| keeps_apart(view, pod, node, other)) {
            if self.bindings.is_known(other, since) {
                let why = format!(
                    "it is kept apart from {}/{} on {}",
                    other.meta.namespace, other.meta.name, other.node_name
                );
                return Err(broken("antiAffinity", sim, pod, &why));
            }
        }
        Ok(())
    }
}

/// Whether one of two pods does not want the other in the place where it is.
fn keeps_apart(view: &View, pod: &Pod, node: &Node, other: &Pod) -> bool {
    let Some(others_node) = node_of(view, other) else { return false };
    let same_place = |term: &PodAffinityTerm| {
        let place = node.meta.labels.get(&term.topology_key);
        place.is_some() && place == others_node.meta.labels.get(&term.topology_key)
    };
    let shuns = |shy: &Pod, shunned: &Pod| {
        let labels = || view.namespaces.get(&Key::new("", shunned.meta.namespace.clone())).map(|n| &n.meta.labels);
        let about = |term: &PodAffinityTerm| {
            term.matches(&shy.meta.namespace, &shunned.meta.namespace, &shunned.meta.labels, labels)
        };
        required(shy).iter().any(|term| same_place(term) && about(term))
    };
    shuns(pod, other) || shuns(other, pod)
}

impl TopologySpread {
    /// Of every pod.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

fn hard(pod: &Pod) -> impl Iterator<Item = &TopologySpreadConstraint> {
    pod.spec.topology_spread_constraints.iter().filter(|constraint| constraint.is_hard)
}

/// Whether the pods of a node count, by the policies of the constraint.
fn counts(constraint: &TopologySpreadConstraint, pod: &Pod, node: &Node) -> bool {
    let borne = |taint: &crate::objects::Taint| {
        !["NoSchedule", "NoExecute"].contains(&taint.effect.as_str())
            || pod.spec.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    };
    (!constraint.honors_node_affinity || pod.accepts_node(&node.meta.name, &node.meta.labels))
        && (!constraint.honors_taints || node.spec.taints.iter().all(borne))
}

/// Pods of each place that the constraint found before this one was bound.
fn pods_by_place<'a>(view: &'a View, pod: &Pod, constraint: &TopologySpreadConstraint) -> BTreeMap<&'a str, i64> {
    let mut places = BTreeMap::new();
    let finds = |labels: &Labels| !constraint.selector.is_empty() && constraint.selector.matches(labels);
    for node in view.nodes.iter().filter(|node| counts(constraint, pod, node)) {
        if hard(pod).all(|constraint| node.meta.labels.contains_key(&constraint.topology_key))
            && let Some(place) = node.meta.labels.get(&constraint.topology_key)
        {
            let pods = view.pods_on(&node.meta.name).filter(|other| {
                other.meta.uid != pod.meta.uid
                    && other.meta.namespace == pod.meta.namespace
                    && !other.meta.is_deleting()
                    && !other.is_terminal()
                    && finds(&other.meta.labels)
            });
            *places.entry(place).or_default() += pods.count() as i64;
        }
    }
    places
}

fn uneven(view: &View, pod: &Pod, node: &Node, constraint: &TopologySpreadConstraint) -> Option<String> {
    let key = &constraint.topology_key;
    let Some(place) = node.meta.labels.get(key) else { return Some(format!("the node has no label {key}")) };
    let places = pods_by_place(view, pod, constraint);
    let enough = usize::try_from(constraint.min_domains).is_ok_and(|least| places.len() >= least);
    let fewest = places.values().copied().min().filter(|_| enough).unwrap_or(0);
    let own = i64::from(constraint.selector.matches(&pod.meta.labels));
    let pods = places.get(place).copied().unwrap_or(0) + own;
    (pods - fewest > i64::from(constraint.max_skew))
        .then(|| format!("{key} {place} then has {pods} such pods, and another place {fewest}"))
}

impl Invariant for AntiAffinity {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        self.meet(sim.view());
        let bound = self.bindings.new_ones(sim);
        bound.iter().try_for_each(|pod| self.check_pod(sim, pod))
    }
}

/// Whether the scheduler chose the node at this instant, by what is true.
fn is_chosen_now(sim: &Simulation, pod: &Pod) -> bool {
    let chosen = || sim.scheduling_decision(&pod.meta.namespace, &pod.meta.name).map(|decision| decision.at);
    sim.delays().is_ideal() && chosen() == Some(sim.wall())
}

impl Invariant for TopologySpread {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let bound = self.bindings.new_ones(sim);
        let view = sim.view();
        for pod in bound.iter().filter(|pod| is_chosen_now(sim, pod)) {
            let Some(node) = node_of(view, pod) else { continue };
            if let Some(why) = hard(pod).find_map(|constraint| uneven(view, pod, node, constraint)) {
                return Err(broken("topologySpread", sim, pod, &why));
            }
        }
        Ok(())
    }
}
