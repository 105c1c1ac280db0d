//! A node group: machines that are all alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::View;
use crate::kernel::SimDuration;
use crate::objects::{Node, WallTime};

use super::{elapsed, is_ready, node_of};

/// How long a group that failed is left alone at first; it doubles with every failure (`--initial-node-group-backoff-duration`).
const FIRST_BACKOFF: SimDuration = SimDuration::from_mins(5);
/// The longest it is left alone (`--max-node-group-backoff-duration`).
const LONGEST_BACKOFF: SimDuration = SimDuration::from_mins(30);

/// A node group: its bounds, what its machines look like, and which there are.
#[derive(Clone, Debug)]
pub struct Group {
    name: String,
    min: u32,
    max: u32,
    priority: i32,
    template: Arc<Node>,
    /// Machines that are there or on their way.
    members: BTreeSet<Arc<str>>,
    /// Machines that were asked for and are not ready yet, and since when.
    upcoming: Vec<(Arc<str>, WallTime)>,
    backoff: SimDuration,
    backoff_until: Option<WallTime>,
}

impl Group {
    /// A group without machines. `template`: the Node that each will have, but for its name. `priority`: the higher, the sooner
    /// the expander `priority` takes it.
    #[must_use]
    pub const fn new(name: String, min: u32, max: u32, priority: i32, template: Arc<Node>) -> Self {
        let members = BTreeSet::new();
        let backoff = FIRST_BACKOFF;
        Self { name, min, max, priority, template, members, upcoming: Vec::new(), backoff, backoff_until: None }
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fewest machines that scaling in leaves.
    #[must_use]
    pub const fn min(&self) -> u32 {
        self.min
    }

    /// The most that it may have.
    #[must_use]
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// How many machines there are or are on their way.
    #[must_use]
    pub fn size(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    /// Machines that are there or on their way.
    pub fn members(&self) -> impl Iterator<Item = &Arc<str>> {
        self.members.iter()
    }

    pub(super) const fn priority(&self) -> i32 {
        self.priority
    }

    pub(super) const fn template(&self) -> &Arc<Node> {
        &self.template
    }

    pub(super) fn upcoming(&self) -> impl Iterator<Item = &Arc<str>> {
        self.upcoming.iter().map(|(name, _)| name)
    }

    pub(super) fn ask_for(&mut self, node: Arc<str>, now: WallTime) {
        self.members.insert(node.clone());
        self.upcoming.push((node, now));
    }

    pub(super) fn adopt(&mut self, node: Arc<str>) {
        self.members.insert(node);
    }

    pub(super) fn forget(&mut self, node: &str) {
        self.members.remove(node);
    }

    pub(super) fn expects(&self, node: &str) -> bool {
        self.upcoming.iter().any(|(name, _)| **name == *node)
    }

    pub(super) fn backs_off(&self, now: WallTime) -> bool {
        self.backoff_until.is_some_and(|until| now < until)
    }

    /// Takes in which machines have come and which are gone. Returns how many were given up because they took too long.
    pub(super) fn refresh(&mut self, view: &View, now: WallTime, limit: SimDuration) -> usize {
        let there = |name: &str| node_of(view, name);
        let before = self.upcoming.len();
        self.upcoming.retain(|(name, _)| !there(name).is_some_and(|node| is_ready(node)));
        if self.upcoming.len() < before {
            (self.backoff, self.backoff_until) = (FIRST_BACKOFF, None);
        }
        let waits = self.upcoming.len();
        // A machine that is there but does not become ready is no failure of the group, but not waited for either.
        let mut late = 0;
        self.upcoming.retain(|(name, since)| {
            let is_late = elapsed(*since, now) > limit;
            late += usize::from(is_late && there(name).is_none());
            !is_late
        });
        debug_assert!(late <= waits);
        if late > 0 {
            self.backoff_until = Some(now.plus_nanos(i64::try_from(self.backoff.as_nanos()).unwrap_or(i64::MAX)));
            self.backoff = self.backoff.checked_mul(2).map_or(LONGEST_BACKOFF, |next| next.min(LONGEST_BACKOFF));
        }
        let upcoming = &self.upcoming;
        self.members.retain(|name| there(name).is_some() || upcoming.iter().any(|(waits, _)| waits == name));
        late
    }
}
