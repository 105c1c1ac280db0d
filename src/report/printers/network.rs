//! Rows of Services and their endpoints.

use std::collections::BTreeSet;

use crate::objects::wire::Wire;
use crate::objects::{EndpointSlice, Service};

use super::{Cells, or_none};

/// How many ports or addresses are shown.
const SHOWN: usize = 3;

/// Upstream `printService`.
pub(super) fn service_cells(service: &Service, age: String) -> Cells {
    let spec = &service.spec;
    let port = |port: &crate::objects::ServicePort| match port.node_port {
        0 => format!("{}/{}", port.port, port.protocol),
        node_port => format!("{}:{node_port}/{}", port.port, port.protocol),
    };
    let ports: Vec<String> = spec.ports.iter().map(port).collect();
    let selector = spec.selector.iter().flat_map(|labels| labels.iter()).map(|(k, v)| format!("{k}={v}"));
    vec![
        service.meta.name.to_string(),
        spec.kind.to_string(),
        or_none(spec.cluster_ip.to_string()),
        external_address(service),
        or_none(ports.join(",")),
        age,
        or_none(selector.collect::<Vec<_>>().join(",")),
    ]
}

fn external_address(service: &Service) -> String {
    let spec = &serde_json::Value::Object(service.spec.wire().clone());
    let external: Vec<&str> = spec.texts("externalIPs");
    match &*service.spec.kind {
        "ClusterIP" | "NodePort" => or_none(external.join(",")),
        "ExternalName" => spec.text("externalName").to_owned(),
        "LoadBalancer" => {
            let ingress = service.status.at("loadBalancer").list("ingress").iter();
            let address = |entry: &serde_json::Value| {
                let ip = entry.text("ip");
                let address = if ip.is_empty() { entry.text("hostname") } else { ip };
                (!address.is_empty()).then(|| address.to_owned())
            };
            let balancers: BTreeSet<String> = ingress.filter_map(address).collect();
            let all: Vec<&str> = balancers.iter().map(String::as_str).chain(external).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        _ => "<unknown>".to_owned(),
    }
}

/// Upstream `printEndpointSlice`.
pub(super) fn slice_cells(slice: &EndpointSlice, age: String) -> Cells {
    let ports = slice.ports.iter().map(|port| match (port.port, &port.name) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_string(),
        (None, None) => "*".to_owned(),
    });
    let addresses = slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.iter()).map(ToString::to_string);
    let [ports, addresses] = [ports.collect(), addresses.collect()].map(first_few);
    vec![slice.meta.name.to_string(), slice.address_type.to_string(), ports, addresses, age]
}

fn first_few(items: Vec<String>) -> String {
    match items.len() {
        0 => "<unset>".to_owned(),
        n if n <= SHOWN => items.join(","),
        more => format!("{} + {} more...", items[..SHOWN].join(","), more - SHOWN),
    }
}
