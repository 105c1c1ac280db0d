//! `describe persistentvolumeclaim` (upstream `describePersistentVolumeClaim`).

use super::events_about;
use super::parts::{events, go_list, instant, labels_and_annotations, list, name_and_namespace, terminating};
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{PersistentVolumeClaim, Resource};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, claim: &PersistentVolumeClaim) {
    let (meta, wire) = (&claim.meta, claim.to_wire());
    let spec = wire.at("spec");
    name_and_namespace(out, meta);
    out.field(0, "StorageClass", claim.class());
    match meta.deletion_timestamp {
        Some(at) => out.field(0, "Status", terminating(at, sim.wall())),
        None => out.field(0, "Status", &claim.status.phase),
    }
    out.field(0, "Volume", &claim.spec.volume_name);
    labels_and_annotations(out, meta);
    out.field(0, "Finalizers", go_list(meta.finalizers.iter()));
    let bound = (!claim.spec.volume_name.is_empty())
        .then(|| (claim.capacity().to_string(), claim.status.access_modes.to_string()));
    let (capacity, modes) = bound.unwrap_or_default();
    out.field(0, "Capacity", capacity);
    out.field(0, "Access Modes", modes);
    if let Some(mode) = spec.text_some("volumeMode") {
        out.field(0, "VolumeMode", mode);
    }
    if let Some(source) = spec.get_some("dataSource") {
        out.line(0, "DataSource:");
        for (title, field) in [("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")] {
            if let Some(text) = source.text_some(field) {
                out.field(1, title, text);
            }
        }
    }
    let mut users: Vec<String> = sim.view().pods_using(&claim.key()).map(|pod| pod.meta.name.to_string()).collect();
    users.sort_unstable();
    list(out, "Used By", users);
    let conditions = wire.at("status").list("conditions");
    if !conditions.is_empty() {
        out.line(0, "Conditions:\n  Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage");
        out.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let [kind, status, reason, message] = ["type", "status", "reason", "message"].map(|name| condition.text(name));
        let [probed, since] = ["lastProbeTime", "lastTransitionTime"].map(|name| instant(condition.at(name)));
        out.line(1, format_args!("{kind} \t{status} \t{probed} \t{since} \t{reason} \t{message}"));
    }
    events(out, events_about(sim, meta), sim.wall());
}
