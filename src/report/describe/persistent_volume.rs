//! `describe persistentvolume` (upstream `describePersistentVolume`).

use serde_json::Value;

use super::events_about;
use super::parts::{events, go_list, labels_and_annotations, terminating};
use super::tabs::TabWriter;
use super::volumes::persistent_source;
use crate::objects::wire::Wire;
use crate::objects::{PersistentVolume, Resource};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, volume: &PersistentVolume) {
    let (meta, wire) = (&volume.meta, volume.to_wire());
    let spec = wire.at("spec");
    out.field(0, "Name", &meta.name);
    labels_and_annotations(out, meta);
    out.field(0, "Finalizers", go_list(meta.finalizers.iter()));
    out.field(0, "StorageClass", volume.class());
    match meta.deletion_timestamp {
        Some(at) => out.field(0, "Status", terminating(at, sim.wall())),
        None => out.field(0, "Status", &volume.status.phase),
    }
    let claim = volume.spec.claim_ref.as_ref().map(|claim| format!("{}/{}", claim.namespace, claim.name));
    out.field(0, "Claim", claim.unwrap_or_default());
    out.field(0, "Reclaim Policy", spec.text("persistentVolumeReclaimPolicy"));
    out.field(0, "Access Modes", &volume.spec.access_modes);
    if let Some(mode) = spec.text_some("volumeMode") {
        out.field(0, "VolumeMode", mode);
    }
    out.field(0, "Capacity", volume.size());
    node_affinity(out, spec.at("nodeAffinity").get_some("required"));
    out.field(0, "Message", wire.at("status").text("message"));
    out.line(0, "Source:");
    persistent_source(out, spec);
    events(out, events_about(sim, meta), sim.wall());
}

/// Upstream `printVolumeNodeAffinity`.
fn node_affinity(out: &mut TabWriter, required: Option<&Value>) {
    let Some(required) = required else { return out.field(0, "Node Affinity", "<none>") };
    out.line(0, "Node Affinity:\t");
    let terms = required.list("nodeSelectorTerms");
    out.line(1, if terms.is_empty() { "Required Terms:\t<none>" } else { "Required Terms:\t" });
    for (number, term) in terms.iter().enumerate() {
        requirements(out, 2, number, term.list("matchExpressions"), |wanted| wanted.text("operator").to_lowercase());
    }
}

/// The requirements of a numbered term, one on a line.
pub(super) fn requirements(
    out: &mut TabWriter,
    level: usize,
    number: usize,
    requirements: &[Value],
    operator: impl Fn(&Value) -> String,
) {
    let mut title = format!("Term {number}:");
    if requirements.is_empty() {
        out.line(level, format_args!("{title}\t<none>"));
    }
    for wanted in requirements {
        let values = wanted.texts("values");
        let values = if values.is_empty() { String::new() } else { format!(" [{}]", values.join(", ")) };
        out.line(level, format_args!("{title}\t{} {}{values}", wanted.text("key"), operator(wanted)));
        title.clear();
    }
}
