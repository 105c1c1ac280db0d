//! Instants at which a loop looks: an origin and a period.

use crate::kernel::SimDuration;
use crate::objects::WallTime;

/// The phase of a controller's loops: all of them started at this instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    origin: WallTime,
}

impl Grid {
    pub(super) const fn starting_at(origin: WallTime) -> Self {
        Self { origin }
    }

    /// The first run of a loop at or after an instant.
    pub(super) fn at_or_after(self, instant: WallTime, period: SimDuration) -> WallTime {
        let at = self.at_or_before(instant, period);
        if at == instant { at } else { plus(at, period) }
    }

    /// The first run of a loop after an instant.
    pub(super) fn after(self, instant: WallTime, period: SimDuration) -> WallTime {
        plus(self.at_or_before(instant, period), period)
    }

    /// The last run of a loop at or before an instant.
    pub(super) fn at_or_before(self, instant: WallTime, period: SimDuration) -> WallTime {
        let since = instant.nanos_since(self.origin);
        instant.plus_nanos(-since.rem_euclid(nanos(period).max(1)))
    }
}

/// An instant and a duration later, at most the last instant there is.
pub(super) fn plus(instant: WallTime, duration: SimDuration) -> WallTime {
    instant.plus_nanos(nanos(duration))
}

/// How long it is from `now` to `instant`; zero if that is past.
pub(super) fn until(instant: WallTime, now: WallTime) -> SimDuration {
    SimDuration::from_nanos(u64::try_from(instant.nanos_since(now)).unwrap_or(0))
}

fn nanos(duration: SimDuration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_whole_periods_from_the_origin() {
        let at = |secs: i64| WallTime::from_unix_nanos(secs * 1_000_000_000);
        let (grid, period) = (Grid::starting_at(at(2)), SimDuration::from_secs(5));
        assert_eq!(grid.at_or_after(at(2), period), at(2));
        assert_eq!(grid.at_or_after(at(3), period), at(7));
        assert_eq!(grid.after(at(7), period), at(12));
        assert_eq!(grid.at_or_before(at(11), period), at(7));
        assert_eq!(grid.at_or_before(at(0), period), at(-3));
    }
}
