//! Cron schedules as CronJobs understand them, after the rules of `github.com/robfig/cron/v3` (`ParseStandard`).

mod civil;
mod every;
mod next;
mod parse;
#[cfg(test)]
mod tests;
mod zone;

use super::time::Timestamp;

pub use zone::Zone;

/// When something is to be done: a schedule that was read.
///
/// ```
/// use seatrial::objects::cron::Schedule;
/// use seatrial::objects::Timestamp;
///
/// let schedule: Schedule = "30 6-16/4 * * MON-FRI".parse()?;
/// let from: Timestamp = "2024-02-28T23:59:30Z".parse().expect("a time");
/// assert_eq!(schedule.next(from).map(|at| at.to_string()).as_deref(), Some("2024-02-29T06:30:00Z"));
/// # Ok::<(), seatrial::objects::cron::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    rule: Rule,
}

/// What a schedule says.
#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// `@every`: seconds, at least 1.
    Every(i64),
    /// Five fields, or a name for them, in a time zone.
    Fields(Fields, Zone),
}

/// The values of each field, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    minute: Bits,
    hour: Bits,
    day_of_month: Bits,
    month: Bits,
    day_of_week: Bits,
}

/// Values that a field may have; and whether it was left open (`*`), which matters for the two fields of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bits {
    values: u64,
    star: bool,
}

impl Bits {
    const fn has(self, value: u32) -> bool {
        value < 64 && self.values & (1 << value) != 0
    }
}

/// A text is no schedule; says why in the words of the upstream parser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);

impl Schedule {
    /// The first time strictly after `after` at which it is due, on a whole second. `None` if there is none within five
    /// years: the schedule names a day that does not exist, such as February 30.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(seconds) => Some(after.plus_secs(*seconds)),
            Rule::Fields(fields, zone) => next::next(fields, zone, after),
        }
    }
}

impl std::str::FromStr for Schedule {
    type Err = ScheduleError;

    /// Reads five fields or a descriptor such as `@daily` or `@every 90s`, with or without `TZ=…` or `CRON_TZ=…` before
    /// it. Without a zone it is UTC.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        parse::schedule(text).map(|rule| Self { rule }).map_err(ScheduleError)
    }
}
