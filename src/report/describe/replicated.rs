//! `describe replicaset` and `describe replicationcontroller` (upstream `describeReplicaSet`,
//! `describeReplicationController`).

use super::events_about;
use super::parts::{
    conditions, controlled_by, events, labels_and_annotations, name_and_namespace, or_none, pods_status,
};
use super::tabs::TabWriter;
use super::template::pod_template;
use crate::objects::Replicated;
use crate::objects::wire::Wire;
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, set: &impl Replicated) {
    let (meta, spec, status, wire) = (set.meta(), set.spec(), set.status(), set.to_wire());
    name_and_namespace(out, meta);
    out.field(0, "Selector", or_none(&spec.selector.compiled.to_string()));
    labels_and_annotations(out, meta);
    controlled_by(out, meta);
    out.field(0, "Replicas", format_args!("{} current / {} desired", status.replicas, spec.replicas));
    pods_status(out, sim.view(), meta, &spec.selector.compiled);
    pod_template(out, &spec.template);
    conditions(out, wire.at("status").list("conditions"));
    events(out, events_about(sim, meta), sim.wall());
}
