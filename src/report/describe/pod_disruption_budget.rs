//! `describe poddisruptionbudget` (upstream `describePodDisruptionBudgetV1`).

use super::events_about;
use super::parts::{events, name_and_namespace, or_unset, selector};
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{PodDisruptionBudget, Resource};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, budget: &PodDisruptionBudget) {
    let wire = budget.to_wire();
    name_and_namespace(out, &budget.meta);
    if let Some(bound) = &budget.spec.min_available {
        out.field(0, "Min available", bound);
    } else if let Some(bound) = &budget.spec.max_unavailable {
        out.field(0, "Max unavailable", bound);
    }
    out.field(0, "Selector", or_unset(wire.at("spec").get_some("selector").map(selector)));
    out.line(0, "Status:");
    let status = &budget.status;
    for (title, count) in [
        ("Allowed disruptions", status.disruptions_allowed),
        ("Current", status.current_healthy),
        ("Desired", status.desired_healthy),
        ("Total", status.expected_pods),
    ] {
        out.field(2, title, count);
    }
    events(out, events_about(sim, &budget.meta), sim.wall());
}
