//! How an application serves.

use crate::kernel::{Sampler, SimDuration, Stream};

/// How a container serves requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeModel {
    /// How long it works on a request, CPU time apart.
    pub time: Sampler,
    /// CPU time of a request. Under a CPU limit it takes longer: half a core needs twice the time, and requests share it.
    pub cpu: Sampler,
    /// Requests that it works on at a time; `None` = all that come.
    pub concurrency: Option<u32>,
    /// Requests that may wait for their turn; one more is answered with 503.
    pub queue: u32,
    /// Requests that it answers with a server error.
    pub error_rate: ErrorRate,
    /// It is slow at first.
    pub warm_up: Option<WarmUp>,
    /// How much longer a request takes where all of `concurrency` is busy, in thousandths; in between in proportion.
    pub slow_with_load: u32,
    /// Whether it takes new connections after SIGTERM, until its process ends.
    pub serves_on_sigterm: bool,
}

impl Default for ServeModel {
    /// A millisecond for every request, however many come; stops listening at SIGTERM.
    fn default() -> Self {
        Self {
            time: Sampler::constant(SimDuration::from_millis(1)),
            cpu: Sampler::default(),
            concurrency: None,
            queue: Self::DEFAULT_QUEUE,
            error_rate: ErrorRate::default(),
            warm_up: None,
            slow_with_load: 0,
            serves_on_sigterm: false,
        }
    }
}

impl ServeModel {
    /// Linux's default backlog of a listening socket (`net.core.somaxconn`).
    pub const DEFAULT_QUEUE: u32 = 4096;

    /// Whether only its time and its turn decide how long a request takes, and it never fails.
    pub(super) fn is_plain(&self) -> bool {
        self.cpu == Sampler::default()
            && self.error_rate.failing == 0
            && self.warm_up.is_none()
            && (self.slow_with_load == 0 || self.concurrency.is_none())
    }
}

/// A share of requests, as a ratio of whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorRate {
    /// Of so many …
    pub of: u32,
    /// … these fail.
    pub failing: u32,
}

impl ErrorRate {
    #[inline]
    pub(super) fn strikes(self, luck: &mut Stream) -> bool {
        self.failing != 0 && luck.ratio(self.failing.into(), self.of.into())
    }
}

/// A process that is slow after its start: at first `factor` times, then evenly less until it `takes` no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// How long it lasts.
    pub takes: SimDuration,
    /// How many times as long a request takes at the beginning, in thousandths; at least 1000.
    pub factor: u32,
}

impl WarmUp {
    /// How much longer than usual a request takes `age` ns after the start, in thousandths.
    pub(super) const fn extra(self, age: u64) -> u64 {
        let takes = self.takes.as_nanos();
        if age >= takes {
            return 0;
        }
        let most = self.factor.saturating_sub(1000) as u128;
        (most * (takes - age) as u128 / takes as u128) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_warms_up_evenly() {
        let warm_up = WarmUp { takes: SimDuration::from_secs(10), factor: 3000 };
        let extra = |secs| warm_up.extra(SimDuration::from_secs(secs).as_nanos());
        assert_eq!([extra(0), extra(5), extra(9), extra(10), extra(99)], [2000, 1000, 200, 0, 0]);
    }
}
