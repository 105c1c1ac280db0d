//! Names and addresses as clients write them.

use std::net::IpAddr;

use crate::objects::{Key, Resource as _, Service};

use super::super::clients::HostName;
use super::super::dns::{
    Answer, Lookup, MOST_CNAMES, Nameserver, NodeDns, Rcode, RecordType, ResolvConf, cluster_ips, external_name,
};
use super::super::{Cause, Source};
use super::near::{first_few, nearest};
use super::pods::Target;
use super::{Link, Verdict, Walk, Walked};

impl Walk<'_> {
    pub(super) fn reach_host(&mut self, host: &str, port: u16, path: &str, is_tls: bool) -> Walked<Verdict> {
        if let Ok(ip) = host.parse() {
            return self.reach_address(ip, port, Some((host, path, is_tls)));
        }
        if matches!(self.source, Source::External) {
            let ended = self.reach_from_outside(host, port, path, is_tls);
            let hint = self.service_hint(host);
            let broken = self.steps.last_mut().filter(|step| matches!(step.link, Link::Broken(_)));
            broken.into_iter().for_each(|step| step.hints.extend(hint.clone()));
            return ended;
        }
        let lookup = self.resolve(host)?;
        let Some(answer) = lookup.answer().cloned() else {
            let outside = lookup.attempts.iter().any(|attempt| attempt.answer.unknown_outside.is_some());
            if outside && (self.is_host_of_an_ingress(host) || self.gateway_for(host).is_some()) {
                return self.enter_cluster(&format!("{host} is a name outside: "), host, port, path, is_tls);
            }
            return self.not_resolved(host, &lookup);
        };
        let name = lookup.attempts.last().map_or("", |attempt| attempt.name.as_str());
        let tried = lookup.attempts.len();
        let how = if tried > 1 {
            let verb = if tried == 2 { "does" } else { "do" };
            format!(", after {} that {verb} not exist", super::near::count(tried - 1, "name"))
        } else {
            String::new()
        };
        self.holds("Name", format!("{host} is {name}{how}: {answer}"));
        if let Some(outside) = &answer.unknown_outside {
            return self.unknown(&outside.clone());
        }
        if HostName::new(host).is_port() {
            // The numbers are those of the records.
            let places: Vec<(IpAddr, u16)> = answer.places().collect();
            if let [(ip, port)] = places[..] {
                return self.reach_address(ip, port, None);
            }
            let targets: Vec<Target> = places.into_iter().map(|(ip, port)| self.target_at(ip, port)).collect();
            return self.reach_targets(&targets, None);
        }
        self.reach_answer(&answer, port, Some((host, path, is_tls)))
    }

    fn reach_from_outside(&mut self, host: &str, port: u16, path: &str, is_tls: bool) -> Walked<Verdict> {
        if host == self.dns.domain || host.ends_with(&format!(".{}", self.dns.domain)) {
            let text = format!("{host}: names below {} are known inside the cluster only", self.dns.domain);
            return self.broken("Name", Cause::NoSuchName, text, Vec::new());
        }
        self.enter_cluster(&format!("{host}: "), host, port, path, is_tls)
    }

    /// The Service that may be meant by a name that is one inside the cluster; in `default`, if there are several.
    fn service_hint(&self, host: &str) -> Option<String> {
        let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
        let (name, namespace) = match labels[..] {
            [name] => (name, None),
            [name, namespace] | [name, namespace, "svc", ..] => (name, Some(namespace)),
            _ => return None,
        };
        let view = self.world.view;
        let key = view.services.get(&Key::new(namespace.unwrap_or("default"), name)).map(|service| service.key());
        let anywhere = || view.services.iter().map(|service| service.key()).find(|key| *key.name == *name);
        let key = key.or_else(|| anywhere().filter(|_| namespace.is_none()))?;
        let front = if *key.namespace == *"default" { String::new() } else { format!("{}/", key.namespace) };
        Some(format!(
            "there is a Service {key}: clients outside, who do not know its name, ask for {front}service/{name}"
        ))
    }

    /// By a name that is not of the cluster: to a Gateway if one is for the host and no Ingress is, else to the ingress controller.
    fn enter_cluster(&mut self, name: &str, host: &str, port: u16, path: &str, is_tls: bool) -> Walked<Verdict> {
        let has_ingress = self.is_host_of_an_ingress(host) || self.world.view.gateways.iter().next().is_none();
        let gateway = if has_ingress { None } else { self.gateway_for(host).or_else(|| self.only_gateway()) };
        if let Some(gateway) = gateway {
            self.holds("Name", format!("{name}taken to lead to Gateway {gateway} of this cluster"));
            return self.through_gateway(&gateway, (host, port), path, is_tls);
        }
        self.holds("Name", format!("{name}taken to lead to the ingress controller of this cluster"));
        self.through_ingress(host, port, path, is_tls)
    }

    /// The Gateway that unknown hosts are taken to lead to where no ingress controller runs.
    fn only_gateway(&self) -> Option<Key> {
        let view = self.world.view;
        let has_controller = !super::super::ingress::Controller::all(view).is_empty();
        view.gateways.iter().next().filter(|_| !has_controller).map(|gateway| gateway.key())
    }

    /// A name that a CNAME leads to.
    pub(super) fn reach_name(&mut self, name: &str, port: u16) -> Walked<Verdict> {
        let answer = self.dns.answer(self.world.view, name, RecordType::A);
        if answer.unknown_outside.is_some() {
            return self.unknown(name);
        }
        if answer.records.is_empty() {
            return self.broken("Name", Cause::NoSuchName, format!("{name}: {answer}"), Vec::new());
        }
        self.holds("Name", format!("{name}: {answer}"));
        self.reach_answer(&answer, port, None)
    }

    pub(super) fn unknown(&mut self, name: &str) -> Walked<Verdict> {
        self.shaky("Outside", format!("{name} is outside of the cluster: what answers there is not simulated"));
        Ok(Verdict::Unknown)
    }

    fn reach_answer(&mut self, answer: &Answer, port: u16, http: Option<(&str, &str, bool)>) -> Walked<Verdict> {
        let ips: Vec<IpAddr> = answer.ips().collect();
        let [ip] = ips[..] else {
            // A headless service: the client chooses an address and asks it directly.
            let targets: Vec<Target> = ips.into_iter().map(|ip| self.target_at(ip, port)).collect();
            return self.reach_targets(&targets, None);
        };
        self.reach_address(ip, port, http)
    }

    pub(super) fn target_at(&self, ip: IpAddr, port: u16) -> Target {
        let pod = self.world.view.pods.iter().find(|pod| pod.status.pod_ip == Some(ip) && !pod.is_terminal());
        Target { ip, port, pod: pod.map(|pod| pod.key()), node: pod.map(|pod| pod.node_name.clone()) }
    }

    fn reach_address(&mut self, ip: IpAddr, port: u16, http: Option<(&str, &str, bool)>) -> Walked<Verdict> {
        let view = self.world.view;
        let text = ip.to_string();
        if let Some(service) = view.services.iter().find(|service| cluster_ips(service).any(|own| own == text)).cloned()
        {
            if matches!(self.source, Source::External) {
                let text = format!(
                    "{ip} is the virtual address of Service {}: it exists inside the cluster only",
                    service.key()
                );
                return self.broken("Service", Cause::NoSuchPort, text, Vec::new());
            }
            return self.reach_service(&service.key(), Some(&port.to_string()));
        }
        let balances = |service: &&std::sync::Arc<crate::objects::Service>| {
            service.status.load_balancer.ingress.iter().any(|address| *address.ip == *text)
                || service.spec.external_ips.iter().any(|own| **own == *text)
        };
        if let Some(service) = view.services.iter().find(balances).cloned() {
            let is_ingress = super::super::ingress::Controller::all(view)
                .iter()
                .any(|controller| controller.services.contains(&service.key()));
            return match http.filter(|_| is_ingress) {
                Some((host, path, is_tls)) => self.through_ingress(host, port, path, is_tls),
                None => {
                    if !matches!(self.source, Source::External) {
                        self.pass_source_ranges(&service)?;
                    }
                    self.reach_service(&service.key(), Some(&port.to_string()))
                }
            };
        }
        let target = self.target_at(ip, port);
        if target.pod.is_some() {
            return match &target.pod {
                Some(pod) if matches!(self.source, Source::External) => self.reach_pod(&pod.clone(), Some(port)),
                _ => self.reach_targets(&[target], None),
            };
        }
        let host = view.pods.iter().find(|pod| pod.status.host_ip == Some(ip)).map(|pod| pod.node_name.to_string());
        match host {
            Some(node) => self.reach_node(&node, port),
            None => {
                let known = self.world.network.and_then(|(network, now)| network.obstacle_at((ip, port), now));
                let text = format!("nothing in the cluster has address {ip}");
                self.broken("Address", known.unwrap_or(Cause::OutsideCluster), text, Vec::new())
            }
        }
    }

    fn resolve(&mut self, host: &str) -> Walked<Lookup> {
        let default = NodeDns::default();
        let node = self.world.node_dns.unwrap_or(&default);
        let view = self.world.view;
        let conf = match self.source {
            Source::Pod(key) => match view.pods.get(key) {
                Some(pod) => ResolvConf::of(pod, self.dns, node),
                None => ResolvConf::of_node(node),
            },
            Source::Node(_) | Source::External => ResolvConf::of_node(node),
        };
        if conf.nameservers.first() == Some(&Nameserver::Cluster) {
            self.ask_dns()?;
        }
        let dns = self.dns;
        if HostName::new(host).is_port() {
            return Ok(conf.lookup(host, RecordType::Srv, |server, name, _| dns.ports_by(server, view, name)));
        }
        Ok(conf.lookup(host, RecordType::A, |server, name, _| dns.answer_by(server, view, name)))
    }

    fn not_resolved(&mut self, host: &str, lookup: &Lookup) -> Walked<Verdict> {
        let view = self.world.view;
        let tried: Vec<String> = lookup.attempts.iter().map(|attempt| attempt.name.clone()).collect();
        let answer = if lookup.rcode == Rcode::NoError {
            "exists, but has no address (NODATA)"
        } else {
            "does not resolve (NXDOMAIN)"
        };
        let text = format!("{host} {answer}; tried {}", tried.join(", "));
        let mut hints = Vec::new();
        // In front of the name of a port stand its own and that of its protocol.
        let of_port = if HostName::new(host).is_port() { 2 } else { 0 };
        let labels: Vec<&str> = host.trim_end_matches('.').split('.').skip(of_port).collect();
        let own = match self.source {
            Source::Pod(key) => key.namespace.to_string(),
            Source::Node(_) | Source::External => String::new(),
        };
        if own.is_empty() {
            hints.push(format!("a node's resolver does not know names below {}", self.dns.domain));
        }
        let service = labels[0];
        let namespace = labels.get(1).map_or(own.as_str(), |namespace| namespace);
        let found = view.services.get(&Key::new(namespace, service));
        let without_port = found.filter(|_| of_port > 0).and_then(|found| port_hint(host, found));
        if let Some(hint) = without_port {
            hints.push(hint);
        } else if let Some(found) = found.filter(|service| service.spec.is_headless()) {
            hints.push(format!(
                "Service {} is headless: its name stands for its ready endpoints, and there are none",
                found.key()
            ));
        } else if let Some(alias) = found.and_then(|found| self.alias_hint(found)) {
            hints.push(alias);
        } else if labels.len() <= 2 || labels[2] == "svc" {
            let elsewhere: Vec<String> = view
                .services
                .iter()
                .filter(|found| *found.meta.name == *service && *found.meta.namespace != *namespace)
                .map(|found| format!("{}.{}", found.meta.name, found.meta.namespace))
                .collect();
            if !elsewhere.is_empty() {
                hints.push(format!("the Service is in another namespace: ask for {}", first_few(&elsewhere)));
            }
            let names = view.services.in_namespace(namespace).map(|service| &*service.meta.name);
            hints.extend(nearest(service, names).map(|name| format!("there is a Service {namespace}/{name}")));
        }
        if lookup.attempts.len() == 1 && host.ends_with('.') {
            hints.push("the dot at its end keeps search domains out".to_owned());
        }
        hints.extend(self.headless_hint(&labels, &own));
        let outside = lookup.attempts.last().and_then(|attempt| attempt.answer.unknown_outside.clone());
        if let Some(outside) = outside.filter(|_| hints.is_empty() && labels.len() > 1) {
            return self.unknown(&outside);
        }
        self.broken("Name", Cause::NoSuchName, text, hints)
    }

    /// Where the names lead that a Service of type ExternalName stands for.
    fn alias_hint(&self, service: &Service) -> Option<String> {
        let suffix = format!(".svc.{}", self.dns.domain);
        let mut chain: Vec<String> = Vec::new();
        let mut next = Some(service);
        let end = loop {
            let alias = next.filter(|service| *service.spec.kind == *"ExternalName").and_then(external_name);
            let Some(alias) = alias else { break "that name has no address" };
            if chain.contains(&alias) {
                break "that is a circle";
            }
            if chain.len() == MOST_CNAMES {
                break "CoreDNS follows no more";
            }
            let key = alias.strip_suffix(&suffix).and_then(|key| key.split_once('.'));
            next = key
                .and_then(|(name, namespace)| self.world.view.services.get(&Key::new(namespace, name)).map(|s| &**s));
            chain.push(alias);
        };
        let chain = Some(chain).filter(|chain| !chain.is_empty())?;
        Some(format!("Service {} is an alias for {}: {end}", service.key(), chain.join(", that for ")))
    }

    /// Why a pod's own name below a headless service is not there.
    fn headless_hint(&self, labels: &[&str], own: &str) -> Option<String> {
        let [pod, service, rest @ ..] = labels else { return None };
        let namespace = rest.first().copied().unwrap_or(own);
        let view = self.world.view;
        let service = view.services.get(&Key::new(namespace, *service))?;
        let pod = view.pods.get(&Key::new(namespace, *pod))?;
        let name = &pod.meta.name;
        if !service.spec.is_headless() {
            return None;
        }
        if *pod.spec.subdomain != *service.meta.name {
            return Some(format!(
                "pod {name} has no subdomain {} (a StatefulSet sets it by its serviceName)",
                service.meta.name
            ));
        }
        let why = super::pods::why_not_ready(pod);
        (!pod.is_ready()).then(|| {
            format!("pod {name} is not ready ({why}), and the Service does not publish addresses that are not")
        })
    }
}

/// Why a Service has no port of the name in `_http._tcp.web`.
fn port_hint(host: &str, service: &Service) -> Option<String> {
    let mut labels = host.split('.').map(|label| label.trim_start_matches('_'));
    let (name, protocol) = (labels.next()?, labels.next()?.to_ascii_uppercase());
    let ports = &service.spec.ports;
    if ports.iter().any(|port| port.name.eq_ignore_ascii_case(name) && *port.protocol == *protocol) {
        return None;
    }
    let known: Vec<String> = ports.iter().map(|port| format!("{:?} ({})", &*port.name, port.protocol)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { first_few(&known) };
    Some(format!("Service {} has no port {name:?} ({protocol}); its ports are: {known}", service.key()))
}
