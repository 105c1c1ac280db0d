//! Machines.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sim::ZONE_LABEL;

/// A machine, a node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores.
    pub cores: u8,
    /// Number of its zone.
    pub zone: u8,
    /// Whether it has the taint `dedicated=gpu:NoSchedule`.
    pub is_dedicated: bool,
}

impl Machine {
    /// Machines of 1, 2 or 4 cores in that many zones, that share of them dedicated.
    pub fn strategy(zones: u8, dedicated: f64) -> BoxedStrategy<Self> {
        let cores = prop_oneof![1 => Just(1u8), 3 => Just(2), 3 => Just(4)];
        (cores, 0..zones.max(1), prop::bool::weighted(dedicated))
            .prop_map(|(cores, zone, is_dedicated)| Self { cores, zone, is_dedicated })
            .boxed()
    }

    /// Name of the node with that number.
    #[must_use]
    pub fn name(number: usize) -> String {
        format!("node-{number}")
    }

    /// Name of the zone with that number.
    pub(super) fn zone_name(zone: u8) -> String {
        format!("zone-{zone}")
    }

    /// The taints that it has from the beginning.
    pub(super) fn taints(&self) -> Vec<Value> {
        let dedicated = json!({"key": "dedicated", "value": "gpu", "effect": "NoSchedule"});
        self.is_dedicated.then_some(dedicated).into_iter().collect()
    }

    /// The entry of a scenario's `nodes` with that number.
    pub(super) fn entry(&self, number: usize) -> Value {
        let mut node = json!({
            "name": Self::name(number), "capacity": {"cpu": self.cores.to_string()},
            "labels": {ZONE_LABEL: Self::zone_name(self.zone)},
        });
        if self.is_dedicated {
            node["taints"] = self.taints().into();
        }
        node
    }
}
