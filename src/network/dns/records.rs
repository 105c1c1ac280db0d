//! What CoreDNS' kubernetes plugin answers (upstream `plugin/kubernetes` and `plugin/backend_lookup.go` of CoreDNS).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::api::View;
use crate::objects::{Endpoint, EndpointPort, Key, Service};

use super::{Answer, ClusterDns, Nameserver, PodRecords, Rcode, Record, RecordData, RecordType};

/// CNAMEs that are followed one after the other before CoreDNS gives up.
pub(in crate::network) const MOST_CNAMES: usize = 8;

/// A name below the cluster domain, taken apart (upstream `parseRequest`).
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts<'n> {
    is_pod: bool,
    namespace: &'n str,
    /// Or the address of a pod.
    service: &'n str,
    endpoint: &'n str,
    port: &'n str,
    protocol: &'n str,
}

/// What a name stands for, before it is written as records.
struct Found {
    host: Host,
    /// Nothing for services and slices without ports.
    port: Option<u16>,
    /// Host name for SRV records.
    name: String,
}

enum Host {
    Ip(IpAddr),
    Name(String),
}

impl ClusterDns {
    /// The addresses that a name server has for an absolute name: those of IPv4, or else those of IPv6. One that is not cluster DNS
    /// knows the outside only.
    #[must_use]
    pub fn answer_by(&self, server: &Nameserver, view: &View, name: &str) -> Answer {
        if *server != Nameserver::Cluster && self.below(name).is_some() {
            return Answer::no_such_name();
        }
        let answer = self.answer(view, name, RecordType::A);
        if answer.is_nodata() { self.answer(view, name, RecordType::Aaaa) } else { answer }
    }

    /// The ports that a name server has for an absolute name such as `_http._tcp.web.shop.svc.cluster.local`.
    #[must_use]
    pub fn ports_by(&self, server: &Nameserver, view: &View, name: &str) -> Answer {
        if *server != Nameserver::Cluster && self.below(name).is_some() {
            return Answer::no_such_name();
        }
        self.answer(view, name, RecordType::Srv)
    }

    /// What CoreDNS answers to a question about an absolute name, whether or not that is written with a dot at the end.
    #[must_use]
    pub fn answer(&self, view: &View, name: &str, record_type: RecordType) -> Answer {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let mut cnames = Vec::new();
        self.answer_after(view, &name, record_type, &mut cnames)
    }

    fn answer_after(&self, view: &View, name: &str, record_type: RecordType, before: &mut Vec<String>) -> Answer {
        if let Some(ip) = reverse_address(name) {
            return self.pointers(view, name, ip, record_type);
        }
        let Some(below) = self.below(name) else { return self.outside(name, record_type) };
        let exists = |namespace: &str| view.namespaces.get(&Key::new("", namespace)).is_some();
        let found = match parse(below) {
            // The domain itself, `svc`, `pod` and a namespace exist and hold nothing.
            Some(parts) if parts.namespace.is_empty() => return Answer::of(Vec::new()),
            Some(parts) if !exists(parts.namespace) => None,
            Some(parts) if parts.service.is_empty() => return Answer::of(Vec::new()),
            Some(parts) if parts.is_pod => self.pods_named(view, &parts),
            Some(parts) => self.services_named(view, &parts),
            None => None,
        };
        let Some(found) = found else { return Answer::no_such_name() };
        match record_type {
            RecordType::A | RecordType::Aaaa => self.addresses(view, name, &found, record_type, before),
            RecordType::Cname => {
                let names = found.iter().filter_map(|found| match &found.host {
                    Host::Name(target) => Some(self.record(name, RecordData::Cname(target.clone()))),
                    Host::Ip(_) => None,
                });
                Answer::of(names.collect())
            }
            RecordType::Srv => self.srv(name, &found),
            RecordType::Ptr | RecordType::Other => Answer::of(Vec::new()),
        }
    }

    /// The part of a name that is below the cluster domain.
    pub(in crate::network) fn below<'n>(&self, name: &'n str) -> Option<&'n str> {
        let below = name.strip_suffix(self.domain.as_str())?;
        if below.is_empty() { Some("") } else { below.strip_suffix('.') }
    }

    fn record(&self, name: &str, data: RecordData) -> Record {
        Record { name: name.to_owned(), ttl: self.ttl, data }
    }

    fn outside(&self, name: &str, record_type: RecordType) -> Answer {
        let Some(ips) = self.outside.get(name) else {
            return Answer { unknown_outside: Some(name.to_owned()), ..Answer::no_such_name() };
        };
        let data = ips.iter().filter_map(|ip| address_data(*ip, record_type));
        Answer::of(data.map(|data| Record { name: name.to_owned(), ttl: self.outside_ttl, data }).collect())
    }

    fn services_named(&self, view: &View, parts: &Parts<'_>) -> Option<Vec<Found>> {
        let service = view.services.get(&Key::new(parts.namespace, parts.service))?;
        let base = format!("{}.{}.svc.{}", service.meta.name, service.meta.namespace, self.domain);
        if service.spec.kind == "ExternalName" {
            if !(parts.endpoint.is_empty() && parts.port.is_empty() && parts.protocol.is_empty()) {
                return None;
            }
            let target = external_name(service)?;
            // An address is no name: CoreDNS leaves such services out.
            target.parse::<IpAddr>().is_err().then_some(())?;
            return Some(vec![Found { host: Host::Name(target), port: None, name: base }]);
        }
        let found = if service.spec.is_headless() || !parts.endpoint.is_empty() {
            endpoints_named(view, service, parts, &base)
        } else {
            virtual_addresses(service, parts, &base)
        };
        (!found.is_empty()).then_some(found)
    }

    fn pods_named(&self, view: &View, parts: &Parts<'_>) -> Option<Vec<Found>> {
        let dashed = parts.service;
        let is_v4 = dashed.matches('-').count() == 3 && !dashed.contains("--");
        let ip: IpAddr = dashed.replace('-', if is_v4 { "." } else { ":" }).parse().ok()?;
        let has_pod = || view.pods.in_namespace(parts.namespace).any(|pod| pod.status.pod_ip == Some(ip));
        let known = match self.pods {
            PodRecords::Disabled => false,
            PodRecords::Insecure => true,
            PodRecords::Verified => has_pod(),
        };
        known.then(|| vec![Found { host: Host::Ip(ip), port: None, name: String::new() }])
    }

    fn addresses(
        &self,
        view: &View,
        name: &str,
        found: &[Found],
        record_type: RecordType,
        before: &mut Vec<String>,
    ) -> Answer {
        let mut answer = Answer::of(Vec::new());
        for found in found {
            match &found.host {
                Host::Ip(ip) => {
                    // A service with two ports has its address once.
                    let data = address_data(*ip, record_type).map(|data| self.record(name, data));
                    answer.records.extend(data.filter(|record| !answer.records.contains(record)));
                }
                Host::Name(target) if target == name || before.contains(target) || before.len() >= MOST_CNAMES => {}
                Host::Name(target) => {
                    before.push(target.clone());
                    let next = self.answer_after(view, target, record_type, before);
                    let is_inside = self.below(target).is_some();
                    if !(is_inside && next.records.is_empty() || next.rcode == Rcode::ServerFailure) {
                        answer.records.push(self.record(name, RecordData::Cname(target.clone())));
                        answer.records.extend(next.records);
                        answer.unknown_outside = answer.unknown_outside.or(next.unknown_outside);
                    }
                }
            }
        }
        answer
    }

    fn srv(&self, name: &str, found: &[Found]) -> Answer {
        let targets = found.iter().filter(|found| matches!(found.host, Host::Ip(_)));
        // All count for the share, also those without a port.
        let weight = (100 / found.len().max(1)).max(1) as u16;
        let (mut records, mut additional): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
        for found in targets {
            let Some(port) = found.port else { continue };
            let data = RecordData::Srv { priority: 0, weight, port, target: found.name.clone() };
            let record = self.record(name, data);
            if !records.contains(&record) {
                records.push(record);
            }
            if let Host::Ip(ip) = found.host {
                let data = if ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
                let address = address_data(ip, data).map(|data| self.record(&found.name, data));
                additional.extend(address.filter(|address| !additional.contains(address)));
            }
        }
        Answer { additional, ..Answer::of(records) }
    }

    fn pointers(&self, view: &View, name: &str, ip: IpAddr, record_type: RecordType) -> Answer {
        let names = self.names_of(view, ip);
        match (names.is_empty(), record_type) {
            (true, _) => self.outside(name, record_type),
            (false, RecordType::Ptr) => {
                Answer::of(names.into_iter().map(|target| self.record(name, RecordData::Ptr(target))).collect())
            }
            (false, _) => Answer::of(Vec::new()),
        }
    }

    /// The names that PTR records give an address: of a service that has it as its virtual address, else of the ready endpoints
    /// that have it.
    #[must_use]
    pub fn names_of(&self, view: &View, ip: IpAddr) -> Vec<String> {
        let text = ip.to_string();
        let owns = |service: &&Arc<Service>| {
            service.spec.kind != "ExternalName" && cluster_ips(service).any(|own| own == text)
        };
        if let Some(service) = view.services.iter().find(owns) {
            return vec![format!("{}.{}.svc.{}", service.meta.name, service.meta.namespace, self.domain)];
        }
        let mut names = Vec::new();
        for slice in view.endpoint_slices.iter() {
            let Some(service) = slice.service() else { continue };
            for endpoint in slice.endpoints.iter().filter(|endpoint| is_ready(endpoint) && endpoint.ip() == Some(ip)) {
                let host = host_name(endpoint, ip);
                names.push(format!("{host}.{service}.{}.svc.{}", slice.meta.namespace, self.domain));
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

fn parse(below: &str) -> Option<Parts<'_>> {
    let mut labels = below.split('.').rev();
    let kind = labels.next().filter(|label| !label.is_empty());
    let is_pod = match kind {
        None => return Some(Parts::default()),
        Some("pod") => true,
        Some("svc") => false,
        Some(_) => return None,
    };
    let mut parts = Parts { is_pod, ..Parts::default() };
    parts.namespace = labels.next().unwrap_or("");
    parts.service = labels.next().unwrap_or("");
    let rest: Vec<&str> = labels.collect();
    let bare = |label: &'_ str| label.len() - label.strip_prefix('_').unwrap_or(label).len();
    match rest[..] {
        [] => {}
        [endpoint] => parts.endpoint = endpoint,
        [protocol, port] => {
            parts.protocol = &protocol[bare(protocol)..];
            parts.port = &port[bare(port)..];
        }
        _ => return None,
    }
    Some(parts)
}

fn virtual_addresses(service: &Service, parts: &Parts<'_>, base: &str) -> Vec<Found> {
    let found = |port: Option<u16>| {
        let ips = cluster_ips(service).filter_map(|ip| ip.parse().ok());
        ips.map(move |ip| Found { host: Host::Ip(ip), port, name: base.to_owned() })
    };
    let chosen = service.spec.ports.iter().filter(|port| parts.asks_for(&port.name, &port.protocol));
    chosen.flat_map(|port| found(u16::try_from(port.port).ok())).collect()
}

fn endpoints_named(view: &View, service: &Service, parts: &Parts<'_>, base: &str) -> Vec<Found> {
    let key = Key { namespace: service.meta.namespace.clone(), name: service.meta.name.clone() };
    let none = [EndpointPort::default()];
    let mut all = Vec::new();
    for slice in view.slices_of(&key) {
        let ports = if slice.ports.is_empty() { &none[..] } else { &slice.ports };
        for endpoint in slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)) {
            let Some(ip) = endpoint.ip() else { continue };
            let host = host_name(endpoint, ip);
            if !parts.endpoint.is_empty() && *parts.endpoint != host {
                continue;
            }
            for port in ports {
                let (name, protocol) = (port.name.as_deref().unwrap_or(""), port.protocol.as_deref().unwrap_or(""));
                if parts.asks_for(name, protocol) {
                    let number = port.port.and_then(|port| u16::try_from(port).ok());
                    all.push(Found { host: Host::Ip(ip), port: number, name: format!("{host}.{base}") });
                }
            }
        }
    }
    all
}

impl Parts<'_> {
    /// Whether a port of that name and protocol is asked for; without a port in the question every one is.
    fn asks_for(&self, name: &str, protocol: &str) -> bool {
        (self.port.is_empty() || self.port.eq_ignore_ascii_case(name))
            && (self.protocol.is_empty() || self.protocol.eq_ignore_ascii_case(protocol))
    }
}

/// The first label of an endpoint's name.
fn host_name(endpoint: &Endpoint, ip: IpAddr) -> String {
    if let Some(name) = endpoint.hostname.as_deref().filter(|name| !name.is_empty()) {
        return name.to_ascii_lowercase();
    }
    let text = ip.to_string().replace(['.', ':'], "-");
    if text.ends_with('-') { text + "0" } else { text }
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.ready != Some(false)
}

/// The virtual addresses of a service.
pub(crate) fn cluster_ips(service: &Service) -> impl Iterator<Item = &str> {
    let single = service.spec.cluster_ips.is_empty().then_some(&service.spec.cluster_ip);
    let texts = service.spec.cluster_ips.iter().chain(single).map(|ip| &**ip);
    texts.filter(|ip| !ip.is_empty() && *ip != "None")
}

/// What an ExternalName service stands for.
pub(crate) fn external_name(service: &Service) -> Option<String> {
    let name = &*service.spec.external_name;
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()).filter(|name| !name.is_empty())
}

const fn address_data(ip: IpAddr, record_type: RecordType) -> Option<RecordData> {
    match (ip, record_type) {
        (IpAddr::V4(ip), RecordType::A) => Some(RecordData::A(ip)),
        (IpAddr::V6(ip), RecordType::Aaaa) => Some(RecordData::Aaaa(ip)),
        _ => None,
    }
}

/// The address in a name such as `5.0.0.10.in-addr.arpa`.
fn reverse_address(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let octets: Vec<u8> = labels.split('.').rev().map(str::parse).collect::<Result<_, _>>().ok()?;
        return Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)));
    }
    let labels: Vec<&str> = name.strip_suffix(".ip6.arpa")?.split('.').collect();
    let digit = |bits: u128, label: &&str| {
        let digit = u8::from_str_radix(label, 16).ok().filter(|_| label.len() == 1)?;
        Some(bits << 4 | u128::from(digit))
    };
    (labels.len() == 32).then_some(())?;
    let bits = labels.iter().rev().try_fold(0u128, digit)?;
    Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

/// The name under which PTR records tell of an address.
#[must_use]
pub fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let digits = (0..32).map(|place| format!("{:x}.", ip.to_bits() >> (4 * place) & 0xf));
            digits.collect::<String>() + "ip6.arpa"
        }
    }
}
