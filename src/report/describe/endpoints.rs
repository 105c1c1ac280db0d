//! `describe endpoints` (upstream `describeEndpoints`).

use super::events_about;
use super::parts::{events, labels_and_annotations, name_and_namespace, or_none};
use super::tabs::TabWriter;
use crate::objects::{EndpointAddress, Endpoints};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, endpoints: &Endpoints) {
    name_and_namespace(out, &endpoints.meta);
    labels_and_annotations(out, &endpoints.meta);
    out.line(0, "Subsets:");
    for subset in &endpoints.subsets {
        let all = |addresses: &[EndpointAddress]| {
            let ips: Vec<&str> = addresses.iter().map(|address| &*address.ip).collect();
            or_none(&ips.join(",")).to_owned()
        };
        out.field(1, "Addresses", all(&subset.addresses));
        out.field(1, "NotReadyAddresses", all(&subset.not_ready_addresses));
        if !subset.ports.is_empty() {
            out.line(1, "Ports:");
            out.line(2, "Name\tPort\tProtocol");
            out.line(2, "----\t----\t--------");
        }
        for port in &subset.ports {
            let name = port.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("<unset>");
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            out.line(2, format_args!("{name}\t{}\t{protocol}", port.port.unwrap_or(0)));
        }
        out.line(0, "");
    }
    events(out, events_about(sim, &endpoints.meta), sim.wall());
}
