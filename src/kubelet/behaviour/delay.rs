//! Times that may be infinite.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::{LazyStream, Sampler, SimDuration};

/// How long something takes that may never happen. Written as a duration, a distribution, or `never`.
#[derive(Clone, Debug, PartialEq)]
pub enum Delay {
    /// After a while.
    After(Sampler),
    /// Never.
    Never,
}

impl Delay {
    /// At once.
    pub const ZERO: Self = Self::After(Sampler::constant(SimDuration::ZERO));

    /// A duration drawn; `None` = never.
    pub(in crate::kubelet) fn sample(&self, luck: &mut LazyStream) -> Option<SimDuration> {
        match self {
            Self::After(delay) => Some(delay.sample_lazily(luck)),
            Self::Never => None,
        }
    }
}

impl From<SimDuration> for Delay {
    fn from(value: SimDuration) -> Self {
        Self::After(value.into())
    }
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::After(delay) => delay.serialize(serializer),
            Self::Never => serializer.serialize_str("never"),
        }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DelayVisitor)
    }
}

struct DelayVisitor;

impl<'de> Visitor<'de> for DelayVisitor {
    type Value = Delay;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration, a distribution or \"never\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Delay, E> {
        if text == "never" {
            return Ok(Delay::Never);
        }
        Sampler::deserialize(text.into_deserializer()).map(Delay::After)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Delay, E> {
        Sampler::deserialize(number.into_deserializer()).map(Delay::After)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Delay, E> {
        Sampler::deserialize(number.into_deserializer()).map(Delay::After)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Delay, E> {
        Sampler::deserialize(number.into_deserializer()).map(Delay::After)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Delay, A::Error> {
        Sampler::deserialize(MapAccessDeserializer::new(map)).map(Delay::After)
    }
}
