//! What a kubelet measures of its node.

/// What is measured. The node has one file system, which holds images, containers and volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Memory that nobody works with, in bytes.
    MemoryAvailable,
    /// Bytes free on the node's file system.
    NodeFsAvailable,
    /// Bytes free on the file system of images: the same one.
    ImageFsAvailable,
    /// Process numbers that are free.
    PidAvailable,
    /// Inodes are not simulated: a threshold of theirs is never met.
    Inodes,
}

impl Signal {
    /// The signal of a name of the kubelet's configuration, such as `memory.available`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "memory.available" => Self::MemoryAvailable,
            "nodefs.available" => Self::NodeFsAvailable,
            "imagefs.available" => Self::ImageFsAvailable,
            "pid.available" => Self::PidAvailable,
            "nodefs.inodesFree" | "imagefs.inodesFree" => Self::Inodes,
            _ => return None,
        })
    }

    /// The place of its condition in [`PressureConditions`].
    pub(super) const fn condition(self) -> usize {
        match self {
            Self::MemoryAvailable => 0,
            Self::NodeFsAvailable | Self::ImageFsAvailable | Self::Inodes => 1,
            Self::PidAvailable => 2,
        }
    }
}

/// Whether a node is under pressure, by its condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PressureConditions {
    /// `MemoryPressure`.
    pub memory: bool,
    /// `DiskPressure`.
    pub disk: bool,
    /// `PIDPressure`.
    pub pids: bool,
}

impl PressureConditions {
    /// Whether there is any.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.memory || self.disk || self.pids
    }

    /// The types of the conditions that hold.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let all = [("MemoryPressure", self.memory), ("DiskPressure", self.disk), ("PIDPressure", self.pids)];
        all.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
    }
}

/// What is there of something, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Observation {
    pub(in super::super) capacity: i64,
    pub(in super::super) available: i64,
}

impl Observation {
    pub(in super::super) fn new(capacity: i64, used: i64) -> Self {
        Self { capacity, available: capacity.saturating_sub(used).max(0) }
    }
}

/// What was measured at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Observations {
    pub(in super::super) memory: Observation,
    pub(in super::super) disk: Observation,
    pub(in super::super) processes: Observation,
}

impl Observations {
    /// Of that signal, if it can be measured.
    pub(super) fn of(&self, signal: Signal) -> Option<Observation> {
        let found = match signal {
            Signal::MemoryAvailable => self.memory,
            Signal::NodeFsAvailable | Signal::ImageFsAvailable => self.disk,
            Signal::PidAvailable => self.processes,
            Signal::Inodes => return None,
        };
        // A machine of which nobody says how much it has of it.
        Some(found).filter(|found| found.capacity > 0)
    }
}
