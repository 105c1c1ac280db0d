//! One cycle with everything said that it would keep to itself.

use std::sync::Arc;

use crate::objects::Text;

use super::{Cycle, Prepared, Runner};
use crate::scheduler::cache::NodeId;
use crate::scheduler::framework::{Code, PreScore, Registry};
use crate::scheduler::preemption::{self, Candidate};

/// What a cycle makes of a pod, node by node.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// All nodes in the order in which they are looked at.
    pub nodes: Vec<(Arc<str>, Verdict)>,
    /// The message if no node fits, as the `FailedScheduling` event has it.
    pub message: Option<String>,
    /// If no node fits: the node on which room would be made for the pod, and who would have to leave it.
    pub nominated: Option<Candidate>,
    /// If no node fits: all nodes that could take the pod if pods of lower priority left, as far as upstream looks, also if
    /// the pod may not displace others. Those that violate no PodDisruptionBudget come first.
    pub candidates: Vec<Candidate>,
}

/// What a cycle makes of a pod on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fits.
    Feasible {
        /// Weighted points of each plugin that gave any.
        scores: Vec<(&'static str, i64)>,
        /// Their sum.
        total: i64,
    },
    /// It does not.
    Refused {
        /// Whether it would help if other pods left.
        code: Code,
        /// Which plugin refused; none if the node did not come into question at all.
        plugin: Option<&'static str>,
        /// Why.
        reasons: Vec<Text>,
    },
}

impl Runner {
    /// Filters all nodes, and scores all that pass, also a single one.
    pub(in crate::scheduler) fn explain(&mut self, registry: &mut Registry, cycle: &Cycle<'_>) -> Explanation {
        let failure = Self::default().run(registry, cycle).err();
        let (message, nominated) = failure.map(|failure| (failure.message, failure.displaces)).unzip();
        let all = cycle.cache.order();
        self.refused.clear();
        self.feasible.clear();
        let absent = match self.pre_filter(registry, cycle) {
            Prepared::Rejected(code, ..) => Verdict::Refused { code, plugin: None, reasons: Vec::new() },
            Prepared::All => {
                self.filter(registry, cycle, all, all.len(), None);
                Verdict::Feasible { scores: Vec::new(), total: 0 }
            }
            Prepared::Only(nodes, _, reason) => {
                self.filter(registry, cycle, &nodes, nodes.len(), None);
                let code = Code::UnschedulableAndUnresolvable;
                Verdict::Refused { code, plugin: None, reasons: vec![reason.into()] }
            }
        };
        let scores = self.scores_by_plugin(registry, cycle);
        let verdict = |id: &NodeId| self.verdict(registry, cycle, *id, &scores).unwrap_or_else(|| absent.clone());
        let nodes = all.iter().map(|id| (cycle.cache.node(*id).name().clone(), verdict(id))).collect();
        let candidates = if self.feasible.is_empty() {
            preemption::candidates(registry, cycle, &self.filtering, &self.refused)
        } else {
            Vec::new()
        };
        Explanation { nodes, message, nominated: nominated.flatten(), candidates }
    }

    /// The names of all nodes that pass the filters.
    pub(in crate::scheduler) fn feasible(&mut self, registry: &mut Registry, cycle: &Cycle<'_>) -> Vec<Arc<str>> {
        self.feasible.clear();
        self.refused.clear();
        let all = cycle.cache.order();
        match self.pre_filter(registry, cycle) {
            Prepared::Rejected(..) => {}
            Prepared::All => self.filter(registry, cycle, all, all.len(), None),
            Prepared::Only(nodes, ..) => self.filter(registry, cycle, &nodes, nodes.len(), None),
        }
        self.feasible.iter().map(|id| cycle.cache.node(*id).name().clone()).collect()
    }

    fn scores_by_plugin(&mut self, registry: &mut Registry, cycle: &Cycle<'_>) -> Vec<(&'static str, Vec<i64>)> {
        let mut all = Vec::new();
        if self.feasible.is_empty() {
            return all;
        }
        for (_, slot) in registry.slots_mut() {
            let weight = i64::from(slot.weight());
            if weight > 0 && slot.pre_score(cycle, &self.feasible) == PreScore::Score {
                slot.score_all(cycle, &self.feasible, &mut self.scores);
                all.push((slot.name(), self.scores.iter().map(|score| score.saturating_mul(weight)).collect()));
            }
        }
        all
    }

    fn verdict(
        &self,
        registry: &Registry,
        cycle: &Cycle<'_>,
        id: NodeId,
        scores: &[(&'static str, Vec<i64>)],
    ) -> Option<Verdict> {
        if let Some(at) = self.feasible.iter().position(|feasible| *feasible == id) {
            let scores: Vec<_> = scores.iter().map(|(plugin, scores)| (*plugin, scores[at])).collect();
            let total = scores.iter().fold(0i64, |total, (_, score)| total.saturating_add(*score));
            return Some(Verdict::Feasible { scores, total });
        }
        let refusal = self.refused.iter().find(|refusal| refusal.node == id)?;
        let reasons = self.reasons(registry, cycle, *refusal);
        let plugin = Some(registry.slot(refusal.plugin).name());
        Some(Verdict::Refused { code: refusal.code, plugin, reasons })
    }
}
