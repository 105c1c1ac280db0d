//! Time zones by their IANA names, from the database that is built in.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::time::Timestamp;
use super::civil::{Civil, seconds_of};

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// `None` = UTC.
    rules: Option<Arc<TimeZone>>,
}

impl Zone {
    /// Coordinated universal time: what controllers live in.
    pub const UTC: Self = Self { rules: None };

    /// The zone of a name as Go's `time.LoadLocation` takes it: upper and lower case matter, nothing is UTC, and `Local`
    /// is the zone of the controllers. `None` if there is no such zone.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::UTC);
        }
        let rules = TimeZone::get(name).ok().filter(|rules| rules.iana_name() == Some(name) && !rules.is_unknown())?;
        Some(Self { rules: Some(Arc::new(rules)) })
    }

    /// Seconds that clocks of this zone are ahead of UTC at an instant.
    #[must_use]
    pub fn offset(&self, at: Timestamp) -> i64 {
        self.offset_secs(at.as_unix_secs())
    }

    /// RFC 3339 in the time of this zone.
    #[must_use]
    pub fn format(&self, at: Timestamp) -> String {
        let offset = self.offset(at);
        let local = Civil::of(at.as_unix_secs().saturating_add(offset));
        let Civil { year, month, day, hour, minute, second, .. } = local;
        let zone = match offset {
            0 => "Z".to_owned(),
            _ => {
                let (sign, ahead) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
                format!("{sign}{:02}:{:02}", ahead / 3600, ahead / 60 % 60)
            }
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
    }

    fn offset_secs(&self, unix: i64) -> i64 {
        let Some(rules) = &self.rules else { return 0 };
        let bounds = (jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let instant = jiff::Timestamp::from_second(unix.clamp(bounds.0, bounds.1)).unwrap_or_default();
        i64::from(rules.to_offset(instant).seconds())
    }

    /// What clocks of this zone show.
    pub(super) fn civil(&self, unix: i64) -> Civil {
        Civil::of(unix.saturating_add(self.offset_secs(unix)))
    }

    /// The instant at which clocks of this zone show a time. Of one that they show twice or never, the instant that Go's
    /// `time.Date` picks: with the offset that holds where the time is looked up as if it were UTC, and moved by that.
    pub(super) fn instant(&self, year: i64, month: i64, day: i64, of_day: i64) -> i64 {
        let shown = seconds_of(year, month, day, of_day);
        let guess = shown - self.offset_secs(shown);
        shown - self.offset_secs(guess)
    }
}
