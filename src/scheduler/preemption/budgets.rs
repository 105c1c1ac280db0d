//! Whom PodDisruptionBudgets protect from being displaced. They are kept if that is possible, not come what may.

use std::sync::Arc;

use crate::api::View;
use crate::objects::{Pod, PodDisruptionBudget};

/// The budgets of a cluster.
pub(super) struct Budgets<'a>(Vec<&'a PodDisruptionBudget>);

impl<'a> Budgets<'a> {
    pub(super) fn of(view: &'a View) -> Self {
        Self(view.pod_disruption_budgets.iter().map(|budget| &**budget).collect())
    }

    /// Parts pods, in order, into those that some budget does not allow to leave after the ones before, and the others
    /// (upstream `filterPodsWithPDBViolation`).
    pub(super) fn split(&self, pods: &[Arc<Pod>]) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
        let mut allowed: Vec<i32> = self.0.iter().map(|budget| budget.status.disruptions_allowed).collect();
        pods.iter().cloned().partition(|pod| {
            let mut violates = false;
            for (budget, allowed) in self.0.iter().zip(&mut allowed) {
                if protects(budget, pod) {
                    *allowed = allowed.saturating_sub(1);
                    violates |= *allowed < 0;
                }
            }
            violates
        })
    }
}

/// Budgets without conditions and pods without labels have nothing to do with each other here, other than when a pod is
/// evicted. A pod whose eviction was granted is reckoned with already.
fn protects(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    !pod.meta.labels.is_empty()
        && budget.spec.selector.as_ref().is_some_and(|selector| !selector.compiled.is_empty())
        && budget.covers(pod)
        && !budget.status.disrupted_pods.contains_key(&pod.meta.name)
}
