//! Rates of events in virtual time.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::error::{KernelError, RateFault, quoted};
use super::random::Stream;
use super::sampler::{exponential_quantile, round_nanos};
use super::time::{Decimal, SimDuration, unit_nanos};

/// Events per length of time, exact, between zero and one per nanosecond: `200/s`, `3/m`, `0.5/s`, `5/10s`.
/// Rates are equal when they mean the same: `60/m` is `1/s`.
#[derive(Clone, Copy)]
pub struct Rate {
    events: u64,
    /// Not zero, not less than `events` nanoseconds.
    period: SimDuration,
}

impl Rate {
    /// `events` in every `period`.
    ///
    /// # Errors
    /// If `period` is zero or there is more than one event per nanosecond.
    pub fn new(events: u64, period: SimDuration) -> Result<Self, KernelError> {
        Self::try_new(events, period).map_err(|fault| KernelError::Rate { input: format!("{events}/{period}"), fault })
    }

    /// `events` a second, at most 10^9.
    ///
    /// # Errors
    /// If there is more than one event per nanosecond.
    pub fn per_second(events: u64) -> Result<Self, KernelError> {
        Self::new(events, SimDuration::from_secs(1))
    }

    fn try_new(events: u64, period: SimDuration) -> Result<Self, RateFault> {
        if period.is_zero() {
            return Err(RateFault::ZeroPeriod);
        }
        if events > period.as_nanos() {
            return Err(RateFault::TooFast);
        }
        Ok(Self { events, period })
    }

    /// Whether nothing ever happens.
    pub fn is_zero(&self) -> bool {
        self.events == 0
    }

    /// Events and the period in which that many happen.
    pub const fn ratio(&self) -> (u64, SimDuration) {
        (self.events, self.period)
    }

    /// Events per second, for reports only.
    pub fn per_second_f64(&self) -> f64 {
        self.events as f64 / self.period.as_secs_f64()
    }

    /// From the start to the `n`-th event (the zeroth is at the start) of evenly spaced ones, exact to the nanosecond below however
    /// large `n` is; `None` for a zero rate or past [`SimDuration::MAX`].
    pub fn nth(&self, n: u64) -> Option<SimDuration> {
        let nanos = (u128::from(n) * u128::from(self.period.as_nanos())).checked_div(self.events.into())?;
        u64::try_from(nanos).ok().map(SimDuration::from_nanos)
    }

    /// The mean time between events, rounded down to a nanosecond; `None` for a zero rate.
    pub fn mean_gap(&self) -> Option<SimDuration> {
        self.nth(1)
    }

    /// Independent arrivals at this rate; `None` for a zero rate.
    pub fn poisson(&self) -> Option<Poisson> {
        (!self.is_zero()).then(|| Poisson { mean_nanos: self.period.as_nanos() as f64 / self.events as f64 })
    }

    fn parse(text: &str) -> Result<Self, RateFault> {
        let (count, period) = text.split_once('/').ok_or(RateFault::MissingPeriod)?;
        let (count, rest) = Decimal::split_from(count).map_err(|_| RateFault::Count)?;
        if !rest.is_empty() {
            return Err(RateFault::Count);
        }
        let period = parse_period(period)?;
        let events = count.whole.checked_mul(count.scale).and_then(|whole| whole.checked_add(count.fraction));
        let (events, scale) = (events.ok_or(RateFault::Overflow)?, count.scale);
        let common = gcd(events, scale);
        let period = period.checked_mul(scale / common).ok_or(RateFault::Overflow)?;
        Self::try_new(events / common, period)
    }

    /// Both rates over the same period.
    fn cross(&self, other: &Self) -> (u128, u128) {
        let over = |events: u64, period: SimDuration| u128::from(events) * u128::from(period.as_nanos());
        (over(self.events, other.period), over(other.events, self.period))
    }
}

/// A unit stands for one of it: `m` is `1m`.
fn parse_period(text: &str) -> Result<SimDuration, RateFault> {
    if let Ok(nanos) = unit_nanos(text) {
        return Ok(SimDuration::from_nanos(nanos));
    }
    text.parse().map_err(|error| match error {
        KernelError::Duration { fault, .. } => RateFault::Period(fault),
        _ => RateFault::MissingPeriod,
    })
}

/// The greatest common divisor; `b` is not zero.
fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rate {}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = self.cross(other);
        left.cmp(&right)
    }
}

impl fmt::Display for Rate {
    /// `200/s`, or `5/10s` where the period is not one unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            ["h", "m", "s", "ms", "us", "ns"].into_iter().find(|unit| unit_nanos(unit) == Ok(self.period.as_nanos()));
        match unit {
            Some(unit) => f.pad(&format!("{}/{unit}", self.events)),
            None => f.pad(&format!("{}/{}", self.events, self.period)),
        }
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Rate {
    type Err = KernelError;

    fn from_str(text: &str) -> Result<Self, KernelError> {
        Self::parse(text).map_err(|fault| KernelError::Rate { input: quoted(text), fault })
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(RateVisitor)
    }
}

struct RateVisitor;

impl de::Visitor<'_> for RateVisitor {
    type Value = Rate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rate such as \"200/s\" or \"3/10m\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
        text.parse().map_err(E::custom)
    }
}

/// Independent arrivals: the gaps between them are exponentially distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Poisson {
    /// At least 1.
    mean_nanos: f64,
}

impl Poisson {
    /// The time to the next arrival, rounded to the nearest nanosecond.
    #[inline]
    pub fn gap(&self, stream: &mut Stream) -> SimDuration {
        round_nanos(self.mean_nanos * exponential_quantile(stream))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::error::DurationFault;
    use super::super::random::{Purpose, Streams};
    use super::*;

    fn fault(text: &str) -> RateFault {
        match text.parse::<Rate>() {
            Err(KernelError::Rate { fault, .. }) => fault,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn rates_read_as_they_are_written() {
        for text in ["200/s", "3/m", "0/s", "1/h", "5/10s", "7/ms", "1/ns"] {
            assert_eq!(text.parse::<Rate>().map(|rate| rate.to_string()).as_deref(), Ok(text));
        }
        for (text, same) in [("0.5/s", "1/2s"), ("60/m", "1/s"), ("1.50/1m", "3/2m"), ("10/10s", "1/s")] {
            assert_eq!(text.parse::<Rate>(), same.parse(), "{text}");
        }
        assert!("2/s".parse::<Rate>().is_ok_and(|fast| "100/m".parse().is_ok_and(|slow| fast > slow)));
    }

    #[test]
    fn bad_rates_name_their_fault() {
        assert_eq!(fault("200"), RateFault::MissingPeriod);
        assert_eq!(fault("/s"), RateFault::Count);
        assert_eq!(fault("-1/s"), RateFault::Count);
        assert_eq!(fault("1e3/s"), RateFault::Count);
        assert_eq!(fault("1/"), RateFault::Period(DurationFault::Empty));
        assert_eq!(fault("1/d"), RateFault::Period(DurationFault::MissingNumber));
        assert_eq!(fault("1/0s"), RateFault::ZeroPeriod);
        assert_eq!(fault("2/ns"), RateFault::TooFast);
        assert_eq!(fault("18446744073709551615.5/s"), RateFault::Overflow);
        assert_eq!(fault("0.000000000000000001/h"), RateFault::Overflow);
        assert!(Rate::new(1, SimDuration::ZERO).is_err() && Rate::per_second(1_000_000_001).is_err());
        let error = serde_json::from_str::<Rate>("200").map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("a rate such as")));
    }

    #[test]
    fn even_spacing_does_not_drift() {
        let rate = Rate::per_second(3).expect("in range");
        assert_eq!(rate.mean_gap(), Some(SimDuration::from_nanos(333_333_333)));
        assert_eq!(rate.nth(2), Some(SimDuration::from_nanos(666_666_666)));
        assert_eq!(rate.nth(3_000_000), Some(SimDuration::from_secs(1_000_000)));
        assert_eq!(rate.nth(u64::MAX), None);
        let never = Rate::per_second(0).expect("in range");
        assert!(never.is_zero() && never.nth(1).is_none() && never.poisson().is_none());
    }

    #[test]
    fn poisson_gaps_have_known_values() {
        let arrivals = "200/s".parse::<Rate>().expect("a rate").poisson().expect("not zero");
        let mut stream = Streams::new(42).stream(Purpose::new(1), 7u64);
        let gaps: Vec<u64> = (0..4).map(|_| arrivals.gap(&mut stream).as_nanos()).collect();
        assert_eq!(gaps, [4_473_383, 3_533_448, 1_682_026, 3_564_715]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_rate_survives_its_text(events: u64, period in 1u64.., shift in 0u32..64) {
            let period = SimDuration::from_nanos(period);
            let rate = Rate::new((events >> shift).min(period.as_nanos()), period).expect("in range");
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            prop_assert_eq!(serde_json::from_value::<Rate>(serde_json::json!(rate)).ok(), Some(rate));
        }

        #[test]
        fn poisson_arrivals_come_at_the_rate(seed: u64, events in 1u64..=1_000_000) {
            let arrivals = Rate::per_second(events).expect("in range").poisson().expect("not zero");
            let mut stream = Streams::new(seed).stream(Purpose::new(1), 0u64);
            let total: SimDuration = (0..10_000).map(|_| arrivals.gap(&mut stream)).sum();
            let observed = 10_000.0 / total.as_secs_f64();
            prop_assert!((observed / events as f64 - 1.0).abs() < 0.06, "{} for {}", observed, events);
        }
    }
}
