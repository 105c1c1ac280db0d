//! Hints of `service.kubernetes.io/topology-mode: Auto`: each zone gets a share of the endpoints that is its share of the CPU
//! (upstream `k8s.io/endpointslice/topologycache`).
//!
//! Zones are gone through in the order of their names, where upstream goes through a map.

mod add;
#[cfg(test)]
mod service_tests;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType, EventKind};
use crate::objects::{ConditionStatus, Conditions, Key, Node};

use super::blueprint::AddressType;
use super::candidates::zone;

pub(super) use add::SliceInfo;

/// Most that an endpoint may be used beyond its share.
const OVERLOAD_THRESHOLD: f64 = 0.2;
/// Nodes with these labels do not count.
const EXCLUDED_LABELS: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Endpoints by the zone that they are meant for.
pub(super) type ByZone = BTreeMap<Arc<str>, usize>;

/// Something to tell about a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: EventKind,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Told {
    pub(super) fn enabled(address_type: AddressType) -> Self {
        let message = format!("Topology Aware Hints has been enabled, addressType: {address_type}");
        Self { kind: EventKind::Normal, reason: "TopologyAwareHintsEnabled", message }
    }

    pub(super) fn disabled(why: &str, address_type: AddressType) -> Self {
        let message = format!("{why}, addressType: {address_type}");
        Self { kind: EventKind::Warning, reason: "TopologyAwareHintsDisabled", message }
    }
}

/// What a node that counts has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Share {
    /// So much CPU of a zone, in thousandths of a core.
    Zone(Arc<str>, u64),
    /// No zone or no CPU: no zone gets hints as long as there is such a node.
    Unknown,
}

/// The CPU of zones and the hints that were given.
#[derive(Clone, Debug, Default)]
pub(super) struct TopologyCache {
    nodes: FxHashMap<Arc<str>, Share>,
    /// CPU by zone, and nodes.
    zones: BTreeMap<Arc<str>, (u64, usize)>,
    unknown: usize,
    /// Hints that were given, by Service and address type. A Service that is deleted keeps its entry, as upstream.
    given: BTreeMap<Key, BTreeMap<AddressType, ByZone>>,
    populated: BTreeSet<Key>,
}

impl TopologyCache {
    /// Takes in a change of a node. Returns whether Services may be overloaded by it.
    pub(super) fn follow(&mut self, change: &Change, node: &Node) -> bool {
        let old = change.of::<Node>().and_then(|(old, _)| old).map(Arc::as_ref);
        let deleted = change.change_type == ChangeType::Deleted;
        self.set(&node.meta.name, if deleted { None } else { share(node) });
        match old {
            Some(old) if !deleted => is_ready(old) != is_ready(node) || zone(old) != zone(node),
            _ => true,
        }
    }

    fn set(&mut self, name: &Arc<str>, share: Option<Share>) {
        let before = match &share {
            Some(share) => self.nodes.insert(name.clone(), share.clone()),
            None => self.nodes.remove(name),
        };
        if before == share {
            return;
        }
        match before {
            Some(Share::Zone(zone, cpu)) => {
                if let Some((sum, nodes)) = self.zones.get_mut(&zone) {
                    (*sum, *nodes) = (*sum - cpu, *nodes - 1);
                    if *nodes == 0 {
                        self.zones.remove(&zone);
                    }
                }
            }
            Some(Share::Unknown) => self.unknown -= 1,
            None => {}
        }
        match share {
            Some(Share::Zone(zone, cpu)) => {
                let (sum, nodes) = self.zones.entry(zone).or_default();
                (*sum, *nodes) = (*sum + cpu, *nodes + 1);
            }
            Some(Share::Unknown) => self.unknown += 1,
            None => {}
        }
    }

    /// Each zone's share of the CPU; nothing, if too little is known, or there is one zone only.
    pub(super) fn ratios(&self) -> Option<BTreeMap<Arc<str>, f64>> {
        let total: u64 = self.zones.values().map(|(cpu, _)| cpu).sum();
        if total == 0 || self.unknown > 0 || self.zones.len() < 2 {
            return None;
        }
        Some(self.zones.iter().map(|(zone, (cpu, _))| (zone.clone(), *cpu as f64 / total as f64)).collect())
    }

    /// Services with too few endpoints for some zone.
    pub(super) fn overloaded(&self) -> Vec<Key> {
        if self.given.is_empty() {
            return Vec::new();
        }
        let ratios = self.ratios();
        let overloaded = |given: &BTreeMap<AddressType, ByZone>| {
            given.values().any(|by_zone| shares::is_overloaded(by_zone, ratios.as_ref()))
        };
        self.given.iter().filter(|(_, given)| overloaded(given)).map(|(key, _)| key.clone()).collect()
    }

    fn give(&mut self, service: &Key, address_type: AddressType, by_zone: ByZone) {
        self.given.entry(service.clone()).or_default().insert(address_type, by_zone);
        self.populated.insert(service.clone());
    }

    /// Forgets the hints of a Service. Returns whether it had any.
    pub(super) fn remove(&mut self, service: &Key, address_type: AddressType) -> bool {
        if let Some(given) = self.given.get_mut(service) {
            given.remove(address_type);
            if given.is_empty() {
                self.given.remove(service);
            }
        }
        self.populated.remove(service)
    }
}

/// What a node counts for; nothing, if it does not.
fn share(node: &Node) -> Option<Share> {
    if EXCLUDED_LABELS.iter().any(|label| node.meta.labels.contains_key(label)) || !is_ready(node) {
        return None;
    }
    let cpu = u64::try_from(node.status.allocatable.cpu_milli).unwrap_or(0);
    Some(match zone(node) {
        Some(zone) if cpu > 0 => Share::Zone(zone.clone(), cpu),
        _ => Share::Unknown,
    })
}

fn is_ready(node: &Node) -> bool {
    node.status.conditions.find("Ready").is_some_and(|ready| ready.status == ConditionStatus::True)
}
