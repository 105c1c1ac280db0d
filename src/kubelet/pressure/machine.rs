//! What a machine has, and what something outside the pods takes of it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::kubelet::usage::Growth;
use crate::objects::Quantity;

/// What a machine has. Zero: nobody says, and it never runs out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Bytes.
    pub memory: i64,
    /// Bytes of its only file system.
    pub disk: i64,
    /// Process numbers.
    pub processes: i64,
}

impl Machine {
    /// As its Node says (`status.capacity`), with that many process numbers.
    #[must_use]
    pub fn new(capacity: &Map<String, Value>, processes: i64) -> Self {
        let amount = |name: &str| {
            let quantity: Option<Quantity> = capacity.get(name).and_then(|text| text.as_str()?.parse().ok());
            quantity.map_or(0, |quantity| quantity.value().max(0))
        };
        Self { memory: amount("memory"), disk: amount("ephemeral-storage"), processes }
    }

    pub(super) const fn of(&self, resource: MachineResource) -> i64 {
        match resource {
            MachineResource::Memory => self.memory,
            MachineResource::Disk => self.disk,
            MachineResource::Processes => self.processes,
        }
    }
}

/// Something of which a machine can run short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineResource {
    /// Memory.
    Memory,
    /// Its file system.
    Disk,
    /// Process numbers.
    Processes,
}

impl MachineResource {
    /// As scenarios write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Processes => "processes",
        }
    }

    /// The verb of scenarios that uses it.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Memory => "memoryPressure",
            Self::Disk => "diskPressure",
            Self::Processes => "pidPressure",
        }
    }
}

/// How much is taken: an amount, which may grow, or a part of all that the machine has. Written as a [`Growth`] or as `95%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eaten {
    /// So much.
    Amount(Growth),
    /// That many hundredths.
    Percent(u8),
}

impl Eaten {
    pub(super) fn on(self, capacity: i64) -> Growth {
        match self {
            Self::Amount(growth) => growth,
            Self::Percent(percent) => {
                let part = i128::from(capacity) * i128::from(percent) / 100;
                Growth::constant(i64::try_from(part).unwrap_or(i64::MAX))
            }
        }
    }
}

impl fmt::Display for Eaten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(growth) => growth.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl<'de> Deserialize<'de> for Eaten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EatenVisitor)
    }
}

struct EatenVisitor;

impl<'de> Visitor<'de> for EatenVisitor {
    type Value = Eaten;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as 6Gi, a percentage such as 95%, or {use, grow, after, max}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Eaten, E> {
        let Some(percent) = text.strip_suffix('%') else {
            return Growth::deserialize(text.into_deserializer()).map(Eaten::Amount);
        };
        match percent.parse() {
            Ok(percent) if percent <= 100 => Ok(Eaten::Percent(percent)),
            _ => Err(E::custom(format!("{text:?} is no whole percentage between 0% and 100%"))),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Eaten, E> {
        Growth::deserialize(number.into_deserializer()).map(Eaten::Amount)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Eaten, E> {
        Growth::deserialize(number.into_deserializer()).map(Eaten::Amount)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Eaten, A::Error> {
        Growth::deserialize(MapAccessDeserializer::new(map)).map(Eaten::Amount)
    }
}
