//! `describe endpointslice` (upstream `describeEndpointSliceV1`).

use super::events_about;
use super::parts::{events, labels_and_annotations, name_and_namespace, or_none, or_unset};
use super::tabs::TabWriter;
use crate::objects::{Endpoint, EndpointSlice};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, slice: &EndpointSlice) {
    name_and_namespace(out, &slice.meta);
    labels_and_annotations(out, &slice.meta);
    out.field(0, "AddressType", &slice.address_type);
    if slice.ports.is_empty() {
        out.line(0, "Ports: <unset>");
    } else {
        out.line(0, "Ports:\n  Name\tPort\tProtocol\n  ----\t----\t--------");
    }
    for port in &slice.ports {
        let name = or_unset(port.name.as_deref().filter(|name| !name.is_empty()));
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        out.line(1, format_args!("{name}\t{}\t{protocol}", or_unset(port.port)));
    }
    if slice.endpoints.is_empty() {
        out.line(0, "Endpoints: <none>");
    } else {
        out.line(0, "Endpoints:");
    }
    slice.endpoints.iter().for_each(|one| endpoint(out, one));
    events(out, events_about(sim, &slice.meta), sim.wall());
}

fn endpoint(out: &mut TabWriter, endpoint: &Endpoint) {
    let addresses: Vec<&str> = endpoint.addresses.iter().map(|address| &**address).collect();
    out.field(1, "- Addresses", or_none(&addresses.join(", ")));
    out.line(2, "Conditions:");
    out.field(3, "Ready", or_unset(endpoint.conditions.ready));
    out.field(2, "Hostname", or_unset(endpoint.hostname.as_deref()));
    if let Some(target) = &endpoint.target_ref {
        out.field(2, "TargetRef", format_args!("{}/{}", target.kind, target.name));
    }
    out.field(2, "NodeName", or_unset(endpoint.node_name.as_deref()));
    out.field(2, "Zone", or_unset(endpoint.zone.as_deref()));
}
