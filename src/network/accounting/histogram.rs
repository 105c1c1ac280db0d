//! Latencies in integer buckets: 32 to every power of two, so that a value is known to 3 %.

use crate::kernel::SimDuration;

/// Buckets for every power of two, as a power of two.
const BITS: u32 = 5;
const SUB: u64 = 1 << BITS;
/// Enough for every 64-bit value.
const BUCKETS: usize = ((64 - BITS as usize) << BITS) + SUB as usize;

/// Counts of durations. Merging two is adding their buckets, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: Vec::new(), count: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

/// The bucket of a value in nanoseconds.
#[inline]
const fn bucket(nanos: u64) -> usize {
    if nanos < SUB {
        return nanos as usize;
    }
    let shift = 63 - nanos.leading_zeros() - BITS;
    ((shift as usize) << BITS) + (nanos >> shift) as usize
}

/// The largest value of a bucket.
const fn top(bucket: usize) -> u64 {
    if bucket < 2 * SUB as usize {
        return bucket as u64;
    }
    let shift = (bucket >> BITS) as u32 - 1;
    let mantissa = (bucket as u64 & (SUB - 1)) | SUB;
    (mantissa << shift) + ((1 << shift) - 1)
}

impl Histogram {
    /// Counts one duration in nanoseconds.
    #[inline(always)]
    pub(in crate::network) fn record(&mut self, nanos: u64) {
        self.record_all(std::iter::once(nanos));
    }

    /// Counts durations in nanoseconds.
    #[inline(always)]
    pub(in crate::network) fn record_all(&mut self, durations: impl Iterator<Item = u64>) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        let Self { buckets, count, sum, min, max } = self;
        // Kept in registers from one to the next.
        let mut seen = (*count, *sum, *min, *max);
        for nanos in durations {
            buckets[bucket(nanos)] += 1;
            seen = (seen.0 + 1, seen.1 + u128::from(nanos), seen.2.min(nanos), seen.3.max(nanos));
        }
        (*count, *sum, *min, *max) = seen;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        let touched = bucket(other.min)..=bucket(other.max);
        for (mine, theirs) in self.buckets[touched.clone()].iter_mut().zip(&other.buckets[touched]) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Forgets everything.
    pub(in crate::network) fn clear(&mut self) {
        if self.count > 0 {
            self.buckets[bucket(self.min)..=bucket(self.max)].fill(0);
            (self.count, self.sum, self.min, self.max) = (0, 0, u64::MAX, 0);
        }
    }

    /// How many durations are not longer than each of these, which rise, and longer than the one before; the last count is of all above.
    pub(super) fn classes<const N: usize, const M: usize>(&self, tops: &[SimDuration; N]) -> [u64; M] {
        let mut counts = [0; M];
        if self.count == 0 {
            return counts;
        }
        for at in bucket(self.min)..=bucket(self.max) {
            let class = tops.partition_point(|longest| longest.as_nanos() < top(at).min(self.max));
            counts[class.min(M - 1)] += self.buckets[at];
        }
        counts
    }

    /// How many durations.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean, rounded down to a nanosecond; zero of none.
    #[must_use]
    pub fn mean(&self) -> SimDuration {
        SimDuration::from_nanos(self.sum.checked_div(u128::from(self.count)).unwrap_or(0) as u64)
    }

    /// The longest; zero of none.
    #[must_use]
    pub const fn max(&self) -> SimDuration {
        SimDuration::from_nanos(self.max)
    }

    /// A duration that at least `permille` of a thousand are not longer than, known to 3 %: 500 = the median, 990 = p99. Zero of none.
    #[must_use]
    pub fn quantile(&self, permille: u32) -> SimDuration {
        let rank = (u128::from(self.count) * u128::from(permille)).div_ceil(1000).max(1);
        let mut seen: u128 = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count);
            if *count > 0 && seen >= rank {
                return SimDuration::from_nanos(top(at).clamp(self.min, self.max));
            }
        }
        self.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_count_every_duration_once() {
        let mut histogram = Histogram::default();
        let tops = [5, 20].map(SimDuration::from_millis);
        assert_eq!(histogram.classes::<2, 3>(&tops), [0; 3]);
        for millis in [1, 4, 6, 19, 30, 7000] {
            histogram.record(millis * 1_000_000);
        }
        assert_eq!(histogram.classes::<2, 3>(&tops), [2, 2, 2]);
    }

    #[test]
    fn buckets_follow_each_other() {
        let mut last = 0;
        for nanos in 0..100_000u64 {
            let at = bucket(nanos);
            assert!(at == last || at == last + 1, "{nanos}");
            last = at;
        }
        for nanos in (0..100_000u64).chain((0..58).map(|shift| 63 << shift)) {
            let at = bucket(nanos);
            assert!(top(at) >= nanos && (at == 0 || top(at - 1) < nanos), "{nanos}");
        }
        assert_eq!(top(bucket(u64::MAX)), u64::MAX);
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_of_a_thousand() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(990), SimDuration::ZERO);
        (1..=1000u64).for_each(|millis| histogram.record(millis * 1_000_000));
        for (permille, millis) in [(500, 500.0), (990, 990.0), (1000, 1000.0), (0, 1.0)] {
            let found = histogram.quantile(permille).as_secs_f64() * 1000.0;
            assert!((found / millis - 1.0).abs() < 0.032, "{permille}: {found}");
        }
        assert_eq!(histogram.mean(), SimDuration::from_micros(500_500));
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.count(), twice.quantile(500)), (2000, histogram.quantile(500)));
        twice.clear();
        assert_eq!(twice.quantile(500), SimDuration::ZERO);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_to_a_thirtieth(nanos: u64) {
            let top = top(bucket(nanos));
            prop_assert!(top >= nanos && top - nanos <= nanos / 32);
        }
    }
}
