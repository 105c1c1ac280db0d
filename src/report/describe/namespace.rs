//! `describe namespace` (upstream `describeNamespace`).

use super::limit_range::limit_rows;
use super::parts::{instant, labels_and_annotations};
use super::quota::quota_section;
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{Namespace, Resource};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, namespace: &Namespace) {
    let (name, wire) = (&namespace.meta.name, namespace.to_wire());
    out.field(0, "Name", name);
    labels_and_annotations(out, &namespace.meta);
    out.field(0, "Status", wire.at("status").text("phase"));
    let conditions = wire.at("status").list("conditions");
    if !conditions.is_empty() {
        out.line(0, "Conditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage");
        out.line(1, "----\t------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let since = instant(condition.at("lastTransitionTime"));
        let [kind, status, reason, message] = ["type", "status", "reason", "message"].map(|name| condition.text(name));
        out.line(1, format_args!("{kind}\t{status}\t{since}\t{reason}\t{message}"));
    }
    let mut quotas: Vec<_> = sim.view().resource_quotas.in_namespace(name).collect();
    quotas.sort_by_key(|quota| &quota.meta.name);
    out.line(0, if quotas.is_empty() { "\nNo resource quota." } else { "\nResource Quotas" });
    quotas.iter().for_each(|quota| quota_section(out, quota));
    let mut ranges: Vec<_> = sim.view().limit_ranges.in_namespace(name).collect();
    ranges.sort_by_key(|range| &range.meta.name);
    if ranges.is_empty() {
        return out.line(0, "\nNo LimitRange resource.");
    }
    let title = "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio";
    out.line(0, format_args!("\nResource Limits\n {title}"));
    out.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    ranges.iter().for_each(|range| limit_rows(out, " ", range));
}
