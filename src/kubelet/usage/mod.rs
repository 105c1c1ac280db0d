//! What containers use of memory, disk and processes, as a function of time: no event is needed to follow it, and the
//! instants at which it crosses a limit are computed.

mod counted;
mod cpu;
mod growth;

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

pub use counted::ContainerCount;
pub use cpu::CpuUse;
pub use growth::Growth;

use crate::kernel::SimDuration;
use crate::objects::WallTime;

use super::behaviour::Behaviours;
use super::worker::{Worker, until};

/// How far crossings are looked for.
const HORIZON: i64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// What the containers of an image use, counted from each start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory, in bytes.
    pub memory: Option<Growth>,
    /// The writable layer, in bytes; it goes with the container.
    pub disk: Option<Growth>,
    /// Logs, in bytes; a container that starts again begins new ones.
    pub logs: Option<Growth>,
    /// What is written to `emptyDir` volumes, in bytes by name of the volume. It stays as long as the pod is there. In a volume
    /// with `medium: Memory` it is memory of the container.
    pub empty_dirs: Option<Arc<BTreeMap<Arc<str>, Growth>>>,
    /// Processes.
    pub processes: Option<Growth>,
}

impl Usage {
    pub(super) const NONE: Self = Self { memory: None, disk: None, logs: None, empty_dirs: None, processes: None };

    /// Whether anything is said of it.
    #[must_use]
    pub fn is_modelled(&self) -> bool {
        *self != Self::NONE
    }
}

/// What one container uses at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerUse {
    /// Volumes in memory included.
    pub(super) memory: i64,
    pub(super) layer: i64,
    pub(super) logs: i64,
    pub(super) processes: i64,
}

impl ContainerUse {
    /// Bytes of the node's disk, volumes left out.
    pub(super) const fn disk(&self) -> i64 {
        self.layer.saturating_add(self.logs)
    }
}

/// What one pod uses at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PodUse {
    pub(super) memory: i64,
    /// Layers, logs, and volumes that are not in memory.
    pub(super) disk: i64,
    pub(super) processes: i64,
}

/// What earlier lives of containers left in `emptyDir` volumes: container, volume, bytes.
pub(super) type Left = SmallVec<[(u16, Arc<str>, i64); 1]>;

impl Worker {
    /// Whether anything is said of what its containers use.
    pub(super) fn uses_something(&self, behaviours: &Behaviours) -> bool {
        behaviours.model_use()
            && self.containers.iter().any(|container| behaviours.get(container.behaviour).usage.is_modelled())
    }

    /// What a container uses; nothing if it does not run.
    pub(super) fn container_use(&self, at: usize, behaviours: &Behaviours, now: WallTime) -> ContainerUse {
        let container = &self.containers[at];
        if !container.is_running() {
            return ContainerUse::default();
        }
        let usage = &behaviours.get(container.behaviour).usage;
        let elapsed = until(container.running_since, now);
        let amount = |growth: &Option<Growth>| growth.map_or(0, |growth| growth.at(elapsed));
        let mut memory = amount(&usage.memory);
        for (volume, _) in usage.empty_dirs.iter().flat_map(|volumes| volumes.iter()) {
            if self.is_in_memory(volume) {
                memory = memory.saturating_add(self.written(at, volume, behaviours, now));
            }
        }
        ContainerUse {
            memory,
            layer: amount(&usage.disk),
            logs: amount(&usage.logs),
            processes: amount(&usage.processes),
        }
    }

    /// What the pod uses.
    pub(super) fn pod_use(&self, behaviours: &Behaviours, now: WallTime) -> PodUse {
        let mut total = PodUse::default();
        for at in 0..self.containers.len() {
            let used = self.container_use(at, behaviours, now);
            total.memory = total.memory.saturating_add(used.memory);
            total.disk = total.disk.saturating_add(used.disk());
            total.processes = total.processes.saturating_add(used.processes);
        }
        for volume in self.spec.volumes.iter().filter(|volume| volume.empty_dir.is_some()) {
            if !self.is_in_memory(&volume.name) {
                total.disk = total.disk.saturating_add(self.volume_use(&volume.name, behaviours, now));
            }
        }
        total
    }

    /// What is in an `emptyDir` volume, in bytes.
    pub(super) fn volume_use(&self, volume: &str, behaviours: &Behaviours, now: WallTime) -> i64 {
        let written = (0..self.containers.len()).map(|at| self.written(at, volume, behaviours, now));
        written.fold(0, i64::saturating_add)
    }

    /// What a container has written to a volume in this life and those before.
    fn written(&self, at: usize, volume: &str, behaviours: &Behaviours, now: WallTime) -> i64 {
        let container = &self.containers[at];
        let left = self.left_in(at, volume);
        let usage = &behaviours.get(container.behaviour).usage;
        let growth = usage.empty_dirs.as_ref().and_then(|volumes| volumes.get(volume));
        let growth = growth.filter(|_| container.is_running() && self.has_empty_dir(volume));
        let Some(growth) = growth else { return left };
        let elapsed = until(container.running_since, now);
        // What is there at first is there once.
        let first = growth.at(SimDuration::ZERO);
        let grown = growth.at(elapsed).saturating_sub(first);
        left.max(first).saturating_add(grown).min(growth.at(SimDuration::MAX).max(left))
    }

    fn left_in(&self, at: usize, volume: &str) -> i64 {
        let left = self.extra.iter().flat_map(|extra| &extra.left);
        left.filter(|(container, name, _)| usize::from(*container) == at && **name == *volume).map(|left| left.2).sum()
    }

    /// Notes what a container that is about to end leaves in volumes.
    pub(super) fn leave_volumes(&mut self, at: usize, behaviours: &Behaviours, now: WallTime) {
        if !behaviours.model_use() {
            return;
        }
        let Some(volumes) = behaviours.get(self.containers[at].behaviour).usage.empty_dirs.clone() else { return };
        let container = u16::try_from(at).unwrap_or(u16::MAX);
        for volume in volumes.keys() {
            let written = self.written(at, volume, behaviours, now);
            let left = &mut self.extra.get_or_insert_default().left;
            left.retain(|(known, name, _)| *known != container || *name != *volume);
            left.push((container, volume.clone(), written));
        }
    }

    fn has_empty_dir(&self, name: &str) -> bool {
        self.spec.volumes.iter().any(|volume| *volume.name == *name && volume.empty_dir.is_some())
    }

    fn is_in_memory(&self, name: &str) -> bool {
        let volume = self.spec.volumes.iter().find(|volume| *volume.name == *name);
        let source = volume.and_then(|volume| volume.empty_dir.as_ref());
        source.and_then(|source| source.get("medium")?.as_str()) == Some("Memory")
    }
}

/// The first instant from `now` on at which something holds that, once it holds, goes on holding as long as nothing starts or
/// ends.
pub(super) fn first_instant(now: WallTime, holds: impl Fn(WallTime) -> bool) -> Option<WallTime> {
    if holds(now) {
        return Some(now);
    }
    let (mut before, mut after) = (0, HORIZON);
    if !holds(now.plus_nanos(after)) {
        return None;
    }
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if holds(now.plus_nanos(middle)) {
            after = middle;
        } else {
            before = middle;
        }
    }
    Some(now.plus_nanos(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Timestamp;

    #[test]
    fn crossings_are_exact_to_the_nanosecond() {
        let now = Timestamp::from_unix_secs(1_000).wall();
        let growth: Growth = serde_json::from_str(r#"{"use": "10", "grow": "3/2s"}"#).expect("growth");
        let first = first_instant(now, |at| growth.at(until(now, at)) > 12).expect("crossed");
        assert_eq!(first.nanos_since(now), 2_000_000_000);
        let first = first_instant(now, |at| growth.at(until(now, at)) >= 11).expect("crossed");
        assert_eq!(first.nanos_since(now), 666_666_667);
        assert_eq!(first_instant(now, |_| true), Some(now));
        assert_eq!(first_instant(now, |_| false), None);
    }
}
