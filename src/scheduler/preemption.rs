//! Making room for a pod by displacing others (upstream `framework/preemption` and `plugins/defaultpreemption`): which
//! nodes could take the pod without some pods of lower priority, and which of them costs least. What is said if none
//! could begins with the words of the plugin DynamicResources, which has no claims to give back.
//!
//! Where upstream leaves the choice to chance (which nodes are looked at first, which of equal ones is chosen), the order
//! of the nodes decides; where it leaves it to the order of insertion, creation and then the name does.

mod budgets;
mod choose;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::objects::{ConditionStatus, Conditions, DISRUPTION_TARGET, Pod, disruption_reason};

use super::cache::{NodeInfo, Nominating};
use super::cycle::{Cycle, Reasons, check};
use super::framework::{Code, Refusal, Registry};
use super::message::Histogram;

use budgets::Budgets;

/// Name of the plugin without which no pod is displaced.
pub(super) const PLUGIN: &str = "DefaultPreemption";

const NO_CLAIMS: &str = "no new claims to deallocate";
/// Of that many percent of the nodes, or of that many if there are fewer, it is found out what they would cost.
const CANDIDATES_PERCENT: usize = 10;
const CANDIDATES_MIN: usize = 100;

/// A node that could take the pod if others left.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Name of the node.
    pub node: Arc<str>,
    /// The pods that would have to leave, the most important ones first.
    pub victims: Vec<Arc<Pod>>,
    /// For how many of them a PodDisruptionBudget does not allow it.
    pub pdb_violations: usize,
}

/// What preemption comes to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// What is added to the message: a sentence, or nothing.
    pub(super) message: String,
    /// What becomes of an earlier nomination of the pod.
    pub(super) nominating: Nominating,
    /// Whom to displace, if that helps.
    pub(super) chosen: Option<Candidate>,
}

impl Outcome {
    fn said(message: String, nominating: Nominating) -> Self {
        Self { message, nominating, chosen: None }
    }

    fn is_over() -> Nominating {
        Nominating::To("".into())
    }
}

/// What comes out when a plugin turned the pod away so early that DynamicResources was not asked: it then misses its
/// own notes, and the error is that they were not found.
pub(super) fn unprepared(registry: &Registry) -> Outcome {
    let message = if registry.has(PLUGIN) { "not found" } else { "" };
    Outcome::said(message.to_owned(), Nominating::Keep)
}

/// Finds out whom to displace for the pod that the nodes refused.
pub(super) fn preempt(registry: &mut Registry, cycle: &Cycle<'_>, filtering: &[u8], refused: &[Refusal]) -> Outcome {
    if !registry.has(PLUGIN) {
        return Outcome::said(String::new(), Outcome::is_over());
    }
    if let Some(why) = ineligible(cycle, refused) {
        return Outcome::said(format!("{NO_CLAIMS}, preemption: not eligible due to {why}."), Nominating::Keep);
    }
    let all = cycle.cache.order().len();
    let nodes = resolvable(cycle, refused);
    let (candidates, statuses) = Trial::new(registry, cycle, filtering).candidates(&nodes);
    let Some(chosen) = choose::cheapest(&candidates) else {
        let mut histogram = Histogram::default();
        statuses.into_iter().flatten().for_each(|reason| histogram.add(reason, 1));
        histogram.add("Preemption is not helpful for scheduling".into(), all.saturating_sub(nodes.len()));
        let message = format!("{NO_CLAIMS}, preemption: {}", histogram.message(all));
        return Outcome::said(message, Outcome::is_over());
    };
    let nominating = Nominating::To(chosen.node.clone());
    Outcome { message: String::new(), nominating, chosen: Some(chosen.clone()) }
}

/// All nodes of which it would be found out what they would cost, those that violate no budget first; also for a pod that may
/// not displace others.
pub(super) fn candidates(
    registry: &mut Registry,
    cycle: &Cycle<'_>,
    filtering: &[u8],
    refused: &[Refusal],
) -> Vec<Candidate> {
    let nodes = resolvable(cycle, refused);
    if registry.has(PLUGIN) { Trial::new(registry, cycle, filtering).candidates(&nodes).0 } else { Vec::new() }
}

/// Why the pod may not displace others: it does not want to, or those that it displaced are still leaving.
fn ineligible(cycle: &Cycle<'_>, refused: &[Refusal]) -> Option<&'static str> {
    if &*cycle.pod.spec.preemption_policy == "Never" {
        return Some("preemptionPolicy=Never");
    }
    let id = cycle.cache.id(&cycle.pod.status.nominated_node_name)?;
    let code = refused.iter().find(|refusal| refusal.node == id).map(|refusal| refusal.code);
    if code != Some(Code::Unschedulable) {
        return None;
    }
    let mut pods = pods_on(cycle, cycle.cache.node(id));
    let waits = pods.any(|pod| priority(pod) < priority(cycle.pod) && leaves_by_preemption(pod));
    waits.then_some("a terminating pod on the nominated node")
}

fn leaves_by_preemption(pod: &Pod) -> bool {
    let condition = pod.status.conditions.find(DISRUPTION_TARGET);
    pod.meta.is_deleting()
        && condition.is_some_and(|c| {
            c.status == ConditionStatus::True && c.reason == *disruption_reason::PREEMPTION_BY_SCHEDULER
        })
}

/// The nodes that refused the pod for something that other pods may be in the way of, in the order of all nodes.
fn resolvable<'a>(cycle: &Cycle<'a>, refused: &[Refusal]) -> Vec<&'a NodeInfo> {
    let mut resolvable = vec![false; cycle.cache.node_count()];
    for refusal in refused.iter().filter(|refusal| refusal.code == Code::Unschedulable) {
        resolvable[refusal.node.index()] = true;
    }
    let nodes = cycle.cache.order().iter().filter(|id| resolvable[id.index()]);
    nodes.map(|id| cycle.cache.node(*id)).collect()
}

fn pods_on<'a>(cycle: &Cycle<'a>, node: &NodeInfo) -> impl Iterator<Item = &'a Arc<Pod>> {
    node.pods().iter().filter_map(|uid| cycle.cache.pod(uid))
}

/// Trying out what would be if pods left.
struct Trial<'a, 'c> {
    registry: &'a mut Registry,
    cycle: &'a Cycle<'c>,
    filtering: &'a [u8],
    budgets: Budgets<'c>,
}

impl<'a, 'c> Trial<'a, 'c> {
    fn new(registry: &'a mut Registry, cycle: &'a Cycle<'c>, filtering: &'a [u8]) -> Self {
        Self { registry, cycle, filtering, budgets: Budgets::of(cycle.view) }
    }

    /// Candidates, and the reasons of the nodes that are none (upstream `DryRunPreemption`).
    fn candidates(&mut self, nodes: &[&NodeInfo]) -> (Vec<Candidate>, Vec<Reasons>) {
        let wanted = (nodes.len() * CANDIDATES_PERCENT / 100).max(CANDIDATES_MIN).min(nodes.len());
        let (mut clean, mut violating, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
        for node in nodes {
            match self.victims(node) {
                Ok(candidate) if candidate.pdb_violations == 0 => clean.push(candidate),
                Ok(candidate) => violating.push(candidate),
                Err(reasons) => statuses.push(reasons),
            }
            if !clean.is_empty() && clean.len() + violating.len() >= wanted {
                break;
            }
        }
        clean.extend(violating);
        (clean, statuses)
    }

    /// Takes all pods of lower priority away and puts back as many as can stay, the most important ones and those that a
    /// budget protects first (upstream `SelectVictimsOnNode`).
    fn victims(&mut self, node: &NodeInfo) -> Result<Candidate, Reasons> {
        let cycle = self.cycle;
        let mut lower: Vec<Arc<Pod>> =
            pods_on(cycle, node).filter(|pod| priority(pod) < priority(cycle.pod)).cloned().collect();
        if lower.is_empty() {
            return Err(vec!["No preemption victims found for incoming pod".into()]);
        }
        lower.sort_by(|a, b| choose::importance(a).cmp(&choose::importance(b)));
        let mut rest = node.clone();
        lower.iter().for_each(|pod| self.remove(&mut rest, pod));
        let fits = self.fits(&rest);
        let mut victims = if fits.is_ok() { Vec::new() } else { lower.clone() };
        let mut pdb_violations = 0;
        if fits.is_ok() {
            let (violating, others) = self.budgets.split(&lower);
            for (pod, violates) in
                violating.into_iter().map(|p| (p, true)).chain(others.into_iter().map(|p| (p, false)))
            {
                self.add(&mut rest, &pod);
                if self.fits(&rest).is_err() {
                    self.remove(&mut rest, &pod);
                    pdb_violations += usize::from(violates);
                    victims.push(pod);
                }
            }
            victims.sort_by(|a, b| choose::importance(a).cmp(&choose::importance(b)));
        }
        // What the plugins have noted is as it was before.
        victims.iter().for_each(|pod| self.add(&mut rest, pod));
        fits.map(|()| Candidate { node: node.name().clone(), victims, pdb_violations })
    }

    fn fits(&mut self, node: &NodeInfo) -> Result<(), Reasons> {
        check(self.registry, self.cycle, self.filtering, node).map_err(|(_, reasons)| reasons)
    }

    fn remove(&mut self, node: &mut NodeInfo, pod: &Pod) {
        node.remove_pod(pod);
        self.registry.remove_pod(self.filtering, self.cycle, pod, node);
    }

    fn add(&mut self, node: &mut NodeInfo, pod: &Pod) {
        node.add_pod(pod);
        self.registry.add_pod(self.filtering, self.cycle, pod, node);
    }
}

/// Resolved priority of a pod.
pub(super) fn priority(pod: &Pod) -> i32 {
    pod.spec.priority.unwrap_or(0)
}
