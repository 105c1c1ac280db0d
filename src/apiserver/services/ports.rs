//! Node ports (`initNodePorts`, `updateNodePorts`, `allocHealthCheckNodePort`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::carry::{needs_health_check, needs_node_port};
use super::pool::{Band, Pool};
use super::{Refusal, ServiceAllocations};
use crate::api::{ApiError, Reason};
use crate::kernel::Purpose;
use crate::objects::validation::Path;
use crate::objects::wire::{Wire, WireMut};

/// Draws of node ports.
const NODE_PORTS: Purpose = Purpose::new(0x6170_6904);

const FIRST: u64 = 30_000;
const LAST: u64 = 32_767;
const BAND: Band = Band { one_in: 32, most: 128 };

pub(super) fn pool() -> Pool {
    Pool::new(FIRST..LAST + 1, BAND.of(LAST + 1 - FIRST))
}

/// The number of a port that nodes have; nothing for 0 and for numbers that no node port has.
pub(super) fn in_range(port: i64) -> Option<u64> {
    u64::try_from(port).ok().filter(|port| (FIRST..=LAST).contains(port))
}

/// The ports that one write takes.
pub(super) struct PortOperation<'a> {
    held: &'a ServiceAllocations,
    /// Whose luck it is.
    service: &'a str,
    taken: BTreeSet<u64>,
}

impl<'a> PortOperation<'a> {
    pub(super) const fn new(held: &'a ServiceAllocations, service: &'a str) -> Self {
        Self { held, service, taken: BTreeSet::new() }
    }

    fn take(&mut self, port: i64) -> Result<(), String> {
        let Some(number) = in_range(port) else {
            let range = format!("{FIRST}-{LAST}");
            return Err(format!("provided port is not in the valid range. The range of valid ports is {range}"));
        };
        if self.held.ports.is_taken(number) || !self.taken.insert(number) {
            return Err("provided port is already allocated".to_owned());
        }
        Ok(())
    }

    /// A free port, by the luck of the Service and of what the port is for.
    fn take_any(&mut self, what: &str) -> Option<i64> {
        let mut stream = self.held.streams.stream(NODE_PORTS, &format!("{}/{what}", self.service));
        let number = self.held.ports.next(&self.taken, &mut stream)?;
        self.taken.insert(number);
        i64::try_from(number).ok()
    }

    /// Ports of a new Service. Those of one number under several protocols share a node port.
    pub(super) fn create(&mut self, spec: &mut Value) -> Result<(), Refusal> {
        if !matches!(spec.text("type"), "NodePort" | "LoadBalancer") {
            return Ok(());
        }
        let automatic = needs_node_port(spec);
        let asked: Vec<(i64, i64)> =
            spec.list("ports").iter().map(|port| (port.int("port"), port.int("nodePort"))).collect();
        let mut known: BTreeMap<i64, i64> = BTreeMap::new();
        for (index, port) in spec.list_mut("ports").iter_mut().enumerate() {
            let (number, wanted) = (port.int("port"), port.int("nodePort"));
            if wanted == 0 && !automatic {
                continue;
            }
            let Some(&first) = known.get(&number) else {
                let wanted = asked.iter().find(|(other, wanted)| *other == number && *wanted != 0);
                let node_port = match wanted {
                    Some((_, wanted)) => {
                        self.take(*wanted).map_err(|why| refused(index, *wanted, why))?;
                        *wanted
                    }
                    None => self.take_any(&what(port)).ok_or_else(no_port_left)?,
                };
                port.set("nodePort", node_port);
                known.insert(number, node_port);
                continue;
            };
            if wanted == 0 {
                port.set("nodePort", first);
            } else if wanted != first {
                self.take(wanted).map_err(|why| refused(index, wanted, why))?;
            }
        }
        Ok(())
    }

    /// Ports of a Service that was there before.
    pub(super) fn update(&mut self, spec: &mut Value, old: &Value) -> Result<(), Refusal> {
        if !matches!(spec.text("type"), "NodePort" | "LoadBalancer") {
            return Ok(());
        }
        let automatic = needs_node_port(spec);
        let held: BTreeSet<i64> = old.list("ports").iter().map(|port| port.int("nodePort")).collect();
        let mut taken = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for (index, port) in spec.list_mut("ports").iter_mut().enumerate() {
            let mut node_port = port.int("nodePort");
            if node_port == 0 && !automatic {
                continue;
            }
            if node_port == 0 {
                node_port = self.take_any(&what(port)).ok_or_else(no_port_left)?;
                port.set("nodePort", node_port);
            } else if !held.contains(&node_port) && taken.insert(node_port) {
                self.take(node_port).map_err(|why| refused(index, node_port, why))?;
            }
            if !seen.insert((port.text("protocol").to_owned(), node_port)) {
                let message = format!("duplicate nodePort: {{{} {node_port}}}", port.text("protocol"));
                return Err(Refusal::Other(ApiError::new(Reason::InternalError, message)));
            }
        }
        Ok(())
    }

    /// The port that tells a load balancer which nodes have endpoints.
    pub(super) fn health_check(&mut self, spec: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
        if !needs_health_check(spec) || old.is_some_and(needs_health_check) {
            return Ok(());
        }
        let asked = spec.int("healthCheckNodePort");
        if asked == 0 {
            let any = self.take_any("health-check");
            let port = any.ok_or_else(|| internal("failed to allocate a HealthCheck NodePort 0: range is full"))?;
            spec.set("healthCheckNodePort", port);
            return Ok(());
        }
        let refuse = |why| internal(format!("failed to allocate requested HealthCheck NodePort {asked}: {why}"));
        self.take(asked).map_err(refuse)
    }
}

/// A port of a Service, as its luck knows it.
fn what(port: &Value) -> String {
    format!("{}/{}", port.int("port"), port.text("protocol"))
}

fn refused(index: usize, port: i64, why: String) -> Refusal {
    let ports = Path::root("spec.ports");
    Refusal::Invalid(vec![ports.index(index).child("nodePort").invalid(port, why)])
}

fn no_port_left() -> Refusal {
    internal("failed to allocate a nodePort: range is full")
}

fn internal(what: impl std::fmt::Display) -> Refusal {
    Refusal::Other(ApiError::new(Reason::InternalError, format!("Internal error occurred: {what}")))
}
