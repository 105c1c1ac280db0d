//! `describe daemonset` (upstream `describeDaemonSet`).

use super::events_about;
use super::parts::{events, labels_and_annotations, name_and_namespace, pairs, pods_status};
use super::tabs::TabWriter;
use super::template::pod_template;
use crate::objects::DaemonSet;
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, set: &DaemonSet) {
    let (meta, spec, status) = (&set.meta, &set.spec, &set.status);
    name_and_namespace(out, meta);
    out.field(0, "Selector", &spec.selector.compiled);
    out.field(0, "Node-Selector", pairs(spec.template.spec.node_selector.iter()));
    labels_and_annotations(out, meta);
    let counts = [
        ("Desired Number of Nodes Scheduled", status.desired_number_scheduled),
        ("Current Number of Nodes Scheduled", status.current_number_scheduled),
        ("Number of Nodes Scheduled with Up-to-date Pods", status.updated_number_scheduled),
        ("Number of Nodes Scheduled with Available Pods", status.number_available),
        ("Number of Nodes Misscheduled", status.number_misscheduled),
    ];
    // No columns here.
    counts.iter().for_each(|(title, count)| out.line(0, format_args!("{title}: {count}")));
    pods_status(out, sim.view(), meta, &spec.selector.compiled);
    pod_template(out, &spec.template);
    events(out, events_about(sim, meta), sim.wall());
}
