//! An amount that grows with time.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::SimDuration;
use crate::objects::{Format, Quantity};

/// An amount of bytes or processes: so much at first, growing evenly up to a maximum. Written as a quantity (`100Mi`, which
/// does not grow) or as `{use: 100Mi, grow: 10Mi/m, after: 5m, max: 1Gi}`.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::kubelet::Growth;
///
/// let leak: Growth = serde_json::from_str(r#"{"use": "100Mi", "grow": "10Mi/m", "max": "1Gi"}"#)?;
/// assert_eq!(leak.at(SimDuration::ZERO), 100 << 20);
/// assert_eq!(leak.at(SimDuration::from_secs(90)), 115 << 20);
/// assert_eq!(leak.at(SimDuration::from_hours(24)), 1 << 30);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    start: i64,
    /// What is added in every `period`.
    grow: i64,
    period: SimDuration,
    after: SimDuration,
    max: i64,
}

impl Growth {
    /// Always the same amount.
    #[must_use]
    pub const fn constant(amount: i64) -> Self {
        Self { start: amount, grow: 0, period: SimDuration::from_secs(1), after: SimDuration::ZERO, max: amount }
    }

    /// The amount that long after the beginning. It never falls.
    #[must_use]
    pub fn at(&self, elapsed: SimDuration) -> i64 {
        let growing = elapsed.as_nanos().saturating_sub(self.after.as_nanos());
        let grown = i128::from(self.grow) * i128::from(growing) / i128::from(self.period.as_nanos().max(1));
        let amount = i128::from(self.start) + grown;
        i64::try_from(amount).unwrap_or(i64::MAX).min(self.max)
    }
}

impl fmt::Display for Growth {
    /// Such as `100Mi`, or `100Mi + 10Mi/m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |amount| Quantity::from_value(amount, Format::BinarySi);
        write!(f, "{}", bytes(self.start))?;
        if self.grow > 0 { write!(f, " + {}/{}", bytes(self.grow), self.period) } else { Ok(()) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    r#use: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grow: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<SimDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<Quantity>,
}

impl Written {
    fn read(self) -> Result<Growth, String> {
        let start = self.r#use.map_or(Ok(0), |quantity| amount("use", quantity))?;
        let (grow, period) = self.grow.as_deref().map_or(Ok((0, SimDuration::from_secs(1))), rate)?;
        let max = self.max.map_or(Ok(i64::MAX), |quantity| amount("max", quantity))?;
        if max < start {
            return Err("max is less than use".to_owned());
        }
        let max = if grow == 0 { start } else { max };
        Ok(Growth { start, grow, period, after: self.after.unwrap_or_default(), max })
    }
}

fn amount(field: &str, quantity: Quantity) -> Result<i64, String> {
    match quantity.sign() {
        -1 => Err(format!("{field} must not be negative")),
        _ => Ok(quantity.value()),
    }
}

/// Such as `10Mi/m` or `1Gi/30s`.
fn rate(text: &str) -> Result<(i64, SimDuration), String> {
    let wrong = || format!("{text:?} is no amount per time, such as 10Mi/m or 1Gi/30s");
    let (quantity, period) = text.split_once('/').ok_or_else(wrong)?;
    let quantity: Quantity = quantity.trim().parse().map_err(|_| wrong())?;
    let period = period.trim();
    let one = if period.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
    let period: SimDuration = format!("{one}{period}").parse().map_err(|_| wrong())?;
    if period.is_zero() {
        return Err(wrong());
    }
    Ok((amount("grow", quantity)?, period))
}

impl Serialize for Growth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = |amount| Quantity::from_value(amount, Format::BinarySi);
        let grows = self.grow > 0;
        let written = Written {
            r#use: Some(bytes(self.start)),
            grow: grows.then(|| format!("{}/{}", bytes(self.grow), self.period)),
            after: Some(self.after).filter(|after| grows && !after.is_zero()),
            max: Some(self.max).filter(|max| grows && *max < i64::MAX).map(bytes),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Growth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GrowthVisitor)
    }
}

struct GrowthVisitor;

impl<'de> Visitor<'de> for GrowthVisitor {
    type Value = Growth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as 100Mi, or {use, grow, after, max}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Growth, E> {
        let quantity: Quantity = text.parse().map_err(|error| E::custom(format!("{text:?}: {error}")))?;
        amount("it", quantity).map(Growth::constant).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Growth, E> {
        i64::try_from(number).map(Growth::constant).map_err(|_| E::custom("the amount is too large"))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Growth, E> {
        u64::try_from(number)
            .map_err(|_| E::custom("it must not be negative"))
            .and_then(|number| self.visit_u64(number))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Growth, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map))?.read().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(text: &str) -> Growth {
        serde_yaml::from_str(text).expect(text)
    }

    #[test]
    fn an_amount_grows_evenly_and_stops() {
        let leak = growth("{use: 10, grow: 3/2s, after: 1m, max: 20}");
        let at = |millis| leak.at(SimDuration::from_millis(millis));
        assert_eq!([at(0), at(60_000), at(60_666), at(60_667), at(62_000), at(70_000)], [10, 10, 10, 11, 13, 20]);
        assert_eq!(leak.at(SimDuration::MAX), 20);
        assert_eq!(growth("{use: 5}").at(SimDuration::MAX), 5);
        assert_eq!(growth("{grow: 8Ei/ns}").at(SimDuration::MAX), i64::MAX);
    }

    #[test]
    fn amounts_read_as_they_are_written() {
        for text in ["100Mi", "{use: 1Gi}", "{use: 1, grow: 10Mi/m, max: 2Gi}", "{grow: 1Gi/30s, after: 1h}", "7"] {
            let read = growth(text);
            assert_eq!(growth(&serde_yaml::to_string(&read).expect("text")), read, "{text}");
        }
        for (wrong, complaint) in [
            ("{use: 10Mi, grow: 5}", "no amount per time"),
            ("{use: 10Mi, grow: '5'}", "no amount per time"),
            ("{use: 10Mi, grow: 5/0s}", "no amount per time"),
            ("{use: 10Mi, grow: 5/parsec}", "no amount per time"),
            ("{use: 10Mi, grow: -5/s}", "grow must not be negative"),
            ("{use: 10Mi, max: 5Mi}", "max is less than use"),
            ("{used: 10Mi}", "unknown field"),
            ("ten", "ten"),
            ("-1", "negative"),
        ] {
            let error = serde_yaml::from_str::<Growth>(wrong).expect_err(wrong).to_string();
            assert!(error.contains(complaint), "{wrong}: {error}");
        }
    }
}
