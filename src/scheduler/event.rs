//! Cluster events: which change may let a pod in that found no node (upstream `framework/events.go`).

use std::ops::BitOr;
use std::sync::Arc;

use crate::api::{Change, ChangeType};
use crate::objects::{
    Conditions, Node, PersistentVolume, PersistentVolumeClaim, Pod, Resources, StorageClass, VolumeAttachment,
};

/// A set of kinds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions(u32);

impl Actions {
    /// A node is new.
    pub const NODE_ADD: Self = Self(1);
    /// A node is gone.
    pub const NODE_DELETE: Self = Self(1 << 1);
    /// The allocatable resources of a node changed.
    pub const NODE_ALLOCATABLE: Self = Self(1 << 2);
    /// The labels of a node changed.
    pub const NODE_LABEL: Self = Self(1 << 3);
    /// The taints of a node changed, or it was uncordoned.
    pub const NODE_TAINT: Self = Self(1 << 4);
    /// The status of a condition of a node changed.
    pub const NODE_CONDITION: Self = Self(1 << 5);
    /// The annotations of a node changed.
    pub const NODE_ANNOTATION: Self = Self(1 << 6);
    /// A pod was bound.
    pub const POD_ADD: Self = Self(1 << 7);
    /// A bound (or nominated) pod is gone.
    pub const POD_DELETE: Self = Self(1 << 8);
    /// The labels of a pod changed.
    pub const POD_LABEL: Self = Self(1 << 9);
    /// A pod requests less.
    pub const POD_SCALE_DOWN: Self = Self(1 << 10);
    /// A pod has more or fewer tolerations.
    pub const POD_TOLERATION: Self = Self(1 << 11);
    /// The last scheduling gate of a pod was removed.
    pub const POD_GATES: Self = Self(1 << 12);
    /// Any other change of a pod. Only plugins that want all events hear of it.
    pub const POD_OTHER: Self = Self(1 << 13);
    /// The pod has waited for five minutes; every plugin hears of it.
    pub const TIMEOUT: Self = Self(1 << 14);
    /// A claim is new.
    pub const CLAIM_ADD: Self = Self(1 << 15);
    /// A claim changed.
    pub const CLAIM_UPDATE: Self = Self(1 << 16);
    /// A volume is new.
    pub const VOLUME_ADD: Self = Self(1 << 17);
    /// A volume changed.
    pub const VOLUME_UPDATE: Self = Self(1 << 18);
    /// A storage class is new.
    pub const CLASS_ADD: Self = Self(1 << 19);
    /// A storage class changed.
    pub const CLASS_UPDATE: Self = Self(1 << 20);
    /// A volume was detached from a node.
    pub const ATTACHMENT_DELETE: Self = Self(1 << 21);
    /// All kinds.
    pub const ALL: Self = Self(u32::MAX);
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether any kind of `other` is in this set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Actions {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The object that changed, before and after.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A pod.
    Pod(Option<&'a Arc<Pod>>, Option<&'a Arc<Pod>>),
    /// A node.
    Node(Option<&'a Arc<Node>>, Option<&'a Arc<Node>>),
    /// A claim; before unless it is new.
    Claim(Option<&'a Arc<PersistentVolumeClaim>>, &'a Arc<PersistentVolumeClaim>),
    /// A volume; before unless it is new.
    Volume(Option<&'a Arc<PersistentVolume>>, &'a Arc<PersistentVolume>),
    /// A storage class; before unless it is new.
    Class(Option<&'a Arc<StorageClass>>, &'a Arc<StorageClass>),
    /// No object.
    None,
}

/// One event that waiting pods are checked against.
#[derive(Clone, Copy, Debug)]
pub struct ClusterEvent<'a> {
    /// What happened: one kind.
    pub action: Actions,
    /// What it happened to.
    pub subject: Subject<'a>,
}

/// What changed in a pod, in upstream's order; each is an event of its own.
pub(super) fn pod_changes(old: &Pod, new: &Pod) -> impl Iterator<Item = Actions> + use<> {
    let same_spec = Arc::ptr_eq(&old.spec, &new.spec);
    let (before, after) = (&old.spec, &new.spec);
    let changes = [
        (old.meta.labels != new.meta.labels, Actions::POD_LABEL),
        (!same_spec && is_less(&after.requests, &before.requests), Actions::POD_SCALE_DOWN),
        (after.scheduling_gates.is_empty() && !before.scheduling_gates.is_empty(), Actions::POD_GATES),
        (after.tolerations.len() != before.tolerations.len(), Actions::POD_TOLERATION),
    ];
    let other = !changes.iter().any(|(changed, _)| *changed);
    let changes = changes.into_iter().chain([(other, Actions::POD_OTHER)]);
    changes.filter(|(changed, _)| *changed).map(|(_, action)| action)
}

fn is_less(new: &Resources, old: &Resources) -> bool {
    new.cpu_milli < old.cpu_milli
        || new.memory < old.memory
        || new.ephemeral_storage < old.ephemeral_storage
        || old.extended.iter().any(|(name, amount)| new.extended(name) < *amount)
}

/// What changed in a node, in upstream's order; each is an event of its own.
pub(super) fn node_changes(old: &Node, new: &Node) -> impl Iterator<Item = Actions> + use<> {
    let changes = [
        (old.spec.unschedulable && !new.spec.unschedulable, Actions::NODE_TAINT),
        (*old.status.allocatable != *new.status.allocatable, Actions::NODE_ALLOCATABLE),
        (old.meta.labels != new.meta.labels, Actions::NODE_LABEL),
        (old.spec.taints != new.spec.taints, Actions::NODE_TAINT),
        (!same_conditions(old, new), Actions::NODE_CONDITION),
        (old.meta.annotations != new.meta.annotations, Actions::NODE_ANNOTATION),
    ];
    changes.into_iter().filter(|(changed, _)| *changed).map(|(_, action)| action)
}

fn same_conditions(old: &Node, new: &Node) -> bool {
    let (before, after) = (&old.status.conditions, &new.status.conditions);
    before.ptr_eq(after)
        || before.len() == after.len()
            && after.iter().all(|c| before.find(&c.kind).is_some_and(|condition| condition.status == c.status))
}

/// What a change of volumes and what belongs to them is to waiting pods.
pub(super) fn of_volumes(change: &Change) -> Option<ClusterEvent<'_>> {
    let is_gone = change.change_type == ChangeType::Deleted;
    if let Some((old, claim)) = change.of::<PersistentVolumeClaim>().filter(|_| !is_gone) {
        let action = if old.is_some() { Actions::CLAIM_UPDATE } else { Actions::CLAIM_ADD };
        Some(ClusterEvent { action, subject: Subject::Claim(old, claim) })
    } else if let Some((old, volume)) = change.of::<PersistentVolume>().filter(|_| !is_gone) {
        let action = if old.is_some() { Actions::VOLUME_UPDATE } else { Actions::VOLUME_ADD };
        Some(ClusterEvent { action, subject: Subject::Volume(old, volume) })
    } else if let Some((old, class)) = change.of::<StorageClass>().filter(|_| !is_gone) {
        let action = if old.is_some() { Actions::CLASS_UPDATE } else { Actions::CLASS_ADD };
        Some(ClusterEvent { action, subject: Subject::Class(old, class) })
    } else {
        change.of::<VolumeAttachment>().filter(|_| is_gone)?;
        Some(ClusterEvent { action: Actions::ATTACHMENT_DELETE, subject: Subject::None })
    }
}
