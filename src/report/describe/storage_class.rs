//! `describe storageclass` (upstream `describeStorageClass`).

use super::events_about;
use super::parts::{events, flag, or_unset, pairs};
use super::persistent_volume::requirements;
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{Resource, StorageClass};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, class: &StorageClass) {
    let (meta, wire) = (&class.meta, class.to_wire());
    out.field(0, "Name", &meta.name);
    out.field(0, "IsDefaultClass", if class.is_default() { "Yes" } else { "No" });
    out.field(0, "Annotations", pairs(meta.annotations.iter()));
    out.field(0, "Provisioner", wire.text("provisioner"));
    out.field(0, "Parameters", pairs(wire.text_entries("parameters")));
    out.field(0, "AllowVolumeExpansion", or_unset(wire.flag_some("allowVolumeExpansion").map(flag)));
    let options = wire.texts("mountOptions");
    out.line(0, if options.is_empty() { "MountOptions:\t<none>" } else { "MountOptions:" });
    options.iter().for_each(|option| out.line(1, option));
    for (title, field) in [("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")] {
        if let Some(text) = wire.text_some(field) {
            out.field(0, title, text);
        }
    }
    if wire.has("allowedTopologies") {
        let terms = wire.list("allowedTopologies");
        out.line(0, if terms.is_empty() { "AllowedTopologies:\t<none>" } else { "AllowedTopologies:\t" });
        for (number, term) in terms.iter().enumerate() {
            requirements(out, 1, number, term.list("matchLabelExpressions"), |_| "in".to_owned());
        }
    }
    events(out, events_about(sim, meta), sim.wall());
}
