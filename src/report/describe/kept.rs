//! Kinds that are kept as data and have a layout of their own: `describe configmap`, `secret`, `serviceaccount` and
//! `priorityclass` (upstream `ConfigMapDescriber`, `describeSecret`, `describeServiceAccount`, `describePriorityClass`).

use serde_json::Value;

use super::events_about;
use super::parts::{events, labels_and_annotations, list, name_and_namespace, pairs};
use super::tabs::TabWriter;
use crate::objects::OpaqueObject;
use crate::objects::wire::Wire;
use crate::sim::Simulation;

pub(super) fn config_map(out: &mut TabWriter, sim: &Simulation, map: &OpaqueObject) {
    let wire = map.to_wire();
    name_and_namespace(out, &map.meta);
    labels_and_annotations(out, &map.meta);
    out.line(0, "\nData\n====");
    for (key, value) in wire.text_entries("data") {
        out.line(0, format_args!("{key}:\n----\n{value}\n"));
    }
    out.line(0, "\nBinaryData\n====");
    for (key, value) in wire.text_entries("binaryData") {
        out.line(0, format_args!("{key}: {} bytes", decoded_len(value)));
    }
    out.line(0, "");
    events(out, events_about(sim, &map.meta), sim.wall());
}

pub(super) fn service_account(out: &mut TabWriter, sim: &Simulation, account: &OpaqueObject) {
    let wire = account.to_wire();
    name_and_namespace(out, &account.meta);
    labels_and_annotations(out, &account.meta);
    list(out, "Image pull secrets", wire.list("imagePullSecrets").iter().map(|secret| secret.text("name").to_owned()));
    events(out, events_about(sim, &account.meta), sim.wall());
}

/// Only the sizes of the data are told, as kubectl does.
pub(super) fn secret(out: &mut TabWriter, secret: &OpaqueObject) {
    let wire = secret.to_wire();
    name_and_namespace(out, &secret.meta);
    labels_and_annotations(out, &secret.meta);
    out.line(0, format_args!("\nType:\t{}", wire.text_some("type").unwrap_or("Opaque")));
    out.line(0, "\nData\n====");
    // `stringData` is merged into the data by the API server, and wins there.
    let mut sizes: std::collections::BTreeMap<&str, usize> =
        wire.text_entries("data").into_iter().map(|(key, value)| (key, decoded_len(value))).collect();
    sizes.extend(wire.text_entries("stringData").into_iter().map(|(key, value)| (key, value.len())));
    sizes.iter().for_each(|(key, bytes)| out.field(0, key, format_args!("{bytes} bytes")));
}

/// Bytes that a text in base64 stands for.
fn decoded_len(base64: &str) -> usize {
    let digits = base64.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count();
    digits * 3 / 4
}

pub(super) fn priority_class(out: &mut TabWriter, sim: &Simulation, class: &OpaqueObject) {
    let wire = Value::Object(class.rest.clone());
    out.field(0, "Name", &class.meta.name);
    out.field(0, "Value", wire.int("value"));
    out.field(0, "GlobalDefault", wire.flag("globalDefault"));
    out.field(0, "PreemptionPolicy", wire.text_some("preemptionPolicy").unwrap_or("PreemptLowerPriority"));
    out.field(0, "Description", wire.text("description"));
    out.field(0, "Annotations", pairs(class.meta.annotations.iter()));
    events(out, events_about(sim, &class.meta), sim.wall());
}

#[cfg(test)]
mod tests {
    use super::decoded_len;

    #[test]
    fn sizes_are_those_of_the_decoded_bytes() {
        assert_eq!(["", "YQ==", "YWI=", "YWJj", "YWJj\nZA=="].map(decoded_len), [0, 1, 2, 3, 4]);
    }
}
