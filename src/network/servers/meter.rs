//! What a container used of its CPU for requests, counted while somebody measures it.

use std::collections::VecDeque;

/// Use is added up in pieces of this length, ns.
const PIECE: u64 = 1_000_000_000;
/// Pieces that are kept ahead of the present; what comes later, or lasts longer than a piece, is kept by itself.
const AHEAD_MAX: u64 = 3600;

/// The CPU time of requests, and how many there were.
///
/// When a request comes it is known when it will be on the CPU. That is noted by the second; a look at the meter takes a second that
/// has only begun in proportion.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Meter {
    /// Requests that were taken in.
    pub(in crate::network) requests: u64,
    /// CPU time in all pieces that are over, ns.
    done: u64,
    /// Number of the first piece that is kept.
    first: u64,
    pieces: VecDeque<u64>,
    /// Begin and end, and CPU time, of what does not fit a piece, ns.
    spans: Vec<(u64, u64, u64)>,
    /// When there are so many spans it is looked which of them are over.
    crowd: usize,
}

/// Pieces and spans that may be over before somebody looks.
const OVER_MAX: usize = 64;

impl Meter {
    /// A request is on the CPU from `from` to `until`, for `cpu` ns in all. `now`: nobody will ask about earlier instants.
    #[inline]
    pub(in crate::network) fn burn(&mut self, now: u64, from: u64, until: u64, cpu: u64) {
        let (piece, last) = (from / PIECE, until.saturating_sub(1).max(from) / PIECE);
        if self.pieces.is_empty() {
            self.first = self.first.max(now / PIECE);
        }
        if now / PIECE > self.first + OVER_MAX as u64 || self.spans.len() > self.crowd.max(OVER_MAX) {
            // Nobody may ever ask.
            self.cpu_until(now);
            self.crowd = 2 * self.spans.len();
        }
        if piece < self.first || last > piece + 1 || last - self.first >= AHEAD_MAX {
            self.spans.push((from, until, cpu));
            return;
        }
        if last == piece {
            *self.piece(piece) += cpu;
        } else {
            // It lies in two pieces.
            let share = |nanos: u64| (u128::from(cpu) * u128::from(nanos) / u128::from((until - from).max(1))) as u64;
            let before = share(last * PIECE - from);
            *self.piece(piece) += before;
            *self.piece(last) += cpu - before;
        }
    }

    fn piece(&mut self, number: u64) -> &mut u64 {
        let at = (number - self.first) as usize;
        if at >= self.pieces.len() {
            self.pieces.resize(at + 1, 0);
        }
        &mut self.pieces[at]
    }

    /// CPU time that was used until `now`, ns. Instants must not go back.
    pub(in crate::network) fn cpu_until(&mut self, now: u64) -> u64 {
        while self.first < now / PIECE {
            match self.pieces.pop_front() {
                Some(cpu) => {
                    self.done += cpu;
                    self.first += 1;
                }
                None => self.first = now / PIECE,
            }
        }
        let (mut over, mut used) = (0, 0);
        self.spans.retain(|(from, until, cpu)| {
            let is_over = *until <= now;
            if is_over {
                over += cpu;
            } else if *from < now {
                used += (u128::from(*cpu) * u128::from(now - from) / u128::from(until - from)) as u64;
            }
            !is_over
        });
        self.done += over;
        let begun = self.pieces.front().copied().unwrap_or(0);
        used += (u128::from(begun) * u128::from(now % PIECE) / u128::from(PIECE)) as u64;
        self.done + used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// At whole seconds the meter says what is on the CPU until then, whatever comes when; in all nothing is lost.
        #[test]
        fn nothing_is_counted_twice_or_lost(
            requests in prop::collection::vec((0u64..5_000, 0u64..8_000, 1u64..4_000), 1..60),
            looks in prop::collection::vec(0u64..40, 0..8),
        ) {
            let mut requests: Vec<(u64, u64, u64)> =
                requests.into_iter().map(|(now, wait, lasts)| (now * 1_000_000, wait * 1_000_000, lasts * 1_000_000)).collect();
            requests.sort_unstable();
            let mut looks: Vec<u64> = looks.into_iter().map(|secs| secs * PIECE).collect();
            looks.sort_unstable();
            let mut meter = Meter::default();
            let mut known: Vec<(u64, u64)> = Vec::new();
            let mut coming = requests.iter().peekable();
            let until = |known: &[(u64, u64)], at: u64| -> u64 {
                known.iter().map(|(from, to)| at.clamp(*from, *to) - from).sum()
            };
            for look in looks.into_iter().chain([3600 * PIECE]) {
                while let Some((now, wait, lasts)) = coming.next_if(|(now, ..)| *now <= look) {
                    let (from, to) = (now + wait, now + wait + lasts);
                    meter.burn(*now, from, to, *lasts);
                    known.push((from, to));
                }
                let (told, right) = (meter.cpu_until(look), until(&known, look));
                // A division that rounds, for every request.
                prop_assert!(told.abs_diff(right) <= 2 * known.len() as u64, "{told} {right} at {look}");
            }
            prop_assert_eq!(meter.cpu_until(3601 * PIECE), requests.iter().map(|(.., lasts)| lasts).sum::<u64>());
        }
    }

    #[test]
    fn a_piece_that_has_begun_counts_in_proportion() {
        let mut meter = Meter::default();
        meter.burn(0, 0, PIECE / 2, 400);
        assert_eq!([meter.cpu_until(PIECE / 4), meter.cpu_until(PIECE)], [100, 400]);
    }

    #[test]
    fn what_lies_far_ahead_or_lasts_long_takes_no_room() {
        let mut meter = Meter::default();
        meter.burn(0, u64::MAX - 10, u64::MAX, 10);
        meter.burn(0, 0, 100 * PIECE, 1000);
        assert!(meter.pieces.is_empty());
        assert_eq!(meter.cpu_until(50 * PIECE), 500);
    }
}
