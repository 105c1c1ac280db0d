//! How virtual time goes with real time. The only place that reads a clock: what it says decides when something is asked of the
//! simulation, never what the simulation does.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a server lives in real time")]

use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use crate::kernel::{SimDuration, SimTime};
use crate::objects::Timestamp;

/// Virtual seconds in a real one, in thousandths.
///
/// ```
/// use seatrial::serve::Speed;
///
/// assert_eq!("2.5".parse(), Ok(Speed::from_thousandths(2500)));
/// assert_eq!("0".parse(), Ok(Speed::STILL));
/// assert!("-1".parse::<Speed>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed(u64);

impl Speed {
    /// Time passes only on request.
    pub const STILL: Self = Self(0);
    /// As real time does.
    pub const REAL: Self = Self(1000);
    /// The highest speed.
    pub const MAX: Self = Self(1_000_000_000);

    /// So many thousandths of real time, at most [`Speed::MAX`].
    #[must_use]
    pub const fn from_thousandths(thousandths: u64) -> Self {
        if thousandths > Self::MAX.0 { Self::MAX } else { Self(thousandths) }
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no speed: a number from 0 to 1000000 with up to three decimals, such as 10 or 0.5");
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 7 || decimals.len() > 3 || !is_number(whole) || !is_number(decimals) {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let decimals: u64 = format!("{decimals:0<3}").parse().map_err(|_| wrong())?;
        let thousandths = whole * 1000 + decimals;
        if thousandths > Self::MAX.0 { Err(wrong()) } else { Ok(Self(thousandths)) }
    }
}

/// The time of this machine, for clusters that are to begin now: clients work out ages by their own clocks.
#[must_use]
pub fn real_time() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A virtual clock that runs by a real one.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    /// A real instant, and the virtual one then.
    since: (Instant, SimTime),
}

/// Most virtual time that passes between two looks at what is asked.
const STRIDE_MAX: SimDuration = SimDuration::from_secs(10);
/// From one look at the clock to the next.
const TICK: Duration = Duration::from_millis(20);

impl Pace {
    pub(super) fn new(speed: Speed, now: SimTime) -> Self {
        Self { speed, since: (Instant::now(), now) }
    }

    /// How much virtual time is to pass now. A simulation that cannot follow falls behind, and stays there.
    pub(super) fn due(&mut self, now: SimTime) -> SimDuration {
        let real = self.since.0.elapsed().as_nanos();
        let virtual_nanos = u64::try_from(real * u128::from(self.speed.0) / 1000).unwrap_or(u64::MAX);
        let target = self.since.1 + SimDuration::from_nanos(virtual_nanos);
        let due = if target > now { target.since(now) } else { SimDuration::ZERO };
        if due > STRIDE_MAX {
            self.since = (Instant::now(), now + STRIDE_MAX);
            return STRIDE_MAX;
        }
        due
    }

    /// Virtual time was moved by somebody else.
    pub(super) fn start_over(&mut self, now: SimTime) {
        self.since = (Instant::now(), now);
    }

    /// How long to wait for a request before looking at the clock again.
    pub(super) const fn tick(&self) -> Duration {
        TICK
    }
}
