//! Distributions of durations whose samples are the same, bit for bit, on every platform.
//!
//! Samples are made of integer operations, the correctly rounded operations of IEEE 754 and `libm`'s portable `exp` and `log`. The
//! standard library's go to the platform's mathematics library and differ in the last bit.

mod normal;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::normal::{QUANTILE_99, quantile};
use self::text::SamplerText;
use super::error::KernelError;
use super::random::{LazyStream, Stream};
use super::time::SimDuration;

/// A distribution of durations. Written as a duration (`2s`, always the same) or as a map: `{distribution: uniform, min, max}`,
/// `{distribution: exponential, mean}`, `{distribution: lognormal, median, p99}`, `{distribution: weibull, shape, scale}`,
/// `{distribution: empirical, values, weights}`. Its parameters are checked when it is made. The default is always zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SamplerText", into = "SamplerText")]
pub struct Sampler(Distribution);

#[derive(Clone, Debug, PartialEq)]
enum Distribution {
    Constant(SimDuration),
    Uniform { min: SimDuration, max: SimDuration },
    Exponential { mean: SimDuration },
    LogNormal { median: SimDuration, p99: SimDuration, sigma: f64 },
    Weibull { shape: f64, scale: SimDuration },
    Empirical(Arc<Empirical>),
}

#[derive(Debug, PartialEq)]
struct Empirical {
    values: Vec<SimDuration>,
    weights: Option<Vec<u64>>,
    /// The sums of the weights up to each value; without weights empty.
    cumulative: Vec<u64>,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::constant(SimDuration::ZERO)
    }
}

impl From<SimDuration> for Sampler {
    fn from(value: SimDuration) -> Self {
        Self::constant(value)
    }
}

impl Sampler {
    /// Always `value`. Takes nothing from the stream.
    pub const fn constant(value: SimDuration) -> Self {
        Self(Distribution::Constant(value))
    }

    /// Every nanosecond from `min` to `max`, both included, equally likely.
    ///
    /// # Errors
    /// If `max` is shorter than `min`.
    pub fn uniform(min: SimDuration, max: SimDuration) -> Result<Self, KernelError> {
        require(min <= max, "uniform", "max", "must not be shorter than `min`")?;
        Ok(Self(Distribution::Uniform { min, max }))
    }

    /// The time to an event that is as likely at any moment.
    ///
    /// # Errors
    /// If `mean` is zero.
    pub fn exponential(mean: SimDuration) -> Result<Self, KernelError> {
        require(!mean.is_zero(), "exponential", "mean", "must be longer than zero")?;
        Ok(Self(Distribution::Exponential { mean }))
    }

    /// The lognormal distribution with this median, of whose samples 99 in 100 are shorter than `p99`.
    ///
    /// # Errors
    /// If `median` is zero or `p99` is not longer.
    pub fn log_normal(median: SimDuration, p99: SimDuration) -> Result<Self, KernelError> {
        require(!median.is_zero(), "lognormal", "median", "must be longer than zero")?;
        require(p99 > median, "lognormal", "p99", "must be longer than `median`")?;
        let sigma = libm::log(p99.as_nanos() as f64 / median.as_nanos() as f64) / QUANTILE_99;
        Ok(Self(Distribution::LogNormal { median, p99, sigma }))
    }

    /// The Weibull distribution: times to failure with a rate that falls (`shape` < 1), stays or grows (`shape` > 1).
    /// 63.2 % of the samples are shorter than `scale`.
    ///
    /// # Errors
    /// If `shape` is not positive and finite or `scale` is zero.
    pub fn weibull(shape: f64, scale: SimDuration) -> Result<Self, KernelError> {
        require(shape.is_finite() && shape > 0.0, "weibull", "shape", "must be positive and finite")?;
        require(!scale.is_zero(), "weibull", "scale", "must be longer than zero")?;
        Ok(Self(Distribution::Weibull { shape, scale }))
    }

    /// One of `values`, each equally likely.
    ///
    /// # Errors
    /// If there are none.
    pub fn empirical(values: Vec<SimDuration>) -> Result<Self, KernelError> {
        Self::new_empirical(values, None)
    }

    /// One of `values`, each as likely as the weight at its place is large.
    ///
    /// # Errors
    /// If there are no values, not as many weights as values, or the weights' sum is zero or does not fit 64 bits.
    pub fn weighted(values: Vec<SimDuration>, weights: Vec<u64>) -> Result<Self, KernelError> {
        Self::new_empirical(values, Some(weights))
    }

    fn new_empirical(values: Vec<SimDuration>, weights: Option<Vec<u64>>) -> Result<Self, KernelError> {
        require(!values.is_empty(), "empirical", "values", "must not be empty")?;
        let cumulative = match &weights {
            Some(weights) => {
                require(weights.len() == values.len(), "empirical", "weights", "must be as many as `values`")?;
                cumulative_sums(weights)?
            }
            None => Vec::new(),
        };
        Ok(Self(Distribution::Empirical(Arc::new(Empirical { values, weights, cumulative }))))
    }

    /// The one value of a constant distribution, `None` of the others.
    pub fn as_constant(&self) -> Option<SimDuration> {
        match self.0 {
            Distribution::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// A duration drawn from the distribution, rounded to the nearest nanosecond, at most [`SimDuration::MAX`].
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> SimDuration {
        match &self.0 {
            Distribution::Constant(value) => *value,
            other => other.draw(stream),
        }
    }

    /// The same from a stream that a constant need not make.
    pub fn sample_lazily(&self, luck: &mut LazyStream) -> SimDuration {
        self.as_constant().unwrap_or_else(|| self.sample(luck.get()))
    }
}

impl Distribution {
    fn draw(&self, stream: &mut Stream) -> SimDuration {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { min, max } => sample_uniform(*min, *max, stream),
            Self::Exponential { mean } => scaled(*mean, exponential_quantile(stream)),
            Self::LogNormal { median, sigma, .. } => {
                scaled(*median, libm::exp(sigma * quantile(stream.open_unit_f64())))
            }
            Self::Weibull { shape, scale } => {
                scaled(*scale, libm::exp(libm::log(exponential_quantile(stream)) / shape))
            }
            Self::Empirical(empirical) => empirical.sample(stream),
        }
    }
}

impl Empirical {
    fn sample(&self, stream: &mut Stream) -> SimDuration {
        let index = match self.cumulative.last() {
            Some(&total) => {
                let draw = stream.below(total);
                self.cumulative.partition_point(|&sum| sum <= draw)
            }
            None => stream.below(self.values.len() as u64) as usize,
        };
        self.values[index]
    }
}

/// A unit-mean exponential sample, between 1.1e-16 and 37.
#[inline]
pub(super) fn exponential_quantile(stream: &mut Stream) -> f64 {
    -libm::log(stream.open_unit_f64())
}

/// The nearest whole nanosecond; saturates.
#[inline]
pub(super) fn round_nanos(nanos: f64) -> SimDuration {
    SimDuration::from_nanos((nanos + 0.5) as u64)
}

fn scaled(unit: SimDuration, factor: f64) -> SimDuration {
    round_nanos(unit.as_nanos() as f64 * factor)
}

fn sample_uniform(min: SimDuration, max: SimDuration, stream: &mut Stream) -> SimDuration {
    let span = (max - min).as_nanos();
    let offset = match span.checked_add(1) {
        Some(count) => stream.below(count),
        None => stream.next_u64(),
    };
    min + SimDuration::from_nanos(offset)
}

fn cumulative_sums(weights: &[u64]) -> Result<Vec<u64>, KernelError> {
    let mut sums = Vec::with_capacity(weights.len());
    let mut total: u64 = 0;
    for weight in weights {
        let sum = total.checked_add(*weight);
        require(sum.is_some(), "empirical", "weights", "must not add up to more than 2^64 - 1")?;
        total = sum.unwrap_or(total);
        sums.push(total);
    }
    require(total > 0, "empirical", "weights", "must not all be zero")?;
    Ok(sums)
}

fn require(
    holds: bool,
    distribution: &'static str,
    parameter: &'static str,
    rule: &'static str,
) -> Result<(), KernelError> {
    match holds {
        true => Ok(()),
        false => Err(KernelError::ParameterRange { distribution, parameter, rule }),
    }
}

#[cfg(test)]
mod tests;
