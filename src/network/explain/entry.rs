//! Ways into the cluster: ports of nodes, load balancers, ingress controllers.

use std::sync::Arc;

use crate::objects::{Ingress, Key, Resource as _, Service, ServicePort};

use super::super::ingress::{
    Certificate, Controller, GroupId, Location, Matcher, NoUpstream, Refusal, Request, Routed, Server, Side, Upstreams,
    Why, names_host,
};
use super::super::{Cause, Source};
use super::endpoints::Scope;
use super::near::{first_few, nearest};
use super::pods::Target;
use super::services::{described, port_name, target_name};
use super::{Verdict, Walk, Walked};

impl Walk<'_> {
    /// The way of a client outside to a Service, by its type; the endpoints that it leads to.
    pub(super) fn enter(&mut self, service: &Arc<Service>, port: &ServicePort) -> Walked<Scope> {
        let key = service.key();
        let is_local = service.spec.external_traffic_policy == *"Local";
        let name = described(service);
        let scope = if is_local { Scope::AnyLocal } else { Scope::Cluster };
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
                self.holds("Service", format!("{name} has {to}"));
            }
            "NodePort" if port.node_port > 0 => {
                self.holds(
                    "Service",
                    format!("{name} takes {} on every node for {to}", format_args!("port {}", port.node_port)),
                );
                if is_local {
                    self.shaky("Node", "externalTrafficPolicy is Local: nodes without an endpoint drop packets");
                }
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

    /// Whether an Ingress of any controller names that host.
    pub(super) fn is_host_of_an_ingress(&self, host: &str) -> bool {
        let view = self.world.view;
        view.ingresses.iter().any(|ingress| names_host(ingress, host))
    }

    pub(super) fn through_ingress(&mut self, host: &str, port: u16, path: &str, is_tls: bool) -> Walked<Verdict> {
        let view = self.world.view;
        let controllers = Controller::all(view);
        let chosen = controllers.iter().find(|controller| controller.serves_host(view, host));
        let Some(controller) = chosen.or(controllers.first()) else {
            let hint = "an ingress controller is known by its pods: an image ingress-nginx/controller, or /nginx-ingress-controller in command or args".to_owned();
            return self.broken(
                "Ingress",
                Cause::NoEndpoints,
                "no ingress controller runs in this cluster: nobody acts on Ingresses",
                vec![hint],
            );
        };
        let what = format!("the ingress controller ({})", first_few(&names(&controller.pods)));
        let pod = self.enter_proxy("Ingress", &what, &controller.services, port, is_tls)?;
        self.is_behind_ingress = true;
        let matcher = Matcher::compile(view, controller);
        let request = Request { is_tls, ..Request::get(host, path) };
        match matcher.route(&request) {
            Routed::Status { location, status, why, .. } => {
                self.refused(&matcher, controller, &request, (status, why, location))
            }
            Routed::Redirect { status: 308, to, .. } if !is_tls => {
                self.shaky("Ingress", format!("plain HTTP is redirected: 308 to {to}"))
                    .push("a client that does not follow redirects ends here".to_owned());
                let again = Request { is_tls: true, ..request };
                match matcher.route(&again) {
                    Routed::Forward { server, location, path } => {
                        self.forward(&matcher, &pod, &again, (server, location, &path))
                    }
                    _ => Ok(Verdict::Redirected(308)),
                }
            }
            Routed::Redirect { status, to, .. } => {
                self.holds("Ingress", format!("{host}{path} is redirected: {status} to {to}"));
                Ok(Verdict::Redirected(status))
            }
            Routed::Forward { server, location, path } => {
                self.forward(&matcher, &pod, &request, (server, location, &path))
            }
        }
    }

    /// To a pod of a reverse proxy, which is told as `what`, by one of the Services that lead to it.
    pub(super) fn enter_proxy(
        &mut self,
        stage: &'static str,
        what: &str,
        services: &[Key],
        port: u16,
        is_tls: bool,
    ) -> Walked<Key> {
        let view = self.world.view;
        let wanted = if is_tls && port == 80 { 443 } else { i32::from(port) };
        let Some(service) = services.iter().find_map(|key| view.services.get(key)).cloned() else {
            let text = format!("no Service of type LoadBalancer or NodePort leads to {what}");
            return self.broken(stage, Cause::NoSuchPort, text, Vec::new());
        };
        let fits = |own: &&ServicePort| own.port == wanted || own.node_port == wanted;
        let Some(own) = service.spec.ports.iter().find(fits).cloned() else {
            self.port(&service, Some(&wanted.to_string()))?;
            return self.broken("Port", Cause::NoSuchPort, "the port is not there", Vec::new());
        };
        let scope = self.enter(&service, &own)?;
        let targets = self.endpoints(&service, &own, &scope)?;
        match self.reach_targets(&targets, None)? {
            Verdict::Reachable | Verdict::Partly { .. } => {}
            other => return Err(super::Stop(other)),
        }
        Ok(targets.into_iter().find_map(|target| target.pod).unwrap_or_default())
    }

    fn forward(
        &mut self,
        matcher: &Matcher,
        pod: &Key,
        request: &Request<'_>,
        (server, location, path): (&Server, &Location, &str),
    ) -> Walked<Verdict> {
        if let (true, Some(Certificate::Fake(why))) = (request.is_tls, &server.certificate) {
            self.shaky("TLS", format!("the controller shows its own fake certificate, which no client trusts: {why}"));
        } else if request.is_tls && server.certificate.is_none() {
            self.shaky(
                "TLS",
                "the controller shows its own fake certificate, which no client trusts: no tls entry names the host",
            );
        }
        let group = matcher.group(location.group);
        let rule = match &location.ingress {
            Some(key) if !location.is_default => {
                format!("rule {} {} of Ingress {key}", location.kind_name(), location.written)
            }
            Some(key) => format!("the default backend of Ingress {key}"),
            None => "the default backend".to_owned(),
        };
        let service = group.service.as_ref().map(ToString::to_string).unwrap_or_default();
        let rewritten = if path == request.path { String::new() } else { format!(", as path {path}") };
        let host = if *server.host == *"_" { "any host".to_owned() } else { format!("host {}", server.host) };
        self.holds("Ingress", format!("{host}, {rule}: to port {} of Service {service}{rewritten}", group.port));
        for notice in matcher.notices.iter().filter(|notice| Some(&notice.ingress) == location.ingress.as_ref()) {
            self.shaky("Ingress", format!("Ingress {}: {}", notice.ingress, notice.text));
        }
        self.canary(matcher, location.group, request);
        self.reach_group(matcher, location, pod)
    }

    fn canary(&mut self, matcher: &Matcher, group: GroupId, request: &Request<'_>) {
        let (side, _) = matcher.side(group, request, None);
        let Some((canary, shaping)) = &matcher.group(group).canary else { return };
        let service = matcher.group(*canary).service.as_ref().map(ToString::to_string).unwrap_or_default();
        let has_peers = !matches!(matcher.group(*canary).upstreams(self.world.view), Upstreams::None(_));
        let share = match side {
            Side::Main => "no such request".to_owned(),
            Side::Canary => "every such request".to_owned(),
            Side::Drawn { weight, total } => format!("{weight} of {total} requests, drawn for each"),
        };
        let by = match (&shaping.header, &shaping.cookie) {
            (None, None) => String::new(),
            (Some(header), None) => format!("; header {header} decides first"),
            (None, Some(cookie)) => format!("; cookie {cookie} decides first"),
            (Some(header), Some(cookie)) => format!("; header {header} decides first, then cookie {cookie}"),
        };
        if has_peers {
            self.holds("Canary", format!("Service {service} takes {share}{by}"));
        } else {
            self.shaky(
                "Canary",
                format!(
                    "Service {service} is to take {share}{by}, and has no ready endpoint: all go to the main backend"
                ),
            );
        }
    }

    fn reach_group(&mut self, matcher: &Matcher, location: &Location, pod: &Key) -> Walked<Verdict> {
        let view = self.world.view;
        let group = matcher.group(location.group);
        let key = group.service.clone().unwrap_or_default();
        match (group.upstreams(view), location.fallback) {
            (Upstreams::Endpoints(_), _) => {
                let service = self.service(&key)?;
                let Some(port) = group.port_of(&service).cloned() else { return Ok(Verdict::Unknown) };
                let targets = self.endpoints(&service, &port, &Scope::Ready)?;
                self.reach_targets(&targets, Some(pod))
            }
            (Upstreams::Service(address), _) => {
                self.holds(
                    "Ingress",
                    format!(
                        "service-upstream: the controller asks the Service's address {address}, and a proxy chooses"
                    ),
                );
                let service = self.service(&key)?;
                let Some(port) = group.port_of(&service).cloned() else { return Ok(Verdict::Unknown) };
                let targets = self.endpoints(&service, &port, &Scope::Cluster)?;
                self.reach_targets(&targets, Some(pod))
            }
            (Upstreams::Outside(name, port), _) => self.reach_name(&name, port),
            (Upstreams::BuiltIn, _) => {
                self.broken("Ingress", Cause::NoRule, "the controller's default backend answers 404", Vec::new())
            }
            (Upstreams::None(why), Some(fallback)) => {
                self.shaky(
                    "Ingress",
                    format!(
                        "Service {key} has no endpoint ({why:?}): the Service of annotation default-backend answers"
                    ),
                );
                let other = Location { group: fallback, fallback: None, ..location.clone() };
                self.reach_group(matcher, &other, pod)
            }
            (Upstreams::None(why), None) => {
                let service = match self.service(&key) {
                    Ok(service) => service,
                    Err(_) => return Ok(Verdict::Status(503, Cause::NoSuchName)),
                };
                if why == NoUpstream::NoPort {
                    let wanted = group.port.to_string();
                    let _ = self.port(&service, Some(&wanted));
                    return Ok(Verdict::Status(503, Cause::NoSuchPort));
                }
                let Some(port) = group.port_of(&service).cloned() else { return Ok(Verdict::Unknown) };
                let _ = self.endpoints(&service, &port, &Scope::Ready);
                Ok(Verdict::Status(503, Cause::NoEndpoints))
            }
        }
    }

    fn refused(
        &mut self,
        matcher: &Matcher,
        controller: &Controller,
        request: &Request<'_>,
        (status, why, location): (u16, Why, Option<&Location>),
    ) -> Walked<Verdict> {
        let host = request.host;
        let server = matcher.server(host);
        let (text, hints) = match why {
            Why::UnknownHost => (
                format!("no rule of an Ingress is for host {host}: the default backend answers"),
                self.host_hints(matcher, controller, host),
            ),
            Why::NoPath => {
                let mut paths: Vec<String> = server
                    .locations
                    .iter()
                    .filter(|location| !location.is_default)
                    .map(|location| format!("{} ({})", location.written, location.kind_name()))
                    .collect();
                paths.dedup();
                let known = if paths.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("its paths: {}", first_few(&paths))
                };
                (format!("no rule for host {} fits path {}", server.host, request.path), vec![known])
            }
            Why::BodyTooLarge => ("the body is longer than proxy-body-size".to_owned(), Vec::new()),
            Why::AddressDenied => ("the client's address is not let through".to_owned(), Vec::new()),
        };
        let owner = location
            .and_then(|location| location.ingress.as_ref())
            .map(|key| format!(" (Ingress {key})"))
            .unwrap_or_default();
        let hints_of = self.step("Ingress", super::Link::Broken(Cause::NoRule), text + &owner);
        *hints_of = hints;
        Ok(Verdict::Status(status, Cause::NoRule))
    }

    fn host_hints(&self, matcher: &Matcher, controller: &Controller, host: &str) -> Vec<String> {
        let view = self.world.view;
        let mut hints = Vec::new();
        for ingress in view.ingresses.iter().filter(|ingress| names_host(ingress, host)) {
            let Err(refusal) = controller.takes(view, ingress) else { continue };
            let classes = view.ingress_classes.iter().map(|class| &*class.meta.name);
            let why = match refusal {
                Refusal::NoClass => "it names no class, and there was no default class when it was made".to_owned(),
                Refusal::UnknownClass(name) => {
                    let near = nearest(&name, classes).map(|near| format!("; {near} may be meant")).unwrap_or_default();
                    format!("there is no IngressClass {name}{near}")
                }
                Refusal::OtherController(name, other) => format!("its class {name} is of controller {other}"),
                Refusal::OtherAnnotation(name) => format!("its annotation names class {name}"),
                Refusal::OtherNamespace => "the controller does not watch its namespace".to_owned(),
            };
            hints.push(format!(
                "Ingress {} has the host, but the controller does not take care of it: {why}",
                ingress.key()
            ));
        }
        let hosts = matcher.servers.iter().map(|server| &*server.host).filter(|host| *host != "_");
        hints.extend(nearest(host, hosts).map(|near| format!("there are rules for host {near}")));
        hints
    }
}

fn leads_to(ingress: &Ingress, service: &str) -> bool {
    let paths = ingress.spec.rules.iter().flat_map(|rule| rule.http.iter().flat_map(|http| http.paths.iter()));
    let mut backends = paths.map(|path| &path.backend).chain(&ingress.spec.default_backend);
    backends.any(|backend| backend.service.as_ref().is_some_and(|own| *own.name == *service))
}

fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| format!("pod {key}")).collect()
}
