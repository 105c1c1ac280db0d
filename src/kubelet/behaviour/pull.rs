//! Whether an image can be had, and how long that takes.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::Sampler;
use crate::objects::Quantity;

/// Whether an image can be had. Written as `ok`, `error`, or as a map of how it is pulled.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pull {
    /// Every machine has it.
    #[default]
    Ok,
    /// No machine has it, nor has the registry.
    Error,
    /// The registry has it; a machine has it once it has pulled it.
    Slow(Box<SlowPull>),
}

/// How an image comes to a machine. Pulls of one machine wait for each other, as with `serializeImagePulls`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowPull {
    /// How long a pull takes.
    pub takes: Sampler,
    /// What the Event says of its size.
    #[serde(default)]
    pub size: Quantity,
}

impl Serialize for Pull {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ok => serializer.serialize_str("ok"),
            Self::Error => serializer.serialize_str("error"),
            Self::Slow(slow) => slow.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Pull {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PullVisitor)
    }
}

struct PullVisitor;

impl<'de> Visitor<'de> for PullVisitor {
    type Value = Pull;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ok, error, or how long a pull takes as in {takes: 30s}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Pull, E> {
        match text {
            "ok" => Ok(Pull::Ok),
            "error" => Ok(Pull::Error),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Pull, A::Error> {
        SlowPull::deserialize(MapAccessDeserializer::new(map)).map(|slow| Pull::Slow(Box::new(slow)))
    }
}
