//! A count or a percentage of one, as `maxSurge` and `minAvailable` take it.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole number, or a percentage of some total.
///
/// The text of a percentage is kept as given: whether it is one shows at validation and at use.
///
/// ```
/// use seatrial::objects::{IntOrPercent, Rounding};
/// assert_eq!(IntOrPercent::percent("25%").scaled_value(10, Rounding::Up), Ok(3));
/// assert_eq!(IntOrPercent::percent("25%").scaled_value(10, Rounding::Down), Ok(2));
/// assert_eq!(IntOrPercent::Int(4).scaled_value(10, Rounding::Down), Ok(4));
/// assert!(IntOrPercent::percent("4").scaled_value(10, Rounding::Down).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IntOrPercent {
    /// A count.
    Int(i32),
    /// A text such as `25%`, as it was given.
    Percent(Arc<str>),
}

/// Which way a percentage of a total becomes a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next larger integer.
    Up,
    /// To the next smaller integer.
    Down,
}

/// Why a value cannot be used as a count. The wording is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntOrPercentError {
    /// A text that does not end in `%`.
    #[error("invalid value for IntOrString: invalid type: string is not a percentage")]
    NotAPercentage,
    /// What stands before the `%` is no integer.
    #[error("invalid value for IntOrString: invalid value {}: strconv.Atoi: parsing {}: invalid syntax",
        super::names::quoted(.0), super::names::quoted(before_percent(.0)))]
    NotANumber(Arc<str>),
    /// What stands before the `%` does not fit 64 bits.
    #[error("invalid value for IntOrString: invalid value {}: strconv.Atoi: parsing {}: value out of range",
        super::names::quoted(.0), super::names::quoted(before_percent(.0)))]
    OutOfRange(Arc<str>),
}

fn before_percent(text: &str) -> &str {
    text.strip_suffix('%').unwrap_or(text)
}

impl IntOrPercent {
    /// A percentage from its text, `25%`.
    #[must_use]
    pub fn percent(text: &str) -> Self {
        Self::Percent(text.into())
    }

    /// Whether this is a text rather than a number.
    #[must_use]
    pub const fn is_percent(&self) -> bool {
        matches!(self, Self::Percent(_))
    }

    /// The count itself, or that percentage of `total`, rounded (`intstr.GetScaledValueFromIntOrPercent`).
    /// A result beyond 32 bits keeps its low bits, as upstream's conversion to `int32` does.
    ///
    /// # Errors
    /// If the text is no percentage.
    pub fn scaled_value(&self, total: i32, rounding: Rounding) -> Result<i32, IntOrPercentError> {
        match self {
            Self::Int(count) => Ok(*count),
            Self::Percent(text) => Ok(share(percentage(text)?, total, rounding)),
        }
    }
}

/// The integer before the `%`, read as Go's `strconv.Atoi` does (a sign is accepted).
fn percentage(text: &Arc<str>) -> Result<i64, IntOrPercentError> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let digits = text.strip_suffix('%').ok_or(IntOrPercentError::NotAPercentage)?;
    digits.parse::<i64>().map_err(|error| match error.kind() {
        PosOverflow | NegOverflow => IntOrPercentError::OutOfRange(Arc::clone(text)),
        _ => IntOrPercentError::NotANumber(Arc::clone(text)),
    })
}

fn share(percentage: i64, total: i32, rounding: Rounding) -> i32 {
    // Upstream computes in float64. Up to here its rounding can not hide a hundredth, so integers give the same.
    const EXACT: i128 = 100 << 46;
    let product = i128::from(percentage) * i128::from(total);
    if product.abs() <= EXACT {
        let down = product.div_euclid(100);
        let up = i128::from(rounding == Rounding::Up && product.rem_euclid(100) != 0);
        return (down + up) as i32;
    }
    let hundredth = percentage as f64 * f64::from(total) / 100.0;
    // So large a float has no hundredths left, but may still end in a half.
    let whole = if rounding == Rounding::Up { hundredth.ceil() } else { hundredth.floor() };
    // Go on amd64 converts a float beyond int64 to its minimum, whose low 32 bits are zero.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) { whole as i64 as i32 } else { 0 }
}

impl From<i32> for IntOrPercent {
    fn from(count: i32) -> Self {
        Self::Int(count)
    }
}

impl fmt::Display for IntOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(count) => count.fmt(f),
            Self::Percent(text) => text.fmt(f),
        }
    }
}

impl Serialize for IntOrPercent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(count) => serializer.serialize_i32(*count),
            Self::Percent(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrPercent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = IntOrPercent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a 32-bit integer or a string")
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<IntOrPercent, E> {
                i32::try_from(value).map(IntOrPercent::Int).map_err(|_| {
                    E::custom(format_args!("json: cannot unmarshal number {value} into Go value of type int32"))
                })
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<IntOrPercent, E> {
                i32::try_from(value).map(IntOrPercent::Int).map_err(|_| {
                    E::custom(format_args!("json: cannot unmarshal number {value} into Go value of type int32"))
                })
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<IntOrPercent, E> {
                Err(E::custom(format_args!("json: cannot unmarshal number {value} into Go value of type int32")))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<IntOrPercent, E> {
                Ok(IntOrPercent::percent(text))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scaled(text: &str, total: i32, rounding: Rounding) -> Result<i32, String> {
        IntOrPercent::percent(text).scaled_value(total, rounding).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_that_are_no_percentage_fail_with_upstreams_words() {
        let failure = |text| scaled(text, 4, Rounding::Up).unwrap_err();
        assert_eq!(failure("1"), "invalid value for IntOrString: invalid type: string is not a percentage");
        assert_eq!(
            failure("10%%"),
            "invalid value for IntOrString: invalid value \"10%%\": strconv.Atoi: parsing \"10%\": invalid syntax"
        );
        assert_eq!(
            failure("99999999999999999999%"),
            "invalid value for IntOrString: invalid value \"99999999999999999999%\": \
             strconv.Atoi: parsing \"99999999999999999999\": value out of range"
        );
        assert_eq!(
            failure("%"),
            "invalid value for IntOrString: invalid value \"%\": strconv.Atoi: parsing \"\": invalid syntax"
        );
    }

    #[test]
    fn signs_are_accepted_at_use_and_rounding_follows_the_number_line() {
        assert_eq!(scaled("-25%", 4, Rounding::Down), Ok(-1));
        assert_eq!(scaled("-25%", 5, Rounding::Down), Ok(-2));
        assert_eq!(scaled("-25%", 5, Rounding::Up), Ok(-1));
        assert_eq!(scaled("+25%", 5, Rounding::Up), Ok(2));
    }

    #[test]
    fn results_beyond_32_bits_keep_their_low_bits() {
        assert_eq!(scaled("99999999999%", 10, Rounding::Down), Ok(9_999_999_999_i64 as i32));
        assert_eq!(scaled("9223372036854775807%", i32::MAX, Rounding::Up), Ok(0));
        assert_eq!(scaled("-9223372036854775808%", i32::MAX, Rounding::Up), Ok(0));
    }

    #[test]
    fn the_wire_form_round_trips() {
        for json in ["3", "-3", "\"25%\"", "\"http\""] {
            let value: IntOrPercent = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
        assert!(serde_json::from_str::<IntOrPercent>("1.5").is_err());
        assert!(serde_json::from_str::<IntOrPercent>("2147483648").is_err());
        assert!(serde_json::from_str::<IntOrPercent>("true").is_err());
    }

    proptest! {
        #[test]
        fn integers_agree_with_upstreams_floats(percent in -3_000_000_i64..3_000_000, total in any::<i32>()) {
            let exact = percent as f64 * f64::from(total) / 100.0;
            prop_assert_eq!(share(percent, total, Rounding::Up), exact.ceil() as i64 as i32);
            prop_assert_eq!(share(percent, total, Rounding::Down), exact.floor() as i64 as i32);
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>(), total in any::<i32>()) {
            let _ = scaled(&text, total, Rounding::Up);
        }
    }
}
