//! Variables that tell where services are (upstream `pkg/kubelet/envvars`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::{Pod, Service};

use super::Surroundings;

/// The service of the API server itself, which every pod is told of.
const MASTER_SERVICE: (&str, &str) = ("default", "kubernetes");

/// The variables for the services that a pod is told of: those of its namespace, unless `enableServiceLinks` is false, and
/// the API server's. Services without an address of their own are left out.
pub fn service_links(pod: &Pod, around: &impl Surroundings) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    let namespace = &*pod.meta.namespace;
    let is_enabled = pod.spec.wire().get("enableServiceLinks") != Some(&serde_json::Value::Bool(false));
    let (master_namespace, master) = MASTER_SERVICE;
    let mut services: BTreeMap<Arc<str>, Arc<Service>> = BTreeMap::new();
    for service in around.services(master_namespace) {
        if *service.meta.name == *master {
            services.insert(service.meta.name.clone(), service);
        }
    }
    if is_enabled {
        services.extend(around.services(namespace).into_iter().map(|service| (service.meta.name.clone(), service)));
    }
    let has_address = |service: &&Arc<Service>| {
        let spec = &service.spec;
        spec.kind != "ExternalName" && !spec.cluster_ip.is_empty() && spec.cluster_ip != "None"
    };
    services.values().filter(has_address).for_each(|service| add_links(&mut links, service));
    links
}

fn add_links(links: &mut BTreeMap<String, String>, service: &Service) {
    let variable = |name: &str| name.replace('-', "_").to_uppercase();
    let (prefix, address) = (variable(&service.meta.name), &*service.spec.cluster_ip);
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let mut put = |name: String, value: String| drop(links.insert(name, value));
    put(format!("{prefix}_SERVICE_HOST"), address.to_owned());
    for (place, port) in service.spec.ports.iter().enumerate() {
        let number = port.port;
        let protocol = if port.protocol.is_empty() { "tcp".to_owned() } else { port.protocol.to_lowercase() };
        let url = format!("{protocol}://{host}:{number}");
        if place == 0 {
            put(format!("{prefix}_SERVICE_PORT"), number.to_string());
            put(format!("{prefix}_PORT"), url.clone());
        }
        if !port.name.is_empty() {
            put(format!("{prefix}_SERVICE_PORT_{}", variable(&port.name)), number.to_string());
        }
        let of_port = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
        put(format!("{of_port}_PROTO"), protocol.clone());
        put(format!("{of_port}_PORT"), number.to_string());
        put(format!("{of_port}_ADDR"), address.to_owned());
        put(of_port, url);
    }
}
