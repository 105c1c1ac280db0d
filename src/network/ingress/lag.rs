//! When a controller acts on what has changed (ingress-nginx `internal/ingress/controller/nginx.go`, `lua/balancer.lua`).

use crate::kernel::{SimDuration, SimTime};

/// How long things take in a controller pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTimes {
    /// Syncs follow each other not faster than that; the first after a while is made at once.
    pub interval: SimDuration,
    /// Each worker looks for new endpoints that often.
    pub poll: SimDuration,
    /// A new configuration is tested and new workers are started in that time.
    pub reload: SimDuration,
    /// Old workers end what they have begun for at most that long.
    pub shutdown: SimDuration,
}

impl Default for SyncTimes {
    fn default() -> Self {
        Self {
            interval: SimDuration::from_millis(3_333),
            poll: SimDuration::from_secs(1),
            reload: SimDuration::from_millis(300),
            shutdown: SimDuration::from_secs(240),
        }
    }
}

/// What has changed for a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngressChange {
    /// Endpoints only: workers are told without a reload.
    Endpoints,
    /// Hosts, paths, annotations, certificates of new hosts: nginx reloads.
    Configuration,
}

/// The syncs of one controller pod: a token bucket of one.
#[derive(Clone, Debug)]
pub struct SyncLag {
    times: SyncTimes,
    /// When this pod's workers look for the first time after the start of the simulation.
    phase: SimDuration,
    last_sync: Option<SimTime>,
}

impl SyncLag {
    /// A pod whose workers look for new endpoints `phase` after every full [`SyncTimes::poll`].
    #[must_use]
    pub const fn new(times: SyncTimes, phase: SimDuration) -> Self {
        Self { times, phase, last_sync: None }
    }

    /// When workers act on a change that the controller sees at `now`. Changes must come in order; those between two syncs share
    /// the second.
    pub fn effective(&mut self, now: SimTime, change: IngressChange) -> SimTime {
        let sync = self.sync(now);
        self.takes_effect(sync, change)
    }

    /// When the controller syncs because of a change that it sees at `now`.
    pub fn sync(&mut self, now: SimTime) -> SimTime {
        let sync = match self.last_sync {
            // A sync is due that has not been made.
            Some(due) if due > now => due,
            Some(last) => now.max(last + self.times.interval),
            None => now,
        };
        self.last_sync = Some(sync);
        sync
    }

    /// How long old workers may end what they have begun.
    #[must_use]
    pub const fn shutdown(&self) -> SimDuration {
        self.times.shutdown
    }

    /// When workers act on what a sync has found.
    #[must_use]
    pub fn takes_effect(&self, sync: SimTime, change: IngressChange) -> SimTime {
        match change {
            IngressChange::Configuration => sync + self.times.reload,
            IngressChange::Endpoints => self.next_poll(sync),
        }
    }

    fn next_poll(&self, at: SimTime) -> SimTime {
        let poll = self.times.poll.as_nanos();
        if poll == 0 {
            return at;
        }
        let phase = self.phase.as_nanos() % poll;
        let past = at.as_nanos().wrapping_sub(phase) % poll;
        let wait = if at.as_nanos() < phase {
            phase - at.as_nanos()
        } else if past == 0 {
            0
        } else {
            poll - past
        };
        at + SimDuration::from_nanos(wait)
    }
}
