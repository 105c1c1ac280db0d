//! How a distribution is written.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::error::{KernelError, quoted};
use super::super::time::SimDuration;
use super::{Distribution, Sampler};

const NAMES: &str = "constant, uniform, exponential, lognormal, weibull or empirical";

/// A duration, or a map with the parameters of all distributions.
pub(super) enum SamplerText {
    Constant(SimDuration),
    Map(Box<Parameters>),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    distribution: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mean: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    median: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p99: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<SimDuration>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights: Option<Vec<u64>>,
}

impl Parameters {
    fn into_sampler(mut self) -> Result<Sampler, KernelError> {
        let sampler = match self.distribution.as_str() {
            "constant" => Sampler::constant(needed("constant", "value", &mut self.value)?),
            "uniform" => {
                let (min, max) = (needed("uniform", "min", &mut self.min)?, needed("uniform", "max", &mut self.max)?);
                Sampler::uniform(min, max)?
            }
            "exponential" => Sampler::exponential(needed("exponential", "mean", &mut self.mean)?)?,
            "lognormal" => {
                let median = needed("lognormal", "median", &mut self.median)?;
                Sampler::log_normal(median, needed("lognormal", "p99", &mut self.p99)?)?
            }
            "weibull" => {
                let shape = needed("weibull", "shape", &mut self.shape)?;
                Sampler::weibull(shape, needed("weibull", "scale", &mut self.scale)?)?
            }
            "empirical" => {
                Sampler::new_empirical(needed("empirical", "values", &mut self.values)?, self.weights.take())?
            }
            name => return Err(KernelError::UnknownDistribution { name: quoted(name), expected: NAMES }),
        };
        match self.first_left() {
            Some(parameter) => Err(KernelError::ForeignParameter { distribution: sampler.0.name(), parameter }),
            None => Ok(sampler),
        }
    }

    /// A parameter that the distribution did not take.
    fn first_left(&self) -> Option<&'static str> {
        let left = [
            ("value", self.value.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("mean", self.mean.is_some()),
            ("median", self.median.is_some()),
            ("p99", self.p99.is_some()),
            ("shape", self.shape.is_some()),
            ("scale", self.scale.is_some()),
            ("values", self.values.is_some()),
            ("weights", self.weights.is_some()),
        ];
        left.into_iter().find_map(|(parameter, present)| present.then_some(parameter))
    }
}

fn needed<T>(distribution: &'static str, parameter: &'static str, value: &mut Option<T>) -> Result<T, KernelError> {
    value.take().ok_or(KernelError::MissingParameter { distribution, parameter })
}

impl Distribution {
    fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "constant",
            Self::Uniform { .. } => "uniform",
            Self::Exponential { .. } => "exponential",
            Self::LogNormal { .. } => "lognormal",
            Self::Weibull { .. } => "weibull",
            Self::Empirical(_) => "empirical",
        }
    }
}

impl TryFrom<SamplerText> for Sampler {
    type Error = KernelError;

    fn try_from(text: SamplerText) -> Result<Self, KernelError> {
        match text {
            SamplerText::Constant(value) => Ok(Self::constant(value)),
            SamplerText::Map(parameters) => parameters.into_sampler(),
        }
    }
}

impl From<Sampler> for SamplerText {
    fn from(sampler: Sampler) -> Self {
        let mut map = Box::new(Parameters { distribution: sampler.0.name().to_owned(), ..Parameters::default() });
        match sampler.0 {
            Distribution::Constant(value) => return Self::Constant(value),
            Distribution::Uniform { min, max } => (map.min, map.max) = (Some(min), Some(max)),
            Distribution::Exponential { mean } => map.mean = Some(mean),
            Distribution::LogNormal { median, p99, .. } => (map.median, map.p99) = (Some(median), Some(p99)),
            Distribution::Weibull { shape, scale } => (map.shape, map.scale) = (Some(shape), Some(scale)),
            Distribution::Empirical(empirical) => {
                (map.values, map.weights) = (Some(empirical.values.clone()), empirical.weights.clone());
            }
        }
        Self::Map(map)
    }
}

impl Serialize for SamplerText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Constant(value) => value.serialize(serializer),
            Self::Map(parameters) => parameters.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SamplerText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Not an untagged enum, so that errors say what is wrong and where.
struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = SamplerText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"2s\" or a map with the key `distribution`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SamplerText, E> {
        text.parse().map(SamplerText::Constant).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<SamplerText, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<SamplerText, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<SamplerText, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SamplerText, A::Error> {
        Parameters::deserialize(MapAccessDeserializer::new(map)).map(|map| SamplerText::Map(Box::new(map)))
    }
}
