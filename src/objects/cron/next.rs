//! The next time of a schedule (`SpecSchedule.Next`). Where clocks are set forward or back it steps as upstream does,
//! field by field, so that a time that does not exist is left out and one that exists twice may be met twice.

use super::super::time::Timestamp;
use super::Fields;
use super::civil::Civil;
use super::zone::Zone;

/// Years after which the search ends.
const YEARS: i64 = 5;

/// Instants beyond the year 9999 are not searched: no clock of the simulation goes there.
const LAST: i64 = 253_402_300_799;

const HOUR: i64 = 3600;

/// The search: an instant, and what clocks show then.
struct Search<'a> {
    zone: &'a Zone,
    unix: i64,
    shown: Civil,
    /// Whether an instant was left: the fields below have been set to their least values.
    moved: bool,
}

/// What a field's search came to.
#[derive(PartialEq, Eq)]
enum Found {
    /// It matches.
    Match,
    /// The field above changed: start anew.
    Wrapped,
    /// The clocks of the zone never show such a day, and upstream would search for ever.
    Stuck,
}

pub(super) fn next(fields: &Fields, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
    let start = after.as_unix_secs().saturating_add(1);
    if !(-LAST..=LAST).contains(&start) {
        return None;
    }
    let mut search = Search { zone, unix: start, shown: zone.civil(start), moved: false };
    let last_year = search.shown.year + YEARS;
    while search.shown.year <= last_year {
        let found = search.all(fields);
        match found {
            Found::Match => return Some(Timestamp::from_unix_secs(search.unix)),
            Found::Wrapped => {}
            Found::Stuck => return None,
        }
    }
    None
}

impl Search<'_> {
    fn all(&mut self, fields: &Fields) -> Found {
        let steps: [fn(&mut Self, &Fields) -> Found; 5] =
            [Self::month, Self::day, Self::hour, Self::minute, Self::second];
        for step in steps {
            let found = step(self, fields);
            if found != Found::Match {
                return found;
            }
        }
        Found::Match
    }

    fn go(&mut self, unix: i64) {
        self.unix = unix;
        self.shown = self.zone.civil(unix);
    }

    /// To the beginning of a month, a day or an hour that clocks show.
    fn go_to(&mut self, month: i64, day: i64, of_day: i64) {
        self.go(self.zone.instant(self.shown.year, month, day, of_day));
    }

    const fn of_day(&self) -> i64 {
        self.shown.hour as i64 * HOUR + self.shown.minute as i64 * 60 + self.shown.second as i64
    }

    fn month(&mut self, fields: &Fields) -> Found {
        while !fields.month.has(self.shown.month) {
            if !std::mem::replace(&mut self.moved, true) {
                self.go_to(self.shown.month.into(), 1, 0);
            }
            self.go_to(i64::from(self.shown.month) + 1, self.shown.day.into(), self.of_day());
            if self.shown.month == 1 {
                return Found::Wrapped;
            }
        }
        Found::Match
    }

    fn day(&mut self, fields: &Fields) -> Found {
        while !day_matches(fields, &self.shown) {
            if !std::mem::replace(&mut self.moved, true) {
                self.go_to(self.shown.month.into(), self.shown.day.into(), 0);
            }
            let before = self.unix;
            self.go_to(self.shown.month.into(), i64::from(self.shown.day) + 1, self.of_day());
            // Where midnight does not exist, or is an hour off since the clocks were set.
            match i64::from(self.shown.hour) {
                0 => {}
                hour @ 13.. => self.go(self.unix + (24 - hour) * HOUR),
                hour => self.go(self.unix - hour * HOUR),
            }
            if self.unix <= before {
                return Found::Stuck;
            }
            if self.shown.day == 1 {
                return Found::Wrapped;
            }
        }
        Found::Match
    }

    fn hour(&mut self, fields: &Fields) -> Found {
        while !fields.hour.has(self.shown.hour) {
            if !std::mem::replace(&mut self.moved, true) {
                self.go_to(self.shown.month.into(), self.shown.day.into(), i64::from(self.shown.hour) * HOUR);
            }
            self.go(self.unix + HOUR);
            if self.shown.hour == 0 {
                return Found::Wrapped;
            }
        }
        Found::Match
    }

    fn minute(&mut self, fields: &Fields) -> Found {
        while !fields.minute.has(self.shown.minute) {
            if !std::mem::replace(&mut self.moved, true) {
                self.unix -= self.unix.rem_euclid(60);
            }
            self.go(self.unix + 60);
            if self.shown.minute == 0 {
                return Found::Wrapped;
            }
        }
        Found::Match
    }

    /// Schedules are due at second 0.
    fn second(&mut self, _: &Fields) -> Found {
        if self.shown.second == 0 {
            return Found::Match;
        }
        self.moved = true;
        self.go(self.unix + 60 - i64::from(self.shown.second));
        Found::Wrapped
    }
}

/// If both fields of days are restricted, one of them is enough.
const fn day_matches(fields: &Fields, shown: &Civil) -> bool {
    let of_month = fields.day_of_month.has(shown.day);
    let of_week = fields.day_of_week.has(shown.weekday);
    if fields.day_of_month.star || fields.day_of_week.star { of_month && of_week } else { of_month || of_week }
}
