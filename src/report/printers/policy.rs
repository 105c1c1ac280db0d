//! Rows of what holds others within bounds.

use crate::objects::{IntOrPercent, PodDisruptionBudget, ResourceQuota};

use super::Cells;

pub(super) fn budget_cells(budget: &PodDisruptionBudget, age: String) -> Cells {
    let bound = |bound: &Option<IntOrPercent>| bound.as_ref().map_or_else(|| "N/A".to_owned(), ToString::to_string);
    vec![
        budget.meta.name.to_string(),
        bound(&budget.spec.min_available),
        bound(&budget.spec.max_unavailable),
        budget.status.disruptions_allowed.to_string(),
        age,
    ]
}

/// Upstream `printers/internalversion.printResourceQuota`.
pub(super) fn quota_cells(quota: &ResourceQuota, age: String) -> Cells {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in &quota.status.hard {
        let used = quota.status.used.get(name).copied().unwrap_or_default();
        let column = if name.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(format!("{name}: {used}/{hard}"));
    }
    vec![quota.meta.name.to_string(), requests.join(", "), limits.join(", "), age]
}
