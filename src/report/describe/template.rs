//! The pod template of a workload (upstream `DescribePodTemplate`).

use serde_json::Value;

use super::containers::containers;
use super::parts::{Place, annotations, labels, spread, tolerations};
use super::tabs::TabWriter;
use super::volumes::volumes;
use crate::objects::PodTemplate;
use crate::objects::wire::Wire;

/// The template, as a section of its own.
pub(in crate::report) fn pod_template(out: &mut TabWriter, template: &PodTemplate) {
    let (wire, place) = (template.to_wire(), Place::Template);
    let spec = wire.at("spec");
    out.line(0, "Pod Template:");
    labels(out, "  Labels", &template.labels);
    if !template.annotations.is_empty() {
        annotations(out, "  Annotations", &template.annotations);
    }
    text(out, spec, "Service Account", "serviceAccountName");
    let init = spec.list("initContainers");
    if !init.is_empty() {
        containers(out, place, "Init Containers", init, &[], None);
    }
    containers(out, place, "Containers", spec.list("containers"), &[], None);
    volumes(out, place, spec.list("volumes"));
    spread(out, place, spec);
    text(out, spec, "Priority Class Name", "priorityClassName");
    labels(out, "  Node-Selectors", &template.spec.node_selector);
    tolerations(out, "  Tolerations", spec.list("tolerations"));
}

fn text(out: &mut TabWriter, spec: &Value, title: &str, field: &str) {
    if let Some(text) = spec.text_some(field).filter(|text| !text.is_empty()) {
        out.field(1, title, text);
    }
}
