//! `describe service` (upstream `describeService`), and the endpoints of a Service in one line.

use std::sync::Arc;

use super::events_about;
use super::parts::{events, labels_and_annotations, name_and_namespace, or_none, pairs};
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{EndpointSlice, Key, Resource, Service};
use crate::sim::Simulation;

/// How many endpoints are shown.
const SHOWN: usize = 3;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, service: &Service) {
    let wire = service.to_wire();
    let spec = wire.at("spec");
    name_and_namespace(out, &service.meta);
    labels_and_annotations(out, &service.meta);
    out.field(0, "Selector", pairs(service.spec.selector.iter().flat_map(|selector| selector.iter())));
    out.field(0, "Type", &service.spec.kind);
    optional(out, "IP Family Policy", spec.text("ipFamilyPolicy"));
    out.field(0, "IP Families", or_none(&spec.texts("ipFamilies").join(",")));
    out.field(0, "IP", &service.spec.cluster_ip);
    out.field(0, "IPs", or_none(&spec.texts("clusterIPs").join(",")));
    optional(out, "External IPs", &spec.texts("externalIPs").join(","));
    optional(out, "Desired LoadBalancer IP", spec.text("loadBalancerIP"));
    optional(out, "External Name", spec.text("externalName"));
    optional(out, "LoadBalancer Ingress", &points(service));
    ports(out, sim, service);
    out.field(0, "Session Affinity", spec.text("sessionAffinity"));
    optional(out, "External Traffic Policy", spec.text("externalTrafficPolicy"));
    optional(out, "Internal Traffic Policy", spec.text("internalTrafficPolicy"));
    if let Some(port) = spec.int_some("healthCheckNodePort").filter(|port| *port != 0) {
        out.field(0, "HealthCheck NodePort", port);
    }
    optional(out, "LoadBalancer Source Ranges", &spec.texts("loadBalancerSourceRanges").join(","));
    optional(out, "Traffic Distribution", spec.text("trafficDistribution"));
    events(out, events_about(sim, &service.meta), sim.wall());
}

fn optional(out: &mut TabWriter, title: &str, text: &str) {
    if !text.is_empty() {
        out.field(0, title, text);
    }
}

/// The addresses of its load balancer (upstream `buildIngressString`).
fn points(service: &Service) -> String {
    let status = service.status_wire().unwrap_or_default();
    let points =
        status.at("loadBalancer").list("ingress").iter().map(|point| match (point.text("ip"), point.text("ipMode")) {
            ("", _) => point.text("hostname").to_owned(),
            (ip, "") => ip.to_owned(),
            (ip, mode) => format!("{ip} ({mode})"),
        });
    points.collect::<Vec<_>>().join(", ")
}

fn ports(out: &mut TabWriter, sim: &Simulation, service: &Service) {
    for port in &service.spec.ports {
        let name = if port.name.is_empty() { "<unset>" } else { &*port.name };
        let protocol = &port.protocol;
        out.line(0, format_args!("Port:\t{name}\t{}/{protocol}", port.port));
        match &port.target_port {
            Some(target) => out.line(0, format_args!("TargetPort:\t{target}/{protocol}")),
            None => out.line(0, format_args!("TargetPort:\t{}/{protocol}", port.port)),
        }
        if let Some(app_protocol) = &port.app_protocol {
            out.field(0, "AppProtocol", app_protocol);
        }
        if port.node_port != 0 {
            out.line(0, format_args!("NodePort:\t{name}\t{}/{protocol}", port.node_port));
        }
        out.field(0, "Endpoints", endpoints(sim, &service.key(), &port.name));
    }
}

/// The ready endpoints of a port of a Service (upstream `formatEndpointSlices`). As there, one that is not ready and comes behind those
/// that are shown makes the rest be counted, even if nothing is left.
pub(super) fn endpoints(sim: &Simulation, service: &Key, port: &str) -> String {
    let mut slices: Vec<&Arc<EndpointSlice>> = sim.view().slices_of(service).collect();
    slices.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let (mut shown, mut count, mut more) = (Vec::new(), 0, false);
    let mut add = |slice: &EndpointSlice, number: Option<i32>| {
        for endpoint in &slice.endpoints {
            more |= shown.len() == SHOWN;
            if endpoint.conditions.ready == Some(false) {
                continue;
            }
            let address = endpoint.addresses.first().map_or("", |address| &**address);
            if !more {
                shown.push(match number {
                    Some(number) if address.contains(':') => format!("[{address}]:{number}"),
                    Some(number) => format!("{address}:{number}"),
                    None => address.to_owned(),
                });
            }
            count += 1;
        }
    };
    for slice in slices {
        if slice.ports.is_empty() {
            add(slice, None);
        }
        for found in slice.ports.iter().filter(|found| found.name.as_deref().unwrap_or("") == port) {
            add(slice, Some(found.port.unwrap_or(0)));
        }
    }
    let text = shown.join(",");
    if more { format!("{text} + {} more...", count - SHOWN) } else { text }
}
