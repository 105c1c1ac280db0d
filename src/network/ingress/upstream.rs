//! The peers of a backend: endpoints, not the Service's address (ingress-nginx `internal/ingress/controller/endpointslices.go`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::api::View;
use crate::network::dns::cluster_ips;
use crate::objects::{EndpointSlice, IntOrPercent, Key, Service, ServicePort};

use super::matcher::Group;

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Address and port of the pod.
    pub address: SocketAddr,
    /// The pod.
    pub pod: Option<Key>,
    /// Its node.
    pub node: Option<Arc<str>>,
}

/// Where the requests of a group go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstreams {
    /// To one of these endpoints.
    Endpoints(Vec<Upstream>),
    /// To the Service's address, and on by kube-proxy.
    Service(SocketAddr),
    /// To what a name stands for, at that port: the Service is of type ExternalName.
    Name(String, u16),
    /// The controller itself answers: its default backend.
    BuiltIn,
    /// Nowhere: the controller answers 503.
    None(NoUpstream),
}

/// Why a group has no peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoUpstream {
    /// The Service does not exist.
    NoService,
    /// The Service has no port of that name or number.
    NoPort,
    /// None of its endpoints is ready; how many there are.
    NotReady(usize),
    /// The Service is a name that stands for no other host: an address, or the controller's own.
    NoName,
}

impl Group {
    /// Where the requests of this group go now.
    #[must_use]
    pub fn upstreams(&self, view: &View) -> Upstreams {
        let Some(key) = &self.service else { return Upstreams::BuiltIn };
        let Some(service) = view.services.get(key) else { return Upstreams::None(NoUpstream::NoService) };
        if service.spec.kind == "ExternalName" {
            let name = service.spec.external_name.to_ascii_lowercase();
            let is_name = name != "localhost" && name.parse::<IpAddr>().is_err();
            let port = u16::try_from(self.external_port(service)).unwrap_or(0);
            return if is_name { Upstreams::Name(name, port) } else { Upstreams::None(NoUpstream::NoName) };
        }
        let Some(port) = self.port_of(service) else { return Upstreams::None(NoUpstream::NoPort) };
        if self.is_service_upstream
            && let Some(ip) = cluster_ips(service).find_map(|ip| ip.parse::<IpAddr>().ok())
        {
            return Upstreams::Service(SocketAddr::new(ip, u16::try_from(port.port).unwrap_or(0)));
        }
        let (mut found, mut known) = (Vec::new(), FxHashSet::default());
        let mut not_ready = 0;
        for slice in view.slices_of(key) {
            not_ready += add(&mut found, &mut known, slice, port);
        }
        if found.is_empty() { Upstreams::None(NoUpstream::NotReady(not_ready)) } else { Upstreams::Endpoints(found) }
    }

    /// The port that is asked for at what an ExternalName Service stands for: the target of the port that is meant, or the number that
    /// the Ingress has, of which the Service need not know (`externalNamePorts`).
    fn external_port(&self, service: &Service) -> i32 {
        let is_named = !self.port.name.is_empty();
        let is_meant = |port: &&ServicePort| match is_named {
            true => port.name == self.port.name,
            false => port.port == self.port.number,
        };
        match service.spec.ports.iter().find(is_meant) {
            None => self.port.number,
            Some(port) => match &port.target_port {
                None => port.port,
                Some(IntOrPercent::Int(number)) => *number,
                Some(IntOrPercent::Percent(name)) => name.parse().unwrap_or(if is_named { port.port } else { 0 }),
            },
        }
    }

    /// The port of the Service that is meant: by its number, its target or its name.
    #[must_use]
    pub fn port_of<'s>(&self, service: &'s Service) -> Option<&'s ServicePort> {
        let wanted = self.port.to_string();
        let is_meant = |port: &&ServicePort| {
            let target = match &port.target_port {
                None => port.port.to_string(),
                Some(IntOrPercent::Int(number)) => number.to_string(),
                Some(IntOrPercent::Percent(name)) => name.to_string(),
            };
            port.port.to_string() == wanted || target == wanted || *port.name == *wanted
        };
        service.spec.ports.iter().find(is_meant)
    }
}

/// Adds the ready endpoints of a slice; how many of its endpoints are not.
fn add(
    found: &mut Vec<Upstream>,
    known: &mut FxHashSet<SocketAddr>,
    slice: &EndpointSlice,
    port: &ServicePort,
) -> usize {
    let by_number = match &port.target_port {
        Some(IntOrPercent::Int(number)) => Some(*number),
        None => Some(port.port),
        Some(IntOrPercent::Percent(_)) => None,
    };
    let is_tcp =
        |protocol: &Option<_>| protocol.as_ref().is_none_or(|protocol: &crate::objects::Text| **protocol == *"TCP");
    let mut numbers: Vec<i32> = if slice.ports.is_empty() {
        by_number.into_iter().collect()
    } else {
        let ports = slice.ports.iter().filter(|own| is_tcp(&own.protocol));
        ports
            .filter_map(|own| {
                let is_same = port.name.is_empty() || own.name.as_deref().unwrap_or("") == &*port.name;
                own.port.filter(|_| is_same).or(by_number)
            })
            .collect()
    };
    numbers.dedup();
    let mut not_ready = 0;
    for endpoint in &slice.endpoints {
        if endpoint.conditions.ready == Some(false) {
            not_ready += 1;
            continue;
        }
        let Some(ip) = endpoint.ip() else { continue };
        let target = endpoint.target_ref.as_ref().filter(|target| *target.kind == *"Pod");
        let pod = target.map(|target| Key::new(&*target.namespace, &*target.name));
        for number in numbers.iter().filter_map(|number| u16::try_from(*number).ok()) {
            let peer =
                Upstream { address: SocketAddr::new(ip, number), pod: pod.clone(), node: endpoint.node_name.clone() };
            if known.insert(peer.address) {
                found.push(peer);
            }
        }
    }
    not_ready
}
