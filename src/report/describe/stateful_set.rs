//! `describe statefulset` (upstream `describeStatefulSet`).

use serde_json::Value;

use super::events_about;
use super::parts::{
    annotations, events, go_list, labels, labels_and_annotations, name_and_namespace, pods_status, rfc1123,
};
use super::tabs::TabWriter;
use super::template::pod_template;
use crate::objects::wire::Wire;
use crate::objects::{Annotations, Labels, Resource, StatefulSet};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, set: &StatefulSet) {
    let (meta, wire) = (&set.meta, set.to_wire());
    let spec = wire.at("spec");
    name_and_namespace(out, meta);
    out.field(0, "CreationTimestamp", meta.creation_timestamp.map_or_else(String::new, rfc1123));
    out.field(0, "Selector", &set.spec.selector.compiled);
    labels_and_annotations(out, meta);
    out.field(0, "Replicas", format_args!("{} desired | {} total", set.spec.replicas, set.status.replicas));
    let strategy = spec.at("updateStrategy");
    out.field(0, "Update Strategy", strategy.text("type"));
    if let Some(partition) = strategy.at("rollingUpdate").int_some("partition") {
        out.field(1, "Partition", partition);
        match strategy.at("rollingUpdate").at("maxUnavailable") {
            Value::Null => {}
            Value::String(share) => out.field(1, "MaxUnavailable", share),
            number => out.field(1, "MaxUnavailable", number),
        }
    }
    pods_status(out, sim.view(), meta, &set.spec.selector.compiled);
    pod_template(out, &set.spec.template);
    claim_templates(out, spec.list("volumeClaimTemplates"));
    events(out, events_about(sim, meta), sim.wall());
}

/// Upstream `describeVolumeClaimTemplates`.
fn claim_templates(out: &mut TabWriter, templates: &[Value]) {
    out.line(0, if templates.is_empty() { "Volume Claims:\t<none>" } else { "Volume Claims:" });
    for claim in templates {
        let (meta, spec) = (claim.at("metadata"), claim.at("spec"));
        out.field(1, "Name", meta.text("name"));
        out.field(1, "StorageClass", spec.text("storageClassName"));
        labels(out, "  Labels", &meta.text_entries("labels").into_iter().collect::<Labels>());
        annotations(out, "  Annotations", &meta.text_entries("annotations").into_iter().collect::<Annotations>());
        let capacity = spec.at("resources").at("requests").text_some("storage");
        out.field(1, "Capacity", capacity.unwrap_or("<default>"));
        out.field(1, "Access Modes", go_list(spec.texts("accessModes")));
    }
}
