//! What volumes, claims and storage classes have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ObjectMeta, Quantity, SharedList, Text};

/// Annotation that names the storage class, from before there was a field.
pub const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// Annotation of a claim that was bound once; what it says does not matter.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Annotation of a claim or volume whose partner the controller has chosen; without it a user has.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// Annotation of a claim: the node that the scheduler has chosen for its consumer.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Annotation of a volume: who made it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Annotation of a claim: who is to make its volume; the first is from before it was stable.
pub const STORAGE_PROVISIONER: [&str; 2] =
    ["volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"];
/// Annotation of a claim or volume: the driver that took over from a part of Kubernetes.
pub const MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";
/// Provisioner of classes whose volumes nobody makes.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
/// Finalizer of a volume that was made for a claim: its driver deletes what is behind it first.
pub const PROVISIONER_FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// Finalizer of a claim: it stays while a pod on a node uses it.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// Finalizer of a volume: it stays while it is bound.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

/// Amounts by name of the resource; volumes and claims have `storage`.
pub type ResourceList = BTreeMap<Arc<str>, Quantity>;

/// The amount of storage in a list, zero if it has none.
pub(super) fn storage_of(list: &ResourceList) -> Quantity {
    list.get("storage").copied().unwrap_or_default()
}

/// How a volume may be mounted. The order is that in which kubectl writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AccessMode {
    /// By one node, to read and write.
    ReadWriteOnce,
    /// By many nodes, to read.
    ReadOnlyMany,
    /// By many nodes, to read and write.
    ReadWriteMany,
    /// By one pod, to read and write.
    ReadWriteOncePod,
}

impl AccessMode {
    /// As kubectl writes it.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "RWO",
            Self::ReadOnlyMany => "ROX",
            Self::ReadWriteMany => "RWX",
            Self::ReadWriteOncePod => "RWOP",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Access modes in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessModes(pub SharedList<AccessMode>);

impl AccessModes {
    /// Whether that mode is among them.
    #[must_use]
    pub fn contains(&self, mode: AccessMode) -> bool {
        self.0.contains(&mode)
    }

    /// Whether every mode of `other` is among them (upstream `volume.CheckAccessModes`).
    #[must_use]
    pub fn contain_all(&self, other: &Self) -> bool {
        other.set() & !self.set() == 0
    }

    /// How many different modes.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.set().count_ones()
    }

    /// The modes as a set of bits.
    #[must_use]
    pub fn set(&self) -> u8 {
        self.0.iter().fold(0, |set, mode| set | mode.bit())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for AccessModes {
    /// As kubectl writes them: each once, in the order of the API (upstream `helper.GetAccessModesAsString`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AccessMode::{ReadOnlyMany, ReadWriteMany, ReadWriteOnce, ReadWriteOncePod};
        let all = [ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod];
        let texts: Vec<&str> = all.into_iter().filter(|mode| self.contains(*mode)).map(AccessMode::short).collect();
        f.write_str(&texts.join(","))
    }
}

impl FromIterator<AccessMode> for AccessModes {
    fn from_iter<I: IntoIterator<Item = AccessMode>>(modes: I) -> Self {
        Self(modes.into_iter().collect())
    }
}

/// Whether a volume is mounted as a directory or given as a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VolumeMode {
    /// A directory.
    #[default]
    Filesystem,
    /// A raw device.
    Block,
}

impl VolumeMode {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filesystem => "Filesystem",
            Self::Block => "Block",
        }
    }
}

/// What happens to a volume whose claim is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReclaimPolicy {
    /// It stays, with its content, until somebody takes care of it.
    #[default]
    Retain,
    /// It is deleted, with its content.
    Delete,
    /// It is emptied and can be claimed again.
    Recycle,
}

impl ReclaimPolicy {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
            Self::Recycle => "Recycle",
        }
    }
}

/// The storage class that an object names: the annotation wins over the field.
pub(super) fn class_of<'a>(meta: &'a ObjectMeta, field: Option<&'a str>) -> Option<&'a str> {
    meta.annotations.get(CLASS_ANNOTATION).or(field)
}

pub(super) fn no_modes(modes: &AccessModes) -> bool {
    modes.is_empty()
}

/// Phase of a PersistentVolume.
pub mod volume_phase {
    /// Not looked at yet.
    pub const PENDING: &str = "Pending";
    /// Not bound, can be claimed.
    pub const AVAILABLE: &str = "Available";
    /// Bound to a claim.
    pub const BOUND: &str = "Bound";
    /// Its claim is gone, it is not reclaimed (yet).
    pub const RELEASED: &str = "Released";
    /// Reclaiming it failed.
    pub const FAILED: &str = "Failed";
}

/// Phase of a PersistentVolumeClaim.
pub mod claim_phase {
    /// Not bound.
    pub const PENDING: &str = "Pending";
    /// Bound.
    pub const BOUND: &str = "Bound";
    /// Its volume is gone.
    pub const LOST: &str = "Lost";
}

/// A phase that was never written reads as `Pending`.
pub(super) fn phase_or_pending(phase: &Text) -> &str {
    if phase.is_empty() { "Pending" } else { phase }
}
