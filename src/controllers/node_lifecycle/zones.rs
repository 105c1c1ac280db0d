//! Zones: how many of their nodes are lost, and how fast lost nodes may be emptied.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::kernel::SimDuration;
use crate::objects::{Labels, Node, WallTime};

use super::super::grid::{Grid, plus};
use super::NodeLifecycleConfig;

/// How often the queues of nodes to taint are looked at (upstream `NodeEvictionPeriod`).
const EVICTION_PERIOD: SimDuration = SimDuration::from_millis(100);

/// How a zone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZoneState {
    /// Not judged yet.
    Initial,
    /// Most nodes are ready.
    Normal,
    /// Many are not.
    PartialDisruption,
    /// None is.
    FullDisruption,
}

/// Nodes of a zone by readiness.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Census {
    pub(super) ready: usize,
    pub(super) not_ready: usize,
}

impl Census {
    /// Upstream `ComputeZoneState`.
    pub(super) fn state(self, config: &NodeLifecycleConfig) -> ZoneState {
        let Self { ready, not_ready } = self;
        let many = not_ready > 2
            && not_ready.saturating_mul(100) >= self.size().saturating_mul(config.unhealthy_zone_percent as usize);
        if ready == 0 && not_ready > 0 {
            ZoneState::FullDisruption
        } else if many {
            ZoneState::PartialDisruption
        } else {
            ZoneState::Normal
        }
    }

    const fn size(self) -> usize {
        self.ready + self.not_ready
    }
}

/// What a new judgement means for all zones together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// No node of any zone is ready any more: the fault is ours, nobody is evicted.
    AllLost,
    /// That is over.
    SomeBack,
}

/// A token bucket of burst one.
#[derive(Clone, Copy, Debug)]
struct Limiter {
    /// Time per token; `None` = never one.
    interval: Option<SimDuration>,
    /// From when there is a token.
    token_at: WallTime,
}

impl Limiter {
    const fn full(interval: SimDuration) -> Self {
        Self { interval: Some(interval), token_at: WallTime::from_unix_nanos(i64::MIN) }
    }

    fn try_accept(&mut self, now: WallTime) -> bool {
        match self.interval {
            Some(interval) if self.token_at <= now => {
                self.token_at = plus(now, interval);
                true
            }
            _ => false,
        }
    }

    /// Takes another rate. Who waited before waits again.
    fn swap(&mut self, interval: Option<SimDuration>, now: WallTime) {
        if self.interval == interval {
            return;
        }
        let waited = !self.try_accept(now);
        self.interval = interval;
        self.token_at = match interval {
            Some(interval) if waited => plus(now, interval),
            _ => WallTime::from_unix_nanos(i64::MIN),
        };
    }
}

/// A node that waits for its `NoExecute` taint.
#[derive(Clone, Debug)]
struct Waiting {
    name: Arc<str>,
    since: WallTime,
    /// Whether its token is already spent: a refused write is tried again at once.
    has_token: bool,
}

#[derive(Clone, Debug)]
struct Zone {
    state: ZoneState,
    limiter: Limiter,
    queue: VecDeque<Waiting>,
    /// Names in the queue.
    names: FxHashSet<Arc<str>>,
}

impl Zone {
    fn due(&self, grid: Grid) -> Option<WallTime> {
        let head = self.queue.front()?;
        if head.has_token {
            return Some(head.since);
        }
        self.limiter.interval?;
        let token_at = self.limiter.token_at.max(head.since);
        Some(grid.after(head.since, EVICTION_PERIOD).max(grid.at_or_after(token_at, EVICTION_PERIOD)))
    }
}

/// All zones, with their queues.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones {
    zones: BTreeMap<Arc<str>, Zone>,
}

impl Zones {
    /// Makes the zone known.
    pub(super) fn meet(&mut self, zone: &Arc<str>, config: &NodeLifecycleConfig) {
        if !self.zones.contains_key(zone) {
            let limiter = Limiter::full(config.eviction_interval);
            let new = Zone { state: ZoneState::Initial, limiter, queue: VecDeque::new(), names: FxHashSet::default() };
            self.zones.insert(Arc::clone(zone), new);
        }
    }

    /// Queues a node, behind those that wait already.
    pub(super) fn queue(&mut self, zone: &str, name: &Arc<str>, now: WallTime) {
        self.wait(zone, name, now, false);
    }

    /// Puts a node back whose taint could not be written.
    pub(super) fn put_back(&mut self, zone: &str, name: &Arc<str>, now: WallTime) {
        self.wait(zone, name, now, true);
    }

    fn wait(&mut self, zone: &str, name: &Arc<str>, since: WallTime, has_token: bool) {
        let Some(zone) = self.zones.get_mut(zone) else { return };
        if !zone.names.insert(Arc::clone(name)) {
            return;
        }
        let waiting = Waiting { name: Arc::clone(name), since, has_token };
        if has_token {
            zone.queue.push_front(waiting);
        } else {
            zone.queue.push_back(waiting);
        }
    }

    /// Whether a node waits.
    pub(super) fn is_waiting(&self, zone: &str, name: &str) -> bool {
        self.zones.get(zone).is_some_and(|zone| zone.names.contains(name))
    }

    /// Takes a node out of its queue.
    pub(super) fn remove(&mut self, zone: &str, name: &str) {
        if let Some(zone) = self.zones.get_mut(zone)
            && zone.names.remove(name)
        {
            zone.queue.retain(|waiting| *waiting.name != *name);
        }
    }

    /// Empties all queues.
    pub(super) fn clear(&mut self) {
        for zone in self.zones.values_mut() {
            zone.queue.clear();
            zone.names.clear();
        }
    }

    /// When the next queued node may be tainted.
    pub(super) fn due(&self, grid: Grid) -> Option<WallTime> {
        self.zones.values().filter_map(|zone| zone.due(grid)).min()
    }

    /// The nodes whose turn it is.
    pub(super) fn take_due(&mut self, grid: Grid, now: WallTime) -> Vec<Arc<str>> {
        let mut taken = Vec::new();
        for zone in self.zones.values_mut() {
            while zone.due(grid).is_some_and(|due| due <= now)
                && (zone.queue.front().is_some_and(|head| head.has_token) || zone.limiter.try_accept(now))
            {
                let Some(head) = zone.queue.pop_front() else { break };
                zone.names.remove(&head.name);
                taken.push(head.name);
            }
        }
        taken
    }

    /// Judges all zones anew and sets their rates (upstream `handleDisruption`). Zones whose nodes do not count are
    /// left alone; zones without nodes are forgotten.
    pub(super) fn judge(
        &mut self,
        census: &BTreeMap<Arc<str>, Census>,
        config: &NodeLifecycleConfig,
        now: WallTime,
    ) -> Turn {
        self.zones.retain(|name, _| census.contains_key(name));
        let mut judged: Vec<(&mut Zone, Census, ZoneState)> = Vec::new();
        for (name, zone) in &mut self.zones {
            let census = census.get(name).copied().unwrap_or_default();
            if census.size() > 0 {
                judged.push((zone, census, census.state(config)));
            }
        }
        let all_lost = judged.iter().all(|(_, _, state)| *state == ZoneState::FullDisruption);
        let all_were_lost = judged.iter().all(|(zone, ..)| zone.state == ZoneState::FullDisruption);
        if all_lost && all_were_lost {
            return Turn::None;
        }
        for (zone, census, state) in judged {
            if all_lost {
                zone.limiter.swap(None, now);
            } else if all_were_lost || zone.state != state {
                zone.limiter.swap(interval(state, census, config), now);
            }
            zone.state = state;
        }
        match (all_lost, all_were_lost) {
            (true, _) => Turn::AllLost,
            (_, true) => Turn::SomeBack,
            _ => Turn::None,
        }
    }
}

/// Time per node that a zone's queue takes; `None` = nobody.
fn interval(state: ZoneState, census: Census, config: &NodeLifecycleConfig) -> Option<SimDuration> {
    let is_large = census.size() > config.large_cluster_size;
    match state {
        ZoneState::PartialDisruption => is_large.then_some(config.secondary_eviction_interval),
        ZoneState::Initial | ZoneState::Normal | ZoneState::FullDisruption => Some(config.eviction_interval),
    }
}

/// Region and zone of a node, empty if it has neither (upstream `GetZoneKey`).
pub(super) fn zone_of(node: &Node) -> Arc<str> {
    fn either<'a>(labels: &'a Labels, old: &str, new: &str) -> &'a str {
        labels.get(old).or_else(|| labels.get(new)).unwrap_or("")
    }
    let labels = &node.meta.labels;
    let zone = either(labels, "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone");
    let region = either(labels, "failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region");
    if zone.is_empty() && region.is_empty() { "".into() } else { format!("{region}:\0:{zone}").into() }
}
