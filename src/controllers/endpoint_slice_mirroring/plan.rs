//! Which slices are written for Endpoints: one for each set of ports and address type.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{MAX_ENDPOINTS_PER_SUBSET, MIRRORING_MANAGER};
use crate::controllers::controller_ref::controller_reference;
use crate::controllers::endpoint::subsets::repack;
use crate::controllers::endpoint_slice::{MANAGED_BY_LABEL, TRIGGER_TIME_ANNOTATION};
use crate::objects::{
    Annotations, Endpoint, EndpointAddress, EndpointConditions, EndpointPort, EndpointSlice, EndpointSubset, Endpoints,
    Kind, Labels, ObjectMeta, SERVICE_NAME_LABEL, SharedList,
};

/// Annotation with what `kubectl apply` applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is written, and what could not be mirrored.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<Arc<EndpointSlice>>,
    /// Addresses that are none.
    pub(super) invalid: usize,
    /// Addresses that were left out for any reason.
    pub(super) skipped: usize,
}

/// What distinguishes slices: whether addresses are of IPv6, and the ports in order.
type SliceKey = (bool, Vec<String>);

struct Wanted {
    ports: SharedList<EndpointPort>,
    endpoints: Vec<Endpoint>,
}

/// Plans the writes.
pub(super) fn plan(endpoints: &Endpoints, slices: &[&Arc<EndpointSlice>]) -> Plan {
    let mut plan = Plan::default();
    let mut wanted: BTreeMap<SliceKey, Wanted> = BTreeMap::new();
    for subset in repack(&endpoints.subsets) {
        collect(&subset, &mut wanted, &mut plan);
    }
    let mut existing: BTreeMap<SliceKey, Vec<&Arc<EndpointSlice>>> = BTreeMap::new();
    for slice in slices {
        existing.entry((slice.address_type == *"IPv6", port_key(&slice.ports))).or_default().push(slice);
    }
    for ((is_v6, ports), wanted) in wanted {
        let mut here = existing.remove(&(is_v6, ports)).unwrap_or_default().into_iter();
        let first = here.next();
        plan.delete.extend(here.cloned());
        let mut slice = blank(endpoints, is_v6);
        slice.ports = wanted.ports;
        slice.endpoints = wanted.endpoints.into();
        match first {
            None => plan.create.push(slice),
            Some(first) if is_as_wanted(first, &slice) => {}
            Some(first) => {
                slice.meta.name = first.meta.name.clone();
                slice.meta.generate_name = Arc::default();
                plan.update.push(slice);
            }
        }
    }
    plan.delete.extend(existing.into_values().flatten().cloned());
    recycle(&mut plan);
    plan
}

fn collect(subset: &EndpointSubset, wanted: &mut BTreeMap<SliceKey, Wanted>, plan: &mut Plan) {
    let ready = subset.addresses.iter().map(|address| (address, true));
    let all = ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false)));
    let ports = port_key(&subset.ports);
    let (mut count, mut added) = (0, 0);
    for (address, is_ready) in all {
        count += 1;
        if added >= MAX_ENDPOINTS_PER_SUBSET {
            continue;
        }
        let Ok(ip) = address.ip.parse::<IpAddr>() else {
            plan.invalid += 1;
            continue;
        };
        added += 1;
        let of = wanted.entry((ip.is_ipv6(), ports.clone()));
        let of = of.or_insert_with(|| Wanted { ports: named(&subset.ports), endpoints: Vec::new() });
        of.endpoints.push(endpoint(address, ip, is_ready));
    }
    plan.skipped += count - added;
}

/// Ports of a slice always have a name, be it empty.
fn named(ports: &[EndpointPort]) -> SharedList<EndpointPort> {
    let named =
        ports.iter().map(|port| EndpointPort { name: Some(port.name.clone().unwrap_or_default()), ..port.clone() });
    named.collect()
}

fn port_key(ports: &[EndpointPort]) -> Vec<String> {
    let text = |port: &EndpointPort| {
        let [name, protocol, app] =
            [&port.name, &port.protocol, &port.app_protocol].map(|text| text.as_deref().unwrap_or(""));
        format!("{name}/{protocol}/{}/{app}", port.port.unwrap_or(0))
    };
    let mut key: Vec<String> = ports.iter().map(text).collect();
    key.sort_unstable();
    key
}

fn endpoint(address: &EndpointAddress, ip: IpAddr, is_ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![ip.to_string().into()],
        conditions: EndpointConditions { ready: Some(is_ready), ..EndpointConditions::default() },
        hostname: (!address.hostname.is_empty()).then(|| (*address.hostname).into()),
        target_ref: address.target_ref.clone(),
        node_name: address.node_name.clone(),
        ..Endpoint::default()
    }
}

/// A slice without endpoints. Labels and annotations are those of the Endpoints, but for what is about the Endpoints alone.
fn blank(endpoints: &Endpoints, is_v6: bool) -> EndpointSlice {
    let meta = &endpoints.meta;
    EndpointSlice {
        meta: ObjectMeta {
            namespace: meta.namespace.clone(),
            generate_name: format!("{}-", meta.name).into(),
            labels: own_labels(meta),
            annotations: own_annotations(meta),
            owner_references: vec![controller_reference(Kind::Endpoints, meta)].into(),
            ..ObjectMeta::default()
        },
        address_type: if is_v6 { "IPv6" } else { "IPv4" }.into(),
        ..EndpointSlice::default()
    }
}

fn own_labels(meta: &ObjectMeta) -> Labels {
    meta.labels.with(SERVICE_NAME_LABEL, &meta.name).with(MANAGED_BY_LABEL, MIRRORING_MANAGER)
}

fn own_annotations(meta: &ObjectMeta) -> Annotations {
    meta.annotations.without(TRIGGER_TIME_ANNOTATION).without(LAST_APPLIED)
}

fn is_as_wanted(slice: &EndpointSlice, wanted: &EndpointSlice) -> bool {
    let in_order = |slice: &EndpointSlice| {
        let mut endpoints = slice.endpoints.to_vec();
        endpoints.sort_by(|a, b| a.addresses.first().map(|ip| &**ip).cmp(&b.addresses.first().map(|ip| &**ip)));
        endpoints
    };
    slice.meta.labels == wanted.meta.labels
        && slice.meta.annotations == wanted.meta.annotations
        && slice.meta.owner_references == wanted.meta.owner_references
        && in_order(slice) == in_order(wanted)
}

/// Turns creations and deletions of an address type into updates.
fn recycle(plan: &mut Plan) {
    let Plan { create, update, delete, .. } = plan;
    create.retain_mut(|slice| {
        let Some(at) = delete.iter().position(|old| old.address_type == slice.address_type) else { return true };
        slice.meta.name = delete.remove(at).meta.name.clone();
        slice.meta.generate_name = Arc::default();
        update.push(std::mem::take(slice));
        false
    });
}
