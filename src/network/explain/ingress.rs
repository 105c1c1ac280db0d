//! The way through an ingress controller: host, location, backend.

use std::net::IpAddr;

use crate::objects::{Key, Resource as _};

use super::super::ingress::{
    Certificate, Controller, GroupId, Location, Matcher, NoUpstream, Refusal, Request, Routed, Server, Side, Upstreams,
    Why, names_host,
};
use super::super::{Cause, Cidr, Intermediary};
use super::endpoints::Scope;
use super::entry::Front;
use super::near::{first_few, nearest};
use super::{Link, Verdict, Walk, Walked};

/// What to do where lists of addresses meet those of nodes.
const OWN_ADDRESS: &str =
    "with externalTrafficPolicy Local the controller sees the addresses of clients; with Cluster those of nodes";

impl Walk<'_> {
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
        let front = self.enter_proxy("Ingress", &what, (&controller.services, &controller.pods), port, is_tls)?;
        self.through = Some(Intermediary::Ingress);
        let matcher = Matcher::compile(view, controller);
        let mut request = Request { is_tls, ..Request::get(host, path) };
        if let (false, Routed::Redirect { status: 308, to, .. }) = (is_tls, matcher.route(&request)) {
            self.shaky("Ingress", format!("plain HTTP is redirected: 308 to {to}"))
                .push("a client that does not follow redirects ends here".to_owned());
            request.is_tls = true;
        }
        let request = self.as_seen(&matcher, request, &front);
        match matcher.route(&request) {
            Routed::Status { location, status, why, .. } => {
                self.refused(&matcher, (controller, &front), &request, (status, why, location))
            }
            Routed::Redirect { status, to, .. } => {
                self.holds("Ingress", format!("{host}{path} is redirected: {status} to {to}"));
                Ok(Verdict::Redirected(status))
            }
            Routed::Forward { server, location, path } => {
                self.forward(&matcher, &front.pod, &request, (server, location, &path))
            }
        }
    }

    /// The request as the controller sees it: from an address that its lists hold back, if they hold back all that the client may have.
    fn as_seen<'r>(&mut self, matcher: &Matcher, request: Request<'r>, front: &Front) -> Request<'r> {
        let from = |ip: &IpAddr| Request { client: Some(Cidr::host(*ip)), ..request };
        let is_held_back =
            |ip: &&IpAddr| matches!(matcher.route(&from(ip)), Routed::Status { why: Why::AddressDenied, .. });
        let (all, denied) = (front.sees.len(), front.sees.iter().filter(is_held_back).collect::<Vec<_>>());
        match denied.first() {
            Some(first) if denied.len() == all => return from(first),
            Some(first) => {
                let count = denied.len();
                let text = format!(
                    "the controller sees the address of the node where a request comes in, and {count} of {all} nodes are not let through ({first})"
                );
                self.shaky("Ingress", text).push(OWN_ADDRESS.to_owned());
            }
            None if all == 0 && has_lists(matcher, &request) => {
                self.shaky("Ingress", "only some addresses are let through, by annotations of the Ingress");
            }
            None => {}
        }
        request
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
                self.reach_by_rules(&service, &port, pod)
            }
            (Upstreams::Name(name, port), _) => self.reach_alias((&name, port), pod),
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
                if why == NoUpstream::NoName {
                    let text = format!(
                        "Service {key} is of type ExternalName and names no host: {}",
                        service.spec.external_name
                    );
                    self.step("Service", Link::Broken(Cause::NoSuchName), text);
                    return Ok(Verdict::Status(503, Cause::NoSuchName));
                }
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
        (controller, front): (&Controller, &Front),
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
            Why::AddressDenied => {
                let address = request.client.map(|client| client.base().to_string()).unwrap_or_default();
                let hint = front.hides_clients.then(|| OWN_ADDRESS.to_owned());
                (format!("the controller sees address {address}, which is not let through"), hint.into_iter().collect())
            }
        };
        let cause = match why {
            Why::UnknownHost | Why::NoPath => Cause::NoRule,
            Why::BodyTooLarge => Cause::TooLarge,
            Why::AddressDenied => Cause::Forbidden,
        };
        let hints_of = self.step("Ingress", Link::Broken(cause), text + &owner(location));
        *hints_of = hints;
        Ok(Verdict::Status(status, cause))
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

/// Whether the Ingress that takes a request has lists of addresses.
fn has_lists(matcher: &Matcher, request: &Request<'_>) -> bool {
    matcher.route(request).lists().is_some()
}

/// ` (Ingress default/shop)`.
fn owner(location: Option<&Location>) -> String {
    let ingress = location.and_then(|location| location.ingress.as_ref());
    ingress.map(|key| format!(" (Ingress {key})")).unwrap_or_default()
}

fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| format!("pod {key}")).collect()
}
