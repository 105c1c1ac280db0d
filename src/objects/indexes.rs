//! Sets of completion indexes as a status writes them (upstream `indexed_job_utils.go`, `orderedIntervals`).

use std::fmt;

/// Completion indexes, kept as runs of neighbours in ascending order.
///
/// ```
/// use seatrial::objects::Indexes;
/// let done = Indexes::parse("0,4,5,10-12", 20).with(&[2, 7, 8]);
/// assert_eq!(done.to_string(), "0,2,4,5,7,8,10-12");
/// assert_eq!(done.total(), 9);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes(Vec<Run>);

/// Neighbouring indexes from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: i32,
    last: i32,
}

impl Run {
    fn length(self) -> i64 {
        i64::from(self.last) - i64::from(self.first) + 1
    }
}

impl Indexes {
    /// Reads its text form. Indexes from `completions` on, and what is no interval, are left out.
    #[must_use]
    pub fn parse(text: &str, completions: i32) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for interval in text.split(',') {
            let mut ends = interval.split('-').map(str::parse::<i64>);
            let Some(Ok(first)) = ends.next() else { continue };
            if first >= i64::from(completions) {
                break;
            }
            let last = match ends.next() {
                None => first,
                Some(Ok(last)) => last.min(i64::from(completions) - 1),
                Some(Err(_)) => continue,
            };
            let (Ok(first), Ok(last)) = (i32::try_from(first), i32::try_from(last)) else { continue };
            match runs.last_mut().filter(|before| i64::from(before.last) == i64::from(first) - 1) {
                Some(before) => before.last = last,
                None => runs.push(Run { first, last }),
            }
        }
        Self(runs)
    }

    /// How many indexes.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().map(|run| run.length()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an index is in it.
    #[must_use]
    pub fn contains(&self, index: i32) -> bool {
        let at = self.0.partition_point(|run| run.last < index);
        self.0.get(at).is_some_and(|run| run.first <= index)
    }

    /// This set and these indexes, which are in ascending order.
    #[must_use]
    pub fn with(&self, indexes: &[i32]) -> Self {
        self.merge(&Self(indexes.iter().map(|&index| Run { first: index, last: index }).collect()))
    }

    /// Both sets together.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut merged: Vec<Run> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let Some(&run) = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x.first < y.first => a.next(),
            (Some(_), None) => a.next(),
            _ => b.next(),
        } {
            match merged.last_mut().filter(|before| i64::from(run.first) <= i64::from(before.last) + 1) {
                Some(before) => before.last = before.last.max(run.last),
                None => merged.push(run),
            }
        }
        Self(merged)
    }

    /// The lowest `count` indexes below `completions` that are not in the set.
    #[must_use]
    pub fn first_missing(&self, count: usize, completions: i32) -> Vec<i32> {
        let mut missing = Vec::new();
        let mut candidate = 0;
        let gaps = self.0.iter().map(|run| (run.first, run.last.saturating_add(1)));
        for (gap_end, next) in gaps.chain([(completions, completions)]) {
            let wanted = count.saturating_sub(missing.len());
            missing.extend((candidate..gap_end.min(completions)).take(wanted));
            candidate = candidate.max(next);
        }
        missing
    }

    /// How many indexes both sets have.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> i64 {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = 0;
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let both = Run { first: x.first.max(y.first), last: x.last.min(y.last) };
            shared += both.length().max(0);
            let (x_ends, y_ends) = (x.last <= y.last, y.last <= x.last);
            if x_ends {
                a.next();
            }
            if y_ends {
                b.next();
            }
        }
        shared
    }
}

impl fmt::Display for Indexes {
    /// Two neighbours are written one by one, more as an interval: `0,2,3,5-7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, run) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{}", run.first)?;
            match run.length() {
                ..=1 => {}
                2 => write!(f, ",{}", run.last)?,
                _ => write!(f, "-{}", run.last)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_out_of_range_or_no_interval_is_left_out() {
        let read = |text, completions| Indexes::parse(text, completions).to_string();
        assert_eq!(read("0-2,5,7", 6), "0-2,5");
        assert_eq!(read("0-9", 4), "0-3");
        assert_eq!(read("x,1,2-y,3", 9), "1,3");
        assert_eq!(read("0,1,2", 9), "0-2");
        assert_eq!(read("", 9), "");
    }

    #[test]
    fn the_first_missing_fill_the_gaps() {
        let taken = Indexes::parse("2-5,8,9", 20);
        assert_eq!(taken.first_missing(5, 20), [0, 1, 6, 7, 10]);
        assert_eq!(Indexes::parse("1-3,5-7,9", 12).first_missing(9, 12), [0, 4, 8, 10, 11]);
        assert!(Indexes::parse("0-3", 4).first_missing(9, 4).is_empty());
    }

    proptest! {
        #[test]
        fn it_is_a_set(a in prop::collection::btree_set(0..60i32, 0..30), b in prop::collection::btree_set(0..60i32, 0..30)) {
            let list = |set: &BTreeSet<i32>| set.iter().copied().collect::<Vec<_>>();
            let (x, y) = (Indexes::default().with(&list(&a)), Indexes::default().with(&list(&b)));
            let both: BTreeSet<i32> = a.union(&b).copied().collect();
            let merged = x.merge(&y);
            prop_assert_eq!(merged.total(), both.len() as i64);
            prop_assert_eq!(x.overlap(&y), a.intersection(&b).count() as i64);
            prop_assert!((0..60).all(|index| merged.contains(index) == both.contains(&index)));
            prop_assert_eq!(&Indexes::parse(&merged.to_string(), 60), &merged);
            let missing: Vec<i32> = (0..60).filter(|index| !both.contains(index)).take(7).collect();
            prop_assert_eq!(merged.first_missing(7, 60), missing);
        }
    }
}
