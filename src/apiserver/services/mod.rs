//! Virtual addresses and node ports of Services (`pkg/registry/core/service/storage`).
//!
//! Who holds what follows from the stored Services alone. Where upstream begins to look for a free number at random, a
//! Service's luck depends on its name and on how many of that name came before: other Services do not shift it.

mod carry;
mod families;
mod pool;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::api::{ApiError, Reason};
use crate::kernel::{Purpose, Streams};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::{Wire, WireMut};
use crate::objects::{Key, Kind, Resource, Service, ServiceSpec};

use super::errors;
use pool::{AddressRange, Family, Pool};
use ports::PortOperation;

/// Draws of virtual addresses.
const CLUSTER_IPS: Purpose = Purpose::new(0x6170_6903);

/// What the Services of the store hold.
#[derive(Clone, Debug)]
pub(super) struct ServiceAllocations {
    streams: Streams,
    /// By family, that of Services without a preference first.
    ranges: Vec<AddressRange>,
    ports: Pool,
    /// How many Services of a name there were.
    made: FxHashMap<Key, u32>,
}

/// Why nothing is allocated.
enum Refusal {
    Invalid(Errors),
    Other(ApiError),
}

impl ServiceAllocations {
    /// Addresses of 10.96.0.0/12, kubeadm's default.
    pub(super) fn new(streams: &Streams) -> Self {
        let ranges = AddressRange::new(IpAddr::from([10, 96, 0, 0]), 12).into_iter().collect();
        Self { streams: *streams, ranges, ports: ports::pool(), made: FxHashMap::default() }
    }

    /// Follows a write: frees what the old state held, takes what the new one holds.
    pub(super) fn follow(&mut self, old: Option<&Service>, new: Option<&Service>) {
        if let (None, Some(new)) = (old, new) {
            *self.made.entry(new.key()).or_insert(0) += 1;
        }
        for (service, takes) in [(old, false), (new, true)] {
            let Some(spec) = service.map(|service| &service.spec) else { continue };
            for address in &spec.cluster_ips {
                for range in &mut self.ranges {
                    if let Some(number) = range.number(address) {
                        range.pool.set_taken(number, takes);
                    }
                }
            }
            let node_ports = spec.ports.iter().map(|port| port.node_port).chain([spec.health_check_node_port]);
            for port in node_ports.filter_map(|port| ports::in_range(port.into())) {
                self.ports.set_taken(port, takes);
            }
        }
    }

    /// Completes a Service with families, addresses and ports.
    pub(super) fn allocate(&self, service: &mut Service, old: Option<&Service>) -> Result<(), ApiError> {
        let key = service.key();
        let mut spec = Value::Object(service.spec.wire().clone());
        let before = old.map(|old| Value::Object(old.spec.wire().clone()));
        self.allocate_in(&key, &mut spec, before.as_ref())?;
        if let Value::Object(spec) = spec
            && spec != *service.spec.wire()
        {
            let compiled = ServiceSpec::from_wire(spec).map_err(|error| errors::bad_request(error.to_string()))?;
            service.spec = Arc::new(compiled);
        }
        Ok(())
    }

    /// The same for a spec in wire form.
    pub(super) fn allocate_in(&self, key: &Key, spec: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
        self.allocate_all(key, spec, old).map_err(|refusal| match refusal {
            Refusal::Invalid(faults) => errors::invalid_fields(Kind::Service.as_str(), &key.name, faults),
            Refusal::Other(error) => error,
        })
    }

    fn allocate_all(&self, key: &Key, spec: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
        if let Some(old) = old {
            carry::carry_over(spec, old);
        }
        carry::normalize(spec, old);
        let families: Vec<Family> = self.ranges.iter().map(|range| range.family).collect();
        families::complete(spec, old, &families).map_err(Refusal::Invalid)?;
        let made = self.made.get(key).copied().unwrap_or(0);
        let luck = format!("{key}#{made}");
        let mut operation = PortOperation::new(self, &luck);
        match old {
            None => {
                self.set_addresses(key, &luck, spec, 0)?;
                operation.create(spec)?;
            }
            Some(old) => {
                self.update_addresses(key, &luck, spec, old)?;
                operation.update(spec, old)?;
            }
        }
        operation.health_check(spec, old)
    }

    /// `updateClusterIPs`: addresses are given to a Service that was an alias before, or that gets a second family.
    fn update_addresses(&self, key: &Key, luck: &str, spec: &mut Value, old: &Value) -> Result<(), Refusal> {
        if !carry::needs_cluster_ip(old) {
            return self.set_addresses(key, luck, spec, 0);
        }
        let is_headless = old.texts("clusterIPs").first() == Some(&"None");
        if !is_headless && old.list("ipFamilies").len() == 1 && spec.list("ipFamilies").len() == 2 {
            return self.set_addresses(key, luck, spec, 1);
        }
        Ok(())
    }

    /// Checks the addresses that were asked for and gives those that were not, from the family at `first` on.
    fn set_addresses(&self, key: &Key, luck: &str, spec: &mut Value, first: usize) -> Result<(), Refusal> {
        let asked = spec.texts("clusterIPs");
        if !carry::needs_cluster_ip(spec) || asked.first() == Some(&"None") {
            return Ok(());
        }
        let mut addresses: Vec<String> = asked.iter().map(|ip| (*ip).to_owned()).collect();
        for (index, family) in spec.texts("ipFamilies").into_iter().enumerate().skip(first) {
            let Some(range) = self.ranges.iter().find(|range| range.family.as_str() == family) else { continue };
            match addresses.get(index).filter(|asked| !asked.is_empty()) {
                Some(address) => {
                    let refuse = |why| {
                        let detail = format!("failed to allocate IP {address}: {why}");
                        Refusal::Invalid(vec![Path::root("spec.clusterIPs").invalid(&asked, detail)])
                    };
                    check_address(range, address).map_err(refuse)?;
                }
                None => {
                    addresses.truncate(index);
                    addresses.push(self.any_address(key, luck, range)?);
                }
            }
        }
        if let Some(first) = addresses.first() {
            spec.set("clusterIP", first.clone());
            spec.set("clusterIPs", addresses);
        }
        Ok(())
    }

    fn any_address(&self, key: &Key, luck: &str, range: &AddressRange) -> Result<String, Refusal> {
        let mut stream = self.streams.stream(CLUSTER_IPS, &format!("{luck}/{}", range.family.as_str()));
        let number = range.pool.next(&BTreeSet::new(), &mut stream).ok_or_else(|| {
            let message = "Internal error occurred: failed to allocate a serviceIP for Service";
            Refusal::Other(ApiError::new(Reason::InternalError, format!("{message} {:?}: range is full", &*key.name)))
        })?;
        Ok(range.address(number).to_string())
    }
}

fn check_address(range: &AddressRange, address: &str) -> Result<(), &'static str> {
    match range.number(address) {
        None => Err("the provided network does not match the current range"),
        Some(number) if range.pool.is_taken(number) => Err("provided IP is already allocated"),
        Some(_) => Ok(()),
    }
}
