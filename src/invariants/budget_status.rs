//! PodDisruptionBudgets know how many of their pods are healthy.

use crate::objects::{Conditions, PodDisruptionBudgetStatus, Resource};
use crate::sim::Simulation;

use super::Violation;

/// In a settled cluster `status.currentHealthy` of every PodDisruptionBudget is the number of its pods that are ready and not being
/// deleted, and no eviction is still noted as under way. Budgets that cannot tell how many pods there should be are left out.
#[must_use]
pub fn budget_status(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let budgets = view.pod_disruption_budgets.iter().filter(|budget| {
        let told = budget.status.conditions.find(PodDisruptionBudgetStatus::DISRUPTION_ALLOWED);
        told.is_none_or(|told| told.reason != *PodDisruptionBudgetStatus::SYNC_FAILED)
    });
    let wrong = budgets.filter_map(|budget| {
        let pods = view.pods.in_namespace(&budget.meta.namespace).filter(|pod| budget.covers(pod));
        let healthy = pods.filter(|pod| pod.is_ready() && !pod.meta.is_deleting()).count();
        let (told, noted) = (budget.status.current_healthy, budget.status.disrupted_pods.len());
        let right = usize::try_from(told) == Ok(healthy) && noted == 0;
        let story = || {
            let noted = if noted == 0 { String::new() } else { format!(", and notes {noted} evictions as under way") };
            format!("budget {} says that {told} pods are healthy{noted}; {healthy} are", budget.key())
        };
        (!right).then(|| Violation::new("budgetStatus()", sim, story()))
    });
    wrong.collect()
}
