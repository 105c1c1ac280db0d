//! What the slices of a Service have in common.

use std::sync::Arc;

use crate::objects::{
    EndpointPort, EndpointSlice, IntOrPercent, Labels, ObjectMeta, OwnerReference, Pod, PodSpec, Resource,
    SERVICE_NAME_LABEL, Service, ServicePort, SharedList, Uid,
};

use super::hints::Hints;
use super::{HEADLESS_LABEL, MANAGED_BY_LABEL, MANAGER};

/// `IPv4` or `IPv6`.
pub(super) type AddressType = &'static str;
/// All that a Service may have.
pub(super) const ADDRESS_TYPES: [AddressType; 2] = ["IPv4", "IPv6"];

/// Ports of a slice in canonical order.
pub(in crate::controllers) type Ports = SharedList<EndpointPort>;

/// What follows from a Service alone, made once per version of it.
#[derive(Debug)]
pub(super) struct Blueprint {
    uid: Uid,
    resource_version: u64,
    meta: ObjectMeta,
    own_labels: Labels,
    /// Address types, one slice at least of each.
    pub(super) address_types: Vec<AddressType>,
    /// The ports, if they are the same for all pods.
    pub(super) ports: Option<Ports>,
    /// Hints for proxies.
    pub(super) hints: Hints,
}

impl Blueprint {
    pub(super) fn new(service: &Service) -> Self {
        let own_labels: Labels =
            service.meta.labels.shared().iter().filter(|(key, _)| !is_reserved(key)).cloned().collect();
        let meta = ObjectMeta {
            namespace: service.meta.namespace.clone(),
            generate_name: format!("{}-", service.meta.name).into(),
            labels: slice_labels(service, &own_labels),
            owner_references: vec![owner(service)].into(),
            ..ObjectMeta::default()
        };
        let by_number = |port: &ServicePort| !matches!(port.target_port, Some(IntOrPercent::Percent(_)));
        let fixed = service.spec.ports.iter().all(by_number);
        Self {
            uid: service.meta.uid.clone(),
            resource_version: service.meta.resource_version,
            meta,
            own_labels,
            address_types: address_types(service),
            ports: fixed.then(|| ports(service, &PodSpec::default())),
            hints: Hints::of(service),
        }
    }

    pub(super) fn is_of(&self, service: &Service) -> bool {
        self.resource_version == service.meta.resource_version && self.uid == service.meta.uid
    }

    /// A new slice without a name.
    pub(super) fn slice(&self, address_type: AddressType, ports: &Ports) -> EndpointSlice {
        EndpointSlice {
            meta: self.meta.clone(),
            address_type: address_type.into(),
            endpoints: SharedList::new(),
            ports: ports.clone(),
        }
    }

    /// Labels of the slices.
    pub(super) fn labels(&self) -> &Labels {
        &self.meta.labels
    }

    /// Whether a slice must be written for its labels: those that are not reserved must be the Service's.
    pub(super) fn relabels(&self, slice: &EndpointSlice) -> bool {
        let labels = &slice.meta.labels;
        let own = || labels.shared().iter().filter(|(key, _)| !is_reserved(key));
        *labels != self.meta.labels && !own().eq(self.own_labels.shared())
    }

    /// Whether a slice belongs to the Service, rather than to an earlier one of the same name.
    pub(super) fn owns(&self, slice: &EndpointSlice) -> bool {
        let mut owners = slice.meta.owner_references.iter();
        owners.any(|owner| owner.uid == self.uid && &*owner.kind == "Service" && &*owner.api_version == "v1")
    }

    /// Whether a slice is the placeholder for no endpoints.
    pub(super) fn is_placeholder(&self, slice: &EndpointSlice) -> bool {
        slice.endpoints.is_empty() && slice.ports.is_empty() && slice.meta.labels == self.meta.labels
    }
}

fn is_reserved(label: &str) -> bool {
    [SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL].contains(&label)
}

fn slice_labels(service: &Service, own: &Labels) -> Labels {
    let labels = own.with(SERVICE_NAME_LABEL, &service.meta.name).with(MANAGED_BY_LABEL, MANAGER);
    let has_address = !service.spec.is_headless() && !service.spec.cluster_ip.is_empty();
    if has_address { labels } else { labels.with(HEADLESS_LABEL, "") }
}

fn owner(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: Service::KIND.api_version().into(),
        kind: Service::KIND.as_str().into(),
        name: service.meta.name.clone(),
        uid: service.meta.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The families of the Service. One without any is of the family of its address, or of both.
fn address_types(service: &Service) -> Vec<AddressType> {
    let spec = &service.spec;
    let given: Vec<AddressType> =
        ADDRESS_TYPES.into_iter().filter(|family| spec.ip_families.iter().any(|given| given == family)).collect();
    if !given.is_empty() {
        return given;
    }
    if spec.cluster_ip.is_empty() || spec.is_headless() {
        return ADDRESS_TYPES.to_vec();
    }
    if spec.cluster_ip.contains(':') { vec!["IPv6"] } else { vec!["IPv4"] }
}

/// The Service's ports as a pod with this spec serves them; a named one that the pod does not have is left out.
pub(in crate::controllers) fn ports(service: &Service, spec: &PodSpec) -> Ports {
    let mut ports: Vec<EndpointPort> = Vec::with_capacity(service.spec.ports.len());
    for port in &service.spec.ports {
        if let Some(number) = target(port, spec) {
            ports.push(EndpointPort {
                name: Some(port.name.clone()),
                port: Some(number),
                protocol: Some(port.protocol.clone()),
                app_protocol: port.app_protocol.clone(),
            });
        }
    }
    sort(&mut ports);
    ports.into()
}

/// The port number on the pod (upstream `FindPort`): of a name, the first in containers, then in sidecars.
fn target(port: &ServicePort, spec: &PodSpec) -> Option<i32> {
    let name = match &port.target_port {
        None => return Some(port.port),
        Some(IntOrPercent::Int(number)) => return Some(*number),
        Some(IntOrPercent::Percent(name)) => name,
    };
    let sidecars = spec.init_containers.iter().filter(|container| container.is_sidecar());
    let mut declared = spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    let found = declared.find(|declared| declared.name == *name && *declared.protocol == *port.protocol);
    found.map(|declared| declared.container_port)
}

/// The same ports in canonical order, since a slice is found by its set of ports.
pub(super) fn in_order(ports: &Ports) -> Ports {
    if ports.is_sorted_by(|a, b| rank(a) <= rank(b)) {
        return ports.clone();
    }
    let mut sorted = ports.to_vec();
    sort(&mut sorted);
    sorted.into()
}

fn sort(ports: &mut [EndpointPort]) {
    ports.sort_by(|a, b| rank(a).cmp(&rank(b)));
}

fn rank(port: &EndpointPort) -> (Option<&str>, Option<&str>, Option<i32>, Option<&str>) {
    (port.name.as_deref(), port.protocol.as_deref(), port.port, port.app_protocol.as_deref())
}

/// Groups pods by their ports, with the last answer remembered: pods of one template share their spec.
#[derive(Debug, Default)]
pub(super) struct LastPorts {
    of: Option<(Arc<PodSpec>, Ports)>,
}

impl LastPorts {
    pub(super) fn get(&mut self, service: &Service, pod: &Pod) -> Ports {
        if let Some((spec, ports)) = &self.of
            && Arc::ptr_eq(spec, &pod.spec)
        {
            return ports.clone();
        }
        let ports = ports(service, &pod.spec);
        self.of = Some((pod.spec.clone(), ports.clone()));
        ports
    }
}
