//! `describe ingress` (upstream `describeIngressV1`).

use serde_json::Value;

use super::parts::{annotations, events, labels};
use super::tabs::TabWriter;
use super::{events_about, service};
use crate::objects::wire::Wire;
use crate::objects::{Ingress, Key, Resource};
use crate::report::printers::address_list;
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, ingress: &Ingress) {
    let (meta, wire) = (&ingress.meta, ingress.to_wire());
    let spec = wire.at("spec");
    out.field(0, "Name", &meta.name);
    labels(out, "Labels", &meta.labels);
    out.field(0, "Namespace", &meta.namespace);
    let points = ingress.status.load_balancer.ingress.iter();
    out.field(0, "Address", address_list(points.map(|point| (&*point.ip, &*point.hostname)), true));
    out.field(0, "Ingress Class", spec.text_some("ingressClassName").unwrap_or("<none>"));
    let default = spec.get_some("defaultBackend").map(|default| backend(sim, &meta.namespace, default));
    let default = default.unwrap_or_else(|| "<default>".to_owned());
    out.field(0, "Default backend", &default);
    tls(out, spec.list("tls"));
    out.line(0, "Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------");
    let mut rules = spec.list("rules").iter().filter(|rule| rule.at("http").is_object()).peekable();
    if rules.peek().is_none() {
        out.line(1, format_args!("*\t*\t{default}"));
    }
    for rule in rules {
        let host = rule.text_some("host").filter(|host| !host.is_empty()).unwrap_or("*");
        out.line(1, format_args!("{host}\t"));
        for path in rule.at("http").list("paths") {
            let to = backend(sim, &meta.namespace, path.at("backend"));
            out.line(2, format_args!("\t{} \t{to}", path.text("path")));
        }
    }
    annotations(out, "Annotations", &meta.annotations);
    events(out, events_about(sim, meta), sim.wall());
}

fn tls(out: &mut TabWriter, entries: &[Value]) {
    if !entries.is_empty() {
        out.line(0, "TLS:");
    }
    for entry in entries {
        let hosts = entry.texts("hosts").join(",");
        match entry.text("secretName") {
            "" => out.line(1, format_args!("SNI routes {hosts}")),
            secret => out.line(1, format_args!("{secret} terminates {hosts}")),
        }
    }
}

/// Where requests go, with the endpoints that are there (upstream `describeBackendV1`).
fn backend(sim: &Simulation, namespace: &str, backend: &Value) -> String {
    if let Some(to) = backend.get_some("service") {
        let (name, port) = (to.text("name"), to.at("port"));
        let number = port.int_some("number").filter(|number| *number != 0);
        let shown = number.map_or_else(|| port.text("name").to_owned(), |number| number.to_string());
        let key = Key::new(namespace, name);
        let Some(found) = sim.view().services.get(&key) else {
            return format!("{name}:{shown} (<error: services {name:?} not found>)");
        };
        let is_meant = |known: &&crate::objects::ServicePort| match number {
            Some(number) => i64::from(known.port) == number,
            None => *known.name == *port.text("name"),
        };
        let known = found.spec.ports.iter().rfind(is_meant).map_or("", |known| &*known.name);
        return format!("{name}:{shown} ({})", service::endpoints(sim, &key, known));
    }
    let Some(resource) = backend.get_some("resource") else { return String::new() };
    let group = resource.text_some("apiGroup").unwrap_or("<none>");
    format!("APIGroup: {group}, Kind: {}, Name: {}", resource.text("kind"), resource.text("name"))
}
