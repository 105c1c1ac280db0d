//! Subsets of Endpoints in canonical form (upstream `pkg/api/v1/endpoints.RepackSubsets`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::{EndpointAddress, EndpointPort, EndpointSubset};

/// Who an address belongs to: the same address of two pods is two.
type Owner = (Arc<str>, String);

/// A port in an order of its own; absent = addresses without any port.
type Port = Option<(Arc<str>, Arc<str>, i32, Option<Arc<str>>)>;

/// Whether each address is ready.
type Addresses = BTreeMap<Owner, bool>;

/// The same endpoints, so that ports with the same addresses share a subset, addresses are in order, and none is there twice. An
/// address that is somewhere said to be not ready is not ready.
pub(in crate::controllers) fn repack(subsets: &[EndpointSubset]) -> Vec<EndpointSubset> {
    let mut addresses: BTreeMap<Owner, &EndpointAddress> = BTreeMap::new();
    let mut ports: BTreeMap<Port, Option<&EndpointPort>> = BTreeMap::new();
    let mut by_port: BTreeMap<Port, Addresses> = BTreeMap::new();
    for subset in subsets {
        let all: Vec<Option<&EndpointPort>> = match &subset.ports[..] {
            [] => vec![None],
            some => some.iter().map(Some).collect(),
        };
        for port in all {
            let rank = rank(port);
            ports.entry(rank.clone()).or_insert(port);
            let here = by_port.entry(rank).or_default();
            let ready = subset.addresses.iter().map(|address| (address, true));
            for (address, is_ready) in ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false))) {
                let owner = owner(address);
                addresses.entry(owner.clone()).or_insert(address);
                let known = here.entry(owner).or_insert(is_ready);
                *known &= is_ready;
            }
        }
    }
    let mut by_addresses: BTreeMap<Addresses, Vec<Port>> = BTreeMap::new();
    for (port, here) in by_port.into_iter().filter(|(_, here)| !here.is_empty()) {
        by_addresses.entry(here).or_default().push(port);
    }
    let mut packed: Vec<(Vec<Port>, Addresses)> = by_addresses.into_iter().map(|(here, ports)| (ports, here)).collect();
    packed.sort();
    let subset = |(of, here): (Vec<Port>, Addresses)| {
        let of_state = |wanted: bool| {
            let owners = here.iter().filter(move |(_, ready)| **ready == wanted);
            owners.filter_map(|(owner, _)| addresses.get(owner)).map(|address| (*address).clone()).collect()
        };
        let ports = of.iter().filter_map(|port| ports.get(port).copied().flatten()).cloned().collect();
        EndpointSubset { addresses: of_state(true), not_ready_addresses: of_state(false), ports }
    };
    packed.into_iter().map(subset).collect()
}

fn owner(address: &EndpointAddress) -> Owner {
    let uid = address.target_ref.as_ref().map(|target| target.uid.to_string());
    ((*address.ip).into(), uid.unwrap_or_default())
}

fn rank(port: Option<&EndpointPort>) -> Port {
    let text = |text: &Option<crate::objects::Text>| Arc::from(text.as_deref().unwrap_or(""));
    let port = port?;
    let app_protocol = port.app_protocol.as_ref().map(|protocol| Arc::from(&**protocol));
    Some((text(&port.name), text(&port.protocol), port.port.unwrap_or(0), app_protocol))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn repacked(subsets: Value) -> Value {
        let subsets: Vec<EndpointSubset> = serde_json::from_value(subsets).expect("subsets");
        serde_json::to_value(repack(&subsets)).expect("a document")
    }

    fn addresses(ips: &[&str]) -> Value {
        ips.iter().map(|ip| json!({"ip": ip})).collect()
    }

    #[test]
    fn ports_of_the_same_addresses_share_a_subset() {
        let [http, https] = [json!({"name": "a", "port": 80}), json!({"name": "b", "port": 443})];
        assert_eq!(
            repacked(json!([
                {"addresses": addresses(&["10.0.0.2", "10.0.0.1"]), "ports": [http, https]},
                {"addresses": addresses(&["10.0.0.3"]), "ports": [http]},
            ])),
            json!([
                {"addresses": addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]), "ports": [http]},
                {"addresses": addresses(&["10.0.0.1", "10.0.0.2"]), "ports": [https]},
            ])
        );
        assert_eq!(
            repacked(json!([
                {"addresses": addresses(&["10.0.0.1"]), "ports": [https]},
                {"notReadyAddresses": addresses(&["10.0.0.1"]), "ports": [https]},
                {"addresses": addresses(&["10.0.0.9"])},
                {"addresses": []},
            ])),
            json!([
                {"addresses": addresses(&["10.0.0.9"])},
                {"notReadyAddresses": addresses(&["10.0.0.1"]), "ports": [https]},
            ])
        );
    }
}
