//! Amounts of resources, as integers.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use super::Quantity;
use super::pod_resources::ResourceAmounts;

/// Amounts of resources: CPU in thousandths of a core, memory and storage in bytes, others in units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub ephemeral_storage: i64,
    /// Number of pods (capacity only).
    pub pods: i64,
    /// Extended resources and huge pages, sorted by name; empty for nearly every pod.
    pub extended: Vec<(Arc<str>, i64)>,
    /// Bit set of which of the four above were written at all (1 = cpu, 2 = memory, 4 = storage, 8 = pods).
    pub named: u8,
}

impl Resources {
    /// Sets one resource by its API name.
    pub fn set(&mut self, name: &str, quantity: &Quantity) {
        match name {
            "cpu" => (self.cpu_milli, self.named) = (quantity.milli_value(), self.named | 1),
            "memory" => (self.memory, self.named) = (quantity.value(), self.named | 2),
            "ephemeral-storage" => (self.ephemeral_storage, self.named) = (quantity.value(), self.named | 4),
            "pods" => (self.pods, self.named) = (quantity.value(), self.named | 8),
            _ => match self.extended.binary_search_by(|(n, _)| (**n).cmp(name)) {
                Ok(at) => self.extended[at].1 = quantity.value(),
                Err(at) => self.extended.insert(at, (name.into(), quantity.value())),
            },
        }
    }

    /// The amount of an extended resource.
    #[must_use]
    pub fn extended(&self, name: &str) -> i64 {
        self.extended.binary_search_by(|(n, _)| (**n).cmp(name)).map_or(0, |at| self.extended[at].1)
    }

    /// Adds `other`, resource by resource.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, i64::saturating_add);
    }

    /// Subtracts `other`, resource by resource.
    pub fn sub(&mut self, other: &Self) {
        self.merge(other, i64::saturating_sub);
    }

    /// Raises each resource to at least that of `other`.
    pub fn max(&mut self, other: &Self) {
        self.merge(other, i64::max);
    }

    fn merge(&mut self, other: &Self, combine: impl Fn(i64, i64) -> i64) {
        self.cpu_milli = combine(self.cpu_milli, other.cpu_milli);
        self.memory = combine(self.memory, other.memory);
        self.ephemeral_storage = combine(self.ephemeral_storage, other.ephemeral_storage);
        self.pods = combine(self.pods, other.pods);
        self.named |= other.named;
        for (name, amount) in &other.extended {
            match self.extended.binary_search_by(|(n, _)| n.cmp(name)) {
                Ok(at) => self.extended[at].1 = combine(self.extended[at].1, *amount),
                Err(at) => self.extended.insert(at, (name.clone(), combine(0, *amount))),
            }
        }
    }
}

impl From<&ResourceAmounts> for Resources {
    fn from(amounts: &ResourceAmounts) -> Self {
        let mut resources = Self::default();
        amounts.iter().for_each(|(name, quantity)| resources.set(name, quantity));
        resources
    }
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Option::<ResourceAmounts>::deserialize(deserializer)?;
        Ok(Self::from(&entries.unwrap_or_default()))
    }
}
