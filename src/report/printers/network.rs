//! Rows of Services and their endpoints.

use crate::objects::{EndpointSlice, Endpoints, Service};

use super::{Cells, address_list, or_none};

/// How many ports or addresses are shown.
const SHOWN: usize = 3;

/// Upstream `printService`.
pub(super) fn service_cells(service: &Service, age: String, wide: bool) -> Cells {
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
        external_address(service, wide),
        or_none(ports.join(",")),
        age,
        or_none(selector.collect::<Vec<_>>().join(",")),
    ]
}

fn external_address(service: &Service, wide: bool) -> String {
    let external: Vec<&str> = service.spec.external_ips.iter().map(|ip| &**ip).collect();
    match &*service.spec.kind {
        "ClusterIP" | "NodePort" => or_none(external.join(",")),
        "ExternalName" => service.spec.external_name.to_string(),
        "LoadBalancer" => {
            let points = service.status.load_balancer.ingress.iter();
            let balancers = address_list(points.map(|point| (&*point.ip, &*point.hostname)), wide);
            let all: Vec<&str> =
                Some(&*balancers).filter(|list| !list.is_empty()).into_iter().chain(external).collect();
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

/// Upstream `printEndpoints`.
pub(super) fn endpoints_cells(endpoints: &Endpoints, age: String) -> Cells {
    vec![endpoints.meta.name.to_string(), addresses_of(endpoints), age]
}

/// Upstream `formatEndpoints`: what is ready, by port.
pub(in crate::report) fn addresses_of(endpoints: &Endpoints) -> String {
    if endpoints.subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut shown = Vec::new();
    let mut count = 0;
    for subset in &endpoints.subsets {
        let ports: Vec<Option<i32>> = subset.ports.iter().map(|port| Some(port.port.unwrap_or(0))).collect();
        for port in if ports.is_empty() { vec![None] } else { ports } {
            count += subset.addresses.len();
            let room = SHOWN - shown.len();
            shown.extend(subset.addresses.iter().take(room).map(|address| match port {
                Some(port) if address.ip.contains(':') => format!("[{}]:{port}", address.ip),
                Some(port) => format!("{}:{port}", address.ip),
                None => address.ip.to_string(),
            }));
        }
    }
    let shown = shown.join(",");
    if count > SHOWN { format!("{shown} + {} more...", count - SHOWN) } else { shown }
}
