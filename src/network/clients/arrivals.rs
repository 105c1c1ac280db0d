//! The instants at which an open client sends.

use std::sync::Arc;

use crate::kernel::{Poisson, SimDuration, Stream};

use super::spec::Arrivals;

/// A rate, ready to be stepped through.
#[derive(Clone, Copy, Debug)]
struct Compiled {
    /// From when on, ns after the start of a cycle.
    at: u64,
    /// Evenly spaced: whole nanoseconds between two, and what is left over, in parts of `events`.
    gap: u64,
    rest: u64,
    events: u64,
    poisson: Option<Poisson>,
}

/// Where an open client stands in its rates.
#[derive(Clone, Debug)]
pub(in crate::network) struct ArrivalClock {
    pieces: Arc<[Compiled]>,
    /// The present one of them.
    present: Compiled,
    poisson: bool,
    /// Length of a cycle, ns; zero = there is one only.
    cycle: u64,
    /// Start of the present cycle, ns.
    base: u64,
    piece: usize,
    /// End of the present piece, ns.
    piece_end: u64,
    /// The last arrival, or the beginning of the piece, ns.
    at: u64,
    /// Parts of a nanosecond, in parts of `events`.
    owed: u64,
    /// Whether an arrival was in this piece.
    begun: bool,
    /// Nothing comes from here on, ns.
    stop: u64,
    /// The earlier of that and the end of the piece, ns.
    limit: u64,
}

impl ArrivalClock {
    pub(in crate::network) fn new(arrivals: &Arrivals, start: SimDuration, stop: Option<SimDuration>) -> Self {
        let pieces = arrivals.pieces.iter().map(|piece| {
            let (events, period) = piece.rate.ratio();
            let period = period.as_nanos();
            Compiled {
                at: piece.at.as_nanos(),
                gap: period.checked_div(events).unwrap_or(0),
                rest: period.checked_rem(events).unwrap_or(0),
                events,
                poisson: piece.rate.poisson(),
            }
        });
        let pieces: Arc<[Compiled]> = pieces.collect();
        let silent = pieces.iter().all(|piece| piece.events == 0);
        let mut clock = Self {
            present: pieces[0],
            pieces,
            poisson: arrivals.poisson,
            cycle: arrivals.repeats.map_or(0, SimDuration::as_nanos),
            base: start.as_nanos(),
            piece: 0,
            piece_end: 0,
            at: start.as_nanos(),
            owed: 0,
            begun: false,
            stop: if silent { 0 } else { stop.map_or(u64::MAX, SimDuration::as_nanos) },
            limit: 0,
        };
        clock.enter_piece();
        clock
    }

    fn enter_piece(&mut self) {
        self.present = self.pieces[self.piece];
        self.piece_end = match self.pieces.get(self.piece + 1) {
            Some(next) => self.base.saturating_add(next.at),
            None if self.cycle > 0 => self.base.saturating_add(self.cycle),
            None => u64::MAX,
        };
        self.limit = self.piece_end.min(self.stop);
    }

    /// The next arrival, ns; `u64::MAX` if none comes any more.
    #[inline(always)]
    pub(in crate::network) fn next(&mut self, luck: &mut Stream) -> u64 {
        let next = self.within_piece(luck);
        if next < self.limit {
            (self.at, self.begun) = (next, true);
            return next;
        }
        self.beyond(next, luck)
    }

    /// The next arrival, which would be at `next` in the present piece: in a later one, or never.
    #[cold]
    fn beyond(&mut self, mut next: u64, luck: &mut Stream) -> u64 {
        while next >= self.limit {
            if self.limit == self.stop {
                return u64::MAX;
            }
            self.next_piece();
            next = self.within_piece(luck);
        }
        (self.at, self.begun) = (next, true);
        next
    }

    /// The next arrival if the present rate lasted for ever.
    #[inline(always)]
    fn within_piece(&mut self, luck: &mut Stream) -> u64 {
        let piece = &self.present;
        if self.poisson {
            return piece.poisson.map_or(u64::MAX, |poisson| self.at.saturating_add(poisson.gap(luck).as_nanos()));
        }
        if piece.events == 0 {
            return u64::MAX;
        }
        if !self.begun {
            // Half a gap after the beginning, so that short pieces have as many as they should on average.
            self.owed = 0;
            return self.at.saturating_add(piece.gap / 2);
        }
        self.owed += piece.rest;
        let carry = u64::from(self.owed >= piece.events);
        self.owed -= carry * piece.events;
        self.at.saturating_add(piece.gap + carry)
    }

    fn next_piece(&mut self) {
        self.at = self.piece_end;
        self.begun = false;
        self.piece += 1;
        if self.piece == self.pieces.len() {
            (self.piece, self.base) = (0, self.base.saturating_add(self.cycle));
        }
        self.enter_piece();
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::Piece;
    use super::*;
    use crate::kernel::{Purpose, Rate, Streams};

    fn luck() -> Stream {
        Streams::new(3).stream(Purpose::new(9), 0u32)
    }

    fn pieces(pieces: &[(u64, &str)], repeats: Option<u64>, poisson: bool) -> Arrivals {
        let piece = |(at, rate): &(u64, &str)| {
            let rate: Rate = rate.parse().expect("a rate");
            Piece { at: SimDuration::from_secs(*at), rate }
        };
        let repeats = repeats.map(SimDuration::from_secs);
        Arrivals { pieces: pieces.iter().map(piece).collect(), repeats, poisson }
    }

    /// Arrivals in each second.
    fn per_second(arrivals: &Arrivals, seconds: usize, stop: Option<u64>) -> Vec<u32> {
        let (mut clock, mut luck) =
            (ArrivalClock::new(arrivals, SimDuration::ZERO, stop.map(SimDuration::from_secs)), luck());
        let mut counts = vec![0; seconds];
        loop {
            let second = (clock.next(&mut luck) / 1_000_000_000) as usize;
            match counts.get_mut(second) {
                Some(count) => *count += 1,
                None => return counts,
            }
        }
    }

    #[test]
    fn even_arrivals_follow_the_rate_of_each_piece() {
        let steps = pieces(&[(0, "3/s"), (2, "0/s"), (3, "7/s")], None, false);
        assert_eq!(per_second(&steps, 5, None), [3, 3, 0, 7, 7]);
        assert_eq!(per_second(&steps, 5, Some(4)), [3, 3, 0, 7, 0]);
        let burst = pieces(&[(0, "1/s"), (2, "50/s")], Some(3), false);
        assert_eq!(per_second(&burst, 7, None), [1, 1, 50, 1, 1, 50, 1]);
        assert_eq!(per_second(&pieces(&[(0, "0/s")], Some(1), false), 3, None), [0, 0, 0]);
    }

    #[test]
    fn even_arrivals_do_not_drift() {
        let mut clock = ArrivalClock::new(&Arrivals::constant("3/s".parse().expect("a rate")), SimDuration::ZERO, None);
        let mut luck = luck();
        let last = (0..=3_000_000).map(|_| clock.next(&mut luck)).last();
        assert_eq!(last, Some(1_000_000 * 1_000_000_000 + 333_333_333 / 2));
    }

    #[test]
    fn independent_arrivals_follow_the_rate_of_each_piece() {
        let steps = pieces(&[(0, "10000/s"), (1, "0/s"), (2, "40000/s")], Some(3), true);
        let counts = per_second(&steps, 6, None);
        assert!(
            counts
                .iter()
                .zip([10_000i64, 0, 40_000, 10_000, 0, 40_000])
                .all(|(count, mean)| { (i64::from(*count) - mean).unsigned_abs() <= mean.unsigned_abs() / 20 }),
            "{counts:?}"
        );
    }
}
