//! The pods behind a Service, as endpoints-to-be.

use std::net::IpAddr;
use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde_json::Map;

use crate::api::View;
use crate::objects::{
    Endpoint, EndpointConditions, EndpointSlice, Key, Kind, Node, Pod, Selector, Service, TargetRef, Text,
};

use super::blueprint::{AddressType, Blueprint, LastPorts, Ports, in_order};
use super::placement::Scope;

/// Label of a node with its zone.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Whether a pod has an endpoint, ready or not: it has an address and has not ended. A phase of `Unknown` counts.
pub(in crate::controllers) const fn has_endpoint(pod: &Pod) -> bool {
    !pod.is_terminal() && pod.status.pod_ip.is_some()
}

/// The text, shared where it can be.
pub(super) fn shared(text: &Text) -> Arc<str> {
    match text {
        Text::Shared(text) => text.clone(),
        Text::Static(text) => Arc::from(*text),
    }
}

/// The zone of a node, if it has one.
pub(super) fn zone(node: &Node) -> Option<&Arc<str>> {
    let labels = node.meta.labels.shared();
    labels.iter().find(|(key, _)| &**key == ZONE_LABEL).map(|(_, zone)| zone).filter(|zone| !zone.is_empty())
}

/// The pods of a Service that have endpoints, by their ports.
#[derive(Debug, Default)]
pub(super) struct Candidates<'a> {
    pods: Vec<Candidate<'a>>,
    by_name: FxHashMap<&'a str, u32>,
    groups: IndexSet<Ports, FxBuildHasher>,
    missing_nodes: Vec<(Arc<str>, Arc<str>)>,
}

#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pod: &'a Pod,
    ip: IpAddr,
    /// Which ports: an index into the groups.
    pub(super) group: usize,
    hostname: Option<&'a Arc<str>>,
    zone: Option<&'a Arc<str>>,
    conditions: EndpointConditions,
}

impl<'a> Candidates<'a> {
    pub(super) fn find(
        view: &'a View,
        service: &Service,
        blueprint: &Blueprint,
        selector: &'a Selector,
        scope: &Scope,
        slices: &[&Arc<EndpointSlice>],
    ) -> Self {
        let mut found = Self::default();
        let mut last = LastPorts::default();
        let namespace = &service.meta.namespace;
        match scope {
            Scope::All => {
                for pod in view.pods_matching(namespace, selector) {
                    found.consider(view, service, blueprint, &mut last, pod);
                }
            }
            Scope::Changed(changed, touched) => {
                let slices = slices.iter().filter(|slice| touched.contains(&slice.meta.name));
                let behind = slices
                    .flat_map(|slice| slice.endpoints.iter())
                    .filter_map(|endpoint| Some(shared(&endpoint.target_ref.as_ref()?.name)));
                for name in changed.iter().cloned().chain(behind) {
                    let pod = view.pods.get(&Key { namespace: namespace.clone(), name });
                    if let Some(pod) =
                        pod.filter(|pod| selector.matches(&pod.meta.labels) && !found.contains(&pod.meta.name))
                    {
                        found.consider(view, service, blueprint, &mut last, pod);
                    }
                }
            }
        }
        found
    }

    fn consider(
        &mut self,
        view: &'a View,
        service: &Service,
        blueprint: &Blueprint,
        last: &mut LastPorts,
        pod: &'a Arc<Pod>,
    ) {
        let Some(ip) = pod.status.pod_ip.filter(|_| has_endpoint(pod)) else { return };
        let group = match &blueprint.ports {
            Some(ports) => self.group(ports),
            None => self.group(&last.get(service, pod)),
        };
        self.add(view, service, pod, ip, group);
    }

    /// Whether the pod has an endpoint.
    pub(super) fn contains(&self, pod: &str) -> bool {
        self.by_name.contains_key(pod)
    }

    /// The slices that the pods are in.
    pub(super) fn places(&self, slices: &[&Arc<EndpointSlice>]) -> FxHashMap<Arc<str>, Arc<str>> {
        let mut places = FxHashMap::default();
        for slice in slices {
            for target in slice.endpoints.iter().filter_map(|endpoint| endpoint.target_ref.as_ref()) {
                if let Some(at) = self.by_name.get(&*target.name) {
                    places.insert(self.get(*at).pod.meta.name.clone(), slice.meta.name.clone());
                }
            }
        }
        places
    }

    fn group(&mut self, ports: &Ports) -> usize {
        match self.groups.last() {
            Some(last) if last.ptr_eq(ports) => self.groups.len() - 1,
            _ => self.groups.insert_full(ports.clone()).0,
        }
    }

    /// A pod on a node that does not exist is left out, and the sync is to be repeated; unless the Service wants
    /// every address.
    fn add(&mut self, view: &'a View, service: &Service, pod: &'a Pod, ip: IpAddr, group: usize) {
        let all = service.spec.publish_not_ready_addresses;
        let node = view.nodes.get(&Key { namespace: Arc::default(), name: pod.node_name.clone() });
        if node.is_none() && !all {
            self.missing_nodes.push((pod.meta.name.clone(), pod.node_name.clone()));
            return;
        }
        let (serving, terminating) = (pod.is_ready(), pod.meta.is_deleting());
        let conditions = EndpointConditions {
            ready: Some(all || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        };
        let in_service = !pod.hostname().is_empty() && pod.spec.subdomain == service.meta.name;
        self.by_name.insert(&pod.meta.name, self.pods.len() as u32);
        self.pods.push(Candidate {
            pod,
            ip,
            group,
            hostname: in_service.then_some(pod.hostname()),
            zone: node.and_then(|node| zone(node)),
            conditions,
        });
    }

    /// How many different sets of ports the pods have.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The ports of a group.
    pub(super) fn ports(&self, group: usize) -> &Ports {
        &self.groups[group]
    }

    /// The group with the ports of a slice.
    pub(super) fn group_of(&self, slice: &EndpointSlice) -> Option<usize> {
        match self.groups.first() {
            Some(first) if first.ptr_eq(&slice.ports) => Some(0),
            _ => self.groups.get_index_of(&in_order(&slice.ports)),
        }
    }

    /// All pods with an endpoint of that address type.
    pub(super) fn of(&self, address_type: AddressType) -> impl Iterator<Item = (u32, &Candidate<'a>)> {
        let wants_v4 = address_type == "IPv4";
        let all = self.pods.iter().zip(0u32..).map(|(pod, at)| (at, pod));
        all.filter(move |(_, pod)| pod.ip.is_ipv4() == wants_v4)
    }

    pub(super) fn len(&self) -> usize {
        self.pods.len()
    }

    pub(super) fn get(&self, at: u32) -> &Candidate<'a> {
        &self.pods[at as usize]
    }

    /// The pod that an endpoint of a slice stands for (equal in upstream's `EndpointSet`).
    pub(super) fn behind(&self, endpoint: &Endpoint) -> Option<u32> {
        let target = endpoint.target_ref.as_ref()?;
        let at = *self.by_name.get(&*target.name)?;
        self.get(at).is_same(endpoint, target).then_some(at)
    }

    /// What is wrong with the pods.
    pub(super) fn failure(&self, service: &Service) -> Option<String> {
        let (namespace, name) = (&service.meta.namespace, &service.meta.name);
        let said = |(pod, node): &(Arc<str>, Arc<str>)| {
            format!("skipping Pod {pod} for Service {namespace}/{name}: Node {node} Not Found")
        };
        match &self.missing_nodes[..] {
            [] => None,
            [one] => Some(said(one)),
            more => Some(format!("[{}]", more.iter().map(said).collect::<Vec<_>>().join(", "))),
        }
    }
}

impl Candidate<'_> {
    fn is_same(&self, endpoint: &Endpoint, target: &TargetRef) -> bool {
        *target.namespace == *self.pod.meta.namespace
            && endpoint.hostname.as_ref() == self.hostname
            && matches!(&endpoint.addresses[..], [address] if address.parse() == Ok(self.ip))
    }

    /// Whether an endpoint that stands for the pod says all of it (`EndpointsEqualBeyondHash`).
    pub(super) fn is_up_to_date(&self, endpoint: &Endpoint) -> bool {
        let node = Some(&self.pod.node_name).filter(|_| self.pod.is_bound());
        endpoint.conditions == self.conditions
            && endpoint.node_name.as_ref() == node
            && endpoint.zone.as_ref() == self.zone
            && endpoint
                .target_ref
                .as_ref()
                .is_some_and(|target| target.uid == self.pod.meta.uid && target.kind == *Kind::Pod.as_str())
    }

    /// The endpoint.
    pub(super) fn endpoint(&self) -> Endpoint {
        let meta = &self.pod.meta;
        Endpoint {
            addresses: vec![self.ip.to_string().into()],
            conditions: self.conditions,
            hostname: self.hostname.cloned(),
            target_ref: Some(TargetRef {
                kind: Kind::Pod.as_str().into(),
                namespace: Text::Shared(meta.namespace.clone()),
                name: Text::Shared(meta.name.clone()),
                uid: meta.uid.clone(),
            }),
            node_name: Some(self.pod.node_name.clone()).filter(|_| self.pod.is_bound()),
            zone: self.zone.cloned(),
            rest: Map::new(),
        }
    }
}
