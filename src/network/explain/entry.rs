//! Ways into the cluster: ports of nodes, load balancers.

use std::net::IpAddr;
use std::sync::Arc;

use crate::objects::{Ingress, Key, Resource as _, Service, ServicePort};

use super::super::{Cause, Source};
use super::endpoints::{Scope, or_tcp};
use super::near::{first_few, nearest};
use super::pods::Target;
use super::services::{described, port_name, target_name};
use super::{Verdict, Walk, Walked};

/// Where a way leads to a reverse proxy.
pub(super) struct Front {
    /// A pod of it.
    pub(super) pod: Key,
    /// The addresses under which it may see the client; nothing = nobody knows.
    pub(super) sees: Vec<IpAddr>,
    /// Whether these are of nodes, in place of the client's.
    pub(super) hides_clients: bool,
}

impl Walk<'_> {
    /// The way of a client outside to a Service, by its type; the endpoints that it leads to.
    pub(super) fn enter(&mut self, service: &Arc<Service>, port: &ServicePort) -> Walked<Scope> {
        let key = service.key();
        let is_local = service.spec.external_traffic_policy == *"Local";
        let name = described(service);
        let scope = if is_local { Scope::AnyLocal } else { Scope::Cluster };
        self.masquerades = !is_local;
        let to = format!("{}, which goes to {} of its pods", port_name(port), target_name(port));
        match &*service.spec.kind {
            "LoadBalancer" => {
                let addresses = &service.status.load_balancer.ingress;
                let address = addresses
                    .first()
                    .map(|address| if address.ip.is_empty() { &address.hostname } else { &address.ip });
                let Some(address) = address else {
                    let text = format!(
                        "{key} is of type LoadBalancer and has no address yet: nobody has made its load balancer"
                    );
                    return self.broken("Service", Cause::NoHealthyNode, text, Vec::new());
                };
                let nodes = if is_local { "sends to nodes that have an endpoint" } else { "sends to any node" };
                let address = &**address;
                self.holds("Balancer", format!("the load balancer at {address} {nodes}"));
                self.pass_source_ranges(service)?;
                self.holds("Service", format!("{name} has {to}"));
                self.come_in(service, port, Some(address))?;
            }
            "NodePort" if port.node_port > 0 => {
                self.holds(
                    "Service",
                    format!("{name} takes {} on every node for {to}", format_args!("port {}", port.node_port)),
                );
                self.some_know_no_rules(service, port);
                if is_local {
                    self.shaky("Node", "externalTrafficPolicy is Local: nodes without an endpoint drop packets");
                }
                self.come_in(service, port, None)?;
            }
            _ if !service.spec.external_ips.is_empty() => {
                let addresses = service.spec.external_ips.iter().map(|ip| ip.to_string()).collect::<Vec<_>>();
                let text = format!("{name} takes connections to {} on every node, for {to}", first_few(&addresses));
                self.holds("Service", text);
                self.come_in(service, port, None)?;
            }
            kind => {
                let mut hints = vec!["type LoadBalancer or NodePort, or an Ingress, leads in".to_owned()];
                let leads =
                    self.world.view.ingresses.in_namespace(&key.namespace).find(|ingress| leads_to(ingress, &key.name));
                hints.extend(leads.map(|ingress| {
                    let host = ingress
                        .spec
                        .rules
                        .first()
                        .map_or("any host", |rule| if rule.host.is_empty() { "any host" } else { &rule.host });
                    format!("Ingress {} leads to it, for {host}", ingress.key())
                }));
                let text = format!("{key} is of type {kind}: its address exists inside the cluster only");
                return self.broken("Service", Cause::NoSuchPort, text, hints);
            }
        }
        Ok(scope)
    }

    /// By which nodes connections come in, to a load balancer at an address or else to any node, and what becomes of them there.
    fn come_in(&mut self, service: &Arc<Service>, port: &ServicePort, balancer: Option<&str>) -> Walked<()> {
        if !matches!(self.source, Source::External) {
            return Ok(());
        }
        let view = self.world.view;
        let all = || view.nodes.iter().map(|node| node.meta.name.clone()).collect();
        let healthy = self.world.network.filter(|_| balancer.is_some());
        let healthy = healthy.and_then(|(network, now)| network.balanced_to(&service.key(), now));
        let (is_known, nodes): (bool, Vec<Arc<str>>) = (healthy.is_some(), healthy.unwrap_or_else(all));
        if let (Some(address), true) = (balancer, nodes.is_empty()) {
            let text = format!("the load balancer at {address} finds no node healthy");
            return self.broken("Balancer", Cause::NoHealthyNode, text, Vec::new());
        }
        // Unless it is known, a load balancer sends to no node that does not answer, and that has no endpoint under Local.
        if balancer.is_none() || is_known {
            let (up, down): (Vec<_>, Vec<_>) = nodes.iter().cloned().partition(|node| self.world.node_is_up(node));
            self.lost_at(
                &down,
                up.is_empty(),
                Cause::EntryNodeDown,
                "down: connections that come in there get no answer",
            )?;
            if service.spec.external_traffic_policy == *"Local" {
                let without = self.without_endpoints(&service.key(), port, &up);
                let text = "without an endpoint: connections that come in there are dropped";
                self.lost_at(&without, without.len() == up.len(), Cause::NoLocalEndpoints, text)?;
            }
        }
        self.ways_in = Some(nodes);
        Ok(())
    }

    /// Connections that come in by these nodes are lost; `all`: others there are not.
    fn lost_at(&mut self, nodes: &[Arc<str>], all: bool, cause: Cause, why: &str) -> Walked<()> {
        if nodes.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        let text = match nodes {
            [node] => format!("node {node} is {why}"),
            _ => format!("nodes {} are {why}", first_few(&names)),
        };
        if all {
            return self.broken("Node", cause, text, Vec::new());
        }
        self.shaky("Node", text);
        self.partly = Some(cause);
        Ok(())
    }

    pub(super) fn reach_node(&mut self, name: &str, port: u16) -> Walked<Verdict> {
        let view = self.world.view;
        if view.nodes.get(&Key::new("", name)).is_none() {
            let hints = nearest(name, view.nodes.iter().map(|node| &*node.meta.name))
                .map(|name| format!("there is a node {name}"));
            return self.broken(
                "Node",
                Cause::NoSuchName,
                format!("there is no node {name}"),
                hints.into_iter().collect(),
            );
        }
        if !self.world.node_is_up(name) {
            return self.broken("Node", Cause::NodeDown, format!("node {name} is down"), Vec::new());
        }
        let number = i32::from(port);
        let of_service = view.services.iter().find_map(|service| {
            let own = service.spec.ports.iter().find(|own| own.node_port == number)?;
            Some((service.clone(), own.clone()))
        });
        let Some((service, own)) = of_service else { return self.reach_process_on(name, port) };
        self.holds(
            "Service",
            format!(
                "port {port} of every node belongs to {}, {}, which goes to {} of its pods",
                described(&service),
                port_name(&own),
                target_name(&own)
            ),
        );
        self.entry = Some(name.into());
        self.masquerades = service.spec.external_traffic_policy != *"Local";
        self.protocol = or_tcp(&own.protocol).into();
        let is_local = service.spec.external_traffic_policy == *"Local" && matches!(self.source, Source::External);
        let scope = if is_local { Scope::Node(name.into()) } else { Scope::Cluster };
        let targets = self.endpoints(&service, &own, &scope)?;
        self.reach_targets(&targets, None)
    }

    /// A port of a node that no Service has: of a pod in the node's network, or with a host port.
    fn reach_process_on(&mut self, node: &str, port: u16) -> Walked<Verdict> {
        let view = self.world.view;
        let number = i32::from(port);
        let listens = |pod: &&Arc<crate::objects::Pod>| {
            let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
            ports.any(|own| own.host_port == number || pod.spec.host_network && own.container_port == number)
        };
        if let Some(pod) = view.pods_on(node).filter(|pod| !pod.is_terminal()).find(listens) {
            let key = pod.key();
            let own = pod.spec.containers.iter().flat_map(|container| &container.ports);
            let inner = own
                .into_iter()
                .find(|own| own.host_port == number)
                .and_then(|own| u16::try_from(own.container_port).ok());
            self.holds("Node", format!("port {port} of node {node} is that of pod {key}"));
            let target = Target {
                ip: pod.status.pod_ip.unwrap_or([0, 0, 0, 0].into()),
                port: inner.unwrap_or(port),
                pod: Some(key),
                node: Some(node.into()),
            };
            return self.reach_targets(&[target], None);
        }
        let known: Vec<String> = view
            .services
            .iter()
            .flat_map(|service| {
                service
                    .spec
                    .ports
                    .iter()
                    .filter(|own| own.node_port > 0)
                    .map(move |own| format!("{} ({})", own.node_port, service.key()))
            })
            .collect();
        let hints = if known.is_empty() { Vec::new() } else { vec![format!("ports of nodes: {}", first_few(&known))] };
        self.broken(
            "Node",
            Cause::NoSuchPort,
            format!("no Service has port {port} on the nodes, and no pod on {node} has it there"),
            hints,
        )
    }

    /// To a pod of a reverse proxy, which is told as `what`, by one of the Services that lead to it.
    pub(super) fn enter_proxy(
        &mut self,
        stage: &'static str,
        what: &str,
        (services, pods): (&[Key], &[Key]),
        port: u16,
        is_tls: bool,
    ) -> Walked<Front> {
        let view = self.world.view;
        let wanted = if is_tls && port == 80 { 443 } else { i32::from(port) };
        let fits = |own: &&ServicePort| own.port == wanted || own.node_port == wanted;
        let mut known = services.iter().filter_map(|key| view.services.get(key));
        let first = known.clone().next();
        let Some(service) = known.find(|service| service.spec.ports.iter().any(|own| fits(&own))).or(first).cloned()
        else {
            let doors = self.host_doors(pods, wanted);
            if !doors.is_empty() {
                return self.enter_by_doors(what, wanted, &doors);
            }
            let text = format!(
                "no Service of type LoadBalancer or NodePort leads to {what}, nor does port {wanted} of a node"
            );
            return self.broken(stage, Cause::NoSuchPort, text, Vec::new());
        };
        let Some(own) = service.spec.ports.iter().find(fits).cloned() else {
            let doors = self.host_doors(pods, wanted);
            if !doors.is_empty() {
                return self.enter_by_doors(what, wanted, &doors);
            }
            self.port(&service, Some(&wanted.to_string()))?;
            return self.broken("Port", Cause::NoSuchPort, "the port is not there", Vec::new());
        };
        let scope = self.enter(&service, &own)?;
        let targets = self.endpoints(&service, &own, &scope)?;
        let targets = self.of_ways_in(&scope, targets);
        self.reach_fronts(&targets)?;
        let hides_clients = service.spec.external_traffic_policy != *"Local";
        let sees = if hides_clients { self.entry_addresses() } else { self.own_address().into_iter().collect() };
        Ok(Front { pod: targets.into_iter().find_map(|target| target.pod).unwrap_or_default(), sees, hides_clients })
    }
}

impl Walk<'_> {
    /// To one of the pods of a reverse proxy; of others it is noted that they do not answer.
    fn reach_fronts(&mut self, fronts: &[Target]) -> Walked<()> {
        match self.reach_targets(fronts, None)? {
            Verdict::Reachable => {}
            Verdict::Partly { cause, .. } | Verdict::Sometimes(cause) => self.partly = Some(cause),
            other => return Err(super::Stop(other)),
        }
        Ok(())
    }

    /// The pods of a reverse proxy that have a port of their machines for themselves.
    fn host_doors(&self, pods: &[Key], port: i32) -> Vec<Target> {
        let view = self.world.view;
        let door = |key: &Key| {
            let pod = view.pods.get(key).filter(|pod| !pod.is_terminal())?;
            let mut own = pod.spec.containers.iter().flat_map(|container| &container.ports);
            let own = own.find(|own| own.host_port == port || pod.spec.host_network && own.container_port == port)?;
            let (ip, port) = (pod.status.pod_ip?, u16::try_from(own.container_port).ok()?);
            Some(Target { ip, port, pod: Some(key.clone()), node: Some(pod.node_name.clone()) })
        };
        pods.iter().filter_map(door).collect()
    }

    /// To a reverse proxy by a port of the machines of its pods.
    fn enter_by_doors(&mut self, what: &str, port: i32, doors: &[Target]) -> Walked<Front> {
        let nodes: Vec<String> = doors.iter().filter_map(|door| door.node.as_deref().map(str::to_owned)).collect();
        let of = if nodes.len() == 1 { "node" } else { "nodes" };
        self.holds("Node", format!("port {port} of {of} {} leads to {what}", first_few(&nodes)));
        self.reach_fronts(doors)?;
        let sees = self.own_address().into_iter().collect();
        Ok(Front {
            pod: doors.iter().find_map(|door| door.pod.clone()).unwrap_or_default(),
            sees,
            hides_clients: false,
        })
    }
}

fn leads_to(ingress: &Ingress, service: &str) -> bool {
    let paths = ingress.spec.rules.iter().flat_map(|rule| rule.http.iter().flat_map(|http| http.paths.iter()));
    let mut backends = paths.map(|path| &path.backend).chain(&ingress.spec.default_backend);
    backends.any(|backend| backend.service.as_ref().is_some_and(|own| *own.name == *service))
}
