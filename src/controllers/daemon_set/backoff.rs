//! Back-off of failed pods, by node (client-go `flowcontrol.Backoff` as the DaemonSet controller uses it).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::kernel::SimDuration;
use crate::objects::WallTime;

/// Wait after the first deletion; it doubles with each.
const INITIAL: SimDuration = SimDuration::from_secs(1);
/// Longest wait.
const MAX: SimDuration = SimDuration::from_mins(15);
/// A node without a deletion for this long begins anew.
const EXPIRY: SimDuration = SimDuration::from_mins(30);
/// How often what has expired is forgotten.
const SWEEP: SimDuration = SimDuration::from_mins(1);

#[derive(Clone, Copy, Debug)]
struct Wait {
    length: SimDuration,
    since: WallTime,
}

/// How long the deletion of failed pods waits on each node. Another generation of the DaemonSet begins anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    generation: i64,
    waits: FxHashMap<Arc<str>, Wait>,
    swept: WallTime,
}

impl Backoff {
    /// Whether a failed pod on that node may be deleted now; if not, how long to wait. That it may counts as done.
    pub(super) fn admit(
        &mut self,
        node: &Arc<str>,
        observed_generation: i64,
        now: WallTime,
    ) -> Result<(), SimDuration> {
        if self.generation != observed_generation {
            *self = Self { generation: observed_generation, waits: FxHashMap::default(), swept: now };
        }
        self.sweep(now);
        let last = self.waits.get(node).filter(|wait| !is_older(wait.since, EXPIRY, now));
        let length = match last {
            // As upstream, the whole wait and not the rest of it.
            Some(wait) if is_younger(wait.since, wait.length, now) => return Err(wait.length),
            Some(wait) => (wait.length + wait.length).min(MAX),
            None => INITIAL,
        };
        self.waits.insert(Arc::clone(node), Wait { length, since: now });
        Ok(())
    }

    fn sweep(&mut self, now: WallTime) {
        if is_older(self.swept, SWEEP, now) {
            self.waits.retain(|_, wait| !is_older(wait.since, EXPIRY, now));
            self.swept = now;
        }
    }
}

fn age(since: WallTime, now: WallTime) -> u64 {
    u64::try_from(now.nanos_since(since)).unwrap_or(0)
}

fn is_older(since: WallTime, length: SimDuration, now: WallTime) -> bool {
    age(since, now) > length.as_nanos()
}

fn is_younger(since: WallTime, length: SimDuration, now: WallTime) -> bool {
    age(since, now) < length.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> WallTime {
        WallTime::from_unix_nanos(1_767_225_600_000_000_000).plus_nanos(secs * 1_000_000_000)
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let (mut backoff, node) = (Backoff::default(), Arc::from("n1"));
        let mut now = 0;
        assert_eq!(backoff.admit(&node, 1, at(now)), Ok(()));
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert_eq!(backoff.admit(&node, 1, at(now + wait - 1)), Err(SimDuration::from_secs(wait as u64)));
            now += wait;
            assert_eq!(backoff.admit(&node, 1, at(now)), Ok(()), "after {wait} s");
        }
        assert_eq!(backoff.admit(&Arc::from("n2"), 1, at(now)), Ok(()));
    }

    #[test]
    fn half_an_hour_or_another_generation_begins_anew() {
        let (mut backoff, node) = (Backoff::default(), Arc::from("n1"));
        for now in [0, 1, 3] {
            assert_eq!(backoff.admit(&node, 1, at(now)), Ok(()));
        }
        assert_eq!(backoff.admit(&node, 2, at(3)), Ok(()));
        assert_eq!(backoff.admit(&node, 2, at(3)), Err(SimDuration::from_secs(1)));
        assert_eq!(backoff.admit(&node, 2, at(3 + 1801)), Ok(()));
        assert_eq!(backoff.admit(&node, 2, at(3 + 1801)), Err(SimDuration::from_secs(1)));
        assert_eq!(backoff.waits.len(), 1);
    }
}
