//! Wall-clock time as API objects carry it. It derives from virtual time and a scenario's epoch, never from a clock.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_SEC: i64 = 1_000_000_000;
/// The Unix epoch in the seconds that a [`Timestamp`] counts.
const EPOCH: u64 = 1 << 63;

/// An instant with nanosecond resolution, counted from the Unix epoch: what components take as `now`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_nanos(self) -> i64 {
        self.0
    }

    /// The instant as the API writes it: cut to a whole second.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        Timestamp::from_unix_secs(self.0.div_euclid(NANOS_PER_SEC))
    }

    /// Nanoseconds from `earlier` to this instant; negative if `earlier` is later.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant plus `nanos`.
    #[must_use]
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// RFC 3339 with six decimals, as `MicroTime` fields have it.
    #[must_use]
    pub fn to_micro_time(self) -> String {
        let cut = self.0.div_euclid(1000);
        let text = self.timestamp().to_string();
        format!("{}.{:06}Z", text.trim_end_matches('Z'), cut.rem_euclid(1_000_000))
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_micro_time())
    }
}

/// An instant with the API's resolution of one second (`metav1.Time`). Seconds since the Unix epoch, moved up by 2^63: the
/// free zero lets an `Option<Timestamp>` take no more room, and there are many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// From seconds since the Unix epoch. The first second that 64 bits can hold counts as the second one.
    #[must_use]
    pub const fn from_unix_secs(secs: i64) -> Self {
        match NonZeroU64::new(secs.cast_unsigned() ^ EPOCH) {
            Some(moved) => Self(moved),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_secs(self) -> i64 {
        (self.0.get() ^ EPOCH).cast_signed()
    }

    /// The first instant of this second.
    #[must_use]
    pub const fn wall(self) -> WallTime {
        WallTime(self.as_unix_secs().saturating_mul(NANOS_PER_SEC))
    }

    /// This instant plus `secs` seconds.
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self::from_unix_secs(self.as_unix_secs().saturating_add(secs))
    }
}

impl Default for Timestamp {
    /// The Unix epoch.
    fn default() -> Self {
        Self::from_unix_secs(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_unix_secs()) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "@{}", self.as_unix_secs()),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an RFC 3339 time such as 2026-01-01T00:00:00Z")]
pub struct TimestampError(String);

impl FromStr for WallTime {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| TimestampError(text.to_owned()))?;
        i64::try_from(instant.as_nanosecond()).map(Self).map_err(|_| TimestampError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse().map(WallTime::timestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_timestamp_takes_eight_bytes_and_the_order_is_that_of_time() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
        let secs = [i64::MIN + 1, -1, 0, 1, i64::MAX];
        let times = secs.map(Timestamp::from_unix_secs);
        assert!(times.is_sorted() && None < Some(times[0]));
        assert_eq!(times.map(Timestamp::as_unix_secs), secs);
        assert_eq!(Timestamp::from_unix_secs(i64::MIN), times[0]);
        assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_timestamp_is_cut_to_the_second_and_round_trips() {
        let now = WallTime::from_unix_nanos(1_767_225_600_999_999_999);
        assert_eq!(now.timestamp().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!("2026-01-01T00:00:00Z".parse(), Ok(now.timestamp()));
        assert_eq!(now.to_micro_time(), "2026-01-01T00:00:00.999999Z");
        assert_eq!(
            "2026-01-01T00:00:00.999999Z".parse(),
            Ok(WallTime::from_unix_nanos(now.as_unix_nanos() / 1000 * 1000))
        );
    }
}
