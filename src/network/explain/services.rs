//! Services: by which address and port they are asked, and from where.

use std::sync::Arc;

use crate::objects::{IntOrPercent, Key, Resource as _, Service, ServicePort};

use super::super::dns::{cluster_ips, external_name};
use super::super::{Cause, Source};
use super::endpoints::{Scope, number_in, or_tcp};
use super::near::nearest;
use super::{Verdict, Walk, Walked};

impl Walk<'_> {
    pub(super) fn reach_service(&mut self, key: &Key, port: Option<&str>) -> Walked<Verdict> {
        let service = self.service(key)?;
        if service.spec.kind == "ExternalName" {
            let name = external_name(&service).unwrap_or_default();
            self.holds("Service", format!("{key} is of type ExternalName: a name for {name}, without an address"));
            let port = port.and_then(|port| port.parse().ok()).unwrap_or(80);
            return self.reach_name(&name, port);
        }
        let port = self.port(&service, port)?;
        if matches!(self.source, Source::External) {
            let scope = self.enter(&service, &port)?;
            return self.on_to_endpoints(&service, &port, scope);
        }
        self.holds(
            "Service",
            format!(
                "{} has {}, which goes to {} of its pods",
                described(&service),
                port_name(&port),
                target_name(&port)
            ),
        );
        let local = service.spec.internal_traffic_policy.as_deref() == Some("Local");
        let scope = match self.client_node().filter(|_| local && !service.spec.is_headless()) {
            Some(node) => Scope::Node(node),
            None => Scope::Cluster,
        };
        self.on_to_endpoints(&service, &port, scope)
    }

    fn on_to_endpoints(&mut self, service: &Arc<Service>, port: &ServicePort, scope: Scope) -> Walked<Verdict> {
        let targets = self.endpoints(service, port, &scope)?;
        let targets = self.of_ways_in(&scope, targets);
        self.reach_targets(&targets, None)
    }

    pub(super) fn service(&mut self, key: &Key) -> Walked<Arc<Service>> {
        let view = self.world.view;
        if let Some(service) = view.services.get(key) {
            return Ok(service.clone());
        }
        let mut hints = Vec::new();
        let elsewhere: Vec<String> = view
            .services
            .iter()
            .filter(|service| service.meta.name == key.name)
            .map(|service| service.key().to_string())
            .collect();
        if !elsewhere.is_empty() {
            hints.push(format!("a Service of that name is in another namespace: {}", elsewhere.join(", ")));
        }
        let names = view.services.in_namespace(&key.namespace).map(|service| &*service.meta.name);
        hints.extend(nearest(&key.name, names).map(|name| format!("there is a Service {}/{name}", key.namespace)));
        self.broken("Service", Cause::NoSuchName, format!("there is no Service {key}"), hints)
    }

    /// The port of a Service by number or name; nothing = its only one.
    pub(super) fn port(&mut self, service: &Service, wanted: Option<&str>) -> Walked<ServicePort> {
        let ports = &service.spec.ports;
        let found = match wanted {
            None => ports.first().filter(|_| ports.len() == 1),
            Some(wanted) => ports.iter().find(|port| port.port.to_string() == wanted || *port.name == *wanted),
        };
        if let Some(port) = found {
            self.protocol = or_tcp(&port.protocol).into();
            return Ok(port.clone());
        }
        let key = service.key();
        let listed: Vec<String> = ports.iter().map(port_name).collect();
        let text = match wanted {
            None => format!("Service {key} has {} ports: say which", ports.len()),
            Some(wanted) => format!("Service {key} has no port {wanted}"),
        };
        let mut hints =
            vec![format!("its ports: {}", if listed.is_empty() { "none".to_owned() } else { listed.join(", ") })];
        let goes_to = |port: &&ServicePort, wanted: &str| {
            let mut slices = self.world.view.slices_of(&key);
            raw_target(port) == wanted
                || slices.any(|slice| number_in(slice, port).is_some_and(|own| own.to_string() == wanted))
        };
        let aimed = wanted.and_then(|wanted| Some((wanted, ports.iter().find(|port| goes_to(port, wanted))?)));
        hints.extend(aimed.map(|(wanted, port)| {
            format!("{wanted} is its targetPort, the port of the pods: clients ask for {}", port.port)
        }));
        let node_port = wanted.and_then(|wanted| ports.iter().find(|port| port.node_port.to_string() == wanted));
        hints.extend(
            node_port.map(|port| {
                format!("{} is its port on the nodes: clients inside ask for {}", port.node_port, port.port)
            }),
        );
        let near = wanted.and_then(|wanted| nearest(wanted, ports.iter().map(|port| &*port.name)));
        hints.extend(near.filter(|name| !name.is_empty()).map(|name| format!("{name:?} may be meant")));
        self.broken("Port", Cause::NoSuchPort, text, hints)
    }
}

/// `default/web (ClusterIP 10.96.0.5)`.
pub(super) fn described(service: &Service) -> String {
    let address = match cluster_ips(service).next() {
        _ if service.spec.is_headless() => "headless".to_owned(),
        Some(ip) => format!("{} {ip}", &*service.spec.kind),
        None => service.spec.kind.to_string(),
    };
    format!("{} ({address})", service.key())
}

/// `port 80` or `port 80 (http)`.
pub(super) fn port_name(port: &ServicePort) -> String {
    if port.name.is_empty() { format!("port {}", port.port) } else { format!("port {} ({})", port.port, &*port.name) }
}

/// `port 8080` or `the port named http`.
pub(super) fn target_name(port: &ServicePort) -> String {
    match &port.target_port {
        Some(IntOrPercent::Percent(name)) => format!("the port named {name}"),
        _ => format!("port {}", raw_target(port)),
    }
}

fn raw_target(port: &ServicePort) -> String {
    match &port.target_port {
        None => port.port.to_string(),
        Some(IntOrPercent::Int(number)) => number.to_string(),
        Some(IntOrPercent::Percent(name)) => name.to_string(),
    }
}
