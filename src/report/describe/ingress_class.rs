//! `describe ingressclass` (upstream `describeIngressClassV1`).

use super::events_about;
use super::parts::{events, labels_and_annotations};
use super::tabs::TabWriter;
use crate::objects::IngressClass;
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, class: &IngressClass) {
    out.field(0, "Name", &class.meta.name);
    labels_and_annotations(out, &class.meta);
    out.field(0, "Controller", &class.spec.controller);
    if let Some(parameters) = &class.spec.parameters {
        out.line(0, "Parameters:");
        if let Some(group) = &parameters.api_group {
            out.field(1, "APIGroup", group);
        }
        out.field(1, "Kind", &parameters.kind);
        out.field(1, "Name", &parameters.name);
    }
    events(out, events_about(sim, &class.meta), sim.wall());
}
