//! Virtual addresses and node ports of services (`pkg/registry/core/service`).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::ApiError;
use crate::objects::{Kind, Resource, Service, ServiceSpec};

use super::errors;

/// Addresses 10.96.0.0/12: network address, and how many there are.
const NETWORK: u32 = u32::from_be_bytes([10, 96, 0, 0]);
const ADDRESSES: u32 = 1 << 20;
/// The lowest addresses are left for those who ask for one, as long as others are free.
const ADDRESSES_STATIC: u32 = 256;
/// Node ports 30000-32767, the lowest ones likewise.
const PORTS: u32 = 2768;
const PORT_FIRST: u32 = 30_000;
const PORTS_STATIC: u32 = 86;

/// A range of numbers that are handed out in turn.
#[derive(Clone, Debug)]
struct Pool {
    size: u32,
    reserved: u32,
    taken: BTreeSet<u32>,
    last: u32,
}

impl Pool {
    fn new(size: u32, reserved: u32) -> Self {
        Self { size, reserved, taken: BTreeSet::new(), last: reserved }
    }

    /// The next free number after the last one given, the reserved ones at the end. It is not taken yet.
    fn next(&self, also_taken: &BTreeSet<u32>) -> Option<u32> {
        let free = |number: &u32| !self.taken.contains(number) && !also_taken.contains(number);
        let after = (self.last + 1..self.size).chain(self.reserved..=self.last);
        after.chain(1..self.reserved).find(free)
    }
}

/// What the services of the store hold.
#[derive(Clone, Debug)]
pub(super) struct ServiceAllocations {
    addresses: Pool,
    ports: Pool,
}

impl Default for ServiceAllocations {
    fn default() -> Self {
        // The last address is the broadcast address.
        Self { addresses: Pool::new(ADDRESSES - 1, ADDRESSES_STATIC), ports: Pool::new(PORTS, PORTS_STATIC) }
    }
}

impl ServiceAllocations {
    /// Follows a write: frees what the old state held, takes what the new one holds.
    pub(super) fn follow(&mut self, old: Option<&Service>, new: Option<&Service>) {
        for (service, takes) in [(old, false), (new, true)] {
            let Some(service) = service else { continue };
            self.addresses.mark(address(&service.spec), takes);
            for port in node_ports(&service.spec) {
                self.ports.mark(Some(port), takes);
            }
        }
    }

    /// Completes a service with families, address and ports.
    pub(super) fn allocate(&self, service: &mut Service, old: Option<&Service>) -> Result<(), ApiError> {
        if service.spec.kind == *"ExternalName" {
            return Ok(());
        }
        let mut spec = service.spec.wire().clone();
        keep_address(&mut spec, old);
        keep_ports(&mut spec, old);
        set_families(&mut spec);
        self.set_address(service, &mut spec, old)?;
        self.set_ports(service, &mut spec, old)?;
        if spec != *service.spec.wire() {
            let compiled = ServiceSpec::from_wire(spec).map_err(|error| errors::bad_request(error.to_string()))?;
            service.spec = Arc::new(compiled);
        }
        Ok(())
    }

    fn set_address(
        &self,
        service: &Service,
        spec: &mut Map<String, Value>,
        old: Option<&Service>,
    ) -> Result<(), ApiError> {
        let asked = spec.get("clusterIP").and_then(Value::as_str).unwrap_or("").to_owned();
        if asked == "None" {
            spec.entry("clusterIPs").or_insert_with(|| json!(["None"]));
            return Ok(());
        }
        let given = if asked.is_empty() {
            let next = self.addresses.next(&BTreeSet::new());
            Ipv4Addr::from(NETWORK + next.ok_or_else(|| no_address_left(service))?).to_string()
        } else {
            if old.is_none_or(|old| old.spec.cluster_ip != *asked) {
                self.check_address(service, &asked)?;
            }
            asked
        };
        spec.insert("clusterIPs".into(), json!([given]));
        spec.insert("clusterIP".into(), given.into());
        Ok(())
    }

    fn check_address(&self, service: &Service, asked: &str) -> Result<(), ApiError> {
        let why = match asked.parse::<Ipv4Addr>().map(|ip| u32::from(ip).wrapping_sub(NETWORK)) {
            Ok(number) if number == 0 || number >= self.addresses.size => {
                format!("the provided IP ({asked}) is not in the valid range. The range of valid IPs is 10.96.0.0/12")
            }
            Ok(number) if self.addresses.taken.contains(&number) => "provided IP is already allocated".to_owned(),
            Ok(_) => return Ok(()),
            Err(_) => format!("failed to parse service IP {asked:?}"),
        };
        let detail = format!("Invalid value: [{asked:?}]: failed to allocate IP {asked}: {why}");
        Err(errors::invalid(Kind::Service, &service.key(), "spec.clusterIPs", "FieldValueInvalid", detail))
    }

    fn set_ports(
        &self,
        service: &Service,
        spec: &mut Map<String, Value>,
        old: Option<&Service>,
    ) -> Result<(), ApiError> {
        let kind = &service.spec.kind;
        if *kind != *"NodePort" && *kind != *"LoadBalancer" {
            return Ok(());
        }
        let automatic = spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false)) || *kind == *"NodePort";
        let held: BTreeSet<u32> = old.into_iter().flat_map(|old| node_ports(&old.spec)).collect();
        let needs_check = needs_health_check_port(spec);
        let mut chosen = BTreeSet::new();
        let Some(Value::Array(ports)) = spec.get_mut("ports") else { return Ok(()) };
        for (index, port) in ports.iter().enumerate() {
            let asked = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
            if asked != 0 {
                self.check_port(service, index, asked, &held)?;
                chosen.insert(offset_of(asked).unwrap_or(0));
            }
        }
        let mut by_port: Vec<(i64, i64)> = ports.iter().filter_map(asked_for).collect();
        for port in ports.iter_mut() {
            self.set_port(service, port, automatic, &mut by_port, &mut chosen)?;
        }
        if needs_check {
            let next = self.ports.next(&chosen).ok_or_else(|| no_port_left(service))?;
            spec.insert("healthCheckNodePort".into(), (PORT_FIRST + next).into());
        }
        Ok(())
    }

    /// Ports of one number under two protocols share their node port.
    fn set_port(
        &self,
        service: &Service,
        port: &mut Value,
        automatic: bool,
        by_port: &mut Vec<(i64, i64)>,
        chosen: &mut BTreeSet<u32>,
    ) -> Result<(), ApiError> {
        if asked_for(port).is_some() || !automatic {
            return Ok(());
        }
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        let known = by_port.iter().find(|(port, _)| *port == number).map(|(_, node_port)| *node_port);
        let node_port = match known {
            Some(node_port) => node_port,
            None => {
                let next = self.ports.next(chosen).ok_or_else(|| no_port_left(service))?;
                chosen.insert(next);
                i64::from(PORT_FIRST + next)
            }
        };
        by_port.push((number, node_port));
        if let Some(port) = port.as_object_mut() {
            port.insert("nodePort".into(), node_port.into());
        }
        Ok(())
    }

    fn check_port(&self, service: &Service, index: usize, asked: i64, held: &BTreeSet<u32>) -> Result<(), ApiError> {
        let why = match offset_of(asked) {
            None => "provided port is not in the valid range. The range of valid ports is 30000-32767",
            Some(offset) if self.ports.taken.contains(&offset) && !held.contains(&offset) => {
                "provided port is already allocated"
            }
            Some(_) => return Ok(()),
        };
        let detail = format!("Invalid value: {asked}: {why}");
        let field = format!("spec.ports[{index}].nodePort");
        Err(errors::invalid(Kind::Service, &service.key(), &field, "FieldValueInvalid", detail))
    }
}

impl Pool {
    fn mark(&mut self, number: Option<u32>, takes: bool) {
        let Some(number) = number else { return };
        if !takes {
            self.taken.remove(&number);
        } else if self.taken.insert(number) && number >= self.reserved {
            self.last = number;
        }
    }
}

fn address(spec: &ServiceSpec) -> Option<u32> {
    let ip: Ipv4Addr = spec.cluster_ip.parse().ok()?;
    Some(u32::from(ip).wrapping_sub(NETWORK)).filter(|number| *number < ADDRESSES)
}

fn node_ports(spec: &ServiceSpec) -> impl Iterator<Item = u32> {
    let health_check = spec.wire().get("healthCheckNodePort").and_then(Value::as_i64);
    let ports = spec.ports.iter().map(|port| i64::from(port.node_port));
    ports.chain(health_check).filter_map(offset_of)
}

fn offset_of(port: i64) -> Option<u32> {
    let offset = u32::try_from(port).ok()?.checked_sub(PORT_FIRST)?;
    (offset < PORTS).then_some(offset)
}

fn asked_for(port: &Value) -> Option<(i64, i64)> {
    let integer = |key: &str| port.get(key).and_then(Value::as_i64).filter(|number| *number != 0);
    Some((integer("port")?, integer("nodePort")?))
}

fn needs_health_check_port(spec: &Map<String, Value>) -> bool {
    let is = |key: &str, value: &str| spec.get(key).and_then(Value::as_str) == Some(value);
    let has_one = spec.get("healthCheckNodePort").and_then(Value::as_i64).is_some_and(|port| port != 0);
    is("type", "LoadBalancer") && is("externalTrafficPolicy", "Local") && !has_one
}

/// An update that does not mention the address means the old one.
fn keep_address(spec: &mut Map<String, Value>, old: Option<&Service>) {
    let Some(old) = old.filter(|old| old.spec.kind != *"ExternalName") else { return };
    if spec.get("clusterIP").and_then(Value::as_str).unwrap_or("").is_empty() && !old.spec.cluster_ip.is_empty() {
        spec.insert("clusterIP".into(), old.spec.cluster_ip.to_string().into());
    }
}

/// Likewise the node ports, by protocol and port.
fn keep_ports(spec: &mut Map<String, Value>, old: Option<&Service>) {
    let Some(old) = old.filter(|_| !matches!(spec.get("type").and_then(Value::as_str), None | Some("ClusterIP")))
    else {
        return;
    };
    let Some(Value::Array(ports)) = spec.get_mut("ports") else { return };
    let mut used: Vec<i64> = ports.iter().filter_map(asked_for).map(|(_, node_port)| node_port).collect();
    for port in ports.iter_mut().filter(|port| asked_for(port).is_none()) {
        let Some(port) = port.as_object_mut() else { continue };
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        let same = old.spec.ports.iter().find(|old| i64::from(old.port) == number && old.protocol == *protocol);
        let Some(node_port) = same.map(|old| i64::from(old.node_port)).filter(|old| *old != 0) else { continue };
        if !used.contains(&node_port) {
            used.push(node_port);
            port.insert("nodePort".into(), node_port.into());
        }
    }
}

/// The cluster has one family, IPv4. A headless service without a selector asks for both all the same.
fn set_families(spec: &mut Map<String, Value>) {
    let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    let selects = spec.get("selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty());
    let both = headless && !selects;
    let policy = if both { "RequireDualStack" } else { "SingleStack" };
    let families = if both { json!(["IPv4", "IPv6"]) } else { json!(["IPv4"]) };
    for (key, value) in [("ipFamilyPolicy", policy.into()), ("ipFamilies", families)] {
        if spec.get(key).is_none_or(Value::is_null) {
            spec.insert(key.into(), value);
        }
    }
}

fn no_address_left(service: &Service) -> ApiError {
    let name = &*service.meta.name;
    let message =
        format!("Internal error occurred: failed to allocate a serviceIP for Service {name:?}: range is full");
    ApiError::new(crate::api::Reason::InternalError, message)
}

fn no_port_left(_service: &Service) -> ApiError {
    let message = "Internal error occurred: failed to allocate a nodePort: range is full";
    ApiError::new(crate::api::Reason::InternalError, message)
}
