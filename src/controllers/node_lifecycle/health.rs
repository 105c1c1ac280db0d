//! When a node was last heard of, as the monitor sees it.

use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::objects::{Conditions, Node, Timestamp, WallTime};

use super::super::grid::plus;
use super::zones::zone_of;

/// Label of nodes that do not count when a zone's health is judged.
const EXCLUDE_DISRUPTION: &str = "node.kubernetes.io/exclude-disruption";

/// What the monitor remembers of a node. Signs of life count from the monitor's run that sees them, not from the
/// instant that they carry (upstream `nodeHealthData`).
#[derive(Clone, Debug)]
pub(super) struct Health {
    /// Zone whose eviction queue the node is in.
    pub(super) zone: Arc<str>,
    /// Whether the node counts in its zone.
    pub(super) counts: bool,
    /// Whether it was announced.
    pub(super) registered: bool,
    /// Whether it was queued for a `NoExecute` taint since it was last reachable.
    pub(super) marked: bool,
    /// Whether some of its pods could not be marked.
    pub(super) pods_to_retry: bool,
    /// Next look at it.
    pub(super) look_at: Option<WallTime>,
    /// Newest renewal of its lease.
    lease_renewed: Option<WallTime>,
    /// Run that saw it.
    lease_seen: Option<WallTime>,
    /// Run that saw the newest heartbeat of its status.
    heartbeat_seen: WallTime,
}

impl Health {
    /// A node first seen by the run at `tick`. One whose kubelet never spoke counts from its creation.
    pub(super) fn new(node: &Node, tick: WallTime) -> Self {
        let created = node.meta.creation_timestamp.map_or(tick, Timestamp::wall);
        Self {
            zone: zone_of(node),
            counts: counts(node),
            registered: false,
            marked: false,
            pods_to_retry: false,
            look_at: None,
            lease_renewed: None,
            lease_seen: None,
            heartbeat_seen: if node.status.conditions.find("Ready").is_some() { tick } else { created },
        }
    }

    /// The run at `tick` sees the lease.
    pub(super) fn lease(&mut self, renewed: WallTime, tick: WallTime) {
        if self.lease_renewed.is_none_or(|before| before < renewed) {
            self.lease_renewed = Some(renewed);
            self.lease_seen = Some(tick);
        }
    }

    /// The run at `tick` sees a new heartbeat of the status.
    pub(super) fn heartbeat(&mut self, tick: WallTime) {
        self.heartbeat_seen = tick;
    }

    /// Reads the labels again. Returns whether the zone is another one.
    pub(super) fn relabel(&mut self, node: &Node) -> bool {
        self.counts = counts(node);
        let zone = zone_of(node);
        let moved = zone != self.zone;
        self.zone = zone;
        moved
    }

    /// Last sign of life. A heartbeat makes the controller forget the lease it saw before, so that its next run takes
    /// the same lease for a new one.
    pub(super) fn last_sign(&self, monitor_period: SimDuration) -> WallTime {
        match self.lease_seen {
            Some(lease) if lease >= self.heartbeat_seen => lease,
            Some(_) => plus(self.heartbeat_seen, monitor_period),
            None => self.heartbeat_seen,
        }
    }
}

fn counts(node: &Node) -> bool {
    !node.meta.labels.contains_key(EXCLUDE_DISRUPTION)
}
