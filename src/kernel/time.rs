//! Virtual time: integer nanoseconds, written the way Go (and so Kubernetes) writes durations.

use std::fmt::{self, Write as _};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub, SubAssign};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{DurationFault, KernelError, quoted};

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000 * MICRO;
const SECOND: u64 = 1_000 * MILLI;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// An instant: nanoseconds since the start of the simulation. Arithmetic saturates at zero and at [`SimTime::MAX`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A length of virtual time in nanoseconds, never negative. Arithmetic saturates at zero and at [`SimDuration::MAX`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

/// The constructors and accessors that an instant and a duration share.
macro_rules! nanoseconds {
    ($name:ident) => {
        impl $name {
            /// Zero nanoseconds.
            pub const ZERO: Self = Self(0);
            /// 2^64 - 1 nanoseconds, about 584 years.
            pub const MAX: Self = Self(u64::MAX);

            /// From nanoseconds.
            pub const fn from_nanos(nanos: u64) -> Self {
                Self(nanos)
            }

            /// From microseconds, saturating.
            pub const fn from_micros(micros: u64) -> Self {
                Self(micros.saturating_mul(MICRO))
            }

            /// From milliseconds, saturating.
            pub const fn from_millis(millis: u64) -> Self {
                Self(millis.saturating_mul(MILLI))
            }

            /// From seconds, saturating.
            pub const fn from_secs(secs: u64) -> Self {
                Self(secs.saturating_mul(SECOND))
            }

            /// From minutes, saturating.
            pub const fn from_mins(mins: u64) -> Self {
                Self(mins.saturating_mul(MINUTE))
            }

            /// From hours, saturating.
            pub const fn from_hours(hours: u64) -> Self {
                Self(hours.saturating_mul(HOUR))
            }

            /// Nanoseconds.
            pub const fn as_nanos(self) -> u64 {
                self.0
            }

            /// Whole microseconds.
            pub const fn as_micros(self) -> u64 {
                self.0 / MICRO
            }

            /// Whole milliseconds.
            pub const fn as_millis(self) -> u64 {
                self.0 / MILLI
            }

            /// Whole seconds.
            pub const fn as_secs(self) -> u64 {
                self.0 / SECOND
            }

            /// Seconds with a fraction, for display and reports only: decisions use the integer.
            pub const fn as_secs_f64(self) -> f64 {
                self.0 as f64 / SECOND as f64
            }

            /// Whether this is zero.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum, or `None` past [`Self::MAX`].
            pub const fn checked_add(self, duration: SimDuration) -> Option<Self> {
                match self.0.checked_add(duration.0) {
                    Some(nanos) => Some(Self(nanos)),
                    None => None,
                }
            }

            /// The difference, or `None` below zero.
            pub const fn checked_sub(self, duration: SimDuration) -> Option<Self> {
                match self.0.checked_sub(duration.0) {
                    Some(nanos) => Some(Self(nanos)),
                    None => None,
                }
            }
        }

        impl Add<SimDuration> for $name {
            type Output = Self;

            /// Saturates at [`Self::MAX`].
            fn add(self, duration: SimDuration) -> Self {
                Self(self.0.saturating_add(duration.0))
            }
        }

        impl AddAssign<SimDuration> for $name {
            fn add_assign(&mut self, duration: SimDuration) {
                *self = *self + duration;
            }
        }

        impl Sub<SimDuration> for $name {
            type Output = Self;

            /// Saturates at zero.
            fn sub(self, duration: SimDuration) -> Self {
                Self(self.0.saturating_sub(duration.0))
            }
        }

        impl SubAssign<SimDuration> for $name {
            fn sub_assign(&mut self, duration: SimDuration) {
                *self = *self - duration;
            }
        }

        impl fmt::Display for $name {
            /// As Go's `time.Duration`: `0s`, `300ms`, `1m30s`, `1h0m0.5s`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&go_text(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = KernelError;

            fn from_str(text: &str) -> Result<Self, KernelError> {
                match parse_nanos(text) {
                    Ok(nanos) => Ok(Self(nanos)),
                    Err(fault) => Err(KernelError::Duration { input: quoted(text), fault }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&go_text(self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(NanosVisitor).map(Self)
            }
        }
    };
}

nanoseconds!(SimTime);
nanoseconds!(SimDuration);

impl SimTime {
    /// The time from `earlier` to here; zero if `earlier` is later.
    pub const fn since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
}

impl Sub for SimTime {
    type Output = SimDuration;

    /// Same as [`SimTime::since`].
    fn sub(self, earlier: SimTime) -> SimDuration {
        self.since(earlier)
    }
}

impl SimDuration {
    /// The product, or `None` past [`SimDuration::MAX`].
    pub const fn checked_mul(self, factor: u64) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The quotient, rounded down, or `None` for a zero divisor.
    pub const fn checked_div(self, divisor: u64) -> Option<Self> {
        match self.0.checked_div(divisor) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }
}

impl Mul<u64> for SimDuration {
    type Output = Self;

    /// Saturates at [`SimDuration::MAX`].
    fn mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = Self>>(durations: I) -> Self {
        durations.fold(Self::ZERO, Add::add)
    }
}

/// Reads Go's text. A bare `0` needs no unit, in quotes or not.
struct NanosVisitor;

impl Visitor<'_> for NanosVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"300ms\" or \"1m30s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        text.parse::<SimDuration>().map(SimDuration::as_nanos).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
        self.visit_str(&number.to_string())
    }
}

fn go_text(nanos: u64) -> String {
    let mut text = String::with_capacity(24);
    match nanos {
        0 => text.push_str("0s"),
        1..MICRO => push_decimal(&mut text, nanos, 1, "ns"),
        MICRO..MILLI => push_decimal(&mut text, nanos, MICRO, "µs"),
        MILLI..SECOND => push_decimal(&mut text, nanos, MILLI, "ms"),
        SECOND.. => {
            if nanos >= HOUR {
                push_decimal(&mut text, nanos / HOUR, 1, "h");
            }
            if nanos >= MINUTE {
                push_decimal(&mut text, nanos % HOUR / MINUTE, 1, "m");
            }
            push_decimal(&mut text, nanos % MINUTE, SECOND, "s");
        }
    }
    text
}

/// Appends `nanos / unit` with as many decimals as it has.
fn push_decimal(text: &mut String, nanos: u64, unit: u64, suffix: &str) {
    let mut infallible = write!(text, "{}", nanos / unit);
    let fraction = nanos % unit;
    if fraction != 0 {
        let width = unit.ilog10() as usize;
        infallible = infallible.and_then(|()| write!(text, ".{fraction:0width$}"));
        text.truncate(text.trim_end_matches('0').len());
    }
    debug_assert!(infallible.is_ok(), "writing to a String does not fail");
    text.push_str(suffix);
}

fn parse_nanos(text: &str) -> Result<u64, DurationFault> {
    if text.starts_with('-') {
        return Err(DurationFault::Negative);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    match rest {
        "" => return Err(DurationFault::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = Decimal::split_from(rest)?;
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let nanos = number.checked_mul(unit_nanos(unit)?).ok_or(DurationFault::Overflow)?;
        total = total.checked_add(nanos).ok_or(DurationFault::Overflow)?;
        rest = after;
    }
    Ok(total)
}

/// The length of one of Go's units in nanoseconds. Both code points of the micro sign are Go's.
pub(super) fn unit_nanos(unit: &str) -> Result<u64, DurationFault> {
    match unit {
        "ns" => Ok(1),
        "us" | "\u{b5}s" | "\u{3bc}s" => Ok(MICRO),
        "ms" => Ok(MILLI),
        "s" => Ok(SECOND),
        "m" => Ok(MINUTE),
        "h" => Ok(HOUR),
        "" => Err(DurationFault::MissingUnit),
        other => Err(DurationFault::UnknownUnit(quoted(other))),
    }
}

/// A decimal number without sign or exponent: `whole + fraction / scale`, `fraction < scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) whole: u64,
    pub(super) fraction: u64,
    pub(super) scale: u64,
}

impl Decimal {
    /// As many decimals as fit 64 bits; those beyond change no nanosecond of any unit.
    const FRACTION_DIGITS_MAX: usize = 18;

    /// Splits the number that `text` begins with from the text after it.
    pub(super) fn split_from(text: &str) -> Result<(Self, &str), DurationFault> {
        let (whole, after) = split_digits(text);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(DurationFault::MissingNumber);
        }
        let whole = parse_digits(whole).ok_or(DurationFault::Overflow)?;
        let kept = fraction[..fraction.len().min(Self::FRACTION_DIGITS_MAX)].trim_end_matches('0');
        let fraction = parse_digits(kept).ok_or(DurationFault::Overflow)?;
        let scale = (0..kept.len()).fold(1, |scale: u64, _| scale * 10);
        Ok((Self { whole, fraction, scale }, after))
    }

    /// The product with `unit`, rounded down, or `None` past 64 bits.
    fn checked_mul(self, unit: u64) -> Option<u64> {
        let fraction = u128::from(self.fraction) * u128::from(unit) / u128::from(self.scale);
        self.whole.checked_mul(unit)?.checked_add(u64::try_from(fraction).ok()?)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The value of a run of ASCII digits (none is zero), or `None` past 64 bits.
fn parse_digits(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> DurationFault {
        match text.parse::<SimDuration>() {
            Err(KernelError::Duration { fault, .. }) => fault,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn durations_read_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (300_000_000, "300ms"),
            (3_300_000_000, "3.3s"),
            (4 * MINUTE + 5_001_000_000, "4m5.001s"),
            (90 * SECOND, "1m30s"),
            (90_250 * MILLI, "1m30.25s"),
            (HOUR, "1h0m0s"),
            (5 * HOUR + 6 * MINUTE + 7_001_000_000, "5h6m7.001s"),
            (8 * MINUTE + 1, "8m0.000000001s"),
            (u64::MAX, "5124095h34m33.709551615s"),
        ] {
            assert_eq!(SimDuration(nanos).to_string(), text);
            assert_eq!(SimTime(nanos).to_string(), text);
            assert_eq!(text.parse(), Ok(SimDuration(nanos)));
        }
        assert_eq!(format!("[{:>6}]", SimDuration::from_secs(1)), "[    1s]");
    }

    #[test]
    fn go_duration_syntax_is_understood() {
        for (text, nanos) in [
            ("0", 0),
            ("+5s", 5 * SECOND),
            ("1h2m3.5s", HOUR + 2 * MINUTE + 3_500 * MILLI),
            ("250ms", 250 * MILLI),
            ("1.5h", 90 * MINUTE),
            ("1.h", HOUR),
            (".5s", 500 * MILLI),
            ("5s3m", 3 * MINUTE + 5 * SECOND),
            ("12us", 12 * MICRO),
            ("12µs", 12 * MICRO),
            ("12μs", 12 * MICRO),
            ("0.9999999999s", 999_999_999),
            ("0.3333333333333333333333h", 20 * MINUTE - 1),
            ("18446744073709551615ns", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(SimDuration(nanos)), "{text}");
        }
    }

    #[test]
    fn bad_durations_name_their_fault() {
        assert_eq!(fault(""), DurationFault::Empty);
        assert_eq!(fault("+"), DurationFault::Empty);
        assert_eq!(fault("-1s"), DurationFault::Negative);
        assert_eq!(fault("s"), DurationFault::MissingNumber);
        assert_eq!(fault("."), DurationFault::MissingNumber);
        assert_eq!(fault(" 1s"), DurationFault::MissingNumber);
        assert_eq!(fault("1"), DurationFault::MissingUnit);
        assert_eq!(fault("1m30"), DurationFault::MissingUnit);
        assert_eq!(fault("1d"), DurationFault::UnknownUnit("d".into()));
        assert_eq!(fault("1e3s"), DurationFault::UnknownUnit("e".into()));
        assert_eq!(fault("18446744073709551616ns"), DurationFault::Overflow);
        assert_eq!(fault("9999999h"), DurationFault::Overflow);
        assert_eq!(fault(&"9".repeat(100_000)), DurationFault::Overflow);
        let message = "1x".repeat(1_000).parse::<SimDuration>().map_err(|error| error.to_string());
        assert!(message.is_err_and(|text| text.len() < 300));
    }

    #[test]
    fn arithmetic_saturates() {
        let (second, max) = (SimDuration::from_secs(1), SimDuration::MAX);
        assert_eq!(SimTime::MAX + second, SimTime::MAX);
        assert_eq!(SimTime::ZERO - second, SimTime::ZERO);
        assert_eq!(SimTime::from_secs(1) - SimTime::from_secs(3), SimDuration::ZERO);
        assert_eq!(SimTime::from_secs(3) - SimTime::from_secs(1), SimDuration::from_secs(2));
        assert_eq!(max * 2, max);
        assert_eq!([max, second].into_iter().sum::<SimDuration>(), max);
        assert_eq!(SimDuration::from_hours(u64::MAX), max);
        assert_eq!(max.checked_add(second), None);
        assert_eq!(SimDuration::ZERO.checked_sub(second), None);
        assert_eq!(second.checked_div(0), None);
        assert_eq!(second.checked_mul(u64::MAX), None);
    }

    #[test]
    fn serde_uses_the_text_and_accepts_only_zero_without_a_unit() {
        let yaml = |text: &str| serde_yaml::from_str::<SimDuration>(text).map_err(|error| error.to_string());
        assert_eq!(yaml("1m30s"), Ok(SimDuration::from_secs(90)));
        assert_eq!(yaml("0"), Ok(SimDuration::ZERO));
        assert!(yaml("5").is_err_and(|error| error.contains("lacks its unit")));
        assert!(yaml("-5").is_err_and(|error| error.contains("negative")));
        assert!(yaml("1.5").is_err_and(|error| error.contains("lacks its unit")));
        assert!(yaml("[1s]").is_err_and(|error| error.contains("a duration such as")));
        let json = serde_json::to_string(&SimTime::from_millis(90_250)).expect("a string");
        assert_eq!(json, "\"1m30.25s\"");
        assert_eq!(serde_json::from_str::<SimTime>(&json).expect("the same string"), SimTime::from_millis(90_250));
    }

    proptest! {
        #[test]
        fn any_duration_survives_its_text(nanos: u64, shift in 0u32..64) {
            let duration = SimDuration(nanos >> shift);
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.hmsnuµ ]{0,24}|.{0,12}") {
            if let Ok(duration) = text.parse::<SimDuration>() {
                prop_assert_eq!(duration.to_string().parse(), Ok(duration));
            }
        }
    }
}
